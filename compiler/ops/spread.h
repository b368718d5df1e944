/* spread.h: tensors that are joined element by element, one of which may be smaller than the
 * others and is repeated over what it lacks. */
#ifndef SPREAD_H
#define SPREAD_H

#include "kernels/image/image.h"
#include "ops/operator.h"

/* The one rule: equal shapes, or [c, 1, 1] with [c, h, w].  Sets node->out_shape; false:
 * reported, by `code`. */
bool infer_spread(Node *node, const char *code);
bool is_spread(const Node *node, int input); /* smaller than the output: it is repeated */

/* Its element at position i of channel c's plane, a grain's, as C: "x1[c * 64L + i]". */
const char *spread_element(const Node *node, int input);
/* The same of dy. */
const char *spread_dy(const Node *node);
/* The kernel of a grain: y, or dx, is `value`, of such elements; of an input that is repeated
 * it is their sum over what it is repeated for. */
void emit_spread(Kernel *kernel, const char *value);

/* Of one image: the channels from `channel` on at position p, as C. */
const char *image_spread_element(const ImageKernel *image, int input, const char *channel);
/* Its kernel: y from `channel` on is what `value` says. */
void emit_image_spread(ImageKernel *image,
                       const char *(*value)(const ImageKernel *image, const char *channel));

#endif
