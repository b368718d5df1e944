/* predict.c: what a network says of pictures or of texts, for people, as JSON and as a table; and
 * the pictures that it makes, where its output is one.
 *
 * They are read and answered one by one, so a folder of any size needs the memory of one.  One
 * that cannot be read is told and passed over; the others are answered all the same.
 */
#include "runtime.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME = 1024, FEW = 8 };

/* What an output is. */
typedef enum Kind {
    CLASS,   /* a class */
    NUMBERS, /* numbers */
    PICTURE, /* [1 or 3, h, w] of numbers */
    MASK     /* a class for each position */
} Kind;

typedef struct Predictor {
    NetSession *session;
    const NetPredict *options;
    FILE *out;
    Kind kind;
    NetShape shape; /* of a picture or a mask */
    float *logits, *probabilities;
    NetAnswered answer;     /* those two, and the heads' outputs */
    float *heads;           /* their memory */
    uint8_t *pixels, *made; /* the input; the output as [channels][h][w], of a mask its classes */
    NetSheet sheet;
    int64_t *top;
    int count; /* of `top` */
    int64_t printed;
    int64_t index;          /* of the example, where the data have several */
    NetTextReading reading; /* of texts */
    void *numbers;          /* a text's, [reading.length] of reading.kind */
    int64_t said;           /* of a text's positions those that it has */
} Predictor;

static bool is_of_texts(const Predictor *predictor)
{
    return predictor->options->texts;
}

/* What a row is of. */
static const char *noun_of(const Predictor *predictor)
{
    const NetImages *images = predictor->options->images;
    const NetModel *model = predictor->session->model;
    if (is_of_texts(predictor))
        return "text";
    return (images ? net_noun_of(model, images) : net_noun(model)).one;
}

/* ---------------------------------------------------------------- the answer */

/* Whether the data, or else the weights, say the output's target by numbers that are no classes. */
static bool is_of_numbers(const NetSession *session, const NetImages *images)
{
    int number = net_main_target(session->model);
    if (number < 0 || !images || !images->has_targets)
        return number >= 0 && session->units[number];
    return !net_class_array(session->model, images);
}

static Kind kind_of(const NetSession *session, const NetImages *images)
{
    const NetModel *model = session->model;
    NetShape shape = model->output;
    bool picture = shape.rank == 3 && (shape.c == 1 || shape.c == 3) && shape.h * shape.w > 1;
    if (model->output_kind == NET_OUTPUT_NUMBERS || model->output_kind == NET_OUTPUT_LABELS)
        if (picture)
            return PICTURE;
    if (!net_has_classes(model) || is_of_numbers(session, images))
        return NUMBERS;
    if (model->targets == 1)
        return CLASS;
    return model->classes <= 256 ? MASK : NUMBERS;
}

/* The classes of the largest probabilities, largest first. */
static int find_top(const float *probabilities, int64_t classes, int64_t *top, int most)
{
    int count = 0;
    for (; count < most && count < classes; count++) {
        int64_t best = -1;
        for (int64_t label = 0; label < classes; label++) {
            bool taken = false;
            for (int i = 0; i < count; i++)
                taken |= top[i] == label;
            if (!taken && (best < 0 || probabilities[label] > probabilities[best]))
                best = label;
        }
        top[count] = best;
    }
    return count;
}

static const char *class_name(char text[NAME], const Predictor *predictor, int64_t class)
{
    const char *name = net_class_name(predictor->session, class);
    if (name)
        return name;
    snprintf(text, NAME, "%" PRId64, class);
    return text;
}

static const char *shown_class(char text[NAME], const Predictor *predictor, int64_t class)
{
    return net_class_shown(text, NAME, predictor->session, class);
}

/* Values as pixels, on the scale of the input's, whose normalisation is taken back; logits of yes
 * or no as their probability. */
static void make_picture(Predictor *predictor)
{
    const NetSession *session = predictor->session;
    NetShape shape = predictor->shape;
    int64_t plane = shape.h * shape.w;
    bool same = session->image.c == shape.c;
    bool labels = session->model->output_kind == NET_OUTPUT_LABELS;
    for (int64_t c = 0; c < shape.c; c++) {
        double mean = same ? session->normal[NET_MEAN * session->image.c + c] : 0,
               std = same ? session->normal[NET_STD * session->image.c + c] : 1;
        for (int64_t i = 0; i < plane; i++) {
            double value = (double)predictor->logits[c * plane + i];
            value = labels ? 1 / (1 + exp(-value)) : value * std + mean;
            predictor->made[c * plane + i] = (uint8_t)fmin(fmax(255 * value + 0.5, 0), 255);
        }
    }
}

/* Each position's class. */
static void make_mask(Predictor *predictor)
{
    const NetModel *model = predictor->session->model;
    for (int64_t target = 0; target < model->targets; target++) {
        const float *values = predictor->logits + target * model->target_step;
        int64_t best = 0;
        for (int64_t class = 1; class < model->classes; class ++)
            if (values[class * model->class_step] > values[best * model->class_step])
                best = class;
        predictor->made[target] = (uint8_t)best;
    }
}

static bool all_finite(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* Pictures in memory; others are loaded by the batch. */
static bool is_drawn(const NetImages *images)
{
    return images->arrays[0].kind == NET_PIXELS && !images->stream;
}

/* Why what the network says of an example is not finite. */
static bool explain(NetSession *session, const NetImages *images, int64_t index, const char *title,
                    NetError *error)
{
    NetError why;
    NetImages one = *images;
    one.count = 1;
    if (images->stream)
        return net_fail(error, "%.100s: what the network says is not finite", title);
    one.held = (NetHeld){0};
    one.arrays[0].values = (void *)net_image_at(images, index, 0);
    for (int i = 1; i < one.array_count; i++)
        one.arrays[i].values = (void *)net_array_at(&images->arrays[i], index, 0);
    net_explain_test(session, &one, &why);
    return net_fail(error, "%.100s: %.350s", title, why.text);
}

static bool answer(Predictor *predictor, const NetImages *images, int64_t index, const char *title,
                   NetError *error)
{
    NetSession *session = predictor->session;
    if (is_drawn(images))
        net_answer(session, images, index, &predictor->answer);
    else if (!net_answer_example(session, images, index, &predictor->answer, error))
        return false;
    if (!all_finite(predictor->logits, net_outputs(session->model)))
        return explain(session, images, index, title, error);
    if (predictor->kind == CLASS)
        predictor->count = find_top(predictor->probabilities, session->model->classes,
                                    predictor->top, predictor->options->top);
    else if (predictor->kind == PICTURE)
        make_picture(predictor);
    else if (predictor->kind == MASK)
        make_mask(predictor);
    return true;
}

/* ---------------------------------------------------------------- what is right */

static bool is_labelled(const Predictor *predictor)
{
    return predictor->options->images && predictor->options->images->has_targets;
}

/* The array that says a target of the examples; NULL: nobody knows it. */
static const NetArray *truth_of(const Predictor *predictor, int target)
{
    const NetImages *images = predictor->options->images;
    bool known = target >= 0 && is_labelled(predictor);
    return known ? &images->arrays[images->targets[target]] : NULL;
}

/* The same of numbers that are no classes. */
static const NetArray *numbers_of(const Predictor *predictor, int target)
{
    const NetArray *array = truth_of(predictor, target);
    bool numbers = array && !net_is_by_class(&predictor->session->model->wanted[target], array);
    return numbers ? array : NULL;
}

static double right_number(const Predictor *predictor, int target, int64_t element)
{
    const NetArray *array = truth_of(predictor, target);
    return (double)net_target_number(&predictor->session->model->wanted[target], array,
                                     net_array_at(array, predictor->index, 0), element);
}

static void show_values(FILE *out, const float *values, int64_t count)
{
    for (int64_t i = 0; i < count && i < FEW; i++)
        fprintf(out, "%s %.6g", i ? "," : "", (double)values[i]);
    fputs(count > FEW ? ", …" : "", out);
}

/* " (target 2.5)" */
static void show_right(const Predictor *predictor, int target, int64_t count)
{
    if (!numbers_of(predictor, target))
        return;
    for (int64_t i = 0; i < count && i < FEW; i++)
        fprintf(predictor->out, "%s %.6g", i ? "," : " (target",
                right_number(predictor, target, i));
    fputs(count > FEW ? ", …)" : ")", predictor->out);
}

static void describe_right(const Predictor *predictor, cJSON *object, int target, int64_t count)
{
    cJSON *right = numbers_of(predictor, target) ? cJSON_AddArrayToObject(object, "target") : NULL;
    for (int64_t i = 0; right && i < count; i++)
        cJSON_AddItemToArray(right, cJSON_CreateNumber(right_number(predictor, target, i)));
}

static void put_right_columns(const Predictor *predictor, int target, int64_t count,
                              const char *name)
{
    for (int64_t i = 0; numbers_of(predictor, target) && i < count; i++) {
        char column[NAME];
        snprintf(column, NAME, count > 1 || !*name ? "%s%starget_%" PRId64 : "%s%starget", name,
                 *name ? "_" : "", i);
        fputc(',', predictor->out);
        net_put_cell(predictor->out, column);
    }
}

static void put_right_cells(const Predictor *predictor, int target, int64_t count)
{
    for (int64_t i = 0; numbers_of(predictor, target) && i < count; i++)
        fprintf(predictor->out, ",%.9g", right_number(predictor, target, i));
}

/* ---------------------------------------------------------------- other outputs */

/* A head that says which class, with how much of its softmax. */
typedef struct Chosen {
    int64_t class, label; /* label -1: nobody knows it */
    double probability;
} Chosen;

/* -1: it counts as none. */
static int64_t class_of(const NetTarget *target, const NetArray *array, int64_t index)
{
    int64_t label = net_target_class(target, array, net_array_at(array, index, 0), 0);
    return label < 0 || label == target->ignored ? -1 : label;
}

/* A cell, which is empty where nobody knows it. */
static void put_label(FILE *out, int64_t label)
{
    if (label >= 0)
        fprintf(out, ",%" PRId64, label);
    else
        fputc(',', out);
}

static const NetHead *head_of(const Predictor *predictor, int head)
{
    return &predictor->session->heads[head];
}

static const char *head_name(const Predictor *predictor, int head)
{
    return predictor->session->model->outputs[head_of(predictor, head)->output].name;
}

static int64_t head_values(const Predictor *predictor, int head)
{
    const NetModel *model = predictor->session->model;
    return net_shape_elements(model->outputs[head_of(predictor, head)->output].shape);
}

static const float *head_at(const Predictor *predictor, int head)
{
    return predictor->answer.outputs[head_of(predictor, head)->output];
}

/* Of one class of an example; others are numbers. */
static bool head_chooses(const Predictor *predictor, int head)
{
    const NetTarget *target = &predictor->session->model->wanted[head_of(predictor, head)->target];
    return target->kind == NET_CLASSES && target->positions == 1;
}

static Chosen choose(const Predictor *predictor, int head)
{
    const float *values = head_at(predictor, head);
    int target = head_of(predictor, head)->target;
    const NetArray *truth = truth_of(predictor, target);
    Chosen chosen = {.label = -1};
    double sum = 0;
    if (truth)
        chosen.label =
            class_of(&predictor->session->model->wanted[target], truth, predictor->index);
    for (int64_t i = 1; i < head_values(predictor, head); i++)
        if (values[i] > values[chosen.class])
            chosen.class = i;
    for (int64_t i = 0; i < head_values(predictor, head); i++)
        sum += exp((double)values[i] - (double)values[chosen.class]);
    chosen.probability = 1 / sum;
    return chosen;
}

/* Logits of yes are probabilities. */
static void answer_labels(Predictor *predictor)
{
    for (int h = 0; h < predictor->session->head_count; h++) {
        float *values = predictor->answer.outputs[head_of(predictor, h)->output];
        for (int64_t i = 0;
             head_of(predictor, h)->says == NET_OUTPUT_LABELS && i < head_values(predictor, h); i++)
            values[i] = (float)(1 / (1 + exp(-(double)values[i])));
    }
}

static void show_heads(const Predictor *predictor)
{
    for (int h = 0; h < predictor->session->head_count; h++) {
        int64_t values = head_values(predictor, h);
        fprintf(predictor->out, "  %s:", SHOWN(head_name(predictor, h)));
        if (head_chooses(predictor, h)) {
            Chosen chosen = choose(predictor, h);
            fprintf(predictor->out, " %" PRId64 ", %.1f %%", chosen.class,
                    100 * chosen.probability);
            if (chosen.label >= 0)
                fprintf(predictor->out, " (%s: %" PRId64 ")",
                        chosen.label == chosen.class ? "right" : "wrong", chosen.label);
        } else {
            show_values(predictor->out, head_at(predictor, h), values);
            show_right(predictor, head_of(predictor, h)->target, values);
        }
        fputc('\n', predictor->out);
    }
}

static void describe_heads(const Predictor *predictor, cJSON *object)
{
    int count = predictor->session->head_count;
    cJSON *outputs = count ? cJSON_AddObjectToObject(object, "outputs") : NULL;
    for (int h = 0; outputs && h < count; h++) {
        cJSON *one = cJSON_AddObjectToObject(outputs, head_name(predictor, h));
        if (head_chooses(predictor, h)) {
            Chosen chosen = choose(predictor, h);
            cJSON_AddNumberToObject(one, "index", (double)chosen.class);
            cJSON_AddNumberToObject(one, "probability", chosen.probability);
            if (chosen.label >= 0)
                cJSON_AddNumberToObject(one, "label", (double)chosen.label);
            continue;
        }
        describe_right(predictor, one, head_of(predictor, h)->target, head_values(predictor, h));
        cJSON *values = cJSON_AddArrayToObject(one, "values");
        for (int64_t i = 0; values && i < head_values(predictor, h); i++)
            cJSON_AddItemToArray(values, cJSON_CreateNumber((double)head_at(predictor, h)[i]));
    }
}

/* "size", or of several values "size_0,size_1". */
static void put_head_columns(const Predictor *predictor)
{
    FILE *out = predictor->out;
    for (int h = 0; h < predictor->session->head_count; h++) {
        const char *name = head_name(predictor, h);
        int64_t values = head_chooses(predictor, h) ? 1 : head_values(predictor, h);
        for (int64_t i = 0; i < values; i++) {
            char column[NAME];
            snprintf(column, NAME, values > 1 ? "%s_%" PRId64 : "%s", name, i);
            fputc(',', out);
            net_put_cell(out, column);
        }
        if (head_chooses(predictor, h))
            fprintf(out,
                    truth_of(predictor, head_of(predictor, h)->target) ? ",%s_probability,%s_label"
                                                                       : ",%s_probability",
                    name, name);
        else
            put_right_columns(predictor, head_of(predictor, h)->target, values, name);
    }
}

static void put_head_cells(const Predictor *predictor)
{
    FILE *out = predictor->out;
    for (int h = 0; h < predictor->session->head_count; h++) {
        if (head_chooses(predictor, h)) {
            Chosen chosen = choose(predictor, h);
            fprintf(out, ",%" PRId64 ",%.6g", chosen.class, chosen.probability);
            if (truth_of(predictor, head_of(predictor, h)->target))
                put_label(out, chosen.label);
            continue;
        }
        for (int64_t i = 0; i < head_values(predictor, h); i++)
            fprintf(out, ",%.9g", (double)head_at(predictor, h)[i]);
        put_right_cells(predictor, head_of(predictor, h)->target, head_values(predictor, h));
    }
}

static bool open_heads(Predictor *predictor, NetError *error)
{
    int64_t all = 0, at = 0;
    for (int h = 0; h < predictor->session->head_count; h++)
        all += head_values(predictor, h);
    predictor->heads = net_allocate((size_t)all, sizeof *predictor->heads, error);
    for (int h = 0; predictor->heads && h < predictor->session->head_count; h++) {
        predictor->answer.outputs[head_of(predictor, h)->output] = predictor->heads + at;
        at += head_values(predictor, h);
    }
    return predictor->heads;
}

/* ---------------------------------------------------------------- for people */

/* label -1: not known. */
static void show_class(const Predictor *predictor, const char *title, int64_t label)
{
    const float *probabilities = predictor->probabilities;
    const int64_t *top = predictor->top;
    char name[NAME];
    fprintf(predictor->out, "%s: %s, %.1f %%", SHOWN(title), shown_class(name, predictor, top[0]),
            100 * (double)probabilities[top[0]]);
    if (label >= 0)
        fprintf(predictor->out, " (%s: %s)", label == top[0] ? "right" : "wrong",
                shown_class(name, predictor, label));
    fputc('\n', predictor->out);
    for (int i = 0; i < predictor->count; i++)
        fprintf(predictor->out, "%s%s %.1f %%", i ? ", " : "  ",
                shown_class(name, predictor, top[i]), 100 * (double)probabilities[top[i]]);
    fputc('\n', predictor->out);
}

static void show_mask(const Predictor *predictor, const char *title)
{
    const NetModel *model = predictor->session->model;
    int64_t counts[256] = {0};
    char name[NAME];
    for (int64_t i = 0; i < model->targets; i++)
        counts[predictor->made[i]]++;
    fprintf(predictor->out, "%s, %" PRId64 " positions:", SHOWN(title), model->targets);
    for (int64_t class = 0, shown = 0; class < model->classes; class ++)
        if (counts[class] > 0)
            fprintf(predictor->out, "%s %s %.1f %%", shown++ ? "," : "",
                    shown_class(name, predictor, class),
                    100 * (double)counts[class] / (double)model->targets);
    fputc('\n', predictor->out);
}

/* Of a text: each position's class, with a space between. */
static char *steps_text(const Predictor *predictor)
{
    char *text = NULL, name[NAME];
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    for (int64_t i = 0; file && i < predictor->said; i++)
        fprintf(file, "%s%s", i ? " " : "", class_name(name, predictor, predictor->made[i]));
    if (file)
        fclose(file);
    return text;
}

static void show_steps(const Predictor *predictor, const char *title)
{
    char *steps = steps_text(predictor);
    fprintf(predictor->out, "%s: ", SHOWN(title));
    net_print_shown(predictor->out, steps ? steps : "");
    fputc('\n', predictor->out);
    free(steps);
}

static void show(const Predictor *predictor, const NetImages *images, int64_t index,
                 const char *title, int64_t label)
{
    int64_t outputs = net_outputs(predictor->session->model);
    if (is_drawn(images))
        net_draw_image(predictor->out, net_image_at(images, index, 0), predictor->session->image);
    switch (predictor->kind) {
    case CLASS:
        show_class(predictor, title, label);
        break;
    case NUMBERS:
        fprintf(predictor->out, "%s:", SHOWN(title));
        show_values(predictor->out, predictor->logits, outputs);
        show_right(predictor, net_main_target(predictor->session->model), outputs);
        fputc('\n', predictor->out);
        break;
    case PICTURE:
        fprintf(predictor->out, "%s:\n", SHOWN(title));
        net_draw_image(predictor->out, predictor->made, predictor->shape);
        break;
    case MASK:
        (is_of_texts(predictor) ? show_steps : show_mask)(predictor, title);
        break;
    }
    show_heads(predictor);
}

/* ---------------------------------------------------------------- as JSON */

static void add_top(const Predictor *predictor, cJSON *object)
{
    char name[NAME];
    cJSON *top = cJSON_AddArrayToObject(object, "top");
    for (int i = 0; top && i < predictor->count; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "class", class_name(name, predictor, predictor->top[i]));
        cJSON_AddNumberToObject(one, "index", (double)predictor->top[i]);
        cJSON_AddNumberToObject(one, "probability",
                                (double)predictor->probabilities[predictor->top[i]]);
        cJSON_AddItemToArray(top, one);
    }
}

/* An object with what there is to say of one. */
static cJSON *describe(const Predictor *predictor, const char *title, int64_t label)
{
    char name[NAME];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, noun_of(predictor), title);
    if (predictor->kind == CLASS) {
        int64_t best = predictor->top[0];
        cJSON_AddStringToObject(object, "class", class_name(name, predictor, best));
        cJSON_AddNumberToObject(object, "index", (double)best);
        cJSON_AddNumberToObject(object, "probability", (double)predictor->probabilities[best]);
        if (label >= 0) {
            cJSON_AddStringToObject(object, "label", class_name(name, predictor, label));
            cJSON_AddBoolToObject(object, "right", label == best);
        }
        add_top(predictor, object);
    } else if (predictor->kind == NUMBERS) {
        int64_t outputs = net_outputs(predictor->session->model);
        cJSON_AddItemToObject(object, "values",
                              cJSON_CreateFloatArray(predictor->logits, (int)outputs));
        describe_right(predictor, object, net_main_target(predictor->session->model), outputs);
    } else if (is_of_texts(predictor)) {
        cJSON *steps = cJSON_AddArrayToObject(object, "classes");
        for (int64_t i = 0; steps && i < predictor->said; i++)
            cJSON_AddItemToArray(
                steps, cJSON_CreateString(class_name(name, predictor, predictor->made[i])));
    }
    describe_heads(predictor, object);
    return object;
}

static bool put_json(Predictor *predictor, const char *title, int64_t label, NetError *error)
{
    cJSON *object = describe(predictor, title, label);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    if (!text)
        return net_fail(error, "out of memory");
    fprintf(predictor->out, "%s%s", predictor->printed ? ",\n" : "[\n", text);
    free(text);
    return true;
}

/* ---------------------------------------------------------------- as a table */

/* The other places of the best classes have columns of their own, if they are asked for. */
static void put_heading(const Predictor *predictor)
{
    FILE *out = predictor->out;
    int64_t outputs = net_outputs(predictor->session->model);
    fputs(noun_of(predictor), out);
    if (predictor->kind == MASK)
        fputs(",classes", out);
    if (predictor->kind == CLASS) {
        fputs(",class,probability", out);
        if (is_labelled(predictor))
            fputs(",label,right", out);
        for (int i = 1; predictor->options->top_given && i < predictor->count; i++)
            fprintf(out, ",class_%d,probability_%d", i + 1, i + 1);
    }
    for (int64_t i = 0; predictor->kind == NUMBERS && i < outputs; i++)
        fprintf(out, ",value_%" PRId64, i);
    if (predictor->kind == NUMBERS)
        put_right_columns(predictor, net_main_target(predictor->session->model), outputs, "");
    put_head_columns(predictor);
    fputc('\n', out);
}

static void put_row(Predictor *predictor, const char *title, int64_t label)
{
    FILE *out = predictor->out;
    char name[NAME];
    if (predictor->printed == 0)
        put_heading(predictor);
    net_put_cell(out, title);
    for (int i = 0; predictor->kind == CLASS && i < predictor->count; i++) {
        if (i > 0 && !predictor->options->top_given)
            break;
        fputc(',', out);
        net_put_cell(out, class_name(name, predictor, predictor->top[i]));
        fprintf(out, ",%.6g", (double)predictor->probabilities[predictor->top[i]]);
        if (i == 0 && is_labelled(predictor)) {
            fputc(',', out);
            net_put_cell(out, label < 0 ? "" : class_name(name, predictor, label));
            fprintf(out, label < 0 ? "," : ",%d", label == predictor->top[0]);
        }
    }
    for (int64_t i = 0; predictor->kind == NUMBERS && i < net_outputs(predictor->session->model);
         i++)
        fprintf(out, ",%.9g", (double)predictor->logits[i]);
    if (predictor->kind == NUMBERS)
        put_right_cells(predictor, net_main_target(predictor->session->model),
                        net_outputs(predictor->session->model));
    if (predictor->kind == MASK) {
        char *steps = steps_text(predictor);
        fputc(',', out);
        net_put_cell(out, steps ? steps : "");
        free(steps);
    }
    put_head_cells(predictor);
    fputc('\n', out);
}

/* ---------------------------------------------------------------- as pictures */

/* "in/a.jpg" as "FOLDER/in-a.png": no two inputs have one name. */
static char *made_name(const char *folder, const char *title)
{
    char *made;
    while (*title == '/' || (title[0] == '.' && title[1] == '/'))
        title++;
    const char *slash = strrchr(title, '/'), *dot = strrchr(slash ? slash : title, '.');
    int stem = dot ? (int)(dot - title) : (int)strlen(title);
    if (asprintf(&made, "%s/%.*s.png", folder, stem, title) < 0)
        return NULL;
    for (char *at = made + strlen(folder) + 1; *at; at++)
        *at = *at == '/' ? '-' : *at;
    return made;
}

static bool write_made(const Predictor *predictor, const char *title, NetError *error)
{
    NetShape shape = predictor->shape;
    int channels = 1;
    char *path = made_name(predictor->options->folder, title);
    if (!path)
        return net_fail(error, "out of memory");
    if (predictor->kind == MASK)
        shape.c = 1;
    uint8_t *pixels = net_interleave(predictor->made, shape, &channels, error);
    bool good = pixels
                && (!net_same_file(path, title)
                    || net_fail(error, "%s would replace the picture that it is made of", path))
                && (predictor->kind == MASK
                        ? net_write_mask(path, pixels, shape.h, shape.w, error)
                        : net_write_png(path, pixels, shape.h, shape.w, channels, error));
    free(pixels);
    free(path);
    return good;
}

/* ---------------------------------------------------------------- on one sheet */

/* Whether what goes in is a picture, which stands beside what comes out. */
static bool shows_input(const Predictor *predictor)
{
    const NetImages *images = predictor->options->images;
    int64_t channels = predictor->session->image.c;
    bool picture = images ? images->arrays[0].kind == NET_PIXELS
                          : net_asked_files(predictor->session->model) == &net_picture_files;
    return picture && (channels == 1 || channels == 3);
}

static int64_t count_of(const NetPredict *options)
{
    if (!options->images)
        return options->paths->count;
    return options->count < options->images->count ? options->count : options->images->count;
}

/* Its tiles have room for the larger of the two. */
static bool open_sheet(Predictor *predictor, NetError *error)
{
    bool input = shows_input(predictor);
    int64_t count = count_of(predictor->options);
    NetShape tile = predictor->shape, image = predictor->session->image;
    if (count > NET_MAX_TILES)
        return net_fail(error,
                        "%s has room for %d pictures, and %" PRId64 " are asked for: --output DIR/ "
                        "takes them one by one",
                        predictor->options->sheet, NET_MAX_TILES, count);
    for (int64_t i = 0; !predictor->options->images && i < count; i++)
        if (net_same_file(predictor->options->sheet, predictor->options->paths->items[i]))
            return net_fail(error, "%s would replace a picture that it is made of",
                            predictor->options->sheet);
    tile.c = predictor->kind == MASK || (input && image.c == 3) ? 3 : tile.c;
    if (input) {
        tile.h = image.h > tile.h ? image.h : tile.h;
        tile.w = image.w > tile.w ? image.w : tile.w;
    }
    return net_sheet_open(&predictor->sheet, count, input ? 2 : 1, tile, error);
}

static bool put_mask(const Predictor *predictor, int number, NetError *error)
{
    NetShape shape = predictor->shape;
    int64_t plane = shape.h * shape.w;
    uint8_t *colours = net_allocate((size_t)(3 * plane), 1, error);
    shape.c = 3;
    for (int64_t i = 0; colours && i < 3 * plane; i++)
        colours[i] = net_class_colour(predictor->made[i % plane], (int)(i / plane));
    if (colours)
        net_sheet_put(&predictor->sheet, predictor->printed, number, colours, shape);
    free(colours);
    return colours != NULL;
}

static bool put_on_sheet(const Predictor *predictor, const NetImages *images, int64_t index,
                         NetError *error)
{
    const NetSheet *sheet = &predictor->sheet;
    int output = sheet->together - 1;
    if (output > 0) {
        const NetReading one = {.first = index, .count = 1, .step = 1, .end = index + 1};
        const uint8_t *pixels = images->stream
                                    ? net_stream_read(images, predictor->session->pool, &one)
                                    : net_image_at(images, index, 0);
        if (!pixels)
            return !net_stream_failed(images, error);
        net_sheet_put(sheet, predictor->printed, 0, pixels, predictor->session->image);
    }
    if (predictor->kind == MASK)
        return put_mask(predictor, output, error);
    net_sheet_put(sheet, predictor->printed, output, predictor->made, predictor->shape);
    return true;
}

/* ---------------------------------------------------------------- all of them */

static bool put(Predictor *predictor, const NetImages *images, int64_t index, const char *title,
                int64_t label, NetError *error)
{
    const NetPredict *options = predictor->options;
    predictor->index = index;
    if (!answer(predictor, images, index, title, error))
        return false;
    answer_labels(predictor);
    bool good = !options->folder || write_made(predictor, title, error);
    if (good && options->sheet)
        good = put_on_sheet(predictor, images, index, error);
    if (good && options->json)
        good = put_json(predictor, title, label, error);
    else if (good && options->csv)
        put_row(predictor, title, label);
    else if (good && !options->folder && !options->sheet)
        show(predictor, images, index, title, label);
    predictor->printed += good;
    return good;
}

/* Brought to the rate that the weights were trained with. */
static bool put_recording(Predictor *predictor, const char *path, NetError *error)
{
    NetImages one;
    const NetSession *session = predictor->session;
    bool good = net_open_recording(&one, session->model, session->recipe, path, error)
                && put(predictor, &one, 0, path, -1, error);
    net_images_close(&one);
    return good;
}

static bool put_picture(Predictor *predictor, const char *path, NetError *error)
{
    const NetImages one = net_pictures(1, predictor->session->image, predictor->pixels);
    return net_read_picture(predictor->session, path, predictor->pixels, error)
           && put(predictor, &one, 0, path, -1, error);
}

/* How many could not be answered. */
static int64_t put_files(Predictor *predictor)
{
    const NetPredict *options = predictor->options;
    int64_t failed = 0;
    for (int64_t i = 0; i < options->paths->count && !net_signal_asked(); i++) {
        NetError error;
        const char *path = options->paths->items[i];
        bool good = net_is_recording(path) ? put_recording(predictor, path, &error)
                                           : put_picture(predictor, path, &error);
        if (!good && failed++ >= 0)
            options->tell(&error);
    }
    return failed;
}

/* A text, under what it is called. */
static bool put_text(Predictor *predictor, const char *title, const char *text, int64_t length,
                     NetError *error)
{
    const NetTextReading *reading = &predictor->reading;
    const NetModel *model = predictor->session->model;
    NetImages one = {.count = 1, .array_count = 1};
    one.arrays[0] = (NetArray){.name = "text",
                               .kind = reading->kind,
                               .shape = {1, reading->length, 1, 1, 1},
                               .values = predictor->numbers,
                               .stride = reading->length,
                               .lent = true};
    int64_t characters = net_alphabet_length(&reading->alphabet, text, length);
    bool each = model->targets == reading->length && characters < reading->length;
    predictor->said = each ? characters : model->targets;
    return net_text_read(predictor->numbers, reading, text, length, title, error)
           && put(predictor, &one, 0, title, -1, error);
}

static bool put_text_file(Predictor *predictor, const char *path, NetError *error)
{
    int64_t length;
    char *text = net_read_whole(path, &length, error);
    bool good = text && put_text(predictor, path, text, length, error);
    free(text);
    return good;
}

/* How many could not be answered. */
static int64_t put_texts(Predictor *predictor)
{
    const NetPredict *options = predictor->options;
    const char *prompt = options->prompt;
    int64_t failed = 0;
    NetError error;
    if (prompt && !put_text(predictor, prompt, prompt, (int64_t)strlen(prompt), &error)) {
        options->tell(&error);
        failed++;
    }
    for (int64_t i = 0; i < options->paths->count && !net_signal_asked(); i++)
        if (!put_text_file(predictor, options->paths->items[i], &error)) {
            options->tell(&error);
            failed++;
        }
    return failed;
}

/* The class of an example, where the data say it; -1: not known. */
static int64_t label_of(const NetModel *model, const NetImages *images, int64_t index)
{
    const NetArray *array = net_class_array(model, images);
    const NetTarget *target = array ? &model->wanted[net_main_target(model)] : NULL;
    if (!array || target->positions > 1)
        return -1;
    return class_of(target, array, index);
}

static bool put_images(Predictor *predictor, NetError *error)
{
    const NetImages *images = predictor->options->images;
    bool good = true;
    for (int64_t i = 0; good && i < predictor->options->count && i < images->count; i++) {
        char title[64];
        snprintf(title, sizeof title, "test %s %" PRId64, noun_of(predictor), i);
        good =
            put(predictor, images, i, title, label_of(predictor->session->model, images, i), error);
    }
    return good;
}

/* The weights say which number a character has, or bytes are their own. */
static bool open_reading(Predictor *predictor, NetError *error)
{
    enum { BYTES = 256 };
    const NetSession *session = predictor->session;
    NetTextReading *reading = &predictor->reading;
    if (!session->recipe && session->model->numbers != BYTES)
        return net_fail(error, "the weights do not say which number a character has, so they were "
                               "trained on no texts by class: --data reads what they were");
    if (!net_text_reading_open(reading, session->model, session->recipe, error))
        return false;
    predictor->numbers =
        net_allocate((size_t)reading->length, net_kind_bytes(reading->kind), error);
    return predictor->numbers != NULL;
}

static bool open_predictor(Predictor *predictor, NetError *error)
{
    const NetSession *session = predictor->session;
    size_t outputs = (size_t)net_outputs(session->model);
    predictor->logits = net_allocate(2 * outputs, sizeof *predictor->logits, error);
    predictor->probabilities = predictor->logits + outputs;
    predictor->answer.logits = predictor->logits;
    predictor->answer.probabilities = predictor->probabilities;
    predictor->made = net_allocate(outputs, 1, error);
    predictor->top = net_allocate((size_t)predictor->options->top, sizeof *predictor->top, error);
    predictor->pixels = net_allocate((size_t)net_shape_elements(session->image), 1, error);
    predictor->shape = session->model->output;
    return predictor->logits && predictor->made && predictor->top && predictor->pixels
           && open_heads(predictor, error)
           && (!is_of_texts(predictor) || open_reading(predictor, error));
}

static bool check_kind(const Predictor *predictor, NetError *error)
{
    const NetPredict *options = predictor->options;
    bool mask = predictor->kind == MASK,
         picture = predictor->kind == PICTURE || (mask && predictor->shape.rank == 3);
    if (options->folder && !picture)
        return net_fail(error,
                        "the network's output is no picture to put into %s/: --output F.csv or "
                        "F.json takes what it says",
                        options->folder);
    if (options->sheet && !picture)
        return net_fail(error,
                        "the network's output is no picture for %s: --output F.csv or F.json takes "
                        "what it says",
                        options->sheet);
    if (options->folder && mkdir(options->folder, 0777) != 0 && errno != EEXIST)
        return net_fail(error, "cannot make the folder %s: %m", options->folder);
    if (mask && !picture && !is_of_texts(predictor) && (options->csv || options->json))
        return net_fail(error, "the network's output has a class for each position, which a table "
                               "or JSON has no place for");
    return !(options->csv || options->json) || !picture || options->folder
           || net_fail(error, "the network's output is a picture: --output DIR/ takes them, "
                              "--output F.png all in one");
}

bool net_predict_pictures(NetSession *session, const NetPredict *options, FILE *out,
                          int64_t *failed, NetError *error)
{
    Predictor predictor = {.session = session, .options = options, .out = out};
    predictor.kind = kind_of(session, options->images);
    *failed = 0;
    bool good = open_predictor(&predictor, error) && check_kind(&predictor, error)
                && (!options->sheet || open_sheet(&predictor, error));
    if (good && options->images)
        good = put_images(&predictor, error);
    else if (good && is_of_texts(&predictor))
        *failed = put_texts(&predictor);
    else if (good)
        *failed = put_files(&predictor);
    if (good && options->sheet && predictor.printed > 0)
        good = net_sheet_write(&predictor.sheet, options->sheet, error);
    if (good && options->json)
        fputs(predictor.printed ? "\n]\n" : "[]\n", out);
    free(predictor.logits);
    free(predictor.heads);
    free(predictor.made);
    free(predictor.top);
    free(predictor.pixels);
    net_text_reading_close(&predictor.reading);
    free(predictor.numbers);
    net_sheet_close(&predictor.sheet);
    return good;
}
