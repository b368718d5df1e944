/* shape.h: one image's shape: a value, of which nothing is known but its numbers. */
#ifndef SHAPE_H
#define SHAPE_H

#include "util/util.h"

/* One image's shape, of one to four axes, as PyTorch's unbatched tensors: [features], [channels,
 * length] or [steps, features], [channels, height, width], [channels, depth, height, width].  The
 * batch is implicit, and nothing tells two shapes of a rank apart.  What lies behind the
 * rank is 1. */
enum { MAX_RANK = 4 };
typedef struct Shape {
    int rank;
    Int dim[MAX_RANK];
} Shape;
Shape shape_of(int rank, Int d0, Int d1, Int d2); /* rank at most 3 */
Shape shape_from(int rank, const Int *dims);
/* The same with another size along one axis. */
Shape shape_with(Shape shape, int axis, Int size);
Int shape_last(Shape shape); /* the size of the last axis */
bool shape_equal(Shape a, Shape b);
Int shape_elements(Shape shape);     /* fits: checked when the graph was built */
Int shape_plane(Shape shape);        /* of one channel: what lies behind the first axis */
const char *shape_text(Shape shape); /* "[10, 24, 24]" */
/* What an axis is called where a shape of this rank is an image: "channels", "height"; of one axis
 * "features". */
const char *axis_name(int rank, int axis);
/* What lies one behind the other along it: "row", "column", of a sequence "step". */
const char *axis_unit(int rank, int axis);

#endif
