/* reports.c: diagnostics, and the quick fixes that go with them.
 *
 * Both come from the messages in the form that --diagnostics=json has, so that
 * an editor shows what the command says and no message is worded twice.  A
 * fault in a used file is told at the `use`, with the place it is really at.
 */
#include "repair/repair.h"
#include "serve/server.h"

#include <string.h>

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(found) ? found->valuestring : "";
}

static int number_of(const cJSON *object, const char *key)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(found) ? found->valueint : 1;
}

static Span span_of(const Analysis *a, const cJSON *json)
{
    Span span = {NULL, number_of(json, "line"), number_of(json, "column"),
                 number_of(json, "end_line"), number_of(json, "end_column")};
    for (int i = 0; i < a->program->sources.count && !span.source; i++)
        if (!strcmp(a->program->sources.items[i]->path, text_of(json, "file")))
            span.source = a->program->sources.items[i];
    return span;
}

/* Where this document may show it: there, or at the first `use`. */
static Span shown_at(const Analysis *a, Span span)
{
    if (span.source == a->source)
        return span;
    if (a->program->uses.count)
        return a->program->uses.items[0].span;
    return (Span){a->source, 1, 1, 1, 1};
}

static cJSON *primary_of(const cJSON *diagnostic)
{
    cJSON *span;
    cJSON_ArrayForEach(
        span,
        cJSON_GetObjectItemCaseSensitive(
            diagnostic,
            "spans")) if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(span,
                                                                        "primary"))) return span;
    return NULL;
}

/* The message, what stands beside the carets, and what would help. */
static const char *full_text(const cJSON *diagnostic)
{
    Text text = {0};
    const char *caption = text_of(primary_of(diagnostic), "label");
    text_add(&text, "%s%s%s", text_of(diagnostic, "message"), *caption ? "\n" : "", caption);
    const cJSON *help;
    cJSON_ArrayForEach(help, cJSON_GetObjectItemCaseSensitive(diagnostic, "help"))
        text_add(&text, "\nhelp: %s", text_of(help, "message"));
    return text_chars(&text);
}

static void add_related(const Analysis *a, const cJSON *diagnostic, Span shown, cJSON *report)
{
    cJSON *related = cJSON_AddArrayToObject(report, "relatedInformation");
    const cJSON *mark;
    cJSON_ArrayForEach(mark, cJSON_GetObjectItemCaseSensitive(diagnostic, "spans"))
    {
        Span span = span_of(a, mark);
        bool primary = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(mark, "primary"));
        if (!span.source || (primary && span.source == shown.source))
            continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToObject(item, "location", json_location(span));
        cJSON_AddStringToObject(item, "message",
                                primary ? text_of(diagnostic, "message") : text_of(mark, "label"));
        cJSON_AddItemToArray(related, item);
    }
}

static cJSON *make_report(const Analysis *a, const cJSON *diagnostic)
{
    cJSON *report = cJSON_CreateObject();
    Span shown = shown_at(a, span_of(a, primary_of(diagnostic)));
    cJSON_AddItemToObject(report, "range", json_range(shown));
    cJSON_AddNumberToObject(report, "severity",
                            strcmp(text_of(diagnostic, "severity"), "error") ? 2 : 1);
    cJSON_AddStringToObject(report, "code", text_of(diagnostic, "code"));
    cJSON_AddStringToObject(report, "source", "netc");
    cJSON_AddStringToObject(report, "message", full_text(diagnostic));
    add_related(a, diagnostic, shown, report);
    return report;
}

/* Codes whose place is a name or statement that does nothing: shown faint. */
static void fade_unused(cJSON *report)
{
    if (!strncmp(text_of(report, "code"), "unused", 6)) {
        const int unnecessary = 1;
        cJSON_AddItemToObject(report, "tags", cJSON_CreateIntArray(&unnecessary, 1));
    }
}

static cJSON *publication(const Document *document, cJSON *reports)
{
    cJSON *message = cJSON_CreateObject(), *params = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "jsonrpc", "2.0");
    cJSON_AddStringToObject(message, "method", "textDocument/publishDiagnostics");
    cJSON_AddStringToObject(params, "uri", document->uri);
    cJSON_AddNumberToObject(params, "version", document->version);
    cJSON_AddItemToObject(params, "diagnostics", reports);
    cJSON_AddItemToObject(message, "params", params);
    return message;
}

static cJSON *make_reports(const Analysis *a)
{
    cJSON *reports = cJSON_CreateArray(), *all = diag_json(a->log);
    const cJSON *diagnostic;
    cJSON_ArrayForEach(diagnostic, all)
    {
        cJSON *report = a->source ? make_report(a, diagnostic) : NULL;
        if (report)
            fade_unused(report);
        cJSON_AddItemToArray(reports, report);
    }
    cJSON_Delete(all);
    return reports;
}

void send_reports(Document *document)
{
    const Analysis *a = analyse(document);
    Arena *before = use_arena(a->arena);
    send_message(publication(document, make_reports(a)));
    use_arena(before);
}

cJSON *find_help(Document *document)
{
    Analysis *a = analyse(document);
    if (a->sound || !a->source)
        return NULL;
    Arena *before = use_arena(a->arena);
    cJSON *old = make_reports(a);
    DiagnosticLog *log = diag_to(a->log);
    offer_help(a->program);
    diag_to(log);
    cJSON *new = make_reports(a);
    bool same = cJSON_Compare(old, new, true);
    cJSON_Delete(old);
    use_arena(before);
    if (!same)
        return publication(document, new);
    cJSON_Delete(new);
    return NULL;
}

void send_no_reports(const Document *document)
{
    send_message(publication(document, cJSON_CreateArray()));
}

/* ---- quick fixes */

static bool overlaps(Span span, Position from, Position to)
{
    bool ends_before =
        span.end_line < from.line || (span.end_line == from.line && span.end_column < from.column);
    return !ends_before && compare_to_position(span, to) <= 0;
}

/* { uri: [edit, …] } of one help; NULL: it only says. */
static cJSON *make_edits(const Analysis *a, const cJSON *help)
{
    const cJSON *edit, *edits = cJSON_GetObjectItemCaseSensitive(help, "edits");
    if (!cJSON_GetArraySize(edits))
        return NULL;
    cJSON *changes = cJSON_CreateObject();
    cJSON_ArrayForEach(edit, edits)
    {
        Span span = span_of(a, edit);
        if (!span.source)
            continue;
        const char *uri = uri_of(span.source->path);
        cJSON *list = cJSON_GetObjectItemCaseSensitive(changes, uri), *made = cJSON_CreateObject();
        list = list ? list : cJSON_AddArrayToObject(changes, uri);
        cJSON_AddItemToObject(made, "range", json_range(span));
        cJSON_AddStringToObject(made, "newText", text_of(edit, "text"));
        cJSON_AddItemToArray(list, made);
    }
    return changes;
}

static void add_fix(const Analysis *a, const cJSON *diagnostic, const cJSON *help, cJSON *actions)
{
    cJSON *changes = make_edits(a, help);
    if (!changes)
        return;
    cJSON *action = cJSON_CreateObject(), *reports = cJSON_AddArrayToObject(action, "diagnostics");
    cJSON_AddStringToObject(action, "title", text_of(help, "message"));
    cJSON_AddStringToObject(action, "kind", "quickfix");
    cJSON_AddItemToArray(reports, make_report(a, diagnostic));
    cJSON_AddBoolToObject(action, "isPreferred",
                          !strcmp(text_of(help, "applicability"), "machine-applicable"));
    cJSON_AddItemToObject(cJSON_AddObjectToObject(action, "edit"), "changes", changes);
    cJSON_AddItemToArray(actions, action);
}

/* Those of the faults in the request's range.  Help that is still to be searched
 * is searched now. */
void add_fixes(Request *request, cJSON *actions)
{
    Analysis *a = request->analysis;
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(request->params, "range"), *diagnostic,
                *help;
    Position from, to;
    if (!read_position(a->source, cJSON_GetObjectItemCaseSensitive(range, "start"), &from)
        || !read_position(a->source, cJSON_GetObjectItemCaseSensitive(range, "end"), &to))
        return;
    if (!a->helped)
        cJSON_Delete(find_help(request->document));
    a->helped = true;
    cJSON *all = diag_json(a->log);
    cJSON_ArrayForEach(diagnostic,
                       all) if (overlaps(shown_at(a, span_of(a, primary_of(diagnostic))), from, to))
        cJSON_ArrayForEach(help, cJSON_GetObjectItemCaseSensitive(diagnostic, "help"))
            add_fix(a, diagnostic, help, actions);
    cJSON_Delete(all);
}
