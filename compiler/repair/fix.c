/* fix.c: `netc check --fix`.  Of every message the one edit that is certain is
 * made, all together, in memory; then the program is checked again, as a name
 * that is known now may show what was hidden behind it, until nothing more is
 * certain.  Only then is the file written, whole, and the difference printed.
 */
#include "format/format.h"
#include "repair/search.h"

#include <string.h>

enum { MAX_ROUNDS = 30 };

/* Adds those of a help that no other touches: another round makes the rest. */
static void add_edits(const EditList *more, EditList *edits)
{
    for (int i = 0; i < more->count; i++)
        for (int k = 0; k < edits->count; k++)
            if (edits_touch(&more->items[i], &edits->items[k]))
                return;
    for (int i = 0; i < more->count; i++)
        push(edits, more->items[i]);
}

/* The edits that are certain, of this source. */
static EditList certain_edits(const DiagnosticLog *log, const Source *source)
{
    EditList edits = {0};
    for (int i = 0; i < log->waiting.count; i++) {
        const Diagnostic *d = log->waiting.items[i];
        for (int k = 0; k < d->remarks.count; k++) {
            const Remark *remark = &d->remarks.items[k];
            if (strcmp(applicability(d, remark), "machine-applicable") == 0
                && remark->edits.items[0].at.source == source)
                add_edits(&remark->edits, &edits);
        }
    }
    sort_edits(&edits);
    return edits;
}

/* Each alone leaves the syntax no worse.  Where all together do not, the first is
 * made, and the next round sees what is left. */
static void keep_syntax(const Program *program, EditList *edits)
{
    EditList none = {0};
    if (edits->count < 2)
        return;
    int before = syntax_errors(program, program->source, &none);
    if (syntax_errors(program, program->source, edits) > before)
        edits->count = 1;
}

/* One round: the messages, and the text with what is certain fixed. */
static DiagnosticLog *check_round(const char *path, const Text *text, Text *fixed, bool *changed)
{
    DiagnosticLog *own = new_diagnostic_log(), *before = diag_to(own);
    const Program *program = parse_text(path, text_chars(text), text->length);
    *changed = false;
    if (program) {
        check_parsed(program, NULL);
        offer_help(program);
        EditList edits = certain_edits(own, program->source);
        keep_syntax(program, &edits);
        if (edits.count) {
            *fixed = edited_text(program->source, &edits);
            *changed = true;
        }
    }
    diag_to(before);
    return own;
}

void fix_file(const char *path)
{
    Text original = {0}, text, fixed;
    if (!read_program_text(path, &original))
        return;
    text = original;
    bool changed = true;
    DiagnosticLog *log = check_round(path, &text, &fixed, &changed);
    for (int round = 0; changed && round < MAX_ROUNDS; round++) {
        text = fixed;
        log = check_round(path, &text, &fixed, &changed);
    }
    bool same = text.length == original.length
                && memcmp(text_chars(&text), text_chars(&original), text.length) == 0;
    if (!same && !write_whole_file(path, NET_ANY_FILE, text_chars(&text), text.length))
        return;
    diag_take(log);
    if (same || diag_options.style == DIAG_JSON || diag_options.style == DIAG_SARIF)
        return;
    Text diff = {0};
    add_diff(path, text_chars(&original), text_chars(&text), &diff);
    fwrite(text_chars(&diff), 1, diff.length, stdout);
}
