/* spread.h: tensors that are joined element by element.  The one broadcasting rule: their ranks are
 * equal, and along each axis so are their sizes, or 1, which is repeated.
 */
#ifndef SPREAD_H
#define SPREAD_H

#include "kernels/image/image.h"
#include "ops/operator.h"

/* Sets node->out_shape; false: they do not fit, which is reported as `code`.  The second one says
 * what `rule` names them: "equal shapes". */
bool infer_spread(Node *node, const char *code);
bool infer_spread_by(Node *node, const char *code, const char *rule);
bool is_spread(const Node *node, int input); /* smaller than the output: it is repeated */

/* Where the element of an input lies, and that of the output, as C: "i0 * 64L + i1", of the
 * variables of the loops that emit_spread opens. */
const char *spread_index(const Node *node, int input);
const char *spread_output_index(const Node *node);
/* Opens loops over all of the output (input -1), or those along which an input has its own values,
 * or along which it is repeated; the first may be over pieces.  Gives how many: close_loops. */
int open_spread_loops(Kernel *kernel, int input, bool repeated, bool pieces);
const char *spread_element(const Node *node, int input); /* "x1[i0]" */
const char *spread_dy(const Node *node);
/* The kernel of a grain: y, or dx, is `value`, of such elements; of an input that is repeated
 * it is their sum over what it is repeated for, in the order in which they lie. */
void emit_spread(Kernel *kernel, const char *value);

/* Of one image, where an input that is repeated has one value for each channel. */
bool spreads_channels(const Node *node);
/* The channels from `channel` on at position p, as C. */
const char *image_spread_element(const ImageKernel *image, int input, const char *channel);
/* Its kernel: y from `channel` on is what `value` says. */
void emit_image_spread(ImageKernel *image,
                       const char *(*value)(const ImageKernel *image, const char *channel));

#endif
