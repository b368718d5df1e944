/* max_pool2d.h: for convolutions that pool their rows before they store them. */
#ifndef MAX_POOL2D_H
#define MAX_POOL2D_H

#include "ops.h"

/* Whether its windows lie side by side, so that it takes a few whole rows at a time. */
bool pools_rows(const Node *pool);
int64_t pooled_rows(const Node *pool);          /* how many */
/* Writes the pooling of the rows from `first` on, which `lines` holds, [channels][rows][width],
 * into y and aux at `channel` (an expression) and on. */
void emit_pooled_rows(Kernel *kernel, const Node *pool, const char *channel, int64_t channels);

#endif
