/* attention.h: attention as its kernels take it: how large it is, and where its operands lie.
 *
 *   queries [windows, queries, heads * width]
 *   keys    [windows, keys, kv_heads * width]
 *   values  [windows, keys, kv_heads * value_width]
 *   y       [windows, queries, heads * value_width]
 *   aux     [windows, heads, queries]: the logarithm of the sum of a query's exponentials
 *
 * Queries, keys and values are tensors of their own or parts of one.  A sequence that is no batch
 * of windows is one window.
 */
#ifndef ATTENTION_H
#define ATTENTION_H

#include "kernels/kernel.h"

/* Of an operand: its tensor, among the node's inputs, and the place of its first feature in a step;
 * `row`: the features of a step. */
typedef struct AttentionSide {
    int input;
    Int first, row, width; /* width: of a head */
} AttentionSide;

/* What is added to the scores: steps in values from one window, head, query, key to the next; 0
 * along an axis of 1, which is repeated. */
enum { MASK_WINDOW, MASK_HEAD, MASK_QUERY, MASK_KEY, MASK_AXES };
typedef struct AttentionMask {
    int input;
    Int step[MASK_AXES];
} AttentionMask;

typedef struct Attention {
    Int windows, queries, keys, heads, kv_heads;
    AttentionSide q, k, v;
    int masks;
    AttentionMask mask[MAX_INTS];
    bool causal;
    Int reach; /* a query sees keys less than so many steps away; 0: any */
    double scale, dropout;
} Attention;

/* "x", "x0": what the kernel calls the operand. */
static inline const char *attention_input(const Node *node, int input)
{
    return node->inputs.count == 1 ? "x" : format("x%d", input);
}

/* Vectors of memory that the grain's kernel of `stage` needs. */
Int attention_workspace(const Attention *attention, Stage stage);
/* Kernel of a grain, of both stages. */
void emit_attention(Kernel *kernel, const Attention *attention);
/* Kernel of one image. */
void emit_image_attention(ImageKernel *image, const Attention *attention);

#endif
