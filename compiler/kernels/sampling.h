/* sampling.h: an image's values at places that a second tensor gives, for each lane its own.
 *
 * A value is a sum over taps, each of which has a weight along each axis: one tap of the nearest
 * value, two of the values between which a place lies, four of a cubic.  Where a place is found in
 * the image, and its taps, are computed of a row of lanes at once; then each lane reads where it
 * has to.
 */
#ifndef SAMPLING_H
#define SAMPLING_H

#include "kernels/kernel.h"

enum { MAX_SAMPLED_AXES = 3 };

typedef struct Sampling {
    int axes; /* behind the channels */
    int taps; /* along each: 1, 2 or 4 */
    bool align_corners;
    enum { SAMPLE_ZEROS, SAMPLE_BORDER, SAMPLE_REFLECTION } padding;
    Int size[MAX_SAMPLED_AXES]; /* of the image, behind its channels */
    Int channels, plane;        /* plane: values of a channel */
    Int places, rows;           /* in all; along the first axis */
} Sampling;

/* Whether numbers of values fit the lanes that count them. */
bool can_sample(const Sampling *sampling, int lanes);
int sampled_taps(const Sampling *sampling); /* of all axes together */

/* Declares, of a place whose numbers are `place(axis)`, each the text of a vec, the axis counted as
 * the image's: along each axis its taps; … */
void declare_taps(Kernel *kernel, const Sampling *sampling, const char *(*place)(int axis));
/* … and of each of those together "mask at[]", where in a channel it lies, and "mask reads[]":
 * none where that is outside. */
void declare_reads(Kernel *kernel, const Sampling *sampling);
/* Adding this rounds to whole numbers, ties to even; the low bits of the sum are the number. */
const char *sampling_magic(const Kernel *kernel);
/* The weight of tap k, as an expression; of its gradient along axis `by`, unless that is -1. */
const char *tap_weight(const Sampling *sampling, int k, int by);

#endif
