/* log.h: what the files that print messages share, and what the search for help
 * (repair/) reads of them.
 *
 *   diag.c      collecting, order, and the nearest of some names
 *   codes.c     the codes, and the page that explains each
 *   lines.c     a source's lines and characters, as a terminal shows them
 *   human.c     excerpts, one-line messages, sentences
 *   machine.c   JSON and SARIF
 */
#ifndef LOG_H
#define LOG_H

#include "diag/diag.h"

typedef struct CodeEntry {
    const char *code, *summary, *explanation, *wrong, *right;
    bool warning;
} CodeEntry;
extern const CodeEntry codes[];
extern const int code_count;
int find_code(const char *code); /* its index, or -1 */

/* what is underlined, and the text beside it */
typedef struct Mark {
    Span at;
    const char *text; /* NULL: none */
    bool primary;
} Mark;
typedef LIST(Mark) MarkList;

/* a line below the excerpt */
typedef struct Remark {
    enum { REMARK_NOTE, REMARK_HELP } kind;
    const char *text;
    Span at;        /* a note's location */
    EditList edits; /* that do what a help says; empty: it only says */
} Remark;

struct Diagnostic {
    Severity severity;
    const char *code;
    const char *message;
    MarkList marks; /* the primary one first */
    LIST(Remark) remarks;
    int serial;    /* the order of reporting, to break ties */
    bool doubtful; /* no help may be applied unasked */
    bool dropped;  /* found to follow from another */
    bool sized;    /* a shape was `actual` and had to be `wanted` */
    Shape actual, wanted;
};
typedef LIST(Diagnostic *) DiagnosticList;

struct DiagnosticLog {
    DiagnosticList waiting; /* since the last flush */
    int error_count, reported, flushed;
    const FaultList *expected; /* a trial's: any other error is a surprise; NULL: no trial */
    bool surprised;
};

DiagnosticList all_in_use(void);    /* of the log in use, as reported */
DiagnosticList errors_in_use(void); /* of the log in use, in source order, each once */
void diag_drop(void);               /* takes those out of the log in use that are dropped */
int compare_spans(Span a, Span b);  /* by where they start */
/* An edit may be made unasked only when it is the only one offered. */
const char *applicability(const Diagnostic *d, const Remark *remark);
const char *severity_word(Severity severity);

/* lines.c */
typedef struct Glyph {
    int bytes;       /* in the source */
    int columns;     /* on the terminal; 0 for a combining mark */
    char escape[12]; /* what a terminal is given instead; empty: itself */
} Glyph;
/* Whether a span begins and ends in its source, and in this order. */
bool is_well_formed(Span at);
Glyph next_glyph(const char *chars, int length);
/* A message or a path as a terminal may be given it: interned. */
const char *visible(const char *chars);

/* The part of a line that is shown.  A very long line is cut around its first
 * mark, at whole characters. */
typedef struct Excerpt {
    const char *chars;
    int from, to, length; /* bytes; the line's whole length */
} Excerpt;
Excerpt excerpt_around(Span first);
/* Adds the excerpt's text (out NULL: nothing), tabs expanded and what a terminal should
 * not get written out.  `stop` is a byte of the line; gives the columns up to it. */
int add_columns(Text *out, Excerpt excerpt, int stop);

/* human.c */
void add_human(Text *out, const Diagnostic *d);
void add_summary(Text *out, const DiagnosticList *shown, int unshown);
void add_short(Text *out, const Diagnostic *d);
void add_narrated(Text *out, const Diagnostic *d);

/* machine.c */
struct cJSON *json_document(const DiagnosticList *shown);
struct cJSON *sarif_document(const DiagnosticList *shown);

#endif
