/* Reads data as a trainer would and prints what came of it: exit 0 and a
 * summary, or exit 1 and the error's sentence. */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 64 }; /* pictures */

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
    static NetInput input;
    input = (NetInput){.name = "input", .shape = shape};
    return (NetModel){
        .input = shape, .wanted = target, .wanted_count = 1, .inputs = &input, .input_count = 1};
}

/* $SETTINGS: "path=word" lines, those that begin with a digit numbers, with commas between. */
static void read_settings(NetSettings *settings)
{
    static NetValue values[16];
    static double numbers[16][4];
    static char room[4096];
    char *text = room;
    snprintf(room, sizeof room, "%s", getenv("SETTINGS") ? getenv("SETTINGS") : "");
    *settings = (NetSettings){values, 0};
    for (char *line; (line = strsep(&text, ";")) && *line;) {
        char *value = strchr(line, '=');
        *value++ = '\0';
        for (char *comma; (comma = strchr(value, ','));)
            *comma = '\n';
        int i = settings->count++, count = 0;
        bool number = *value >= '0' && *value <= '9';
        values[i] = (NetValue){.path = line, .word = number ? NULL : value, .numbers = numbers[i]};
        for (char *one; number && count < 4 && (one = strsep(&value, "\n"));)
            numbers[i][count++] = strtod(one, NULL);
        values[i].count = count;
    }
}

/* $OPTIONS: letters, t for testing only, s for skipping broken pictures, n for classes that are
 * numbers to a loss; $MEMORY; $CLASSES and $RECIPE of the weights; $NUMBERS, of the input. */
static bool open_source(NetData *data, char **words, NetShape shape, NetNotes *notes,
                        NetError *error)
{
    static NetTarget target;
    static NetModel model;
    const char *options = getenv("OPTIONS") ? getenv("OPTIONS") : "";
    NetSettings settings;
    read_settings(&settings);
    model = model_of(shape, atoi(words[4]), &target);
    if (strchr(options, 'n')) {
        target.kind = NET_NUMBERS;
        target.low = 1;
    }
    if (strchr(options, 'm')) { /* a class for each pixel */
        target.shape = (NetShape){3, target.classes, shape.h, shape.w, 1};
        target.positions = target.class_step = shape.h * shape.w;
    }
    target.ignored = -100;
    model.numbers = getenv("NUMBERS") ? atoll(getenv("NUMBERS")) : 0;
    model.targets = 1;
    const NetOpening opening = {
        .source = words[0],
        .model = &model,
        .settings = &settings,
        .seed = 1,
        .threads = 2,
        .memory = getenv("MEMORY") ? atoll(getenv("MEMORY")) : 0,
        .cache = getenv("CACHE"),
        .skip_broken = strchr(options, 's') != NULL,
        .test_only = strchr(options, 't') != NULL,
        .class_lines = getenv("CLASSES"),
        .class_owner = "weights",
        .recipe = getenv("RECIPE"),
        .notes = notes,
    };
    return net_data_open(data, &opening, error);
}

static void print_array(const NetArray *array, int64_t count)
{
    static const char *const kinds[] = {"pixels", "bytes", "whole", "float"};
    int64_t dim[4];
    char text[NET_SHAPE_TEXT] = "[]";
    for (int axis = 0; axis < array->shape.rank; axis++)
        dim[axis] = net_shape_dim(array->shape, axis);
    net_shape_text(text, array->shape.rank, dim);
    printf("%s %s %s %" PRId64 ":", array->name, kinds[array->kind], text, array->classes);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < net_shape_elements(array->shape); k++)
            if (array->kind == NET_FLOAT)
                printf(" %.9g", net_array_number(array, net_array_at(array, i, 0), k));
            else
                printf(" %" PRId64, net_array_whole(array, net_array_at(array, i, 0), k));
    printf("\n");
}

static void print_lines(const char *lines)
{
    for (const char *c = lines ? lines : ""; *c; c++)
        putchar(*c == '\n' ? ',' : *c);
    printf("\n");
}

/* Every array of both splits, what is told, the classes and the recipe. */
static bool show_arrays(char **words, NetShape shape, NetError *error)
{
    NetData data;
    NetNotes notes = {0};
    bool good = open_source(&data, words, shape, &notes, error);
    for (int i = 0; i < notes.count; i++)
        printf("note: %s\n", notes.lines[i]);
    net_notes_close(&notes);
    if (!good)
        return false;
    for (int s = 0; s < 2; s++) {
        const NetImages *images = s ? &data.test : &data.train;
        printf("%s %" PRId64 "\n", s ? "test" : "train", images->count);
        for (int i = 0; i < images->array_count; i++)
            print_array(&images->arrays[i], i == 0 && images->stream ? 0 : images->count);
    }
    print_lines(data.class_names);
    print_lines(data.recipe);
    net_data_close(&data);
    return true;
}

/* Whether the pictures of order[first], …, three at a time, are what they are when all are kept. */
static bool check_epoch(const NetImages *images, const NetImages *all, NetPool *pool,
                        const int32_t *order, int64_t count, NetError *error)
{
    size_t elements = (size_t)net_shape_elements(all->arrays[0].shape);
    for (int64_t first = 0; first < count; first += 3) {
        int64_t these = count - first < 3 ? count - first : 3;
        const uint8_t *read =
            net_stream_read(images, pool, &(NetReading){order, first, these, these, count, NULL});
        for (int64_t i = 0; i < these; i++)
            if (!read
                || memcmp(read + (size_t)i * elements, net_image_at(all, order[first + i], 0),
                          elements)
                       != 0)
                return net_fail(error, "picture %d differs", (int)order[first + i]);
    }
    return true;
}

/* Of a set that memory has no room for, by 1 to 3 threads and in other orders. */
static bool check_stream(char **words, NetShape shape, NetError *error)
{
    NetData all, some;
    int32_t order[MANY];
    NetPool *pool = NULL;
    char *cache = getenv("CACHE") ? strdup(getenv("CACHE")) : NULL;
    unsetenv("CACHE");
    setenv("MEMORY", "1000000", 1);
    if (!open_source(&all, words, shape, NULL, error))
        return false;
    if (cache)
        setenv("CACHE", cache, 1);
    free(cache);
    setenv("MEMORY", words[6], 1);
    if (!open_source(&some, words, shape, NULL, error))
        return false;
    const NetImages *images = &some.train;
    int64_t count = images->count < MANY ? images->count : MANY;
    if (!images->stream || all.train.stream)
        return net_fail(error, "is streamed: %d, %d", images->stream != NULL,
                        all.train.stream != NULL);
    if (net_sample_digest(images) != net_sample_digest(&all.train))
        return net_fail(error, "the samples differ");
    for (int epoch = 0; epoch < 3; epoch++) {
        pool = net_pool_open(1 + epoch, error);
        net_shuffle(order, count, 3, (uint64_t)epoch);
        if (!pool || !check_epoch(images, &all.train, pool, order, count - epoch, error))
            return false;
        if (epoch < 2)
            net_pool_close(pool);
    }
    printf("same\n");
    if (words[7]) { /* a file that is gone meanwhile */
        remove(words[7]);
        for (int64_t first = 0; first < count; first += 3)
            net_stream_read(
                images, pool,
                &(NetReading){NULL, first, first + 3 <= count ? 3 : count - first, 3, count, NULL});
        if (!net_stream_failed(images, error))
            return net_fail(error, "a lost file is not missed");
        printf("%s\n", error->text);
    }
    net_pool_close(pool);
    net_data_close(&all);
    net_data_close(&some);
    return true;
}

/* The training pictures of two epochs as one step has them, whatever their own sizes. */
static bool show_crops(char **words, NetShape shape, NetError *error)
{
    NetData data;
    NetSettings settings;
    NetAugment augment;
    if (!open_source(&data, words, shape, NULL, error))
        return false;
    read_settings(&settings);
    const NetImages *images = &data.train;
    NetPool *pool = net_pool_open(2, error);
    bool good =
        pool && images->stream && net_augment_open(&augment, &settings, shape, 1, 1, 1, error);
    for (int epoch = 0; good && epoch < 2; epoch++) {
        int32_t order[MANY];
        augment.epoch = (uint64_t)epoch;
        net_repeat_begin(&augment, images->count, images->count);
        for (int i = 0; i < MANY; i++)
            order[i] = i;
        net_repeat_order(&augment, order);
        for (int64_t i = 0; good && i < images->count; i++) {
            const uint8_t *pixels = net_stream_read(
                images, pool, &(NetReading){order, i, 1, 1, images->count, &augment});
            good = pixels || net_stream_failed(images, error);
            for (int64_t k = 0; pixels && k < net_shape_elements(shape); k++)
                printf("%d ", pixels[k]);
            printf("\n");
        }
    }
    net_augment_close(&augment);
    net_pool_close(pool);
    net_data_close(&data);
    return good;
}

static bool open_data(char **words, NetShape shape, NetError *error)
{
    NetData data;
    if (!open_source(&data, words, shape, NULL, error))
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
    NetSettings settings;
    read_settings(&settings);
    const NetFit fit = net_fit_of(&settings);
    uint8_t *pixels = net_allocate((size_t)count, 1, error);
    bool read = pixels && net_read_image(pixels, shape, &fit, words[0], error);
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
    remove(victim->path); /* ext4 writes to the disk what replaces a file that was cut to nothing */
    FILE *file = fopen(victim->path, "wb");
    if (!file || fwrite(victim->bytes, 1, count, file) != count || fclose(file) != 0)
        return false;
    bool image = strcmp(words[0], victim->path) == 0 && !getenv("SETTINGS");
    uint8_t pixels[4096];
    NetData data;
    bool good = image ? net_read_image(pixels, shape, &(NetFit){0}, words[0], &error)
                      : open_source(&data, words, shape, NULL, &error);
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

/* driver open|arrays|crops|draw|png|damage PATH C H W [CLASSES SEED [COUNT]]; H, W 0: a flat input;
 * driver stream PATH C H W CLASSES SEED MEMORY [LOST];
 * driver damage PATH C H W CLASSES FILE HEADER */
int main(int count, char **words)
{
    NetError error;
    if (count < 6)
        return 2;
    NetShape shape = {3, atoi(words[3]), atoi(words[4]), atoi(words[5]), 1};
    if (shape.h == 0)
        shape = shape.w ? (NetShape){2, shape.c, 1, shape.w, 1} : (NetShape){1, shape.c, 1, 1, 1};
    bool done = strcmp(words[1], "png") == 0      ? read_png(words + 2, shape, &error)
                : strcmp(words[1], "arrays") == 0 ? show_arrays(words + 2, shape, &error)
                : strcmp(words[1], "stream") == 0 ? check_stream(words + 2, shape, &error)
                : strcmp(words[1], "crops") == 0  ? show_crops(words + 2, shape, &error)
                : strcmp(words[1], "damage") == 0 ? damage(words + 2, shape, &error)
                : strcmp(words[1], "draw") == 0   ? draw(words + 2, shape, &error)
                                                  : open_data(words + 2, shape, &error);
    if (!done)
        printf("%s\n", error.text);
    return !done;
}
