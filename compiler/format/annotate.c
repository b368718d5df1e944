/* annotate.c: the inferred shape of each row, as the assertion a person would
 * have written; and those taken away again.
 */
#include "format/rows.h"
#include "parse.h"

static int kind_of(const Statement *statement)
{
    return statement->parts.items[0].word->kind;
}

static void annotate_body(Rows *rows, const Program *program, ShapeNotes *notes)
{
    for (int i = 0; i < rows->rows.count; i++) {
        Row *row = &rows->rows.items[i];
        for (int k = 0; k < row->statements.count; k++) {
            Statement *statement = row->statements.items[k];
            for (int p = 0; p < statement->parts.count; p++)
                if (statement->parts.items[p].body && statement->parts.items[p].body->broken)
                    annotate_body(statement->parts.items[p].body, program, notes);
        }
        Statement *last =
            row->statements.count ? row->statements.items[row->statements.count - 1] : NULL;
        if (!last || last->shape < last->parts.count)
            continue;
        Span at = last->parts.items[0].word->span;
        at.source = program->source;
        const char *shape = kind_of(last) == INPUT ? NULL : noted_shape(notes, at);
        last->inferred = shape ? format("-> %s", shape) : NULL;
        row->marked = shape != NULL;
    }
}

void annotate_rows(Rows *rows, const Program *program, ShapeNotes *notes)
{
    for (int i = 0; i < rows->rows.count; i++)
        for (int k = 0; k < rows->rows.items[i].statements.count; k++) {
            Statement *section = rows->rows.items[i].statements.items[k];
            for (int p = 0; p < section->parts.count; p++)
                if (section->parts.items[p].body && section->parts.items[p].body->broken)
                    annotate_body(section->parts.items[p].body, program, notes);
        }
}

void strip_rows(Rows *rows)
{
    for (int i = 0; i < rows->rows.count; i++) {
        Row *row = &rows->rows.items[i];
        for (int k = 0; k < row->statements.count; k++) {
            Statement *statement = row->statements.items[k];
            for (int p = 0; p < statement->parts.count; p++)
                if (statement->parts.items[p].body)
                    strip_rows(statement->parts.items[p].body);
            if (row->marked && k == row->statements.count - 1)
                statement->parts.count = statement->shape;
        }
        row->marked = false;
    }
}
