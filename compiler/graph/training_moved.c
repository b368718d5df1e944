/* training_moved.c: what of `augment` moves pixels, and whether a target whose values belong to
 * them can go along.
 *
 * A target is as large as the image, or is mirrored alone.  What comes to it from beyond the edges
 * has to be said, for no class and no value is nothing by itself: by the class that counts as none,
 * or by target_fill.
 */
#include "graph/training.h"

#include <math.h>
#include <string.h>

typedef enum Moves { MIRRORS, RESIZES, FILLS } Moves;

static const struct Mover {
    const char *name;
    Moves moves;
} movers[] = {
    {"horizontal_flip", MIRRORS}, {"vertical_flip", MIRRORS}, {"random_resized_crop", RESIZES},
    {"random_crop", FILLS},       {"random_affine", FILLS},   {"random_rotation", FILLS},
    {"rand_augment", FILLS},      {"trivial_augment", FILLS}, {"auto_augment", FILLS}};

static const Setting *find_of(const Training *t, const struct Mover *mover, const char *what)
{
    return find_setting(t->graph, format("augment.%s%s", mover->name, what));
}

const char *values_of(const Wanted *target)
{
    return target->kind == TARGET_CLASSES ? "a class for each pixel" : "a value for each pixel";
}

/* False: reported. */
static bool has_size(Training *t, const struct Mover *mover, const Wanted *target)
{
    const Shape image = t->graph->input->shape, shape = target->shape;
    if (shape.rank == 3
        && (mover->moves == MIRRORS
            || (shape.dim[1] == image.dim[1] && shape.dim[2] == image.dim[2])))
        return true;
    const Setting *step = find_of(t, mover, "");
    Diagnostic *d = build_error(t->b, "shape-mismatch", step->span,
                                "%s moves the images, and %s is held against a target with %s, "
                                "which is %s: only one as large as the image moves with it",
                                mover->name, target->loss, values_of(target), shape_text(shape));
    diag_label(d, t->graph->input_span, "%s", shape_text(image));
    diag_help(d, "upsample(size=[%lld, %lld]) gives an output of the image's size%s", image.dim[1],
              image.dim[2], shape.rank == 3 ? ", and flips mirror a target of any size" : "");
    return false;
}

static bool can_be(const Wanted *target, double value)
{
    if (target->kind == TARGET_CLASSES)
        return value == (double)target->ignored
               || (value >= 0 && value < (double)target->layout.classes && value == floor(value));
    if (target->low > target->high || target->layout.classes > 1)
        return true;
    return target->ends ? value == target->low || value == target->high
                        : value >= target->low && value <= target->high;
}

/* False: reported. */
static bool has_fill(Training *t, const struct Mover *mover, const Wanted *target)
{
    const Setting *step = find_of(t, mover, ""), *fill = find_of(t, mover, ".target_fill"),
                  *mode = find_of(t, mover, ".padding_mode");
    if (mode != NULL && strcmp(mode->word, "constant") != 0)
        return true;
    if (fill == NULL && target->kind == TARGET_CLASSES && target->ignored != NOT_IGNORED)
        return true;
    if (fill == NULL) {
        Diagnostic *d = build_error(t->b, "argument-range", step->span,
                                    "%s moves the images, and nothing says what a target with %s "
                                    "has beyond their edges, which %s is held against",
                                    mover->name, values_of(target), target->loss);
        if (target->kind == TARGET_CLASSES)
            diag_help(d,
                      "ignore_index=255 in the loss is a class that counts as none; or "
                      "target_fill=0 in %s takes the class 0",
                      mover->name);
        else
            diag_help(d, "target_fill=0 in %s takes the value 0", mover->name);
        return false;
    }
    if (can_be(target, fill->number))
        return true;
    build_error(t->b, "argument-range", fill->span,
                target->kind == TARGET_CLASSES
                    ? "target_fill=%.10g is no class of %s, which has %.10g, from 0, and not its "
                      "ignore_index"
                    : "target_fill=%.10g is no value that %s takes",
                fill->number, target->loss, (double)target->layout.classes);
    return false;
}

/* What is said for a target that does not move. */
static void check_unused(Training *t, const struct Mover *mover, bool moved)
{
    const Setting *fill = find_of(t, mover, ".target_fill"),
                  *mode = find_of(t, mover, ".padding_mode");
    if (fill == NULL)
        return;
    if (!moved) {
        build_error(t->b, "argument-range", fill->span,
                    "no loss is held against a class or a value for each pixel, so nothing moves "
                    "with the images: leave out `target_fill`");
    } else if (mode != NULL && strcmp(mode->word, "constant") != 0) {
        Diagnostic *d = build_error(t->b, "argument-range", fill->span,
                                    "padding_mode=%s takes the target's own values, and nothing is "
                                    "filled in: leave out `target_fill` or `padding_mode`",
                                    mode->word);
        diag_label(d, mode->span, "here");
    }
}

void check_moved(Training *t)
{
    const Graph *graph = t->graph;
    bool good = graph->input != NULL && graph->input->shape.rank == 3;
    for (size_t i = 0; good && i < sizeof movers / sizeof *movers; i++) {
        bool moved = false;
        if (find_of(t, &movers[i], "") == NULL)
            continue;
        for (int k = 0; good && k < graph->wanted.count; k++) {
            const Wanted *target = &graph->wanted.items[k];
            if (target->shape.rank < 3)
                continue;
            moved = true;
            good = has_size(t, &movers[i], target)
                   && (movers[i].moves != FILLS || has_fill(t, &movers[i], target));
        }
        if (good)
            check_unused(t, &movers[i], moved);
    }
}
