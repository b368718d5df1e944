/* diff.c: what changed between two texts, as `diff -u` shows it.
 *
 * Lines that begin and end both texts alike are set aside; the longest common
 * subsequence of the rest is found by the usual table.  When that table would be
 * too large the rest is shown as replaced, which is true if not the shortest.
 */
#include "core/shown.h"
#include "format/format.h"

#include <string.h>
#include <unistd.h>

enum { CONTEXT = 3, MAX_CELLS = 1 << 24 };

typedef struct Line {
    const char *chars;
    int length;
} Line;
typedef LIST(Line) LineList;

typedef struct Change {
    char sign;
    Line line;
} Change; /* ' ', '-' or '+' */
typedef LIST(Change) ChangeList;

static LineList lines_of(const char *text)
{
    LineList lines = {0};
    while (*text) {
        int length = (int)strcspn(text, "\n");
        push(&lines, ((Line){text, length}));
        text += length + (text[length] == '\n');
    }
    return lines;
}

static bool same_line(Line a, Line b)
{
    return a.length == b.length && !strncmp(a.chars, b.chars, (size_t)a.length);
}

/* common[i][k]: the longest common subsequence of a[i …] and b[k …]. */
static int *common_lengths(const Line *a, int rows, const Line *b, int columns)
{
    Int cells;
    if (__builtin_mul_overflow((Int)rows + 1, (Int)columns + 1, &cells) || cells > MAX_CELLS)
        return NULL;
    int *common = NEW_ARRAY(int, (size_t)cells), width = columns + 1;
    for (int i = rows - 1; i >= 0; i--)
        for (int k = columns - 1; k >= 0; k--) {
            int down = common[(i + 1) * width + k], right = common[i * width + k + 1];
            common[i * width + k] = same_line(a[i], b[k]) ? common[(i + 1) * width + k + 1] + 1
                                    : down > right        ? down
                                                          : right;
        }
    return common;
}

static void add_middle(const Line *a, int rows, const Line *b, int columns, ChangeList *changes)
{
    const int *common = common_lengths(a, rows, b, columns);
    int i = 0, k = 0, width = columns + 1;
    while (i < rows || k < columns) {
        bool both = common && i < rows && k < columns;
        if (both && same_line(a[i], b[k])) {
            push(changes, ((Change){' ', a[i++]}));
            k++;
        } else if (i < rows
                   && (!both || common[(i + 1) * width + k] >= common[i * width + k + 1])) {
            push(changes, ((Change){'-', a[i++]}));
        } else {
            push(changes, ((Change){'+', b[k++]}));
        }
    }
}

static ChangeList changes_between(const LineList *a, const LineList *b)
{
    ChangeList changes = {0};
    int shorter = a->count < b->count ? a->count : b->count, head = 0, tail = 0;
    while (head < shorter && same_line(a->items[head], b->items[head]))
        push(&changes, ((Change){' ', a->items[head++]}));
    while (tail < shorter - head
           && same_line(a->items[a->count - 1 - tail], b->items[b->count - 1 - tail]))
        tail++;
    add_middle(a->items + head, a->count - head - tail, b->items + head, b->count - head - tail,
               &changes);
    for (int i = a->count - tail; i < a->count; i++)
        push(&changes, ((Change){' ', a->items[i]}));
    return changes;
}

/* The end of the hunk that begins with the change at `from`: changes with fewer
 * unchanged lines between them than two contexts are shown together. */
static int hunk_end(const ChangeList *changes, int from)
{
    int end = from;
    for (int i = from; i < changes->count && i - end <= 2 * CONTEXT; i++)
        if (changes->items[i].sign != ' ')
            end = i + 1;
    return end + CONTEXT < changes->count ? end + CONTEXT : changes->count;
}

static int count_lines(const ChangeList *changes, int from, int to, char but)
{
    int count = 0;
    for (int i = from; i < to; i++)
        count += changes->items[i].sign != but;
    return count;
}

/* As it is for `patch`; what a person reads on a terminal has nothing hidden in it. */
static void add_line(Text *out, Line line)
{
    bool read = isatty(STDOUT_FILENO);
    for (int at = 0; at < line.length;) {
        NetGlyph glyph = net_glyph(line.chars + at, (size_t)(line.length - at));
        if (read && *glyph.escape && line.chars[at] != '\t')
            text_add(out, "%s", glyph.escape);
        else
            text_add_range(out, line.chars + at, (size_t)glyph.bytes);
        at += glyph.bytes;
    }
}

static void add_hunk(const ChangeList *changes, int from, int to, Text *out)
{
    int old = count_lines(changes, 0, from, '+'), new = count_lines(changes, 0, from, '-');
    int old_count = count_lines(changes, from, to, '+'),
        new_count = count_lines(changes, from, to, '-');
    text_add(out, "@@ -%d,%d +%d,%d @@\n", old + (old_count > 0), old_count, new + (new_count > 0),
             new_count);
    for (int i = from; i < to; i++) {
        text_add(out, "%c", changes->items[i].sign);
        add_line(out, changes->items[i].line);
        text_add(out, "\n");
    }
}

void add_diff(const char *path, const char *before, const char *after, Text *out)
{
    LineList a = lines_of(before), b = lines_of(after);
    ChangeList changes = changes_between(&a, &b);
    bool headed = false;
    for (int i = 0; i < changes.count; i++) {
        if (changes.items[i].sign == ' ')
            continue;
        if (!headed)
            text_add(out, "--- %s\n+++ %s\n", SHOWN(path), SHOWN(path));
        headed = true;
        int from = i > CONTEXT ? i - CONTEXT : 0, to = hunk_end(&changes, i);
        add_hunk(&changes, from, to, out);
        i = to - 1;
    }
}
