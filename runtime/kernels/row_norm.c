/* row_norm.c: rows of values that lie one behind the other, each normalised by itself: layer_norm
 * and rms_norm.
 *
 *   x, y [rows, length, lanes]   weight, bias [parameters]
 *
 * `repeat` values, one behind the other, share a weight and a bias; of as many values as the
 * parameters are for, the first one's follow again.  A column is what one lane has of a row.  The
 * backward pass finds the moments again: cheaper than keeping them.
 */
#include "kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct Rows {
    int64_t rows, length, repeat, parameters;
    bool centred;      /* the mean is taken off */
    bool weight, bias; /* parameter 0 and 1 */
    double eps;
} Rows;

/* Of a column: inverse is 1 / sqrt(mean square of distances from `mean` + eps). */
typedef struct Moments {
    double mean, inverse;
} Moments;

static int64_t parameter_at(const Rows *rows, int64_t at)
{
    return at / rows->repeat % rows->parameters;
}

/* Of the column whose first value is element `first`, in values of all lanes. */
static Moments moments_of(const NetCall *call, const Rows *rows, int64_t first, int lane)
{
    const real *x = call->x[0] + first * call->lanes + lane;
    double mean = 0, squares = 0, length = (double)rows->length;
    for (int64_t i = 0; i < rows->length && rows->centred; i++)
        mean += (double)x[i * call->lanes] / length;
    for (int64_t i = 0; i < rows->length; i++) {
        double distance = (double)x[i * call->lanes] - mean;
        squares += distance * distance;
    }
    return (Moments){mean, 1 / sqrt(squares / length + rows->eps)};
}

static void forward(const NetCall *call, const Rows *rows)
{
    for (int64_t first = 0; first < rows->rows * rows->length; first += rows->length)
        for (int lane = 0; lane < call->lanes; lane++) {
            Moments moments = moments_of(call, rows, first, lane);
            for (int64_t at = first; at < first + rows->length; at++) {
                int64_t k = at * call->lanes + lane, p = parameter_at(rows, at);
                double normal = ((double)call->x[0][k] - moments.mean) * moments.inverse;
                double weight = rows->weight ? call->parameter[0][p] : 1,
                       bias = rows->bias ? call->parameter[1][p] : 0;
                call->y[k] = (real)(normal * weight + bias);
            }
        }
}

/* dx = (g - mean of g - n * mean of g*n) / deviation with g = dy * weight and n the normalised
 * x. */
static void column_gradient(const NetCall *call, const Rows *rows, int64_t first, int lane)
{
    Moments moments = moments_of(call, rows, first, lane);
    double mean = 0, mean_normal = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t at = first; at < first + rows->length; at++) {
            int64_t k = at * call->lanes + lane;
            double weight = rows->weight ? call->parameter[0][parameter_at(rows, at)] : 1;
            double g = (double)call->dy[k] * weight;
            double normal = ((double)call->x[0][k] - moments.mean) * moments.inverse;
            if (pass == 0) {
                mean += rows->centred ? g / (double)rows->length : 0;
                mean_normal += g * normal / (double)rows->length;
            } else {
                give_gradient(call, k, (real)((g - mean - normal * mean_normal) * moments.inverse));
            }
        }
}

static bool is_active(const NetCall *call, int lane)
{
    return call->active[lane] != 0;
}

static void backward_input(const NetCall *call, const Rows *rows)
{
    for (int64_t first = 0; first < rows->rows * rows->length; first += rows->length)
        for (int lane = 0; lane < call->lanes; lane++)
            if (is_active(call, lane))
                column_gradient(call, rows, first, lane);
            else
                for (int64_t at = first; at < first + rows->length; at++)
                    give_gradient(call, at * call->lanes + lane, 0);
}

static void backward_parameters(const NetCall *call, const Rows *rows)
{
    size_t bytes = (size_t)rows->parameters * sizeof(real);
    if (rows->weight)
        memset(call->dparameter[0], 0, bytes);
    if (rows->bias)
        memset(call->dparameter[1], 0, bytes);
    for (int64_t first = 0; first < rows->rows * rows->length; first += rows->length)
        for (int lane = 0; lane < call->lanes && rows->weight; lane++) {
            if (!is_active(call, lane))
                continue;
            Moments moments = moments_of(call, rows, first, lane);
            for (int64_t at = first; at < first + rows->length; at++) {
                int64_t k = at * call->lanes + lane, p = parameter_at(rows, at);
                double normal = ((double)call->x[0][k] - moments.mean) * moments.inverse;
                call->dparameter[0][p] += (real)((double)call->dy[k] * normal);
                if (rows->bias)
                    call->dparameter[1][p] += call->dy[k];
            }
        }
}

static double epsilon_of(const NetCall *call)
{
    double eps = net_attribute(call, "eps", 0);
    return eps >= 0 ? eps : sizeof(real) == sizeof(float) ? FLT_EPSILON : DBL_EPSILON;
}

/* ---------------------------------------------------------- layer_norm.c */

static Rows last_axes(const NetCall *call, bool centred)
{
    NetShape shape = call->x_shape[0];
    int64_t length = 1;
    for (int axis = (int)net_attribute(call, "axes", 0); axis < shape.rank; axis++)
        length *= net_shape_dim(shape, axis);
    bool affine = net_attribute(call, "elementwise_affine", 0) != 0;
    return (Rows){
        .rows = net_shape_elements(shape) / length,
        .length = length,
        .repeat = 1,
        .parameters = length,
        .centred = centred,
        .weight = affine,
        .bias = affine && centred && net_attribute(call, "bias", 0) != 0,
        .eps = epsilon_of(call),
    };
}

static Rows layer_norm(const NetCall *call)
{
    return last_axes(call, true);
}

static Rows rms_norm(const NetCall *call)
{
    return last_axes(call, false);
}

#define ROW_NORM(name, of)                                     \
    void net_##name##_forward(const NetCall *call)             \
    {                                                          \
        Rows rows = of(call);                                  \
        forward(call, &rows);                                  \
    }                                                          \
    void net_##name##_backward_input(const NetCall *call)      \
    {                                                          \
        Rows rows = of(call);                                  \
        backward_input(call, &rows);                           \
    }                                                          \
    void net_##name##_backward_parameters(const NetCall *call) \
    {                                                          \
        Rows rows = of(call);                                  \
        backward_parameters(call, &rows);                      \
    }
ROW_NORM(layer_norm, layer_norm)
ROW_NORM(rms_norm, rms_norm)
