/* audio.c: recordings by class, WAV files, as numbers from -1 to 1.
 *
 * A recording is cut to the network's length, or followed by silence.  Of a network with one
 * channel the channels' mean is taken.  All recordings must have one rate, samples a second, unless
 * `rate=` says which one others are brought to.  The rate goes with the weights.
 *
 * WAV: "Multimedia Programming Interface and Data Specifications 1.0", IBM and Microsoft 1991;
 * chunks of a name, a length and bytes.  The libraries that read it bring a dozen compressed kinds
 * into every trainer; these are the uncompressed ones.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHOLE = 1, /* formats of samples */
    REAL = 3,
    EXTENSIBLE = 0xfffe, /* the format is said further on */
    HEADER = 12,
    CHUNK = 8,
    MIN_FORMAT = 16,
    MAX_CHANNELS = 64,
};

/* A length from here on says that who wrote the file, into a pipe, did not know it: ffmpeg has all
 * ones for it, sox the largest that it can. */
static const int64_t unknown_length = 0x7fffe000;

const NetFileKind net_wave_files = {
    .noun = "WAV", .plural = "recordings", .endings = {".wav", ".wave", NULL}};

typedef struct Wave {
    const char *path;
    int format, channels, bytes; /* bytes: of a sample */
    int64_t rate, frames;
    const uint8_t *samples;
    NetError *error;
} Wave;

static uint32_t number(const uint8_t *from, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)from[i] << (8 * i);
    return value;
}

/* ------------------------------------------------------------- the file */

static bool read_format(Wave *wave, const uint8_t *at, int64_t length)
{
    if (length < MIN_FORMAT)
        return net_fail(wave->error, "%s says its format in %" PRId64 " bytes; at least %d are due",
                        wave->path, length, (int)MIN_FORMAT);
    wave->format = (int)number(at, 2);
    if (wave->format == EXTENSIBLE && length >= 26)
        wave->format = (int)number(at + 24, 2);
    wave->channels = (int)number(at + 2, 2);
    wave->rate = number(at + 4, 4);
    int bits = (int)number(at + 14, 2);
    wave->bytes = bits / 8;
    bool whole = wave->format == WHOLE && (bits == 8 || bits == 16 || bits == 24 || bits == 32),
         real = wave->format == REAL && (bits == 32 || bits == 64);
    if (!whole && !real)
        return net_fail(wave->error,
                        "%s has samples of format %d with %d bits; whole numbers of 8, 16, 24 and "
                        "32 bits (format 1) and real ones of 32 and 64 (format 3) are read",
                        wave->path, wave->format, bits);
    if (wave->channels < 1 || wave->channels > MAX_CHANNELS || wave->rate < 1)
        return net_fail(wave->error,
                        "%s says that it has %d channels and %" PRId64 " samples a second",
                        wave->path, wave->channels, wave->rate);
    return true;
}

static bool read_chunks(Wave *wave, const uint8_t *bytes, int64_t count)
{
    bool format = false;
    for (int64_t at = HEADER; at + CHUNK <= count;) {
        int64_t length = number(bytes + at + 4, 4), left = count - at - CHUNK;
        const uint8_t *chunk = bytes + at + CHUNK;
        bool samples = memcmp(bytes + at, "data", 4) == 0;
        if (samples && length >= unknown_length && length > left)
            length = left; /* until the file's end */
        if (length > left)
            return net_fail(wave->error,
                            "%s is cut off: its chunk at byte %" PRId64 " has %" PRId64
                            " bytes, and the file has %" PRId64 " more",
                            wave->path, at, length, left);
        if (memcmp(bytes + at, "fmt ", 4) == 0 && !read_format(wave, chunk, length))
            return false;
        format = format || memcmp(bytes + at, "fmt ", 4) == 0;
        if (samples && !format)
            return net_fail(wave->error, "%s has samples (byte %" PRId64 ") before their format",
                            wave->path, at);
        if (samples) {
            wave->samples = chunk;
            wave->frames = length / (wave->bytes * wave->channels);
            return wave->frames > 0 || net_fail(wave->error, "%s has no samples", wave->path);
        }
        at += CHUNK + length + length % 2;
    }
    return net_fail(wave->error, "%s is cut off: it ends at byte %" PRId64 " before its samples",
                    wave->path, count);
}

static bool read_wave(Wave *wave, const uint8_t *bytes, int64_t count)
{
    if (count < HEADER || memcmp(bytes, "RIFF", 4) != 0 || memcmp(bytes + 8, "WAVE", 4) != 0)
        return net_fail(wave->error, "%s is no WAV file: it does not begin with RIFF and WAVE",
                        wave->path);
    return read_chunks(wave, bytes, count);
}

/* -1 to 1.  A sample of 8 bits has its zero at 128. */
static double sample_at(const Wave *wave, int64_t frame, int channel)
{
    const uint8_t *at = wave->samples + (frame * wave->channels + channel) * wave->bytes;
    uint32_t low = number(at, wave->bytes < 4 ? wave->bytes : 4);
    if (wave->format == REAL && wave->bytes == 4) {
        float value;
        return memcpy(&value, &low, sizeof value), (double)value;
    }
    if (wave->format == REAL) {
        uint64_t bits = low | (uint64_t)number(at + 4, 4) << 32;
        double value;
        return memcpy(&value, &bits, sizeof value), value;
    }
    if (wave->bytes == 1)
        return ((double)low - 128) / 128;
    return (double)(int32_t)(low << (32 - 8 * wave->bytes)) / 2147483648.0;
}

/* One channel of the network at one frame: of one channel the mean of the file's. */
static double frame_at(const Wave *wave, int64_t frame, int channel, int channels)
{
    double sum = 0;
    if (channels == wave->channels)
        return sample_at(wave, frame, channel);
    for (int c = 0; c < wave->channels; c++)
        sum += sample_at(wave, frame, c);
    return sum / wave->channels;
}

/* ----------------------------------------------------------- as an input */

/* What the network takes. */
typedef struct Goal {
    int channels;
    int64_t length, rate; /* rate 0: the first recording's, which becomes all's */
    bool resample;
} Goal;

static bool find_goal(Goal *goal, const NetModel *model, double rate, NetError *error)
{
    NetShape input = model->input;
    *goal = (Goal){.channels = input.rank == 1 ? 1 : (int)input.c,
                   .length = input.rank == 1 ? input.c : input.w,
                   .rate = (int64_t)rate,
                   .resample = rate > 0};
    return input.rank <= 2 || (input.rank == 3 && input.h == 1)
           || net_fail(error, "the network takes no recordings: its input is to be [channels, "
                              "samples], as [1, 16000]");
}

/* In time: the mean of the samples that one covers, or between two where there are fewer. */
static double resampled(const Wave *wave, double from, double to, int channel, int channels)
{
    int64_t first = (int64_t)from, last = wave->frames - 1;
    double sum = 0, weights = 0;
    if (to - from < 1) {
        int64_t next = first < last ? first + 1 : last;
        double part = from - (double)first;
        return (1 - part) * frame_at(wave, first, channel, channels)
               + part * frame_at(wave, next, channel, channels);
    }
    for (int64_t frame = first; (double)frame < to && frame <= last; frame++) {
        double start = from > (double)frame ? from : (double)frame,
               end = to < (double)(frame + 1) ? to : (double)(frame + 1);
        sum += (end - start) * frame_at(wave, frame, channel, channels);
        weights += end - start;
    }
    return weights > 0 ? sum / weights : 0;
}

static void fill(float *to, const Wave *wave, const Goal *goal)
{
    double step = (double)wave->rate / (double)goal->rate;
    bool same = wave->rate == goal->rate;
    for (int c = 0; c < goal->channels; c++)
        for (int64_t i = 0; i < goal->length; i++) {
            double from = (double)i * step, value = 0;
            if (same && i < wave->frames)
                value = frame_at(wave, i, c, goal->channels);
            else if (!same && from < (double)wave->frames)
                value = resampled(wave, from, from + step, c, goal->channels);
            to[c * goal->length + i] = (float)value;
        }
}

static bool check_wave(const Wave *wave, Goal *goal)
{
    if (goal->rate == 0)
        goal->rate = wave->rate;
    if (wave->rate != goal->rate && !goal->resample)
        return net_fail(wave->error,
                        "%s has %" PRId64 " samples a second, and what was read before %" PRId64
                        ": rate=%" PRId64 " in the train section's data brings all to one",
                        wave->path, wave->rate, goal->rate, goal->rate);
    return goal->channels == 1 || goal->channels == wave->channels
           || net_fail(wave->error, "%s has %d channels, and the network takes %d", wave->path,
                       wave->channels, goal->channels);
}

static bool read_recording(float *to, Goal *goal, const char *path, NetError *error)
{
    int64_t count;
    Wave wave = {.path = path, .error = error};
    char *bytes = net_read_whole(path, &count, error);
    bool good = bytes && read_wave(&wave, (const uint8_t *)bytes, count) && check_wave(&wave, goal);
    if (good)
        fill(to, &wave, goal);
    free(bytes);
    for (int64_t i = 0; good && i < goal->channels * goal->length; i++)
        if (!isfinite(to[i]))
            good = net_fail(error, "%s has a sample that is no number, at %" PRId64, path,
                            i % goal->length);
    return good;
}

static bool read_part(NetImages *images, const NetFiles *part, int64_t classes, Goal *goal,
                      const NetOpening *opening, NetError *error)
{
    int64_t elements = goal->channels * goal->length;
    images->count = part->paths.count;
    if (images->count == 0)
        return true;
    NetArray *array = net_add_array(images, "audio", NET_FLOAT,
                                    (NetShape){2, goal->channels, 1, goal->length, 1}, error);
    if (!array)
        return false;
    for (int64_t i = 0; i < images->count; i++) {
        if (!read_recording((float *)array->values + i * elements, goal, part->paths.items[i],
                            error))
            return false;
        if (opening->progress)
            opening->progress("reading recordings", i + 1, images->count);
    }
    return net_add_classes(images, part->labels, classes, error);
}

/* "16000": those that the weights were trained with are all that they know. */
static bool take_rate(Goal *goal, const NetOpening *opening, NetError *error)
{
    int64_t rate = opening->recipe ? strtoll(opening->recipe, NULL, 10) : 0;
    if (!opening->test_only || rate <= 0)
        return true;
    if (goal->rate > 0 && goal->rate != rate)
        return net_fail(error,
                        "the weights were trained with %" PRId64 " samples a second, and rate= "
                        "says %" PRId64,
                        rate, goal->rate);
    goal->rate = rate;
    return true;
}

bool net_read_audio(NetData *data, const NetOpening *opening, NetError *error)
{
    NetByClass files;
    Goal goal;
    double rate = net_setting(opening->settings, "data.rate", 0);
    if (!find_goal(&goal, opening->model, rate, error) || !take_rate(&goal, opening, error)
        || !net_list_by_class(&files, opening->source, &net_wave_files, opening, error))
        return false;
    int64_t classes = files.classes.count;
    snprintf(data->what, sizeof data->what, "%s", opening->source);
    bool good = read_part(&data->train, &files.train, classes, &goal, opening, error)
                && read_part(&data->test, &files.test, classes, &goal, opening, error);
    if (good) {
        data->class_names = net_names_lines(&files.classes);
        good = data->class_names && asprintf(&data->recipe, "%" PRId64, goal.rate) > 0;
        good = good || net_fail(error, "out of memory");
    }
    net_by_class_close(&files);
    return good;
}

bool net_takes_recordings(const NetModel *model)
{
    return net_is_read_by(model, "audio");
}

bool net_is_recording(const char *path)
{
    return net_ends_as(path, &net_wave_files);
}

bool net_open_recording(NetImages *images, const NetModel *model, const char *recipe,
                        const char *path, NetError *error)
{
    Goal goal;
    *images = (NetImages){.count = 1};
    if (!find_goal(&goal, model, recipe ? (double)strtoll(recipe, NULL, 10) : 0, error))
        return false;
    NetArray *array = net_add_array(images, "audio", NET_FLOAT, model->input, error);
    return array && read_recording(array->values, &goal, path, error);
}
