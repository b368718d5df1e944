/* Reads data as a trainer would and prints what came of it: exit 0 and a
 * summary, or exit 1 and the error's sentence. */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint64_t checksum(const uint8_t *bytes, int64_t count)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (int64_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return hash;
}

static void print_split(const char *name, const NetImages *images)
{
    int64_t bytes = images->count * net_shape_elements(images->arrays[0].shape);
    printf("%s %" PRId64 " %016" PRIx64 " %016" PRIx64 "\n", name, images->count,
           checksum(images->arrays[0].values, bytes),
           checksum(images->arrays[1].values, images->count));
}

/* A network that takes such images, and gives so many classes. */
static NetModel model_of(NetShape shape, int64_t classes, NetTarget *target)
{
    *target = (NetTarget){.shape = {1, classes, 1, 1, 1},
                          .classes = classes,
                          .positions = 1,
                          .class_step = 1,
                          .position_step = 1};
    return (NetModel){.input = shape, .wanted = target, .wanted_count = 1};
}

static bool open_data(char **words, NetShape shape, NetError *error)
{
    NetData data;
    NetTarget target;
    const NetModel model = model_of(shape, atoi(words[4]), &target);
    if (!net_data_open(&data, words[0], &model, strtoull(words[5], NULL, 10), error))
        return false;
    printf("%s\n", data.what);
    print_split("train", &data.train);
    print_split("test", &data.test);
    net_data_close(&data);
    return true;
}

/* Raw pixels, labels of a few synthetic images, for the test to look at. */
static bool draw(char **words, NetShape shape, NetError *error)
{
    NetImages images = {0};
    NetTarget target;
    const NetModel model = model_of(shape, atoi(words[4]), &target);
    int64_t count = atoi(words[6]);
    if (!net_draw_synthetic(&images, count, &model, strtoull(words[5], NULL, 10), 0, error))
        return false;
    FILE *file = fopen(words[0], "wb");
    bool written = file
                   && fwrite(images.arrays[0].values, (size_t)(shape.c * shape.h * shape.w),
                             (size_t)count, file)
                          == (size_t)count
                   && fwrite(images.arrays[1].values, 1, (size_t)count, file) == (size_t)count
                   && fclose(file) == 0;
    net_images_close(&images);
    return written || net_fail(error, "cannot write %s", words[0]);
}

static bool read_png(char **words, NetShape shape, NetError *error)
{
    int64_t count = shape.c * shape.h * shape.w;
    uint8_t *pixels = net_allocate((size_t)count, 1, error);
    bool read = pixels && net_read_image(pixels, shape, words[0], error);
    for (int64_t i = 0; read && i < count; i++)
        printf("%d ", pixels[i]);
    free(pixels);
    return read;
}

/* ------------------------------------------------------------ damage */

typedef struct Victim {
    const char *path;
    uint8_t *bytes;
    size_t count;
} Victim;

static bool read_victim(Victim *victim, const char *path, NetError *error)
{
    FILE *file = fopen(path, "rb");
    *victim = (Victim){.path = path, .bytes = malloc(1 << 20)};
    if (!file || !victim->bytes)
        return net_fail(error, "cannot read %s", path);
    victim->count = fread(victim->bytes, 1, 1 << 20, file);
    fclose(file);
    return true;
}

/* The file as it now is, tried; what came of it is one line. */
static bool try_damage(const char *how, size_t at, const Victim *victim, size_t count, char **words,
                       NetShape shape)
{
    NetError error;
    FILE *file = fopen(victim->path, "wb");
    if (!file || fwrite(victim->bytes, 1, count, file) != count || fclose(file) != 0)
        return false;
    bool image = strcmp(words[0], victim->path) == 0;
    uint8_t pixels[4096];
    NetData data;
    NetTarget target;
    const NetModel model = model_of(shape, image ? 1 : atoi(words[4]), &target);
    bool good = image ? net_read_image(pixels, shape, words[0], &error)
                      : net_data_open(&data, words[0], &model, 1, &error);
    if (good && !image)
        net_data_close(&data);
    printf("%s %zu: %s\n", how, at, good ? "read" : error.text);
    return true;
}

/* Words: the image or folder to open, its shape, its classes; the file to
 * damage; how many of its bytes are header.  The file is cut at every length,
 * then every bit of its header is turned, one at a time. */
static bool damage(char **words, NetShape shape, NetError *error)
{
    Victim victim;
    bool good = read_victim(&victim, words[5], error);
    size_t header = strtoull(words[6], NULL, 10);
    for (size_t cut = 0; good && cut < victim.count; cut++)
        good = try_damage("cut", cut, &victim, cut, words, shape);
    for (size_t bit = 0; good && bit < 8 * header && bit < 8 * victim.count; bit++) {
        victim.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        good = try_damage("bit", bit, &victim, victim.count, words, shape);
        victim.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(victim.bytes);
    return good;
}

/* driver open|draw|png|damage PATH C H W [CLASSES SEED [COUNT]]; H and W 0: a flat input;
 * driver damage PATH C H W CLASSES FILE HEADER */
int main(int count, char **words)
{
    NetError error;
    if (count < 6)
        return 2;
    NetShape shape = {3, atoi(words[3]), atoi(words[4]), atoi(words[5]), 1};
    if (shape.h == 0)
        shape = (NetShape){1, shape.c, 1, 1, 1};
    bool done = strcmp(words[1], "png") == 0      ? read_png(words + 2, shape, &error)
                : strcmp(words[1], "damage") == 0 ? damage(words + 2, shape, &error)
                : strcmp(words[1], "draw") == 0   ? draw(words + 2, shape, &error)
                                                  : open_data(words + 2, shape, &error);
    if (!done)
        printf("%s\n", error.text);
    return !done;
}
