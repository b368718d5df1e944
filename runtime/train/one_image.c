/* one_image.c: one image at a time, or one step of a sequence.
 *
 * A model compiled with specialised kernels has a program for one image, whose
 * weights are packed in the order of its use.  Memory for it is allocated, and
 * the weights packed, when the first image by itself comes, and packed again after
 * the weights changed.  Where there is no such program, or no memory for it, a
 * single image is a grain with one lane used.
 *
 * All threads of the session share the large layers.  To wake them for one image takes longer than
 * a small image: then the calling thread does it alone, unless images come one upon the
 * other and the others wait for the next one awake.  Who computes a value changes no bit of it.
 *
 * A step of a sequence is a small image, of which layers look at what they have kept of the steps
 * before it: the keys and values of attention, the states of recurrent layers.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>

enum { SLACK = NET_MAX_LANES }; /* elements: loads are whole vectors */

/* Seconds after an image in which another is soon; threads.c waits awake for longer. */
static const double SOON = 10e-6;
/* Seconds of work to share for which threads are woken, which takes some 50e-6. */
static const double WORTH_WAKING = 400e-6;

struct NetOneImage {
    const NetProgram *program;
    const NetPacking *packings;
    int packing_count;
    real *packed, *scratch, *kept, *input;
    real *rows;                /* of a sequence: what is kept from step to step, [row_elements] */
    int64_t row_elements, row; /* row: the number of the next step */
    bool stale;                /* the weights changed since they were packed */
    bool backwards;            /* how the last image was done */
    bool shares;               /* there is something to share, and who to share it with */
    double finished;           /* when: net_seconds() */
};

/* What a batch norm behind a layer makes of output channel c: factor and term. */
typedef struct Norm {
    double factor, term;
} Norm;

static Norm norm_of(const NetSession *session, const NetPacking *p, int64_t c)
{
    Norm norm = {1, p->bias < 0 ? 0 : (double)session->weights[p->bias + c]};
    if (p->norm_mean < 0)
        return norm;
    double weight = p->norm_weight < 0 ? 1 : (double)session->weights[p->norm_weight + c];
    double bias = p->norm_bias < 0 ? 0 : (double)session->weights[p->norm_bias + c];
    norm.factor = weight / sqrt((double)session->buffers[p->norm_variance + c] + p->eps);
    norm.term = (norm.term - (double)session->buffers[p->norm_mean + c]) * norm.factor + bias;
    return norm;
}

/* The taps of input n of output channel c. */
static const real *filter_of(const NetSession *session, const NetPacking *p, int64_t c, int64_t n)
{
    int64_t at = p->points == NET_TRANSPOSED ? (c / p->outs * p->ins + n) * p->outs + c % p->outs
                                             : c * p->ins + n;
    return session->weights + p->weight + at * p->rows * p->columns;
}

/* A filter's value at a point of both axes. */
static double filter_at(const NetPacking *p, const real *filter, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t row = 0; row < p->rows; row++)
        for (int64_t column = 0; column < p->columns; column++)
            sum += p->at[i * p->rows + row] * p->at[j * p->columns + column]
                   * (double)filter[row * p->columns + column];
    return sum;
}

/* The same as pack_channel(), at the points of both axes. */
static void pack_points(const NetSession *session, const NetPacking *p, int64_t c, real *block,
                        int64_t o, int64_t width)
{
    Norm norm = norm_of(session, p, c);
    block[o] = (real)norm.term;
    for (int64_t i = 0; i < p->points; i++)
        for (int64_t j = 0; j < p->points; j++)
            for (int64_t n = 0; n < p->ins; n++) {
                const real *filter = filter_of(session, p, c, n);
                block[(1 + (i * p->points + j) * (1 + p->ins) + 1 + n) * width + o] =
                    (real)(filter_at(p, filter, i, j) * norm.factor);
            }
}

/* Output channel c of its group's, into column o of a block `width` wide. */
static void pack_channel(const NetSession *session, const NetPacking *p, int64_t c, real *block,
                         int64_t o, int64_t width)
{
    Norm norm = norm_of(session, p, c);
    block[o] = (real)norm.term;
    for (int64_t n = 0; n < p->ins; n++) {
        const real *filter = p->weight < 0 ? NULL : filter_of(session, p, c, n);
        for (int64_t row = 0; row < p->rows; row++)
            for (int64_t column = 0; column < p->columns; column++) {
                double value = filter ? (double)filter[row * p->columns + column] : 1;
                block[(1 + (row * p->ins + n) * p->columns + column) * width + o] =
                    (real)(value * norm.factor);
            }
    }
}

static void pack(const NetSession *session, const NetPacking *p, real *to)
{
    for (int64_t group = 0; group < p->groups; group++)
        for (int64_t first = 0; first < p->outs; first += p->block) {
            int64_t left = p->outs - first, used = left < p->block ? left : p->block,
                    width = left < p->block ? p->last : p->block;
            for (int64_t o = 0; o < used; o++)
                (p->points > 0 ? pack_points : pack_channel)(
                    session, p, group * p->outs + first + o, to, o, width);
            to += width
                  * (1
                     + (p->points > 0 ? p->points * p->points * (1 + p->ins)
                                      : p->rows * p->columns * p->ins));
        }
}

/* What is run, of NetModel: the program for one image, or for one step of a sequence. */
static NetOneImage program_of(const NetModel *model, bool row)
{
    return row ? (NetOneImage){.program = &model->row,
                               .packings = model->row_packings,
                               .packing_count = model->row_packing_count,
                               .row_elements = model->row_kept}
               : (NetOneImage){.program = &model->single,
                               .packings = model->packings,
                               .packing_count = model->packing_count};
}

static void close_one(NetOneImage **place)
{
    NetOneImage *one = *place;
    if (!one)
        return;
    void *arenas[] = {one->packed, one->scratch, one->kept, one->input, one->rows, one};
    for (size_t i = 0; i < sizeof arenas / sizeof *arenas; i++)
        free(arenas[i]);
    *place = NULL;
}

/* Memory is zeroed, and what fills a block up stays so. */
static bool open_one(const NetSession *session, bool row, NetOneImage **place)
{
    const NetModel *model = session->model;
    NetError ignored;
    NetOneImage *one = *place = net_allocate(1, sizeof *one, &ignored);
    if (!one)
        return false;
    *one = program_of(model, row);
    const NetProgram *program = one->program;
    int64_t packed = row ? model->row_packed : model->packed;
    one->packed = net_allocate((size_t)(packed + SLACK), sizeof(real), &ignored);
    one->scratch =
        net_allocate((size_t)(program->scratch_elements + SLACK)
                         + (size_t)net_pool_threads(session->pool) * (size_t)program->own_elements,
                     sizeof(real), &ignored);
    one->kept = net_allocate((size_t)(program->kept_elements + SLACK), sizeof(real), &ignored);
    one->input = net_allocate((size_t)(net_input_elements(model) + SLACK), sizeof(real), &ignored);
    one->rows = net_allocate((size_t)(one->row_elements + SLACK), sizeof(real), &ignored);
    one->stale = true;
    one->shares = net_pool_spins(session->pool) && program->shared > 0;
    return one->packed && one->scratch && one->kept && one->input && one->rows;
}

void net_one_image_close(NetSession *session)
{
    close_one(&session->one_image);
    close_one(&session->one_row);
}

void net_weights_changed(NetSession *session)
{
    net_derive(session->model, session->weights, session->buffers);
    if (session->one_image)
        session->one_image->stale = true;
    if (session->one_row)
        session->one_row->stale = true;
}

/* Its program is ready to run; NULL: there is none, or no memory for it. */
static NetOneImage *prepare(NetSession *session, bool row)
{
    NetOneImage **place = row ? &session->one_row : &session->one_image;
    bool *failed = row ? &session->one_row_failed : &session->one_image_failed;
    if (program_of(session->model, row).program->phase_count == 0 || *failed)
        return NULL;
    if (!*place && !open_one(session, row, place)) {
        close_one(place);
        *failed = true;
        return NULL;
    }
    NetOneImage *one = *place;
    for (int i = 0; one->stale && i < one->packing_count; i++)
        pack(session, &one->packings[i], one->packed + one->packings[i].to);
    one->stale = false;
    return one;
}

/* An image, and how many threads do it. */
typedef struct Run {
    const NetSession *session;
    const NetOneImage *one;
    NetStep step;
    int threads;
} Run;

static void run_thread(void *context, int thread)
{
    const Run *run = context;
    const NetSession *session = run->session;
    const NetProgram *program = run->one->program;
    real *scratch = run->one->scratch;
    const NetTeam team = {.scratch = scratch,
                          .own =
                              scratch + program->scratch_elements + thread * program->own_elements,
                          .member = thread,
                          .members = run->threads,
                          .meeting = net_pool_meeting(session->pool, 0)};
    for (int i = 0; i < program->phase_count; i++)
        program->phases[i].grain(&run->step, &team, 0);
}

/* Whether it is worth to have the other threads do a part. */
static bool is_shared(const NetOneImage *one)
{
    return one->shares
           && (one->program->shared > WORTH_WAKING || net_seconds() - one->finished < SOON);
}

static const real *run_program(NetSession *session, NetOneImage *one)
{
    one->backwards = !one->backwards;
    Run run = {.session = session, .one = one, .threads = 1};
    run.step = (NetStep){
        .weights = session->weights,
        .buffers = session->buffers,
        .packed = one->packed,
        .input = one->input,
        .kept = one->kept,
        .active = session->active,
        .grains = 1,
        .images = 1,
        .seed = session->seed,
        .step = session->steps,
        .backwards = one->backwards,
        .row = one->row,
        .rows = one->rows,
    };
    if (is_shared(one)) {
        run.threads = net_pool_threads(session->pool);
        net_pool_run(session->pool, run_thread, &run);
    } else {
        run_thread(&run, 0);
    }
    if (one->shares)
        one->finished = net_seconds();
    return one->kept + one->program->logits;
}

const real *net_one_image_output(const NetSession *session, int output)
{
    return session->one_image->kept + session->model->single.outputs[output];
}

const real *net_one_image_floats(NetSession *session, const float *pixels,
                                 const float *const *further)
{
    int64_t channels = session->model->input.c,
            area = net_shape_elements(session->model->input) / channels;
    NetOneImage *one = prepare(session, false);
    if (!one)
        return NULL;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t at = 0; at < area; at++)
            one->input[at * channels + c] = pixels ? (real)pixels[c * area + at] : 0;
    net_place_further_floats(session->model, further, one->input);
    return run_program(session, one);
}

const real *net_one_image_bytes(NetSession *session, const NetImages *images, int64_t index)
{
    NetOneImage *one = prepare(session, false);
    if (!one)
        return NULL;
    net_place_image(session, images, index, one->input);
    return run_program(session, one);
}

bool net_rows_begin(NetSession *session)
{
    NetOneImage *one = prepare(session, true);
    if (!one)
        return false;
    for (int64_t i = 0; i < one->row_elements; i++)
        one->rows[i] = 0;
    one->row = 0;
    return true;
}

const real *net_rows_next(NetSession *session, int64_t number)
{
    NetOneImage *one = session->one_row;
    one->input[0] = (real)number;
    const real *outputs = run_program(session, one);
    one->row++;
    return outputs;
}
