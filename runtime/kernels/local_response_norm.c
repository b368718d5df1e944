/* local_response_norm.c: each value divided by a power of the mean square of neighbouring channels.
 *
 *   x, y [c, plane, lanes]
 */
#include "kernels.h"

#include <math.h>

typedef struct Response {
    int64_t channels, plane, size; /* plane: with the lanes */
    double alpha, beta, k;
} Response;

static Response response_of(const NetCall *call)
{
    return (Response){
        .channels = call->x_shape[0].c,
        .plane = net_shape_plane(call->x_shape[0]) * call->lanes,
        .size = (int64_t)net_attribute(call, "size", 0),
        .alpha = net_attribute(call, "alpha", 0),
        .beta = net_attribute(call, "beta", 0),
        .k = net_attribute(call, "k", 0),
    };
}

/* Before its power, of value `at` of channel c. */
static double divisor_of(const NetCall *call, const Response *response, int64_t c, int64_t at)
{
    double sum = 0;
    for (int64_t n = c - response->size / 2; n <= c + (response->size - 1) / 2; n++) {
        if (n < 0 || n >= response->channels)
            continue;
        double x = (double)call->x[0][n * response->plane + at];
        sum += x * x;
    }
    return response->k + response->alpha / (double)response->size * sum;
}

void net_local_response_norm_forward(const NetCall *call)
{
    const Response response = response_of(call);
    for (int64_t c = 0; c < response.channels; c++)
        for (int64_t at = 0; at < response.plane; at++) {
            int64_t i = c * response.plane + at;
            double divisor = divisor_of(call, &response, c, at);
            call->y[i] = (real)((double)call->x[0][i] * pow(divisor, -response.beta));
        }
}

/* dx = dy * s^-beta - x * 2*alpha*beta/size * sum of dy * x * s^(-beta-1), with s the divisors,
 * over those values of whose sums x is a part. */
static double gradient_at(const NetCall *call, const Response *response, int64_t c, int64_t at)
{
    int64_t i = c * response->plane + at;
    double own = pow(divisor_of(call, response, c, at), -response->beta), sum = 0;
    for (int64_t n = c - (response->size - 1) / 2; n <= c + response->size / 2; n++) {
        if (n < 0 || n >= response->channels)
            continue;
        int64_t k = n * response->plane + at;
        sum += (double)call->dy[k] * (double)call->x[0][k]
               * pow(divisor_of(call, response, n, at), -response->beta - 1);
    }
    double slope = 2 * response->alpha * response->beta / (double)response->size;
    return (double)call->dy[i] * own - slope * (double)call->x[0][i] * sum;
}

void net_local_response_norm_backward_input(const NetCall *call)
{
    const Response response = response_of(call);
    for (int64_t c = 0; c < response.channels; c++)
        for (int64_t at = 0; at < response.plane; at++) {
            bool active = call->active[at % call->lanes] != 0;
            give_gradient(call, c * response.plane + at,
                          active ? (real)gradient_at(call, &response, c, at) : 0);
        }
}
