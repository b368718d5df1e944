/* pad.c: values added at the ends of axes, or cut off: pad, of any axes, and PyTorch's layers,
 * which take those behind the channels.  zero_pad2d has a file of its own.
 */
#include "kernels/grain/gather.h"
#include "ops/operator.h"

#include <string.h>

enum { PADDING, VALUE, MODE };

static const char *const modes[] = {"constant", "reflect", "replicate", "circular", NULL};

#define PADDING_ARG(name_, doc_)                                                                  \
    {                                                                                             \
        name_, ARG_INTS, .positional = true, .minimum = -LARGEST, .maximum = LARGEST, .doc = doc_ \
    }
#define SIDES_DOC "Positions added at each end, the last axis first; a negative number cuts off."
#define VALUE_ARG(otherwise_)                                                                   \
    {                                                                                           \
        "value", ARG_REAL, .positional = true, .otherwise = otherwise_, .doc = "What is added." \
    }

static const ArgSpec pad_args[] = {
    [PADDING] = PADDING_ARG(
        "pad", "Positions added at both ends of the last axis, then of the one before it, and so "
               "on; a negative number cuts off."),
    [VALUE] = {"value", ARG_REAL, .otherwise = "none",
               .doc = "What is added, if mode is constant: 0, where nothing is said."},
    [MODE] = {"mode", ARG_WORD, .otherwise = "constant", .words = modes,
              .doc = "What is added: one value, the image mirrored at its edge, its edge, or its "
                     "other end."},
    {0}};
static const ArgSpec sides_args[] = {[PADDING] = PADDING_ARG("padding", SIDES_DOC), {0}};
static const ArgSpec constant_args[] = {
    [PADDING] = PADDING_ARG("padding", SIDES_DOC), [VALUE] = VALUE_ARG(NULL), {0}};

/* ------------------------------------------------------- what is added */

typedef enum PadMode { PAD_CONSTANT, PAD_REFLECT, PAD_REPLICATE, PAD_CIRCULAR } PadMode;

/* One of the words, of pad; of the others their name says it. */
static PadMode mode_of(const Node *node)
{
    const char *name = node->op->args == pad_args ? node->args[MODE].word : node->op->name;
    return !strncmp(name, "refl", 4)   ? PAD_REFLECT
           : !strncmp(name, "repl", 4) ? PAD_REPLICATE
           : !strncmp(name, "circ", 4) ? PAD_CIRCULAR
                                       : PAD_CONSTANT;
}

static double value_of(const Node *node)
{
    return node->op->args == sides_args ? 0 : node->args[VALUE].real;
}

/* Along one axis: its size, and what is added at its ends. */
typedef struct Sides {
    Int size, before, after;
    PadMode mode;
} Sides;

static int padded_axes(const Node *node)
{
    return node->op->args == pad_args ? node->args[PADDING].count / 2 : input_shape(node).rank - 1;
}

static Sides sides_of(const Node *node, int axis)
{
    const ArgValue *padding = &node->args[PADDING];
    int pair = input_shape(node).rank - 1 - axis;
    Sides sides = {.size = input_shape(node).dim[axis], .mode = mode_of(node)};
    if (pair < padded_axes(node)) {
        sides.before = padding->integer[padding->count == 1 ? 0 : 2 * pair];
        sides.after = padding->integer[padding->count == 1 ? 0 : 2 * pair + 1];
    }
    return sides;
}

static Int at_least_0(Int number)
{
    return number > 0 ? number : 0;
}

/* What is left of the axis where numbers below 0 cut off. */
static Int cut_size(Sides sides)
{
    return sides.size - at_least_0(-sides.before) - at_least_0(-sides.after);
}

/* The most that can be added at an end. */
static Int most_of(Sides sides)
{
    return sides.mode == PAD_REFLECT    ? sides.size - 1
           : sides.mode == PAD_CIRCULAR ? cut_size(sides)
                                        : (Int)LARGEST;
}

/* --------------------------------------------------------------- shapes */

static bool report(const Node *node, const char *text, const char *caption)
{
    Diagnostic *d =
        node_error(node, "argument-range", node->args[PADDING].span, "%s%s", node->op->name, text);
    diag_caption(d, "%s", caption);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool count_fits(const Node *node)
{
    int count = node->args[PADDING].count, rank = input_shape(node).rank;
    if (node->op->args != pad_args)
        return count == 1 || count == 2 * (rank - 1)
               || report(node, format(" takes one number or %d, not %d", 2 * (rank - 1), count),
                         "two for each axis, the last one first");
    return (count % 2 == 0 && count <= 2 * rank)
           || report(node, format(" takes two numbers for each axis, not %d", count),
                     format("at most %d of %s, the last axis first", 2 * rank,
                            shape_text(input_shape(node))));
}

static bool sides_fit(const Node *node, int axis)
{
    Sides sides = sides_of(node, axis);
    Int most = most_of(sides);
    const char *along = axis_name(input_shape(node).rank, axis);
    if (cut_size(sides) < 1)
        return report(node,
                      format(": %lld less %lld and %lld leave none", sides.size,
                             at_least_0(-sides.before), at_least_0(-sides.after)),
                      along);
    if (sides.before <= most && sides.after <= most)
        return true;
    return report(node,
                  format(": %lld is more than the axis has to add",
                         sides.before > most ? sides.before : sides.after),
                  format("%s is %lld: at most %lld", along, sides.size, most));
}

static bool infer(Node *node)
{
    Shape in = input_shape(node);
    bool values = node->op->args == pad_args && node->args[VALUE].real != 0;
    if (values && mode_of(node) != PAD_CONSTANT) {
        Diagnostic *d = node_error(node, "argument-range", node->args[VALUE].span,
                                   "pad: mode=%s adds no value", node->args[MODE].word);
        diag_caption(d, "leave it out, or mode=constant");
        return false;
    }
    if (!count_fits(node))
        return false;
    node->out_shape = in;
    for (int axis = 0; axis < in.rank; axis++) {
        if (!sides_fit(node, axis))
            return false;
        Sides sides = sides_of(node, axis);
        node->out_shape.dim[axis] = sides.size + sides.before + sides.after;
    }
    return true;
}

/* --------------------------------------------------------------- kernel */

static const char *source_text(const void *data, const char *at)
{
    const Sides *sides = data;
    Int last = sides->size - 1, from = at_least_0(-sides->before), size = cut_size(*sides);
    const char *place = format("%s - %lld", at, sides->before);
    switch (sides->mode) {
    case PAD_CONSTANT:
        return place;
    case PAD_REFLECT:
        return format("%s < 0 ? %lld - %s : %s > %lld ? %lld - %s : %s", place, sides->before, at,
                      place, last, 2 * last + sides->before, at, place);
    case PAD_REPLICATE:
        return format("%s < 0 ? 0 : %s > %lld ? %lld : %s", place, place, last, last, place);
    case PAD_CIRCULAR:
        return format("%s < %lld ? %s + %lld : %s > %lld ? %s - %lld : %s", place, from, place,
                      size, place, from + size - 1, place, size, place);
    }
    unreachable();
}

static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    Shape in = input_shape(node);
    Sides sides[MAX_RANK];
    AxisSource sources[MAX_RANK];
    for (int axis = 0; axis < in.rank; axis++) {
        sides[axis] = sides_of(node, axis);
        bool same = sides[axis].before == 0 && sides[axis].after == 0,
             constant = sides[axis].mode == PAD_CONSTANT;
        sources[axis] = (AxisSource){.find = same ? NULL : source_text,
                                     .rule = &sides[axis],
                                     .misses = !same && constant,
                                     .repeats = !same && !constant,
                                     .covers = cut_size(sides[axis]) == sides[axis].size};
    }
    emit_gather(kernel, in, node->out->shape, sources, value_of(node));
    return true;
}

/* ---------------------------------------------------------------- table */

#define PADS(name_, ranks_, args_, summary_, rule_, formula_, torch_)                      \
    const Operator operator_##name_ = {                                                    \
        .name = #name_,                                                                    \
        .summary = summary_,                                                               \
        .shape_rule = rule_,                                                               \
        .formula = formula_,                                                               \
        .reference = "https://pytorch.org/docs/stable/generated/torch.nn." torch_ ".html", \
        .args = args_,                                                                     \
        .ranks = ranks_,                                                                   \
        .infer = infer,                                                                    \
        .emit = emit,                                                                      \
    };
#define RULE_1 "[c, t] -> [c, left + t + right]"
#define RULE_2 "[c, h, w] -> [c, top + h + bottom, left + w + right]"
#define RULE_3 "[c, d, h, w] -> [c, front + d + back, top + h + bottom, left + w + right]"
#define EACH_SIZE(name, args, summary, formula, torch)                  \
    PADS(name##1d, RANK(2), args, summary, RULE_1, formula, torch "1d") \
    PADS(name##2d, RANK(3), args, summary, RULE_2, formula, torch "2d") \
    PADS(name##3d, RANK(4), args, summary, RULE_3, formula, torch "3d")

#define ZEROS "y[c, i] = x[c, i - left] inside, 0 outside; likewise along each axis"
PADS(pad, 0, pad_args, "Values added at the ends of any axes, or cut off.",
     "[a, b, c] -> [a + ..., b + ..., left + c + right]",
     "y[..., i] = x[..., i - left] inside; outside value, or by mode x at the\n"
     "mirrored position, at the edge, or at the other end",
     "functional.pad")
PADS(zero_pad1d, RANK(2), sides_args, "Zeros around a sequence.", RULE_1, ZEROS, "ZeroPad1d")
PADS(zero_pad3d, RANK(4), sides_args, "Zeros around a volume.", RULE_3, ZEROS, "ZeroPad3d")
EACH_SIZE(constant_pad, constant_args, "A value around the input.",
          "y[c, i] = x[c, i - left] inside, value outside; likewise along each axis", "ConstantPad")
EACH_SIZE(reflection_pad, sides_args, "The input mirrored at its edges, around it.",
          "y[c, i] = x[c, |i - left|], and mirrored at the other end; likewise along each axis",
          "ReflectionPad")
EACH_SIZE(replication_pad, sides_args, "The input's edges, around it.",
          "y[c, i] = x[c, min(max(i - left, 0), n - 1)]; likewise along each axis",
          "ReplicationPad")
EACH_SIZE(circular_pad, sides_args, "The input's other end, around it.",
          "y[c, i] = x[c, (i - left) mod n]; likewise along each axis", "CircularPad")
