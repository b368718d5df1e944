/* repeat.c: an image several times in a step, each time with draws of its own: repeated
 * augmentation (Hoffer et al. 2020, "Augment your batch"; Berman et al. 2019, "MultiGrain",
 * section 3.2).
 *
 * An epoch has as many examples as it would have without, so it sees a part of the images: the
 * first ones of its order.  A step of n examples has n / repeats images, in their order, then the
 * same once more, and so on: neighbours, which mixup and cutmix mix, are of different images.  With
 * several processes torchvision's RASampler comes to the same steps.
 */
#include "runtime.h"

void net_repeat_begin(NetAugment *augment, int64_t step_images, int64_t images)
{
    augment->step_images = step_images;
    augment->images = images;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Different images of the step that has this place; the last one of an epoch is shorter. */
static int64_t different(const NetAugment *augment, int64_t position)
{
    int64_t left = augment->images - position / augment->step_images * augment->step_images;
    return divide_up(left < augment->step_images ? left : augment->step_images, augment->repeats);
}

void net_repeat_order(const NetAugment *augment, int32_t *order)
{
    int64_t each = divide_up(augment->step_images, augment->repeats);
    if (augment->repeats <= 1)
        return;
    for (int64_t i = augment->images - 1; i >= 0; i--) /* none comes from behind its place */
        order[i] = order[i / augment->step_images * each
                         + i % augment->step_images % different(augment, i)];
}

int64_t net_repeat_key(const NetAugment *augment, int64_t index, int64_t position)
{
    if (augment->repeats <= 1)
        return index;
    int64_t copy = position % augment->step_images / different(augment, position);
    return index + (copy << 31);
}
