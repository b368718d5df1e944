/* roll.c: positions along axes moved round, or in the opposite order. */
#include "kernels/grain/gather.h"
#include "ops/operator.h"

enum { SHIFTS, DIMS };

static const ArgSpec roll_args[] = {
    [SHIFTS] = {"shifts", ARG_INTS, .positional = true, .minimum = -LARGEST, .maximum = LARGEST,
                .doc = "By how many positions: one number, or one for each of dims."},
    [DIMS] = {"dims", ARG_AXES, .positional = true, .otherwise = "none", .minimum = -MAX_RANK,
              .maximum = MAX_RANK - 1,
              .doc = "Along which axes; -1 is the last; none: all values as one row."},
    {0}};

enum { FLIPPED };

static const ArgSpec flip_args[] = {[FLIPPED] = {"dims", ARG_AXES, .positional = true,
                                                 .minimum = -MAX_RANK, .maximum = MAX_RANK - 1,
                                                 .doc = "Along which axes; -1 is the last."},
                                    {0}};

static bool infer_roll(Node *node)
{
    unsigned axes;
    const ArgValue *shifts = &node->args[SHIFTS], *dims = &node->args[DIMS];
    if (dims->given && !node_axes(node, DIMS, &axes))
        return false;
    int wanted = dims->given ? dims->count : 1;
    if (shifts->count == wanted)
        return infer_same_shape(node);
    Diagnostic *d =
        node_error(node, "argument-range", shifts->span, "roll: %d shift%s, but %d ax%s",
                   shifts->count, shifts->count == 1 ? "" : "s", wanted, wanted == 1 ? "is" : "es");
    if (dims->given)
        diag_label(d, dims->span, "one shift for each");
    else
        diag_help(d, "dims=[…] says along which axes");
    return false;
}

static bool infer_flip(Node *node)
{
    unsigned axes;
    return node_axes(node, FLIPPED, &axes) && infer_same_shape(node);
}

typedef struct Rule {
    Int size, shift; /* 0 … size - 1 */
} Rule;

static const char *rolled(const void *data, const char *at)
{
    const Rule *rule = data;
    return format("%s < %lld ? %s + %lld : %s - %lld", at, rule->shift, at,
                  rule->size - rule->shift, at, rule->shift);
}

static const char *flipped(const void *data, const char *at)
{
    const Rule *rule = data;
    return format("%lld - %s", rule->size - 1, at);
}

static Rule rule_of(Int size, Int shift)
{
    return (Rule){size, (shift % size + size) % size};
}

static bool emit_roll(Kernel *kernel)
{
    const Node *node = kernel->node;
    const ArgValue *dims = &node->args[DIMS];
    Shape shape = input_shape(node);
    if (!dims->given)
        shape = shape_of(1, shape_elements(shape), 1, 1);
    AxisSource sources[MAX_RANK];
    Rule rules[MAX_RANK];
    for (int axis = 0; axis < shape.rank; axis++)
        sources[axis] = (AxisSource){.covers = true};
    for (int k = 0; k < (dims->given ? dims->count : 1); k++) {
        Int axis = !dims->given           ? 0
                   : dims->integer[k] < 0 ? dims->integer[k] + shape.rank
                                          : dims->integer[k];
        rules[k] = rule_of(shape.dim[axis], node->args[SHIFTS].integer[k]);
        sources[axis] = (AxisSource){.find = rolled, .rule = &rules[k], .covers = true};
    }
    emit_gather(kernel, shape, shape, sources, 0);
    return true;
}

static bool emit_flip(Kernel *kernel)
{
    Shape shape = input_shape(kernel->node);
    AxisSource sources[MAX_RANK];
    Rule rules[MAX_RANK];
    unsigned axes;
    node_axes(kernel->node, FLIPPED, &axes);
    for (int axis = 0; axis < shape.rank; axis++) {
        rules[axis] = (Rule){shape.dim[axis], 0};
        sources[axis] = (AxisSource){
            .find = axes >> axis & 1 ? flipped : NULL, .rule = &rules[axis], .covers = true};
    }
    emit_gather(kernel, shape, shape, sources, 0);
    return true;
}

const Operator operator_roll = {
    .name = "roll",
    .summary = "Positions moved along axes; what leaves at one end comes in at the other.",
    .shape_rule = "any shape, unchanged",
    .formula = "y[(i + shift) mod n] = x[i]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.roll.html",
    .args = roll_args,
    .infer = infer_roll,
    .emit = emit_roll,
};

const Operator operator_flip = {
    .name = "flip",
    .summary = "The opposite order along axes.",
    .shape_rule = "any shape, unchanged",
    .formula = "y[i] = x[n - 1 - i]",
    .reference = "https://pytorch.org/docs/stable/generated/torch.flip.html",
    .args = flip_args,
    .infer = infer_flip,
    .emit = emit_flip,
};
