/* trial.c: the whole program checked in memory with an edit made.
 *
 * An edit fixes a fault when the program then has all its other faults, each
 * where the edit has moved it, and no more.  The first fault that is none of
 * those ends the trial.  Each has an arena and a log of its own, dropped with it;
 * used files are taken as they were read.
 */
#include "repair/search.h"

#include <string.h>

/* ------------------------------------------------------- the used files */

static const Program *whose_files;
static const char *(*others_text)(const char *path, size_t *length);

static const char *text_as_read(const char *path, size_t *length)
{
    for (int i = 0; i < whose_files->sources.count; i++) {
        const Source *source = whose_files->sources.items[i];
        if (strcmp(source->path, path) != 0)
            continue;
        *length = source->length;
        return source->chars;
    }
    return others_text ? others_text(path, length) : NULL;
}

/* -------------------------------------------------------------- a trial */

typedef struct Trial {
    Arena *made, *arena;
    DiagnosticLog *log, *before;
    const Program *program;
    Trace trace;
} Trial;

static void open_trial(Trial *trial, const Program *program)
{
    *trial = (Trial){.made = new_arena()};
    trial->arena = use_arena(trial->made);
    trial->log = new_diagnostic_log();
    trial->before = diag_to(trial->log);
    whose_files = program;
    others_text = unsaved_text;
    unsaved_text = text_as_read;
}

static void close_trial(Trial *trial)
{
    unsaved_text = others_text;
    diag_to(trial->before);
    use_arena(trial->arena);
    drop_arena(trial->made);
}

/* Where the edited program should have a fault that the edit does not concern. */
static Fault moved_fault(const Search *search, const Diagnostic *d, const EditList *edits)
{
    Span at = d->marks.items[0].at;
    Fault fault = {d->code, at.line, at.column};
    if (at.source == search->program->source)
        move_position(edits, &fault.line, &fault.column);
    return fault;
}

static bool run_trial(Trial *trial, Search *search, const Text *text)
{
    const Source *source = search->program->source;
    trial->program = parse_text(source->path, text_chars(text), text->length);
    if (trial->program && !diag_surprised())
        check_parsed(trial->program, &trial->trace);
    Int cost = (Int)text->length + STATEMENT_BYTES * trial->trace.steps;
    search->left -= cost;
    search->left_in_file -= cost;
    return trial->program != NULL;
}

/* Whether the trial's program has a message on a line that an edit has made. */
static bool touches_message(const Trial *trial, const EditList *edits)
{
    for (int k = 0; k < edits->count; k++) {
        int line = edits->items[k].at.line, column = edits->items[k].at.column;
        EditList before = {edits->items, k, k};
        move_position(&before, &line, &column);
        for (int i = 0; i < trial->log->waiting.count; i++) {
            Span at = trial->log->waiting.items[i]->marks.items[0].at;
            if (at.source == trial->program->source && at.line == line)
                return true;
        }
    }
    return false;
}

/* Which of the expected faults the trial did not find. */
static void note_gone(const Trial *trial, const FaultList *expected, const Search *search,
                      const Diagnostic *fault, bool *gone)
{
    for (int i = 0, at = 0; i < search->faults.count; i++) {
        if (search->faults.items[i] == fault)
            continue;
        const Fault *one = &expected->items[at++];
        gone[i] = true;
        for (int k = 0; k < trial->log->waiting.count; k++) {
            Span found = trial->log->waiting.items[k]->marks.items[0].at;
            gone[i] &= found.line != one->line || found.column != one->column;
        }
    }
}

static int layers_made(const Trial *trial)
{
    return trial->trace.graph ? trial->trace.graph->nodes.count : 0;
}

int count_layers(Search *search)
{
    Trial trial;
    EditList none = {0};
    open_trial(&trial, search->program);
    Text text = edited_text(search->program->source, &none);
    run_trial(&trial, search, &text);
    int layers = layers_made(&trial);
    close_trial(&trial);
    return layers;
}

int syntax_errors(const Program *program, const Source *source, const EditList *edits)
{
    Trial trial;
    int errors = 0;
    open_trial(&trial, program);
    Text text = edited_text(source, edits);
    parse_text(source->path, text_chars(&text), text.length);
    for (int i = 0; i < trial.log->waiting.count; i++) {
        Span at = trial.log->waiting.items[i]->marks.items[0].at;
        errors += !at.source || strcmp(at.source->path, source->path) == 0;
    }
    close_trial(&trial);
    return errors;
}

TrialResult try_edits(Search *search, const Diagnostic *fault, const EditList *edits, bool *gone)
{
    Trial trial;
    FaultList expected = {0};
    TrialResult result = TRIAL_FAILS;
    open_trial(&trial, search->program);
    Text text = edited_text(search->program->source, edits);
    for (int i = 0; i < search->faults.count; i++)
        if (search->faults.items[i] != fault)
            push(&expected, moved_fault(search, search->faults.items[i], edits));
    diag_expect(&expected);
    if (run_trial(&trial, search, &text) && !touches_message(&trial, edits)) {
        if (!diag_surprised())
            result = TRIAL_FIXES;
        else if (layers_made(&trial) > search->layers + search->added)
            result = TRIAL_REVEALS;
    }
    if (result == TRIAL_FIXES)
        note_gone(&trial, &expected, search, fault, gone);
    close_trial(&trial);
    return result;
}

/* Whether a message begins in the text of a replacement. */
static bool is_within_message(const Trial *trial, const Edit *edit)
{
    int length = (int)strlen(edit->text);
    for (int i = 0; i < trial->log->waiting.count; i++) {
        Span at = trial->log->waiting.items[i]->marks.items[0].at;
        if (at.source == trial->program->source && at.line == edit->at.line
            && at.column >= edit->at.column && at.column < edit->at.column + length)
            return true;
    }
    return false;
}

/* Whether the trial's program has a syntax error on the line of an edit. */
static bool leaves_syntax_error(const Trial *trial, const EditList *edits)
{
    for (int i = 0; i < trial->log->waiting.count; i++) {
        const Diagnostic *d = trial->log->waiting.items[i];
        for (int k = 0; k < edits->count; k++)
            if (strcmp(d->code, "syntax") == 0
                && d->marks.items[0].at.line == edits->items[k].at.line)
                return true;
    }
    return false;
}

bool trial_clears(Search *search, const Diagnostic *fault, const EditList *edits)
{
    Trial trial;
    const Edit *edit = &edits->items[0];
    bool word = edits->count == 1 && edit->at.end_column > edit->at.column && *edit->text
                && !strchr(edit->text, '\n');
    open_trial(&trial, search->program);
    Text text = edited_text(search->program->source, edits);
    bool clear = run_trial(&trial, search, &text);
    if (clear && word)
        clear = !is_within_message(&trial, edit);
    else if (clear && strcmp(fault->code, "syntax") == 0)
        clear = !leaves_syntax_error(&trial, edits);
    else
        clear = clear && !touches_message(&trial, edits);
    close_trial(&trial);
    return clear;
}
