/* netc.h: the types that pass between the stages of the compiler, and every
 * function that crosses a file, grouped by file in pipeline order:
 *
 *   .net text --front--> AST --graph--> typed graph --graph--> training graph
 *             --plan--> plan --write--> C
 *
 * Data flows one way, down this page: no stage calls an earlier one back.
 *
 * Ownership: everything the compiler allocates comes from the arena in use, as
 * a rule the one that lives until the process ends, so no structure here is ever
 * freed by hand and any pointer may be kept as long as its arena.  Names are
 * interned: in one arena, equal names are equal pointers.
 * Sizes of tensors are Int and every product of them is checked.
 */
#ifndef NETC_H
#define NETC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/output.h"
#include "core/shown.h"

#define NETC_VERSION "0.1.0"

/* Every size, count and whole number of a program: int64_t, but printed by "%lld" on
 * any machine. */
typedef long long Int;
_Static_assert(sizeof(Int) == sizeof(int64_t), "a size has 64 bits");

static inline Int min(Int a, Int b)
{
    return a < b ? a : b;
}

#define PRINTF(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))

/* ------------------------------------------------------------- util.c */

void *arena_allocate(size_t bytes); /* zeroed; out of memory ends the program with exit 3 */
#define NEW(T) ((T *)arena_allocate(sizeof(T)))
#define NEW_ARRAY(T, n) ((T *)arena_allocate_array((n), sizeof(T)))
void *arena_allocate_array(size_t count, size_t size); /* the product is checked */

/* For what is done over and over.  Everything allocated and interned goes to the
 * arena in use; use_arena gives the one used before, and NULL is the lasting one. */
typedef struct Arena Arena;
Arena *new_arena(void);
/* For a passage of work that the arena in use outlives: what was interned there
 * stays the one of its name, what is interned here is dropped. */
Arena *new_passing_arena(void);
Arena *use_arena(Arena *arena);
void drop_arena(Arena *arena); /* not the one in use */

const char *intern(const char *chars);
const char *intern_range(const char *chars, size_t length);
const char *format(const char *template, ...) PRINTF(1, 2); /* interned */

/* A growing array: LIST(Node *) nodes;  push(&nodes, node);  nodes.items[i] */
#define LIST(T)              \
    struct {                 \
        T *items;            \
        int count, capacity; \
    }
#define push(list, value)                                                     \
    (list_reserve((void **)&(list)->items, &(list)->count, &(list)->capacity, \
                  sizeof *(list)->items),                                     \
     (list)->items[(list)->count++] = (value))
void list_reserve(void **items, int *count, int *capacity, size_t size);

/* Memory of the system's, for what outlives every arena or is freed by a library:
 * malloc and realloc, but for want of memory the program ends as it does where
 * an arena has none (exit 3), so that nobody has to ask. */
void *memory_allocate(size_t bytes);
void *memory_resize(void *memory, size_t bytes);

/* The printed text, to free(), and its length. */
char *print(const char *template, va_list arguments, int *length);

/* From interned names to pointers; what is not there is NULL. */
typedef struct Map {
    struct MapSlot {
        const char *key;
        void *value;
    } * slots;
    int count, capacity;
} Map;
void *map_get(const Map *map, const char *key);
void map_set(Map *map, const char *key, void *value);

/* A growing text. */
typedef struct Text {
    char *chars;
    size_t length, capacity;
} Text;
void text_add(Text *text, const char *template, ...) PRINTF(2, 3);
void text_add_range(Text *text, const char *chars, size_t length);
const char *text_chars(const Text *text); /* never NULL */
const char *with_separators(Int number);  /* 1234567 as "1,234,567" */

/* Levenshtein distance with transpositions, for "did you mean". */
int edit_distance(const char *a, const char *b);

/* A file's bytes, NUL-terminated, or NULL with errno set.  At most `limit`
 * bytes: a longer file gives NULL and EFBIG. */
char *read_whole_file(const char *path, size_t limit, size_t *length);
/* The same of a regular file only, for paths that are not the user's own words:
 * anything else (a pipe, a device) gives NULL and ENXIO, and is not waited for. */
char *read_regular_file(const char *path, size_t limit, size_t *length);

/* Every file that netc writes: `path` is either the old file or the whole new
 * one (see output.h).  "-" is standard output.  Reports a failure itself (code
 * "write") and gives false. */
bool write_whole_file(const char *path, NetOutputKind kind, const char *chars, size_t length);
/* Whether it could be written, before the work is done; likewise. */
bool check_output(const char *path, NetOutputKind kind);

/* Our own bug: names this file and line and ends the program with exit 3. */
#define unreachable() internal_error(__FILE__, __LINE__, "unreachable")
#define require(condition) ((condition) ? (void)0 : internal_error(__FILE__, __LINE__, #condition))
_Noreturn void internal_error(const char *file, int line, const char *what);

/* -------------------------------------------------------------- diag/ */
/* The only place that prints a message about the user's program. */

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
void diag_list_codes(FILE *out);
/* `--warn=CODE`, `no-CODE` or `error`; false when it is none. */
bool diag_warn(const char *word);

/* The nearest of `candidates` (NULL-terminated) within a third of `word`'s
 * length, or NULL. */
const char *nearest(const char *word, const char *const *candidates);
/* The same for a message's help: when another is as near, nothing is made unasked. */
const char *nearest_for(Diagnostic *d, const char *word, const char *const *candidates);

/* ----------------------------------------------- front/: text to AST */
/* lex.l, parse.y, ast.c.  Syntax only: a name is not looked up, a value not
 * computed.  Actions only construct. */

typedef struct Expr Expr;
typedef struct Body Body;

/* name = value; name NULL when positional */
typedef struct Arg {
    const char *name;
    Span name_span;
    Expr *value;
} Arg;
typedef LIST(Arg) ArgList;
typedef LIST(Expr *) ExprList;

typedef enum ExprKind {
    EXPR_INT,         /* integer */
    EXPR_FLOAT,       /* real */
    EXPR_BOOL,        /* integer 0 or 1 */
    EXPR_PATH,        /* word: a name or a dotted path, unquoted */
    EXPR_TEXT,        /* items: quoted text; each is EXPR_CHARS or a value to print */
    EXPR_CHARS,       /* word: literal characters inside EXPR_TEXT */
    EXPR_CALL,        /* word(arguments) */
    EXPR_INDEX,       /* word[left] */
    EXPR_LIST,        /* items */
    EXPR_UNARY,       /* operator left; operator is EXPR_NEGATE or EXPR_NOT */
    EXPR_BINARY,      /* left operator right */
    EXPR_CONDITIONAL, /* left if condition else right */
    EXPR_ANY,         /* _ in a shape */
    EXPR_ERROR        /* stands where a syntax error was reported */
} ExprKind;

typedef enum ExprOperator {
    EXPR_NEGATE,
    EXPR_NOT,
    EXPR_ADD,
    EXPR_SUBTRACT,
    EXPR_MULTIPLY,
    EXPR_DIVIDE,
    EXPR_FLOOR_DIVIDE,
    EXPR_MODULO,
    EXPR_EQUAL,
    EXPR_NOT_EQUAL,
    EXPR_LESS,
    EXPR_LESS_EQUAL,
    EXPR_GREATER,
    EXPR_GREATER_EQUAL,
    EXPR_AND,
    EXPR_OR
} ExprOperator;

struct Expr {
    ExprKind kind;
    ExprOperator op;
    Span span;
    Int integer;
    double real;
    const char *word;
    Span word_span;     /* EXPR_CALL, EXPR_INDEX: the name alone */
    bool parenthesised; /* EXPR_CALL: written with ( ), even empty */
    ArgList arguments;
    ExprList items;
    Expr *left, *right, *condition;
};

typedef enum StmtKind {
    STMT_LET,    /* let variable = value */
    STMT_INPUT,  /* input shape */
    STMT_CALL,   /* call [body] */
    STMT_FROM,   /* from name */
    STMT_BRANCH, /* branch body */
    STMT_SKIP,   /* skip [if value] body [shortcut other] */
    STMT_DENSE,  /* dense value [as variable] body */
    STMT_REPEAT, /* repeat value [as variable] body */
    STMT_IF      /* if value body [else other]; "else if" is a body of one STMT_IF */
} StmtKind;

typedef struct ShapeExpr {
    Span span;
    ExprList dims;
} ShapeExpr;

typedef struct Stmt {
    StmtKind kind;
    Span span;    /* the whole statement; for one with a body, up to its "{" */
    Span keyword; /* its first word */
    Expr *call;   /* STMT_CALL: an EXPR_CALL (parenthesised false for a bare name) */
    Expr *value;
    Expr *from; /* STMT_FROM: EXPR_PATH or EXPR_TEXT */
    Body *body, *other;
    const char *variable;
    Span variable_span;
    Expr *as;         /* EXPR_PATH or EXPR_TEXT, or NULL */
    ShapeExpr *shape; /* after "->"; STMT_INPUT: the input's shape; or NULL */
} Stmt;

struct Body {
    Span open, close; /* the braces */
    LIST(Stmt *) stmts;
};

typedef struct Param {
    const char *name;
    Span span;
    Expr *value;
} Param; /* value NULL: required */

typedef struct BlockDef {
    const char *name;
    Span name_span, span; /* span: the signature, "block" to before "{" */
    LIST(Param) params;
    ShapeExpr *in, *out; /* NULL when not written */
    Body *body;
    bool library; /* comes from a used file */
    bool broken;  /* its signature had a syntax error: what it makes of a tensor is unknown */
} BlockDef;

typedef struct NetworkDef {
    const char *name;
    Span name_span;
    Body *body;
} NetworkDef;

typedef struct SettingDef {
    const char *name;
    Span name_span, span;
    ArgList arguments;
} SettingDef;
typedef struct TrainDef {
    Span span;
    LIST(SettingDef) settings;
} TrainDef;

typedef struct UseDef {
    const char *path;
    Span span;
} UseDef;

/* A file and all it uses, each file read once.  Block names are unique (a
 * second one was reported).  network and train belong to the first file. */
typedef struct Program {
    const Source *source; /* the file named on the command line */
    LIST(const Source *) sources;
    LIST(UseDef) uses;
    LIST(BlockDef *) blocks;
    NetworkDef *network; /* NULL: a library */
    TrainDef *train;     /* NULL: none */
    bool broken;         /* a section had a syntax error: what it defined is unknown */
} Program;

/* Reads and parses.  NULL when nothing could be read; otherwise a program, with
 * diag_error_count() > 0 when there were syntax errors. */
Program *parse_program(const char *path);
/* The text of a file as parse_program would take it; false: reported. */
bool read_program_text(const char *path, Text *text);
/* The same of a text that stands for the file at `path`: NUL-terminated, and
 * kept as long as the program.  NULL when it is too long. */
Program *parse_text(const char *path, const char *chars, size_t length);
/* Set by who has texts that are not on the disk yet: gives the text of the file
 * at `path`, or NULL to have it read. */
extern const char *(*unsaved_text)(const char *path, size_t *length);
/* Set by who must not read all that this user may: whether a file that the program
 * in the file `first` uses may be read.  `path` is resolved: absolute, without links. */
extern bool (*may_read)(const char *first, const char *path);
const BlockDef *find_block(const Program *program, const char *name); /* NULL: none */
void dump_ast(const Program *program, FILE *out);
const char *expr_operator_text(ExprOperator operator); /* "//" */

/* ---------------------------------------- ops/: what each operator is */

typedef struct Operator Operator;
typedef struct Node Node;
typedef struct Tensor Tensor;
typedef struct Parameter Parameter;
typedef struct Graph Graph;
typedef struct Kernel Kernel;
typedef struct Single Single; /* ops/single.h */

/* One image's shape: [channels, height, width] or [features].  The batch is
 * implicit.  A rank-1 shape has dim[1] = dim[2] = 1. */
typedef struct Shape {
    int rank;
    Int dim[3];
} Shape;
Shape shape_of(int rank, Int d0, Int d1, Int d2);
bool shape_equal(Shape a, Shape b);
/* The shape that a message is about, and what it had to be (-1: anything):
 * where the search for what would mend it begins. */
void diag_sizes(Diagnostic *d, Shape actual, Shape wanted);
Int shape_elements(Shape shape);     /* fits: checked when the graph was built */
Int shape_plane(Shape shape);        /* of one channel: height * width */
const char *shape_text(Shape shape); /* "[10, 24, 24]" */

typedef enum ArgKind {
    ARG_INT,  /* integer[0] */
    ARG_PAIR, /* integer[0] rows (y), integer[1] columns (x); one number means both */
    ARG_QUAD, /* left, right, top, bottom as PyTorch's ZeroPad2d; one number means all */
    ARG_REAL, /* real */
    ARG_BOOL, /* integer[0] */
    ARG_WORD  /* word, one of `words` */
} ArgKind;

/* What an argument is for: whoever reasons about operators asks this, never a name. */
typedef enum ArgRole {
    ROLE_NONE,
    ROLE_KERNEL, /* of a window, as Window has it */
    ROLE_STRIDE,
    ROLE_PADDING,
    ROLE_DILATION,
    ROLE_CEIL_MODE,
    ROLE_OUTPUT_PADDING,
    ROLE_OUTPUT_SIZE,
    ROLE_SCALE,    /* how many times larger the output is */
    ROLE_CHANNELS, /* how many channels or features the output has */
    ROLE_GROUPS,
    ROLE_EPSILON,    /* added to a variance */
    ROLE_PER_CHANNEL /* 1, or as many as the input has channels */
} ArgRole;

typedef struct ArgSpec {
    const char *name; /* NULL ends a table */
    ArgKind kind;
    ArgRole role;
    bool positional; /* may be given without its name, in table order */
    bool assertion;  /* in_channels=: checked against the input, never sets anything */
    /* the default as a user would write it; "=kernel_size": as that argument; "none", where it
     * is no word of its own: absent, given stays false; NULL: required */
    const char *otherwise;
    double minimum, maximum; /* inclusive; both 0: any */
    /* ARG_WORD: what it may be, NULL-terminated; on ARG_PAIR: also allowed */
    const char *const *words;
    const char *doc; /* one sentence */
} ArgSpec;

bool absent_by_default(const ArgSpec *spec);

typedef struct ArgValue {
    bool given;  /* written by the user */
    Span span;   /* the value; the whole call when it was not written */
    Span origin; /* the definition of the first name in it; none: no source */
    Int integer[4];
    double real;
    const char *word; /* interned, or NULL */
} ArgValue;

/* How an output's places lie over its input, along one axis. */
typedef enum WindowDirection {
    WINDOW_NONE,       /* each value is made of those at its own place, or of all */
    WINDOW_SLIDES,     /* an output is made of a window of the input: convolutions, pools */
    WINDOW_TRANSPOSED, /* an input is spread over a window of the output: transposed convolutions */
    WINDOW_FITTED      /* the output's size is given, and its places share the input evenly */
} WindowDirection;

/* A window along one axis.  Sizes in elements of that axis. */
typedef struct Window {
    WindowDirection direction;
    Int kernel, stride, dilation;
    Int before, after;  /* padding at the two ends: of the input; transposed: cut off the output */
    bool ceil_mode;     /* a last window that hangs over the end counts, if it starts inside */
    Int output_padding; /* transposed: added to the output's size at its end */
} Window;

Int window_extent(Window window); /* dilation * (kernel - 1) + 1 */
/* ops/window.c: along axis 0 (rows) or 1 (columns), of a node that has one: fitted ones
 * need its shapes. */
Window node_window(const Node *node, int axis);

/* Operator.traits */
enum {
    OP_JOINS = 1 << 0,         /* takes two or more tensors: op {branch…} and op(name, …) */
    OP_LOSS = 1 << 1,          /* ends a training graph; has no output tensor */
    OP_VIEW = 1 << 2,          /* the output is the input's memory under another shape (flatten) */
    OP_CONCATENATES = 1 << 3,  /* the inputs are consecutive slices of the output */
    OP_SUMS = 1 << 4,          /* every input's gradient is the output's (add) */
    OP_IN_PLACE = 1 << 5,      /* y may overwrite x[0]; dx may overwrite dy: element by element */
    OP_TRAINING_ONLY = 1 << 6, /* the identity in evaluation (dropout) */
    /* training's forward pass needs sums over the whole batch: a statistics kernel runs
        * first, see Operator.statistics */
    OP_STATISTICS = 1 << 7,
    /* forward stores each value of y once and through kernel_store(): others'
        * element-by-element work can be done there */
    OP_TAKES_EPILOGUE = 1 << 8,
    OP_TAKES_GRADIENT_EPILOGUE = 1 << 9, /* and so does backward_input each value of dx */
    /* element by element; a larger x never gives a smaller y, and where it gives the same, y
        * has no gradient */
    OP_MONOTONE = 1 << 10,
    /* every output channel is a sum, each term of which has a weight */
    OP_FOLDABLE = 1 << 11,
    /* backward_parameters adds up dy, and dy times what lies at its place in x, by channel: who
        * stores dy can do it, see Operator.sums */
    OP_SUMS_GRADIENT = 1 << 13,
    /* forward takes a few operations on each value of x, which its own gradient reads too:
        * training may do it again, not keep y */
    OP_CHEAP = 1 << 14,
    /* a loss whose forward can store its input's gradient as well: emit then finds that in
        * kernel->gradient */
    OP_MAKES_GRADIENT = 1 << 15,
    /* in evaluation each channel times a number, plus a number: an OP_FOLDABLE before it can
        * have them in its weights */
    OP_AFFINE = 1 << 12
};

/* what a backward kernel reads besides dy and the parameters */
enum {
    READS_X = 1 << 0,                  /* the forward inputs */
    READS_Y = 1 << 1,                  /* the forward output */
    READS_AUX = 1 << 2,                /* what forward noted in aux */
    READS_STATISTICS = 1 << 3,         /* every grain's statistics */
    READS_PARAMETER_GRADIENTS = 1 << 4 /* every grain's gradients of this node's own parameters */
};

struct Operator {
    const char *name;
    const char *summary;    /* one line: what it computes */
    const char *shape_rule; /* "[c, h, w] -> [out_channels, …]" */
    const char *formula;
    const char *reference; /* the paper or page the formula comes from */
    const ArgSpec *args;   /* NULL: none */
    unsigned traits;
    int rank; /* of its inputs: 3 or 1; 0: any */
    /* How its windows lie; what they measure is in the arguments with a role, see node_window().
     * Labels, warnings, receptive fields, drawings and fixes are made of these. */
    WindowDirection window;
    unsigned input_gradient_reads;     /* READS_… of backward_input */
    unsigned parameter_gradient_reads; /* READS_… of backward_parameters */

    /* Sets node->out_shape, node->aux_shape, node->statistics and adds the
     * parameters.  node's inputs and args are set, `rank` and assertions hold.
     * Reports and gives false when the inputs do not fit.  NULL: it sets nothing. */
    bool (*infer)(Node *node);
    /* Per image, forward.  NULL: none worth counting. */
    Int (*multiply_adds)(const Node *node);
    /* True when a layer is better computed for the whole batch at once than
     * grain by grain: many parameters, each used once per image, which would be
     * read, and their gradient written, once per grain.  Its kernels of all
     * stages then compute a range of units, `from` to `to`, for all grains; they
     * are given grain 0's tensors and set kernel->units.  NULL: never. */
    bool (*whole_batch)(const Node *node);
    /* True when every y is the largest x of its window.  NULL: never. */
    bool (*is_max_pool)(const Node *node);
    /* True when every y is the mean of its window: weights that add up to 1.  NULL: never. */
    bool (*is_mean_pool)(const Node *node);
    /* True when every y is a weighted sum over the channels of x at its own place,
     * bias or none: multiply_adds says of how many.  NULL: never. */
    bool (*is_pointwise)(const Node *node);
    /* True when node's forward kernel can hand its values to `pool`, which selects,
     * instead of storing them: emit then finds it in kernel->pool.  NULL: never. */
    bool (*can_fuse_pool)(const Node *node, const Node *pool);
    /* True when node's backward_parameters kernel had better read what `pool`, which
     * selects, was given as its dy and noted in aux than the gradient that it
     * makes of them: emit then finds it in kernel->pool.  NULL: never. */
    bool (*can_fuse_pool_gradient)(const Node *node, const Node *pool);
    /* True when node's backward_input kernel can make the sums of `sums`, an
     * OP_SUMS_GRADIENT, as it stores dx: emit then finds it in kernel->sums.  NULL: never. */
    bool (*can_fuse_sums)(const Node *node, const Node *sums);
    /* Vectors of memory in which node's kernel of its stage does less work than it
     * would without: kernel->workspace then.  `pool`, which takes what it
     * makes, may be NULL; 0: none.  NULL: never any. */
    Int (*workspace)(const Node *node, const Node *pool, int lanes);
    /* An operator that goes element by element says so by the C of y[i], of x[i] (x0[i],
     * x1[i] … of several inputs), and of dx[i], of x[i], y[i] and dy[i].  Its loop, what it
     * does on the stores of other kernels and its kernel for one image are all made of them;
     * `emit` is emit_pointwise.  NULL: it does not, or has no gradient of its own. */
    const char *value, *gradient;
    /* The same where they depend on arguments or inputs: the one of node's stage. */
    const char *(*expression)(const Node *node);
    /* Writes the body of a specialised kernel for kernel->stage, or gives false
     * to have the reference kernel called.  NULL: always the reference. */
    bool (*emit)(Kernel *kernel);
    /* The same for one image, forward, in the layout of ops/single.h.  NULL: by its
     * expression if it goes element by element, else the reference kernel. */
    void (*single)(Single *single);
    /* Whether `single` can: false has the reference kernel called.  NULL: always. */
    bool (*can_do_single)(const Node *node);
};

/* The table ops.def expands to, NULL-terminated, in its order. */
extern const Operator *const operators[];
const Operator *find_operator(const char *name);        /* NULL: none */
int operator_arg(const Operator *op, const char *name); /* its index in args, or -1 */
int role_arg(const Operator *op, ArgRole role);         /* the same of the first with a role */
/* Checks the inputs' rank and what the arguments assert of them, and calls Operator.infer;
 * false: reported. */
bool infer_node(Node *node);
/* Whether it is about rows and columns: it has a window, or pads. */
bool is_spatial(const Operator *op);
/* graph/arguments.c: whether args[i] is what it would be had nobody written it,
 * and what it is, as a user would write it. */
bool argument_is_default(const ArgSpec *specs, const ArgValue *args, int i);
const char *argument_text(const ArgSpec *spec, const ArgValue *value);
void explain_operator(const Operator *op, FILE *out); /* `netc explain conv2d` */
/* `netc explain --json`: one operator, or NULL: all. */
void explain_operators_json(const Operator *only, FILE *out);
void list_operators(FILE *out);

/* single.c: whether its forward pass for one image needs no planes. */
bool can_do_single(const Node *node);
extern const Operator operator_unflatten; /* no .net file has it: planes to channels side by side */

/* What node makes of one element, in C: Operator.value, gradient or expression, by its
 * stage.  NULL: it does not go element by element, or not in one expression. */
const char *pointwise_expression(const Node *node);

/* For infer(): faults at the node, with its instance path and one note per
 * level of instantiation already added, and the chain of steps that made its
 * input available through node_derivation(). */
Diagnostic *node_error(const Node *node, const char *code, Span at, const char *message, ...)
    PRINTF(4, 5);
/* Labels the last steps that led to `tensor` with their shapes and arithmetic. */
void node_derivation(Diagnostic *d, const Tensor *tensor);
/* Labels the step that made `tensor`, as seen from where `node` is: of a block
 * used there, its use. */
void label_step(Diagnostic *d, const Node *node, const Tensor *tensor, const char *text);
/* The input must be [channels, height, width] (rank 3) or [features] (rank 1). */
bool node_needs_rank(const Node *node, int rank);

typedef enum InitKind {
    INIT_CONSTANT, /* a */
    INIT_UNIFORM,  /* a … b */
    INIT_NORMAL    /* mean a, deviation b */
} InitKind;
typedef struct Init {
    InitKind kind;
    double a, b;
} Init;

typedef enum ParameterKind {
    PARAMETER_TRAINED, /* has a gradient */
    PARAMETER_BUFFER,  /* state the forward pass updates (running_mean) */
    PARAMETER_COUNTER  /* int64, +1 each training step (num_batches_tracked); rank 0 */
} ParameterKind;

struct Parameter {
    const char *name; /* "weight" */
    const char *path; /* "incep1.branch1x1.weight": PyTorch's state_dict key */
    ParameterKind kind;
    int rank;
    Int dim[4];
    Int elements;
    Int fan_in, fan_out;
    Init init;
    Node *node;
    Int offset;       /* in elements, in its kind's arena; set by place_parameters */
    bool whole_batch; /* its gradient is one sum, not one per grain; set by add_gradients */
    bool frozen;      /* no optimizer moves it; set by the train section, as is */
    int group;        /* which `group` setting is its own, from 1; 0: none */
};

/* Adds a parameter to node, in state_dict order. */
Parameter *node_parameter(Node *node, const char *name, ParameterKind kind, Init init, int rank,
                          const Int *dim, Int fan_in, Int fan_out);
Parameter *find_parameter(const Node *node, const char *name); /* NULL: none */
int node_salt(const Node *node); /* of the numbers that the layer draws: the same on the way back */
/* per image, forward, as the file defines the layer; 0: none */
Int node_multiply_adds(const Node *node);
Int trained_elements(const Node *node); /* of all its trained parameters */

/* ------------------------------- graph/: AST to typed graph, gradients */

/* Which block or loop turn a node came from, innermost first. */
typedef struct Instance {
    const struct Instance *outer;
    const char *what; /* "block InceptionA", "repeat", "dense" */
    const char *path; /* "incep1" for a block */
    Int turn;         /* loop turns from 0; -1 for a block */
    Span span;        /* the statement that instantiated it */
} Instance;

typedef enum Stage {
    STAGE_FORWARD,
    STAGE_STATISTICS,          /* before FORWARD, in training, for OP_STATISTICS */
    STAGE_BACKWARD_INPUT,      /* gradient of inputs[which] */
    STAGE_BACKWARD_PARAMETERS, /* gradients of the node's parameters */
    STAGE_ACCUMULATE,          /* out += inputs[0]: joins gradients that meet (no operator) */
    STAGE_COPY                 /* out = inputs[0] (no operator) */
} Stage;

typedef enum TensorRole {
    TENSOR_INPUT, /* the loaded images */
    TENSOR_ACTIVATION,
    TENSOR_AUX,
    TENSOR_STATISTICS, /* one value per element and grain, no lanes */
    TENSOR_GRADIENT
} TensorRole;

struct Tensor {
    int id; /* index in graph->tensors */
    TensorRole role;
    const char *name; /* "conv1", "d conv1"; for dumps and comments */
    Shape shape;
    Node *producer; /* the forward node; NULL for the network's input */
    Tensor *of;     /* TENSOR_GRADIENT: the activation */

    /* A view occupies [offset, offset + elements) of `base`, which may itself
     * be a view; a tensor of its own is its own base.  The builder sets these
     * for OP_VIEW, the gradient pass for gradients that are slices of others;
     * where memory is shared beyond that is the planner's choice (Placement). */
    Tensor *base;
    Int offset;        /* in elements per lane */
    Tensor *root;      /* the base's base, and so on to the last; itself, mostly */
    Int root_offset;   /* from there */
    Tensor *next_view; /* gradients: a root's views, chained; set and used by the gradient pass, */
    bool read_late;    /* which also notes what a whole-batch node will read */
};

struct Node {
    int id;
    Stage stage;
    const Operator *op;       /* NULL for ACCUMULATE and COPY */
    const char *path;         /* "incep1.branch1x1", or "relu_2": unique among forward nodes */
    Span span;                /* the statement */
    const Instance *instance; /* NULL: directly in the network */
    ArgValue *args;           /* in the order of op->args; shared by all stages */
    LIST(Tensor *) inputs;    /* forward inputs */
    Tensor *out;              /* forward output */
    Tensor *aux;              /* NULL: none */
    Tensor *statistics;       /* NULL: none */
    LIST(Parameter *) parameters;
    Shape out_shape; /* set by infer() */
    Shape aux_shape; /* rank 0: none; set by infer() */
    /* of a layer that was moved: as it stands in the file; 0: as its shapes say */
    Int written_multiply_adds;
    Int statistics_size; /* values per grain; 0: none; set by infer() */

    /* Backward stages: the forward node, whose fields above they share. */
    Node *forward;
    Tensor *dy;       /* gradient of out */
    Tensor *dx;       /* STAGE_BACKWARD_INPUT: what it writes; ACCUMULATE, COPY: likewise */
    Tensor *from;     /* ACCUMULATE, COPY: what it reads */
    int which;        /* STAGE_BACKWARD_INPUT: the input's index */
    bool accumulate;  /* adds to dx instead of setting it */
    bool whole_batch; /* computed for all grains at once, by units; see Operator.whole_batch */
};

/* A resolved setting of the train section: "optimizer" = word "sgd",
 * "optimizer.lr" = number 0.01, "normalize.mean" = list.  The runtime looks
 * them up by path, and --set overrides numbers. */
typedef struct Setting {
    const char *path;
    enum { SETTING_NUMBER, SETTING_WORD, SETTING_LIST } kind;
    double number;
    const char *word;
    LIST(double) list;
    Span span;
} Setting;

struct Graph {
    const char *name;
    const Program *program;
    LIST(Tensor *) tensors;
    LIST(Node *) nodes;           /* forward in order of expansion, the loss last, then backward */
    LIST(Parameter *) parameters; /* in state_dict order */
    /* sizes of their arenas; set by place_parameters */
    Int trained_elements, buffer_elements, counters;
    Tensor *input;
    Span input_span;
    Tensor *output;         /* the logits: the last forward output */
    Node *loss;             /* NULL without a train section */
    const char *structure;  /* of the network as it is written; set before it is reordered */
    LIST(Setting) settings; /* empty without a train section */
    Span train_span;
};

/* What the walk met at one expansion of a statement, for those who ask about
 * the text: the editor, `fmt --annotate`. */
typedef struct StmtUse {
    const Stmt *stmt;
    const Tensor *in, *out; /* NULL: unknown; `out` before any assertion */
    const Instance *instance;
    int first, end; /* the nodes it made: first <= id < end */
} StmtUse;
typedef struct Symbol {
    const char *name;
    Int value;
} Symbol;
/* one use of a block, with the whole numbers its signature binds */
typedef struct BlockUse {
    const BlockDef *def;
    const Instance *instance;
    LIST(Symbol) symbols;
} BlockUse;
typedef struct Trace {
    Graph *graph;        /* as far as it was built, errors or none; NULL: a library */
    LIST(StmtUse) stmts; /* in the order in which they end */
    bool partial;        /* there were too many: only the first are here */
    LIST(BlockUse) blocks;
    int steps; /* statements walked, those of unknown shapes, which make no node, too */
} Trace;

/* build.c: expands blocks and infers every shape in one walk.  NULL when the
 * program has errors (all reported) or no network. */
Graph *build_graph(const Program *program);
Graph *build_traced(const Program *program, Trace *trace);
/* Checks a library's blocks for names and arguments. */
void check_library(const Program *program, Trace *trace);
/* training.c: resolves the train section against its table into
 * graph->settings and adds the loss node. */
void resolve_training(Graph *graph);
const Setting *find_setting(const Graph *graph, const char *path); /* NULL: none */

/* What the train section can hold, for completion and the editors' grammars. */
/* args NULL: none */
typedef struct ChoiceInfo {
    const char *name;
    const ArgSpec *args;
} ChoiceInfo;
typedef struct SettingInfo {
    const char *name, *doc;
    bool required, repeated;
    const ArgSpec *args;      /* its own; NULL: none */
    LIST(ChoiceInfo) choices; /* what it may begin with: optimizers, data sets */
} SettingInfo;
SettingInfo setting_info(int i); /* name NULL: there are no more */

/* For build.c and the passes. */
Tensor *new_tensor(Graph *graph, TensorRole role, const char *name, Shape shape);
Tensor *make_tensor(int id, TensorRole role, const char *name, Shape shape); /* in no list yet */
/* of a part of base, `offset` elements on */
void make_view(Tensor *tensor, Tensor *base, Int offset);
Node *new_node(Graph *graph, Stage stage, const Operator *op);
void add_aux(Graph *graph, Node *node); /* node->aux, of node->aux_shape, if it has one */

const char *stage_name(Stage stage); /* "backward_input" */
/* Elements in a line of the cache: every parameter, and each tensor of one image, starts one. */
enum { CACHE_LINE = 16 };
/* Gives every parameter its place in its kind's arena. */
void place_parameters(Graph *graph);

/* gradient.c: sets whole_batch where Operator.whole_batch says so; not for
 * reference kernels, which know grains only. */
void mark_whole_batch(Graph *graph);
/* Appends backward nodes.  Requires a loss.  Of `fuse`, FUSE_CONCAT and
 * FUSE_FIRST_LAYER matter. */
void add_gradients(Graph *graph, unsigned fuse);
/* reorder.c: puts a window's maximum before the activation it follows, its mean
 * before a 1 x 1 convolution.  Requires a graph without gradients; replaces nodes,
 * so a copy of graph->nodes from before still lists the layers as they were written. */
void pool_first(Graph *graph);
/* single.c: the forward graph of one image at a time, a copy. */
Graph *single_image_graph(const Graph *graph);
/* verify.c: stops with an internal error when the graph breaks an invariant. */
void verify_graph(const Graph *graph);
/* dump.c */
void dump_graph(const Graph *graph, FILE *out);
/* What the network computes, a line for each layer with its arguments and
 * inputs: "relu_1 = relu of conv1".  Requires a graph as it is written. */
const char *structure_text(const Graph *graph);

/* ------------------------- check.c: texts in memory, for those who ask often */

/* Checks a parsed program, network or library; `trace` may be NULL. */
void check_parsed(const Program *program, Trace *trace);
/* repair/: searches the edits that mend what the log in use complains of, and
 * adds them to its messages as help.  Bounded by what it reads, not by a clock. */
void offer_help(const Program *program);
/* `check --fix`: makes every edit that is certain, writes the file and prints
 * the difference; what is left to say goes to the log in use. */
void fix_file(const char *path);
/* How many errors the text has, standing for the file at `path`: leaves nothing
 * behind, neither memory nor messages. */
int count_errors(const char *path, const char *chars, size_t length);

/* ------------------------------------------ format/: one layout for all */

typedef enum FormatMode {
    FORMAT_PLAIN,
    FORMAT_ANNOTATE, /* and `-> […]  #=` on every line that asserts no shape */
    FORMAT_STRIP     /* and those taken away */
} FormatMode;

/* shapes.c: a trace by the place of its statements, for those who ask of a line. */
typedef struct ShapeNotes ShapeNotes;
typedef struct StmtUses {
    const StmtUse **items;
    int count;
} StmtUses;
ShapeNotes *note_shapes(const Trace *trace);
StmtUses uses_at(const ShapeNotes *notes, Span place); /* of the statement that begins there */
/* "[10, 24, 24]", or in a block that is used at several shapes "[c, h/2, w/2]":
 * what it gives at every use; NULL: unknown, or nothing says them all. */
const char *noted_shape(ShapeNotes *notes, Span place);

/* The text in netc's layout.  False: it has errors (reported).  `path` is whose
 * text it is, for messages and used files. */
bool format_text(const char *path, const char *chars, size_t length, FormatMode mode, Text *out);
/* diff.c: what changes as `diff -u` shows it; nothing when nothing does. */
void add_diff(const char *path, const char *before, const char *after, Text *out);

/* ------------------------------------------- plan/: when and where */

typedef struct Target {
    const char *name;   /* "native", "x86-64-v3", … */
    const char *cflags; /* "-march=native" */
    int vector_bytes;   /* 64, 32 or 16 */
    int registers;      /* vector registers: 32 or 16 */
} Target;

/* CompileOptions.fuse: rewrites of a plan, or of the graph it is made from */
enum {
    FUSE_ACTIVATION = 1 << 0,
    FUSE_RESIDUAL = 1 << 1,
    FUSE_GRADIENT = 1 << 2,
    FUSE_POOL = 1 << 3,
    FUSE_CONCAT = 1 << 4,
    FUSE_FIRST_LAYER = 1 << 5,
    FUSE_STATISTICS = 1 << 6,
    FUSE_POOL_GRADIENT = 1 << 7,
    FUSE_WINOGRAD = 1 << 8,
    FUSE_RECOMPUTE = 1 << 9,
    FUSE_LOSS = 1 << 10,
    FUSE_LOAD = 1 << 11,
    FUSE_UPDATE = 1 << 12,
    FUSE_ALL = (1 << 13) - 1,
    FUSE_KERNELS = FUSE_ACTIVATION | FUSE_RESIDUAL | FUSE_GRADIENT | FUSE_POOL | FUSE_STATISTICS
                   | FUSE_POOL_GRADIENT | FUSE_WINOGRAD | FUSE_RECOMPUTE
                   | FUSE_LOSS /* in a plan they need specialised kernels */
};

typedef struct CompileOptions {
    Target target;
    unsigned fuse; /* FUSE_… */
    bool f64;
    bool reference; /* --kernels=reference */
    const char *cc;
    bool dynamic; /* linked with the system's shared libraries */
    bool object;  /* for a program of the user's own: not linked, without main */
} CompileOptions;

/* Where a tensor lies.  Counted in vectors of `lanes` elements. */
typedef enum Space {
    SPACE_NONE,    /* never touched by this plan */
    SPACE_INPUT,   /* the step's input */
    SPACE_SCRATCH, /* the thread's arena: dies within a phase */
    SPACE_KEPT     /* the grain's arena: outlives a phase, or is read by other grains */
} Space;
typedef struct Placement {
    Tensor *root; /* the tensor whose memory it shares; itself, mostly */
    Int offset;   /* within root */
    Space space;
    Int place;       /* from the start of the space, offset included */
    int first, last; /* roots: schedule positions between which it is live */
} Placement;

/* What a node touches.  The one list that phases, lifetimes and verification
 * are all computed from. */
typedef struct Access {
    Tensor *tensor;
    bool write;
    bool all_grains;
} Access;
typedef LIST(Access) AccessList;

/* One way through the network: for training or for inference; see plan/plan.h. */
typedef struct Plan Plan;
typedef struct Step Step;

/* plan/plan.c: a graph's own; the graph stays as it is. */
Plan *make_plan(const Graph *graph, bool training, int lanes, unsigned fuse);
const char *plan_name(const Plan *plan); /* "training", "inference", "single" */
/* Whether gradients move the weights as they are summed: not where a clip wants them all first. */
bool updates_at_once(const Graph *graph, unsigned fuse);
void dump_plan(const Plan *plan, FILE *out); /* dump.c */
/* fuse/fuse.c */
/* "none" or "NAME,…"; gives a name that is unknown, or NULL */
const char *read_fusions(const char *words, unsigned *fuse);
const char *fusion_names(void); /* for help: "activation, residual, …" */
/* target.c */
bool find_target(const char *name, Target *target); /* false: unknown, reported */

/* --------------------------------------------------- write/: the C */

/* Channels of a norm's input whose sums another norm has made. */
typedef struct ReusedStatistics {
    Int first, channels;
} ReusedStatistics;

/* A kernel being written: its body goes to `body`, line by line. */
struct Kernel {
    const Node *node; /* whose kernel it is; what other nodes' work it does, and how, follows */
    struct Emitter *emitter; /* of the file */
    Stage stage;
    bool training;     /* the plan's: whether forward notes aux */
    Int kept_elements; /* the plan's: from one grain's statistics to the next's */
    /* vectors from one grain's to the next's; of what a whole_batch kernel writes: kept_elements
     * / lanes */
    Int x_stride, dy_stride;
    Int units; /* whole_batch: set by emit */
    Text body;
    size_t packed;         /* body's length after kernel_add()'s last statement */
    const char *algorithm; /* for the function's comment; NULL: what its operator does */
    int lanes;
    int registers; /* of the target, for tile choice */
    int indent;
    bool single;    /* for one image: a reference kernel has one lane */
    bool recompute; /* a second time, on the way back */
    bool workspace; /* it has the memory that Operator.workspace asked for: its operand `work` */
    /* forward: a max pool of the values, y and aux are its own; backward_parameters: the max pool
     * through whose windows dy is read, whose dy and aux they are; NULL: none */
    const Node *pool;
    const Node *sums;     /* a norm's sums of what is stored: operands n_x, n_statistics, … */
    const Node *gradient; /* a loss: its input's gradient is stored at once, not aux */
    /* statistics: channels whose sums an earlier norm's are, operands reused0, …; ascending */
    LIST(ReusedStatistics) reused;
    const char *epilogue; /* the function that is done to a value before its store; NULL: none */
    /* what it takes besides the value: "f0_x1, f1_y"; NULL: nothing, nor an index */
    const char *epilogue_operands;
};
/* Writes the store of `value` in `to`, which is element `at` of the kernel's y or
 * dx, with what is done to it before. */
void kernel_store(Kernel *kernel, const char *to, const char *at, const char *value);
/* Fetches what that store will read besides the value. */
void kernel_fetch(Kernel *kernel, const char *at);
/* indented, with a newline */
void kernel_line(Kernel *kernel, const char *template, ...) PRINTF(2, 3);
/* A statement that stands on one line with the one before, where it fits and that came by this
 * way, too: accumulators in rows. */
void kernel_add(Kernel *kernel, const char *template, ...) PRINTF(2, 3);
/* A function that kernels call, and that those of one text share: begins its body; … */
Kernel begin_function(const Kernel *kernel);
/* … and writes it above the kernel, unless an equal one is there: `head`, "static void " or the
 * like, `base`, of which its name is made, and `parameters`, "(vec *to)".  Gives its name. */
const char *end_function(const Kernel *kernel, const Kernel *function, const char *comment,
                         const char *head, const char *base, const char *parameters);
/* small ones, whose arguments are to be constants and whose arrays are to be registers */
#define ALWAYS_INLINE "static inline __attribute__((always_inline)) void "

/* emit.c: the whole C file. */
void emit_program(const Graph *graph, const Plan *training, const Plan *inference,
                  const Plan *single, const CompileOptions *options, Text *out);
/* summary.c, dot.c */
void write_summary(const Graph *graph, const Plan *plan, const CompileOptions *options, FILE *out);
void write_summary_json(const Graph *graph, const Plan *plan, const CompileOptions *options,
                        FILE *out);
void write_dot(const Graph *graph, Text *out);
/* programs.c: the signals that end netc remove what it has not finished. */
void catch_signals(void);
/* tools.c: other programs run on what was written.  Each reports its failure
 * and leaves `output` as it was. */
/* before the work: could it be written? */
bool check_program(const char *output, const CompileOptions *options);
bool compile_program(const Text *c, const char *name, const char *output,
                     const CompileOptions *options);
bool render_svg(const Text *dot, const char *output); /* output "-": standard output */

/* ---------------------------------------------------------- options.c */

typedef enum Command {
    COMMAND_CHECK,
    COMMAND_BUILD,
    COMMAND_EMIT,
    COMMAND_SUMMARY,
    COMMAND_GRAPH,
    COMMAND_FMT,
    COMMAND_LSP,
    COMMAND_EXPLAIN
} Command;

typedef enum DumpStage { DUMP_NONE, DUMP_AST, DUMP_GRAPH, DUMP_GRADIENT, DUMP_PLAN } DumpStage;

typedef struct Options {
    Command command;
    DumpStage dump;
    LIST(const char *) operands;
    const char *output; /* "-": standard output */
    bool json, svg, fix;
    bool check, diff, annotate, strip; /* fmt */
    CompileOptions compile;
} Options;

/* Reads the command line and sets diag_options.  --help and --version print and
 * end the program with 0; misuse says what is wrong and ends it with 2. */
Options read_options(int argc, char **argv);
_Noreturn void misuse(const Options *options, const char *message, ...) PRINTF(2, 3);

/* format/files.c: `netc fmt`.  False: --check found a file that would change. */
bool format_files(const Options *options);

/* serve/server.c: `netc lsp`, until the client ends it; gives the exit code. */
int serve(void);

#endif
