/* checkpoint.c: a run that can be taken up again, bit for bit.
 *
 * A checkpoint is a safetensors file of the weights under their own names, so
 * it also loads wherever weights do; beside them the optimizer's state, and in
 * __metadata__ the place in the run and every number it was made with.  Shuffles
 * and dropout depend on the seed, the epoch and the step alone, so there is no
 * generator's state to keep.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 11, TEXT = 40 };        /* of progress; bytes of one number's text */

static const char SETTING[] = "setting.";

/* -------------------------------------------------------------- writing */

/* Key and value pairs for __metadata__. */
typedef struct Metadata { char **words; int count; bool failed; } Metadata;

static void add(Metadata *metadata, char *key, char *value)
{
    metadata->failed |= !key || !value;
    metadata->words[metadata->count++] = key;
    metadata->words[metadata->count++] = value;
}

static void add_whole(Metadata *metadata, const char *key, int64_t value)
{
    char text[TEXT];
    snprintf(text, sizeof text, "%lld", (long long)value);
    add(metadata, strdup(key), strdup(text));
}

/* 17 digits bring every double back. */
static void add_setting(Metadata *metadata, const NetValue *value)
{
    char *key = NULL, *text = calloc((size_t)value->count, TEXT);
    for (int i = 0, used = 0; text && i < value->count; i++)
        used += snprintf(text + used, TEXT, "%s%.17g", i ? "," : "", value->numbers[i]);
    if (asprintf(&key, "%s%s", SETTING, value->path) < 0)
        key = NULL;
    add(metadata, key, text);
}

/* What --save-best and --keep have to know of the run so far. */
static void add_history(Metadata *metadata, const NetProgress *progress)
{
    char best[TEXT], *kept = calloc((size_t)progress->kept_count + 1, TEXT);
    snprintf(best, sizeof best, "%.17g", progress->best);
    for (int i = 0, used = 0; kept && i < progress->kept_count; i++)
        used += snprintf(kept + used, TEXT, "%s%lld", i ? "," : "", (long long)progress->kept[i]);
    if (progress->best_epoch > 0) {
        add_whole(metadata, "best_epoch", progress->best_epoch);
        add(metadata, strdup("best"), strdup(best));
    }
    if (progress->kept_count > 0)
        add(metadata, strdup("kept"), kept);
    else
        free(kept);
}

static void add_progress(Metadata *metadata, const NetProgress *progress)
{
    char loss[TEXT];
    snprintf(loss, sizeof loss, "%.17g", progress->loss_sum);
    add_whole(metadata, "epoch", progress->epoch);
    add_whole(metadata, "position", progress->position);
    add_whole(metadata, "step", progress->step);
    add_whole(metadata, "correct", progress->correct);
    add_whole(metadata, "shuffle", progress->shuffle);
    add_whole(metadata, "train_images", progress->train_images);
    add(metadata, strdup("loss_sum"), strdup(loss));
    add_history(metadata, progress);
}

bool net_checkpoint_write(const char *path, const NetSession *session, const NetOptimizer *optimizer,
                          const NetSettings *settings, const NetProgress *progress, NetError *error)
{
    Metadata metadata = {0};
    metadata.words = net_allocate(2 * (size_t)(FIELDS + settings->count) + 1, sizeof *metadata.words, error);
    if (!metadata.words)
        return false;
    add(&metadata, strdup("optimizer"), strdup(net_optimizer_name(optimizer)));
    add_progress(&metadata, progress);
    for (int i = 0; i < settings->count; i++)
        if (net_setting_changeable(&settings->values[i]))
            add_setting(&metadata, &settings->values[i]);
    bool good = !metadata.failed || net_fail(error, "out of memory");
    good = good && net_weights_write(session, optimizer, path, (const char *const *)metadata.words, error);
    for (int i = 0; i < metadata.count; i++)
        free(metadata.words[i]);
    free(metadata.words);
    return good;
}

/* -------------------------------------------------------------- reading */

static bool read_number(const NetTensorFile *file, const char *key, bool whole, double most, double *number, NetError *error)
{
    const char *text = net_tensors_metadata(file, key);
    char where[NET_SHAPE_TEXT];
    if (!text)
        return net_fail(error, "%s is no checkpoint: its __metadata__ has no %s", file->path, key);
    snprintf(where, sizeof where, "%.140s: %s", file->path, key);
    return net_parse_number(number, text, whole, 0, most, where, error);
}

static bool read_whole(const NetTensorFile *file, const char *key, int64_t most, int64_t *number, NetError *error)
{
    double value;
    if (!read_number(file, key, true, (double)most, &value, error))
        return false;
    *number = (int64_t)value;
    return true;
}

static bool read_best(const NetTensorFile *file, NetProgress *progress, NetError *error)
{
    return !net_tensors_metadata(file, "best_epoch")
        || (read_whole(file, "best_epoch", progress->epoch, &progress->best_epoch, error)
            && read_number(file, "best", false, HUGE_VAL, &progress->best, error));
}

/* "500,1000": steps up to the checkpoint's own, ascending. */
static bool read_kept(const NetTensorFile *file, NetProgress *progress, NetError *error)
{
    const char *text = net_tensors_metadata(file, "kept");
    progress->kept_count = 0;
    for (int64_t least = 0; text && *text; least = progress->kept[progress->kept_count++] + 1) {
        char *end;
        long long step = strtoll(text, &end, 10);
        if (*text < '0' || *text > '9' || step < least || step > progress->step || (*end && *end != ',')
            || progress->kept_count == NET_MOST_KEPT)
            return net_fail(error, "%s: kept %.40s: the steps of earlier checkpoints are expected", file->path, text);
        progress->kept[progress->kept_count] = step;
        text = end + (*end == ',');
    }
    return true;
}

static bool read_progress(const NetTensorFile *file, NetProgress *progress, NetError *error)
{
    const int64_t most = (int64_t)1 << 53;
    int64_t shuffle;
    if (!read_whole(file, "train_images", INT32_MAX, &progress->train_images, error)
        || !read_whole(file, "epoch", most, &progress->epoch, error)
        || !read_whole(file, "position", progress->train_images, &progress->position, error)
        || !read_whole(file, "step", most, &progress->step, error)
        || !read_whole(file, "correct", progress->train_images, &progress->correct, error)
        || !read_whole(file, "shuffle", 1, &shuffle, error)
        || !read_number(file, "loss_sum", false, HUGE_VAL, &progress->loss_sum, error))
        return false;
    progress->shuffle = shuffle;
    return read_best(file, progress, error) && read_kept(file, progress, error);
}

/* The images of a batch and the order of all of them belong to a run. */
static bool is_fixed(const char *path)
{
    return strcmp(path, "batch") == 0 || strcmp(path, "seed") == 0;
}

static bool take_setting(const NetTensorFile *file, NetSettings *settings, NetValue *value, NetError *error)
{
    char key[NET_SHAPE_TEXT], where[2 * NET_SHAPE_TEXT];
    snprintf(key, sizeof key, "%s%.150s", SETTING, value->path);
    snprintf(where, sizeof where, "%.140s: %s", file->path, key);
    const char *text = net_tensors_metadata(file, key);
    if (!text || (value->given && !is_fixed(value->path)))
        return true;
    bool given = value->given;
    double before = value->numbers[0];
    if (!net_setting_set(settings, value->path, text, where, error))
        return false;
    value->given = given;
    if (given && value->numbers[0] != before)
        return net_fail(error, "%s is of a run with %s %s, and %.17g was asked for", file->path, value->path, text, before);
    return true;
}

bool net_checkpoint_progress(const NetTensorFile *file, NetSettings *settings, NetProgress *progress, NetError *error)
{
    const char *optimizer = net_tensors_metadata(file, "optimizer");
    const char *ours = net_setting_word(settings, "optimizer", "sgd");
    if (!read_progress(file, progress, error))
        return false;
    if (!optimizer || strcmp(optimizer, ours) != 0)
        return net_fail(error, "%s is of a run with the optimizer %.40s, and this network's is %s", file->path,
                        optimizer ? optimizer : "unknown", ours);
    for (int i = 0; i < settings->count; i++)
        if (net_setting_changeable(&settings->values[i])
            && !take_setting(file, settings, &settings->values[i], error))
            return false;
    return true;
}
