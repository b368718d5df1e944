/* idx_sets.c: the data sets that are four IDX files, by their files' names: MNIST's and those that
 * took its place, and the six of EMNIST (https://arxiv.org/abs/1702.05373), which may lie in one
 * folder, and whose images are stored by columns.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

#define TEN "0\n1\n2\n3\n4\n5\n6\n7\n8\n9"
#define CAPITALS "\nA\nB\nC\nD\nE\nF\nG\nH\nI\nJ\nK\nL\nM\nN\nO\nP\nQ\nR\nS\nT\nU\nV\nW\nX\nY\nZ"
#define SMALL "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\np\nq\nr\ns\nt\nu\nv\nw\nx\ny\nz"
#define MERGED TEN CAPITALS "\na\nb\nd\ne\nf\ng\nh\nn\nq\nr\nt" /* the others look as capitals do */

typedef struct IdxSet {
    const char *name; /* of EMNIST's; NULL: MNIST's own */
    const char *train, *test;
    int first_label;
    const char *class_names;
} IdxSet;

static const IdxSet sets[] = {
    {NULL, "train", "t10k", 0, NULL},
    {"emnist_balanced", "emnist-balanced-train", "emnist-balanced-test", 0, MERGED},
    {"emnist_byclass", "emnist-byclass-train", "emnist-byclass-test", 0, TEN CAPITALS "\n" SMALL},
    {"emnist_bymerge", "emnist-bymerge-train", "emnist-bymerge-test", 0, MERGED},
    {"emnist_digits", "emnist-digits-train", "emnist-digits-test", 0, TEN},
    {"emnist_letters", "emnist-letters-train", "emnist-letters-test", 1, SMALL},
    {"emnist_mnist", "emnist-mnist-train", "emnist-mnist-test", 0, TEN},
};
enum { SETS = sizeof sets / sizeof *sets };

/* Of one set; NULL: it is not there. */
typedef struct Files {
    char *images, *labels;
} Files;

/* The path of one file in whichever spelling is there, or NULL. */
static bool find_file(char **found, const char *folder, const char *part, const char *what,
                      const char *const *endings, NetError *error)
{
    for (int i = 0; endings[i / 4]; i++) {
        bool there = false;
        char *name = NULL, *path = NULL;
        if (asprintf(&name, "%s-%s%c%s%s", part, what, "-."[i / 2 % 2], endings[i / 4],
                     i % 2 ? ".gz" : "")
            > 0)
            path = net_join_path(folder, name);
        free(name);
        bool good = net_is_there(&there, path, error);
        if (there) {
            *found = path;
            return true;
        }
        free(path);
        if (!good)
            return false;
    }
    return true;
}

static bool find_files(Files *files, const char *folder, const char *part, NetError *error)
{
    static const char *const images[] = {"idx3-ubyte", NULL}, *const labels[] = {"idx1-ubyte",
                                                                                 "idx1-short",
                                                                                 "idx1-int", NULL};
    return find_file(&files->images, folder, part, "images", images, error)
           && find_file(&files->labels, folder, part, "labels", labels, error);
}

static void close_files(Files *files)
{
    free(files->images);
    free(files->labels);
    *files = (Files){0};
}

/* Whether any of a set's files is in the folder. */
static bool is_set(bool *is, const IdxSet *set, const char *folder, NetError *error)
{
    Files train = {0}, test = {0};
    bool good = find_files(&train, folder, set->train, error)
                && find_files(&test, folder, set->test, error);
    *is = train.images || train.labels || test.images || test.labels;
    close_files(&train);
    close_files(&test);
    return good;
}

/* The set of this name, or the only one that is there; none: *found stays NULL. */
static bool find_set(const IdxSet **found, const char *folder, const char *name, NetError *error)
{
    bool emnist = name && strncmp(name, "emnist", 6) == 0;
    *found = NULL;
    for (int i = 0; i < SETS; i++) {
        bool is = false;
        if (emnist && (!sets[i].name || strcmp(sets[i].name, name) != 0))
            continue;
        if (!is_set(&is, &sets[i], folder, error))
            return false;
        if (is && *found)
            return net_fail(error,
                            "%s has several data sets: `data %s` or `data %s` takes one, from "
                            "data/emnist or $NET_DATA/emnist",
                            folder, (*found)->name ? (*found)->name : "mnist", sets[i].name);
        if (is)
            *found = &sets[i];
    }
    return true;
}

static bool read_part(NetImages *images, const IdxSet *set, const char *folder, const char *part,
                      NetError *error)
{
    Files files = {0};
    bool good = find_files(&files, folder, part, error);
    if (good && (!files.images || !files.labels)) {
        const char *lost = files.images ? "labels-idx1" : "images-idx3";
        good = net_fail(error,
                        "%s has no %s-%s-ubyte, nor %s-%s-ubyte.gz, beside its other IDX "
                        "files",
                        folder, part, lost, part, lost);
    }
    good = good && net_read_idx(images, files.images, files.labels, error);
    if (good && set->name)
        good = net_idx_transpose(images, error)
               && net_idx_count_from(images, set->first_label, files.labels, error);
    close_files(&files);
    return good;
}

bool net_read_idx_set(NetData *data, bool *found, const char *folder, const char *name,
                      bool test_only, NetError *error)
{
    const IdxSet *set;
    if (!find_set(&set, folder, name, error))
        return false;
    *found = set != NULL;
    if (!set)
        return true;
    if ((!test_only && !read_part(&data->train, set, folder, set->train, error))
        || !read_part(&data->test, set, folder, set->test, error))
        return false;
    data->class_names = set->class_names ? strdup(set->class_names) : NULL;
    return !set->class_names || data->class_names || net_fail(error, "out of memory");
}
