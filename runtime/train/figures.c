/* figures.c: what is told of a result: its loss, and what it is usually read as.
 *
 * A figure is one entry of one list.  What a terminal shows, what a log has, by what epochs are
 * compared and what a table lists all follow from the list.
 */
#include "runtime.h"

#include <math.h>
#include <string.h>

NetFigures net_figures(const NetModel *model, const NetResult *result)
{
    NetFigures figures = {0};
    if (result->images < 1)
        return figures;
    figures.items[figures.count++] = (NetFigure){"loss", result->loss, false, false};
    if (net_has_classes(model)) {
        double answers = (double)result->images * (double)model->targets;
        figures.items[figures.count++] =
            (NetFigure){"accuracy", (double)result->correct / answers, true, true};
    }
    return figures;
}

const NetFigure *net_figure_judged(const NetFigures *figures)
{
    return &figures->items[figures->count > 1];
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

const char *net_figures_text(char text[NET_FIGURES_TEXT], const char *split,
                             const NetFigures *figures)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < figures->count && used < NET_FIGURES_TEXT; i++) {
        const NetFigure *figure = &figures->items[i];
        char value[32];
        used += (size_t)snprintf(text + used, NET_FIGURES_TEXT - used, "  %s%s%s %s", split,
                                 *split ? " " : "", figure->name,
                                 net_value_text(value, figure->value, figure->percent));
    }
    return text;
}
