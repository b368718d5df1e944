/* classes.h: what the losses of classes share: an output [classes], or one with classes for each
 * position, [classes, h, w] and [t, classes]; a class as target for each; and what a class counts.
 *
 * As PyTorch has it, the batch's loss is the sum of w[t] * loss over its positions, over the sum
 * of w[t], in which classes that are ignored count nothing; a batch that has no others has a loss
 * of 0, where PyTorch's is no number.
 */
#ifndef CLASSES_H
#define CLASSES_H

#include "kernels.h"

static inline bool is_sequence(const NetCall *call)
{
    return call->x_shape[0].rank == 2;
}

static inline int64_t classes_of(const NetCall *call)
{
    return is_sequence(call) ? call->x_shape[0].w : call->x_shape[0].c;
}

static inline int64_t positions_of(const NetCall *call)
{
    return net_shape_elements(call->x_shape[0]) / classes_of(call);
}

/* Where class k's value at a position lies, in a lane. */
static inline int64_t class_place(const NetCall *call, int64_t position, int64_t k, int lane)
{
    int64_t value =
        is_sequence(call) ? position * classes_of(call) + k : k * positions_of(call) + position;
    return value * call->lanes + lane;
}

static inline int64_t class_wanted(const NetCall *call, int64_t position, int lane)
{
    return ((const int32_t *)call->target)[position * call->lanes + lane];
}

/* What a class counts as a target; ignored: 0. */
static inline double class_weight(const NetCall *call, int64_t class)
{
    const double *weights = net_attribute_values(call, "weight");
    return weights ? weights[class] : 1;
}

static inline bool is_ignored(const NetCall *call, int64_t class)
{
    return net_attribute_count(call, "ignore_index") > 0
           && class == (int64_t)net_attribute(call, "ignore_index", 0);
}

static inline bool is_weighed(const NetCall *call)
{
    return net_attribute_values(call, "weight") || net_attribute_count(call, "ignore_index") > 0;
}

/* What a position's loss is multiplied by for an image's, whose mean over images is the batch's. */
static inline double position_share(const NetCall *call)
{
    if (!is_weighed(call))
        return 1 / (double)positions_of(call);
    return call->target_weight > 0 ? (double)call->step->images / call->target_weight : 0;
}

#endif
