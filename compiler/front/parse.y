/* parse.y: the grammar.  Actions only construct: no name is looked up and no
 * value computed.  layout.c has already put a SEP after every statement and
 * section, so newlines and semicolons are not seen here.
 *
 * Operators are names like any other.  A body may follow any call; whether the
 * operator takes one is decided where operators are known.
 *
 * After an error the layout skips the rest of the statement, except bodies in
 * braces: "broken" stands for what was skipped, and the bodies are parsed, so
 * that errors within them are found too.
 */
%code requires {
#include "front/front.h"
}

%define api.pure full
%define parse.error custom
%define parse.lac full
%locations
%define api.location.type {Span}
%param {Parser *parser}
%expect 0

%union {
    const Token *token;
    Expr *expr;
    ExprOperator operator;
    ExprList exprs;
    Arg arg;
    ArgList args;
    ShapeExpr *shape;
    Naming naming;
    Stmt *stmt;
    Body *body;
    Param param;
    ParamList params;
    SettingDef setting;
    TrainDef *train;
}

%code {
static Body *closed_body(Body *body, Span open, Span close);
static void add_broken(Body *body, Expr *as, Span span);
static Stmt *broken_let(const Token *name, Span span);
static Stmt *broken_input(Span keyword, Span span);
static int yylex(YYSTYPE *value, Span *at, Parser *parser);
static void yyerror(const Span *at, Parser *parser, const char *message);
static Span rule_span(const Span *parts, int count);
static ExprList with_first(Expr *first, const ExprList *others);
static ArgList broken_arguments(Span span);
static bool too_many_errors(const Parser *parser, Span at);

#define YYMAXDEPTH 10000
#define YYLLOC_DEFAULT(Current, Rhs, N) ((Current) = rule_span(&(Rhs)[0], (N)))
}

%token END 0 "the end of the file"
%token SEP SEMICOLON BAD BROKEN_AS
%token <token> NAME PATH INT FLOAT BAD_VALUE CHARS TEXT_BEGIN
%token TEXT_END TEXT_OPEN TEXT_CLOSE "}"

/* USE to ANY: the language's words (layout.c relies on the order). */
%token <token> USE "use" BLOCK "block" FUNCTION "function" NETWORK "network" TRAIN "train"
%token <token> LET "let" INPUT "input"
%token <token> AS "as" FROM "from"
/* Names like any other where no statement begins with them: see layout.c. */
%token <token> REUSE "reuse" OUTPUT "output" ASIDE "aside"
%token <token> BRANCH "branch" SKIP "skip" SHORTCUT "shortcut" DENSE "dense" REPEAT "repeat"
%token <token> IF "if" ELSE "else"
%token <token> TRUE "true" FALSE "false" AND "and" OR "or" NOT "not" ANY "_"

%token <token> LBRACE "{" RBRACE
%token LPAREN "(" RPAREN ")" LBRACKET "[" RBRACKET "]" COMMA "," COLON ":" ARROW "->" ASSIGN "="

/* EQUAL to MODULO: the operators that are signs. */
%token EQUAL "==" NOT_EQUAL "!=" LESS "<" LESS_EQUAL "<=" GREATER ">" GREATER_EQUAL ">="
%token PLUS "+" MINUS "-" TIMES "*" DIVIDE "/" FLOOR_DIVIDE "//" MODULO "%"

%type <expr> broken value or and not comparison sum product unary prim text name dim item
%type <expr> subscript bound
%type <expr> condition
%type <naming> as
%type <exprs> names
%type <operator> compare plus times
%type <exprs> parts values list dims index subscripts
%type <arg> arg
%type <args> args arguments
%type <shape> shape shapes asserted taken takes
%type <stmt> stmt tensor if call
%type <body> body stmts
%type <param> param
%type <params> params parameters
%type <setting> setting
%type <train> settings
%type <token> loop counter

%%

/* ---- file = { use | block | function | network | train } */

file: sections
    ;
sections: %empty
    | sections section SEP              { yyerrok; }
    | sections broken SEP
        { parser->program->broken = true; yyerrok; if (too_many_errors(parser, @3)) YYABORT; }
    ;
section: "use" text                     { define_use(parser, $2, @$); }
    | block
    | function
    | "network" NAME body               { define_network(parser, $2, $3); }
    | "train" "{" settings RBRACE       { $3->span = @1; define_train(parser, $3); }
    ;

/* What an error left of a section or statement.  The bodies are parsed for
 * their errors only.  Its value is the name it gives, so that uses of that name
 * are not errors too. */
broken: error                           { $$ = NULL; }
    | broken body
    | broken BROKEN_AS NAME             { $$ = word_expr($3, EXPR_PATH); }
    | broken BROKEN_AS PATH             { $$ = word_expr($3, EXPR_PATH); }
    ;

/* ---- block = "block" NAME ["(" [param {"," param} [","]] ")"] [takes ["->" shapes]] body
        takes = shape ["as" NAME] {"," shape ["as" NAME]};  shapes = shape {"," shape} */

block: "block" NAME parameters body
        { define_block(parser, new_block($2, &$3, NULL, NULL, $4, span_between(@1, @3))); }
    | "block" NAME parameters takes body
        { define_block(parser, new_block($2, &$3, $4, NULL, $5, span_between(@1, @4))); }
    | "block" NAME parameters takes "->" shapes body
        { define_block(parser, new_block($2, &$3, $4, $6, $7, span_between(@1, @6))); }
    | "block" NAME error
        {
            parser->program->broken = true;
            define_block(parser, broken_block($2, NEW(Body), span_between(@1, @2)));
        }
    | "block" NAME error body
        {
            parser->program->broken = true;
            define_block(parser, broken_block($2, $4, span_between(@1, @2)));
        }
    ;

takes: taken
    | taken "," takes                   { $$ = with_shape($1, $3); }
    ;
taken: shape
    | shape "as" NAME                   { $$ = $1; $$->name = $3->word; $$->name_span = @3; }
    ;
shapes: shape
    | shape "," shapes                  { $$ = with_shape($1, $3); }
    ;

/* ---- function = ("function" | "loss") NAME "(" param {"," param} [","] ")" "=" value */

function: "function" NAME parameters "=" value
        { define_function(parser, $1, new_function($2, &$3, $5, @$)); }
    | "function" NAME error
        {
            parser->program->broken = true;
            define_function(parser, $1, broken_function($2, @$));
        }
    ;

parameters: %empty                      { $$ = (ParamList){0}; }
    | "(" ")"                           { $$ = (ParamList){0}; }
    | "(" params ")"                    { $$ = $2; }
    | "(" params "," ")"                { $$ = $2; }
    ;
params: param                           { $$ = (ParamList){0}; push(&$$, $1); }
    | params "," param                  { $$ = $1; push(&$$, $3); }
    ;
param: NAME                             { $$ = (Param){$1->word, @1, NULL}; }
    | NAME "=" value                    { $$ = (Param){$1->word, @1, $3}; }
    ;

/* ---- train = "train" "{" { NAME [arg {"," arg}] SEP } "}" */

settings: %empty                        { $$ = NEW(TrainDef); }
    | settings setting SEP              { $$ = $1; push(&$$->settings, $2); yyerrok; }
    | settings broken SEP
        { $$ = $1; yyerrok; if (too_many_errors(parser, @3)) YYABORT; }
    ;
setting: NAME                           { $$ = (SettingDef){$1->word, @1, @$, {0}}; }
    | NAME arguments                    { $$ = (SettingDef){$1->word, @1, @$, $2}; }
    | NAME broken
        { $$ = (SettingDef){$1->word, @1, @1, broken_arguments(@2)}; }
    ;

/* ---- body = "{" { stmt SEP } "}" */

body: open stmts RBRACE                 { $$ = closed_body($2, @1, @3); }
    ;
open: "{"                               { yyerrok; }
    ;
stmts: %empty                           { $$ = NEW(Body); }
    | stmts stmt SEP                    { $$ = $1; push(&$$->stmts, $2); yyerrok; }
    | stmts broken SEP
        { $$ = $1; add_broken($$, $2, @2); yyerrok; if (too_many_errors(parser, @3)) YYABORT; }
    ;

/* ---- stmt = "let" NAME "=" value | "input" shape ["of" value] ["as" name] |
        tensor ["as" naming] ["->" shapes];  naming = name | [name] "(" name {"," name} ")" */

stmt: "let" NAME "=" value
        {
            $$ = new_stmt(STMT_LET, @1, @$); $$->variable = $2->word; $$->variable_span = @2;
            $$->value = $4;
        }
    | "let" NAME "=" broken             { $$ = broken_let($2, @$); }
    | "let" NAME broken                 { $$ = broken_let($2, @$); }
    | "input" shape as
        {
            $$ = new_stmt(STMT_INPUT, @1, @$); $$->shape = $2; $$->as = $3.name;
            $$->names = $3.names;
        }
    | "input" shape NAME value as
        {
            $$ = new_stmt(STMT_INPUT, @1, @$); $$->shape = $2; $$->variable = $3->word;
            $$->variable_span = @3; $$->value = $4; $$->as = $5.name; $$->names = $5.names;
        }
    | "output" name                     { $$ = new_stmt(STMT_OUTPUT, @1, @$); $$->from = $2; }
    | "input" broken                    { $$ = broken_input(@1, @$); }
    | tensor as asserted
        {
            $$ = $1;
            $$->as = $2.name;
            $$->names = $2.names;
            $$->shape = $3;
            if (!$$->body)
                $$->span = @$;
        }
    ;
as: %empty                              { $$ = (Naming){0}; }
    | "as" name                         { $$ = (Naming){.name = $2}; }
    | "as" "(" names ")"                { $$ = (Naming){.names = $3}; }
    | "as" name "(" names ")"           { $$ = (Naming){$2, $4}; }
    ;
names: name                             { $$ = (ExprList){0}; push(&$$, $1); }
    | names "," name                    { $$ = $1; push(&$$, $3); }
    ;
asserted: %empty                        { $$ = NULL; }
    | "->" shapes                       { $$ = $2; }
    ;

tensor: call
    | call body                         { $$ = $1; $$->body = $2; }
    | "from" name                       { $$ = new_stmt(STMT_FROM, @1, @$); $$->from = $2; }
    | "from" "(" names ")"
        { $$ = new_stmt(STMT_FROM, @1, @$); $$->from = items_expr(EXPR_LIST, &$3, @3); }
    | "reuse" name                      { $$ = new_stmt(STMT_REUSE, @1, @$); $$->from = $2; }
    | "aside" body                      { $$ = new_stmt(STMT_ASIDE, @1, @1); $$->body = $2; }
    | "branch" body                     { $$ = new_stmt(STMT_BRANCH, @1, @1); $$->body = $2; }
    | "branch" broken
        { $$ = new_stmt(STMT_BRANCH, @1, @1); $$->body = single_body(broken_stmt($2, @2)); }
    | "skip" condition body
        { $$ = new_stmt(STMT_SKIP, @1, span_between(@1, @2)); $$->value = $2; $$->body = $3; }
    | "skip" condition body "shortcut" body
        {
            $$ = new_stmt(STMT_SKIP, @1, span_between(@1, @2)); $$->value = $2; $$->body = $3;
            $$->other = $5;
        }
    | loop value counter body
        {
            $$ = new_stmt($1->kind == DENSE ? STMT_DENSE : STMT_REPEAT, @1, span_between(@1, @3));
            $$->value = $2;
            $$->variable = $3 ? $3->word : NULL;
            $$->variable_span = $3 ? $3->span : (Span){0};
            $$->body = $4;
        }
    | if
    ;
condition: %empty                       { $$ = NULL; }
    | "if" value                        { $$ = $2; }
    ;
loop: "dense" | "repeat"
    ;
counter: %empty                         { $$ = NULL; }
    | "as" NAME                         { $$ = $2; }
    ;
if: "if" value body
        { $$ = new_stmt(STMT_IF, @1, span_between(@1, @2)); $$->value = $2; $$->body = $3; }
    | "if" value body "else" body
        {
            $$ = new_stmt(STMT_IF, @1, span_between(@1, @2)); $$->value = $2; $$->body = $3;
            $$->other = $5;
        }
    | "if" value body "else" if
        {
            $$ = new_stmt(STMT_IF, @1, span_between(@1, @2)); $$->value = $2; $$->body = $3;
            $$->other = single_body($5);
        }
    ;
call: NAME
        { $$ = new_stmt(STMT_CALL, @1, @$); $$->call = call_expr($1, NULL, @$); }
    | NAME "(" args ")"
        { $$ = new_stmt(STMT_CALL, @1, @$); $$->call = call_expr($1, &$3, @$); }
    ;

/* ---- arg = value | NAME "=" value */

args: %empty                            { $$ = (ArgList){0}; }
    | arguments
    | arguments ","                     { $$ = $1; }
    ;
arguments: arg                          { $$ = (ArgList){0}; push(&$$, $1); }
    | arguments "," arg                 { $$ = $1; push(&$$, $3); }
    ;
arg: value                              { $$ = (Arg){NULL, {0}, $1}; }
    | NAME "=" value                    { $$ = (Arg){$1->word, @1, $3}; }
    | NAME "=" "input"                  { $$ = (Arg){$1->word, @1, input_expr(@3)}; }
    ;

/* ---- name = NAME | PATH | text;  text = '"' { CHARS | "{" value "}" } '"' */

name: NAME                              { $$ = word_expr($1, EXPR_PATH); }
    | PATH                              { $$ = word_expr($1, EXPR_PATH); }
    | text
    ;
text: TEXT_BEGIN parts TEXT_END         { $$ = items_expr(EXPR_TEXT, &$2, @$); }
    | BAD_VALUE                         { $$ = new_expr(EXPR_ERROR, @$); }
    ;
parts: %empty                           { $$ = (ExprList){0}; }
    | parts CHARS                       { $$ = $1; push(&$$, word_expr($2, EXPR_CHARS)); }
    | parts TEXT_OPEN value TEXT_CLOSE  { $$ = $1; push(&$$, $3); }
    ;

/* ---- shape = "[" (value | "_") {"," (value | "_")} "]" */

shape: "[" dims "]"                     { $$ = new_shape(&$2, @$); }
    ;
dims: dim                               { $$ = (ExprList){0}; push(&$$, $1); }
    | dims "," dim                      { $$ = $1; push(&$$, $3); }
    ;
dim: value
    | "_"                               { $$ = new_expr(EXPR_ANY, @$); }
    ;

/* ---- value = or ["if" or "else" value] */

value: or
    | or "if" or "else" value           { $$ = conditional_expr($1, $3, $5, @$); }
    ;
or: and
    | or "or" and                       { $$ = binary_expr(EXPR_OR, $1, $3, @$); }
    ;
and: not
    | and "and" not                     { $$ = binary_expr(EXPR_AND, $1, $3, @$); }
    ;
not: comparison
    | "not" not                         { $$ = unary_expr(EXPR_NOT, $2, @$); }
    ;
comparison: sum
    | sum compare sum                   { $$ = binary_expr($2, $1, $3, @$); }
    ;
compare: "=="                           { $$ = EXPR_EQUAL; }
    | "!="                              { $$ = EXPR_NOT_EQUAL; }
    | "<"                               { $$ = EXPR_LESS; }
    | "<="                              { $$ = EXPR_LESS_EQUAL; }
    | ">"                               { $$ = EXPR_GREATER; }
    | ">="                              { $$ = EXPR_GREATER_EQUAL; }
    ;
sum: product
    | sum plus product                  { $$ = binary_expr($2, $1, $3, @$); }
    ;
plus: "+"                               { $$ = EXPR_ADD; }
    | "-"                               { $$ = EXPR_SUBTRACT; }
    ;
product: unary
    | product times unary               { $$ = binary_expr($2, $1, $3, @$); }
    ;
times: "*"                              { $$ = EXPR_MULTIPLY; }
    | "/"                               { $$ = EXPR_DIVIDE; }
    | "//"                              { $$ = EXPR_FLOOR_DIVIDE; }
    | "%"                               { $$ = EXPR_MODULO; }
    ;
unary: prim
    | "-" unary                         { $$ = unary_expr(EXPR_NEGATE, $2, @$); }
    ;
prim: INT                               { $$ = number_expr($1, EXPR_INT); }
    | FLOAT                             { $$ = number_expr($1, EXPR_FLOAT); }
    | "true"                            { $$ = bool_expr($1, true); }
    | "false"                           { $$ = bool_expr($1, false); }
    | name
    | NAME "(" args ")"                 { $$ = call_expr($1, &$3, @$); }
    | NAME index                        { $$ = index_expr($1, &$2, @$); }
    | "(" value ")"                     { $$ = $2; $$->span = @$; }
    | "(" value "," list ")"
        { ExprList items = with_first($2, &$4); $$ = items_expr(EXPR_LIST, &items, @$); }
    | "[" list "]"                      { $$ = items_expr(EXPR_LIST, &$2, @$); }
    ;
index: "[" subscripts "]"               { $$ = $2; }
    ;
subscripts: subscript                   { $$ = (ExprList){0}; push(&$$, $1); }
    | subscripts "," subscript          { $$ = $1; push(&$$, $3); }
    ;
subscript: value
    | bound ":" bound                   { $$ = slice_expr($1, $3, NULL, @$); }
    | bound ":" bound ":" bound         { $$ = slice_expr($1, $3, $5, @$); }
    ;
bound: %empty                           { $$ = NULL; }
    | value
    ;
list: %empty                            { $$ = (ExprList){0}; }
    | values
    | values ","                        { $$ = $1; }
    ;
values: item                            { $$ = (ExprList){0}; push(&$$, $1); }
    | values "," item                   { $$ = $1; push(&$$, $3); }
    ;
item: dim
    | "input"                           { $$ = input_expr(@1); }
    ;

%%

static int yylex(YYSTYPE *value, Span *at, Parser *parser)
{
    const Token *token = layout_next(&parser->layout);
    value->token = token;
    *at = token->span;
    return token->kind;
}

/* A rule's span is from its first part to its last; an empty one's is just
 * after what stands before it. */
static Span rule_span(const Span *parts, int count)
{
    if (count)
        return span_between(parts[1], parts[count]);
    Span empty = parts[0];
    empty.line = empty.end_line;
    empty.column = empty.end_column;
    return empty;
}

static ExprList with_first(Expr *first, const ExprList *others)
{
    ExprList items = {0};
    push(&items, first);
    for (int i = 0; i < others->count; i++)
        push(&items, others->items[i]);
    return items;
}

/* A } that the layout made up on the line of its { may belong before the last
 * statement's assertion: what that says is not known. */
static Body *closed_body(Body *body, Span open, Span close)
{
    Stmt *last = body->stmts.count ? body->stmts.items[body->stmts.count - 1] : NULL;
    body->open = open;
    body->close = close;
    if (last && last->kind != STMT_INPUT && close.column == close.end_column
        && close.line == open.line)
        last->shape = NULL;
    return body;
}

/* After a skip it may be the shortcut that could not be read: it stands for
 * both, and only one of them gives the name. */
static void add_broken(Body *body, Expr *as, Span span)
{
    Stmt *last = body->stmts.count ? body->stmts.items[body->stmts.count - 1] : NULL;
    if (last && last->kind == STMT_SKIP && !last->other)
        last->other = single_body(broken_stmt(NULL, span));
    push(&body->stmts, broken_stmt(as, span));
}

static Stmt *broken_let(const Token *name, Span span)
{
    Stmt *stmt = new_stmt(STMT_LET, span, span);
    stmt->variable = name->word;
    stmt->variable_span = name->span;
    stmt->value = new_expr(EXPR_ERROR, span);
    return stmt;
}

static Stmt *broken_input(Span keyword, Span span)
{
    Stmt *stmt = new_stmt(STMT_INPUT, keyword, span);
    ExprList dims = {0};
    push(&dims, new_expr(EXPR_ERROR, span));
    stmt->shape = new_shape(&dims, span);
    return stmt;
}

static ArgList broken_arguments(Span span)
{
    ArgList arguments = {0};
    push(&arguments, ((Arg){NULL, {0}, new_expr(EXPR_ERROR, span)}));
    return arguments;
}

/* ---- errors */

static void expect(Expected *expected, yysymbol_kind_t symbol)
{
    switch ((int)symbol) {
    case YYSYMBOL_INT:
        expected->value = true;
        break;
    case YYSYMBOL_NAME:
        expected->name = true;
        break;
    case YYSYMBOL_TEXT_BEGIN:
        expected->text = true;
        break;
    case YYSYMBOL_LET:
        expected->statement = true;
        break;
    case YYSYMBOL_BLOCK:
        expected->section = true;
        break;
    case YYSYMBOL_SEP:
        expected->separator = true;
        break;
    case YYSYMBOL_PLUS:
        expected->operator = true;
        break;
    case YYSYMBOL_LPAREN:
    case YYSYMBOL_RPAREN:
    case YYSYMBOL_LBRACKET:
    case YYSYMBOL_RBRACKET:
    case YYSYMBOL_COMMA:
    case YYSYMBOL_LBRACE:
    case YYSYMBOL_TEXT_CLOSE:
    case YYSYMBOL_ASSIGN:
    case YYSYMBOL_ELSE:
        push(&expected->signs, yysymbol_name(symbol));
        break;
    }
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *parser)
{
    yysymbol_kind_t symbols[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, symbols, YYNTOKENS);
    Expected expected = {0};
    for (int i = 0; i < count; i++)
        expect(&expected, symbols[i]);
    report_syntax_error(parser, &expected);
    return 0;
}

/* Called by bison for the one fault that is not a syntax error: its stack is
 * full. */
static void yyerror(const Span *at, Parser *parser, const char *message)
{
    (void)message;
    if (!parser->layout.stopped)
        diag(SEVERITY_ERROR, "too-large", *at, "values or statements nest too deeply here");
    parser->layout.stopped = true;
}

static bool too_many_errors(const Parser *parser, Span at)
{
    if (parser->errors < MAX_SYNTAX_ERRORS)
        return false;
    diag(SEVERITY_ERROR, "syntax", at, "too many errors: the file is not read further");
    return true;
}

void parse_source(Parser *parser)
{
    yyparse(parser);
}
