/* arrays.c: a data set's arrays: made, looked up, read and closed.  arrays.h says what they are.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

size_t net_kind_bytes(NetKind kind)
{
    switch (kind) {
    case NET_PIXELS:
    case NET_BYTES:
        return sizeof(uint8_t);
    case NET_WHOLE:
        return sizeof(int32_t);
    case NET_FLOAT:
        return sizeof(float);
    }
    __builtin_unreachable();
}

static int64_t held_of(const NetImages *images)
{
    return images->array_count == 0 ? net_held_count(images) : images->count;
}

NetArray *net_lend_array(NetImages *images, const char *name, NetKind kind, NetShape shape,
                         void *values, bool lent, NetError *error)
{
    if (images->array_count == NET_MAX_ARRAYS) {
        net_fail(error, "the data have more than %d arrays", NET_MAX_ARRAYS);
        return NULL;
    }
    NetArray *array = &images->arrays[images->array_count++];
    *array = (NetArray){.kind = kind,
                        .shape = shape,
                        .values = values,
                        .stride = net_shape_elements(shape),
                        .lent = lent};
    snprintf(array->name, sizeof array->name, "%s", name);
    return array;
}

NetArray *net_add_array(NetImages *images, const char *name, NetKind kind, NetShape shape,
                        NetError *error)
{
    int64_t elements = net_shape_elements(shape), all;
    if (__builtin_mul_overflow(held_of(images), elements, &all)) {
        net_fail(error, "the values of %s are more than memory can hold", name);
        return NULL;
    }
    void *values = net_allocate((size_t)all, net_kind_bytes(kind), error);
    NetArray *array =
        values ? net_lend_array(images, name, kind, shape, values, false, error) : NULL;
    if (!array)
        free(values);
    return array;
}

NetImages net_pictures(int64_t count, NetShape shape, const uint8_t *pixels)
{
    NetImages images = {.count = count, .array_count = 1};
    images.arrays[0] = (NetArray){.name = "image",
                                  .shape = shape,
                                  .values = (void *)pixels,
                                  .stride = net_shape_elements(shape),
                                  .lent = true};
    return images;
}

void net_array_close(NetArray *array)
{
    if (array->mapped)
        munmap(array->mapped, (size_t)array->mapped_bytes);
    else if (!array->lent)
        free(array->values);
}

void net_array_replace(NetArray *array, NetShape shape, void *values)
{
    net_array_close(array);
    array->mapped = NULL;
    array->lent = false;
    array->values = values;
    array->shape = shape;
    array->stride = net_shape_elements(shape);
}

void net_images_close(NetImages *images)
{
    for (int i = 0; i < images->array_count; i++)
        net_array_close(&images->arrays[i]);
    net_stream_close(images->stream);
    *images = (NetImages){0};
}

const void *net_array_at(const NetArray *array, int64_t index, int64_t offset)
{
    int64_t at = index * array->stride + (array->slides ? offset : 0);
    return (const char *)array->values + at * (int64_t)net_kind_bytes(array->kind);
}

double net_array_number(const NetArray *array, const void *values, int64_t element)
{
    switch (array->kind) {
    case NET_PIXELS:
        return ((const uint8_t *)values)[element] / 255.0;
    case NET_BYTES:
        return ((const uint8_t *)values)[element];
    case NET_WHOLE:
        return ((const int32_t *)values)[element];
    case NET_FLOAT:
        return (double)((const float *)values)[element];
    }
    __builtin_unreachable();
}

int64_t net_array_whole(const NetArray *array, const void *values, int64_t element)
{
    switch (array->kind) {
    case NET_PIXELS:
    case NET_BYTES:
        return ((const uint8_t *)values)[element];
    case NET_WHOLE:
        return ((const int32_t *)values)[element];
    case NET_FLOAT:
        return (int64_t)((const float *)values)[element];
    }
    __builtin_unreachable();
}

const NetArray *net_find_array(const NetImages *images, const char *name)
{
    for (int i = 0; i < images->array_count; i++)
        if (strcmp(images->arrays[i].name, name) == 0)
            return &images->arrays[i];
    return NULL;
}

/* Of one array it is that of its bytes. */
uint64_t net_targets_digest(const NetImages *images)
{
    uint64_t digest = 0;
    int digested = 0;
    for (int i = 1; i < images->array_count; i++) {
        const NetArray *array = &images->arrays[i];
        if (array->lent)
            continue; /* what another array is of */
        uint64_t own =
            net_digest(0, array->values,
                       (size_t)(images->count * array->stride) * net_kind_bytes(array->kind));
        digest = digested++ ? net_digest(digest, &own, sizeof own) : own;
    }
    return digest;
}
