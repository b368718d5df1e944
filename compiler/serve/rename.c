/* rename.c: where a name is defined, where it is used, and a new one for it.
 *
 * A new name may collide with another or hide one, and only a check knows all
 * the ways; so the edited text is checked, and a rename that would bring a fault
 * is refused.
 */
#include "serve/server.h"

#include <ctype.h>
#include <string.h>

/* ---- definitions and uses */

cJSON *answer_definition(Request *request)
{
    const Occurrence *found = occurrence_at(request->analysis, request->position);
    if (!found)
        return NULL;
    if (found->definition->kind == NAME_FILE)
        return json_location((Span){found->definition->file, 1, 1, 1, 1});
    return found->definition->span.source ? json_location(found->definition->span) : NULL;
}

typedef LIST(const Occurrence *) Found;

static Found find_all(Request *request, bool declaration)
{
    Found all = {0};
    const Occurrence *here = occurrence_at(request->analysis, request->position);
    const Names *names = names_of(request->analysis);
    for (int i = 0; here && i < names->occurrences.count; i++) {
        const Occurrence *one = &names->occurrences.items[i];
        if (same_definition(one->definition, here->definition) && (declaration || !one->defines))
            push(&all, one);
    }
    return all;
}

cJSON *answer_references(Request *request)
{
    const cJSON *context = cJSON_GetObjectItemCaseSensitive(request->params, "context");
    Found all = find_all(
        request, cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(context, "includeDeclaration")));
    cJSON *locations = cJSON_CreateArray();
    for (int i = 0; i < all.count; i++)
        cJSON_AddItemToArray(locations, json_location(all.items[i]->span));
    return locations;
}

cJSON *answer_highlights(Request *request)
{
    Found all = find_all(request, true);
    cJSON *highlights = cJSON_CreateArray();
    for (int i = 0; i < all.count; i++) {
        if (all.items[i]->span.source != request->analysis->source)
            continue;
        cJSON *highlight = cJSON_CreateObject();
        cJSON_AddItemToObject(highlight, "range", json_range(all.items[i]->span));
        cJSON_AddNumberToObject(highlight, "kind", all.items[i]->defines ? 3 : 2);
        cJSON_AddItemToArray(highlights, highlight);
    }
    return highlights;
}

/* ---- new names */

static const Occurrence *renamable(Request *request)
{
    const Occurrence *found = occurrence_at(request->analysis, request->position);
    if (found && found->definition->span.source)
        return found;
    request->fault = found ? format("`%s` is the language's own name", found->definition->name)
                           : "there is no name here";
    return NULL;
}

cJSON *answer_prepare_rename(Request *request)
{
    const Occurrence *found = renamable(request);
    if (!found)
        return NULL;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "range", json_range(found->span));
    cJSON_AddStringToObject(result, "placeholder", found->definition->name);
    return result;
}

static bool is_word(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return !*name;
}

/* A tensor's name may be a path: each part after the first letters and digits. */
static bool is_tensor_name(const char *name)
{
    char first[256];
    size_t length = strcspn(name, ".");
    if (length >= sizeof first)
        return false;
    memcpy(first, name, length);
    first[length] = '\0';
    for (const char *at = name + length; *at;) {
        size_t part =
            strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (*at != '.' || !part)
            return false;
        at += part + 1;
    }
    return is_word(first);
}

/* The new text of one occurrence: iteration 2 of a list stays iteration 2. */
static const char *new_text(const Occurrence *one, const char *name)
{
    const char *old = one->definition->name, *written = span_chars(one->span);
    size_t length = strlen(old);
    bool iteration = one->definition->kind == NAME_TENSOR && !strncmp(written, old, length)
                     && written[length] == '.';
    return iteration ? format("%s%s", name, written + length) : name;
}

/* The document's own text with all occurrences in it renamed; they are in order. */
static Text renamed_text(const Source *source, const Found *all, const char *name)
{
    Text text = {0};
    size_t at = 0;
    for (int i = 0; i < all->count; i++) {
        Span span = all->items[i]->span;
        if (span.source != source)
            continue;
        size_t from = offset_of(source, span.line, span.column),
               to = offset_of(source, span.end_line, span.end_column);
        const char *with = new_text(all->items[i], name);
        text_add_range(&text, source->chars + at, from - at);
        text_add_range(&text, with, strlen(with));
        at = to;
    }
    text_add_range(&text, source->chars + at, source->length - at);
    return text;
}

static bool all_here(const Found *all, const Source *source)
{
    for (int i = 0; i < all->count; i++)
        if (all->items[i]->span.source != source)
            return false;
    return true;
}

/* Whether this document has more faults under the new name.  A name that other
 * files have too cannot be tried in this one alone. */
static bool brings_faults(Request *request, const Found *all, const char *name)
{
    const Source *source = request->analysis->source;
    if (!all_here(all, source))
        return false;
    Text text = renamed_text(source, all, name);
    return count_errors(source->path, text_chars(&text), text.length)
           > count_errors(source->path, source->chars, source->length);
}

static const char *why_not(Request *request, const Occurrence *found, const Found *all,
                           const char *name)
{
    bool tensor = found->definition->kind == NAME_TENSOR;
    if (!name || (tensor ? !is_tensor_name(name) : !is_word(name)))
        return format("a name is letters, digits and underscores%s",
                      tensor ? ", in parts joined by dots" : "");
    return brings_faults(request, all, name) ? format("`%s` would collide with another name", name)
                                             : NULL;
}

cJSON *answer_rename(Request *request)
{
    const Occurrence *found = renamable(request);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(request->params, "newName");
    if (!found)
        return NULL;
    Found all = find_all(request, true);
    request->fault = why_not(request, found, &all, cJSON_IsString(name) ? name->valuestring : NULL);
    if (request->fault)
        return NULL;
    cJSON *result = cJSON_CreateObject(), *changes = cJSON_AddObjectToObject(result, "changes");
    for (int i = 0; i < all.count; i++) {
        const char *uri = uri_of(all.items[i]->span.source->path);
        cJSON *list = cJSON_GetObjectItemCaseSensitive(changes, uri), *edit = cJSON_CreateObject();
        list = list ? list : cJSON_AddArrayToObject(changes, uri);
        cJSON_AddItemToObject(edit, "range", json_range(all.items[i]->span));
        cJSON_AddStringToObject(edit, "newText", new_text(all.items[i], name->valuestring));
        cJSON_AddItemToArray(list, edit);
    }
    return result;
}
