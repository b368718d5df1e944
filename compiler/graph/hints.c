/* hints.c: what a message says besides the fault itself: the name that was perhaps meant.  A
 * help is only given where it is certain: computed, and checked by computing the result again.
 */
#include "graph/build.h"

#include <ctype.h>
#include <string.h>

/* -------------------------------------------------- where the walk is in */

Diagnostic *build_error(const Builder *b, const char *code, Span at, const char *message, ...)
{
    va_list values;
    va_start(values, message);
    Diagnostic *d = fault_within(b->instance, code, at, message, values);
    va_end(values);
    return d;
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
        {"layernormalization", "layer_norm"},
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
        {"meansquarederror", "mse"},
        {"l1loss", "l1"},
        {"meanabsoluteerror", "l1"},
        {"mae", "l1"},
        {"huberloss", "huber"},
        {"smoothl1loss", "smooth_l1"},
        {"bcewithlogitsloss", "bce_with_logits"},
        {"binarycrossentropy", "bce_with_logits"},
        {"bceloss", "bce_with_logits"},
        {"nllloss", "nll"},
        {"multimarginloss", "hinge"},
        {"multimargin", "hinge"},
        {"arcfaceloss", "arcface"},
        {"additiveangularmargin", "arcface"},
        {"cosfaceloss", "cosface"},
        {"amsoftmax", "cosface"},
        {"hingeembeddingloss", "hinge_embedding"},
        {"kldivloss", "kl_div"},
        {"cosineembeddingloss", "cosine"},
        {"cosineembedding", "cosine"},
        {"tripletmarginloss", "triplet"},
        {"tripletmargin", "triplet"},
        {"ctcloss", "ctc"},
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
      {"num_heads", "heads"},
      {"nhead", "heads"},
      {"n_head", "heads"},
      {"n_heads", "heads"},
      {"hidden", "hidden_size"},
      {"hx", "h0"},
      {"initial_state", "h0"},
      {"hidden_state", "h0"},
      {"cx", "c0"},
      {"fill_mode", "padding_mode"},
      {"cval", "fill"},
      {"fillcolor", "fill"},
      {"mstd", "magnitude_std"},
      {"prob", "p"},
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
        {"lstmcell", "`lstm(hidden_size)` goes through all steps of a sequence [steps, features]"},
        {"grucell", "`gru(hidden_size)` goes through all steps of a sequence [steps, features]"},
        {"rnncell", "`rnn(hidden_size)` goes through all steps of a sequence [steps, features]"},
        {"pack_padded_sequence", "leave it out: a sequence has all the input's steps"},
        {"pad_packed_sequence", "leave it out: a sequence has all the input's steps"},
        {"view", "`reshape([…])` gives the values another shape, `flatten` makes a row of them"},
        {"unsqueeze", "`reshape([…])` gives the values another shape, with an axis of 1"},
        {"squeeze", "`reshape([…])` gives the values another shape, without an axis of 1"},
        {"chunk", "`slice(from, to, axis=0)` takes a part, in a branch for each"},
        {"split", "`slice(from, to, axis=0)` takes a part, in a branch for each"},
        {"narrow", "`slice(from, to, axis=0)` takes a part"},
        {"spectral_norm", "an argument of the layer: `conv2d(64, 3, spectral_norm=true)`"},
        {"weight_norm", "an argument of the layer: `conv2d(64, 3, weight_norm=true)`"},
        {"bmm", "`matmul` joins two tensors, `matmul(name)` the current one and one that is named"},
        {"einsum", "`matmul` joins two tensors; `permute`, `mul` and `sum` do the rest"},
        {"mm", "`matmul` joins two tensors, `matmul(name)` the current one and one that is named"},
        {"stack", "`reshape([1, …])` gives each an axis of 1, and `concat(axis=0)` joins them"},
        {"topk", "nothing is chosen by rank: `max` takes the largest of an axis, `softmax` weighs "
                 "all"},
        {"argmax", "nothing is chosen by its place: `max` takes the largest of an axis, `softmax` "
                   "weighs all"},
        {"expand", "leave it out: where tensors are joined, an axis of 1 repeats"},
},
  other_arguments[] = {
      {"activation", "an activation is a statement of its own: `relu` on the next line"},
      {"input_shape", "the network's `input [channels, height, width]` says it once for all"},
      {"in_planes", "the input's channels are known; `in_channels=` may assert them"},
      {"dim", "leave it out: tensors are joined along their channels; `axis=` says another axis, "
              "counted without the batch"},
      {"inplace", "leave it out: the compiler plans the memory"},
      {"name", "`as name` after the statement names it"},
      {"data_format", "images are [channels, height, width]"},
      {"device", "leave it out: the program is made for the processor it is compiled for"},
      {"batch_first", "leave it out: a sequence is [steps, features], and no batch is written"},
      {"return_sequences", "leave it out: all steps' states are given; `last=true` gives the last "
                           "alone"},
      {"return_state", "leave it out: `last=true` gives each direction's last state"},
      {"standardize", "behind the loss: `loss mse, standardize=true`"},
      {"standardise", "behind the loss: `loss mse, standardize=true`"},
      {"target", "behind the loss: `loss mse, target=name`"},
      {"output", "behind the loss: `loss mse, output=name`"},
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

/* Those whose letters are not the choice's. */
const char *other_choice(const char *word)
{
    static const struct Spelling {
        const char *theirs, *ours;
    } choices[] = {{"steplr", "step"},
                   {"multisteplr", "multi_step"},
                   {"exponentiallr", "exponential"},
                   {"exponentialdecay", "exponential"},
                   {"polynomiallr", "polynomial"},
                   {"cosineannealinglr", "cosine"},
                   {"cosinedecay", "cosine"},
                   {"cosineannealingwarmrestarts", "cosine_warm_restarts"},
                   {"cosinedecayrestarts", "cosine_warm_restarts"},
                   {"reducelronplateau", "plateau"},
                   {"onecyclelr", "one_cycle"},
                   {"randomhorizontalflip", "horizontal_flip"},
                   {"randomverticalflip", "vertical_flip"},
                   {"trivialaugmentwide", "trivial_augment"}};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (same_letters(word, choices[i].theirs))
            return choices[i].ours;
    const Operator *other = other_spelling(word);
    return other != NULL ? other->name : word;
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
    for (int i = 0; i < program->functions.count; i++)
        push(&names, program->functions.items[i]->name);
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
    for (int i = 0; element_function(i).name != NULL; i++)
        if (strcmp(element_function(i).name, word) == 0) {
            diag_help(d, "`function f(x) = %s(x%s)`, outside all braces, makes a layer f of it",
                      word, strcmp(word, "pow") == 0 ? ", 2" : "");
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
