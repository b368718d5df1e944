/* columns.c: rows that stand together, set as a paper sets a table: what is
 * applied, its name, its shape and a remark each in a column of its own.
 *
 * A column is as wide as its widest cell, except that a cell wider than a limit
 * stands out alone rather than push all others to the right.
 */
#include "format/rows.h"
#include "parse.h"

#include <string.h>

/* ---- spaces */

static bool ends_value(int kind)
{
    return kind == NAME || kind == PATH || kind == INT || kind == FLOAT || kind == TRUE
           || kind == FALSE || kind == ANY || kind == RPAREN || kind == RBRACKET
           || kind == TEXT_END;
}

static bool is_word(int kind)
{
    return kind == IF || kind == ELSE || kind == AND || kind == OR || kind == NOT;
}

static int kind_at(const Statement *statement, int at)
{
    return statement->parts.items[at].word->kind;
}

/* From the nearest word before whose nesting is known: who asks word by word makes one pass. */
static Nesting nesting_of(const Statement *statement, int at)
{
    Part *parts = statement->parts.items;
    int i = at;
    while (i > 0 && !parts[i].nesting.known)
        i--;
    for (parts[0].nesting.known = true; i < at; i++) {
        Nesting nesting = parts[i].nesting;
        int kind = kind_at(statement, i);
        nesting.depth +=
            (kind == LPAREN || kind == LBRACKET) - (kind == RPAREN || kind == RBRACKET);
        nesting.text = (nesting.text || kind == TEXT_BEGIN) && kind != TEXT_END;
        nesting.value = (nesting.value || kind == TEXT_OPEN) && kind != TEXT_CLOSE;
        nesting.negates = kind == MINUS && (i == 0 || !ends_value(kind_at(statement, i - 1)));
        parts[i + 1].nesting = nesting;
    }
    return parts[at].nesting;
}

static bool is_product(int kind)
{
    return kind == TIMES || kind == DIVIDE || kind == FLOOR_DIVIDE;
}

/* "xs[i]" and "ceil(h)", but "block A [c, h, w]" and "normalize (0.5)". */
static bool is_applied(const Statement *statement, int before, int depth, bool bracket)
{
    bool first = before == 0 && statement->setting;
    bool signature = bracket && !depth && kind_at(statement, 0) == BLOCK;
    bool named = before > 0 && kind_at(statement, before - 1) == AS; /* as NAME (left, right) */
    return kind_at(statement, before) == NAME && !first && !signature && !named;
}

bool is_spaced(const Statement *statement, int at)
{
    Nesting nesting = nesting_of(statement, at);
    int before = kind_at(statement, at - 1), kind = kind_at(statement, at);
    if (nesting.text && !(nesting.value && (is_word(kind) || is_word(before) || before == COMMA)))
        return false;
    if (before == LPAREN || before == LBRACKET || kind == RPAREN || kind == RBRACKET
        || kind == COMMA || kind == COLON || before == COLON || nesting.negates)
        return false;
    if (kind == LPAREN || kind == LBRACKET)
        if (is_applied(statement, at - 1, nesting.depth, kind == LBRACKET))
            return false;
    if (kind == ASSIGN || before == ASSIGN)
        return (kind_at(statement, 0) == LET || kind_at(statement, 0) == FUNCTION)
               && !nesting.depth;
    return !is_product(kind) && !is_product(before);
}

/* ---- statements on one line */

static void add_body(const Rows *body, Text *out)
{
    text_add(out, "{ ");
    for (int i = 0; i < body->rows.count; i++)
        text_add(out, "%s%s", i ? " " : "", flat_row(&body->rows.items[i]));
    text_add(out, body->rows.count ? " }" : "}");
}

void add_part_word(const Part *part, Text *out)
{
    text_add_range(out, part->word->chars,
                   (size_t)(part->word->span.end_column - part->word->span.column));
}

void add_flat(const Statement *statement, int from, int to, Text *out)
{
    for (int i = from; i < to; i++) {
        const Part *part = &statement->parts.items[i];
        text_add(out, "%*s", part->pad + (i > from && is_spaced(statement, i)), "");
        if (part->body)
            add_body(part->body, out);
        else
            add_part_word(part, out);
    }
}

/* A statement that ends in } needs no semicolon after it. */
static const char *separator_after(const Statement *statement)
{
    int last = statement->parts.count - 1;
    return statement->parts.items[last].body ? "" : ";";
}

static void add_statements(const Row *row, int from, int to, Text *out)
{
    for (int i = from; i < to; i++) {
        const Statement *statement = row->statements.items[i];
        bool last = i == row->statements.count - 1;
        add_flat(statement, 0, last ? statement->shape : statement->parts.count, out);
        if (i + 1 < to)
            text_add(out, "%s  ", separator_after(statement));
    }
}

static const char *shape_cell(const Row *row)
{
    const Statement *last = row->statements.items[row->statements.count - 1];
    Text text = {0};
    if (last->shape < last->parts.count)
        add_flat(last, last->shape, last->parts.count, &text);
    else if (last->inferred)
        return last->inferred;
    return text.length ? text_chars(&text) : NULL;
}

const char *flat_row(const Row *row)
{
    Text text = {0};
    add_statements(row, 0, row->statements.count, &text);
    const char *shape = shape_cell(row);
    if (shape)
        text_add(&text, " %s", shape);
    return text_chars(&text);
}

/* What --annotate adds does not count, so that it moves nothing. */
int row_width(const Row *row)
{
    Text text = {0};
    if (!row->marked)
        return width_of(flat_row(row));
    add_statements(row, 0, row->statements.count, &text);
    return width_of(text_chars(&text));
}

const char *remark_text(const Row *row)
{
    const char *chars = row->remark.chars;
    if (!row->marked)
        return chars;
    return chars ? format("#=%s%s", chars[1] == ' ' ? "" : " ", chars + 1) : "#=";
}

/* ---- spaces within a row that line it up with its neighbours */

static Statement *only_statement(const Rows *rows, int at)
{
    const Row *row = &rows->rows.items[at];
    return row->statements.count == 1 ? row->statements.items[0] : NULL;
}

static int length_of(const Part *part)
{
    return part->word->span.end_column - part->word->span.column;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* The part of the row that a neighbour's lines up with, and how wide what is
 * before it is; 0: none.  `=` of a let, the { of a loop. */
static int aligned_part(const Rows *rows, int at, int first, int *width)
{
    const Statement *statement = only_statement(rows, at);
    if (!statement || kind_at(statement, 0) != first)
        return 0;
    int found = 0;
    for (int i = 1; i < statement->parts.count && !found; i++)
        if (first == LET ? kind_at(statement, i) == ASSIGN : statement->parts.items[i].body != NULL)
            found = i;
    Text text = {0};
    add_flat(statement, 0, found, &text);
    *width = width_of(text_chars(&text));
    return found;
}

static void align_parts(const Rows *rows, int from, int to, int first)
{
    int widest = 0, width;
    for (int i = from; i < to; i++)
        if (aligned_part(rows, i, first, &width) && width <= MAX_HEAD)
            widest = larger(widest, width);
    for (int i = from; i < to; i++) {
        int part = aligned_part(rows, i, first, &width);
        if (part && width <= MAX_HEAD)
            rows->rows.items[i].statements.items[0]->parts.items[part].pad = widest - width;
    }
}

/* Whether it begins "Name(3, 4, 5, …)", three whole numbers or more: a row of a
 * paper's table. */
static int numbers_in(const Statement *statement)
{
    int count = 0, at = 2;
    if (!statement || statement->parts.count < 4 || kind_at(statement, 0) != NAME
        || kind_at(statement, 1) != LPAREN)
        return 0;
    for (; at + 1 < statement->parts.count && kind_at(statement, at) == INT; at += 2, count++)
        if (kind_at(statement, at + 1) == RPAREN)
            return count + 1 >= 3 ? count + 1 : 0;
        else if (kind_at(statement, at + 1) != COMMA)
            return 0;
    return 0;
}

/* The rows of a paragraph whose name and count of numbers are the same. */
typedef struct Table {
    int numbers;
    LIST(Statement *) rows;
} Table;

typedef struct Tables {
    Map by_name; /* Table, by name and count */
    LIST(Table *) all;
} Tables;

static void align_table(const Table *table)
{
    for (int part = 2; part < 2 + 2 * table->numbers; part += 2) {
        int widest = 0;
        for (int i = 0; i < table->rows.count; i++)
            widest = larger(widest, length_of(&table->rows.items[i]->parts.items[part]));
        for (int i = 0; i < table->rows.count; i++) {
            Part *number = &table->rows.items[i]->parts.items[part];
            number->pad = widest - length_of(number);
        }
    }
}

static Table *table_of(Tables *tables, const Statement *row, int numbers)
{
    const char *key = format("%d %s", numbers, row->parts.items[0].word->word);
    Table *table = map_get(&tables->by_name, key);
    if (!table) {
        table = NEW(Table);
        table->numbers = numbers;
        map_set(&tables->by_name, key, table);
        push(&tables->all, table);
    }
    return table;
}

static void align_tables(const Rows *rows, int from, int to)
{
    Tables tables = {0};
    for (int i = from; i < to; i++) {
        Statement *row = only_statement(rows, i);
        int numbers = numbers_in(row);
        if (numbers)
            push(&table_of(&tables, row, numbers)->rows, row);
    }
    for (int i = 0; i < tables.all.count; i++)
        align_table(tables.all.items[i]);
}

void align_settings(const Rows *rows)
{
    int widest = 0, to = rows->rows.count;
    for (int i = 0; i < to; i++)
        if (only_statement(rows, i))
            widest = larger(widest, length_of(&only_statement(rows, i)->parts.items[0]));
    for (int i = 0; i < to; i++) {
        Statement *statement = only_statement(rows, i);
        if (statement && statement->setting && statement->parts.count > 1)
            statement->parts.items[1].pad = widest - length_of(&statement->parts.items[0]);
    }
}

/* ---- columns */

int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

typedef struct Cells {
    const char *head, *as, *rest, *shape, *remark;
} Cells;

static Cells cells_of(const Row *row)
{
    const Statement *first = row->statements.items[0];
    bool alone = row->statements.count == 1;
    Text head = {0}, as = {0}, rest = {0};
    int end = alone ? first->shape : first->parts.count, named = first->as < end ? first->as : end;
    add_flat(first, 0, named, &head);
    add_flat(first, named, end, &as);
    if (!alone)
        text_add(as.length ? &as : &head, "%s", separator_after(first));
    add_statements(row, 1, row->statements.count, &rest);
    return (Cells){text_chars(&head), as.length ? text_chars(&as) : NULL,
                   alone ? NULL : text_chars(&rest), shape_cell(row), remark_text(row)};
}

/* Appends a cell, at `column` when the line is not beyond it. */
static void add_cell(const char **line, int column, int gap, const char *cell)
{
    if (!cell)
        return;
    int width = width_of(*line), pad = column > width ? column - width : 0;
    *line = format("%s%*s%s", *line, pad + gap, "", cell);
}

static int widest_line(const Lines *lines, const Cells *cells, size_t member, int max_width)
{
    int widest = 0;
    for (int i = 0; i < lines->count; i++) {
        const char *cell = *(const char *const *)((const char *)&cells[i] + member);
        int width = width_of(lines->items[i]);
        if (cell && width <= max_width)
            widest = larger(widest, width);
    }
    return widest;
}

static int widest_of_all(const Lines *lines, int max_width)
{
    int widest = 0;
    for (int i = 0; i < lines->count; i++)
        if (width_of(lines->items[i]) <= max_width)
            widest = larger(widest, width_of(lines->items[i]));
    return widest;
}

void set_columns(const Rows *rows, int from, int to, Lines *lines)
{
    align_parts(rows, from, to, LET);
    align_parts(rows, from, to, REPEAT);
    align_parts(rows, from, to, DENSE);
    align_tables(rows, from, to);
    Cells *cells = NEW_ARRAY(Cells, (size_t)(to - from));
    for (int i = from; i < to; i++) {
        cells[i - from] = cells_of(&rows->rows.items[i]);
        push(lines, cells[i - from].head);
    }
    int count = lines->count, column = widest_line(lines, cells, offsetof(Cells, as), MAX_HEAD);
    for (int i = 0; i < count; i++)
        add_cell(&lines->items[i], width_of(lines->items[i]) <= MAX_HEAD ? column : 0, 1,
                 cells[i].as);
    column = widest_line(lines, cells, offsetof(Cells, rest), MAX_LEFT);
    for (int i = 0; i < count; i++)
        add_cell(&lines->items[i], column, 2, cells[i].rest);
    column = widest_of_all(lines, MAX_LEFT);
    for (int i = 0; i < count; i++)
        add_cell(&lines->items[i], column, 1, cells[i].shape);
    column = widest_line(lines, cells, offsetof(Cells, remark), MAX_COLUMNS);
    for (int i = 0; i < count; i++)
        add_cell(&lines->items[i], column, 2, cells[i].remark);
}
