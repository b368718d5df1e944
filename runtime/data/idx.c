/* idx.c: MNIST's format, http://yann.lecun.com/exdb/mnist/: four bytes of magic
 * (0, 0, the type, the number of dimensions), the dimensions as big-endian
 * 32-bit numbers, then the values.  zlib reads gzipped and plain files alike.
 *
 * A header is a claim: memory grows as bytes arrive, so a false one costs no
 * more than the file is long, and a file must end exactly where it says.
 *
 * The images of a plain file are its own pages, mapped: they are there at once,
 * where copying MNIST's takes 35 ms, most of it the system clearing the pages to
 * copy into.
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
#include <zlib.h>

enum { UNSIGNED_BYTES = 0x08, SHORTS = 0x0b, INTS = 0x0c, FIRST_PIECE = 1 << 20 };
static const int64_t max_bytes = (int64_t)1 << 31;

typedef struct Reader {
    gzFile file;
    int descriptor; /* the file's */
    const char *path;
    int64_t offset; /* in the unpacked content */
    bool cut_off;   /* zlib met the file's end within its data; since 1.3.2 it says so only once */
    NetError *error;
} Reader;

static bool open_reader(Reader *reader, const char *path, NetError *error)
{
    errno = 0;
    *reader =
        (Reader){.descriptor = open(path, O_RDONLY | O_CLOEXEC), .path = path, .error = error};
    if (reader->descriptor >= 0)
        reader->file = gzdopen(reader->descriptor, "rb");
    if (!reader->file) {
        net_fail(error, "cannot read %s: %s", path, errno ? strerror(errno) : "out of memory");
        if (reader->descriptor >= 0)
            close(reader->descriptor);
        return false;
    }
    gzbuffer(reader->file, 1 << 17);
    return true;
}

/* zlib's reasons begin with the path, which our sentence has already. */
static const char *zlib_reason(const Reader *reader)
{
    int ignored;
    const char *message = gzerror(reader->file, &ignored), *colon = strrchr(message, ':');
    return colon ? colon + 2 : message;
}

/* What zlib says of the last read. */
static int zlib_code(Reader *reader)
{
    int code;
    gzerror(reader->file, &code);
    reader->cut_off = reader->cut_off || code == Z_BUF_ERROR;
    return code;
}

/* Why a read gave fewer bytes than were due; `due` is the content's full length. */
static bool read_failed(Reader *reader, int64_t due)
{
    int code = zlib_code(reader);
    int64_t at = reader->offset, packed_at = gzoffset(reader->file);
    if (code == Z_ERRNO)
        return net_fail(reader->error, "cannot read %s at byte %" PRId64 ": %s", reader->path,
                        packed_at, strerror(errno));
    if (reader->cut_off)
        return net_fail(
            reader->error,
            "%s is cut off: its gzip data goes on where the file ends, at byte %" PRId64,
            reader->path, packed_at);
    if (code != Z_OK && code != Z_STREAM_END)
        return net_fail(reader->error, "%s has damaged gzip data near byte %" PRId64 ": %s",
                        reader->path, packed_at, zlib_reason(reader));
    return net_fail(reader->error,
                    "%s ends at byte %" PRId64 " of the %" PRId64 " its header calls for",
                    reader->path, at, due);
}

static bool read_bytes(Reader *reader, uint8_t *bytes, int64_t count, int64_t due)
{
    while (count > 0) {
        int got = gzread(reader->file, bytes, count < 1 << 30 ? (unsigned)count : 1u << 30);
        if (got > 0) {
            reader->offset += got;
            bytes += got;
            count -= got;
        }
        int code = zlib_code(reader);
        if (got <= 0 || (count > 0 && code != Z_OK && code != Z_STREAM_END))
            return read_failed(reader, due);
    }
    return true;
}

/* All `count` bytes in a buffer that doubles as they arrive; NULL on failure. */
static uint8_t *read_growing(Reader *reader, int64_t count)
{
    int64_t due = reader->offset + count, have = 0, room = 0;
    uint8_t *bytes = NULL;
    do {
        room = room ? 2 * room : FIRST_PIECE;
        if (room > count)
            room = count;
        uint8_t *larger = realloc(bytes, (size_t)room);
        if (!larger)
            net_fail(reader->error, "out of memory: %s needs %.1f MB", reader->path,
                     (double)count / 1e6);
        if (!larger || !read_bytes(reader, larger + have, room - have, due)) {
            free(larger ? larger : bytes);
            return NULL;
        }
        bytes = larger;
        have = room;
    } while (have < count);
    return bytes;
}

/* Nothing may follow.  Reading to the end also makes zlib compare the checksum. */
static bool read_end(Reader *reader)
{
    uint8_t extra;
    int got = gzread(reader->file, &extra, 1);
    if (got > 0)
        return net_fail(reader->error,
                        "%s goes on after byte %" PRId64 ", where its header says it ends",
                        reader->path, reader->offset);
    int code = zlib_code(reader);
    if (got < 0 || reader->cut_off || (code != Z_OK && code != Z_STREAM_END))
        return read_failed(reader, reader->offset);
    return true;
}

/* ---------------------------------------------------------- the header */

/* Bytes of a value; 0: of a type that is not read.  Labels may be larger than a byte. */
static int value_bytes(int type, int dimensions)
{
    bool labels = dimensions == 1;
    return type == UNSIGNED_BYTES     ? 1
           : labels && type == SHORTS ? 2
           : labels && type == INTS   ? 4
                                      : 0;
}

static bool check_magic(const Reader *reader, const uint8_t *magic, int dimensions)
{
    if (magic[0] != 0 || magic[1] != 0)
        return net_fail(reader->error,
                        "%s is not an IDX file: it starts with bytes %02x %02x, not 00 00",
                        reader->path, magic[0], magic[1]);
    if (value_bytes(magic[2], dimensions) == 0)
        return net_fail(reader->error,
                        "%s holds values of type 0x%02x (byte 2); only unsigned bytes, 0x08,%s are "
                        "read",
                        reader->path, magic[2],
                        dimensions == 1 ? " and whole numbers of 16 and 32 bits, 0x0b and 0x0c,"
                                        : "");
    if (magic[3] != dimensions)
        return net_fail(reader->error, "%s has %d dimensions (byte 3), where %s have %d",
                        reader->path, magic[3], dimensions == 1 ? "labels" : "images", dimensions);
    return true;
}

static bool read_header(Reader *reader, int dimensions, int64_t *size, int *bytes_each)
{
    uint8_t header[16] = {0};
    int64_t length = 4 + 4 * dimensions, bytes = 1;
    if (!read_bytes(reader, header, 4, length) || !check_magic(reader, header, dimensions)
        || !read_bytes(reader, header + 4, length - 4, length))
        return false;
    *bytes_each = value_bytes(header[2], dimensions);
    bytes = *bytes_each;
    for (int i = 0; i < dimensions; i++) {
        const uint8_t *at = header + 4 + 4 * i;
        size[i] = (int64_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
        if (size[i] == 0)
            return net_fail(reader->error, "%s says that dimension %d (byte %d) is 0", reader->path,
                            i + 1, 4 + 4 * i);
        if (__builtin_mul_overflow(bytes, size[i], &bytes) || bytes > max_bytes)
            return net_fail(reader->error,
                            "%s calls for more than the %" PRId64
                            " MB that are read: dimension %d (byte %d) is %" PRId64,
                            reader->path, (max_bytes >> 20), i + 1, 4 + 4 * i, size[i]);
    }
    return true;
}

static int64_t count_values(const int64_t *size, int dimensions)
{
    int64_t count = 1;
    for (int i = 0; i < dimensions; i++)
        count *= size[i];
    return count;
}

/* The values after the header, copied; NULL on failure. */
static uint8_t *read_values(Reader *reader, int64_t count)
{
    uint8_t *values = read_growing(reader, count);
    if (values && !read_end(reader)) {
        free(values);
        values = NULL;
    }
    return values;
}

/* Of a plain file as long as its header says, the pages, all read in; NULL of any other. */
static uint8_t *map_file(Reader *reader, int64_t count)
{
    int64_t length = reader->offset + count;
    struct stat status;
    int flags = MAP_PRIVATE;
#ifdef MAP_POPULATE
    flags |= MAP_POPULATE;
#endif
    if (!gzdirect(reader->file) || fstat(reader->descriptor, &status) != 0
        || !S_ISREG(status.st_mode) || status.st_size != length)
        return NULL;
    void *mapped = mmap(NULL, (size_t)length, PROT_READ, flags, reader->descriptor, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static bool read_images(NetImages *images, const char *path, NetError *error)
{
    Reader reader;
    NetArray *image = NULL;
    int64_t size[3];
    int bytes;
    if (!open_reader(&reader, path, error))
        return false;
    if (read_header(&reader, 3, size, &bytes)) {
        int64_t count = count_values(size, 3);
        uint8_t *mapped = map_file(&reader, count),
                *pixels = mapped ? mapped + reader.offset : read_values(&reader, count);
        images->count = size[0];
        if (pixels)
            image = net_lend_array(images, "image", NET_PIXELS,
                                   (NetShape){3, 1, size[1], size[2], 1}, pixels, false, error);
        if (image && mapped) {
            image->mapped = mapped;
            image->mapped_bytes = reader.offset + count;
        }
    }
    gzclose(reader.file);
    return image != NULL;
}

/* Big-endian numbers of so many bytes, as whole numbers; none may be negative. */
static bool widen(int32_t *to, const uint8_t *from, int bytes, int64_t count, const char *path,
                  NetError *error)
{
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *at = from + i * bytes;
        uint32_t value = bytes == 2 ? (uint32_t)(at[0] << 8 | at[1])
                                    : (uint32_t)at[0] << 24 | (uint32_t)(at[1] << 16)
                                          | (uint32_t)(at[2] << 8) | at[3];
        to[i] = bytes == 2 ? (int16_t)value : (int32_t)value;
        if (to[i] < 0)
            return net_fail(error, "%s gives image %" PRId64 " the label %d (byte %" PRId64 ")",
                            path, i, to[i], 8 + i * bytes);
    }
    return true;
}

static bool add_labels(NetImages *images, uint8_t *values, int bytes, const char *path,
                       NetError *error)
{
    NetArray *array =
        bytes == 1 ? net_lend_array(images, "class", NET_BYTES, net_one_value, values, false, error)
                   : net_add_array(images, "class", NET_WHOLE, net_one_value, error);
    bool good =
        array && (bytes == 1 || widen(array->values, values, bytes, images->count, path, error));
    if (bytes > 1 || !array)
        free(values);
    for (int64_t i = 0; good && i < images->count; i++) {
        int64_t label = net_array_whole(array, net_array_at(array, i, 0), 0);
        array->classes = label >= array->classes ? label + 1 : array->classes;
    }
    return good;
}

/* One for each image, else a fault. */
static bool read_labels(NetImages *images, const char *path, const char *images_path,
                        NetError *error)
{
    Reader reader;
    int64_t count = 0;
    int bytes = 1;
    if (!open_reader(&reader, path, error))
        return false;
    uint8_t *labels =
        read_header(&reader, 1, &count, &bytes) ? read_values(&reader, count * bytes) : NULL;
    gzclose(reader.file);
    if (labels && count != images->count) {
        free(labels);
        return net_fail(error, "%s has %" PRId64 " images and %s has %" PRId64 " labels",
                        images_path, images->count, path, count);
    }
    return labels && add_labels(images, labels, bytes, path, error);
}

bool net_idx_transpose(NetImages *images, NetError *error)
{
    NetArray *array = &images->arrays[0];
    int64_t height = array->shape.w, width = array->shape.h, plane = height * width;
    uint8_t *turned = net_allocate((size_t)images->count, (size_t)plane, error);
    if (!turned)
        return false;
    for (int64_t i = 0; i < images->count; i++) {
        const uint8_t *from = net_array_at(array, i, 0);
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++)
                turned[i * plane + y * width + x] = from[x * height + y];
    }
    if (array->mapped)
        munmap(array->mapped, (size_t)array->mapped_bytes);
    else
        free(array->values);
    array->mapped = NULL;
    array->values = turned;
    array->shape = (NetShape){3, 1, height, width, 1};
    return true;
}

bool net_idx_count_from(NetImages *images, int first, const char *path, NetError *error)
{
    NetArray *labels = &images->arrays[1];
    uint8_t *values = labels->values;
    if (first == 0)
        return true;
    if (labels->kind != NET_BYTES)
        return net_fail(error, "%s holds whole numbers where bytes are expected", path);
    for (int64_t i = 0; i < images->count; i++) {
        if (values[i] < first)
            return net_fail(error, "%s gives image %" PRId64 " the label %d; they begin with %d",
                            path, i, values[i], first);
        values[i] = (uint8_t)(values[i] - first);
    }
    labels->classes -= first;
    return true;
}

bool net_read_idx(NetImages *images, const char *images_path, const char *labels_path,
                  NetError *error)
{
    *images = (NetImages){0};
    if (read_images(images, images_path, error)
        && read_labels(images, labels_path, images_path, error))
        return true;
    net_images_close(images);
    return false;
}
