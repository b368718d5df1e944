/* vectors.c: loops worth vectorising that no network shapes.
 *
 * Results are the same bits whatever instructions the compiler selects: sums
 * follow a fixed tree, and pixel * scale + shift rounds twice, never fused.
 */
#include "runtime.h"

#include <string.h>

/* gcc does not fuse under -std=c11, and does not know the pragma. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum {
    STRETCH = 1024, /* elements: a stretch of four slots stays in the first-level cache */
    STEP = 16,      /* elements: a fixed count, so that the loop over it is vectorised at -O2 */
};

NET_EACH_WIDTH void net_add(real *restrict sum, const real *restrict term, int64_t count)
{
    int64_t i = 0;
    for (; i + STEP <= count; i += STEP)
        for (int j = 0; j < STEP; j++)
            sum[i + j] += term[i + j];
    for (; i < count; i++)
        sum[i] += term[i];
}

/* Neighbours first, then pairs of pairs: ((0+1)+(2+3))+(4+5) for six slots.
 * Leaves partial sums in the slots above 0. */
void net_reduce(real *slots, int64_t stride, int64_t count, int64_t from, int64_t to)
{
    for (int64_t start = from; start < to; start += STRETCH) {
        int64_t length = to - start < STRETCH ? to - start : STRETCH;
        for (int64_t reach = 1; reach < count; reach *= 2)
            for (int64_t slot = 0; slot + reach < count; slot += 2 * reach)
                net_add(slots + slot * stride + start, slots + (slot + reach) * stride + start,
                        length);
    }
}

/* ------------------------------------------------------ images to lanes */

enum { TILE = 16 }; /* elements and lanes of a square that is transposed at once */

/* All of a tile stays in registers if loops over it are written out. */
#define EACH(i, count) _Pragma("GCC unroll 16") for (int i = 0; i < count; i++)

typedef uint8_t Row __attribute__((vector_size(TILE)));
typedef real RealRow __attribute__((vector_size(TILE * sizeof(real))));

/* By widths that double, which is what there are instructions for. */
typedef uint16_t Row16 __attribute__((vector_size(TILE * 2)));
typedef int32_t Row32 __attribute__((vector_size(TILE * 4)));
#define TO_REALS(row)                                                                            \
    __builtin_convertvector(__builtin_convertvector(__builtin_convertvector(row, Row16), Row32), \
                            RealRow)

/* Elements of a and b in turn: of their first halves, of their second. */
#define ZIP_FIRST(a, b) \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_SECOND(a, b) \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

/* Each round puts row i and row i + 8 together as teeth of a zip, and with that
 * rotates the numbers of row and column, eight bits in all, by one bit: after four
 * rounds row and column have been exchanged. */
#define ZIP_ROWS(to, from)                                             \
    EACH(i, TILE / 2)                                                  \
    {                                                                  \
        (to)[2 * i] = ZIP_FIRST((from)[i], (from)[i + TILE / 2]);      \
        (to)[2 * i + 1] = ZIP_SECOND((from)[i], (from)[i + TILE / 2]); \
    }
#define TRANSPOSE_ROWS(rows, other) \
    ZIP_ROWS(other, rows)           \
    ZIP_ROWS(rows, other)           \
    ZIP_ROWS(other, rows)           \
    ZIP_ROWS(rows, other)

/* rows[element][lane] from images[lane][element]. */
static inline __attribute__((always_inline)) void
transpose_tile(Row rows[TILE], const uint8_t *const *images, int lanes, int64_t from)
{
    Row other[TILE];
    EACH(lane, TILE)
    {
        rows[lane] = (Row){0};
        if (lane < lanes && images[lane])
            memcpy(&rows[lane], images[lane] + from, TILE);
    }
    TRANSPOSE_ROWS(rows, other)
}

/* Where the tile begins that element i is in: the last one ends with the last
 * element, and does some of the one before again. */
static inline int64_t tile_start(int64_t i, int64_t count)
{
    return i + TILE <= count ? i : count - TILE;
}

/* At least a tile of elements from `from` on.  scale and shift are 0 in lanes
 * without an image, so that their output is 0 and not the shift. */
static inline __attribute__((always_inline)) void
load_plane(real *restrict out, int out_lanes, const uint8_t *const *images, int lanes, int64_t from,
           int64_t count, const RealRow *scale, const RealRow *shift)
{
    Row rows[TILE];
    for (int64_t i = 0; i < count; i += TILE) {
        int64_t at = tile_start(i, count);
        transpose_tile(rows, images, lanes, from + at);
        EACH(e, TILE)
        {
            RealRow values = TO_REALS(rows[e]) * *scale + *shift;
            memcpy(out + (at + e) * out_lanes, &values, (size_t)lanes * sizeof(real));
        }
    }
}

/* The same of any number of elements and lanes. */
static void load_few(real *restrict out, int out_lanes, const uint8_t *const *images, int lanes,
                     int64_t from, int64_t count, const RealRow *scale, const RealRow *shift)
{
    for (int64_t i = 0; i < count; i++)
        for (int lane = 0; lane < lanes; lane++)
            out[i * out_lanes + lane] =
                (images[lane] ? (real)images[lane][from + i] : 0) * (*scale)[lane] + (*shift)[lane];
}

/* Up to TILE lanes of every channel. */
static NET_EACH_WIDTH void load_lanes(real *out, int out_lanes, const uint8_t *const *images,
                                      int lanes, NetShape shape, const real *scale,
                                      const real *shift)
{
    int64_t plane = net_shape_plane(shape);
    RealRow lane_scale = {0}, lane_shift = {0};
    for (int64_t c = 0; c < shape.c; c++) {
        for (int lane = 0; lane < lanes; lane++) {
            lane_scale[lane] = images[lane] ? scale[c] : 0;
            lane_shift[lane] = images[lane] ? shift[c] : 0;
        }
        real *to = out + c * plane * out_lanes;
        /* The widths of real hardware, as constants the compiler can unroll. */
        if (lanes == 16 && plane >= TILE)
            load_plane(to, out_lanes, images, 16, c * plane, plane, &lane_scale, &lane_shift);
        else if (lanes == 8 && plane >= TILE)
            load_plane(to, out_lanes, images, 8, c * plane, plane, &lane_scale, &lane_shift);
        else if (lanes == 4 && plane >= TILE)
            load_plane(to, out_lanes, images, 4, c * plane, plane, &lane_scale, &lane_shift);
        else
            load_few(to, out_lanes, images, lanes, c * plane, plane, &lane_scale, &lane_shift);
    }
}

void net_load_grain(real *out, const uint8_t *const *images, int lanes, NetShape shape,
                    const real *scale, const real *shift)
{
    for (int first = 0; first < lanes; first += TILE) {
        int some = lanes - first < TILE ? lanes - first : TILE;
        load_lanes(out + first, lanes, images + first, some, shape, scale, shift);
    }
}

/* The same in two passes: what the one is held against, and what runs in a network compiled
 * without `load`. */
void net_transpose_pixels(real *out, const uint8_t *const *images, int lanes, NetShape shape)
{
    int64_t elements = net_shape_elements(shape);
    for (int64_t e = 0; e < elements; e++)
        for (int lane = 0; lane < lanes; lane++)
            out[e * lanes + lane] = images[lane] ? images[lane][e] : 0;
}

void net_normalise_grain(real *out, const uint8_t *const *images, int lanes, NetShape shape,
                         const real *scale, const real *shift)
{
    int64_t plane = net_shape_plane(shape);
    for (int64_t c = 0; c < shape.c; c++)
        for (int64_t e = c * plane; e < (c + 1) * plane; e++)
            for (int lane = 0; lane < lanes; lane++)
                out[e * lanes + lane] =
                    images[lane] ? out[e * lanes + lane] * scale[c] + shift[c] : 0;
}

/* ------------------------------------------------------ floats to lanes */

typedef float FloatRow __attribute__((vector_size(TILE * sizeof(float))));

/* At least a tile of elements, of up to TILE lanes. */
static inline __attribute__((always_inline)) void transpose_floats(real *restrict out,
                                                                   int out_lanes,
                                                                   const float *const *images,
                                                                   int lanes, int64_t elements)
{
    FloatRow rows[TILE], other[TILE];
    for (int64_t i = 0; i < elements; i += TILE) {
        int64_t at = tile_start(i, elements);
        EACH(lane, TILE)
        {
            rows[lane] = (FloatRow){0};
            if (lane < lanes && images[lane])
                memcpy(&rows[lane], images[lane] + at, sizeof rows[lane]);
        }
        TRANSPOSE_ROWS(rows, other)
        EACH(e, TILE)
        {
            RealRow values = __builtin_convertvector(rows[e], RealRow);
            memcpy(out + (at + e) * out_lanes, &values, (size_t)lanes * sizeof(real));
        }
    }
}

static void transpose_few(real *restrict out, int out_lanes, const float *const *images, int lanes,
                          int64_t elements)
{
    for (int64_t e = 0; e < elements; e++)
        for (int lane = 0; lane < lanes; lane++)
            out[e * out_lanes + lane] = images[lane] ? (real)images[lane][e] : 0;
}

static NET_EACH_WIDTH void transpose_lanes(real *out, int out_lanes, const float *const *images,
                                           int lanes, int64_t elements)
{
    if (lanes == 16 && elements >= TILE)
        transpose_floats(out, out_lanes, images, 16, elements);
    else if (lanes == 8 && elements >= TILE)
        transpose_floats(out, out_lanes, images, 8, elements);
    else if (lanes == 4 && elements >= TILE)
        transpose_floats(out, out_lanes, images, 4, elements);
    else
        transpose_few(out, out_lanes, images, lanes, elements);
}

void net_transpose_grain(real *out, const float *const *images, int lanes, int64_t elements)
{
    for (int first = 0; first < lanes; first += TILE)
        transpose_lanes(out + first, lanes, images + first,
                        lanes - first < TILE ? lanes - first : TILE, elements);
}
