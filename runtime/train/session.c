/* session.c: a model with its memory and its threads.
 *
 * Everything a run touches is allocated here, once, in a few arenas sized from
 * the model's constants; a step allocates nothing.  Gradients exist only in a
 * session opened for training.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* rows * columns elements of real. */
static real *allocate_arena(int64_t rows, int64_t columns, NetError *error)
{
    int64_t elements;
    if (rows < 0 || columns < 0 || __builtin_mul_overflow(rows, columns, &elements)) {
        net_fail(error,
                 "%" PRId64 " arenas of %" PRId64
                 " elements are more memory than an address can reach",
                 rows, columns);
        return NULL;
    }
    return net_allocate((size_t)elements, sizeof(real), error);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool allocate_targets(NetSession *session, NetError *error)
{
    const NetModel *model = session->model;
    for (int i = 0; i < model->wanted_count; i++) {
        const NetTarget *target = &model->wanted[i];
        bool classes = target->kind == NET_CLASSES;
        int64_t values = classes ? target->positions : net_shape_elements(target->shape);
        session->targets[i] = net_allocate((size_t)(session->max_grains * model->lanes * values),
                                           classes ? sizeof(int32_t) : sizeof(real), error);
        if (!session->targets[i])
            return false;
    }
    return true;
}

static bool allocate_images(NetSession *session, NetError *error)
{
    const NetModel *model = session->model;
    int64_t grains = session->max_grains, lanes = model->lanes;
    int64_t pixels = net_input_elements(model);
    int64_t kept = model->inference.kept_elements;
    if (session->training)
        kept = larger(kept, model->training.kept_elements);
    int64_t filters = model->inference.filter_elements;
    if (session->training)
        filters = larger(filters, model->training.filter_elements);
    session->kept = allocate_arena(grains, kept, error);
    session->filters = allocate_arena(1, filters, error);
    session->input = allocate_arena(grains, pixels * lanes, error);
    session->loss = allocate_arena(grains, lanes, error);
    session->active = allocate_arena(grains, lanes, error);
    session->predicted =
        net_allocate((size_t)(grains * lanes * model->targets), sizeof(int32_t), error);
    session->truth =
        net_allocate((size_t)(grains * lanes * model->targets), sizeof(int32_t), error);
    session->image_weights = net_allocate((size_t)(grains * lanes), sizeof(double), error);
    session->shares = allocate_arena(grains, lanes, error);
    session->scale = allocate_arena(1, session->image.c, error);
    session->shift = allocate_arena(1, session->image.c, error);
    session->normal =
        net_allocate(NET_NORMAL_PARTS * (size_t)session->image.c, sizeof(double), error);
    session->own_normal =
        net_allocate(NET_NORMAL_PARTS * (size_t)session->image.c, sizeof(double), error);
    return session->kept && session->filters && session->input && session->loss && session->active
           && allocate_targets(session, error) && net_figures_open(session, error)
           && session->predicted && session->truth && session->shares && session->scale
           && session->shift && session->normal && session->own_normal
           && net_open_further(session, error);
}

static bool allocate_parameters(NetSession *session, NetError *error)
{
    const NetModel *model = session->model;
    int64_t stride = (model->trained + NET_RANGE_UNIT - 1) / NET_RANGE_UNIT * NET_RANGE_UNIT;
    session->gradient_stride = stride;
    session->weights = allocate_arena(1, stride, error);
    session->buffers = allocate_arena(1, model->buffers, error);
    session->counters = net_allocate((size_t)model->counters, sizeof(int64_t), error);
    if (session->training)
        session->gradients = allocate_arena(session->max_grains, stride, error);
    return session->weights && session->buffers && session->counters
           && (session->gradients || !session->training);
}

static bool allocate_scratch(NetSession *session, NetError *error)
{
    const NetModel *model = session->model;
    int threads = net_pool_threads(session->pool);
    int64_t elements = model->inference.scratch_elements;
    if (session->training)
        elements = larger(elements, model->training.scratch_elements);
    /* ends with NULL */
    session->scratch = net_allocate((size_t)threads + 1, sizeof *session->scratch, error);
    for (int thread = 0; session->scratch && thread < threads; thread++) {
        session->scratch[thread] = allocate_arena(1, elements, error);
        if (!session->scratch[thread])
            return false;
    }
    return session->scratch != NULL;
}

static bool check_model(const NetModel *model, int64_t batch, NetError *error)
{
    if (model->real_bytes != (int)sizeof(real))
        return net_fail(
            error,
            "%s was compiled for %d-byte numbers and is linked with the library for %zu-byte ones",
            model->name, model->real_bytes, sizeof(real));
    if (!net_check_processor(model, error))
        return false;
    if (model->lanes < 1 || model->lanes > NET_MAX_LANES)
        return net_fail(error, "%s has grains of %d; this library takes 1 to %d", model->name,
                        model->lanes, NET_MAX_LANES);
    if (batch < 1 || batch > INT32_MAX)
        return net_fail(error, "a batch of %" PRId64 " %s: 1 to %d are possible", batch,
                        net_noun(model).many, INT32_MAX);
    return true;
}

NetSession *net_session_open(const NetModel *model, int threads, int64_t batch, uint64_t seed,
                             bool training, NetError *error)
{
    if (!check_model(model, batch, error))
        return NULL;
    NetSession *session = net_allocate(1, sizeof *session, error);
    if (!session)
        return NULL;
    *session = (NetSession){
        .model = model,
        .image = net_image_shape(model->input),
        .training = training,
        .batch = batch,
        .seed = seed,
        .max_grains = (batch + model->lanes - 1) / model->lanes,
        .passes = 1,
    };
    session->pool = net_pool_open(threads, error);
    if (!session->pool || !allocate_images(session, error) || !allocate_parameters(session, error)
        || !allocate_scratch(session, error)) {
        net_close(session);
        return NULL;
    }
    if (!net_initialise(model, session->weights, session->buffers, session->counters, seed, error)
        || !net_session_normalise(session, &(NetSettings){0}, error)) {
        net_close(session);
        return NULL;
    }
    return session;
}

bool net_has_batch_norms(const NetModel *model)
{
    for (int i = 0; i < model->layer_count; i++)
        if (model->layers[i].over_batch)
            return true;
    return false;
}

bool net_session_accumulate(NetSession *session, int passes, NetError *error)
{
    session->passes = passes;
    if (passes > 1)
        session->sum = allocate_arena(1, session->gradient_stride, error);
    return passes == 1 || session->sum;
}

void net_close(NetSession *session)
{
    if (!session)
        return;
    for (int thread = 0; session->scratch && session->scratch[thread]; thread++)
        free(session->scratch[thread]);
    void *arenas[] = {
        session->scratch,       session->weights,       session->buffers, session->counters,
        session->gradients,     session->kept,          session->input,   session->loss,
        session->active,        session->predicted,     session->scale,   session->shift,
        session->normal,        session->own_normal,    session->filters, session->truth,
        session->further_scale, session->further_shift, session->sum,     session->image_weights,
        session->figure_sums,   session->counts,        session->shares,
    };
    for (int i = 0; i < NET_MAX_TARGETS; i++)
        free(session->targets[i]);
    for (size_t i = 0; i < sizeof arenas / sizeof *arenas; i++)
        free(arenas[i]);
    net_one_image_close(session);
    net_forget_classes(session);
    net_units_forget(session);
    free(session->recipe);
    net_pool_close(session->pool);
    free(session);
}

/* ----------------------------------------------------------- from C */

NetSession *net_open(const NetModel *model, int threads, int64_t batch, uint64_t seed,
                     NetError *error)
{
    NetSettings settings;
    if (!net_settings_open(&settings, model, error))
        return NULL;
    NetSession *session = net_session_open(model, threads, batch, seed, false, error);
    if (session && !net_session_normalise(session, &settings, error)) {
        net_close(session);
        session = NULL;
    }
    net_settings_close(&settings);
    return session;
}

NetShape net_image_size(const NetSession *session)
{
    return session->image;
}

bool net_read_picture(const NetSession *session, const char *path, uint8_t *pixels, NetError *error)
{
    return net_read_image(pixels, session->image, &session->fit, path, error);
}

static bool load(NetSession *session, const char *path, bool part, NetError *error)
{
    NetTensorFile file;
    if (!net_tensors_open(&file, path, error))
        return false;
    bool good = net_tensors_unwrap(&file, session->model, error)
                && (part ? net_weights_read_part(session, &file, error)
                         : net_weights_read(session, NULL, &file, NULL, error));
    net_tensors_close(&file);
    return good;
}

bool net_load(NetSession *session, const char *path, NetError *error)
{
    return load(session, path, false, error);
}

bool net_load_part(NetSession *session, const char *path, NetError *error)
{
    return load(session, path, true, error);
}

bool net_save(const NetSession *session, const char *path, NetError *error)
{
    return net_weights_write(session, NULL, path, NULL, error);
}

static void take_logits(void *to, int64_t image, const real *logits, int64_t stride,
                        const NetModel *model)
{
    int64_t outputs = net_outputs(model);
    float *row = (float *)to + image * outputs;
    for (int64_t i = 0; i < outputs; i++)
        row[i] = (float)logits[i * stride];
}

static void take_probabilities(void *to, int64_t image, const real *logits, int64_t stride,
                               const NetModel *model)
{
    float *row = (float *)to + image * net_outputs(model);
    for (int64_t target = 0; target < model->targets; target++) {
        int64_t first = target * model->target_step;
        net_probabilities(logits + first * stride, stride * model->class_step, model->classes,
                          row + first, model->class_step);
    }
}

/* Of the last tensor: the target in whose unit it is given; below 0: none. */
static int unit_of_output(const NetModel *model)
{
    return model->loss_count ? model->losses[model->main_loss].target : NET_NO_TARGET;
}

void net_predict(NetSession *session, const float *pixels, int64_t count, float *logits)
{
    const NetModel *model = session->model;
    const real *alone = count == 1 ? net_one_image_floats(session, pixels, NULL) : NULL;
    if (alone)
        take_logits(logits, 0, alone, 1, model);
    for (int64_t first = 0; !alone && first < count; first += session->batch) {
        int64_t some = count - first < session->batch ? count - first : session->batch;
        net_test_batch(session, &(NetBatch){.pixels = pixels,
                                            .first = first,
                                            .count = some,
                                            .take = take_logits,
                                            .to = logits + first * net_outputs(model)});
    }
    net_answer_in_unit(session, unit_of_output(model), logits, count);
}

int64_t net_outputs(const NetModel *model)
{
    return model->classes * model->targets;
}

/* --------------------------------------------------------- named outputs */

int net_output_count(const NetSession *session)
{
    return session->model->output_count;
}

const char *net_output_name(const NetSession *session, int output)
{
    return session->model->outputs[output].name;
}

NetShape net_output_shape(const NetSession *session, int output)
{
    return session->model->outputs[output].shape;
}

/* Where the values of images from `first` on go. */
typedef struct Wanted {
    const NetModel *model;
    int64_t first;
    float *logits;
    float *const *outputs;
} Wanted;

static void take_some(const Wanted *wanted, int64_t image, const real *const *outputs,
                      int64_t stride)
{
    for (int i = 0; wanted->outputs && i < wanted->model->output_count; i++) {
        int64_t elements = net_shape_elements(wanted->model->outputs[i].shape);
        float *row =
            wanted->outputs[i] ? wanted->outputs[i] + (wanted->first + image) * elements : NULL;
        for (int64_t k = 0; row && k < elements; k++)
            row[k] = (float)outputs[i][k * stride];
    }
}

static void take_wanted_outputs(void *to, int64_t image, const real *const *outputs, int64_t stride)
{
    take_some(to, image, outputs, stride);
}

static void take_wanted_logits(void *to, int64_t image, const real *logits, int64_t stride,
                               const NetModel *model)
{
    const Wanted *wanted = to;
    if (wanted->logits)
        take_logits(wanted->logits, wanted->first + image, logits, stride, model);
}

static void in_units(NetSession *session, int64_t count, float *logits, float *const *outputs)
{
    const NetModel *model = session->model;
    if (logits)
        net_answer_in_unit(session, unit_of_output(model), logits, count);
    for (int i = 0; outputs && i < model->output_count; i++)
        if (outputs[i])
            net_answer_in_unit(session, model->outputs[i].unit - 1, outputs[i], count);
}

static void predict_all(NetSession *session, const float *pixels, const float *const *further,
                        int64_t count, float *logits, float *const *outputs)
{
    const NetModel *model = session->model;
    const real *alone = count == 1 ? net_one_image_floats(session, pixels, further) : NULL;
    Wanted wanted = {model, 0, logits, outputs};
    if (alone) {
        const real *own[NET_MAX_OUTPUTS];
        for (int i = 0; i < model->output_count; i++)
            own[i] = net_one_image_output(session, i);
        take_wanted_logits(&wanted, 0, alone, 1, model);
        take_some(&wanted, 0, own, 1);
        return;
    }
    for (int64_t first = 0; first < count; first += session->batch) {
        wanted.first = first;
        int64_t some = count - first < session->batch ? count - first : session->batch;
        net_test_batch(session, &(NetBatch){.pixels = pixels,
                                            .further = further,
                                            .first = first,
                                            .count = some,
                                            .take = take_wanted_logits,
                                            .take_outputs = take_wanted_outputs,
                                            .to = &wanted});
    }
}

void net_predict_outputs(NetSession *session, const float *pixels, int64_t count, float *logits,
                         float *const *outputs)
{
    predict_all(session, pixels, NULL, count, logits, outputs);
    in_units(session, count, logits, outputs);
}

void net_predict_inputs(NetSession *session, const float *const *inputs, int64_t count,
                        float *logits, float *const *outputs)
{
    predict_all(session, inputs[0], inputs + 1, count, logits, outputs);
    in_units(session, count, logits, outputs);
}

int net_main_target(const NetModel *model)
{
    if (model->loss_count)
        return model->losses[model->main_loss].target;
    return model->wanted_count ? 0 : NET_NO_TARGET;
}

bool net_has_classes(const NetModel *model)
{
    bool may = model->output_kind != NET_OUTPUT_LABELS
               && (model->output_kind != NET_OUTPUT_NUMBERS
                   || (model->output.rank == 1 && net_main_target(model) >= 0));
    return may && model->classes > 1;
}

void net_classify(NetSession *session, const uint8_t *images, int64_t count, float *probabilities)
{
    const NetImages all = net_pictures(count, session->image, images);
    const real *alone = count == 1 ? net_one_image_bytes(session, &all, 0) : NULL;
    int64_t outputs = net_outputs(session->model);
    if (alone) {
        take_probabilities(probabilities, 0, alone, 1, session->model);
        return;
    }
    for (int64_t first = 0; first < count; first += session->batch) {
        int64_t some = count - first < session->batch ? count - first : session->batch;
        net_test_batch(session, &(NetBatch){.images = &all,
                                            .first = first,
                                            .count = some,
                                            .take = take_probabilities,
                                            .to = probabilities + first * outputs});
    }
}

static void take_answer(void *to, int64_t image, const real *logits, int64_t stride,
                        const NetModel *model)
{
    const NetAnswered *answer = to;
    take_logits(answer->logits, image, logits, stride, model);
    take_probabilities(answer->probabilities, image, logits, stride, model);
}

/* What takes an answer has its model nowhere else. */
typedef struct Answering {
    NetAnswered answer; /* the first: it is what take_answer takes */
    const NetModel *model;
} Answering;

static void take_answered_outputs(void *to, int64_t image, const real *const *outputs,
                                  int64_t stride)
{
    const Answering *answering = to;
    take_some(&(Wanted){answering->model, 0, NULL, answering->answer.outputs}, image, outputs,
              stride);
}

static void answer_alone(NetSession *session, const real *alone, const NetAnswered *answer)
{
    const real *own[NET_MAX_OUTPUTS];
    for (int i = 0; i < session->model->output_count; i++)
        own[i] = net_one_image_output(session, i);
    take_answer((void *)answer, 0, alone, 1, session->model);
    take_some(&(Wanted){session->model, 0, NULL, answer->outputs}, 0, own, 1);
}

static void answer_batch(NetSession *session, const NetImages *images, int64_t index,
                         const NetAnswered *answer)
{
    Answering answering = {*answer, session->model};
    net_test_batch(session, &(NetBatch){.images = images,
                                        .first = index,
                                        .count = 1,
                                        .take = take_answer,
                                        .take_outputs = take_answered_outputs,
                                        .to = &answering});
}

void net_answer(NetSession *session, const NetImages *images, int64_t index,
                const NetAnswered *answer)
{
    const real *alone = net_one_image_bytes(session, images, index);
    if (alone)
        answer_alone(session, alone, answer);
    else
        answer_batch(session, images, index, answer);
    in_units(session, 1, answer->logits, answer->outputs);
}

bool net_answer_example(NetSession *session, const NetImages *images, int64_t index,
                        const NetAnswered *answer, NetError *error)
{
    answer_batch(session, images, index, answer);
    in_units(session, 1, answer->logits, answer->outputs);
    return !net_stream_failed(images, error);
}

bool net_augment_begin(NetAugment *augment, const NetSettings *settings, const NetSession *session,
                       const NetData *data, NetError *error)
{
    if (!net_augment_open(augment, settings, session->image, session->model->lanes,
                          net_pool_threads(session->pool), session->seed, error)
        || !net_augment_check(augment, data, error)
        || !net_targets_open(augment, session->model, &data->train, net_pool_threads(session->pool),
                             error))
        return false;
    net_repeat_begin(augment, session->batch * session->passes, net_trained_images(data));
    return true;
}
