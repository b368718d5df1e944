/* heads.c: a network's outputs besides the last one that losses hold against something of the
 * data: a number beside a class, a second class.  They have figures, and `predict` says them.
 * What stands in an `aside` is of training only and none of them.
 */
#include "runtime.h"

#include <string.h>

static int find_output(const NetModel *model, const char *name)
{
    for (int i = 0; i < model->output_count; i++)
        if (strcmp(model->outputs[i].name, name) == 0)
            return i;
    return -1;
}

static NetMeaning meaning_of(const NetModel *model, const NetLoss *loss)
{
    if (model->wanted[loss->target].kind == NET_CLASSES)
        return strcmp(loss->name, "cross_entropy") == 0 ? NET_OUTPUT_LOGITS : NET_OUTPUT_SCORES;
    return strcmp(loss->name, "bce_with_logits") == 0 ? NET_OUTPUT_LABELS : NET_OUTPUT_NUMBERS;
}

/* The first loss of an output says what that is; a loss of several outputs, as `cosine(a, b)`, has
 * a target of another shape than theirs. */
int net_find_heads(NetHead heads[NET_MAX_HEADS], const NetModel *model)
{
    int count = 0;
    for (int i = 0; i < model->loss_count && count < NET_MAX_HEADS; i++) {
        const NetLoss *loss = &model->losses[i];
        int output = loss->output && loss->target >= 0 ? find_output(model, loss->output) : -1;
        bool listed = false;
        for (int k = 0; k < count; k++)
            listed |= heads[k].output == output;
        if (output >= 0 && !listed
            && net_shape_elements(model->wanted[loss->target].shape)
                   == net_shape_elements(model->outputs[output].shape))
            heads[count++] = (NetHead){output, loss->target, meaning_of(model, loss)};
    }
    return count;
}

int64_t net_largest(const real *first, int64_t step, int64_t classes)
{
    int64_t best = 0;
    for (int64_t class = 1; class < classes; class ++)
        if (first[class * step] > first[best * step])
            best = class;
    return best;
}
