/* runtime.c: the fuzz targets in a trainer, that of tiny.net.
 *
 *   weights   a safetensors file into a session, which a refused file leaves as it was
 *   resume    a checkpoint through `train --resume`
 *   data      a table, named arrays in three kinds of files, a recording
 *   idx       an IDX file of images and one of labels, plain or packed by gzip here
 *   cifar     CIFAR's batches
 *   png, jpeg a picture, shown to a network
 *   settings  PATH=VALUE lines, and what is opened with them
 *   train     the trainer's command line, one word a line
 *
 * The first byte of an input of idx, cifar and png says how the rest is used.
 */
#include "fuzz.h"

#include "runtime.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

extern const NetModel tiny_model;

enum { MAX_FILE = 1 << 16 };

static NetSession *session;
static real *before; /* the weights, and then the buffers, as they were */

static void check(bool condition, const char *what)
{
    if (!condition)
        finding(what);
}

void before_run(void)
{
    optind = 0;
}

void after_run(void)
{
    fflush(stdout);
    net_remove_unfinished();
}

/* --------------------------------------------------------------- weights */

static size_t arena_bytes(void)
{
    return (size_t)tiny_model.trained * sizeof(real);
}

static void run_weights(const uint8_t *bytes, size_t size)
{
    NetError error;
    write_file("input", bytes, size);
    memcpy(before, session->weights, arena_bytes());
    memcpy(before + tiny_model.trained, session->buffers,
           (size_t)tiny_model.buffers * sizeof(real));
    if (net_load(session, "input", &error))
        return;
    check(memcmp(before, session->weights, arena_bytes()) == 0
              && memcmp(before + tiny_model.trained, session->buffers,
                        (size_t)tiny_model.buffers * sizeof(real))
                     == 0,
          "a file of weights that was refused changed the network");
    check(memchr(error.text, '\0', sizeof error.text) && *error.text, "refused without a sentence");
}

/* A header that says its own length, as whoever writes one would. */
static size_t mutate_safetensors(uint8_t *bytes, size_t size, size_t max, unsigned seed)
{
    size_t length = size > 8 ? bytes[0] | (size_t)bytes[1] << 8 : 0,
           rest = size > 8 + length ? size - 8 - length : 0;
    if (seed % 4 == 0 || length < 2 || 8 + length > size || max < size + 512 || rest > MAX_FILE)
        return seed % 8 ? LLVMFuzzerMutate(bytes, size, max) : mutate_words(bytes, size, max, seed);
    uint8_t *tail = malloc(rest + 1);
    memcpy(tail, bytes + 8 + length, rest);
    length = mutate_words(bytes + 8, length, length + 256, seed);
    while (length % 8)
        bytes[8 + length++] = ' ';
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(length >> 8 * i);
    memcpy(bytes + 8 + length, tail, rest);
    free(tail);
    return 8 + length + rest;
}

/* ------------------------------------------------------ the command line */

static int trainer_main(int argc, char **argv)
{
    return net_main(&tiny_model, argc, argv);
}

static void run_resume(const uint8_t *bytes, size_t size)
{
    write_file("input", bytes, size);
    int status = run_main(
        trainer_main, 8,
        (char *[]){"tiny", "train", "--resume", "input", "--data", "data", "--threads", "1", NULL});
    check(status == 0 || status == 1, "train gives a status that it does not have");
}

static void run_train(const uint8_t *bytes, size_t size)
{
    char text[MAX_ARGUMENT_BYTES], *argv[MAX_ARGUMENTS + 2];
    if (memchr(bytes, '/', size)) /* it stays in its folder */
        return;
    int argc = split_words(bytes, size, text, argv);
    for (int i = 1; i < argc; i++)
        if (strstr(argv[i], "synthetic")) /* takes a second to draw */
            return;
    int status = run_main(trainer_main, argc, argv);
    check(status >= 0 && status <= 2, "a status that the trainer does not have");
}

/* What takes as long as it is told to takes a step or none here. */
NetEnd __real_net_train(NetSession *trained, NetOptimizer *optimizer, const NetSettings *settings,
                        const NetData *data, NetProgress *progress, const NetRun *run,
                        NetError *error);
NetEnd __wrap_net_train(NetSession *trained, NetOptimizer *optimizer, const NetSettings *settings,
                        const NetData *data, NetProgress *progress, const NetRun *run,
                        NetError *error);
NetEnd __wrap_net_train(NetSession *trained, NetOptimizer *optimizer, const NetSettings *settings,
                        const NetData *data, NetProgress *progress, const NetRun *run,
                        NetError *error)
{
    NetRun brief = *run;
    if (brief.max_steps < 0 || brief.max_steps > progress->step + 1)
        brief.max_steps = progress->step + 1;
    return __real_net_train(trained, optimizer, settings, data, progress, &brief, error);
}

bool __wrap_net_bench(const NetModel *model, const NetSettings *settings, const NetBench *options,
                      FILE *out, NetError *error);
bool __wrap_net_bench(const NetModel *model, const NetSettings *settings, const NetBench *options,
                      FILE *out, NetError *error)
{
    (void)model, (void)settings, (void)options, (void)out, (void)error;
    return true;
}

bool __wrap_net_lr_find(NetSession *trained, NetOptimizer *optimizer, const NetSettings *settings,
                        const NetData *data, const NetLrFind *options, FILE *out, NetError *error);
bool __wrap_net_lr_find(NetSession *trained, NetOptimizer *optimizer, const NetSettings *settings,
                        const NetData *data, const NetLrFind *options, FILE *out, NetError *error)
{
    (void)trained, (void)optimizer, (void)settings, (void)data, (void)options, (void)out,
        (void)error;
    return true;
}

bool __wrap_net_gradcheck(const NetModel *model, const NetSettings *settings,
                          const NetGradcheck *options, FILE *out, NetError *error);
bool __wrap_net_gradcheck(const NetModel *model, const NetSettings *settings,
                          const NetGradcheck *options, FILE *out, NetError *error)
{
    (void)model, (void)settings, (void)options, (void)out, (void)error;
    return true;
}

NetPool *__real_net_pool_open(int threads, NetError *error);
NetPool *__wrap_net_pool_open(int threads, NetError *error);
NetPool *__wrap_net_pool_open(int threads, NetError *error)
{
    return __real_net_pool_open(threads > 2 ? 2 : threads, error);
}

/* ------------------------------------------------------------- the images */

static void pack_file(const char *name, const uint8_t *bytes, size_t size)
{
    gzFile file = gzopen(name, "wb1");
    check(file && (size == 0 || gzwrite(file, bytes, (unsigned)size) == (int)size)
              && gzclose(file) == Z_OK,
          "a scratch file cannot be packed");
}

static void write_or_pack(const char *name, bool pack, const uint8_t *bytes, size_t size)
{
    if (pack)
        pack_file(name, bytes, size);
    else
        write_file(name, bytes, size);
}

/* First byte: which of the two are packed.  Second: the labels' bytes. */
static void run_idx(const uint8_t *bytes, size_t size)
{
    NetImages images;
    NetError error;
    if (size < 2)
        return;
    size_t labels = bytes[1] < size - 2 ? bytes[1] : size - 2;
    write_or_pack("labels", bytes[0] & 1, bytes + 2, labels);
    write_or_pack("images", bytes[0] & 2, bytes + 2 + labels, size - 2 - labels);
    if (!net_read_idx(&images, "images", "labels", &error))
        return;
    uint64_t sum = 0;
    const NetArray *pixels = &images.arrays[0];
    for (int64_t i = 0; i < images.count * net_shape_elements(pixels->shape); i++)
        sum += ((const uint8_t *)pixels->values)[i];
    check(sum < (uint64_t)-1, "");
    net_images_close(&images);
}

/* First byte: 10 or 100 classes, and where the first of two files ends. */
static void run_cifar(const uint8_t *bytes, size_t size)
{
    NetImages images;
    NetError error;
    if (size < 1)
        return;
    size_t first = bytes[0] & 2 ? size - 1 : (size - 1) / 2;
    write_file("first", bytes + 1, first);
    write_file("second", bytes + 1 + first, size - 1 - first);
    if (net_read_cifar(&images, bytes[0] & 1 ? 100 : 10, (const char *[]){"first", "second"},
                       bytes[0] & 2 ? 1 : 2, &error))
        net_images_close(&images);
}

static void show_picture(const uint8_t *bytes, size_t size, int64_t channels)
{
    uint8_t pixels[3 * 5 * 7];
    NetError error;
    write_file("picture", bytes, size);
    const NetShape shape = {3, channels, 5, 7, 1};
    net_read_image(pixels, shape, &(NetFit){0}, "picture", &error);
    net_read_image(pixels, shape, &(NetFit){.resize = {6}, .crop = {5, 7}}, "picture", &error);
}

/* First byte: which reader, and whether it reads for testing, by a recipe of its own. */
static void run_data(const uint8_t *bytes, size_t size)
{
    static const struct Source {
        const char *file, *source, *reader;
    } sources[] = {{"table.csv", "table.csv", "csv"},
                   {"array.npy", "array.npy", "arrays"},
                   {"arrays.npz", "arrays.npz", "arrays"},
                   {"arrays.safetensors", "arrays.safetensors", "arrays"},
                   {"sounds/a/1.wav", "sounds", "audio"}};
    if (size < 1)
        return;
    const struct Source *source = &sources[bytes[0] % 5];
    bool tested = bytes[0] & 128;
    NetValue values[] = {{.path = "data.reader", .word = source->reader}};
    const NetSettings settings = {values, 1};
    NetData data;
    NetError error;
    NetNotes notes = {0};
    char *recipe = strndup((const char *)bytes + 1, size - 1);
    mkdir("sounds", 0777);
    mkdir("sounds/a", 0777);
    mkdir("sounds/b", 0777);
    write_file("sounds/b/1.wav", bytes + 1, size - 1);
    write_file(source->file, bytes + 1, size - 1);
    const NetOpening opening = {.source = source->source,
                                .model = &tiny_model,
                                .settings = &settings,
                                .test_only = tested,
                                .recipe = tested ? recipe : NULL,
                                .notes = &notes};
    if (net_data_open(&data, &opening, &error))
        net_data_close(&data);
    net_notes_close(&notes);
    free(recipe);
}

/* Pictures that claim to be large are few: each costs as much as a thousand others. */
static bool is_cheap(int64_t height, int64_t width, uint64_t hash)
{
    return (double)height * (double)width < 1 << 16 || hash % 4096 == 0;
}

static uint32_t big_endian(const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

static void run_png(const uint8_t *bytes, size_t size)
{
    if (size < 1 + 24
        || is_cheap(big_endian(bytes + 17, 4), big_endian(bytes + 21, 4), hash_of(bytes, size)))
        show_picture(bytes + (size > 0), size - (size > 0), size && bytes[0] & 1 ? 1 : 3);
}

/* Chunks with the checksums that they should have, or few would be looked into. */
static void seal_png(uint8_t *bytes, size_t size)
{
    for (size_t at = 8; at + 12 <= size;) {
        size_t length = big_endian(bytes + at, 4);
        if (length > size - at - 12)
            return;
        uint32_t sum = (uint32_t)crc32(0, bytes + at + 4, (unsigned)length + 4);
        for (int i = 0; i < 4; i++)
            bytes[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + length;
    }
}

static size_t mutate_png(uint8_t *bytes, size_t size, size_t max, unsigned seed)
{
    size = LLVMFuzzerMutate(bytes, size, max);
    if (seed % 8 && size > 1)
        seal_png(bytes + 1, size - 1);
    return size;
}

static void run_jpeg(const uint8_t *bytes, size_t size)
{
    uint64_t hash = hash_of(bytes, size);
    for (size_t i = 0; i + 9 <= size; i++)
        if (bytes[i] == 0xff && (bytes[i + 1] & 0xf0) == 0xc0
            && !is_cheap(big_endian(bytes + i + 5, 2), big_endian(bytes + i + 7, 2), hash))
            return;
    show_picture(bytes, size, hash & 1 ? 1 : 3);
}

/* --------------------------------------------------------------- settings */

static void open_with(const NetSettings *settings)
{
    NetError error;
    NetOptimizer optimizer = {0};
    NetSchedule schedule;
    NetAugment augment = {0};
    if (net_session_normalise(session, settings, &error))
        check(session->scale[0] == session->scale[0], "the normalisation is no number");
    if (net_optimizer_open(&optimizer, &tiny_model, settings, &error)
        && net_schedule_open(&schedule, settings, 3, &error))
        for (int64_t step = 0; step < 9; step += 4)
            net_optimizer_schedule(&optimizer, &schedule, step, step / 3);
    net_optimizer_close(&optimizer);
    if (net_augment_open(&augment, settings, session->image, tiny_model.lanes, 1, 1, &error))
        net_augment_close(&augment);
}

static void run_settings(const uint8_t *bytes, size_t size)
{
    char text[MAX_ARGUMENT_BYTES], *argv[MAX_ARGUMENTS + 2];
    NetSettings settings;
    NetError error;
    int argc = split_words(bytes, size, text, argv);
    if (!net_settings_open(&settings, &tiny_model, &error))
        finding("the network's own settings");
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        double number;
        net_parse_number(&number, value ? value : argv[i], i % 2, -5, 1e9, "--option", &error);
        net_setting_set(&settings, argv[i], value ? value : "", argv[i], &error);
    }
    open_with(&settings);
    net_settings_close(&settings);
}

/* ------------------------------------------------------------------- once */

static bool is_option(const char *word)
{
    return word[0] == '-' || strchr(word, '.');
}

static void add_words(void)
{
    static char *const commands[] = {"train", "test", "predict", "bench", "gradcheck", "info"};
    static const char *const json[] = {
        "\"dtype\":",
        "\"shape\":",
        "\"data_offsets\":",
        "\"__metadata__\":",
        "\"F32\"",
        "\"F64\"",
        "\"F16\"",
        "\"BF16\"",
        "\"I64\"",
        "\"U8\"",
        "[0,0]",
        "{}",
        "\"\"",
        "null",
        "true",
        "\\u0000",
        "\\ud800",
        "optimizer.",
        "setting.",
    };
    for (size_t i = 0; i < sizeof json / sizeof *json; i++)
        add_vocabulary(json[i]);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char *page = printed(trainer_main, 3, (char *[]){"tiny", commands[i], "--help", NULL});
        add_vocabulary(commands[i]);
        add_vocabulary_of(page, is_option);
        free(page);
        optind = 0;
    }
    for (int i = 0; i < tiny_model.parameter_count; i++)
        add_vocabulary(tiny_model.parameters[i].path);
    for (int i = 0; i < tiny_model.setting_count; i++)
        add_vocabulary(tiny_model.settings[i].path);
}

/* Two training images and a test image, with labels. */
static void write_data(void)
{
    static const uint8_t images[16 + 2 * 16] = {0, 0, 8, 3, 0, 0, 0, 2,  0,   0,
                                                0, 4, 0, 0, 0, 4, 1, 50, 100, 255};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 2, 1};
    write_file("train-images-idx3-ubyte", images, sizeof images);
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
    write_file("t10k-images-idx3-ubyte", images, sizeof images);
    write_file("t10k-labels-idx1-ubyte", labels, sizeof labels);
}

/* $FUZZ_SEEDS: a checkpoint and weights as this very trainer writes them, and no fuzzing. */
static void write_seeds(const char *folder)
{
    char checkpoint[512], weights[512];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder);
    snprintf(weights, sizeof weights, "%s/weights", folder);
    exit(trainer_main(9, (char *[]){"tiny", "train", "--data", "data", "--quiet", "--checkpoint",
                                    checkpoint, "--save", weights, NULL}));
}

void open_targets(void)
{
    NetError error;
    session = net_session_open(&tiny_model, 1, 4, 1, true, &error);
    if (!session)
        finding(error.text);
    before = malloc(arena_bytes() + (size_t)tiny_model.buffers * sizeof(real));
    if (mkdir("data", 0777) == 0 && chdir("data") == 0) {
        write_data();
        if (chdir("..") != 0)
            finding("no scratch folder");
    }
    net_save(session, "w", &error);
    if (getenv("FUZZ_SEEDS"))
        write_seeds(getenv("FUZZ_SEEDS"));
    add_words();
}

const FuzzTarget targets[] = {
    {"weights", run_weights, mutate_safetensors},
    {"resume", run_resume, mutate_safetensors},
    {"idx", run_idx, NULL},
    {"cifar", run_cifar, NULL},
    {"png", run_png, mutate_png},
    {"jpeg", run_jpeg, NULL},
    {"data", run_data, NULL},
    {"settings", run_settings, mutate_words},
    {"train", run_train, mutate_words},
    {NULL, NULL, NULL},
};
