/* layer_norm2d.c: layer normalisation over the channels at each position.
 *
 *   x, y [c, h, w, lanes]   weight, bias [c]
 *
 * A column is the c values of one position of one image, which lie one plane
 * apart.  The backward pass finds the moments again: cheaper than keeping them.
 */
#include "kernels.h"

#include <math.h>

typedef struct Moments {
    double mean, inverse;
} Moments; /* inverse: 1 / sqrt(variance + eps) */

static int64_t plane_of(const NetCall *call)
{
    return net_shape_plane(call->x_shape[0]) * call->lanes;
}

static Moments moments_of(const NetCall *call, int64_t at)
{
    int64_t channels = call->x_shape[0].c, plane = plane_of(call);
    double mean = 0, squares = 0;
    for (int64_t c = 0; c < channels; c++)
        mean += (double)call->x[0][c * plane + at] / (double)channels;
    for (int64_t c = 0; c < channels; c++) {
        double distance = (double)call->x[0][c * plane + at] - mean;
        squares += distance * distance;
    }
    return (Moments){mean, 1 / sqrt(squares / (double)channels + net_attribute(call, "eps", 0))};
}

static bool is_affine(const NetCall *call)
{
    return net_attribute(call, "affine", 0) != 0;
}

static double weight_of(const NetCall *call, int64_t channel)
{
    return is_affine(call) ? call->parameter[0][channel] : 1;
}

void net_layer_norm2d_forward(const NetCall *call)
{
    int64_t plane = plane_of(call);
    for (int64_t at = 0; at < plane; at++) {
        Moments moments = moments_of(call, at);
        for (int64_t c = 0; c < call->x_shape[0].c; c++) {
            double normal = ((double)call->x[0][c * plane + at] - moments.mean) * moments.inverse;
            call->y[c * plane + at] =
                (real)(normal * weight_of(call, c) + (is_affine(call) ? call->parameter[1][c] : 0));
        }
    }
}

void net_layer_norm2d_backward_parameters(const NetCall *call)
{
    int64_t channels = call->x_shape[0].c, plane = plane_of(call);
    if (!is_affine(call))
        return;
    for (int64_t c = 0; c < channels; c++)
        call->dparameter[0][c] = call->dparameter[1][c] = 0;
    for (int64_t at = 0; at < plane; at++) {
        Moments moments = moments_of(call, at);
        for (int64_t c = 0; c < channels; c++) {
            double normal = ((double)call->x[0][c * plane + at] - moments.mean) * moments.inverse;
            call->dparameter[0][c] += (real)(call->dy[c * plane + at] * normal);
            call->dparameter[1][c] += call->dy[c * plane + at];
        }
    }
}

/* dx = (g - mean of g - n * mean of g*n) / deviation with g = dy * weight and n
 * the normalised x. */
void net_layer_norm2d_backward_input(const NetCall *call)
{
    int64_t channels = call->x_shape[0].c, plane = plane_of(call);
    for (int64_t at = 0; at < plane; at++) {
        Moments moments = moments_of(call, at);
        double mean = 0, mean_normal = 0;
        for (int64_t c = 0; c < channels; c++) {
            double g = call->dy[c * plane + at] * weight_of(call, c) / (double)channels;
            mean += g;
            mean_normal +=
                g * ((double)call->x[0][c * plane + at] - moments.mean) * moments.inverse;
        }
        for (int64_t c = 0; c < channels; c++) {
            double g = call->dy[c * plane + at] * weight_of(call, c);
            double normal = ((double)call->x[0][c * plane + at] - moments.mean) * moments.inverse;
            give_gradient(call, c * plane + at,
                          (real)((g - mean - normal * mean_normal) * moments.inverse));
        }
    }
}
