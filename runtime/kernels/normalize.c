/* normalize.c: the values of each line along an axis, divided by their p-norm. */
#include "kernels.h"

#include <math.h>

typedef struct Line {
    int64_t first, step, end; /* of its values, in elements */
} Line;

static int64_t line_count(const NetCall *call, Lines *lines)
{
    *lines = net_lines(call->x_shape[0], net_axis(call, "dim", call->x_shape[0].rank));
    return lines->outer * lines->inner * call->lanes;
}

static Line line_at(const NetCall *call, Lines lines, int64_t number)
{
    int64_t step = lines.inner * call->lanes,
            first = number / step * step * lines.size + number % step;
    return (Line){first, step, first + step * lines.size};
}

static double norm_of(const NetCall *call, Line line)
{
    double total = 0, p = net_attribute(call, "p", 0);
    for (int64_t i = line.first; i < line.end; i += line.step)
        total += pow(fabs((double)call->x[0][i]), p);
    return pow(total, 1 / p);
}

void net_normalize_forward(const NetCall *call)
{
    Lines lines;
    double eps = net_attribute(call, "eps", 0);
    for (int64_t k = 0, count = line_count(call, &lines); k < count; k++) {
        Line line = line_at(call, lines, k);
        double norm = fmax(norm_of(call, line), eps);
        for (int64_t i = line.first; i < line.end; i += line.step)
            call->y[i] = (real)((double)call->x[0][i] / norm);
    }
}

/* The norm's own gradient at x is sign(x) * (|x| / norm)^(p - 1). */
static double norm_slope(double x, double norm, double p)
{
    return x == 0 ? 0 : copysign(pow(fabs(x) / norm, p - 1), x);
}

void net_normalize_backward_input(const NetCall *call)
{
    Lines lines;
    double eps = net_attribute(call, "eps", 0), p = net_attribute(call, "p", 0);
    for (int64_t k = 0, count = line_count(call, &lines); k < count; k++) {
        Line line = line_at(call, lines, k);
        double norm = norm_of(call, line), least = fmax(norm, eps), along = 0;
        for (int64_t i = line.first; norm >= eps && i < line.end; i += line.step)
            along += (double)call->dy[i] * (double)call->x[0][i] / (least * least);
        for (int64_t i = line.first; i < line.end; i += line.step)
            give_gradient(call, i,
                          (real)((double)call->dy[i] / least
                                 - along * norm_slope((double)call->x[0][i], least, p)));
    }
}
