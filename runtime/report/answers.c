/* answers.c: what a network says of the images that its run was judged by: which classes it takes
 * for which, and where it is most wrong.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CLASSES = 4096 }; /* of a table of which is taken for which */

/* Of a batch, by image. */
typedef struct Shares {
    const NetModel *model;
    float *probabilities; /* [batch][outputs] */
} Shares;

static void take_shares(void *to, int64_t image, const real *logits, int64_t stride,
                        const NetModel *model)
{
    const Shares *shares = to;
    net_probabilities(logits, stride * model->class_step, model->classes,
                      shares->probabilities + image * net_outputs(model), model->class_step);
}

/* The worst ones so far, from the largest loss on. */
static void rank(NetAnswers *answers, int most, const NetAnswer *answer)
{
    int at = answers->worst_count;
    if (at == most && (most == 0 || answer->loss <= answers->worst[most - 1].loss))
        return;
    at = at < most ? at : most - 1;
    for (; at > 0 && answers->worst[at - 1].loss < answer->loss; at--)
        answers->worst[at] = answers->worst[at - 1];
    answers->worst[at] = *answer;
    answers->worst_count += answers->worst_count < most;
}

static void note(NetAnswers *answers, const NetSession *session, const Shares *shares,
                 int64_t image, int64_t index, int most)
{
    const NetModel *model = session->model;
    NetAnswer answer = {.image = index, .loss = (double)session->loss[image], .wrong = true};
    for (int64_t target = 0; answers->confusion && target < model->targets; target++) {
        int64_t place = net_target_place(model, image, target);
        answer.right = session->truth[place];
        answer.taken = session->predicted[place];
        if (answer.right >= 0) /* it counts */
            answers->confusion[answer.right * model->classes + answer.taken]++;
    }
    if (answers->confusion && model->targets == 1 && answer.right >= 0) {
        const float *row = shares->probabilities + image * model->classes;
        answer.right_share = (double)row[answer.right];
        answer.taken_share = (double)row[answer.taken];
        answer.wrong = answer.right != answer.taken;
    }
    if (answer.wrong)
        rank(answers, most, &answer);
}

/* From the first on, as many as a batch has. */
static void ask_some(NetAnswers *answers, NetSession *session, const Shares *shares, int64_t first,
                     int most)
{
    const NetJudged *judged = &answers->judged;
    int64_t left = judged->to - first;
    NetBatch batch = {.images = judged->images,
                      .order = judged->order,
                      .first = first,
                      .count = left < session->batch ? left : session->batch,
                      .take = answers->confusion ? take_shares : NULL,
                      .to = (void *)shares};
    NetResult part = net_test_batch(session, &batch);
    answers->result.loss += part.loss * (double)batch.count;
    answers->result.correct += part.correct;
    answers->result.images += batch.count;
    for (int64_t image = 0; image < batch.count; image++) {
        int64_t index = judged->order ? judged->order[first + image] : first + image;
        note(answers, session, shares, image, index, most);
    }
}

static void ask(NetAnswers *answers, NetSession *session, const Shares *shares, int most)
{
    for (int64_t first = answers->judged.from; first < answers->judged.to; first += session->batch)
        ask_some(answers, session, shares, first, most);
    if (answers->result.images > 0)
        answers->result.loss /= (double)answers->result.images;
}

bool net_answers_take(NetAnswers *answers, NetSession *session, const NetData *data, int worst,
                      NetError *error)
{
    const NetModel *model = session->model;
    size_t classes = (size_t)model->classes;
    Shares shares = {.model = model};
    *answers = (NetAnswers){.judged = net_judged(data)};
    answers->worst = net_allocate((size_t)worst + 1, sizeof *answers->worst, error);
    bool good = answers->worst != NULL;
    if (good && net_has_classes(model) && model->classes <= MAX_CLASSES) {
        answers->confusion = net_allocate(classes * classes, sizeof *answers->confusion, error);
        shares.probabilities = net_allocate((size_t)(session->batch * net_outputs(model)),
                                            sizeof *shares.probabilities, error);
        good = answers->confusion && shares.probabilities;
    }
    if (good)
        ask(answers, session, &shares, worst);
    free(shares.probabilities);
    return good;
}

void net_answers_close(NetAnswers *answers)
{
    free(answers->confusion);
    free(answers->worst);
    *answers = (NetAnswers){0};
}
