/* checkpoint.c: a run that can be taken up again, bit for bit.
 *
 * A checkpoint is a safetensors file of the weights under their own names, so
 * it also loads wherever weights do; beside them the optimizer's state, and in
 * __metadata__ the position in the run, every number it was made with, what data it
 * is on and what its network computes.  Shuffles and dropout depend on the seed,
 * the epoch and the step alone, so there is no generator's state to keep.
 *
 * A setting is kept twice: as the run used it (setting.PATH) and as the .net file
 * said it (net.PATH).  So a resumed run can tell that the file was edited since,
 * which then counts, from a number that the first run was given on its command
 * line, which still does.  What changed is told; what cannot change is refused.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* keys besides the settings'; bytes of one number's text */
enum { FIELDS = 39 + NET_DATA_TRAITS, TEXT = 40 };

static const char SETTING[] = "setting.", COMPILED[] = "net.", STRUCTURE[] = "network",
                  FROZEN[] = "frozen", DATA[] = "data", MU_PRODUCT[] = "mu_product",
                  AVERAGED[] = "averaged", BESTS[] = "bests", ASKED[] = "monitor_asked",
                  MONITOR[] = "monitor";

/* -------------------------------------------------------------- writing */

/* Key and value pairs for __metadata__. */
typedef struct Metadata {
    char **words;
    int count;
    bool failed;
} Metadata;

static void add(Metadata *metadata, char *key, char *value)
{
    metadata->failed |= !key || !value;
    metadata->words[metadata->count++] = key;
    metadata->words[metadata->count++] = value;
}

static void add_whole(Metadata *metadata, const char *key, int64_t value)
{
    char text[TEXT];
    snprintf(text, sizeof text, "%" PRId64, value);
    add(metadata, strdup(key), strdup(text));
}

/* The value's word, or these numbers in its place.  NULL: no memory. */
static char *value_text(const NetValue *value, const double *numbers, int digits)
{
    return value->word ? strdup(value->word) : net_numbers_text(numbers, value->count, digits);
}

static void add_value(Metadata *metadata, const char *prefix, const NetValue *value,
                      const double *numbers)
{
    char *key = NULL;
    if (asprintf(&key, "%s%s", prefix, value->path) < 0)
        key = NULL;
    add(metadata, key, value_text(value, numbers, 17));
}

static void add_settings(Metadata *metadata, const NetSettings *settings)
{
    for (int i = 0; i < settings->count; i++) {
        const NetValue *value = &settings->values[i];
        if (net_setting_changeable(value))
            add_value(metadata, SETTING, value, value->numbers);
        add_value(metadata, COMPILED, value, value->compiled);
    }
}

/* The paths of parameters that no optimizer moves, a line each. */
static char *frozen_text(const NetModel *model)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (int i = 0; i < model->parameter_count; i++)
        if (model->parameters[i].frozen)
            fprintf(out, "%s\n", model->parameters[i].path);
    return fclose(out) == 0 ? text : NULL;
}

static void add_data(Metadata *metadata, const NetIdentity *data)
{
    add(metadata, strdup(DATA), strdup(data->what));
    for (int i = 0; i < NET_DATA_TRAITS; i++)
        add(metadata, strdup(net_identity_key(i)), strdup(data->texts[i]));
}

static void add_real(Metadata *metadata, const char *key, double value)
{
    char text[TEXT];
    snprintf(text, sizeof text, "%.17g", value);
    add(metadata, strdup(key), strdup(text));
}

/* What `stop` and `validation` have to know of the run so far. */
static void add_judgement(Metadata *metadata, const NetProgress *progress)
{
    add_whole(metadata, "split_seed", (int64_t)progress->split_seed);
    if (progress->top_epoch > 0) {
        add_whole(metadata, "top_epoch", progress->top_epoch);
        add_real(metadata, "top", progress->top);
    }
}

/* By what epochs are compared, and those whose weights --keep-best keeps: "7:0.93,4:0.91". */
static void add_bests(Metadata *metadata, const NetProgress *progress)
{
    char *bests = calloc((size_t)progress->best_count + 1, 2 * TEXT);
    for (int i = 0, used = 0; bests && i < progress->best_count; i++)
        used += snprintf(bests + used, 2 * TEXT, "%s%" PRId64 ":%.17g", i ? "," : "",
                         progress->bests[i].epoch, progress->bests[i].figure);
    if (progress->best_count > 0)
        add(metadata, strdup(BESTS), bests);
    else
        free(bests);
    if (*progress->asked)
        add(metadata, strdup(ASKED), strdup(progress->asked));
    if (*progress->monitor)
        add(metadata, strdup(MONITOR), strdup(progress->monitor));
}

/* What --save-best and --keep have to know of the run so far. */
static void add_history(Metadata *metadata, const NetProgress *progress)
{
    add_bests(metadata, progress);
    char *kept = calloc((size_t)progress->kept_count + 1, TEXT);
    for (int i = 0, used = 0; kept && i < progress->kept_count; i++)
        used += snprintf(kept + used, TEXT, "%s%" PRId64, i ? "," : "", progress->kept[i]);
    if (progress->best_epoch > 0) {
        add_whole(metadata, "best_epoch", progress->best_epoch);
        add_real(metadata, "best", progress->best);
    }
    if (progress->kept_count > 0)
        add(metadata, strdup("kept"), kept);
    else
        free(kept);
}

/* Of a schedule that goes by the tests' figures. */
static void add_plateau(Metadata *metadata, const NetPlateauState *state)
{
    if (!state->judged && !state->bad && !state->drops)
        return;
    if (state->judged)
        add_real(metadata, "plateau_best", state->best);
    add_whole(metadata, "plateau_bad", state->bad);
    add_whole(metadata, "plateau_cooling", state->cooling);
    add_whole(metadata, "plateau_drops", state->drops);
}

static void add_progress(Metadata *metadata, const NetProgress *progress)
{
    add_whole(metadata, "epoch", progress->epoch);
    add_whole(metadata, "position", progress->position);
    add_whole(metadata, "step", progress->step);
    add_whole(metadata, "correct", progress->correct);
    add_whole(metadata, "shuffle", progress->shuffle);
    add_whole(metadata, "train_images", progress->train_images);
    add_real(metadata, "loss_sum", progress->loss_sum);
    add_history(metadata, progress);
    add_judgement(metadata, progress);
    add_plateau(metadata, &progress->plateau);
}

bool net_checkpoint_write(const char *path, const NetSession *session,
                          const NetOptimizer *optimizer, const NetSettings *settings,
                          const NetProgress *progress, NetError *error)
{
    Metadata metadata = {0};
    metadata.words =
        net_allocate(2 * (size_t)(FIELDS + 2 * settings->count) + 1, sizeof *metadata.words, error);
    if (!metadata.words)
        return false;
    add(&metadata, strdup("optimizer"), strdup(net_optimizer_name(optimizer)));
    if (strcmp(net_optimizer_name(optimizer), "nadam") == 0)
        add_real(&metadata, MU_PRODUCT, optimizer->mu_product);
    if (optimizer->average.weights)
        add_whole(&metadata, AVERAGED, optimizer->average.updates);
    add_progress(&metadata, progress);
    add_settings(&metadata, settings);
    add(&metadata, strdup(STRUCTURE), strdup(session->model->structure));
    add(&metadata, strdup(FROZEN), frozen_text(session->model));
    if (progress->data)
        add_data(&metadata, progress->data);
    bool good = !metadata.failed || net_fail(error, "out of memory");
    good =
        good
        && net_weights_write(session, optimizer, path, (const char *const *)metadata.words, error);
    for (int i = 0; i < metadata.count; i++)
        free(metadata.words[i]);
    free(metadata.words);
    return good;
}

/* -------------------------------------------------------------- reading */

static bool read_between(const NetTensorFile *file, const char *key, bool whole, double min,
                         double max, double *number, NetError *error)
{
    const char *text = net_tensors_metadata(file, key);
    char where[NET_SHAPE_TEXT];
    if (!text)
        return net_fail(error, "%s is no checkpoint: its __metadata__ has no %s", file->path, key);
    snprintf(where, sizeof where, "%.140s: %s", file->path, key);
    return net_parse_number(number, text, whole, min, max, where, error);
}

static bool read_number(const NetTensorFile *file, const char *key, bool whole, double max,
                        double *number, NetError *error)
{
    return read_between(file, key, whole, 0, max, number, error);
}

/* A loss of one's own may be negative. */
static bool read_figure(const NetTensorFile *file, const char *key, double *number, NetError *error)
{
    return read_between(file, key, false, -HUGE_VAL, HUGE_VAL, number, error);
}

static bool read_whole(const NetTensorFile *file, const char *key, int64_t max, int64_t *number,
                       NetError *error)
{
    double value;
    if (!read_number(file, key, true, (double)max, &value, error))
        return false;
    *number = (int64_t)value;
    return true;
}

/* Checkpoints of earlier versions say none of it. */
static bool read_judgement(const NetTensorFile *file, NetProgress *progress, NetError *error)
{
    int64_t seed = (int64_t)progress->split_seed;
    if (net_tensors_metadata(file, "split_seed")
        && !read_whole(file, "split_seed", (int64_t)1 << 53, &seed, error))
        return false;
    progress->split_seed = (uint64_t)seed;
    return !net_tensors_metadata(file, "top_epoch")
           || (read_whole(file, "top_epoch", progress->epoch, &progress->top_epoch, error)
               && read_figure(file, "top", &progress->top, error));
}

static bool read_best(const NetTensorFile *file, NetProgress *progress, NetError *error)
{
    return !net_tensors_metadata(file, "best_epoch")
           || (read_whole(file, "best_epoch", progress->epoch, &progress->best_epoch, error)
               && read_figure(file, "best", &progress->best, error));
}

/* "7:0.93,4:0.91" */
static bool read_bests(const NetTensorFile *file, NetProgress *progress, NetError *error)
{
    const char *text = net_tensors_metadata(file, BESTS),
               *asked = net_tensors_metadata(file, ASKED),
               *monitor = net_tensors_metadata(file, MONITOR);
    snprintf(progress->asked, sizeof progress->asked, "%s", asked ? asked : "");
    snprintf(progress->monitor, sizeof progress->monitor, "%s", monitor ? monitor : "");
    progress->best_count = 0;
    while (text && *text) {
        char *colon, *end;
        long long epoch = strtoll(text, &colon, 10);
        double figure = *colon == ':' ? strtod(colon + 1, &end) : NAN;
        if (*text < '0' || *text > '9' || epoch > progress->epoch || isnan(figure)
            || (*end && *end != ',') || progress->best_count == NET_MAX_BEST)
            return net_fail(error, "%s: bests %.40s: epochs and their figures are expected",
                            file->path, text);
        progress->bests[progress->best_count++] = (NetBestEpoch){epoch, figure};
        text = end + (*end == ',');
    }
    return true;
}

static bool read_plateau(const NetTensorFile *file, NetPlateauState *state, NetError *error)
{
    const int64_t max = (int64_t)1 << 53;
    *state = (NetPlateauState){.judged = net_tensors_metadata(file, "plateau_best") != NULL};
    return !net_tensors_metadata(file, "plateau_bad")
           || ((!state->judged || read_figure(file, "plateau_best", &state->best, error))
               && read_whole(file, "plateau_bad", max, &state->bad, error)
               && read_whole(file, "plateau_cooling", max, &state->cooling, error)
               && read_whole(file, "plateau_drops", max, &state->drops, error));
}

bool net_checkpoint_optimizer(const NetTensorFile *file, NetOptimizer *optimizer, NetError *error)
{
    const int64_t max = (int64_t)1 << 53;
    return (!net_tensors_metadata(file, MU_PRODUCT)
            || read_number(file, MU_PRODUCT, false, 1, &optimizer->mu_product, error))
           && (!optimizer->average.weights || !net_tensors_metadata(file, AVERAGED)
               || read_whole(file, AVERAGED, max, &optimizer->average.updates, error));
}

/* "500,1000": steps up to the checkpoint's own, ascending. */
static bool read_kept(const NetTensorFile *file, NetProgress *progress, NetError *error)
{
    const char *text = net_tensors_metadata(file, "kept");
    progress->kept_count = 0;
    for (int64_t min = 0; text && *text; min = progress->kept[progress->kept_count++] + 1) {
        char *end;
        long long step = strtoll(text, &end, 10);
        if (*text < '0' || *text > '9' || step < min || step > progress->step
            || (*end && *end != ',') || progress->kept_count == NET_MAX_KEPT)
            return net_fail(error, "%s: kept %.40s: the steps of earlier checkpoints are expected",
                            file->path, text);
        progress->kept[progress->kept_count] = step;
        text = end + (*end == ',');
    }
    return true;
}

static bool read_progress(const NetTensorFile *file, NetProgress *progress, NetError *error)
{
    const int64_t max = (int64_t)1 << 53;
    int64_t shuffle;
    if (!read_whole(file, "train_images", INT32_MAX, &progress->train_images, error)
        || !read_whole(file, "epoch", max, &progress->epoch, error)
        || !read_whole(file, "position", progress->train_images, &progress->position, error)
        || !read_whole(file, "step", max, &progress->step, error)
        || !read_whole(file, "correct", max, &progress->correct, error)
        || !read_whole(file, "shuffle", 1, &shuffle, error)
        || !read_number(file, "loss_sum", false, HUGE_VAL, &progress->loss_sum, error))
        return false;
    progress->shuffle = shuffle;
    return read_best(file, progress, error) && read_bests(file, progress, error)
           && read_plateau(file, &progress->plateau, error) && read_kept(file, progress, error)
           && read_judgement(file, progress, error);
}

/* ------------------------------------------------------------- settings */

static const char *stored_value(const NetTensorFile *file, const char *prefix, const char *path)
{
    char key[NET_SHAPE_TEXT];
    snprintf(key, sizeof key, "%s%.150s", prefix, path);
    return net_tensors_metadata(file, key);
}

/* Whether the checkpoint has just these numbers, or the value's word, under the prefix. */
static bool is_stored(const NetTensorFile *file, const char *prefix, const NetValue *value,
                      const double *numbers)
{
    const char *stored = stored_value(file, prefix, value->path);
    char *text = stored ? value_text(value, numbers, 17) : NULL;
    bool same = text && strcmp(text, stored) == 0;
    free(text);
    return same;
}

/* One sentence for a setting that is not what it was. */
static void tell(const NetTensorFile *file, const NetValue *value, const char *before, bool edited,
                 NetNotes *notes)
{
    char *shown = NULL, *now = value_text(value, value->numbers, 10);
    NetError ignored;
    double number;
    if (before && !value->word
        && net_parse_number(&number, before, false, -HUGE_VAL, HUGE_VAL, "", &ignored))
        shown = net_numbers_text(&number, 1, 10);
    net_note(notes, "%s %s in %s, now %s%s", value->path,
             shown    ? shown
             : before ? before
                      : "not set",
             file->path, now ? now : "",
             value->given ? ", as the command line says"
             : edited     ? ", as the .net file says"
                          : "");
    free(shown);
    free(now);
}

/* Sets the value to what the checkpoint's text says. */
static bool use_stored(const NetTensorFile *file, NetSettings *settings, NetValue *value,
                       const char *text, NetError *error)
{
    char where[2 * NET_SHAPE_TEXT];
    snprintf(where, sizeof where, "%.140s: %s%.150s", file->path, SETTING, value->path);
    if (!net_setting_set(settings, value->path, text, where, error))
        return false;
    value->given = false;
    return true;
}

/* The command line, then a .net file that was edited since, then the run as it
 * was.  A checkpoint from before the file's own value was kept is the run as it was. */
static bool take_setting(const NetTensorFile *file, NetSettings *settings, NetValue *value,
                         NetNotes *notes, NetError *error)
{
    bool changeable = net_setting_changeable(value);
    const char *written = stored_value(file, COMPILED, value->path);
    const char *used = changeable ? stored_value(file, SETTING, value->path) : written;
    bool edited = written && !is_stored(file, COMPILED, value, value->compiled);
    if (!used && !written
        && (!stored_value(file, COMPILED, "epochs") || net_setting_is_default(value)))
        return true;
    if (changeable && used && !value->given && !edited
        && !use_stored(file, settings, value, used, error))
        return false;
    if (!is_stored(file, changeable ? SETTING : COMPILED, value, value->numbers))
        tell(file, value, used, edited, notes);
    return true;
}

/* What the .net file set then and does not now. */
static void tell_gone(const NetTensorFile *file, const NetSettings *settings, NetNotes *notes)
{
    const char *key, *value;
    for (int i = 0; net_tensors_pair(file, i, &key, &value); i++)
        if (strncmp(key, COMPILED, sizeof COMPILED - 1) == 0
            && !net_setting_find(settings, key + sizeof COMPILED - 1))
            net_note(notes, "%s %s in %s, now not set", key + sizeof COMPILED - 1, value,
                     file->path);
}

/* Where the images come from is told, and decided, by what they are. */
static bool is_told_otherwise(const NetValue *value)
{
    return strcmp(value->path, "data") == 0 || strcmp(value->path, "validation.data") == 0
           || strcmp(value->path, "optimizer") == 0;
}

static bool take_settings(const NetTensorFile *file, NetSettings *settings, NetNotes *notes,
                          NetError *error)
{
    for (int i = 0; i < settings->count; i++)
        if (!is_told_otherwise(&settings->values[i])
            && !take_setting(file, settings, &settings->values[i], notes, error))
            return false;
    tell_gone(file, settings, notes);
    return true;
}

/* ------------------------------------------------------- what cannot change */

/* Within an epoch the images that are left are those that the order has last. */
static bool check_seed(const NetTensorFile *file, const NetSettings *settings,
                       const NetProgress *progress, NetError *error)
{
    const char *text = stored_value(file, SETTING, "seed");
    double seed = net_setting(settings, "seed", 1);
    if (!text || strtod(text, NULL) == seed || progress->position == 0 || !progress->shuffle)
        return true;
    return net_fail(error,
                    "%s is of the middle of an epoch, whose order is that of seed %s, "
                    "and seed %.17g was asked "
                    "for: it can change at an epoch's end",
                    file->path, text, seed);
}

static bool check_optimizer(const NetTensorFile *file, const NetSettings *settings, NetError *error)
{
    const char *optimizer = net_tensors_metadata(file, "optimizer");
    const char *ours = net_setting_word(settings, "optimizer", "sgd");
    if (optimizer && strcmp(optimizer, ours) == 0)
        return true;
    return net_fail(error,
                    "%s is of a run with the optimizer %.40s, and this network's is %s; --init "
                    "takes its weights alone",
                    file->path, optimizer ? optimizer : "unknown", ours);
}

/* The first line that the two texts do not share. */
static void find_difference(const char **a, const char **b)
{
    for (;;) {
        size_t length = strcspn(*a, "\n");
        if (length != strcspn(*b, "\n") || strncmp(*a, *b, length) != 0 || !(*a)[length]
            || !(*b)[length])
            return;
        *a += length + 1;
        *b += length + 1;
    }
}

static int shown_length(const char *line)
{
    enum { MAX_TEXT = 120 };
    size_t length = strcspn(line, "\n");
    return length < MAX_TEXT ? (int)length : MAX_TEXT;
}

bool net_checkpoint_network(const NetTensorFile *file, const NetModel *model, NetNotes *notes,
                            NetError *error)
{
    const char *theirs = net_tensors_metadata(file, STRUCTURE), *ours = model->structure;
    const char *frozen = net_tensors_metadata(file, FROZEN);
    if (theirs && strcmp(theirs, ours) != 0) {
        find_difference(&theirs, &ours);
        return net_fail(error,
                        "%.120s is of another network, which has `%.*s` where this one has `%.*s`; "
                        "--init takes its weights alone",
                        file->path, shown_length(theirs), theirs, shown_length(ours), ours);
    }
    char *now = frozen_text(model);
    if (frozen && now && strcmp(frozen, now) != 0) {
        const char *before = frozen, *after = now;
        find_difference(&before, &after);
        net_note(notes, "other parameters are frozen than in %s, the first difference being %.*s",
                 file->path, shown_length(*before ? before : after), *before ? before : after);
    }
    free(now);
    return true;
}

bool net_checkpoint_data(const NetTensorFile *file, const NetIdentity *ours, NetNotes *notes,
                         NetError *error)
{
    NetIdentity theirs = {0};
    const char *what = net_tensors_metadata(file, DATA);
    if (!what) {
        net_note(notes,
                 "%s was written by an earlier version and does not say what data it is of: that "
                 "they are these cannot be "
                 "checked",
                 file->path);
        return true;
    }
    snprintf(theirs.what, sizeof theirs.what, "%s", what);
    for (int i = 0; i < NET_DATA_TRAITS; i++) {
        const char *text = net_tensors_metadata(file, net_identity_key(i));
        text = text ? text : net_identity_default(i);
        if (!text)
            return net_fail(error, "%s is no checkpoint: its __metadata__ has no %s", file->path,
                            net_identity_key(i));
        snprintf(theirs.texts[i], sizeof theirs.texts[i], "%s", text);
    }
    return net_identity_same(&theirs, ours, file->path, error);
}

bool net_checkpoint_progress(const NetTensorFile *file, NetSettings *settings,
                             NetProgress *progress, NetNotes *notes, NetError *error)
{
    return read_progress(file, progress, error) && check_optimizer(file, settings, error)
           && take_settings(file, settings, notes, error)
           && check_seed(file, settings, progress, error);
}
