/* generate.c: text that a network of characters goes on with, one character a step.
 *
 * The network sees the last characters, as many as its input has: its window.  Where it gives a
 * character for each of them, the one behind the last that is there counts, so it must not look at
 * what follows: that is tried before anything is printed, unless the compiler has made sure of it.
 * Then each character is one step, of what layers have kept of those before it, as long as the text
 * fits into the window.  A longer one moves through it: every place is another's then, so that all
 * are computed again for each character.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Writer {
    NetSession *session;
    const NetGenerate *options;
    int64_t length, numbers; /* of the input: characters, and how many different ones */
    int64_t *text;           /* [prompt + count] */
    int64_t written;
    float *input, *outputs; /* [length], [all outputs] */
    double *weights;        /* [numbers] */
    bool by_steps;          /* what was seen is kept … */
    int64_t seen;           /* … of so many characters */
} Writer;

/* ---------------------------------------------------------- characters */

/* A network may take more numbers than its text had characters. */
static bool is_character(const Writer *writer, int64_t number)
{
    const char *name = net_class_name(writer->session, number);
    return name[0] == '\\' || name[1] == '\0';
}

/* The number of the character that the text begins with, and its bytes; -1: there is none. */
static int64_t find_character(const Writer *writer, const char *at, int *length)
{
    char bytes[8];
    for (int64_t i = 0; i < writer->numbers; i++) {
        *length = net_spell_character(net_class_name(writer->session, i), bytes);
        if (is_character(writer, i) && strncmp(at, bytes, (size_t)*length) == 0)
            return i;
    }
    return -1;
}

static int64_t count_characters(const Writer *writer)
{
    int64_t count = 0;
    for (int64_t i = 0; i < writer->numbers; i++)
        count += is_character(writer, i);
    return count;
}

static bool read_prompt(Writer *writer, NetError *error)
{
    int length;
    for (const char *at = writer->options->prompt; *at; at += length) {
        int64_t number = find_character(writer, at, &length);
        if (number < 0)
            return net_fail(error,
                            "the prompt's `%.4s` begins with none of the %" PRId64
                            " characters that the network was trained on",
                            at, count_characters(writer));
        writer->text[writer->written++] = number;
    }
    return true;
}

/* ---------------------------------------------------------------- steps */

static void take_outputs(void *to, int64_t image, const real *logits, int64_t stride,
                         const NetModel *model)
{
    float *outputs = to;
    (void)image;
    for (int64_t i = 0; i < net_outputs(model); i++)
        outputs[i] = (float)logits[i * stride];
}

/* Asks the network; where the text is shorter than its input, `filler` follows, or, where it
 * speaks of the last place only, goes before. */
static const float *look(Writer *writer, int64_t filler)
{
    const NetModel *model = writer->session->model;
    bool each = model->targets == writer->length;
    int64_t seen = writer->written < writer->length ? writer->written : writer->length,
            first = each ? 0 : writer->length - seen;
    for (int64_t i = 0; i < writer->length; i++)
        writer->input[i] = (float)filler;
    for (int64_t i = 0; i < seen; i++)
        writer->input[first + i] = (float)writer->text[writer->written - seen + i];
    const real *alone = net_one_image_floats(writer->session, writer->input, NULL);
    if (alone)
        take_outputs(writer->outputs, 0, alone, 1, model);
    else
        net_test_batch(writer->session, &(NetBatch){.pixels = writer->input,
                                                    .count = 1,
                                                    .take = take_outputs,
                                                    .to = writer->outputs});
    return writer->outputs + (each ? (seen - 1) * model->target_step : 0);
}

/* The same of a text that fits into the window: only what was not seen yet goes through. */
static const float *look_on(Writer *writer)
{
    const real *logits = NULL;
    while (writer->seen < writer->written)
        logits = net_rows_next(writer->session, writer->text[writer->seen++]);
    for (int64_t k = 0; k < writer->numbers; k++)
        writer->outputs[k * writer->session->model->class_step] = (float)logits[k];
    return writer->outputs;
}

/* Of two fillers the first answer is the same, unless the network looks ahead. */
static bool looks_back_only(Writer *writer, NetError *error)
{
    const NetModel *model = writer->session->model;
    if (writer->by_steps || model->targets != writer->length || writer->written >= writer->length
        || writer->numbers < 2)
        return true;
    for (int64_t filler = 0; filler < 2; filler++) {
        const float *answer = look(writer, filler);
        for (int64_t k = 0; k < writer->numbers; k++) {
            double here = (double)answer[k * model->class_step];
            if (filler == 1 && fabs(here - writer->weights[k]) > 1e-3 * (1 + fabs(here)))
                return net_fail(error,
                                "%s looks at what follows a character, so it cannot say what comes "
                                "next: attention(…, causal=true) looks back only",
                                model->name);
            writer->weights[k] = here;
        }
    }
    return true;
}

/* The k-th largest. */
static double threshold(const double *values, int64_t count, int64_t k)
{
    double limit = INFINITY;
    for (int64_t taken = 0; taken < k;) {
        double next = -INFINITY;
        int64_t equal = 0;
        for (int64_t i = 0; i < count; i++)
            if (values[i] < limit && values[i] > next)
                next = values[i];
        for (int64_t i = 0; i < count; i++)
            equal += values[i] == next;
        if (equal == 0)
            break;
        limit = next;
        taken += equal;
    }
    return limit;
}

/* A character drawn by the softmax of logits / temperature, of the top k; 0: the likeliest. */
static int64_t draw(Writer *writer, const float *logits)
{
    const NetGenerate *options = writer->options;
    int64_t step = writer->session->model->class_step, best = 0;
    double total = 0;
    for (int64_t k = 0; k < writer->numbers; k++) {
        writer->weights[k] = is_character(writer, k) ? (double)logits[k * step] : -INFINITY;
        best = writer->weights[k] > writer->weights[best] ? k : best;
    }
    if (options->temperature == 0)
        return best;
    double largest = writer->weights[best], least = -INFINITY;
    if (options->top_k > 0 && options->top_k < writer->numbers)
        least = threshold(writer->weights, writer->numbers, options->top_k);
    for (int64_t k = 0; k < writer->numbers; k++) {
        double value = writer->weights[k];
        writer->weights[k] = value < least ? 0 : exp((value - largest) / options->temperature);
        total += writer->weights[k];
    }
    double left =
        total * net_random(options->seed, (uint64_t)writer->written, net_hash("generate"), 0);
    for (int64_t k = 0; k < writer->numbers; k++) {
        left -= writer->weights[k];
        if (left < 0 && writer->weights[k] > 0)
            return k;
    }
    return best;
}

static bool write_character(const Writer *writer, int64_t number, FILE *out, NetError *error)
{
    char bytes[8];
    int length = net_spell_character(net_class_name(writer->session, number), bytes);
    if (fwrite(bytes, 1, (size_t)length, out) == (size_t)length && fflush(out) == 0)
        return true;
    return net_fail(error, "the text cannot be written");
}

static bool write_text(Writer *writer, FILE *out, NetError *error)
{
    if (!read_prompt(writer, error))
        return false;
    if (writer->written == 0)
        return net_fail(error, "generate goes on with a prompt: --prompt TEXT");
    writer->by_steps = !writer->options->no_cache && net_rows_begin(writer->session);
    if (!looks_back_only(writer, error))
        return false;
    fputs(writer->options->prompt, out);
    for (int64_t i = 0; i < writer->options->count && !net_signal_asked(); i++) {
        bool fits = writer->by_steps && writer->written <= writer->length;
        int64_t number = draw(writer, fits ? look_on(writer) : look(writer, 0));
        writer->text[writer->written++] = number;
        if (!write_character(writer, number, out, error))
            return false;
    }
    fputc('\n', out);
    return true;
}

bool net_generate(NetSession *session, const NetGenerate *options, FILE *out, NetError *error)
{
    const NetModel *model = session->model;
    Writer writer = {.session = session,
                     .options = options,
                     .length = net_shape_elements(model->input),
                     .numbers = model->numbers};
    if (!net_class_name(session, 0))
        return net_fail(error, "the weights do not say which characters they know: they were not "
                               "trained on a text");
    size_t characters = strlen(options->prompt) + (size_t)options->count;
    writer.text = net_allocate(characters + 1, sizeof *writer.text, error);
    writer.input = net_allocate((size_t)writer.length, sizeof *writer.input, error);
    writer.outputs = net_allocate((size_t)net_outputs(model), sizeof *writer.outputs, error);
    writer.weights = net_allocate((size_t)writer.numbers, sizeof *writer.weights, error);
    bool good = writer.text && writer.input && writer.outputs && writer.weights
                && write_text(&writer, out, error);
    free(writer.text);
    free(writer.input);
    free(writer.outputs);
    free(writer.weights);
    return good;
}

bool net_can_generate(const NetModel *model)
{
    return model->numbers > 1 && model->classes == model->numbers && model->input_count == 1
           && (model->targets == 1 || model->targets == net_shape_elements(model->input));
}
