/* training_readers.c: data that are not one of the known sets: csv("wine.csv", target=quality).
 *
 * A reader is a row of a table: its name, what it is given, and its arguments, which become
 * settings under "data.".  What the file holds only the trainer sees.
 */
#include "graph/training.h"

#include <string.h>

static const ArgSpec no_args[] = {{0}};
static const ArgSpec csv_args[] = {
    {"target", ARG_WORD, .otherwise = "none", .words = any_word,
     .doc = "The column, or list of columns, that is learned; the last where nothing is said."},
    {"drop", ARG_WORD, .otherwise = "none", .words = any_word,
     .doc = "Columns that the network is not shown."},
    {"test", ARG_REAL, .otherwise = "0.1", .maximum = 1,
     .doc = "The part of the rows that is for testing, or another \"file.csv\" of test rows."},
    {0}};
static const ArgSpec audio_args[] = {
    {"rate", ARG_INT, .otherwise = "none", .minimum = 1, .maximum = 1e6,
     .doc = "Samples a second: recordings of another rate are resampled; without it all must "
            "have one."},
    {0}};

static const struct Reader {
    const char *name, *what, *example;
    bool whole_numbers; /* of the input */
    bool any_numbers;   /* either */
    const ArgSpec *args;
} readers[] = {
    {"text", "a file's or a folder's name", "text(\"input.txt\")", true, false, no_args},
    {"csv", "a file's name", "csv(\"wine.csv\", target=quality)", false, false, csv_args},
    {"arrays", "a folder's or a file's name", "arrays(\"folder\")", false, true, no_args},
    {"masks", "a folder's name", "masks(\"folder\")", false, false, no_args},
    {"audio", "a folder's name", "audio(\"folder\", rate=16000)", false, false, audio_args},
    {0}};

static const struct Reader *find_reader(const char *name)
{
    for (const struct Reader *reader = readers; reader->name != NULL; reader++)
        if (strcmp(reader->name, name) == 0)
            return reader;
    return NULL;
}

const char *data_reader_name(int i, const ArgSpec **args)
{
    *args = readers[i].args;
    return readers[i].name;
}

void report_unknown_reader(Training *t, const Expr *call)
{
    LIST(const char *) names = {0};
    Text list = {0};
    for (int i = 0; readers[i].name != NULL; i++) {
        push(&names, readers[i].name);
        text_add(&list, "%s%s", i > 0 ? ", " : "", readers[i].example);
    }
    push(&names, NULL);
    Diagnostic *d =
        build_error(t->b, "unknown-name", call->span, "no data are read by %s", call->word);
    const char *near = nearest_for(d, call->word, names.items);
    if (near != NULL)
        diag_help(d, "the nearest is %s", near);
    diag_note(d, "known are: %s", text_chars(&list));
}

/* ----------------------------------------------------------- arguments */

/* A quoted text without anything to compute in it, or NULL. */
static const char *text_of(Training *t, const Expr *expr)
{
    Value value = {.kind = VALUE_UNKNOWN};
    if (expr->kind == EXPR_TEXT)
        value = evaluate(t->b, expr);
    return value.kind == VALUE_TEXT && value.word[0] != '\0' ? value.word : NULL;
}

/* quality, "fixed acidity" */
static const char *name_of(Training *t, const Expr *expr)
{
    return expr->kind == EXPR_PATH ? expr->word : text_of(t, expr);
}

/* One name, or a list of them: a line each. */
static void add_names(Training *t, const char *path, const char *argument, const Expr *value)
{
    Text lines = {0};
    const bool list = value->kind == EXPR_LIST;
    int count = list ? value->items.count : 1;
    for (int i = 0; i < count; i++) {
        const Expr *item = list ? value->items.items[i] : value;
        const char *name = name_of(t, item);
        if (name == NULL) {
            build_error(t->b, "value-type", item->span,
                        "`%s` takes a column's name, or a list of them: %s=quality", argument,
                        argument);
            return;
        }
        text_add(&lines, "%s%s", i > 0 ? "\n" : "", name);
    }
    if (count == 0)
        build_error(t->b, "value-type", value->span, "`%s` names no column", argument);
    else
        add_word(t, path, intern(text_chars(&lines)), value->span);
}

static void add_real(Training *t, const char *path, const ArgSpec *spec, const Expr *value)
{
    Value number = evaluate(t->b, value);
    double real = number.kind == VALUE_INT ? (double)number.integer : number.real;
    bool whole = spec->kind == ARG_INT;
    if (number.kind == VALUE_UNKNOWN)
        return;
    if ((number.kind != VALUE_INT && (whole || number.kind != VALUE_REAL)) || real < spec->minimum
        || real > spec->maximum)
        build_error(t->b, "argument-range", value->span, "`%s` takes %s from %.10g to %.10g",
                    spec->name, whole ? "a whole number" : "a number", spec->minimum,
                    spec->maximum);
    else
        add_number(t, path, real, value->span);
}

static void resolve_argument(Training *t, const ArgSpec *spec, const Expr *value)
{
    const char *path = format("data.%s", spec->name);
    const char *file = spec->kind == ARG_REAL ? text_of(t, value) : NULL;
    if (value->kind == EXPR_ERROR)
        return;
    if (find_setting(t->graph, path) != NULL)
        build_error(t->b, "duplicate-argument", value->span, "`%s` is given twice", spec->name);
    else if (spec->kind == ARG_WORD)
        add_names(t, path, spec->name, value);
    else if (file != NULL)
        add_word(t, format("%s_file", path), file, value->span);
    else
        add_real(t, path, spec, value);
}

static const ArgSpec *find_spec(Training *t, const struct Reader *reader, const Arg *arg)
{
    LIST(const char *) names = {0};
    for (const ArgSpec *spec = reader->args; spec->name != NULL; spec++) {
        if (strcmp(spec->name, arg->name) == 0)
            return spec;
        push(&names, spec->name);
    }
    push(&names, NULL);
    Diagnostic *d = build_error(t->b, "unknown-argument", arg->name_span, "%s has no argument `%s`",
                                reader->name, arg->name);
    const char *near = nearest_for(d, arg->name, names.items);
    if (near != NULL)
        diag_fix(d, arg->name_span, near, "the nearest is %s", near);
    return NULL;
}

bool resolve_reader(Training *t, const Expr *call)
{
    const struct Reader *reader = find_reader(call->word);
    const ArgList *args = &call->arguments;
    if (reader == NULL)
        return false;
    const Expr *path = args->count > 0 && args->items[0].name == NULL ? args->items[0].value : NULL;
    const char *file = path != NULL ? text_of(t, path) : NULL;
    if (file == NULL) {
        if (path == NULL || path->kind != EXPR_ERROR)
            build_error(t->b, "value-type", path != NULL ? path->span : call->span,
                        "%s takes %s: %s", reader->name, reader->what, reader->example);
        return true;
    }
    add_word(t, "data", file, path->span);
    add_word(t, "data.reader", intern(reader->name), call->span);
    for (int i = 1; i < args->count; i++) {
        const Arg *arg = &args->items[i];
        const ArgSpec *spec = arg->name != NULL ? find_spec(t, reader, arg) : NULL;
        if (arg->name == NULL)
            build_error(t->b, "too-many-arguments", arg->value->span,
                        "%s takes one name, and what follows is named: %s", reader->name,
                        reader->example);
        else if (spec != NULL)
            resolve_argument(t, spec, arg->value);
    }
    if (!reader->any_numbers)
        check_numbers(t, reader->whole_numbers, call->span);
    return true;
}
