/* cifar.c: CIFAR-10's binary batches, https://www.cs.toronto.edu/~kriz/cifar.html:
 * records of one label and 3 x 32 x 32 pixels, channels first, and no header.
 * So the length of the file is all there is to check, and every label.
 */
#include "runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CLASSES = 10, SIDE = 32, PIXELS = 3 * SIDE * SIDE, RECORD = 1 + PIXELS };

/* Records in the file, or -1. */
static int64_t count_records(const char *path, NetError *error)
{
    static const int64_t most_records = ((int64_t)1 << 31) / RECORD;
    struct stat status;
    if (stat(path, &status) != 0) {
        net_fail(error, "cannot read %s: %s", path, strerror(errno));
        return -1;
    }
    long long bytes = status.st_size, records = bytes / RECORD;
    if (!S_ISREG(status.st_mode))
        net_fail(error, "cannot read %s: it is not a file", path);
    else if (bytes == 0)
        net_fail(error, "%s is empty", path);
    else if (bytes % RECORD != 0)
        net_fail(error, "%s ends at byte %lld, inside record %lld (records are %d bytes and this one starts at byte %lld)",
                 path, bytes, records, RECORD, records * RECORD);
    else if (records > most_records)
        net_fail(error, "%s has %lld records: more than the %lld that are read", path, records, (long long)most_records);
    else
        return records;
    return -1;
}

static bool read_records(FILE *file, uint8_t *labels, uint8_t *pixels, int64_t records, const char *path, NetError *error)
{
    for (int64_t i = 0; i < records; i++) {
        uint8_t record[RECORD];
        errno = 0;
        if (fread(record, RECORD, 1, file) != 1)
            return net_fail(error, "cannot read record %lld of %s: %s", (long long)i, path,
                            errno ? strerror(errno) : "the file has become shorter");
        if (record[0] >= CLASSES)
            return net_fail(error, "%s gives record %lld (byte %lld) the label %d, above 9",
                            path, (long long)i, (long long)i * RECORD, record[0]);
        labels[i] = record[0];
        memcpy(pixels + i * PIXELS, record + 1, PIXELS);
    }
    return true;
}

static bool read_batch(NetImages *images, int64_t records, const char *path, NetError *error)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    bool read = read_records(file, images->labels + images->count, images->pixels + images->count * PIXELS,
                             records, path, error);
    fclose(file);
    images->count += records;
    return read;
}

static bool read_batches(NetImages *images, const int64_t *records, const char *const *paths, int path_count, NetError *error)
{
    for (int i = 0; i < path_count; i++)
        if (!read_batch(images, records[i], paths[i], error))
            return false;
    return true;
}

bool net_read_cifar10(NetImages *images, const char *const *paths, int path_count, NetError *error)
{
    int64_t total = 0, *records = net_allocate((size_t)path_count, sizeof *records, error);
    *images = (NetImages){.shape = {.rank = 3, .c = 3, .h = SIDE, .w = SIDE}, .classes = CLASSES};
    for (int i = 0; records && i < path_count; i++) {
        records[i] = count_records(paths[i], error);
        if (records[i] < 0) {
            free(records);
            return false;
        }
        total += records[i];
    }
    if (records)
        images->labels = net_allocate((size_t)total, 1, error);
    if (images->labels)
        images->pixels = net_allocate((size_t)total, PIXELS, error);
    bool read = images->pixels && read_batches(images, records, paths, path_count, error);
    free(records);
    if (!read) {
        free(images->labels);
        free(images->pixels);
        *images = (NetImages){0};
    }
    return read;
}
