/* bind.c: whether a data set is one that a network can take.
 *
 * Which array is which is decided here, and every value that could break what comes after is
 * looked at once: a class beyond the classes, a number that is not finite or out of its loss's
 * range.  A message names the data, the split, the array and the example.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is looked at, for messages. */
typedef struct Look {
    const NetImages *images;
    const char *what, *split; /* "mnist in data/mnist", "training" */
    const NetModel *model;
    NetError *error;
    const NetInput *input; /* that an array is held against */
} Look;

/* "[10, 24, 24]"; of one value "one value". */
static const char *shape_text(char text[NET_SHAPE_TEXT], NetShape shape)
{
    int64_t dim[4];
    for (int axis = 0; axis < shape.rank; axis++)
        dim[axis] = net_shape_dim(shape, axis);
    if (shape.rank == 0)
        snprintf(text, NET_SHAPE_TEXT, "one value");
    else
        net_shape_text(text, shape.rank, dim);
    return text;
}

/* Whether they are the same but for axes of 1. */
static bool same_axes(NetShape a, NetShape b)
{
    int i = 0, k = 0;
    for (;;) {
        while (i < a.rank && net_shape_dim(a, i) == 1)
            i++;
        while (k < b.rank && net_shape_dim(b, k) == 1)
            k++;
        if (i == a.rank || k == b.rank)
            return i == a.rank && k == b.rank;
        if (net_shape_dim(a, i++) != net_shape_dim(b, k++))
            return false;
    }
}

/* ---------------------------------------------------------------- inputs */

static bool is_whole(const NetArray *array)
{
    return array->kind == NET_BYTES || array->kind == NET_WHOLE;
}

static bool picture_fits(NetShape is, NetShape want)
{
    NetShape image = net_image_shape(want);
    return is.c == image.c && is.h == image.h && is.w == image.w;
}

static bool check_input_shape(const Look *look, const NetArray *array, const NetInput *input)
{
    NetShape is = array->shape, want = input->shape;
    char takes[NET_SHAPE_TEXT], has[NET_SHAPE_TEXT];
    if (array->kind != NET_PIXELS)
        return same_axes(is, want)
               || net_fail(look->error, "%s: %s is %s for each example, and the network takes %s",
                           look->what, array->name, shape_text(has, is), shape_text(takes, want));
    if (picture_fits(is, want) || same_axes(is, want))
        return true;
    if (want.rank == 1)
        snprintf(takes, sizeof takes, "%" PRId64 " values", want.c);
    else
        snprintf(takes, sizeof takes, "%" PRId64 "x%" PRId64 "x%" PRId64, want.c, want.h, want.w);
    return net_fail(look->error,
                    "%s has %" PRId64 "x%" PRId64 "x%" PRId64 " images, the network takes %s",
                    look->what, is.c, is.h, is.w, takes);
}

/* Called with each of a split's values; false: *error says why. */
typedef bool CheckValue(const Look *look, const NetArray *array, const NetTarget *target,
                        const void *values, int64_t example, int64_t element);

static bool check_values(const Look *look, const NetArray *array, const NetTarget *target,
                         CheckValue *check)
{
    int64_t elements = net_shape_elements(array->shape);
    for (int64_t i = 0; i < look->images->count; i++) {
        const void *values = net_array_at(array, i, 0);
        for (int64_t element = 0; element < elements; element++)
            if (!check(look, array, target, values, i, element))
                return false;
    }
    return true;
}

static bool check_token(const Look *look, const NetArray *array, const NetTarget *target,
                        const void *values, int64_t example, int64_t element)
{
    int64_t value = net_array_whole(array, values, element);
    (void)target;
    return (value >= 0 && value < look->input->numbers)
           || net_fail(look->error,
                       "%s: %s example %" PRId64 " of %s has %" PRId64 " at %" PRId64
                       ", and the network takes whole numbers from 0, below %" PRId64,
                       look->what, look->split, example, array->name, value, element,
                       look->input->numbers);
}

static bool check_finite(const Look *look, const NetArray *array, const NetTarget *target,
                         const void *values, int64_t example, int64_t element)
{
    (void)target;
    return isfinite(net_array_number(array, values, element))
           || net_fail(look->error, "%s: %s example %" PRId64 " of %s has %s at %" PRId64,
                       look->what, look->split, example, array->name,
                       net_strange_text(net_array_number(array, values, element)), element);
}

static bool check_input(const Look *look, const NetArray *array)
{
    bool numbers = look->input->numbers > 0;
    if (!check_input_shape(look, array, look->input))
        return false;
    if (numbers && !is_whole(array))
        return net_fail(look->error,
                        "%s: %s holds %s, and the network takes whole numbers: a text, or an array "
                        "of integers",
                        look->what, array->name,
                        array->kind == NET_PIXELS ? "pictures" : "real numbers");
    if (numbers && (!array->classes || array->classes > look->input->numbers))
        return check_values(look, array, NULL, check_token);
    return array->kind != NET_FLOAT || check_values(look, array, NULL, check_finite);
}

/* --------------------------------------------------------------- targets */

static bool is_input(const Look *look, int array)
{
    bool is = array == 0;
    for (int i = 1; i < look->model->input_count; i++)
        is |= look->images->inputs[i] == array;
    return is;
}

/* "quality, label": the arrays that may be targets. */
static const char *list_targets(const Look *look, char text[NET_SHAPE_TEXT])
{
    text[0] = 0;
    for (int i = 1; i < look->images->array_count; i++) {
        size_t used = strlen(text);
        if (!is_input(look, i))
            snprintf(text + used, NET_SHAPE_TEXT - used, "%s%.60s", used ? ", " : "",
                     look->images->arrays[i].name);
    }
    return text;
}

/* -1: there is none, and *error says so. */
static int find_target(const Look *look, const NetTarget *target)
{
    char names[NET_SHAPE_TEXT];
    int count = 0, only = 0;
    const char *loss = target->loss ? target->loss : "the network";
    for (int i = 1; i < look->images->array_count; i++) {
        if (target->name && strcmp(look->images->arrays[i].name, target->name) == 0)
            return i;
        only = is_input(look, i) ? only : i;
        count += !is_input(look, i);
    }
    if (!target->name && count == 1)
        return only;
    if (count < 1)
        net_fail(look->error, "%s has no targets, and %s needs one for each example", look->what,
                 loss);
    else if (target->name)
        net_fail(look->error, "%s has no array %s, which %s is held against; it has %s", look->what,
                 target->name, loss, list_targets(look, names));
    else
        net_fail(look->error,
                 "%s has several targets, %s: say which one %s means, `loss %s, target=NAME`",
                 look->what, list_targets(look, names), loss, loss);
    return -1;
}

static bool check_class(const Look *look, const NetArray *array, const NetTarget *target,
                        const void *values, int64_t example, int64_t element)
{
    int64_t value = net_array_whole(array, values, element);
    bool ignored = target->kind == NET_CLASSES && value == target->ignored;
    if ((value >= 0 && value < target->classes) || ignored)
        return true;
    if (target->positions == 1)
        return net_fail(look->error,
                        "%s labels %s %s %" PRId64 " as class %" PRId64
                        ", and the network has %" PRId64 " classes, from 0",
                        look->what, look->split, net_noun(look->model).one, example, value,
                        target->classes);
    return net_fail(look->error,
                    "%s: %s of %s example %" PRId64 " has class %" PRId64 " at position %" PRId64
                    ", and the network has %" PRId64 " classes, from 0%s",
                    look->what, array->name, look->split, example, value, element, target->classes,
                    target->kind == NET_CLASSES ? "; ignore_index= says which one counts as none"
                                                : "");
}

/* "0 to 1", "-1 or 1" */
static const char *range_text(char text[NET_SHAPE_TEXT], const NetTarget *target)
{
    snprintf(text, NET_SHAPE_TEXT, "%g %s %g", target->low, target->ends ? "or" : "to",
             target->high);
    return text;
}

static bool check_number(const Look *look, const NetArray *array, const NetTarget *target,
                         const void *values, int64_t example, int64_t element)
{
    char range[NET_SHAPE_TEXT];
    double value = net_array_number(array, values, element);
    bool any = target->low > target->high;
    if (!isfinite(value))
        return check_finite(look, array, target, values, example, element);
    if (any || value == target->low || value == target->high
        || (!target->ends && value > target->low && value < target->high))
        return true;
    return net_fail(look->error,
                    "%s: %s of %s example %" PRId64 " is %g at %" PRId64 ", and %s takes %s",
                    look->what, array->name, look->split, example, value, element,
                    target->loss ? target->loss : "the network", range_text(range, target));
}

NetShape net_target_positions(const NetTarget *target)
{
    NetShape shape = target->shape;
    if (target->class_step == 1 && shape.rank == 2)
        return (NetShape){1, shape.c, 1, 1, 1};
    if (shape.rank <= 1)
        return net_one_value;
    if (shape.rank == 2)
        return (NetShape){1, shape.w, 1, 1, 1};
    if (shape.rank == 3)
        return (NetShape){2, shape.h, 1, shape.w, 1};
    return (NetShape){3, shape.d, shape.h, shape.w, 1};
}

static bool refuse_shape(const Look *look, const NetArray *array, const NetTarget *target,
                         NetShape want, const char *each)
{
    char has[NET_SHAPE_TEXT], takes[NET_SHAPE_TEXT];
    if (target->kind == NET_CLASSES && array->shape.rank == 0)
        return net_fail(look->error,
                        "the network gives a class for each of %" PRId64
                        " positions, and %s has one for each %s",
                        target->positions, look->what, net_noun(look->model).one);
    return net_fail(look->error, "%s: %s is %s for each example, and %s takes %s%s", look->what,
                    array->name, shape_text(has, array->shape),
                    target->loss ? target->loss : "the network", shape_text(takes, want), each);
}

static bool check_classes(const Look *look, const NetArray *array, const NetTarget *target)
{
    if (!same_axes(array->shape, net_target_positions(target)))
        return refuse_shape(look, array, target, net_target_positions(target),
                            target->positions > 1 ? ": a class for each position" : ": a class");
    if (array->classes && array->classes <= target->classes)
        return true;
    return check_values(look, array, target, check_class);
}

bool net_is_by_class(const NetTarget *target, const NetArray *array)
{
    return target->kind == NET_CLASSES
           || (is_whole(array) && target->classes > 1
               && same_axes(array->shape, net_target_positions(target))
               && !same_axes(array->shape, target->shape));
}

static bool check_target(const Look *look, const NetArray *array, const NetTarget *target)
{
    if (target->kind == NET_CLASSES && !is_whole(array))
        return net_fail(
            look->error, "%s: %s holds %s, and %s takes classes: whole numbers from 0, as integers",
            look->what, array->name, array->kind == NET_PIXELS ? "pictures" : "real numbers",
            target->loss ? target->loss : "the network");
    if (net_is_by_class(target, array))
        return check_classes(look, array, target);
    if (!same_axes(array->shape, target->shape))
        return refuse_shape(look, array, target, target->shape, ": numbers, as its output");
    return check_values(look, array, target, check_number);
}

/* ----------------------------------------------------------- all of them */

/* The first is the network's first input, or has the name of another; of several each has its
 * name.  -1: there is none, and *error says so. */
static int find_input(const Look *look, int input)
{
    char names[NET_SHAPE_TEXT] = "";
    const NetImages *images = look->images;
    for (int i = 0; look->model->input_count > 1 && i < images->array_count; i++)
        if (strcmp(images->arrays[i].name, look->input->name) == 0)
            return i;
    if (input == 0)
        return 0;
    for (int i = 0; i < images->array_count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%.40s", used ? ", " : "",
                 images->arrays[i].name);
    }
    net_fail(look->error,
             "%s has no array %s, which the network takes as an input; it has %s; --data synthetic "
             "draws all of them",
             look->what, look->input->name, names);
    return -1;
}

/* What is loaded as pictures are: see net_image_at. */
static int put_first(NetImages *images, int found)
{
    NetArray first = images->arrays[found];
    images->arrays[found] = images->arrays[0];
    images->arrays[0] = first;
    return 0;
}

static bool bind_inputs(NetImages *images, Look *look)
{
    for (int i = 0; i < look->model->input_count; i++) {
        look->input = &look->model->inputs[i];
        int found = find_input(look, i);
        if (found < 0 || !check_input(look, &images->arrays[found]))
            return false;
        if (i == 0)
            found = put_first(images, found);
        images->inputs[i] = found;
        images->arrays[found].shape = look->input->shape;
    }
    return true;
}

static bool bind_split(NetImages *images, const NetModel *model, const char *what,
                       const char *split, bool labelled, NetError *error)
{
    Look look = {images, what, split, model, error, NULL};
    if (images->count == 0 && images->array_count == 0)
        return true; /* there is no such split */
    if (images->array_count < 1)
        return net_fail(error, "%s has no arrays", what);
    if (!bind_inputs(images, &look))
        return false;
    if (!labelled)
        return true;
    for (int i = 0; i < model->wanted_count; i++) {
        int found = find_target(&look, &model->wanted[i]);
        if (found < 0 || !check_target(&look, &images->arrays[found], &model->wanted[i]))
            return false;
        images->targets[i] = found;
    }
    images->has_targets = true;
    return true;
}

bool net_bind_images(NetImages *images, const NetModel *model, const char *what, const char *split,
                     NetError *error)
{
    return bind_split(images, model, what, split, true, error);
}

bool net_bind_data(NetData *data, const NetModel *model, NetError *error)
{
    return bind_split(&data->train, model, data->what, "training", true, error)
           && bind_split(&data->test, model, data->what, "test", !data->unlabelled, error);
}

int32_t net_target_class(const NetTarget *target, const NetArray *array, const void *values,
                         int64_t position)
{
    (void)target;
    return (int32_t)net_array_whole(array, values, position);
}

real net_target_number(const NetTarget *target, const NetArray *array, const void *values,
                       int64_t element)
{
    if (net_shape_elements(array->shape) == net_shape_elements(target->shape))
        return (real)net_array_number(array, values, element);
    int64_t step = target->class_step;
    int64_t class = step == 1 ? element % target->classes : element / step,
            position = step == 1 ? element / target->classes : element % step;
    return net_array_whole(array, values, position) == class ? 1 : 0;
}

const NetArray *net_class_array(const NetModel *model, const NetImages *images)
{
    int number = net_main_target(model);
    if (number < 0 || !images->has_targets)
        return NULL;
    const NetArray *array = &images->arrays[images->targets[number]];
    return net_is_by_class(&model->wanted[number], array) ? array : NULL;
}
