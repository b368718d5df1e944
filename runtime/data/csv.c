/* csv.c: a table's rows as examples.
 *
 * Columns are inputs, but for those that are targets or dropped.  A column of numbers is
 * standardised: less the mean, over the deviation, both of the training part's rows.  A column of
 * texts is as many inputs as it has different ones, of which one is 1; as a target it is a class.
 * Whether a column is of numbers or of texts its first row says, and the others must be so too.
 *
 * Some rows are for testing, a tenth unless the train section says otherwise: which ones follows
 * from their number alone, so whoever tests the weights finds the same.  What columns became is
 * the data's recipe, which goes with the weights.
 */
#include "runtime.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_COLUMNS = 65536,
    MAX_TEXTS = 1000, /* of an input: as many inputs */
    KEY = 40,         /* bytes of a number as a class's name */
    DIGITS = 400,     /* of a number in the table: as many as a double's may be written with */
};

/* A column of the table and what becomes of it. */
typedef struct Column {
    char *name;
    int64_t at;     /* in the table; -1: it is not there */
    bool numbers;   /* its fields are */
    bool classes;   /* texts, or numbers that stand for classes */
    NetNames texts; /* of classes, in their order */
    double mean, std;
} Column;

/* What a network is shown of a table. */
typedef struct Frame {
    Column *inputs, *targets;
    int64_t input_count, target_count;
} Frame;

/* One of the table's uses: to make a frame, and to read by it. */
typedef struct Rows {
    const NetTable *table;
    const bool *tested; /* [rows] of the table */
    const NetOpening *opening;
    NetError *error;
} Rows;

static void close_columns(Column *columns, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        free(columns[i].name);
        net_names_close(&columns[i].texts);
    }
    free(columns);
}

static void close_frame(Frame *frame)
{
    close_columns(frame->inputs, frame->input_count);
    close_columns(frame->targets, frame->target_count);
    *frame = (Frame){0};
}

/* ------------------------------------------------------------ its fields */

/* A number, all of it, and finite; with a decimal comma where those do not part fields. */
static bool parse(double *number, const char *text, const NetTable *table)
{
    char copy[DIGITS], *end;
    if (!*text || strlen(text) >= sizeof copy || text[strspn(text, "0123456789.,eE+-")])
        return false;
    strcpy(copy, text);
    char *comma = strchr(copy, ',');
    if (comma && (!table->commas || strchr(copy, '.')))
        return false;
    if (comma)
        *comma = '.';
    *number = strtod(copy, &end);
    return end != copy && !*end && isfinite(*number);
}

static bool is_missing(const char *text)
{
    static const char *const words[] = {"", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "-"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool refuse_missing(const Rows *rows, int64_t row, const Column *column)
{
    return net_fail(rows->error,
                    "%s: line %" PRId64 " has no value in column %.100s: fill it in, or remove the "
                    "line",
                    rows->table->path, rows->table->lines[row], column->name);
}

static bool refuse_large(const Rows *rows, int64_t row, const Column *column)
{
    return net_fail(rows->error,
                    "%s: line %" PRId64 " has %.60s in column %.100s, which is too large: give the "
                    "column in another unit",
                    rows->table->path, rows->table->lines[row],
                    net_table_cell(rows->table, row, column->at), column->name);
}

/* Whose square, for the deviation, is a number too. */
static bool number_at(double *number, const Rows *rows, int64_t row, const Column *column)
{
    const char *text = net_table_cell(rows->table, row, column->at);
    if (parse(number, text, rows->table))
        return fabs(*number) < 1e150 || refuse_large(rows, row, column);
    if (is_missing(text))
        return refuse_missing(rows, row, column);
    return net_fail(rows->error,
                    "%s: line %" PRId64 " has '%.60s' in column %.100s, whose fields are numbers",
                    rows->table->path, rows->table->lines[row], text, column->name);
}

/* A field of classes as their names have it: of numbers 3 and 3.0 are one. */
static bool key_at(char number_key[KEY], const char **key, const Rows *rows, int64_t row,
                   const Column *column)
{
    double number;
    *key = net_table_cell(rows->table, row, column->at);
    if (!column->numbers)
        return **key || refuse_missing(rows, row, column);
    if (!number_at(&number, rows, row, column))
        return false;
    snprintf(number_key, KEY, "%.15g", number);
    *key = number_key;
    return true;
}

static int64_t find_text(const NetNames *texts, const char *key)
{
    for (int64_t i = 0; i < texts->count; i++)
        if (strcmp(texts->items[i], key) == 0)
            return i;
    return -1;
}

static bool class_at(int64_t *class, const Rows *rows, int64_t row, const Column *column)
{
    char room[KEY];
    const char *key;
    if (!key_at(room, &key, rows, row, column))
        return false;
    *class = find_text(&column->texts, key);
    return *class >= 0
           || net_fail(rows->error,
                       "%s: line %" PRId64 " has '%.60s' in column %.100s, which is none of the "
                       "%" PRId64 " that the network was trained with",
                       rows->table->path, rows->table->lines[row], key, column->name,
                       column->texts.count);
}

/* --------------------------------------------------------- making a frame */

static int by_number(const void *a, const void *b)
{
    double x = strtod(*(char *const *)a, NULL), y = strtod(*(char *const *)b, NULL);
    return (x > y) - (x < y);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Inserted in their order, so that each is looked for quickly. */
static bool add_text(NetNames *texts, const char *key, int (*compare)(const void *, const void *),
                     NetError *error)
{
    int64_t low = 0, high = texts->count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        int order = compare(&texts->items[middle], &key);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (!net_names_add(texts, key, error))
        return false;
    char *added = texts->items[texts->count - 1];
    memmove(texts->items + low + 1, texts->items + low,
            (size_t)(texts->count - 1 - low) * sizeof *texts->items);
    texts->items[low] = added;
    return true;
}

static bool find_texts(Column *column, const Rows *rows, int64_t most)
{
    for (int64_t row = 1; row < rows->table->rows; row++) {
        char room[KEY];
        const char *key;
        if (!key_at(room, &key, rows, row, column)
            || !add_text(&column->texts, key, column->numbers ? by_number : by_bytes, rows->error))
            return false;
        if (strchr(key, '\n'))
            return net_fail(rows->error, "%s: line %" PRId64 " has a line break in column %.100s",
                            rows->table->path, rows->table->lines[row], column->name);
        if (column->texts.count > most)
            return net_fail(rows->error,
                            "%s: column %.100s has more than %" PRId64 " different texts, as many "
                            "inputs: drop=[%.100s] leaves it out",
                            rows->table->path, column->name, most, column->name);
    }
    return true;
}

/* Of the rows that are trained on. */
static bool find_mean(Column *column, const Rows *rows)
{
    double sum = 0, squares = 0, number;
    int64_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t row = 1; row < rows->table->rows; row++) {
            if (!number_at(&number, rows, row, column))
                return false;
            if (rows->tested[row])
                continue;
            count += pass == 0;
            sum += pass == 0 ? number : 0;
            squares += pass == 0 ? 0 : (number - column->mean) * (number - column->mean);
        }
        column->mean = count > 0 ? sum / (double)count : 0;
    }
    column->std = count > 0 ? sqrt(squares / (double)count) : 1;
    if (!(column->std > 0) || !isfinite(column->std) || !isfinite(column->mean)) {
        column->std = 1; /* a column of one number */
        column->mean = isfinite(column->mean) ? column->mean : 0;
    }
    return true;
}

/* What the losses want of a target of this name; NULL: nothing. */
static const NetTarget *wanted_of(const NetOpening *opening, const char *name)
{
    const NetModel *model = opening->model;
    for (int i = 0; i < model->wanted_count; i++)
        if (!model->wanted[i].name || strcmp(model->wanted[i].name, name) == 0)
            return &model->wanted[i];
    return NULL;
}

/* Whether a column's numbers are classes by themselves: 0, 1, … below `classes`. */
static bool are_classes(bool *are, const Column *column, const Rows *rows, int64_t classes)
{
    *are = true;
    for (int64_t row = 1; row < rows->table->rows; row++) {
        double number;
        if (!number_at(&number, rows, row, column))
            return false;
        *are = *are && number >= 0 && number < (double)classes && number == floor(number);
    }
    return true;
}

static bool name_numbers(Column *column, int64_t classes, NetError *error)
{
    for (int64_t i = 0; i < classes; i++) {
        char key[KEY];
        snprintf(key, sizeof key, "%" PRId64, i);
        if (!net_names_add(&column->texts, key, error))
            return false;
    }
    return true;
}

static bool make_target(Column *column, const Rows *rows)
{
    const NetTarget *target = wanted_of(rows->opening, column->name);
    bool themselves = false;
    column->classes = !column->numbers || (target && target->kind == NET_CLASSES);
    if (!column->classes)
        return true;
    if (column->numbers && !are_classes(&themselves, column, rows, target->classes))
        return false;
    return themselves ? name_numbers(column, target->classes, rows->error)
                      : find_texts(column, rows, MAX_COLUMNS);
}

static bool make_input(Column *column, const Rows *rows)
{
    column->classes = !column->numbers;
    return column->classes ? find_texts(column, rows, MAX_TEXTS) : find_mean(column, rows);
}

static int64_t find_column(const NetTable *table, const char *name)
{
    for (int64_t i = 0; i < table->columns; i++)
        if (strcmp(net_table_cell(table, 0, i), name) == 0)
            return i;
    return -1;
}

/* "alcohol, pH, …" */
static const char *list_columns(const NetTable *table, char text[NET_SHAPE_TEXT])
{
    text[0] = 0;
    for (int64_t i = 0; i < table->columns; i++) {
        size_t used = strlen(text);
        if (used > NET_SHAPE_TEXT - 40) {
            snprintf(text + used, NET_SHAPE_TEXT - used, ", …");
            break;
        }
        snprintf(text + used, NET_SHAPE_TEXT - used, "%s%.30s", used ? ", " : "",
                 net_table_cell(table, 0, i));
    }
    return text;
}

static bool add_column(Column **columns, int64_t *count, const NetTable *table, int64_t at,
                       NetError *error)
{
    Column *larger = realloc(*columns, (size_t)(*count + 1) * sizeof *larger);
    if (!larger)
        return net_fail(error, "out of memory");
    *columns = larger;
    double number;
    const char *first = net_table_cell(table, 1, at);
    larger[*count] = (Column){.name = strdup(net_table_cell(table, 0, at)),
                              .at = at,
                              .numbers = parse(&number, first, table),
                              .std = 1};
    return larger[(*count)++].name || net_fail(error, "out of memory");
}

/* Column names, a line each, as columns of the table; marks them in `used`. */
static bool name_columns(Column **columns, int64_t *count, bool *used, const char *lines,
                         const NetTable *table, NetError *error)
{
    NetNames names = {0};
    char all[NET_SHAPE_TEXT];
    bool good = net_names_split(&names, lines, error);
    for (int64_t i = 0; good && i < names.count; i++) {
        int64_t at = find_column(table, names.items[i]);
        if (at < 0)
            good = net_fail(error, "%s has no column %.100s; it has %s", table->path,
                            names.items[i], list_columns(table, all));
        else if (used[at])
            good =
                net_fail(error, "column %.100s of %s is named twice", names.items[i], table->path);
        else
            good = !columns || add_column(columns, count, table, at, error);
        if (good)
            used[at] = true;
    }
    net_names_close(&names);
    return good;
}

static bool check_header(const NetTable *table, NetError *error)
{
    double number;
    bool numbers = true;
    for (int64_t i = 0; i < table->columns; i++)
        numbers = numbers && parse(&number, net_table_cell(table, 0, i), table);
    if (numbers)
        return net_fail(error,
                        "%s begins with numbers (line %" PRId64 "), where a header with the "
                        "columns' names is expected",
                        table->path, table->lines[0]);
    for (int64_t i = 0; i < table->columns; i++) {
        const char *name = net_table_cell(table, 0, i);
        if (!*name)
            return net_fail(error,
                            "%s: column %" PRId64 " has no name in the header (line "
                            "%" PRId64 "): give it one, as id; drop=[id] then leaves it out",
                            table->path, i + 1, table->lines[0]);
        if (find_column(table, name) < i)
            return net_fail(error, "%s has two columns that are named %.100s", table->path, name);
    }
    return table->columns <= MAX_COLUMNS
           || net_fail(error, "%s has more than %d columns", table->path, (int)MAX_COLUMNS);
}

/* Which columns are which; a missing value in a first row is told before it makes a text of
 * numbers. */
static bool choose_columns(Frame *frame, const Rows *rows)
{
    const NetTable *table = rows->table;
    const NetOpening *opening = rows->opening;
    const char *targets = net_setting_word(opening->settings, "data.target", NULL),
               *dropped = net_setting_word(opening->settings, "data.drop", NULL);
    bool *used = net_allocate((size_t)table->columns, sizeof *used, rows->error);
    if (!used)
        return false;
    if (!targets && opening->model->wanted_count > 0) {
        targets = net_table_cell(table, 0, table->columns - 1);
        net_note(opening->notes, "%s: the target is %s, the last column", table->path, targets);
    }
    bool good =
        (!targets
         || name_columns(&frame->targets, &frame->target_count, used, targets, table, rows->error))
        && (!dropped || name_columns(NULL, NULL, used, dropped, table, rows->error));
    for (int64_t i = 0; good && i < table->columns; i++)
        if (!used[i])
            good = add_column(&frame->inputs, &frame->input_count, table, i, rows->error);
    free(used);
    if (good && frame->input_count == 0)
        good = net_fail(rows->error, "%s has no column besides its targets", table->path);
    for (int64_t i = 0; good && i < frame->input_count + frame->target_count; i++) {
        const Column *column =
            i < frame->input_count ? &frame->inputs[i] : &frame->targets[i - frame->input_count];
        if (is_missing(net_table_cell(table, 1, column->at)))
            good = refuse_missing(rows, 1, column);
    }
    return good;
}

static bool make_frame(Frame *frame, const Rows *rows)
{
    if (!choose_columns(frame, rows))
        return false;
    for (int64_t i = 0; i < frame->input_count; i++)
        if (!make_input(&frame->inputs[i], rows))
            return false;
    for (int64_t i = 0; i < frame->target_count; i++)
        if (!make_target(&frame->targets[i], rows))
            return false;
    return true;
}

/* ------------------------------------------------------------ its recipe */

static bool write_column(cJSON *list, const Column *column)
{
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)
        || !cJSON_AddStringToObject(item, "name", column->name)
        || !cJSON_AddBoolToObject(item, "numbers", column->numbers))
        return false;
    if (!column->classes)
        return cJSON_AddNumberToObject(item, "mean", column->mean)
               && cJSON_AddNumberToObject(item, "std", column->std);
    cJSON *texts = cJSON_AddArrayToObject(item, "classes");
    for (int64_t i = 0; texts && i < column->texts.count; i++)
        if (!cJSON_AddItemToArray(texts, cJSON_CreateString(column->texts.items[i])))
            return false;
    return texts;
}

static bool write_columns(cJSON *recipe, const char *key, const Column *columns, int64_t count)
{
    cJSON *list = cJSON_AddArrayToObject(recipe, key);
    for (int64_t i = 0; list && i < count; i++)
        if (!write_column(list, &columns[i]))
            return false;
    return list;
}

static char *write_recipe(const Frame *frame, const NetTable *table)
{
    char digest[24], *text = NULL;
    cJSON *recipe = cJSON_CreateObject();
    snprintf(digest, sizeof digest, "%016" PRIx64, table->digest);
    if (recipe && cJSON_AddStringToObject(recipe, "reader", "csv")
        && cJSON_AddStringToObject(recipe, "digest", digest)
        && write_columns(recipe, "inputs", frame->inputs, frame->input_count)
        && write_columns(recipe, "targets", frame->targets, frame->target_count))
        text = cJSON_PrintUnformatted(recipe);
    cJSON_Delete(recipe);
    return text;
}

static bool read_texts(Column *column, const cJSON *texts, NetError *error)
{
    const cJSON *text;
    column->classes = true;
    cJSON_ArrayForEach(
        text, texts) if (!cJSON_IsString(text)
                         || !net_names_add(&column->texts, text->valuestring, error)) return false;
    return true;
}

static bool read_column(Column *column, const cJSON *item, NetError *error)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "name"),
                *numbers = cJSON_GetObjectItemCaseSensitive(item, "numbers"),
                *texts = cJSON_GetObjectItemCaseSensitive(item, "classes"),
                *mean = cJSON_GetObjectItemCaseSensitive(item, "mean"),
                *std = cJSON_GetObjectItemCaseSensitive(item, "std");
    if (!cJSON_IsString(name) || !cJSON_IsBool(numbers))
        return false;
    *column = (Column){
        .name = strdup(name->valuestring), .at = -1, .numbers = cJSON_IsTrue(numbers), .std = 1};
    if (!column->name)
        return false;
    if (cJSON_IsArray(texts))
        return read_texts(column, texts, error);
    column->mean = cJSON_IsNumber(mean) ? mean->valuedouble : 0;
    column->std = cJSON_IsNumber(std) ? std->valuedouble : 0;
    return cJSON_IsNumber(mean) && column->std > 0;
}

static bool read_columns(Column **columns, int64_t *count, const cJSON *recipe, const char *key,
                         NetError *error)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(recipe, key), *item;
    int size = cJSON_GetArraySize(list);
    *columns = net_allocate(size > 0 ? (size_t)size : 1, sizeof **columns, error);
    if (!*columns || !cJSON_IsArray(list))
        return false;
    cJSON_ArrayForEach(item,
                       list) if (!read_column(&(*columns)[(*count)++], item, error)) return false;
    return true;
}

/* `same`: whether this very file was trained on. */
static bool read_recipe(Frame *frame, bool *same, const NetTable *table, const char *text,
                        NetError *error)
{
    char digest[24];
    cJSON *recipe = cJSON_Parse(text);
    const cJSON *theirs = cJSON_GetObjectItemCaseSensitive(recipe, "digest");
    bool good = recipe && read_columns(&frame->inputs, &frame->input_count, recipe, "inputs", error)
                && read_columns(&frame->targets, &frame->target_count, recipe, "targets", error);
    snprintf(digest, sizeof digest, "%016" PRIx64, table->digest);
    *same = cJSON_IsString(theirs) && strcmp(theirs->valuestring, digest) == 0;
    cJSON_Delete(recipe);
    return good
           || net_fail(error,
                       "the weights do not say what columns they were trained with: "
                       "%s cannot be shown to them",
                       table->path);
}

static bool place_columns(Column *columns, int64_t count, const NetTable *table, NetError *error)
{
    char all[NET_SHAPE_TEXT];
    for (int64_t i = 0; i < count; i++) {
        columns[i].at = find_column(table, columns[i].name);
        if (columns[i].at < 0)
            return net_fail(error,
                            "%s has no column %.100s, which the network was trained with; it has "
                            "%s",
                            table->path, columns[i].name, list_columns(table, all));
    }
    return true;
}

/* Whether none of a table's targets is in it, which it then need not have. */
static bool lacks_targets(const Frame *frame, const NetTable *table)
{
    for (int64_t i = 0; i < frame->target_count; i++)
        if (find_column(table, frame->targets[i].name) >= 0)
            return false;
    return true;
}

/* ------------------------------------------------------------- by a frame */

static int64_t width_of(const Frame *frame)
{
    int64_t width = 0;
    for (int64_t i = 0; i < frame->input_count; i++)
        width += frame->inputs[i].classes ? frame->inputs[i].texts.count : 1;
    return width;
}

/* "alcohol, colour (2 texts)" */
static const char *list_inputs(const Frame *frame, char text[NET_SHAPE_TEXT])
{
    text[0] = 0;
    for (int64_t i = 0; i < frame->input_count; i++) {
        const Column *column = &frame->inputs[i];
        size_t used = strlen(text);
        if (used > NET_SHAPE_TEXT - 70) {
            snprintf(text + used, NET_SHAPE_TEXT - used, ", …");
            break;
        }
        snprintf(text + used, NET_SHAPE_TEXT - used, "%s%.30s", used ? ", " : "", column->name);
        used = strlen(text);
        if (column->classes)
            snprintf(text + used, NET_SHAPE_TEXT - used, " (%" PRId64 " texts)",
                     column->texts.count);
    }
    return text;
}

static bool check_width(const Frame *frame, const NetTable *table, const NetModel *model,
                        NetError *error)
{
    char all[NET_SHAPE_TEXT];
    int64_t width = width_of(frame), takes = net_shape_elements(model->input);
    return width == takes
           || net_fail(error,
                       "%.150s gives %" PRId64 " inputs, and the network takes %" PRId64 ": %s",
                       table->path, width, takes, list_inputs(frame, all));
}

static bool read_inputs(float *to, const Rows *rows, int64_t row, const Frame *frame)
{
    for (int64_t i = 0; i < frame->input_count; i++) {
        const Column *column = &frame->inputs[i];
        double number;
        int64_t class;
        if (column->classes && !class_at(&class, rows, row, column))
            return false;
        if (!column->classes && !number_at(&number, rows, row, column))
            return false;
        if (column->classes) {
            to[class] = 1;
            to += column->texts.count;
        } else {
            number = (number - column->mean) / column->std;
            if (!isfinite((float)number))
                return refuse_large(rows, row, column);
            *to++ = (float)number;
        }
    }
    return true;
}

/* The rows of one split, in their order: for each row its place among them, or -1. */
static int64_t next_row(const Rows *rows, int64_t row, bool tested)
{
    do
        row++;
    while (row < rows->table->rows && rows->tested[row] != tested);
    return row;
}

static bool add_inputs(NetImages *images, const Rows *rows, bool tested, const Frame *frame)
{
    int64_t width = width_of(frame), row = 0;
    NetArray *x =
        net_add_array(images, "columns", NET_FLOAT, (NetShape){1, width, 1, 1, 1}, rows->error);
    for (int64_t i = 0; x && i < images->count; i++) {
        row = next_row(rows, row, tested);
        if (!read_inputs((float *)x->values + i * width, rows, row, frame))
            return false;
    }
    return x;
}

static bool add_classes(NetImages *images, const Rows *rows, bool tested, const Column *column)
{
    NetArray *y = net_add_array(images, column->name, NET_WHOLE, net_one_value, rows->error);
    int64_t row = 0, class;
    for (int64_t i = 0; y && i < images->count; i++) {
        row = next_row(rows, row, tested);
        if (!class_at(&class, rows, row, column))
            return false;
        ((int32_t *)y->values)[i] = (int32_t) class;
    }
    if (y)
        y->classes = column->texts.count;
    return y;
}

/* Several columns as one array; one as a value. */
static bool add_numbers(NetImages *images, const Rows *rows, bool tested, const Column *columns,
                        int64_t count)
{
    NetShape shape = count == 1 ? net_one_value : (NetShape){1, count, 1, 1, 1};
    NetArray *y = net_add_array(images, count == 1 ? columns->name : "targets", NET_FLOAT, shape,
                                rows->error);
    int64_t row = 0;
    for (int64_t i = 0; y && i < images->count; i++) {
        row = next_row(rows, row, tested);
        for (int64_t k = 0; k < count; k++) {
            double number;
            if (!number_at(&number, rows, row, &columns[k]))
                return false;
            if (!isfinite((float)number))
                return refuse_large(rows, row, &columns[k]);
            ((float *)y->values)[i * count + k] = (float)number;
        }
    }
    return y;
}

/* Whether one loss takes them all, as its output's numbers. */
static bool are_together(const Frame *frame, const NetModel *model)
{
    bool numbers = frame->target_count > 1;
    for (int64_t i = 0; i < frame->target_count; i++)
        numbers = numbers && !frame->targets[i].classes;
    return numbers && model->wanted_count == 1 && !model->wanted[0].name;
}

static bool read_split(NetImages *images, const Rows *rows, bool tested, const Frame *frame,
                       bool labelled)
{
    const NetModel *model = rows->opening->model;
    for (int64_t row = 0; (row = next_row(rows, row, tested)) < rows->table->rows;)
        images->count++;
    if (images->count == 0)
        return true;
    if (!add_inputs(images, rows, tested, frame))
        return false;
    if (!labelled)
        return true;
    if (are_together(frame, model))
        return add_numbers(images, rows, tested, frame->targets, frame->target_count);
    for (int64_t i = 0; i < frame->target_count; i++)
        if (!(frame->targets[i].classes ? add_classes(images, rows, tested, &frame->targets[i])
                                        : add_numbers(images, rows, tested, &frame->targets[i], 1)))
            return false;
    return true;
}

/* ------------------------------------------------------------- the whole */

/* Every row, or of each so many one: by its number alone. */
static bool choose_tested(bool *tested, const NetTable *table, double part, NetError *error)
{
    int64_t rows = table->rows - 1, count = (int64_t)(part * (double)rows + 0.5);
    int32_t *order = net_allocate((size_t)rows, sizeof *order, error);
    if (!order)
        return false;
    count = part > 0 && count == 0 ? 1 : count;
    net_shuffle(order, rows, net_hash("csv"), 0);
    for (int64_t i = 0; i < count; i++)
        tested[1 + order[i]] = true;
    free(order);
    return count < rows || part >= 1
           || net_fail(error, "%s has %" PRId64 " row%s: none would be left to train on",
                       table->path, rows, rows == 1 ? "" : "s");
}

/* Of several targets those of the one that the network's last output is held against. */
static bool name_classes(NetData *data, const Frame *frame, const NetModel *model, NetError *error)
{
    const Column *column = frame->target_count == 1 ? &frame->targets[0] : NULL;
    int main = net_main_target(model);
    for (int64_t i = 0; !column && main >= 0 && model->wanted[main].name && i < frame->target_count;
         i++)
        if (strcmp(frame->targets[i].name, model->wanted[main].name) == 0)
            column = &frame->targets[i];
    if (!column || !column->classes)
        return true;
    data->class_names = net_names_lines(&column->texts);
    return data->class_names || net_fail(error, "out of memory");
}

/* The rows that are asked for, of a table by itself. */
static bool read_table(NetData *data, Frame *frame, const NetTable *table, double part,
                       const NetOpening *opening, NetError *error)
{
    bool *tested = net_allocate((size_t)table->rows, sizeof *tested, error);
    Rows rows = {table, tested, opening, error};
    bool good = tested && check_header(table, error) && choose_tested(tested, table, part, error);
    if (good && frame->inputs)
        good = place_columns(frame->inputs, frame->input_count, table, error)
               && (data->unlabelled
                   || place_columns(frame->targets, frame->target_count, table, error));
    else
        good = good && make_frame(frame, &rows);
    good = good && check_width(frame, table, opening->model, error);
    if (good && !opening->test_only && part < 1)
        good = read_split(&data->train, &rows, false, frame, true);
    good = good && (part <= 0 || read_split(&data->test, &rows, true, frame, !data->unlabelled));
    free(tested);
    return good;
}

/* Of another file that is for testing. */
static bool read_test_file(NetData *data, Frame *frame, const char *path, const NetOpening *opening,
                           NetError *error)
{
    NetTable table;
    if (!net_table_open(&table, path, error))
        return false;
    bool good = read_table(data, frame, &table, 1, opening, error);
    net_table_close(&table);
    return good;
}

static bool read_file(NetData *data, Frame *frame, const NetTable *table, const NetOpening *opening,
                      NetError *error)
{
    const char *test_file = net_setting_word(opening->settings, "data.test_file", NULL);
    double part = test_file ? 0 : net_setting(opening->settings, "data.test", 0.1);
    bool same = true;
    if (opening->test_only && opening->recipe
        && !read_recipe(frame, &same, table, opening->recipe, error))
        return false;
    data->unlabelled = opening->answers_only && frame->target_count && lacks_targets(frame, table);
    if (!same
        && (!test_file
            || strcmp(opening->source, net_setting_word(opening->settings, "data", "")) != 0)) {
        net_note(opening->notes,
                 "%s is not the file that was trained on: all its %" PRId64 " rows are for testing",
                 table->path, table->rows - 1);
        test_file = NULL;
        part = 1;
    }
    return read_table(data, frame, table, part, opening, error)
           && (!test_file || read_test_file(data, frame, test_file, opening, error));
}

bool net_read_csv(NetData *data, const NetOpening *opening, NetError *error)
{
    NetTable table;
    Frame frame = {0};
    if (!net_table_open(&table, opening->source, error))
        return false;
    bool good = read_file(data, &frame, &table, opening, error)
                && name_classes(data, &frame, opening->model, error);
    if (good) {
        snprintf(data->what, sizeof data->what, "%s", opening->source);
        data->recipe = opening->test_only && opening->recipe ? strdup(opening->recipe)
                                                             : write_recipe(&frame, &table);
        good = data->recipe || net_fail(error, "out of memory");
    }
    close_frame(&frame);
    net_table_close(&table);
    return good;
}
