/* tiles.h: the tiles of tiles.c, for the other kernels of one image that are made of them. */
#ifndef IMAGE_TILES_H
#define IMAGE_TILES_H

#include "kernels/image/image.h"

typedef struct TileSize {
    Int vectors, positions;
} TileSize;

/* One block of channels: how many are stored, and the vectors that cover them. */
typedef struct Block {
    Int channels, width; /* width: of the packed weights */
    Int vectors;
    bool half; /* the last vector is half as wide */
} Block;
Block block_of(const ImageKernel *image, Int channels);

TileSize choose_image_tile(const ImageKernel *image, const Contraction *contraction);
/* Cycles of one tap of one input, for a row of positions. */
double image_cover_cost(const ImageKernel *image, const Contraction *contraction, TileSize tile);
/* The tiles of a run: of y's row `row`, from `t` on, with the block's weights at `b`. */
void image_tile(ImageKernel *image, const Contraction *contraction, const Block *block, Run run);
/* Notes how the weights of blocks of `step` channels are packed. */
void pack_image_contraction(ImageKernel *image, const Contraction *contraction, Int step);
/* A tap that lies in the padding for the whole tile is not written. */
bool is_read(const Axis *columns, Run run, Int tap);

#endif
