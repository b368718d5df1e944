/* figures.c: what is told of a result: its loss, and what it is usually read as.
 *
 * A figure is one entry of one list.  What a terminal shows, what a log has, by what epochs are
 * compared and what a table lists all follow from the list.
 */
#include "runtime.h"

#include <math.h>
#include <string.h>

void net_figures_add_one(NetFigures *figures, NetFigure figure)
{
    if (figures->count < NET_MAX_FIGURES)
        figures->items[figures->count++] = figure;
}

NetFigures net_figures(const NetResult *result)
{
    NetFigures figures = {0};
    if (result->images < 1)
        return figures;
    net_figures_add_one(&figures, (NetFigure){"loss", "loss", result->loss, false, false, false});
    if (result->answers > 0) {
        double accuracy = (double)result->correct / (double)result->answers;
        net_figures_add_one(&figures,
                            (NetFigure){"accuracy", "accuracy", accuracy, true, true, false});
    }
    for (int i = 0; i < result->measured.count; i++)
        net_figures_add_one(&figures, result->measured.items[i]);
    return figures;
}

const NetFigure *net_figure_judged(const NetFigures *figures)
{
    bool second =
        figures->count > 1 && figures->items[1].larger_is_better && !figures->items[1].of_head;
    return &figures->items[second];
}

bool net_figure_better(const NetFigure *figure, double than, double least)
{
    return figure->larger_is_better ? figure->value > than + least : figure->value < than - least;
}

/* What is far too large, as a run's that is lost, in few digits. */
const char *net_value_text(char text[32], double value, bool percent)
{
    if (percent)
        snprintf(text, 32, "%.2f %%", 100 * value);
    else
        snprintf(text, 32, fabs(value) < 1e7 ? "%.4f" : "%.4g", value);
    return text;
}

const char *net_figures_text(char text[NET_FIGURES_TEXT], const char *before,
                             const NetFigures *figures)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < figures->count && used < NET_FIGURES_TEXT; i++) {
        const NetFigure *figure = &figures->items[i];
        char value[32];
        used +=
            (size_t)snprintf(text + used, NET_FIGURES_TEXT - used, "%s%s %s", before, figure->name,
                             net_value_text(value, figure->value, figure->percent));
    }
    return text;
}
