/* edits.c: a text with edits made in it, and where its positions go.
 */
#include "repair/search.h"

#include <stdlib.h>
#include <string.h>

size_t span_offset(const Source *source, int line, int column)
{
    return source->line_starts[line - 1] + (size_t)column - 1;
}

static int compare_edits(const void *left, const void *right)
{
    return compare_spans(((const Edit *)left)->at, ((const Edit *)right)->at);
}

static size_t edit_start(const Edit *edit)
{
    return span_offset(edit->at.source, edit->at.line, edit->at.column);
}

static size_t edit_end(const Edit *edit)
{
    return span_offset(edit->at.source, edit->at.end_line, edit->at.end_column);
}

bool edits_touch(const Edit *a, const Edit *b)
{
    size_t start = edit_start(a), other = edit_start(b);
    return start == other || (start < other ? edit_end(a) > other : edit_end(b) > start);
}

bool sort_edits(EditList *edits)
{
    if (edits->count)
        qsort(edits->items, (size_t)edits->count, sizeof *edits->items, compare_edits);
    for (int i = 1; i < edits->count; i++)
        if (edits_touch(&edits->items[i - 1], &edits->items[i]))
            return false;
    return true;
}

Text edited_text(const Source *source, const EditList *edits)
{
    Text text = {0};
    size_t at = 0;
    for (int i = 0; i < edits->count; i++) {
        const Edit *edit = &edits->items[i];
        text_add_range(&text, source->chars + at, edit_start(edit) - at);
        text_add(&text, "%s", edit->text);
        at = edit_end(edit);
    }
    text_add_range(&text, source->chars + at, source->length - at);
    return text;
}

/* Where an edit's own text ends, when nothing before it has moved. */
static void end_of_text(const Edit *edit, int *line, int *column)
{
    *line = edit->at.line;
    *column = edit->at.column;
    for (const char *c = edit->text; *c; c++) {
        *column = *c == '\n' ? 1 : *column + 1;
        *line += *c == '\n';
    }
}

/* From the last edit to the first, as each moves only what comes after it. */
void move_position(const EditList *edits, int *line, int *column)
{
    for (int i = edits->count - 1; i >= 0; i--) {
        Span at = edits->items[i].at;
        int to_line, to_column;
        if (at.end_line > *line || (at.end_line == *line && at.end_column > *column))
            continue;
        end_of_text(&edits->items[i], &to_line, &to_column);
        if (at.end_line == *line)
            *column += to_column - at.end_column;
        *line += to_line - at.end_line;
    }
}
