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
Block block_of(const Single *single, Int channels);

TileSize choose_single_tile(const Single *single, const Gather *gather);
/* Cycles of one tap of one input, for a row of positions. */
double single_cover_cost(const Single *single, const Gather *gather, TileSize tile);
/* The tiles of a run: of y's row `row`, from `t` on, with the block's weights at `b`. */
void single_tile(Single *single, const Gather *gather, const Block *block, Run run);
/* Notes how the weights of blocks of `step` channels are packed. */
void pack_single_gather(Single *single, const Gather *gather, Int step);
/* A tap that lies in the padding for the whole tile is not written. */
bool is_read(const Axis *columns, Run run, Int tap);

#endif
