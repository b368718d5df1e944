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
            diag_note_at(d, instance->span, "in this use of %s as %s", instance->what,
                         instance->path);
        else
            diag_note_at(d, instance->span, "in turn %lld, counted from 0, of this %s",
                         instance->turn, instance->what);
}

static Diagnostic *error_within(const Instance *instance, const char *code, Span at,
                                const char *template, va_list values)
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
static Span fault_input; /* the network's */

void derive_from_input(Span input)
{
    fault_input = input;
}

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

/* ": (12 - 5)//2 + 1 = 4" of the rows, or of the columns when only they change. */
static const char *window_arithmetic(const Node *node)
{
    Shape in = node->inputs.items[0]->shape, out = node->out_shape;
    int axis = in.dim[1] == out.dim[1];
    if (!node->op->window || (axis && in.dim[2] == out.dim[2]))
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
    for (int i = 0; i < node->inputs.count; i++)
        text_add(&sum, "%s%lld", i > 0 ? " + " : "", node->inputs.items[i]->shape.dim[0]);
    return format(": %s = %lld", text_chars(&sum), node->out_shape.dim[0]);
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
    for (int count = 0; tensor->producer != NULL && steps < MAX_DISTANCE; steps++) {
        const Node *node = tensor->producer;
        while (!within(node->instance, level))
            level = level->outer;
        const Instance *use = use_below(node->instance, level);
        const Tensor *input = step_input(node, use);
        Span span = use != NULL ? use->span : node->span;
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
    Diagnostic *d =
        rank == 3 ? node_error(node, "shape-rank", node->span,
                               "%s needs %s, but has %lld values in a row", node->op->name, wanted,
                               input->shape.dim[0])
                  : node_error(node, "shape-rank", node->span, "%s needs %s, but has an image %s",
                               node->op->name, wanted, shape_text(input->shape));
    const Node *changer = rank == 3 ? rank_changer(input) : NULL;
    if (changer != NULL)
        diag_label(d, changer->span, "%s -> %s", shape_text(changer->inputs.items[0]->shape),
                   shape_text(changer->out_shape));
    if (rank == 1)
        label_step(d, node, input, format("gives %s", shape_text(input->shape)));
    diag_sizes(d, input->shape, shape_of(rank, -1, -1, -1));
    return false;
}

/* ---------------------------------------------------------------- names */

/* What PyTorch, Keras, Caffe and Darknet call things; the rest differ in case
 * and underscores. */
static const struct {
    const char *theirs, *ours;
} spellings[] =
    {
        {"dense", "linear"},
        {"innerproduct", "linear"},
        {"fullyconnected", "linear"},
        {"connected", "linear"},
        {"fc", "linear"},
        {"conv", "conv2d"},
        {"convolution", "conv2d"},
        {"convolution2d", "conv2d"},
        {"convolutional", "conv2d"},
        {"conv2dtranspose", "conv_transpose2d"},
        {"deconvolution", "conv_transpose2d"},
        {"deconv", "conv_transpose2d"},
        {"maxpool", "max_pool2d"},
        {"maxpooling2d", "max_pool2d"},
        {"maxpooling", "max_pool2d"},
        {"pooling", "max_pool2d"},
        {"avgpool", "avg_pool2d"},
        {"averagepooling2d", "avg_pool2d"},
        {"averagepooling", "avg_pool2d"},
        {"adaptiveavgpool", "adaptive_avg_pool2d"},
        {"adaptiveaveragepooling2d", "adaptive_avg_pool2d"},
        {"batchnorm", "batch_norm2d"},
        {"batchnormalization", "batch_norm2d"},
        {"bn", "batch_norm2d"},
        {"layernorm", "layer_norm2d"},
        {"layernormalization", "layer_norm2d"},
        {"cat", "concat"},
        {"concatenate", "concat"},
        {"eltwise", "add"},
        {"multiply", "mul"},
        {"sum", "add"},
        {"rectifiedlinear", "relu"},
        {"rectifier", "relu"},
        {"leaky", "leaky_relu"},
        {"logistic", "sigmoid"},
        {"swish", "silu"},
        {"hswish", "hardswish"},
        {"upsampling2d", "upsample"},
        {"interpolate", "upsample"},
        {"zeropadding2d", "zero_pad2d"},
        {"crossentropyloss", "cross_entropy"},
        {"softmaxcrossentropy", "cross_entropy"},
        {"softmaxwithloss", "cross_entropy"},
        {"categoricalcrossentropy", "cross_entropy"},
        {"mseloss", "mse"},
        {"euclideanloss", "mse"},
},
  argument_spellings[] = {
      {"filters", "out_channels"},
      {"num_filters", "out_channels"},
      {"num_output", "out_channels"},
      {"channels", "out_channels"},
      {"out_planes", "out_channels"},
      {"planes", "out_channels"},
      {"kernel", "kernel_size"},
      {"pool_size", "kernel_size"},
      {"ksize", "kernel_size"},
      {"size", "kernel_size"},
      {"window", "kernel_size"},
      {"strides", "stride"},
      {"pad", "padding"},
      {"dilation_rate", "dilation"},
      {"group", "groups"},
      {"use_bias", "bias"},
      {"bias_term", "bias"},
      {"units", "out_features"},
      {"num_output", "out_features"},
      {"output", "out_features"},
      {"output_dim", "out_features"},
      {"rate", "p"},
      {"dropout_ratio", "p"},
      {"probability", "p"},
      {"epsilon", "eps"},
      {"alpha", "negative_slope"},
      {"slope", "negative_slope"},
      {"learning_rate", "lr"},
      {"base_lr", "lr"},
      {"decay", "weight_decay"},
      {"min_lr", "eta_min"},
      {"warmup_epochs", "warmup"},
};

/* Their words for what is no operator or argument here, and what is done instead. */
static const struct {
    const char *theirs, *instead;
} others[] =
    {
        {"globalaveragepooling2d", "`adaptive_avg_pool2d(1)` gives each channel's mean"},
        {"globalavgpool", "`adaptive_avg_pool2d(1)` gives each channel's mean"},
        {"sequential",
         "statements one below another are a chain; `block NAME { … }` gives one a name"},
        {"modulelist", "`repeat n as i { … }` applies a body n times"},
        {"route", "`from name` goes on from a named tensor, `concat(name)` joins it"},
        {"residual", "`skip { … }` adds its input to what its body gives"},
        {"inputlayer", "`input [channels, height, width]` begins a network"},
        {"activation", "an activation is applied by its own name, as `relu`"},
        {"reshape", "`flatten` makes a row of values of an image; nothing makes an image of a row"},
        {"view", "`flatten` makes a row of values of an image; nothing makes an image of a row"},
},
  other_arguments[] = {
      {"activation", "an activation is a statement of its own: `relu` on the next line"},
      {"input_shape", "the network's `input [channels, height, width]` says it once for all"},
      {"in_planes", "the input's channels are known; `in_channels=` may assert them"},
      {"axis", "leave it out: tensors are joined along their channels"},
      {"dim", "leave it out: tensors are joined along their channels"},
      {"inplace", "leave it out: the compiler plans the memory"},
      {"name", "`as name` after the statement names it"},
      {"data_format", "images are [channels, height, width]"},
      {"device", "leave it out: the program is made for the processor it is compiled for"},
      {"dtype", "--dtype of `netc build` says it for the whole network"},
};

static bool has_argument(const ArgSpec *specs, const char *name)
{
    for (; specs != NULL && specs->name != NULL; specs++)
        if (strcmp(specs->name, name) == 0)
            return true;
    return false;
}

const char *other_argument_name(const ArgSpec *specs, const char *word)
{
    for (size_t i = 0; i < sizeof argument_spellings / sizeof *argument_spellings; i++)
        if (strcmp(word, argument_spellings[i].theirs) == 0
            && has_argument(specs, argument_spellings[i].ours))
            return argument_spellings[i].ours;
    return NULL;
}

bool names_argument(const char *word)
{
    for (size_t i = 0; i < sizeof argument_spellings / sizeof *argument_spellings; i++)
        if (strcmp(word, argument_spellings[i].theirs) == 0)
            return true;
    for (int i = 0; operators[i] != NULL; i++)
        if (has_argument(operators[i]->args, word))
            return true;
    return false;
}

void explain_argument(Diagnostic *d, const char *word)
{
    Text owners = {0};
    for (size_t i = 0; i < sizeof other_arguments / sizeof *other_arguments; i++)
        if (strcmp(word, other_arguments[i].theirs) == 0)
            diag_help(d, "%s", other_arguments[i].instead);
    for (int i = 0; operators[i] != NULL; i++)
        if (has_argument(operators[i]->args, word))
            text_add(&owners, "%s%s", owners.length > 0 ? ", " : "", operators[i]->name);
    if (owners.length > 0)
        diag_note(d, "`%s` is an argument of: %s", word, text_chars(&owners));
}

static const char *last_word(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

static const char *letter(const char *at)
{
    return at + strspn(at, "_");
}

/* "nn.MaxPool2d" is "max_pool2d" in another spelling. */
static bool same_letters(const char *path, const char *word)
{
    const char *a = letter(last_word(path)), *b = letter(word);
    while (*a != '\0' && tolower((unsigned char)*a) == tolower((unsigned char)*b)) {
        a = letter(a + 1);
        b = letter(b + 1);
    }
    return *a == '\0' && *b == '\0';
}

/* Caffe's words for what an argument makes a maximum, a mean or a product of. */
static bool is_one_of_several(const char *word)
{
    return same_letters(word, "pooling") || same_letters(word, "eltwise");
}

const Operator *other_spelling(const char *word)
{
    for (int i = 0; operators[i] != NULL; i++)
        if (same_letters(word, operators[i]->name))
            return operators[i];
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (same_letters(word, spellings[i].theirs))
            return find_operator(spellings[i].ours);
    return NULL;
}

/* ConvBN, or nets.ConvBN: blocks are named so, operators never. */
static bool is_block_like(const char *word)
{
    return isupper((unsigned char)last_word(word)[0]);
}

typedef LIST(const char *) Names;

static Names callees(const Program *program, const char *word)
{
    Names names = {0};
    for (int i = 0; i < program->blocks.count; i++)
        push(&names, program->blocks.items[i]->name);
    for (int i = 0; operators[i] != NULL && !is_block_like(word); i++)
        push(&names, operators[i]->name);
    push(&names, NULL);
    return names;
}

static const char *nearest_callee(const Program *program, const char *word)
{
    return nearest(word, callees(program, word).items);
}

bool may_be_broken(const Builder *b, const char *word)
{
    return b->program->broken && other_spelling(word) == NULL
           && (nearest_callee(b->program, word) == NULL || count_uses(b, word) > 1);
}

/* A block that nothing uses, while several places agree on another name for it,
 * is itself misspelt. */
static void suggest_block(const Builder *b, Diagnostic *d, const char *word, Span at,
                          const BlockDef *def)
{
    if (def->library || count_uses(b, def->name) > 0 || count_uses(b, word) < 2) {
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
        if (is_one_of_several(word))
            diag_doubt(d);
        diag_fix(d, at, op->name, "it is %s here", op->name);
        return;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (same_letters(word, others[i].theirs)) {
            diag_help(d, "%s", others[i].instead);
            return;
        }
    const char *near = nearest_for(d, word, callees(b->program, word).items);
    const BlockState *state = near != NULL ? map_get(&b->blocks, near) : NULL;
    if (state != NULL)
        suggest_block(b, d, word, at, state->def);
    else if (near != NULL)
        diag_fix(d, at, near, "the nearest is %s", near);
    else if (is_block_like(word))
        diag_help(d, "no block of this name is defined: perhaps the `use` of its file is missing");
}

/* --------------------------------------------------------- shape asserts */

const char *flatten_arithmetic(const Tensor *tensor)
{
    const Node *node = tensor->producer;
    if (node == NULL || !(node->op->traits & OP_VIEW) || tensor->shape.rank != 1
        || node->inputs.items[0]->shape.rank != 3)
        return NULL;
    return format("%s = %lld", product_text(3, node->inputs.items[0]->shape.dim),
                  tensor->shape.dim[0]);
}
