/* edits.c: a text with edits made in it, and where its places go.
 */
#include "repair/repair.h"

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

bool sort_edits(EditList *edits)
{
    if (edits->count)
        qsort(edits->items, (size_t)edits->count, sizeof *edits->items, compare_edits);
    for (int i = 1; i < edits->count; i++)
        if (edit_start(&edits->items[i]) <= edit_end(&edits->items[i - 1]))
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

size_t moved_offset(const EditList *edits, size_t offset)
{
    size_t moved = offset;
    for (int i = 0; i < edits->count && edit_end(&edits->items[i]) <= offset; i++)
        moved += strlen(edits->items[i].text) + edit_start(&edits->items[i]) - edit_end(&edits->items[i]);
    return moved;
}
