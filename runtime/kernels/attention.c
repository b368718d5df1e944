/* attention.c: scaled dot-product attention from its definition: all scores of a query, their
 * softmax, the weighted sum.
 *
 *   queries [windows, t, heads * width]   keys [windows, s, kv_heads * width]
 *   values [windows, s, kv_heads * value_width]   y [windows, t, heads * value_width]
 *
 * each value in all lanes.  They are three inputs, or parts of each step of one; masks follow.
 * Whether dropout drops a weight follows from the seed, the step, the layer, the image and the
 * weight's position, as in dropout.c.
 */
#include "kernels.h"

#include <math.h>
#include <string.h>

enum { QUERIES, KEYS, VALUES, SIDES };

/* Where queries, keys or values are: in an input, from a feature of each step on. */
typedef struct Side {
    int input;
    int64_t first, row, width;
} Side;

/* One image's head of queries in one window. */
typedef struct Head {
    const NetCall *call;
    int64_t windows, steps, keys, heads, kv_heads, reach;
    bool causal;
    double dropout;
    real scale;
    Side side[SIDES];
    int masks, first_mask;
    real *gradient[NET_MAX_PARAMETERS + SIDES]; /* by input; NULL: nobody wants it */
    int64_t window, head;
    int lane;
} Head;

/* Of an axis counted from the last, 1; 1 where there is none. */
static int64_t from_last(NetShape shape, int back)
{
    return shape.rank >= back ? net_shape_dim(shape, shape.rank - back) : 1;
}

static void find_sides(Head *head)
{
    const NetShape *shape = head->call->x_shape;
    int64_t row = from_last(shape[0], 1);
    if (head->first_mask == SIDES) {
        for (int i = 0; i < SIDES; i++) {
            int64_t own = from_last(shape[i], 1);
            head->side[i] = (Side){i, 0, own, own / (i ? head->kv_heads : head->heads)};
        }
        return;
    }
    int64_t width = row / (head->heads + 2 * head->kv_heads);
    for (int i = 0; i < SIDES; i++)
        head->side[i] =
            (Side){0, (i ? head->heads + (i - 1) * head->kv_heads : 0) * width, row, width};
}

static Head head_of(const NetCall *call)
{
    double scale = net_attribute(call, "scale", 0);
    Head head = {.call = call,
                 .windows = from_last(call->x_shape[0], 3),
                 .steps = from_last(call->x_shape[0], 2),
                 .heads = (int64_t)net_attribute(call, "heads", 0),
                 .kv_heads = (int64_t)net_attribute(call, "kv_heads", 0),
                 .reach = (int64_t)net_attribute(call, "window", 0),
                 .causal = net_attribute(call, "causal", 0) != 0,
                 .dropout = call->training ? net_attribute(call, "dropout", 0) : 0,
                 .masks = net_attribute_count(call, "mask")};
    head.first_mask = call->inputs - head.masks;
    find_sides(&head);
    head.keys = from_last(call->x_shape[head.side[KEYS].input], 2);
    head.scale = (real)(scale != 0 ? scale : 1 / sqrt((double)head.side[QUERIES].width));
    return head;
}

/* ---------------------------------------------------------------- places */

static int64_t place(const Head *head, int which, int64_t t, int64_t c)
{
    const Side *side = &head->side[which];
    int64_t own = which ? head->head * head->kv_heads / head->heads : head->head,
            steps = which ? head->keys : head->steps;
    return ((head->window * steps + t) * side->row + side->first + own * side->width + c)
               * head->call->lanes
           + head->lane;
}

static real value(const Head *head, int which, int64_t t, int64_t c)
{
    return head->call->x[head->side[which].input][place(head, which, t, c)];
}

static void add_gradient(const Head *head, int which, int64_t t, int64_t c, real change)
{
    real *gradient = head->gradient[head->side[which].input];
    if (gradient)
        gradient[place(head, which, t, c)] += change;
}

/* An axis of 1 is repeated. */
static int64_t mask_place(const Head *head, int mask, int64_t t, int64_t j)
{
    const int64_t at[] = {head->window, head->head, t, j};
    NetShape shape = head->call->x_shape[head->first_mask + mask];
    int64_t place = 0;
    for (int axis = 0; axis < 4; axis++) {
        int64_t size = from_last(shape, 4 - axis);
        place = place * size + (size > 1 ? at[axis] : 0);
    }
    return place * head->call->lanes + head->lane;
}

static int64_t y_at(const Head *head, int64_t t, int64_t c)
{
    int64_t width = head->side[VALUES].width;
    return ((head->window * head->steps + t) * head->heads * width + head->head * width + c)
               * head->call->lanes
           + head->lane;
}

static bool sees(const Head *head, int64_t t, int64_t j)
{
    if (head->causal && j > t)
        return false;
    return head->reach == 0 || (j - t < head->reach && t - j < head->reach);
}

/* --------------------------------------------------------------- weights */

/* Of query t and key j, scaled and masked. */
static real score(const Head *head, int64_t t, int64_t j)
{
    real sum = 0;
    for (int64_t c = 0; c < head->side[QUERIES].width; c++)
        sum += value(head, QUERIES, t, c) * value(head, KEYS, j, c);
    sum *= head->scale;
    for (int i = 0; i < head->masks; i++)
        sum += head->call->x[head->first_mask + i][mask_place(head, i, t, j)];
    return sum;
}

/* The largest of query t's scores, and the sum of the exponentials less it. */
typedef struct Total {
    real largest, sum;
} Total;

static Total total_of(const Head *head, int64_t t)
{
    Total total = {-(real)INFINITY, 0};
    for (int64_t j = 0; j < head->keys; j++)
        if (sees(head, t, j))
            total.largest = (real)fmax(score(head, t, j), total.largest);
    for (int64_t j = 0; j < head->keys; j++)
        if (sees(head, t, j))
            total.sum += (real)exp(score(head, t, j) - total.largest);
    return total;
}

static real weight(const Head *head, Total total, int64_t t, int64_t j)
{
    return (real)exp(score(head, t, j) - total.largest) / total.sum;
}

/* What dropout multiplies the weight by. */
static real kept(const Head *head, int64_t t, int64_t j)
{
    const NetCall *call = head->call;
    uint64_t image = (uint64_t)(call->grain * call->lanes + head->lane);
    uint64_t index = image * (uint64_t)head->windows + (uint64_t)head->window;
    if (head->dropout == 0)
        return 1;
    index = index * (uint64_t)head->heads + (uint64_t)head->head;
    index = index * (uint64_t)head->steps + (uint64_t)t;
    index = index * (uint64_t)head->keys + (uint64_t)j;
    bool drops = net_random(call->step->seed, call->step->step, call->salt, index) < head->dropout;
    return drops || head->dropout == 1 ? 0 : (real)(1 / (1 - head->dropout));
}

/* --------------------------------------------------------------- kernels */

static void give_output(const Head *head, int64_t t)
{
    const NetCall *call = head->call;
    const Total total = total_of(head, t);
    for (int64_t c = 0; c < head->side[VALUES].width; c++)
        call->y[y_at(head, t, c)] = 0;
    for (int64_t j = 0; j < head->keys; j++) {
        if (!sees(head, t, j))
            continue;
        real share = weight(head, total, t, j) * kept(head, t, j);
        for (int64_t c = 0; c < head->side[VALUES].width; c++)
            call->y[y_at(head, t, c)] += share * value(head, VALUES, j, c);
    }
}

/* The gradient of query t's weight of key j. */
static real weight_gradient(const Head *head, int64_t t, int64_t j)
{
    real sum = 0;
    for (int64_t c = 0; c < head->side[VALUES].width; c++)
        sum += head->call->dy[y_at(head, t, c)] * value(head, VALUES, j, c);
    return sum * kept(head, t, j);
}

/* Of one score, whose gradient is `change`. */
static void give_score_gradient(const Head *head, int64_t t, int64_t j, real change)
{
    for (int64_t c = 0; c < head->side[QUERIES].width; c++) {
        add_gradient(head, QUERIES, t, c, change * head->scale * value(head, KEYS, j, c));
        add_gradient(head, KEYS, j, c, change * head->scale * value(head, QUERIES, t, c));
    }
    for (int i = 0; i < head->masks; i++)
        if (head->gradient[head->first_mask + i])
            head->gradient[head->first_mask + i][mask_place(head, i, t, j)] += change;
}

static void give_gradients(const Head *head, int64_t t)
{
    const Total total = total_of(head, t);
    real mean = 0;
    for (int64_t j = 0; j < head->keys; j++)
        if (sees(head, t, j))
            mean += weight(head, total, t, j) * weight_gradient(head, t, j);
    for (int64_t j = 0; j < head->keys; j++) {
        if (!sees(head, t, j))
            continue;
        real share = weight(head, total, t, j);
        give_score_gradient(head, t, j, share * (weight_gradient(head, t, j) - mean));
        for (int64_t c = 0; c < head->side[VALUES].width; c++)
            add_gradient(head, VALUES, j, c,
                         share * kept(head, t, j) * head->call->dy[y_at(head, t, c)]);
    }
}

/* Of each query of each head of each image. */
static void each_query(Head head, void (*work)(const Head *head, int64_t t))
{
    for (head.window = 0; head.window < head.windows; head.window++)
        for (head.head = 0; head.head < head.heads; head.head++)
            for (head.lane = 0; head.lane < head.call->lanes; head.lane++)
                for (int64_t t = 0; t < head.steps; t++)
                    work(&head, t);
}

void net_attention_forward(const NetCall *call)
{
    each_query(head_of(call), give_output);
}

/* All inputs' gradients that are wanted, or that of x[which] alone. */
void net_attention_backward_input(const NetCall *call)
{
    Head head = head_of(call);
    for (int i = 0; i < call->inputs; i++) {
        int64_t values = net_shape_elements(call->x_shape[i]) * call->lanes;
        bool wanted = call->dx_at ? call->dx_at[i] >= 0 : i == call->which;
        head.gradient[i] =
            wanted ? call->dx + (call->dx_at ? call->dx_at[i] * call->lanes : 0) : NULL;
        if (wanted && !call->accumulate)
            memset(head.gradient[i], 0, (size_t)values * sizeof(real));
    }
    each_query(head, give_gradients);
}
