/* optimizer.h: what the files of the optimizers share.
 *
 *   optimizers.c   groups, stretches, state, a step; sgd
 *   elementwise.c  those that move a weight by its own gradient and state alone
 *   layerwise.c    those that look at all of a layer's: lars, lamb, muon
 */
#ifndef OPTIMIZER_H
#define OPTIMIZER_H

#include "runtime.h"

/* Some of a stretch.  state[slot] NULL: not used with these rates. */
typedef struct Part {
    real *weight;
    const real *gradient;
    real *state[NET_MAX_SLOTS];
    real *direction; /* where a layerwise optimizer has what it moves along; else NULL */
    int64_t count;
    const NetMoved *layer; /* a layerwise optimizer's; else NULL */
    double scale;          /* what the layer's rate is multiplied by */
} Part;

struct NetOptimizerKind {
    const char *name;
    const char *slots[NET_MAX_SLOTS]; /* their names in PyTorch */
    bool (*uses)(const NetRates *rates, int slot);
    void (*update)(const NetRates *rates, const Part *part);
    double *(*momentum)(NetRates *rates); /* what a schedule's momentum sets; NULL: there is none */
    double (*begins)(const NetRates *rates, int slot); /* a state's first value; NULL: 0 */
    /* Of a layerwise one, before the layers are measured: leaves the direction. */
    void (*direct)(const NetRates *rates, const Part *part);
    double (*scale)(const NetRates *rates, const NetMoved *layer, double weight, double direction);
    bool layerwise, orthogonalises;
};

static inline real net_root(real x)
{
    return sizeof(real) == sizeof(float) ? (real)__builtin_sqrtf((float)x)
                                         : (real)__builtin_sqrt((double)x);
}

/* elementwise.c: each is in its table; NULL: there are no more. */
const NetOptimizerKind *net_elementwise(int i);
/* layerwise.c: likewise. */
const NetOptimizerKind *net_layerwise(int i);
bool net_layers_open(NetOptimizer *optimizer, const NetModel *model, NetError *error);
void net_layers_close(NetOptimizer *optimizer);
/* What the layer's rate is multiplied by; its norms were measured. */
double net_layer_scale(const NetOptimizer *optimizer, const NetRates *rates, const NetMoved *layer);

double *net_momentum_of(NetRates *rates);
double *net_beta1_of(NetRates *rates);

#endif
