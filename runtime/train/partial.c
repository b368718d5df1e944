/* partial.c: of a weights file what fits, by name and shape, and a table of what does not: for a
 * network that shares some layers with the one that the weights are of.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 20 }; /* of each part of the table */

/* The tensor that fits the parameter; NULL: none, and *other is what has its name. */
static const NetStored *find_fitting(const NetTensorFile *file, const NetModel *model, int number,
                                     const NetStored **other)
{
    const NetStored *stored = *other = net_stored_of(file, model, number);
    const NetParameter *parameter = &model->parameters[number];
    NetError ignored;
    bool fits = stored && net_stored_fits(stored, parameter)
                && net_tensor_check(file, stored, parameter->kind == NET_COUNTER, &ignored);
    return fits ? stored : NULL;
}

typedef struct Tally {
    int taken, all; /* of the network's tensors, without counters */
    int64_t values, values_of_all;
    int unused; /* of the file's */
} Tally;

/* Before any weight changes: that all that will be taken is as it was written. */
static bool audit(const NetTensorFile *file, const NetModel *model, Tally *tally, NetError *error)
{
    for (int i = 0; i < model->parameter_count; i++) {
        const NetParameter *parameter = &model->parameters[i];
        const NetStored *other, *stored = find_fitting(file, model, i, &other);
        bool counts = parameter->kind == NET_COUNTER;
        tally->all += !counts;
        tally->values_of_all += counts ? 0 : parameter->elements;
        if (!stored)
            continue;
        if (!net_tensor_audit(file, stored, error))
            return false;
        tally->taken += !counts;
        tally->values += counts ? 0 : parameter->elements;
    }
    for (int i = 0; i < file->count; i++)
        tally->unused += net_is_extra(model, file->tensors[i].name);
    return true;
}

static void print_left(const NetTensorFile *file, const NetModel *model, FILE *out)
{
    int rows = 0;
    for (int i = 0; i < model->parameter_count; i++) {
        const NetParameter *parameter = &model->parameters[i];
        const NetStored *other;
        char here[NET_SHAPE_TEXT], there[NET_SHAPE_TEXT];
        if (parameter->kind == NET_COUNTER || find_fitting(file, model, i, &other))
            continue;
        if (rows++ < MOST_ROWS)
            fprintf(out, "  %-32s %-18s %s%s%s\n", parameter->path,
                    net_shape_text(here, parameter->rank, parameter->dim),
                    other ? "in the file " : "not in the file",
                    other ? net_shape_text(there, other->rank, other->dim) : "",
                    other && net_stored_fits(other, parameter) ? ", of no type for weights" : "");
    }
    if (rows > MOST_ROWS)
        fprintf(out, "  and %d more\n", rows - MOST_ROWS);
}

static void print_unused(const NetTensorFile *file, const NetModel *model, FILE *out)
{
    int rows = 0;
    for (int i = 0; i < file->count; i++) {
        const NetStored *tensor = &file->tensors[i];
        char shape[NET_SHAPE_TEXT];
        if (net_is_extra(model, tensor->name) && rows++ < MOST_ROWS)
            fprintf(out, "  %-32s %s\n", SHOWN(tensor->name),
                    net_shape_text(shape, tensor->rank, tensor->dim));
    }
    if (rows > MOST_ROWS)
        fprintf(out, "  and %d more\n", rows - MOST_ROWS);
}

static void print_table(const NetTensorFile *file, const NetModel *model, const Tally *tally,
                        FILE *out)
{
    fprintf(out, "%s: taken %d of %d tensors, %" PRId64 " of %" PRId64 " values\n",
            SHOWN(file->path), tally->taken, tally->all, tally->values, tally->values_of_all);
    if (tally->taken < tally->all) {
        fprintf(out, "as they begin are\n");
        print_left(file, model, out);
    }
    if (tally->unused > 0) {
        fprintf(out, "not in this network %s\n", tally->unused == 1 ? "is" : "are");
        print_unused(file, model, out);
    }
    fflush(out);
}

/* A file of which nothing fits is a mistake, and its first name may say which. */
static bool check_any(const NetTensorFile *file, const NetModel *model, const Tally *tally,
                      NetError *error)
{
    return tally->taken > 0
           || net_fail(error,
                       "nothing of %s fits this network, by name and shape: its first tensor is "
                       "%.100s, and the network's %.100s",
                       file->path, file->count > 0 ? file->tensors[0].name : "none",
                       model->parameter_count > 0 ? model->parameters[0].path : "none");
}

bool net_weights_read_partial(NetSession *session, const NetTensorFile *file, FILE *out,
                              NetError *error)
{
    const NetModel *model = session->model;
    Tally tally = {0};
    if (!audit(file, model, &tally, error) || !check_any(file, model, &tally, error))
        return false;
    bool good = true;
    for (int i = 0; good && i < model->parameter_count; i++) {
        const NetParameter *parameter = &model->parameters[i];
        const NetStored *other, *stored = find_fitting(file, model, i, &other);
        if (stored && parameter->kind == NET_COUNTER)
            good = net_tensor_wholes(file, stored, &session->counters[parameter->offset], error);
        else if (stored)
            good = net_tensor_reals(file, stored, net_parameter_values(session, parameter), error);
    }
    net_weights_changed(session);
    if (good && out)
        print_table(file, model, &tally, out);
    return good;
}
