/* normal.c: the mean and deviation that pixels are normalised with.
 *
 * Weights mean nothing without those that they were trained with, which may not
 * be the program's own: `--set` changes them, and so does an edited file.  So they
 * go into the weights' __metadata__, one number for each channel, and whoever
 * reads the weights uses them.  Weights that do not say, PyTorch's, are run with
 * the program's own.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct Key {
    const char *path;
    double min, max, otherwise;
} keys[NET_NORMAL_PARTS] = {
    [NET_MEAN] = {"normalize.mean", -1e6, 1e6, 0},
    [NET_STD] = {"normalize.std", 1e-6, 1e6, 1},
};

static double *part_of(double *numbers, int part, int64_t channels)
{
    return numbers + part * channels;
}

/* Pixels from 0 to 255 to input: times scale, plus shift. */
static void use(NetSession *session)
{
    int64_t channels = session->image.c;
    const double *mean = part_of(session->normal, NET_MEAN, channels),
                 *std = part_of(session->normal, NET_STD, channels);
    bool numbers = session->model->numbers != 0; /* as they are */
    for (int64_t c = 0; c < channels; c++) {
        session->scale[c] = (real)(numbers ? 1 : 1 / (255 * std[c]));
        session->shift[c] = (real)(numbers ? 0 : -mean[c] / std[c]);
    }
    net_normalise_further(session);
}

static size_t bytes_of(const NetSession *session)
{
    return NET_NORMAL_PARTS * (size_t)session->image.c * sizeof(double);
}

/* ------------------------------------------------------ of the program */

static bool take_setting(double *numbers, const NetValue *value, int64_t channels, double otherwise,
                         NetError *error)
{
    bool has = value && value->count > 0;
    if (has && value->count != 1 && value->count != channels)
        return net_fail(error, "%s has %d numbers and an image %" PRId64 " channels", value->path,
                        value->count, channels);
    for (int64_t c = 0; c < channels; c++)
        numbers[c] = !has ? otherwise : value->numbers[value->count == 1 ? 0 : c];
    return true;
}

bool net_session_normalise(NetSession *session, const NetSettings *settings, NetError *error)
{
    int64_t channels = session->image.c;
    for (int part = 0; part < NET_NORMAL_PARTS; part++)
        if (!take_setting(part_of(session->own_normal, part, channels),
                          net_setting_find(settings, keys[part].path), channels,
                          keys[part].otherwise, error))
            return false;
    memcpy(session->normal, session->own_normal, bytes_of(session));
    session->fit = net_fit_of(settings);
    use(session);
    return true;
}

/* ------------------------------------------------------ of the weights */

/* "0.5" or one number for each channel, "0.5,0.4,0.4". */
static bool read_numbers(double *numbers, int64_t channels, const char *text, const struct Key *key,
                         const char *where, NetError *error)
{
    char *copy = strdup(text), *rest = copy;
    if (!copy)
        return net_fail(error, "out of memory");
    int64_t count = 0;
    bool good = true;
    for (char *word; good && (word = strsep(&rest, ",")); count++) {
        double number;
        good = net_parse_number(&number, word, false, key->min, key->max, where, error);
        if (good && count < channels)
            numbers[count] = number;
    }
    free(copy);
    if (good && count != 1 && count != channels)
        return net_fail(error, "%s has %" PRId64 " numbers, and an image %" PRId64 " channels",
                        where, count, channels);
    for (int64_t c = 1; good && count == 1 && c < channels; c++)
        numbers[c] = numbers[0];
    return good;
}

/* Checkpoints from before weights had it have it among their settings. */
static const char *written_part(const NetTensorFile *file, const char *path)
{
    char setting[NET_SHAPE_TEXT];
    const char *text = net_tensors_metadata(file, path);
    snprintf(setting, sizeof setting, "setting.%s", path);
    return text ? text : net_tensors_metadata(file, setting);
}

double *net_normal_read(const NetSession *session, const NetTensorFile *file, NetError *error)
{
    int64_t channels = session->image.c;
    double *numbers = net_allocate(NET_NORMAL_PARTS * (size_t)channels, sizeof *numbers, error);
    if (!numbers)
        return NULL;
    memcpy(numbers, session->own_normal, bytes_of(session));
    for (int part = 0; part < NET_NORMAL_PARTS; part++) {
        char where[2 * NET_SHAPE_TEXT];
        const char *text = written_part(file, keys[part].path);
        snprintf(where, sizeof where, "%.140s: %s", file->path, keys[part].path);
        if (text
            && !read_numbers(part_of(numbers, part, channels), channels, text, &keys[part], where,
                             error)) {
            free(numbers);
            return NULL;
        }
    }
    return numbers;
}

void net_normal_use(NetSession *session, const double *numbers)
{
    memcpy(session->normal, numbers, bytes_of(session));
    use(session);
}

/* A number for each channel, or one for all of them; NULL: no memory. */
static char *text_of(const double *numbers, int64_t channels, int digits)
{
    int64_t count = 1;
    for (int64_t c = 1; c < channels; c++)
        if (numbers[c] != numbers[0])
            count = channels;
    return net_numbers_text(numbers, count, digits);
}

const char *net_normal_key(int part)
{
    return keys[part].path;
}

/* 17 digits bring every double back. */
char *net_normal_text(const NetSession *session, int part)
{
    return text_of(part_of(session->normal, part, session->image.c), session->image.c, 17);
}

/* --------------------------------------------------------- differences */

static void tell(const NetSession *session, int part, const char *weights, bool given,
                 NetNotes *notes)
{
    enum { FOR_PEOPLE = 8 }; /* digits */
    int64_t channels = session->image.c;
    char *theirs = text_of(part_of(session->normal, part, channels), channels, FOR_PEOPLE);
    char *own = text_of(part_of(session->own_normal, part, channels), channels, FOR_PEOPLE);
    if (theirs && own && given)
        net_note(notes, "%s %s is used, as asked for; %s was trained with %s", keys[part].path, own,
                 weights, theirs);
    else if (theirs && own)
        net_note(notes, "%s was trained with %s %s, which is used; this program's own is %s",
                 weights, keys[part].path, theirs, own);
    free(theirs);
    free(own);
}

void net_normal_settle(NetSession *session, const NetSettings *settings, const char *weights,
                       NetNotes *notes)
{
    int64_t channels = session->image.c;
    for (int part = 0; part < NET_NORMAL_PARTS; part++) {
        double *now = part_of(session->normal, part, channels),
               *own = part_of(session->own_normal, part, channels);
        const NetValue *value = net_setting_find(settings, keys[part].path);
        bool given = value && value->given;
        if (memcmp(now, own, (size_t)channels * sizeof *now) == 0)
            continue;
        tell(session, part, weights, given, notes);
        if (given)
            memcpy(now, own, (size_t)channels * sizeof *now);
    }
    use(session);
}

void net_normalisation(const NetSession *session, int64_t channel, double *mean, double *std)
{
    *mean = part_of(session->normal, NET_MEAN, session->image.c)[channel];
    *std = part_of(session->normal, NET_STD, session->image.c)[channel];
}
