/* lines.c: lines and characters of a source, as a terminal shows them: which
 * bytes make a character, how many columns it takes, and which part of a long
 * line is worth showing.
 */
#include "core/shown.h"
#include "diag/log.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

const char *source_line(const Source *source, int line, int *length)
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

const char *span_text(Span span)
{
    int length;
    const char *line = source_line(span.source, span.line, &length);
    if (span.line != span.end_line || span.end_column <= span.column || span.column - 1 > length)
        return "";
    return intern_range(line + span.column - 1, (size_t)(span.end_column - span.column));
}

/* One past a line's last column that has a place, its carriage return counted. */
static int line_end(const Source *source, int line)
{
    bool last = line == source->lines;
    size_t end = last ? source->length : source->line_starts[line] - 1;
    return (int)(end - source->line_starts[line - 1]) + 1;
}

bool is_well_formed(Span at)
{
    if (!at.source || at.line < 1 || at.end_line < at.line || at.end_line > at.source->lines)
        return false;
    if (at.column < 1 || at.end_column < 1 || at.column > line_end(at.source, at.line))
        return false;
    return at.end_column <= line_end(at.source, at.end_line)
           && (at.line < at.end_line || at.column <= at.end_column);
}

/* The columns of a character that is shown as it is, -1 where it has none.  The C
 * library knows widths only in a UTF-8 locale, so one is used here whatever the
 * user's is. */
static int columns_of(const char *chars, int bytes)
{
    static locale_t utf8;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t users = utf8 ? uselocale(utf8) : (locale_t)0;
    mbstate_t state = {0};
    wchar_t wide = 0;
    int columns =
        mbrtowc(&wide, chars, (size_t)bytes, &state) == (size_t)bytes ? wcwidth(wide) : -1;
    if (users)
        uselocale(users);
    return columns;
}

Glyph next_glyph(const char *chars, int length)
{
    NetGlyph read = net_glyph(chars, (size_t)length);
    Glyph glyph = {.bytes = read.bytes};
    int columns = *read.escape ? -1 : columns_of(chars, read.bytes);
    if (*read.escape)
        memcpy(glyph.escape, read.escape, sizeof glyph.escape);
    else if (columns < 0)
        memcpy(glyph.escape, "\xEF\xBF\xBD", 4); /* of no width that is known */
    glyph.columns = columns >= 0 ? columns : *read.escape ? (int)strlen(read.escape) : 1;
    return glyph;
}

const char *visible(const char *chars)
{
    Text text = {0};
    for (size_t left = strlen(chars); left > 0;) {
        NetGlyph glyph = net_glyph(chars, left);
        size_t length;
        const char *shown = net_glyph_shown(&glyph, chars, &length);
        text_add_range(&text, shown, length);
        chars += glyph.bytes;
        left -= (size_t)glyph.bytes;
    }
    return intern(text_chars(&text));
}

enum { TAB_WIDTH = 4, LINE_BYTES = 140, LINE_BEFORE = 60 };

static int to_boundary(const char *chars, int at, int length)
{
    while (at < length && ((unsigned char)chars[at] & 0xC0) == 0x80)
        at++;
    return at;
}

Excerpt excerpt_around(Span first)
{
    Excerpt excerpt = {0};
    excerpt.chars = source_line(first.source, first.line, &excerpt.length);
    excerpt.to = excerpt.length;
    if (excerpt.length <= LINE_BYTES)
        return excerpt;
    int from = first.column - 1 - LINE_BEFORE;
    from = from > excerpt.length - LINE_BYTES ? excerpt.length - LINE_BYTES : from;
    excerpt.from = from > 0 ? to_boundary(excerpt.chars, from, excerpt.length) : 0;
    if (excerpt.length - excerpt.from > LINE_BYTES)
        excerpt.to = to_boundary(excerpt.chars, excerpt.from + LINE_BYTES, excerpt.length);
    return excerpt;
}

int add_columns(Text *out, Excerpt excerpt, int stop)
{
    int column = 0;
    if (excerpt.from > 0) {
        if (out)
            text_add(out, "…");
        column = 1;
    }
    for (int at = excerpt.from; at < excerpt.to && at < stop;) {
        const char *chars = excerpt.chars + at;
        Glyph glyph = next_glyph(chars, excerpt.to - at);
        int columns = *chars == '\t' ? TAB_WIDTH - column % TAB_WIDTH : glyph.columns;
        if (out && *chars == '\t')
            text_add(out, "%*s", columns, "");
        else if (out && *glyph.escape)
            text_add(out, "%s", glyph.escape);
        else if (out)
            text_add_range(out, chars, (size_t)glyph.bytes);
        column += columns;
        at += glyph.bytes;
    }
    if (out && excerpt.to < excerpt.length)
        text_add(out, "…");
    return column;
}
