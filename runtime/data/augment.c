/* augment.c: what is done at random to a training image before it is loaded.
 *
 * Every choice is a number of the seed, the epoch and the image's position in the
 * file, so neither threads nor batches nor a resumed run change it.  The work is
 * done as bytes by the thread that loads the image.  A new augmentation is one
 * function and one entry of the table; the order is the train section's.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DRAWS = 8 }; /* random numbers of one step for one image */

/* One image under way. */
typedef struct Work {
    const NetAugment *augment;
    const NetAugmentStep *step;
    uint64_t image; /* its position */
    uint8_t *to;    /* [c][h][w] */
    const uint8_t *from;
} Work;

typedef struct NetAugmentKind {
    const char *name, *path;
    void (*read)(NetAugmentStep *step, const NetSettings *settings);
    bool (*apply)(const Work *work); /* false: the image stays as it is, and `to` is untouched */
} NetAugmentKind;

/* In [low, high). */
static double draw(const Work *work, int number, double low, double high)
{
    double unit = net_random(work->augment->seed, work->augment->epoch, work->step->salt,
                             work->image * MAX_DRAWS + (uint64_t)number);
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

/* A window of the image's own size somewhere in the image with black padding. */
static bool crop(const Work *work)
{
    NetShape shape = work->augment->shape;
    int64_t down = draw_whole(work, 0, -work->step->pad_y, work->step->pad_y);
    int64_t right = draw_whole(work, 1, -work->step->pad_x, work->step->pad_x);
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        int64_t y = row % shape.h + down, first = right < 0 ? -right : 0,
                end = right > 0 ? shape.w - right : shape.w;
        uint8_t *to = work->to + row * shape.w;
        memset(to, 0, (size_t)shape.w);
        if (y >= 0 && y < shape.h && first < end)
            memcpy(to + first, work->from + (row + down) * shape.w + first + right,
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

/* From where an output pixel's value comes, both from the image's middle:
 * x' = xx x + xy y + x0, y' = yx x + yy y + y0. */
typedef struct Map {
    double xx, xy, x0, yx, yy, y0;
} Map;

/* The inverse of torchvision.transforms.RandomAffine's map: a shear, then a rotation
 * and a scale, then a move by whole pixels. */
static Map draw_map(const Work *work)
{
    const NetAugmentStep *step = work->step;
    const double radian = acos(-1) / 180;
    double max_x = step->translate_x * (double)work->augment->shape.w,
           max_y = step->translate_y * (double)work->augment->shape.h;
    double angle = radian * draw(work, 0, step->degrees.low, step->degrees.high);
    double right = nearbyint(draw(work, 1, -max_x, max_x)),
           down = nearbyint(draw(work, 2, -max_y, max_y));
    double scale = draw(work, 3, step->scale.low, step->scale.high);
    double shear_x = radian * draw(work, 4, step->shear_x.low, step->shear_x.high);
    double shear_y = radian * draw(work, 5, step->shear_y.low, step->shear_y.high);
    double a = cos(angle - shear_y) / cos(shear_y), b = -a * tan(shear_x) - sin(angle);
    double c = sin(angle - shear_y) / cos(shear_y), d = -c * tan(shear_x) + cos(angle);
    Map map = {.xx = d / scale, .xy = -b / scale, .yx = -c / scale, .yy = a / scale};
    map.x0 = -map.xx * right - map.xy * down;
    map.y0 = -map.yx * right - map.yy * down;
    return map;
}

/* A pixel of a plane; black outside it. */
static double pixel(const uint8_t *plane, NetShape shape, double y, double x)
{
    bool inside = y >= 0 && x >= 0 && y < (double)shape.h && x < (double)shape.w;
    return inside ? plane[(int64_t)y * shape.w + (int64_t)x] : 0;
}

static double between(const uint8_t *plane, NetShape shape, double y, double x)
{
    double top = floor(y), left = floor(x), v = y - top, u = x - left;
    return (1 - v)
               * ((1 - u) * pixel(plane, shape, top, left) + u * pixel(plane, shape, top, left + 1))
           + v
                 * ((1 - u) * pixel(plane, shape, top + 1, left)
                    + u * pixel(plane, shape, top + 1, left + 1));
}

static bool affine(const Work *work)
{
    NetShape shape = work->augment->shape;
    Map map = draw_map(work);
    double middle_y = (double)(shape.h - 1) / 2, middle_x = (double)(shape.w - 1) / 2;
    for (int64_t y = 0; y < shape.h; y++)
        for (int64_t x = 0; x < shape.w; x++) {
            double down = (double)y - middle_y, right = (double)x - middle_x;
            double from_y = map.yx * right + map.yy * down + map.y0 + middle_y;
            double from_x = map.xx * right + map.xy * down + map.x0 + middle_x;
            for (int64_t c = 0; c < shape.c; c++) {
                const uint8_t *plane = work->from + c * shape.h * shape.w;
                double value = work->step->bilinear
                                   ? between(plane, shape, from_y, from_x)
                                   : pixel(plane, shape, nearbyint(from_y), nearbyint(from_x));
                work->to[(c * shape.h + y) * shape.w + x] = (uint8_t)(value + 0.5);
            }
        }
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

/* ---------------------------------------------------------------- table */

static const NetAugmentKind kinds[] = {
    {"random_crop", "augment.random_crop", read_crop, crop},
    {"horizontal_flip", "augment.horizontal_flip", read_flip, flip},
    {"random_affine", "augment.random_affine", read_affine, affine},
    {"cutout", "augment.cutout", read_cutout, cutout},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

_Static_assert((int)KINDS <= (int)NET_MAX_AUGMENT_STEPS, "each at most once");

static void add_step(NetAugment *augment, const NetAugmentKind *kind, const NetSettings *settings)
{
    NetAugmentStep *step = &augment->steps[augment->count++];
    *step = (NetAugmentStep){.kind = kind, .salt = net_hash(kind->path)};
    kind->read(step, settings);
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

bool net_augment_open(NetAugment *augment, const NetSettings *settings, NetShape shape, int lanes,
                      int threads, uint64_t seed, NetError *error)
{
    *augment = (NetAugment){.shape = shape, .lanes = lanes, .seed = seed};
    for (int i = 0; i < settings->count; i++)
        for (int k = 0; k < KINDS; k++)
            if (strcmp(settings->values[i].path, kinds[k].path) == 0
                && augment->count < NET_MAX_AUGMENT_STEPS)
                add_step(augment, &kinds[k], settings);
    if (augment->count == 0)
        return true;
    size_t pixels = (size_t)(shape.c * shape.h * shape.w);
    augment->room = net_allocate((size_t)threads * ((size_t)lanes + 1), pixels, error);
    return augment->room && read_grey(augment, settings, error);
}

void net_augment_close(NetAugment *augment)
{
    free(augment->room);
    free(augment->grey);
    *augment = (NetAugment){0};
}

const uint8_t *net_augment_image(const NetAugment *augment, const uint8_t *image, int64_t index,
                                 int thread, int lane)
{
    int64_t pixels = augment->shape.c * augment->shape.h * augment->shape.w;
    uint8_t *room = augment->room + (int64_t)thread * (augment->lanes + 1) * pixels;
    uint8_t *own = room + lane * pixels, *spare = room + augment->lanes * pixels;
    const uint8_t *now = image;
    for (int i = 0; i < augment->count; i++) {
        Work work = {augment, &augment->steps[i], (uint64_t)index, now == own ? spare : own, now};
        if (work.step->kind->apply(&work))
            now = work.to;
    }
    if (now == spare)
        now = memcpy(own, spare, (size_t)pixels);
    return now;
}
