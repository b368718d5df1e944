/* faults.c: a fault at a node, told with the uses and iterations it is in and the steps that made
 * the shape it complains of.
 */
#include "network/network.h"

void add_instance_notes(Diagnostic *d, const Instance *instance)
{
    enum { MAX_NOTES = 6 };
    for (int level = 0; instance != NULL && level < MAX_NOTES; instance = instance->outer, level++)
        if (instance->iteration < 0)
            diag_note_at(d, instance->span, "in this use of %s as %s", instance->what,
                         instance->path);
        else
            diag_note_at(d, instance->span, "in turn %lld, counted from 0, of this %s",
                         instance->iteration, instance->what);
}

Diagnostic *fault_within(const Instance *instance, const char *code, Span at, const char *message,
                         va_list values)
{
    char text[1024];
    vsnprintf(text, sizeof text, message, values);
    Diagnostic *d = diag(SEVERITY_ERROR, code, at, "%s", text);
    add_instance_notes(d, instance);
    return d;
}

const char *flatten_arithmetic(const Tensor *tensor)
{
    const Node *node = tensor->producer;
    if (node == NULL || !(node->op->traits & OP_VIEW) || tensor->shape.rank != 1
        || node->inputs.items[0]->shape.rank != 3)
        return NULL;
    return format("%s = %lld", product_text(3, node->inputs.items[0]->shape.dim),
                  tensor->shape.dim[0]);
}
/* ----------------------------------------------------- faults at a node */

/* Whose fault is being described: steps are told as seen from there. */
static const Instance *fault_level;

/* Where the argument at fault got its value, when that was by name. */
static void label_origin(Diagnostic *d, const Node *node, Span at)
{
    for (int i = 0; node->op->args != NULL && node->op->args[i].name != NULL; i++) {
        const ArgValue *value = &node->args[i];
        if (value->origin.source != NULL && value->span.line == at.line
            && value->span.column == at.column)
            diag_label(d, value->origin, "`%s` comes from here", span_text(value->origin));
    }
}

Diagnostic *node_error(const Node *node, const char *code, Span at, const char *message, ...)
{
    va_list values;
    va_start(values, message);
    fault_level = node->instance;
    Diagnostic *d = fault_within(node->instance, code, at, message, values);
    va_end(values);
    label_origin(d, node, at);
    return d;
}

static bool within(const Instance *instance, const Instance *level)
{
    while (instance != NULL && instance != level)
        instance = instance->outer;
    return instance == level;
}

/* The outermost use of a block between `level` and `instance`, or NULL. */
static const Instance *use_below(const Instance *instance, const Instance *level)
{
    const Instance *use = NULL;
    for (; instance != level; instance = instance->outer)
        if (instance->iteration < 0)
            use = instance;
    return use;
}

/* The input of the step that ends in `node`: a use of a block is one step.  NULL: it has none. */
static const Tensor *step_input(const Node *node, const Instance *use)
{
    const Tensor *input = first_input(node);
    while (use != NULL && input != NULL && input->producer != NULL
           && within(input->producer->instance, use))
        input = first_input(input->producer);
    return input;
}

enum { MAX_DISTANCE = 1000, MAX_LABELS = 8 };

/* " + 2*1", or what is added where it is not the same at both ends; nothing for none. */
static const char *padding_term(const char *sign, Int before, Int after)
{
    if (before + after == 0)
        return "";
    return before == after ? format(" %s 2*%lld", sign, before)
                           : format(" %s %lld", sign, before + after);
}

/* "(12 - 5)//2 + 1" */
static const char *sliding_arithmetic(Window window, Int in)
{
    const char *spare = format("%lld%s - %lld", in, padding_term("+", window.before, window.after),
                               window_extent(window));
    if (window.ceil_mode)
        return format("ceil((%s)/%lld) + 1", spare, window.stride);
    return window.stride == 1 ? format("%s + 1", spare)
                              : format("(%s)//%lld + 1", spare, window.stride);
}

/* "(14 - 1)*2 - 2*1 + 3 + 1" */
static const char *transposed_arithmetic(Window window, Int in)
{
    const char *steps =
        window.stride == 1 ? format("%lld - 1", in) : format("(%lld - 1)*%lld", in, window.stride);
    return format("%s%s + %lld%s", steps, padding_term("-", window.before, window.after),
                  window_extent(window),
                  window.output_padding ? format(" + %lld", window.output_padding) : "");
}

/* ": (12 - 5)//2 + 1 = 4" of the first axis that changes. */
static const char *window_arithmetic(const Node *node)
{
    Shape in = node->inputs.items[0]->shape, out = node->out_shape;
    int axis = 0, axes = window_axes(node);
    while (axis < axes && in.dim[1 + axis] == out.dim[1 + axis])
        axis++;
    if (!node->op->window || axis == axes)
        return "";
    Window window = node_window(node, axis);
    switch (window.direction) {
    case WINDOW_SLIDES:
        return format(": %s = %lld", sliding_arithmetic(window, in.dim[1 + axis]),
                      out.dim[1 + axis]);
    case WINDOW_TRANSPOSED:
        return format(": %s = %lld", transposed_arithmetic(window, in.dim[1 + axis]),
                      out.dim[1 + axis]);
    case WINDOW_NONE:
    case WINDOW_FITTED:
        return "";
    }
    unreachable();
}

/* How a layer's shape came about, after its shapes; of a block's use, nothing. */
static const char *step_arithmetic(const Node *node)
{
    Text sum = {0};
    const char *product = flatten_arithmetic(node->out);
    if (product != NULL)
        return format(": %s", product);
    if (!(node->op->traits & OP_CONCATENATES))
        return window_arithmetic(node);
    int axis = joined_axis(node);
    for (int i = 0; i < node->inputs.count; i++)
        text_add(&sum, "%s%lld", i > 0 ? " + " : "", node->inputs.items[i]->shape.dim[axis]);
    return format(": %s = %lld", text_chars(&sum), node->out_shape.dim[axis]);
}

static void label_input(Diagnostic *d, const Tensor *tensor)
{
    if (tensor->span.source != NULL && !is_marked(d, tensor->span))
        diag_label(d, tensor->span, "%s", shape_text(tensor->shape));
}

/* Every step that changed the shape, the nearest first, and where it all began. */
void add_derivation(Diagnostic *d, const Tensor *tensor, const Instance *level)
{
    int steps = 0;
    for (int count = 0; tensor->producer != NULL && steps < MAX_DISTANCE; steps++) {
        const Node *node = tensor->producer;
        while (!within(node->instance, level))
            level = level->outer;
        const Instance *use = use_below(node->instance, level);
        const Tensor *input = step_input(node, use);
        Span span = use != NULL ? use->span : node->span;
        if (input == NULL) {
            if (!is_marked(d, span))
                diag_label(d, span, "%s", shape_text(tensor->shape));
            return;
        }
        if (!shape_equal(input->shape, tensor->shape) && count < MAX_LABELS
            && !is_marked(d, span)) {
            diag_label(d, span, "%s -> %s%s", shape_text(input->shape), shape_text(tensor->shape),
                       use != NULL ? "" : step_arithmetic(node));
            count++;
        }
        tensor = input;
    }
    if (tensor->producer == NULL)
        label_input(d, tensor);
}

void label_inside(Diagnostic *d, const Node *node, const Tensor *tensor)
{
    for (int steps = 0; tensor->producer != NULL && steps < MAX_DISTANCE; steps++) {
        const Node *step = tensor->producer;
        if (!within(step->instance, node->instance))
            return;
        const Instance *use = use_below(step->instance, node->instance);
        const Tensor *input = step_input(step, use);
        Span span = use != NULL ? use->span : step->span;
        if (input == NULL || span.source != node->span.source || span.line < node->span.line)
            return;
        if (!shape_equal(input->shape, tensor->shape) && !is_marked(d, span))
            diag_label(d, span, "%s -> %s", shape_text(input->shape), shape_text(tensor->shape));
        tensor = input;
    }
}

void label_step(Diagnostic *d, const Node *node, const Tensor *tensor, const char *text)
{
    const Node *step = tensor->producer;
    const Instance *level = node->instance;
    if (step == NULL)
        return;
    while (!within(step->instance, level))
        level = level->outer;
    const Instance *use = use_below(step->instance, level);
    diag_label(d, use != NULL ? use->span : step->span, "%s", text);
}

void node_derivation(Diagnostic *d, const Tensor *tensor)
{
    add_derivation(d, tensor, fault_level);
}

/* The last step that changed the rank: the flatten, usually. */
static const Node *rank_changer(const Tensor *tensor)
{
    for (int steps = 0; tensor->producer != NULL && steps < MAX_DISTANCE; steps++) {
        const Node *node = tensor->producer;
        if (first_input(node) == NULL)
            return NULL;
        if (node->inputs.items[0]->shape.rank != tensor->shape.rank)
            return node;
        tensor = node->inputs.items[0];
    }
    return NULL;
}

/* Whether it takes a sequence, whose steps are told apart from features. */
static bool takes_steps(const Node *node, unsigned ranks)
{
    return (node->op->traits & OP_LAST_AXIS) && ranks == RANK(2);
}

/* "[channels, height, width]"; of several ranks "[features] or [channels, length]". */
static const char *ranks_text(const Node *node, unsigned ranks)
{
    Text text = {0};
    if (takes_steps(node, ranks))
        return "[steps, features]";
    for (int rank = 1; rank <= MAX_RANK; rank++) {
        if (!(ranks & RANK(rank)))
            continue;
        text_add(&text, "%s[", text.length ? " or " : "");
        for (int axis = 0; axis < rank; axis++)
            text_add(&text, "%s%s", axis ? ", " : "", axis_name(rank, axis));
        text_add(&text, "]");
    }
    return text_chars(&text);
}

/* What makes the input's shape one of these ranks. */
static void suggest_rank(Diagnostic *d, const Node *node, unsigned ranks)
{
    Shape shape = input_shape(node);
    Int plane = shape_plane(shape);
    if (takes_steps(node, ranks) && shape.rank == 1)
        diag_help(d, "`reshape([%lld, 1])` makes a step of each value", shape.dim[0]);
    else if (takes_steps(node, ranks))
        diag_help(d, "`reshape([%lld, %lld]);  transpose` makes a step of each position",
                  shape.dim[0], plane);
    else if (ranks == RANK(3) && shape.rank == 2)
        diag_help(d, "`reshape([%lld, 1, %lld])` makes an image one row high of it", shape.dim[0],
                  shape.dim[1]);
    else if ((ranks & RANK(2)) && shape.rank == 1)
        diag_help(d, "`reshape([1, %lld])` makes one channel of it", shape.dim[0]);
    else if ((ranks & RANK(2)) && shape.rank > 2)
        diag_help(d, "`reshape([%lld, %lld])` lays the positions of each channel in a row",
                  shape.dim[0], plane);
    else if (ranks == RANK(4))
        diag_help(d, "`reshape([channels, depth, height, width])` says which axis is which");
}

/* Of several inputs the one that the chain begins with: perhaps another was meant. */
static void label_beginning(Diagnostic *d, const Tensor *tensor)
{
    for (int steps = 0; tensor->producer != NULL && steps < MAX_DISTANCE; steps++) {
        if (first_input(tensor->producer) == NULL)
            return;
        tensor = first_input(tensor->producer);
    }
    if (tensor->role == TENSOR_INPUT && tensor->several && !is_marked(d, tensor->span))
        diag_label(d, tensor->span, "this chain begins with the input %s", tensor->name);
}

Diagnostic *find_rank_fault(const Node *node, unsigned ranks)
{
    const Tensor *input = node->inputs.items[0];
    int rank = input->shape.rank, most = 1;
    if (ranks & RANK(rank))
        return NULL;
    for (int other = 1; other <= MAX_RANK; other++)
        if (ranks & RANK(other))
            most = other;
    const char *has = rank == 1   ? format("%lld values in a row", input->shape.dim[0])
                      : rank == 3 ? format("an image %s", shape_text(input->shape))
                                  : shape_text(input->shape);
    Diagnostic *d = node_error(node, "shape-rank", node->span, "%s needs %s, but has %s",
                               node->op->name, ranks_text(node, ranks), has);
    const Node *changer = most > rank ? rank_changer(input) : NULL;
    if (changer != NULL)
        diag_label(d, changer->span, "%s -> %s", shape_text(changer->inputs.items[0]->shape),
                   shape_text(changer->out_shape));
    if (most < rank)
        label_step(d, node, input, format("gives %s", shape_text(input->shape)));
    label_beginning(d, input);
    suggest_rank(d, node, ranks);
    diag_sizes(d, input->shape, (Shape){most, {-1, -1, -1, -1}});
    return d;
}

bool node_has_rank(const Node *node, unsigned ranks)
{
    return find_rank_fault(node, ranks) == NULL;
}
