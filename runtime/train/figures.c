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

const char *net_figures_text(char text[NET_FIGURES_TEXT], const char *split,
                             const NetFigures *figures)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < figures->count && used < NET_FIGURES_TEXT; i++) {
        const NetFigure *figure = &figures->items[i];
        used += (size_t)snprintf(text + used, NET_FIGURES_TEXT - used,
                                 figure->percent ? "  %s%s%s %.2f %%" : "  %s%s%s %.4f", split,
                                 *split ? " " : "", figure->name,
                                 figure->percent ? 100 * figure->value : figure->value);
    }
    return text;
}
