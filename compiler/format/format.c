/* format.c: a text in, the same program in netc's layout out.
 *
 * The result is read back and compared with what it was made of, word by word
 * and comment by comment: a formatter may be wrong about a space, never about a
 * program.
 */
#include "format/rows.h"
#include "parse.h"

#include <string.h>

/* ---- that nothing was lost */

static void scan(const char *path, const char *chars, size_t length, TokenList *words,
                 TokenList *comments)
{
    TokenList all = {0};
    require(scan_source(new_source(path, chars, length), &all, comments));
    for (int i = 0; i < all.count; i++)
        if (all.items[i].kind != SEMICOLON)
            push(words, all.items[i]);
}

static bool same_word(const Token *a, const Token *b)
{
    int length = a->span.end_column - a->span.column;
    return a->kind == b->kind && length == b->span.end_column - b->span.column
           && (a->kind == END || !strncmp(a->chars, b->chars, (size_t)length));
}

static void require_same(const char *path, const char *before, size_t length, const Text *after)
{
    TokenList words[2] = {{0}}, comments[2] = {{0}};
    scan(path, before, length, &words[0], &comments[0]);
    scan(path, text_chars(after), after->length, &words[1], &comments[1]);
    require(words[0].count == words[1].count && comments[0].count == comments[1].count);
    for (int i = 0; i < words[0].count; i++)
        require(same_word(&words[0].items[i], &words[1].items[i]));
}

/* ---- the three ways */

static bool lay_out(const char *path, const char *chars, size_t length, Text *out)
{
    Rows *rows = read_rows(new_source(path, chars, length));
    if (!rows)
        return false;
    print_rows(rows, out);
    require_same(path, chars, length, out);
    return true;
}

static bool lay_out_stripped(const char *path, const char *chars, size_t length, Text *out)
{
    Rows *rows = read_rows(new_source(path, chars, length));
    if (!rows)
        return false;
    strip_rows(rows);
    print_rows(rows, out);
    return true;
}

/* Annotated, it checks as it did before.  That a file it uses cannot be read now
 * is not our fault, and no reason to write what was not checked. */
static bool reads_back(const char *path, const Text *out)
{
    DiagnosticLog *own = new_diagnostic_log(), *before = diag_to(own);
    Program *program = parse_text(path, text_chars(out), out->length);
    if (program)
        check_parsed(program, NULL);
    bool good = diag_error_count() == 0;
    diag_to(before);
    require(good || (program && program->uses.count > 0));
    if (!good)
        diag_take(own);
    return good;
}

/* What it had before is taken away first, so that it cannot be in the way. */
static bool lay_out_annotated(const char *path, const char *chars, size_t length, Text *out)
{
    Text bare = {0};
    Trace trace = {0};
    if (!lay_out_stripped(path, chars, length, &bare))
        return false;
    const Program *program = parse_text(path, text_chars(&bare), bare.length);
    if (program)
        check_parsed(program, &trace);
    if (!program || diag_error_count())
        return false;
    if (trace.partial) {
        diag(SEVERITY_ERROR, "too-large", program->network->name_span,
             "the network expands to too many statements to annotate");
        return false;
    }
    Rows *rows = read_rows(program->source);
    annotate_rows(rows, program, note_shapes(&trace));
    print_rows(rows, out);
    return out->length > MAX_FILE_BYTES || reads_back(path, out);
}

static bool lay_out_as(FormatMode mode, const char *path, const char *chars, size_t length,
                       Text *out)
{
    switch (mode) {
    case FORMAT_PLAIN:
        return lay_out(path, chars, length, out);
    case FORMAT_ANNOTATE:
        return lay_out_annotated(path, chars, length, out);
    case FORMAT_STRIP:
        return lay_out_stripped(path, chars, length, out);
    }
    unreachable();
}

/* In a log of its own: the faults of one file are not the next one's. */
bool format_text(const char *path, const char *chars, size_t length, FormatMode mode, Text *out)
{
    DiagnosticLog *own = new_diagnostic_log(), *before = diag_to(own);
    bool good = lay_out_as(mode, path, chars, length, out);
    if (good && out->length > MAX_FILE_BYTES && length <= MAX_FILE_BYTES) {
        diag(SEVERITY_ERROR, "too-large", (Span){0}, "%s would be larger than %d MiB, laid out",
             path, MAX_FILE_BYTES >> 20);
        good = false;
    }
    diag_to(before);
    diag_take(own);
    return good;
}
