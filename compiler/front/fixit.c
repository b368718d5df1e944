/* fixit.c: misspelt words of the language.
 *
 * A word that begins a section, a loop or a let and is misspelt would be taken
 * for a name, and everything it governs for nonsense: many messages of one slip.
 * What follows the word shows that it can be no name, so the word that was meant
 * is put in its place before the file is parsed, with one message.
 */
#include "front/front.h"
#include "ops/ops.h"
#include "parse.h"

#include <string.h>

static bool follows(const Token *token, int kind)
{
    return token[1].kind == kind && !token[1].first_on_line;
}

static bool line_ends_in_brace(const Token *token)
{
    while (token[1].kind != END && !token[1].first_on_line)
        token++;
    return token->kind == LBRACE;
}

/* The words that could stand where this name stands, by what follows it, and not
 * the name itself; NULL: it may be a name. */
static const char *const *words_instead(const Token *token, bool begins)
{
    static const char *const
        sections[] = {"block", "network", "train", NULL},
        *const lets[] = {"let", NULL}, *const inputs[] = {"input", NULL},
        *const bodies[] = {"branch", "skip", NULL}, *const loops[] = {"repeat", "dense", NULL},
        *const more[] = {"else", "shortcut", NULL}, *const origins[] = {"from", NULL},
        *const choices[] = {"else", "skip", NULL}, *const functions[] = {"function", NULL};
    bool heading = token->first_on_line && token->span.column == 1;
    if (heading && line_ends_in_brace(token) && (follows(token, NAME) || follows(token, LBRACE)))
        return sections;
    if (heading && follows(token, NAME) && token[2].kind == LPAREN)
        return functions;
    if (!begins)
        return follows(token, LBRACE) ? more : NULL;
    if (follows(token, NAME))
        return token[2].kind == ASSIGN                          ? lets
               : token[2].kind == LBRACE || token[2].kind == AS ? loops
                                                                : origins;
    if (follows(token, LBRACKET))
        return inputs;
    if (follows(token, LBRACE))
        return find_operator(token->word) ? NULL : bodies;
    if (follows(token, IF))
        return choices;
    return follows(token, INT) ? loops : NULL;
}

/* Of several lines that were meant to be sections, loops or lets, none is lost to
 * one slip: the word that was meant is put in its place. */
static void fix_word(Token *token, const char *const *words)
{
    const char *meant = nearest(token->word, words);
    if (!meant)
        return;
    Diagnostic *d = diag(SEVERITY_ERROR, "syntax", token->span,
                         "`%s` begins nothing here: `%s` is the word", token->word, meant);
    nearest_for(d, token->word, words);
    diag_fix(d, token->span, meant, "did you mean `%s`?", meant);
    token->kind = keyword(meant, (int)strlen(meant));
    token->word = intern(meant);
}

static bool begins_statement(const Token *token)
{
    int before = token[-1].kind;
    return token->first_on_line || before == LBRACE || before == SEMICOLON;
}

static bool in_settings(const Token *section)
{
    return section && section->kind == TRAIN;
}

/* nn.Conv2d(…): no path is ever called or begins a statement, so it was meant as
 * an operator's name; what it is called here is told where operators are known. */
static void take_path_for_name(Token *token, bool begins)
{
    if (token->kind == PATH && (begins || follows(token, LPAREN)))
        token->kind = NAME;
}

void fix_words(TokenList *tokens)
{
    const Token *section = NULL;
    for (int i = 0; i < tokens->count; i++) {
        Token *token = &tokens->items[i];
        take_path_for_name(token, i > 0 && begins_statement(token) && token[-1].kind != COMMA
                                      && token[-1].kind != ASSIGN);
        if (token->kind == NAME
            && (i == 0 || begins_statement(token) || token[-1].kind == RBRACE)) {
            bool begins = i == 0 || begins_statement(token);
            const char *const *words = words_instead(token, begins);
            bool heading = token->first_on_line && token->span.column == 1;
            if (words && (heading || !in_settings(section)))
                fix_word(token, words);
        }
        section = is_section_word(token) && token->first_on_line && token->span.column == 1
                      ? token
                      : section;
    }
}
