/* training_units.c: whose targets are standardised.
 *
 * A network learns slowly what is far from 0 or far apart: prices in thousands.  So what mse, l1,
 * huber and smooth_l1 hold an output against is numbers less their mean, over their deviation, of
 * the training examples; the trainer finds these two, keeps them with the weights, and gives
 * answers and figures in the target's own unit.  This is so where it can be meant: the output has
 * one axis, any value is within its reach, as of a linear layer, and all losses that read it are
 * held against that one target.  `standardize=` of a loss says otherwise.
 */
#include "graph/training.h"

/* Whether training can give the tensor any value: it is a sum with weights, and nothing bounds it
 * behind that. */
static bool reaches_any(const Tensor *tensor)
{
    const Node *node = tensor->producer;
    unsigned traits = node != NULL ? node->op->traits : 0;
    bool all = node != NULL && node->inputs.count > 0;
    if (traits & OP_UNBOUNDED)
        return true;
    if (!(traits & (OP_VIEW | OP_TRAINING_ONLY | OP_SUMS | OP_CONCATENATES)))
        return false;
    for (int i = 0; i < node->inputs.count; i++) {
        bool reaches = reaches_any(node->inputs.items[i]);
        if (reaches && traits & OP_SUMS)
            return true;
        all &= reaches;
    }
    return all;
}

static bool is_loss(const Node *node)
{
    return node->stage == STAGE_FORWARD && node->op->traits & OP_LOSS;
}

static bool reads(const Node *node, const Tensor *tensor)
{
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] == tensor)
            return true;
    return false;
}

/* A loss of another target, or of none, that reads the same output; NULL: there is none. */
static const Node *find_rival(const Graph *graph, const Node *loss)
{
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *other = graph->nodes.items[i];
        if (is_loss(other) && reads(other, first_input(loss))
            && only_target(other) != only_target(loss))
            return other;
    }
    return NULL;
}

/* What its own line and output say, the other losses left aside. */
static bool may_be(const Node *loss)
{
    if (!(loss->op->traits & OP_ANY_UNIT) || only_target(loss) < 0)
        return false;
    if (loss->standardize != NULL)
        return loss->standardize->integer[0] != 0;
    return first_input(loss)->shape.rank == 1 && reaches_any(first_input(loss));
}

/* A loss of the same target that does not let it be standardised; NULL: there is none. */
static const Node *find_refusal(const Graph *graph, int target)
{
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *other = graph->nodes.items[i];
        if (is_loss(other) && has_target(other, target)
            && (!may_be(other) || find_rival(graph, other) != NULL))
            return other;
    }
    return NULL;
}

/* `standardize=true` where it cannot be. */
static void check_asked(Training *t, const Node *loss)
{
    const ArgValue *asked = loss->standardize;
    const Tensor *output = first_input(loss);
    const Node *rival;
    if (asked == NULL || !asked->integer[0])
        return;
    if (!(loss->op->traits & OP_ANY_UNIT))
        build_error(t->b, "unknown-argument", asked->span,
                    "what %s is held against has a unit already: standardize= is for mse, l1, "
                    "huber and smooth_l1",
                    loss->op->name);
    else if (only_target(loss) < 0)
        build_error(t->b, "unknown-argument", asked->span,
                    "the network's input is as `normalize` makes it: standardize= is for targets "
                    "of the data");
    else if (output->shape.rank != 1)
        build_error(t->b, "shape-rank", asked->span,
                    "standardize= is for an output of one axis, and this one is %s",
                    shape_text(output->shape));
    else if ((rival = find_rival(t->graph, loss)) != NULL)
        diag_label(build_error(t->b, "duplicate-argument", asked->span,
                               "another loss reads the same output, which has one unit only"),
                   rival->span, "held against another target, or none");
    else if ((rival = find_refusal(t->graph, only_target(loss))) != NULL)
        diag_label(build_error(t->b, "duplicate-argument", asked->span,
                               "another output is held against the same target as it is"),
                   rival->span, "`standardize=true` here too, or `standardize=false` at both");
}

/* Each of a target's losses says so, or none does. */
static void choose_unit(const Graph *graph, const Node *loss)
{
    for (int i = 0; i < loss->targets.count; i++) {
        int target = loss->targets.items[i];
        if (target >= 0)
            graph->wanted.items[target].standardised = find_refusal(graph, target) == NULL;
    }
}

/* Whether standardised or not: weights may be of a run that did it the other way. */
static int unit_of(const Graph *graph, const Tensor *output)
{
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (is_loss(node) && node->op->traits & OP_ANY_UNIT && only_target(node) >= 0
            && first_input(node) == output)
            return find_rival(graph, node) == NULL ? 1 + only_target(node) : 0;
    }
    return 0;
}

void choose_units(Training *t)
{
    Graph *graph = t->graph;
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (!is_loss(node))
            continue;
        check_asked(t, node);
        choose_unit(graph, node);
    }
    for (int i = 0; i < graph->outputs.count; i++)
        graph->outputs.items[i].unit = unit_of(graph, graph->outputs.items[i].tensor);
}
