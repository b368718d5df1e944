/* data.c: finds the images that a run asked for and checks that they are ones
 * the network can take, so that everything after it can trust shapes and labels.
 *
 * A source is "synthetic", "noise", the name of a known set, or a directory.  A named
 * set is looked for in $NET_DATA/NAME and in data/NAME.  What a directory holds
 * is told from its files' names.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct KnownSet {
    const char *name;
    const char *folder; /* as its archive unpacks, where that differs */
    int classes;
    const char *remedy;
    const char *class_names; /* NULL: their numbers say it */
} KnownSet;

static const KnownSet known_sets[] = {
    {"mnist", NULL, 10, "run `make mnist`", NULL},
    {"fashion_mnist", NULL, 10, "put its four IDX files there",
     "T-shirt/top\nTrouser\nPullover\nDress\nCoat\nSandal\nShirt\nSneaker\nBag\nAnkle boot"},
    {"kmnist", NULL, 10, "put its four IDX files there", "o\nki\nsu\ntsu\nna\nha\nma\nya\nre\nwo"},
    {"emnist_balanced", "emnist", 47, "unpack EMNIST's gzip.zip there", NULL},
    {"emnist_byclass", "emnist", 62, "unpack EMNIST's gzip.zip there", NULL},
    {"emnist_bymerge", "emnist", 47, "unpack EMNIST's gzip.zip there", NULL},
    {"emnist_digits", "emnist", 10, "unpack EMNIST's gzip.zip there", NULL},
    {"emnist_letters", "emnist", 26, "unpack EMNIST's gzip.zip there", NULL},
    {"emnist_mnist", "emnist", 10, "unpack EMNIST's gzip.zip there", NULL},
    {"cifar10", "cifar-10-batches-bin", 10, "unpack cifar-10-binary.tar.gz there",
     "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck"},
    {"cifar100", "cifar-100-binary", 100, "unpack cifar-100-binary.tar.gz there",
     "apple\naquarium_"
     "fish\nbaby\nbear\nbeaver\nbed\nbee\nbeetle\nbicycle\nbottle\nbowl\nboy\nbridge\nbus\nbutterfl"
     "y\n"
     "camel\ncan\ncastle\ncaterpillar\ncattle\nchair\nchimpanzee\nclock\ncloud\ncockroach\ncouch\nc"
     "rab\ncrocodile\ncup\n"
     "dinosaur\ndolphin\nelephant\nflatfish\nforest\nfox\ngirl\nhamster\nhouse\nkangaroo\nkeyboard"
     "\nlamp\nlawn_mower\n"
     "leopard\nlion\nlizard\nlobster\nman\nmaple_tree\nmotorcycle\nmountain\nmouse\nmushroom\noak_"
     "tree\norange\norchid\n"
     "otter\npalm_tree\npear\npickup_truck\npine_"
     "tree\nplain\nplate\npoppy\nporcupine\npossum\nrabbit\nraccoon\nray\n"
     "road\nrocket\nrose\nsea\nseal\nshark\nshrew\nskunk\nskyscraper\nsnail\nsnake\nspider\nsquirre"
     "l\nstreetcar\n"
     "sunflower\nsweet_"
     "pepper\ntable\ntank\ntelephone\ntelevision\ntiger\ntractor\ntrain\ntrout\ntulip\nturtle\n"
     "wardrobe\nwhale\nwillow_tree\nwolf\nwoman\nworm"},
};

static const KnownSet *find_known(const char *source)
{
    for (size_t i = 0; i < sizeof known_sets / sizeof *known_sets; i++)
        if (strcmp(known_sets[i].name, source) == 0)
            return &known_sets[i];
    return NULL;
}

/* The set that a directory of this name holds: data/cifar10, data/cifar-10-batches-bin/. */
static const KnownSet *find_by_folder(const char *path)
{
    size_t length = strlen(path), start;
    while (length > 1 && path[length - 1] == '/')
        length--;
    for (start = length; start > 0 && path[start - 1] != '/'; start--)
        continue;
    for (size_t i = 0; i < sizeof known_sets / sizeof *known_sets; i++) {
        const char *names[] = {known_sets[i].name, known_sets[i].folder};
        for (int j = 0; j < 2; j++)
            if (names[j] && strlen(names[j]) == length - start
                && strncmp(names[j], path + start, length - start) == 0)
                return &known_sets[i];
    }
    return NULL;
}

/* ------------------------------------------------------- in a directory */

enum { MAX_CIFAR_FILES = 6 };
static const struct CifarSet {
    int classes, count; /* of files: the last is of test images */
    const char *files[MAX_CIFAR_FILES];
} cifar_sets[] = {
    {10,
     6,
     {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin", "test_batch.bin"}},
    {100, 2, {"train.bin", "test.bin"}},
};

/* Whether something of this name is there.  What cannot be looked at, because of
 * permissions or a failing disk, is not taken to be absent. */
bool net_is_there(bool *there, const char *path, NetError *error)
{
    if (!path)
        return net_fail(error, "out of memory");
    *there = access(path, F_OK) == 0;
    return *there || errno == ENOENT || errno == ENOTDIR
           || net_fail(error, "cannot read %s: %s", path, strerror(errno));
}

/* The set whose first file is there, or where only tests are asked for its last; or NULL. */
static bool find_cifar(const struct CifarSet **found, const char *folder, bool test_only,
                       NetError *error)
{
    for (size_t i = 0; i < sizeof cifar_sets / sizeof *cifar_sets; i++) {
        bool there = false;
        int number = test_only ? cifar_sets[i].count - 1 : 0;
        char *first = net_join_path(folder, cifar_sets[i].files[number]);
        bool good = net_is_there(&there, first, error);
        free(first);
        if (!good)
            return false;
        if (there && !*found)
            *found = &cifar_sets[i];
    }
    return true;
}

static bool read_cifar_files(NetData *data, const struct CifarSet *set, const char *folder,
                             bool test_only, NetError *error)
{
    char *paths[MAX_CIFAR_FILES] = {0};
    bool read = true;
    for (int i = 0; i < set->count; i++) {
        paths[i] = net_join_path(folder, set->files[i]);
        read = read && paths[i];
    }
    if (!read)
        net_fail(error, "out of memory");
    const char *const *batches = (const char *const *)paths;
    read =
        read
        && (test_only || net_read_cifar(&data->train, set->classes, batches, set->count - 1, error))
        && net_read_cifar(&data->test, set->classes, batches + set->count - 1, 1, error);
    for (int i = 0; i < set->count; i++)
        free(paths[i]);
    return read;
}

typedef enum Found { FOUND_NOTHING, FOUND_DATA, FOUND_FAULT } Found;

/* `name`: of the known set that is looked for; NULL: whatever is there. */
static Found read_folder(NetData *data, const char *folder, const char *name,
                         const NetOpening *opening, NetError *error)
{
    const struct CifarSet *cifar = NULL;
    bool idx = false, pictures = false, test_only = opening->test_only;
    if (!net_read_idx_set(data, &idx, folder, name, test_only, error))
        return FOUND_FAULT;
    if (idx)
        return FOUND_DATA;
    if (!find_cifar(&cifar, folder, test_only, error))
        return FOUND_FAULT;
    if (cifar)
        return read_cifar_files(data, cifar, folder, test_only, error) ? FOUND_DATA : FOUND_FAULT;
    if (!net_is_image_folder(folder, &pictures, error))
        return FOUND_FAULT;
    if (!pictures)
        return FOUND_NOTHING;
    return net_read_image_folder(data, folder, opening, error) ? FOUND_DATA : FOUND_FAULT;
}

/* ------------------------------------------------------------ by source */

/* Unless the images' folders say what the classes are. */
static bool name_classes(NetData *data, const KnownSet *set, NetError *error)
{
    if (!set || data->class_names || !set->class_names)
        return true;
    data->class_names = strdup(set->class_names);
    return data->class_names || net_fail(error, "out of memory");
}

static bool read_named(NetData *data, const KnownSet *set, const NetOpening *opening,
                       NetError *error)
{
    const char *roots[] = {getenv("NET_DATA"), "data"};
    const char *folders[] = {set->name, set->folder};
    for (int i = 0; i < 4; i++) {
        const char *root = roots[i / 2], *name = folders[i % 2];
        if (!root || !name)
            continue;
        char *folder = net_join_path(root, name);
        Found found = folder ? read_folder(data, folder, set->name, opening, error) : FOUND_FAULT;
        if (found == FOUND_DATA)
            snprintf(data->what, sizeof data->what, "%s in %s", set->name, folder);
        else if (!folder)
            net_fail(error, "out of memory");
        free(folder);
        if (found != FOUND_NOTHING)
            return found == FOUND_DATA && name_classes(data, set, error);
    }
    return net_fail(error, "no %s in data/%s%s%s%s%s: %s, or use --data synthetic", set->name,
                    set->name, roots[0] ? " or " : "", roots[0] ? roots[0] : "",
                    roots[0] ? "/" : "", roots[0] ? set->name : "", set->remedy);
}

static bool read_directory(NetData *data, const NetOpening *opening, NetError *error)
{
    const char *source = opening->source;
    bool there = false;
    if (!net_is_there(&there, source, error))
        return false;
    if (!there)
        return net_fail(error,
                        "there is no directory %s; data is a directory, mnist, fashion_mnist, "
                        "kmnist, emnist_letters and its like, cifar10, cifar100 or synthetic",
                        source);
    switch (read_folder(data, source, NULL, opening, error)) {
    case FOUND_DATA:
        snprintf(data->what, sizeof data->what, "%s", source);
        return name_classes(data, find_by_folder(source), error);
    case FOUND_FAULT:
        return false;
    case FOUND_NOTHING:
        break;
    }
    return net_fail(error,
                    "%s has neither IDX files (train-images-idx3-ubyte[.gz], …) nor CIFAR's "
                    "(data_batch_1.bin or train.bin, …), "
                    "nor folders of images: train/CLASS and test/CLASS, or CLASS",
                    source);
}

/* MNIST's sizes, less where images are so large that they would fill memory. */
static bool draw(NetData *data, const NetModel *model, uint64_t seed, NetError *error)
{
    NetShape shape = net_image_shape(model->input);
    bool several = model->input_count > 1;
    static const int64_t train_bytes = 170000000, test_bytes = 30000000;
    int64_t bytes = 0;
    if (__builtin_mul_overflow(shape.c, shape.h, &bytes)
        || __builtin_mul_overflow(bytes, shape.w, &bytes))
        return net_fail(error,
                        "an image of %" PRId64 "x%" PRId64 "x%" PRId64 " is too large to draw",
                        shape.c, shape.h, shape.w);
    bytes = several ? net_input_elements(model) : bytes;
    int64_t train = train_bytes / bytes + 1, test = test_bytes / bytes + 1;
    if (train > 60000)
        train = 60000;
    if (test > 10000)
        test = 10000;
    snprintf(data->what, sizeof data->what, "synthetic %s", several ? "examples" : "digits");
    return net_draw_synthetic(&data->train, train, model, seed, 0, error)
           && net_draw_synthetic(&data->test, test, model, seed, 1, error);
}

/* ------------------------------------------------------------- checking */

/* `known`: how many classes the set is known to have; 0 when only its labels tell, which need not
 * show every class. */
static bool check_classes(const NetData *data, const NetModel *model, int known, NetError *error)
{
    const NetImages *images = data->train.array_count > 0 ? &data->train : &data->test;
    bool by_class = images->array_count == 2 && strcmp(images->arrays[1].name, "class") == 0;
    for (int i = 0; known && by_class && i < model->wanted_count; i++)
        if (model->wanted[i].classes != known
            && (model->wanted[i].kind == NET_CLASSES || model->wanted[i].classes > 1))
            return net_fail(error, "%s has %d classes, the network gives %" PRId64, data->what,
                            known, model->wanted[i].classes);
    return true;
}

NetShape net_image_shape(NetShape input)
{
    if (input.rank == 2)
        return (NetShape){.rank = 3, .c = 1, .h = input.c, .w = input.w};
    if (input.rank == 4)
        return (NetShape){.rank = 3, .c = input.c, .h = input.d * input.h, .w = input.w};
    if (input.rank != 1)
        return input;
    int64_t h = 1;
    for (int64_t side = 1; side <= input.c / side; side++)
        if (input.c % side == 0)
            h = side;
    return (NetShape){.rank = 3, .c = 1, .h = h, .w = input.c / h};
}

/* 0: they have no names. */
static int count_names(const NetData *data)
{
    int count = data->class_names != NULL;
    for (const char *at = data->class_names; at && (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

/* A text, texts by class, or drawn numbers. */
static bool open_numbers(NetData *data, const NetOpening *opening, NetError *error)
{
    enum { TRAIN = 4096, TEST = 512 }; /* stretches that are drawn */
    const NetModel *model = opening->model;
    bool folder = false, drawn = strcmp(opening->source, "synthetic") == 0;
    if (!drawn && !net_is_text_folder(opening->source, &folder, error))
        return false;
    if (!drawn)
        return (folder ? net_read_texts : net_read_text)(data, opening, error);
    snprintf(data->what, sizeof data->what, "synthetic numbers");
    return net_draw_numbers(&data->train, TRAIN, model, opening->seed, error)
           && net_draw_numbers(&data->test, TEST, model, opening->seed + 1, error);
}

static bool open_pictures(NetData *data, const NetOpening *opening, NetError *error)
{
    const KnownSet *known = find_known(opening->source);
    const NetModel *model = opening->model;
    bool drawn = strcmp(opening->source, "synthetic") == 0;
    bool opened = drawn   ? draw(data, model, opening->seed, error)
                  : known ? read_named(data, known, opening, error)
                          : read_directory(data, opening, error);
    return opened && check_classes(data, model, known ? known->classes : count_names(data), error);
}

static const struct Reader {
    const char *name;       /* in the train section */
    const char *endings[3]; /* files that it reads, whatever the train section says */
    bool (*read)(NetData *data, const NetOpening *opening, NetError *error);
    bool shared; /* ranks share out its pictures; otherwise each has all */
} readers[] = {
    {"csv", {".csv", ".tsv", NULL}, net_read_csv, false},
    {"arrays", {".npy", ".npz", NULL}, net_read_arrays, false},
    {"masks", {NULL}, net_read_masks, true},
    {"audio", {NULL}, net_read_audio, false},
};

static bool has_ending(const char *source, const char *ending)
{
    size_t length = strlen(source), end = strlen(ending);
    return length > end && strcasecmp(source + length - end, ending) == 0;
}

/* The one that the train section names, or that a file's name asks for; NULL: neither does. */
static const struct Reader *find_reader(const NetOpening *opening)
{
    const char *name = net_setting_word(opening->settings, "data.reader", "");
    bool drawn = strcmp(opening->source, "synthetic") == 0;
    for (size_t i = 0; !drawn && i < sizeof readers / sizeof *readers; i++) {
        bool ends = false;
        for (int k = 0; readers[i].endings[k]; k++)
            ends = ends || has_ending(opening->source, readers[i].endings[k]);
        if (ends || strcmp(readers[i].name, name) == 0)
            return &readers[i];
    }
    return NULL;
}

static bool read_data(NetData *data, const NetOpening *opening, NetError *error)
{
    if (strcmp(opening->source, "noise") == 0)
        return net_read_noise(data, opening, error);
    const struct Reader *reader = find_reader(opening);
    data->drawn = strcmp(opening->source, "synthetic") == 0;
    if (opening->model->numbers || (reader && !reader->shared))
        data->train.held = data->test.held = (NetHeld){0};
    if (reader)
        return reader->read(data, opening, error);
    if (opening->model->input_count > 1 && strcmp(opening->source, "synthetic") == 0)
        return draw(data, opening->model, opening->seed, error);
    return (opening->model->numbers ? open_numbers : open_pictures)(data, opening, error);
}

bool net_data_open(NetData *data, const NetOpening *opening, NetError *error)
{
    int rank = net_rank(), ranks = net_rank_count();
    *data = (NetData){.noun = net_noun(opening->model)};
    if (opening->share) {
        if (!opening->test_only)
            data->train.held = (NetHeld){1, rank, ranks};
        data->test.held = (NetHeld){opening->batch, rank, net_testing_ranks()};
    }
    bool opened = read_data(data, opening, error) && net_fit_data(data, opening, error)
                  && net_bind_data(data, opening->model, error);
    if (opened)
        data->noun = net_noun_of(opening->model, data->train.count ? &data->train : &data->test);
    else
        net_data_close(data);
    return opened;
}

void net_data_close(NetData *data)
{
    net_images_close(&data->train);
    net_images_close(&data->test);
    net_images_close(&data->validation);
    free(data->order);
    free(data->class_names);
    free(data->recipe);
    *data = (NetData){0};
}
