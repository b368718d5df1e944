/* gelu.c: the Gaussian error linear unit, exact or by the tanh formula.
 * Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
 */
#include "kernels.h"

#include <math.h>
#include <string.h>

/* y and dy/dx at x. */
typedef struct Point {
    double value, slope;
} Point;

/* x * P(x), where P is the normal distribution function and p its density. */
static Point exact(double x)
{
    double probability = 0.5 * (1 + erf(x * M_SQRT1_2));
    double density = 0.5 * M_2_SQRTPI * M_SQRT1_2 * exp(-0.5 * x * x);
    return (Point){x * probability, probability + x * density};
}

static Point by_tanh(double x)
{
    double scale = M_2_SQRTPI * M_SQRT1_2; /* sqrt(2 / pi) */
    double t = tanh(scale * (x + 0.044715 * x * x * x));
    double inner_slope = scale * (1 + 3 * 0.044715 * x * x);
    return (Point){0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope};
}

static bool approximates(const NetCall *call)
{
    const char *word = net_attribute_word(call, "approximate"); /* NULL: not given */
    return word != NULL && strcmp(word, "tanh") == 0;
}

void net_gelu_forward(const NetCall *call)
{
    int64_t count = net_shape_elements(call->x_shape[0]) * call->lanes;
    Point (*point)(double) = approximates(call) ? by_tanh : exact;
    for (int64_t i = 0; i < count; i++)
        call->y[i] = (real)point(call->x[0][i]).value;
}

void net_gelu_backward_input(const NetCall *call)
{
    int64_t count = net_shape_elements(call->x_shape[0]) * call->lanes;
    Point (*point)(double) = approximates(call) ? by_tanh : exact;
    for (int64_t i = 0; i < count; i++)
        give_gradient(call, i, (real)(call->dy[i] * point(call->x[0][i]).slope));
}
