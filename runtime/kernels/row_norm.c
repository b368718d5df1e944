/* row_norm.c: rows of values that lie one behind the other, each normalised by itself: layer_norm,
 * rms_norm, group_norm and instance norms.
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

/* ---------------------------------------------------------- group_norm.c */

static Rows groups_of(const NetCall *call, int64_t groups)
{
    NetShape shape = call->x_shape[0];
    bool affine = net_attribute(call, "affine", 0) != 0;
    return (Rows){
        .rows = groups,
        .length = net_shape_elements(shape) / groups,
        .repeat = net_shape_plane(shape),
        .parameters = shape.c,
        .centred = true,
        .weight = affine,
        .bias = affine,
        .eps = epsilon_of(call),
    };
}

static Rows group_norm(const NetCall *call)
{
    return groups_of(call, (int64_t)net_attribute(call, "num_groups", 0));
}

static Rows instance_norm(const NetCall *call)
{
    return groups_of(call, call->x_shape[0].c);
}

static bool tracks(const NetCall *call)
{
    return net_attribute(call, "track_running_stats", 0) != 0;
}

/* Of an instance norm that tracks averages: behind weight and bias, where there are any. */
static real *running(const NetCall *call, int which)
{
    return call->parameter[(net_attribute(call, "affine", 0) != 0 ? 2 : 0) + which];
}

/* At [2*c] and [2*c + 1] the sums of the images' means and of their unbiased variances. */
static void sum_moments(const NetCall *call)
{
    Rows rows = instance_norm(call);
    real *own = call->statistics + call->grain * call->statistics_stride;
    double unbiased = (double)rows.length / (double)(rows.length - 1);
    for (int64_t c = 0; c < rows.rows && tracks(call); c++) {
        double mean = 0, variance = 0;
        for (int lane = 0; lane < call->lanes; lane++) {
            if (!is_active(call, lane))
                continue;
            Moments moments = moments_of(call, &rows, c * rows.length, lane);
            mean += moments.mean;
            variance += (1 / (moments.inverse * moments.inverse) - rows.eps) * unbiased;
        }
        own[2 * c] = (real)mean;
        own[2 * c + 1] = (real)variance;
    }
}

/* The averages take the means over the batch's images. */
static void update_running(const NetCall *call)
{
    real momentum = (real)net_attribute(call, "momentum", 0);
    for (int which = 0; which < 2; which++)
        for (int64_t c = 0; c < call->x_shape[0].c; c++) {
            real sum = 0, *average = running(call, which) + c;
            for (int64_t grain = 0; grain < call->step->grains; grain++)
                sum += call->statistics[grain * call->statistics_stride + 2 * c + which];
            *average = (1 - momentum) * *average + momentum * sum / (real)call->step->images;
        }
}

static void evaluate_by_averages(const NetCall *call)
{
    Rows rows = instance_norm(call);
    for (int64_t k = 0; k < rows.rows * rows.length * call->lanes; k++) {
        int64_t c = k / (rows.length * call->lanes);
        double inverse = 1 / sqrt((double)running(call, 1)[c] + rows.eps);
        double normal = ((double)call->x[0][k] - (double)running(call, 0)[c]) * inverse;
        call->y[k] =
            (real)(rows.weight ? normal * call->parameter[0][c] + call->parameter[1][c] : normal);
    }
}

static void instance_norm_forward(const NetCall *call)
{
    Rows rows = instance_norm(call);
    if (tracks(call) && !call->training) {
        evaluate_by_averages(call);
        return;
    }
    forward(call, &rows);
    if (tracks(call) && call->grain == 0)
        update_running(call);
}

#define GRADIENTS(name, of)                                                            \
    NET_STAGE(name, backward_input, Rows rows = of(call); backward_input(call, &rows)) \
    NET_STAGE(name, backward_parameters, Rows rows = of(call); backward_parameters(call, &rows))
#define ROW_NORM(name, of)                                               \
    NET_STAGE(name, forward, Rows rows = of(call); forward(call, &rows)) \
    GRADIENTS(name, of)
#define INSTANCE_NORM(name)                               \
    NET_STAGE(name, statistics, sum_moments(call))        \
    NET_STAGE(name, forward, instance_norm_forward(call)) \
    GRADIENTS(name, instance_norm)
ROW_NORM(layer_norm, layer_norm)
ROW_NORM(rms_norm, rms_norm)
ROW_NORM(group_norm, group_norm)
INSTANCE_NORM(instance_norm1d)
INSTANCE_NORM(instance_norm2d)
INSTANCE_NORM(instance_norm3d)
