/* cifar.c: CIFAR's binary batches, https://www.cs.toronto.edu/~kriz/cifar.html:
 * records of one label (CIFAR-100: two, of which the second, finer, is taken)
 * and 3 x 32 x 32 pixels, channels first, and no header.
 * So the length of the file is all there is to check, and every label.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, MAX_LABELS = 2 };

typedef struct Format {
    int labels, classes, record;
} Format; /* record: its bytes */

/* Records in the file, or -1. */
static int64_t count_records(const char *path, Format format, NetError *error)
{
    const int64_t max_records = ((int64_t)1 << 31) / format.record;
    struct stat status;
    if (stat(path, &status) != 0) {
        net_fail(error, "cannot read %s: %s", path, strerror(errno));
        return -1;
    }
    int64_t bytes = status.st_size, records = bytes / format.record;
    if (!S_ISREG(status.st_mode))
        net_fail(error, "cannot read %s: it is not a file", path);
    else if (bytes == 0)
        net_fail(error, "%s is empty", path);
    else if (bytes % format.record != 0)
        net_fail(error,
                 "%s ends at byte %" PRId64 ", inside record %" PRId64
                 " (records are %d bytes and this one starts at byte %" PRId64 ")",
                 path, bytes, records, format.record, records * format.record);
    else if (records > max_records)
        net_fail(error, "%s has %" PRId64 " records: more than the %" PRId64 " that are read", path,
                 records, max_records);
    else
        return records;
    return -1;
}

static bool read_records(FILE *file, uint8_t *labels, uint8_t *pixels, int64_t records,
                         Format format, const char *path, NetError *error)
{
    for (int64_t i = 0; i < records; i++) {
        uint8_t record[MAX_LABELS + PIXELS];
        errno = 0;
        if (fread(record, (size_t)format.record, 1, file) != 1)
            return net_fail(error, "cannot read record %" PRId64 " of %s: %s", i, path,
                            errno ? strerror(errno) : "the file has become shorter");
        int label = record[format.labels - 1];
        if (label >= format.classes)
            return net_fail(error,
                            "%s gives record %" PRId64 " (byte %" PRId64 ") the label %d, above %d",
                            path, i, i * format.record, label, format.classes - 1);
        labels[i] = (uint8_t)label;
        memcpy(pixels + i * PIXELS, record + format.labels, PIXELS);
    }
    return true;
}

/* Behind the `done` that were read before. */
static bool read_batch(NetImages *images, int64_t done, int64_t records, Format format,
                       const char *path, NetError *error)
{
    uint8_t *pixels = images->arrays[0].values, *labels = images->arrays[1].values;
    FILE *file = fopen(path, "rb");
    if (!file)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    bool read =
        read_records(file, labels + done, pixels + done * PIXELS, records, format, path, error);
    fclose(file);
    return read;
}

static bool read_batches(NetImages *images, const int64_t *records, const char *const *paths,
                         int path_count, Format format, NetError *error)
{
    int64_t done = 0;
    for (int i = 0; i < path_count; done += records[i++])
        if (!read_batch(images, done, records[i], format, paths[i], error))
            return false;
    return true;
}

bool net_read_cifar(NetImages *images, int classes, const char *const *paths, int path_count,
                    NetError *error)
{
    int64_t total = 0, *records = net_allocate((size_t)path_count, sizeof *records, error);
    int labels = classes == 10 ? 1 : 2;
    Format format = {labels, classes, labels + PIXELS};
    const NetShape shape = {.rank = 3, .c = 3, .h = SIDE, .w = SIDE, .d = 1};
    *images = (NetImages){0};
    for (int i = 0; records && i < path_count; i++) {
        records[i] = count_records(paths[i], format, error);
        if (records[i] < 0) {
            free(records);
            return false;
        }
        total += records[i];
    }
    images->count = total;
    bool read = records && net_add_array(images, "image", NET_PIXELS, shape, error)
                && net_add_array(images, "class", NET_BYTES, net_one_value, error)
                && read_batches(images, records, paths, path_count, format, error);
    free(records);
    if (read)
        images->arrays[1].classes = classes;
    else
        net_images_close(images);
    return read;
}
