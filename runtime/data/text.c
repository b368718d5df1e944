/* text.c: a file of text as whole numbers, one for each of its characters, or for each byte.
 *
 * An example is a stretch of the text, and what it is to give is what follows: a character for each
 * of the stretch's, or the next one only.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256, TESTED = 10 }; /* one part in so many is for testing */

/* A text as numbers. */
typedef struct Numbers {
    NetKind kind;
    void *values;
    int64_t count, most; /* most: all are below it */
} Numbers;

static void *value_at(const Numbers *text, int64_t index)
{
    return (char *)text->values + index * (int64_t)net_kind_bytes(text->kind);
}

/* Stretches of `length` numbers, one behind the other; `spare` of the text are left to begin at. */
static bool cut(NetImages *images, const Numbers *text, int64_t first, int64_t count, int64_t spare,
                const NetModel *model, NetError *error)
{
    int64_t length = net_shape_elements(model->input), follow = model->targets;
    size_t bytes = net_kind_bytes(text->kind);
    if (follow > length)
        return net_fail(error,
                        "the network gives %" PRId64 " characters for each %" PRId64
                        " that it takes: a text has no such targets",
                        follow, length);
    char *own = net_allocate((size_t)count, bytes, error);
    *images = (NetImages){.count = (count - spare) / length};
    NetArray *taken = own ? net_lend_array(images, "text", text->kind,
                                           (NetShape){1, length, 1, 1, 1}, own, false, error)
                          : NULL,
             *next = taken
                         ? net_lend_array(images, "next", text->kind,
                                          (NetShape){follow > 1, follow, 1, 1, 1},
                                          own + (length - follow + 1) * (int64_t)bytes, true, error)
                         : NULL;
    if (!next)
        return false;
    memcpy(own, value_at(text, first), (size_t)count * bytes);
    taken->stride = next->stride = length;
    taken->slides = next->slides = true;
    taken->classes = next->classes = text->most;
    return true;
}

static bool split(NetData *data, const Numbers *text, const NetOpening *opening, NetError *error)
{
    const NetModel *model = opening->model;
    int64_t length = net_shape_elements(model->input);
    int64_t tested = text->count / TESTED, trained = text->count - tested;
    if (tested < length + 1 || trained < 2 * length)
        return net_fail(error,
                        "%s has %" PRId64 " characters: too few to train on stretches of %" PRId64
                        " and to test with the last tenth",
                        opening->source, text->count, length);
    snprintf(data->what, sizeof data->what, "%s", opening->source);
    return (opening->test_only || cut(&data->train, text, 0, trained, length, model, error))
           && cut(&data->test, text, trained, tested, 1, model, error);
}

/* Those of the weights that are tested, else the text's own. */
static bool know_alphabet(NetAlphabet *alphabet, const char *text, int64_t length,
                          const NetOpening *opening, NetError *error)
{
    if (alphabet->bytes)
        return true;
    if (opening->test_only && opening->class_lines)
        return net_alphabet_read(alphabet, opening->class_lines, error);
    return net_alphabet_meet(alphabet, text, length, opening->source, error)
           && net_alphabet_number(alphabet, opening->model->numbers, opening->source, error);
}

static bool read_numbers(Numbers *numbers, const NetAlphabet *alphabet, const char *text,
                         int64_t length, const NetOpening *opening, NetError *error)
{
    *numbers = (Numbers){.kind = alphabet->count <= BYTES ? NET_BYTES : NET_WHOLE,
                         .count = net_alphabet_length(alphabet, text, length),
                         .most = opening->model->numbers};
    numbers->values =
        net_allocate((size_t)numbers->count + 1, net_kind_bytes(numbers->kind), error);
    return numbers->values
           && net_alphabet_translate(alphabet, numbers->kind, numbers->values, numbers->count, text,
                                     length, opening->source, error);
}

bool net_read_text(NetData *data, const NetOpening *opening, NetError *error)
{
    NetAlphabet alphabet = {0};
    Numbers numbers = {0};
    int64_t length = 0, most = opening->model->numbers;
    char *text = net_read_whole(opening->source, &length, error);
    bool good = text && net_alphabet_open(&alphabet, most == BYTES, error)
                && know_alphabet(&alphabet, text, length, opening, error)
                && read_numbers(&numbers, &alphabet, text, length, opening, error)
                && split(data, &numbers, opening, error);
    if (good) {
        data->class_names = net_alphabet_lines(&alphabet, most);
        good = data->class_names || net_fail(error, "out of memory");
    }
    net_alphabet_close(&alphabet);
    free(numbers.values);
    free(text);
    return good;
}

bool net_validation_text(NetData *data, const NetOpening *opening, NetError *error)
{
    const NetModel *model = opening->model;
    NetAlphabet alphabet = {0};
    Numbers numbers = {0};
    int64_t length = 0, window = net_shape_elements(model->input);
    char *text = net_read_whole(opening->source, &length, error);
    bool good = text && net_alphabet_open(&alphabet, model->numbers == BYTES, error);
    if (good && !alphabet.bytes)
        good =
            opening->class_lines
                ? net_alphabet_read(&alphabet, opening->class_lines, error)
                : net_fail(error, "%s is a text, and what is trained on is none", opening->source);
    good = good && read_numbers(&numbers, &alphabet, text, length, opening, error);
    if (good && numbers.count < window + 1)
        good = net_fail(error, "%s has %" PRId64 " characters, which are no stretch of %" PRId64,
                        opening->source, numbers.count, window);
    good = good && cut(&data->validation, &numbers, 0, numbers.count, 1, model, error)
           && net_bind_images(&data->validation, model, opening->source, "validation", error);
    net_alphabet_close(&alphabet);
    free(numbers.values);
    free(text);
    return good;
}

/* Of a network that gives other classes than characters: any, in place of what follows. */
static bool draw_classes(NetImages *images, const NetTarget *target, uint64_t seed, NetError *error)
{
    images->array_count = 1; /* "next" was lent */
    NetArray *array =
        net_add_array(images, "class", NET_WHOLE, net_target_positions(target), error);
    int64_t count = array ? images->count * array->stride : 0;
    for (int64_t i = 0; i < count; i++)
        ((int32_t *)array->values)[i] =
            (int32_t)(net_random(seed, 0, net_hash("classes"), (uint64_t)i)
                      * (double)target->classes);
    if (array)
        array->classes = target->classes;
    return array != NULL;
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
    const Numbers drawn = {NET_BYTES, text, all, most};
    bool good = cut(images, &drawn, 0, all, length + 1, model, error);
    const NetTarget *target = model->wanted_count > 0 ? &model->wanted[0] : NULL;
    if (good && target && target->kind == NET_CLASSES && target->classes < most)
        good = draw_classes(images, target, seed, error);
    free(text);
    return good;
}
