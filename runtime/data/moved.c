/* moved.c: targets whose values belong to the image's pixels, which move as the image does: a mask,
 * a picture that the network is to make.
 *
 * Each step makes its choice again from the same random numbers, so it is the image's own.  Steps
 * of colours alone leave a target as it is.  Whole numbers are moved by the nearest, for nothing
 * lies between two classes; pixels and real numbers as the step moves the image.  What comes from
 * beyond the edges is the step's target_fill, else the class that counts as none.
 */
#include "data/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROOMS = 3 }; /* of one target: what it was, what it becomes, and the spare one */

/* --------------------------------------------------------------- moves */

bool net_move_mirrored(const NetAugmentWork *work, bool over)
{
    const NetMovedTarget *moved = work->target;
    int64_t h = moved->shape.h, w = moved->shape.w;
    for (int64_t row = 0; row < moved->shape.c * h; row++) {
        const double *from = moved->from + (over ? row - row % h + h - 1 - row % h : row) * w;
        for (int64_t x = 0; x < w; x++)
            moved->to[row * w + x] = from[over ? x : w - 1 - x];
    }
    return true;
}

bool net_move_window(const NetAugmentWork *work, int64_t down, int64_t right)
{
    const NetMovedTarget *moved = work->target;
    NetBorderMode mode = work->step->border.mode;
    int64_t h = moved->shape.h, w = moved->shape.w;
    for (int64_t row = 0; row < moved->shape.c * h; row++) {
        int64_t y = net_border_index(mode, row % h + down, h);
        const double *from = moved->from + (row - row % h + (y < 0 ? 0 : y)) * w;
        for (int64_t x = 0; x < w; x++) {
            int64_t column = net_border_index(mode, x + right, w);
            moved->to[row * w + x] = y < 0 || column < 0 ? moved->fill : from[column];
        }
    }
    return true;
}

/* A pixel has no parts of levels. */
static bool round_pixels(const NetMovedTarget *moved)
{
    int64_t count = moved->pixels ? net_shape_elements(moved->shape) : 0;
    for (int64_t i = 0; i < count; i++)
        moved->to[i] = nearbyint(moved->to[i]);
    return true;
}

bool net_move_warped(const NetAugmentWork *work, const NetAffine *affine)
{
    const NetMovedTarget *moved = work->target;
    NetAffine drawn = *affine;
    drawn.bilinear &= !moved->whole;
    net_warp_numbers(moved->to, moved->from, moved->shape, &drawn, moved->fill);
    return round_pixels(moved);
}

bool net_move_resized(const NetAugmentWork *work, NetWindow window)
{
    const NetMovedTarget *moved = work->target;
    net_resize_numbers(moved->to, moved->shape, moved->from, moved->shape, window, moved->whole);
    return round_pixels(moved);
}

/* -------------------------------------------------------------- targets */

static bool is_moved(const NetTarget *target)
{
    return target->shape.rank == 3;
}

static bool moves(const NetAugment *augment)
{
    for (int i = 0; i < augment->count; i++)
        if (augment->steps[i].kind->moves != NET_STAYS)
            return true;
    return false;
}

/* A fill is said as the network has it, and pixels are levels there. */
static double fill_of(const NetAugmentStep *step, const NetTarget *target, const NetArray *array)
{
    if (step->fills_targets)
        return array->kind == NET_PIXELS ? nearbyint(255 * step->target_fill) : step->target_fill;
    return target->kind == NET_CLASSES && target->ignored != NET_NOT_IGNORED
               ? (double)target->ignored
               : 0;
}

static bool fills(const NetAugmentStep *step)
{
    return step->kind->moves == NET_MOVES_IN && step->border.mode == NET_BORDER_CONSTANT;
}

/* Whether a step can fill such an array, whose classes the target takes. */
static bool check_fill(const NetAugmentStep *step, const NetTarget *target, const NetArray *array,
                       NetError *error)
{
    double fill = fill_of(step, target, array);
    bool bytes = array->kind == NET_BYTES || array->kind == NET_PIXELS;
    double low = bytes ? 0 : INT32_MIN, high = bytes ? 255 : INT32_MAX;
    bool whole = array->kind == NET_FLOAT || (fill >= low && fill <= high && fill == floor(fill)),
         known = target->kind != NET_CLASSES || fill == (double)target->ignored
                 || (fill >= 0 && fill < (double)target->classes);
    return (whole && known)
           || net_fail(error,
                       "%s fills %s with %.10g from beyond the images' edges, which is %s: "
                       "target_fill= says another",
                       step->kind->name, array->name,
                       step->fills_targets ? step->target_fill : fill,
                       !whole ? "none of its values" : "no class");
}

bool net_targets_open(NetAugment *augment, const NetModel *model, const NetImages *images,
                      int threads, NetError *error)
{
    for (int i = 0; i < model->wanted_count && moves(augment); i++) {
        if (!is_moved(&model->wanted[i]))
            continue;
        const NetArray *array = &images->arrays[images->targets[i]];
        int64_t elements = net_shape_elements(array->shape);
        for (int k = 0; k < augment->count; k++)
            if (fills(&augment->steps[k])
                && !check_fill(&augment->steps[k], &model->wanted[i], array, error))
                return false;
        if (elements > augment->target_elements)
            augment->target_elements = elements;
    }
    if (augment->target_elements == 0)
        return true;
    augment->target_room = net_allocate((size_t)threads * ROOMS * (size_t)augment->target_elements,
                                        sizeof *augment->target_room, error);
    return augment->target_room != NULL;
}

static double number_at(const NetArray *array, const void *values, int64_t i)
{
    switch (array->kind) {
    case NET_WHOLE:
        return ((const int32_t *)values)[i];
    case NET_FLOAT:
        return (double)((const float *)values)[i];
    default:
        return ((const uint8_t *)values)[i];
    }
}

static void put_number(void *to, const NetArray *array, int64_t i, double value)
{
    switch (array->kind) {
    case NET_WHOLE:
        ((int32_t *)to)[i] = (int32_t)value;
        return;
    case NET_FLOAT:
        ((float *)to)[i] = (float)value;
        return;
    default:
        ((uint8_t *)to)[i] = (uint8_t)value;
    }
}

const void *net_augment_target(const NetAugment *augment, const NetTarget *target,
                               const NetArray *array, const void *values, int64_t key, int thread)
{
    if (!augment || !augment->target_room || !is_moved(target))
        return values;
    double *room = augment->target_room + (int64_t)thread * ROOMS * augment->target_elements;
    double *now = room, *next = room + augment->target_elements,
           *spare = room + 2 * augment->target_elements;
    int64_t elements = net_shape_elements(array->shape);
    NetShape shape = {3, 1, target->shape.h, target->shape.w, 1};
    shape.c = elements / (shape.h * shape.w);
    for (int64_t i = 0; i < elements; i++)
        now[i] = number_at(array, values, i);
    for (int i = 0; i < augment->count; i++) {
        const NetAugmentStep *step = &augment->steps[i];
        const NetMovedTarget moved = {.to = next,
                                      .from = now,
                                      .spare = spare,
                                      .shape = shape,
                                      .whole = array->kind == NET_BYTES || array->kind == NET_WHOLE,
                                      .pixels = array->kind == NET_PIXELS,
                                      .fill = fill_of(step, target, array)};
        const NetAugmentWork work = {.augment = augment,
                                     .step = step,
                                     .image = (uint64_t)key,
                                     .own = augment->shape,
                                     .target = &moved};
        if (step->kind->moves == NET_STAYS || !step->kind->apply(&work))
            continue;
        next = now;
        now = moved.to;
    }
    for (int64_t i = 0; i < elements; i++)
        put_number(next, array, i, now[i]);
    return next;
}
