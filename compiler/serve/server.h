/* server.h: what the files of the language server share.
 *
 *   wire.c       messages on standard input and output
 *   server.c     `netc lsp`: from a message to its answer
 *   documents.c  open texts, their edits, and what a check of each found
 *   positions.c  bytes of a source against a client's lines and UTF-16 units
 *   names.c      every name in a program and what it means
 *   reports.c    diagnostics and the quick fixes that go with them
 *   numbers.c    what a statement costs: parameters, multiply-adds, memory
 *   hover.c      what a word means and what its line does
 *   complete.c   what may stand at the cursor; the arguments of a call
 *   outline.c    symbols, folds, coloured words, shapes at the ends of lines
 *   rename.c     definitions, references, new names
 *   tidy.c       formatting and annotation as edits
 *
 * A document's text is the server's own.  What a check makes of it lies in an
 * arena of that check and is dropped with it at the next edit; a request is
 * answered in that arena, so that it may intern and keep what it likes.
 */
#ifndef SERVER_H
#define SERVER_H

#include "format/format.h"
#include "ops/ops.h"

#include <cjson/cJSON.h>

/* ------------------------------------------------------------- names.c */

typedef enum NameKind {
    NAME_OPERATOR,
    NAME_BLOCK,
    NAME_PARAMETER,
    NAME_DIMENSION,
    NAME_LET,
    NAME_LOOP,
    NAME_TENSOR,
    NAME_ARGUMENT,
    NAME_SETTING,
    NAME_CHOICE,
    NAME_FUNCTION,
    NAME_FILE,
    NAME_NETWORK
} NameKind;

typedef struct Definition {
    NameKind kind;
    const char *name;
    Span span;             /* source NULL: the language's own */
    const BlockDef *block; /* NAME_BLOCK: it; otherwise whose name it is, NULL: the network's */
    const FunctionDef *function; /* NAME_FUNCTION: it, NULL: built in; NAME_PARAMETER: whose */
    const Operator *op;          /* NAME_OPERATOR; NAME_ARGUMENT of one */
    const ArgSpec *arg;          /* NAME_ARGUMENT of an operator, choice or setting */
    const Param *param;          /* NAME_PARAMETER */
    const Stmt *stmt;            /* NAME_TENSOR, NAME_LET, NAME_LOOP: what defines it */
    SettingInfo setting;         /* NAME_SETTING; NAME_CHOICE: whose */
    const Source *file;          /* NAME_FILE */
} Definition;

typedef struct Occurrence {
    Span span;
    const Definition *definition;
    bool defines;
} Occurrence;
typedef struct Names {
    LIST(Occurrence) occurrences; /* in source order */
    LIST(const Definition *) definitions;
} Names;
const Names *find_names(const Program *program);

/* --------------------------------------------------------- documents.c */

/* By node: bytes per image that are live while it runs; training NULL: no train section. */
typedef struct Live {
    const Int *inference, *training;
} Live;

typedef struct Analysis {
    Arena *arena; /* all below lies in it */
    DiagnosticLog *log;
    const Source *source;
    const Program *program; /* never NULL; empty when the text could not be read */
    Trace trace;
    ShapeNotes *shapes;
    const Names *names; /* made when first asked for, as are: */
    Live *live;
    struct Field *fields;
    bool sound;  /* no errors */
    bool helped; /* its log has what a search found */
    int queries;
} Analysis;

typedef struct Document {
    struct Document *next;
    char *uri, *path;
    char *text; /* NUL-terminated */
    size_t length;
    double version;
    bool changed;       /* since its reports were last sent */
    bool helped;        /* what a search found was sent */
    Analysis *analysis; /* of this very text; NULL: not made yet */
} Document;

extern Document *documents;
Document *find_document(const char *uri); /* NULL: not open */
/* The folders that `initialize` named: with each document's own, all that is read. */
void set_workspace(const cJSON *params);
void open_document(const char *uri, const char *text, double version);
/* The edits of a didChange, in order; false: they make no sense, nothing was done. */
bool change_document(Document *document, const cJSON *changes, double version);
void close_document(Document *document);
/* Makes the analysis when there is none. */
Analysis *analyse(Document *document);
const Names *names_of(Analysis *a);
/* A path's `file:` URI, or the URI of the document that is open for it. */
const char *uri_of(const char *path);

/* --------------------------------------------------------- positions.c */

/* Line and column as in Span; the document's own source. */
typedef struct Position {
    int line, column;
} Position;
bool read_position(const Source *source, const cJSON *json, Position *position);
/* Bytes from the start of `text`; beyond a line's end is its end. */
bool read_offset(const char *text, size_t length, const cJSON *position, size_t *offset);
cJSON *json_range(Span span);
cJSON *json_location(Span span);
bool is_within(Span span, Position position); /* its end included */
int compare_to_position(Span span, Position position);
size_t offset_of(const Source *source, int line, int column);
const char *span_chars(Span span); /* interned */

/* -------------------------------------------------------------- wire.c */

typedef enum Reading { READING_MESSAGE, READING_BAD, READING_END } Reading;
/* The next message's text, malloc'd.  READING_BAD: there was none to be made out,
 * and *why says what was wrong with its header. */
Reading read_message(char **text, size_t *length, const char **why);
bool input_waits(int milliseconds); /* comes within that time */
/* Sends and deletes. */
void send_message(cJSON *message);

/* ------------------------------------------------- answers to requests */

typedef struct Request {
    const cJSON *params;
    Document *document; /* NULL: the method is not about one */
    Analysis *analysis;
    Position position; /* line 0: the request has none */
    const char *fault; /* set by an answer that refuses */
} Request;

cJSON *answer_hover(Request *request);
cJSON *answer_completion(Request *request);
cJSON *answer_signature(Request *request);
cJSON *answer_definition(Request *request);
cJSON *answer_references(Request *request);
cJSON *answer_highlights(Request *request);
cJSON *answer_prepare_rename(Request *request);
cJSON *answer_rename(Request *request);
cJSON *answer_symbols(Request *request);
cJSON *answer_folds(Request *request);
cJSON *answer_hints(Request *request);
cJSON *answer_colours(Request *request);
cJSON *answer_formatting(Request *request);
cJSON *answer_actions(Request *request);
cJSON *colour_legend(void);

/* The occurrence under the cursor; NULL: none. */
const Occurrence *occurrence_at(Analysis *a, Position position);
bool same_definition(const Definition *a, const Definition *b);

/* reports.c */
void send_reports(Document *document);
/* the same with what a search found, to be sent; NULL: nothing new */
cJSON *find_help(Document *document);
void send_no_reports(const Document *document);
void add_fixes(Request *request, cJSON *actions);

/* tidy.c: what changes between two texts as one edit; NULL: nothing */
cJSON *json_change(const Source *source, const char *after);

/* numbers.c */
typedef struct Cost {
    Int parameters, multiply_adds;
    Int field[2];                      /* receptive field, rows and columns; 0: the whole image */
    Int live_inference, live_training; /* bytes per image; 0: not known */
} Cost;
Cost cost_of(Analysis *a, const StmtUse *use);
/* The innermost statement at a position; NULL: none. */
const Stmt *stmt_at(const Program *program, Position position);

/* hover.c */
const char *operator_page(const Operator *op); /* Markdown */
const char *argument_page(const ArgSpec *arg);
const char *block_head(const BlockDef *block);          /* "Name(a, b=2) [c, h, w] -> [a, h, w]" */
const char *function_head(const FunctionDef *function); /* "f(x, a=1) = a*x*x" */

#endif
