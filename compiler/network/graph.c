/* graph.c: the making of the graph's parts.  The builder makes the
 * forward part and the passes after it append to it, all through these.
 */
#include "network/network.h"

#include <string.h>

bool count_elements(int rank, const Int *dims, Int *elements, int *culprit)
{
    *elements = 1;
    for (*culprit = 0; *culprit < rank; ++*culprit)
        if (__builtin_mul_overflow(*elements, dims[*culprit], elements) || *elements > MAX_ELEMENTS)
            return false;
    return true;
}

const char *product_text(int rank, const Int *dims)
{
    Text text = {0};
    for (int i = 0; i < rank; i++)
        text_add(&text, "%s%lld", i > 0 ? " * " : "", dims[i]);
    return intern(text_chars(&text));
}

void caption_factor(Diagnostic *d, const Int *dims, int culprit)
{
    const char *before = culprit > 0 ? format("%s * ", product_text(culprit, dims)) : "";
    diag_caption(d, "%sthis %lld exceeds %lld values", before, dims[culprit], MAX_ELEMENTS);
}

Tensor *make_tensor(int id, TensorRole role, const char *name, Shape shape)
{
    Tensor *tensor = NEW(Tensor);
    *tensor = (Tensor){
        .id = id, .role = role, .name = name, .shape = shape, .base = tensor, .root = tensor};
    return tensor;
}

Tensor *new_tensor(Graph *graph, TensorRole role, const char *name, Shape shape)
{
    Tensor *tensor = make_tensor(graph->tensors.count, role, name, shape);
    push(&graph->tensors, tensor);
    return tensor;
}

void place_inputs(Graph *graph)
{
    Int at = 0;
    for (int i = 0; i < graph->inputs.count; i++) {
        graph->inputs.items[i].offset = at;
        at += (shape_elements(graph->inputs.items[i].tensor->shape) + CACHE_LINE - 1) / CACHE_LINE
              * CACHE_LINE;
    }
}

const char *inputs_text(const Graph *graph)
{
    Text text = {0};
    for (int i = 0; i < graph->inputs.count; i++) {
        const Tensor *tensor = graph->inputs.items[i].tensor;
        text_add(&text, "%s%s%s", i > 0 ? ", " : "",
                 graph->inputs.count > 1 ? format("%s ", tensor->name) : "",
                 shape_text(tensor->shape));
    }
    return text_chars(&text);
}

int count_carried(const Tensor *tensor)
{
    return tensor->role == TENSOR_SEVERAL ? tensor->parts.count : 1;
}

Tensor *carried_part(Tensor *tensor, int i)
{
    return tensor->role == TENSOR_SEVERAL ? tensor->parts.items[i] : tensor;
}

const char *carried_text(const Tensor *tensor)
{
    Text text = {0};
    for (int i = 0; i < count_carried(tensor); i++)
        text_add(&text, "%s%s", i > 0 ? ", " : "",
                 shape_text(carried_part((Tensor *)tensor, i)->shape));
    return text_chars(&text);
}

Int input_elements(const Graph *graph)
{
    const Input *last = &graph->inputs.items[graph->inputs.count - 1];
    return last->offset + shape_elements(last->tensor->shape);
}

void make_view(Tensor *tensor, Tensor *base, Int offset)
{
    tensor->base = base;
    tensor->offset = offset;
    tensor->root = base->root;
    tensor->root_offset = base->root_offset + offset;
}

Node *new_node(Graph *graph, Stage stage, const Operator *op)
{
    Node *node = NEW(Node);
    *node = (Node){.id = graph->nodes.count, .stage = stage, .op = op};
    push(&graph->nodes, node);
    return node;
}

void add_aux(Graph *graph, Node *node)
{
    if (node->aux_shape.rank == 0)
        return;
    node->aux = new_tensor(graph, TENSOR_AUX, format("%s aux", node->path), node->aux_shape);
    node->aux->producer = node;
}

/* A parameter too large to address is marked by elements = 0: the builder
 * drops its node. */
Parameter *node_parameter(Node *node, const char *name, ParameterKind kind, Init init, int rank,
                          const Int *dim, Int fan_in, Int fan_out)
{
    Parameter *parameter = NEW(Parameter);
    *parameter = (Parameter){.name = intern(name),
                             .path = format("%s.%s", node->path, name),
                             .kind = kind,
                             .rank = rank,
                             .fan_in = fan_in,
                             .fan_out = fan_out,
                             .init = init,
                             .padding_row = -1,
                             .uses = 1,
                             .node = node};
    for (int i = 0; i < rank; i++)
        parameter->dim[i] = dim[i];
    push(&node->parameters, parameter);
    int culprit;
    if (count_elements(rank, dim, &parameter->elements, &culprit))
        return parameter;
    Diagnostic *d = node_error(node, "too-large", node->span, "%s of %s is too large: %s values",
                               name, node->path, product_text(rank, dim));
    caption_factor(d, dim, culprit);
    parameter->elements = 0;
    return parameter;
}

const char *parameter_name(const Node *node, int i)
{
    const char *name = i < node->names.count ? node->names.items[i] : NULL;
    return name ? name : node->parameters.items[i]->name;
}

void call_parameter(Node *node, int i, const char *name)
{
    while (node->names.count <= i)
        push(&node->names, NULL);
    node->names.items[i] = name;
}

static int find_name(const Node *node, const char *name)
{
    for (int i = 0; i < node->parameters.count; i++)
        if (strcmp(parameter_name(node, i), name) == 0)
            return i;
    return -1;
}

Parameter *find_parameter(const Node *node, const char *name)
{
    int i = find_name(node, name);
    return i < 0 ? NULL : node->parameters.items[i];
}

unsigned parameter_bit(const Node *node, const char *name)
{
    int i = find_name(node, name);
    return i < 0 ? 0 : 1u << i;
}

int only_target(const Node *node)
{
    return node->targets.count == 1 ? node->targets.items[0] : NO_TARGET;
}

bool has_target(const Node *node, int target)
{
    for (int i = 0; i < node->targets.count; i++)
        if (node->targets.items[i] == target)
            return true;
    return false;
}

int node_salt(const Node *node)
{
    return (node->forward ? node->forward->id : node->id) + 1;
}

Int node_multiply_adds(const Node *node)
{
    if (node->sequence)
        return node_multiply_adds(node->sequence) / node->sequence->out->shape.dim[0];
    if (node->written_multiply_adds)
        return node->written_multiply_adds;
    return node->op->multiply_adds ? node->op->multiply_adds(node) : 0;
}

bool owns_parameter(const Node *node, const Parameter *parameter)
{
    const Node *owner = parameter->node;
    return owner->path == node->path || (owner->whole && owner->whole->path == node->path);
}

Int trained_elements(const Node *node)
{
    Int elements = 0;
    for (int i = 0; i < node->parameters.count; i++)
        if (node->parameters.items[i]->kind == PARAMETER_TRAINED
            && owns_parameter(node, node->parameters.items[i])
            && (!node->parameters.items[i]->sources[0] || node->parameters.items[i]->is_part))
            elements += node->parameters.items[i]->elements;
    return elements;
}

/* ---------------------------------------------------------- parameters */

Int placed_elements(const Parameter *parameter)
{
    return (parameter->elements + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

static void place_parameter(Graph *graph, Parameter *parameter)
{
    Int aligned = placed_elements(parameter);
    switch (parameter->kind) {
    case PARAMETER_TRAINED:
        parameter->offset = graph->trained_elements;
        graph->trained_elements += aligned;
        break;
    case PARAMETER_BUFFER:
        parameter->offset = graph->buffer_elements;
        graph->buffer_elements += aligned;
        break;
    case PARAMETER_COUNTER:
        parameter->offset = graph->counters++;
        break;
    case PARAMETER_CONSTANT:
        unreachable();
    }
}

/* Those that are derived come last: no optimizer goes over them. */
void place_parameters(Graph *graph)
{
    graph->trained_elements = graph->buffer_elements = graph->counters = 0;
    for (int i = 0; i < graph->parameters.count; i++)
        place_parameter(graph, graph->parameters.items[i]);
    for (int i = 0; i < graph->derived.count; i++)
        place_parameter(graph, graph->derived.items[i]);
}

const char *stage_name(Stage stage)
{
    switch (stage) {
    case STAGE_FORWARD:
        return "forward";
    case STAGE_STATISTICS:
        return "statistics";
    case STAGE_FILTERS:
        return "filters";
    case STAGE_BACKWARD_INPUT:
        return "backward_input";
    case STAGE_BACKWARD_PARAMETERS:
        return "backward_parameters";
    case STAGE_ADD_GRADIENTS:
        return "add_gradients";
    case STAGE_ACCUMULATE:
        return "accumulate";
    case STAGE_COPY:
        return "copy";
    }
    unreachable();
}

ClassLayout class_layout_of(Shape shape)
{
    bool sequence = shape.rank == 2;
    Int classes = shape.dim[sequence], positions = shape_elements(shape) / classes;
    return sequence ? (ClassLayout){classes, 1, positions, classes}
                    : (ClassLayout){classes, positions, positions, 1};
}
