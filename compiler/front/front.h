/* front.h: what the files of the front end share, and what the formatter and the
 * editors read of them besides ast.h.
 *
 *   lex.l       a file's characters to words, each with its span
 *   fixit.c     misspelt words of the language
 *   layout.c    where statements end and braces close, which the words' lines decide
 *   parse.y     the grammar
 *   expected.c  a syntax error in plain words
 *   ast.c       makes and dumps the tree
 *   source.c    files, and those they use
 *
 * The whole file is cut into words before parsing begins.  That costs memory,
 * bounded by MAX_TOKENS, and buys the layout any look-ahead it needs to say
 * which brace was left open.
 */
#ifndef FRONT_H
#define FRONT_H

#include "front/ast.h"

enum {
    MAX_FILE_BYTES = 16 << 20,
    MAX_TOKENS = 1 << 20,
    MAX_WORD_BYTES = 4096, /* so that a message may quote one */
    MAX_BRACES = 200,      /* within each other; the language allows 64, counted in graph/ */
    MAX_PARENTHESES = 200,
    MAX_OPERATORS = 1000,    /* in one statement: bounds the depth of a value's tree */
    MAX_SYNTAX_ERRORS = 1000 /* then the rest of the file is not read */
};

typedef struct Token {
    int kind; /* of parse.h */
    bool first_on_line;
    Span span;
    const char *chars; /* in the source */
    const char *word;  /* names, paths, characters of a text */
    Int integer;
    double real;
} Token;
typedef LIST(Token) TokenList;

typedef LIST(const Token *) TokenStack;

typedef LIST(Param) ParamList;
/* as NAME (left, right): either may be missing */
typedef struct Naming {
    Expr *name;
    ExprList names;
} Naming;

typedef struct Layout {
    const TokenList *tokens;        /* the last is the end of the file */
    int at;                         /* the next word */
    const Token *last, *before;     /* what was given out last, and before that */
    const Token *top_close;         /* the last } that closed a block, network or train section */
    const Token *unclosed;          /* the ( or [ still open where the statement had to end */
    const Token *line;              /* the first word of the line */
    TokenStack braces, parentheses; /* open ones */
    struct Level {                  /* one per open brace, and [0] outside all */
        const Token *statement;     /* its first word */
        const Token *line;          /* the first word of the line its { is on */
        bool flat;                  /* not indented: columns tell nothing */
        bool broken;                /* the statement had an error, its rest is skipped */
    } levels[MAX_BRACES + 1];
    int missing;     /* how many } this section lacks; negative: how many { */
    bool owes_brace; /* a { is made up next */
    bool unbalanced; /* it lacked some when it began */
    int told_line;   /* the last syntax error's: a brace upsets all of its line, and is told once */
    int operators;   /* in this statement */
    bool separated;  /* no statement has begun since the last SEP or { */
    bool erred;      /* layout_skip_statement() was called */
    bool stopped;    /* a limit was passed: the end of the file is given out from now on */
} Layout;

typedef struct Parser {
    Layout layout;
    Program *program;
    bool library; /* a used file: its network and train sections are not ours */
    int errors;   /* syntax errors reported */
} Parser;

/* lex.l.  False when the file is no text or too long, which was reported.
 * `comments`, which may be NULL, gets the comments, as words of no kind. */
bool scan_source(const Source *source, TokenList *tokens, TokenList *comments);
int keyword(const char *chars, int length); /* the kind of token that a word is: NAME mostly */
const char *keyword_word(int i);            /* the i-th word that is one; NULL: there are no more */
/* Its characters as the user wrote them, cut when long. */
const char *token_text(const Token *token);

/* fixit.c */
void fix_words(TokenList *tokens);

/* layout.c */
void layout_start(Layout *layout, const TokenList *tokens);
bool continues_body(const Token *token);  /* else, shortcut */
bool is_section_word(const Token *token); /* block, function, network, train, use */
const Token *layout_next(Layout *layout);
/* Whether a syntax error here is to be told: not when the section's braces do not
 * balance and its line has one. */
bool layout_tells(Layout *layout, Span at);
/* The parser did not accept the last word: the rest of its statement is skipped,
 * or begins with a made-up { when one would have been accepted and is missing. */
void layout_skip_statement(Layout *layout, bool brace_expected);

/* parse.y.  Adds what the file defines to parser->program. */
void parse_source(Parser *parser);

/* source.c: a file of its own number; its characters are kept, not copied. */
const Source *new_source(const char *path, const char *chars, size_t length);

/* source.c: a block, function, network or train section is defined once. */
void define_use(Parser *parser, const Expr *path, Span span);
void define_block(Parser *parser, BlockDef *block);
/* `word`: "function", or "loss" */
void define_function(Parser *parser, const Token *word, FunctionDef *function);
void define_network(Parser *parser, const Token *name, Body *body);
void define_train(Parser *parser, TrainDef *train);

/* expected.c: what might have stood where the last word stands. */
typedef struct Expected {
    bool value, name, text, statement, section, separator, operator;
    LIST(const char *) signs; /* punctuation, and `else` */
} Expected;
void report_syntax_error(Parser *parser, const Expected *expected);

/* ast.c.  Constructors: they only fill in. */
Expr *new_expr(ExprKind kind, Span span);
Expr *number_expr(const Token *token, ExprKind kind);
Expr *word_expr(const Token *token, ExprKind kind);
Expr *input_expr(Span span);
Expr *bool_expr(const Token *token, bool value);
Expr *unary_expr(ExprOperator operator, Expr * left, Span span);
Expr *binary_expr(ExprOperator operator, Expr * left, Expr *right, Span span);
Expr *conditional_expr(Expr *left, Expr *condition, Expr *right, Span span);
Expr *call_expr(const Token *name, const ArgList *arguments, Span span); /* NULL: no parentheses */
Expr *index_expr(const Token *name, const ExprList *subscripts, Span span);
Expr *slice_expr(Expr *from, Expr *to, Expr *step, Span span); /* each a value or NULL */
Expr *items_expr(ExprKind kind, const ExprList *items, Span span);
ShapeExpr *new_shape(const ExprList *dims, Span span);
ShapeExpr *with_shape(ShapeExpr *first, ShapeExpr *more); /* behind it */
Stmt *new_stmt(StmtKind kind, Span keyword, Span span);
Stmt *broken_stmt(Expr *as, Span span); /* stands for one with a syntax error; as may be NULL */
Body *single_body(Stmt *stmt);          /* of "else if", of a broken branch */
BlockDef *new_block(const Token *name, const ParamList *params, ShapeExpr *in, ShapeExpr *out,
                    Body *body, Span span);
/* its signature had a syntax error */
BlockDef *broken_block(const Token *name, Body *body, Span span);
FunctionDef *new_function(const Token *name, const ParamList *params, Expr *value, Span span);
FunctionDef *broken_function(const Token *name, Span span); /* it had a syntax error */

#endif
