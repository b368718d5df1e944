/* hints.c: what a message says besides the fault itself: the uses and turns it
 * is in, the steps that made the shape it complains of, the name that was
 * perhaps meant.  A help is only given where it is certain: computed, and
 * checked by computing the result again.
 */
#include "build.h"

#include <ctype.h>
#include <string.h>

/* -------------------------------------------------- where the walk is in */

void add_instance_notes(Diagnostic *d, const Instance *instance)
{
    enum { MOST = 6 };
    for (int level = 0; instance != NULL && level < MOST; instance = instance->outer, level++)
        if (instance->turn < 0)
            diag_note_at(d, instance->span, "in this use of %s as %s", instance->what, instance->path);
        else
            diag_note_at(d, instance->span, "in turn %lld, counted from 0, of this %s",
                         (long long)instance->turn, instance->what);
}

static Diagnostic *error_within(const Instance *instance, const char *code, Span at, const char *template, va_list values)
{
    char message[1024];
    vsnprintf(message, sizeof message, template, values);
    Diagnostic *d = diag(SEVERITY_ERROR, code, at, "%s", message);
    add_instance_notes(d, instance);
    return d;
}

Diagnostic *build_error(const Builder *b, const char *code, Span at, const char *message, ...)
{
    va_list values;
    va_start(values, message);
    Diagnostic *d = error_within(b->instance, code, at, message, values);
    va_end(values);
    return d;
}

/* ----------------------------------------------------- faults at a node */

/* Whose fault is being described: steps are told as seen from there. */
static const Instance *fault_level;
static Span fault_input;        /* the network's */

void derive_from_input(Span input)
{
    fault_input = input;
}

/* Where the argument at fault got its value, when that was by name. */
static void label_origin(Diagnostic *d, const Node *node, Span at)
{
    for (int i = 0; node->op->args != NULL && node->op->args[i].name != NULL; i++) {
        const ArgValue *value = &node->args[i];
        if (value->origin.source != NULL && value->span.line == at.line && value->span.column == at.column)
            diag_label(d, value->origin, "`%s` comes from here", span_text(value->origin));
    }
}

Diagnostic *node_error(const Node *node, const char *code, Span at, const char *message, ...)
{
    va_list values;
    va_start(values, message);
    fault_level = node->instance;
    Diagnostic *d = error_within(node->instance, code, at, message, values);
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
        if (instance->turn < 0)
            use = instance;
    return use;
}

/* The input of the step that ends in `node`: a use of a block is one step. */
static const Tensor *step_input(const Node *node, const Instance *use)
{
    const Tensor *input = node->inputs.items[0];
    while (use != NULL && input->producer != NULL && within(input->producer->instance, use))
        input = input->producer->inputs.items[0];
    return input;
}

enum { MOST_STEPS = 1000, MOST_LABELS = 8 };

/* "(12 - 5)//2 + 1 = 4" of the rows, or of the columns when only they change. */
static const char *window_arithmetic(const Node *node)
{
    const ArgValue *args = node->args;
    int kernel = operator_arg(node->op, "kernel_size"), stride = operator_arg(node->op, "stride");
    int padding = operator_arg(node->op, "padding"), dilation = operator_arg(node->op, "dilation"), ceil_mode = operator_arg(node->op, "ceil_mode");
    Shape in = node->inputs.items[0]->shape, out = node->out_shape;
    int axis = in.dim[1] == out.dim[1];
    if (kernel < 0 || stride < 0 || (axis && in.dim[2] == out.dim[2]))
        return "";
    int64_t taps = args[kernel].integer[axis], step = args[stride].integer[axis], apart = dilation < 0 ? 1 : args[dilation].integer[axis];
    const char *added = padding >= 0 && args[padding].word == NULL && args[padding].integer[axis] > 0
        ? format(" + 2*%lld", (long long)args[padding].integer[axis]) : "";
    int64_t extent = apart * (taps - 1) + 1;
    if ((ceil_mode >= 0 && args[ceil_mode].integer[0]) || (padding >= 0 && args[padding].word != NULL))
        return "";
    if (step == 1)
        return format(": %lld%s - %lld + 1 = %lld", (long long)in.dim[1 + axis], added, (long long)extent, (long long)out.dim[1 + axis]);
    return format(": (%lld%s - %lld)//%lld + 1 = %lld", (long long)in.dim[1 + axis], added, (long long)extent, (long long)step,
                  (long long)out.dim[1 + axis]);
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
    for (int i = 0; i < node->inputs.count; i++)
        text_add(&sum, "%s%lld", i > 0 ? " + " : "", (long long)node->inputs.items[i]->shape.dim[0]);
    return format(": %s = %lld", text_chars(&sum), (long long)node->out_shape.dim[0]);
}

static void label_input(Diagnostic *d, const Tensor *tensor)
{
    if (fault_input.source != NULL && !is_marked(d, fault_input))
        diag_label(d, fault_input, "%s", shape_text(tensor->shape));
}

/* Every step that changed the shape, the nearest first, and where it all began. */
void add_derivation(Diagnostic *d, const Tensor *tensor, const Instance *level)
{
    int steps = 0;
    for (int count = 0; tensor->producer != NULL && steps < MOST_STEPS; steps++) {
        const Node *node = tensor->producer;
        while (!within(node->instance, level))
            level = level->outer;
        const Instance *use = use_below(node->instance, level);
        const Tensor *input = step_input(node, use);
        Span span = use != NULL ? use->span : node->span;
        if (!shape_equal(input->shape, tensor->shape) && count < MOST_LABELS && !is_marked(d, span)) {
            diag_label(d, span, "%s -> %s%s", shape_text(input->shape), shape_text(tensor->shape), use != NULL ? "" : step_arithmetic(node));
            count++;
        }
        tensor = input;
    }
    if (tensor->producer == NULL)
        label_input(d, tensor);
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
    for (int steps = 0; tensor->producer != NULL && steps < MOST_STEPS; steps++) {
        const Node *node = tensor->producer;
        if (node->inputs.items[0]->shape.rank != tensor->shape.rank)
            return node;
        tensor = node->inputs.items[0];
    }
    return NULL;
}

bool node_needs_rank(const Node *node, int rank)
{
    const Tensor *input = node->inputs.items[0];
    if (input->shape.rank == rank)
        return true;
    const char *wanted = rank == 3 ? "[channels, height, width]" : "[features]";
    Diagnostic *d = rank == 3
        ? node_error(node, "shape-rank", node->span, "%s needs %s, but has %lld values in a row", node->op->name, wanted,
                     (long long)input->shape.dim[0])
        : node_error(node, "shape-rank", node->span, "%s needs %s, but has an image %s", node->op->name, wanted,
                     shape_text(input->shape));
    const Node *changer = rank == 3 ? rank_changer(input) : NULL;
    if (changer != NULL)
        diag_label(d, changer->span, "%s -> %s", shape_text(changer->inputs.items[0]->shape), shape_text(changer->out_shape));
    if (rank == 1 && input->producer != NULL)
        diag_label(d, input->producer->span, "gives %s", shape_text(input->shape));
    diag_sizes(d, input->shape, shape_of(rank, -1, -1, -1));
    return false;
}

/* ---------------------------------------------------------------- names */

/* What other frameworks call things; the rest differ in case and underscores. */
static const struct { const char *theirs, *ours; } spellings[] = {
    {"dense", "linear"}, {"innerproduct", "linear"}, {"fullyconnected", "linear"}, {"fc", "linear"},
    {"conv", "conv2d"}, {"convolution", "conv2d"}, {"convolution2d", "conv2d"},
    {"maxpool", "max_pool2d"}, {"maxpooling2d", "max_pool2d"}, {"maxpooling", "max_pool2d"},
    {"avgpool", "avg_pool2d"}, {"averagepooling2d", "avg_pool2d"}, {"averagepooling", "avg_pool2d"},
    {"globalaveragepooling2d", "adaptive_avg_pool2d"}, {"globalavgpool", "adaptive_avg_pool2d"},
    {"adaptiveavgpool", "adaptive_avg_pool2d"},
    {"batchnorm", "batch_norm2d"}, {"batchnormalization", "batch_norm2d"}, {"bn", "batch_norm2d"},
    {"cat", "concat"}, {"concatenate", "concat"}, {"eltwise", "add"}, {"multiply", "mul"},
    {"rectifiedlinear", "relu"}, {"logistic", "sigmoid"}, {"swish", "silu"}, {"upsampling2d", "upsample"},
    {"crossentropyloss", "cross_entropy"}, {"softmaxcrossentropy", "cross_entropy"}, {"sum", "add"},
}, argument_spellings[] = {
    {"filters", "out_channels"}, {"num_output", "out_channels"}, {"channels", "out_channels"},
    {"kernel", "kernel_size"}, {"pool_size", "kernel_size"}, {"ksize", "kernel_size"}, {"size", "kernel_size"},
    {"strides", "stride"}, {"pad", "padding"}, {"dilation_rate", "dilation"}, {"group", "groups"},
    {"use_bias", "bias"}, {"bias_term", "bias"}, {"units", "out_features"}, {"rate", "p"}, {"dropout_ratio", "p"},
    {"epsilon", "eps"}, {"learning_rate", "lr"}, {"base_lr", "lr"}, {"decay", "weight_decay"},
    {"min_lr", "eta_min"}, {"warmup_epochs", "warmup"},
};

const char *other_argument_name(const char *word)
{
    for (size_t i = 0; i < sizeof argument_spellings / sizeof *argument_spellings; i++)
        if (strcmp(word, argument_spellings[i].theirs) == 0)
            return argument_spellings[i].ours;
    return NULL;
}

/* "nn.MaxPool2d" and "max_pool2d" are both "maxpool2d". */
static const char *folded(const char *word)
{
    const char *dot = strrchr(word, '.');
    Text text = {0};
    for (const char *at = dot != NULL ? dot + 1 : word; *at != '\0'; at++)
        if (*at != '_')
            text_add(&text, "%c", tolower((unsigned char)*at));
    return text_chars(&text);
}

static const Operator *other_spelling(const char *word)
{
    const char *theirs = folded(word);
    for (int i = 0; operators[i] != NULL; i++)
        if (strcmp(folded(operators[i]->name), theirs) == 0)
            return operators[i];
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (strcmp(spellings[i].theirs, theirs) == 0)
            return find_operator(spellings[i].ours);
    return NULL;
}

static const char *nearest_callee(const Program *program, const char *word)
{
    LIST(const char *) names = {0};
    for (int i = 0; i < program->blocks.count; i++)
        push(&names, program->blocks.items[i]->name);
    for (int i = 0; operators[i] != NULL; i++)
        push(&names, operators[i]->name);
    push(&names, NULL);
    return nearest(word, names.items);
}

bool may_be_broken(const Builder *b, const char *word)
{
    return b->program->broken && other_spelling(word) == NULL && nearest_callee(b->program, word) == NULL;
}

/* A block that nothing uses, while several places agree on another name for it,
 * is itself misspelt. */
static void suggest_block(const Builder *b, Diagnostic *d, const char *word, Span at, const BlockDef *def)
{
    if (def->library || count_uses(b->program, def->name) > 0 || count_uses(b->program, word) < 2) {
        diag_fix(d, at, def->name, "%s is defined on line %d", def->name, def->name_span.line);
        return;
    }
    diag_label(d, def->name_span, "nothing uses this %s", def->name);
    diag_fix(d, def->name_span, word, "name it %s", word);
}

void suggest_callee(Builder *b, Diagnostic *d, const char *word, Span at)
{
    if (b->suggestions++ > MAX_SUGGESTIONS)
        return;
    const Operator *op = other_spelling(word);
    if (op != NULL) {
        diag_fix(d, at, op->name, "it is %s here", op->name);
        return;
    }
    const char *near = nearest_callee(b->program, word);
    const BlockState *state = near != NULL ? map_get(&b->blocks, near) : NULL;
    if (state != NULL)
        suggest_block(b, d, word, at, state->def);
    else if (near != NULL)
        diag_fix(d, at, near, "the nearest is %s", near);
}

/* --------------------------------------------------------- shape asserts */

const char *flatten_arithmetic(const Tensor *tensor)
{
    const Node *node = tensor->producer;
    if (node == NULL || !(node->op->traits & OP_VIEW) || tensor->shape.rank != 1 || node->inputs.items[0]->shape.rank != 3)
        return NULL;
    return format("%s = %lld", product_text(3, node->inputs.items[0]->shape.dim), (long long)tensor->shape.dim[0]);
}

const char *span_text(Span span)
{
    int length;
    const char *line = source_line(span.source, span.line, &length);
    if (span.line != span.end_line || span.end_column <= span.column || span.column - 1 > length)
        return "";
    return intern_range(line + span.column - 1, (size_t)(span.end_column - span.column));
}
