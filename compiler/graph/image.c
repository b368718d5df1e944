/* The graph that one image at a time goes through: the forward part alone, for
 * a layout in which a position's channels lie side by side.
 *
 * Requires a complete graph, which stays as it is; the copy shares parameters
 * and arguments with it.  Three things differ.  Flattening is work, not a view, where it puts
 * positions before channels.  An operator whose kernels know planes only
 * stands between two nodes that transpose the layout.  And there is no loss.
 */
#include "graph/graph.h"
#include "ops/ops.h"

typedef struct Copier {
    const Graph *from;
    Graph *to;
    Tensor **copies; /* by id of the original tensor */
} Copier;

/* A node that only moves values into another order. */
static Tensor *transpose(Copier *copier, const Node *like, const Operator *op, Tensor *in,
                         Tensor *out)
{
    Node *node = new_node(copier->to, STAGE_FORWARD, op);
    node->path = like->path;
    node->span = like->span;
    node->instance = like->instance;
    push(&node->inputs, in);
    node->out = out;
    node->out_shape = out->shape;
    out->producer = node;
    return out;
}

/* True when its values lie as in planes, whatever else they become a part of. */
static bool lies_in_planes(const Tensor *tensor)
{
    return shape_plane(tensor->shape) == 1
           || (tensor->role == TENSOR_INPUT && tensor->shape.dim[0] == 1);
}

static Tensor *in_planes(Copier *copier, const Node *like, Tensor *tensor)
{
    if (lies_in_planes(tensor))
        return tensor;
    Tensor *planes = new_tensor(copier->to, TENSOR_ACTIVATION, format("%s planes", tensor->name),
                                shape_of(1, shape_elements(tensor->shape), 1, 1));
    return transpose(copier, like, find_operator("flatten"), tensor, planes);
}

static Node *copy_node(Copier *copier, const Node *original)
{
    Node *node = new_node(copier->to, STAGE_FORWARD, original->op);
    int id = node->id;
    *node = *original;
    node->id = id;
    node->forward = (Node *)original;
    node->whole_batch = false;
    node->aux = node->statistics = NULL;
    node->inputs.items = NULL;
    node->inputs.count = node->inputs.capacity = 0;
    return node;
}

static Tensor *copy_tensor(Copier *copier, const Tensor *original)
{
    return copier->copies[original->id] =
               new_tensor(copier->to, original->role, original->name, original->shape);
}

/* The reference kernel reads and writes planes. */
static void copy_between_transposes(Copier *copier, const Node *original)
{
    Tensor *inputs[original->inputs.count];
    for (int i = 0; i < original->inputs.count; i++)
        inputs[i] = in_planes(copier, original, copier->copies[original->inputs.items[i]->id]);
    Node *node = copy_node(copier, original);
    Tensor *out = copy_tensor(copier, original->out);
    for (int i = 0; i < original->inputs.count; i++)
        push(&node->inputs, inputs[i]);
    node->out = out;
    if (!lies_in_planes(out)) {
        node->out = new_tensor(copier->to, TENSOR_ACTIVATION, format("%s planes", out->name),
                               shape_of(1, shape_elements(out->shape), 1, 1));
        transpose(copier, original, &operator_unflatten, node->out, out);
    }
    node->out->producer = node;
}

static bool is_view(const Copier *copier, const Node *original)
{
    const Tensor *x = first_input(original);
    return (original->op->traits & OP_VIEW)
           && (shape_equal(x->shape, original->out->shape)
               || (lies_in_planes(copier->copies[x->id])
                   && shape_plane(original->out->shape) == 1));
}

/* A view of values that lie channels last: in planes first, then again by channels. */
static void copy_rearranged(Copier *copier, const Node *original)
{
    Tensor *planes = in_planes(copier, original, copier->copies[original->inputs.items[0]->id]);
    Tensor *out = copy_tensor(copier, original->out);
    transpose(copier, original, &operator_unflatten, planes, out);
}

static void copy_forward(Copier *copier, const Node *original)
{
    if ((original->op->traits & OP_VIEW) && !is_view(copier, original)
        && shape_plane(original->out->shape) > 1) {
        copy_rearranged(copier, original);
        return;
    }
    bool runs = !(node_traits(original) & (OP_VIEW | OP_TRAINING_ONLY | OP_CONCATENATES));
    if (runs && !can_do_image(original)) {
        copy_between_transposes(copier, original);
        return;
    }
    Node *node = copy_node(copier, original);
    for (int i = 0; i < original->inputs.count; i++)
        push(&node->inputs, copier->copies[original->inputs.items[i]->id]);
    node->out = copy_tensor(copier, original->out);
    node->out->producer = node;
    if (is_view(copier, original))
        make_view(node->out, node->inputs.items[0]->base, 0);
}

Graph *one_image_graph(const Graph *graph)
{
    Copier copier = {
        .from = graph,
        .to = NEW(Graph),
        .copies = NEW_ARRAY(Tensor *, (size_t)graph->tensors.count),
    };
    *copier.to = (Graph){
        .name = graph->name,
        .sequence = graph->sequence,
        .program = graph->program,
        .parameters = graph->parameters,
        .derived = graph->derived,
        .input_span = graph->input_span,
    };
    for (int i = 0; i < graph->inputs.count; i++) {
        Input input = graph->inputs.items[i];
        input.tensor = copy_tensor(&copier, input.tensor);
        push(&copier.to->inputs, input);
    }
    copier.to->input = copier.to->inputs.items[0].tensor;
    for (int i = 0; i < graph->nodes.count; i++)
        if (graph->nodes.items[i]->stage == STAGE_FORWARD && graph->nodes.items[i]->out)
            copy_forward(&copier, graph->nodes.items[i]);
    Tensor *output = copier.copies[graph->output->id];
    copier.to->output = output->producer ? in_planes(&copier, output->producer, output) : output;
    for (int i = 0; i < graph->outputs.count; i++) {
        Output named = graph->outputs.items[i];
        Tensor *tensor = copier.copies[named.tensor->id];
        named.tensor = tensor->producer ? in_planes(&copier, tensor->producer, tensor) : tensor;
        push(&copier.to->outputs, named);
    }
    return copier.to;
}
