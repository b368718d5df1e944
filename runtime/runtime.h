/* runtime.h: what the files of the runtime share and a user's program does not
 * see, grouped by file.  Functions that can fail give false (or NULL) and put
 * one sentence in *error, naming the file and the field or byte offset; only
 * main.c prints and exits.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "net_runtime.h"

#include <stdio.h>

#define PRINTF(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))

/* ------------------------------------------------------- core/checks.c */

bool net_fail(NetError *error, const char *template, ...) PRINTF(2, 3);        /* always false */
void *net_allocate(size_t count, size_t size, NetError *error);        /* zeroed, NET_ALIGNMENT-aligned, product checked; free() it */

/* A file written beside `path` and renamed over it by net_commit; dropped by
 * net_discard.  So `path` is always the old file or the whole new one. */
typedef struct NetOutput { FILE *file; char *path, *temporary; } NetOutput;
bool net_create(NetOutput *output, const char *path, NetError *error);
bool net_commit(NetOutput *output, NetError *error);    /* flushes, syncs, renames */
void net_discard(NetOutput *output);

/* ------------------------------------------------------- core/random.c */

uint64_t net_hash(const char *text);            /* FNV-1a, 64 bits: a stream's salt from a name */
/* A shuffled order of 0 … count-1, the same for the same seed and epoch. */
void net_shuffle(int32_t *order, int64_t count, uint64_t seed, uint64_t epoch);
double net_random_normal(uint64_t seed, uint64_t step, uint64_t salt, uint64_t index);

/* ------------------------------------------------------ core/threads.c */

typedef struct NetPool NetPool;
NetPool *net_pool_open(int threads, NetError *error);
void net_pool_close(NetPool *pool);
int net_pool_threads(const NetPool *pool);
/* Runs work(context, thread) on every thread, the caller being thread 0, and
 * returns when all are done. */
void net_pool_run(NetPool *pool, void (*work)(void *context, int thread), void *context);
/* Inside work: all threads meet. */
void net_pool_barrier(NetPool *pool);

/* ------------------------------------------------------- core/vectors.c */
/* Loops worth vectorising that no network shapes. */

/* sum[i] = the slots' i-th values added in one fixed tree, for i in [from, to). */
void net_reduce(real *slots, int64_t stride, int64_t count, int64_t from, int64_t to);  /* into slot 0 */
/* One grain of normalised input, [elements][lanes], from uint8 images:
 * out = (pixel / 255 - mean[channel]) / std[channel].  images[lane] NULL: zeros. */
void net_load_grain(real *out, const uint8_t *const *images, int lanes, NetShape shape,
                    const real *scale, const real *shift);

/* --------------------------------------------------------------- data/ */

typedef struct NetImages {      /* one split */
    int64_t count;
    NetShape shape;             /* [channels, height, width] */
    int classes;
    uint8_t *pixels;            /* [count][channels][height][width] */
    uint8_t *labels;            /* [count] */
} NetImages;

typedef struct NetData { NetImages train, test; char what[256]; } NetData;      /* what: "mnist in data/mnist" */

/* data/data.c: finds what `source` is: a directory with the IDX files or the
 * CIFAR-10 binaries, or "synthetic".  `want` is the network's input, `classes`
 * its logits: a difference is an error that says both.  `seed` is of synthetic. */
bool net_data_open(NetData *data, const char *source, NetShape want, int64_t classes, uint64_t seed, NetError *error);
void net_data_close(NetData *data);

/* data/idx.c: one pair of IDX files, gzipped or not (zlib reads both).
 * http://yann.lecun.com/exdb/mnist/ */
bool net_read_idx(NetImages *images, const char *images_path, const char *labels_path, NetError *error);
/* data/cifar.c: CIFAR-10's binary batches. https://www.cs.toronto.edu/~kriz/cifar.html */
bool net_read_cifar10(NetImages *images, const char *const *paths, int path_count, NetError *error);
/* data/synthetic.c: digits drawn as strokes under random affine maps and noise;
 * image i of a split depends only on seed, split and i. */
bool net_draw_synthetic(NetImages *images, int64_t count, NetShape shape, int64_t classes, uint64_t seed, int split, NetError *error);
/* data/png.c: an image file as [c][h][w] in the network's shape: grey or RGB as
 * it has channels, resized by area averaging to its size. */
bool net_read_png(uint8_t *pixels, NetShape shape, const char *path, NetError *error);

/* -------------------------------------------------------------- train/ */

/* train/session.c */
struct NetSession {
    const NetModel *model;
    NetPool *pool;
    int64_t batch, max_grains;
    real *weights, *buffers, *gradients, *kept, *input, *loss, *active;
    int64_t *counters;
    int32_t *targets;
    real **scratch;             /* [threads] */
    int64_t gradient_stride;
    NetStep step;
};
/* One pass over a batch: loads `count` images by index from `images`, runs the
 * program; training also leaves the mean gradient in session->gradients[0 …
 * trained).  Gives the mean loss and counts right answers. */
typedef struct NetResult { double loss; int64_t correct; int64_t images; } NetResult;

/* train/safetensors.c: https://huggingface.co/docs/safetensors (the format).
 * Tensors by name; F32, F64, F16 and BF16 convert to real on reading. */
typedef struct NetNamed { const char *name; const char *dtype; int rank; int64_t dim[4]; void *values; int64_t elements; } NetNamed;
bool net_write_safetensors(const char *path, const NetNamed *tensors, int count, const char *const *metadata, NetError *error);

/* train/ has more of its own: see each file's opening paragraph and add its
 * prototypes here. */

#endif
