/* print.c: rows to text.  What fits its line is set in columns with its
 * neighbours; what does not takes several: a body one row a line, a list of
 * arguments broken after its commas.
 *
 * Whether something fits is decided on its text without columns, so that the
 * answer is the same when the result is formatted again.
 */
#include "format/rows.h"
#include "parse.h"

#include <string.h>

/* ---- what takes several lines */

static void settle_rows(Rows *rows, int indent);

static bool has_remarks(const Rows *body)
{
    if (body->opening.chars)
        return true;
    for (int i = 0; i < body->rows.count; i++)
        if (body->rows.items[i].remark.chars || body->rows.items[i].marked)
            return true;
    return false;
}

static bool has_tall(const Rows *rows)
{
    for (int i = 0; i < rows->rows.count; i++)
        for (int k = 0; k < rows->rows.items[i].statements.count; k++)
            if (rows->rows.items[i].statements.items[k]->tall)
                return true;
    return false;
}

/* By the author's choice, or for a comment's sake. */
static void settle_statement(Statement *statement, int indent)
{
    for (int i = 0; i < statement->parts.count; i++) {
        const Part *part = &statement->parts.items[i];
        statement->tall |= part->remarks.count > 0;
        if (!part->body)
            continue;
        settle_rows(part->body, indent + INDENT);
        statement->tall |= has_remarks(part->body) || has_tall(part->body)
                           || (part->body->broken && part->body->rows.count);
    }
}

/* A row that cannot be one line: each of its statements becomes a row. */
static void split_row(Rows *rows, int at)
{
    Row row = rows->rows.items[at];
    int more = row.statements.count - 1;
    for (int i = 0; i < more; i++)
        push(&rows->rows, (Row){0});
    memmove(&rows->rows.items[at + more], &rows->rows.items[at],
            (size_t)(rows->rows.count - more - at) * sizeof(Row));
    for (int i = 0; i <= more; i++) {
        Row single = {.blank = i == 0 && row.blank};
        if (i == more)
            single =
                (Row){.blank = more == 0 && row.blank, .remark = row.remark, .marked = row.marked};
        push(&single.statements, row.statements.items[i]);
        rows->rows.items[at + i] = single;
    }
}

static bool is_tall(const Row *row)
{
    for (int i = 0; i < row->statements.count; i++)
        if (row->statements.items[i]->tall)
            return true;
    return false;
}

static void settle_rows(Rows *rows, int indent)
{
    for (int i = 0; i < rows->rows.count; i++) {
        Row *row = &rows->rows.items[i];
        for (int k = 0; k < row->statements.count; k++)
            settle_statement(row->statements.items[k], indent);
        bool fits =
            !row->statements.count || (!is_tall(row) && indent + row_width(row) <= MAX_COLUMNS);
        if (!fits && row->statements.count > 1) {
            split_row(rows, i);
            rows->broken = true; /* what is around it is no line, either */
            row = &rows->rows.items[i];
            fits = !is_tall(row) && indent + row_width(row) <= MAX_COLUMNS;
        }
        if (!fits)
            row->statements.items[0]->tall = true;
    }
}

/* ---- lines */

static void new_line(int indent, Text *out)
{
    while (out->length && out->chars[out->length - 1] == ' ')
        out->length--;
    text_add(out, "\n%*s", indent, "");
}

static int column_of(const Text *out)
{
    size_t start = out->length;
    while (start && out->chars[start - 1] != '\n')
        start--;
    return width_of(out->chars ? out->chars + start : "");
}

static void add_remark(const char *chars, Text *out)
{
    if (chars)
        text_add(out, "  %s", chars);
}

/* ---- statements of several lines */

static void print_body(Rows *rows, int indent, Text *out);

/* How far the line goes from parts[from] to where it may next be broken. */
static int width_to_break(const Statement *statement, int from)
{
    Text text = {0};
    int to = from + 1;
    while (to < statement->parts.count && !statement->parts.items[to].body
           && statement->parts.items[to - 1].word->kind != COMMA)
        to++;
    add_flat(statement, from, to, &text);
    bool brace = to < statement->parts.count && statement->parts.items[to].body;
    return width_of(text_chars(&text)) + (brace ? 2 : 0);
}

static void print_remarks(const Part *part, int indent, Text *out)
{
    for (int i = 0; i < part->remarks.count; i++) {
        if (part->remarks.items[i].own_line)
            new_line(indent, out);
        else
            text_add(out, "  ");
        text_add(out, "%s", part->remarks.items[i].chars);
    }
    new_line(indent, out);
}

/* After a body of several lines `shortcut` begins a line, as its skip did. */
static void print_gap(const Statement *statement, int at, int indent, Text *out)
{
    const Part *part = &statement->parts.items[at];
    bool after_body = at && statement->parts.items[at - 1].body;
    if (part->remarks.count)
        print_remarks(part, after_body ? indent : indent + CONTINUED, out);
    else if (after_body && part->word->kind == SHORTCUT)
        new_line(indent, out);
    else if (at && statement->parts.items[at - 1].word->kind == COMMA
             && column_of(out) + 1 + width_to_break(statement, at) > MAX_COLUMNS)
        new_line(indent + CONTINUED, out);
    else if (at)
        text_add(out, "%*s", is_spaced(statement, at) + part->pad, "");
}

static void print_statement(const Statement *statement, int indent, Text *out)
{
    for (int i = 0; i < statement->parts.count; i++) {
        const Part *part = &statement->parts.items[i];
        print_gap(statement, i, indent, out);
        if (part->body)
            print_body(part->body, indent, out);
        else
            add_part_word(part, out);
    }
    if (statement->inferred)
        text_add(out, " %s", statement->inferred);
}

static void print_paragraphs(Rows *rows, int indent, Text *out);

static void print_body(Rows *rows, int indent, Text *out)
{
    text_add(out, "{");
    add_remark(rows->opening.chars, out);
    if (!rows->rows.count && !rows->opening.chars) {
        text_add(out, " }");
        return;
    }
    print_paragraphs(rows, indent + INDENT, out);
    new_line(indent, out);
    text_add(out, "}");
}

/* ---- rows */

static bool is_line(const Row *row)
{
    return row->statements.count && !is_tall(row);
}

/* The rows from `from` that are set together. */
static int paragraph_end(const Rows *rows, int from)
{
    int to = from + 1;
    while (to < rows->rows.count && is_line(&rows->rows.items[to]) && !rows->rows.items[to].blank)
        to++;
    return to;
}

static void begin_row(const Row *row, int indent, Text *out)
{
    if (row->blank)
        new_line(0, out);
    if (out->length)
        new_line(indent, out);
}

static void print_paragraphs(Rows *rows, int indent, Text *out)
{
    align_settings(rows);
    for (int i = 0, end; i < rows->rows.count; i = end) {
        Row *row = &rows->rows.items[i];
        end = i + 1;
        begin_row(row, indent, out);
        if (!row->statements.count) {
            text_add(out, "%s", row->remark.chars);
        } else if (is_tall(row)) {
            print_statement(row->statements.items[0], indent, out);
            add_remark(remark_text(row), out);
        } else {
            Lines lines = {0};
            end = paragraph_end(rows, i);
            set_columns(rows, i, end, &lines);
            for (int k = 0; k < lines.count; k++) {
                if (k)
                    begin_row(&rows->rows.items[i + k], indent, out);
                text_add(out, "%s", lines.items[k]);
            }
        }
    }
}

/* A section of several lines stands apart. */
static void space_sections(Rows *rows)
{
    for (int i = 1; i < rows->rows.count; i++) {
        const Row *before = &rows->rows.items[i - 1], *row = &rows->rows.items[i];
        bool commented = !before->statements.count;
        rows->rows.items[i].blank |= is_tall(before) || (is_tall(row) && !commented);
    }
}

void print_rows(Rows *rows, Text *out)
{
    settle_rows(rows, 0);
    for (int i = 0; i < rows->rows.count; i++) /* sections never share a line */
        if (rows->rows.items[i].statements.count > 1)
            split_row(rows, i);
    space_sections(rows);
    if (rows->opening.chars) /* a comment beside an empty statement that begins the file */
        text_add(out, "%s", rows->opening.chars);
    print_paragraphs(rows, 0, out);
    if (out->length)
        new_line(0, out);
}
