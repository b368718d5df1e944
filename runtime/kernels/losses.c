/* losses.c: losses of numbers, x [shape, lanes] against a target of that shape: an error for each
 * value, of which the mean over values and images is the loss, or with reduction=sum the sum over
 * both.  And those of embeddings, whole vectors, one for each example.  PyTorch's formulas; lanes
 * without an image give exactly 0.
 */
#include "kernels.h"

#include <math.h>

/* A value's error, and its slope in x. */
typedef struct Error {
    double value, slope;
} Error;
typedef Error FindError(const NetCall *call, int64_t element, double x, double t);

static bool is_reduction(const NetCall *call, char first)
{
    const char *word = net_attribute_word(call, "reduction");
    return word && word[0] == first;
}

/* What an image's sum is multiplied by: the mean over images is taken of what that gives. */
static double share_of(const NetCall *call)
{
    if (is_reduction(call, 's'))
        return (double)call->step->images;
    return is_reduction(call, 'b') ? 1 : 1 / (double)net_shape_elements(call->x_shape[0]);
}

static Error error_at(const NetCall *call, FindError *find, int64_t k, int lane)
{
    int64_t at = k * call->lanes + lane;
    return find(call, k, (double)call->x[0][at], (double)((const real *)call->target)[at]);
}

static void sum_errors(const NetCall *call, FindError *find)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        double sum = 0;
        for (int64_t k = 0; call->active[lane] != 0 && k < net_shape_elements(call->x_shape[0]);
             k++)
            sum += error_at(call, find, k, lane).value;
        give_loss(call, call->grain * call->lanes + lane, (real)(sum * share_of(call)));
    }
}

static void give_slopes(const NetCall *call, FindError *find)
{
    double share = call->loss_weight * share_of(call) / (double)call->step->images;
    for (int64_t k = 0; k < net_shape_elements(call->x_shape[0]); k++)
        for (int lane = 0; lane < call->lanes; lane++)
            give_gradient(
                call, k * call->lanes + lane,
                call->active[lane] != 0 ? (real)(share * error_at(call, find, k, lane).slope) : 0);
}

#define LOSS(name, find)                             \
    NET_STAGE(name, forward, sum_errors(call, find)) \
    NET_STAGE(name, backward_input, give_slopes(call, find))

static double sign_of(double x)
{
    return (x > 0) - (x < 0);
}

static Error squared(const NetCall *call, int64_t k, double x, double t)
{
    (void)call;
    (void)k;
    return (Error){(x - t) * (x - t), 2 * (x - t)};
}

static Error absolute(const NetCall *call, int64_t k, double x, double t)
{
    (void)call;
    (void)k;
    return (Error){fabs(x - t), sign_of(x - t)};
}

static Error huber(const NetCall *call, int64_t k, double x, double t)
{
    double delta = net_attribute(call, "delta", 0), d = x - t;
    (void)k;
    if (fabs(d) <= delta)
        return (Error){d * d / 2, d};
    return (Error){delta * (fabs(d) - delta / 2), delta * sign_of(d)};
}

static Error smooth(const NetCall *call, int64_t k, double x, double t)
{
    double beta = net_attribute(call, "beta", 0), d = x - t;
    (void)k;
    if (fabs(d) < beta)
        return (Error){d * d / (2 * beta), d / beta};
    return (Error){fabs(d) - beta / 2, sign_of(d)};
}

/* One for all values, or one for each class. */
static double positive_weight(const NetCall *call, int64_t k)
{
    const double *weights = net_attribute_values(call, "pos_weight");
    int count = net_attribute_count(call, "pos_weight");
    NetShape shape = call->x_shape[0];
    if (!weights)
        return 1;
    if (count == 1)
        return weights[0];
    return weights[shape.rank == 2 ? k % count : k / (net_shape_elements(shape) / count)];
}

static Error yes_or_no(const NetCall *call, int64_t k, double x, double t)
{
    double positive = positive_weight(call, k), sigmoid = 1 / (1 + exp(-x));
    double of_yes = (x > 0 ? 0 : -x) + log1p(exp(-fabs(x))), of_no = of_yes + x;
    return (Error){positive * t * of_yes + (1 - t) * of_no,
                   positive * t * (sigmoid - 1) + (1 - t) * sigmoid};
}

static Error divergence(const NetCall *call, int64_t k, double x, double t)
{
    (void)k;
    if (net_attribute(call, "log_target", 0) != 0)
        return (Error){exp(t) * (t - x), -exp(t)};
    return (Error){t > 0 ? t * (log(t) - x) : 0, t > 0 ? -t : 0};
}

static Error hinge_of_distance(const NetCall *call, int64_t k, double x, double t)
{
    double margin = net_attribute(call, "margin", 0);
    (void)k;
    if (t > 0)
        return (Error){x, 1};
    return x < margin ? (Error){margin - x, -1} : (Error){0, 0};
}

LOSS(mse, squared)
LOSS(l1, absolute)
LOSS(huber, huber)
LOSS(smooth_l1, smooth)
LOSS(bce_with_logits, yes_or_no)
LOSS(kl_div, divergence)
LOSS(hinge_embedding, hinge_of_distance)

/* ------------------------------------------------------------ embeddings
 * Each is a function of two or three vectors; its gradient is that of the one that is asked for. */

typedef struct Vectors {
    const NetCall *call;
    int lane;
    int64_t count;
} Vectors;

/* Of vector i; beyond the inputs: of the target. */
static double element(const Vectors *v, int i, int64_t k)
{
    const real *values = i < v->call->inputs ? v->call->x[i] : v->call->target;
    return (double)values[k * v->call->lanes + v->lane];
}

static double label(const Vectors *v)
{
    return (double)((const real *)v->call->target)[v->lane];
}

/* What the loss is, and for `which` its gradient at k. */
typedef Error FindLoss(const Vectors *v, int which, int64_t k);

static void each_loss(const NetCall *call, FindLoss *find)
{
    for (int lane = 0; lane < call->lanes; lane++) {
        const Vectors v = {call, lane, net_shape_elements(call->x_shape[0])};
        give_loss(call, call->grain * call->lanes + lane,
                  call->active[lane] != 0 ? (real)find(&v, 0, 0).value : 0);
    }
}

static void each_gradient(const NetCall *call, FindLoss *find)
{
    double share = call->loss_weight / (double)call->step->images;
    for (int lane = 0; lane < call->lanes; lane++) {
        const Vectors v = {call, lane, net_shape_elements(call->x_shape[0])};
        for (int64_t k = 0; k < v.count; k++)
            give_gradient(call, k * call->lanes + lane,
                          call->active[lane] != 0 ? (real)(share * find(&v, call->which, k).slope)
                                                  : 0);
    }
}

#define EMBEDDING(name, find)                       \
    NET_STAGE(name, forward, each_loss(call, find)) \
    NET_STAGE(name, backward_input, each_gradient(call, find))

static double product(const Vectors *v, int a, int b)
{
    double sum = 0;
    for (int64_t k = 0; k < v->count; k++)
        sum += element(v, a, k) * element(v, b, k);
    return sum;
}

static Error cosine(const Vectors *v, int which, int64_t k)
{
    const double small = 1e-12;
    bool pair = v->call->inputs == 2, near = !pair || label(v) > 0;
    double ab = product(v, 0, 1), aa = product(v, 0, 0) + small, bb = product(v, 1, 1) + small;
    double cosine = ab / sqrt(aa * bb), margin = net_attribute(v->call, "margin", 0);
    double own = which == 0 ? aa : bb;
    double slope = element(v, 1 - which, k) / sqrt(aa * bb) - cosine * element(v, which, k) / own;
    if (near)
        return (Error){1 - cosine, -slope};
    return cosine > margin ? (Error){cosine - margin, slope} : (Error){0, 0};
}

/* |a - b + eps|_p, and its slope in a's k-th value. */
static Error apart(const Vectors *v, int a, int b, int64_t k)
{
    double p = net_attribute(v->call, "p", 0), eps = net_attribute(v->call, "eps", 0), sum = 0;
    for (int64_t i = 0; i < v->count; i++)
        sum += pow(fabs(element(v, a, i) - element(v, b, i) + eps), p);
    double distance = pow(sum, 1 / p), d = element(v, a, k) - element(v, b, k) + eps;
    double slope = distance > 0 ? pow(fabs(d) / distance, p - 1) * sign_of(d) : 0;
    return (Error){distance, slope};
}

/* The slope in `which` of the distance of a and b. */
static double slope_in(Error apart, int which, int a, int b)
{
    return which == a ? apart.slope : which == b ? -apart.slope : 0;
}

static Error triplet(const Vectors *v, int which, int64_t k)
{
    double margin = net_attribute(v->call, "margin", 0);
    Error near = apart(v, 0, 1, k), far = apart(v, 0, 2, k), other = apart(v, 1, 2, k);
    bool swap = net_attribute(v->call, "swap", 0) != 0 && other.value < far.value;
    double lacks = near.value - (swap ? other.value : far.value) + margin;
    double slope = slope_in(near, which, 0, 1)
                   - (swap ? slope_in(other, which, 1, 2) : slope_in(far, which, 0, 2));
    return lacks > 0 ? (Error){lacks, slope} : (Error){0, 0};
}

static Error contrastive(const Vectors *v, int which, int64_t k)
{
    double whole = 0, margin = net_attribute(v->call, "margin", 0), t = label(v);
    for (int64_t i = 0; i < v->count; i++)
        whole += pow(element(v, 0, i) - element(v, 1, i), 2);
    double d = element(v, which, k) - element(v, 1 - which, k), distance = sqrt(whole + 1e-12),
           lacks = margin > distance ? margin - distance : 0;
    return (Error){t * whole + (1 - t) * lacks * lacks,
                   2 * t * d - 2 * (1 - t) * lacks * d / distance};
}

EMBEDDING(cosine, cosine)
EMBEDDING(triplet, triplet)
EMBEDDING(contrastive, contrastive)
