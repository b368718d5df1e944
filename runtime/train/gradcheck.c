/* gradcheck.c: every gradient against central differences.
 *
 * The loss of one batch, its last grain only partly filled, is differentiated
 * numerically in a sample of every parameter's elements and compared with what
 * the training program computed.  The step's number stays the same, so dropout
 * drops the same values each time.  Where the two one-sided slopes disagree the
 * loss has a kink between them (a relu or a maximum changes sides) and says
 * nothing of the gradient; such elements are left out and counted.
 */
#include "runtime.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double EPS = 1e-6; /* the step of the differences */
static const double ATOL = 1e-5, RTOL = 1e-3;
/* Of the loss, that its own rounding may be: differences of a large one know fewer digits. */
static const double ROUNDING = 16 * DBL_EPSILON;
static const double MAX_EXCLUDED = 0.1; /* of all elements: more prove nothing */
static const double NOISE = 0.2;        /* --random-init: deviation added to every parameter */

typedef struct Tally {
    int64_t checked, excluded, wrong;
    double worst;
} Tally;

typedef struct Check {
    NetSession *session;
    NetBatch batch;
    real *gradient; /* [trained]: of the training program */
    double loss;    /* at the weights as they are */
    const NetGradcheck *options;
    uint64_t seed;
    FILE *out;
    NetError first; /* the first wrong gradient */
} Check;

static double loss_at(const Check *check, int64_t at, double move)
{
    real *weight = &check->session->weights[at], before = *weight;
    *weight = (real)((double)before + move);
    net_weights_changed(check->session);
    double loss = net_train_batch(check->session, &check->batch, NULL).loss;
    *weight = before;
    net_weights_changed(check->session);
    return loss;
}

/* Whether two slopes agree of which one is a difference over `eps`. */
static bool close_to(const Check *check, double eps, double a, double b)
{
    double rounding = ROUNDING * fabs(check->loss) / eps;
    return fabs(a - b) <= ATOL + rounding + RTOL * fmax(fabs(a), fabs(b));
}

/* The step of the difference; 0 at a kink.  A tenth of the step may fit between two of them. */
static double numeric_gradient(const Check *check, int64_t at, double *gradient)
{
    for (double eps = EPS; eps > EPS / 20; eps /= 10) {
        double above = loss_at(check, at, eps), below = loss_at(check, at, -eps);
        *gradient = (above - below) / (2 * eps);
        if (close_to(check, eps, (above - check->loss) / eps, (check->loss - below) / eps))
            return eps;
    }
    return 0;
}

/* A table's row of which its layer has no gradient on purpose. */
static bool is_padding(const NetParameter *parameter, int64_t element)
{
    return element / (parameter->elements / parameter->dim[0]) == parameter->padding_row;
}

static void check_element(Check *check, const NetParameter *parameter, int64_t element,
                          Tally *tally)
{
    if (parameter->padding_row >= 0 && is_padding(parameter, element))
        return;
    double numeric, ours = (double)check->gradient[parameter->offset + element];
    double eps = numeric_gradient(check, parameter->offset + element, &numeric);
    if (eps == 0) {
        tally->excluded++;
        return;
    }
    tally->checked++;
    tally->worst = fmax(tally->worst, fabs(numeric - ours));
    if (close_to(check, eps, ours, numeric))
        return;
    tally->wrong++;
    if (!check->first.text[0])
        net_fail(&check->first,
                 "the gradient of %.100s[%" PRId64 "] is %.9g and differences give %.9g",
                 parameter->path, element, ours, numeric);
}

/* All elements of a small parameter; of a large one, one from each of `samples`
 * equal stretches. */
static Tally check_parameter(Check *check, const NetParameter *parameter)
{
    Tally tally = {0};
    uint64_t salt = net_hash(parameter->path);
    int64_t samples = check->options->samples;
    if (samples > parameter->elements)
        samples = parameter->elements;
    for (int64_t i = 0; i < samples; i++) {
        int64_t from = i * parameter->elements / samples,
                to = (i + 1) * parameter->elements / samples;
        int64_t element =
            from + (int64_t)(net_random(check->seed, 1, salt, (uint64_t)i) * (double)(to - from));
        check_element(check, parameter, element, &tally);
    }
    return tally;
}

static void print_row(const Check *check, const NetParameter *parameter, const Tally *tally)
{
    char shape[NET_SHAPE_TEXT];
    fprintf(check->out, "%-36s %-18s %8" PRId64 " %9" PRId64 " %12.3g  %s\n", parameter->path,
            net_shape_text(shape, parameter->rank, parameter->dim), tally->checked, tally->excluded,
            tally->worst, tally->wrong ? "WRONG" : "ok");
}

static bool conclude(const Check *check, const Tally *sum, NetError *error)
{
    int64_t all = sum->checked + sum->excluded;
    fprintf(check->out,
            "%" PRId64 " checked, %" PRId64 " excluded at kinks, %" PRId64
            " wrong (atol %g, rtol %g)\n",
            sum->checked, sum->excluded, sum->wrong, ATOL, RTOL);
    if (sum->wrong > 0) {
        *error = check->first;
        return false;
    }
    if ((double)sum->excluded > MAX_EXCLUDED * (double)all)
        return net_fail(
            error,
            "%" PRId64 " of %" PRId64
            " elements lie at kinks, more than %g %%: nothing is proved; try another --seed",
            sum->excluded, all, 100 * MAX_EXCLUDED);
    return true;
}

static bool check_all(Check *check, NetError *error)
{
    const NetModel *model = check->session->model;
    Tally sum = {0};
    fprintf(check->out, "%-36s %-18s %8s %9s %12s\n", "parameter", "shape", "checked", "excluded",
            "worst");
    for (int i = 0; i < model->parameter_count; i++) {
        if (model->parameters[i].kind != NET_TRAINED)
            continue;
        Tally tally = check_parameter(check, &model->parameters[i]);
        print_row(check, &model->parameters[i], &tally);
        sum.checked += tally.checked;
        sum.excluded += tally.excluded;
        sum.wrong += tally.wrong;
    }
    return conclude(check, &sum, error);
}

/* ------------------------------------------------------------- a batch */

/* So that no bias is zero and no scale one, where an error would not show. */
static void add_noise(NetSession *session, uint64_t seed)
{
    for (int i = 0; i < session->model->parameter_count; i++) {
        const NetParameter *parameter = &session->model->parameters[i];
        for (int64_t e = 0; parameter->kind == NET_TRAINED && e < parameter->elements; e++)
            session->weights[parameter->offset + e] +=
                (real)(NOISE * net_random_normal(seed, 2, net_hash(parameter->path), (uint64_t)e));
    }
    net_weights_changed(session);
}

static bool prepare(Check *check, const NetSettings *settings, NetError *error)
{
    NetSession *session = check->session;
    const NetModel *model = session->model;
    if (!net_session_normalise(session, settings, error))
        return false;
    if (check->options->weights && !net_load(session, check->options->weights, error))
        return false;
    if (check->options->random_init)
        add_noise(session, check->seed);
    check->gradient = net_allocate((size_t)model->trained, sizeof *check->gradient, error);
    if (!check->gradient)
        return false;
    check->loss = net_train_batch(session, &check->batch, NULL).loss;
    memcpy(check->gradient, session->gradients, (size_t)model->trained * sizeof *check->gradient);
    return isfinite(check->loss)
           || net_fail(error, "the loss is %f: no gradient to check", check->loss);
}

bool net_gradcheck(const NetModel *model, const NetSettings *settings, const NetGradcheck *options,
                   FILE *out, NetError *error)
{
    int64_t batch = (int64_t)net_setting(settings, "batch", 1);
    Check check = {
        .options = options, .seed = (uint64_t)net_setting(settings, "seed", 1), .out = out};
    NetImages images = {0};
    check.session = net_session_open(model, options->threads, batch, check.seed, true, error);
    check.batch = (NetBatch){.images = &images, .count = batch};
    bool good = check.session && net_draw_noise(&images, batch, model, check.seed, error)
                && prepare(&check, settings, error) && check_all(&check, error);
    net_images_close(&images);
    free(check.gradient);
    net_close(check.session);
    return good;
}
