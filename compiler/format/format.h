/* format.h: one layout for all .net files, and shapes written into it.
 *
 * What the formatter's files share is in rows.h.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include "graph/graph.h"

typedef enum FormatMode {
    FORMAT_PLAIN,
    FORMAT_ANNOTATE, /* and `-> […]  #=` on every line that asserts no shape */
    FORMAT_STRIP     /* and those taken away */
} FormatMode;

/* shapes.c: a trace by the position of its statements, for those who ask of a line. */
typedef struct ShapeNotes ShapeNotes;
typedef struct StmtUses {
    const StmtUse **items;
    int count;
} StmtUses;
ShapeNotes *note_shapes(const Trace *trace);
StmtUses uses_at(const ShapeNotes *notes, Span at); /* of the statement that begins there */
/* "[10, 24, 24]", or in a block that is used at several shapes "[c, h/2, w/2]":
 * what it gives at every use; NULL: unknown, or nothing says them all. */
const char *noted_shape(ShapeNotes *notes, Span at);

/* The text in netc's layout.  False: it has errors (reported).  `path` is whose
 * text it is, for messages and used files. */
bool format_text(const char *path, const char *chars, size_t length, FormatMode mode, Text *out);
/* diff.c: what changes as `diff -u` shows it; nothing when nothing does. */
void add_diff(const char *path, const char *before, const char *after, Text *out);

/* files.c: `netc fmt`. */
typedef struct FormatOptions {
    FormatMode mode;
    bool check, diff; /* nothing is written: what would change is told */
} FormatOptions;
/* False: `check` found that it would change. */
bool format_file(const char *path, const FormatOptions *options);

#endif
