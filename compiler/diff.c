/* diff.c: how two texts differ, as `diff -u` shows it.  The lines that the texts
 * begin and end with in common are set aside; between them the longest common
 * subsequence is found by the usual table, and where that would be too large,
 * all between is taken as changed.
 */
#include "netc.h"

#include <string.h>

enum { AROUND = 3, LARGEST_TABLE = 4 << 20 };

typedef struct Line { const char *chars; int length; } Line;
typedef LIST(Line) Lines;

typedef struct Change { char sign; Line line; } Change;         /* ' ', '-' or '+' */
typedef LIST(Change) Changes;

static Lines lines_of(const char *chars, size_t length)
{
    Lines lines = {0};
    for (const char *end = chars + length; chars < end; ) {
        const char *stop = memchr(chars, '\n', (size_t)(end - chars));
        stop = stop ? stop + 1 : end;
        push(&lines, ((Line){chars, (int)(stop - chars)}));
        chars = stop;
    }
    return lines;
}

static bool same_line(Line a, Line b)
{
    return a.length == b.length && memcmp(a.chars, b.chars, (size_t)a.length) == 0;
}

static void add_lines(Changes *changes, char sign, const Lines *lines, int from, int to)
{
    for (int i = from; i < to; i++)
        push(changes, ((Change){sign, lines->items[i]}));
}

/* The lines [from, from + rows) of a and [from, from + columns) of b. */
static void compare_middle(Changes *changes, const Lines *a, const Lines *b, int from, int rows, int columns)
{
    if ((int64_t)(rows + 1) * (columns + 1) > LARGEST_TABLE) {
        add_lines(changes, '-', a, from, from + rows);
        add_lines(changes, '+', b, from, from + columns);
        return;
    }
    int width = columns + 1, *common = NEW_ARRAY(int, (size_t)(rows + 1) * (size_t)width);
    for (int i = rows - 1; i >= 0; i--)
        for (int k = columns - 1; k >= 0; k--) {
            int down = common[(i + 1) * width + k], right = common[i * width + k + 1];
            common[i * width + k] = same_line(a->items[from + i], b->items[from + k])
                ? common[(i + 1) * width + k + 1] + 1 : down > right ? down : right;
        }
    int i = 0, k = 0;
    while (i < rows && k < columns) {
        if (same_line(a->items[from + i], b->items[from + k])) {
            push(changes, ((Change){' ', a->items[from + i++]}));
            k++;
        } else if (common[(i + 1) * width + k] >= common[i * width + k + 1]) {
            push(changes, ((Change){'-', a->items[from + i++]}));
        } else {
            push(changes, ((Change){'+', b->items[from + k++]}));
        }
    }
    add_lines(changes, '-', a, from + i, from + rows);
    add_lines(changes, '+', b, from + k, from + columns);
}

static Changes compare_lines(const Lines *a, const Lines *b)
{
    Changes changes = {0};
    int before = 0, after = 0;
    while (before < a->count && before < b->count && same_line(a->items[before], b->items[before]))
        before++;
    while (after < a->count - before && after < b->count - before &&
           same_line(a->items[a->count - 1 - after], b->items[b->count - 1 - after]))
        after++;
    add_lines(&changes, ' ', a, 0, before);
    compare_middle(&changes, a, b, before, a->count - before - after, b->count - before - after);
    add_lines(&changes, ' ', a, a->count - after, a->count);
    return changes;
}

/* Where the hunk that begins at `first` ends: AROUND lines after a change that
 * no other follows closely. */
static int hunk_end(const Changes *changes, int first)
{
    int last = first;
    for (int i = first; i < changes->count && i - last <= 2 * AROUND; i++)
        if (changes->items[i].sign != ' ')
            last = i;
    return last + AROUND + 1 < changes->count ? last + AROUND + 1 : changes->count;
}

static void print_hunk(const Changes *changes, int from, int to, int old_line, int new_line, FILE *out)
{
    int old_count = 0, new_count = 0;
    for (int i = from; i < to; i++) {
        old_count += changes->items[i].sign != '+';
        new_count += changes->items[i].sign != '-';
    }
    fprintf(out, "@@ -%d,%d +%d,%d @@\n", old_line + (old_count > 0), old_count, new_line + (new_count > 0), new_count);
    for (int i = from; i < to; i++) {
        Line line = changes->items[i].line;
        fprintf(out, "%c%.*s", changes->items[i].sign, line.length, line.chars);
        if (line.chars[line.length - 1] != '\n')
            fprintf(out, "\n\\ No newline at end of file\n");
    }
}

void print_diff(const char *path, const Text *before, const Text *after, FILE *out)
{
    Lines a = lines_of(text_chars(before), before->length), b = lines_of(text_chars(after), after->length);
    Changes changes = compare_lines(&a, &b);
    fprintf(out, "--- %s\n+++ %s\n", path, path);
    int old_line = 0, new_line = 0, printed = 0;        /* lines before `printed` */
    for (int i = 0; i < changes.count; i++) {
        if (changes.items[i].sign == ' ')
            continue;
        int from = i - AROUND > printed ? i - AROUND : printed, to = hunk_end(&changes, i);
        for (; printed < from; printed++) {
            old_line += changes.items[printed].sign != '+';
            new_line += changes.items[printed].sign != '-';
        }
        print_hunk(&changes, from, to, old_line, new_line, out);
        for (; printed < to; printed++) {
            old_line += changes.items[printed].sign != '+';
            new_line += changes.items[printed].sign != '-';
        }
        i = to - 1;
    }
}
