/* search.h: the search for what would fix a fault.
 *
 *   edits.c     a text with edits made in it, and positions before and after
 *   vet.c       whether an edit may be made at all
 *   trial.c     the program checked with an edit made: is the fault gone?
 *   sites.c     the statements that a fault is about, nearest first
 *   numbers.c   edits of numbers: channels, windows, padding, asserted sizes
 *   alike.c     the padding that one of several branches lacks
 *   layers.c    edits of layers: one added, one taken out
 *   search.c    which edits are tried, in which order, and which are offered
 *   fix.c       `netc check --fix`
 */
#ifndef SEARCH_H
#define SEARCH_H

#include "diag/log.h"
#include "graph/graph.h"
#include "ops/ops.h"
#include "repair/repair.h"

/* edits.c */
size_t span_offset(const Source *source, int line, int column); /* in its characters */
bool edits_touch(const Edit *a, const Edit *b); /* they overlap or begin at one position */
/* In the order of their positions; false when two overlap or begin at one position. */
bool sort_edits(EditList *edits);
/* The text with all made, which are sorted and of this source. */
Text edited_text(const Source *source, const EditList *edits);
/* To where what was at this position is then. */
void move_position(const EditList *edits, int *line, int *column);

/* vet.c */
/* Whether each is within a statement, takes one out or is put beside one. */
bool edits_are_placed(const Program *program, const EditList *edits);
/* Takes from the help of the log in use the edits that are not placed so, or after
 * which the text has more syntax errors than before. */
void vet_help(const Program *program);

/* What a search may cost, in bytes read: a statement walked costs as much as
 * reading STATEMENT_BYTES.  A count and no clock, so that the same program always
 * gets the same help. */
enum {
    STATEMENT_BYTES = 40,
    SEARCH_BYTES = 1000000,
    LAST_BYTES = SEARCH_BYTES / 5,
    FILE_BYTES = 3 * SEARCH_BYTES
};

typedef struct Search {
    const Program *program;
    DiagnosticList faults; /* errors, in source order */
    Int left;              /* bytes that may still be read for this fault, */
    Int left_in_file;      /* and for all; */
    Int kept;              /* of the former, for what is tried later */
    const char *revealing; /* an edit that fixes the fault and shows another; NULL: none */
    bool rooted;           /* the input's own fault was found, and would reveal others */
    int layers;            /* that could be made, faults and all, */
    int added;             /* and by the edit that is tried */
} Search;

/* trial.c.  TRIAL_FIXES: the program has no other faults and this one no more, and
 * `gone` says which of the others it has no more either.  TRIAL_REVEALS: nor has
 * it this one, but one that was hidden behind it. */
typedef enum TrialResult { TRIAL_FAILS, TRIAL_REVEALS, TRIAL_FIXES } TrialResult;
TrialResult try_edits(Search *search, const Diagnostic *fault, const EditList *edits, bool *gone);
/* How many the source has, with edits made that are sorted. */
int syntax_errors(const Program *program, const Source *source, const EditList *edits);
/* How many layers the program as it is gets to have. */
int count_layers(Search *search);
/* Whether no fault is left on the line of the edit; of a syntax error, no other; of
 * a word that is replaced, none at the word: the rest of its line may have its own. */
bool trial_clears(Search *search, const Diagnostic *fault, const EditList *edits);

/* sites.c */
typedef struct Site {
    const Stmt *stmt;
    const Operator *op; /* NULL: a block's use, or no call */
    const Body *body;   /* it is stmts[at] of */
    int at;
    const BlockDef *def; /* what it is in; NULL: the network */
    int distance;        /* from the fault, in steps */
} Site;
typedef LIST(Site) SiteList;
bool starts_within(Span at, Span outer);
void find_sites(const Program *program, const Diagnostic *fault, SiteList *sites);

/* How much an edit changes, least first.  All of one size are tried together. */
typedef enum Size {
    SIZE_ASSERTED_INPUT, /* in_features=: it only says what arrives */
    SIZE_KEEPING,        /* half a window of padding, which keeps the size */
    SIZE_NUMBER,         /* channels, padding; a layer that has no choice */
    SIZE_WINDOW,         /* another kernel, stride or other number */
    SIZE_STRUCTURE,      /* an asserted result, a layer taken out */
    SIZES
} Size;

typedef struct Candidate {
    EditList edits;
    Size size;
    int distance;
    const char *text; /* as help says it */
    const Expr *call; /* what the edit is in; NULL: in no call of one line */
    bool plain;       /* may be made unasked, when nothing else fixes it */
    Span among;       /* whose other windows are no other cause; source NULL: none */
    bool root;        /* of the input: all shapes come after it */
    bool *gone;       /* tried: which of the file's faults it fixes besides */
} Candidate;
typedef LIST(Candidate) CandidateList;

/* numbers.c, alike.c, layers.c */
void propose_numbers(const Diagnostic *fault, const Site *site, CandidateList *candidates);
void propose_alike(const Program *program, const Diagnostic *fault, const Site *site,
                   CandidateList *candidates);
void propose_layers(const Diagnostic *fault, const Site *site, CandidateList *candidates);
void propose_input(const Program *program, const Diagnostic *fault, CandidateList *candidates);
void propose_signature(const Program *program, const Diagnostic *fault, CandidateList *candidates);
void propose_logits(const Program *program, const Diagnostic *fault, CandidateList *candidates);
/* An argument that a call lacks, put at its end; NULL: the call has no parentheses
 * or several lines. */
Candidate *propose_argument(const Diagnostic *fault, const Expr *call, Size size, const char *name,
                            Int value, CandidateList *candidates);
/* The table's row that an argument fills: by name, or by its position. */
const ArgSpec *spec_of(const Operator *op, const ArgList *arguments, int at);
/* Whether its stride is its window unless given, as a pool's. */
bool strides_by_kernel(const Operator *op);
/* One more, unless there is the same already: then that. */
Candidate *add_candidate(CandidateList *candidates, Size size, int distance, Span at,
                         const char *replacement, const char *text);
/* "conv2d(32, 5) on line 8": a call with edits made, sorted; NULL when it is not
 * on one line. */
const char *edited_call(const Expr *call, const EditList *edits);
/* "gives 512", or "makes the shapes fit". */
const char *outcome(const Diagnostic *fault);

#endif
