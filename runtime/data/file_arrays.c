/* file_arrays.c: the arrays that a .npy, .npz or .safetensors file has, in the file's own pages.
 */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file's pages. */
struct NetMapped {
    char *path;
    uint8_t *bytes;
    int64_t count;
};

/* ------------------------------------------------------------- the file */

static bool map_file(struct NetMapped *mapped, const char *path, NetError *error)
{
    struct stat status = {0};
    errno = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool there = file >= 0 && fstat(file, &status) == 0, good = there && S_ISREG(status.st_mode);
    *mapped = (struct NetMapped){.path = strdup(path), .count = status.st_size};
    if (!there)
        net_fail(error, "cannot read %s: %s", path, strerror(errno));
    else if (!good)
        net_fail(error, "cannot read %s: it is not a file", path);
    else if (mapped->count == 0)
        good = net_fail(error, "%s is empty", path);
    else
        mapped->bytes = mmap(NULL, (size_t)mapped->count, PROT_READ, MAP_PRIVATE, file, 0);
    if (good && (mapped->bytes == MAP_FAILED || !mapped->path)) {
        mapped->bytes = mapped->bytes == MAP_FAILED ? NULL : mapped->bytes;
        good = net_fail(error, "cannot read %s: %s", path, strerror(errno));
    }
    if (file >= 0)
        close(file);
    return good;
}

static void unmap(struct NetMapped *mapped)
{
    if (mapped->bytes)
        munmap(mapped->bytes, (size_t)mapped->count);
    free(mapped->path);
}

static struct NetMapped *add_file(NetFileArrays *arrays, const char *path, NetError *error)
{
    struct NetMapped *files =
        realloc(arrays->files, (size_t)(arrays->file_count + 1) * sizeof *files);
    if (!files) {
        net_fail(error, "out of memory");
        return NULL;
    }
    arrays->files = files;
    return map_file(&files[arrays->file_count++], path, error) ? &files[arrays->file_count - 1]
                                                               : NULL;
}

/* ----------------------------------------------------------- its arrays */

bool net_check_file_array(NetFileArray *array, int64_t count, NetError *error)
{
    int64_t bytes = array->bytes;
    array->elements = 1;
    for (int axis = 0; axis < array->rank; axis++) {
        if (array->dim[axis] == 0)
            return net_fail(error, "%.200s: axis %d of %s has no element", array->path, axis,
                            array->name);
        if (array->dim[axis] < 0
            || __builtin_mul_overflow(array->elements, array->dim[axis], &array->elements))
            return net_fail(error, "%.200s: %s is larger than memory can be", array->path,
                            array->name);
    }
    if (__builtin_mul_overflow(bytes, array->elements, &bytes) || bytes != count)
        return net_fail(error,
                        "%.200s: %s has %" PRId64 " bytes of values, and its header calls for "
                        "%" PRId64 " of %d bytes each",
                        array->path, array->name, count, array->elements, array->bytes);
    return true;
}

static NetFileArray *add_array(NetFileArrays *arrays, const char *path, const char *name,
                               size_t length, NetError *error)
{
    NetFileArray *items = realloc(arrays->items, (size_t)(arrays->count + 1) * sizeof *items);
    if (!items) {
        net_fail(error, "out of memory");
        return NULL;
    }
    arrays->items = items;
    if (length >= NET_ARRAY_NAME) {
        net_fail(error, "%.200s: the name %.100s is longer than %d bytes", path, name,
                 NET_ARRAY_NAME - 1);
        return NULL;
    }
    NetFileArray *array = &items[arrays->count++];
    *array = (NetFileArray){.path = path};
    memcpy(array->name, name, length);
    return array;
}

static size_t without_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), end = strlen(ending);
    return length > end && strcmp(name + length - end, ending) == 0 ? length - end : length;
}

/* Whose member it is. */
typedef struct Owner {
    NetFileArrays *arrays;
    const char *path;
} Owner;

static bool take_member(void *to, NetMember *member, NetError *error)
{
    Owner *owner = to;
    if (member->name[0] && member->name[strlen(member->name) - 1] == '/')
        return true;
    NetFileArray *array = add_array(owner->arrays, owner->path, member->name,
                                    without_ending(member->name, ".npy"), error);
    if (!array)
        return false;
    array->unpacked = member->unpacked;
    member->unpacked = NULL;
    return net_read_npy(array, member->bytes, member->count, error);
}

static bool add_npy(NetFileArrays *arrays, const struct NetMapped *file, NetError *error)
{
    const char *slash = strrchr(file->path, '/'), *name = slash ? slash + 1 : file->path;
    NetFileArray *array = add_array(arrays, file->path, name, without_ending(name, ".npy"), error);
    return array && net_read_npy(array, file->bytes, file->count, error);
}

static bool set_type(NetFileArray *array, const char *type, NetError *error)
{
    static const struct Type {
        const char *name;
        char type;
        int bytes;
    } types[] = {{"U8", 'u', 1},  {"I8", 'i', 1},  {"U16", 'u', 2}, {"I16", 'i', 2},
                 {"U32", 'u', 4}, {"I32", 'i', 4}, {"U64", 'u', 8}, {"I64", 'i', 8},
                 {"F16", 'f', 2}, {"F32", 'f', 4}, {"F64", 'f', 8}, {"BF16", 'h', 2},
                 {"BOOL", 'b', 1}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, type) == 0) {
            array->type = types[i].type;
            array->bytes = types[i].bytes;
            return true;
        }
    return net_fail(error, "%.200s: %s holds values of type %.20s, which is not read", array->path,
                    array->name, type);
}

static bool add_tensor(NetFileArrays *arrays, const struct NetMapped *file,
                       const NetTensorFile *tensors, const NetStored *tensor, NetError *error)
{
    NetFileArray *array = add_array(arrays, file->path, tensor->name, strlen(tensor->name), error);
    if (!array || !set_type(array, net_tensor_type(tensor), error))
        return false;
    array->rank = tensor->rank;
    for (int axis = 0; axis < tensor->rank; axis++)
        array->dim[axis] = tensor->dim[axis];
    array->values = file->bytes + tensors->data + tensor->begin;
    return net_check_file_array(array, tensor->end - tensor->begin, error);
}

static bool add_tensors(NetFileArrays *arrays, const struct NetMapped *file, NetError *error)
{
    NetTensorFile tensors = {0};
    bool good = net_tensors_open(&tensors, file->path, error);
    if (good && tensors.bytes != file->count)
        good = net_fail(error, "%s has changed while it was read", file->path);
    for (int i = 0; good && i < tensors.count; i++)
        good = add_tensor(arrays, file, &tensors, &tensors.tensors[i], error);
    net_tensors_close(&tensors);
    return good;
}

bool net_file_arrays_add(NetFileArrays *arrays, const char *path, NetError *error)
{
    const struct NetMapped *file = add_file(arrays, path, error);
    if (!file)
        return false;
    if (file->count >= 4 && memcmp(file->bytes, "PK", 2) == 0)
        return net_read_zip(file->bytes, file->count, file->path, take_member,
                            &(Owner){arrays, file->path}, error);
    if (without_ending(path, ".safetensors") < strlen(path))
        return add_tensors(arrays, file, error);
    return add_npy(arrays, file, error);
}

void net_file_arrays_close(NetFileArrays *arrays)
{
    for (int i = 0; i < arrays->count; i++)
        free(arrays->items[i].unpacked);
    for (int i = 0; i < arrays->file_count; i++)
        unmap(&arrays->files[i]);
    free(arrays->items);
    free(arrays->files);
    *arrays = (NetFileArrays){0};
}
