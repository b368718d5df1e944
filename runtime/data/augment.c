/* augment.c: what is done at random to a training image before it is loaded.
 *
 * Every choice is a number of the seed, the epoch and the image's position in the
 * file, so neither threads nor batches nor a resumed run change it.  The work is
 * done as bytes by the thread that loads the image.  A new augmentation is one
 * function and one entry of the table; the order is the train section's.
 */
#include "data/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DRAWS = 8 }; /* random numbers of one step for one image, in each of several streams */

static uint64_t stream_of(const NetAugmentWork *work, int number)
{
    return work->step->salt + (uint64_t)(number / MAX_DRAWS);
}

static uint64_t index_of(const NetAugmentWork *work, int number)
{
    return work->image * MAX_DRAWS + (uint64_t)(number % MAX_DRAWS);
}

double net_draw(const NetAugmentWork *work, int number, double low, double high)
{
    double unit = net_random(work->augment->seed, work->augment->epoch, stream_of(work, number),
                             index_of(work, number));
    return low + (high - low) * unit;
}

int64_t net_draw_whole(const NetAugmentWork *work, int number, int64_t low, int64_t high)
{
    return (int64_t)floor(net_draw(work, number, (double)low, (double)high + 1));
}

double net_draw_normal(const NetAugmentWork *work, int number)
{
    return net_random_normal(work->augment->seed, work->augment->epoch, stream_of(work, number),
                             index_of(work, number));
}

double net_number_of(const NetSettings *settings, const char *path, int index, double fallback)
{
    const NetValue *value = net_setting_find(settings, path);
    return value && index < value->count ? value->numbers[index] : fallback;
}

bool net_is_bilinear(const NetSettings *settings, const char *path)
{
    return strcmp(net_setting_word(settings, path, "nearest"), "bilinear") == 0;
}

NetBorder net_border_of(const NetSettings *settings, const char *name)
{
    static const char *const modes[] = {
        [NET_BORDER_CONSTANT] = "constant",
        [NET_BORDER_EDGE] = "edge",
        [NET_BORDER_REFLECT] = "reflect",
        [NET_BORDER_SYMMETRIC] = "symmetric",
    };
    char path[64];
    NetBorder border = {0};
    snprintf(path, sizeof path, "augment.%s.padding_mode", name);
    const char *word = net_setting_word(settings, path, modes[NET_BORDER_CONSTANT]);
    while (border.mode < NET_BORDER_SYMMETRIC && strcmp(modes[border.mode], word) != 0)
        border.mode++;
    snprintf(path, sizeof path, "augment.%s.fill", name);
    for (int i = 0; i < NET_MAX_FILLS; i++)
        border.fill[i] =
            (uint8_t)net_number_of(settings, path, i, i > 0 ? (double)border.fill[i - 1] : 0);
    return border;
}

/* ---------------------------------------------------------- random_crop */

static void read_crop(NetAugmentStep *step, const NetSettings *settings)
{
    step->border = net_border_of(settings, "random_crop");
    step->pad_y = (int64_t)net_number_of(settings, "augment.random_crop.padding", 0, 0);
    step->pad_x = (int64_t)net_number_of(settings, "augment.random_crop.padding", 1, 0);
}

/* A row of the window: `from`, its row of the image or of the border (NULL: that is one value),
 * from column `right` on. */
static void crop_row(const NetAugmentWork *work, uint8_t *to, const uint8_t *from, int64_t right,
                     uint8_t fill)
{
    int64_t count = work->augment->shape.w, own = work->own.w;
    int64_t first = right < 0 ? -right : 0, end = own - right < count ? own - right : count;
    memset(to, fill, (size_t)count);
    if (from && first < end)
        memcpy(to + first, from + first + right, (size_t)(end - first));
    if (!from || work->step->border.mode == NET_BORDER_CONSTANT)
        return;
    for (int64_t x = 0; x < count; x++)
        if (x < first || x >= end)
            to[x] = from[net_border_index(work->step->border.mode, x + right, own)];
}

/* A window of the network's size somewhere in the image with its padding. */
static bool crop(const NetAugmentWork *work)
{
    NetShape shape = work->augment->shape, own = work->own;
    const NetBorder *border = &work->step->border;
    int64_t pad_y = work->step->pad_y, pad_x = work->step->pad_x;
    int64_t down = net_draw_whole(work, 0, -pad_y, own.h + pad_y - shape.h);
    int64_t right = net_draw_whole(work, 1, -pad_x, own.w + pad_x - shape.w);
    if (work->target)
        return net_move_window(work, down, right);
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        int64_t c = row / shape.h, y = net_border_index(border->mode, row % shape.h + down, own.h);
        const uint8_t *from = y >= 0 ? work->from + (c * own.h + y) * own.w : NULL;
        crop_row(work, work->to + row * shape.w, from, right, net_border_fill(border, c));
    }
    return true;
}

/* ------------------------------------------------------ horizontal_flip */

static void read_flip(NetAugmentStep *step, const NetSettings *settings)
{
    step->p = net_number_of(settings, "augment.horizontal_flip.p", 0, 0.5);
}

static bool flip(const NetAugmentWork *work)
{
    NetShape shape = work->augment->shape;
    if (net_draw(work, 0, 0, 1) >= work->step->p)
        return false;
    if (work->target)
        return net_move_mirrored(work, false);
    for (int64_t row = 0; row < shape.c * shape.h; row++)
        for (int64_t x = 0; x < shape.w; x++)
            work->to[row * shape.w + x] = work->from[(row + 1) * shape.w - 1 - x];
    return true;
}

/* -------------------------------------------------------- random_affine */

/* One number is as much either way. */
static void read_range(NetRange *range, const NetSettings *settings, const char *path, int first)
{
    double low = net_number_of(settings, path, first, 0),
           high = net_number_of(settings, path, first + 1, -low);
    *range = low < high ? (NetRange){low, high} : (NetRange){high, low};
}

static void read_affine(NetAugmentStep *step, const NetSettings *settings)
{
    read_range(&step->degrees, settings, "augment.random_affine.degrees", 0);
    read_range(&step->shear_x, settings, "augment.random_affine.shear", 0);
    read_range(&step->shear_y, settings, "augment.random_affine.shear", 2);
    step->translate_x = net_number_of(settings, "augment.random_affine.translate", 0, 0);
    step->translate_y = net_number_of(settings, "augment.random_affine.translate", 1, 0);
    step->scale.low = net_number_of(settings, "augment.random_affine.scale", 0, 1);
    step->scale.high = net_number_of(settings, "augment.random_affine.scale", 1, 1);
    step->scale_y.low = net_number_of(settings, "augment.random_affine.scale", 2, 0);
    step->scale_y.high = net_number_of(settings, "augment.random_affine.scale", 3, 0);
    step->bilinear = net_is_bilinear(settings, "augment.random_affine.interpolation");
    step->border = net_border_of(settings, "random_affine");
}

/* torchvision.transforms.RandomAffine's: moves are of whole pixels.  A scale of its own for y is
 * kornia's. */
static bool affine(const NetAugmentWork *work)
{
    const NetAugmentStep *step = work->step;
    double max_x = step->translate_x * (double)work->augment->shape.w,
           max_y = step->translate_y * (double)work->augment->shape.h;
    double scale = net_draw(work, 3, step->scale.low, step->scale.high);
    const NetAffine drawn = {
        .angle = NET_RADIAN * net_draw(work, 0, step->degrees.low, step->degrees.high),
        .right = nearbyint(net_draw(work, 1, -max_x, max_x)),
        .down = nearbyint(net_draw(work, 2, -max_y, max_y)),
        .scale_x = scale,
        .scale_y = step->scale_y.high > 0 ? net_draw(work, 6, step->scale_y.low, step->scale_y.high)
                                          : scale,
        .shear_x = NET_RADIAN * net_draw(work, 4, step->shear_x.low, step->shear_x.high),
        .shear_y = NET_RADIAN * net_draw(work, 5, step->shear_y.low, step->shear_y.high),
        .bilinear = step->bilinear,
        .border = step->border,
    };
    if (work->target)
        return net_move_warped(work, &drawn);
    net_warp(work->to, work->from, work->augment->shape, &drawn);
    return true;
}

/* --------------------------------------------------------------- cutout */

/* A value that is `value` to the network, as near as a byte comes to it. */
static uint8_t level_of(const NetAugment *augment, int64_t channel, double value)
{
    double level = augment->normal[channel] + value * augment->normal[augment->shape.c + channel];
    return level <= 0 ? 0 : level >= 255 ? 255 : (uint8_t)(level + 0.5);
}

/* The mean's grey is 0 to the network. */
static void read_cutout(NetAugmentStep *step, const NetSettings *settings)
{
    step->side = (int64_t)net_number_of(settings, "augment.cutout.size", 0, 1);
}

/* DeVries and Taylor 2017: a square about any pixel, which may reach beyond the edges. */
static bool cutout(const NetAugmentWork *work)
{
    NetShape shape = work->augment->shape;
    int64_t side = work->step->side;
    int64_t top = net_draw_whole(work, 0, 0, shape.h - 1) - side / 2,
            left = net_draw_whole(work, 1, 0, shape.w - 1) - side / 2;
    int64_t bottom = top + side < shape.h ? top + side : shape.h,
            right = left + side < shape.w ? left + side : shape.w;
    top = top > 0 ? top : 0;
    left = left > 0 ? left : 0;
    memcpy(work->to, work->from, (size_t)(shape.c * shape.h * shape.w));
    for (int64_t c = 0; c < shape.c; c++)
        for (int64_t y = top; y < bottom; y++)
            memset(work->to + (c * shape.h + y) * shape.w + left, level_of(work->augment, c, 0),
                   (size_t)(right - left));
    return true;
}

/* ------------------------------------------------- flips and rotations */

static void read_vertical_flip(NetAugmentStep *step, const NetSettings *settings)
{
    step->p = net_number_of(settings, "augment.vertical_flip.p", 0, 0.5);
}

static bool vertical_flip(const NetAugmentWork *work)
{
    NetShape shape = work->augment->shape;
    if (net_draw(work, 0, 0, 1) >= work->step->p)
        return false;
    if (work->target)
        return net_move_mirrored(work, true);
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        int64_t y = row % shape.h, other = row - y + shape.h - 1 - y;
        memcpy(work->to + row * shape.w, work->from + other * shape.w, (size_t)shape.w);
    }
    return true;
}

static void read_rotation(NetAugmentStep *step, const NetSettings *settings)
{
    read_range(&step->degrees, settings, "augment.random_rotation.degrees", 0);
    step->bilinear = net_is_bilinear(settings, "augment.random_rotation.interpolation");
    step->border = net_border_of(settings, "random_rotation");
}

/* torchvision's rotate turns the other way round than its affine. */
static bool rotation(const NetAugmentWork *work)
{
    const NetAugmentStep *step = work->step;
    double degrees = net_draw(work, 0, step->degrees.low, step->degrees.high);
    const NetAffine drawn = {.angle = -NET_RADIAN * degrees,
                             .scale_x = 1,
                             .scale_y = 1,
                             .bilinear = step->bilinear,
                             .border = step->border};
    if (work->target)
        return net_move_warped(work, &drawn);
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
    step->scale = (NetRange){net_number_of(settings, path, 0, area.low),
                             net_number_of(settings, path, 1, area.high)};
    snprintf(path, sizeof path, "augment.%s.ratio", name);
    step->ratio = (NetRange){net_number_of(settings, path, 0, ratio.low),
                             net_number_of(settings, path, 1, ratio.high)};
}

/* Of a part of the image's area and with a width that is so much of its height (`wide`), or a
 * height of its width; the first of ten that is in the image.  False: none was. */
static bool draw_window(const NetAugmentWork *work, int first, bool wide, bool smaller,
                        NetWindow *window)
{
    const NetAugmentStep *step = work->step;
    NetShape shape = work->own;
    double area = (double)(shape.h * shape.w);
    for (int try = 0; try < WINDOW_TRIES; try++) {
        int at = first + try * DRAWS_OF_WINDOW;
        double part = area * net_draw(work, at, step->scale.low, step->scale.high),
               ratio = exp(net_draw(work, at + 1, log(step->ratio.low), log(step->ratio.high)));
        double across = nearbyint(sqrt(wide ? part * ratio : part / ratio)),
               down = nearbyint(sqrt(wide ? part / ratio : part * ratio));
        double most_across = (double)(shape.w - smaller), most_down = (double)(shape.h - smaller);
        if (across < !smaller || down < !smaller || across > most_across || down > most_down)
            continue;
        *window = (NetWindow){.height = (int64_t)down, .width = (int64_t)across};
        window->top = net_draw_whole(work, at + 2, 0, shape.h - window->height);
        window->left = net_draw_whole(work, at + 3, 0, shape.w - window->width);
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
static NetWindow middle_window(const NetAugmentWork *work)
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
static bool resized_crop(const NetAugmentWork *work)
{
    NetWindow window;
    if (!draw_window(work, 0, true, false, &window))
        window = middle_window(work);
    if (work->target)
        return net_move_resized(work, window);
    net_resize_window(work->to, work->augment->shape, work->from, work->own, window);
    return true;
}

static void read_erasing(NetAugmentStep *step, const NetSettings *settings)
{
    step->p = net_number_of(settings, "augment.random_erasing.p", 0, 0.5);
    read_window(step, settings, "random_erasing", (NetRange){0.02, 0.33}, (NetRange){0.3, 3.3});
    step->noisy =
        strcmp(net_setting_word(settings, "augment.random_erasing.value", ""), "random") == 0;
    for (int i = 0; i < NET_MAX_FILLS; i++)
        step->value[i] = net_number_of(settings, "augment.random_erasing.value", i,
                                       i > 0 ? step->value[i - 1] : 0);
}

/* Of a pixel that is erased; `at`: its place. */
static uint8_t erased(const NetAugmentWork *work, int64_t channel, int64_t at)
{
    const NetAugment *augment = work->augment;
    const NetAugmentStep *step = work->step;
    if (!step->noisy)
        return level_of(augment, channel,
                        step->value[channel < NET_MAX_FILLS ? channel : NET_MAX_FILLS - 1]);
    uint64_t pixels = (uint64_t)(augment->shape.c * augment->shape.h * augment->shape.w);
    return level_of(augment, channel,
                    net_random_normal(augment->seed, augment->epoch, step->salt ^ net_hash("noise"),
                                      work->image * pixels + (uint64_t)at));
}

static void erase(const NetAugmentWork *work, NetWindow window)
{
    NetShape shape = work->augment->shape;
    memcpy(work->to, work->from, (size_t)(shape.c * shape.h * shape.w));
    for (int64_t c = 0; c < shape.c; c++)
        for (int64_t y = window.top; y < window.top + window.height; y++)
            for (int64_t x = window.left; x < window.left + window.width; x++) {
                int64_t at = (c * shape.h + y) * shape.w + x;
                work->to[at] = erased(work, c, at);
            }
}

/* RandomErasing (Zhong et al. 2020), of what comes after the normalisation: where 0 is the mean,
 * and noise has a deviation of 1.  What no byte holds is black or white. */
static bool erasing(const NetAugmentWork *work)
{
    NetWindow window;
    if (net_draw(work, 0, 0, 1) >= work->step->p || !draw_window(work, 1, false, true, &window))
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

static void change_colour(const NetAugmentWork *work, int what, double factor)
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
static bool color_jitter(const NetAugmentWork *work)
{
    NetShape shape = work->augment->shape;
    int order[] = {BRIGHTNESS, CONTRAST, SATURATION, HUE};
    memcpy(work->to, work->from, (size_t)(shape.c * shape.h * shape.w));
    for (int last = HUE; last > 0; last--) {
        int other = (int)net_draw_whole(work, 3 + last, 0, last), kept = order[last];
        order[last] = order[other];
        order[other] = kept;
    }
    for (int i = 0; i <= HUE; i++) {
        const NetRange range = work->step->jitter[order[i]];
        change_colour(work, order[i], net_draw(work, order[i], range.low, range.high));
    }
    return true;
}

/* ------------------------------------------------------------- lighting */

/* Of ImageNet's colours from 0 to 1: fb.resnet.torch's numbers, which others have from there. */
static const double imagenet_eigval[] = {0.2175, 0.0188, 0.0045};
static const double imagenet_eigvec[] = {-0.5675, 0.7192,  0.4009,  -0.5808, -0.0045,
                                         -0.8140, -0.5836, -0.6948, 0.4203};

static void read_lighting(NetAugmentStep *step, const NetSettings *settings)
{
    step->deviation = net_number_of(settings, "augment.lighting.alphastd", 0, 0.1);
    for (int i = 0; i < 3; i++)
        step->eigval[i] = net_number_of(settings, "augment.lighting.eigval", i, imagenet_eigval[i]);
    for (int i = 0; i < 9; i++)
        step->eigvec[i] = net_number_of(settings, "augment.lighting.eigvec", i, imagenet_eigvec[i]);
}

/* Krizhevsky et al. 2012, section 4.1: to all pixels the same colour is added, the principal
 * components of the colours, each times its eigenvalue and a number that is drawn. */
static bool lighting(const NetAugmentWork *work)
{
    const NetAugmentStep *step = work->step;
    NetShape shape = work->augment->shape;
    int64_t plane = shape.h * shape.w;
    double alpha[3];
    for (int i = 0; i < 3; i++)
        alpha[i] = step->deviation * net_draw_normal(work, i) * step->eigval[i];
    for (int64_t c = 0; c < shape.c; c++) {
        const double *row = step->eigvec + 3 * c;
        double added = 255 * (row[0] * alpha[0] + row[1] * alpha[1] + row[2] * alpha[2]);
        for (int64_t i = c * plane; i < (c + 1) * plane; i++) {
            double level = work->from[i] + added;
            work->to[i] = level <= 0 ? 0 : level >= 255 ? 255 : (uint8_t)(level + 0.5);
        }
    }
    return true;
}

/* ---------------------------------------------------------------- table */

static const NetAugmentKind kinds[] = {
    {"random_crop", "augment.random_crop", read_crop, crop, NET_MOVES_IN},
    {"horizontal_flip", "augment.horizontal_flip", read_flip, flip, NET_MOVES},
    {"random_affine", "augment.random_affine", read_affine, affine, NET_MOVES_IN},
    {"cutout", "augment.cutout", read_cutout, cutout, NET_STAYS},
    {"random_resized_crop", "augment.random_resized_crop", read_resized_crop, resized_crop,
     NET_MOVES},
    {"vertical_flip", "augment.vertical_flip", read_vertical_flip, vertical_flip, NET_MOVES},
    {"random_rotation", "augment.random_rotation", read_rotation, rotation, NET_MOVES_IN},
    {"color_jitter", "augment.color_jitter", read_color_jitter, color_jitter, NET_STAYS},
    {"random_erasing", "augment.random_erasing", read_erasing, erasing, NET_STAYS},
    {"rand_augment", "augment.rand_augment", net_read_rand_augment, net_draw_operations,
     NET_MOVES_IN},
    {"trivial_augment", "augment.trivial_augment", net_read_trivial_augment, net_draw_operations,
     NET_MOVES_IN},
    {"lighting", "augment.lighting", read_lighting, lighting, NET_STAYS},
    {"auto_augment", "augment.auto_augment", net_read_auto_augment, net_draw_policy, NET_MOVES_IN},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

_Static_assert((int)KINDS <= (int)NET_MAX_AUGMENT_STEPS, "each at most once");

/* Images for which a thread has room besides its lanes': one that is mixed with, and two. */
enum { SPARE = 3 };

static void add_step(NetAugment *augment, const NetAugmentKind *kind, const NetSettings *settings)
{
    NetAugmentStep *step = &augment->steps[augment->count++];
    char path[64];
    snprintf(path, sizeof path, "%s.target_fill", kind->path);
    *step = (NetAugmentStep){.kind = kind,
                             .salt = net_hash(kind->path),
                             .fills_targets = net_setting_find(settings, path) != NULL,
                             .target_fill = net_number_of(settings, path, 0, 0)};
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
                .pad_y = (int64_t)net_number_of(settings, "augment.random_crop.padding", 0, 0),
                .pad_x = (int64_t)net_number_of(settings, "augment.random_crop.padding", 1, 0)};
    }
    return (NetCrop){0};
}

bool net_crop_fits(const NetCrop *crop, NetShape own)
{
    return own.h + 2 * crop->pad_y >= crop->h && own.w + 2 * crop->pad_x >= crop->w;
}

static bool read_normal(NetAugment *augment, const NetSettings *settings, NetError *error)
{
    static const char *const paths[] = {"normalize.mean", "normalize.std"};
    int64_t channels = augment->shape.c;
    augment->normal = net_allocate(2 * (size_t)channels, sizeof *augment->normal, error);
    for (int64_t i = 0; augment->normal && i < 2 * channels; i++) {
        const NetValue *value = net_setting_find(settings, paths[i / channels]);
        bool has = value && value->count > 0;
        augment->normal[i] =
            255
            * (has ? value->numbers[value->count == 1 ? 0 : i % channels] : (double)(i / channels));
    }
    return augment->normal != NULL;
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
    augment->repeats =
        net_setting_find(settings, "augment.repeated_augment")
            ? (int64_t)net_setting(settings, "augment.repeated_augment.repetitions", 3)
            : 1;
    if (!net_augments(augment))
        return true;
    size_t pixels = (size_t)(shape.c * shape.h * shape.w);
    augment->room = net_allocate((size_t)threads * ((size_t)lanes + SPARE), pixels, error);
    return augment->room && read_normal(augment, settings, error);
}

void net_augment_close(NetAugment *augment)
{
    free(augment->room);
    free(augment->target_room);
    free(augment->normal);
    *augment = (NetAugment){0};
}

bool net_augment_size(const NetAugment *augment, uint8_t *to, const uint8_t *image, NetShape own,
                      int64_t key, NetError *error)
{
    const NetShape resized = net_fit_resized(&augment->resize, own);
    NetAugmentWork work = {.augment = augment,
                           .step = &augment->steps[augment->sizing],
                           .image = (uint64_t)key,
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

const uint8_t *net_augment_image(const NetAugment *augment, const uint8_t *image, int64_t key,
                                 bool sized, int thread, int lane)
{
    int64_t pixels = augment->shape.c * augment->shape.h * augment->shape.w;
    uint8_t *room = augment->room + (int64_t)thread * (augment->lanes + SPARE) * pixels;
    uint8_t *own = room + lane * pixels, *spare = room + (augment->lanes + 1) * pixels;
    const uint8_t *now = image;
    for (int i = 0; i < augment->count; i++) {
        NetAugmentWork work = {.augment = augment,
                               .step = &augment->steps[i],
                               .image = (uint64_t)key,
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
