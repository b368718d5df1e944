/* expected.c: a syntax error in plain words: what was expected, after what, and
 * what stands there instead.
 *
 * The parser's list of acceptable words is long and of no use to a reader
 * (every operator may follow every value), so it is reduced to what a person
 * would name.  A few slips that everyone makes get a sentence of their own.
 */
#include "front/front.h"
#include "parse.h"

#include <string.h>

static const Token *following(const Layout *layout)
{
    return &layout->tokens->items[layout->at];
}

static const char *quoted(const Token *token)
{
    if (token->kind == END)
        return "the end of the file";
    return token->kind == TEXT_END ? "the quoted text" : format("`%s`", token_text(token));
}

/* The last word, as a reader sees it. */
static const char *found(const Layout *layout)
{
    const Token *token = layout->last;
    if (token->kind != SEP)
        return quoted(token);
    const Token *next = following(layout);
    return next->first_on_line && next->kind != END ? "the end of the line" : quoted(next);
}

static bool names_sign(const Expected *expected, const char *sign)
{
    for (int i = 0; i < expected->signs.count; i++)
        if (strcmp(expected->signs.items[i], sign) == 0)
            return true;
    return false;
}

/* "`,`, `)` or `else`" of the signs that are worth naming. */
static const char *listed_signs(const Expected *expected)
{
    static const char *const worth[] = {"else", ",", ")", "]", "{", "}", NULL};
    static const char *const otherwise[] = {"=", "(", "[", NULL};
    const char *named[16];
    int count = 0;
    for (int i = 0; worth[i]; i++)
        if (names_sign(expected, worth[i]))
            named[count++] = worth[i];
    for (int i = 0; !count && otherwise[i]; i++)
        if (names_sign(expected, otherwise[i]))
            named[count++] = otherwise[i];
    Text text = {0};
    for (int i = 0; i < count; i++)
        text_add(&text, "%s`%s`", !i ? "" : i < count - 1 ? ", " : " or ", named[i]);
    return text_chars(&text);
}

static const char *wanted(const Expected *expected)
{
    if (expected->section)
        return "`block`, `function`, `network`, `train` or `use`";
    if (expected->statement)
        return "a statement or `}`";
    if (expected->value)
        return names_sign(expected, ")")   ? "a value or `)`"
               : names_sign(expected, "]") ? "a value or `]`"
                                           : "a value";
    if (expected->name)
        return expected->separator ? "a setting or `}`" : "a name";
    if (expected->text)
        return "a path in double quotes";
    if (expected->separator)
        return "the end of the statement";
    return listed_signs(expected);
}

static bool precedes_statement(int kind)
{
    return kind == LBRACE || kind == SEP || kind == RBRACE;
}

/* The place to look at: where the statement broke off rather than the line
 * below it, of which nothing is wrong. */
static Span fault_span(const Layout *layout)
{
    Span at = layout->last->span;
    if (continues_body(layout->last) || !layout->last->first_on_line || !layout->before
        || precedes_statement(layout->before->kind))
        return at;
    at = layout->before->span;
    at.line = at.end_line;
    at.column = at.end_column;
    return at;
}

static void explain_parenthesis(Diagnostic *d, const Layout *layout, const Expected *expected)
{
    const Token *open = layout->last->kind == SEP ? layout->unclosed : NULL;
    if (!open && (layout->last->first_on_line || layout->last->kind == LBRACE)
        && layout->parentheses.count)
        open = layout->parentheses.items[layout->parentheses.count - 1];
    if (open && (names_sign(expected, ")") || names_sign(expected, "]")))
        diag_label(d, open->span, "this `%s` is not closed", token_text(open));
}

static void explain_assignment(Diagnostic *d, const Layout *layout, const Expected *expected)
{
    const Token *name = layout->before;
    if (name->kind != NAME || name != layout->levels[layout->braces.count].statement)
        return;
    if (expected->value)
        diag_help(d, "a setting is its name and its value, without `=`");
    else
        diag_help(d, "`let %s = …` defines a value; `… as %s` names a tensor", name->word,
                  name->word);
}

static void explain_section(Diagnostic *d, const Layout *layout)
{
    static const char *const words[] = {"block", "function", "network", "train", "use", NULL};
    const Token *token = layout->last;
    const char *meant = token->kind == NAME ? nearest_for(d, token->word, words) : NULL;
    if (meant)
        diag_fix(d, token->span, meant, "did you mean `%s`?", meant);
    else if (layout->top_close)
        diag_label(d, layout->top_close->span, "this `}` ends what stands above");
}

/* Layers in a list, as Python has them: all commas of the line, none that is in
 * parentheses, part statements or end the last. */
static void part_statements(Diagnostic *d, const Token *comma)
{
    EditList edits = {0};
    int depth = 0;
    for (const Token *token = comma; token->kind != END && depth >= 0; token++) {
        depth += token->kind == LPAREN || token->kind == LBRACKET;
        depth -= token->kind == RPAREN || token->kind == RBRACKET;
        bool last = token[1].first_on_line || token[1].kind == END;
        if (token->kind == COMMA && !depth)
            push(&edits, ((Edit){token->span, last ? "" : ";"}));
        if (last)
            break;
    }
    diag_repair(d, &edits,
                "a statement ends with its line, or `;` parts it from the next: no comma does");
}

/* `as left, right`, `from left, right` */
static bool is_after_name(const Layout *layout)
{
    const Token *comma = layout->last;
    return comma - layout->tokens->items >= 2 && !layout->parentheses.count
           && (comma[-2].kind == AS || comma[-2].kind == FROM);
}

static void explain(Diagnostic *d, const Layout *layout, const Expected *expected)
{
    const Token *token = layout->last;
    explain_parenthesis(d, layout, expected);
    if (continues_body(token)) {
        diag_help(d, token->kind == ELSE ? "`else` follows the `}` of an if"
                                         : "`shortcut` follows the `}` of a skip");
        return;
    }
    if (expected->section)
        explain_section(d, layout);
    else if (token->kind >= USE && token->kind <= ANY && expected->name && !expected->statement)
        diag_note(d, "`%s` is a word of the language and cannot be a name here", token->word);
    else if ((token->kind == INT || token->kind == FLOAT) && expected->name && expected->text)
        diag_help(d, "a name that begins with a digit is quoted: \"%s\"", token_text(token));
    else if (token->kind == COMMA && expected->separator && is_after_name(layout))
        diag_help(d, "several names stand in brackets: `%s (left, right)`",
                  token[-2].kind == AS ? "as" : "from");
    else if (token->kind == LPAREN && layout->before && layout->before->kind == ARROW)
        diag_help(d, "a shape stands in square brackets; several tensors have one each: "
                     "`-> [8], [4]`");
    else if (token->kind == NAME && layout->before && layout->before->kind == INPUT)
        diag_help(d, "an input's name follows its shape: `input [1, 28, 28] as %s`", token->word);
    else if (token->kind == NAME && layout->before && layout->before->kind == NAME
             && strcmp(layout->before->word, "for") == 0)
        diag_help(d, "`repeat 4 as %s { … }` repeats, and %s counts from 0", token->word,
                  token->word);
    else if (token->kind == COMMA && expected->separator && !layout->parentheses.count)
        part_statements(d, token);
    else if (token->kind == TIMES && layout->before->kind == TIMES && expected->value)
        diag_help(d, "a power is written pow(x, n)");
    else if (token->kind == ASSIGN && expected->separator)
        explain_assignment(d, layout, expected);
}

/* Words that the scanner refused were reported there. */
static bool is_reported(const Layout *layout)
{
    return layout->stopped || layout->last->kind == BAD || layout->last->kind == BAD_VALUE;
}

static void report(Layout *layout, const Expected *expected)
{
    if (!layout_tells(layout, fault_span(layout)))
        return;
    bool begins = !layout->before || precedes_statement(layout->before->kind);
    const char *after = begins ? "" : format(" after %s", quoted(layout->before));
    Diagnostic *d = diag(SEVERITY_ERROR, "syntax", fault_span(layout), "expected %s%s, found %s",
                         wanted(expected), after, found(layout));
    explain(d, layout, expected);
}

void report_syntax_error(Parser *parser, const Expected *expected)
{
    Layout *layout = &parser->layout;
    Expected widened = *expected;
    /* outside braces only sections follow */
    widened.section |= !layout->braces.count && expected->separator;
    if (!is_reported(layout))
        report(layout, &widened);
    parser->errors++;
    layout_skip_statement(layout, names_sign(expected, "{"));
}
