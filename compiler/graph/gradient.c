/* Reverse-mode differentiation, as a graph-to-graph pass: walks the forward
 * nodes backwards and appends, for each, the nodes that compute its gradients.
 *
 * Requires a graph with a loss.  Appends BACKWARD_INPUT, BACKWARD_PARAMETERS,
 * ACCUMULATE and COPY nodes and the gradient tensors they use; leaves the
 * forward part as it was.
 *
 * What needs care is where gradients meet.  A tensor that several nodes read
 * receives one contribution from each; the first sets its gradient, the others
 * add to it.  Some contributions cost nothing, because they are the gradient of
 * another tensor or a slice of it: `add` hands its own gradient to every input,
 * `concat` a slice to each, `flatten` the same memory in another shape.  Those
 * become views.  A view may later be added to in place only when everyone else
 * who shares the memory has already been differentiated; otherwise it is copied
 * first.  So a skip connection and a dense block differentiate without one
 * copy, and any other graph stays right.
 */
#include "graph/graph.h"

typedef struct Pass {
    Graph *graph;
    int forward_nodes;
    const Node *current; /* the forward node being differentiated */
    Tensor **gradient;   /* by activation id; NULL: none yet */
    bool *needed;        /* by activation id: some parameter lies behind it */
    unsigned fuse;
    LIST(const Parameter *) summed; /* that have a gradient already */
    LIST(Node *) late;              /* whole-batch nodes, which run after all others */
} Pass;

static bool has_trained_parameters(const Node *node)
{
    for (int i = 0; i < node->parameters.count; i++)
        if (node->parameters.items[i]->kind == PARAMETER_TRAINED)
            return true;
    return false;
}

/* A gradient is worth computing only where a trained parameter lies behind it;
 * so a first layer computes none for the images. */
static void find_needed(Pass *pass)
{
    for (int i = 0; i < pass->graph->inputs.count; i++) {
        const Tensor *input = pass->graph->inputs.items[i].tensor;
        /* nobody moves by a little from a whole number */
        pass->needed[input->id] = !(pass->fuse & FUSE_FIRST_LAYER) && input->choices == 0;
    }
    for (int i = 0; i < pass->forward_nodes; i++) {
        const Node *node = pass->graph->nodes.items[i];
        bool needed = has_trained_parameters(node);
        for (int k = 0; k < node->inputs.count; k++)
            needed |= pass->needed[node->inputs.items[k]->id];
        if (node->out)
            pass->needed[node->out->id] = needed;
    }
}

static Tensor *new_gradient(Pass *pass, Tensor *of)
{
    Tensor *gradient =
        new_tensor(pass->graph, TENSOR_GRADIENT, format("d %s", of->name), of->shape);
    gradient->of = of;
    return gradient;
}

static Tensor *new_view(Pass *pass, Tensor *of, Tensor *base, Int offset)
{
    Tensor *view = new_gradient(pass, of);
    make_view(view, base, offset);
    view->next_view = view->root->next_view;
    view->root->next_view = view;
    return view;
}

static bool overlap(Tensor *a, Tensor *b)
{
    return a->root_offset < b->root_offset + shape_elements(b->shape)
           && b->root_offset < a->root_offset + shape_elements(a->shape);
}

/* Whether nobody looks at it any more: its tensor's producer has been
 * differentiated, and so have all before the one that is being. */
static bool is_done_with(const Pass *pass, const Tensor *sharer)
{
    const Node *producer = sharer->of->producer;
    return producer && producer->id > pass->current->id && !sharer->read_late;
}

/* True when `gradient` may be overwritten by the current node: whoever shares
 * its memory has been differentiated already and will not look again.  `dy` is
 * the one tensor the current node itself may read while it writes, element by
 * element; NULL when it may not.  What a late node reads is never overwritten.
 * Who is done with is taken off the chain: it is not passed by again. */
static bool may_overwrite(const Pass *pass, Tensor *gradient, const Tensor *dy)
{
    for (Tensor *sharer = gradient->root; sharer; sharer = sharer->next_view) {
        while (sharer->next_view && is_done_with(pass, sharer->next_view))
            sharer->next_view = sharer->next_view->next_view;
        if (is_done_with(pass, sharer) || !overlap(sharer, gradient))
            continue;
        if (sharer->read_late || (sharer != gradient && sharer != dy))
            return false;
    }
    return true;
}

/* A node of `stage` that shares `forward`'s fields. */
static Node *append_for(Pass *pass, const Node *forward, Stage stage)
{
    Node *node = new_node(pass->graph, stage, NULL);
    int id = node->id;
    *node = *forward;
    node->id = id;
    node->stage = stage;
    node->forward = (Node *)forward;
    if (stage == STAGE_ACCUMULATE || stage == STAGE_COPY || stage == STAGE_ADD_GRADIENTS) {
        node->op = NULL;
        node->whole_batch = false;
    }
    return node;
}

static Node *append(Pass *pass, Stage stage)
{
    return append_for(pass, pass->current, stage);
}

static void append_move(Pass *pass, Stage stage, Tensor *to, Tensor *from)
{
    Node *node = append(pass, stage);
    node->dx = to;
    node->from = from;
}

static void append_sum(Pass *pass, const Node *alone)
{
    Node *sum = append(pass, STAGE_ADD_GRADIENTS);
    sum->contribution = alone->contribution;
    sum->contribution_at = alone->contribution_at;
}

/* The gradient of `of`, which has contributions already, as memory that the
 * current node may add to. */
static Tensor *writable_gradient(Pass *pass, Tensor *of, const Tensor *dy)
{
    Tensor *gradient = pass->gradient[of->id];
    if (may_overwrite(pass, gradient, dy))
        return gradient;
    Tensor *own = new_gradient(pass, of);
    append_move(pass, STAGE_COPY, own, gradient);
    return pass->gradient[of->id] = own;
}

/* The contribution to `input` is the slice of dy that starts at `offset`. */
static void contribute_view(Pass *pass, Tensor *input, Tensor *dy, Int offset)
{
    if (!pass->needed[input->id])
        return;
    Tensor *view = new_view(pass, input, dy, offset);
    bool slices = node_traits(pass->current) & OP_CONCATENATES;
    if (!pass->gradient[input->id] && slices && !(pass->fuse & FUSE_CONCAT))
        append_move(pass, STAGE_COPY, pass->gradient[input->id] = new_gradient(pass, input), view);
    else if (!pass->gradient[input->id])
        pass->gradient[input->id] = view;
    else
        append_move(pass, STAGE_ACCUMULATE, writable_gradient(pass, input, view), view);
}

/* Whether no later contribution of the current node reads its dy. */
static bool is_last(const Pass *pass, int which)
{
    const Node *node = pass->current;
    for (int i = which + 1; i < node->inputs.count; i++)
        if (pass->needed[node->inputs.items[i]->id])
            return false;
    return true;
}

/* The contribution to inputs[which] is computed by a kernel. */
static void contribute_kernel(Pass *pass, int which, Tensor *dy)
{
    const Node *forward = pass->current;
    Tensor *input = forward->inputs.items[which];
    if (!pass->needed[input->id])
        return;
    bool elementwise = (node_traits(forward) & OP_IN_PLACE) && is_last(pass, which);
    bool accumulate = pass->gradient[input->id];
    if (accumulate)
        writable_gradient(pass, input, elementwise ? dy : NULL);
    else if (elementwise && dy && may_overwrite(pass, dy, NULL))
        pass->gradient[input->id] = new_view(pass, input, dy, 0);
    else
        pass->gradient[input->id] = new_gradient(pass, input);

    Node *node = append(pass, STAGE_BACKWARD_INPUT);
    node->which = which;
    node->dy = dy;
    node->dx = pass->gradient[input->id];
    node->accumulate = accumulate;
}

/* The contributions to all inputs are made by one kernel, one behind the other in memory of their
 * own, of which each input's gradient is a view. */
static void contribute_together(Pass *pass, Tensor *dy)
{
    const Node *forward = pass->current;
    Int *at = NEW_ARRAY(Int, (size_t)forward->inputs.count), elements = 0;
    for (int i = 0; i < forward->inputs.count; i++) {
        const Tensor *input = forward->inputs.items[i];
        at[i] = pass->needed[input->id] ? elements : -1;
        elements += pass->needed[input->id] ? shape_elements(input->shape) : 0;
    }
    if (elements == 0)
        return;
    Tensor *all = new_tensor(pass->graph, TENSOR_GRADIENT, format("d inputs of %s", forward->path),
                             shape_of(1, elements, 1, 1));
    all->of = forward->out;
    Node *node = append(pass, STAGE_BACKWARD_INPUT);
    node->dy = dy;
    node->dx = all;
    node->dx_at = at;
    for (int i = 0; i < forward->inputs.count; i++)
        if (at[i] >= 0)
            contribute_view(pass, forward->inputs.items[i], all, at[i]);
}

static bool is_summed(const Pass *pass, const Parameter *parameter)
{
    for (int i = 0; parameter->uses > 1 && i < pass->summed.count; i++)
        if (pass->summed.items[i] == parameter)
            return true;
    return false;
}

/* Kernels set a parameter's gradient.  Where several layers have the parameter, those that come
 * after the first set one of their own, which is then added. */
static void add_to_others(Pass *pass, Node *node)
{
    Int *at = NEW_ARRAY(Int, (size_t)node->parameters.count), elements = 0;
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *parameter = node->parameters.items[i];
        at[i] = -1;
        if (parameter->kind != PARAMETER_TRAINED)
            continue;
        if (is_summed(pass, parameter)) {
            at[i] = elements;
            elements += (parameter->elements + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
        } else if (parameter->uses > 1) {
            push(&pass->summed, parameter);
        }
    }
    if (elements == 0)
        return;
    node->contribution = new_tensor(pass->graph, TENSOR_STATISTICS,
                                    format("d %s alone", node->path), shape_of(1, elements, 1, 1));
    node->contribution_at = at;
    append_sum(pass, node);
}

/* Parameter gradients, now or, for a sum over the whole batch, at the end. */
static void contribute_parameters(Pass *pass, const Node *forward, Tensor *dy)
{
    if (!has_trained_parameters(forward)
        && !(forward->op->input_gradient_reads & READS_PARAMETER_GRADIENTS))
        return;
    if (!forward->whole_batch) {
        Node *node = append(pass, STAGE_BACKWARD_PARAMETERS);
        node->dy = dy;
        add_to_others(pass, node);
        return;
    }
    Node *late = NEW(Node);
    *late = (Node){.forward = (Node *)forward, .dy = dy};
    push(&pass->late, late);
    dy->read_late = true;
}

/* Whether another of the late nodes from `first` on, below `end`, has it. */
static bool others_have(const Pass *pass, const Parameter *parameter, int first, int end)
{
    for (int i = first; parameter->uses > 1 && i < end; i++) {
        const Node *node = pass->late.items[i]->forward;
        for (int k = 0; k < node->parameters.count; k++)
            if (node->parameters.items[k] == parameter)
                return true;
    }
    return false;
}

/* One after the other: those of one parameter add to what the first of them has set. */
static void append_late(Pass *pass)
{
    for (int i = 0; i < pass->late.count; i++) {
        Node *node = append_for(pass, pass->late.items[i]->forward, STAGE_BACKWARD_PARAMETERS);
        node->dy = pass->late.items[i]->dy;
        for (int k = 0; k < node->parameters.count; k++) {
            Parameter *parameter = node->parameters.items[k];
            parameter->whole_batch = !parameter->makes;
            if (others_have(pass, parameter, 0, i))
                node->adds |= 1u << k;
            if (others_have(pass, parameter, i + 1, pass->late.count))
                node->awaits |= 1u << k;
        }
    }
}

static void differentiate(Pass *pass, const Node *node)
{
    pass->current = node;
    Tensor *dy = node->out ? pass->gradient[node->out->id] : NULL;
    if (!dy && !(node->op->traits & OP_LOSS))
        return; /* nothing downstream depends on it */

    unsigned traits = node_traits(node);
    Int offset = 0;
    bool inputs_first = node->op->input_gradient_reads & WRITES_AUX;
    if (!inputs_first)
        contribute_parameters(pass, node, dy);
    bool together = traits & OP_GRADIENTS_TOGETHER && node->inputs.count > 1;
    if (together)
        contribute_together(pass, dy);
    for (int i = 0; !together && i < node->inputs.count; i++) {
        Tensor *input = node->inputs.items[i];
        bool whole = traits & OP_SUMS && shape_equal(input->shape, node->out->shape);
        if (traits & (OP_VIEW | OP_CONCATENATES) || whole)
            contribute_view(pass, input, dy, offset);
        else
            contribute_kernel(pass, i, dy);
        if (traits & OP_CONCATENATES)
            offset += shape_elements(input->shape);
    }
    if (inputs_first)
        contribute_parameters(pass, node, dy);
}

/* Gives whether that is new of one of them. */
static bool note_by_grain(const Node *node)
{
    bool news = false;
    for (int i = 0; i < node->parameters.count; i++) {
        Parameter *parameter = node->parameters.items[i];
        news |= parameter->uses > 1 && !parameter->by_grain;
        parameter->by_grain = true;
    }
    return news;
}

static bool has_by_grain(const Node *node)
{
    for (int i = 0; i < node->parameters.count; i++)
        if (node->parameters.items[i]->by_grain)
            return true;
    return false;
}

/* A parameter's gradient is one sum over all grains or one for each, whichever layer made it. */
void mark_whole_batch(Graph *graph)
{
    bool news = false;
    for (int i = 0; i < graph->nodes.count; i++) {
        Node *node = graph->nodes.items[i];
        node->whole_batch = node->op->whole_batch && node->op->whole_batch(node);
        if (!node->whole_batch)
            news |= note_by_grain(node);
    }
    while (news) {
        news = false;
        for (int i = 0; i < graph->nodes.count; i++) {
            Node *node = graph->nodes.items[i];
            if (!node->whole_batch || !has_by_grain(node))
                continue;
            node->whole_batch = false;
            news |= note_by_grain(node);
        }
    }
}

void add_gradients(Graph *graph, unsigned fuse)
{
    require(graph->loss);
    Pass pass = {
        .graph = graph,
        .forward_nodes = graph->nodes.count,
        .gradient = NEW_ARRAY(Tensor *, (size_t)graph->tensors.count),
        .needed = NEW_ARRAY(bool, (size_t)graph->tensors.count),
        .fuse = fuse,
    };
    find_needed(&pass);
    for (int i = pass.forward_nodes - 1; i >= 0; i--)
        differentiate(&pass, graph->nodes.items[i]);
    append_late(&pass);
}
