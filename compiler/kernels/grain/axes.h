/* axes.h: loops over the axes of a shape, some of which are summed over. */
#ifndef AXES_H
#define AXES_H

#include "kernels/kernel.h"

/* Neighbours of a kind are one loop, of the variable i0, i1, … */
typedef struct AxisLoops {
    int count;
    Int size[MAX_RANK];
    bool reduced[MAX_RANK];
} AxisLoops;

AxisLoops axis_loops(Shape shape, unsigned reduced); /* the axes' bits */
/* Where a value lies among all, and among those that are kept, as C. */
const char *whole_index(const AxisLoops *loops);
const char *kept_index(const AxisLoops *loops);
/* The kept ones, the first of which is over pieces, or the reduced ones; gives how many. */
int open_kept_loops(Kernel *kernel, const AxisLoops *loops);
int open_reduced_loops(Kernel *kernel, const AxisLoops *loops);
void close_loops(Kernel *kernel, int count);

#endif
