/* unitwise.c: what is asked of each unit of a parameter: that its gradient is small beside its
 * weights, and that its weights are within a bound.
 *
 *   clip adaptive=…      Brock et al. 2021, "High-Performance Large-Scale Image Recognition Without
 *                        Normalization", section 4; as timm's adaptive_clip_grad computes it
 *   group … max_norm=…   Srivastava et al. 2014, "Dropout", section 5.1; as torch.renorm computes it
 *
 * A unit is what makes one output: a row of the first axis of a parameter that has several, and all
 * of one that has one.  Its sum of squares is made by one thread in the order of its elements, so no
 * number of threads is in a result.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>

static const double LEAST_GRADIENT = 1e-6; /* timm divides by no less */
static const double RENORM_EPS = 1e-7;     /* torch.renorm adds it to the norm */

/* ------------------------------------------------------------- opening */

static int64_t rows_of(const NetParameter *parameter)
{
    return parameter->rank > 1 ? parameter->dim[0] : 1;
}

static bool is_moved(const NetParameter *parameter)
{
    return parameter->kind == NET_TRAINED && !parameter->frozen && parameter->elements > 0;
}

static void add_units(NetUnits *units, const NetParameter *parameter, const NetGroup *group)
{
    int64_t rows = rows_of(parameter), length = parameter->elements / rows;
    for (int64_t row = 0; row < rows; row++) {
        int64_t from = parameter->offset + row * length;
        units->items[units->count++] =
            (NetUnit){from, from + length, group->clips, group->max_norm};
    }
    units->bounded |= group->max_norm > 0;
}

bool net_units_open(NetOptimizer *optimizer, const NetModel *model, NetError *error)
{
    NetUnits *units = &optimizer->units;
    bool wanted = optimizer->clip.adaptive >= 0;
    int64_t count = 0;
    for (int i = 0; i < optimizer->group_count; i++)
        wanted |= optimizer->groups[i].max_norm > 0;
    for (int i = 0; wanted && i < model->parameter_count; i++)
        if (is_moved(&model->parameters[i]))
            count += rows_of(&model->parameters[i]);
    if (count == 0)
        return true;
    units->items = net_allocate((size_t)count, sizeof *units->items, error);
    units->factors = net_allocate((size_t)count, sizeof *units->factors, error);
    for (int i = 0; units->items && i < model->parameter_count; i++)
        if (is_moved(&model->parameters[i]))
            add_units(units, &model->parameters[i], &optimizer->groups[model->parameters[i].group]);
    return units->items && units->factors;
}

void net_units_close(NetOptimizer *optimizer)
{
    free(optimizer->units.items);
    free(optimizer->units.factors);
    optimizer->units = (NetUnits){0};
}

/* ----------------------------------------------------------- gradients */

static double norm_of(const real *values, const NetUnit *unit)
{
    double sum = 0;
    for (int64_t i = unit->from; i < unit->to; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

void net_units_measure(const NetOptimizer *optimizer, const real *weights, const real *gradient,
                       int64_t first, int64_t end)
{
    const NetClip *clip = &optimizer->clip;
    for (int64_t i = first; i < end; i++) {
        const NetUnit *unit = &optimizer->units.items[i];
        double norm = norm_of(gradient, unit),
               most = unit->clips ? clip->adaptive * fmax(norm_of(weights, unit), clip->eps)
                                  : INFINITY;
        optimizer->units.factors[i] = norm > most ? most / fmax(norm, LEAST_GRADIENT) : 1;
    }
}

void net_units_clip(const NetOptimizer *optimizer, real *gradient, int64_t from, int64_t to)
{
    const NetUnits *units = &optimizer->units;
    for (int64_t i = 0; i < units->count; i++) {
        const NetUnit *unit = &units->items[i];
        int64_t first = unit->from > from ? unit->from : from, end = unit->to < to ? unit->to : to;
        const real factor = (real)units->factors[i];
        for (int64_t at = first; factor != 1 && at < end; at++)
            gradient[at - from] *= factor;
    }
}

/* ------------------------------------------------------------- weights */

void net_units_bound(const NetOptimizer *optimizer, real *weights, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++) {
        const NetUnit *unit = &optimizer->units.items[i];
        double norm = unit->max_norm > 0 ? norm_of(weights, unit) : 0;
        const real factor = (real)(unit->max_norm / (norm + RENORM_EPS));
        for (int64_t at = unit->from; norm > unit->max_norm && at < unit->to; at++)
            weights[at] *= factor;
    }
}
