/* pool.h: the largest value of a window: a max pool's own kernels, and convolutions that pool
 * their rows before they store them.
 */
#ifndef POOL_H
#define POOL_H

#include "kernels/kernel.h"

/* Whether its windows lie side by side, so that each is a tile's own. */
bool pools_tiles(const Node *pool);
Int pooled_rows(const Node *pool), pooled_columns(const Node *pool); /* of a window */
/* `value`, of the tap with this number, is taken if it is larger than the best so
 * far, or if `besides` says so.  A NaN is larger than all, the last of several, and
 * of equals the first is taken, as in PyTorch. */
void emit_pool_take(Kernel *kernel, const char *value, const char *number, const char *besides);
/* Writes the pooling of a window to y[p] and aux[p]; `value` names tap k's of `window`. */
void emit_pool_window(Kernel *kernel, const Node *pool,
                      const char *(*value)(const void *window, Int k), const void *window);
/* Writes the pooling of a tile that begins at `row`, `column` and at `channel` (an expression),
 * is a window high and `width` wide, a multiple of a window's: a<c>_<r * width + x>.  It goes to
 * y and aux. */
void emit_pooled_tile(Kernel *kernel, const Node *pool, const char *channel, Int channels,
                      Int width);

#endif
