/* text.c: a file of text as whole numbers, one for each of its characters, or for each byte.
 *
 * An image is a stretch of the text, and what it is to give is what follows: a character for each
 * of the stretch's, or the next one only.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256, MAX_CODE = 0x110000, TESTED = 10 }; /* one part in so many is for testing */

/* The whole file; free() it. */
static uint8_t *read_file(const char *path, int64_t *length, NetError *error)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    if (!file || fseek(file, 0, SEEK_END) != 0 || (*length = ftell(file)) < 0
        || fseek(file, 0, SEEK_SET) != 0) {
        net_fail(error, "cannot read %s: %s", path, strerror(errno));
    } else if ((bytes = net_allocate((size_t)*length + 1, 1, error)) != NULL
               && fread(bytes, 1, (size_t)*length, file) != (size_t)*length) {
        net_fail(error, "cannot read %s: %s", path,
                 ferror(file) ? strerror(errno) : "it became shorter");
        free(bytes);
        bytes = NULL;
    }
    if (file)
        fclose(file);
    return bytes;
}

/* A text's characters: which there are, and of each its number, from 0. */
typedef struct Alphabet {
    int32_t codes[BYTES];
    int count;
    int16_t *numbers; /* [MAX_CODE]; -1: it is not met */
} Alphabet;

static bool number_characters(Alphabet *alphabet, const char *path, int64_t most, NetError *error)
{
    int64_t met = 0;
    for (int32_t code = 0; code < MAX_CODE; code++) {
        if (alphabet->numbers[code] < 0)
            continue;
        if (met < BYTES) {
            alphabet->codes[met] = code;
            alphabet->numbers[code] = (int16_t)met;
        }
        met++;
    }
    alphabet->count = (int)(met < BYTES ? met : BYTES);
    if (met <= most && met <= BYTES)
        return true;
    return net_fail(
        error,
        "%s has %" PRId64 " different characters, and the network takes %" PRId64 " numbers%s",
        path, met, most, most < BYTES ? "" : "; `input [...] of 256` takes a text's bytes");
}

/* Makes numbers of characters in place; *length becomes how many there are. */
static bool number_text(Alphabet *alphabet, uint8_t *text, int64_t *length, const char *path,
                        int64_t most, NetError *error)
{
    int64_t count = 0;
    uint32_t code;
    for (int64_t at = 0, step; at < *length; at += step) {
        step = net_utf8_decode(text + at, (size_t)(*length - at), &code);
        if (step == 0)
            return net_fail(error, "%s: byte %" PRId64 " begins no character of UTF-8", path, at);
        alphabet->numbers[code] = 0;
    }
    if (!number_characters(alphabet, path, most, error))
        return false;
    for (int64_t at = 0; at < *length; count++) {
        at += net_utf8_decode(text + at, (size_t)(*length - at), &code);
        text[count] = (uint8_t)alphabet->numbers[code];
    }
    *length = count;
    return true;
}

static void number_bytes(Alphabet *alphabet)
{
    alphabet->count = BYTES;
    for (int i = 0; i < BYTES; i++)
        alphabet->codes[i] = i;
}

/* As names of classes: a line for each number, what no terminal prints by its code. */
static char *name_characters(const Alphabet *alphabet, int64_t numbers, bool bytes)
{
    char *names = NULL;
    size_t size;
    FILE *out = open_memstream(&names, &size);
    for (int64_t i = 0; out && i < numbers; i++) {
        int32_t code = i < alphabet->count ? alphabet->codes[i] : -1;
        if (code < 0)
            fprintf(out, "unused %" PRId64, i);
        else if (code < 0x20 || code == 0x7f || code == '\\' || (bytes && code > 0x7f))
            fprintf(out, "\\x%02x", (unsigned)code);
        else if (code < 0x80)
            fputc(code, out);
        else
            fprintf(out, "\\u%04x", (unsigned)code);
        if (i + 1 < numbers)
            fputc('\n', out);
    }
    if (!out || fclose(out) != 0) {
        free(names);
        return NULL;
    }
    return names;
}

int net_spell_character(const char *name, char bytes[8])
{
    unsigned code;
    if (sscanf(name, "\\x%2x", &code) == 1) {
        bytes[0] = (char)code;
        return 1;
    }
    if (sscanf(name, "\\u%6x", &code) != 1) {
        snprintf(bytes, 8, "%s", name);
        return (int)strlen(bytes);
    }
    int length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)((0xf00 >> length) | code);
    return length;
}

/* Stretches of `length` numbers, one behind the other; `spare` of the text are left to begin at. */
static bool cut(NetImages *images, const uint8_t *text, int64_t count, int64_t spare,
                const NetModel *model, int64_t numbers, NetError *error)
{
    int64_t length = net_shape_elements(model->input), follow = model->targets;
    if (follow > length)
        return net_fail(error,
                        "the network gives %" PRId64 " characters for each %" PRId64
                        " that it takes: a text has no such targets",
                        follow, length);
    uint8_t *own = net_allocate((size_t)count, 1, error);
    *images = (NetImages){.count = (count - spare) / length};
    NetArray *taken = own ? net_lend_array(images, "text", NET_BYTES,
                                           (NetShape){1, length, 1, 1, 1}, own, false, error)
                          : NULL,
             *next = taken ? net_lend_array(images, "next", NET_BYTES,
                                            (NetShape){follow > 1, follow, 1, 1, 1},
                                            own + length - follow + 1, true, error)
                           : NULL;
    if (!next)
        return false;
    memcpy(own, text, (size_t)count);
    taken->stride = next->stride = length;
    taken->slides = next->slides = true;
    taken->classes = next->classes = numbers;
    return true;
}

static bool split(NetData *data, const char *path, const uint8_t *text, int64_t count,
                  const NetModel *model, NetError *error)
{
    int64_t length = net_shape_elements(model->input), numbers = model->numbers;
    int64_t tested = count / TESTED, trained = count - tested;
    if (tested < length + 1 || trained < 2 * length)
        return net_fail(error,
                        "%s has %" PRId64 " characters: too few to train on stretches of %" PRId64
                        " and to test with the last tenth",
                        path, count, length);
    snprintf(data->what, sizeof data->what, "%s", path);
    return cut(&data->train, text, trained, length, model, numbers, error)
           && cut(&data->test, text + trained, tested, 1, model, numbers, error);
}

bool net_read_text(NetData *data, const char *path, const NetModel *model, NetError *error)
{
    int64_t numbers = model->numbers;
    Alphabet alphabet = {.numbers = net_allocate(MAX_CODE, sizeof(int16_t), error)};
    int64_t count = 0;
    bool bytes = numbers == BYTES, good = alphabet.numbers != NULL;
    uint8_t *text = good ? read_file(path, &count, error) : NULL;
    if (good)
        memset(alphabet.numbers, -1, MAX_CODE * sizeof(int16_t));
    if (text && bytes)
        number_bytes(&alphabet);
    good = text && (bytes || number_text(&alphabet, text, &count, path, numbers, error))
           && split(data, path, text, count, model, error);
    if (good) {
        data->class_names = name_characters(&alphabet, numbers, bytes);
        good = data->class_names || net_fail(error, "out of memory");
    }
    free(alphabet.numbers);
    free(text);
    return good;
}

bool net_draw_numbers(NetImages *images, int64_t count, const NetModel *model, uint64_t seed,
                      NetError *error)
{
    int64_t length = net_shape_elements(model->input), numbers = model->numbers;
    int64_t most = numbers < BYTES ? numbers : BYTES, all = (count + 1) * length + 1, number = 0;
    uint8_t *text = net_allocate((size_t)all, 1, error);
    if (!text)
        return false;
    for (int64_t i = 0; i < all; i++) {
        double drawn = net_random(seed, 0, net_hash("numbers"), (uint64_t)i);
        number = drawn < 0.75 ? (3 * number + 1) % most
                              : (int64_t)((drawn - 0.75) * 4 * (double)most) % most;
        text[i] = (uint8_t)number;
    }
    bool good = cut(images, text, all, length + 1, model, most, error);
    free(text);
    return good;
}
