/* attention_row.h: attention of the last step of a sequence that grows, to those that were kept.
 *
 *   q    [heads * width]            kept keys   [kv_heads][width][steps], to whole vectors
 *   k    [kv_heads * width]         kept values [kv_heads][steps][value width], likewise
 *   v    [kv_heads * value width]   y           [heads * value width]
 */
#ifndef ATTENTION_ROW_H
#define ATTENTION_ROW_H

#include "kernels/image/image.h"

typedef struct RowAttention {
    Int steps, heads, kv_heads;
    Int width, value_width; /* of a head */
    const char *q, *k, *v;  /* where the step's begin, as C: "x + 384L" */
    Int reach;              /* a step sees those less than so many away; 0: all before it */
    double scale;
} RowAttention;

/* Elements that are kept: the operand `rows`. */
Int kept_of_attention(const RowAttention *attention, int lanes);
/* The kernel of step s->row. */
void image_attention_row(ImageKernel *image, const RowAttention *attention);

#endif
