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

Diagnostic *node_error(const Node *node, const char *code, Span at, const char *message, ...)
{
    va_list values;
    va_start(values, message);
    fault_level = node->instance;
    Diagnostic *d = error_within(node->instance, code, at, message, values);
    va_end(values);
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

enum { MOST_STEPS = 1000, MOST_LABELS = 16 };

static bool already(const Span *spans, int count, Span span)
{
    for (int i = 0; i < count; i++)
        if (spans[i].source == span.source && spans[i].line == span.line && spans[i].column == span.column)
            return true;
    return false;
}

void add_derivation(Diagnostic *d, const Tensor *tensor, int most, const Instance *level)
{
    Span labelled[MOST_LABELS];
    int count = 0;
    most = most < MOST_LABELS ? most : MOST_LABELS;
    for (int steps = 0; tensor->producer != NULL && count < most && steps < MOST_STEPS; steps++) {
        const Node *node = tensor->producer;
        while (!within(node->instance, level))
            level = level->outer;
        const Instance *use = use_below(node->instance, level);
        const Tensor *input = step_input(node, use);
        Span span = use != NULL ? use->span : node->span;
        if (!shape_equal(input->shape, tensor->shape) && !already(labelled, count, span)) {
            diag_label(d, span, "%s -> %s", shape_text(input->shape), shape_text(tensor->shape));
            labelled[count++] = span;
        }
        tensor = input;
    }
}

void node_derivation(Diagnostic *d, const Tensor *tensor, int most)
{
    add_derivation(d, tensor, most, fault_level);
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

void suggest_callee(Builder *b, Diagnostic *d, const char *word, Span at)
{
    if (b->suggestions++ > MAX_SUGGESTIONS)
        return;
    const Operator *op = other_spelling(word);
    if (op != NULL) {
        diag_fix(d, at, op->name, "it is %s here", op->name);
        return;
    }
    LIST(const char *) names = {0};
    for (int i = 0; i < b->program->blocks.count; i++)
        push(&names, b->program->blocks.items[i]->name);
    for (int i = 0; operators[i] != NULL; i++)
        push(&names, operators[i]->name);
    push(&names, NULL);
    const char *near = nearest(word, names.items);
    const BlockState *state = near != NULL ? map_get(&b->blocks, near) : NULL;
    if (state != NULL)
        diag_fix(d, at, near, "%s is defined on line %d", near, state->def->name_span.line);
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
