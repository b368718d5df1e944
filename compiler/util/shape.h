/* shape.h: one image's shape: a value, of which nothing is known but its numbers. */
#ifndef SHAPE_H
#define SHAPE_H

#include "util/util.h"

/* One image's shape: [channels, height, width] or [features].  The batch is
 * implicit.  A rank-1 shape has dim[1] = dim[2] = 1. */
typedef struct Shape {
    int rank;
    Int dim[3];
} Shape;
Shape shape_of(int rank, Int d0, Int d1, Int d2);
bool shape_equal(Shape a, Shape b);
Int shape_elements(Shape shape);     /* fits: checked when the graph was built */
Int shape_plane(Shape shape);        /* of one channel: height * width */
const char *shape_text(Shape shape); /* "[10, 24, 24]" */

#endif
