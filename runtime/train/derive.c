/* derive.c: weights that are made of what is learned, and the gradients of what they are made of.
 *
 *   weight norm       w = magnitude * v / |v|                 Salimans and Kingma 2016
 *   unit norm         w = v / |v|
 *   standardisation   w = (v - mean) / sqrt(variance + eps)   Qiao et al. 2019
 *   a part            w = v, some rows of a parameter of which several layers have one each
 *   spectral norm     of the whole matrix: spectral.c
 *
 * of each row, the values of one index of the first axis.  Rows are summed in their order by one
 * thread, in double: a step's filters are read as often as it has images.
 */
#include "runtime.h"

#include <math.h>
#include <string.h>

typedef struct Row {
    double mean, inverse; /* of the norm, or of the deviation */
} Row;

static bool standardises(const NetDerived *derived)
{
    return derived->magnitude < 0 && derived->eps > 0;
}

static Row measure(const NetDerived *derived, const real *v)
{
    bool centred = standardises(derived);
    double mean = 0, squares = 0, length = (double)derived->length;
    for (int64_t i = 0; i < derived->length && centred; i++)
        mean += (double)v[i] / length;
    for (int64_t i = 0; i < derived->length; i++)
        squares += ((double)v[i] - mean) * ((double)v[i] - mean);
    if (!centred)
        return (Row){mean, 1 / fmax(sqrt(squares), 1e-12)}; /* as PyTorch's normalize() */
    return (Row){mean, 1 / sqrt(squares / length + derived->eps)};
}

static void derive_row(const NetDerived *derived, real *weights, int64_t row)
{
    const real *v = weights + derived->direction + row * derived->length;
    real *w = weights + derived->offset + row * derived->length;
    if (derived->part) {
        memcpy(w, v, (size_t)derived->length * sizeof *w);
        return;
    }
    Row of = measure(derived, v);
    double scale = of.inverse * (derived->magnitude < 0 ? 1 : weights[derived->magnitude + row]);
    for (int64_t i = 0; i < derived->length; i++)
        w[i] = (real)(((double)v[i] - of.mean) * scale);
}

void net_derive(const NetModel *model, real *weights, const real *buffers)
{
    for (int k = 0; k < model->derived_count; k++) {
        const NetDerived *derived = &model->derived[k];
        if (derived->left >= 0)
            net_spectral_derive(derived, weights, buffers);
        for (int64_t row = 0; row < derived->rows && derived->left < 0; row++)
            derive_row(derived, weights, row);
    }
}

/* So that each weight begins as its direction was drawn. */
void net_first_magnitudes(const NetModel *model, real *weights)
{
    for (int k = 0; k < model->derived_count; k++) {
        const NetDerived *derived = &model->derived[k];
        for (int64_t row = 0; row < derived->rows && derived->magnitude >= 0; row++) {
            const real *v = weights + derived->direction + row * derived->length;
            weights[derived->magnitude + row] = (real)(1 / measure(derived, v).inverse);
        }
    }
}

/* With n the normalised v: dv = (dw - mean of dw - n * mean of dw*n) / deviation; of a weight norm
 * n = v / |v|, the first mean is no part of it, the second a sum, and |v| / magnitude the
 * deviation; of a unit norm likewise, of magnitude 1. */
static void row_gradient(const NetDerived *derived, const real *weights, real *gradients,
                         int64_t row)
{
    int64_t at = row * derived->length;
    const real *v = weights + derived->direction + at, *dw = gradients + derived->offset + at;
    real *dv = gradients + derived->direction + at;
    if (derived->part) {
        memcpy(dv, dw, (size_t)derived->length * sizeof *dv);
        return;
    }
    Row of = measure(derived, v);
    double mean = 0, product = 0, scale = of.inverse;
    for (int64_t i = 0; i < derived->length; i++) {
        mean += (double)dw[i];
        product += (double)dw[i] * ((double)v[i] - of.mean) * of.inverse;
    }
    if (standardises(derived)) {
        mean /= (double)derived->length;
        product /= (double)derived->length;
    } else {
        mean = 0;
    }
    if (derived->magnitude >= 0) {
        gradients[derived->magnitude + row] = (real)product;
        scale *= (double)weights[derived->magnitude + row];
    }
    for (int64_t i = 0; i < derived->length; i++) {
        double normal = ((double)v[i] - of.mean) * of.inverse;
        dv[i] = (real)(((double)dw[i] - mean - normal * product) * scale);
    }
}

void net_derive_gradients(const NetModel *model, const real *weights, const real *buffers,
                          real *gradients)
{
    for (int k = 0; k < model->derived_count; k++) {
        const NetDerived *derived = &model->derived[k];
        if (derived->left >= 0)
            net_spectral_gradient(derived, weights, buffers, gradients);
        for (int64_t row = 0; row < derived->rows && derived->left < 0; row++)
            row_gradient(derived, weights, gradients, row);
    }
}
