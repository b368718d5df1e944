/* drawn.c: weights and answers of random networks. */
#include "fuzz/drawn.h"

static const double NOISE = 0.2;

static int64_t answer_size(const NetModel *model)
{
    int64_t size = net_outputs(model);
    for (int k = 0; k < model->output_count; k++)
        size += net_shape_elements(model->outputs[k].shape);
    return size;
}

static void take_logits(void *to, int64_t image, const real *logits, int64_t stride,
                        const NetModel *model)
{
    const Answers *answers = to;
    for (int64_t i = 0; i < net_outputs(model); i++)
        answers->values[image * answers->each + i] = logits[i * stride];
}

static void take_outputs(void *to, int64_t image, const real *const *outputs, int64_t stride)
{
    const Answers *answers = to;
    real *values = answers->values + image * answers->each + net_outputs(answers->model);
    for (int k = 0; k < answers->model->output_count; k++) {
        const int64_t elements = net_shape_elements(answers->model->outputs[k].shape);
        for (int64_t i = 0; i < elements; i++)
            values[i] = outputs[k][i * stride];
        values += elements;
    }
}

bool drawn_answers(Answers *answers, const NetModel *model, int64_t images, NetError *error)
{
    *answers = (Answers){.model = model, .each = answer_size(model)};
    answers->values = net_allocate((size_t)(images * answers->each), sizeof(real), error);
    return answers->values != NULL;
}

real drawn_test(NetSession *session, const NetBatch *batch, const Answers *answers)
{
    NetBatch taken = *batch;
    taken.take = take_logits;
    taken.take_outputs = answers->model->output_count > 0 ? take_outputs : NULL;
    taken.to = (void *)answers;
    return (real)net_test_batch(session, &taken).loss;
}

void drawn_noise(NetSession *session, const NetModel *model, uint64_t seed)
{
    for (int p = 0; p < model->parameter_count; p++) {
        const NetParameter *parameter = &model->parameters[p];
        for (int64_t e = 0; parameter->kind == NET_TRAINED && e < parameter->elements; e++) {
            int64_t at = parameter->offset + e;
            session->weights[at] += (real)(NOISE * net_random_normal(seed, 3, 0, (uint64_t)at));
        }
    }
}
