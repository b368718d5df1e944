/* lines.c: lines and characters of a source, as a terminal shows them: which
 * bytes make a character, how many columns it takes, and which part of a long
 * line is worth showing.
 */
#include "diag/diag.h"

#include <locale.h>
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
    return at.end_column <= line_end(at.source, at.end_line) &&
           (at.line < at.end_line || at.column <= at.end_column);
}

/* The character at `chars`.  The C library knows widths only in a UTF-8 locale,
 * so one is used here whatever the user's is. */
Glyph next_glyph(const char *chars, int length)
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

static int to_boundary(const char *chars, int at, int length)
{
    while (at < length && ((unsigned char)chars[at] & 0xC0) == 0x80)
        at++;
    return at;
}

Window window_on(Span first)
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

int add_columns(Text *out, Window window, int stop)
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
