/* human.c: messages for people: an excerpt of the program with what is meant
 * underlined, in colour on a terminal; one line each for editors that know
 * gcc's format; plain sentences for those who have the screen read to them.
 */
#include "diag/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- colour */

typedef enum Paint {
    PAINT_NONE,
    PAINT_BOLD,
    PAINT_ERROR,
    PAINT_WARNING,
    PAINT_GUTTER,
    PAINT_HELP
} Paint;

static bool want_colour(void)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (diag_options.colour != COLOUR_AUTO)
        return diag_options.colour == COLOUR_ALWAYS;
    return isatty(STDERR_FILENO) && !(refused && *refused)
           && !(terminal && strcmp(terminal, "dumb") == 0);
}

static const char *paint(Paint paint)
{
    if (!want_colour())
        return "";
    switch (paint) {
    case PAINT_NONE:
        return "\033[0m";
    case PAINT_BOLD:
        return "\033[1m";
    case PAINT_ERROR:
        return "\033[1;31m";
    case PAINT_WARNING:
        return "\033[1;33m";
    case PAINT_GUTTER:
        return "\033[1;34m";
    case PAINT_HELP:
        return "\033[1;36m";
    }
    unreachable();
}

static Paint severity_paint(Severity severity)
{
    return severity == SEVERITY_ERROR ? PAINT_ERROR : PAINT_WARNING;
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

static void add_line(Text *out, int width, Excerpt excerpt, int line)
{
    text_add(out, "%s%*d |%s", paint(PAINT_GUTTER), width, line, paint(PAINT_NONE));
    if (excerpt.length)
        text_add(out, " ");
    add_columns(out, excerpt, excerpt.length);
    text_add(out, "\n");
}

/* One row of carets or dashes.  A span that goes on below is underlined to the
 * end of its first line. */
static void add_underline(Text *out, const Diagnostic *d, int width, Excerpt excerpt, Mark mark)
{
    int stop = mark.at.end_line == mark.at.line ? mark.at.end_column - 1 : excerpt.length;
    int from = add_columns(NULL, excerpt, mark.at.column - 1);
    int columns = add_columns(NULL, excerpt, stop) - from;
    Paint colour = mark.primary ? severity_paint(d->severity) : PAINT_GUTTER;
    add_gutter(out, width, "|");
    text_add(out, " %*s%s", from, "", paint(colour));
    for (int i = 0; i < columns || i == 0; i++)
        text_add(out, "%s", mark.primary ? "^" : "-");
    if (mark.text && *mark.text)
        text_add(out, " %s", visible(mark.text));
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
        add_line(out, width, excerpt_around(before), before.line);
    } else if (after.line > before.line + 2) {
        add_gutter(out, width, ":");
        text_add(out, "\n");
    }
}

/* The marked lines of one file: `arrow` is --> for the primary mark's file. */
static void add_excerpt(Text *out, const Diagnostic *d, int width, Span at, const char *arrow)
{
    text_add(out, "%s%*s%s%s %s:%d:%d\n", paint(PAINT_GUTTER), width, "", arrow, paint(PAINT_NONE),
             visible(at.source->path), at.line, at.column);
    add_gutter(out, width, "|");
    text_add(out, "\n");
    MarkList marks = marks_in(d, at.source);
    Excerpt excerpt = {0};
    for (int i = 0; i < marks.count; i++) {
        Mark mark = marks.items[i];
        if (i == 0 || mark.at.line != marks.items[i - 1].at.line) {
            if (i > 0)
                add_gap(out, width, marks.items[i - 1].at, mark.at);
            excerpt = excerpt_around(mark.at);
            add_line(out, width, excerpt, mark.at.line);
        }
        add_underline(out, d, width, excerpt, mark);
    }
}

static bool first_in_its_file(const Diagnostic *d, int which)
{
    for (int i = 0; i < which; i++)
        if (d->marks.items[i].at.source == d->marks.items[which].at.source)
            return false;
    return d->marks.items[which].at.source != NULL;
}

static const char *location_text(Span at)
{
    return format("%s:%d:%d", visible(at.source->path), at.line, at.column);
}

static void add_remark(Text *out, int width, Remark remark)
{
    bool help = remark.kind == REMARK_HELP;
    add_gutter(out, width, "= ");
    text_add(out, "%s%s%s: %s", paint(help ? PAINT_HELP : PAINT_BOLD), help ? "help" : "note",
             paint(PAINT_NONE), visible(remark.text));
    if (!help && remark.at.source)
        text_add(out, " --> %s", location_text(remark.at));
    text_add(out, "\n");
}

void add_human(Text *out, const Diagnostic *d)
{
    int width = gutter_width(d);
    text_add(out, "%s%s[%s]%s", paint(severity_paint(d->severity)), severity_word(d->severity),
             d->code, paint(PAINT_NONE));
    text_add(out, "%s: %s%s\n", paint(PAINT_BOLD), visible(d->message), paint(PAINT_NONE));
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
void add_summary(Text *out, const DiagnosticList *shown, int unshown)
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
    text_add(out, "%s%s%s: ", paint(severity_paint(severity)), severity_word(severity),
             paint(PAINT_NONE));
    text_add(out, "%s%s%s in %s", errors ? counted(errors, "error") : "",
             errors && warnings ? " and " : "", warnings ? counted(warnings, "warning") : "",
             several ? "several files" : visible(source->path));
    if (unshown)
        text_add(out, " (only the first %d shown)", count[SEVERITY_ERROR]);
    text_add(out, "\n");
}

/* ---- file:line:col: error[code]: message */

void add_short(Text *out, const Diagnostic *d)
{
    Span at = d->marks.items[0].at;
    text_add(out, "%s: %s[%s]: %s\n", at.source ? location_text(at) : "netc",
             severity_word(d->severity), d->code, visible(d->message));
}

/* ---- sentences, for those who have the screen read to them */

/* "[20, 8, 8]" at `at`, all numbers: how many characters it takes, else 0. */
static size_t shape_length(const char *at)
{
    size_t inside = *at == '[' ? strspn(at + 1, "0123456789, _") : 0;
    return inside > 0 && at[1 + inside] == ']' ? inside + 2 : 0;
}

/* A shape is read as "20 by 8 by 8". */
static const char *speak_shape(Text *out, const char *at)
{
    for (; *at != ']'; at++)
        if (*at == ',')
            text_add(out, " by");
        else if (*at == '_')
            text_add(out, "any");
        else if (*at != '[')
            text_add_range(out, at, 1);
    return at + 1;
}

/* What is read aloud as a word, or not at all. */
static const struct {
    const char *sign, *spoken;
} signs[] = {
    {" -> ", " to "},
    {" * ", " times "},
    {" + ", " plus "},
    {" - ", " minus "},
    {" = ", " is "},
    {" / ", " divided by "},
    {"`{`", "an opening brace"},
    {"`}`", "a closing brace"},
    {"`(`", "an opening parenthesis"},
    {"`)`", "a closing parenthesis"},
    {"`[`", "an opening bracket"},
    {"`]`", "a closing bracket"},
    {"`,`", "a comma"},
    {"-> ", "shape "},
    {"//", " divided by "},
    {"^", " to the power "},
    {"`", ""},
    {"…", "and so on"},
};

static const char *spoken(const char *chars)
{
    Text out = {0};
    chars = visible(chars);
    while (*chars) {
        size_t i = 0, count = sizeof signs / sizeof *signs;
        while (i < count && strncmp(chars, signs[i].sign, strlen(signs[i].sign)) != 0)
            i++;
        if (shape_length(chars)) {
            chars = speak_shape(&out, chars);
        } else if (i < count) {
            text_add(&out, "%s", signs[i].spoken);
            chars += strlen(signs[i].sign);
        } else {
            text_add_range(&out, chars++, 1);
        }
    }
    return text_chars(&out);
}

static const char *spoken_location(Span at, const Source *known)
{
    const char *file = at.source != known ? format(" of %s", visible(at.source->path)) : "";
    const char *to = at.end_line == at.line && at.end_column > at.column + 1
                         ? format(" to %d", at.end_column - 1)
                         : "";
    return format("line %d%s, column%s %d%s", at.line, file, *to ? "s" : "", at.column, to);
}

static const char *marked_text(Span at)
{
    Excerpt excerpt = excerpt_around(at);
    int end = at.end_line == at.line ? at.end_column - 1 : excerpt.length;
    end = end < excerpt.length ? end : excerpt.length;
    return at.column - 1 < end
               ? visible(intern_range(excerpt.chars + at.column - 1, (size_t)(end - at.column + 1)))
               : "";
}

static void add_spoken_mark(Text *out, const Mark *mark, const Source *known)
{
    if (!mark->at.source || !mark->text || !*mark->text)
        return;
    if (mark->primary)
        text_add(out, "There: %s.\n", spoken(mark->text));
    else
        text_add(out, "See %s, %s: %s.\n", spoken_location(mark->at, known), marked_text(mark->at),
                 spoken(mark->text));
}

void add_narrated(Text *out, const Diagnostic *d)
{
    const Source *source = d->marks.items[0].at.source;
    text_add(out, "%s, %s", d->severity == SEVERITY_ERROR ? "Error" : "Warning", d->code);
    if (source)
        text_add(out, ", in %s, %s", visible(source->path),
                 spoken_location(d->marks.items[0].at, source));
    text_add(out, ": %s.\n", spoken(d->message));
    for (int i = 0; i < d->marks.count; i++)
        add_spoken_mark(out, &d->marks.items[i], source);
    for (int i = 0; i < d->remarks.count; i++) {
        const Remark *remark = &d->remarks.items[i];
        text_add(out, "%s: %s", remark->kind == REMARK_NOTE ? "Note" : "Help",
                 spoken(remark->text));
        text_add(out, "%s.\n",
                 remark->at.source ? format(", at %s", spoken_location(remark->at, source)) : "");
    }
    text_add(out, "\n");
}
