/* augment.c: what is done at random to a training image before it is loaded.
 *
 * Every choice is a number of the seed, the epoch and the image's position in the
 * file, so neither threads nor batches nor a resumed run change it.  The work is
 * done as bytes by the thread that loads the image.  A new augmentation is one
 * function and one entry of the table; the order is the train section's.
 */
#include "data/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DRAWS = 8 }; /* random numbers of one step for one image, in each of several streams */

/* One image under way. */
typedef struct Work {
    const NetAugment *augment;
    const NetAugmentStep *step;
    uint64_t image; /* its position */
    uint8_t *to;    /* [c][h][w] of the network */
    const uint8_t *from;
    NetShape own;   /* of `from`: the network's but for the crop that gives it that */
    uint8_t *spare; /* as many pixels */
} Work;

typedef struct NetAugmentKind {
    const char *name, *path;
    void (*read)(NetAugmentStep *step, const NetSettings *settings);
    bool (*apply)(const Work *work); /* false: the image stays as it is, and `to` is untouched */
} NetAugmentKind;

/* In [low, high). */
static double draw(const Work *work, int number, double low, double high)
{
    double unit = net_random(work->augment->seed, work->augment->epoch,
                             work->step->salt + (uint64_t)(number / MAX_DRAWS),
                             work->image * MAX_DRAWS + (uint64_t)(number % MAX_DRAWS));
    return low + (high - low) * unit;
}

/* A whole number in [low, high]. */
static int64_t draw_whole(const Work *work, int number, int64_t low, int64_t high)
{
    return (int64_t)floor(draw(work, number, (double)low, (double)high + 1));
}

/* The index-th number of a setting; of one that is absent, or shorter, `fallback`. */
static double number_of(const NetSettings *settings, const char *path, int index, double fallback)
{
    const NetValue *value = net_setting_find(settings, path);
    return value && index < value->count ? value->numbers[index] : fallback;
}

/* ---------------------------------------------------------- random_crop */

static void read_crop(NetAugmentStep *step, const NetSettings *settings)
{
    step->pad_y = (int64_t)number_of(settings, "augment.random_crop.padding", 0, 0);
    step->pad_x = (int64_t)number_of(settings, "augment.random_crop.padding", 1, 0);
}

/* A window of the network's size somewhere in the image with black padding. */
static bool crop(const Work *work)
{
    NetShape shape = work->augment->shape, own = work->own;
    int64_t pad_y = work->step->pad_y, pad_x = work->step->pad_x;
    int64_t down = draw_whole(work, 0, -pad_y, own.h + pad_y - shape.h);
    int64_t right = draw_whole(work, 1, -pad_x, own.w + pad_x - shape.w);
    int64_t first = right < 0 ? -right : 0, end = own.w - right < shape.w ? own.w - right : shape.w;
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        int64_t y = row % shape.h + down;
        uint8_t *to = work->to + row * shape.w;
        memset(to, 0, (size_t)shape.w);
        if (y >= 0 && y < own.h && first < end)
            memcpy(to + first, work->from + (row / shape.h * own.h + y) * own.w + first + right,
                   (size_t)(end - first));
    }
    return true;
}

/* ------------------------------------------------------ horizontal_flip */

static void read_flip(NetAugmentStep *step, const NetSettings *settings)
{
    step->p = number_of(settings, "augment.horizontal_flip.p", 0, 0.5);
}

static bool flip(const Work *work)
{
    NetShape shape = work->augment->shape;
    if (draw(work, 0, 0, 1) >= work->step->p)
        return false;
    for (int64_t row = 0; row < shape.c * shape.h; row++)
        for (int64_t x = 0; x < shape.w; x++)
            work->to[row * shape.w + x] = work->from[(row + 1) * shape.w - 1 - x];
    return true;
}

/* -------------------------------------------------------- random_affine */

/* One number is as much either way. */
static void read_range(NetRange *range, const NetSettings *settings, const char *path, int first)
{
    double low = number_of(settings, path, first, 0),
           high = number_of(settings, path, first + 1, -low);
    *range = low < high ? (NetRange){low, high} : (NetRange){high, low};
}

static void read_affine(NetAugmentStep *step, const NetSettings *settings)
{
    read_range(&step->degrees, settings, "augment.random_affine.degrees", 0);
    read_range(&step->shear_x, settings, "augment.random_affine.shear", 0);
    read_range(&step->shear_y, settings, "augment.random_affine.shear", 2);
    step->translate_x = number_of(settings, "augment.random_affine.translate", 0, 0);
    step->translate_y = number_of(settings, "augment.random_affine.translate", 1, 0);
    step->scale.low = number_of(settings, "augment.random_affine.scale", 0, 1);
    step->scale.high = number_of(settings, "augment.random_affine.scale", 1, 1);
    step->bilinear =
        strcmp(net_setting_word(settings, "augment.random_affine.interpolation", "nearest"),
               "bilinear")
        == 0;
}

static const double RADIAN = 3.14159265358979323846 / 180;

/* torchvision.transforms.RandomAffine's: moves are of whole pixels. */
static bool affine(const Work *work)
{
    const NetAugmentStep *step = work->step;
    double max_x = step->translate_x * (double)work->augment->shape.w,
           max_y = step->translate_y * (double)work->augment->shape.h;
    const NetAffine drawn = {
        .angle = RADIAN * draw(work, 0, step->degrees.low, step->degrees.high),
        .right = nearbyint(draw(work, 1, -max_x, max_x)),
        .down = nearbyint(draw(work, 2, -max_y, max_y)),
        .scale = draw(work, 3, step->scale.low, step->scale.high),
        .shear_x = RADIAN * draw(work, 4, step->shear_x.low, step->shear_x.high),
        .shear_y = RADIAN * draw(work, 5, step->shear_y.low, step->shear_y.high),
        .bilinear = step->bilinear,
    };
    net_warp(work->to, work->from, work->augment->shape, &drawn);
    return true;
}

/* --------------------------------------------------------------- cutout */

/* The mean's grey is 0 to the network. */
static void read_cutout(NetAugmentStep *step, const NetSettings *settings)
{
    step->side = (int64_t)number_of(settings, "augment.cutout.size", 0, 1);
}

/* DeVries and Taylor 2017: a square about any pixel, which may reach beyond the edges. */
static bool cutout(const Work *work)
{
    NetShape shape = work->augment->shape;
    int64_t side = work->step->side;
    int64_t top = draw_whole(work, 0, 0, shape.h - 1) - side / 2,
            left = draw_whole(work, 1, 0, shape.w - 1) - side / 2;
    int64_t bottom = top + side < shape.h ? top + side : shape.h,
            right = left + side < shape.w ? left + side : shape.w;
    top = top > 0 ? top : 0;
    left = left > 0 ? left : 0;
    memcpy(work->to, work->from, (size_t)(shape.c * shape.h * shape.w));
    for (int64_t c = 0; c < shape.c; c++)
        for (int64_t y = top; y < bottom; y++)
            memset(work->to + (c * shape.h + y) * shape.w + left, work->augment->grey[c],
                   (size_t)(right - left));
    return true;
}

/* ------------------------------------------------- flips and rotations */

static void read_vertical_flip(NetAugmentStep *step, const NetSettings *settings)
{
    step->p = number_of(settings, "augment.vertical_flip.p", 0, 0.5);
}

static bool vertical_flip(const Work *work)
{
    NetShape shape = work->augment->shape;
    if (draw(work, 0, 0, 1) >= work->step->p)
        return false;
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        int64_t y = row % shape.h, other = row - y + shape.h - 1 - y;
        memcpy(work->to + row * shape.w, work->from + other * shape.w, (size_t)shape.w);
    }
    return true;
}

static bool is_bilinear(const NetSettings *settings, const char *path)
{
    return strcmp(net_setting_word(settings, path, "nearest"), "bilinear") == 0;
}

static void read_rotation(NetAugmentStep *step, const NetSettings *settings)
{
    read_range(&step->degrees, settings, "augment.random_rotation.degrees", 0);
    step->bilinear = is_bilinear(settings, "augment.random_rotation.interpolation");
}

/* torchvision's rotate turns the other way round than its affine. */
static bool rotation(const Work *work)
{
    const NetAugmentStep *step = work->step;
    const NetAffine drawn = {.angle =
                                 -RADIAN * draw(work, 0, step->degrees.low, step->degrees.high),
                             .scale = 1,
                             .bilinear = step->bilinear};
    net_warp(work->to, work->from, work->augment->shape, &drawn);
    return true;
}

/* ------------------------------------------- random_resized_crop, erasing */

enum { WINDOW_TRIES = 10, DRAWS_OF_WINDOW = 4 };

static void read_window(NetAugmentStep *step, const NetSettings *settings, const char *name,
                        NetRange area, NetRange ratio)
{
    char path[64];
    snprintf(path, sizeof path, "augment.%s.scale", name);
    step->scale =
        (NetRange){number_of(settings, path, 0, area.low), number_of(settings, path, 1, area.high)};
    snprintf(path, sizeof path, "augment.%s.ratio", name);
    step->ratio = (NetRange){number_of(settings, path, 0, ratio.low),
                             number_of(settings, path, 1, ratio.high)};
}

/* Of a part of the image's area and with a width that is so much of its height (`wide`), or a
 * height of its width; the first of ten that is in the image.  False: none was. */
static bool draw_window(const Work *work, int first, bool wide, bool smaller, NetWindow *window)
{
    const NetAugmentStep *step = work->step;
    NetShape shape = work->own;
    double area = (double)(shape.h * shape.w);
    for (int try = 0; try < WINDOW_TRIES; try++) {
        int at = first + try * DRAWS_OF_WINDOW;
        double part = area * draw(work, at, step->scale.low, step->scale.high),
               ratio = exp(draw(work, at + 1, log(step->ratio.low), log(step->ratio.high)));
        double across = nearbyint(sqrt(wide ? part * ratio : part / ratio)),
               down = nearbyint(sqrt(wide ? part / ratio : part * ratio));
        double most_across = (double)(shape.w - smaller), most_down = (double)(shape.h - smaller);
        if (across < !smaller || down < !smaller || across > most_across || down > most_down)
            continue;
        *window = (NetWindow){.height = (int64_t)down, .width = (int64_t)across};
        window->top = draw_whole(work, at + 2, 0, shape.h - window->height);
        window->left = draw_whole(work, at + 3, 0, shape.w - window->width);
        return true;
    }
    return false;
}

static void read_resized_crop(NetAugmentStep *step, const NetSettings *settings)
{
    read_window(step, settings, "random_resized_crop", (NetRange){0.08, 1},
                (NetRange){3.0 / 4, 4.0 / 3});
}

/* The largest in the middle whose form is allowed. */
static NetWindow middle_window(const Work *work)
{
    const NetRange ratio = work->step->ratio;
    NetShape shape = work->own;
    double own = (double)shape.w / (double)shape.h;
    NetWindow window = {.height = shape.h, .width = shape.w};
    if (own < ratio.low)
        window.height = (int64_t)nearbyint((double)shape.w / ratio.low);
    else if (own > ratio.high)
        window.width = (int64_t)nearbyint((double)shape.h * ratio.high);
    window.top = (shape.h - window.height) / 2;
    window.left = (shape.w - window.width) / 2;
    return window;
}

/* torchvision.transforms.v2.RandomResizedCrop, of the image as the data have it. */
static bool resized_crop(const Work *work)
{
    NetWindow window;
    if (!draw_window(work, 0, true, false, &window))
        window = middle_window(work);
    net_resize_window(work->to, work->augment->shape, work->from, work->own, window);
    return true;
}

static void read_erasing(NetAugmentStep *step, const NetSettings *settings)
{
    step->p = number_of(settings, "augment.random_erasing.p", 0, 0.5);
    read_window(step, settings, "random_erasing", (NetRange){0.02, 0.33}, (NetRange){0.3, 3.3});
}

static void erase(const Work *work, NetWindow window)
{
    NetShape shape = work->augment->shape;
    memcpy(work->to, work->from, (size_t)(shape.c * shape.h * shape.w));
    for (int64_t c = 0; c < shape.c; c++)
        for (int64_t y = window.top; y < window.top + window.height; y++)
            memset(work->to + (c * shape.h + y) * shape.w + window.left, work->augment->grey[c],
                   (size_t)window.width);
}

/* RandomErasing (Zhong et al. 2020), after the normalisation, where 0 is the mean. */
static bool erasing(const Work *work)
{
    NetWindow window;
    if (draw(work, 0, 0, 1) >= work->step->p || !draw_window(work, 1, false, true, &window))
        return false;
    erase(work, window);
    return true;
}

/* --------------------------------------------------------- color_jitter */

enum { BRIGHTNESS, CONTRAST, SATURATION, HUE };

/* One number x is from `centre` - x to `centre` + x. */
static NetRange read_jitter(const NetSettings *settings, const char *path, double centre)
{
    const NetValue *value = net_setting_find(settings, path);
    if (!value)
        return (NetRange){centre, centre};
    if (value->count > 1)
        return (NetRange){value->numbers[0], value->numbers[1]};
    double low = centre - value->numbers[0];
    return (NetRange){centre > 0 && low < 0 ? 0 : low, centre + value->numbers[0]};
}

static void read_color_jitter(NetAugmentStep *step, const NetSettings *settings)
{
    step->jitter[BRIGHTNESS] = read_jitter(settings, "augment.color_jitter.brightness", 1);
    step->jitter[CONTRAST] = read_jitter(settings, "augment.color_jitter.contrast", 1);
    step->jitter[SATURATION] = read_jitter(settings, "augment.color_jitter.saturation", 1);
    step->jitter[HUE] = read_jitter(settings, "augment.color_jitter.hue", 0);
}

static void change_colour(const Work *work, int what, double factor)
{
    static void (*const changes[])(uint8_t * pixels, NetShape shape, double factor) = {
        [BRIGHTNESS] = net_adjust_brightness,
        [CONTRAST] = net_adjust_contrast,
        [SATURATION] = net_adjust_saturation,
        [HUE] = net_adjust_hue,
    };
    const NetRange range = work->step->jitter[what];
    if (range.low != range.high || range.low != (what == HUE ? 0 : 1))
        changes[what](work->to, work->augment->shape, factor);
}

/* torchvision.transforms.v2.ColorJitter: the four in an order that is drawn. */
static bool color_jitter(const Work *work)
{
    NetShape shape = work->augment->shape;
    int order[] = {BRIGHTNESS, CONTRAST, SATURATION, HUE};
    memcpy(work->to, work->from, (size_t)(shape.c * shape.h * shape.w));
    for (int last = HUE; last > 0; last--) {
        int other = (int)draw_whole(work, 3 + last, 0, last), kept = order[last];
        order[last] = order[other];
        order[other] = kept;
    }
    for (int i = 0; i <= HUE; i++) {
        const NetRange range = work->step->jitter[order[i]];
        change_colour(work, order[i], draw(work, order[i], range.low, range.high));
    }
    return true;
}

/* ------------------------------------------ rand_augment, trivial_augment */

/* What one operation does with a magnitude; of torchvision's two lists the ranges differ. */
typedef enum Operation {
    IDENTITY,
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y,
    ROTATE,
    BRIGHTER,
    COLOURS,
    CONTRASTS,
    SHARPNESS,
    POSTERIZE,
    SOLARIZE,
    AUTOCONTRAST,
    EQUALIZE,
    OPERATIONS
} Operation;

/* The largest magnitude: of moves in the one list a part of the size, in the other pixels. */
static const double rand_most[OPERATIONS] = {
    [SHEAR_X] = 0.3,
    [SHEAR_Y] = 0.3,
    [TRANSLATE_X] = 150.0 / 331,
    [TRANSLATE_Y] = 150.0 / 331,
    [ROTATE] = 30,
    [BRIGHTER] = 0.9,
    [COLOURS] = 0.9,
    [CONTRASTS] = 0.9,
    [SHARPNESS] = 0.9,
    [POSTERIZE] = 4,
};
static const double trivial_most[OPERATIONS] = {
    [SHEAR_X] = 0.99,  [SHEAR_Y] = 0.99, [TRANSLATE_X] = 32, [TRANSLATE_Y] = 32, [ROTATE] = 135,
    [BRIGHTER] = 0.99, [COLOURS] = 0.99, [CONTRASTS] = 0.99, [SHARPNESS] = 0.99, [POSTERIZE] = 6,
};

static void read_rand_augment(NetAugmentStep *step, const NetSettings *settings)
{
    step->operations = (int)number_of(settings, "augment.rand_augment.num_ops", 0, 2);
    step->magnitude = (int)number_of(settings, "augment.rand_augment.magnitude", 0, 9);
    step->bins = (int)number_of(settings, "augment.rand_augment.num_magnitude_bins", 0, 31);
    step->bilinear = is_bilinear(settings, "augment.rand_augment.interpolation");
    if (step->magnitude >= step->bins)
        step->magnitude = step->bins - 1;
}

static void read_trivial_augment(NetAugmentStep *step, const NetSettings *settings)
{
    step->operations = 1;
    step->magnitude = -1;
    step->bins = (int)number_of(settings, "augment.trivial_augment.num_magnitude_bins", 0, 31);
    step->bilinear = is_bilinear(settings, "augment.trivial_augment.interpolation");
}

/* Of `work->to`, by way of the spare pixels. */
static void warp_again(const Work *work, NetAffine affine)
{
    NetShape shape = work->augment->shape;
    affine.scale = 1;
    affine.bilinear = work->step->bilinear;
    memcpy(work->spare, work->to, (size_t)(shape.c * shape.h * shape.w));
    net_warp(work->to, work->spare, shape, &affine);
}

/* A shear is about the first pixel's corner. */
static void shear(const Work *work, double x, double y)
{
    NetShape shape = work->augment->shape;
    warp_again(work, (NetAffine){.shear_x = atan(x),
                                 .shear_y = atan(y),
                                 .centre_x = -(double)shape.w / 2,
                                 .centre_y = -(double)shape.h / 2});
}

static void sharpen(const Work *work, double factor)
{
    NetShape shape = work->augment->shape;
    memcpy(work->spare, work->to, (size_t)(shape.c * shape.h * shape.w));
    net_adjust_sharpness(work->to, work->spare, shape, factor);
}

static void operate(const Work *work, Operation operation, double magnitude)
{
    NetShape shape = work->augment->shape;
    uint8_t *pixels = work->to;
    switch (operation) {
    case SHEAR_X:
        return shear(work, magnitude, 0);
    case SHEAR_Y:
        return shear(work, 0, magnitude);
    case TRANSLATE_X:
        return warp_again(work, (NetAffine){.right = trunc(magnitude)});
    case TRANSLATE_Y:
        return warp_again(work, (NetAffine){.down = trunc(magnitude)});
    case ROTATE:
        return warp_again(work, (NetAffine){.angle = -RADIAN * magnitude});
    case BRIGHTER:
        return net_adjust_brightness(pixels, shape, 1 + magnitude);
    case COLOURS:
        return net_adjust_saturation(pixels, shape, 1 + magnitude);
    case CONTRASTS:
        return net_adjust_contrast(pixels, shape, 1 + magnitude);
    case SHARPNESS:
        return sharpen(work, 1 + magnitude);
    case POSTERIZE:
        return net_posterize(pixels, shape, (int)magnitude);
    case SOLARIZE:
        return net_solarize(pixels, shape, 255 * magnitude);
    case AUTOCONTRAST:
        return net_autocontrast(pixels, shape);
    case EQUALIZE:
        return net_equalize(pixels, shape);
    case IDENTITY:
    case OPERATIONS:
        return;
    }
}

/* `part`: of the way from no magnitude to the largest. */
static double magnitude_of(const Work *work, Operation operation, double part, bool negative)
{
    NetShape shape = work->augment->shape;
    bool trivial = work->step->magnitude < 0;
    double most = (trivial ? trivial_most : rand_most)[operation];
    if (operation == POSTERIZE)
        return nearbyint(8 - most * part);
    if (operation == SOLARIZE)
        return 1 - part;
    if (!trivial && operation == TRANSLATE_X)
        most *= (double)shape.w;
    if (!trivial && operation == TRANSLATE_Y)
        most *= (double)shape.h;
    return negative ? -most * part : most * part;
}

/* RandAugment (Cubuk et al. 2020) and TrivialAugmentWide (Mueller and Hutter 2021), as they are in
 * torchvision's v2. */
static bool operations(const Work *work)
{
    const NetAugmentStep *step = work->step;
    NetShape shape = work->augment->shape;
    memcpy(work->to, work->from, (size_t)(shape.c * shape.h * shape.w));
    for (int i = 0; i < step->operations; i++) {
        Operation operation = (Operation)draw_whole(work, 3 * i, 0, OPERATIONS - 1);
        int64_t bin =
            step->magnitude >= 0 ? step->magnitude : draw_whole(work, 3 * i + 1, 0, step->bins - 1);
        double part = step->bins > 1 ? (double)bin / (double)(step->bins - 1) : 0;
        bool negative = draw(work, 3 * i + 2, 0, 1) < 0.5;
        operate(work, operation, magnitude_of(work, operation, part, negative));
    }
    return true;
}

/* ---------------------------------------------------------------- table */

static const NetAugmentKind kinds[] = {
    {"random_crop", "augment.random_crop", read_crop, crop},
    {"horizontal_flip", "augment.horizontal_flip", read_flip, flip},
    {"random_affine", "augment.random_affine", read_affine, affine},
    {"cutout", "augment.cutout", read_cutout, cutout},
    {"random_resized_crop", "augment.random_resized_crop", read_resized_crop, resized_crop},
    {"vertical_flip", "augment.vertical_flip", read_vertical_flip, vertical_flip},
    {"random_rotation", "augment.random_rotation", read_rotation, rotation},
    {"color_jitter", "augment.color_jitter", read_color_jitter, color_jitter},
    {"random_erasing", "augment.random_erasing", read_erasing, erasing},
    {"rand_augment", "augment.rand_augment", read_rand_augment, operations},
    {"trivial_augment", "augment.trivial_augment", read_trivial_augment, operations},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

_Static_assert((int)KINDS <= (int)NET_MAX_AUGMENT_STEPS, "each at most once");

/* Images for which a thread has room besides its lanes': one that is mixed with, and two. */
enum { SPARE = 3 };

static void add_step(NetAugment *augment, const NetAugmentKind *kind, const NetSettings *settings)
{
    NetAugmentStep *step = &augment->steps[augment->count++];
    *step = (NetAugmentStep){.kind = kind, .salt = net_hash(kind->path)};
    kind->read(step, settings);
}

static bool is_crop(const NetAugmentStep *step)
{
    return step->kind->apply == crop || step->kind->apply == resized_crop;
}

/* The crop that gives images that come in their own sizes the network's. */
static void find_sizing(NetAugment *augment, const NetSettings *settings)
{
    for (int i = 0; net_keeps_sizes(settings) && i < augment->count && augment->sizing < 0; i++)
        if (is_crop(&augment->steps[i]))
            augment->sizing = i;
}

NetCrop net_crop_of(const NetSettings *settings)
{
    for (int i = 0; i < settings->count; i++) {
        const NetValue *value = &settings->values[i];
        if (strcmp(value->path, "augment.random_resized_crop") == 0)
            break;
        if (strcmp(value->path, "augment.random_crop.size") == 0)
            return (NetCrop){
                .h = (int64_t)value->numbers[0],
                .w = (int64_t)value->numbers[1],
                .pad_y = (int64_t)number_of(settings, "augment.random_crop.padding", 0, 0),
                .pad_x = (int64_t)number_of(settings, "augment.random_crop.padding", 1, 0)};
    }
    return (NetCrop){0};
}

bool net_crop_fits(const NetCrop *crop, NetShape own)
{
    return own.h + 2 * crop->pad_y >= crop->h && own.w + 2 * crop->pad_x >= crop->w;
}

static bool read_grey(NetAugment *augment, const NetSettings *settings, NetError *error)
{
    const NetValue *mean = net_setting_find(settings, "normalize.mean");
    augment->grey = net_allocate((size_t)augment->shape.c, 1, error);
    for (int64_t c = 0; augment->grey && c < augment->shape.c; c++) {
        double grey = mean && mean->count > 0 ? 255 * mean->numbers[mean->count == 1 ? 0 : c] : 0;
        augment->grey[c] = grey <= 0 ? 0 : grey >= 255 ? 255 : (uint8_t)(grey + 0.5);
    }
    return augment->grey != NULL;
}

bool net_augments(const NetAugment *augment)
{
    return augment->count > 0 || augment->mixup_alpha > 0 || augment->cutmix_alpha > 0;
}

bool net_augment_check(const NetAugment *augment, const NetData *data, NetError *error)
{
    return !net_augments(augment) || data->train.arrays[data->train.inputs[0]].kind == NET_PIXELS
           || net_fail(error,
                       "`augment` changes pictures, and the examples of %s are numbers: a train "
                       "section without it is needed",
                       data->what);
}

bool net_augment_open(NetAugment *augment, const NetSettings *settings, NetShape shape, int lanes,
                      int threads, uint64_t seed, NetError *error)
{
    *augment = (NetAugment){.shape = shape, .lanes = lanes, .seed = seed, .sizing = -1};
    augment->resize = net_resize_of_training(settings);
    for (int i = 0; i < settings->count; i++)
        for (int k = 0; k < KINDS; k++)
            if (strcmp(settings->values[i].path, kinds[k].path) == 0
                && augment->count < NET_MAX_AUGMENT_STEPS)
                add_step(augment, &kinds[k], settings);
    find_sizing(augment, settings);
    augment->mixup_alpha = net_setting(settings, "augment.mixup.alpha", 0);
    augment->cutmix_alpha = net_setting(settings, "augment.cutmix.alpha", 0);
    if (!net_augments(augment))
        return true;
    size_t pixels = (size_t)(shape.c * shape.h * shape.w);
    augment->room = net_allocate((size_t)threads * ((size_t)lanes + SPARE), pixels, error);
    return augment->room && read_grey(augment, settings, error);
}

void net_augment_close(NetAugment *augment)
{
    free(augment->room);
    free(augment->grey);
    *augment = (NetAugment){0};
}

bool net_augment_size(const NetAugment *augment, uint8_t *to, const uint8_t *image, NetShape own,
                      int64_t index, NetError *error)
{
    const NetShape resized = net_fit_resized(&augment->resize, own);
    Work work = {.augment = augment,
                 .step = &augment->steps[augment->sizing],
                 .image = (uint64_t)index,
                 .to = to,
                 .from = image,
                 .own = own};
    if (augment->resize.resize[0] == 0)
        return work.step->kind->apply(&work);
    uint8_t *room = net_allocate((size_t)(own.c * resized.h), (size_t)resized.w, error);
    if (!room || !net_fit_picture(room, image, own, &augment->resize, error)) {
        free(room);
        return false;
    }
    work.from = room;
    work.own = resized;
    work.step->kind->apply(&work);
    free(room);
    return true;
}

const uint8_t *net_augment_image(const NetAugment *augment, const uint8_t *image, int64_t index,
                                 bool sized, int thread, int lane)
{
    int64_t pixels = augment->shape.c * augment->shape.h * augment->shape.w;
    uint8_t *room = augment->room + (int64_t)thread * (augment->lanes + SPARE) * pixels;
    uint8_t *own = room + lane * pixels, *spare = room + (augment->lanes + 1) * pixels;
    const uint8_t *now = image;
    for (int i = 0; i < augment->count; i++) {
        Work work = {.augment = augment,
                     .step = &augment->steps[i],
                     .image = (uint64_t)index,
                     .to = now == own ? spare : own,
                     .from = now,
                     .own = augment->shape,
                     .spare = spare + pixels};
        if (sized && i == augment->sizing)
            continue;
        if (work.step->kind->apply(&work))
            now = work.to;
    }
    if (now == spare)
        now = memcpy(own, spare, (size_t)pixels);
    return now;
}

const uint8_t *net_augment_mix(const NetAugment *augment, const uint8_t *own, const uint8_t *other,
                               const NetMixing *mixing, int thread, int lane)
{
    int64_t pixels = augment->shape.c * augment->shape.h * augment->shape.w;
    uint8_t *to = augment->room + ((int64_t)thread * (augment->lanes + SPARE) + lane) * pixels;
    net_mix_images(to, own, other, augment->shape, mixing);
    return to;
}
