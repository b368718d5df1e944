/* array_files.c: named arrays as a data set.
 *
 * A folder has train_x.npy, train_y.npy, test_x.npy, test_y.npy, or one file has arrays of such
 * names: .npz or .safetensors.  The part, train or test, may stand before or behind the name, and
 * what names no part is all for training; val is a test part where there is no other.  The first
 * axis goes over the examples.  x is the network's input, and of several each is the array of its
 * name; the others are targets, by their names.
 *
 * Real numbers become float32, whole ones int32 where they fit.  Bytes of an input are pixels, 0
 * to 255, as those of pictures; other bytes are whole numbers.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* One of the files' arrays as an array of a split. */
typedef struct Named {
    const NetFileArray *array;
    char name[NET_ARRAY_NAME];
    bool test, validation; /* validation: test is so as well */
    const NetInput *input; /* NULL: none of the network's */
    bool first;            /* the network's first input */
} Named;

typedef struct List {
    Named *items;
    int count;
} List;

/* ------------------------------------------------------------- its names */

/* "train_x", "x_train", "X_train": x of the training part. */
static void name_array(Named *named, const NetFileArray *array)
{
    static const struct Part {
        const char *name;
        bool test, validation;
    } parts[] = {{"train", false, false},
                 {"test", true, false},
                 {"val", true, true},
                 {"valid", true, true},
                 {"validation", true, true}};
    const char *name = array->name;
    size_t length = strlen(name);
    *named = (Named){.array = array};
    memcpy(named->name, name, length + 1);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t part = strlen(parts[i].name);
        if (length < part + 2)
            continue;
        bool before = strncasecmp(name, parts[i].name, part) == 0 && strchr("_-./", name[part]),
             behind = strcasecmp(name + length - part, parts[i].name) == 0
                      && strchr("_-./", name[length - part - 1]);
        if (!before && !behind)
            continue;
        memset(named->name, 0, sizeof named->name);
        memcpy(named->name, before ? name + part + 1 : name, length - part - 1);
        named->test = parts[i].test;
        named->validation = parts[i].validation;
        break;
    }
    if (strcmp(named->name, "X") == 0)
        named->name[0] = 'x';
    else if (strcmp(named->name, "Y") == 0)
        named->name[0] = 'y';
}

/* Of several inputs each has its name; x is the first in any case. */
static void find_input(Named *named, const NetModel *model)
{
    for (int i = 0; i < model->input_count && !named->input; i++)
        if ((model->input_count > 1 && strcmp(named->name, model->inputs[i].name) == 0)
            || (i == 0 && strcmp(named->name, "x") == 0))
            named->input = &model->inputs[i];
    named->first = named->input == &model->inputs[0];
}

/* The network's first input, then the others by name. */

static int by_name(const void *a, const void *b)
{
    const Named *x = a, *y = b;
    if (x->test != y->test)
        return x->test - y->test;
    return x->first != y->first ? y->first - x->first : strcmp(x->name, y->name);
}

/* Of test and validation the latter is left out, as it is of folders. */
static void leave_validation(List *list, const char *source, NetNotes *notes)
{
    const Named *test = NULL, *left = NULL;
    for (int i = 0; i < list->count; i++)
        if (list->items[i].test && !list->items[i].validation)
            test = test ? test : &list->items[i];
    int to = 0;
    for (int i = 0; test && i < list->count; i++)
        if (list->items[i].validation)
            left = left ? left : &list->items[i];
    if (!left)
        return;
    net_note(notes, "%s: %s and its like are not used: %s is", source, left->array->name,
             test->array->name);
    for (int i = 0; i < list->count; i++)
        if (!list->items[i].validation)
            list->items[to++] = list->items[i];
    list->count = to;
}

static bool name_all(List *list, const NetFileArrays *arrays, const NetOpening *opening,
                     NetError *error)
{
    const char *source = opening->source;
    list->items = net_allocate((size_t)arrays->count + 1, sizeof *list->items, error);
    if (!list->items)
        return false;
    list->count = arrays->count;
    for (int i = 0; i < list->count; i++) {
        name_array(&list->items[i], &arrays->items[i]);
        find_input(&list->items[i], opening->model);
    }
    leave_validation(list, source, opening->notes);
    qsort(list->items, (size_t)list->count, sizeof *list->items, by_name);
    for (int i = 1; i < list->count; i++)
        if (by_name(&list->items[i - 1], &list->items[i]) == 0)
            return net_fail(error, "%s has two arrays %s: %s and %s", source, list->items[i].name,
                            list->items[i - 1].array->name, list->items[i].array->name);
    return true;
}

/* ------------------------------------------------------------ its values */

/* A value's bits, in the machine's order. */
static uint64_t bits_at(const NetFileArray *array, int64_t element)
{
    const uint8_t *from = array->values + element * array->bytes;
    uint64_t bits = 0;
    for (int i = 0; i < array->bytes; i++)
        bits |= (uint64_t)from[i] << 8 * (array->swapped ? array->bytes - 1 - i : i);
    return bits;
}

static double real_at(const NetFileArray *array, int64_t element)
{
    uint64_t bits = bits_at(array, element);
    uint32_t low = (uint32_t)bits;
    double wide;
    float narrow;
    if (array->bytes == 8)
        return memcpy(&wide, &bits, sizeof wide), wide;
    if (array->type == 'h')
        low <<= 16;
    if (array->type == 'h' || array->bytes == 4)
        return memcpy(&narrow, &low, sizeof narrow), (double)narrow;
    int exponent = (int)(bits >> 10 & 31);
    double part = (double)(bits & 1023),
           value = ldexp(exponent ? part + 1024 : part, (exponent ? exponent : 1) - 25);
    if (exponent == 31)
        value = part > 0 ? NAN : INFINITY;
    return bits >> 15 ? -value : value;
}

/* False: it is not one of int32's. */
static bool whole_at(int64_t *value, const NetFileArray *array, int64_t element)
{
    uint64_t bits = bits_at(array, element);
    int unused = 64 - 8 * array->bytes;
    *value = array->type == 'i' ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
    bool huge = array->type == 'u' && bits > INT32_MAX;
    return !huge && *value >= INT32_MIN && *value <= INT32_MAX;
}

/* Where the element that is number `element` with the last axis fastest lies in the file. */
static int64_t place_of(const NetFileArray *array, int64_t element)
{
    int64_t place = 0, step = array->elements;
    if (!array->fortran)
        return element;
    for (int axis = array->rank - 1; axis >= 0; axis--) {
        step /= array->dim[axis];
        place += element % array->dim[axis] * step;
        element /= array->dim[axis];
    }
    return place;
}

static bool refuse_whole(const NetFileArray *array, int64_t element, NetError *error)
{
    return net_fail(error,
                    "%.200s: %s has a whole number beyond those of 32 bits at element %" PRId64
                    ", in example %" PRId64,
                    array->path, array->name, element, element / (array->elements / array->dim[0]));
}

static bool copy_values(NetArray *to, const NetFileArray *from, NetError *error)
{
    for (int64_t i = 0; i < from->elements; i++) {
        int64_t place = place_of(from, i), whole = 0;
        if (to->kind == NET_FLOAT) {
            ((float *)to->values)[i] = (float)real_at(from, place);
            continue;
        }
        if (!whole_at(&whole, from, place))
            return refuse_whole(from, i, error);
        if (to->kind == NET_WHOLE)
            ((int32_t *)to->values)[i] = (int32_t)whole;
        else
            ((uint8_t *)to->values)[i] = (uint8_t)whole;
    }
    return true;
}

static NetKind kind_of(const NetFileArray *array, const NetInput *input)
{
    if (array->type == 'f' || array->type == 'h')
        return NET_FLOAT;
    if (array->type == 'u' && array->bytes == 1 && input && !input->numbers)
        return NET_PIXELS;
    return array->bytes == 1 && array->type != 'i' ? NET_BYTES : NET_WHOLE;
}

/* ------------------------------------------------------------- its splits */

/* Of one example. */
static bool shape_of(NetShape *shape, const NetFileArray *array, NetError *error)
{
    const int64_t *dim = array->dim + 1;
    int rank = array->rank - 1;
    *shape = (NetShape){.rank = rank, .c = 1, .h = 1, .w = 1, .d = 1};
    if (rank < 0 || rank > 4)
        return net_fail(error,
                        "%.200s: %s has %d axes: the first goes over the examples, and up to four "
                        "are one's",
                        array->path, array->name, array->rank);
    shape->c = rank > 0 ? dim[0] : 1;
    shape->w = rank > 1 ? dim[rank - 1] : 1;
    shape->h = rank > 2 ? dim[rank - 2] : 1;
    shape->d = rank > 3 ? dim[1] : 1;
    return true;
}

static bool add_named(NetImages *images, const Named *named, NetError *error)
{
    const NetFileArray *array = named->array;
    NetShape shape;
    if (!shape_of(&shape, array, error))
        return false;
    if (images->array_count > 0 && array->dim[0] != images->count)
        return net_fail(error, "%.200s: %s has %" PRId64 " examples, and %s has %" PRId64,
                        array->path, array->name, array->dim[0], images->arrays[0].name,
                        images->count);
    images->count = array->dim[0];
    NetKind kind = kind_of(array, named->input);
    NetArray *to = net_add_array(images, named->name, kind, shape, error);
    return to && copy_values(to, array, error);
}

static bool read_split(NetImages *images, const List *list, bool test, const NetModel *model,
                       const char *source, NetError *error)
{
    for (int i = 0; i < list->count; i++) {
        const Named *named = &list->items[i];
        if (named->test != test)
            continue;
        if (images->array_count == 0 && !named->first)
            return net_fail(error,
                            "%s has no array %s for %s, which is the network's input; it has %s",
                            source, model->input_count > 1 ? model->inputs[0].name : "x",
                            test ? "testing" : "training", named->array->name);
        if (!add_named(images, named, error))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------ its files */

static bool is_arrays_file(const char *name)
{
    static const char *const endings[] = {".npy", ".npz", ".safetensors"};
    const char *dot = strrchr(name, '.');
    for (int i = 0; dot && name[0] != '.' && i < 3; i++)
        if (strcmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static bool add_folder(NetFileArrays *arrays, const char *folder, NetError *error)
{
    NetNames folders = {0}, files = {0};
    bool good = net_list_folder(&folders, &files, folder, error);
    for (int64_t i = 0; good && i < files.count; i++) {
        if (!is_arrays_file(files.items[i]))
            continue;
        char *path = net_join_path(folder, files.items[i]);
        good = path ? net_file_arrays_add(arrays, path, error) : net_fail(error, "out of memory");
        free(path);
    }
    net_names_close(&folders);
    net_names_close(&files);
    return good;
}

static bool open_arrays(NetFileArrays *arrays, const char *source, NetError *error)
{
    struct stat status;
    bool folder = stat(source, &status) == 0 && S_ISDIR(status.st_mode);
    if (!(folder ? add_folder : net_file_arrays_add)(arrays, source, error))
        return false;
    return arrays->count > 0
           || net_fail(error, "%s has no %s", source,
                       folder ? ".npy, .npz or .safetensors file" : "array in it");
}

bool net_read_arrays(NetData *data, const NetOpening *opening, NetError *error)
{
    NetFileArrays arrays = {0};
    List list = {0};
    const NetModel *model = opening->model;
    bool good =
        open_arrays(&arrays, opening->source, error) && name_all(&list, &arrays, opening, error);
    if (good && !opening->test_only)
        good = read_split(&data->train, &list, false, model, opening->source, error);
    good = good && read_split(&data->test, &list, true, model, opening->source, error);
    if (good)
        snprintf(data->what, sizeof data->what, "%s", opening->source);
    free(list.items);
    net_file_arrays_close(&arrays);
    return good;
}
