/* spectral.c: weights over their largest singular value (Miyato et al. 2018, "Spectral
 * Normalization for Generative Adversarial Networks", https://arxiv.org/abs/1802.05957), as
 * torch.nn.utils.parametrizations.spectral_norm has it.
 *
 *   w = W / sigma,   sigma = u . W v
 *   dW = (dw - (sum of dw * w) u v') / sigma
 *
 * W is a matrix [rows, length], u and v are the vectors of its largest singular value, which power
 * iterations bring nearer: u = W v / |W v|, v = W' u / |W' u|.  No gradient goes through them.
 */
#include "runtime.h"

#include <math.h>

static const double EPS = 1e-12; /* no norm is taken for smaller: PyTorch's */
enum { FIRST_ITERATIONS = 15 };  /* likewise */

/* The matrix, of which row r has value c at c / inner * rows * inner + r * inner + c % inner. */
typedef struct Matrix {
    const real *values;
    int64_t rows, outer, inner;
} Matrix;

static Matrix matrix_of(const NetDerived *derived, const real *weights)
{
    return (Matrix){weights + derived->direction, derived->rows, derived->outer,
                    derived->length / derived->outer};
}

static int64_t run_at(const Matrix *matrix, int64_t row, int64_t outer)
{
    return (outer * matrix->rows + row) * matrix->inner;
}

/* Of row r with v. */
static double row_times(const Matrix *matrix, int64_t row, const real *v)
{
    double sum = 0;
    for (int64_t o = 0; o < matrix->outer; o++) {
        const real *run = matrix->values + run_at(matrix, row, o);
        for (int64_t i = 0; i < matrix->inner; i++)
            sum += (double)run[i] * (double)v[o * matrix->inner + i];
    }
    return sum;
}

static double column_times(const Matrix *matrix, int64_t column, const real *u)
{
    const real *first =
        matrix->values + run_at(matrix, 0, column / matrix->inner) + column % matrix->inner;
    double sum = 0;
    for (int64_t row = 0; row < matrix->rows; row++)
        sum += (double)first[row * matrix->inner] * (double)u[row];
    return sum;
}

static void normalise(real *vector, int64_t count)
{
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += (double)vector[i] * (double)vector[i];
    double norm = fmax(sqrt(squares), EPS);
    for (int64_t i = 0; i < count; i++)
        vector[i] = (real)((double)vector[i] / norm);
}

static void iterate(const NetDerived *derived, const real *weights, real *buffers, int64_t count)
{
    const Matrix matrix = matrix_of(derived, weights);
    real *u = buffers + derived->left, *v = buffers + derived->right;
    for (int64_t n = 0; n < count; n++) {
        for (int64_t row = 0; row < derived->rows; row++)
            u[row] = (real)row_times(&matrix, row, v);
        normalise(u, derived->rows);
        for (int64_t column = 0; column < derived->length; column++)
            v[column] = (real)column_times(&matrix, column, u);
        normalise(v, derived->length);
    }
}

static double sigma_of(const NetDerived *derived, const real *weights, const real *buffers)
{
    const Matrix matrix = matrix_of(derived, weights);
    double sigma = 0;
    for (int64_t row = 0; row < derived->rows; row++)
        sigma += (double)buffers[derived->left + row]
                 * row_times(&matrix, row, buffers + derived->right);
    return sigma;
}

bool net_has_spectral(const NetModel *model)
{
    for (int k = 0; k < model->derived_count; k++)
        if (model->derived[k].left >= 0)
            return true;
    return false;
}

void net_power_iterations(const NetModel *model, real *weights, real *buffers)
{
    for (int k = 0; k < model->derived_count; k++)
        if (model->derived[k].left >= 0) {
            iterate(&model->derived[k], weights, buffers, model->derived[k].iterations);
            net_spectral_derive(&model->derived[k], weights, buffers);
        }
}

/* The vectors were drawn. */
void net_first_vectors(const NetModel *model, const real *weights, real *buffers)
{
    for (int k = 0; k < model->derived_count; k++) {
        const NetDerived *derived = &model->derived[k];
        if (derived->left < 0)
            continue;
        normalise(buffers + derived->left, derived->rows);
        normalise(buffers + derived->right, derived->length);
        iterate(derived, weights, buffers, FIRST_ITERATIONS);
    }
}

void net_spectral_derive(const NetDerived *derived, real *weights, const real *buffers)
{
    double sigma = sigma_of(derived, weights, buffers);
    for (int64_t i = 0; i < derived->rows * derived->length; i++)
        weights[derived->offset + i] = (real)((double)weights[derived->direction + i] / sigma);
}

void net_spectral_gradient(const NetDerived *derived, const real *weights, const real *buffers,
                           real *gradients)
{
    const Matrix matrix = matrix_of(derived, weights);
    const real *w = weights + derived->offset, *dw = gradients + derived->offset,
               *u = buffers + derived->left, *v = buffers + derived->right;
    real *to = gradients + derived->direction;
    double sigma = sigma_of(derived, weights, buffers), product = 0;
    for (int64_t i = 0; i < derived->rows * derived->length; i++)
        product += (double)dw[i] * (double)w[i];
    for (int64_t row = 0; row < derived->rows; row++)
        for (int64_t column = 0; column < derived->length; column++) {
            int64_t at = run_at(&matrix, row, column / matrix.inner) + column % matrix.inner;
            to[at] =
                (real)(((double)dw[at] - product * (double)u[row] * (double)v[column]) / sigma);
        }
}
