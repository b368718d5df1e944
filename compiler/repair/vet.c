/* vet.c: which edits may be made at all.
 *
 * An edit lies within one statement, or takes that one out, or is put between
 * two; and the text that it leaves has no more syntax errors than before.  All
 * help passes here before it is printed, applied or handed to an editor.  What
 * does not pass is still said, as words without an edit.
 */
#include "repair/search.h"

#include <string.h>

/* ------------------------------------------------------------ statements */

typedef LIST(Span) SpanList;

static void add_statements(const Body *body, SpanList *spans)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        push(spans, stmt->span);
        add_statements(stmt->body, spans);
        add_statements(stmt->other, spans);
    }
}

/* Of every statement, setting, signature and `use`, without what is in braces. */
static SpanList statement_spans(const Program *program)
{
    SpanList spans = {0};
    for (int i = 0; i < program->uses.count; i++)
        push(&spans, program->uses.items[i].span);
    for (int i = 0; i < program->blocks.count; i++) {
        push(&spans, program->blocks.items[i]->span);
        add_statements(program->blocks.items[i]->body, &spans);
    }
    if (program->network)
        add_statements(program->network->body, &spans);
    for (int i = 0; program->train && i < program->train->settings.count; i++)
        push(&spans, program->train->settings.items[i].span);
    return spans;
}

static const char *text_at(Span at, bool end)
{
    return at.source->chars
           + span_offset(at.source, end ? at.end_line : at.line, end ? at.end_column : at.column);
}

static bool is_blank(const char *from, const char *to)
{
    while (from < to && strchr(" \t\r\n;", *from))
        from++;
    return from >= to;
}

/* Whether what an edit takes away is within this statement, or is all of it. */
static bool is_of_statement(Span edit, Span statement)
{
    const char *from = text_at(edit, false), *to = text_at(edit, true);
    const char *start = text_at(statement, false), *end = text_at(statement, true);
    if (from >= start && to <= end)
        return true;
    return from <= start && to >= end && is_blank(from, start) && is_blank(end, to);
}

static bool meets(Span edit, Span statement)
{
    return edit.source == statement.source && is_well_formed(statement)
           && text_at(edit, false) < text_at(statement, true)
           && text_at(edit, true) > text_at(statement, false);
}

/* What is in no statement, as a brace too many, is no more than a line. */
static bool lies_in_statement(Span edit, const SpanList *statements)
{
    if (text_at(edit, false) == text_at(edit, true))
        return true;
    bool met = false;
    for (int i = 0; i < statements->count; i++) {
        if (!meets(edit, statements->items[i]))
            continue;
        if (!is_of_statement(edit, statements->items[i]))
            return false;
        met = true;
    }
    return met || edit.line == edit.end_line;
}

static bool are_placed(const EditList *edits, const SpanList *statements)
{
    for (int i = 0; i < edits->count; i++)
        if (!is_well_formed(edits->items[i].at)
            || edits->items[i].at.source != edits->items[0].at.source
            || !lies_in_statement(edits->items[i].at, statements))
            return false;
    return true;
}

bool edits_are_placed(const Program *program, const EditList *edits)
{
    SpanList statements = statement_spans(program);
    return are_placed(edits, &statements);
}

/* ---------------------------------------------------------------- syntax */

/* What reading texts to vet edits may cost, in bytes: beyond it nothing is
 * offered as an edit. */
enum { VETTED_BYTES = 16 << 20 };

typedef struct Vetting {
    const Program *program;
    SpanList statements;
    const Source *source; /* which has `errors` as it is; NULL: none was read */
    int errors;
    Int left;
} Vetting;

static bool keeps_syntax(Vetting *vetting, EditList *edits)
{
    const Source *source = edits->items[0].at.source;
    EditList none = {0};
    vetting->left -= (Int)source->length;
    if (vetting->left < 0 || !sort_edits(edits))
        return false;
    if (vetting->source != source)
        vetting->errors = syntax_errors(vetting->program, source, &none);
    vetting->source = source;
    return syntax_errors(vetting->program, source, edits) <= vetting->errors;
}

static void vet(Vetting *vetting, Diagnostic *d)
{
    for (int i = 0; i < d->remarks.count; i++) {
        EditList *edits = &d->remarks.items[i].edits;
        if (edits->count
            && !(are_placed(edits, &vetting->statements) && keeps_syntax(vetting, edits)))
            *edits = (EditList){0};
    }
}

void vet_help(const Program *program)
{
    Vetting vetting = {
        .program = program, .statements = statement_spans(program), .left = VETTED_BYTES};
    DiagnosticList all = all_in_use();
    for (int i = 0; i < all.count; i++)
        vet(&vetting, all.items[i]);
}
