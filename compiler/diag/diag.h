/* diag.h: messages about the user's program, and the files that netc writes.
 *
 * Only this room prints a message.  What its files share, and the search for help reads, is in
 * log.h.
 */
#ifndef DIAG_H
#define DIAG_H

#include "core/output.h"
#include "util/shape.h"

typedef struct Source {
    const char *path;  /* as the user wrote it */
    const char *chars; /* NUL-terminated */
    size_t length;
    int order;                 /* the order in which files were read */
    const size_t *line_starts; /* lines of them */
    int lines;
} Source;

/* Lines and columns count from 1; columns are bytes; the end is exclusive. */
typedef struct Span {
    const Source *source; /* NULL: no place (a command-line fault) */
    int line, column, end_line, end_column;
} Span;

/* A line without its end; empty for one past the last. */
const char *source_line(const Source *source, int line, int *length);
Span span_between(Span first, Span last); /* from first's start to last's end */
Span span_start(Span span);               /* empty, where it starts: an edit there inserts */
/* The characters of a span of one line, or "". */
const char *span_text(Span span);

typedef enum Severity { SEVERITY_ERROR, SEVERITY_WARNING } Severity;
typedef struct Diagnostic Diagnostic;

/* Starts a message.  `code` is a word listed in diagnostics.def.  Messages are
 * kept and printed in source order by diag_flush().  The same code at the same
 * span twice is one message: the second is returned but never shown. */
Diagnostic *diag(Severity severity, const char *code, Span primary, const char *message, ...)
    PRINTF(4, 5);
/* The text beside the primary carets. */
void diag_caption(Diagnostic *d, const char *text, ...) PRINTF(2, 3);
/* A secondary span with a text beside its dashes. */
void diag_label(Diagnostic *d, Span at, const char *text, ...) PRINTF(3, 4);
bool is_marked(const Diagnostic *d, Span at); /* something begins there */
/* "= note: ..." and, with a place of its own, "note: ... --> file:line". */
void diag_note(Diagnostic *d, const char *text, ...) PRINTF(2, 3);
void diag_note_at(Diagnostic *d, Span at, const char *text, ...) PRINTF(3, 4);
/* "= help: ..." */
void diag_help(Diagnostic *d, const char *text, ...) PRINTF(2, 3);
/* The same, with the edit that does it: replace `at` by `replacement`.  An
 * empty span (end = start) inserts. */
void diag_fix(Diagnostic *d, Span at, const char *replacement, const char *text, ...) PRINTF(4, 5);

/* The same with any number of edits, which do not touch each other. */
typedef struct Edit {
    Span at;
    const char *text;
} Edit;
typedef LIST(Edit) EditList;
void diag_repair(Diagnostic *d, const EditList *edits, const char *text);
/* More than one reading exists: what the help says is offered, never made unasked. */
void diag_doubt(Diagnostic *d);

typedef struct DiagOptions {
    enum { DIAG_HUMAN, DIAG_SHORT, DIAG_JSON, DIAG_SARIF, DIAG_NARRATED } style;
    enum { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } colour;
    int max_errors; /* 0: no limit */
    bool warnings_are_errors;
    bool *silenced; /* warnings, by code; NULL: none */
} DiagOptions;
extern DiagOptions diag_options;

/* Where messages are kept.  A check that is not the command's own (of an
 * editor's text, of a fix that is being tried) has a log of its own: diag_to
 * gives the one used before, and NULL is the command's. */
typedef struct DiagnosticLog DiagnosticLog;
DiagnosticLog *new_diagnostic_log(void);
DiagnosticLog *diag_to(DiagnosticLog *log);
/* Adds its messages to those of the log in use. */
void diag_take(const DiagnosticLog *log);
/* Makes the log in use a trial's, which any error but these surprises: whoever
 * walks a program may then stop. */
typedef struct Fault {
    const char *code;
    int line, column;
} Fault;
typedef LIST(Fault) FaultList;
void diag_expect(const FaultList *expected);
bool diag_surprised(void);
/* Its messages as --diagnostics=json writes them: the caller's to delete. */
struct cJSON *diag_json(const DiagnosticLog *log);

int diag_error_count(void); /* of the log in use */
/* Prints what was reported since the last flush, to stderr (json and sarif: stdout). */
void diag_flush(void);
/* The page of `netc explain CODE`; false when there is no such code. */
bool diag_explain(const char *code, FILE *out);
/* As pages are written: a paragraph, and a program under its heading. */
void diag_print_wrapped(const char *text, FILE *out);
void diag_print_indented(const char *heading, const char *program, FILE *out);
void diag_list_codes(FILE *out);
/* `--warn=CODE`, `no-CODE` or `error`; false when it is none. */
bool diag_warn(const char *word);

/* The nearest of `candidates` (NULL-terminated) within a third of `word`'s
 * length, or NULL. */
const char *nearest(const char *word, const char *const *candidates);
/* The same for a message's help: when another is as near, nothing is made unasked. */
const char *nearest_for(Diagnostic *d, const char *word, const char *const *candidates);

/* The shape that a message is about, and what it had to be (-1: anything):
 * where the search for what would fix it begins. */
void diag_sizes(Diagnostic *d, Shape actual, Shape wanted);

/* ------------------------------------------------------------ files.c */

/* Every file that netc writes: `path` is either the old file or the whole new
 * one (see output.h).  "-" is standard output.  Reports a failure itself (code
 * "write") and gives false. */
bool write_whole_file(const char *path, NetOutputKind kind, const char *chars, size_t length);
/* Whether it could be written, before the work is done; likewise. */
bool check_output(const char *path, NetOutputKind kind);

#endif
