/* tidy.c: formatting and annotation as edits.  Of the new text only the lines
 * between the first and the last that differ are sent, so that an editor keeps
 * its marks and its cursor elsewhere.
 */
#include "serve/server.h"

#include <string.h>

static size_t same_start(const char *a, const char *b)
{
    size_t at = 0, line = 0;
    while (a[at] && a[at] == b[at])
        if (a[at++] == '\n')
            line = at;
    return a[at] || b[at] ? line : at;
}

static size_t same_end(const char *a, size_t a_length, const char *b, size_t b_length, size_t start)
{
    size_t max_count = (a_length < b_length ? a_length : b_length) - start, count = 0, line = 0;
    while (count < max_count && a[a_length - 1 - count] == b[b_length - 1 - count]) {
        if (a[a_length - 1 - count] == '\n')
            line = count;
        count++;
    }
    return count == max_count && start == 0 ? count : line;
}

static Span span_of_bytes(const Source *source, size_t from, size_t to)
{
    int first = 1, last;
    while (first < source->lines && source->line_starts[first] <= from)
        first++;
    for (last = first; last < source->lines && source->line_starts[last] <= to; last++)
        ;
    return (Span){source, first, (int)(from - source->line_starts[first - 1]) + 1, last,
                  (int)(to - source->line_starts[last - 1]) + 1};
}

cJSON *json_change(const Source *source, const char *after)
{
    size_t length = strlen(after), start = same_start(source->chars, after);
    if (source->length == length && start == length)
        return NULL;
    size_t end = same_end(source->chars, source->length, after, length, start);
    cJSON *edit = cJSON_CreateObject();
    cJSON_AddItemToObject(edit, "range",
                          json_range(span_of_bytes(source, start, source->length - end)));
    Text text = {0};
    text_add_range(&text, after + start, length - end - start);
    cJSON_AddStringToObject(edit, "newText", text_chars(&text));
    return edit;
}

/* NULL: it has faults, or nothing changes. */
static cJSON *tidied(const Analysis *a, FormatMode mode)
{
    Text text = {0};
    DiagnosticLog *log = diag_to(new_diagnostic_log());
    bool good = format_text(a->source->path, a->source->chars, a->source->length, mode, &text);
    diag_to(log);
    return good ? json_change(a->source, text_chars(&text)) : NULL;
}

cJSON *answer_formatting(Request *request)
{
    cJSON *edits = cJSON_CreateArray(), *edit = tidied(request->analysis, FORMAT_PLAIN);
    if (edit)
        cJSON_AddItemToArray(edits, edit);
    return edits;
}

static void add_source_action(Request *request, const char *title, const char *kind,
                              FormatMode mode, cJSON *actions)
{
    cJSON *edit = tidied(request->analysis, mode);
    if (!edit)
        return;
    cJSON *action = cJSON_CreateObject();
    cJSON_AddStringToObject(action, "title", title);
    cJSON_AddStringToObject(action, "kind", kind);
    cJSON *changes = cJSON_AddObjectToObject(cJSON_AddObjectToObject(action, "edit"), "changes");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(changes, request->document->uri), edit);
    cJSON_AddItemToArray(actions, action);
}

/* Whether the client asked for this kind or one above it; it asks for all by
 * naming none. */
static bool is_wanted(const Request *request, const char *kind)
{
    const cJSON *context = cJSON_GetObjectItemCaseSensitive(request->params, "context"), *one;
    const cJSON *only = cJSON_GetObjectItemCaseSensitive(context, "only");
    if (!cJSON_IsArray(only))
        return true;
    cJSON_ArrayForEach(one, only)
    {
        size_t length = cJSON_IsString(one) ? strlen(one->valuestring) : 0;
        if (length && !strncmp(kind, one->valuestring, length)
            && (!kind[length] || kind[length] == '.'))
            return true;
    }
    return false;
}

cJSON *answer_actions(Request *request)
{
    cJSON *actions = cJSON_CreateArray();
    if (is_wanted(request, "quickfix"))
        add_fixes(request, actions);
    if (request->analysis->sound && is_wanted(request, "source.annotate"))
        add_source_action(request, "Write every line's shape", "source.annotate", FORMAT_ANNOTATE,
                          actions);
    if (is_wanted(request, "source.strip") && strstr(request->analysis->source->chars, "#="))
        add_source_action(request, "Take away the shapes that netc wrote", "source.strip",
                          FORMAT_STRIP, actions);
    return actions;
}
