/* rows.c: a file's words and comments to rows of statements.
 *
 * The front end's own layout says where statements end; which of them share a
 * line, and which lines are empty, is kept from the text, because that is the
 * author's grouping.  A comment belongs to the line it ends, or is a row of its
 * own; the few that stand within a statement stay before the word they precede.
 */
#include "format/rows.h"
#include "parse.h"

#include <ctype.h>
#include <string.h>

typedef struct Reader {
    LIST(const Token *) words; /* with a SEP after every statement */
    TokenList comments;
    int at, comment; /* the next of each */
    int line;        /* where the last of either ended */
} Reader;

static const Token *peek(const Reader *reader)
{
    return reader->words.items[reader->at];
}

static const Token *take(Reader *reader)
{
    const Token *word = reader->words.items[reader->at++];
    if (word->kind != SEP)
        reader->line = word->span.end_line;
    return word;
}

/* ---- comments */

static bool is_before(Span a, Span b)
{
    return a.line < b.line || (a.line == b.line && a.column < b.column);
}

/* "#text" gets its space; what follows other signs is left alone (#!, ##). */
static const char *canonical(const Token *comment)
{
    int length = comment->span.end_column - comment->span.column;
    while (isspace((unsigned char)comment->chars[length - 1]))
        length--;
    bool tight = length > 1 && isalnum((unsigned char)comment->chars[1]);
    return format("#%s%.*s", tight ? " " : "", length - 1, comment->chars + 1);
}

/* The next comment before this word; chars NULL: none. */
static Remark take_remark(Reader *reader, const Token *word)
{
    if (reader->comment == reader->comments.count)
        return (Remark){0};
    const Token *comment = &reader->comments.items[reader->comment];
    if (word->kind != END && !is_before(comment->span, word->span))
        return (Remark){0};
    Remark remark = {canonical(comment), comment->first_on_line,
                     comment->span.line > reader->line + 1};
    reader->line = comment->span.line;
    reader->comment++;
    return remark;
}

/* ---- statements */

static Rows *read_body(Reader *reader, bool train);

static Part read_part(Reader *reader, bool first, bool train)
{
    Part part = {0};
    const Token *word = peek(reader);
    for (Remark remark; !first && (remark = take_remark(reader, word)).chars;)
        push(&part.remarks, remark);
    part.word = take(reader);
    if (word->kind == LBRACE) {
        part.body = read_body(reader, train);
        part.body->broken |= part.word->span.line != peek(reader)->span.line;
        take(reader);
    }
    return part;
}

/* Where `as name` and `-> shape` begin, of a statement that can have them; of a function, where
 * its value does. */
static void find_ends(Statement *statement)
{
    int count = statement->parts.count, depth = 0, first = statement->parts.items[0].word->kind;
    statement->as = statement->shape = count;
    if (statement->setting || first == BLOCK || first == NETWORK || first == TRAIN || first == USE
        || first == LET)
        return;
    for (int i = 0; i < count; i++) {
        int kind = statement->parts.items[i].word->kind;
        depth += (kind == LPAREN || kind == LBRACKET) - (kind == RPAREN || kind == RBRACKET);
        if (kind == LBRACE)
            statement->as = count; /* it was a loop's `as i` */
        else if (!depth && (kind == AS || (first == FUNCTION && kind == ASSIGN)))
            statement->as = i;
        else if (kind == ARROW && !depth)
            statement->shape = i;
    }
}

static Statement *read_statement(Reader *reader, bool setting)
{
    Statement *statement = NEW(Statement);
    statement->setting = setting;
    bool train = peek(reader)->kind == TRAIN;
    while (peek(reader)->kind != SEP) {
        Part part = read_part(reader, !statement->parts.count, train);
        push(&statement->parts, part);
    }
    take(reader);
    find_ends(statement);
    return statement;
}

/* ---- rows */

/* "#= …" beside a shape: netc wrote it, --strip may take it.  What stands after
 * the mark was the line's comment. */
static void find_mark(Row *row)
{
    const Statement *last = row->statements.items[row->statements.count - 1];
    const char *chars = row->remark.chars;
    if (!chars || chars[1] != '=' || (chars[2] && chars[2] != ' ')
        || last->shape == last->parts.count)
        return;
    row->marked = true;
    row->remark.chars = chars[2] ? format("#%s", chars + 2) : NULL;
}

static void place_remark(Rows *rows, Remark remark)
{
    Row *last = rows->rows.count ? &rows->rows.items[rows->rows.count - 1] : NULL;
    if (remark.own_line) {
        push(&rows->rows, ((Row){.remark = remark, .blank = remark.blank && last}));
    } else if (last) {
        last->remark = remark;
        find_mark(last);
    } else {
        rows->opening = remark;
    }
}

static void read_row(Reader *reader, Rows *rows, bool setting)
{
    const Token *word = peek(reader);
    Row *last = rows->rows.count ? &rows->rows.items[rows->rows.count - 1] : NULL;
    bool begins = !last || !last->statements.count || word->span.line != reader->line;
    if (begins)
        push(&rows->rows, ((Row){.blank = last && word->span.line > reader->line + 1}));
    Statement *statement = read_statement(reader, setting);
    push(&rows->rows.items[rows->rows.count - 1].statements, statement);
}

/* Up to the } or the end of the file. */
static Rows *read_body(Reader *reader, bool train)
{
    Rows *rows = NEW(Rows);
    for (;;) {
        for (Remark remark; (remark = take_remark(reader, peek(reader))).chars;)
            place_remark(rows, remark);
        if (peek(reader)->kind == RBRACE || peek(reader)->kind == END)
            return rows;
        read_row(reader, rows, train);
    }
}

bool is_bodied(const Statement *statement)
{
    for (int i = 0; i < statement->parts.count; i++)
        if (statement->parts.items[i].body && statement->parts.items[i].body->rows.count)
            return true;
    return false;
}

/* ---- the file */

static bool parses(const Source *source, const TokenList *tokens)
{
    int errors = diag_error_count();
    Parser parser = {.program = NEW(Program)};
    parser.program->source = source;
    layout_start(&parser.layout, tokens);
    parse_source(&parser);
    return diag_error_count() == errors;
}

Rows *read_rows(const Source *source)
{
    Reader reader = {.line = 1};
    TokenList tokens = {0};
    int errors = diag_error_count();
    if (!scan_source(source, &tokens, &reader.comments) || !parses(source, &tokens)
        || diag_error_count() > errors)
        return NULL;
    Layout layout;
    layout_start(&layout, &tokens);
    do
        push(&reader.words, layout_next(&layout));
    while (reader.words.items[reader.words.count - 1]->kind != END);
    return read_body(&reader, false);
}
