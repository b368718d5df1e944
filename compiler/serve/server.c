/* server.c: `netc lsp`, the Language Server Protocol 3.17 on standard input and output: from a
 * message to its answer.
 *
 * One message at a time: every answer takes milliseconds.  Reports are sent when no further
 * message waits, so that somebody who types fast is not told of texts that are past.  The search
 * for help takes longer than a key may wait: it runs in a process of its own when the typing
 * pauses, and ends at the next message.  A message that makes no sense is answered with an error
 * where it can be and never ends the server.
 */
#include "serve/server.h"
#include "serve/serve.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PARSE_ERROR = -32700,
    INVALID_REQUEST = -32600,
    METHOD_NOT_FOUND = -32601,
    INVALID_PARAMS = -32602,
    NOT_INITIALIZED = -32002,
    REQUEST_FAILED = -32803
};

static enum { FRESH, RUNNING, STOPPING, ENDED, ABANDONED } state;

/* ---- answers */

static cJSON *new_answer(const cJSON *id)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddStringToObject(answer, "jsonrpc", "2.0");
    cJSON_AddItemToObject(answer, "id", id ? cJSON_Duplicate(id, true) : cJSON_CreateNull());
    return answer;
}

static void answer_error(const cJSON *id, int code, const char *message)
{
    cJSON *answer = new_answer(id), *error = cJSON_AddObjectToObject(answer, "error");
    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", message);
    send_message(answer);
}

static void answer_result(const cJSON *id, cJSON *result)
{
    cJSON *answer = new_answer(id);
    cJSON_AddItemToObject(answer, "result", result ? result : cJSON_CreateNull());
    send_message(answer);
}

/* ---- what is about the server itself */

static cJSON *words(const char *const *list)
{
    cJSON *array = cJSON_CreateArray();
    for (; *list; list++)
        cJSON_AddItemToArray(array, cJSON_CreateString(*list));
    return array;
}

static cJSON *capabilities(void)
{
    static const char *const completes[] = {"(", ",", "=", " ", "\"", NULL}, *const signs[] = {
                                                                                 "(", ",", NULL};
    static const char *const actions[] = {"quickfix", "source.annotate", "source.strip", NULL};
    cJSON *all = cJSON_CreateObject(), *sync = cJSON_AddObjectToObject(all, "textDocumentSync");
    cJSON_AddBoolToObject(sync, "openClose", true);
    cJSON_AddNumberToObject(sync, "change", 2); /* by ranges */
    static const char *const plain[] = {"hoverProvider",
                                        "definitionProvider",
                                        "referencesProvider",
                                        "documentHighlightProvider",
                                        "documentSymbolProvider",
                                        "foldingRangeProvider",
                                        "documentFormattingProvider",
                                        "inlayHintProvider",
                                        NULL};
    for (int i = 0; plain[i]; i++)
        cJSON_AddBoolToObject(all, plain[i], true);
    cJSON_AddStringToObject(all, "positionEncoding", "utf-16");
    cJSON_AddItemToObject(cJSON_AddObjectToObject(all, "completionProvider"), "triggerCharacters",
                          words(completes));
    cJSON_AddItemToObject(cJSON_AddObjectToObject(all, "signatureHelpProvider"),
                          "triggerCharacters", words(signs));
    cJSON_AddItemToObject(cJSON_AddObjectToObject(all, "codeActionProvider"), "codeActionKinds",
                          words(actions));
    cJSON_AddBoolToObject(cJSON_AddObjectToObject(all, "renameProvider"), "prepareProvider", true);
    cJSON *colours = cJSON_AddObjectToObject(all, "semanticTokensProvider");
    cJSON_AddItemToObject(colours, "legend", colour_legend());
    cJSON_AddBoolToObject(colours, "full", true);
    return all;
}

static cJSON *initialize(const cJSON *params)
{
    set_workspace(params);
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "capabilities", capabilities());
    cJSON *info = cJSON_AddObjectToObject(result, "serverInfo");
    cJSON_AddStringToObject(info, "name", "netc");
    cJSON_AddStringToObject(info, "version", NETC_VERSION);
    state = RUNNING;
    return result;
}

/* ---- what is about a document */

static const struct Method {
    const char *name;
    cJSON *(*answer)(Request *request);
    bool has_position;
} methods[] = {
    {"textDocument/hover", answer_hover, true},
    {"textDocument/completion", answer_completion, true},
    {"textDocument/signatureHelp", answer_signature, true},
    {"textDocument/definition", answer_definition, true},
    {"textDocument/references", answer_references, true},
    {"textDocument/documentHighlight", answer_highlights, true},
    {"textDocument/prepareRename", answer_prepare_rename, true},
    {"textDocument/rename", answer_rename, true},
    {"textDocument/documentSymbol", answer_symbols, false},
    {"textDocument/foldingRange", answer_folds, false},
    {"textDocument/inlayHint", answer_hints, false},
    {"textDocument/semanticTokens/full", answer_colours, false},
    {"textDocument/formatting", answer_formatting, false},
    {"textDocument/codeAction", answer_actions, false},
};
enum { METHODS = sizeof methods / sizeof *methods };

static const char *string_at(const cJSON *object, const char *first, const char *second)
{
    const cJSON *found =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, first), second);
    return cJSON_IsString(found) ? found->valuestring : NULL;
}

static Document *document_of(const cJSON *params)
{
    const char *uri = string_at(params, "textDocument", "uri");
    return uri ? find_document(uri) : NULL;
}

static void answer_method(const struct Method *method, const cJSON *id, const cJSON *params)
{
    Request request = {.params = params, .document = document_of(params)};
    if (!request.document) {
        answer_error(id, INVALID_PARAMS, "no such document is open");
        return;
    }
    request.analysis = analyse(request.document);
    if (!request.analysis->source) {
        answer_result(id, NULL); /* a text too long to be read */
        return;
    }
    if (method->has_position
        && !read_position(request.analysis->source,
                          cJSON_GetObjectItemCaseSensitive(params, "position"),
                          &request.position)) {
        answer_error(id, INVALID_PARAMS, "no such position");
        return;
    }
    Arena *before = use_arena(request.analysis->arena);
    cJSON *result = method->answer(&request);
    if (request.fault)
        answer_error(id, REQUEST_FAILED, request.fault);
    else
        answer_result(id, result);
    use_arena(before);
}

static void answer_request(const char *name, const cJSON *id, const cJSON *params)
{
    if (!strcmp(name, "initialize") && state == FRESH) {
        answer_result(id, initialize(params));
        return;
    }
    if (state != RUNNING) {
        answer_error(id, state == FRESH ? NOT_INITIALIZED : INVALID_REQUEST,
                     state == FRESH ? "the client has not initialized the server"
                                    : "the server is shutting down");
        return;
    }
    if (!strcmp(name, "shutdown")) {
        state = STOPPING;
        answer_result(id, NULL);
        return;
    }
    for (int i = 0; i < METHODS; i++)
        if (!strcmp(methods[i].name, name)) {
            answer_method(&methods[i], id, params);
            return;
        }
    answer_error(id, !strcmp(name, "initialize") ? INVALID_REQUEST : METHOD_NOT_FOUND,
                 "no such method");
}

/* ---- notifications */

static double version_of(const cJSON *params)
{
    const cJSON *document = cJSON_GetObjectItemCaseSensitive(params, "textDocument");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(document, "version");
    return cJSON_IsNumber(version) ? version->valuedouble : 0;
}

static void note(const char *name, const cJSON *params)
{
    Document *document = document_of(params);
    if (!strcmp(name, "exit"))
        state = state == STOPPING ? ENDED : ABANDONED;
    if (state != RUNNING)
        return;
    if (!strcmp(name, "textDocument/didOpen")) {
        const char *uri = string_at(params, "textDocument", "uri"),
                   *text = string_at(params, "textDocument", "text");
        if (uri && text)
            open_document(uri, text, version_of(params));
    } else if (!strcmp(name, "textDocument/didChange") && document) {
        const cJSON *changes = cJSON_GetObjectItemCaseSensitive(params, "contentChanges");
        if (cJSON_IsArray(changes))
            change_document(document, changes, version_of(params));
    } else if (!strcmp(name, "textDocument/didClose") && document) {
        send_no_reports(document);
        close_document(document);
    }
}

/* ---- messages */

static void handle(const char *text, size_t length)
{
    cJSON *message = cJSON_ParseWithLength(text, length);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(message, "method");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(message, "id");
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(message, "params");
    bool answerable = cJSON_IsNumber(id) || cJSON_IsString(id);
    if (!message)
        answer_error(NULL, PARSE_ERROR, "the message is not JSON");
    else if (!cJSON_IsObject(message) || (id && !answerable) || (name && !cJSON_IsString(name)))
        answer_error(NULL, INVALID_REQUEST, "the message is no request");
    else if (name && id)
        answer_request(name->valuestring, id, params);
    else if (name)
        note(name->valuestring, params);
    /* what has no method answers a request, and we make none */
    cJSON_Delete(message);
}

/* ---- the search for help */

/* What it finds, as the text of a message; nothing when there is nothing. */
static _Noreturn void search(Document *document, int out)
{
    cJSON *found = find_help(document);
    char *text = found ? cJSON_PrintUnformatted(found) : NULL;
    for (size_t at = 0, length = text ? strlen(text) : 0; at < length;) {
        ssize_t put = write(out, text + at, length - at);
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    _exit(0);
}

/* All that the search writes; false: the client was first. */
static bool await(int from, Text *text)
{
    char buffer[4096];
    for (;;) {
        struct pollfd inputs[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                  {.fd = from, .events = POLLIN}};
        if (poll(inputs, 2, -1) < 0 || inputs[0].revents || input_waits(0))
            return false;
        ssize_t got = read(from, buffer, sizeof buffer);
        if (got <= 0)
            return true;
        text_add_range(text, buffer, (size_t)got);
    }
}

/* False: a message came first. */
static bool search_help(Document *document)
{
    int ends[2];
    Text text = {0};
    if (analyse(document)->sound || pipe(ends) < 0)
        return true;
    pid_t child = fork();
    if (child == 0)
        search(document, ends[1]);
    close(ends[1]);
    bool whole = child < 0 || await(ends[0], &text);
    close(ends[0]);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    cJSON *message = whole && text.length ? cJSON_Parse(text_chars(&text)) : NULL;
    if (message)
        send_message(message);
    return whole;
}

/* What has waited for the client to pause. */
static void tell(void)
{
    enum { PAUSE = 200 }; /* milliseconds: a search is not begun between two keys */
    for (Document *at = documents; at && !input_waits(0); at = at->next) {
        if (at->changed)
            send_reports(at);
        at->changed = false;
    }
    for (Document *at = documents; at; at = at->next) {
        if (!at->helped && input_waits(PAUSE))
            return;
        at->helped = at->helped || search_help(at);
    }
}

int serve(void)
{
    signal(SIGPIPE, SIG_IGN);
    state = FRESH;
    for (;;) {
        char *text = NULL;
        size_t length = 0;
        const char *why = NULL;
        Arena *arena = new_arena();
        use_arena(arena);
        Reading reading = read_message(&text, &length, &why);
        if (reading == READING_MESSAGE)
            handle(text, length);
        else if (reading == READING_BAD)
            answer_error(NULL, PARSE_ERROR, why);
        if (state < ENDED)
            tell();
        free(text);
        use_arena(NULL);
        drop_arena(arena);
        if (reading == READING_END || state >= ENDED)
            return state == STOPPING || state == ENDED ? 0 : 1;
    }
}
