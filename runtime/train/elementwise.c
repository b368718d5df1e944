/* elementwise.c: optimizers that move a weight by its own gradient and state alone.
 *
 * Each is in the order of operations of PyTorch's single-tensor code, by its names and for its
 * arguments; lion, which PyTorch has not, is by its paper.
 */
#include "train/optimizer.h"

/* gcc does not fuse under -std=c11, and does not know the pragma. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#include <math.h>

/* ---------------------------------------------------- adam and adamw */

static bool adam_uses(const NetRates *rates, int slot)
{
    return slot < 2 || rates->amsgrad;
}

/* torch.optim.Adam (Kingma and Ba 2015, algorithm 1; the two corrections are
 * folded into the step size and the denominator) with the largest second moment
 * so far where amsgrad asks for it (Reddi et al. 2018). */
static NET_EACH_WIDTH void adam_moments(const NetRates *rates, const Part *part, real decay,
                                        real shrink)
{
    const double correction1 = 1 - pow(rates->beta1, (double)rates->updates);
    const double correction2 = 1 - pow(rates->beta2, (double)rates->updates);
    const real step = (real)(rates->lr / correction1), scale = (real)sqrt(correction2);
    const real beta2 = (real)rates->beta2, eps = (real)rates->eps;
    const real rest1 = (real)(1 - rates->beta1), rest2 = (real)(1 - rates->beta2);
    real *restrict weight = part->weight, *restrict mean = part->state[0],
                   *restrict square = part->state[1];
    real *restrict max = part->state[2];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        mean[i] += rest1 * (g - mean[i]);
        square[i] = beta2 * square[i] + rest2 * g * g;
        if (max)
            max[i] = square[i] > max[i] ? square[i] : max[i];
        weight[i] = weight[i] * shrink
                    - step * mean[i] / (net_root(max ? max[i] : square[i]) / scale + eps);
    }
}

/* Weight decay as L2: part of the gradient. */
static void adam_update(const NetRates *rates, const Part *part)
{
    adam_moments(rates, part, (real)rates->weight_decay, 1);
}

/* Weight decay apart from the gradient (Loshchilov and Hutter 2019, algorithm 2). */
static void adamw_update(const NetRates *rates, const Part *part)
{
    adam_moments(rates, part, 0, (real)(1 - rates->lr * rates->weight_decay));
}

static bool uses_two(const NetRates *rates, int slot)
{
    (void)rates;
    return slot < 2;
}

static bool uses_one(const NetRates *rates, int slot)
{
    (void)rates;
    return slot == 0;
}

/* Weight decay as part of the gradient, or apart from it. */
static real decay_of(const NetRates *rates)
{
    return rates->decoupled ? 0 : (real)rates->weight_decay;
}

static real shrink_of(const NetRates *rates)
{
    return rates->decoupled ? (real)(1 - rates->lr * rates->weight_decay) : 1;
}

/* --------------------------------------------------------------- nadam */

/* torch.optim.NAdam (Dozat 2016): the momentum of the next step in this one's move. */
static NET_EACH_WIDTH void nadam_update(const NetRates *rates, const Part *part)
{
    const real decay = decay_of(rates), shrink = shrink_of(rates), eps = (real)rates->eps;
    const real rest1 = (real)(1 - rates->beta1), beta2 = (real)rates->beta2,
               rest2 = (real)(1 - rates->beta2);
    const real correction2 = (real)(1 - pow(rates->beta2, (double)rates->updates));
    const real now = (real)(rates->lr * (1 - rates->mu) / (1 - rates->mu_product));
    const real next = (real)(rates->lr * rates->mu_next / (1 - rates->mu_product * rates->mu_next));
    real *restrict weight = part->weight, *restrict mean = part->state[0],
                   *restrict square = part->state[1];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        mean[i] += rest1 * (g - mean[i]);
        square[i] = beta2 * square[i] + rest2 * g * g;
        real size = net_root(square[i] / correction2) + eps;
        weight[i] = weight[i] * shrink - now * g / size - next * mean[i] / size;
    }
}

/* --------------------------------------------------------------- radam */

/* torch.optim.RAdam (Liu et al. 2020, algorithm 2): while the second moment is of few gradients,
 * it is not divided by. */
static NET_EACH_WIDTH void radam_update(const NetRates *rates, const Part *part)
{
    const double t = (double)rates->updates, power = pow(rates->beta2, t),
                 correction1 = 1 - pow(rates->beta1, t), correction2 = 1 - power,
                 last = 2 / (1 - rates->beta2) - 1, length = last - 2 * t * power / correction2;
    const bool adapts = length > 5;
    const double rectified =
        adapts ? sqrt((length - 4) * (length - 2) * last / ((last - 4) * (last - 2) * length)) : 1;
    const real decay = decay_of(rates), shrink = shrink_of(rates), eps = (real)rates->eps;
    const real rest1 = (real)(1 - rates->beta1), beta2 = (real)rates->beta2,
               rest2 = (real)(1 - rates->beta2), root2 = (real)sqrt(correction2);
    const real step = (real)(rates->lr * rectified / correction1);
    real *restrict weight = part->weight, *restrict mean = part->state[0],
                   *restrict square = part->state[1];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        mean[i] += rest1 * (g - mean[i]);
        square[i] = beta2 * square[i] + rest2 * g * g;
        real over = adapts ? root2 / (net_root(square[i]) + eps) : 1;
        weight[i] = weight[i] * shrink - step * mean[i] * over;
    }
}

/* -------------------------------------------------------------- adamax */

/* torch.optim.Adamax (Kingma and Ba 2015, algorithm 2): by the largest gradient, which decays. */
static NET_EACH_WIDTH void adamax_update(const NetRates *rates, const Part *part)
{
    const real decay = (real)rates->weight_decay, eps = (real)rates->eps;
    const real rest1 = (real)(1 - rates->beta1), beta2 = (real)rates->beta2;
    const real step = (real)(rates->lr / (1 - pow(rates->beta1, (double)rates->updates)));
    real *restrict weight = part->weight, *restrict mean = part->state[0],
                   *restrict largest = part->state[1];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        mean[i] += rest1 * (g - mean[i]);
        real size = (g < 0 ? -g : g) + eps, before = beta2 * largest[i];
        largest[i] = before > size ? before : size;
        weight[i] -= step * mean[i] / largest[i];
    }
}

/* ------------------------------------------------------------- rmsprop */

static bool rmsprop_uses(const NetRates *rates, int slot)
{
    return slot == 0 || (slot == 1 ? rates->momentum > 0 : rates->centered);
}

static double first_square(const NetRates *rates, int slot)
{
    return slot == 0 ? rates->initial : 0;
}

/* torch.optim.RMSprop (Hinton 2012, lecture 6e; centered: Graves 2013, eq. 38).  TensorFlow adds
 * eps before the root is taken, has the rate in the velocity, and begins with squares of 1. */
static NET_EACH_WIDTH void rmsprop_update(const NetRates *rates, const Part *part)
{
    const real decay = (real)rates->weight_decay, alpha = (real)rates->alpha,
               rest = (real)(1 - rates->alpha), momentum = (real)rates->momentum;
    const real inside = rates->eps_inside ? (real)rates->eps : 0,
               outside = rates->eps_inside ? 0 : (real)rates->eps;
    const bool early = rates->lr_in_momentum;
    const real first = early ? (real)rates->lr : 1, last = early ? 1 : (real)rates->lr;
    real *restrict weight = part->weight, *restrict square = part->state[0];
    real *restrict velocity = part->state[1], *restrict mean = part->state[2];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        square[i] = alpha * square[i] + rest * g * g;
        if (mean)
            mean[i] += rest * (g - mean[i]);
        real size = net_root((mean ? square[i] - mean[i] * mean[i] : square[i]) + inside) + outside;
        real move = first * g / size;
        if (velocity)
            move = velocity[i] = momentum * velocity[i] + move;
        weight[i] -= last * move;
    }
}

/* ------------------------------------------------- adagrad and adadelta */

/* torch.optim.Adagrad (Duchi, Hazan and Singer 2011). */
static NET_EACH_WIDTH void adagrad_update(const NetRates *rates, const Part *part)
{
    const real decay = (real)rates->weight_decay, eps = (real)rates->eps;
    const real lr = (real)(rates->lr / (1 + (double)(rates->updates - 1) * rates->lr_decay));
    real *restrict weight = part->weight, *restrict sum = part->state[0];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        sum[i] += g * g;
        weight[i] -= lr * g / (net_root(sum[i]) + eps);
    }
}

/* torch.optim.Adadelta (Zeiler 2012, algorithm 1). */
static NET_EACH_WIDTH void adadelta_update(const NetRates *rates, const Part *part)
{
    const real lr = (real)rates->lr, decay = (real)rates->weight_decay, eps = (real)rates->eps;
    const real rho = (real)rates->rho, rest = (real)(1 - rates->rho);
    real *restrict weight = part->weight, *restrict square = part->state[0],
                   *restrict moves = part->state[1];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i] + decay * weight[i];
        square[i] = rho * square[i] + rest * g * g;
        real move = net_root(moves[i] + eps) / net_root(square[i] + eps) * g;
        moves[i] = rho * moves[i] + rest * move * move;
        weight[i] -= lr * move;
    }
}

/* ---------------------------------------------------------------- lion */

/* Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2. */
static NET_EACH_WIDTH void lion_update(const NetRates *rates, const Part *part)
{
    const real lr = (real)rates->lr, decay = (real)rates->weight_decay;
    const real beta1 = (real)rates->beta1, rest1 = (real)(1 - rates->beta1);
    const real beta2 = (real)rates->beta2, rest2 = (real)(1 - rates->beta2);
    real *restrict weight = part->weight, *restrict mean = part->state[0];
    for (int64_t i = 0; i < part->count; i++) {
        real g = part->gradient[i], between = beta1 * mean[i] + rest1 * g;
        real sign = between > 0 ? 1 : between < 0 ? -1 : between; /* a NaN stays one */
        weight[i] -= lr * (sign + decay * weight[i]);
        mean[i] = beta2 * mean[i] + rest2 * g;
    }
}

/* --------------------------------------------------------------- table */

static const NetOptimizerKind kinds[] = {
    {.name = "adam",
     .slots = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
     .uses = adam_uses,
     .update = adam_update,
     .momentum = net_beta1_of},
    {.name = "adamw",
     .slots = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
     .uses = adam_uses,
     .update = adamw_update,
     .momentum = net_beta1_of},
    {.name = "nadam",
     .slots = {"exp_avg", "exp_avg_sq"},
     .uses = uses_two,
     .update = nadam_update,
     .momentum = net_beta1_of},
    {.name = "radam",
     .slots = {"exp_avg", "exp_avg_sq"},
     .uses = uses_two,
     .update = radam_update,
     .momentum = net_beta1_of},
    {.name = "adamax",
     .slots = {"exp_avg", "exp_inf"},
     .uses = uses_two,
     .update = adamax_update,
     .momentum = net_beta1_of},
    {.name = "rmsprop",
     .slots = {"square_avg", "momentum_buffer", "grad_avg"},
     .uses = rmsprop_uses,
     .update = rmsprop_update,
     .momentum = net_momentum_of,
     .begins = first_square},
    {.name = "adagrad",
     .slots = {"sum"},
     .uses = uses_one,
     .update = adagrad_update,
     .begins = first_square},
    {.name = "adadelta",
     .slots = {"square_avg", "acc_delta"},
     .uses = uses_two,
     .update = adadelta_update},
    {.name = "lion",
     .slots = {"exp_avg"},
     .uses = uses_one,
     .update = lion_update,
     .momentum = net_beta1_of},
};

const NetOptimizerKind *net_elementwise(int i)
{
    return i < (int)(sizeof kinds / sizeof *kinds) ? &kinds[i] : NULL;
}
