/* pass.c: one batch through a program, forward and, in training, backward and
 * the update.
 *
 * Each thread takes a contiguous run of grains and keeps it through all phases,
 * so what it loads and computes is in its own cache.  Grains that are left over, or all
 * of them where there are more threads, are computed by teams of threads.  In inference with many
 * grains it takes a few at a time through the whole program instead, and the
 * threads meet at the end only, and once before where the weights are transformed.
 * The loss is added in the order of the images and
 * gradients in net_reduce's tree, so the number of threads is not in any result.
 *
 * In training a rank of several computes its own grains, in their places among all.
 */
#include "runtime.h"

#include <math.h>
#include <stdatomic.h>

typedef struct Pass {
    NetSession *session;
    const NetProgram *program;
    const NetBatch *batch;
    const NetOptimizer *optimizer;
    bool training;
    int first_thread, threads; /* of those that share what is not a grain's, and how many */
    int own_threads;           /* those of the process, which measures the whole gradient */
    NetShare grains;           /* the process's: all, or in training the rank's */
    NetShare summed;           /* of which it adds gradients: those, or all */
    real *kept, *input, *loss; /* the step's, to write to */
    NetStep step;
    bool many;           /* inference with many grains: see run_many() */
    atomic_llong *taken; /* how many of them somebody took */
    double *loss_sum;    /* with ranks, where all images' losses are added up */
} Pass;

static int64_t image_index(const NetBatch *batch, int64_t image)
{
    return batch->order ? batch->order[batch->first + image] : batch->first + image;
}

/* The last image is also in the lanes behind it.  Zeros are no image: what a network makes of them,
 * a logarithm, may be infinite, and a gradient of 0 times that is no number. */
static int64_t shown_index(const NetBatch *batch, int64_t image)
{
    return image_index(batch, image < batch->count ? image : batch->count - 1);
}

static bool has_targets(const NetBatch *batch)
{
    return batch->images && batch->images->has_targets;
}

/* ------------------------------------------------------------- loading */

static void load_floats(real *input, const NetBatch *batch, int64_t image, int lanes,
                        int64_t elements)
{
    const float *images[NET_MAX_LANES];
    for (int lane = 0; lane < lanes; lane++)
        images[lane] =
            batch->pixels ? batch->pixels + shown_index(batch, image + lane) * elements : NULL;
    net_transpose_grain(input, images, lanes, elements);
}

/* The batch's image number `image`, as it is or as augmented for this lane. */
static const uint8_t *find_image(const NetBatch *batch, int64_t image, int64_t elements, int thread,
                                 int lane)
{
    int64_t index = image_index(batch, image);
    const uint8_t *pixels = batch->fetched
                                ? batch->fetched + (image - batch->fetched_first) * elements
                                : net_image_at(batch->images, index, batch->offset);
    bool sized = batch->images && net_stream_sizes(batch->images);
    if (!batch->augment)
        return pixels;
    int64_t key = net_repeat_key(batch->augment, index, batch->first + image);
    return net_augment_image(batch->augment, pixels, key, sized, thread, lane);
}

/* Likewise, mixed with its neighbour where the step's are. */
static const uint8_t *find_mixed(const NetBatch *batch, int64_t image, int64_t elements, int thread,
                                 int lane)
{
    int64_t partner = net_mix_partner(&batch->mixing, image, batch->count);
    const uint8_t *own = find_image(batch, image, elements, thread, lane);
    if (partner == image)
        return own;
    const uint8_t *other = find_image(batch, partner, elements, thread, batch->augment->lanes);
    return net_augment_mix(batch->augment, own, other, &batch->mixing, thread, lane);
}

/* Asks for the images that the next batch will have in the lanes from `image`:
 * a shuffle puts them anywhere in memory, and nobody waits for them meanwhile.
 * Larger ones would take the cache from the network. */
enum { FETCHED_AHEAD = 1 << 19, LINE = 64 }; /* bytes of a batch, of a cache line */

static void fetch_ahead(const NetBatch *batch, int64_t image, int lanes, int64_t elements)
{
    if (elements > FETCHED_AHEAD / batch->count || batch->images->held.holders > 1)
        return;
    int64_t end = batch->images->count - batch->first;
    for (int64_t next = image + batch->count; next < image + batch->count + lanes && next < end;
         next++) {
        const uint8_t *pixels =
            net_image_at(batch->images, image_index(batch, next), batch->offset);
        for (int64_t at = 0; at < elements; at += LINE)
            __builtin_prefetch(pixels + at, 0, 2);
    }
}

static void load_bytes(const Pass *pass, real *input, int64_t image, int64_t elements, int thread)
{
    const NetSession *session = pass->session;
    const NetModel *model = session->model;
    const NetBatch *batch = pass->batch;
    const uint8_t *images[NET_MAX_LANES];
    for (int lane = 0; lane < model->lanes; lane++)
        images[lane] = image + lane < batch->count
                           ? find_mixed(batch, image + lane, elements, thread, lane)
                           : images[lane - 1]; /* see shown_index() */
    fetch_ahead(batch, image, model->lanes, elements);
    net_load_pixels(model, input, images, session->image, session->scale, session->shift);
}

/* The image's values of one target, which moved with it; NULL: it has none. */
static const void *find_target(const Pass *pass, int number, int64_t image, int thread)
{
    const NetBatch *batch = pass->batch;
    if (image >= batch->count || !has_targets(batch))
        return NULL;
    const NetArray *array = &batch->images->arrays[batch->images->targets[number]];
    int64_t index = image_index(batch, image);
    const void *values = net_array_at(array, index, batch->offset);
    if (!batch->augment)
        return values;
    int64_t key = net_repeat_key(batch->augment, index, batch->first + image);
    return net_augment_target(batch->augment, &pass->session->model->wanted[number], array, values,
                              key, thread);
}

/* Of a grain's lane, the image's values of one target, or zeros. */
static void note_target(const Pass *pass, int number, int64_t image, const void *from)
{
    const NetBatch *batch = pass->batch;
    const NetModel *model = pass->session->model;
    const NetTarget *target = &model->wanted[number];
    bool there = from != NULL, classes = target->kind == NET_CLASSES;
    int64_t values = classes ? target->positions : net_shape_elements(target->shape);
    int64_t first = image / model->lanes * values * model->lanes + image % model->lanes;
    const NetArray *array = there ? &batch->images->arrays[batch->images->targets[number]] : NULL;
    for (int64_t i = 0; i < values; i++) {
        int64_t place = first + i * model->lanes;
        if (classes)
            ((int32_t *)pass->session->targets[number])[place] =
                there ? net_target_class(target, array, from, i) : 0;
        else
            ((real *)pass->session->targets[number])[place] =
                there ? (real)net_from_unit(pass->session, number, i,
                                            (double)net_target_number(target, array, from, i))
                      : 0;
    }
}

/* The classes that the output is held against, which it may be as numbers, 1 for the class and 0
 * for the others; -1: there is none, or it counts as none.  `from`: the main target's values. */
static void note_truth(const Pass *pass, int64_t image, const void *from)
{
    const NetBatch *batch = pass->batch;
    const NetModel *model = pass->session->model;
    int number = net_main_target(model);
    bool there = from != NULL;
    const NetTarget *target = there ? &model->wanted[number] : NULL;
    const NetArray *array = there ? &batch->images->arrays[batch->images->targets[number]] : NULL;
    there = there && net_is_by_class(target, array) && target->positions == model->targets
            && (model->output_kind != NET_OUTPUT_NUMBERS || model->output.rank == 1);
    for (int64_t i = 0; i < model->targets; i++) {
        int32_t class = there ? net_target_class(target, array, from, i) : -1;
        bool counts = there && class >= 0 && class < target->classes && class != target->ignored;
        pass->session->truth[net_target_place(model, image, i)] = counts ? class : -1;
    }
}

/* Of a grain's lane: whether there is an image, and its targets. */
static void note_image(const Pass *pass, int64_t image, int thread)
{
    const NetBatch *batch = pass->batch;
    NetSession *session = pass->session;
    bool there = image < batch->count;
    bool mixed = there && net_mix_partner(&batch->mixing, image, batch->count) != image;
    session->active[image] = there;
    session->shares[image] = mixed ? (real)batch->mixing.share : 1;
    int first = net_main_target(session->model);
    if (first < 0)
        note_truth(pass, image, NULL);
    for (int i = 0; i < session->model->wanted_count; i++) {
        const void *values = find_target(pass, i, image, thread);
        note_target(pass, i, image, values);
        if (i == first)
            note_truth(pass, image, values);
    }
}

/* The grain's images become the slot's input. */
static void load(const Pass *pass, int64_t grain, int64_t slot, int thread)
{
    const NetModel *model = pass->session->model;
    const NetBatch *batch = pass->batch;
    int64_t elements = net_shape_elements(model->input), image = grain * model->lanes;
    real *input = pass->input + slot * net_input_elements(model) * model->lanes;
    int64_t indices[NET_MAX_LANES];
    for (int lane = 0; lane < model->lanes; lane++) {
        note_image(pass, image + lane, thread);
        pass->loss[image + lane] = 0; /* several losses are added */
        indices[lane] = shown_index(batch, image + lane);
    }
    const NetArray *first = batch->images ? &batch->images->arrays[batch->images->inputs[0]] : NULL;
    if (!first)
        load_floats(input, batch, image, model->lanes, elements);
    else if (net_is_bytes(first, model->numbers))
        load_bytes(pass, input, image, elements, thread);
    else
        net_load_array(input, first, batch, indices, model->lanes);
    net_load_further(pass->session, batch, input, indices);
}

/* ------------------------------------------------------------- judging */

/* Logits of one image, `stride` apart. */
typedef struct Logits {
    const real *first;
    int64_t stride, classes;
} Logits;

static double logit(Logits logits, int64_t class)
{
    return (double)logits.first[class * logits.stride];
}

/* The first of the largest. */
static int32_t find_largest(Logits logits)
{
    return (int32_t)net_largest(logits.first, logits.stride, logits.classes);
}

/* log sum exp(logits) - largest, the largest subtracted so that exp cannot overflow. */
static double log_sum(Logits logits, double max)
{
    double sum = 0;
    for (int64_t k = 0; k < logits.classes; k++)
        sum += exp(logit(logits, k) - max);
    return log(sum);
}

void net_probabilities(const real *first, int64_t stride, int64_t classes, float *probabilities,
                       int64_t step)
{
    Logits logits = {first, stride, classes};
    double max = logit(logits, find_largest(logits)), total = log_sum(logits, max);
    for (int64_t label = 0; label < classes; label++)
        probabilities[label * step] = (float)exp(logit(logits, label) - max - total);
}

static void take_outputs(const Pass *pass, int64_t image, int64_t slot)
{
    const NetModel *model = pass->session->model;
    const real *kept = pass->session->kept + slot * pass->program->kept_elements;
    const real *outputs[NET_MAX_OUTPUTS];
    for (int i = 0; i < model->output_count; i++)
        outputs[i] = kept + pass->program->outputs[i] + image % model->lanes;
    pass->batch->take_outputs(pass->batch->to, image, outputs, model->lanes);
}

/* Of an image, whose output begins at `first`.  A network with a loss of its own computes it
 * in its program, in training and inference. */
static void judge_image(const Pass *pass, int64_t image, const real *first)
{
    NetSession *session = pass->session;
    const NetModel *model = session->model;
    bool own_loss = model->training.phase_count > 0;
    if (model->output_kind == NET_OUTPUT_NUMBERS && model->output.rank > 1)
        return; /* an image has no largest class */
    for (int64_t target = 0; target < model->targets; target++) {
        Logits logits = {first + target * model->target_step * model->lanes,
                         model->class_step * model->lanes, model->classes};
        int64_t place = net_target_place(model, image, target);
        double max = logit(logits, session->predicted[place] = find_largest(logits));
        if (!own_loss && session->truth[place] >= 0)
            pass->loss[image] =
                (real)(log_sum(logits, max) + max - logit(logits, session->truth[place]));
    }
}

static void note_figures(const Pass *pass, int64_t image, int64_t slot, const real *first)
{
    NetSession *session = pass->session;
    const real *kept = session->kept + slot * pass->program->kept_elements;
    net_figures_note(session, image, first);
    for (int i = 0; i < session->head_count; i++)
        net_figures_note_head(session, i, image,
                              kept + pass->program->outputs[session->heads[i].output]
                                  + image % session->model->lanes);
}

/* Of a grain that lies in the slot. */
static void judge(const Pass *pass, int64_t grain, int64_t slot)
{
    const NetModel *model = pass->session->model;
    int lanes = model->lanes;
    const real *first = pass->kept + slot * pass->program->kept_elements + pass->program->logits;
    for (int64_t image = grain * lanes; image < (grain + 1) * lanes && image < pass->batch->count;
         image++, first++) {
        judge_image(pass, image, first);
        if (!pass->training && has_targets(pass->batch))
            note_figures(pass, image, slot, first);
        if (pass->batch->take_outputs)
            take_outputs(pass, image, slot);
        if (pass->batch->take)
            pass->batch->take(pass->batch->to, image, first, lanes, model);
    }
}

/* ------------------------------------------------------------- running */

static void begin_phase(const Pass *pass)
{
    if (pass->step.hook)
        pass->step.hook->phase(pass->step.hook);
}

static bool has_ranks(const Pass *pass)
{
    return pass->training && net_rank_count() > 1;
}

/* Ranks with memory of their own tell one another what they made. */
static bool sends(const Pass *pass)
{
    return has_ranks(pass) && !pass->session->shared;
}

/* All threads that share the step's memory. */
static void meet(const Pass *pass, int thread)
{
    NetPool *pool = pass->session->pool;
    net_pool_barrier(pool);
    if (!has_ranks(pass) || sends(pass))
        return;
    if (thread == 0)
        net_ranks_meet();
    net_pool_barrier(pool);
}

/* The thread's of what all threads share. */
static NetShare share_of(const Pass *pass, int64_t count, int thread)
{
    return net_share(count, pass->first_thread + thread, pass->threads);
}

/* A thread by itself. */
static NetTeam alone(const NetSession *session, int thread)
{
    real *scratch = session->scratch[thread];
    return (NetTeam){.scratch = scratch, .own = scratch, .members = 1};
}

/* The thread's place among those that compute one of `left` grains together. */
static NetTeam join_team(const NetSession *session, int64_t left, int thread)
{
    int64_t threads = net_pool_threads(session->pool), number = thread * left / threads;
    int first = (int)((number * threads + left - 1) / left),
        end = (int)(((number + 1) * threads + left - 1) / left);
    return (NetTeam){.scratch = session->scratch[first],
                     .own = session->scratch[thread],
                     .member = thread - first,
                     .members = end - first,
                     .meeting = net_pool_meeting(session->pool, first)};
}

/* The grains that a thread computes: all of some by itself, and its pieces of one. */
typedef struct Grains {
    NetShare own;
    NetTeam alone, team;
    bool shares;
    int64_t shared; /* the grain */
} Grains;

static NetShare share_grains(const Pass *pass, int thread)
{
    NetShare share = net_share(pass->grains.to - pass->grains.from, thread,
                               net_pool_threads(pass->session->pool));
    return (NetShare){pass->grains.from + share.from, pass->grains.from + share.to};
}

/* A hook looks at what a kernel leaves as a whole, so it has no teams. */
static Grains grains_of(const Pass *pass, int thread)
{
    const NetSession *session = pass->session;
    int64_t first = pass->grains.from, count = pass->grains.to - first,
            threads = net_pool_threads(session->pool), each = count / threads,
            left = count % threads;
    Grains grains = {.alone = alone(session, thread)};
    if (left == 0 || pass->step.hook) {
        grains.own = share_grains(pass, thread);
        return grains;
    }
    grains.own = (NetShare){first + thread * each, first + (thread + 1) * each};
    grains.team = join_team(session, left, thread);
    grains.shares = true;
    grains.shared = first + threads * each + thread * left / threads;
    return grains;
}

static void run_grain(const Pass *pass, int index, const NetTeam *team, int64_t grain, int thread)
{
    const NetPhase *phase = &pass->program->phases[index];
    if (index == 0) {
        if (net_leads(team))
            load(pass, grain, grain, thread);
        net_meet(team);
    }
    begin_phase(pass);
    if (phase->grain)
        phase->grain(&pass->step, team, grain);
}

/* A team's memory is its first thread's, which has grains of its own before and after. */
static void run_shared_grain(const Pass *pass, int index, const Grains *grains, int thread)
{
    if (!grains->shares)
        return;
    net_meet(&grains->team);
    run_grain(pass, index, &grains->team, grains->shared, thread);
    net_meet(&grains->team);
}

/* A thread goes through its grains up and down alternately: the last of a phase is the
 * first of the next, which finds in the cache what that has just left there. */
static void run_grains(const Pass *pass, int index, int thread)
{
    const Grains grains = grains_of(pass, thread);
    bool down = index % 2;
    if (down)
        run_shared_grain(pass, index, &grains, thread);
    for (int64_t i = grains.own.from; i < grains.own.to; i++) {
        int64_t grain = down ? grains.own.from + grains.own.to - 1 - i : i;
        run_grain(pass, index, &grains.alone, grain, thread);
    }
    if (!down)
        run_shared_grain(pass, index, &grains, thread);
}

typedef struct Mover {
    NetMove move; /* the first member: what a kernel is given */
    const Pass *pass;
} Mover;

static void move_weights(const NetMove *move, int64_t from, int64_t to, const real *gradient)
{
    const Pass *pass = ((const Mover *)move)->pass;
    net_optimizer_update(pass->optimizer, pass->session->weights, from, to, gradient);
}

static Mover make_mover(const Pass *pass)
{
    Mover mover = {{.update = move_weights}, pass};
    mover.move.reads[mover.move.read_count++] = pass->session->weights;
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++)
        if (pass->optimizer->state[slot])
            mover.move.reads[mover.move.read_count++] = pass->optimizer->state[slot];
    return mover;
}

static double sum_losses(const Pass *pass)
{
    double sum = 0;
    for (int64_t image = 0; image < pass->batch->count; image++)
        sum += (double)pass->loss[image];
    return sum;
}

/* Every thread adds the same numbers, so all move their part of the weights or none does. */
static bool may_move(const Pass *pass)
{
    return pass->optimizer && isfinite(sum_losses(pass));
}

/* Where the whole gradient is wanted first, by the clipping or by whoever runs
 * the step, or the network is compiled so, it is left to be used up later. */
static bool moves_at_once(const Pass *pass)
{
    const NetOptimizer *optimizer = pass->optimizer;
    return optimizer && pass->session->model->update_at_once && optimizer->clip.norm < 0
           && optimizer->clip.value < 0 && optimizer->units.count == 0
           && !net_is_layerwise(optimizer) && pass->session->passes == 1
           && !pass->session->keep_gradients && !sends(pass);
}

/* The rank's of a sum over all grains; where grains are computed or weights transformed, each does
 * all units. */
static NetShare rank_units(const Pass *pass, const NetSharedWork *shared, int rank)
{
    if (!sends(pass) || !shared->sum_count)
        return (NetShare){0, shared->units};
    return net_share(shared->units, rank, net_rank_count());
}

static void work_share(const Pass *pass, const NetSharedWork *shared, int thread, real *scratch)
{
    const NetShare all = rank_units(pass, shared, net_rank());
    NetShare units = share_of(pass, all.to - all.from, thread);
    NetStep step = pass->step;
    Mover mover;
    units = (NetShare){all.from + units.from, all.from + units.to};
    if (shared->sum_count && moves_at_once(pass) && may_move(pass)) {
        mover = make_mover(pass);
        step.move = &mover.move;
    }
    if (units.from < units.to)
        shared->work(&step, scratch, units.from, units.to);
}

/* The hook is called for each grain once it is whole. */
static void run_shared(const Pass *pass, const NetSharedWork *shared, int thread)
{
    NetSession *session = pass->session;
    NetShare grains = share_grains(pass, thread);
    NetTeam team = alone(session, thread);
    begin_phase(pass);
    work_share(pass, shared, thread, team.scratch);
    if (!pass->step.hook)
        return;
    meet(pass, thread);
    for (int64_t grain = grains.from; grain < grains.to; grain++)
        net_lap(&pass->step, &team, grain, shared->part);
}

/* A share of so many elements, by whole vectors. */
static NetShare share_elements(const Pass *pass, int64_t elements, int thread)
{
    NetShare units = share_of(pass, (elements + NET_RANGE_UNIT - 1) / NET_RANGE_UNIT, thread);
    int64_t end = units.to * NET_RANGE_UNIT;
    return (NetShare){units.from * NET_RANGE_UNIT, end < elements ? end : elements};
}

/* What a phase summed over the whole batch already is in grain 0's, and no
 * other grain's is to be read. */
static void reduce(const Pass *pass, int64_t from, int64_t to)
{
    int64_t stride = pass->step.gradient_stride, first = pass->summed.from;
    net_reduce(pass->session->gradients + first * stride, stride, pass->summed.to - first, from,
               to);
}

/* ---------------------------------------------------------- several ranks */

static void sum_over_ranks(const Pass *pass, int64_t from, int64_t to)
{
    real *sum = pass->session->gradients + from;
    net_ranks_sum(sum + pass->grains.from * pass->step.gradient_stride, sum, to - from,
                  net_ranks_busy(pass->step.grains, net_rank_count()));
}

enum { MAX_READS = 64 }; /* that are gathered at once */

/* The rows of those reads that are needed, the next one's number in *next; gives how many. */
static int collect_rows(const Pass *pass, const NetRead *reads, int *next, int end,
                        NetRows rows[MAX_READS])
{
    const NetSession *session = pass->session;
    const int64_t input = net_input_elements(session->model) * session->model->lanes;
    int count = 0;
    for (; *next < end && count < MAX_READS; ++*next) {
        const NetRead *read = &reads[*next];
        real *base = read->input ? pass->input : pass->kept;
        int64_t stride = read->input ? input : pass->program->kept_elements;
        if (!read->statistics || !session->own_norms)
            rows[count++] = (NetRows){base + read->offset, stride, read->elements};
    }
    return count;
}

/* What other ranks' grains have of the phase's reads [from, to).  The threads have met, and meet
 * again when it is there. */
static void gather_reads(const Pass *pass, const NetPhase *phase, int from, int to, int thread)
{
    if (!sends(pass) || from == to)
        return;
    for (int next = from; thread == 0 && next < to;) {
        NetRows rows[MAX_READS];
        int count = collect_rows(pass, phase->reads, &next, to, rows);
        if (count > 0)
            net_ranks_gather(rows, count, pass->step.grains);
    }
    net_pool_barrier(pass->session->pool);
}

/* Of a gradient that each rank has made some of: rank_units. */
static void join_sums(const Pass *pass, const NetSharedWork *shared)
{
    for (int i = 0; i < shared->sum_count; i++) {
        const NetSum *sum = &shared->sums[i];
        net_ranks_join(pass->session->gradients + sum->at, shared->units, sum->unit, sum->elements);
    }
}

/* What the phase made of the gradients goes on its way to the other ranks.  The threads have met
 * since it was made; until it is there (net_ranks_summed) nobody touches it. */
static void send_gradients(const Pass *pass, const NetPhase *phase, int thread)
{
    const NetSession *session = pass->session;
    if (!sends(pass))
        return;
    for (int i = 0; i < phase->gradient_count; i++) {
        NetShare stretch = phase->gradients[i],
                 part = share_elements(pass, stretch.to - stretch.from, thread);
        if (part.from < part.to)
            reduce(pass, stretch.from + part.from, stretch.from + part.to);
    }
    if (phase->gradient_count)
        net_pool_barrier(session->pool);
    for (int i = 0; thread == 0 && i < phase->gradient_count; i++)
        sum_over_ranks(pass, phase->gradients[i].from, phase->gradients[i].to);
    for (int i = 0; thread == 0 && i < phase->shared_count; i++)
        join_sums(pass, &phase->shared[i]);
}

/* All threads' grains are judged: every rank gets every image's loss. */
static void gather_losses(const Pass *pass, int thread)
{
    const NetSession *session = pass->session;
    int64_t lanes = session->model->lanes;
    if (!has_ranks(pass))
        return;
    meet(pass, thread);
    if (!sends(pass))
        return;
    if (thread == 0)
        net_ranks_gather(&(NetRows){pass->loss, lanes, lanes}, 1, pass->step.grains);
    net_pool_barrier(session->pool);
}

static void run_phase(const Pass *pass, int index, int thread)
{
    const NetPhase *phase = &pass->program->phases[index];
    gather_reads(pass, phase, 0, phase->early_reads, thread);
    if (phase->grain || index == 0) {
        run_grains(pass, index, thread);
        meet(pass, thread);
    }
    gather_reads(pass, phase, phase->early_reads, phase->read_count, thread);
    for (int i = 0; i < phase->shared_count; i++)
        run_shared(pass, &phase->shared[i], thread);
    if (phase->shared_count)
        meet(pass, thread);
    send_gradients(pass, phase, thread);
}

/* ------------------------------------------------- inference, many grains
 * The threads share out grains, not the units of whole-batch work: weights are
 * read more often, but what they meet stays in the thread's own cache, because
 * all that it does goes through the same few slots.  Only what is made of weights alone they make
 * together, before. */

enum { GRAINS_ENOUGH = 8, GRAINS_AT_ONCE = 4 }; /* a thread's; as many as kernels take together */

static bool has_many_grains(const NetSession *session, const NetBatch *batch)
{
    return batch->count / session->model->lanes / net_pool_threads(session->pool) >= GRAINS_ENOUGH
           && !session->hook;
}

/* The next few that nobody has taken, fewer towards the end, so that all threads end
 * at about the same time. */
static NetShare take_grains(const Pass *pass)
{
    int threads = net_pool_threads(pass->session->pool);
    long long from = atomic_load(pass->taken), count, left;
    do {
        left = pass->step.grains - from;
        for (count = GRAINS_AT_ONCE; count > 1 && left <= count * (threads - 1); count /= 2)
            ;
        count = left < count ? left : count;
    } while (!atomic_compare_exchange_weak(pass->taken, &from, from + count));
    return (NetShare){from, from + count};
}

/* A target's values, from a grain on. */
static const void *target_at(const NetModel *model, int number, const void *first, int64_t grain)
{
    const NetTarget *target = &model->wanted[number];
    if (target->kind == NET_CLASSES)
        return (const int32_t *)first + grain * model->lanes * target->positions;
    return (const real *)first + grain * model->lanes * net_shape_elements(target->shape);
}

/* The step as if it had these grains only, in the slots from `slot` on. */
static NetStep step_of_grains(const Pass *pass, NetShare grains, int64_t slot)
{
    const NetModel *model = pass->session->model;
    int64_t lanes = model->lanes, image = grains.from * lanes;
    NetStep step = pass->step;
    step.input += slot * lanes * net_input_elements(model);
    step.kept += slot * pass->program->kept_elements;
    for (int i = 0; i < model->wanted_count; i++)
        step.targets[i] = target_at(model, i, step.targets[i], grains.from);
    step.active += image;
    step.shares += image;
    step.loss += image;
    step.grains = step.to = step.norm_to = grains.to - grains.from;
    return step;
}

static void run_program(const Pass *pass, const NetStep *step, int thread)
{
    NetTeam team = alone(pass->session, thread);
    for (int i = 0; i < pass->program->phase_count; i++) {
        const NetPhase *phase = &pass->program->phases[i];
        for (int64_t grain = 0; phase->grain && grain < step->grains; grain++)
            phase->grain(step, &team, grain);
        for (int k = 0; k < phase->shared_count; k++)
            if (!phase->shared[k].of_weights)
                phase->shared[k].work(step, team.scratch, 0, phase->shared[k].units);
    }
}

/* What all grains need of the weights. */
static void make_filters(const Pass *pass, int thread)
{
    bool any = false;
    for (int i = 0; i < pass->program->phase_count; i++) {
        const NetPhase *phase = &pass->program->phases[i];
        for (int k = 0; k < phase->shared_count; k++) {
            if (phase->shared[k].of_weights)
                work_share(pass, &phase->shared[k], thread, pass->session->scratch[thread]);
            any |= phase->shared[k].of_weights;
        }
    }
    if (any)
        net_pool_barrier(pass->session->pool);
}

static void run_many(const Pass *pass, int thread)
{
    make_filters(pass, thread);
    int64_t slot = net_share(pass->step.grains, thread, net_pool_threads(pass->session->pool)).from;
    for (NetShare grains = take_grains(pass); grains.from < grains.to; grains = take_grains(pass)) {
        NetStep step = step_of_grains(pass, grains, slot);
        for (int64_t i = 0; i < step.grains; i++)
            load(pass, grains.from + i, slot + i, thread);
        run_program(pass, &step, thread);
        for (int64_t i = 0; i < step.grains; i++)
            judge(pass, grains.from + i, slot + i);
    }
}

/* The part of a share that lies in the stretch [from, to), of which `before` elements went
 * ahead. */
static void visit_part(const Pass *pass, NetShare part, int64_t before, int64_t from, int64_t to,
                       void (*work)(const Pass *pass, int64_t from, int64_t to))
{
    int64_t first = part.from > before ? part.from - before : 0,
            end = part.to - before < to - from ? part.to - before : to - from;
    if (first < end)
        work(pass, from + first, from + end);
}

/* Where the i-th weight's gradient lies, of parameters and then of derived ones, if it is one sum
 * over all grains; behind the last, the end. */
static bool whole_batch_gradient(const Pass *pass, int i, NetShare *at)
{
    const NetModel *model = pass->session->model;
    int64_t stride = pass->session->gradient_stride;
    if (i < model->parameter_count) {
        const NetParameter *parameter = &model->parameters[i];
        *at = (NetShare){parameter->offset, parameter->offset + parameter->elements};
        return parameter->kind == NET_TRAINED && parameter->whole_batch;
    }
    i -= model->parameter_count;
    if (i == model->derived_count) {
        *at = (NetShare){stride, stride};
        return true;
    }
    const NetDerived *derived = &model->derived[i];
    *at = (NetShare){derived->offset, derived->offset + derived->rows * derived->length};
    return derived->whole_batch;
}

/* Calls `work` for the part of what no whole-batch gradient is in, or with none
 * only counts it; gives its elements. */
static int64_t visit_summed(const Pass *pass, const NetShare *part,
                            void (*work)(const Pass *pass, int64_t from, int64_t to))
{
    const NetModel *model = pass->session->model;
    int64_t at = 0, elements = 0;
    for (int i = 0; i <= model->parameter_count + model->derived_count; i++) {
        NetShare whole;
        if (!whole_batch_gradient(pass, i, &whole))
            continue;
        if (part)
            visit_part(pass, *part, elements, at, whole.from, work);
        elements += whole.from - at;
        at = whole.to;
    }
    return elements;
}

static int64_t count_summed(const Pass *pass)
{
    return visit_summed(pass, NULL, NULL);
}

static void update(const Pass *pass, int64_t from, int64_t to)
{
    real *gradient = pass->session->gradients + from;
    net_clip_apply(pass->optimizer, gradient, from, to);
    net_optimizer_update(pass->optimizer, pass->session->weights, from, to, gradient);
}

enum { PIECE = 4096 }; /* elements, of which the gradients of a few grains stay in the cache */

/* Piece by piece, so that sums are used up while they are in the cache. */
static void sum_and_update(const Pass *pass, int64_t from, int64_t to)
{
    for (int64_t at = from; at < to; at += PIECE) {
        int64_t end = to - at < PIECE ? to : at + PIECE;
        reduce(pass, at, end);
        update(pass, at, end);
    }
}

/* Clipping by a norm needs the whole gradient: the threads meet again before it is changed. */
static void measure_norms(const Pass *pass, int thread)
{
    NetSession *session = pass->session;
    const NetOptimizer *optimizer = pass->optimizer;
    bool whole = optimizer->clip.squares, by_unit = optimizer->clip.adaptive >= 0;
    if (!whole && !by_unit)
        return;
    NetShare pieces = net_share(optimizer->clip.pieces, thread, pass->own_threads),
             units = net_share(optimizer->units.count, thread, pass->own_threads);
    if (whole)
        net_clip_measure(optimizer, session->gradients, pieces.from, pieces.to);
    if (by_unit)
        net_units_measure(optimizer, session->weights, session->gradients, units.from, units.to);
    meet(pass, thread);
}

/* A bound on weights needs those of whole units, when all are moved. */
static void bound_weights(const Pass *pass, int thread)
{
    const NetUnits *units = &pass->optimizer->units;
    if (!units->bounded)
        return;
    meet(pass, thread);
    NetShare own = net_share(units->count, pass->first_thread + thread, pass->threads);
    net_units_bound(pass->optimizer, pass->session->weights, own.from, own.to);
}

/* The pass's part of the step's gradient; of the last, all of it, in the gradient's place. */
static void add_pass(const Pass *pass, NetShare part)
{
    const NetSession *session = pass->session;
    const NetBatch *batch = pass->batch;
    real *gradient = session->gradients, *sum = session->sum;
    const real portion = batch->portion > 0 ? (real)batch->portion : 1;
    for (int64_t i = part.from; i < part.to; i++) {
        real all = portion * gradient[i] + (batch->pass > 0 ? sum[i] : 0);
        *(batch->more ? &sum[i] : &gradient[i]) = all;
    }
}

/* An optimizer that looks at whole layers: each measures before any weight moves. */
static void move_layers(const Pass *pass, NetShare all, int thread)
{
    NetSession *session = pass->session;
    const NetOptimizer *optimizer = pass->optimizer;
    real *gradient = session->gradients + all.from;
    net_clip_apply(optimizer, gradient, all.from, all.to);
    net_optimizer_direct(optimizer, session->weights, all.from, all.to, gradient);
    meet(pass, thread);
    NetShare pieces = net_share(optimizer->layers.pieces, thread, pass->own_threads);
    net_layers_measure(optimizer, session->weights, session->gradients, pieces.from, pieces.to);
    for (int round = 0; round < optimizer->layers.rounds; round++) {
        meet(pass, thread);
        net_layers_round(optimizer, round, pass->first_thread + thread, pass->threads);
    }
    meet(pass, thread);
    net_optimizer_update(optimizer, session->weights, all.from, all.to, gradient);
}

/* Of what weights are made of, when theirs are there. */
static void derive_gradients(const Pass *pass, int thread)
{
    const NetSession *session = pass->session;
    if (!session->model->derived_count)
        return;
    meet(pass, thread);
    bool own = !has_ranks(pass) || sends(pass); /* else ranks have one memory: the first does it */
    if (thread == 0 && (own || net_rank() == 0))
        net_derive_gradients(session->model, session->weights, session->buffers,
                             session->gradients);
}

/* The thread's share of the gradients, added up, and of the weights, moved. */
static void move_share(const Pass *pass, int thread)
{
    const NetSession *session = pass->session;
    NetShare summed = share_elements(pass, count_summed(pass), thread);
    if (moves_at_once(pass)) {
        if (may_move(pass))
            visit_summed(pass, &summed, sum_and_update);
        return;
    }
    if (!sends(pass))
        visit_summed(pass, &summed, reduce);
    else if (thread == 0)
        net_ranks_summed();
    derive_gradients(pass, thread);
    if (!may_move(pass))
        return;
    meet(pass, thread);
    NetShare all = share_elements(pass, session->gradient_stride, thread);
    if (session->passes > 1) {
        add_pass(pass, all);
        meet(pass, thread);
    }
    if (pass->batch->more)
        return;
    measure_norms(pass, thread);
    if (net_is_layerwise(pass->optimizer))
        move_layers(pass, all, thread);
    else
        update(pass, all.from, all.to);
    bound_weights(pass, thread);
}

static void run(void *context, int thread)
{
    const Pass *pass = context;
    if (pass->many) {
        run_many(pass, thread);
        return;
    }
    for (int phase = 0; phase < pass->program->phase_count; phase++)
        run_phase(pass, phase, thread);
    NetShare grains = share_grains(pass, thread);
    for (int64_t grain = grains.from; grain < grains.to; grain++)
        judge(pass, grain, grain);
    gather_losses(pass, thread);
    if (thread == 0
        && has_ranks(pass)) /* the next step's first to come may clear what they share */
        *pass->loss_sum = sum_losses(pass);
    if (pass->training)
        move_share(pass, thread);
    if (has_ranks(pass) && !sends(pass)) /* whose next step reads the weights */
        meet(pass, thread);
}

static NetResult add_up(const Pass *pass, double loss)
{
    const NetSession *session = pass->session;
    int64_t images = pass->batch->count, lanes = session->model->lanes,
            end = pass->grains.to * lanes;
    double correct = 0, answers = 0;
    for (int64_t image = pass->grains.from * lanes; image < end && image < images; image++)
        for (int64_t target = 0; target < session->model->targets; target++) {
            int64_t place = net_target_place(session->model, image, target);
            correct += session->predicted[place] == session->truth[place];
            answers += session->truth[place] >= 0;
        }
    double both[] = {correct, answers};
    if (has_ranks(pass))
        net_ranks_add(both, 2);
    return (NetResult){.images = images,
                       .correct = (int64_t)both[0],
                       .answers = (int64_t)both[1],
                       .loss = loss / (double)images};
}

static Pass begin_pass(NetSession *session, const NetBatch *batch, const NetOptimizer *optimizer,
                       bool training)
{
    const NetModel *model = session->model;
    int64_t grains = (batch->count + model->lanes - 1) / model->lanes;
    bool joined = training && session->shared;
    const NetArenas own_arenas = {session->kept, session->filters, session->input, session->loss,
                                  session->gradients},
                    arenas = joined ? session->together : own_arenas;
    const NetShare all = {0, grains},
                   own = training ? net_rank_grains(grains, net_rank(), net_rank_count()) : all,
                   norms = session->own_norms ? own : all, made = joined ? all : own;
    return (Pass){
        .session = session,
        .batch = batch,
        .optimizer = optimizer,
        .training = training,
        .first_thread = joined ? session->first_thread : 0,
        .threads = joined ? session->all_threads : net_pool_threads(session->pool),
        .own_threads = net_pool_threads(session->pool),
        .grains = own,
        .summed = made,
        .kept = arenas.kept,
        .input = arenas.input,
        .loss = arenas.loss,
        .program = training ? &model->training : &model->inference,
        .step =
            {
                .weights = session->weights,
                .buffers = session->buffers,
                .gradients = arenas.gradients,
                .gradient_stride = session->gradient_stride,
                .input = arenas.input,
                .active = session->active,
                .kept = arenas.kept,
                .filters = arenas.filters,
                .loss = arenas.loss,
                .grains = grains,
                .from = made.from,
                .to = made.to,
                .norm_from = norms.from,
                .norm_to = norms.to,
                .images = batch->count,
                .seed = session->seed,
                .step = session->steps * (uint64_t)session->passes + (uint64_t)batch->pass,
                .hook = session->hook,
                .shares = session->shares,
            },
    };
}

/* A target whose classes count differently, as the threads look at it. */
typedef struct Weighing {
    const Pass *pass;
    int number;
} Weighing;

/* What an image's targets count together. */
static double image_weight(const Weighing *weighing, int64_t image, int thread)
{
    const NetBatch *batch = weighing->pass->batch;
    const NetTarget *target = &weighing->pass->session->model->wanted[weighing->number];
    const NetArray *array = &batch->images->arrays[batch->images->targets[weighing->number]];
    const void *values = find_target(weighing->pass, weighing->number, image, thread);
    double sum = 0;
    for (int64_t i = 0; i < target->positions; i++) {
        int32_t class = net_target_class(target, array, values, i);
        if (class != target->ignored)
            sum += target->weights ? target->weights[class] : 1;
    }
    return sum;
}

static void weigh_images(void *context, int thread)
{
    const Weighing *weighing = context;
    NetSession *session = weighing->pass->session;
    NetShare share =
        net_share(weighing->pass->batch->count, thread, net_pool_threads(session->pool));
    for (int64_t image = share.from; image < share.to; image++)
        session->image_weights[image] = image_weight(weighing, image, thread);
}

/* Of the whole batch, before any of it is computed, in the order of the images; where all count
 * the same nobody asks. */
static double weigh_target(const Pass *pass, int number)
{
    const NetTarget *target = &pass->session->model->wanted[number];
    Weighing weighing = {pass, number};
    double sum = 0;
    if ((!target->weights && target->ignored == NET_NOT_IGNORED) || !has_targets(pass->batch))
        return 0;
    if (pass->batch->mixing.mixes) /* an image's parts of classes are a whole one */
        return (double)pass->step.images;
    net_pool_run(pass->session->pool, weigh_images, &weighing);
    for (int64_t image = 0; image < pass->batch->count; image++)
        sum += pass->session->image_weights[image];
    return sum;
}

static Pass make_pass(NetSession *session, const NetBatch *batch, const NetOptimizer *optimizer,
                      bool training)
{
    Pass pass = begin_pass(session, batch, optimizer, training);
    for (int i = 0; i < session->model->wanted_count; i++) {
        pass.step.targets[i] = session->targets[i];
        pass.step.target_weights[i] = weigh_target(&pass, i);
    }
    return pass;
}

/* Those of other ranks' grains; each loads its own. */
static void note_images(const Pass *pass)
{
    int64_t lanes = pass->session->model->lanes;
    for (int64_t image = 0; has_ranks(pass) && image < pass->step.grains * lanes; image++)
        note_image(pass, image, 0);
}

/* Of a set that is not all in memory, the batch with its pictures: those that this process
 * computes.  False: they cannot be read, here or by another rank. */
static bool read_pictures(NetBatch *read, NetSession *session, const NetBatch *batch, bool training)
{
    *read = *batch;
    if (!batch->images || !batch->images->stream || batch->pixels || batch->fetched)
        return true;
    int lanes = session->model->lanes, ranks = training ? net_rank_count() : 1;
    int64_t grains = (batch->count + lanes - 1) / lanes;
    NetShare own = net_rank_grains(grains, training ? net_rank() : 0, ranks);
    int64_t from = own.from * lanes,
            to = own.to * lanes < batch->count ? own.to * lanes : batch->count;
    const NetReading reading = {.order = batch->order,
                                .first = batch->first + from,
                                .count = to - from,
                                .step = batch->count * (training ? 1 : net_testing_ranks()),
                                .end = batch->end ? batch->end : batch->images->count,
                                .augment = batch->augment};
    read->fetched_first = from;
    if (from < to)
        read->fetched = net_stream_read(batch->images, session->pool, &reading);
    bool good = from >= to || read->fetched, all = ranks == 1 || net_ranks_largest(!good) == 0;
    if (good && !all)
        net_stream_fail(batch->images, "another rank cannot read its pictures");
    return good && all;
}

static NetResult run_batch(NetSession *session, const NetBatch *batch,
                           const NetOptimizer *optimizer, bool training)
{
    NetBatch read;
    if (!read_pictures(&read, session, batch, training))
        return (NetResult){.loss = NAN};
    Pass pass = make_pass(session, &read, optimizer, training);
    atomic_llong taken = 0;
    double loss = 0;
    pass.loss_sum = &loss;
    pass.many = !training && has_many_grains(session, batch);
    pass.taken = &taken;
    note_images(&pass);
    net_pool_run(session->pool, run, &pass);
    return add_up(&pass, pass.many || !has_ranks(&pass) ? sum_losses(&pass) : loss);
}

/* A team without a meeting place does not wait: its members run one after the other. */
int64_t net_run_piece(NetSession *session, const NetBatch *batch, const NetOptimizer *optimizer,
                      NetPiece piece, NetHook *hook)
{
    int64_t met = 0;
    NetBatch read;
    if (!read_pictures(&read, session, batch, optimizer != NULL))
        return 0;
    Pass pass = make_pass(session, &read, optimizer, optimizer != NULL);
    const NetPhase *phase = &pass.program->phases[piece.phase];
    NetTeam team = alone(session, 0);
    team.met = &met;
    pass.threads = pass.own_threads = piece.count;
    pass.step.hook = hook;
    switch (piece.kind) {
    case NET_PIECE_LOAD:
        load(&pass, 0, 0, 0);
        break;
    case NET_PIECE_GRAIN:
        team.member = piece.number;
        team.members = piece.count;
        begin_phase(&pass);
        if (phase->grain)
            phase->grain(&pass.step, &team, 0);
        break;
    case NET_PIECE_SHARED:
        for (int i = 0; i < phase->shared_count; i++)
            work_share(&pass, &phase->shared[i], piece.number, team.scratch);
        break;
    case NET_PIECE_UPDATE:
        move_share(&pass, piece.number);
        break;
    }
    return met;
}

/* Ranks that share the weights all make them, of vectors of their own: none while another still
 * reads what was made of older ones. */
static void begin_step(const NetSession *session)
{
    if (!net_has_spectral(session->model))
        return;
    if (session->shared)
        net_ranks_meet();
    net_power_iterations(session->model, session->weights, session->buffers);
    if (session->shared)
        net_ranks_meet();
}

NetResult net_train_batch(NetSession *session, const NetBatch *batch, const NetOptimizer *optimizer)
{
    if (optimizer && batch->pass == 0)
        begin_step(session);
    NetResult result = run_batch(session, batch, optimizer, true);
    if (optimizer && isfinite(result.loss)) {
        session->steps += !batch->more;
        for (int i = 0; i < session->model->parameter_count; i++)
            if (session->model->parameters[i].kind == NET_COUNTER)
                session->counters[session->model->parameters[i].offset] +=
                    session->model->parameters[i].uses;
    }
    net_weights_changed(session);
    return result;
}

NetResult net_test_batch(NetSession *session, const NetBatch *batch)
{
    return run_batch(session, batch, NULL, false);
}

/* Batches that the ranks take in turn before they tell one another what they found. */
enum {
    TOGETHER = 64,
    CORRECT = TOGETHER,
    IMAGES,
    ANSWERS,
    FIGURES, /* [TOGETHER][net_sum_count()] */
    NUMBERS = FIGURES + TOGETHER * NET_ALL_SUMS
};

static void note_answers(const NetSession *session, int64_t image, int64_t *confusion)
{
    const NetModel *model = session->model;
    for (int64_t target = 0; target < model->targets; target++) {
        int64_t place = net_target_place(model, image, target), class = session->truth[place];
        if (class >= 0)
            confusion[class * model->classes + session->predicted[place]]++;
    }
}

int net_testing_ranks(void)
{
    return net_rank_count() < TOGETHER ? net_rank_count() : TOGETHER;
}

/* So many that each rank has as many. */
static int tested_together(void)
{
    return TOGETHER / net_testing_ranks() * net_testing_ranks();
}

/* numbers[NUMBERS]: batch `i`'s loss, summed; then correct answers, and images. */
static void test_one(NetSession *session, const NetBatch *batch, int i, int64_t *confusion,
                     double *numbers)
{
    int64_t count = batch->count;
    NetResult part = net_test_batch(session, batch);
    numbers[i] = part.loss * (double)count;
    numbers[CORRECT] += (double)part.correct;
    numbers[IMAGES] += (double)count;
    numbers[ANSWERS] += (double)part.answers;
    net_figures_add(session, count, numbers + FIGURES + i * net_sum_count(session));
    for (int64_t k = 0; confusion && k < count; k++)
        note_answers(session, k, confusion);
}

/* Where ranks exchange images all have to come to the same. */
static bool is_asked(const NetJudged *judged)
{
    return judged->fetch ? net_ranks_largest(net_signal_asked()) != 0 : net_signal_asked() != 0;
}

static void test_some(NetSession *session, const NetJudged *judged, int64_t first,
                      int64_t *confusion, double *numbers)
{
    int step = net_testing_ranks();
    for (int turn = 0; turn < tested_together(); turn += step) {
        int i = net_rank() < step ? turn + net_rank() : TOGETHER;
        int64_t from = first + i * session->batch, left = judged->to - from;
        NetBatch batch = {.images = judged->images,
                          .order = judged->order,
                          .first = from,
                          .count = left < session->batch ? left : session->batch,
                          .end = judged->to};
        if (first + turn * session->batch >= judged->to || is_asked(judged))
            break;
        if (judged->fetch)
            net_fetch_tested(judged->fetch, &batch, first + turn * session->batch, judged->to);
        if (i < TOGETHER && left > 0)
            test_one(session, &batch, i, confusion, numbers);
    }
    net_ranks_add(numbers, FIGURES + TOGETHER * net_sum_count(session));
}

/* Of all ranks that test. */
static void add_counts(NetSession *session)
{
    double some[TOGETHER];
    for (int64_t first = 0; net_testing_ranks() > 1 && first < session->count_count;
         first += TOGETHER) {
        int64_t left = session->count_count - first, count = left < TOGETHER ? left : TOGETHER;
        for (int64_t i = 0; i < count; i++)
            some[i] = (double)session->counts[first + i];
        net_ranks_add(some, (int)count);
        for (int64_t i = 0; i < count; i++)
            session->counts[first + i] = (int64_t)some[i];
    }
}

NetResult net_test_judged(NetSession *session, const NetJudged *judged, int64_t *confusion)
{
    NetResult whole = {0};
    double sums[NET_ALL_SUMS] = {0};
    const int sum_count = net_sum_count(session);
    net_figures_begin(session);
    const int64_t some = tested_together() * session->batch;
    for (int64_t first = judged->from; first < judged->to; first += some) {
        double numbers[NUMBERS] = {0};
        int64_t left = judged->to - first;
        test_some(session, judged, first, confusion, numbers);
        int64_t done = (int64_t)numbers[IMAGES];
        for (int i = 0; i < TOGETHER; i++)
            whole.loss += numbers[i];
        for (int i = 0; i < TOGETHER * sum_count; i++)
            sums[i % sum_count] += numbers[FIGURES + i];
        whole.correct += (int64_t)numbers[CORRECT];
        whole.answers += (int64_t)numbers[ANSWERS];
        whole.images += done;
        if (done < (left < some ? left : some)) /* a signal came */
            break;
    }
    if (whole.images > 0)
        whole.loss /= (double)whole.images;
    add_counts(session);
    whole.measured = net_figures_made(session, whole.loss, sums);
    return whole;
}

NetResult net_test_split(NetSession *session, const NetImages *images, int64_t *confusion)
{
    return net_test_judged(session, &(NetJudged){"test", images, NULL, 0, images->count, NULL},
                           confusion);
}
