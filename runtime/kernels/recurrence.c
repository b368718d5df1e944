/* recurrence.c: the states of a recurrent layer, step by step, of one or both directions; and the
 * last of them.
 *
 *   x[d] [steps, gates * hidden, lanes]: by direction, what the inputs give to the gates' sums
 *   weight_hh [gates * hidden, state]   bias_hh [gates * hidden]   weight_hr [state, hidden]
 *   y    [steps, directions * state, lanes]
 *   of recurrence_from, behind x: the states before the first step, [rows, state, lanes], and an
 *   lstm's cells, [rows, hidden, lanes], of which a direction's is row first_row + d
 *   aux  [directions, steps, noted, lanes]: of each step the gates, what else is needed of it
 *        (an lstm's cells, a gru's weight_hh h + bias_hh of n), with a projection what is
 *        projected, and room for the gradient of what that gives
 *
 * backward_input puts the gradients of the gates' sums of states where the gates were.
 */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum Kind { TANH, RELU, GRU, LSTM } Kind;

/* Sizes in values; further, shown, dstate: where they begin among what is noted of a step. */
typedef struct Layer {
    Kind kind;
    int64_t steps, hidden, state, sums, directions, lanes;
    int64_t further, shown, dstate, noted;
    bool bias, projects;
    int states, cells; /* among the inputs, those before the first step; -1: they are 0 */
    int64_t first_row;
} Layer;

static Layer layer_of(const NetCall *call)
{
    const char *cell = net_attribute_word(call, "cell");
    int64_t projection = (int64_t)net_attribute(call, "proj_size", 0);
    Layer layer = {
        .kind = strcmp(cell, "lstm") == 0   ? LSTM
                : strcmp(cell, "gru") == 0  ? GRU
                : strcmp(cell, "relu") == 0 ? RELU
                                            : TANH,
        .steps = call->x_shape[0].c,
        .sums = call->x_shape[0].w,
        .hidden = (int64_t)net_attribute(call, "hidden_size", 0),
        .directions = call->inputs,
        .states = -1,
        .cells = -1,
        .lanes = call->lanes,
        .bias = net_attribute(call, "bias", 0) != 0,
        .projects = projection > 0,
    };
    layer.state = layer.projects ? projection : layer.hidden;
    layer.further = layer.sums;
    layer.shown = layer.further + (layer.kind >= GRU ? layer.hidden : 0);
    layer.dstate = layer.shown + (layer.projects ? layer.hidden : 0);
    layer.noted = layer.dstate + projection;
    return layer;
}

/* With what recurrence_from has besides. */
static Layer layer_from(const NetCall *call)
{
    Layer layer = layer_of(call);
    bool states = net_attribute(call, "h0", 0) != 0, cells = net_attribute(call, "c0", 0) != 0;
    layer.directions -= states + cells;
    layer.states = states ? (int)layer.directions : -1;
    layer.cells = cells ? (int)layer.directions + states : -1;
    layer.first_row = (int64_t)net_attribute(call, "first_row", 0);
    return layer;
}

/* A direction's row of an input, or of its gradient, of `values` each. */
static real *row_before(const Layer *layer, const real *rows, int direction, int64_t values)
{
    return (real *)rows + (layer->first_row + direction) * values * layer->lanes;
}

/* Where a direction's parameters are among the call's. */
typedef struct Places {
    int weight_hh, bias_hh, weight_hr;
} Places;

static Places places_of(const Layer *layer, int direction)
{
    int each = 1 + layer->bias + layer->projects, first = direction * each;
    return (Places){first, first + 1, first + 1 + layer->bias};
}

/* The row that a direction comes to at `step`. */
static int64_t row_at(const Layer *layer, int direction, int64_t step)
{
    return direction ? layer->steps - 1 - step : step;
}

static real *state_at(const Layer *layer, const real *states, int direction, int64_t step)
{
    int64_t row = row_at(layer, direction, step);
    return (real *)states + (row * layer->directions + direction) * layer->state * layer->lanes;
}

static real *noted_at(const Layer *layer, real *aux, int direction, int64_t step)
{
    int64_t row = direction * layer->steps + row_at(layer, direction, step);
    return aux + row * layer->noted * layer->lanes;
}

/* The state that a step begins with; NULL: 0. */
static const real *state_before(const NetCall *call, const Layer *layer, int direction,
                                int64_t step)
{
    if (step > 0)
        return state_at(layer, call->y, direction, step - 1);
    return layer->states < 0 ? NULL
                             : row_before(layer, call->x[layer->states], direction, layer->state);
}

/* Likewise an lstm's cells, which training notes. */
static const real *cells_before(const NetCall *call, const Layer *layer, int direction,
                                int64_t step)
{
    if (step > 0)
        return noted_at(layer, call->aux, direction, step - 1) + layer->further * layer->lanes;
    return layer->cells < 0 ? NULL
                            : row_before(layer, call->x[layer->cells], direction, layer->hidden);
}

/* to[o] += sum over i of weight[o, i] * from[i], of every lane. */
static void add_product(const Layer *layer, real *to, const real *weight, const real *from,
                        int64_t outs, int64_t ins)
{
    for (int64_t o = 0; o < outs; o++)
        if (layer->lanes == 1)
            to[o] += net_dot(weight + o * ins, from, ins);
        else
            for (int64_t i = 0; i < ins; i++)
                net_add_scaled(to + o * layer->lanes, from + i * layer->lanes, weight[o * ins + i],
                               layer->lanes);
}

/* to[i] += sum over o of weight[o, i] * from[o]. */
static void add_transposed(const Layer *layer, real *to, const real *weight, const real *from,
                           int64_t outs, int64_t ins)
{
    for (int64_t o = 0; o < outs; o++)
        for (int64_t i = 0; i < ins; i++)
            net_add_scaled(to + i * layer->lanes, from + o * layer->lanes, weight[o * ins + i],
                           layer->lanes);
}

/* dweight[o, i] += sum over lanes of dy[o] * x[i]. */
static void add_outer(const Layer *layer, real *dweight, const real *dy, const real *x,
                      int64_t outs, int64_t ins)
{
    for (int64_t o = 0; o < outs; o++)
        for (int64_t i = 0; i < ins; i++)
            dweight[o * ins + i] +=
                net_dot(dy + o * layer->lanes, x + i * layer->lanes, layer->lanes);
}

static real *rows_of(int64_t count)
{
    real *rows = calloc((size_t)count, sizeof *rows);
    if (!rows)
        abort();
    return rows;
}

static real sigmoid(real x)
{
    return 1 / (1 + (real)exp(-(double)x));
}

static real hyperbolic(real x)
{
    return (real)tanh((double)x);
}

/* --------------------------------------------------------------- forward */

/* One value of one lane: of gate k the input's half of the sum is in[k * next], the state's
 * sum[k * next].  Gives the state; noted[k * next] is what the way back needs. */
static real next_state(const Layer *layer, const real *in, const real *sum, real before, real *cell,
                       real *noted)
{
    int64_t next = layer->hidden * layer->lanes;
    switch (layer->kind) {
    case TANH:
        return noted[0] = hyperbolic(in[0] + sum[0]);
    case RELU:
        return noted[0] = in[0] + sum[0] > 0 ? in[0] + sum[0] : 0;
    case GRU: {
        real r = sigmoid(in[0] + sum[0]), z = sigmoid(in[next] + sum[next]);
        real n = hyperbolic(in[2 * next] + r * sum[2 * next]);
        noted[0] = r;
        noted[next] = z;
        noted[2 * next] = n;
        noted[3 * next] = sum[2 * next];
        return n + z * (before - n);
    }
    case LSTM:
        for (int k = 0; k < 4; k++)
            noted[k * next] = (k == 2 ? hyperbolic : sigmoid)(in[k * next] + sum[k * next]);
        *cell = noted[next] * *cell + noted[0] * noted[2 * next];
        noted[4 * next] = *cell;
        return noted[3 * next] * hyperbolic(*cell);
    }
    return 0;
}

/* What the step before gives to the gates' sums. */
static void sum_of_states(const NetCall *call, const Layer *layer, int direction, int64_t step,
                          real *sums)
{
    const Places places = places_of(layer, direction);
    for (int64_t i = 0; i < layer->sums * layer->lanes; i++)
        sums[i] = layer->bias ? call->parameter[places.bias_hh][i / layer->lanes] : 0;
    const real *before = state_before(call, layer, direction, step);
    if (before)
        add_product(layer, sums, call->parameter[places.weight_hh], before, layer->sums,
                    layer->state);
}

static void project(const NetCall *call, const Layer *layer, int direction, const real *shown,
                    real *y)
{
    memset(y, 0, (size_t)(layer->state * layer->lanes) * sizeof *y);
    add_product(layer, y, call->parameter[places_of(layer, direction).weight_hr], shown,
                layer->state, layer->hidden);
}

static void go_forward(const NetCall *call, const Layer *layer, int direction)
{
    int64_t lanes = layer->lanes, values = layer->hidden * lanes;
    real *room = rows_of((layer->sums + 2 * layer->hidden + layer->noted) * lanes);
    real *sums = room, *cells = sums + layer->sums * lanes, *states = cells + values;
    if (layer->cells >= 0)
        memcpy(cells, cells_before(call, layer, direction, 0), (size_t)values * sizeof *cells);
    for (int64_t step = 0; step < layer->steps; step++) {
        const real *before = layer->projects ? NULL : state_before(call, layer, direction, step);
        const real *in = call->x[direction] + row_at(layer, direction, step) * layer->sums * lanes;
        real *y = state_at(layer, call->y, direction, step);
        real *noted = call->aux ? noted_at(layer, call->aux, direction, step) : states + values;
        sum_of_states(call, layer, direction, step, sums);
        for (int64_t i = 0; i < values; i++)
            states[i] =
                next_state(layer, in + i, sums + i, before ? before[i] : 0, cells + i, noted + i);
        if (layer->projects) {
            memcpy(noted + layer->shown * lanes, states, (size_t)values * sizeof *states);
            project(call, layer, direction, states, y);
        } else {
            memcpy(y, states, (size_t)values * sizeof *states);
        }
    }
    free(room);
}

static void forward(const NetCall *call, Layer layer)
{
    for (int direction = 0; direction < layer.directions; direction++)
        go_forward(call, &layer, direction);
}

/* -------------------------------------------------------------- backward */

/* One value of one lane: dh is the state's gradient, noted what forward noted of it, whose place
 * the gradients of the sums of states take; din gets those of the sums of inputs.  Gives what of dh
 * goes to the state before as it is. */
static real gate_gradients(const Layer *layer, real dh, real *noted, real before, real cell_before,
                           real *dcell, real *din)
{
    int64_t next = layer->hidden * layer->lanes;
    switch (layer->kind) {
    case TANH:
        din[0] = noted[0] = dh * (1 - noted[0] * noted[0]);
        return 0;
    case RELU:
        din[0] = noted[0] = noted[0] > 0 ? dh : 0;
        return 0;
    case GRU: {
        real r = noted[0], z = noted[next], n = noted[2 * next], further = noted[3 * next];
        real dn = dh * (1 - z) * (1 - n * n);
        din[0] = noted[0] = dn * further * r * (1 - r);
        din[next] = noted[next] = dh * (before - n) * z * (1 - z);
        din[2 * next] = dn;
        noted[2 * next] = dn * r;
        return dh * z;
    }
    case LSTM: {
        real i = noted[0], f = noted[next], g = noted[2 * next], o = noted[3 * next];
        real shown = hyperbolic(noted[4 * next]);
        real dc = *dcell + dh * o * (1 - shown * shown);
        *dcell = dc * f;
        din[0] = noted[0] = dc * g * i * (1 - i);
        din[next] = noted[next] = dc * cell_before * f * (1 - f);
        din[2 * next] = noted[2 * next] = dc * i * (1 - g * g);
        din[3 * next] = noted[3 * next] = dh * shown * o * (1 - o);
        return 0;
    }
    }
    return 0;
}

/* dh [hidden]: the gradient of a step's values before any projection; carry: what later steps
 * give. */
static void gradient_of_values(const NetCall *call, const Layer *layer, int direction, int64_t step,
                               const real *carry, real *noted, real *dh)
{
    const real *dy = state_at(layer, call->dy, direction, step);
    real *to = layer->projects ? noted + layer->dstate * layer->lanes : dh;
    for (int64_t i = 0; i < layer->state * layer->lanes; i++)
        to[i] = dy[i] + carry[i];
    if (!layer->projects)
        return;
    memset(dh, 0, (size_t)(layer->hidden * layer->lanes) * sizeof *dh);
    add_transposed(layer, dh, call->parameter[places_of(layer, direction).weight_hr], to,
                   layer->state, layer->hidden);
}

/* What a direction's way back needs: the gradient of its sums of inputs [steps, sums], and of one
 * step those of a state, of cells and of values. */
typedef struct WayBack {
    int direction;
    real *dx, *carry, *dcells, *dh;
} WayBack;

static void step_back(const NetCall *call, const Layer *layer, int64_t step, const WayBack *way)
{
    int64_t lanes = layer->lanes;
    real *carry = way->carry, *dcells = way->dcells, *dh = way->dh;
    real *noted = noted_at(layer, call->aux, way->direction, step);
    real *din = way->dx + row_at(layer, way->direction, step) * layer->sums * lanes;
    const real *before = state_before(call, layer, way->direction, step);
    const real *cells = cells_before(call, layer, way->direction, step);
    gradient_of_values(call, layer, way->direction, step, carry, noted, dh);
    memset(carry, 0, (size_t)(layer->state * lanes) * sizeof *carry);
    for (int64_t i = 0; i < layer->hidden * lanes; i++) {
        real kept =
            gate_gradients(layer, dh[i], noted + i, before && layer->kind == GRU ? before[i] : 0,
                           cells && layer->kind == LSTM ? cells[i] : 0, dcells + i, din + i);
        if (layer->kind == GRU)
            carry[i] = kept;
    }
    add_transposed(layer, carry, call->parameter[places_of(layer, way->direction).weight_hh], noted,
                   layer->sums, layer->state);
}

static real *go_back(const NetCall *call, const Layer *layer, WayBack *way)
{
    real *room = rows_of((layer->state + 2 * layer->hidden) * layer->lanes);
    way->carry = room;
    way->dcells = room + layer->state * layer->lanes;
    way->dh = way->dcells + layer->hidden * layer->lanes;
    for (int64_t step = layer->steps; step-- > 0;)
        step_back(call, layer, step, way);
    return room;
}

/* Nobody but the recurrence reads its inputs: there is nothing to add to. */
void net_recurrence_backward_input(const NetCall *call)
{
    const Layer layer = layer_of(call);
    WayBack way = {.direction = call->which, .dx = call->dx};
    free(go_back(call, &layer, &way));
}

/* Of input `which` its gradient; NULL: nobody wants it, or there is no such input. */
static real *gradient_at(const NetCall *call, int which)
{
    return which < 0 || call->dx_at[which] < 0 ? NULL : call->dx + call->dx_at[which] * call->lanes;
}

/* A direction's row of what came before the first step; the others have no part in this layer. */
static void give_row(const NetCall *call, const Layer *layer, int which, int direction,
                     const real *gradient, int64_t values)
{
    real *to = gradient_at(call, which);
    if (!to)
        return;
    if (direction == 0)
        memset(to, 0,
               (size_t)(net_shape_elements(call->x_shape[which]) * layer->lanes) * sizeof *to);
    memcpy(row_before(layer, to, direction, values), gradient,
           (size_t)(values * layer->lanes) * sizeof *to);
}

void net_recurrence_from_backward_input(const NetCall *call)
{
    const Layer layer = layer_from(call);
    for (int direction = 0; direction < layer.directions; direction++) {
        real *wanted = gradient_at(call, direction),
             *spare = wanted ? NULL : rows_of(layer.steps * layer.sums * layer.lanes);
        WayBack way = {.direction = direction, .dx = wanted ? wanted : spare};
        real *room = go_back(call, &layer, &way);
        give_row(call, &layer, layer.states, direction, way.carry, layer.state);
        give_row(call, &layer, layer.cells, direction, way.dcells, layer.hidden);
        free(room);
        free(spare);
    }
}

static void clear_gradient(const NetCall *call, int place, int64_t count)
{
    memset(call->dparameter[place], 0, (size_t)count * sizeof(real));
}

static void parameter_gradients(const NetCall *call, const Layer *layer, int direction)
{
    const Places places = places_of(layer, direction);
    clear_gradient(call, places.weight_hh, layer->sums * layer->state);
    if (layer->bias)
        clear_gradient(call, places.bias_hh, layer->sums);
    if (layer->projects)
        clear_gradient(call, places.weight_hr, layer->state * layer->hidden);
    for (int64_t step = 0; step < layer->steps; step++) {
        const real *noted = noted_at(layer, call->aux, direction, step);
        const real *before = state_before(call, layer, direction, step);
        if (before)
            add_outer(layer, call->dparameter[places.weight_hh], noted, before, layer->sums,
                      layer->state);
        for (int64_t o = 0; layer->bias && o < layer->sums; o++)
            call->dparameter[places.bias_hh][o] += net_sum(noted + o * layer->lanes, layer->lanes);
        if (layer->projects)
            add_outer(layer, call->dparameter[places.weight_hr],
                      noted + layer->dstate * layer->lanes, noted + layer->shown * layer->lanes,
                      layer->state, layer->hidden);
    }
}

static void backward_parameters(const NetCall *call, Layer layer)
{
    for (int direction = 0; direction < layer.directions; direction++)
        parameter_gradients(call, &layer, direction);
}

NET_STAGE(recurrence, forward, forward(call, layer_of(call)))
NET_STAGE(recurrence, backward_parameters, backward_parameters(call, layer_of(call)))
NET_STAGE(recurrence_from, forward, forward(call, layer_from(call)))
NET_STAGE(recurrence_from, backward_parameters, backward_parameters(call, layer_from(call)))

/* ------------------------------------------------------------ last state
 *
 *   x [steps, directions * n, lanes]   y [directions * n, lanes]
 */

/* Of value i of y, where it is in x: the second direction ends at the first step. */
static int64_t last_source(const NetCall *call, int64_t i)
{
    int64_t steps = call->x_shape[0].c, width = call->x_shape[0].w;
    int64_t state = width / (int64_t)net_attribute(call, "directions", 0);
    return i < state ? (steps - 1) * width + i : i;
}

void net_last_state_forward(const NetCall *call)
{
    net_move_forward(call, last_source);
}

void net_last_state_backward_input(const NetCall *call)
{
    net_move_backward(call, last_source);
}
