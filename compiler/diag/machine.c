/* machine.c: messages for programs: JSON of our own form, and SARIF 2.1.0.
 */
#include "core/shown.h"
#include "diag/log.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON */

/* Paths may hold any bytes; JSON may not. */
static const char *valid_utf8(const char *chars)
{
    Text text = {0};
    for (size_t left = strlen(chars); left > 0;) {
        NetGlyph glyph = net_glyph(chars, left);
        text_add_range(&text, glyph.valid ? chars : "\xEF\xBF\xBD",
                       glyph.valid ? (size_t)glyph.bytes : 3);
        chars += glyph.bytes;
        left -= (size_t)glyph.bytes;
    }
    return text_chars(&text);
}

static void add_string(cJSON *object, const char *key, const char *chars)
{
    cJSON_AddStringToObject(object, key, valid_utf8(chars ? chars : ""));
}

static cJSON *add_object(cJSON *list)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(list, object);
    return object;
}

static void add_location(cJSON *object, Span at)
{
    add_string(object, "file", at.source->path);
    cJSON_AddNumberToObject(object, "line", at.line);
    cJSON_AddNumberToObject(object, "column", at.column);
    cJSON_AddNumberToObject(object, "end_line", at.end_line);
    cJSON_AddNumberToObject(object, "end_column", at.end_column);
}

static void json_span(cJSON *spans, Span at, bool primary, const char *label)
{
    if (!at.source)
        return;
    cJSON *span = add_object(spans);
    add_location(span, at);
    cJSON_AddBoolToObject(span, "primary", primary);
    add_string(span, "label", label);
}

static void json_help(cJSON *helps, const Diagnostic *d, const Remark *remark)
{
    cJSON *help = add_object(helps);
    add_string(help, "message", remark->text);
    add_string(help, "applicability", applicability(d, remark));
    cJSON *edits = cJSON_AddArrayToObject(help, "edits");
    for (int i = 0; i < remark->edits.count; i++) {
        cJSON *edit = add_object(edits);
        add_location(edit, remark->edits.items[i].at);
        add_string(edit, "text", remark->edits.items[i].text);
    }
}

static void json_diagnostic(cJSON *all, const Diagnostic *d)
{
    cJSON *object = add_object(all);
    add_string(object, "severity", severity_word(d->severity));
    add_string(object, "code", d->code);
    add_string(object, "message", d->message);
    cJSON *spans = cJSON_AddArrayToObject(object, "spans");
    for (int i = 0; i < d->marks.count; i++)
        json_span(spans, d->marks.items[i].at, d->marks.items[i].primary, d->marks.items[i].text);
    cJSON *notes = cJSON_AddArrayToObject(object, "notes");
    cJSON *helps = cJSON_AddArrayToObject(object, "help");
    for (int i = 0; i < d->remarks.count; i++) {
        const Remark *remark = &d->remarks.items[i];
        if (remark->kind == REMARK_HELP) {
            json_help(helps, d, remark);
            continue;
        }
        cJSON_AddItemToArray(notes, cJSON_CreateString(valid_utf8(remark->text)));
        json_span(spans, remark->at, false, remark->text);
    }
}

struct cJSON *json_document(const DiagnosticList *shown)
{
    cJSON *all = cJSON_CreateArray();
    for (int i = 0; i < shown->count; i++)
        json_diagnostic(all, shown->items[i]);
    return all;
}

/* ---- SARIF 2.1.0, the OASIS format that code hosts and editors read */

/* A byte column as a count of characters, which is how SARIF counts. */
static int character_column(const Source *source, int line, int column)
{
    int length, count = 1;
    const char *chars = source_line(source, line, &length);
    for (int i = 0; i < column - 1 && i < length; i++)
        count += ((unsigned char)chars[i] & 0xC0) != 0x80;
    return count + (column - 1 > length ? column - 1 - length : 0);
}

static void sarif_region(cJSON *object, const char *key, Span at)
{
    cJSON *region = cJSON_AddObjectToObject(object, key);
    cJSON_AddNumberToObject(region, "startLine", at.line);
    cJSON_AddNumberToObject(region, "startColumn", character_column(at.source, at.line, at.column));
    cJSON_AddNumberToObject(region, "endLine", at.end_line);
    cJSON_AddNumberToObject(region, "endColumn",
                            character_column(at.source, at.end_line, at.end_column));
}

/* A path as a URI reference: everything unusual percent-encoded. */
static void sarif_artifact(cJSON *object, const Source *source)
{
    Text uri = {0};
    if (*source->path == '/')
        text_add(&uri, "file://");
    for (const char *c = source->path; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("/._-~", *c))
            text_add(&uri, "%c", *c);
        else
            text_add(&uri, "%%%02X", (unsigned char)*c);
    add_string(cJSON_AddObjectToObject(object, "artifactLocation"), "uri", text_chars(&uri));
}

static void sarif_text(cJSON *object, const char *key, const char *chars)
{
    add_string(cJSON_AddObjectToObject(object, key), "text", chars);
}

static void sarif_location(cJSON *locations, Span at, const char *text)
{
    if (!at.source)
        return;
    cJSON *location = add_object(locations);
    cJSON *physical = cJSON_AddObjectToObject(location, "physicalLocation");
    sarif_artifact(physical, at.source);
    sarif_region(physical, "region", at);
    if (text)
        sarif_text(location, "message", text);
}

/* SARIF wants the changes of one file together; all ours are in one. */
static void sarif_fix(cJSON *fixes, const Remark *remark)
{
    cJSON *fix = add_object(fixes);
    sarif_text(fix, "description", remark->text);
    cJSON *change = add_object(cJSON_AddArrayToObject(fix, "artifactChanges"));
    sarif_artifact(change, remark->edits.items[0].at.source);
    cJSON *replacements = cJSON_AddArrayToObject(change, "replacements");
    for (int i = 0; i < remark->edits.count; i++) {
        cJSON *replacement = add_object(replacements);
        sarif_region(replacement, "deletedRegion", remark->edits.items[i].at);
        sarif_text(replacement, "insertedContent", remark->edits.items[i].text);
    }
}

static const char *sarif_message(const Diagnostic *d)
{
    Text text = {0};
    text_add(&text, "%s", d->message);
    for (int i = 0; i < d->remarks.count; i++)
        text_add(&text, "\n%s: %s", d->remarks.items[i].kind == REMARK_NOTE ? "note" : "help",
                 d->remarks.items[i].text);
    return text_chars(&text);
}

static void sarif_result(cJSON *results, const Diagnostic *d, int rule)
{
    cJSON *result = add_object(results);
    add_string(result, "ruleId", d->code);
    cJSON_AddNumberToObject(result, "ruleIndex", rule);
    add_string(result, "level", severity_word(d->severity));
    sarif_text(result, "message", sarif_message(d));
    sarif_location(cJSON_AddArrayToObject(result, "locations"), d->marks.items[0].at,
                   d->marks.items[0].text);
    cJSON *related = cJSON_AddArrayToObject(result, "relatedLocations");
    for (int i = 1; i < d->marks.count; i++)
        sarif_location(related, d->marks.items[i].at, d->marks.items[i].text);
    cJSON *fixes = cJSON_CreateArray();
    for (int i = 0; i < d->remarks.count; i++) {
        const Remark *remark = &d->remarks.items[i];
        if (remark->kind == REMARK_NOTE)
            sarif_location(related, remark->at, remark->text);
        if (remark->edits.count)
            sarif_fix(fixes, remark);
    }
    cJSON_AddItemToObject(result, "fixes", fixes);
}

/* The rules that the results refer to, in the order of their codes; gives each
 * one's index by code, -1: none. */
static int *sarif_rules(cJSON *driver, const DiagnosticList *shown)
{
    cJSON *rules = cJSON_AddArrayToObject(driver, "rules");
    int *index = NEW_ARRAY(int, (size_t)code_count), count = 0;
    bool *met = NEW_ARRAY(bool, (size_t)code_count);
    for (int i = 0; i < shown->count; i++)
        met[find_code(shown->items[i]->code)] = true;
    for (int i = 0; i < code_count; i++) {
        index[i] = met[i] ? count++ : -1;
        if (!met[i])
            continue;
        cJSON *rule = add_object(rules);
        add_string(rule, "id", codes[i].code);
        sarif_text(rule, "shortDescription", codes[i].summary);
        sarif_text(rule, "fullDescription", codes[i].explanation);
    }
    return index;
}

struct cJSON *sarif_document(const DiagnosticList *shown)
{
    cJSON *document = cJSON_CreateObject();
    add_string(document, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    add_string(document, "version", "2.1.0");
    cJSON *run = add_object(cJSON_AddArrayToObject(document, "runs"));
    cJSON *driver = cJSON_AddObjectToObject(cJSON_AddObjectToObject(run, "tool"), "driver");
    add_string(driver, "name", "netc");
    add_string(driver, "version", NETC_VERSION);
    const int *rules = sarif_rules(driver, shown);
    add_string(run, "columnKind", "unicodeCodePoints");
    cJSON *results = cJSON_AddArrayToObject(run, "results");
    for (int i = 0; i < shown->count; i++)
        sarif_result(results, shown->items[i], rules[find_code(shown->items[i]->code)]);
    return document;
}
