/* pieces.c: which kernels several threads share, where grains are too few for all, and which of one
 * image.
 *
 * Their threads meet before and after such a kernel, so it has to be worth that: it takes a
 * while, by an estimate of its multiply-adds and of the bytes that it moves.  The estimate is the
 * same for all machines, so that a program does not depend on where it was compiled; it decides
 * nothing but speed.
 */
#include "plan/plan.h"

/* One core's rates, rounded: a Zen 4's. */
static const double MULTIPLY_ADDS = 4e9, /* a second, each of a vector */
    VECTORS = 0.25e9;                    /* a second, to and from a second-level cache */
enum { VECTOR = 16 };                    /* elements, of weights and of one image's values */
/* Seconds.  To meet takes 0.1 to 0.6 of 1e-6.  One image's values are few and lie close: then it
 * takes longer to get them from another core's cache, unless the weights are many more. */
static const double WORTH_MEETING = 10e-6, WORTH_MOVING = 50e-6;
enum { MANY_MORE = 16 };

Int weights_of(const Node *node)
{
    Int elements = 0;
    for (int i = 0; i < node->parameters.count; i++)
        elements += node->parameters.items[i]->elements;
    return elements;
}

/* Vectors that it reads and writes; of one image, elements. */
static double values_of(const Plan *plan, const Step *step)
{
    AccessList accesses = {0};
    double values = 0;
    step_accesses(step, plan->training, &accesses);
    for (int i = 0; i < accesses.count; i++)
        values += (double)tensor_vectors(accesses.items[i].tensor, plan->lanes);
    return values;
}

static double worth(const Plan *plan, const Step *step)
{
    bool moves =
        plan->lanes == 1 && (double)weights_of(step_node(step)) / MANY_MORE < values_of(plan, step);
    return moves ? WORTH_MOVING : WORTH_MEETING;
}

/* Winograd's tiles make about so many multiply-adds of one; see kernels/winograd.h for which
 * windows. */
static const double SAVED = 2.5;

static bool may_be_winograd(const Plan *plan, const Node *node)
{
    if (!(plan->fuse & FUSE_WINOGRAD) || node->op->window != WINDOW_SLIDES || window_axes(node) < 2)
        return false;
    int axes = window_axes(node);
    if (axes == 3 && (node_window(node, 0).stride != 1 || node_window(node, 0).dilation != 1))
        return false;
    Window rows = node_window(node, axes - 2), columns = node_window(node, axes - 1);
    return rows.kernel == columns.kernel && (rows.kernel == 3 || rows.kernel == 5)
           && rows.stride == 1 && columns.stride == 1 && rows.dilation == 1
           && columns.dilation == 1;
}

static double step_seconds(const Plan *plan, const Step *step)
{
    const Node *node = step_node(step), *forward = node->forward ? node->forward : node;
    bool multiplies = node->stage == STAGE_FORWARD || node->stage == STAGE_BACKWARD_INPUT
                      || node->stage == STAGE_BACKWARD_PARAMETERS;
    double vectors = values_of(plan, step),
           multiply_adds = multiplies ? (double)node_multiply_adds(forward) : 0;
    if (multiplies && may_be_winograd(plan, forward))
        multiply_adds /= SAVED;
    if (plan->lanes == 1) {
        vectors /= VECTOR;
        multiply_adds /= VECTOR;
    }
    vectors += (double)weights_of(node) / VECTOR;
    double moving = vectors / VECTORS, computing = multiply_adds / MULTIPLY_ADDS;
    return moving > computing ? moving : computing;
}

/* A loss of what the kernel makes needs all of it. */
void split_steps(Plan *plan, Split split)
{
    for (int i = 0; i < plan->steps.count; i++) {
        Step *step = plan->steps.items[i];
        const Node *node = step_node(step);
        if (node->whole_batch || plan_skips(plan, step) || part_node(step, PART_LOSS))
            continue;
        step->seconds = step_seconds(plan, step);
        step->splits =
            split == SPLIT_ALL || (split == SPLIT_AUTO && step->seconds >= worth(plan, step));
    }
}
