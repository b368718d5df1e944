/* batches.c: batches of one image, which a batch norm cannot learn from.  Where each rank has
 * its own statistics, its part of a batch is its batch.
 *
 * Over one image and one position a channel has a single value, which is its own
 * mean: the layer's output is its bias, and no gradient passes.  PyTorch refuses
 * such a step when it comes; here the run is refused before its first, whether
 * the batch is of one or one image is left over for an epoch's last.
 */
#include "runtime.h"

#include <inttypes.h>

static const NetLayer *find_layer(const NetModel *model)
{
    for (int i = 0; i < model->layer_count; i++)
        if (model->layers[i].over_batch && net_shape_plane(model->layers[i].in) == 1)
            return &model->layers[i];
    return NULL;
}

/* Whether of so many images one is alone: the only one, or the only one of a rank. */
static bool has_single(const NetSession *session, int64_t images)
{
    int64_t lanes = session->model->lanes, part = images;
    if (session->own_norms && images > 0)
        part = net_rank_block((images + lanes - 1) / lanes, net_rank_count()) * lanes;
    return images > 0 && images - (images - 1) / part * part == 1;
}

/* Whether an epoch of which `left` images are left has a batch with one alone, at a
 * step of the `steps` that are still done; -1: without limit. */
static bool leaves_alone(const NetSession *session, int64_t left, int64_t batch, int64_t steps)
{
    int64_t whole = left / batch;
    return (whole > 0 && steps != 0 && has_single(session, batch))
           || ((steps < 0 || whole < steps) && has_single(session, left % batch));
}

/* The nearest smaller batch that leaves none alone; 0: there is none. */
static int64_t find_batch(const NetSession *session, int64_t images, int64_t batch)
{
    while (--batch > 1)
        if (!leaves_alone(session, images, batch, -1))
            return batch;
    return 0;
}

static bool refuse(const NetSession *session, const NetLayer *layer, int64_t images,
                   NetError *error)
{
    int64_t batch = session->batch, other = find_batch(session, images, batch);
    bool each = has_single(session, batch);
    char remedy[64] = "a larger --batch";
    if (other > 0)
        snprintf(remedy, sizeof remedy, "--batch %" PRId64 " leaves none alone", other);
    else if (batch > 1)
        snprintf(remedy, sizeof remedy, "another --batch");
    return net_fail(error,
                    "%.100s (%s, line %d) needs more than one value in each channel to learn from, "
                    "and %s%s of %" PRId64 " %s in "
                    "batches of %" PRId64 " has one: %s",
                    layer->path, layer->op, layer->line,
                    session->own_norms && net_rank_count() > 1 ? "the last rank in " : "",
                    each ? "each step" : "the last step", images, net_noun(session->model).many,
                    batch, remedy);
}

bool net_check_batches(const NetSession *session, int64_t images, const NetProgress *progress,
                       int64_t epochs, int64_t max_steps, NetError *error)
{
    const NetLayer *layer = find_layer(session->model);
    int64_t batch = session->batch, left = images - progress->position;
    int64_t steps = max_steps < 0                ? -1
                    : max_steps > progress->step ? (max_steps - progress->step) * session->passes
                                                 : 0;
    int64_t now = (left + batch - 1) / batch;
    if (!layer || progress->epoch >= epochs)
        return true;
    bool alone = leaves_alone(session, left, batch, steps);
    bool more = progress->epoch + 1 < epochs && (steps < 0 || steps > now);
    if (more)
        alone |= leaves_alone(session, images, batch, steps < 0 ? -1 : steps - now);
    return !alone || refuse(session, layer, images, error);
}
