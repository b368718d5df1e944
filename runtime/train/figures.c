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
    net_figures_add_one(&figures, (NetFigure){"loss", "loss", result->loss, false, false});
    if (result->answers > 0) {
        double accuracy = (double)result->correct / (double)result->answers;
        net_figures_add_one(&figures, (NetFigure){"accuracy", "accuracy", accuracy, true, true});
    }
    for (int i = 0; i < result->measured.count; i++)
        net_figures_add_one(&figures, result->measured.items[i]);
    return figures;
}

const NetFigure *net_figure_judged(const NetFigures *figures)
{
    return &figures->items[figures->count > 1 && figures->items[1].larger_is_better];
}

bool net_figure_better(const NetFigure *figure, double than, double least)
{
    return figure->larger_is_better ? figure->value > than + least : figure->value < than - least;
}

const char *net_figures_text(char text[NET_FIGURES_TEXT], const char *before,
                             const NetFigures *figures)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < figures->count && used < NET_FIGURES_TEXT; i++) {
        const NetFigure *figure = &figures->items[i];
        used += (size_t)snprintf(
            text + used, NET_FIGURES_TEXT - used, figure->percent ? "%s%s %.2f %%" : "%s%s %.4f",
            before, figure->name, figure->percent ? 100 * figure->value : figure->value);
    }
    return text;
}
