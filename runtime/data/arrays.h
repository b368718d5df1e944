/* arrays.h: a data set is arrays with names.
 *
 * A split, of training or of testing, has `count` examples and some arrays, each with a value or
 * a whole tensor for each example.  The first array is the network's input; of several inputs each
 * is the array of its name, the first one else the first array.  The others are what it may learn
 * from, its targets.
 *
 * A reader fills a split like this, and the caller does the rest:
 *
 *     images->count = rows;
 *     NetArray *x = net_add_array(images, "x", NET_FLOAT, (NetShape){1, 13, 1, 1, 1}, error);
 *     NetArray *y = net_add_array(images, "quality", NET_BYTES, net_one_value, error);
 *     y->classes = 6;
 *     ... x->values[i * 13 + k] = ...
 *
 * net_add_array allocates [count][elements of the shape], zeroed; a reader that has the memory
 * already, a file's pages for one, uses net_lend_array.  Names are what `target=` says in a train
 * section: of a folder of pictures by class "image" and "class", of a text "text" and "next".
 *
 * What a network wants of the data is said by its NetModel: `input` (or `numbers`: whole numbers
 * below it), and for each target a NetTarget: the array's name, or NULL where the data's only one
 * is meant, its kind and its shape.  net_bind_data checks a data set against it, once: rank, size,
 * kind, range, numbers that are not finite; and remembers in `inputs` and `targets` which array is
 * which.  Nobody after it checks again.  A target is an array of one of these forms:
 *
 *     NET_CLASSES  whole numbers below `classes`, one for each position of the output.  A value
 *                  that is the loss's ignore_index may stand among them.
 *     NET_NUMBERS  numbers of the output's shape; or whole numbers, one for each position: where
 *                  the output has several classes there, the target is 1 for that one and 0 else.
 *
 * Kinds are told apart by what they mean, not only by their memory: NET_PIXELS as numbers are
 * value / 255, NET_BYTES the value itself.
 */
#ifndef NET_ARRAYS_H
#define NET_ARRAYS_H

#include "net_runtime.h"

typedef enum NetKind {
    NET_PIXELS, /* uint8_t, of a picture */
    NET_BYTES,  /* uint8_t, whole numbers */
    NET_WHOLE,  /* int32_t */
    NET_FLOAT   /* float */
} NetKind;

/* Which of an array's examples a process has in memory.  They are in units of so many, which the
 * holders have in turn.  Only a first array of pixels may be shared out like this. */
typedef struct NetHeld {
    int64_t unit;
    int holder, holders; /* holders 0 or 1: it has all */
} NetHeld;
static inline int net_holder_of(const NetHeld *held, int64_t image)
{
    return held->holders > 1 ? (int)(image / held->unit % held->holders) : held->holder;
}
static inline bool net_is_held(const NetHeld *held, int64_t image)
{
    return net_holder_of(held, image) == held->holder;
}

enum { NET_MAX_ARRAYS = 16, NET_ARRAY_NAME = 64 };

/* One of a split's arrays. */
typedef struct NetArray {
    char name[NET_ARRAY_NAME];
    NetKind kind;
    NetShape shape;  /* of an example; rank 0: one value */
    int64_t classes; /* of whole numbers: all are below it; 0: not known */
    void *values;    /* those that are held, each `stride` values after the one before */
    int64_t stride;
    bool slides;     /* examples are stretches of one row, which NetBatch.offset moves: a text */
    bool lent;       /* the memory is somebody else's */
    uint8_t *mapped; /* a file's pages, not to be written, of which values are part; or NULL */
    int64_t mapped_bytes;
} NetArray;

/* one split */
typedef struct NetImages {
    int64_t count;
    NetHeld held; /* of the first array: set before it is read */
    NetArray arrays[NET_MAX_ARRAYS];
    int array_count;
    uint64_t sample; /* where not all are held: net_sample_digest's */
    int inputs[NET_MAX_INPUTS], targets[NET_MAX_TARGETS]; /* of arrays: see net_bind_data */
    bool has_targets;         /* those were found; without them nothing is held against anything */
    struct NetStream *stream; /* data/pictures.c: not all are in memory; NULL: all that are held */
} NetImages;

/* data/nouns.c: "row", "rows", "a row", "values" */
typedef struct NetNoun {
    const char *one, *many, *a, *values;
} NetNoun;

typedef struct NetData {
    NetImages train, test;
    char what[256];    /* "mnist in data/mnist" */
    NetNoun noun;      /* what its examples are called */
    bool drawn;        /* by the program itself: synthetic */
    bool pictures;     /* decoded from files of pictures */
    bool unlabelled;   /* it has no targets, and nobody wants them: NetOpening.answers_only */
    char *class_names; /* a line each; NULL: not known */
    /* data/validation.c: a folder's of their own; count 0: none */
    NetImages validation;
    /* [train.count]: the training images that are trained on, `trained` of them, and from
     * `judged` on those that the run is judged by; NULL: all are trained on */
    int32_t *order;
    int64_t trained, judged;
    /* what was made of the files' values, which goes with the weights, so that other files can be
     * read as these were: each reader's own text; NULL: nothing */
    char *recipe;
} NetData;

static const NetShape net_one_value = {0, 1, 1, 1, 1};

/* data/arrays.c.  NULL: there is no memory, or there are too many. */
NetArray *net_add_array(NetImages *images, const char *name, NetKind kind, NetShape shape,
                        NetError *error);
/* The same of memory that is there: it stays the caller's with `lent`, else free() must take it. */
NetArray *net_lend_array(NetImages *images, const char *name, NetKind kind, NetShape shape,
                         void *values, bool lent, NetError *error);
/* Gives an array other values, [count][elements of the shape], which free() takes. */
void net_array_replace(NetArray *array, NetShape shape, void *values);
void net_array_close(NetArray *array);
/* Pictures without targets, in the caller's memory. */
NetImages net_pictures(int64_t count, NetShape shape, const uint8_t *pixels);
void net_images_close(NetImages *images);
size_t net_kind_bytes(NetKind kind);
/* Of an example that is held, its values; of one that slides `offset` values on. */
const void *net_array_at(const NetArray *array, int64_t index, int64_t offset);
/* One of those, as a number: of pixels 0 … 1. */
double net_array_number(const NetArray *array, const void *values, int64_t element);
/* One of those, as a whole number; of NET_FLOAT: rounded towards zero. */
int64_t net_array_whole(const NetArray *array, const void *values, int64_t element);
const NetArray *net_find_array(const NetImages *images, const char *name); /* NULL: none */
/* A digest of all targets' arrays. */
uint64_t net_targets_digest(const NetImages *images);

/* data/bind.c: whether the data are what the network wants; *error says what is not, of which
 * split and which example. */
bool net_bind_data(NetData *data, const NetModel *model, NetError *error);
bool net_bind_images(NetImages *images, const NetModel *model, const char *what, const char *split,
                     NetError *error);
/* The shape of what has a class at each position of the output that the target is held against. */
NetShape net_target_positions(const NetTarget *target);
/* Whether the array says the target by classes, one for each position. */
bool net_is_by_class(const NetTarget *target, const NetArray *array);
/* Target number `target` of an example whose values these are, at one position or element of the
 * output: the class there, or the number. */
int32_t net_target_class(const NetTarget *target, const NetArray *array, const void *values,
                         int64_t position);
real net_target_number(const NetTarget *target, const NetArray *array, const void *values,
                       int64_t element);

#endif
