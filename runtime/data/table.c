/* table.c: a file of comma-separated values as rows of fields.
 *
 * RFC 4180, and what programs write beside it: a byte order mark, semicolons or tabs between
 * fields, either line end, blank lines, blanks about a field.  The kept parsers of this format
 * give no place for a message and take a stray quote in silence, so this one is our own.
 * Fields are unpacked where they lie in the file's bytes.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const int64_t max_bytes = (int64_t)1 << 33;

/* The whole file and a zero; free() it. */
char *net_read_whole(const char *path, int64_t *length, NetError *error)
{
    struct stat status;
    errno = 0;
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    if (!file || fstat(fileno(file), &status) != 0)
        net_fail(error, "cannot read %s: %s", path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        net_fail(error, "cannot read %s: it is not a file", path);
    else if (status.st_size > max_bytes)
        net_fail(error, "%s has more than the %" PRId64 " MB that are read", path, max_bytes >> 20);
    else
        bytes = net_allocate((size_t)status.st_size + 1, 1, error);
    if (bytes && fread(bytes, 1, (size_t)status.st_size, file) != (size_t)status.st_size) {
        net_fail(error, "cannot read %s: %s", path,
                 ferror(file) ? strerror(errno) : "the file has become shorter");
        free(bytes);
        bytes = NULL;
    }
    *length = bytes ? status.st_size : 0;
    if (file)
        fclose(file);
    return bytes;
}

/* ----------------------------------------------------------- the reader */

typedef struct Reader {
    NetTable *table;
    char *at, *end;
    char between; /* fields */
    int64_t line, capacity;
    NetError *error;
} Reader;

/* The one of , ; and tab that the first line has most of, outside quotes. */
static char find_separator(const char *at)
{
    static const char candidates[] = ",;\t";
    int64_t counts[3] = {0};
    bool quoted = false;
    for (; *at && (quoted || (*at != '\n' && *at != '\r')); at++) {
        const char *found = strchr(candidates, *at);
        quoted ^= *at == '"';
        if (found && !quoted)
            counts[found - candidates]++;
    }
    int best = 0;
    for (int i = 1; i < 3; i++)
        best = counts[i] > counts[best] ? i : best;
    return candidates[best];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_end(const Reader *reader)
{
    return reader->at == reader->end || *reader->at == '\n' || *reader->at == '\r';
}

static bool ends_field(const Reader *reader)
{
    return is_end(reader) || *reader->at == reader->between;
}

static void skip_blanks(Reader *reader)
{
    while (!ends_field(reader) && is_blank(*reader->at))
        reader->at++;
}

/* Behind an opening quote; its text ends where the file's ends or with a quote not doubled. */
static bool read_quoted(Reader *reader, char **field_end)
{
    int64_t opened = reader->line;
    char *to = reader->at;
    for (;; reader->at++) {
        if (reader->at == reader->end)
            return net_fail(reader->error,
                            "%s: line %" PRId64 " has a quote that is opened and never closed",
                            reader->table->path, opened);
        if (*reader->at == '"' && *++reader->at != '"')
            break;
        reader->line += *reader->at == '\n';
        *to++ = *reader->at;
    }
    *field_end = to;
    skip_blanks(reader);
    return ends_field(reader)
           || net_fail(reader->error,
                       "%s: line %" PRId64 " goes on behind a closing quote, where a '%c' or the "
                       "line's end is expected; a quote in a text is written twice",
                       reader->table->path, reader->line,
                       reader->between == '\t' ? ' ' : reader->between);
}

static bool add_cell(Reader *reader, char *cell)
{
    NetTable *table = reader->table;
    if (table->cell_count == reader->capacity) {
        int64_t capacity = reader->capacity ? 2 * reader->capacity : 1024;
        char **cells = realloc(table->cells, (size_t)capacity * sizeof *cells);
        if (!cells)
            return net_fail(reader->error, "out of memory");
        table->cells = cells;
        reader->capacity = capacity;
    }
    table->cells[table->cell_count++] = cell;
    return true;
}

/* The field's text is closed with a zero where its separator was: *last says what that was. */
static bool read_field(Reader *reader, char *last)
{
    skip_blanks(reader);
    char *start = reader->at, *field_end = start;
    if (!is_end(reader) && *start == '"') {
        reader->at++;
        start++;
        if (!read_quoted(reader, &field_end))
            return false;
    } else {
        while (!ends_field(reader))
            reader->at++;
        field_end = reader->at;
        while (field_end > start && is_blank(field_end[-1]))
            field_end--;
    }
    *last = reader->at < reader->end ? *reader->at : '\0';
    if (reader->at < reader->end)
        reader->at++;
    *field_end = '\0';
    return add_cell(reader, start);
}

/* A line, whose first field there is. */
static bool read_row(Reader *reader)
{
    NetTable *table = reader->table;
    int64_t before = table->cell_count, line = reader->line;
    char last = reader->between;
    while (last == reader->between)
        if (!read_field(reader, &last))
            return false;
    if (last == '\r' && reader->at < reader->end && *reader->at == '\n')
        reader->at++;
    reader->line++;
    int64_t fields = table->cell_count - before;
    if (table->columns == 0)
        table->columns = fields;
    if (fields != table->columns)
        return net_fail(reader->error,
                        "%s: line %" PRId64 " has %" PRId64 " field%s, and the first line has "
                        "%" PRId64,
                        table->path, line, fields, fields == 1 ? "" : "s", table->columns);
    if (table->rows == table->line_capacity) {
        int64_t capacity = table->line_capacity ? 2 * table->line_capacity : 256;
        int64_t *lines = realloc(table->lines, (size_t)capacity * sizeof *lines);
        if (!lines)
            return net_fail(reader->error, "out of memory");
        table->lines = lines;
        table->line_capacity = capacity;
    }
    table->lines[table->rows++] = line;
    return true;
}

/* Lines that are blank hold no row. */
static void skip_blank_lines(Reader *reader)
{
    for (;;) {
        char *at = reader->at;
        while (at < reader->end && is_blank(*at) && *at != reader->between)
            at++;
        if (at == reader->end)
            reader->at = at;
        if (at == reader->end || (*at != '\n' && *at != '\r'))
            return;
        reader->line += *at == '\n' || at[1] != '\n';
        reader->at = at + 1;
    }
}

static bool check_text(const NetTable *table, int64_t length, NetError *error)
{
    int64_t good = net_utf8_bytes(table->text, length);
    const char *zero = memchr(table->text, 0, (size_t)length);
    if (strncmp(table->text, "\xff\xfe", 2) == 0 || strncmp(table->text, "\xfe\xff", 2) == 0)
        return net_fail(error, "%s is a text in UTF-16: save it as UTF-8", table->path);
    if (zero)
        return net_fail(error, "%s is no text: its byte %" PRId64 " is zero", table->path,
                        (int64_t)(zero - table->text));
    return good == length
           || net_fail(error,
                       "%s: byte %" PRId64 " begins no character of UTF-8: save the file as UTF-8",
                       table->path, good);
}

bool net_table_open(NetTable *table, const char *path, NetError *error)
{
    static const char mark[] = "\xef\xbb\xbf";
    int64_t length;
    *table = (NetTable){.path = path, .text = net_read_whole(path, &length, error)};
    bool good = table->text && check_text(table, length, error);
    table->digest = good ? net_digest(0, table->text, (size_t)length) : 0;
    if (good) {
        char *start = table->text + (strncmp(table->text, mark, 3) == 0 ? 3 : 0);
        Reader reader = {
            .table = table, .at = start, .end = table->text + length, .line = 1, .error = error};
        reader.between = find_separator(start);
        table->commas = reader.between == ';';
        skip_blank_lines(&reader);
        while (good && reader.at < reader.end) {
            good = read_row(&reader);
            skip_blank_lines(&reader);
        }
    }
    if (good && table->rows < 2)
        good =
            net_fail(error, "%s has %s: a header, which names the columns, and rows are expected",
                     path, table->rows == 0 ? "no line" : "one line");
    if (!good)
        net_table_close(table);
    return good;
}

void net_table_close(NetTable *table)
{
    free(table->text);
    free(table->cells);
    free(table->lines);
    *table = (NetTable){0};
}

const char *net_table_cell(const NetTable *table, int64_t row, int64_t column)
{
    return table->cells[row * table->columns + column];
}
