/* layout.c: where statements end and braces close.
 *
 * A newline ends a statement except within parentheses, after a word that
 * cannot end one and before a word that only continues one.  One word of
 * look-ahead decides it here, because a grammar that sees newlines has
 * conflicts before `shortcut`, `else` and `->`.  The parser gets exactly one
 * SEP after every statement and section, and none elsewhere.
 *
 * Two more things are decided here because only the layout shows them.  Where
 * a section's braces do not balance, its indentation tells which one is missing
 * or too many; that is fixed, with one message, so that the rest is understood
 * as it was meant.  And where the parser finds an error, the rest of that
 * statement is skipped, but not a body in braces, in which more may be wrong.
 */
#include "front/front.h"
#include "ops/ops.h"
#include "parse.h"

#include <string.h>

static const Token *peek(const Layout *layout)
{
    return &layout->tokens->items[layout->at];
}

bool is_section_word(const Token *token)
{
    return token->kind == BLOCK || token->kind == FUNCTION || token->kind == NETWORK
           || token->kind == TRAIN || token->kind == USE;
}

static bool is_word_of_grammar(int kind)
{
    return kind >= USE && kind <= ANY;
}

static bool begins_section(const Layout *layout, const Token *token)
{
    if (token->kind == END)
        return true;
    bool is_argument =
        token < &layout->tokens->items[layout->tokens->count - 1] && token[1].kind == ASSIGN;
    return is_section_word(token) && token->first_on_line && token->span.column == 1
           && !is_argument;
}

bool layout_tells(Layout *layout, Span at)
{
    bool first = !layout->unbalanced || layout->told_line != at.line;
    layout->told_line = at.line;
    return first;
}

/* ---- braces */

static const Token *innermost(const TokenStack *stack)
{
    return stack->count ? stack->items[stack->count - 1] : NULL;
}

static const struct Level *level_of(const Layout *layout)
{
    return &layout->levels[layout->braces.count];
}

/* How many braces this section opens and does not close. */
static int count_missing(const Layout *layout)
{
    int missing = 0;
    const Token *token = peek(layout);
    do
        missing += (token->kind == LBRACE) - (token->kind == RBRACE);
    while (token++->kind != END && !begins_section(layout, token));
    return missing;
}

/* What follows only a }. */
bool continues_body(const Token *token)
{
    return token->kind == ELSE || token->kind == SHORTCUT;
}

/* Whether, of a section that lacks a }, this word shows that it belongs further
 * out than the innermost brace. */
static bool is_outside(const Layout *layout, const Token *token)
{
    enum { FEW = 3 }; /* lost by slips; more, and the indentation is no guide */
    const Token *brace = innermost(&layout->braces);
    if (layout->missing <= 0 || !brace || !token->first_on_line || token->kind == LBRACE)
        return false;
    if (continues_body(token) && layout->last->kind != RBRACE)
        return true;
    if (token->kind == ARROW && brace->span.line < layout->last->span.line)
        return true;
    int indent = level_of(layout)->line->span.column, column = token->span.column;
    bool first =
        level_of(layout)->statement == brace && (layout->braces.count < 2 || layout->missing > FEW);
    if (token->kind != RBRACE && (first || level_of(layout)->flat))
        return false;
    return token->kind == RBRACE ? column < indent : column <= indent;
}

static Span point(const Source *source, int line, int column)
{
    return (Span){source, line, column, line, column};
}

/* Of `{ relu -> [8]`, `relu`: an assertion at the end of a line with a body is
 * mostly what the whole line gives. */
static const Token *before_assertion(const Token *brace, const Token *last)
{
    for (const Token *token = last; token > brace; token--)
        if (token->kind == ARROW)
            return token - 1;
    return last;
}

/* Whether a line is as it would be had only its } been lost: its indentation, and
 * where that is nothing, a second empty line or the end of the file after it. */
static bool is_left_empty(const Source *source, int line, int indent)
{
    int length, next;
    const char *chars = source_line(source, line, &length);
    source_line(source, line + 1, &next);
    return length == indent && (int)strspn(chars, " \t") == length && (indent > 0 || next == 0);
}

/* Where a } belongs that is missing after `last`: on an empty line that has just
 * its indentation, as when only the sign was lost, or else on a line of its own. */
static void suggest_closing(Diagnostic *d, const Layout *layout, const Token *last,
                            const Token *token)
{
    const Token *brace = innermost(&layout->braces);
    const Source *source = brace->span.source;
    int indent = level_of(layout)->line->span.column - 1, length;
    if (last->span.end_line == brace->span.line) {
        last = before_assertion(brace, last);
        diag_fix(d, point(source, last->span.end_line, last->span.end_column), " }",
                 "`}` closes it on this line");
        return;
    }
    for (int line = last->span.end_line + 1; line < token->span.line || line == source->lines - 1;
         line++) {
        if (is_left_empty(source, line, indent)) {
            diag_fix(d, point(source, line, indent + 1), "}", "`}` on line %d closes it", line);
            return;
        }
    }
    source_line(source, last->span.end_line, &length);
    diag_fix(d, point(source, last->span.end_line, length + 1), format("\n%*s}", indent, ""),
             "`}` after line %d closes it", last->span.end_line);
}

static void report_unclosed(Layout *layout, const Token *token, int count)
{
    const Token *brace = innermost(&layout->braces), *last = token - 1;
    if (!layout_tells(layout, brace->span))
        return;
    Diagnostic *d = diag(SEVERITY_ERROR, "unclosed-brace", brace->span, "this `{` is not closed");
    if (token->kind == END)
        diag_caption(d, "no `}` closes it before the end of the file");
    else
        diag_caption(d, "no `}` closes it before line %d", token->span.line);
    if (count > 1)
        diag_note(d, "%d braces are open there", count);
    else
        suggest_closing(d, layout, last, token);
}

static Token *made_up(int kind, const Token *after, const Token *before)
{
    Token *token = NEW(Token);
    *token = after ? *after : *before;
    token->kind = kind;
    token->first_on_line = false;
    if (after) {
        token->span.line = token->span.end_line;
        token->span.column = token->span.end_column;
    } else {
        token->span.end_column = token->span.column;
    }
    return token;
}

/* ---- statements */

/* After these a newline cannot end a statement. */
static bool goes_on_after(int kind)
{
    return kind == LPAREN || kind == LBRACKET || kind == COMMA || kind == ASSIGN || kind == ARROW
           || (kind >= EQUAL && kind <= MODULO) || kind == AND || kind == OR || kind == NOT;
}

/* Nor before these. */
static bool goes_on_before(int kind)
{
    return kind == RPAREN || kind == RBRACKET || kind == LBRACE || kind == ARROW || kind == AS
           || kind == ELSE || kind == SHORTCUT;
}

/* Whether the statement ends between the last word and this one. */
static bool statement_ends(const Layout *layout, const Token *token)
{
    int level = layout->braces.count, column = level_of(layout)->statement->span.column;
    bool broken = level_of(layout)->broken;
    if (layout->separated)
        return false;
    if (token->kind == SEMICOLON || token->kind == END || (token->kind == RBRACE && level))
        return level || !broken || token->kind == END;
    if (!level) /* sections go on until the next one */
        return broken ? begins_section(layout, token) : is_section_word(token);
    if (layout->last && layout->last->kind == RBRACE && !broken)
        return !goes_on_before(token->kind) || token->kind == LBRACE;
    if (!token->first_on_line)
        return false;
    if (layout->parentheses.count)
        return broken && token->span.column <= column && !goes_on_before(token->kind);
    return (broken || !goes_on_after(layout->last->kind)) && !goes_on_before(token->kind);
}

static const Token *give(Layout *layout, const Token *token)
{
    layout->before = layout->last;
    layout->last = token;
    return token;
}

static const Token *end_statement(Layout *layout, const Token *token)
{
    layout->levels[layout->braces.count].broken = false;
    layout->unclosed = innermost(&layout->parentheses);
    layout->parentheses.count = 0;
    layout->operators = 0;
    layout->separated = true;
    return give(layout, made_up(SEP, layout->last, token));
}

/* ---- limits */

static const Token *stop(Layout *layout, const Token *token, const char *what, int limit)
{
    if (!layout->stopped)
        diag(SEVERITY_ERROR, "too-large", token->span, "more than %d %s", limit, what);
    layout->stopped = true;
    return give(layout, made_up(END, token, NULL));
}

static bool is_operator(int kind)
{
    return (kind >= EQUAL && kind <= MODULO) || kind == AND || kind == OR || kind == NOT
           || kind == IF;
}

/* Keeps count of what is open; gives what is exceeded, if anything is. */
static const Token *follow(Layout *layout, const Token *token)
{
    if (token->kind == LBRACE) {
        if (layout->braces.count == MAX_BRACES)
            return stop(layout, token, "braces within each other", MAX_BRACES);
        push(&layout->braces, token);
        layout->levels[layout->braces.count] =
            (struct Level){.statement = token, .line = layout->line};
        layout->parentheses.count = 0;
        layout->separated = true;
    } else if (token->kind == RBRACE && layout->braces.count) {
        layout->braces.count--;
        layout->separated = false;
        layout->top_close = layout->braces.count ? layout->top_close : token;
    } else if (token->kind == LPAREN || token->kind == LBRACKET) {
        if (layout->parentheses.count == MAX_PARENTHESES)
            return stop(layout, token, "parentheses within each other", MAX_PARENTHESES);
        push(&layout->parentheses, token);
    } else if (token->kind == RPAREN || token->kind == RBRACKET) {
        layout->parentheses.count -= layout->parentheses.count > 0;
    } else if (is_operator(token->kind) && ++layout->operators > MAX_OPERATORS) {
        return stop(layout, token, "operators in one statement", MAX_OPERATORS);
    }
    return NULL;
}

/* ---- braces that balance adds or drops */

/* A { that follows no statement. */
static bool is_stray_open(const Layout *layout, const Token *token)
{
    return layout->missing > 0 && token->kind == LBRACE && layout->braces.count
           && layout->separated;
}

/* How many more braces the rest of this word's line closes than it opens. */
static int count_closing(const Token *token)
{
    int closing = 0;
    do
        closing += (token->kind == RBRACE) - (token->kind == LBRACE);
    while (token++->kind != END && !token->first_on_line);
    return closing;
}

/* A } within a line that closes what an earlier line opened; or the second of two
 * without a space between, when the line closes too many further on. */
static bool is_stray_close(const Layout *layout, const Token *token)
{
    if (layout->missing >= 0 || token->kind != RBRACE || !layout->braces.count
        || token->first_on_line)
        return false;
    const Token *opened = innermost(&layout->braces);
    int opened_here = 0;
    for (int i = 0; i < layout->braces.count; i++)
        opened_here += layout->braces.items[i]->span.line == token->span.line;
    bool doubled = token[-1].kind == RBRACE && token[-1].span.end_column == token->span.column;
    return opened->span.line < token->span.line || (doubled && count_closing(token) > opened_here);
}

static void pass_stray(Layout *layout, const Token *token)
{
    bool opens = token->kind == LBRACE;
    if (layout_tells(layout, token->span)) {
        Diagnostic *d = diag(SEVERITY_ERROR, "syntax", token->span,
                             opens ? "one `{` too many" : "one `}` too many");
        diag_fix(d, token->span, "", "remove it");
    }
    layout->missing += opens ? -1 : 1;
    layout->erred = true;
    layout->at++;
}

/* Whether a body may follow what this word begins.  Operators that join are the
 * only ones of the table that take one. */
static bool takes_body(const Token *first)
{
    const Operator *op = first->kind == NAME ? find_operator(first->word) : NULL;
    return first->kind == BLOCK || first->kind == NETWORK || first->kind == TRAIN
           || first->kind == BRANCH || first->kind == SKIP || first->kind == DENSE
           || first->kind == REPEAT || first->kind == IF || first->kind == ASIDE
           || (op && (op->traits & (OP_JOINS | OP_ALSO_JOINS)));
}

/* The first line of a body, whose own end is indented more than what opened the body. */
static bool ends_further_in(const Layout *layout, const Token *token)
{
    const Token *heading = layout->levels[layout->braces.count - 1].statement, *next = token;
    const Token *brace = innermost(&layout->braces);
    if (level_of(layout)->statement != brace || !heading->first_on_line
        || heading->span.line != brace->span.line)
        return false;
    while (next->kind != END && !(next->first_on_line && next->span.column < token->span.column))
        next++;
    return next->kind == RBRACE && next->span.column > heading->span.column;
}

/* A line that is indented more than the statement before it, which has ended:
 * what opened the body it belongs to is missing altogether. */
static bool is_orphan(const Layout *layout, const Token *token)
{
    const Token *statement = level_of(layout)->statement;
    if (layout->missing >= 0 || !layout->braces.count || !layout->separated
        || !token->first_on_line)
        return false;
    if (token->kind != LBRACE && token->kind != RBRACE && ends_further_in(layout, token))
        return true;
    return !level_of(layout)->flat && statement != innermost(&layout->braces)
           && statement->first_on_line && token->kind != LBRACE && token->kind != RBRACE
           && token->kind != END && !goes_on_before(token->kind)
           && token->span.column > statement->span.column;
}

/* Stands for the heading that is missing: the parser takes it for an error, told
 * already, and then for the body a made-up { opens. */
static const Token *adopt(Layout *layout, const Token *token)
{
    Diagnostic *d = diag(SEVERITY_ERROR, "syntax", token->span,
                         "this line is indented as part of a body, but no `{` opens one");
    diag_label(d, level_of(layout)->statement->span, "the statement before is indented less");
    layout->owes_brace = true;
    layout->separated = false;
    return give(layout, made_up(BAD, NULL, token));
}

/* A line that is indented more than the statement or section heading above it,
 * without a { between. */
static bool lacks_brace(const Layout *layout, const Token *token)
{
    const Token *statement = level_of(layout)->statement;
    return layout->missing < 0 && token->first_on_line && token->kind != LBRACE
           && token->kind != LBRACKET && token->kind != RBRACE && token->kind != END
           && !layout->separated && !level_of(layout)->broken && !layout->parentheses.count
           && layout->last->kind != RBRACE && !goes_on_before(token->kind)
           && !goes_on_after(layout->last->kind) && token->span.column > statement->span.column
           && takes_body(statement);
}

static const Token *open_brace(Layout *layout, const Token *token)
{
    const Token *brace = made_up(LBRACE, layout->last, token);
    if (!layout->owes_brace && layout_tells(layout, brace->span)) {
        Diagnostic *d = diag(SEVERITY_ERROR, "syntax", brace->span, "expected `{` after `%s`",
                             token_text(layout->last));
        diag_fix(d, brace->span, " {", "`{` opens the body that is indented below");
    }
    layout->owes_brace = false;
    layout->missing++;
    layout->erred = true;
    const Token *beyond = follow(layout, brace);
    return beyond ? beyond : give(layout, brace);
}

/* ---- words */

/* Words that came later than programs with such names: one is the language's where a statement
 * begins with it and a name follows, which was no statement before. */
static bool is_late_word(const Layout *layout, const Token *token)
{
    const Token *next = token + 1;
    int before = layout->last && !layout->separated ? layout->last->kind : SEP;
    bool named = token->kind == REUSE || token->kind == OUTPUT;
    if (token->kind == ASIDE && (before == SEP || before == LBRACE))
        return next->kind == LBRACE;
    return named && (before == SEP || before == LBRACE) && !next->first_on_line
           && (next->kind == NAME || next->kind == PATH || next->kind == TEXT_BEGIN
               || is_word_of_grammar(next->kind));
}

/* `as name (left, right)`, `from (left, right)` */
static bool is_among_names(const Layout *layout, int last)
{
    const Token *open = innermost(&layout->parentheses);
    if (!open || (last != LPAREN && last != COMMA) || open - layout->tokens->items < 2)
        return false;
    return open[-1].kind == AS || open[-1].kind == FROM || open[-2].kind == AS;
}

/* A word of the language is a plain name after `as`, `from` and `network`, and
 * as an argument's name. */
static const Token *as_name(const Layout *layout, const Token *token)
{
    if (!is_word_of_grammar(token->kind) || is_late_word(layout, token))
        return token;
    int last =
        layout->last && !layout->separated && !token->first_on_line ? layout->last->kind : SEP;
    bool named = last == AS || last == FROM || last == REUSE || last == OUTPUT || last == NETWORK
                 || is_among_names(layout, last);
    bool late = token->kind == REUSE || token->kind == OUTPUT || token->kind == ASIDE;
    if (!named && !late && (token->kind == LET || token[1].kind != ASSIGN))
        return token;
    Token *name = NEW(Token);
    *name = *token;
    name->kind = NAME;
    return name;
}

static void begin_statement(Layout *layout, const Token *token)
{
    struct Level *level = &layout->levels[layout->braces.count];
    if (!layout->separated)
        return;
    if (level->statement == innermost(&layout->braces))
        level->flat = token->first_on_line && token->span.column <= level->line->span.column;
    level->statement = token;
    layout->separated = false;
}

static const Token *take(Layout *layout, const Token *token)
{
    layout->line = token->first_on_line ? token : layout->line;
    const Token *beyond = follow(layout, token);
    if (beyond)
        return beyond;
    layout->at += token->kind != END;
    token = as_name(layout, token);
    if (token->kind != LBRACE && token->kind != RBRACE) {
        begin_statement(layout, token);
    }
    return give(layout, token);
}

/* A broken statement's `as name`, which is worth knowing. */
static bool names_broken(const Layout *layout, const Token *token)
{
    return layout->braces.count && token->kind == AS && !token[1].first_on_line
           && (token[1].kind == NAME || token[1].kind == PATH) && token[2].kind != LBRACE;
}

static const Token *take_name(Layout *layout, const Token *token)
{
    const Token *as = layout->last && layout->last->kind == BROKEN_AS ? layout->last : NULL;
    layout->at++;
    return give(layout, as ? token : made_up(BROKEN_AS, NULL, token));
}

/* Passes over a word of a broken statement. */
static void skip_word(Layout *layout, const Token *token)
{
    layout->line = token->first_on_line ? token : layout->line;
    if (token->kind == LPAREN || token->kind == LBRACKET)
        push(&layout->parentheses, token);
    if (token->kind == RPAREN || token->kind == RBRACKET)
        layout->parentheses.count -= layout->parentheses.count > 0;
    layout->at++;
}

/* A } for a brace that was left open. */
static const Token *close_brace(Layout *layout, const Token *token)
{
    bool at_end = begins_section(layout, token);
    if (!at_end || layout->missing > 0 || !layout->erred)
        report_unclosed(layout, token, at_end ? layout->braces.count : 1);
    layout->missing = at_end ? 0 : layout->missing - 1;
    layout->erred = true;
    layout->braces.count--;
    layout->separated = false;
    layout->top_close = layout->braces.count ? layout->top_close : NULL;
    return give(layout, made_up(RBRACE, layout->last, token));
}

void layout_start(Layout *layout, const TokenList *tokens)
{
    *layout = (Layout){.tokens = tokens, .separated = true};
    layout->line = layout->levels[0].statement = peek(layout);
}

const Token *layout_next(Layout *layout)
{
    for (;;) {
        const Token *token = peek(layout);
        if (layout->stopped)
            return give(layout, made_up(END, token, NULL));
        if (!layout->braces.count && begins_section(layout, token) && token->kind != END)
            layout->unbalanced = (layout->missing = count_missing(layout)) != 0;
        bool closes =
            layout->braces.count && (begins_section(layout, token) || is_outside(layout, token));
        if (layout->owes_brace || lacks_brace(layout, token))
            return open_brace(layout, token);
        if (is_stray_open(layout, token) || is_stray_close(layout, token)) {
            pass_stray(layout, token);
            continue;
        }
        if (closes && layout->separated)
            return close_brace(layout, token);
        if (is_orphan(layout, token))
            return adopt(layout, token);
        if (closes || statement_ends(layout, token))
            return end_statement(layout, token);
        if (token->kind == SEMICOLON)
            layout->at++;
        else if (level_of(layout)->broken
                 && (names_broken(layout, token) || layout->last->kind == BROKEN_AS))
            return take_name(layout, token);
        else if (level_of(layout)->broken && token->kind != LBRACE && token->kind != END)
            skip_word(layout, token);
        else
            return take(layout, token);
    }
}

void layout_skip_statement(Layout *layout, bool brace_expected)
{
    const Token *wrong = layout->last;
    int level = layout->braces.count - (wrong->kind == LBRACE && layout->braces.count);
    if (wrong->kind == SEP || wrong->kind == END)
        return;
    layout->levels[level].broken = true;
    layout->erred = true;
    if (brace_expected && layout->missing < 0) {
        layout->owes_brace = true;
        layout->at--;
        return;
    }
    if (wrong->kind == AS) /* looked at once more, as part of what is skipped */
        layout->at--;
    /* The first word of a line that is not indented more than this statement
     * begins the next one: it was this one's end that was missing. */
    const Token *statement = layout->levels[level].statement;
    bool begins_next = wrong->first_on_line && wrong != statement && wrong->kind != LBRACE
                       && wrong->span.column <= statement->span.column;
    if (begins_next && wrong->kind != AS)
        layout->at--;
}
