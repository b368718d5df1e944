/* finite.c: where values that are no numbers came from.
 *
 * A loss that is not finite says only that something went wrong before it.  The
 * step that gave it has moved nothing, so its forward pass can be repeated,
 * bit for bit, by the same program, with a hook that looks at every layer's
 * output as soon as it is there: memory is shared too tightly to look later.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>

/* The first element that is not finite, or -1. */
static int64_t find_strange(const real *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return i;
    return -1;
}

const char *net_strange_text(double value)
{
    return isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

/* A forward pass that fails leaves running averages that are no numbers: they are
 * what it left, not where it came from. */
static const NetParameter *find_strange_parameter(const NetSession *session, bool buffers,
                                                  int64_t *element, double *value)
{
    for (int i = 0; i < session->model->parameter_count; i++) {
        const NetParameter *parameter = &session->model->parameters[i];
        const real *values = net_parameter_values(session, parameter);
        if (!values || (parameter->kind == NET_BUFFER && !buffers)
            || (*element = find_strange(values, parameter->elements)) < 0)
            continue;
        *value = (double)values[*element];
        return parameter;
    }
    return NULL;
}

bool net_check_weights(const NetSession *session, NetError *error)
{
    int64_t element;
    double value;
    const NetParameter *parameter = find_strange_parameter(session, true, &element, &value);
    return !parameter
           || net_fail(error,
                       "%.150s[%" PRId64 "] is %s after step %llu: the run is stopped and nothing "
                       "is written; a smaller --lr may help",
                       parameter->path, element, net_strange_text(value),
                       (unsigned long long)session->steps);
}

/* ------------------------------------------------------- a layer's output */

typedef struct Probe {
    NetHook hook; /* the first member: what the session is given */
    const NetProgram *program;
    int lanes;
    atomic_int first; /* the first layer whose output is not finite, or how many there are */
} Probe;

static void begin_phase(NetHook *hook)
{
    (void)hook;
}

/* Lanes without an image hold whatever comes of zeros. */
static bool output_is_finite(const Probe *probe, const NetPart *part, const NetStep *step,
                             const real *scratch, int64_t grain)
{
    const real *values = part->kept ? step->kept + grain * probe->program->kept_elements : scratch;
    const real *active = step->active + grain * probe->lanes;
    for (int64_t i = 0; i < part->elements; i++)
        if (active[i % probe->lanes] != 0 && !isfinite(values[part->offset + i]))
            return false;
    return true;
}

static void look(NetHook *hook, const NetStep *step, const real *scratch, int64_t grain, int index)
{
    Probe *probe = (Probe *)hook;
    const NetPart *part = &probe->program->parts[index];
    int first = atomic_load(&probe->first);
    if (part->layer < 0 || part->layer >= first
        || output_is_finite(probe, part, step, scratch, grain))
        return;
    while (part->layer < first && !atomic_compare_exchange_weak(&probe->first, &first, part->layer))
        ;
}

/* Repeats the forward pass with the hook. */
static void explain(NetSession *session, const NetBatch *batch, bool training,
                    const char *otherwise, char *text, size_t size)
{
    const NetModel *model = session->model;
    int64_t element;
    double value;
    const NetParameter *parameter = find_strange_parameter(session, false, &element, &value);
    if (parameter) {
        snprintf(text, size, "%.150s[%" PRId64 "] is %s already", parameter->path, element,
                 net_strange_text(value));
        return;
    }
    Probe probe = {
        .hook = {begin_phase, look},
        .program = training ? &model->training : &model->inference,
        .lanes = model->lanes,
        .first = model->layer_count,
    };
    session->hook = &probe.hook;
    if (training)
        net_train_batch(session, batch, NULL);
    else
        net_test_batch(session, batch);
    session->hook = NULL;
    int first = atomic_load(&probe.first);
    if (training) /* in any rank's grains */
        first = model->layer_count - (int)net_ranks_largest(model->layer_count - first);
    if (first == model->layer_count)
        snprintf(text, size, "%s", otherwise);
    else
        snprintf(text, size, "the output of %.150s (%s, line %d) is the first that is not finite",
                 model->layers[first].path, model->layers[first].op, model->layers[first].line);
}

void net_explain_loss(NetSession *session, const NetBatch *batch, char *text, size_t size)
{
    explain(session, batch, true, "every layer's output is finite, and the loss itself overflows",
            text, size);
}

/* Batch by batch, to the first that shows it. */
bool net_explain_test(NetSession *session, const NetImages *images, NetError *error)
{
    char where[NET_SHAPE_TEXT + 160];
    for (int64_t first = 0; first < images->count; first += session->batch) {
        int64_t left = images->count - first;
        NetBatch batch = {.images = images,
                          .first = first,
                          .count = left < session->batch ? left : session->batch};
        if (isfinite(net_test_batch(session, &batch).loss))
            continue;
        explain(session, &batch, false,
                "every layer's output is finite, and the loss itself overflows", where,
                sizeof where);
        return net_fail(error,
                        "the network's answer to %s %" PRId64 " to %" PRId64 " is no number: %s",
                        net_noun(session->model).many, first, (first + batch.count - 1), where);
    }
    return net_fail(error, "the network's answers are no numbers");
}
