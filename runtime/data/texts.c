/* texts.c: texts by class, train/CLASS/….txt and test/CLASS/….txt: what a review says, which
 * language it is.
 *
 * An example is the first characters of a file, as many as the network's input has.  A shorter one
 * is filled up by a number of its own, the one behind the characters'; of bytes by zeros.  Which
 * characters have which number is the data's recipe, which goes with the weights.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256 };

static const NetFileKind text_files = {
    .noun = "text", .plural = "texts", .endings = {".txt", ".text", NULL}};

bool net_is_text_folder(const char *root, bool *is, NetError *error)
{
    return net_is_folder(is, root, ".", error);
}

/* What characters become. */
typedef struct Reading {
    NetAlphabet alphabet;
    int64_t length, filler; /* of the input; behind a text that is shorter */
    NetKind kind;
} Reading;

static bool meet(NetAlphabet *alphabet, const NetFiles *files, NetError *error)
{
    for (int64_t i = 0; i < files->paths.count; i++) {
        int64_t length;
        char *text = net_read_whole(files->paths.items[i], &length, error);
        bool good = text && net_alphabet_meet(alphabet, text, length, files->paths.items[i], error);
        free(text);
        if (!good)
            return false;
    }
    return true;
}

/* Those that the weights know, or those of all texts; and a number to fill up with. */
static bool make_reading(Reading *reading, const NetByClass *files, const NetOpening *opening,
                         NetError *error)
{
    int64_t most = opening->model->numbers;
    NetAlphabet *alphabet = &reading->alphabet;
    reading->length = net_shape_elements(opening->model->input);
    if (!net_alphabet_open(alphabet, most == BYTES, error))
        return false;
    bool known = opening->test_only && opening->recipe;
    if (!alphabet->bytes && known && !net_alphabet_read(alphabet, opening->recipe, error))
        return false;
    if (!alphabet->bytes && !known
        && (!meet(alphabet, &files->train, error) || !meet(alphabet, &files->test, error)
            || !net_alphabet_number(alphabet, most - 1, opening->source, error)))
        return false;
    reading->filler = alphabet->bytes ? 0 : alphabet->count;
    reading->kind = most <= BYTES ? NET_BYTES : NET_WHOLE;
    return reading->filler < most
           || net_fail(error,
                       "the weights know %" PRId64 " characters, and the network takes %" PRId64
                       " numbers, of which one is to fill up with",
                       alphabet->count, most);
}

static bool read_text(void *to, const Reading *reading, const char *path, NetError *error)
{
    int64_t length;
    char *text = net_read_whole(path, &length, error);
    for (int64_t i = 0; i < reading->length; i++)
        if (reading->kind == NET_BYTES)
            ((uint8_t *)to)[i] = (uint8_t)reading->filler;
        else
            ((int32_t *)to)[i] = (int32_t)reading->filler;
    bool good = text
                && net_alphabet_translate(&reading->alphabet, reading->kind, to, reading->length,
                                          text, length, path, error);
    free(text);
    return good;
}

static bool read_part(NetImages *images, const NetFiles *files, int64_t classes,
                      const Reading *reading, const NetOpening *opening, NetError *error)
{
    images->count = files->paths.count;
    if (images->count == 0)
        return true;
    NetArray *array = net_add_array(images, "text", reading->kind,
                                    (NetShape){1, reading->length, 1, 1, 1}, error);
    int64_t bytes = reading->length * (int64_t)net_kind_bytes(reading->kind);
    for (int64_t i = 0; array && i < images->count; i++)
        if (!read_text((char *)array->values + i * bytes, reading, files->paths.items[i], error))
            return false;
    if (array)
        array->classes = opening->model->numbers;
    return array && net_add_classes(images, files->labels, classes, error);
}

bool net_read_texts(NetData *data, const NetOpening *opening, NetError *error)
{
    NetByClass files;
    Reading reading = {0};
    if (!net_list_by_class(&files, opening->source, &text_files, opening, error))
        return false;
    int64_t classes = files.classes.count;
    snprintf(data->what, sizeof data->what, "%s", opening->source);
    bool good = make_reading(&reading, &files, opening, error)
                && read_part(&data->train, &files.train, classes, &reading, opening, error)
                && read_part(&data->test, &files.test, classes, &reading, opening, error);
    if (good) {
        data->class_names = net_names_lines(&files.classes);
        data->recipe = net_alphabet_lines(&reading.alphabet, reading.alphabet.count);
        good = (data->class_names && data->recipe) || net_fail(error, "out of memory");
    }
    net_alphabet_close(&reading.alphabet);
    net_by_class_close(&files);
    return good;
}
