/* recurrent.c: rnn, gru and lstm, over the steps of a sequence [t, d].
 *
 * A layer is one matrix product of all steps with weight_ih and then, step by step, what
 * recurrence.c does with weight_hh.  So each direction of each layer becomes a linear, both
 * directions of a layer a recurrence, and between layers lies dropout.  Parameters have the names,
 * the layouts and the order of torch.nn.RNN, GRU and LSTM.
 */
#include "ops/lowering.h"
#include "ops/recurrence.h"

#include <math.h>
#include <string.h>

enum { HIDDEN_SIZE, NUM_LAYERS, BIAS, DROPOUT, BIDIRECTIONAL, LAST, H0, INPUT_SIZE, OWN, C0 };
enum { MOST_LAYERS = 1000 };

/* clang-format off */
#define SHARED_ARGS \
    [HIDDEN_SIZE] = {"hidden_size", ARG_INT, .positional = true, .minimum = 1, \
                     .maximum = LARGEST, .doc = "Values of a direction's state."}, \
    [NUM_LAYERS] = {"num_layers", ARG_INT, .otherwise = "1", .minimum = 1, .maximum = MOST_LAYERS, \
                    .doc = "Layers, each of which takes the states of the one before."}, \
    [BIAS] = {"bias", ARG_BOOL, .otherwise = "true", \
              .doc = "Whether learned values are added to the sums, two to each."}, \
    [DROPOUT] = {"dropout", ARG_REAL, .otherwise = "0.0", .maximum = 1, \
                 .doc = "In training, the probability that a value between layers is zeroed."}, \
    [BIDIRECTIONAL] = {"bidirectional", ARG_BOOL, .otherwise = "false", \
                       .doc = "Whether other states go from the last step to the first, too."}, \
    [LAST] = {"last", ARG_BOOL, .otherwise = "false", \
              .doc = "Whether only each direction's last state is given, not every step's."}, \
    [H0] = {"h0", ARG_TENSORS, .otherwise = "none", \
            .doc = "A named tensor, the states before the first step; 0 where nothing is said: " \
                   "[num_layers * directions, state], of one also [state]."}, \
    [INPUT_SIZE] = {"input_size", ARG_INT, .assertion = true, .otherwise = "none", .minimum = 1, \
                    .maximum = LARGEST, .doc = "Asserts the values of a step."}
/* clang-format on */

static const char *const nonlinearities[] = {"tanh", "relu", NULL};
static const ArgSpec rnn_args[] = {SHARED_ARGS,
                                   [OWN] = {"nonlinearity", ARG_WORD, .otherwise = "tanh",
                                            .words = nonlinearities,
                                            .doc = "What makes a state of the sums."},
                                   {0}};
static const ArgSpec gru_args[] = {SHARED_ARGS, {0}};
static const ArgSpec lstm_args[] = {
    SHARED_ARGS,
    [OWN] = {"proj_size", ARG_INT, .otherwise = "0", .maximum = LARGEST,
             .doc = "Values that a state is projected to by weight_hr; 0: it is not."},
    [C0] = {"c0", ARG_TENSORS, .otherwise = "none",
            .doc = "Likewise the cells before the first step: [num_layers * directions, "
                   "hidden_size]."},
    {0}};

/* What the arguments and the input say. */
typedef struct Layout {
    CellKind kind;
    Int steps, inputs, hidden, projection; /* projection 0: none */
    Int state;                             /* values of one direction's output */
    Int layers, directions;
    bool bias;
} Layout;

static CellKind kind_of(const Node *node)
{
    if (node->op == &operator_lstm)
        return CELL_LSTM;
    if (node->op == &operator_gru)
        return CELL_GRU;
    return strcmp(node->args[OWN].word, "relu") == 0 ? CELL_RELU : CELL_TANH;
}

static Layout layout_of(const Node *node)
{
    Layout layout = {
        .kind = kind_of(node),
        .steps = input_shape(node).dim[0],
        .inputs = input_shape(node).dim[1],
        .hidden = node->args[HIDDEN_SIZE].integer[0],
        .layers = node->args[NUM_LAYERS].integer[0],
        .directions = node->args[BIDIRECTIONAL].integer[0] ? 2 : 1,
        .bias = node->args[BIAS].integer[0],
    };
    layout.projection = layout.kind == CELL_LSTM ? node->args[OWN].integer[0] : 0;
    layout.state = layout.projection ? layout.projection : layout.hidden;
    return layout;
}

static Int layer_inputs(const Layout *layout, Int layer)
{
    return layer ? layout->directions * layout->state : layout->inputs;
}

/* ------------------------------------------------------------ parameters */

/* weight_ih_l0_reverse */
static const char *name_of(const char *what, Int layer, Int direction)
{
    return format("%s_l%lld%s", what, layer, direction ? "_reverse" : "");
}

static void add_parameter(Node *node, const Layout *layout, const char *name, Int rows, Int columns)
{
    double bound = 1 / sqrt((double)layout->hidden);
    Int dim[] = {rows, columns};
    node_parameter(node, name, PARAMETER_TRAINED, (Init){INIT_UNIFORM, -bound, bound},
                   columns ? 2 : 1, dim, columns ? columns : layout->hidden, rows);
}

static void add_direction(Node *node, const Layout *layout, Int layer, Int direction)
{
    Int rows = cell_gates(layout->kind) * layout->hidden;
    add_parameter(node, layout, name_of("weight_ih", layer, direction), rows,
                  layer_inputs(layout, layer));
    add_parameter(node, layout, name_of("weight_hh", layer, direction), rows, layout->state);
    if (layout->bias) {
        add_parameter(node, layout, name_of("bias_ih", layer, direction), rows, 0);
        add_parameter(node, layout, name_of("bias_hh", layer, direction), rows, 0);
    }
    if (layout->projection)
        add_parameter(node, layout, name_of("weight_hr", layer, direction), layout->projection,
                      layout->hidden);
}

/* ----------------------------------------------------------------- shape */

static bool arguments_agree(const Node *node, const Layout *layout)
{
    const ArgValue *dropout = &node->args[DROPOUT];
    if (layout->projection >= layout->hidden) {
        Diagnostic *d = node_error(node, "argument-range", node->args[OWN].span,
                                   "lstm: a projection to %lld values of %lld makes none fewer",
                                   layout->projection, layout->hidden);
        diag_caption(d, "at most %lld; 0: no projection", layout->hidden - 1);
        return false;
    }
    if (dropout->real > 0 && layout->layers == 1) {
        Diagnostic *d =
            node_error(node, "argument-range", dropout->span,
                       "%s: dropout lies between layers, and there is one", node->op->name);
        diag_caption(d, "nothing would be dropped");
        diag_help(d, "num_layers=2 or more, or `dropout(%g)` behind the %s", dropout->real,
                  node->op->name);
        return false;
    }
    return true;
}

static int count_before(const Node *node, int arg)
{
    return arg == C0 && node->op != &operator_lstm ? 0 : node->args[arg].count;
}

/* A row for each direction of each layer, in PyTorch's order; of one the row alone will do. */
static bool rows_fit(const Node *node, const Layout *layout, int arg, int input, Int values)
{
    const ArgValue *given = &node->args[arg];
    const char *name = node->op->args[arg].name;
    Int rows = layout->layers * layout->directions;
    if (given->count > 1) {
        Diagnostic *d =
            node_error(node, "several-tensors", given->span, "%s of %s is one tensor, not %d", name,
                       node->op->name, given->count);
        if (node->op == &operator_lstm && arg == H0 && !node->args[C0].given && given->count == 2)
            diag_help(d, "cells are an argument of their own: h0=…, c0=…");
        else
            diag_help(d, "its rows are those of all layers and directions: [%lld, %lld]", rows,
                      values);
        return false;
    }
    Shape shape = node->inputs.items[input]->shape;
    Int wanted[] = {rows, values};
    if (shape_equal(shape, shape_from(2, wanted))
        || (rows == 1 && shape_equal(shape, shape_from(1, &values))))
        return true;
    Diagnostic *d = node_error(node, "shape-mismatch", given->span, "%s cannot begin with %s of %s",
                               node->op->name, name, shape_text(shape));
    diag_caption(d, "%s is needed", shape_text(shape_from(2, wanted)));
    if (shape_elements(shape) == rows * values)
        diag_help(d, "reshape([%lld, %lld]) before it is named", rows, values);
    else if (rows == 1 && shape.rank == 2 && shape.dim[1] == values)
        diag_help(d, "these are all steps: `slice(-1)` of them is the last one, and `last=true` "
                     "makes a layer give that alone");
    else if (shape.rank == 2 && shape.dim[1] == rows * values)
        diag_help(d, "`last=true` makes a recurrent layer give its last states alone, not those of "
                     "all steps");
    else if (rows == 1)
        diag_help(d, "[%lld] or [1, %lld]: one %s of %lld values", values, values,
                  arg == C0 ? "row of cells" : "state", values);
    else
        diag_help(d, "a row for each direction, layer by layer");
    return false;
}

static bool states_fit(const Node *node, const Layout *layout)
{
    int states = count_before(node, H0);
    return (states == 0 || rows_fit(node, layout, H0, 1, layout->state))
           && (count_before(node, C0) == 0
               || rows_fit(node, layout, C0, 1 + states, layout->hidden));
}

/* Of a layer: its sums, which are as many as what training notes or fewer. */
static bool noted_fits(const Node *node, const Layout *layout)
{
    Shape noted = recurrence_aux_shape(layout->kind, layout->directions, layout->steps,
                                       layout->hidden, layout->projection);
    Int elements;
    int culprit;
    if (count_elements(noted.rank, noted.dim, &elements, &culprit))
        return true;
    Diagnostic *d = node_error(node, "too-large", node->span,
                               "the working memory of %s is too large: %s values per image",
                               node->path, product_text(noted.rank, noted.dim));
    caption_factor(d, noted.dim, culprit);
    node_derivation(d, node->inputs.items[0]);
    return false;
}

static bool infer(Node *node)
{
    const Layout layout = layout_of(node);
    if (!arguments_agree(node, &layout) || !states_fit(node, &layout) || !noted_fits(node, &layout))
        return false;
    for (Int layer = 0; layer < layout.layers; layer++)
        for (Int direction = 0; direction < layout.directions; direction++)
            add_direction(node, &layout, layer, direction);
    Int out[] = {layout.steps, layout.directions * layout.state};
    node->out_shape = node->args[LAST].integer[0] ? shape_from(1, out + 1) : shape_from(2, out);
    return true;
}

static Int multiply_adds(const Node *node)
{
    const Layout layout = layout_of(node);
    Int sum = 0;
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *parameter = node->parameters.items[i];
        Int factors[] = {parameter->rank == 2 ? parameter->elements : 0, layout.steps};
        if (__builtin_add_overflow(sum, saturating_product(2, factors), &sum))
            return INT64_MAX;
    }
    return sum;
}

/* -------------------------------------------------------------- lowering */

enum { WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH, WEIGHT_HR };

/* Where add_direction() has put it; -1: there is none. */
static int place_of(const Layout *layout, int which)
{
    if (which == WEIGHT_HR)
        return layout->projection ? (layout->bias ? WEIGHT_HR : BIAS_IH) : -1;
    return which < BIAS_IH || layout->bias ? which : -1;
}

/* The parameter, if there is one, becomes the node's. */
static void take_parameter(Node *node, const Node *from, const Layout *layout, Int layer,
                           Int direction, int which, const char *name)
{
    int each = 2 + (layout->bias ? 2 : 0) + (layout->projection ? 1 : 0),
        place = place_of(layout, which);
    if (place < 0)
        return;
    Int set = layer * layout->directions + direction;
    lend_parameter(node, from, set * each + place, name);
}

static Tensor *lower_inputs(Graph *graph, const Node *like, const Layout *layout, Tensor *x,
                            Int layer, Int direction)
{
    const Operator *op = &operator_linear;
    Node *node =
        lowered_node(graph, like, op, format("%s.%s", like->path, name_of("ih", layer, direction)));
    Int out = cell_gates(layout->kind) * layout->hidden;
    push(&node->inputs, x);
    lowered_number(node, role_arg(op, ROLE_CHANNELS), out);
    lowered_number(node, operator_arg(op, "bias"), layout->bias);
    take_parameter(node, like, layout, layer, direction, WEIGHT_IH, "weight");
    take_parameter(node, like, layout, layer, direction, BIAS_IH, "bias");
    return lowered_output(graph, node, shape_with(x->shape, 1, out), NULL);
}

static Tensor *lower_states(Graph *graph, const Node *like, const Layout *layout, Tensor **inputs,
                            Int layer, Tensor *out)
{
    static const int kinds[] = {WEIGHT_HH, BIAS_HH, WEIGHT_HR};
    static const char *const names[] = {"weight_hh", "bias_hh", "weight_hr"};
    int states = count_before(like, H0), cells = count_before(like, C0);
    Node *node =
        lowered_node(graph, like, states + cells ? &operator_recurrence_from : &operator_recurrence,
                     out ? like->path : format("%s.%s", like->path, name_of("hh", layer, 0)));
    for (Int direction = 0; direction < layout->directions; direction++) {
        push(&node->inputs, inputs[direction]);
        for (int k = 0; k < 3; k++)
            take_parameter(node, like, layout, layer, direction, kinds[k],
                           format("%s%s", names[k], direction ? "_reverse" : ""));
    }
    for (int i = 0; i < states + cells; i++)
        push(&node->inputs, like->inputs.items[1 + i]);
    if (states + cells) {
        lowered_number(node, RECURRENCE_STATES, states);
        lowered_number(node, RECURRENCE_CELLS, cells);
        lowered_number(node, RECURRENCE_FIRST_ROW, layer * layout->directions);
    }
    node->args[RECURRENCE_CELL] = (ArgValue){.given = true, .word = cell_words[layout->kind]};
    lowered_number(node, RECURRENCE_HIDDEN, layout->hidden);
    lowered_number(node, RECURRENCE_BIAS, layout->bias);
    lowered_number(node, RECURRENCE_PROJECTION, layout->projection);
    node->aux_shape = recurrence_aux_shape(layout->kind, layout->directions, layout->steps,
                                           layout->hidden, layout->projection);
    Int shape[] = {layout->steps, layout->directions * layout->state};
    return lowered_output(graph, node, shape_from(2, shape), out);
}

static Tensor *lower_dropout(Graph *graph, const Node *like, Tensor *x, Int layer)
{
    Node *node =
        lowered_node(graph, like, &operator_dropout, format("%s.dropout_l%lld", like->path, layer));
    push(&node->inputs, x);
    node->args[operator_arg(&operator_dropout, "p")] = like->args[DROPOUT];
    return lowered_output(graph, node, x->shape, NULL);
}

static void lower_last(Graph *graph, const Node *like, const Layout *layout, Tensor *x)
{
    Node *node = lowered_node(graph, like, &operator_last_state, like->path);
    push(&node->inputs, x);
    lowered_number(node, 0, layout->directions);
    lowered_output(graph, node, like->out_shape, like->out);
}

static void lower(Graph *graph, const Node *node)
{
    const Layout layout = layout_of(node);
    bool all = !node->args[LAST].integer[0];
    Tensor *x = node->inputs.items[0];
    for (Int layer = 0; layer < layout.layers; layer++) {
        Tensor *inputs[2];
        bool ends = layer == layout.layers - 1;
        for (Int direction = 0; direction < layout.directions; direction++)
            inputs[direction] = lower_inputs(graph, node, &layout, x, layer, direction);
        x = lower_states(graph, node, &layout, inputs, layer, ends && all ? node->out : NULL);
        if (!ends && node->args[DROPOUT].real > 0)
            x = lower_dropout(graph, node, x, layer);
    }
    if (!all)
        lower_last(graph, node, &layout, x);
}

/* ----------------------------------------------------------- descriptors */

#define RECURRENT(word, words, text, page)                                                       \
    const Operator operator_##word = {                                                           \
        .name = #word,                                                                           \
        .summary = words,                                                                        \
        .shape_rule = "[t, d] -> [t, hidden_size]; with last=true [hidden_size]\n"               \
                      "bidirectional: twice as many",                                            \
        .formula =                                                                               \
            text "\nx[t] is the step's input, of further layers the state of the layer before\n" \
                 "the state before the first step is that of h0=, or 0\n"                        \
                 "all parameters start uniform in -1/sqrt(hidden_size) to 1/sqrt(hidden_size)",  \
        .reference = page,                                                                       \
        .args = word##_args,                                                                     \
        .traits = OP_LAST_AXIS,                                                                  \
        .ranks = RANK(2),                                                                        \
        .infer = infer,                                                                          \
        .multiply_adds = multiply_adds,                                                          \
        .lower = lower,                                                                          \
    }

RECURRENT(rnn, "Elman's recurrent layer: a state that each step makes of the one before.",
          "h[t] = tanh(weight_ih x[t] + bias_ih + weight_hh h[t-1] + bias_hh), or relu of it",
          "Elman 1990, https://doi.org/10.1207/s15516709cog1402_1\n"
          "https://pytorch.org/docs/stable/generated/torch.nn.RNN.html");
RECURRENT(
    gru, "Gated recurrent units: each step keeps a part of the state, as gates say.",
    "r, z = sigmoid(weight_ih x[t] + bias_ih + weight_hh h[t-1] + bias_hh)\n"
    "n = tanh(weight_ih x[t] + bias_ih + r*(weight_hh h[t-1] + bias_hh)), each of its own rows\n"
    "h[t] = (1 - z)*n + z*h[t-1]",
    "Cho et al. 2014, https://arxiv.org/abs/1406.1078\n"
    "https://pytorch.org/docs/stable/generated/torch.nn.GRU.html");
RECURRENT(
    lstm, "Long short-term memory: a cell that gates fill, empty and show.",
    "i, f, g, o = weight_ih x[t] + bias_ih + weight_hh h[t-1] + bias_hh, each of its own rows\n"
    "c[t] = sigmoid(f)*c[t-1] + sigmoid(i)*tanh(g)\n"
    "h[t] = sigmoid(o)*tanh(c[t]), times weight_hr if there is a proj_size",
    "Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735\n"
    "https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html");
