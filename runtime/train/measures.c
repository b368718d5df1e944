/* measures.c: what a test says of a network besides its loss, which follows from what the output
 * says and what it is held against:
 *
 *     classes            accuracy; of more than ten the part whose five largest have the right one;
 *                        of many positions the mean over classes of intersection over union; of a
 *                        text the perplexity
 *     yes and no         accuracy, and the mean over labels of F1 and of the area under the curve
 *                        of true positives over false ones
 *     numbers            mean absolute error, root of the mean squared error, and R squared
 *
 * Of other outputs that losses read (heads.c) it says, with their names in front, accuracy, or what
 * it says of numbers.
 *
 * Numbers are in the target's own unit (units.c).  An image's part is kept with the image and added
 * in their order, and what is counted is whole numbers, so no number of threads is in a result.
 */
#include "runtime.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The scores of yes are sorted into so many, of their probabilities. */
enum { BINS = 1024, FIVE = 5, FEW = 10, MANY = 1024 };
/* A class's counts: how often it is the target, what is said, and both; a label's are followed by
 * its scores' counts, of no and of yes. */
enum { MEANT, SAID, BOTH, COUNTS };

/* Classes, or labels; more labels than can be told apart are counted together. */
static int64_t groups_of(const NetModel *model)
{
    int64_t classes = model->wanted[net_main_target(model)].classes;
    return model->output_kind == NET_OUTPUT_LABELS && classes > MANY ? 1 : classes;
}

static int64_t counts_each(const NetModel *model)
{
    return model->output_kind == NET_OUTPUT_LABELS ? COUNTS + 2 * BINS : COUNTS;
}

bool net_figures_open(NetSession *session, NetError *error)
{
    const NetModel *model = session->model;
    session->head_count = net_find_heads(session->heads, model);
    if (net_main_target(model) < 0 && session->head_count == 0)
        return true;
    session->count_count = net_main_target(model) < 0 ? 0 : groups_of(model) * counts_each(model);
    session->counts = net_allocate((size_t)session->count_count, sizeof *session->counts, error);
    session->figure_sums =
        net_allocate((size_t)(session->max_grains * model->lanes * net_sum_count(session)),
                     sizeof(double), error);
    return session->counts && session->figure_sums;
}

int net_sum_count(const NetSession *session)
{
    return NET_SUMS * (1 + session->head_count);
}

void net_figures_begin(NetSession *session)
{
    if (session->counts)
        memset(session->counts, 0, (size_t)session->count_count * sizeof *session->counts);
}

static void count(NetSession *session, int64_t group, int64_t what)
{
    int64_t *at = &session->counts[group * counts_each(session->model) + what];
    __atomic_fetch_add(at, 1, __ATOMIC_RELAXED);
}

/* --------------------------------------------------------------- an image */

/* Whether fewer than five others are larger, the first of equals being the larger. */
static bool is_among_five(const real *first, int64_t stride, int64_t classes, int64_t class)
{
    int larger = 0;
    for (int64_t k = 0; k < classes && larger < FIVE; k++)
        larger += first[k * stride] > first[class * stride]
                  || (first[k * stride] == first[class * stride] && k < class);
    return larger < FIVE;
}

static void note_class(NetSession *session, double *sums, const real *first, int64_t place)
{
    const NetModel *model = session->model;
    int64_t class = session->truth[place], said = session->predicted[place];
    sums[NET_SUM_ANSWERS]++;
    sums[NET_SUM_CORRECT] += class == said;
    if (model->classes > FEW)
        sums[NET_SUM_TOP5] +=
            is_among_five(first, model->class_step * model->lanes, model->classes, class);
    if (model->targets == 1)
        return; /* what is counted is for the IoU of many positions */
    count(session, class, MEANT);
    count(session, said, SAID);
    if (class == said)
        count(session, class, BOTH);
}

static void note_label(NetSession *session, double *sums, int64_t label, double logit,
                       double target)
{
    bool yes = target > 0.5, says = logit > 0;
    double probability = 1 / (1 + exp(-logit));
    int64_t bin = (int64_t)(probability * BINS);
    sums[NET_SUM_LABELS]++;
    sums[NET_SUM_CORRECT] += yes == says;
    if (yes)
        count(session, label, MEANT);
    if (says)
        count(session, label, SAID);
    if (yes && says)
        count(session, label, BOTH);
    count(session, label, COUNTS + (yes ? BINS : 0) + (bin < BINS ? bin : BINS - 1));
}

static void note_number(double *sums, double value, double target)
{
    double error = value - target;
    sums[NET_SUM_VALUES]++;
    sums[NET_SUM_ABSOLUTE] += fabs(error);
    sums[NET_SUM_SQUARED] += error * error;
    sums[NET_SUM_TARGETS] += target;
    sums[NET_SUM_TARGET_SQUARES] += target * target;
}

static int64_t label_of(const NetTarget *target, int64_t element)
{
    return target->class_step == 1 ? element % target->classes : element / target->class_step;
}

static void note_values(NetSession *session, double *sums, const real *first, int number,
                        int64_t image)
{
    const NetModel *model = session->model;
    const NetTarget *target = &model->wanted[number];
    int64_t elements = net_shape_elements(target->shape), lanes = model->lanes;
    const real *wanted =
        (const real *)session->targets[number] + image / lanes * elements * lanes + image % lanes;
    for (int64_t e = 0; e < elements; e++) {
        double value = (double)first[e * lanes], is = (double)wanted[e * lanes];
        if (model->output_kind == NET_OUTPUT_LABELS)
            note_label(session, sums, label_of(target, e) % groups_of(model), value, is);
        else
            note_number(sums, net_to_unit(session, number, e, value),
                        net_to_unit(session, number, e, is));
    }
}

/* An image's, zeroed: which 0 is the last output's, then come the heads'; NULL: none are kept. */
static double *sums_of(NetSession *session, int64_t image, int which)
{
    double *sums = session->figure_sums;
    if (!sums)
        return NULL;
    sums += image * net_sum_count(session) + which * NET_SUMS;
    return memset(sums, 0, NET_SUMS * sizeof *sums);
}

void net_figures_note(NetSession *session, int64_t image, const real *first)
{
    const NetModel *model = session->model;
    int number = net_main_target(model);
    double *sums = sums_of(session, image, 0);
    bool classes = false;
    if (!sums || number < 0)
        return;
    for (int64_t p = 0; p < model->targets; p++) {
        int64_t place = net_target_place(model, image, p);
        if (session->truth[place] < 0)
            continue;
        classes = true;
        note_class(session, sums, first + p * model->target_step * model->lanes, place);
    }
    /* a loss may read another output than the last */
    bool same = net_shape_elements(model->wanted[number].shape) == net_outputs(model);
    if (!classes && same && model->wanted[number].kind == NET_NUMBERS)
        note_values(session, sums, first, number, image);
}

/* Of each position its class. */
static void note_head_classes(const NetSession *session, const NetHead *head, double *sums,
                              int64_t image, const real *first)
{
    const NetTarget *target = &session->model->wanted[head->target];
    int64_t lanes = session->model->lanes;
    const int32_t *classes = (const int32_t *)session->targets[head->target]
                             + image / lanes * target->positions * lanes + image % lanes;
    for (int64_t p = 0; p < target->positions; p++) {
        int32_t class = classes[p * lanes];
        if (class == target->ignored || class < 0)
            continue;
        sums[NET_SUM_ANSWERS]++;
        sums[NET_SUM_CORRECT] += class
                                 == net_largest(first + p * target->position_step * lanes,
                                                target->class_step * lanes, target->classes);
    }
}

static void note_head_values(const NetSession *session, const NetHead *head, double *sums,
                             int64_t image, const real *first)
{
    const NetTarget *target = &session->model->wanted[head->target];
    int64_t elements = net_shape_elements(target->shape), lanes = session->model->lanes;
    const real *wanted = (const real *)session->targets[head->target]
                         + image / lanes * elements * lanes + image % lanes;
    for (int64_t e = 0; e < elements; e++) {
        double value = (double)first[e * lanes], is = (double)wanted[e * lanes];
        if (head->says == NET_OUTPUT_LABELS) {
            sums[NET_SUM_LABELS]++;
            sums[NET_SUM_CORRECT] += (value > 0) == (is > 0.5);
        } else {
            note_number(sums, net_to_unit(session, head->target, e, value),
                        net_to_unit(session, head->target, e, is));
        }
    }
}

void net_figures_note_head(NetSession *session, int head, int64_t image, const real *first)
{
    double *sums = sums_of(session, image, 1 + head);
    const NetHead *of = &session->heads[head];
    if (session->model->wanted[of->target].kind == NET_CLASSES)
        note_head_classes(session, of, sums, image, first);
    else
        note_head_values(session, of, sums, image, first);
}

void net_figures_add(const NetSession *session, int64_t images, double *sums)
{
    int count = net_sum_count(session);
    for (int64_t image = 0; session->figure_sums && image < images; image++)
        for (int i = 0; i < count; i++)
            sums[i] += session->figure_sums[image * count + i];
}

/* ------------------------------------------------------------- a split's */

/* `of`: the head that it is of; NULL: the last output. */
static void add_of(NetFigures *figures, const char *of, NetFigureKind kind, double value)
{
    enum { OUTPUT = 40 }; /* bytes of its name */
    NetFigure plain = net_figure(kind, value), figure = plain;
    figure.of_head = of;
    snprintf(figure.name, sizeof figure.name, "%.*s%s%.20s", OUTPUT, of ? of : "", of ? " " : "",
             plain.name);
    snprintf(figure.key, sizeof figure.key, "%.*s%s%.20s", OUTPUT, of ? of : "", of ? "_" : "",
             plain.key);
    net_figures_add_one(figures, figure);
}

static void add(NetFigures *figures, NetFigureKind kind, double value)
{
    net_figures_add_one(figures, net_figure(kind, value));
}

static const int64_t *counts_of(const NetSession *session, int64_t group)
{
    return session->counts + group * counts_each(session->model);
}

double net_class_iou(const NetSession *session, int64_t class)
{
    const int64_t *counts = counts_of(session, class);
    int64_t together = counts[MEANT] + counts[SAID] - counts[BOTH];
    return together > 0 ? (double)counts[BOTH] / (double)together : NAN;
}

/* Over the classes that were met. */
static double mean_iou(const NetSession *session)
{
    double sum = 0;
    int64_t met = 0;
    for (int64_t class = 0; class < groups_of(session->model); class ++) {
        double iou = net_class_iou(session, class);
        sum += isnan(iou) ? 0 : iou;
        met += !isnan(iou);
    }
    return met > 0 ? sum / (double)met : 0;
}

static double label_f1(const int64_t *counts)
{
    int64_t all = counts[MEANT] + counts[SAID];
    return all > 0 ? 2 * (double)counts[BOTH] / (double)all : NAN;
}

/* How often a yes scores higher than a no, those in one bin half; NAN: there are not both. */
static double label_auc(const int64_t *counts)
{
    const int64_t *no = counts + COUNTS, *yes = no + BINS;
    double below = 0, pairs = 0, all_no = 0, all_yes = 0;
    for (int bin = 0; bin < BINS; bin++) {
        pairs += (double)yes[bin] * (below + (double)no[bin] / 2);
        below += (double)no[bin];
        all_no += (double)no[bin];
        all_yes += (double)yes[bin];
    }
    return all_no > 0 && all_yes > 0 ? pairs / (all_no * all_yes) : NAN;
}

static double mean_over_labels(const NetSession *session, double (*of)(const int64_t *counts))
{
    double sum = 0;
    int64_t met = 0;
    for (int64_t label = 0; label < groups_of(session->model); label++) {
        double value = of(counts_of(session, label));
        sum += isnan(value) ? 0 : value;
        met += !isnan(value);
    }
    return met > 0 ? sum / (double)met : NAN;
}

static void add_numbers(NetFigures *figures, const char *of, const double sums[NET_SUMS])
{
    double n = sums[NET_SUM_VALUES], mean = sums[NET_SUM_TARGETS] / n,
           around = sums[NET_SUM_TARGET_SQUARES] - n * mean * mean;
    add_of(figures, of, NET_FIGURE_MAE, sums[NET_SUM_ABSOLUTE] / n);
    add_of(figures, of, NET_FIGURE_RMSE, sqrt(sums[NET_SUM_SQUARED] / n));
    if (around > 1e-12 * sums[NET_SUM_TARGET_SQUARES] || n <= 1)
        add_of(figures, of, NET_FIGURE_R2, 1 - sums[NET_SUM_SQUARED] / around);
}

static void add_head(NetFigures *figures, const NetModel *model, const NetHead *head,
                     const double sums[NET_SUMS])
{
    const char *of = model->outputs[head->output].name;
    double answers = sums[NET_SUM_ANSWERS] + sums[NET_SUM_LABELS];
    if (model->wanted[head->target].kind == NET_NUMBERS && head->says != NET_OUTPUT_LABELS) {
        if (sums[NET_SUM_VALUES] > 0)
            add_numbers(figures, of, sums);
    } else if (answers > 0) {
        add_of(figures, of, NET_FIGURE_ACCURACY, sums[NET_SUM_CORRECT] / answers);
    }
}

/* session: NULL where the figures' names alone are wanted. */
static void add_classes(const NetSession *session, const NetModel *model, NetFigures *figures,
                        double loss, const double sums[NET_SUMS])
{
    bool text = model->numbers > 0 && model->output.rank == 2;
    if (model->classes > FEW)
        add(figures, NET_FIGURE_TOP5, sums[NET_SUM_TOP5] / sums[NET_SUM_ANSWERS]);
    if (text && model->loss_count == 1 && model->output_kind == NET_OUTPUT_LOGITS)
        add(figures, NET_FIGURE_PERPLEXITY, exp(loss));
    else if (model->targets > 1)
        add(figures, NET_FIGURE_MEAN_IOU, session ? mean_iou(session) : 0);
}

static void add_labels(const NetSession *session, NetFigures *figures, const double sums[NET_SUMS])
{
    double f1 = session ? mean_over_labels(session, label_f1) : 0,
           auc = session ? mean_over_labels(session, label_auc) : 0;
    add(figures, NET_FIGURE_LABEL_ACCURACY, sums[NET_SUM_CORRECT] / sums[NET_SUM_LABELS]);
    if (!isnan(f1))
        add(figures, NET_FIGURE_F1, f1);
    if (!isnan(auc))
        add(figures, NET_FIGURE_AUC, auc);
}

NetFigures net_figures_made(const NetSession *session, double loss, const double *sums)
{
    NetFigures figures = {0};
    if (sums[NET_SUM_ANSWERS] > 0)
        add_classes(session, session->model, &figures, loss, sums);
    if (sums[NET_SUM_LABELS] > 0)
        add_labels(session, &figures, sums);
    if (sums[NET_SUM_VALUES] > 0)
        add_numbers(&figures, NULL, sums);
    for (int i = 0; i < session->head_count; i++)
        add_head(&figures, session->model, &session->heads[i], sums + (1 + i) * NET_SUMS);
    return figures;
}

/* Sums as if there were one answer of each kind. */
NetFigures net_figures_possible(const NetModel *model)
{
    NetFigures figures = {0};
    NetHead heads[NET_MAX_HEADS];
    int number = net_main_target(model), count = net_find_heads(heads, model);
    double one[NET_SUMS];
    for (int i = 0; i < NET_SUMS; i++)
        one[i] = 1;
    bool numbers = number >= 0 && model->wanted[number].kind == NET_NUMBERS;
    if (number >= 0 && net_has_classes(model))
        add_classes(NULL, model, &figures, 0, one);
    if (numbers && model->output_kind == NET_OUTPUT_LABELS)
        add_labels(NULL, &figures, one);
    else if (numbers)
        add_numbers(&figures, NULL, one);
    for (int i = 0; i < count; i++)
        add_head(&figures, model, &heads[i], one);
    return figures;
}
