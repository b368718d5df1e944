/* operations.c: augmentations that draw operations of a list: rand_augment, trivial_augment and
 * auto_augment, as torchvision's v2 has them, and rand_augment as timm has it.
 *
 * A list says of each operation how strong it is between no magnitude and the largest; a policy,
 * which operations follow one another, how probably, and with which magnitude.
 */
#include "data/augment.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------ operations */

typedef enum Operation {
    IDENTITY,
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y,
    ROTATE,
    BRIGHTNESS,
    COLOR,
    CONTRAST,
    SHARPNESS,
    POSTERIZE,
    SOLARIZE,
    SOLARIZE_ADD,
    AUTOCONTRAST,
    EQUALIZE,
    INVERT
} Operation;

/* Of `work->to`, or the target's, by way of the spare pixels. */
static void warp_again(const NetAugmentWork *work, NetAffine affine)
{
    NetShape shape = work->augment->shape;
    affine.scale_x = affine.scale_y = 1;
    affine.bilinear = work->step->bilinear;
    affine.border = work->step->border;
    if (work->target) {
        NetMovedTarget again = *work->target;
        NetAugmentWork moving = *work;
        again.from = memcpy(again.spare, again.to,
                            (size_t)net_shape_elements(again.shape) * sizeof *again.to);
        moving.target = &again;
        net_move_warped(&moving, &affine);
        return;
    }
    memcpy(work->spare, work->to, (size_t)(shape.c * shape.h * shape.w));
    net_warp(work->to, work->spare, shape, &affine);
}

/* A shear is about the first pixel's corner. */
static void shear(const NetAugmentWork *work, double x, double y)
{
    NetShape shape = work->augment->shape;
    warp_again(work, (NetAffine){.shear_x = atan(x),
                                 .shear_y = atan(y),
                                 .centre_x = -(double)shape.w / 2,
                                 .centre_y = -(double)shape.h / 2});
}

static void sharpen(const NetAugmentWork *work, double factor)
{
    NetShape shape = work->augment->shape;
    memcpy(work->spare, work->to, (size_t)(shape.c * shape.h * shape.w));
    net_adjust_sharpness(work->to, work->spare, shape, factor);
}

/* What a target's values go along with. */
static bool moves(Operation operation)
{
    return operation == SHEAR_X || operation == SHEAR_Y || operation == TRANSLATE_X
           || operation == TRANSLATE_Y || operation == ROTATE;
}

/* `value`: what a Range gives. */
static void operate(const NetAugmentWork *work, Operation operation, double value)
{
    NetShape shape = work->augment->shape;
    uint8_t *pixels = work->to;
    if (work->target && !moves(operation))
        return;
    switch (operation) {
    case IDENTITY:
        return;
    case SHEAR_X:
        return shear(work, value, 0);
    case SHEAR_Y:
        return shear(work, 0, value);
    case TRANSLATE_X:
        return warp_again(work, (NetAffine){.right = value});
    case TRANSLATE_Y:
        return warp_again(work, (NetAffine){.down = value});
    case ROTATE:
        return warp_again(work, (NetAffine){.angle = -NET_RADIAN * value});
    case BRIGHTNESS:
        return net_adjust_brightness(pixels, shape, 1 + value);
    case COLOR:
        return net_adjust_saturation(pixels, shape, 1 + value);
    case CONTRAST:
        return net_adjust_contrast(pixels, shape, 1 + value);
    case SHARPNESS:
        return sharpen(work, 1 + value);
    case POSTERIZE:
        return net_posterize(pixels, shape, (int)value);
    case SOLARIZE:
        return net_solarize(pixels, shape, value);
    case SOLARIZE_ADD:
        return net_solarize_add(pixels, shape, (int)value);
    case AUTOCONTRAST:
        return net_autocontrast(pixels, shape);
    case EQUALIZE:
        return net_equalize(pixels, shape);
    case INVERT:
        return net_invert(pixels, shape);
    }
}

/* ---------------------------------------------------------------- lists */

typedef enum Rounding { AS_IS, NEAREST, DOWN, UP } Rounding;

/* An operation with its strength: from `none` to `most`, times `unit` (0: 1). */
typedef struct Range {
    Operation operation;
    double none, most, unit;
    bool either;   /* to both sides */
    bool relative; /* a part of the image's size */
    Rounding rounding;
} Range;

typedef struct Space {
    const char *name;
    const Range *ranges;
    int count;
} Space;

#define SPACE(name_, ranges_)                                    \
    {                                                            \
        name_, ranges_, (int)(sizeof(ranges_) / sizeof *ranges_) \
    }

/* RandAugment's; AutoAugment's are these and INVERT. */
static const Range torchvision_ranges[] = {
    {.operation = IDENTITY},
    {SHEAR_X, .most = 0.3, .either = true},
    {SHEAR_Y, .most = 0.3, .either = true},
    {TRANSLATE_X, .most = 150.0 / 331, .either = true, .relative = true, .rounding = DOWN},
    {TRANSLATE_Y, .most = 150.0 / 331, .either = true, .relative = true, .rounding = DOWN},
    {ROTATE, .most = 30, .either = true},
    {BRIGHTNESS, .most = 0.9, .either = true},
    {COLOR, .most = 0.9, .either = true},
    {CONTRAST, .most = 0.9, .either = true},
    {SHARPNESS, .most = 0.9, .either = true},
    {POSTERIZE, .none = 8, .most = 4, .rounding = NEAREST},
    {SOLARIZE, .none = 1, .most = 0, .unit = 255},
    {.operation = AUTOCONTRAST},
    {.operation = EQUALIZE},
};
static const Range trivial_ranges[] = {
    {.operation = IDENTITY},
    {SHEAR_X, .most = 0.99, .either = true},
    {SHEAR_Y, .most = 0.99, .either = true},
    {TRANSLATE_X, .most = 32, .either = true, .rounding = DOWN},
    {TRANSLATE_Y, .most = 32, .either = true, .rounding = DOWN},
    {ROTATE, .most = 135, .either = true},
    {BRIGHTNESS, .most = 0.99, .either = true},
    {COLOR, .most = 0.99, .either = true},
    {CONTRAST, .most = 0.99, .either = true},
    {SHARPNESS, .most = 0.99, .either = true},
    {POSTERIZE, .none = 8, .most = 2, .rounding = NEAREST},
    {SOLARIZE, .none = 1, .most = 0, .unit = 255},
    {.operation = AUTOCONTRAST},
    {.operation = EQUALIZE},
};
/* timm's rand-m9-mstd0.5: some of it is weaker where the magnitude is larger. */
static const Range timm_ranges[] = {
    {.operation = AUTOCONTRAST},
    {.operation = EQUALIZE},
    {.operation = INVERT},
    {ROTATE, .most = 30, .either = true},
    {POSTERIZE, .none = 0, .most = 4, .rounding = DOWN},
    {SOLARIZE, .none = 0, .most = 256, .rounding = DOWN},
    {SOLARIZE_ADD, .most = 110, .rounding = DOWN},
    {COLOR, .none = -0.9, .most = 0.9},
    {CONTRAST, .none = -0.9, .most = 0.9},
    {BRIGHTNESS, .none = -0.9, .most = 0.9},
    {SHARPNESS, .none = -0.9, .most = 0.9},
    {SHEAR_X, .most = 0.3, .either = true},
    {SHEAR_Y, .most = 0.3, .either = true},
    {TRANSLATE_X, .most = 0.45, .either = true, .relative = true},
    {TRANSLATE_Y, .most = 0.45, .either = true, .relative = true},
};
/* timm's rand-m9-mstd0.5-inc1. */
static const Range timm_increasing_ranges[] = {
    {.operation = AUTOCONTRAST},
    {.operation = EQUALIZE},
    {.operation = INVERT},
    {ROTATE, .most = 30, .either = true},
    {POSTERIZE, .none = 4, .most = 0, .rounding = UP},
    {SOLARIZE, .none = 256, .most = 0, .rounding = UP},
    {SOLARIZE_ADD, .most = 110, .rounding = DOWN},
    {COLOR, .most = 0.9, .either = true},
    {CONTRAST, .most = 0.9, .either = true},
    {BRIGHTNESS, .most = 0.9, .either = true},
    {SHARPNESS, .most = 0.9, .either = true},
    {SHEAR_X, .most = 0.3, .either = true},
    {SHEAR_Y, .most = 0.3, .either = true},
    {TRANSLATE_X, .most = 0.45, .either = true, .relative = true},
    {TRANSLATE_Y, .most = 0.45, .either = true, .relative = true},
};

static const Space trivial_space = SPACE("trivial", trivial_ranges);
/* rand_augment's `space`, the first where nothing is said. */
static const Space spaces[] = {SPACE("torchvision", torchvision_ranges), SPACE("timm", timm_ranges),
                               SPACE("timm_increasing", timm_increasing_ranges)};
enum { SPACES = sizeof spaces / sizeof *spaces };

static double rounded(double value, Rounding rounding)
{
    switch (rounding) {
    case AS_IS:
        return value;
    case NEAREST:
        return nearbyint(value);
    case DOWN:
        return floor(value);
    case UP:
        return ceil(value);
    }
    return value;
}

/* `part`: of the way from no magnitude to the largest. */
static void apply(const NetAugmentWork *work, const Range *range, double part, bool negative)
{
    NetShape shape = work->augment->shape;
    double most = range->most;
    if (range->relative)
        most *= (double)(range->operation == TRANSLATE_X ? shape.w : shape.h);
    double value = range->none + (most - range->none) * part;
    value = rounded(range->unit > 0 ? range->unit * value : value, range->rounding);
    operate(work, range->operation, range->either && negative ? -value : value);
}

static void begin(const NetAugmentWork *work)
{
    NetShape shape = work->augment->shape;
    const NetMovedTarget *target = work->target;
    if (target)
        memcpy(target->to, target->from,
               (size_t)net_shape_elements(target->shape) * sizeof *target->to);
    else
        memcpy(work->to, work->from, (size_t)(shape.c * shape.h * shape.w));
}

/* ------------------------------------------ rand_augment, trivial_augment */

void net_read_rand_augment(NetAugmentStep *step, const NetSettings *settings)
{
    const char *space = net_setting_word(settings, "augment.rand_augment.space", spaces[0].name);
    step->operations = (int)net_number_of(settings, "augment.rand_augment.num_ops", 0, 2);
    step->magnitude = net_number_of(settings, "augment.rand_augment.magnitude", 0, 9);
    step->deviation = net_number_of(settings, "augment.rand_augment.magnitude_std", 0, 0);
    step->bins = (int)net_number_of(settings, "augment.rand_augment.num_magnitude_bins", 0, 31);
    step->p = net_number_of(settings, "augment.rand_augment.p", 0, 1);
    step->bilinear = net_is_bilinear(settings, "augment.rand_augment.interpolation");
    step->border = net_border_of(settings, "rand_augment");
    step->list = &spaces[0];
    for (int i = 0; i < SPACES; i++)
        if (strcmp(spaces[i].name, space) == 0)
            step->list = &spaces[i];
    if (step->magnitude >= step->bins)
        step->magnitude = step->bins - 1;
}

void net_read_trivial_augment(NetAugmentStep *step, const NetSettings *settings)
{
    step->operations = 1;
    step->magnitude = -1;
    step->p = 1;
    step->bins = (int)net_number_of(settings, "augment.trivial_augment.num_magnitude_bins", 0, 31);
    step->bilinear = net_is_bilinear(settings, "augment.trivial_augment.interpolation");
    step->border = net_border_of(settings, "trivial_augment");
    step->list = &trivial_space;
}

/* The operation `number`'s draws: which it is, how strong, to which side; then, of all of them, for
 * whether it is done. */
enum { DRAWS = 3, MOST_OPERATIONS = 100, WHETHER = DRAWS * MOST_OPERATIONS };

/* Of the bins: that which is said, perhaps with noise; or any. */
static double draw_magnitude(const NetAugmentWork *work, int number)
{
    const NetAugmentStep *step = work->step;
    int last = step->bins - 1, at = DRAWS * number + 1;
    if (step->magnitude < 0)
        return (double)net_draw_whole(work, at, 0, last);
    if (step->deviation <= 0)
        return step->magnitude;
    double magnitude = step->magnitude + step->deviation * net_draw_normal(work, at);
    return magnitude < 0 ? 0 : magnitude > last ? last : magnitude;
}

/* RandAugment (Cubuk et al. 2020) and TrivialAugmentWide (Mueller and Hutter 2021). */
bool net_draw_operations(const NetAugmentWork *work)
{
    const NetAugmentStep *step = work->step;
    const Space *space = step->list;
    begin(work);
    for (int i = 0; i < step->operations; i++) {
        const Range *range = &space->ranges[net_draw_whole(work, DRAWS * i, 0, space->count - 1)];
        double part = step->bins > 1 ? draw_magnitude(work, i) / (step->bins - 1) : 0;
        bool negative = net_draw(work, DRAWS * i + 2, 0, 1) < 0.5;
        if (step->p >= 1 || net_draw(work, WHETHER + i, 0, 1) < step->p)
            apply(work, range, part, negative);
    }
    return true;
}

/* --------------------------------------------------------- auto_augment */

/* An operation of a policy, with its probability and its magnitude, of ten. */
typedef struct Choice {
    Operation operation;
    double p;
    int magnitude;
} Choice;

enum { POLICIES = 25, IN_A_ROW = 2, MAGNITUDES = 10 };

/* Cubuk et al. 2019, "AutoAugment", tables 7 to 9, as torchvision has them: one of 25 is drawn. */
static const Choice imagenet_policies[POLICIES][IN_A_ROW] = {
    {{POSTERIZE, 0.4, 8}, {ROTATE, 0.6, 9}},  {{SOLARIZE, 0.6, 5}, {AUTOCONTRAST, 0.6, 0}},
    {{EQUALIZE, 0.8, 0}, {EQUALIZE, 0.6, 0}}, {{POSTERIZE, 0.6, 7}, {POSTERIZE, 0.6, 6}},
    {{EQUALIZE, 0.4, 0}, {SOLARIZE, 0.2, 4}}, {{EQUALIZE, 0.4, 0}, {ROTATE, 0.8, 8}},
    {{SOLARIZE, 0.6, 3}, {EQUALIZE, 0.6, 0}}, {{POSTERIZE, 0.8, 5}, {EQUALIZE, 1.0, 0}},
    {{ROTATE, 0.2, 3}, {SOLARIZE, 0.6, 8}},   {{EQUALIZE, 0.6, 0}, {POSTERIZE, 0.4, 6}},
    {{ROTATE, 0.8, 8}, {COLOR, 0.4, 0}},      {{ROTATE, 0.4, 9}, {EQUALIZE, 0.6, 0}},
    {{EQUALIZE, 0.0, 0}, {EQUALIZE, 0.8, 0}}, {{INVERT, 0.6, 0}, {EQUALIZE, 1.0, 0}},
    {{COLOR, 0.6, 4}, {CONTRAST, 1.0, 8}},    {{ROTATE, 0.8, 8}, {COLOR, 1.0, 2}},
    {{COLOR, 0.8, 8}, {SOLARIZE, 0.8, 7}},    {{SHARPNESS, 0.4, 7}, {INVERT, 0.6, 0}},
    {{SHEAR_X, 0.6, 5}, {EQUALIZE, 1.0, 0}},  {{COLOR, 0.4, 0}, {EQUALIZE, 0.6, 0}},
    {{EQUALIZE, 0.4, 0}, {SOLARIZE, 0.2, 4}}, {{SOLARIZE, 0.6, 5}, {AUTOCONTRAST, 0.6, 0}},
    {{INVERT, 0.6, 0}, {EQUALIZE, 1.0, 0}},   {{COLOR, 0.6, 4}, {CONTRAST, 1.0, 8}},
    {{EQUALIZE, 0.8, 0}, {EQUALIZE, 0.6, 0}},
};
static const Choice cifar10_policies[POLICIES][IN_A_ROW] = {
    {{INVERT, 0.1, 0}, {CONTRAST, 0.2, 6}},          {{ROTATE, 0.7, 2}, {TRANSLATE_X, 0.3, 9}},
    {{SHARPNESS, 0.8, 1}, {SHARPNESS, 0.9, 3}},      {{SHEAR_Y, 0.5, 8}, {TRANSLATE_Y, 0.7, 9}},
    {{AUTOCONTRAST, 0.5, 0}, {EQUALIZE, 0.9, 0}},    {{SHEAR_Y, 0.2, 7}, {POSTERIZE, 0.3, 7}},
    {{COLOR, 0.4, 3}, {BRIGHTNESS, 0.6, 7}},         {{SHARPNESS, 0.3, 9}, {BRIGHTNESS, 0.7, 9}},
    {{EQUALIZE, 0.6, 0}, {EQUALIZE, 0.5, 0}},        {{CONTRAST, 0.6, 7}, {SHARPNESS, 0.6, 5}},
    {{COLOR, 0.7, 7}, {TRANSLATE_X, 0.5, 8}},        {{EQUALIZE, 0.3, 0}, {AUTOCONTRAST, 0.4, 0}},
    {{TRANSLATE_Y, 0.4, 3}, {SHARPNESS, 0.2, 6}},    {{BRIGHTNESS, 0.9, 6}, {COLOR, 0.2, 8}},
    {{SOLARIZE, 0.5, 2}, {INVERT, 0.0, 0}},          {{EQUALIZE, 0.2, 0}, {AUTOCONTRAST, 0.6, 0}},
    {{EQUALIZE, 0.2, 0}, {EQUALIZE, 0.6, 0}},        {{COLOR, 0.9, 9}, {EQUALIZE, 0.6, 0}},
    {{AUTOCONTRAST, 0.8, 0}, {SOLARIZE, 0.2, 8}},    {{BRIGHTNESS, 0.1, 3}, {COLOR, 0.7, 0}},
    {{SOLARIZE, 0.4, 5}, {AUTOCONTRAST, 0.9, 0}},    {{TRANSLATE_Y, 0.9, 9}, {TRANSLATE_Y, 0.7, 9}},
    {{AUTOCONTRAST, 0.9, 0}, {SOLARIZE, 0.8, 3}},    {{EQUALIZE, 0.8, 0}, {INVERT, 0.1, 0}},
    {{TRANSLATE_Y, 0.7, 9}, {AUTOCONTRAST, 0.9, 0}},
};
static const Choice svhn_policies[POLICIES][IN_A_ROW] = {
    {{SHEAR_X, 0.9, 4}, {INVERT, 0.2, 0}},       {{SHEAR_Y, 0.9, 8}, {INVERT, 0.7, 0}},
    {{EQUALIZE, 0.6, 0}, {SOLARIZE, 0.6, 6}},    {{INVERT, 0.9, 0}, {EQUALIZE, 0.6, 0}},
    {{EQUALIZE, 0.6, 0}, {ROTATE, 0.9, 3}},      {{SHEAR_X, 0.9, 4}, {AUTOCONTRAST, 0.8, 0}},
    {{SHEAR_Y, 0.9, 8}, {INVERT, 0.4, 0}},       {{SHEAR_Y, 0.9, 5}, {SOLARIZE, 0.2, 6}},
    {{INVERT, 0.9, 0}, {AUTOCONTRAST, 0.8, 0}},  {{EQUALIZE, 0.6, 0}, {ROTATE, 0.9, 3}},
    {{SHEAR_X, 0.9, 4}, {SOLARIZE, 0.3, 3}},     {{SHEAR_Y, 0.8, 8}, {INVERT, 0.7, 0}},
    {{EQUALIZE, 0.9, 0}, {TRANSLATE_Y, 0.6, 6}}, {{INVERT, 0.9, 0}, {EQUALIZE, 0.6, 0}},
    {{CONTRAST, 0.3, 3}, {ROTATE, 0.8, 4}},      {{INVERT, 0.8, 0}, {TRANSLATE_Y, 0.0, 2}},
    {{SHEAR_Y, 0.7, 6}, {SOLARIZE, 0.4, 8}},     {{INVERT, 0.6, 0}, {ROTATE, 0.8, 4}},
    {{SHEAR_Y, 0.3, 7}, {TRANSLATE_X, 0.9, 3}},  {{SHEAR_X, 0.1, 6}, {INVERT, 0.6, 0}},
    {{SOLARIZE, 0.7, 2}, {TRANSLATE_Y, 0.6, 7}}, {{SHEAR_Y, 0.8, 4}, {INVERT, 0.8, 0}},
    {{SHEAR_X, 0.7, 9}, {TRANSLATE_Y, 0.8, 3}},  {{SHEAR_Y, 0.8, 5}, {AUTOCONTRAST, 0.7, 0}},
    {{SHEAR_X, 0.7, 2}, {INVERT, 0.1, 0}},
};

void net_read_auto_augment(NetAugmentStep *step, const NetSettings *settings)
{
    const char *policy = net_setting_word(settings, "augment.auto_augment.policy", "imagenet");
    step->list = strcmp(policy, "cifar10") == 0 ? cifar10_policies
                 : strcmp(policy, "svhn") == 0  ? svhn_policies
                                                : imagenet_policies;
    step->bilinear = net_is_bilinear(settings, "augment.auto_augment.interpolation");
    step->border = net_border_of(settings, "auto_augment");
}

static const Range *range_of(Operation operation)
{
    static const Range invert = {.operation = INVERT};
    for (int i = 0; i < spaces[0].count; i++)
        if (spaces[0].ranges[i].operation == operation)
            return &spaces[0].ranges[i];
    return &invert;
}

bool net_draw_policy(const NetAugmentWork *work)
{
    const Choice(*policies)[IN_A_ROW] = work->step->list;
    const Choice *policy = policies[net_draw_whole(work, 0, 0, POLICIES - 1)];
    begin(work);
    for (int i = 0; i < IN_A_ROW; i++) {
        bool negative = net_draw(work, 2 * i + 2, 0, 1) < 0.5;
        if (net_draw(work, 2 * i + 1, 0, 1) < policy[i].p)
            apply(work, range_of(policy[i].operation),
                  (double)policy[i].magnitude / (MAGNITUDES - 1), negative);
    }
    return true;
}
