/* join.c: ranks on one machine, which then have the memory that a step works in together.
 *
 * What one writes the others read, as threads do: nothing is sent, each moves its own part of the
 * weights, and there is one copy of them.  On several machines ranks send messages.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

/* Parts of one block, each from a multiple of NET_ALIGNMENT on. */
typedef struct Block {
    char *start; /* NULL: only to be measured */
    int64_t bytes;
} Block;

static real *take(Block *block, int64_t elements)
{
    const int64_t unit = NET_ALIGNMENT;
    char *at = block->start ? block->start + block->bytes : NULL;
    block->bytes += (elements * (int64_t)sizeof(real) + unit - 1) / unit * unit;
    return (real *)(void *)at;
}

static void take_step(NetSession *session, Block *block)
{
    const NetModel *model = session->model;
    int64_t grains = session->max_grains;
    NetArenas *step = &session->together;
    step->kept = take(block, grains * model->training.kept_elements);
    step->filters = take(block, model->training.filter_elements);
    step->input = take(block, grains * net_input_elements(model) * model->lanes);
    step->loss = take(block, grains * model->lanes);
    step->gradients = take(block, grains * session->gradient_stride);
}

/* An array's place in the block, to which rank 0 copies it. */
static void move_in(real **array, int64_t elements, Block *block)
{
    real *place = take(block, elements);
    if (!place || !*array)
        return;
    if (net_rank() == 0)
        memcpy(place, *array, (size_t)elements * sizeof *place);
    free(*array);
    *array = place;
}

static void take_all(NetSession *session, NetOptimizer *optimizer, Block *block)
{
    take_step(session, block);
    move_in(&session->weights, session->gradient_stride, block);
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++)
        if (optimizer->state[slot])
            move_in(&optimizer->state[slot], session->model->trained, block);
    NetLayers *layers = &optimizer->layers;
    if (layers->direction)
        move_in(&layers->direction, layers->direction_elements, block);
    if (layers->room)
        move_in(&layers->room, layers->room_elements, block);
}

/* The threads of the ranks before this one, and of all. */
static bool count_threads(NetSession *session)
{
    int ranks = net_rank_count();
    double *threads = calloc((size_t)ranks, sizeof *threads);
    bool good = net_ranks_ready(threads != NULL, NULL);
    if (good) {
        threads[net_rank()] = net_pool_threads(session->pool);
        net_ranks_add(threads, ranks);
    }
    session->first_thread = session->all_threads = 0;
    for (int rank = 0; good && rank < ranks; rank++) {
        session->first_thread += rank < net_rank() ? (int)threads[rank] : 0;
        session->all_threads += (int)threads[rank];
    }
    free(threads);
    return good;
}

/* What was for a step, too, is now for tests alone. */
static void keep_for_tests(NetSession *session)
{
    NetError ignored;
    real *kept =
        net_allocate((size_t)(session->max_grains * session->model->inference.kept_elements),
                     sizeof *kept, &ignored);
    if (!kept)
        return;
    free(session->kept);
    session->kept = kept;
}

void net_join(NetSession *session, NetOptimizer *optimizer)
{
    Block block = {0};
    bool spins = net_pool_threads(session->pool) * net_ranks_beside() <= net_processors();
    take_all(session, optimizer, &block);
    if (net_rank_count() == 1 || !count_threads(session))
        return;
    block = (Block){.start = net_ranks_share(block.bytes, spins)};
    if (!block.start)
        return;
    session->shared = block.start;
    take_all(session, optimizer, &block);
    session->shared_bytes = block.bytes;
    free(session->gradients);
    session->gradients = session->together.gradients;
    keep_for_tests(session);
    net_ranks_meet();
}

void net_leave(NetSession *session, NetOptimizer *optimizer)
{
    if (!session->shared)
        return;
    session->weights = session->gradients = NULL;
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++)
        optimizer->state[slot] = NULL;
    optimizer->layers.direction = optimizer->layers.room = NULL;
    net_ranks_unshare(session->shared, session->shared_bytes);
    session->shared = NULL;
}
