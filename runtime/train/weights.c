/* weights.c: a network's state by PyTorch's names, to and from a file.
 *
 * A file is compared with the whole network before any value moves, so a file
 * of another network changes nothing; the message names the first difference
 * and says how many more there are.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

/* Names of the optimizer's tensors begin so: "optimizer.momentum_buffer.conv1.weight". */
static const char OPTIMIZER[] = "optimizer.";

/* Of a run that averages its weights, beside them: those that it trains. */
static const char TRAINED[] = "optimizer.trained.";

static const char CLASS_NAMES[] = "class_names", RECIPE[] = "data_recipe"; /* of __metadata__ */

static const char *real_dtype(void)
{
    return sizeof(real) == sizeof(float) ? "F32" : "F64";
}

static char *slot_name(const NetOptimizer *optimizer, int slot, const char *path)
{
    char *name;
    return asprintf(&name, "%s%s.%s", OPTIMIZER, net_optimizer_slot(optimizer, slot), path) < 0
               ? NULL
               : name;
}

/* ------------------------------------------------------------ comparing */

typedef struct Differences {
    int count;
    NetError first;
} Differences;

static void note(Differences *differences, const NetError *found)
{
    if (differences->count++ == 0)
        differences->first = *found;
}

bool net_stored_fits(const NetStored *tensor, const NetParameter *parameter)
{
    if (parameter->kind == NET_COUNTER)
        return tensor->elements == 1;
    return tensor->rank == parameter->rank
           && memcmp(tensor->dim, parameter->dim, (size_t)parameter->rank * sizeof *tensor->dim)
                  == 0;
}

/* PyTorch before 0.4.1 wrote no num_batches_tracked. */
static void compare(const NetTensorFile *file, const char *name, const NetParameter *parameter,
                    Differences *differences)
{
    const NetStored *tensor = net_tensors_find(file, name);
    char here[NET_SHAPE_TEXT], there[NET_SHAPE_TEXT];
    NetError error;
    net_shape_text(here, parameter->rank, parameter->dim);
    if (!tensor && parameter->kind == NET_COUNTER)
        return;
    if (!tensor)
        net_fail(&error, "%s has no %.100s, which is %s in this network", file->path, name, here);
    else if (!net_stored_fits(tensor, parameter))
        net_fail(&error, "%s: %.100s is %s, and %s in this network", file->path, name,
                 net_shape_text(there, tensor->rank, tensor->dim), here);
    else if (net_tensor_check(file, tensor, parameter->kind == NET_COUNTER, &error)
             && net_tensor_audit(file, tensor, &error))
        return;
    note(differences, &error);
}

/* The tensor that has a parameter's values: under its name, or under one that a tied layer gives
 * it, as files have it that keep what is shared once.  NULL: none. */
const NetStored *net_stored_of(const NetTensorFile *file, const NetModel *model, int number)
{
    const NetStored *found = net_tensors_find(file, model->parameters[number].path);
    for (int i = 0; !found && i < model->alias_count; i++)
        if (model->aliases[i].parameter == number)
            found = net_tensors_find(file, model->aliases[i].path);
    return found;
}

static bool same_values(const NetTensorFile *file, const NetStored *one, const NetStored *other,
                        int64_t elements, bool *same, NetError *error)
{
    real *values = net_allocate(2 * (size_t)elements, sizeof *values, error);
    bool good = values && net_tensor_reals(file, one, values, error)
                && net_tensor_reals(file, other, values + elements, error);
    *same = good && memcmp(values, values + elements, (size_t)elements * sizeof *values) == 0;
    free(values);
    return good;
}

/* Where a file has a tied parameter under several names, it has the same values under all. */
static bool compare_aliases(const NetTensorFile *file, const NetModel *model, NetError *error)
{
    for (int i = 0; i < model->alias_count; i++) {
        const NetAlias *alias = &model->aliases[i];
        const NetParameter *parameter = &model->parameters[alias->parameter];
        const NetStored *own = net_stored_of(file, model, alias->parameter),
                        *other = net_tensors_find(file, alias->path);
        bool same;
        if (!other || other == own)
            continue;
        Differences differences = {0};
        compare(file, alias->path, parameter, &differences);
        if (differences.count > 0) {
            *error = differences.first;
            return false;
        }
        if (!same_values(file, own, other, parameter->elements, &same, error))
            return false;
        if (!same)
            return net_fail(error,
                            "%s: %.100s and %.100s are one parameter in this network, and differ",
                            file->path, own->name, other->name);
    }
    return true;
}

bool net_is_extra(const NetModel *model, const char *name)
{
    return strncmp(name, OPTIMIZER, sizeof OPTIMIZER - 1) != 0 && !net_is_profilers(name)
           && !net_has_name(model, name);
}

static void compare_extra(const NetTensorFile *file, const NetModel *model,
                          Differences *differences)
{
    for (int i = 0; i < file->count; i++) {
        const NetStored *tensor = &file->tensors[i];
        char shape[NET_SHAPE_TEXT];
        NetError error;
        if (!net_is_extra(model, tensor->name))
            continue;
        net_fail(&error, "%s has %.100s, %s, which this network has not", file->path, tensor->name,
                 net_shape_text(shape, tensor->rank, tensor->dim));
        note(differences, &error);
    }
}

static bool report(const Differences *differences, NetError *error)
{
    if (differences->count == 0)
        return true;
    *error = differences->first;
    size_t used = strlen(error->text);
    if (differences->count > 1)
        snprintf(error->text + used, sizeof error->text - used, " (and %d more %s)",
                 differences->count - 1, differences->count == 2 ? "difference" : "differences");
    return false;
}

/* `part`: the file may be of a larger network. */
static bool compare_network(const NetTensorFile *file, const NetModel *model, bool part,
                            NetError *error)
{
    Differences differences = {0};
    for (int i = 0; i < model->parameter_count; i++) {
        const NetStored *stored = net_stored_of(file, model, i);
        compare(file, stored ? stored->name : model->parameters[i].path, &model->parameters[i],
                &differences);
    }
    if (!part)
        compare_extra(file, model, &differences);
    return report(&differences, error) && compare_aliases(file, model, error);
}

/* -------------------------------------------------------------- reading */

/* Of a part they may be the whole's alone. */
static bool read_class_names(NetSession *session, const NetTensorFile *file, bool part,
                             NetError *error)
{
    NetError of_others;
    const char *lines = net_tensors_metadata(file, CLASS_NAMES);
    if (lines && net_name_classes(session, lines, file->path, part ? &of_others : error))
        return true;
    net_forget_classes(session);
    return !lines || part;
}

real *net_parameter_values(const NetSession *session, const NetParameter *parameter)
{
    switch (parameter->kind) {
    case NET_TRAINED:
        return session->weights + parameter->offset;
    case NET_BUFFER:
        return session->buffers + parameter->offset;
    case NET_COUNTER:
        return NULL;
    }
    __builtin_unreachable();
}

static bool read_parameter(NetSession *session, int number, const NetTensorFile *file,
                           NetError *error)
{
    const NetParameter *parameter = &session->model->parameters[number];
    const NetStored *tensor = net_stored_of(file, session->model, number);
    if (parameter->kind != NET_COUNTER)
        return net_tensor_reals(file, tensor, net_parameter_values(session, parameter), error);
    return !tensor || net_tensor_wholes(file, tensor, &session->counters[parameter->offset], error);
}

static bool read_slot(NetOptimizer *optimizer, int slot, const NetParameter *parameter,
                      const NetTensorFile *file, NetError *error)
{
    char *name = slot_name(optimizer, slot, parameter->path);
    if (!name)
        return net_fail(error, "out of memory");
    Differences differences = {0};
    compare(file, name, parameter, &differences);
    bool good = report(&differences, error)
                && net_tensor_reals(file, net_tensors_find(file, name),
                                    optimizer->state[slot] + parameter->offset, error);
    free(name);
    return good;
}

/* Of a run whose rates did not use it there is nothing: it begins as it would have. */
static bool has_slot(const NetTensorFile *file, const NetOptimizer *optimizer, int slot)
{
    char prefix[NET_SHAPE_TEXT];
    int length =
        snprintf(prefix, sizeof prefix, "%s%s.", OPTIMIZER, net_optimizer_slot(optimizer, slot));
    for (int i = 0; i < file->count; i++)
        if (strncmp(file->tensors[i].name, prefix, (size_t)length) == 0)
            return true;
    return false;
}

static bool read_slots(NetOptimizer *optimizer, const NetModel *model, const NetTensorFile *file,
                       NetNotes *notes, NetError *error)
{
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++) {
        bool has = optimizer->state[slot] && has_slot(file, optimizer, slot);
        if (optimizer->state[slot] && !has)
            net_note(notes, "%s has no %s%s, which begins at 0", file->path, OPTIMIZER,
                     net_optimizer_slot(optimizer, slot));
        for (int i = 0; has && i < model->parameter_count; i++)
            if (model->parameters[i].kind == NET_TRAINED
                && !read_slot(optimizer, slot, &model->parameters[i], file, error))
                return false;
    }
    return true;
}

/* ---------------------------------------------------- averaged weights
 * A file's own weights are then the average, so that whoever takes them has what is best; a run
 * that goes on trains those beside them. */

static char *trained_name(const char *path)
{
    char *name;
    return asprintf(&name, "%s%s", TRAINED, path) < 0 ? NULL : name;
}

static bool has_trained(const NetTensorFile *file)
{
    for (int i = 0; i < file->count; i++)
        if (strncmp(file->tensors[i].name, TRAINED, sizeof TRAINED - 1) == 0)
            return true;
    return false;
}

/* Calls `work` for each tensor that has one, with its name in the file. */
static bool each_trained(NetSession *session, const NetTensorFile *file,
                         bool (*work)(NetSession *session, const NetParameter *parameter,
                                      const NetTensorFile *file, const char *name, NetError *error),
                         NetError *error)
{
    bool good = true;
    for (int i = 0; good && i < session->model->parameter_count; i++) {
        const NetParameter *parameter = &session->model->parameters[i];
        char *name = parameter->kind == NET_COUNTER ? NULL : trained_name(parameter->path);
        if (parameter->kind != NET_COUNTER)
            good = name ? work(session, parameter, file, name, error)
                        : net_fail(error, "out of memory");
        free(name);
    }
    return good;
}

static bool check_trained(NetSession *session, const NetParameter *parameter,
                          const NetTensorFile *file, const char *name, NetError *error)
{
    Differences differences = {0};
    (void)session;
    compare(file, name, parameter, &differences);
    return report(&differences, error);
}

static bool read_trained(NetSession *session, const NetParameter *parameter,
                         const NetTensorFile *file, const char *name, NetError *error)
{
    return net_tensor_reals(file, net_tensors_find(file, name),
                            net_parameter_values(session, parameter), error);
}

/* What was read is the average. */
static bool take_average(NetSession *session, NetAverage *average, const NetTensorFile *file,
                         NetError *error)
{
    const NetModel *model = session->model;
    if (average->weights) {
        memcpy(average->weights, session->weights, (size_t)model->trained * sizeof(real));
        memcpy(average->buffers, session->buffers, (size_t)model->buffers * sizeof(real));
    }
    return each_trained(session, file, read_trained, error);
}

/* Of a part the normalisation too may be of other channels. */
static double *read_normal(const NetSession *session, const NetTensorFile *file, bool part,
                           NetError *error)
{
    double *normal = net_normal_read(session, file, error);
    size_t numbers = NET_NORMAL_PARTS * (size_t)session->image.c;
    if (normal || !part)
        return normal;
    normal = net_allocate(numbers, sizeof *normal, error);
    if (normal)
        memcpy(normal, session->own_normal, numbers * sizeof *normal);
    return normal;
}

static bool read_weights(NetSession *session, NetOptimizer *optimizer, const NetTensorFile *file,
                         bool part, NetNotes *notes, NetError *error)
{
    const NetModel *model = session->model;
    bool averaged = optimizer && has_trained(file);
    if (optimizer && optimizer->average.weights && !averaged)
        net_note(notes, "%s has no averaged weights, which begin as the weights are", file->path);
    double *normal = read_normal(session, file, part, error);
    bool good = normal && compare_network(file, model, part, error)
                && (!averaged || each_trained(session, file, check_trained, error))
                && (!optimizer || read_slots(optimizer, model, file, notes, error))
                && read_class_names(session, file, part, error)
                && net_recipe_set(session, net_tensors_metadata(file, RECIPE), error)
                && net_units_read(session, file, error);
    for (int i = 0; good && i < model->parameter_count; i++)
        good = read_parameter(session, i, file, error);
    good = good && (!averaged || take_average(session, &optimizer->average, file, error));
    if (good)
        net_normal_use(session, normal);
    free(normal);
    net_weights_changed(session);
    return good;
}

bool net_weights_read(NetSession *session, NetOptimizer *optimizer, const NetTensorFile *file,
                      NetNotes *notes, NetError *error)
{
    return read_weights(session, optimizer, file, false, notes, error);
}

bool net_weights_read_part(NetSession *session, const NetTensorFile *file, NetError *error)
{
    return read_weights(session, NULL, file, true, NULL, error);
}

/* -------------------------------------------------------------- writing */

static NetNamed named(const char *name, const NetParameter *parameter, const void *values)
{
    NetNamed tensor = {
        .name = name,
        .dtype = parameter->kind == NET_COUNTER ? "I64" : real_dtype(),
        .rank = parameter->rank,
        .values = values,
        .elements = parameter->elements,
    };
    memcpy(tensor.dim, parameter->dim, sizeof tensor.dim);
    if (parameter->kind == NET_COUNTER) {
        tensor.rank = 0;
        tensor.elements = 1;
    }
    return tensor;
}

static bool add_slots(NetNamed *tensors, int *count, const NetModel *model,
                      const NetOptimizer *optimizer)
{
    for (int slot = 0; slot < NET_MAX_SLOTS; slot++)
        for (int i = 0; optimizer->state[slot] && i < model->parameter_count; i++) {
            const NetParameter *parameter = &model->parameters[i];
            if (parameter->kind != NET_TRAINED)
                continue;
            char *name = slot_name(optimizer, slot, parameter->path);
            if (!name)
                return false;
            tensors[(*count)++] =
                named(name, parameter, optimizer->state[slot] + parameter->offset);
        }
    return true;
}

/* With the classes' names, the data's recipe, the normalisation and the targets' units in front of
 * `metadata`. */
static bool write_named(const NetSession *session, const NetNamed *tensors, int count,
                        const char *path, const char *const *metadata, NetError *error)
{
    size_t words = 0;
    while (metadata && metadata[words])
        words++;
    const char **all = net_allocate(words + 5 + 2 * NET_NORMAL_PARTS + NET_UNIT_PAIRS, sizeof *all,
                                    error),
               **to = all;
    if (!all)
        return false;
    if (session->class_lines) {
        *to++ = CLASS_NAMES;
        *to++ = session->class_lines;
    }
    if (session->recipe) {
        *to++ = RECIPE;
        *to++ = session->recipe;
    }
    char *normal[NET_NORMAL_PARTS];
    bool good = true;
    for (int part = 0; part < NET_NORMAL_PARTS; part++) {
        *to++ = net_normal_key(part);
        *to++ = normal[part] = net_normal_text(session, part);
        good = good && normal[part];
    }
    char *units[NET_UNIT_PAIRS];
    int unit_count = net_units_write(session, units);
    for (int i = 0; i < unit_count; i++) {
        *to++ = units[i];
        good = good && units[i];
    }
    if (words)
        memcpy(to, metadata, words * sizeof *all);
    good = good ? net_write_safetensors(path, tensors, count, all, error)
                : net_fail(error, "out of memory");
    for (int part = 0; part < NET_NORMAL_PARTS; part++)
        free(normal[part]);
    for (int i = 0; i < unit_count; i++)
        free(units[i]);
    free(all);
    return good;
}

/* The average's, where there is one; NULL: a counter's. */
static const real *values_to_write(const NetSession *session, const NetOptimizer *optimizer,
                                   const NetParameter *parameter)
{
    const NetAverage *average = optimizer ? &optimizer->average : NULL;
    if (!average || !average->weights || parameter->kind == NET_COUNTER)
        return net_parameter_values(session, parameter);
    return (parameter->kind == NET_TRAINED ? average->weights : average->buffers)
           + parameter->offset;
}

static bool add_trained(NetNamed *tensors, int *count, const NetSession *session,
                        const NetOptimizer *optimizer)
{
    for (int i = 0; optimizer->average.weights && i < session->model->parameter_count; i++) {
        const NetParameter *parameter = &session->model->parameters[i];
        if (parameter->kind == NET_COUNTER)
            continue;
        char *name = trained_name(parameter->path);
        if (!name)
            return false;
        tensors[(*count)++] = named(name, parameter, net_parameter_values(session, parameter));
    }
    return true;
}

bool net_weights_write(const NetSession *session, const NetOptimizer *optimizer, const char *path,
                       const char *const *metadata, NetError *error)
{
    const NetModel *model = session->model;
    size_t most = (size_t)model->parameter_count * (2 + NET_MAX_SLOTS) + (size_t)model->alias_count;
    NetNamed *tensors = net_allocate(most, sizeof *tensors, error);
    if (!tensors)
        return false;
    int count = 0;
    for (int i = 0; i < model->parameter_count; i++) {
        const NetParameter *parameter = &model->parameters[i];
        const void *values = parameter->kind == NET_COUNTER
                                 ? (const void *)&session->counters[parameter->offset]
                                 : values_to_write(session, optimizer, parameter);
        tensors[count++] = named(parameter->path, parameter, values);
    }
    for (int i = 0; i < model->alias_count; i++) {
        const NetParameter *parameter = &model->parameters[model->aliases[i].parameter];
        tensors[count++] = named(model->aliases[i].path, parameter,
                                 values_to_write(session, optimizer, parameter));
    }
    int own = count;
    bool good = !optimizer
                || (add_slots(tensors, &count, model, optimizer)
                    && add_trained(tensors, &count, session, optimizer))
                || net_fail(error, "out of memory");
    good = good && write_named(session, tensors, count, path, metadata, error);
    for (int i = own; i < count; i++)
        free((char *)tensors[i].name);
    free(tensors);
    return good;
}

bool net_gradients_write(const NetSession *session, const char *path, NetError *error)
{
    const NetModel *model = session->model;
    NetNamed *tensors = net_allocate((size_t)model->parameter_count, sizeof *tensors, error);
    if (!tensors)
        return false;
    int count = 0;
    for (int i = 0; i < model->parameter_count; i++)
        if (model->parameters[i].kind == NET_TRAINED)
            tensors[count++] = named(model->parameters[i].path, &model->parameters[i],
                                     session->gradients + model->parameters[i].offset);
    bool good = net_write_safetensors(path, tensors, count, NULL, error);
    free(tensors);
    return good;
}
