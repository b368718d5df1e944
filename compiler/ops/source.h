/* source.h: what operators share with which a chain begins: parameter, constant, noise. */
#ifndef SOURCE_H
#define SOURCE_H

#include "kernels/image/image.h"
#include "ops/operator.h"

/* the first argument of all of them */
#define SHAPE_ARGUMENT                                                            \
    {                                                                             \
        "shape", ARG_SHAPE, .positional = true, .minimum = 1, .maximum = LARGEST, \
                            .doc = "The shape that one image has."                \
    }

/* out_shape, as the first argument has it. */
bool infer_source_shape(Node *node);
/* y[i] = value, an expression of i. */
void emit_source(Kernel *kernel, const char *value);
/* The same for one image: what lies at `from` as y does; NULL: `from` is one value. */
void image_source(ImageKernel *image, const char *from);
void image_filled(ImageKernel *image, const char *value);

#endif
