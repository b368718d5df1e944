/* rows.h: what the files of the formatter share.
 *
 *   rows.c      a file's words and comments to rows of statements
 *   columns.c   rows that stand together to aligned columns
 *   print.c     rows to text
 *   shapes.c    the one shape that is right for a line
 *   annotate.c  that shape written after each row
 *   format.c    a text in, a text out
 *   files.c     `netc fmt`
 *   diff.c      what changed
 *
 * The layout: four spaces for each brace; one statement a line, or several as
 * the author grouped them, parted by ";  "; a body stays on one line if it was
 * on one and fits; blank lines are kept, one at a time.  Lines that stand
 * together are set as a paper sets a table: names, shapes and remarks each in a
 * column.  Words are never added, removed or reordered, but for newlines and
 * semicolons; format.c reads the result back to make sure.
 */
#ifndef ROWS_H
#define ROWS_H

#include "format/format.h"
#include "front/front.h"

enum {
    INDENT = 4,
    CONTINUED = 8,     /* a statement's further lines */
    MAX_COLUMNS = 120, /* of a line, its comment not counted */
    MAX_HEAD = 40,     /* a longer call stands out of the column of names */
    MAX_LEFT = 90      /* a longer line stands out of the column of shapes */
};

/* a comment; chars NULL: none */
typedef struct Remark {
    const char *chars; /* "# as canonically written" */
    bool own_line;
    bool blank; /* an empty line before it */
} Remark;

typedef struct Rows Rows;

/* what a word of a statement is within */
typedef struct Nesting {
    bool known;       /* computed, that is */
    int depth;        /* of ( and [ */
    bool text, value; /* within quotes; within the braces of a text */
    bool negates;     /* the word before is a sign, not a difference */
} Nesting;

/* a word, or a body in braces */
typedef struct Part {
    const Token *word;
    Rows *body;
    int pad; /* further spaces before it */
    Nesting nesting;
    LIST(Remark) remarks; /* before it, within the statement */
} Part;

/* or a section's heading and body, or a setting */
typedef struct Statement {
    LIST(Part) parts;
    int as, shape; /* the parts that begin `as name` (a function's `= value`) and `-> […]`; else the
                    * count */
    bool setting;
    bool tall;            /* takes several lines */
    const char *inferred; /* "-> [10, 24, 24]" to be added; NULL: nothing */
} Statement;

/* a line of the author's: statements, or a comment alone */
typedef struct Row {
    LIST(Statement *) statements;
    Remark remark;
    bool blank;  /* an empty line before it */
    bool marked; /* its last shape is --annotate's */
} Row;

struct Rows {
    LIST(Row) rows;
    Remark opening; /* beside the { */
    bool broken;    /* the author began a new line in it */
};

/* rows.c.  NULL: the file has errors (reported). */
Rows *read_rows(const Source *source);
bool is_bodied(const Statement *statement); /* has a { } with something in it */

/* columns.c */
int width_of(const char *text); /* in columns */
/* The statement's parts [from, to) on one line. */
void add_flat(const Statement *statement, int from, int to, Text *out);
/* … one that is no body, without the gap before it. */
void add_part_word(const Part *part, Text *out);
/* Whether a space stands before parts[at], of a line that begins at `from`. */
bool is_spaced(const Statement *statement, int at);
const char *flat_row(const Row *row); /* all of it on one line, but for the remark */
int row_width(const Row *row);        /* of that, a marked shape not counted */
/* A setting's words begin in one column, also of those that take several lines. */
void align_settings(const Rows *rows);
/* Rows [from, to) of one paragraph, each one line: to `lines`, one each. */
typedef LIST(const char *) Lines;
void set_columns(const Rows *rows, int from, int to, Lines *lines);
const char *remark_text(const Row *row); /* "#= what it says", or NULL */

/* print.c */
void print_rows(Rows *rows, Text *out);

/* annotate.c: gives every row that asserts no shape the one that was inferred. */
void annotate_rows(Rows *rows, const Program *program, ShapeNotes *notes);
void strip_rows(Rows *rows); /* takes the marked ones away */

#endif
