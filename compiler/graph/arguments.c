/* arguments.c: arguments against the table of what takes them.
 *
 * Operators and settings describe their arguments as ArgSpec tables; here a
 * written list becomes one ArgValue per entry, defaults filled in, and every
 * way of getting that wrong gets its message.  Blocks' parameters are untyped,
 * so they are bound as they come.
 */
#include "graph/build.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------- tables, as messages */

static int find_spec(const ArgSpec *specs, const char *name)
{
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++)
        if (strcmp(specs[i].name, name) == 0)
            return i;
    return -1;
}

static int count_specs(const ArgSpec *specs)
{
    int count = 0;
    while (specs != NULL && specs[count].name != NULL)
        count++;
    return count;
}

const char *signature_text(const char *subject, const ArgSpec *specs)
{
    Text text = {0};
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++) {
        const char *otherwise = specs[i].otherwise;
        text_add(&text, "%s%s", i > 0 ? ", " : "", specs[i].name);
        if (otherwise != NULL && !absent_by_default(&specs[i]))
            text_add(&text, "=%s", otherwise + (otherwise[0] == '='));
    }
    return format("%s(%s)", subject, text_chars(&text));
}

static const char *words_text(const char *const *words)
{
    Text text = {0};
    for (int i = 0; words[i] != NULL; i++)
        text_add(&text, "%s%s", i > 0 ? ", " : "", words[i]);
    return intern(text_chars(&text));
}

/* "at least 1", "0 to 9", "a probability, 0 to 1": why `number` is refused. */
static const char *range_text(const ArgSpec *spec, double number)
{
    if (spec->doc != NULL && spec->maximum == 1
        && strncmp(spec->doc, "Probability", strlen("Probability")) == 0)
        return "a probability, 0 to 1";
    if (spec->maximum >= (double)MAX_ELEMENTS && number < spec->minimum)
        return format("at least %.10g", spec->minimum);
    return format("%.10g to %.10g", spec->minimum, spec->maximum);
}

/* --------------------------------------------------------- one argument */

/* of one value to its table's kind */
typedef struct Conversion {
    Builder *b;
    const char *subject;
    const ArgSpec *spec;
    Span span;
    const Binding *origin; /* the name it was given by; NULL: by none */
} Conversion;

/* "`p` of dropout"; of `batch 64`, plainly "`batch`". */
static const char *argument_name(const Conversion *c)
{
    return strcmp(c->spec->name, c->subject) == 0 ? format("`%s`", c->subject)
                                                  : format("`%s` of %s", c->spec->name, c->subject);
}

static bool out_of_range(const Conversion *c, const Value *value, double number)
{
    const char *range = range_text(c->spec, number);
    Diagnostic *d = build_error(c->b, "argument-range", c->span, "%s must be %s, not %s",
                                argument_name(c), range, value_text(value));
    diag_caption(d, "%s", range);
    if (c->origin != NULL)
        diag_label(d, c->origin->span, "`%s` comes from here", c->origin->name);
    if (c->spec->doc != NULL)
        diag_note(d, "`%s`: %s", c->spec->name, c->spec->doc);
    return false;
}

/* Where a table has no range, its whole numbers still fit an int. */
static bool in_range(const Conversion *c, const Value *value)
{
    const ArgSpec *spec = c->spec;
    double number = value->kind == VALUE_INT ? (double)value->integer : value->real;
    if (spec->minimum != 0 || spec->maximum != 0)
        return (number >= spec->minimum && number <= spec->maximum)
               || out_of_range(c, value, number);
    if (value->kind == VALUE_REAL
        || (number >= -(double)MAX_ELEMENTS && number <= (double)MAX_ELEMENTS))
        return true;
    build_error(c->b, "argument-range", c->span, "%s: %s is too large", argument_name(c),
                value_text(value));
    return false;
}

static bool takes_initialiser(const ArgSpec *spec, const char *name)
{
    bool listed = spec->words == NULL;
    for (int i = 0; !listed && spec->words[i] != NULL; i++)
        listed = strcmp(spec->words[i], name) == 0;
    return listed;
}

static const char *initialisers_text(const ArgSpec *spec)
{
    LIST(const char *) names = {0};
    for (int i = 0; initialisers[i].name != NULL; i++)
        if (takes_initialiser(spec, initialisers[i].name))
            push(&names, initialisers[i].name);
    push(&names, NULL);
    return words_text(names.items);
}

static const char *wanted_text(const ArgSpec *spec)
{
    const char *words =
        spec->words != NULL ? format(", or one of: %s", words_text(spec->words)) : "";
    switch (spec->kind) {
    case ARG_INT:
        return "a whole number";
    case ARG_SINGLE:
        return format("a whole number%s", words);
    case ARG_PAIR:
        return format("a whole number or a pair [rows, columns]%s", words);
    case ARG_TRIPLE:
        return format("a whole number or [depth, rows, columns]%s", words);
    case ARG_QUAD:
        return "a whole number or [left, right, top, bottom]";
    case ARG_SHAPE:
        return "a list of one to four sizes, one of which may be _";
    case ARG_AXES:
        return "an axis or a list of axes";
    case ARG_INTS:
        return format("a whole number or a list of at most %d", MAX_INTS);
    case ARG_REAL:
        return format("a number%s", words);
    case ARG_BOOL:
        return "true or false";
    case ARG_WORD:
        return spec->words == any_word ? "a name" : format("one of: %s", words_text(spec->words));
    case ARG_INIT:
        return format("%sone of: %s", spec->words == NULL ? "a number, or " : "",
                      initialisers_text(spec));
    case ARG_VALUES:
        return "a number, or a list of numbers";
    case ARG_TENSORS:
        return "a named tensor, or a list of them";
    }
    unreachable();
}

/* As the language writes it: digits, a point, an exponent. */
static bool is_number(const char *word)
{
    char *end;
    strtod(word, &end);
    return *word != '\0' && *end == '\0' && strspn(word, "0123456789.eE-+") == strlen(word)
           && isdigit((unsigned char)*word);
}

static const char *nearest_initialiser(Diagnostic *d, const char *word)
{
    LIST(const char *) names = {0};
    for (int i = 0; initialisers[i].name != NULL; i++)
        push(&names, initialisers[i].name);
    push(&names, NULL);
    return nearest_for(d, word, names.items);
}

/* A tensor that comes without a name: lstm(64, state).  False: it is none, or none is taken. */
static bool suggest_tensor(Diagnostic *d, const ArgSpec *specs, const Value *value, Span at)
{
    for (const ArgSpec *spec = specs; value->kind == VALUE_TENSOR && spec->name != NULL; spec++)
        if (spec->kind == ARG_TENSORS) {
            diag_help(d, "a tensor has its argument's name: %s=%s", spec->name, span_text(at));
            return true;
        }
    return false;
}

/* Their true is 1. */
static void suggest_kind(Diagnostic *d, const Conversion *c, const Value *value)
{
    if (c->spec->kind == ARG_BOOL && value->kind == VALUE_INT
        && (value->integer == 0 || value->integer == 1)) {
        const char *word = value->integer ? "true" : "false";
        diag_fix(d, c->span, word, "%lld is %s here", value->integer, word);
    }
    suggest_tensor(d, c->spec, value, c->span);
}

/* A misspelt word of the table, a name that nothing has, or another kind. */
static bool wrong_value(const Conversion *c, const Value *value)
{
    if (value->kind == VALUE_UNKNOWN)
        return false;
    bool wordy = c->spec->words != NULL || c->spec->kind == ARG_INIT;
    if (value->kind == VALUE_WORD && !wordy) {
        Diagnostic *d = report_unknown_word(c->b, value->word, c->span);
        if (d != NULL)
            diag_caption(d, "%s is %s", argument_name(c), wanted_text(c->spec));
        return false;
    }
    const char *code = value->kind == VALUE_REAL && c->spec->kind <= ARG_INTS ? "not-a-dimension"
                                                                              : "argument-type";
    Diagnostic *d = build_error(c->b, code, c->span, "%s is %s; this is %s", argument_name(c),
                                wanted_text(c->spec), value_text(value));
    if (value->kind == VALUE_REAL && strchr(span_text(c->span), '/') != NULL)
        diag_help(d, "`/` is true division; `//` rounds down, ceil(…) up");
    if (value->kind == VALUE_TEXT && c->spec->kind <= ARG_REAL && is_number(value->word))
        diag_fix(d, c->span, value->word, "a number has no quotes");
    suggest_kind(d, c, value);
    const char *near = value->kind == VALUE_WORD && c->spec->words != NULL
                           ? nearest_for(d, value->word, c->spec->words)
                       : value->kind == VALUE_WORD ? nearest_initialiser(d, value->word)
                                                   : NULL;
    if (near != NULL)
        diag_fix(d, c->span, near, "the nearest is %s", near);
    return false;
}

static bool convert_int(const Conversion *c, const Value *value, Int *integer)
{
    if (value->kind != VALUE_INT)
        return wrong_value(c, value);
    *integer = value->integer;
    return in_range(c, value);
}

/* An operator's name may be a word too: nonlinearity=relu. */
static bool convert_word(const Conversion *c, const Value *value, ArgValue *out)
{
    bool wordy =
        value->kind == VALUE_WORD || value->kind == VALUE_TEXT || value->kind == VALUE_APPLIES;
    if (wordy && c->spec->words == any_word) {
        out->word = intern(value->word);
        return true;
    }
    for (int i = 0; wordy && c->spec->words != NULL && c->spec->words[i] != NULL; i++)
        if (strcmp(c->spec->words[i], value->word) == 0) {
            out->word = intern(value->word);
            return true;
        }
    return wrong_value(c, value);
}

static bool convert_real(const Conversion *c, const Value *value, ArgValue *out)
{
    if (c->spec->words != NULL && (value->kind == VALUE_WORD || value->kind == VALUE_TEXT))
        return convert_word(c, value, out);
    if (value->kind != VALUE_INT && value->kind != VALUE_REAL)
        return wrong_value(c, value);
    out->real = value->kind == VALUE_INT ? (double)value->integer : value->real;
    return in_range(c, value);
}

/* One number for all, or a list of exactly `count`. */
static bool convert_window(const Conversion *c, const Value *value, int count, ArgValue *out)
{
    if (c->spec->words != NULL && (value->kind == VALUE_WORD || value->kind == VALUE_TEXT))
        return convert_word(c, value, out);
    if (value->kind == VALUE_LIST && value->list->values.count != count)
        return wrong_value(c, value);
    for (int i = 0; i < count; i++) {
        const Value *item = value->kind == VALUE_LIST ? &value->list->values.items[i] : value;
        if (!convert_int(c, item, &out->integer[i]))
            return false;
    }
    return true;
}

/* Some whole numbers; of a shape's sizes one may be whatever is left over. */
static bool convert_sizes(const Conversion *c, const Value *value, ArgValue *out)
{
    bool shape = c->spec->kind == ARG_SHAPE, list = value->kind == VALUE_LIST;
    int most = c->spec->kind == ARG_INTS ? MAX_INTS : MAX_RANK;
    if (list && (value->list->values.count < 1 || value->list->values.count > most))
        return wrong_value(c, value);
    out->count = list ? value->list->values.count : 1;
    for (int i = 0; i < out->count; i++) {
        const Value *item = list ? &value->list->values.items[i] : value;
        if (shape && item->kind == VALUE_ANY)
            out->integer[i] = OPEN_SIZE;
        else if (!convert_int(c, item, &out->integer[i]))
            return false;
    }
    return true;
}

const ArgValue *initialiser_arguments(Builder *b, const Initialiser *init, const Arguments *args,
                                      Span at)
{
    static const ArgSpec none[] = {{0}};
    const ArgSpec *specs = init->args != NULL ? init->args : none;
    const ArgValue *values = resolve_arguments(b, init->name, specs, args, at);
    int low = find_spec(specs, "a"), high = find_spec(specs, "b");
    if (values == NULL || low < 0 || high < 0 || values[low].real <= values[high].real)
        return values;
    build_error(b, "argument-range", at, "%s from %.10g to %.10g: the lower comes first",
                init->name, values[low].real, values[high].real);
    return NULL;
}

/* kaiming_normal(mode=fan_out), zeros; a number is what every value is. */
static bool convert_init(const Conversion *c, const Value *value, ArgValue *out)
{
    Arguments given = {0};
    bool number = value->kind == VALUE_INT || value->kind == VALUE_REAL,
         named =
             value->kind == VALUE_WORD || value->kind == VALUE_INIT || value->kind == VALUE_APPLIES;
    out->init = number  ? find_initialiser("constant")
                : named ? find_initialiser(value->word)
                        : NULL;
    if (out->init == NULL || !takes_initialiser(c->spec, out->init->name))
        return wrong_value(c, value);
    if (number)
        push(&given, ((Argument){NULL, c->span, c->span, *value, NULL, false}));
    out->word = out->init->name;
    out->init_args = initialiser_arguments(
        c->b, out->init, !number && value->bound != NULL ? value->bound : &given, c->span);
    return out->init_args != NULL;
}

/* A list's numbers, those of lists in it one after the other. */
static bool convert_numbers(const Conversion *c, const Value *value, RealList *numbers)
{
    ArgValue one = {0};
    if (value->kind != VALUE_LIST) {
        bool good = convert_real(c, value, &one);
        push(numbers, one.real);
        return good;
    }
    for (int i = 0; i < value->list->values.count; i++)
        if (!convert_numbers(c, &value->list->values.items[i], numbers))
            return false;
    return true;
}

static bool convert_values(const Conversion *c, const Value *value, ArgValue *out)
{
    RealList numbers = {0};
    if (value->kind == VALUE_LIST && value->list->values.count == 0)
        return wrong_value(c, value);
    if (!convert_numbers(c, value, &numbers))
        return false;
    out->reals = numbers.items;
    out->real = numbers.items[0];
    out->count = numbers.count;
    return true;
}

/* One tensor's name, or a list of names; which of them is unknown was told. */
static bool convert_tensors(const Conversion *c, const Value *value, ArgValue *out)
{
    bool list = value->kind == VALUE_LIST;
    int count = list ? value->list->values.count : 1;
    if (count < 1 || count > MAX_INTS)
        return wrong_value(c, value);
    out->tensors = NEW_ARRAY(Tensor *, (size_t)count);
    for (int i = 0; i < count; i++) {
        const Value *item = list ? &value->list->values.items[i] : value;
        const TensorName *named = item->kind == VALUE_TEXT ? find_tensor(c->b, item->word) : NULL;
        if (item->kind == VALUE_WORD || (item->kind == VALUE_TEXT && named == NULL)) {
            report_unknown_tensor(c->b, item->word, c->span);
            return false;
        }
        if (item->kind != VALUE_TENSOR && named == NULL)
            return wrong_value(c, item);
        out->tensors[i] = named != NULL ? named->tensor : item->tensor;
        if (out->tensors[i] == NULL)
            return false;
    }
    out->count = count;
    return true;
}

static bool convert(const Conversion *c, const Value *value, ArgValue *out)
{
    switch (c->spec->kind) {
    case ARG_INT:
        return convert_int(c, value, &out->integer[0]);
    case ARG_SINGLE:
    case ARG_PAIR:
    case ARG_TRIPLE:
    case ARG_QUAD:
        return convert_window(c, value, window_sizes(c->spec->kind), out);
    case ARG_SHAPE:
    case ARG_AXES:
    case ARG_INTS:
        return convert_sizes(c, value, out);
    case ARG_REAL:
        return convert_real(c, value, out);
    case ARG_WORD:
        return convert_word(c, value, out);
    case ARG_BOOL:
        out->integer[0] = value->integer;
        return value->kind == VALUE_BOOL || wrong_value(c, value);
    case ARG_INIT:
        return convert_init(c, value, out);
    case ARG_VALUES:
        return convert_values(c, value, out);
    case ARG_TENSORS:
        return convert_tensors(c, value, out);
    }
    unreachable();
}

/* ------------------------------------------------------------- defaults */

/* What args[i] is where it is not written: "1", "1e-5", "true", "zeros", "=kernel_size" (of args,
 * filled in before) and "none". */
static ArgValue otherwise_of(const ArgSpec *specs, const ArgValue *args, int i)
{
    const char *text = specs[i].otherwise;
    ArgValue value = {.span = args[i].span};
    if (absent_by_default(&specs[i]))
        return value;
    if (text[0] == '=') {
        value = args[find_spec(specs, text + 1)];
        value.given = false;
        value.span = args[i].span;
        return value;
    }
    char *end;
    value.real = strtod(text, &end);
    if (*end != '\0') {
        value.integer[0] = strcmp(text, "true") == 0;
        value.word = intern(text);
        return value;
    }
    for (int k = 0; k < MAX_INTS; k++)
        value.integer[k] = (Int)value.real;
    value.count = specs[i].kind == ARG_AXES || specs[i].kind == ARG_INTS;
    return value;
}

/* A default that copies another argument comes after those that do not. */
static void set_defaults(const ArgSpec *specs, ArgValue *args)
{
    for (int copies = 0; copies < 2; copies++)
        for (int i = 0; specs[i].name != NULL; i++)
            if (!args[i].given && specs[i].otherwise != NULL
                && (specs[i].otherwise[0] == '=') == copies)
                args[i] = otherwise_of(specs, args, i);
}

static bool same_numbers(int count, const ArgValue *a, const ArgValue *b)
{
    return memcmp(a->integer, b->integer, (size_t)count * sizeof *a->integer) == 0;
}

static bool same_value(const ArgSpec *spec, const ArgValue *a, const ArgValue *b)
{
    switch (spec->kind) {
    case ARG_INT:
    case ARG_BOOL:
        return a->integer[0] == b->integer[0];
    case ARG_SINGLE:
    case ARG_PAIR:
    case ARG_TRIPLE:
    case ARG_QUAD:
        return a->word == b->word && same_numbers(window_sizes(spec->kind), a, b);
    case ARG_SHAPE:
    case ARG_AXES:
    case ARG_INTS:
        return a->count == b->count && same_numbers(a->count, a, b);
    case ARG_REAL:
        return a->word == b->word && a->real == b->real;
    case ARG_WORD:
        return a->word == b->word;
    case ARG_INIT: /* required wherever there are some */
    case ARG_VALUES:
    case ARG_TENSORS:
        return false;
    }
    unreachable();
}

bool argument_is_default(const ArgSpec *specs, const ArgValue *args, int i)
{
    if (!args[i].given)
        return specs[i].otherwise != NULL;
    if (specs[i].otherwise == NULL || absent_by_default(&specs[i]))
        return false;
    ArgValue otherwise = otherwise_of(specs, args, i);
    return same_value(&specs[i], &args[i], &otherwise);
}

static bool all_equal(const Int *numbers, int count)
{
    bool equal = true;
    for (int i = 1; i < count; i++)
        equal &= numbers[i] == numbers[0];
    return equal;
}

/* "[3, 5]"; with `one`, a number that all are is written once. */
static const char *numbers_text(const Int *numbers, int count, bool one)
{
    Text text = {0};
    if (one && all_equal(numbers, count))
        return format("%lld", numbers[0]);
    for (int i = 0; i < count; i++)
        text_add(&text, "%s%lld", i ? ", " : "[", numbers[i]);
    text_add(&text, "]");
    return text_chars(&text);
}

/* "normal(std=0.02)" */
static const char *initialiser_text(const ArgValue *value)
{
    const ArgSpec *specs = value->init->args;
    Text text = {0};
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++)
        if (!argument_is_default(specs, value->init_args, i))
            text_add(&text, "%s%s=%s", text.length > 0 ? ", " : "", specs[i].name,
                     argument_text(&specs[i], &value->init_args[i]));
    return text.length > 0 ? format("%s(%s)", value->word, text_chars(&text)) : value->word;
}

/* "0.5", "[1, 2, 3]"; of many what they are not, the first of them. */
static const char *values_text(const ArgValue *value)
{
    enum { SHOWN = 8 };
    Text text = {0};
    if (value->count == 1)
        return format("%.10g", value->real);
    for (int i = 0; i < value->count && i < SHOWN; i++)
        text_add(&text, "%s%.10g", i ? ", " : "[", value->reals[i]);
    text_add(&text, value->count > SHOWN ? ", …]" : "]");
    return text_chars(&text);
}

static const char *tensors_text(const ArgValue *value)
{
    Text text = {0};
    for (int i = 0; i < value->count; i++)
        text_add(&text, "%s%s", i ? ", " : "", value->tensors[i]->name);
    return value->count == 1 ? text_chars(&text) : format("[%s]", text_chars(&text));
}

const char *argument_text(const ArgSpec *spec, const ArgValue *value)
{
    const Int *n = value->integer;
    switch (spec->kind) {
    case ARG_INT:
        return format("%lld", n[0]);
    case ARG_BOOL:
        return n[0] ? "true" : "false";
    case ARG_REAL:
        return value->word != NULL ? value->word : format("%.10g", value->real);
    case ARG_WORD:
        return value->word;
    case ARG_SINGLE:
    case ARG_PAIR:
    case ARG_TRIPLE:
        if (value->word != NULL)
            return value->word;
        return numbers_text(n, window_sizes(spec->kind), true);
    case ARG_QUAD:
        return numbers_text(n, 4, false);
    case ARG_SHAPE:
        return sizes_text(value);
    case ARG_AXES:
        return numbers_text(n, value->count, true);
    case ARG_INTS:
        return numbers_text(n, value->count, value->count == 1);
    case ARG_INIT:
        return initialiser_text(value);
    case ARG_VALUES:
        return values_text(value);
    case ARG_TENSORS:
        return tensors_text(value);
    }
    unreachable();
}

/* ------------------------------------------------------- the whole list */

static void report_unknown_argument(Builder *b, const char *subject, const ArgSpec *specs,
                                    const Argument *arg)
{
    LIST(const char *) names = {0};
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++)
        push(&names, specs[i].name);
    push(&names, NULL);
    Diagnostic *d = build_error(b, "unknown-argument", arg->name_span, "%s has no argument `%s`",
                                subject, arg->name);
    const char *near = other_argument_name(specs, arg->name);
    near = near != NULL ? near : nearest_for(d, arg->name, names.items);
    if (near != NULL)
        diag_fix(d, arg->name_span, near, "it is `%s` here", near);
    else
        explain_argument(d, arg->name);
    if (names.count > 1)
        diag_note(d, "arguments of %s: %s", subject, words_text(names.items));
    else
        diag_note(d, "%s takes no arguments", subject);
}

/* A value and what parts it from the next argument; of an only one, the
 * parentheses around it. */
static Span first_of(const Arguments *args)
{
    Span at = args->items[0].span;
    int length;
    const char *line = source_line(at.source, at.line, &length);
    int from = at.column - 1, to = at.end_column - 1;
    if (args->count > 1) {
        const Argument *next = &args->items[1];
        return span_between(
            at, (Span){at.source, 0, 0, next->name != NULL ? next->name_span.line : next->span.line,
                       next->name != NULL ? next->name_span.column : next->span.column});
    }
    while (from > 0 && line[from - 1] == ' ')
        from--;
    while (to < length && line[to] == ' ')
        to++;
    if (at.line == at.end_line && from > 0 && line[from - 1] == '(' && to < length
        && line[to] == ')') {
        at.column = from;
        at.end_column = to + 2;
    }
    return at;
}

/* Whether the second is the larger number, or the same: no window is as large as
 * channels are many. */
static bool is_wider(const Value *first, const Value *second)
{
    return first->kind == VALUE_INT && second->kind == VALUE_INT
           && second->integer >= first->integer;
}

/* What the arguments without names are here, were the first not there: those that
 * then need a name get theirs.  False: there are more than the table has. */
static bool edits_without_first(const ArgSpec *specs, const Arguments *args, int given,
                                EditList *edits)
{
    push(edits, ((Edit){first_of(args), ""}));
    for (int i = 1; i < given; i++) {
        const ArgSpec *spec = &specs[i - 1];
        if (spec->name == NULL || spec->assertion)
            return false;
        if (!spec->positional)
            push(edits, ((Edit){span_start(args->items[i].span), format("%s=", spec->name)}));
    }
    return true;
}

/* Whether a size could stand there as well as another number. */
static bool takes_size(const ArgSpec *spec)
{
    return spec->name != NULL && (spec->positional || (spec->kind == ARG_INT && !spec->assertion));
}

/* conv2d(3, 16, 5) and batch_norm2d(16), as PyTorch has them: the size of the
 * input comes first, which is known here; then what has a name here, in the same
 * order. */
static void suggest_without_first(Diagnostic *d, const ArgSpec *specs, const Arguments *args)
{
    int given = 0;
    const char *asserted = NULL;
    EditList edits = {0};
    for (int i = 0; specs[i].name != NULL; i++)
        asserted = specs[i].assertion ? specs[i].name : asserted;
    while (given < args->count && args->items[given].name == NULL)
        given++;
    if (asserted == NULL || given == 0 || !edits_without_first(specs, args, given, &edits))
        return;
    if (given > 1 && takes_size(&specs[1])
        && !is_wider(&args->items[0].value, &args->items[1].value))
        diag_doubt(d); /* Keras: channels, window, stride; hidden_size, num_layers */
    diag_repair(d, &edits, format("leave the first out: %s is known from the input", asserted));
}

/* Empty, where it ends. */
static Span end_of(Span span)
{
    return (Span){span.source, span.end_line, span.end_column, span.end_line, span.end_column};
}

/* permute(0, 2, 1) is permute([0, 2, 1]), where one list is all that needs no name. */
static void suggest_list(Diagnostic *d, const ArgSpec *specs, const Arguments *args)
{
    ArgKind kind = specs[0].kind;
    if ((kind != ARG_SHAPE && kind != ARG_AXES && kind != ARG_INTS) || specs[1].positional)
        return;
    EditList edits = {0};
    int last = 0;
    for (int i = 0; i < args->count && args->items[i].name == NULL; i++) {
        if (args->items[i].value.kind != VALUE_INT)
            return;
        last = i;
    }
    push(&edits, ((Edit){span_start(args->items[0].span), "["}));
    push(&edits, ((Edit){end_of(args->items[last].span), "]"}));
    diag_repair(d, &edits, "they are one list, in brackets");
}

/* conv2d(64, 3, 2, 1), whose first is no input's size: what lacks a name has these, in PyTorch's
 * order. */
static void suggest_names(Diagnostic *d, const ArgSpec *specs, const Arguments *args)
{
    EditList edits = {0};
    Text names = {0};
    int count = count_specs(specs);
    for (int i = 0; i < args->count && args->items[i].name == NULL; i++) {
        if (i >= count || specs[i].assertion)
            return;
        if (specs[i].positional)
            continue;
        push(&edits, ((Edit){span_start(args->items[i].span), format("%s=", specs[i].name)}));
        text_add(&names, "%s%s=", edits.count > 1 ? ", " : "", specs[i].name);
    }
    if (edits.count > 0)
        diag_repair(d, &edits,
                    format("name %s: %s", edits.count > 1 ? "them" : "it", text_chars(&names)));
}

/* Whether the first of them is perhaps no size of the input, which comes first in PyTorch: of
 * max_pool2d(3, 2, 1) it never is. */
static bool may_lack_names(const ArgSpec *specs, const Arguments *args)
{
    if (specs[0].role == ROLE_KERNEL && specs[1].role == ROLE_STRIDE)
        return true;
    return args->count > 1 && specs[0].positional && takes_size(&specs[1])
           && !is_wider(&args->items[0].value, &args->items[1].value);
}

static void report_too_many(Builder *b, const char *subject, const ArgSpec *specs,
                            const Arguments *args, const Argument *extra)
{
    int count = 0;
    Text names = {0};
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++)
        if (specs[i].positional)
            text_add(&names, "%s%s", count++ > 0 ? ", " : "", specs[i].name);
    if (count_specs(specs) == 0) {
        build_error(b, "too-many-arguments", extra->span, "%s takes no arguments", subject);
        return;
    }
    Diagnostic *d = build_error(b, "too-many-arguments", extra->span,
                                "this argument of %s needs its name", subject);
    if (count > 0)
        diag_note(d, "without a name: %s", text_chars(&names));
    if (!suggest_tensor(d, specs, &extra->value, extra->span)) {
        if (may_lack_names(specs, args))
            suggest_names(d, specs, args);
        suggest_without_first(d, specs, args);
        suggest_list(d, specs, args);
    }
    diag_help(d, "%s", signature_text(subject, specs));
}

static int next_positional(const ArgSpec *specs, int after)
{
    for (int i = after; specs != NULL && specs[i].name != NULL; i++)
        if (specs[i].positional)
            return i;
    return -1;
}

static Diagnostic *report_repeated(Builder *b, const char *subject, const char *name, Span at,
                                   Span first)
{
    Diagnostic *d =
        build_error(b, "duplicate-argument", at, "`%s` of %s is given twice", name, subject);
    diag_label(d, first, "the first");
    return d;
}

/* The last that needs no name, named after all such were given: conv2d(3, 16,
 * kernel_size=5) is PyTorch's. */
static bool has_one_more(const ArgSpec *specs, const Arguments *args, int i)
{
    int given = 0;
    while (given < args->count && args->items[given].name == NULL)
        given++;
    return i > 0 && given == i + 1 && specs[i].positional && !specs[i + 1].positional;
}

static bool report_order(Builder *b, const char *subject, Span at)
{
    build_error(b, "too-many-arguments", at,
                "%s: an argument without a name comes after one with a name", subject);
    return false;
}

/* What a name is bound to was told to be faulty: so are others that passed it on,
 * as a parameter whose default is another. */
static void forget_value(Builder *b, const Binding *origin)
{
    Value faulty = origin->value;
    for (Binding *binding = b->frame->bindings; binding != NULL; binding = binding->previous)
        if (binding->value.kind == faulty.kind && binding->value.integer == faulty.integer
            && binding->value.real == faulty.real)
            binding->value = (Value){.kind = VALUE_UNKNOWN};
}

static bool place_arguments(Builder *b, const char *subject, const ArgSpec *specs,
                            const Arguments *args, ArgValue *values)
{
    int positional = 0;
    bool good = true, named = false, told = false;
    const Binding *faulty = NULL;
    for (int k = 0; k < args->count; k++) {
        const Argument *arg = &args->items[k];
        int i =
            arg->name != NULL ? find_spec(specs, arg->name) : next_positional(specs, positional);
        if (arg->name == NULL && named)
            return report_order(b, subject, arg->span);
        if (i < 0) {
            if (arg->name != NULL)
                report_unknown_argument(b, subject, specs, arg);
            else if (arg->value.kind != VALUE_UNKNOWN && !told) /* else its own fault was */
                report_too_many(b, subject, specs, args, arg);
            told |= arg->name == NULL;
            good = false;
            continue;
        }
        named |= arg->name != NULL;
        positional = arg->name == NULL ? i + 1 : positional;
        if (values[i].given) {
            Diagnostic *d =
                report_repeated(b, subject, specs[i].name,
                                arg->name != NULL ? arg->name_span : arg->span, values[i].span);
            if (has_one_more(specs, args, i)
                && is_wider(&args->items[0].value, &args->items[1].value))
                suggest_without_first(d, specs, args);
            good = false;
            continue;
        }
        values[i].given = true;
        values[i].span = arg->span;
        if (faulty != NULL && arg->origin == faulty) {
            good = false; /* told already, of the first */
            continue;
        }
        Conversion conversion = {b, subject, &specs[i], arg->span, arg->origin};
        values[i].origin = arg->origin != NULL ? arg->origin->span : (Span){0};
        if (!convert(&conversion, &arg->value, &values[i])) {
            good = false;
            faulty = arg->origin;
            if (arg->origin != NULL && arg->bare) /* told once, wherever else it is used */
                forget_value(b, arg->origin);
        }
    }
    return good;
}

/* Not said when another argument is at fault: it may be the one, misspelt. */
static bool report_missing(Builder *b, const char *subject, const ArgSpec *specs,
                           const ArgValue *values, Span call)
{
    Text names = {0};
    for (int i = 0; specs[i].name != NULL; i++)
        if (!values[i].given && specs[i].otherwise == NULL)
            text_add(&names, "%s`%s`", names.length > 0 ? " and " : "", specs[i].name);
    if (names.length == 0)
        return true;
    if (strcmp(specs[0].name, subject) == 0) { /* `batch 64` */
        build_error(b, "missing-argument", call, "`%s` needs a number", subject);
        return false;
    }
    Diagnostic *d =
        build_error(b, "missing-argument", call, "%s needs %s", subject, text_chars(&names));
    diag_help(d, "%s", signature_text(subject, specs));
    return false;
}

ArgValue *resolve_arguments(Builder *b, const char *subject, const ArgSpec *specs,
                            const Arguments *args, Span call)
{
    static const ArgSpec none[] = {{0}};
    specs = specs != NULL ? specs : none;
    ArgValue *values = NEW_ARRAY(ArgValue, (size_t)count_specs(specs) + 1);
    for (int i = 0; specs[i].name != NULL; i++)
        values[i].span = call;
    if (!place_arguments(b, subject, specs, args, values)
        || !report_missing(b, subject, specs, values, call))
        return NULL;
    set_defaults(specs, values);
    return values;
}

/* ---------------------------------------------------- blocks' parameters */

static int find_param(const BlockDef *def, const char *name)
{
    for (int i = 0; i < def->params.count; i++)
        if (def->params.items[i].name == name)
            return i;
    return -1;
}

static const char *param_names(const BlockDef *def)
{
    Text text = {0};
    for (int i = 0; i < def->params.count; i++)
        text_add(&text, "%s%s", i > 0 ? ", " : "", def->params.items[i].name);
    return def->params.count > 0 ? intern(text_chars(&text)) : "none";
}

static bool report_unknown_param(Builder *b, const BlockDef *def, const Argument *arg)
{
    if (arg->name != NULL && told_unknown(b, arg->name, def, arg->name_span))
        return false;
    LIST(const char *) names = {0};
    for (int i = 0; i < def->params.count; i++)
        push(&names, def->params.items[i].name);
    push(&names, NULL);
    Diagnostic *d =
        arg->name != NULL
            ? build_error(b, "unknown-argument", arg->name_span, "block %s has no parameter `%s`",
                          def->name, arg->name)
            : build_error(b, "too-many-arguments", arg->span, "block %s takes %d argument%s",
                          def->name, def->params.count, def->params.count == 1 ? "" : "s");
    const char *near = arg->name != NULL ? nearest_for(d, arg->name, names.items) : NULL;
    if (arg->name != NULL)
        note_unknown(b, arg->name, def, d);
    if (near != NULL && count_mentions(b, def, arg->name) > 0)
        diag_fix(d, def->params.items[find_param(def, near)].span, arg->name,
                 "name it %s, as its block does", arg->name);
    else if (near != NULL)
        diag_fix(d, arg->name_span, near, "it is `%s` here", near);
    diag_note(d, "parameters of %s: %s", def->name, param_names(def));
    diag_label(d, def->span, "defined here");
    return false;
}

/* A word may be passed on to an operator whose table lists it. */
static bool listed_word(const char *word)
{
    if (find_initialiser(word) != NULL)
        return true;
    for (int k = 0; operators[k] != NULL; k++)
        for (int i = 0; operators[k]->args != NULL && operators[k]->args[i].name != NULL; i++) {
            const char *const *words = operators[k]->args[i].words;
            for (int j = 0; words != NULL && words[j] != NULL; j++)
                if (strcmp(words[j], word) == 0)
                    return true;
        }
    return false;
}

static Value passed_value(Builder *b, const Argument *arg)
{
    if (arg->value.kind != VALUE_WORD || listed_word(arg->value.word))
        return arg->value;
    report_unknown_word(b, arg->value.word, arg->span);
    return (Value){.kind = VALUE_UNKNOWN};
}

typedef struct Given {
    const Argument *arg;
    Value value;
} Given;

static bool place_params(Builder *b, const BlockDef *def, const Arguments *args, Given *given)
{
    int positional = 0;
    bool good = true, named = false;
    for (int k = 0; k < args->count; k++) {
        const Argument *arg = &args->items[k];
        if (arg->name == NULL && named)
            return report_order(b, def->name, arg->span);
        named |= arg->name != NULL;
        if (arg->name == NULL && positional > def->params.count)
            continue; /* told at the first that is too many */
        int i = arg->name != NULL ? find_param(def, arg->name) : positional++;
        if (i < 0 || i >= def->params.count) {
            good = report_unknown_param(b, def, arg);
        } else if (given[i].arg != NULL) {
            good = false;
            report_repeated(b, def->name, def->params.items[i].name,
                            arg->name != NULL ? arg->name_span : arg->span, given[i].arg->span);
        } else {
            given[i] = (Given){arg, passed_value(b, arg)};
            good &= arg->value.kind != VALUE_WORD || given[i].value.kind == VALUE_WORD;
        }
    }
    return good;
}

static bool report_missing_param(Builder *b, const BlockDef *def, const Given *given, Span call)
{
    Text names = {0};
    for (int i = 0; i < def->params.count; i++)
        if (given[i].arg == NULL && def->params.items[i].value == NULL)
            text_add(&names, "%s`%s`", names.length > 0 ? " and " : "", def->params.items[i].name);
    if (names.length == 0)
        return true;
    Diagnostic *d = build_error(b, "missing-argument", call, "block %s needs %s", def->name,
                                text_chars(&names));
    diag_label(d, def->span, "defined here");
    return false;
}

Value default_value(Builder *b, const Param *param)
{
    Argument arg = {NULL, param->span, param->value->span, evaluate(b, param->value), NULL, false};
    return passed_value(b, &arg);
}

/* The arguments' faults are the caller's; a default's are the block's. */
/* A quoted argument, "a{i}", that names a tensor where the use stands is that tensor in the block,
 * too. */
static void find_quoted_tensor(Builder *b, Value *value)
{
    const TensorName *named = value->kind == VALUE_TEXT ? find_tensor(b, value->word) : NULL;
    if (named != NULL && named->tensor == NULL)
        *value = (Value){.kind = VALUE_UNKNOWN};
    else if (named != NULL)
        value->tensor = named->tensor;
}

bool bind_parameters(Builder *b, const BlockDef *def, const Arguments *args, Span call,
                     Frame *caller)
{
    Given *given = NEW_ARRAY(Given, (size_t)def->params.count + 1);
    const Instance *instance = b->instance;
    Frame *frame = b->frame;
    b->instance = instance->outer;
    b->frame = caller;
    bool good = place_params(b, def, args, given) && report_missing_param(b, def, given, call);
    for (int i = 0; good && i < def->params.count; i++)
        find_quoted_tensor(b, &given[i].value);
    b->instance = instance;
    b->frame = frame;
    for (int i = 0; good && i < def->params.count; i++) {
        const Param *param = &def->params.items[i];
        bind_value(b, param->name, param->span,
                   given[i].arg != NULL ? given[i].value : default_value(b, param));
    }
    return good;
}
