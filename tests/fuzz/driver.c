/* Runs several builds of each network of a table side by side and says where
 * they differ: the specialised kernels on one and on three threads, which must
 * agree to the last bit; the reference kernels; and other targets.  All start
 * from the same weights, take the same ragged batches, and are compared after
 * every step in losses, gradients, weights and running statistics; so are the
 * logits of single images, which have a program of their own.  Then every
 * gradient is checked against differences.
 *
 * Linked with a table (written by the test) of the models and with the f64
 * runtime; or with the f32 one, where rounding may take a value over a kink, so
 * a difference must come again with other images before it is one, and there
 * are no differences to check gradients against.  Prints one line per network:
 * its name and "ok", or what is wrong.
 */
#include "fuzz/drawn.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SINGLE_IMAGES = 3, STEPS = 3, STEPS_PER_EPOCH = 2, SAMPLES = 2, SINGLE_ATTEMPTS = 3 };

/* Sums of a few thousand products in another order, through a few layers; a norm
 * of a channel that hardly varies multiplies what rounding left by up to 300. */
static const double TOLERANCE = 1e-9, NORMED_TOLERANCE = 1e-7;
/* Adam divides a gradient that is nothing but rounding by its own size. */
static const double UPDATED_TOLERANCE = 1e-6;
static const double SINGLE_TOLERANCE = 1e-3, SINGLE_NORMED_TOLERANCE = 1e-2,
                    SINGLE_UPDATED_TOLERANCE = 2e-2;

typedef struct Build {
    const NetModel *model;
    NetSession *session;
    NetSettings settings;
    NetOptimizer optimizer;
    NetSchedule schedule;
} Build;

static const bool single = sizeof(real) == sizeof(float);
static char complaint[1024]; /* about the network under test */

static bool told(const Entry *entry, const char *template, ...) PRINTF(2, 3);
static bool told(const Entry *entry, const char *template, ...)
{
    va_list arguments;
    va_start(arguments, template);
    int used = snprintf(complaint, sizeof complaint, "%s: ", entry->name);
    vsnprintf(complaint + used, sizeof complaint - (size_t)used, template, arguments);
    va_end(arguments);
    return false;
}

static bool open_build(Build *build, const NetModel *model, int threads, int64_t batch,
                       uint64_t seed, NetError *error)
{
    build->model = model;
    if (!net_settings_open(&build->settings, model, error))
        return false;
    build->session = net_session_open(model, threads, batch, seed, true, error);
    return build->session && net_optimizer_open(&build->optimizer, model, &build->settings, error)
           && net_schedule_open(&build->schedule, &build->settings, STEPS_PER_EPOCH, error);
}

static void close_build(Build *build)
{
    net_optimizer_close(&build->optimizer);
    net_close(build->session);
    net_settings_close(&build->settings);
}

static double largest(const real *a, int64_t count)
{
    double max = 0;
    for (int64_t i = 0; i < count; i++)
        max = fmax(max, fabs((double)a[i]));
    return max;
}

/* What diverged alike is alike: infinite, or no number. */
static double distance(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) ? 0 : fabs(a - b);
}

/* The largest difference between two arrays, relative to their largest value,
 * or to `size` where that is larger. */
static double difference(const real *a, const real *b, int64_t count, double size)
{
    double max = 0;
    for (int64_t i = 0; i < count; i++) {
        double apart = distance((double)a[i], (double)b[i]);
        max = apart > max || isnan(apart) ? apart : max;
        if (isfinite(a[i]))
            size = fmax(size, fabs((double)a[i]));
    }
    return max / size;
}

/* One whose operator's name contains this: dropout, dropout2d, alpha_dropout. */
static bool has_layer(const NetModel *model, const char *part)
{
    for (int i = 0; i < model->layer_count; i++)
        if (strstr(model->layers[i].op, part) != NULL)
            return true;
    return false;
}

static double max_apart(const NetModel *model, bool updated)
{
    /* An instance norm of a channel that is constant, as padding makes it, enlarges rounding
     * for the same reason; in float64 by less than the bound of all. */
    bool normed = has_layer(model, "batch_norm") || (single && has_layer(model, "instance_norm"));
    if (updated)
        return single ? SINGLE_UPDATED_TOLERANCE : UPDATED_TOLERANCE;
    if (single)
        return normed ? SINGLE_NORMED_TOLERANCE : SINGLE_TOLERANCE;
    return normed ? NORMED_TOLERANCE : TOLERANCE;
}

static bool same(const Entry *entry, const Build *one, const Build *other, bool exact,
                 const char *what, int step, const real *a, const real *b, int64_t count)
{
    if (exact && memcmp(a, b, (size_t)count * sizeof(real)) == 0)
        return true;
    /* A gradient that should be zero (of a bias before a norm) is the rounding of the others. */
    double size =
        (single ? 1e-2 : 1e-3) * fmax(1, largest(one->session->gradients, one->model->trained));
    double apart = difference(a, b, count, size);
    if (!exact && apart <= max_apart(one->model, strstr(what, "value")))
        return true;
    return told(entry, "%s after step %d: %s %s on %d thread%s and %s %s on %d differ by %.3g",
                what, step + 1, one->model->target, one->model->kernels,
                net_pool_threads(one->session->pool),
                net_pool_threads(one->session->pool) > 1 ? "s" : "", other->model->target,
                other->model->kernels, net_pool_threads(other->session->pool), apart);
}

/* Parameter by parameter, so that a small one does not hide behind a large one. */
static bool same_parameters(const Entry *entry, const Build *one, const Build *other, bool exact,
                            const char *what, int step)
{
    const NetModel *model = one->model;
    for (int i = 0; i < model->parameter_count; i++) {
        const NetParameter *parameter = &model->parameters[i];
        bool buffer = parameter->kind == NET_BUFFER, gradient = strcmp(what, "gradient") == 0;
        if (parameter->kind == NET_COUNTER || (buffer && gradient))
            continue;
        const real *a = buffer     ? one->session->buffers
                        : gradient ? one->session->gradients
                                   : one->session->weights;
        const real *b = buffer     ? other->session->buffers
                        : gradient ? other->session->gradients
                                   : other->session->weights;
        char label[256];
        snprintf(label, sizeof label, "the %s of %s", what, parameter->path);
        if (!same(entry, one, other, exact, label, step, a + parameter->offset,
                  b + parameter->offset, parameter->elements))
            return false;
    }
    return true;
}

static bool compare(const Entry *entry, const Build *one, const Build *other, const real *losses,
                    bool exact, int step, int64_t images)
{
    return same(entry, one, other, exact, "the loss", step, losses, losses + 1, 1)
           && same(entry, one, other, exact, "an image's loss", step, one->session->loss,
                   other->session->loss, images)
           && (!one->session->keep_gradients
               || same_parameters(entry, one, other, exact, "gradient", step));
}

/* `first`: the weights before the first step. */
static bool frozen_stay(const Entry *entry, const Build *build, const real *first)
{
    for (int i = 0; i < build->model->parameter_count; i++) {
        const NetParameter *parameter = &build->model->parameters[i];
        if (parameter->kind == NET_TRAINED && parameter->frozen
            && memcmp(first + parameter->offset, build->session->weights + parameter->offset,
                      (size_t)parameter->elements * sizeof(real))
                   != 0)
            return told(entry, "%s is frozen and moves", parameter->path);
    }
    return true;
}

/* All builds take one step from the same weights. */
static bool take_step(const Entry *entry, Build *builds, int count, const NetBatch *batch, int step)
{
    real losses[2];
    for (int i = 0; i < count; i++) {
        net_optimizer_schedule(&builds[i].optimizer, &builds[i].schedule, step,
                               step / STEPS_PER_EPOCH);
        /* otherwise some are used up as they are made */
        builds[i].session->keep_gradients = step % 2 == 0;
        losses[i > 0] = (real)net_train_batch(builds[i].session, batch, &builds[i].optimizer).loss;
        if (!isfinite(losses[i > 0]))
            return told(entry, "the loss of step %d is %g", step + 1, (double)losses[i > 0]);
        bool exact = i == 1;
        if (i > 0
            && (!compare(entry, &builds[0], &builds[i], losses, exact, step, batch->count)
                || !same_parameters(entry, &builds[0], &builds[i], exact, "value", step)))
            return false;
    }
    /* Rounding grows from step to step; the next step is compared on its own. */
    for (int i = 1; i < count; i++) {
        memcpy(builds[i].session->weights, builds[0].session->weights,
               (size_t)builds[0].model->trained * sizeof(real));
        memcpy(builds[i].session->buffers, builds[0].session->buffers,
               (size_t)builds[0].model->buffers * sizeof(real));
    }
    return true;
}

static bool has_setting(const NetModel *model, const char *name)
{
    for (int i = 0; i < model->setting_count; i++)
        if (strcmp(model->settings[i].path, name) == 0)
            return true;
    return false;
}

/* Neither running averages, nor what is drawn at random, nor losses of training only: training and
 * inference, which are planned apart, compute the same. */
static bool evaluates_as_it_trains(const NetModel *model)
{
    return !has_setting(model, "loss.2") && !has_layer(model, "batch_norm")
           && !has_layer(model, "instance_norm") && !strstr(model->structure, "drop")
           && !has_layer(model, "noise") /* attention drops, too, and recurrent layers do */
           && !has_layer(model, "rrelu");
}

/* Images of the batch that was just tested with these logits, each alone.  What
 * the threads agree on is compared once. */
static bool test_alone(const Entry *entry, const Build *build, const NetBatch *batch,
                       const Answers *answers)
{
    const NetModel *model = build->model;
    net_weights_changed(build->session);
    for (int64_t image = 0; image < SINGLE_IMAGES && image < batch->count; image++) {
        const real *alone =
            net_one_image_bytes(build->session, batch->images, batch->first + image);
        if (alone
            && !same(entry, build, build, false, "the logits alone and among others", STEPS,
                     answers->values + image * answers->each, alone, net_outputs(model)))
            return false;
        if (!alone && strcmp(model->kernels, "reference") != 0)
            return told(entry, "there is no program for one image");
    }
    return true;
}

static bool compare_tests(const Entry *entry, Build *builds, int count, const NetBatch *batch,
                          const Answers answers[2])
{
    real losses[2];
    for (int i = 0; i < count; i++) {
        const Answers *own = &answers[i > 0];
        losses[i > 0] = drawn_test(builds[i].session, batch, own);
        if (i > 0
            && (!same(entry, &builds[0], &builds[i], i == 1, "the test loss", STEPS, losses,
                      losses + 1, 1)
                || !same(entry, &builds[0], &builds[i], i == 1, "an output", STEPS,
                         answers[0].values, own->values, batch->count * own->each)))
            return false;
        if (!test_alone(entry, &builds[i], batch, own))
            return false;
    }
    if (!evaluates_as_it_trains(builds[0].model))
        return true;
    losses[1] = (real)net_train_batch(builds[0].session, batch, NULL).loss;
    return same(entry, &builds[0], &builds[0], false, "the loss in training and in inference",
                STEPS, losses, losses + 1, 1);
}

static bool take_tests(const Entry *entry, Build *builds, int count, const NetBatch *batch)
{
    NetError error;
    Answers answers[2] = {0};
    bool good = drawn_answers(&answers[0], builds[0].model, batch->count, &error)
                && drawn_answers(&answers[1], builds[0].model, batch->count, &error);
    good =
        good ? compare_tests(entry, builds, count, batch, answers) : told(entry, "%s", error.text);
    free(answers[0].values);
    free(answers[1].values);
    return good;
}

static void add_noise(Build *builds, int count, uint64_t seed)
{
    drawn_noise(builds[0].session, builds[0].model, seed);
    for (int i = 1; i < count; i++)
        memcpy(builds[i].session->weights, builds[0].session->weights,
               (size_t)builds[0].model->trained * sizeof(real));
}

static bool take_steps(const Entry *entry, Build *builds, int count, const NetImages *images,
                       int64_t batch)
{
    for (int step = 0; step < STEPS; step++) {
        int64_t taken = step == 1 ? batch / 2 + 1 : batch; /* the second is shorter */
        if (!take_step(entry, builds, count,
                       &(NetBatch){.images = images, .first = step * batch, .count = taken}, step))
            return false;
    }
    return take_tests(entry, builds, count, &(NetBatch){.images = images, .count = batch});
}

static bool run_builds(const Entry *entry, Build *builds, int count, int64_t batch, uint64_t seed)
{
    NetImages images = {0};
    NetError error;
    size_t trained = (size_t)builds[0].model->trained;
    real *first = net_allocate(trained, sizeof *first, &error);
    bool good = (first && net_draw_noise(&images, STEPS * batch, builds[0].model, seed, &error))
                || told(entry, "%s", error.text);
    if (good) {
        add_noise(builds, count, seed);
        memcpy(first, builds[0].session->weights, trained * sizeof *first);
        good = take_steps(entry, builds, count, &images, batch)
               && frozen_stay(entry, &builds[0], first);
    }
    free(first);
    net_images_close(&images);
    return good;
}

/* A batch most of whose samples lie at kinks proves nothing: another is drawn. */
static bool check_gradients(const Entry *entry, Build *build, FILE *nowhere)
{
    NetError error;
    NetGradcheck options = {.threads = 1, .samples = SAMPLES, .random_init = true};
    for (int attempt = 0; attempt < 4; attempt++) {
        char number[16];
        snprintf(number, sizeof number, "%d", attempt + 1);
        if (attempt > 0 && !net_setting_set(&build->settings, "seed", number, "--seed", &error))
            break;
        if (net_gradcheck(build->model, &build->settings, &options, nowhere, &error))
            return true;
        if (!strstr(error.text, "kinks"))
            return told(entry, "%s", error.text);
    }
    return told(entry, "%s", error.text);
}

static bool attempt(const Entry *entry, FILE *nowhere, uint64_t more)
{
    Build builds[MAX_BUILDS + 1] = {0};
    NetError error;
    NetSettings settings;
    const NetModel *first = entry->models[0];
    if (!net_settings_open(&settings, first, &error))
        return told(entry, "%s", error.text);
    int64_t batch = (int64_t)net_setting(&settings, "batch", 1);
    uint64_t seed = (uint64_t)net_setting(&settings, "seed", 1) + more;
    net_settings_close(&settings);

    int count = entry->builds + 1;
    bool good = true;
    for (int i = 0; good && i < count; i++) /* the first model twice: one thread, and three */
        if (!open_build(&builds[i], i < 2 ? first : entry->models[i - 1],
                        i == 0   ? 1
                        : i == 1 ? 3
                                 : 2,
                        batch, seed, &error))
            good = told(entry, "%s", error.text);
    good = good && run_builds(entry, builds, count, batch, seed)
           && (single || check_gradients(entry, &builds[0], nowhere));
    for (int i = 0; i < count; i++)
        close_build(&builds[i]);
    return good;
}

static bool run_network(const Entry *entry, FILE *nowhere)
{
    bool good = false;
    for (uint64_t i = 0; !good && i < (single ? SINGLE_ATTEMPTS : 1); i++)
        good = attempt(entry, nowhere, i);
    return good;
}

int main(void)
{
    FILE *nowhere = fopen("/dev/null", "w");
    int wrong = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (const Entry *entry = networks; nowhere && entry->name; entry++) {
        printf("%s begins\n", entry->name);
        if (run_network(entry, nowhere)) {
            printf("%s ok\n", entry->name);
        } else {
            printf("%s\n", complaint);
            wrong++;
        }
    }
    return wrong > 0;
}
