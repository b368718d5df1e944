/* units.c: targets in units of their own.
 *
 * What a loss of numbers holds an output against may be standardised: less the mean, over the
 * deviation, both of the training examples, value by value.  Which targets are, the train section
 * says (compiler/graph/training_units.c).  The two numbers belong to the weights, whose outputs
 * mean nothing without them, so they go into the weights' __metadata__ as `target.mean` and
 * `target.std`, of a target with a name as `target.NAME.mean`; whoever reads weights that say
 * nothing, PyTorch's, takes outputs as they are.  Only here and where targets are loaded does
 * anyone know of it: answers and figures are in the target's own unit.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const parts[NET_NORMAL_PARTS] = {[NET_MEAN] = "mean", [NET_STD] = "std"};

static int64_t count_of(const NetSession *session, int target)
{
    return net_shape_elements(session->model->wanted[target].shape);
}

static double *part_of(const NetSession *session, int target, int part)
{
    return session->units[target] + part * count_of(session, target);
}

void net_units_forget(NetSession *session)
{
    for (int i = 0; i < NET_MAX_TARGETS; i++) {
        free(session->units[i]);
        session->units[i] = NULL;
    }
    session->units_known = false;
}

/* Means 0 and deviations 1. */
static bool open_unit(NetSession *session, int target, NetError *error)
{
    int64_t count = count_of(session, target);
    session->units[target] = net_allocate(NET_NORMAL_PARTS * (size_t)count, sizeof(double), error);
    for (int64_t i = 0; session->units[target] && i < count; i++)
        part_of(session, target, NET_STD)[i] = 1;
    return session->units[target];
}

/* ------------------------------------------------------------ of the data */

/* The number of an example that is trained on. */
static double value_at(const NetData *data, const NetTarget *target, const NetArray *array,
                       int64_t example, int64_t element)
{
    int64_t index = data->order ? data->order[example] : example;
    return (double)net_target_number(target, array, net_array_at(array, index, 0), element);
}

/* One that never changes keeps the deviation 1. */
static void measure(NetSession *session, int number, const NetData *data, const NetArray *array)
{
    const NetTarget *target = &session->model->wanted[number];
    double *mean = part_of(session, number, NET_MEAN), *std = part_of(session, number, NET_STD);
    int64_t examples = net_trained_images(data);
    for (int64_t k = 0; k < count_of(session, number); k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < examples; i++)
            sum += value_at(data, target, array, i, k);
        mean[k] = sum / (double)examples;
        for (int64_t i = 0; i < examples; i++) {
            double off = value_at(data, target, array, i, k) - mean[k];
            squares += off * off;
        }
        squares = sqrt(squares / (double)examples);
        std[k] = squares > 1e-6 * fabs(mean[k]) && squares > 1e-30 ? squares : 1;
    }
}

bool net_units_take(NetSession *session, const NetData *data, NetError *error)
{
    const NetModel *model = session->model;
    for (int i = 0; !session->units_known && !data->drawn && i < model->wanted_count; i++) {
        const NetArray *array = &data->train.arrays[data->train.targets[i]];
        if (!model->wanted[i].standardised || net_is_by_class(&model->wanted[i], array))
            continue;
        if (!open_unit(session, i, error))
            return false;
        measure(session, i, data, array);
    }
    session->units_known = true;
    return true;
}

/* --------------------------------------------------------- of the weights */

static const char *key_of(char key[NET_UNIT_KEY], const NetTarget *target, int part)
{
    if (target->name)
        snprintf(key, NET_UNIT_KEY, "target.%.*s.%s", NET_ARRAY_NAME - 1, target->name,
                 parts[part]);
    else
        snprintf(key, NET_UNIT_KEY, "target.%s", parts[part]);
    return key;
}

static bool read_part(NetSession *session, int target, int part, const char *text,
                      const char *where, NetError *error)
{
    int64_t count = count_of(session, target), found = 0;
    char *copy = strdup(text), *rest = copy;
    bool good = copy || net_fail(error, "out of memory");
    for (char *word; good && (word = strsep(&rest, ",")); found++) {
        double number;
        good = net_parse_number(&number, word, false, part == NET_STD ? 1e-37 : -1e37, 1e37, where,
                                error);
        if (good && found < count)
            part_of(session, target, part)[found] = number;
    }
    free(copy);
    return good
           && (found == count
               || net_fail(error, "%s has %lld numbers, and the network gives %lld", where,
                           (long long)found, (long long)count));
}

/* A loss of numbers alone may have any unit. */
static bool may_have_unit(const NetTarget *target)
{
    return target->kind == NET_NUMBERS && target->low > target->high && target->shape.rank == 1;
}

static bool read_unit(NetSession *session, int target, const NetTensorFile *file, NetError *error)
{
    char key[NET_UNIT_KEY], where[NET_UNIT_KEY + 2 * NET_SHAPE_TEXT];
    for (int part = 0; part < NET_NORMAL_PARTS; part++) {
        const char *text =
            net_tensors_metadata(file, key_of(key, &session->model->wanted[target], part));
        snprintf(where, sizeof where, "%.140s: %s", file->path, key);
        if (text && !session->units[target] && !open_unit(session, target, error))
            return false;
        if (text && !read_part(session, target, part, text, where, error))
            return false;
    }
    return true;
}

bool net_units_read(NetSession *session, const NetTensorFile *file, NetError *error)
{
    net_units_forget(session);
    for (int i = 0; i < session->model->wanted_count; i++)
        if (may_have_unit(&session->model->wanted[i]) && !read_unit(session, i, file, error))
            return false;
    session->units_known = true;
    return true;
}

int net_units_write(const NetSession *session, char *pairs[NET_UNIT_PAIRS])
{
    int count = 0;
    for (int i = 0; i < session->model->wanted_count; i++)
        for (int part = 0; session->units[i] && part < NET_NORMAL_PARTS; part++) {
            char key[NET_UNIT_KEY];
            pairs[count++] = strdup(key_of(key, &session->model->wanted[i], part));
            pairs[count++] = net_numbers_text(part_of(session, i, part), count_of(session, i), 17);
        }
    return count;
}

/* ------------------------------------------------------------------- used */

double net_to_unit(const NetSession *session, int target, int64_t element, double value)
{
    if (target < 0 || !session->units[target])
        return value;
    return value * part_of(session, target, NET_STD)[element]
           + part_of(session, target, NET_MEAN)[element];
}

double net_from_unit(const NetSession *session, int target, int64_t element, double value)
{
    if (!session->units[target])
        return value;
    return (value - part_of(session, target, NET_MEAN)[element])
           / part_of(session, target, NET_STD)[element];
}

void net_answer_in_unit(const NetSession *session, int target, float *values, int64_t images)
{
    if (target < 0 || !session->units[target])
        return;
    int64_t count = count_of(session, target);
    for (int64_t i = 0; i < images * count; i++)
        values[i] = (float)net_to_unit(session, target, i % count, (double)values[i]);
}

const char *net_units_text(char *text, size_t size, const NetSession *session)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < session->model->wanted_count; i++) {
        const char *name = session->model->wanted[i].name;
        char shown[NET_ARRAY_NAME];
        int64_t count = session->units[i] ? count_of(session, i) : 0;
        for (int64_t k = 0; k < count && used < size - 1; k++) {
            const char *of = k || !name ? "" : net_shown(shown, sizeof shown, name);
            int more = snprintf(text + used, size - used, "%s%s%s%smean %.6g, deviation %.6g",
                                used ? "; " : "", k ? "" : "target ", of, *of ? " " : "",
                                part_of(session, i, NET_MEAN)[k], part_of(session, i, NET_STD)[k]);
            used = used + (size_t)more < size ? used + (size_t)more : size - 1;
        }
    }
    return text;
}
