/* numbers.c: what each network of a table computes, as files for another program to compare with.
 *
 *     numbers FOLDER
 *
 * FOLDER/NAME.numbers has lines "name elements", an empty one, and then all numbers, as doubles, in
 * that order: the drawn images and classes, every parameter and buffer, the training loss of one
 * batch, the gradients, the buffers after it, and the logits and outputs in inference.  Needs the
 * f64 runtime.
 */
#include "fuzz/drawn.h"

#include <stdlib.h>
#include <string.h>

/* Names, and the numbers that follow them all. */
typedef struct Numbers {
    FILE *names, *values;
} Numbers;

static void add_numbers(const Numbers *to, const char *what, const char *path, const real *values,
                        int64_t count)
{
    fprintf(to->names, "%s%s%s %lld\n", what, *path ? " " : "", path, (long long)count);
    fwrite(values, sizeof *values, (size_t)count, to->values);
}

/* Whole numbers, or of a target of numbers what they are. */
static void add_array(const Numbers *to, const char *what, int number, const NetArray *array,
                      int64_t examples)
{
    int64_t count = examples * net_shape_elements(array->shape);
    fprintf(to->names, "%s %d %lld\n", what, number, (long long)count);
    for (int64_t i = 0; i < count; i++)
        fwrite(&(double){array->kind == NET_FLOAT
                             ? net_array_number(array, array->values, i)
                             : (double)net_array_whole(array, array->values, i)},
               sizeof(double), 1, to->values);
}

/* Inputs, and what each loss is held against. */
static void add_examples(const Numbers *to, const NetModel *model, const NetImages *drawn)
{
    for (int i = 0; i < model->input_count; i++)
        add_array(to, "images", i, &drawn->arrays[drawn->inputs[i]], drawn->count);
    for (int i = 0; i < model->loss_count; i++)
        if (model->losses[i].target >= 0)
            add_array(to, "labels", i, &drawn->arrays[drawn->targets[model->losses[i].target]],
                      drawn->count);
}

/* Of every parameter of a kind, its part of the kind's arena. */
static void add_arena(const Numbers *to, const char *what, const NetModel *model,
                      NetParameterKind kind, const real *arena)
{
    for (int p = 0; p < model->parameter_count; p++) {
        const NetParameter *parameter = &model->parameters[p];
        if (parameter->kind == kind)
            add_numbers(to, what, parameter->path, arena + parameter->offset, parameter->elements);
    }
}

static bool compute(const NetModel *model, NetSession *session, int64_t images, uint64_t seed,
                    const Numbers *to, NetError *error)
{
    NetImages drawn = {0};
    Answers answers = {0};
    bool good = net_draw_noise(&drawn, images, model, seed, error)
                && drawn_answers(&answers, model, images, error);
    if (good) {
        NetBatch batch = {.images = &drawn, .count = images};
        drawn_noise(session, model, seed);
        net_weights_changed(session);
        add_examples(to, model, &drawn);
        add_arena(to, "parameter", model, NET_TRAINED, session->weights);
        add_arena(to, "buffer", model, NET_BUFFER, session->buffers);
        real loss = (real)net_train_batch(session, &batch, NULL).loss;
        add_numbers(to, "loss", "", &loss, 1);
        add_arena(to, "gradient", model, NET_TRAINED, session->gradients);
        add_arena(to, "after", model, NET_BUFFER, session->buffers);
        net_weights_changed(session);
        drawn_test(session, &batch, &answers);
        add_numbers(to, "answers", "", answers.values, images * answers.each);
    }
    free(answers.values);
    net_images_close(&drawn);
    return good;
}

static bool run_network(const NetModel *model, const Numbers *to, NetError *error)
{
    NetSettings settings;
    if (!net_settings_open(&settings, model, error))
        return false;
    int64_t images = (int64_t)net_setting(&settings, "batch", 1);
    uint64_t seed = (uint64_t)net_setting(&settings, "seed", 1);
    net_settings_close(&settings);
    NetSession *session = net_session_open(model, 1, images, seed, true, error);
    if (!session)
        return false;
    session->keep_gradients = true;
    bool good = compute(model, session, images, seed, to, error);
    net_close(session);
    return good;
}

/* The file of names, an empty line, and what `values` holds from its beginning. */
static bool join_values(const Numbers *to)
{
    char buffer[1 << 16];
    size_t count;
    fputc('\n', to->names);
    rewind(to->values);
    while ((count = fread(buffer, 1, sizeof buffer, to->values)) > 0)
        fwrite(buffer, 1, count, to->names);
    return !ferror(to->values) && !ferror(to->names);
}

static bool write_network(const Entry *entry, const char *folder, NetError *error)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.numbers", folder, entry->name);
    Numbers to = {fopen(path, "w"), tmpfile()};
    bool good =
        to.names && to.values && run_network(entry->models[0], &to, error) && join_values(&to);
    if (to.values)
        fclose(to.values);
    return (!to.names || fclose(to.names) == 0) && good;
}

int main(int argc, char **argv)
{
    int wrong = 0;
    for (const Entry *entry = networks; argc == 2 && entry->name; entry++) {
        NetError error = {"cannot write"};
        bool good = write_network(entry, argv[1], &error);
        printf("%s %s\n", entry->name, good ? "ok" : error.text);
        wrong += !good;
    }
    return argc != 2 || wrong > 0;
}
