/* logcsv.c: a log as a table, for spreadsheets and pandas: a column for each figure, named in the
 * first line, and a row for each step, epoch and statistics, empty where it has no such figure
 * (RFC 4180, but for lines that end with a newline alone).
 */
#include "train/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char FIRST[] = "event,epoch,step";

void net_put_cell(FILE *out, const char *text)
{
    bool quoted = text[strcspn(text, ",\"\n\r")] != 0;
    if (quoted)
        fputc('"', out);
    for (; *text; text++)
        fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
    if (quoted)
        fputc('"', out);
}

/* "train_loss", "gradient_norm.conv1.weight" */
static void put_name(FILE *out, const NetLogField *field, bool of_parameter)
{
    char *name = NULL;
    int length = of_parameter ? asprintf(&name, "%s.%s", field->name, field->of)
                              : asprintf(&name, "%s%s%s", field->of ? field->of : "",
                                         field->of ? "_" : "", field->name);
    if (length >= 0)
        net_put_cell(out, name);
    if (length >= 0)
        free(name);
}

static NetBytes close_bytes(FILE *out, NetBytes *made)
{
    bool good = fflush(out) == 0 && !ferror(out);
    if (fclose(out) != 0 || !good) {
        free(made->bytes);
        *made = (NetBytes){0};
    }
    return *made;
}

static NetBytes begin(const NetLog *log)
{
    NetBytes made = {0};
    FILE *out = open_memstream(&made.bytes, &made.count);
    if (!out)
        return made;
    fputs(FIRST, out);
    for (int i = 0; i < log->column_count; i++) {
        fputc(',', out);
        put_name(out, &log->columns[i], i >= log->plain_columns);
    }
    fputc('\n', out);
    return close_bytes(out, &made);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The next column's field is most often the next of the row. */
static const NetLogField *find_field(const NetLogRow *row, const NetLogField *column, int *next)
{
    for (int i = 0; i < row->count; i++) {
        const NetLogField *field = &row->fields[(*next + i) % row->count];
        if (strcmp(field->name, column->name) == 0 && same(field->of, column->of)) {
            *next = (*next + i + 1) % row->count;
            return field;
        }
    }
    return NULL;
}

static NetBytes encode(const NetLog *log, const NetLogRow *row)
{
    NetBytes made = {0};
    char text[32];
    int next = 0;
    FILE *out = open_memstream(&made.bytes, &made.count);
    if (!out)
        return made;
    fprintf(out, "%s,%" PRId64 ",%" PRId64, row->event, row->epoch, row->step);
    for (int i = 0; i < log->column_count; i++) {
        bool of_parameter = i >= log->plain_columns;
        const NetLogField *field =
            of_parameter == row->of_parameters ? find_field(row, &log->columns[i], &next) : NULL;
        fprintf(out, ",%s", field ? net_number_text(text, field->value) : "");
    }
    fputc('\n', out);
    return close_bytes(out, &made);
}

static bool is_ours(const char *bytes, size_t count)
{
    return count >= sizeof FIRST - 1 && memcmp(bytes, FIRST, sizeof FIRST - 1) == 0;
}

/* The first line must be this run's: its rows go on below. */
static bool has_header(const NetLog *log, FILE *file)
{
    NetBytes header = begin(log);
    char *line = NULL;
    size_t room = 0;
    errno = 0;
    ssize_t length = getline(&line, &room, file);
    bool is = header.bytes && length == (ssize_t)header.count
              && memcmp(line, header.bytes, header.count) == 0;
    free(line);
    free(header.bytes);
    return is;
}

static int64_t find_end(const NetLog *log, FILE *file, const NetProgress *progress)
{
    char *line = NULL, event[16];
    size_t room = 0;
    int64_t end, found = -1;
    if (!has_header(log, file))
        return -1;
    while ((end = ftello(file)) >= 0) {
        errno = 0;
        ssize_t length = getline(&line, &room, file);
        double epoch, step;
        bool torn = length > 0 && line[length - 1] != '\n';
        if (length < 0 || torn) {
            found = ferror(file) ? -1 : end;
            break;
        }
        if (sscanf(line, "%15[a-z],%lf,%lf,", event, &epoch, &step) != 3)
            break;
        if (net_log_is_later(strcmp(event, "epoch") == 0, epoch, step, progress)) {
            found = end;
            break;
        }
    }
    free(line);
    return found;
}

const NetLogKind net_log_csv = {
    .lines = true, .begin = begin, .encode = encode, .find_end = find_end, .is_ours = is_ours};
