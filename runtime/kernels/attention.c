/* attention.c: scaled dot-product attention from its definition: all scores of a query, their
 * softmax, the weighted sum.
 *
 *   x [t, (heads + 2*kv_heads) * width, lanes]   y [t, heads * width, lanes]
 */
#include "kernels.h"

#include <math.h>

typedef struct Sizes {
    int64_t steps, heads, kv_heads, width, row;
    bool causal;
    real scale;
} Sizes;

static Sizes sizes_of(const NetCall *call)
{
    Sizes sizes = {.steps = call->x_shape[0].c,
                   .heads = (int64_t)net_attribute(call, "heads", 0),
                   .kv_heads = (int64_t)net_attribute(call, "kv_heads", 0),
                   .row = call->x_shape[0].w,
                   .causal = net_attribute(call, "causal", 0) != 0};
    double scale = net_attribute(call, "scale", 0);
    sizes.width = sizes.row / (sizes.heads + 2 * sizes.kv_heads);
    sizes.scale = (real)(scale != 0 ? scale : 1 / sqrt((double)sizes.width));
    return sizes;
}

/* One image's head of queries, and the keys and values it attends to. */
typedef struct Head {
    const NetCall *call;
    Sizes sizes;
    int64_t head;
    int lane;
} Head;

static int64_t x_at(const Head *head, int64_t t, int64_t first, int64_t c)
{
    return (t * head->sizes.row + first * head->sizes.width + c) * head->call->lanes + head->lane;
}

static int64_t query(const Head *head, int64_t t, int64_t c)
{
    return x_at(head, t, head->head, c);
}

static int64_t key(const Head *head, int64_t t, int64_t c)
{
    const Sizes *sizes = &head->sizes;
    return x_at(head, t, sizes->heads + head->head * sizes->kv_heads / sizes->heads, c);
}

static int64_t value(const Head *head, int64_t t, int64_t c)
{
    return key(head, t, head->sizes.kv_heads * head->sizes.width + c);
}

static int64_t y_at(const Head *head, int64_t t, int64_t c)
{
    const Sizes *sizes = &head->sizes;
    return (t * sizes->heads * sizes->width + head->head * sizes->width + c) * head->call->lanes
           + head->lane;
}

/* How many steps query t sees. */
static int64_t seen(const Head *head, int64_t t)
{
    return head->sizes.causal ? t + 1 : head->sizes.steps;
}

/* Of query t and key j, scaled. */
static real score(const Head *head, int64_t t, int64_t j)
{
    const real *x = head->call->x[0];
    real sum = 0;
    for (int64_t c = 0; c < head->sizes.width; c++)
        sum += x[query(head, t, c)] * x[key(head, j, c)];
    return sum * head->sizes.scale;
}

/* The largest of query t's scores, and the sum of the exponentials less it. */
typedef struct Total {
    real largest, sum;
} Total;

static Total total_of(const Head *head, int64_t t)
{
    Total total = {score(head, t, 0), 0};
    for (int64_t j = 1; j < seen(head, t); j++) {
        real here = score(head, t, j);
        total.largest = here > total.largest ? here : total.largest;
    }
    for (int64_t j = 0; j < seen(head, t); j++)
        total.sum += (real)exp(score(head, t, j) - total.largest);
    return total;
}

static real weight(const Head *head, Total total, int64_t t, int64_t j)
{
    return (real)exp(score(head, t, j) - total.largest) / total.sum;
}

static void give_output(const Head *head, int64_t t)
{
    const NetCall *call = head->call;
    const Total total = total_of(head, t);
    for (int64_t c = 0; c < head->sizes.width; c++)
        call->y[y_at(head, t, c)] = 0;
    for (int64_t j = 0; j < seen(head, t); j++) {
        real share = weight(head, total, t, j);
        for (int64_t c = 0; c < head->sizes.width; c++)
            call->y[y_at(head, t, c)] += share * call->x[0][value(head, j, c)];
    }
}

/* The gradient of query t's weight of key j. */
static real weight_gradient(const Head *head, int64_t t, int64_t j)
{
    const NetCall *call = head->call;
    real sum = 0;
    for (int64_t c = 0; c < head->sizes.width; c++)
        sum += call->dy[y_at(head, t, c)] * call->x[0][value(head, j, c)];
    return sum;
}

static void give_gradients(const Head *head, int64_t t)
{
    const NetCall *call = head->call;
    const Total total = total_of(head, t);
    real mean = 0;
    for (int64_t j = 0; j < seen(head, t); j++)
        mean += weight(head, total, t, j) * weight_gradient(head, t, j);
    for (int64_t j = 0; j < seen(head, t); j++) {
        real share = weight(head, total, t, j);
        real change = share * (weight_gradient(head, t, j) - mean) * head->sizes.scale;
        for (int64_t c = 0; c < head->sizes.width; c++) {
            call->dx[query(head, t, c)] += change * call->x[0][key(head, j, c)];
            call->dx[key(head, j, c)] += change * call->x[0][query(head, t, c)];
            call->dx[value(head, j, c)] += share * call->dy[y_at(head, t, c)];
        }
    }
}

/* Of each query of each head of each image. */
static void each_query(const NetCall *call, void (*work)(const Head *head, int64_t t))
{
    Head head = {.call = call, .sizes = sizes_of(call)};
    for (head.head = 0; head.head < head.sizes.heads; head.head++)
        for (head.lane = 0; head.lane < call->lanes; head.lane++)
            for (int64_t t = 0; t < head.sizes.steps; t++)
                work(&head, t);
}

void net_attention_forward(const NetCall *call)
{
    each_query(call, give_output);
}

void net_attention_backward_input(const NetCall *call)
{
    net_start_gradient(call);
    each_query(call, give_gradients);
}
