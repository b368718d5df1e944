/* diag.c: the only place that prints a message about the user's program.
 *
 * Messages are collected while the stages run and printed together at
 * diag_flush(), in the order of the program text, because the stages find
 * faults in an order of their own.  Four styles are made from the same record:
 * an excerpt for people, one line per message for editors that know gcc's
 * format, and JSON and SARIF for programs.  diagnostics.def lists every code
 * with its explanation; a message with any other code is our own bug.
 */
#include "netc.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

typedef struct Mark {           /* what is underlined, and the text beside it */
    Span at;
    const char *text;           /* NULL: none */
    bool primary;
} Mark;
typedef LIST(Mark) MarkList;

typedef enum RemarkKind { REMARK_NOTE, REMARK_HELP, REMARK_FIX } RemarkKind;

typedef struct Remark {         /* a line below the excerpt */
    RemarkKind kind;
    const char *text;
    Span at;                    /* a note's place, the edited span of a fix */
    const char *replacement;    /* REMARK_FIX */
} Remark;

struct Diagnostic {
    Severity severity;
    const char *code;
    const char *message;
    MarkList marks;             /* the primary one first */
    LIST(Remark) remarks;
    int serial;                 /* the order of reporting, to break ties */
};
typedef LIST(Diagnostic *) DiagnosticList;

DiagOptions diag_options;

struct DiagnosticLog {
    DiagnosticList waiting;     /* since the last flush */
    int error_count, reported, flushed;
};
static DiagnosticLog commands_log;
static DiagnosticLog *in_use = &commands_log;

/* ---- the codes */

typedef struct CodeEntry {
    const char *code, *summary, *explanation, *wrong, *right;
} CodeEntry;

static const CodeEntry codes[] = {
#define DIAGNOSTIC(code, summary, explanation, wrong, right) {code, summary, explanation, wrong, right},
#include "diagnostics.def"
#undef DIAGNOSTIC
};
enum { CODE_COUNT = sizeof codes / sizeof *codes };

/* Its index, or -1. */
static int find_code(const char *code)
{
    for (int i = 0; i < CODE_COUNT; i++)
        if (strcmp(codes[i].code, code) == 0)
            return i;
    return -1;
}

static void print_indented(const char *heading, const char *program, FILE *out)
{
    if (!program)
        return;
    fprintf(out, "\n%s\n\n", heading);
    while (*program) {
        int length = (int)strcspn(program, "\n");
        fprintf(out, "%s%.*s\n", length ? "    " : "", length, program);
        program += length + (program[length] == '\n');
    }
}

static void print_wrapped(const char *text, int width, FILE *out)
{
    int column = 0;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column && column + 1 + length > width) {
            fputc('\n', out);
            column = 0;
        }
        column += fprintf(out, "%s%.*s", column ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

bool diag_explain(const char *code, FILE *out)
{
    int found = find_code(code);
    if (found < 0)
        return false;
    const CodeEntry *entry = &codes[found];
    fprintf(out, "%s: %s\n\n", entry->code, entry->summary);
    print_wrapped(entry->explanation, 78, out);
    print_indented("Wrong:", entry->wrong, out);
    print_indented("Right:", entry->right, out);
    return true;
}

void diag_list_codes(FILE *out)
{
    for (int i = 0; i < CODE_COUNT; i++)
        fprintf(out, "%-20s %s\n", codes[i].code, codes[i].summary);
}

/* ---- collecting */

Span span_between(Span first, Span last)
{
    first.end_line = last.end_line;
    first.end_column = last.end_column;
    return first;
}

static const char *format_arguments(const char *template, va_list arguments)
{
    char *chars = NULL;
    int length = vasprintf(&chars, template, arguments);
    require(length >= 0);
    const char *text = intern(chars);
    free(chars);
    return text;
}

Diagnostic *diag(Severity severity, const char *code, Span primary, const char *message, ...)
{
    if (find_code(code) < 0)
        internal_error(__FILE__, __LINE__, format("the code %s is not in diagnostics.def", code));
    Diagnostic *d = NEW(Diagnostic);
    d->severity = severity;
    d->code = code;
    d->serial = in_use->reported++;
    push(&d->marks, ((Mark){primary, NULL, true}));
    va_list arguments;
    va_start(arguments, message);
    d->message = format_arguments(message, arguments);
    va_end(arguments);
    push(&in_use->waiting, d);
    in_use->error_count += severity == SEVERITY_ERROR;
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

void diag_note(Diagnostic *d, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    push(&d->remarks, ((Remark){REMARK_NOTE, format_arguments(text, arguments), {0}, NULL}));
    va_end(arguments);
}

void diag_note_at(Diagnostic *d, Span at, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    push(&d->remarks, ((Remark){REMARK_NOTE, format_arguments(text, arguments), at, NULL}));
    va_end(arguments);
}

void diag_help(Diagnostic *d, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    push(&d->remarks, ((Remark){REMARK_HELP, format_arguments(text, arguments), {0}, NULL}));
    va_end(arguments);
}

void diag_fix(Diagnostic *d, Span at, const char *replacement, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    push(&d->remarks, ((Remark){REMARK_FIX, format_arguments(text, arguments), at, intern(replacement)}));
    va_end(arguments);
}

int diag_error_count(void)
{
    return in_use->error_count;
}

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

/* ---- names */

static const char *lower_case(const char *word)
{
    Text lowered = {0};
    for (; *word; word++)
        text_add(&lowered, "%c", tolower((unsigned char)*word));
    return text_chars(&lowered);
}

const char *nearest(const char *word, const char *const *candidates)
{
    /* One more than the farthest that counts; case is what people get wrong
     * first (Conv2d), so it costs nothing. */
    int best = (int)strlen(word) / 3 + 1;
    const char *found = NULL, *lowered = lower_case(word);
    for (; *candidates; candidates++) {
        int distance = edit_distance(lowered, lower_case(*candidates));
        if (distance < best) {
            best = distance;
            found = *candidates;
        }
    }
    return found;
}

/* ---- order */

static int compare_ints(int a, int b)
{
    return (a > b) - (a < b);
}

static int compare_spans(Span a, Span b)
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
static DiagnosticList in_source_order(const DiagnosticLog *log)
{
    DiagnosticList kept = {0};
    if (log->waiting.count)
        qsort(log->waiting.items, (size_t)log->waiting.count, sizeof *log->waiting.items, compare_diagnostics);
    for (int i = 0; i < log->waiting.count; i++) {
        Diagnostic *d = log->waiting.items[i];
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

/* ---- colour */

typedef enum Paint { PAINT_NONE, PAINT_BOLD, PAINT_ERROR, PAINT_WARNING, PAINT_GUTTER, PAINT_HELP } Paint;

static bool want_colour(void)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (diag_options.colour != COLOUR_AUTO)
        return diag_options.colour == COLOUR_ALWAYS;
    return isatty(STDERR_FILENO) && !(refused && *refused) && !(terminal && strcmp(terminal, "dumb") == 0);
}

static const char *paint(Paint paint)
{
    if (!want_colour())
        return "";
    switch (paint) {
    case PAINT_NONE:    return "\033[0m";
    case PAINT_BOLD:    return "\033[1m";
    case PAINT_ERROR:   return "\033[1;31m";
    case PAINT_WARNING: return "\033[1;33m";
    case PAINT_GUTTER:  return "\033[1;34m";
    case PAINT_HELP:    return "\033[1;36m";
    }
    unreachable();
}

static Paint severity_paint(Severity severity)
{
    return severity == SEVERITY_ERROR ? PAINT_ERROR : PAINT_WARNING;
}

static const char *severity_word(Severity severity)
{
    return severity == SEVERITY_ERROR ? "error" : "warning";
}

/* ---- lines and characters of a source */

/* A line without its end; empty for one past the last. */
static const char *source_line(const Source *source, int line, int *length)
{
    *length = 0;
    if (line < 1 || line > source->lines)
        return "";
    size_t start = source->line_starts[line - 1];
    size_t end = line < source->lines ? source->line_starts[line] - 1 : source->length;
    if (end > start && source->chars[end - 1] == '\r')
        end--;
    *length = (int)(end - start);
    return source->chars + start;
}

typedef struct Glyph {
    int bytes;                  /* in the source */
    int columns;                /* on the terminal; 0 for a combining mark */
    bool printable;
} Glyph;

/* The character at `chars`.  The C library knows widths only in a UTF-8 locale,
 * so one is used here whatever the user's is. */
static Glyph next_glyph(const char *chars, int length)
{
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t users = utf8 ? uselocale(utf8) : (locale_t)0;
    mbstate_t state = {0};
    wchar_t wide = 0;
    size_t bytes = mbrtowc(&wide, chars, (size_t)length, &state);
    bool valid = bytes >= 1 && bytes <= (size_t)length;
    int columns = valid ? wcwidth(wide) : -1;
    if (users)
        uselocale(users);
    return (Glyph){valid ? (int)bytes : 1, columns < 0 ? 1 : columns, columns >= 0};
}

enum { TAB_WIDTH = 4, LINE_BYTES = 140, LINE_BEFORE = 60 };

/* The part of a line that is shown.  A very long line is cut around its first
 * mark, at whole characters. */
typedef struct Window {
    const char *chars;
    int from, to, length;       /* bytes; the line's whole length */
} Window;

static int to_boundary(const char *chars, int at, int length)
{
    while (at < length && ((unsigned char)chars[at] & 0xC0) == 0x80)
        at++;
    return at;
}

static Window window_on(Span first)
{
    Window window = {0};
    window.chars = source_line(first.source, first.line, &window.length);
    window.to = window.length;
    if (window.length <= LINE_BYTES)
        return window;
    int from = first.column - 1 - LINE_BEFORE;
    from = from > window.length - LINE_BYTES ? window.length - LINE_BYTES : from;
    window.from = from > 0 ? to_boundary(window.chars, from, window.length) : 0;
    if (window.length - window.from > LINE_BYTES)
        window.to = to_boundary(window.chars, window.from + LINE_BYTES, window.length);
    return window;
}

/* Adds the window's text, tabs expanded and what could upset a terminal
 * replaced.  `stop` is a byte of the line; gives the columns up to it. */
static int add_columns(Text *out, Window window, int stop)
{
    int column = 0;
    if (window.from > 0) {
        if (out)
            text_add(out, "…");
        column = 1;
    }
    for (int at = window.from; at < window.to && at < stop; ) {
        const char *chars = window.chars + at;
        Glyph glyph = next_glyph(chars, window.to - at);
        int columns = *chars == '\t' ? TAB_WIDTH - column % TAB_WIDTH : glyph.columns;
        if (out && *chars == '\t')
            text_add(out, "%*s", columns, "");
        else if (out && glyph.printable)
            text_add_range(out, chars, (size_t)glyph.bytes);
        else if (out)
            text_add(out, "\xEF\xBF\xBD");
        column += columns;
        at += glyph.bytes;
    }
    if (out && window.to < window.length)
        text_add(out, "…");
    return column;
}

/* ---- the excerpt, for people */

static int digits(int number)
{
    int count = 1;
    while ((number /= 10) > 0)
        count++;
    return count;
}

static int gutter_width(const Diagnostic *d)
{
    int width = 1;
    for (int i = 0; i < d->marks.count; i++)
        if (digits(d->marks.items[i].at.line) > width)
            width = digits(d->marks.items[i].at.line);
    return width;
}

static void add_gutter(Text *out, int width, const char *sign)
{
    text_add(out, "%s%*s %s%s", paint(PAINT_GUTTER), width, "", sign, paint(PAINT_NONE));
}

static void add_line(Text *out, int width, Window window, int line)
{
    text_add(out, "%s%*d |%s", paint(PAINT_GUTTER), width, line, paint(PAINT_NONE));
    if (window.length)
        text_add(out, " ");
    add_columns(out, window, window.length);
    text_add(out, "\n");
}

/* One row of carets or dashes.  A span that goes on below is underlined to the
 * end of its first line. */
static void add_underline(Text *out, const Diagnostic *d, int width, Window window, Mark mark)
{
    int stop = mark.at.end_line == mark.at.line ? mark.at.end_column - 1 : window.length;
    int from = add_columns(NULL, window, mark.at.column - 1);
    int columns = add_columns(NULL, window, stop) - from;
    Paint colour = mark.primary ? severity_paint(d->severity) : PAINT_GUTTER;
    add_gutter(out, width, "|");
    text_add(out, " %*s%s", from, "", paint(colour));
    for (int i = 0; i < columns || i == 0; i++)
        text_add(out, "%s", mark.primary ? "^" : "-");
    if (mark.text && *mark.text)
        text_add(out, " %s", mark.text);
    text_add(out, "%s\n", paint(PAINT_NONE));
}

static int compare_marks(const void *left, const void *right)
{
    return compare_spans(((const Mark *)left)->at, ((const Mark *)right)->at);
}

static MarkList marks_in(const Diagnostic *d, const Source *source)
{
    MarkList marks = {0};
    for (int i = 0; i < d->marks.count; i++)
        if (d->marks.items[i].at.source == source)
            push(&marks, d->marks.items[i]);
    qsort(marks.items, (size_t)marks.count, sizeof *marks.items, compare_marks);
    return marks;
}

/* Between two marked lines: nothing, the one line between, or a colon. */
static void add_gap(Text *out, int width, Span before, Span after)
{
    if (after.line == before.line + 2) {
        before.line++;
        before.column = 1;
        add_line(out, width, window_on(before), before.line);
    } else if (after.line > before.line + 2) {
        add_gutter(out, width, ":");
        text_add(out, "\n");
    }
}

/* The marked lines of one file: `arrow` is --> for the primary mark's file. */
static void add_excerpt(Text *out, const Diagnostic *d, int width, Span place, const char *arrow)
{
    text_add(out, "%s%*s%s%s %s:%d:%d\n", paint(PAINT_GUTTER), width, "", arrow, paint(PAINT_NONE),
             place.source->path, place.line, place.column);
    add_gutter(out, width, "|");
    text_add(out, "\n");
    MarkList marks = marks_in(d, place.source);
    Window window = {0};
    for (int i = 0; i < marks.count; i++) {
        Mark mark = marks.items[i];
        if (i == 0 || mark.at.line != marks.items[i - 1].at.line) {
            if (i > 0)
                add_gap(out, width, marks.items[i - 1].at, mark.at);
            window = window_on(mark.at);
            add_line(out, width, window, mark.at.line);
        }
        add_underline(out, d, width, window, mark);
    }
}

static bool first_in_its_file(const Diagnostic *d, int which)
{
    for (int i = 0; i < which; i++)
        if (d->marks.items[i].at.source == d->marks.items[which].at.source)
            return false;
    return d->marks.items[which].at.source != NULL;
}

static const char *place_text(Span at)
{
    return format("%s:%d:%d", at.source->path, at.line, at.column);
}

static void add_remark(Text *out, int width, Remark remark)
{
    bool help = remark.kind != REMARK_NOTE;
    add_gutter(out, width, "= ");
    text_add(out, "%s%s%s: %s", paint(help ? PAINT_HELP : PAINT_BOLD), help ? "help" : "note",
             paint(PAINT_NONE), remark.text);
    if (!help && remark.at.source)
        text_add(out, " --> %s", place_text(remark.at));
    text_add(out, "\n");
}

static void add_human(Text *out, const Diagnostic *d)
{
    int width = gutter_width(d);
    text_add(out, "%s%s[%s]%s", paint(severity_paint(d->severity)), severity_word(d->severity), d->code,
             paint(PAINT_NONE));
    text_add(out, "%s: %s%s\n", paint(PAINT_BOLD), d->message, paint(PAINT_NONE));
    for (int i = 0; i < d->marks.count; i++)
        if (first_in_its_file(d, i))
            add_excerpt(out, d, width, d->marks.items[i].at, i == 0 ? "-->" : ":::");
    for (int i = 0; i < d->remarks.count; i++)
        add_remark(out, width, d->remarks.items[i]);
    text_add(out, "\n");
}

static const char *counted(int count, const char *noun)
{
    return format("%d %s%s", count, noun, count == 1 ? "" : "s");
}

/* "error: 3 errors and 1 warning in models/cnn.net"; nothing when no message
 * had a place, as then nothing of a program was judged. */
static void add_summary(Text *out, const DiagnosticList *shown, int unshown)
{
    const Source *source = NULL;
    bool several = false;
    int count[2] = {0, 0};
    for (int i = 0; i < shown->count; i++) {
        const Source *here = shown->items[i]->marks.items[0].at.source;
        several |= source && here && here != source;
        source = here ? here : source;
        count[shown->items[i]->severity]++;
    }
    if (!source)
        return;
    int errors = count[SEVERITY_ERROR] + unshown, warnings = count[SEVERITY_WARNING];
    Severity severity = errors ? SEVERITY_ERROR : SEVERITY_WARNING;
    text_add(out, "%s%s%s: ", paint(severity_paint(severity)), severity_word(severity), paint(PAINT_NONE));
    text_add(out, "%s%s%s in %s", errors ? counted(errors, "error") : "", errors && warnings ? " and " : "",
             warnings ? counted(warnings, "warning") : "", several ? "several files" : source->path);
    if (unshown)
        text_add(out, " (only the first %d shown)", count[SEVERITY_ERROR]);
    text_add(out, "\n");
}

/* ---- file:line:col: error[code]: message */

static void add_short(Text *out, const Diagnostic *d)
{
    Span at = d->marks.items[0].at;
    text_add(out, "%s: %s[%s]: %s\n", at.source ? place_text(at) : "netc", severity_word(d->severity), d->code,
             d->message);
}

/* ---- JSON */

/* Paths may hold any bytes; JSON may not. */
static const char *valid_utf8(const char *chars)
{
    Text text = {0};
    for (int left = (int)strlen(chars); left > 0; ) {
        Glyph glyph = next_glyph(chars, left);
        bool kept = glyph.printable || glyph.bytes > 1 || (unsigned char)*chars < 0x80;
        text_add_range(&text, kept ? chars : "\xEF\xBF\xBD", kept ? (size_t)glyph.bytes : 3);
        chars += glyph.bytes;
        left -= glyph.bytes;
    }
    return text_chars(&text);
}

static void add_string(cJSON *object, const char *key, const char *chars)
{
    cJSON_AddStringToObject(object, key, valid_utf8(chars ? chars : ""));
}

static cJSON *add_object(cJSON *list)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(list, object);
    return object;
}

static void json_place(cJSON *object, Span at)
{
    add_string(object, "file", at.source->path);
    cJSON_AddNumberToObject(object, "line", at.line);
    cJSON_AddNumberToObject(object, "column", at.column);
    cJSON_AddNumberToObject(object, "end_line", at.end_line);
    cJSON_AddNumberToObject(object, "end_column", at.end_column);
}

static void json_span(cJSON *spans, Span at, bool primary, const char *label)
{
    if (!at.source)
        return;
    cJSON *span = add_object(spans);
    json_place(span, at);
    cJSON_AddBoolToObject(span, "primary", primary);
    add_string(span, "label", label);
}

/* An edit may be made unasked only when it is the only one offered. */
static bool has_single_fix(const Diagnostic *d)
{
    int fixes = 0;
    for (int i = 0; i < d->remarks.count; i++)
        fixes += d->remarks.items[i].kind == REMARK_FIX;
    return fixes == 1;
}

static void json_help(cJSON *helps, const Diagnostic *d, Remark remark)
{
    cJSON *help = add_object(helps);
    add_string(help, "message", remark.text);
    bool fix = remark.kind == REMARK_FIX;
    add_string(help, "applicability",
               !fix ? "unspecified" : has_single_fix(d) ? "machine-applicable" : "maybe-incorrect");
    cJSON *edits = cJSON_AddArrayToObject(help, "edits");
    if (fix) {
        cJSON *edit = add_object(edits);
        json_place(edit, remark.at);
        add_string(edit, "text", remark.replacement);
    }
}

static void json_diagnostic(cJSON *all, const Diagnostic *d)
{
    cJSON *object = add_object(all);
    add_string(object, "severity", severity_word(d->severity));
    add_string(object, "code", d->code);
    add_string(object, "message", d->message);
    cJSON *spans = cJSON_AddArrayToObject(object, "spans");
    for (int i = 0; i < d->marks.count; i++)
        json_span(spans, d->marks.items[i].at, d->marks.items[i].primary, d->marks.items[i].text);
    cJSON *notes = cJSON_AddArrayToObject(object, "notes");
    cJSON *helps = cJSON_AddArrayToObject(object, "help");
    for (int i = 0; i < d->remarks.count; i++) {
        Remark remark = d->remarks.items[i];
        if (remark.kind != REMARK_NOTE) {
            json_help(helps, d, remark);
            continue;
        }
        cJSON_AddItemToArray(notes, cJSON_CreateString(valid_utf8(remark.text)));
        json_span(spans, remark.at, false, remark.text);
    }
}

static cJSON *json_document(const DiagnosticList *shown)
{
    cJSON *all = cJSON_CreateArray();
    for (int i = 0; i < shown->count; i++)
        json_diagnostic(all, shown->items[i]);
    return all;
}

cJSON *diag_json(const DiagnosticLog *log)
{
    DiagnosticList all = in_source_order(log);
    return json_document(&all);
}

/* ---- SARIF 2.1.0, the OASIS format that code hosts and editors read */

/* A byte column as a count of characters, which is how SARIF counts. */
static int character_column(const Source *source, int line, int column)
{
    int length, count = 1;
    const char *chars = source_line(source, line, &length);
    for (int i = 0; i < column - 1 && i < length; i++)
        count += ((unsigned char)chars[i] & 0xC0) != 0x80;
    return count + (column - 1 > length ? column - 1 - length : 0);
}

static void sarif_region(cJSON *object, const char *key, Span at)
{
    cJSON *region = cJSON_AddObjectToObject(object, key);
    cJSON_AddNumberToObject(region, "startLine", at.line);
    cJSON_AddNumberToObject(region, "startColumn", character_column(at.source, at.line, at.column));
    cJSON_AddNumberToObject(region, "endLine", at.end_line);
    cJSON_AddNumberToObject(region, "endColumn", character_column(at.source, at.end_line, at.end_column));
}

/* A path as a URI reference: everything unusual percent-encoded. */
static void sarif_artifact(cJSON *object, const Source *source)
{
    Text uri = {0};
    if (*source->path == '/')
        text_add(&uri, "file://");
    for (const char *c = source->path; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("/._-~", *c))
            text_add(&uri, "%c", *c);
        else
            text_add(&uri, "%%%02X", (unsigned char)*c);
    add_string(cJSON_AddObjectToObject(object, "artifactLocation"), "uri", text_chars(&uri));
}

static void sarif_text(cJSON *object, const char *key, const char *chars)
{
    add_string(cJSON_AddObjectToObject(object, key), "text", chars);
}

static void sarif_location(cJSON *locations, Span at, const char *text)
{
    if (!at.source)
        return;
    cJSON *location = add_object(locations);
    cJSON *physical = cJSON_AddObjectToObject(location, "physicalLocation");
    sarif_artifact(physical, at.source);
    sarif_region(physical, "region", at);
    if (text)
        sarif_text(location, "message", text);
}

static void sarif_fix(cJSON *fixes, Remark remark)
{
    cJSON *fix = add_object(fixes);
    sarif_text(fix, "description", remark.text);
    cJSON *change = add_object(cJSON_AddArrayToObject(fix, "artifactChanges"));
    sarif_artifact(change, remark.at.source);
    cJSON *replacement = add_object(cJSON_AddArrayToObject(change, "replacements"));
    sarif_region(replacement, "deletedRegion", remark.at);
    sarif_text(replacement, "insertedContent", remark.replacement);
}

static const char *sarif_message(const Diagnostic *d)
{
    Text text = {0};
    text_add(&text, "%s", d->message);
    for (int i = 0; i < d->remarks.count; i++)
        text_add(&text, "\n%s: %s", d->remarks.items[i].kind == REMARK_NOTE ? "note" : "help",
                 d->remarks.items[i].text);
    return text_chars(&text);
}

static void sarif_result(cJSON *results, const Diagnostic *d)
{
    cJSON *result = add_object(results);
    add_string(result, "ruleId", d->code);
    cJSON_AddNumberToObject(result, "ruleIndex", find_code(d->code));
    add_string(result, "level", severity_word(d->severity));
    sarif_text(result, "message", sarif_message(d));
    sarif_location(cJSON_AddArrayToObject(result, "locations"), d->marks.items[0].at, d->marks.items[0].text);
    cJSON *related = cJSON_AddArrayToObject(result, "relatedLocations");
    for (int i = 1; i < d->marks.count; i++)
        sarif_location(related, d->marks.items[i].at, d->marks.items[i].text);
    cJSON *fixes = cJSON_CreateArray();
    for (int i = 0; i < d->remarks.count; i++) {
        Remark remark = d->remarks.items[i];
        if (remark.kind == REMARK_NOTE)
            sarif_location(related, remark.at, remark.text);
        if (remark.kind == REMARK_FIX)
            sarif_fix(fixes, remark);
    }
    cJSON_AddItemToObject(result, "fixes", fixes);
}

static void sarif_rules(cJSON *driver)
{
    cJSON *rules = cJSON_AddArrayToObject(driver, "rules");
    for (int i = 0; i < CODE_COUNT; i++) {
        cJSON *rule = add_object(rules);
        add_string(rule, "id", codes[i].code);
        sarif_text(rule, "shortDescription", codes[i].summary);
        sarif_text(rule, "fullDescription", codes[i].explanation);
    }
}

static cJSON *sarif_document(const DiagnosticList *shown)
{
    cJSON *document = cJSON_CreateObject();
    add_string(document, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    add_string(document, "version", "2.1.0");
    cJSON *run = add_object(cJSON_AddArrayToObject(document, "runs"));
    cJSON *driver = cJSON_AddObjectToObject(cJSON_AddObjectToObject(run, "tool"), "driver");
    add_string(driver, "name", "netc");
    add_string(driver, "version", NETC_VERSION);
    sarif_rules(driver);
    add_string(run, "columnKind", "unicodeCodePoints");
    cJSON *results = cJSON_AddArrayToObject(run, "results");
    for (int i = 0; i < shown->count; i++)
        sarif_result(results, shown->items[i]);
    return document;
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
    *unshown = diag_options.max_errors && errors > diag_options.max_errors ? errors - diag_options.max_errors : 0;
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
        else
            add_human(&out, shown->items[i]);
    if (diag_options.style == DIAG_HUMAN)
        add_summary(&out, shown, unshown);
    fflush(stdout);
    fputs(text_chars(&out), stderr);
}

/* A program that reads JSON or SARIF gets one document even when there is
 * nothing to say, so an empty flush prints only when it is the first. */
void diag_flush(void)
{
    int unshown;
    DiagnosticList all = in_source_order(in_use), shown = within_limit(&all, &unshown);
    in_use->waiting = (DiagnosticList){0};
    switch (diag_options.style) {
    case DIAG_HUMAN:
    case DIAG_SHORT:
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
