/* bench.c: how fast the network trains and answers here, and how near each
 * kernel comes to what the machine can do.
 *
 * Images lie in memory as bytes, so what is measured of training is a step as a
 * run makes it: shuffled, loaded, normalised, forward, backward, updated.
 * Inference is measured as a C program calls it, from normalised numbers to
 * logits, one image at a time and a thousand; and a text that goes on step by step,
 * a window full of it.  The peak is measured between the repeats, on the same threads.
 */
#include "runtime.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* images; images; elements of input at once */
enum { DRAWN = 512, MANY = 1000, MAX_PIXELS = 1 << 26 };

typedef struct Bench {
    const NetModel *model;
    const NetSettings *settings;
    const NetBench *options;
    NetImages images; /* to train on: the options', or drawn */
    int32_t *order;
    int64_t batch, many; /* images in a training step; in a large call of inference */
    NetOptimizer optimizer;
    double multiply_adds;                        /* of training one image */
    NetSpread peak, training, share, one, large; /* multiply-adds a second; seconds per step */
    NetSpread token; /* of a text that is gone on with: seconds for each */
    NetProfile profile;
} Bench;

/* ------------------------------------------------------------- measuring */

static NetSpread measure(const Bench *bench, const NetJob *job)
{
    double seconds[NET_REPEATS];
    int64_t steps = bench->options->steps ? bench->options->steps : net_job_steps(job);
    for (int i = 0; i < NET_REPEATS; i++) {
        double start = net_seconds();
        net_job_run(job, steps);
        seconds[i] = (net_seconds() - start) / (double)steps;
    }
    return net_spread(seconds);
}

/* Peak and training by turns, so that the share is of the same moments. */
static void measure_training(Bench *bench, const NetJob *job)
{
    double seconds[NET_REPEATS], peaks[NET_REPEATS], shares[NET_REPEATS];
    int64_t steps = bench->options->steps ? bench->options->steps : net_job_steps(job);
    for (int i = 0; i < NET_REPEATS; i++) {
        peaks[i] = net_measure_peak(bench->model, job->session->pool);
        double start = net_seconds();
        net_job_run(job, steps);
        seconds[i] = (net_seconds() - start) / (double)steps;
        shares[i] = bench->multiply_adds * (double)bench->batch / seconds[i] / peaks[i];
    }
    bench->training = net_spread(seconds);
    bench->peak = net_spread(peaks);
    bench->share = net_spread(shares);
}

static NetSession *open_session(const Bench *bench, int threads, int64_t batch, NetError *error)
{
    bool training = bench->model->training.phase_count > 0;
    uint64_t seed = (uint64_t)net_setting(bench->settings, "seed", 1);
    NetSession *session = net_session_open(bench->model, threads, batch, seed, training, error);
    if (session && !net_session_normalise(session, bench->settings, error)) {
        net_close(session);
        return NULL;
    }
    return session;
}

static NetJob job_of(const Bench *bench, NetSession *session)
{
    return (NetJob){
        .session = session,
        .batch = bench->batch,
        .images = &bench->images,
        .order = bench->order,
        .optimizer = bench->model->training.phase_count > 0 ? &bench->optimizer : NULL,
    };
}

static bool train(Bench *bench, int threads, bool profiled, NetError *error)
{
    NetSession *session = open_session(bench, threads, bench->batch, error);
    NetJob job = job_of(bench, session);
    bool good = session != NULL;
    if (good && profiled)
        good = net_profile(&bench->profile, &job, bench->options->steps, error);
    else if (good)
        measure_training(bench, &job);
    net_close(session);
    return good;
}

static float draw_value(int64_t numbers, int64_t i)
{
    double drawn = net_random(1, 0, 0, (uint64_t)i);
    return numbers ? (float)(int64_t)(drawn * (double)numbers) : (float)drawn;
}

/* NULL: there is no memory. */
static float *draw_input(const NetInput *input, int64_t batch, NetError *error)
{
    int64_t elements = net_shape_elements(input->shape);
    float *values = net_allocate((size_t)batch, (size_t)elements * sizeof *values, error);
    for (int64_t i = 0; values && i < batch * elements; i++)
        values[i] = draw_value(input->numbers, i);
    return values;
}

static bool infer(const Bench *bench, int threads, int64_t batch, NetSpread *spread,
                  NetError *error)
{
    const NetModel *model = bench->model;
    NetSession *session = net_open(model, threads, batch, 1, error);
    float *inputs[NET_MAX_INPUTS] = {0};
    float *logits = net_allocate((size_t)batch, (size_t)net_outputs(model) * sizeof *logits, error);
    bool good = session && logits;
    for (int i = 0; good && i < model->input_count; i++)
        good = (inputs[i] = draw_input(&model->inputs[i], batch, error)) != NULL;
    if (good)
        *spread = measure(bench, &(NetJob){.session = session,
                                           .batch = batch,
                                           .inputs = (const float *const *)inputs,
                                           .logits = logits});
    for (int i = 0; i < NET_MAX_INPUTS; i++)
        free(inputs[i]);
    free(logits);
    net_close(session);
    return good;
}

static void fill_window(NetSession *session)
{
    const NetModel *model = session->model;
    net_rows_begin(session);
    for (int64_t i = 0; i < net_shape_elements(model->input); i++)
        net_rows_next(session, (int64_t)draw_value(model->numbers, i));
}

static const double WINDOWS_SECONDS = 0.2; /* of a repeat */

/* A network that does not compute step by step has nothing to measure. */
static bool generate(Bench *bench, int threads, NetError *error)
{
    const NetModel *model = bench->model;
    double seconds[NET_REPEATS];
    if (model->row.phase_count == 0)
        return !bench->options->only
               || net_fail(error, "%s does not go on with a text by one step for each character",
                           model->name);
    NetSession *session = net_open(model, threads, 1, 1, error);
    if (session && !net_rows_begin(session)) {
        net_close(session);
        return net_fail(error, "out of memory");
    }
    for (int i = -1; session && i < NET_REPEATS; i++) { /* once to warm up */
        int64_t windows = 0, limit = bench->options->steps;
        double start = net_seconds(), taken;
        do {
            fill_window(session);
            windows++;
            taken = net_seconds() - start;
        } while (limit ? windows < limit : taken < WINDOWS_SECONDS);
        if (i >= 0)
            seconds[i] = taken / (double)windows / (double)net_shape_elements(model->input);
    }
    if (!session)
        return false;
    bench->token = net_spread(seconds);
    net_close(session);
    return true;
}

static bool scale(const Bench *bench, FILE *out, NetError *error)
{
    const NetBench *options = bench->options;
    NetOnCores results[NET_MAX_CORE_COUNTS];
    /* of all threads, a grain each */
    int64_t together = (int64_t)options->threads * bench->model->lanes;
    if (together < bench->batch)
        together = bench->batch;
    NetSession *one = open_session(bench, 1, bench->batch, error),
               *all = one ? open_session(bench, options->threads, together, error) : NULL;
    bool good = all != NULL;
    if (good) {
        const NetCores cores = {job_of(bench, one), job_of(bench, all), options->cores,
                                options->core_counts};
        good = net_cores(&cores, results, out, error);
    }
    net_close(all);
    net_close(one);
    return good;
}

static bool is_wanted(const Bench *bench, const char *what)
{
    return !bench->options->only || strcmp(bench->options->only, what) == 0;
}

static bool measure_all(Bench *bench, NetError *error)
{
    int threads = bench->options->threads;
    return (!is_wanted(bench, "training") || train(bench, threads, false, error))
           && (!is_wanted(bench, "one") || infer(bench, threads, 1, &bench->one, error))
           && (!is_wanted(bench, "many")
               || infer(bench, threads, bench->many, &bench->large, error))
           && (!is_wanted(bench, "generate") || generate(bench, threads, error))
           && (!is_wanted(bench, "layers") || train(bench, 1, true, error));
}

/* ------------------------------------------------------------- preparing */

static bool open_images(Bench *bench, NetError *error)
{
    const NetModel *model = bench->model;
    const NetData *data = bench->options->data;
    uint64_t seed = (uint64_t)net_setting(bench->settings, "seed", 1);
    int64_t count = bench->batch > DRAWN ? bench->batch : DRAWN;
    if (data)
        bench->images = data->train;
    else if (model->numbers && model->input_count == 1) {
        if (!net_draw_numbers(&bench->images, count, model, seed, error))
            return false;
    } else if (!net_draw_synthetic(&bench->images, count, model, seed, 0, error))
        return false;
    if (!data && !net_bind_images(&bench->images, model, "what is drawn", "training", error))
        return false;
    if (data && data->train.count < bench->batch)
        return net_fail(error, "a batch of %" PRId64 " %s, and %s has %" PRId64, bench->batch,
                        net_noun(model).many, data->what, data->train.count);
    bench->order = net_allocate((size_t)bench->images.count, sizeof *bench->order, error);
    if (bench->order)
        net_shuffle(bench->order, bench->images.count, seed, 0);
    return bench->order != NULL;
}

/* Images in a large call: what was asked for, or as many as fit. */
static int64_t count_many(const Bench *bench)
{
    const NetModel *model = bench->model;
    if (bench->options->many)
        return bench->options->many;
    int64_t fit = MAX_PIXELS / net_shape_elements(model->input);
    return fit > MANY ? MANY : fit < 1 ? 1 : fit;
}

static void count_work(Bench *bench)
{
    const NetModel *model = bench->model;
    const NetProgram *program =
        model->training.phase_count > 0 ? &model->training : &model->inference;
    for (int i = 0; i < program->part_count; i++)
        bench->multiply_adds += (double)program->parts[i].multiply_adds;
    bench->batch = (int64_t)net_setting(bench->settings, "batch", 64);
    bench->many = count_many(bench);
}

/* -------------------------------------------------------------- printing */

static double spread_percent(NetSpread spread)
{
    return 100 * (spread.max - spread.min) / spread.median;
}

static void print_rate(FILE *out, const Bench *bench, const char *what, int64_t batch,
                       NetSpread seconds)
{
    fprintf(out, "%-9s  batch %4" PRId64 "  %10.0f %s/s  %10.1f µs a step  spread %.0f %%\n", what,
            batch, (double)batch / seconds.median, net_noun(bench->model).many,
            seconds.median * 1e6, spread_percent(seconds));
}

static bool has_token(const Bench *bench)
{
    return is_wanted(bench, "generate") && bench->model->row.phase_count > 0;
}

static void print_text(const Bench *bench, FILE *out)
{
    const NetModel *model = bench->model;
    bool trains = model->training.phase_count > 0;
    fprintf(out, "%s: %s kernels for %s, %d thread%s; medians of %d\n", model->name, model->kernels,
            model->target, bench->options->threads, bench->options->threads == 1 ? "" : "s",
            NET_REPEATS);
    if (is_wanted(bench, "training"))
        print_rate(out, bench, trains ? "training" : "testing", bench->batch, bench->training);
    if (is_wanted(bench, "one"))
        print_rate(out, bench, "inference", 1, bench->one);
    if (is_wanted(bench, "many") && bench->many > 1)
        print_rate(out, bench, "inference", bench->many, bench->large);
    if (has_token(bench))
        fprintf(out, "generate               %10.0f tokens/s  %10.1f µs a token spread %.0f %%\n",
                1 / bench->token.median, bench->token.median * 1e6, spread_percent(bench->token));
    if (is_wanted(bench, "training"))
        fprintf(out, "%.1f GFLOP/s in %s, %.1f %% of the %.1f GFLOP/s of multiply-adds alone\n",
                2e-9 * bench->multiply_adds * (double)bench->batch / bench->training.median,
                trains ? "training" : "testing", 100 * bench->share.median,
                2e-9 * bench->peak.median);
    if (!is_wanted(bench, "layers"))
        return;
    fprintf(out, "\nOn one thread, peak %.1f GFLOP/s, batch %" PRId64 ":\n\n",
            2e-9 * bench->profile.peak, bench->batch);
    net_profile_print(&bench->profile, out);
}

/* Each of these is false when there was no memory for all of it. */
static bool add_spread(cJSON *root, const char *name, NetSpread spread, double scale)
{
    cJSON *object = cJSON_AddObjectToObject(root, name);
    return cJSON_AddNumberToObject(object, "median", spread.median * scale)
           && cJSON_AddNumberToObject(object, "least", spread.min * scale)
           && cJSON_AddNumberToObject(object, "most", spread.max * scale);
}

static bool add_part(cJSON *parts, const NetPart *part, double seconds)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(parts, object);
    return cJSON_AddStringToObject(object, "layer", part->path)
           && cJSON_AddStringToObject(object, "kernel", part->stage)
           && cJSON_AddNumberToObject(object, "multiply_adds", (double)part->multiply_adds)
           && cJSON_AddNumberToObject(object, "seconds", seconds);
}

static bool add_parts(cJSON *root, const NetProfile *profile)
{
    bool good = cJSON_AddNumberToObject(root, "one_thread_peak_gflops", 2e-9 * profile->peak)
                && cJSON_AddNumberToObject(root, "one_thread_step_seconds", profile->step);
    cJSON *parts = cJSON_AddArrayToObject(root, "parts");
    for (int i = 0; good && i < profile->program->part_count; i++)
        good = add_part(parts, &profile->program->parts[i], profile->seconds[i]);
    return good && parts;
}

static bool add_training(cJSON *root, const Bench *bench)
{
    return add_spread(root, "training_seconds", bench->training, 1)
           && add_spread(root, "peak_gflops", bench->peak, 2e-9)
           && add_spread(root, "share_of_peak", bench->share, 1);
}

static bool add_all(cJSON *root, const Bench *bench)
{
    return cJSON_AddStringToObject(root, "network", bench->model->name)
           && cJSON_AddNumberToObject(root, "threads", bench->options->threads)
           && cJSON_AddNumberToObject(root, "batch", (double)bench->batch)
           && cJSON_AddNumberToObject(root, "many", (double)bench->many)
           && cJSON_AddNumberToObject(root, "multiply_adds", bench->multiply_adds)
           && (!is_wanted(bench, "training") || add_training(root, bench))
           && (!is_wanted(bench, "one") || add_spread(root, "inference_1_seconds", bench->one, 1))
           && (!is_wanted(bench, "many")
               || add_spread(root, "inference_many_seconds", bench->large, 1))
           && (!has_token(bench) || add_spread(root, "generate_seconds", bench->token, 1))
           && (!is_wanted(bench, "layers") || add_parts(root, &bench->profile));
}

static bool print_json(const Bench *bench, FILE *out, NetError *error)
{
    cJSON *root = cJSON_CreateObject();
    char *text = add_all(root, bench) ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    if (!text)
        return net_fail(error, "out of memory");
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    return true;
}

static bool measure_and_print(Bench *bench, FILE *out, NetError *error)
{
    if (!measure_all(bench, error))
        return false;
    if (bench->options->json)
        return print_json(bench, out, error);
    print_text(bench, out);
    return true;
}

bool net_bench(const NetModel *model, const NetSettings *settings, const NetBench *options,
               FILE *out, NetError *error)
{
    Bench bench = {.model = model, .settings = settings, .options = options};
    count_work(&bench);
    bool good =
        open_images(&bench, error) && net_optimizer_open(&bench.optimizer, model, settings, error);
    bench.optimizer.rates.updates = 2; /* not the first: momentum has its state */
    good = good
           && (options->core_counts ? scale(&bench, out, error)
                                    : measure_and_print(&bench, out, error));
    free(bench.profile.seconds);
    free(bench.order);
    if (!options->data)
        net_images_close(&bench.images);
    net_optimizer_close(&bench.optimizer);
    return good;
}
