/* statistics.c: how large the parameters are, and the gradients that move them: of each the
 * Euclidean norm, summed in float64.  A layer whose gradient is thousands of times smaller than
 * another's hardly learns; one whose gradient grows from epoch to epoch will be no number soon.
 */
#include "train/log.h"

#include <math.h>

static double norm_of(const real *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

double net_weight_norm(const NetSession *session, const NetParameter *parameter)
{
    return norm_of(session->weights + parameter->offset, parameter->elements);
}

double net_gradient_norm(const NetSession *session, const NetParameter *parameter)
{
    return norm_of(session->gradients + parameter->offset, parameter->elements);
}

static const struct Statistic {
    const char *name;
    double (*of)(const NetSession *session, const NetParameter *parameter);
} statistics[NET_STATISTICS] = {
    {"weight_norm", net_weight_norm},
    {"gradient_norm", net_gradient_norm},
};

int net_statistics_fields(NetLogField *fields, const NetModel *model, const NetSession *session)
{
    int count = 0;
    for (int k = 0; k < NET_STATISTICS; k++)
        for (int i = 0; i < model->parameter_count; i++) {
            const NetParameter *parameter = &model->parameters[i];
            if (parameter->kind != NET_TRAINED)
                continue;
            fields[count++] =
                (NetLogField){parameter->path, statistics[k].name,
                              session ? statistics[k].of(session, parameter) : 0, false};
        }
    return count;
}
