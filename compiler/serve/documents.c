/* documents.c: the texts that are open in the editor.
 *
 * Texts are the server's own memory, for they outlive every check.  An edit
 * drops the analysis of its document and of each that uses other files, as these
 * may have used the text that changed.
 */
#include "serve/server.h"

#include <stdlib.h>
#include <string.h>

Document *documents;

static char *copied(const char *chars)
{
    return strcpy(memory_allocate(strlen(chars) + 1), chars);
}

/* ---- URIs */

static int hex(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* "file:///a%20b" names a path; anything else (an unsaved buffer) is its own name. */
static char *path_of(const char *uri)
{
    if (strncmp(uri, "file://", 7))
        return copied(uri);
    const char *from = uri + 7 + strcspn(uri + 7, "/");
    char *path = copied(from), *to = path;
    for (; *from; from++) {
        bool escaped = *from == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0
                       && (hex(from[1]) || hex(from[2]));
        *to++ = escaped ? (char)(16 * hex(from[1]) + hex(from[2])) : *from;
        from += escaped ? 2 : 0;
    }
    *to = '\0';
    return path;
}

static bool same_file(const char *a, const char *b)
{
    if (!strcmp(a, b))
        return true;
    char *real = realpath(a, NULL), *other = real ? realpath(b, NULL) : NULL;
    bool same = other && !strcmp(real, other);
    free(real);
    free(other);
    return same;
}

const char *uri_of(const char *path)
{
    for (const Document *at = documents; at; at = at->next)
        if (!strcmp(at->path, path))
            return at->uri;
    char *real = realpath(path, NULL);
    Text uri = {0};
    text_add(&uri, "file://");
    for (const char *c = real ? real : path; *c; c++)
        text_add(&uri,
                 strchr("/._-~", *c) || (*c >= '0' && *c <= '9')
                         || ((*c | 32) >= 'a' && (*c | 32) <= 'z')
                     ? "%c"
                     : "%%%02X",
                 (unsigned char)*c);
    free(real);
    return intern(text_chars(&uri));
}

/* ---- what may be read */

static char **folders; /* the workspace's, resolved */
static int folder_count;

/* `folder` NULL or no folder: nothing lies in it. */
static bool lies_in(const char *path, const char *folder)
{
    size_t length = folder ? strlen(folder) : 0;
    while (length > 0 && folder[length - 1] == '/')
        length--;
    return folder && *folder == '/' && strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* In the workspace, or in the folder of `first` or below. */
static bool within_reach(const char *first, const char *path)
{
    for (int i = 0; i < folder_count; i++)
        if (lies_in(path, folders[i]))
            return true;
    const char *slash = strrchr(first, '/');
    char *own = slash ? strndup(first, (size_t)(slash - first) + 1) : NULL,
         *real = own ? realpath(own, NULL) : NULL;
    bool within = lies_in(path, real);
    free(real);
    free(own);
    return within;
}

static void add_folder(const cJSON *uri)
{
    char *path = cJSON_IsString(uri) ? path_of(uri->valuestring) : NULL;
    char *real = path && *path == '/' ? realpath(path, NULL) : NULL;
    free(path);
    if (!real)
        return;
    folders = memory_resize(folders, (size_t)(folder_count + 1) * sizeof *folders);
    folders[folder_count++] = real;
}

void set_workspace(const cJSON *params)
{
    const cJSON *folder;
    may_read = within_reach;
    add_folder(cJSON_GetObjectItemCaseSensitive(params, "rootUri"));
    cJSON_ArrayForEach(folder, cJSON_GetObjectItemCaseSensitive(params, "workspaceFolders"))
        add_folder(cJSON_GetObjectItemCaseSensitive(folder, "uri"));
}

/* ---- texts */

Document *find_document(const char *uri)
{
    Document *at = documents;
    while (at && strcmp(at->uri, uri))
        at = at->next;
    return at;
}

static void drop_analysis(Document *document)
{
    if (document->analysis)
        drop_arena(document->analysis->arena);
    document->analysis = NULL;
}

/* The text changed: so may have what every user of files was told. */
static void mark_changed(Document *document)
{
    for (Document *at = documents; at; at = at->next) {
        bool uses = !at->analysis || at->analysis->program->uses.count > 0;
        if (at != document && !uses)
            continue;
        drop_analysis(at);
        at->changed = true;
        at->helped = false;
    }
}

/* For the front end: a file that is open is read from its document. */
static const char *open_text(const char *path, size_t *length)
{
    for (const Document *at = documents; at; at = at->next)
        if (same_file(at->path, path)) {
            char *copy = arena_allocate(at->length + 1);
            memcpy(copy, at->text, at->length);
            *length = at->length;
            return copy;
        }
    return NULL;
}

void open_document(const char *uri, const char *text, double version)
{
    Document *document = find_document(uri);
    if (document)
        close_document(document);
    document = memory_allocate(sizeof *document);
    *document = (Document){.next = documents,
                           .uri = copied(uri),
                           .path = path_of(uri),
                           .text = copied(text),
                           .length = strlen(text),
                           .version = version};
    documents = document;
    unsaved_text = open_text;
    mark_changed(document);
}

void close_document(Document *document)
{
    Document **at = &documents;
    mark_changed(document);
    while (*at != document)
        at = &(*at)->next;
    *at = document->next;
    free(document->uri);
    free(document->path);
    free(document->text);
    free(document);
}

/* ---- edits */

/* The text with bytes [from, to) replaced. */
static char *replaced(const char *text, size_t length, size_t from, size_t to, const char *with)
{
    size_t added = strlen(with);
    char *made = memory_allocate(length - (to - from) + added + 1);
    memcpy(made, text, from);
    memcpy(made + from, with, added);
    memcpy(made + from + added, text + to, length - to);
    made[length - (to - from) + added] = '\0';
    return made;
}

/* One edit; without a range it is the whole text.  NULL: it makes no sense. */
static char *changed_text(const char *text, const cJSON *change)
{
    const cJSON *with = cJSON_GetObjectItemCaseSensitive(change, "text");
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(change, "range");
    size_t length = strlen(text), from = 0, to = length;
    if (!cJSON_IsString(with))
        return NULL;
    if (range
        && (!read_offset(text, length, cJSON_GetObjectItemCaseSensitive(range, "start"), &from)
            || !read_offset(text, length, cJSON_GetObjectItemCaseSensitive(range, "end"), &to)
            || from > to))
        return NULL;
    return replaced(text, length, from, to, with->valuestring);
}

bool change_document(Document *document, const cJSON *changes, double version)
{
    char *text = copied(document->text);
    const cJSON *change;
    cJSON_ArrayForEach(change, changes)
    {
        char *next = changed_text(text, change);
        free(text);
        text = next;
        if (!text)
            return false;
    }
    free(document->text);
    document->text = text;
    document->length = strlen(text);
    document->version = version;
    mark_changed(document);
    return true;
}

/* ---- analyses */

static void check_document(const Document *document, Analysis *a)
{
    char *copy = arena_allocate(document->length + 1);
    memcpy(copy, document->text, document->length);
    a->log = new_diagnostic_log();
    DiagnosticLog *before = diag_to(a->log);
    Program *program = parse_text(intern(document->path), copy, document->length);
    if (program)
        check_parsed(program, &a->trace);
    a->sound = diag_error_count() == 0;
    diag_to(before);
    a->program = program ? program : NEW(Program);
    a->shapes = note_shapes(&a->trace);
    a->source = a->program->source;
}

Analysis *analyse(Document *document)
{
    enum { MAX_QUERIES = 1000 }; /* then the arena starts anew */
    if (document->analysis && ++document->analysis->queries > MAX_QUERIES)
        drop_analysis(document);
    if (!document->analysis) {
        Arena *arena = new_arena(), *before = use_arena(arena);
        document->analysis = NEW(Analysis);
        document->analysis->arena = arena;
        check_document(document, document->analysis);
        use_arena(before);
    }
    return document->analysis;
}

const Names *names_of(Analysis *a)
{
    if (!a->names)
        a->names = find_names(a->program);
    return a->names;
}
