/* augment.h: what the augmentations share: an image under way, and its random numbers.  augment.c
 * has the table of them, operations.c those that draw operations of a list.
 */
#ifndef AUGMENT_H
#define AUGMENT_H

#include "data/picture.h"

/* A target whose values belong to the image's pixels, [planes][h][w], under way.  What a move makes
 * of it is nearest where its values are whole numbers: no class lies between two others. */
typedef struct NetMovedTarget {
    double *to;
    const double *from;
    double *spare;  /* as many */
    NetShape shape; /* c: planes */
    bool whole, pixels;
    double fill; /* from beyond the edges, where the border is constant */
} NetMovedTarget;

/* One image under way. */
typedef struct NetAugmentWork {
    const NetAugment *augment;
    const NetAugmentStep *step;
    uint64_t image; /* its position */
    uint8_t *to;    /* [c][h][w] of the network */
    const uint8_t *from;
    NetShape own;                 /* of `from`: the network's but for the crop that gives it that */
    uint8_t *spare;               /* as many pixels */
    const NetMovedTarget *target; /* what is moved instead, by the same draws; NULL: the image */
} NetAugmentWork;

typedef struct NetAugmentKind {
    const char *name, *path;
    void (*read)(NetAugmentStep *step, const NetSettings *settings);
    /* false: the image stays as it is, and `to` is untouched */
    bool (*apply)(const NetAugmentWork *work);
    /* pixels, so that `apply` is of a target too; or it takes what is beyond the edges besides */
    enum { NET_STAYS, NET_MOVES, NET_MOVES_IN } moves;
} NetAugmentKind;

/* The step's random numbers for the image: in [low, high); a whole one in [low, high]; of the
 * standard normal distribution. */
double net_draw(const NetAugmentWork *work, int number, double low, double high);
int64_t net_draw_whole(const NetAugmentWork *work, int number, int64_t low, int64_t high);
double net_draw_normal(const NetAugmentWork *work, int number);

/* The index-th number of a setting; of one that is absent, or shorter, `fallback`. */
double net_number_of(const NetSettings *settings, const char *path, int index, double fallback);
bool net_is_bilinear(const NetSettings *settings, const char *path);
/* `fill` and `padding_mode` of the augmentation `name`. */
NetBorder net_border_of(const NetSettings *settings, const char *name);

/* moved.c: of work->target; true. */
bool net_move_mirrored(const NetAugmentWork *work, bool over); /* left and right, or over */
/* A window of its size, whose first pixel is there. */
bool net_move_window(const NetAugmentWork *work, int64_t down, int64_t right);
bool net_move_warped(const NetAugmentWork *work, const NetAffine *affine);
bool net_move_resized(const NetAugmentWork *work, NetWindow window);

/* operations.c */
void net_read_rand_augment(NetAugmentStep *step, const NetSettings *settings);
void net_read_trivial_augment(NetAugmentStep *step, const NetSettings *settings);
void net_read_auto_augment(NetAugmentStep *step, const NetSettings *settings);
bool net_draw_operations(const NetAugmentWork *work);
bool net_draw_policy(const NetAugmentWork *work);

#endif
