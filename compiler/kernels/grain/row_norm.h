/* row_norm.h: rows of values that lie one behind the other, each brought to mean 0 and variance 1,
 * or to mean square 1, by itself, and then scaled and shifted: layer_norm, rms_norm, group_norm
 * and instance_norm.  layer_norm2d's values lie a plane apart, and batch norms need other images.
 */
#ifndef ROW_NORM_H
#define ROW_NORM_H

#include "kernels/kernel.h"

/* Of one image; sizes in values. */
typedef struct RowNorm {
    Int rows, length;
    Int repeat;     /* so many values, one behind the other, share a weight and a bias … */
    Int parameters; /* … of which there are so many: those of a row, or of the whole image */
    bool centred;   /* the mean is taken off; false: mean squares alone */
    bool weight, bias;
    /* added to the variance; below 0: PyTorch's eps=None, the distance from 1 to the next number */
    double eps;
} RowNorm;

/* What forward notes for the way back: the mean of each row, where it is taken off, and then 1 over
 * the deviation of each.  Lanes without an image note 0. */
Shape row_norm_aux(RowNorm norm);
/* The number that is added to the variance. */
double row_norm_epsilon(const Kernel *kernel, RowNorm norm);
/* The kernel of any stage. */
void emit_row_norm(Kernel *kernel, RowNorm norm);

#endif
