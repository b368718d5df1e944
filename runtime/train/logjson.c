/* logjson.c: a log of JSON lines, for programs to read (https://jsonlines.org). */
#include "train/log.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 1 << 20 }; /* bytes: ours are a few hundred, or some for each parameter */

static const char BEGINNING[] = "{\"event\":\"";

/* The line with one more member.  NULL when there was no memory for it or one
 * before: a line that lacks a member is no line. */
static cJSON *with(cJSON *line, const char *name, cJSON *value)
{
    if (line && value && cJSON_AddItemToObject(line, name, value))
        return line;
    cJSON_Delete(value);
    cJSON_Delete(line);
    return NULL;
}

/* A number that is not finite is null: JSON has no other word for it. */
static cJSON *value_of(const NetLogField *field)
{
    return field->truth ? cJSON_CreateBool(field->value != 0) : cJSON_CreateNumber(field->value);
}

/* "train_loss": 0.5 */
static cJSON *with_field(cJSON *line, const NetLogField *field)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", field->of ? field->of : "", field->of ? "_" : "",
             field->name);
    return with(line, name, value_of(field));
}

/* "gradient_norm": {"conv1.weight": 0.5, …} */
static cJSON *with_parameters(cJSON *line, const NetLogRow *row)
{
    for (int i = 0; line && i < row->count;) {
        const char *name = row->fields[i].name;
        cJSON *group = cJSON_CreateObject();
        for (; i < row->count && strcmp(row->fields[i].name, name) == 0; i++)
            group = with(group, row->fields[i].of, value_of(&row->fields[i]));
        line = with(line, name, group);
    }
    return line;
}

static NetBytes encode(const NetLog *log, const NetLogRow *row)
{
    (void)log;
    NetBytes made = {0};
    cJSON *line = with(cJSON_CreateObject(), "event", cJSON_CreateString(row->event));
    line = with(line, "epoch", cJSON_CreateNumber((double)row->epoch));
    if (strcmp(row->event, "epoch") != 0)
        line = with(line, "step", cJSON_CreateNumber((double)row->step));
    for (int i = 0; i < row->count && !row->of_parameters; i++)
        line = with_field(line, &row->fields[i]);
    if (row->of_parameters)
        line = with_parameters(line, row);
    char *text = cJSON_PrintUnformatted(line);
    int count = text ? asprintf(&made.bytes, "%s\n", text) : -1;
    if (count < 0)
        made.bytes = NULL;
    made.count = count < 0 ? 0 : (size_t)count;
    free(text);
    cJSON_Delete(line);
    return made;
}

static bool begins_as_ours(const char *line)
{
    return strncmp(line, BEGINNING, strnlen(line, sizeof BEGINNING - 1)) == 0;
}

static double number_of(const cJSON *event, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(event, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool is_later(const cJSON *event, const NetProgress *progress)
{
    return net_log_is_later(!cJSON_HasObjectItem(event, "step"), number_of(event, "epoch"),
                            number_of(event, "step"), progress);
}

static int64_t find_end(const NetLog *log, FILE *file, const NetProgress *progress)
{
    (void)log;
    char *line = malloc(MAX_LINE);
    int64_t end = 0, found = -1;
    for (; line && end >= 0; end = ftello(file)) {
        if (!fgets(line, MAX_LINE, file)) {
            found = ferror(file) ? -1 : end;
            break;
        }
        size_t length = strlen(line);
        bool whole = length > 0 && line[length - 1] == '\n';
        errno = 0;
        if (!begins_as_ours(line) || (!whole && !feof(file)))
            break;
        cJSON *event = whole ? cJSON_Parse(line) : NULL;
        bool later = !whole || (event && is_later(event, progress)), known = !whole || event;
        cJSON_Delete(event);
        if (later)
            found = end;
        if (later || !known)
            break;
    }
    free(line);
    return found;
}

static bool is_ours(const char *bytes, size_t count)
{
    return count > 0 && bytes[0] == '{';
}

const NetLogKind net_log_json = {
    .lines = true, .encode = encode, .find_end = find_end, .is_ours = is_ours};
