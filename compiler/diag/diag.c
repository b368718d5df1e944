/* diag.c: the only place that prints a message about the user's program.
 *
 * Messages are collected in a log while the stages run and printed together at
 * diag_flush(), in the order of the program text, because the stages find
 * faults in an order of their own.  A check within the check, of the program
 * with an edit made, has a log of its own.  All styles are made from the same
 * record, by human.c and machine.c.
 */
#include "diag/log.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

DiagOptions diag_options;
static DiagnosticLog commands_log;
static DiagnosticLog *in_use = &commands_log;

/* ---- logs */

DiagnosticLog *new_diagnostic_log(void)
{
    return NEW(DiagnosticLog);
}

DiagnosticLog *diag_to(DiagnosticLog *log)
{
    DiagnosticLog *before = in_use;
    in_use = log ? log : &commands_log;
    return before;
}

static void add_diagnostic(Diagnostic *d)
{
    d->serial = in_use->reported++;
    in_use->error_count += d->severity == SEVERITY_ERROR;
    push(&in_use->waiting, d);
}

void diag_take(const DiagnosticLog *log)
{
    for (int i = 0; i < log->waiting.count; i++)
        add_diagnostic(log->waiting.items[i]);
}

void diag_expect(const FaultList *expected)
{
    in_use->expected = expected;
}

static bool is_expected(const FaultList *expected, const Fault *fault)
{
    for (int i = 0; i < expected->count; i++) {
        const Fault *one = &expected->items[i];
        if (strcmp(one->code, fault->code) == 0 && one->line == fault->line
            && one->column == fault->column)
            return true;
    }
    return false;
}

/* Faults in used files are the same whatever is edited in the first. */
static void compare_with_expected(const char *code, Span at)
{
    Fault fault = {code, at.line, at.column};
    if (in_use->expected && !is_expected(in_use->expected, &fault))
        in_use->surprised = true;
}

bool diag_surprised(void)
{
    return in_use->surprised;
}

/* ---- collecting */

Span span_between(Span first, Span last)
{
    first.end_line = last.end_line;
    first.end_column = last.end_column;
    return first;
}

Span span_start(Span span)
{
    span.end_line = span.line;
    span.end_column = span.column;
    return span;
}

static const char *format_arguments(const char *template, va_list arguments)
{
    int length;
    char *chars = print(template, arguments, &length);
    const char *text = intern(chars);
    free(chars);
    return text;
}

/* A warning that nobody wants is made, so that whoever reports it need not
 * know, and shown to nobody. */
static bool is_unwanted(Severity severity, int code)
{
    return severity == SEVERITY_WARNING && diag_options.silenced && diag_options.silenced[code];
}

Diagnostic *diag(Severity severity, const char *code, Span primary, const char *message, ...)
{
    int found = find_code(code);
    if (found < 0)
        internal_error(__FILE__, __LINE__, format("the code %s is not in diagnostics.def", code));
    Diagnostic *d = NEW(Diagnostic);
    d->code = code;
    push(&d->marks, ((Mark){primary, NULL, true}));
    va_list arguments;
    va_start(arguments, message);
    d->message = format_arguments(message, arguments);
    va_end(arguments);
    if (is_unwanted(severity, found))
        return d;
    d->severity = diag_options.warnings_are_errors ? SEVERITY_ERROR : severity;
    add_diagnostic(d);
    if (d->severity == SEVERITY_ERROR)
        compare_with_expected(code, primary);
    return d;
}

void diag_caption(Diagnostic *d, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    d->marks.items[0].text = format_arguments(text, arguments);
    va_end(arguments);
}

void diag_label(Diagnostic *d, Span at, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    push(&d->marks, ((Mark){at, format_arguments(text, arguments), false}));
    va_end(arguments);
}

bool is_marked(const Diagnostic *d, Span at)
{
    for (int i = 0; i < d->marks.count; i++)
        if (compare_spans(d->marks.items[i].at, at) == 0)
            return true;
    return false;
}

void diag_note(Diagnostic *d, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    push(&d->remarks, ((Remark){REMARK_NOTE, format_arguments(text, arguments), {0}, {0}}));
    va_end(arguments);
}

void diag_note_at(Diagnostic *d, Span at, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    push(&d->remarks, ((Remark){REMARK_NOTE, format_arguments(text, arguments), at, {0}}));
    va_end(arguments);
}

void diag_help(Diagnostic *d, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    push(&d->remarks, ((Remark){REMARK_HELP, format_arguments(text, arguments), {0}, {0}}));
    va_end(arguments);
}

/* All that ever edits a text comes through here; what is no place of one is said
 * and not done. */
static void add_help(Diagnostic *d, const char *text, const EditList *edits)
{
    Remark remark = {REMARK_HELP, text, {0}, *edits};
    for (int i = 0; i < edits->count; i++)
        if (!is_well_formed(edits->items[i].at))
            remark.edits = (EditList){0};
    push(&d->remarks, remark);
}

void diag_fix(Diagnostic *d, Span at, const char *replacement, const char *text, ...)
{
    EditList edits = {0};
    push(&edits, ((Edit){at, intern(replacement)}));
    va_list arguments;
    va_start(arguments, text);
    add_help(d, format_arguments(text, arguments), &edits);
    va_end(arguments);
}

void diag_repair(Diagnostic *d, const EditList *edits, const char *text)
{
    add_help(d, text, edits);
}

void diag_doubt(Diagnostic *d)
{
    d->doubtful = true;
}

void diag_sizes(Diagnostic *d, Shape actual, Shape wanted)
{
    d->sized = true;
    d->actual = actual;
    d->wanted = wanted;
}

int diag_error_count(void)
{
    return in_use->error_count;
}

static int count_fixes(const Diagnostic *d)
{
    int fixes = 0;
    for (int i = 0; i < d->remarks.count; i++)
        fixes += d->remarks.items[i].edits.count > 0;
    return fixes;
}

const char *applicability(const Diagnostic *d, const Remark *remark)
{
    if (!remark->edits.count)
        return "unspecified";
    return !d->doubtful && count_fixes(d) == 1 ? "machine-applicable" : "maybe-incorrect";
}

const char *severity_word(Severity severity)
{
    return severity == SEVERITY_ERROR ? "error" : "warning";
}

/* ---- names */

static const char *lower_case(const char *word)
{
    Text lowered = {0};
    for (; *word; word++)
        text_add(&lowered, "%c", tolower((unsigned char)*word));
    return text_chars(&lowered);
}

/* *rivals: how many others are as near. */
static const char *nearest_among(const char *word, const char *const *candidates, int *rivals)
{
    /* One more than the farthest that counts; case is what people get wrong
     * first (Conv2d), so it costs nothing. */
    int best = (int)strlen(word) / 3 + 1;
    const char *found = NULL, *lowered = lower_case(word);
    *rivals = 0;
    for (; *candidates; candidates++) {
        int distance = edit_distance(lowered, lower_case(*candidates));
        *rivals += found && distance == best && strcmp(*candidates, found) != 0;
        if (distance < best) {
            best = distance;
            found = *candidates;
            *rivals = 0;
        }
    }
    return found;
}

const char *nearest(const char *word, const char *const *candidates)
{
    int rivals;
    return nearest_among(word, candidates, &rivals);
}

const char *nearest_for(Diagnostic *d, const char *word, const char *const *candidates)
{
    int rivals;
    const char *found = nearest_among(word, candidates, &rivals);
    d->doubtful |= rivals > 0;
    return found;
}

/* ---- order */

static int compare_ints(int a, int b)
{
    return (a > b) - (a < b);
}

int compare_spans(Span a, Span b)
{
    int order = compare_ints(a.source ? a.source->order : -1, b.source ? b.source->order : -1);
    if (!order)
        order = compare_ints(a.line, b.line);
    if (!order)
        order = compare_ints(a.column, b.column);
    return order;
}

static int compare_diagnostics(const void *left, const void *right)
{
    const Diagnostic *a = *(Diagnostic *const *)left, *b = *(Diagnostic *const *)right;
    int order = compare_spans(a->marks.items[0].at, b->marks.items[0].at);
    return order ? order : compare_ints(a->serial, b->serial);
}

static bool same_span(Span a, Span b)
{
    return compare_spans(a, b) == 0 && a.end_line == b.end_line && a.end_column == b.end_column;
}

static bool is_repeated(const Diagnostic *d, const Diagnostic *earlier)
{
    Span at = d->marks.items[0].at;
    return strcmp(d->code, earlier->code) == 0 && same_span(at, earlier->marks.items[0].at)
           && (at.source || d->message == earlier->message);
}

/* Sorted, the repetitions left out.  Messages at one place stand together, so
 * a repetition is looked for only among those. */
static DiagnosticList in_source_order(DiagnosticList waiting)
{
    DiagnosticList kept = {0};
    if (waiting.count)
        qsort(waiting.items, (size_t)waiting.count, sizeof *waiting.items, compare_diagnostics);
    for (int i = 0; i < waiting.count; i++) {
        Diagnostic *d = waiting.items[i];
        bool repeated = false;
        for (int k = kept.count - 1; k >= 0 && !repeated; k--) {
            if (compare_spans(kept.items[k]->marks.items[0].at, d->marks.items[0].at))
                break;
            repeated = is_repeated(d, kept.items[k]);
        }
        if (!repeated)
            push(&kept, d);
    }
    return kept;
}

DiagnosticList all_in_use(void)
{
    return in_use->waiting;
}

DiagnosticList errors_in_use(void)
{
    DiagnosticList all = in_source_order(in_use->waiting), errors = {0};
    for (int i = 0; i < all.count; i++)
        if (all.items[i]->severity == SEVERITY_ERROR)
            push(&errors, all.items[i]);
    return errors;
}

/* All that is_repeated() takes for one go together. */
static bool is_among(const Diagnostic *d, const DiagnosticList *dropped)
{
    for (int i = 0; i < dropped->count; i++)
        if (is_repeated(d, dropped->items[i]))
            return true;
    return false;
}

void diag_drop(void)
{
    DiagnosticList kept = {0}, dropped = {0};
    for (int i = 0; i < in_use->waiting.count; i++)
        if (in_use->waiting.items[i]->dropped)
            push(&dropped, in_use->waiting.items[i]);
    for (int i = 0; dropped.count && i < in_use->waiting.count; i++)
        if (!is_among(in_use->waiting.items[i], &dropped))
            push(&kept, in_use->waiting.items[i]);
        else
            in_use->error_count--;
    if (dropped.count)
        in_use->waiting = kept;
}

/* ---- printing */

/* The first max_errors errors, and the warnings among them. */
static DiagnosticList within_limit(const DiagnosticList *all, int *unshown)
{
    DiagnosticList shown = {0};
    int errors = 0;
    for (int i = 0; i < all->count; i++) {
        Diagnostic *d = all->items[i];
        errors += d->severity == SEVERITY_ERROR;
        if (!diag_options.max_errors || errors <= diag_options.max_errors)
            push(&shown, d);
    }
    *unshown = diag_options.max_errors && errors > diag_options.max_errors
                   ? errors - diag_options.max_errors
                   : 0;
    return shown;
}

static void print_json(cJSON *document)
{
    char *chars = cJSON_Print(document);
    require(chars != NULL);
    puts(chars);
    fflush(stdout);
    free(chars);
    cJSON_Delete(document);
}

static void print_texts(const DiagnosticList *shown, int unshown)
{
    Text out = {0};
    for (int i = 0; i < shown->count; i++)
        if (diag_options.style == DIAG_SHORT)
            add_short(&out, shown->items[i]);
        else if (diag_options.style == DIAG_NARRATED)
            add_narrated(&out, shown->items[i]);
        else
            add_human(&out, shown->items[i]);
    if (diag_options.style != DIAG_SHORT)
        add_summary(&out, shown, unshown);
    fflush(stdout);
    fputs(text_chars(&out), stderr);
}

/* A program that reads JSON or SARIF gets one document even when there is
 * nothing to say, so an empty flush prints only when it is the first. */
void diag_flush(void)
{
    int unshown;
    DiagnosticList all = in_source_order(in_use->waiting), shown = within_limit(&all, &unshown);
    in_use->waiting = (DiagnosticList){0};
    switch (diag_options.style) {
    case DIAG_HUMAN:
    case DIAG_SHORT:
    case DIAG_NARRATED:
        print_texts(&shown, unshown);
        break;
    case DIAG_JSON:
        if (shown.count || !in_use->flushed)
            print_json(json_document(&shown));
        break;
    case DIAG_SARIF:
        if (shown.count || !in_use->flushed)
            print_json(sarif_document(&shown));
        break;
    }
    in_use->flushed++;
}

struct cJSON *diag_json(const DiagnosticLog *log)
{
    DiagnosticList all = in_source_order(log->waiting);
    return json_document(&all);
}
