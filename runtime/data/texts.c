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

const NetFileKind net_text_files = {
    .noun = "text", .plural = "texts", .endings = {".txt", ".text", NULL}};

bool net_is_text_folder(const char *root, bool *is, NetError *error)
{
    return net_is_folder(is, root, ".", error);
}

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

/* The alphabet has its numbers: one more is to fill up with. */
static bool set_filler(NetTextReading *reading, const NetModel *model, NetError *error)
{
    const NetAlphabet *alphabet = &reading->alphabet;
    reading->length = net_shape_elements(model->input);
    reading->filler = alphabet->bytes ? 0 : alphabet->count;
    reading->kind = model->numbers <= BYTES ? NET_BYTES : NET_WHOLE;
    return reading->filler < model->numbers
           || net_fail(error,
                       "the weights know %" PRId64 " characters, and the network takes %" PRId64
                       " numbers, of which one is to fill up with",
                       alphabet->count, model->numbers);
}

bool net_text_reading_open(NetTextReading *reading, const NetModel *model, const char *recipe,
                           NetError *error)
{
    *reading = (NetTextReading){0};
    return net_alphabet_open(&reading->alphabet, model->numbers == BYTES, error)
           && (reading->alphabet.bytes || net_alphabet_read(&reading->alphabet, recipe, error))
           && set_filler(reading, model, error);
}

void net_text_reading_close(NetTextReading *reading)
{
    net_alphabet_close(&reading->alphabet);
}

/* Those that the weights know, or those of all texts; and a number to fill up with. */
static bool make_reading(NetTextReading *reading, const NetByClass *files,
                         const NetOpening *opening, NetError *error)
{
    const NetModel *model = opening->model;
    NetAlphabet *alphabet = &reading->alphabet;
    if (opening->test_only && opening->recipe)
        return net_text_reading_open(reading, model, opening->recipe, error);
    if (!net_alphabet_open(alphabet, model->numbers == BYTES, error))
        return false;
    if (!alphabet->bytes
        && (!meet(alphabet, &files->train, error) || !meet(alphabet, &files->test, error)
            || !net_alphabet_number(alphabet, model->numbers - 1, opening->source, error)))
        return false;
    return set_filler(reading, model, error);
}

bool net_text_read(void *to, const NetTextReading *reading, const char *text, int64_t length,
                   const char *path, NetError *error)
{
    for (int64_t i = 0; i < reading->length; i++)
        if (reading->kind == NET_BYTES)
            ((uint8_t *)to)[i] = (uint8_t)reading->filler;
        else
            ((int32_t *)to)[i] = (int32_t)reading->filler;
    return net_alphabet_translate(&reading->alphabet, reading->kind, to, reading->length, text,
                                  length, path, error);
}

static bool read_file(void *to, const NetTextReading *reading, const char *path, NetError *error)
{
    int64_t length;
    char *text = net_read_whole(path, &length, error);
    bool good = text && net_text_read(to, reading, text, length, path, error);
    free(text);
    return good;
}

static bool read_part(NetImages *images, const NetFiles *files, int64_t classes,
                      const NetTextReading *reading, const NetOpening *opening, NetError *error)
{
    images->count = files->paths.count;
    if (images->count == 0)
        return true;
    NetArray *array = net_add_array(images, "text", reading->kind,
                                    (NetShape){1, reading->length, 1, 1, 1}, error);
    int64_t bytes = reading->length * (int64_t)net_kind_bytes(reading->kind);
    for (int64_t i = 0; array && i < images->count; i++)
        if (!read_file((char *)array->values + i * bytes, reading, files->paths.items[i], error))
            return false;
    if (array)
        array->classes = opening->model->numbers;
    return array && net_add_classes(images, files->labels, classes, error);
}

bool net_read_texts(NetData *data, const NetOpening *opening, NetError *error)
{
    NetByClass files;
    NetTextReading reading = {0};
    if (!net_list_by_class(&files, opening->source, &net_text_files, opening, error))
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
    net_text_reading_close(&reading);
    net_by_class_close(&files);
    return good;
}
