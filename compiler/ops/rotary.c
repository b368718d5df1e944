/* rotary.c: positions as rotations of pairs of features (Su et al. 2021, "RoFormer",
 * https://arxiv.org/abs/2104.09864), of queries and keys before attention.
 *
 *   x, y [steps, features] or [windows, steps, features]
 *
 * An angle is the same for all heads and images.  A kernel goes through the steps of one pair of
 * features and turns a cosine and a sine on from step to step, in double: their error grows by a
 * rounding each.
 */
#include "kernels/image/image.h"
#include "ops/operator.h"

#include <math.h>
#include <string.h>

enum { HEADS, BASE, PAIRS, HEAD_WIDTH, ROTATED };
enum { INTERLEAVED = 1 };

static const char *const pairs[] = {"halves", "interleaved", NULL};

static const ArgSpec args[] = {
    [HEADS] = {"heads", ARG_INT, .positional = true, .minimum = 1, .maximum = LARGEST,
               .doc = "Parts of the features, which are turned alike."},
    [BASE] = {"base", ARG_REAL, .otherwise = "10000.0", .minimum = 1, .maximum = 1e12,
              .doc = "Pair i of n turns by base^(-i/n) radians a step."},
    [PAIRS] = {"pairs", ARG_WORD, .otherwise = "halves", .words = pairs,
               .doc = "Which features of a head are a pair: i and i + n (LLaMA as Hugging Face has "
                      "it, GPT-NeoX), or neighbours, 2*i and 2*i + 1 (RoFormer, GPT-J)."},
    [HEAD_WIDTH] = {"head_width", ARG_INT, .otherwise = "none", .minimum = 2, .maximum = LARGEST,
                    .doc = "Features of a head; where heads are not all features, the others, as "
                           "values behind queries and keys, stay as they are."},
    [ROTATED] = {"rotated", ARG_INT, .otherwise = "none", .minimum = 2, .maximum = LARGEST,
                 .doc = "How many features of a head are turned, the first; all where nothing is "
                        "said."},
    {0}};

typedef struct Rotary {
    Int windows, steps, features, heads, width, pairs;
    bool windowed, interleaved; /* windowed: they are an axis, and may be one */
    double base;
} Rotary;

static Rotary rotary_of(const Node *node)
{
    Shape shape = input_shape(node);
    Rotary rotary = {.windows = shape.rank == 3 ? shape.dim[0] : 1,
                     .steps = shape.dim[shape.rank - 2],
                     .features = shape_last(shape),
                     .heads = node->args[HEADS].integer[0],
                     .windowed = shape.rank == 3,
                     .interleaved = strcmp(node->args[PAIRS].word, pairs[INTERLEAVED]) == 0,
                     .base = node->args[BASE].real};
    rotary.width = node->args[HEAD_WIDTH].given ? node->args[HEAD_WIDTH].integer[0]
                                                : rotary.features / rotary.heads;
    rotary.pairs = (node->args[ROTATED].given ? node->args[ROTATED].integer[0] : rotary.width) / 2;
    return rotary;
}

static bool report(const Node *node, int arg, const char *message, const char *caption)
{
    Diagnostic *d = node_error(node, "argument-range", node->args[arg].span, "%s", message);
    diag_caption(d, "%s", caption);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool infer(Node *node)
{
    const Rotary rotary = rotary_of(node);
    const ArgValue *rotated = &node->args[ROTATED];
    bool own_width = node->args[HEAD_WIDTH].given;
    node->out_shape = input_shape(node);
    if (!own_width && rotary.features % rotary.heads != 0)
        return report(
            node, HEADS,
            format("rotary: %lld heads do not divide %lld features", rotary.heads, rotary.features),
            format("must divide %lld", rotary.features));
    if (own_width && rotary.width > rotary.features / rotary.heads)
        return report(node, HEAD_WIDTH,
                      format("rotary: %lld heads of %lld are more than %lld features", rotary.heads,
                             rotary.width, rotary.features),
                      format("at most %lld", rotary.features / rotary.heads));
    if (!rotated->given && rotary.width % 2 != 0)
        return report(node, own_width ? HEAD_WIDTH : HEADS,
                      format("rotary turns pairs of features, but a head has %lld", rotary.width),
                      "an even number; rotated= turns fewer");
    if (rotated->given && (rotated->integer[0] % 2 != 0 || rotated->integer[0] > rotary.width))
        return report(node, ROTATED,
                      format("rotary cannot turn pairs of %lld features of %lld",
                             rotated->integer[0], rotary.width),
                      format("an even number, at most %lld", rotary.width));
    return true;
}

/* ---------------------------------------------------------------- kernels */

/* The table of each pair's cosine and sine of the angle by which a step turns it; it outlives the
 * passing arena that a kernel's text is made in. */
static const char *turns_table(Module *module, const Rotary *rotary)
{
    Arena *passing = use_arena(module->arena);
    Text table = {0};
    for (Int i = 0; i < rotary->pairs; i++) {
        double angle = pow(rotary->base, -(double)i / (double)rotary->pairs);
        text_add(&table, "%s{ %.17g, %.17g }", i ? ", " : "", cos(angle), sin(angle));
    }
    const char *name = write_once(module, "turns",
                                  "/* By how much a step turns each pair: cosine, sine. */\n"
                                  "static const double ",
                                  format("[][2] = { %s };\n\n", text_chars(&table)));
    use_arena(passing);
    return name;
}

/* Of pair i at step 0: c and d, cosine and sine of its angle. */
static void begin_angle(Kernel *kernel, const Rotary *rotary)
{
    const char *table = turns_table(kernel->module, rotary);
    kernel_line(kernel, "const double turn_c = %s[i][0], turn_d = %s[i][1];", table, table);
    kernel_line(kernel, "double c = 1, d = 0;");
}

/* Opens the loop over its steps. */
static void open_steps(Kernel *kernel, const Rotary *rotary)
{
    begin_angle(kernel, rotary);
    kernel_line(kernel, "for (int64_t t = 0; t < %lld; t++) {", rotary->steps);
}

static void close_steps(Kernel *kernel)
{
    kernel_line(kernel, "const double next = c * turn_c - d * turn_d;");
    kernel_line(kernel, "d = d * turn_c + c * turn_d;");
    kernel_line(kernel, "c = next;");
    kernel_line(kernel, "}");
}

/* Where the pair's two features begin in a head, and how far they are apart. */
static const char *pair_text(const Rotary *rotary)
{
    return rotary->interleaved ? "2 * i" : "i";
}

static Int pair_step(const Rotary *rotary)
{
    return rotary->interleaved ? 1 : rotary->pairs;
}

/* `to` is, or increases by, `from`, along the features from `first` below `end` of each step. */
static void copy_rest(Kernel *kernel, const Rotary *rotary, const char *to, const char *set,
                      const char *from)
{
    Int turned = 2 * rotary->pairs, all = rotary->heads * rotary->width;
    if (turned == rotary->width && all == rotary->features)
        return;
    open_pieces(kernel, "t", rotary->windows * rotary->steps);
    if (turned < rotary->width) {
        kernel_line(kernel, "for (int64_t f = 0; f < %lld; f++)", all);
        kernel_line(kernel, "    if (f %% %lld >= %lld)", rotary->width, turned);
        kernel_line(kernel, "        %s[t * %lldL + f] %s %s[t * %lldL + f];", to, rotary->features,
                    set, from, rotary->features);
    }
    kernel_line(kernel, "for (int64_t f = %lld; f < %lld; f++)", all, rotary->features);
    kernel_line(kernel, "    %s[t * %lldL + f] %s %s[t * %lldL + f];", to, rotary->features, set,
                from, rotary->features);
    kernel_line(kernel, "}");
}

/* On the way back it turns the other way. */
static bool emit(Kernel *kernel)
{
    const Rotary rotary = rotary_of(kernel->node);
    bool forward = kernel->stage == STAGE_FORWARD;
    const char *from = forward ? "x" : "dy", *to = forward ? "y" : "dx",
               *set = !forward && kernel->node->accumulate ? "+=" : "=";
    Int step = pair_step(&rotary);
    open_pieces(kernel, "i", rotary.pairs);
    open_steps(kernel, &rotary);
    if (rotary.windows > 1)
        kernel_line(kernel, "for (int64_t n = 0; n < %lld; n++)", rotary.windows);
    kernel_line(kernel, "for (int64_t head = 0; head < %lld; head++) {", rotary.heads);
    kernel_line(kernel, "const int64_t at = %st * %lldL + head * %lldL + %s;",
                rotary.windows > 1 ? format("n * %lldL + ", rotary.steps * rotary.features) : "",
                rotary.features, rotary.width, pair_text(&rotary));
    kernel_line(kernel, "const vec one = %s[at], other = %s[at + %lld];", from, from, step);
    kernel_line(kernel, "%s[at] %s one * (real)c %s other * (real)d;", to, set,
                forward ? "-" : "+");
    kernel_line(kernel, "%s[at + %lld] %s other * (real)c %s one * (real)d;", to, step, set,
                forward ? "+" : "-");
    kernel_line(kernel, "}");
    close_steps(kernel);
    kernel_line(kernel, "}");
    copy_rest(kernel, &rotary, to, set, from);
    return true;
}

/* Of one image: "x[(head * 8L + 2 * i) * 64L + t]" of a sequence, the values of whose feature lie
 * side by side; of windows, whose values of all windows do, "x[(t * 24L + …) * 64L + n]". */
static const char *image_value(const Rotary *rotary, const char *name, Int stride,
                               const char *feature)
{
    if (rotary->windowed)
        return format("%s[(t * %lldL + %s) * %lldL + n]", name, rotary->features, feature, stride);
    return format("%s[(%s) * %lldL + t]", name, feature, stride);
}

static void emit_image(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    const Rotary rotary = rotary_of(kernel->node);
    Int xs = image->x_stride, ys = image->y_stride;
    const char *one = format("head * %lldL + %s", rotary.width, pair_text(&rotary)),
               *other = format("%s + %lld", one, pair_step(&rotary));
    kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++) {", rotary.pairs);
    open_steps(kernel, &rotary);
    kernel_line(kernel, "for (int64_t head = 0; head < %lld; head++)", rotary.heads);
    kernel_line(kernel, "for (int64_t n = 0; n < %lld; n++) {", rotary.windows);
    kernel_line(kernel, "const real one = %s, other = %s;", image_value(&rotary, "x", xs, one),
                image_value(&rotary, "x", xs, other));
    kernel_line(kernel, "%s = one * (real)c - other * (real)d;",
                image_value(&rotary, "y", ys, one));
    kernel_line(kernel, "%s = other * (real)c + one * (real)d;",
                image_value(&rotary, "y", ys, other));
    kernel_line(kernel, "}");
    close_steps(kernel);
    kernel_line(kernel, "}");
    kernel_line(kernel, "for (int64_t f = 0; f < %lld; f++)", rotary.features);
    kernel_line(kernel, "    if (f >= %lld || f %% %lld >= %lld)", rotary.heads * rotary.width,
                rotary.width, 2 * rotary.pairs);
    kernel_line(kernel, "        for (int64_t t = 0; t < %lld; t++)", rotary.steps);
    kernel_line(kernel, "            for (int64_t n = 0; n < %lld; n++)", rotary.windows);
    kernel_line(kernel, "                %s = %s;", image_value(&rotary, "y", ys, "f"),
                image_value(&rotary, "x", xs, "f"));
}

static bool take_row(Node *row, Int steps)
{
    const Rotary rotary = rotary_of(row->sequence);
    return !rotary.windowed && rotary.steps == steps;
}

/* Of one step.  Its angle is summed as those of all steps are. */
static void emit_row(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    const Rotary rotary = rotary_of(kernel->node->sequence);
    kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++) {", rotary.pairs);
    begin_angle(kernel, &rotary);
    kernel_line(kernel, "for (int64_t t = 0; t < s->row; t++) {");
    close_steps(kernel);
    kernel_line(kernel, "for (int64_t head = 0; head < %lld; head++) {", rotary.heads);
    kernel_line(kernel, "const int64_t at = head * %lldL + %s;", rotary.width, pair_text(&rotary));
    kernel_line(kernel, "const real one = x[at], other = x[at + %lld];", pair_step(&rotary));
    kernel_line(kernel, "y[at] = one * (real)c - other * (real)d;");
    kernel_line(kernel, "y[at + %lld] = other * (real)c + one * (real)d;", pair_step(&rotary));
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
    kernel_line(kernel, "for (int64_t f = 0; f < %lld; f++)", rotary.features);
    kernel_line(kernel, "    if (f >= %lld || f %% %lld >= %lld)", rotary.heads * rotary.width,
                rotary.width, 2 * rotary.pairs);
    kernel_line(kernel, "        y[f] = x[f];");
}

const Operator operator_rotary = {
    .name = "rotary",
    .summary = "Positions as rotations of pairs of features, of queries and keys before attention.",
    .shape_rule = "[t, heads*w] -> [t, heads*w]; of windows [n, t, heads*w]\n"
                  "with head_width other features may follow: [t, 3*d]",
    .formula = "for pair i of n, at step t with the angle a = t * base^(-i/n):\n"
               "y[p] = x[p] * cos(a) - x[q] * sin(a), y[q] = x[q] * cos(a) + x[p] * sin(a)\n"
               "p, q = i, i + n; with pairs=interleaved 2*i, 2*i + 1",
    .reference = "Su et al. 2021, https://arxiv.org/abs/2104.09864",
    .args = args,
    .traits = OP_LAST_AXIS,
    .ranks = RANK(2) | RANK(3),
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .take_row = take_row,
    .emit_row = emit_row,
};
