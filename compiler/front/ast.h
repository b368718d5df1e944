/* ast.h: a .net file's text as a tree.
 *
 * Syntax only: a name is not looked up, a value not computed.  What the files of this room
 * share besides is in front.h.
 */
#ifndef AST_H
#define AST_H

#include "diag/diag.h"

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
    EXPR_INDEX,       /* word[items]: values, and EXPR_SLICE */
    EXPR_SLICE,       /* left:right:condition, each a value or NULL: within an EXPR_INDEX */
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
    STMT_REUSE,  /* reuse name: in `from` */
    STMT_OUTPUT, /* output name: in `from` */
    STMT_ASIDE,  /* aside body */
    STMT_BRANCH, /* branch body */
    STMT_SKIP,   /* skip [if value] body [shortcut other] */
    STMT_DENSE,  /* dense value [as variable] body */
    STMT_REPEAT, /* repeat value [as variable] body */
    STMT_IF      /* if value body [else other]; "else if" is a body of one STMT_IF */
} StmtKind;

/* Of several tensors a shape for each, in a row. */
typedef struct ShapeExpr {
    Span span;
    ExprList dims;
    const char *name; /* of a block's input: what the body calls it; NULL: nothing */
    Span name_span;
    struct ShapeExpr *next; /* the next tensor's; NULL: there is none */
} ShapeExpr;

typedef struct Stmt {
    StmtKind kind;
    Span span;    /* the whole statement; for one with a body, up to its "{" */
    Span keyword; /* its first word */
    Expr *call;   /* STMT_CALL: an EXPR_CALL (parenthesised false for a bare name) */
    Expr *value;
    /* STMT_FROM, STMT_REUSE, STMT_OUTPUT: EXPR_PATH or EXPR_TEXT; STMT_FROM: also an EXPR_LIST of
     * them */
    Expr *from;
    Body *body, *other;
    const char *variable;
    Span variable_span;
    Expr *as;         /* EXPR_PATH or EXPR_TEXT, or NULL */
    ExprList names;   /* of each tensor that it gives: as NAME (left, right) */
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

/* Of one element of each tensor: a parameter without a value is a tensor, one with a value a
 * number or true or false, which a use may give. */
typedef struct FunctionDef {
    const char *name;
    Span name_span, span; /* span: all of it */
    LIST(Param) params;
    Expr *value;
    bool library; /* comes from a used file */
    bool broken;  /* had a syntax error: what it makes of a tensor is unknown */
    bool loss;    /* a `loss`: what it makes of whole tensors, by sum and mean, is one number */
} FunctionDef;

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

/* A file and all it uses, each file read once.  Names of blocks and functions are
 * unique (a second one was reported).  network and train belong to the first file. */
typedef struct Program {
    const Source *source; /* the file named on the command line */
    LIST(const Source *) sources;
    LIST(UseDef) uses;
    LIST(BlockDef *) blocks;
    LIST(FunctionDef *) functions;
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
/* words.c: a word of the language, or what is written like one: `weight=`. */
typedef struct LanguageWord {
    const char *name, *form; /* "reuse", "reuse NAME [as OTHER]" */
    bool begins;             /* a statement, or goes on with one */
    const char *text, *example;
} LanguageWord;
const LanguageWord *language_word(int i);                             /* NULL: there are no more */
const LanguageWord *find_language_word(const char *name);             /* NULL: it is none */
void explain_word(const LanguageWord *word, FILE *out);               /* its page */
void list_words(FILE *out);                                           /* a line for each */
const BlockDef *find_block(const Program *program, const char *name); /* NULL: none */
const FunctionDef *find_element_function(const Program *program, const char *name);
void dump_ast(const Program *program, FILE *out);
int count_shapes(const ShapeExpr *shape);              /* it and those behind it; NULL: 0 */
Span shapes_span(const ShapeExpr *shape);              /* of all of them */
const char *expr_operator_text(ExprOperator operator); /* "//" */

#endif
