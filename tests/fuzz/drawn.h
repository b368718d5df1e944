/* drawn.h: what the programs share that run random networks: weights, and a network's answers. */
#ifndef DRAWN_H
#define DRAWN_H

#include "runtime.h"

enum { MAX_BUILDS = 6 };

/* A network and its builds; the table of them is written by the test and ends with a name NULL. */
typedef struct Entry {
    const char *name;
    int builds;
    const NetModel *models[MAX_BUILDS];
} Entry;
extern const Entry networks[];

/* What a build answered to a batch: of each image the logits, then its named outputs. */
typedef struct Answers {
    const NetModel *model;
    int64_t each; /* values of an image */
    real *values; /* the caller's to free */
} Answers;

bool drawn_answers(Answers *answers, const NetModel *model, int64_t images, NetError *error);
/* The loss of a batch in inference, and what was answered. */
real drawn_test(NetSession *session, const NetBatch *batch, const Answers *answers);

/* Adds noise to every trained parameter: a norm's bias of zero would put the next relu on its kink
 * wherever a channel is constant. */
void drawn_noise(NetSession *session, const NetModel *model, uint64_t seed);

#endif
