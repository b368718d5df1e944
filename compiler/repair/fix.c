/* fix.c: `netc check --fix`.  Of every message the one edit that is certain is
 * made, all together, in memory; then the program is checked again, as a name
 * that is known now may show what was hidden behind it, until nothing more is
 * certain.  Only then is the file written, whole, and the difference printed.
 */
#include "repair/repair.h"

#include <string.h>

enum { MOST_ROUNDS = 30 };

static bool touches(const Edit *edit, const EditList *edits)
{
    for (int i = 0; i < edits->count; i++)
        if (compare_spans(edits->items[i].at, edit->at) == 0)
            return true;
    return false;
}

/* The edits that are certain, of this source. */
static EditList certain_edits(const DiagnosticLog *log, const Source *source)
{
    EditList edits = {0};
    for (int i = 0; i < log->waiting.count; i++) {
        const Diagnostic *d = log->waiting.items[i];
        for (int k = 0; k < d->remarks.count; k++) {
            const Remark *remark = &d->remarks.items[k];
            if (strcmp(applicability(d, remark), "machine-applicable") != 0)
                continue;
            for (int e = 0; e < remark->edits.count; e++)
                if (remark->edits.items[e].at.source == source && !touches(&remark->edits.items[e], &edits))
                    push(&edits, remark->edits.items[e]);
        }
    }
    return edits;
}

/* One round: the messages, and the text with what is certain mended. */
static DiagnosticLog *check_round(const char *path, const Text *text, Text *mended, bool *changed)
{
    DiagnosticLog *own = new_diagnostic_log(), *before = diag_to(own);
    const Program *program = parse_text(path, text_chars(text), text->length);
    *changed = false;
    if (program) {
        check_parsed(program, NULL);
        offer_help(program);
        EditList edits = certain_edits(own, program->source);
        if (edits.count && sort_edits(&edits)) {
            *mended = edited_text(program->source, &edits);
            *changed = true;
        }
    }
    diag_to(before);
    return own;
}

void fix_file(const char *path)
{
    Text original = {0}, text, mended;
    if (!read_program_text(path, &original))
        return;
    text = original;
    bool changed = true;
    DiagnosticLog *log = check_round(path, &text, &mended, &changed);
    for (int round = 0; changed && round < MOST_ROUNDS; round++) {
        text = mended;
        log = check_round(path, &text, &mended, &changed);
    }
    bool same = text.length == original.length && memcmp(text_chars(&text), text_chars(&original), text.length) == 0;
    if (!same && !write_whole_file(path, text_chars(&text), text.length))
        return;
    diag_take(log);
    if (same || diag_options.style == DIAG_JSON || diag_options.style == DIAG_SARIF)
        return;
    Text diff = {0};
    add_diff(path, text_chars(&original), text_chars(&text), &diff);
    fwrite(text_chars(&diff), 1, diff.length, stdout);
}
