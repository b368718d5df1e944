/* max_pool2d.h: for convolutions that pool their rows before they store them. */
#ifndef MAX_POOL2D_H
#define MAX_POOL2D_H

#include "ops.h"

/* Whether its windows lie side by side, so that each is a tile's own. */
bool pools_tiles(const Node *pool);
Int pooled_rows(const Node *pool), pooled_columns(const Node *pool); /* of a window */
/* Writes the pooling of a tile that begins at `row`, `column` and at `channel` (an expression),
 * is a window high and `width` wide, a multiple of a window's: a<c>_<r * width + x>.  It goes to
 * y and aux. */
void emit_pooled_tile(Kernel *kernel, const Node *pool, const char *channel, Int channels,
                      Int width);

#endif
