/* figures.c: what is told of a result: its loss, and what it is usually read as.
 *
 * A figure is one entry of one list.  What a terminal shows, what a log has, by what epochs are
 * compared and what a table lists all follow from the list.
 */
#include "runtime.h"

#include <math.h>
#include <string.h>

NetFigure net_figure(NetFigureKind kind, double value)
{
#define FIGURE(constant, name, key, percent, larger) \
    [NET_FIGURE_##constant] = {name, key, 0, percent, larger, false},
    static const NetFigure kinds[] = {NET_FIGURE_LIST(FIGURE)};
#undef FIGURE
    NetFigure figure = kinds[kind];
    figure.value = value;
    return figure;
}

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
    net_figures_add_one(&figures, net_figure(NET_FIGURE_LOSS, result->loss));
    if (result->answers > 0)
        net_figures_add_one(
            &figures,
            net_figure(NET_FIGURE_ACCURACY, (double)result->correct / (double)result->answers));
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

/* ------------------------------------------------------ a figure by its name */

static const NetFigure *find_key(const NetFigures *figures, const char *key)
{
    for (int i = 0; i < figures->count; i++)
        if (strcmp(figures->items[i].key, key) == 0)
            return &figures->items[i];
    return NULL;
}

bool net_figure_of_training(const char *name)
{
    return strncmp(name, NET_OF_TRAINING, strlen(NET_OF_TRAINING)) == 0;
}

bool net_figure_by(NetFigure *by, const NetFigures *trained, const NetFigures *judged,
                   const char *name)
{
    const NetFigure *found = *name               ? net_figure_of(trained, judged, name)
                             : judged->count > 0 ? net_figure_judged(judged)
                                                 : NULL;
    if (!found || isnan(found->value))
        return false;
    *by = *found;
    if (net_figure_of_training(name)) {
        snprintf(by->name, sizeof by->name, "train %.50s", found->name);
        snprintf(by->key, sizeof by->key, NET_OF_TRAINING "%.50s", found->key);
    }
    return true;
}

const NetFigure *net_figure_of(const NetFigures *trained, const NetFigures *judged,
                               const char *name)
{
    return net_figure_of_training(name) ? find_key(trained, name + strlen(NET_OF_TRAINING))
                                        : find_key(judged, name);
}

static void list_keys(char *text, size_t size, const char *before, const NetFigures *figures)
{
    for (int i = 0; i < figures->count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s%s", used ? ", " : "", before,
                 figures->items[i].key);
    }
}

bool net_figure_exists(NetFigure *figure, const NetModel *model, bool by_class, const char *name,
                       const char *who, NetError *error)
{
    NetResult result = {.images = 1, .answers = by_class};
    NetFigures trained = net_figures(&result), judged;
    result.answers = net_has_classes(model);
    result.measured = net_figures_possible(model);
    judged = net_figures(&result);
    const NetFigure *found = net_figure_of(&trained, &judged, name);
    if (found) {
        *figure = *found;
        return true;
    }
    char known[400] = "";
    list_keys(known, sizeof known, "", &judged);
    list_keys(known, sizeof known, NET_OF_TRAINING, &trained);
    return net_fail(error, "%s goes by %.60s, which this network has not: it has %s", who, name,
                    known);
}

NetFigure net_figure_usual(const NetModel *model)
{
    NetResult result = {.images = 1, .answers = net_has_classes(model)};
    result.measured = net_figures_possible(model);
    NetFigures figures = net_figures(&result);
    return *net_figure_judged(&figures);
}

/* ------------------------------------------------------------------ as text */

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
