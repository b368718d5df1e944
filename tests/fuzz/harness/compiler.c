/* compiler.c: the fuzz targets in netc.
 *
 *   net       a .net text checked, formatted in all ways, its messages printed
 *   repair    the same file through `netc check --fix`: the search for what would mend it
 *   build     a sound and small one through all stages: emit, summary, graph, plan
 *   serve     bytes on the language server's input
 *   editor    a session of an editor, one request a line, made into messages
 *   command   netc's command line, one word a line
 *
 * Each run has an arena and a log of its own.  util/arena.c is compiled with
 * ARENA_SEPARATE, so that the sanitizer sees every allocation of an arena.
 */
#include "fuzz.h"

#include "core/output.h"
#include "front/front.h"
#include "netc.h"
#include "serve/server.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int netc_main(int argc, char **argv); /* main.c's */

/* ------------------------------------------------ what each run begins with */

static Arena *arena;

void before_run(void)
{
    arena = new_arena();
    use_arena(arena);
    diag_to(new_diagnostic_log());
    diag_options = (DiagOptions){.max_errors = 20};
    optind = 0;
    unsaved_text = NULL;
}

void after_run(void)
{
    diag_to(NULL);
    use_arena(NULL);
    drop_arena(arena);
    net_remove_unfinished();
}

static void check(bool condition, const char *what)
{
    if (!condition)
        finding(what);
}

/* ------------------------------------------------------------- .net texts */

static const char *copied(const uint8_t *bytes, size_t size)
{
    char *text = arena_allocate(size + 1);
    memcpy(text, bytes, size);
    return text;
}

/* Formatting what is formatted changes nothing. */
static void format_twice(const char *text, size_t size, FormatMode mode)
{
    Text once = {0}, twice = {0};
    diag_to(new_diagnostic_log());
    if (!format_text("input.net", text, size, mode, &once))
        return;
    check(format_text("input.net", text_chars(&once), once.length, mode, &twice),
          "what fmt wrote has errors");
    check(once.length == twice.length
              && memcmp(text_chars(&once), text_chars(&twice), once.length) == 0,
          "fmt changes what it wrote itself");
}

static void check_text(const char *text, size_t size)
{
    Trace trace = {0};
    const Program *program = parse_text("input.net", text, size);
    if (program)
        check_parsed(program, &trace);
    if (trace.graph && !diag_error_count())
        verify_graph(trace.graph);
    diag_flush();
}

/* $FUZZ_FAULT is made on purpose, to see that it is seen. */
static void make_fault(void)
{
    const char *fault = getenv("FUZZ_FAULT");
    if (!fault)
        return;
    if (strcmp(fault, "overrun") == 0)
        ((volatile char *)arena_allocate(5))[5] = 1;
    else if (strcmp(fault, "exit") == 0)
        unreachable();
    else
        new_arena();
}

static void run_net(const uint8_t *bytes, size_t size)
{
    const char *text = copied(bytes, size);
    uint64_t hash = hash_of(bytes, size);
    diag_options.style = (int)(hash % 5);
    check_text(text, size);
    make_fault();
    format_twice(text, size, (FormatMode)(hash / 5 % 3));
}

/* Runs netc as a command, as if it were a process of its own. */
static void run_netc(char *const *words)
{
    char *argv[MAX_ARGUMENTS + 2]; /* getopt moves them about */
    int argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = words[argc];
    argv[argc] = NULL;
    optind = 0;
    diag_options = (DiagOptions){0};
    run_main(netc_main, argc, argv);
}

static void run_repair(const uint8_t *bytes, size_t size)
{
    int errors = count_errors("input.net", copied(bytes, size), size);
    write_file("input.net", bytes, size);
    run_netc((char *[]){"netc", "check", "--fix", "input.net", NULL});
    size_t length;
    char *text = read_whole_file("input.net", 1 << 24, &length);
    check(text && (errors || (length == size && memcmp(text, bytes, size) == 0)),
          "check --fix changed a sound file");
}

/* Every stage's work grows with the expanded network: a large one says no more than a small one. */
static bool is_small(const char *text, size_t size)
{
    enum { MAX_NODES = 40 };
    Trace trace = {0};
    const Program *program = parse_text("input.net", text, size);
    if (!program || !program->network || diag_error_count())
        return false;
    check_parsed(program, &trace);
    return trace.graph && !diag_error_count() && trace.graph->nodes.count <= MAX_NODES;
}

static void run_build(const uint8_t *bytes, size_t size)
{
    static char *const ways[][6] = {
        {"netc", "emit", "input.net", "-o", "/dev/null"},
        {"netc", "emit", "input.net", "--target=x86-64-v4", "-o", "/dev/null"},
        {"netc", "emit", "input.net", "--kernels=reference"},
        {"netc", "emit", "input.net", "--dtype=f64", "--target=portable"},
        {"netc", "summary", "input.net", "--json"},
        {"netc", "summary", "input.net"},
        {"netc", "graph", "input.net"},
        {"netc", "check", "--dump=plan", "input.net"},
        {"netc", "check", "--dump=gradient", "input.net"},
        {"netc", "check", "--dump=ast", "input.net"},
        {"netc", "emit", "input.net", "--fuse=none"},
    };
    if (!is_small(copied(bytes, size), size))
        return;
    write_file("input.net", bytes, size);
    run_netc(ways[hash_of(bytes, size) % (sizeof ways / sizeof *ways)]);
}

/* ------------------------------------------------------ the command line */

static void run_command(const uint8_t *bytes, size_t size)
{
    char text[MAX_ARGUMENT_BYTES], *argv[MAX_ARGUMENTS + 2];
    if (memchr(bytes, '/', size)) /* it stays in its folder */
        return;
    split_words(bytes, size, text, argv);
    argv[0] = "netc";
    run_netc(argv);
}

static void write_samples(void)
{
    static const char sound[] = "use \"lib.net\"\nnetwork n {\n    input [1, 8, 8]\n    A(4)\n    "
                                "flatten\n    linear(10)\n}\n"
                                "train {\n    data mnist\n    loss cross_entropy\n    optimizer "
                                "sgd(lr=0.1)\n    batch 4\n    epochs 1\n}\n";
    static const char library[] = "block A(n) {\n    conv2d(n, 3)\n    relu\n}\n";
    static const char wrong[] =
        "network n {\n    input [1, 8, 8]\n    conv2d(4, 9)\n    linear(10)\n}\n";
    write_file("a.net", sound, sizeof sound - 1);
    write_file("lib.net", library, sizeof library - 1);
    write_file("bad.net", wrong, sizeof wrong - 1);
}

/* A command may write what it was told to, but starts no other program. */
int __wrap_posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[],
                        char *const envp[]);
int __wrap_posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    (void)child, (void)file, (void)actions, (void)attributes, (void)argv, (void)envp;
    return ENOENT;
}

int __real_atexit(void (*function)(void));
int __wrap_atexit(void (*function)(void));
int __wrap_atexit(void (*function)(void))
{
    return running ? 0 : __real_atexit(function);
}

/* ------------------------------------------------------ the language server */

static const uint8_t *input; /* what the client sends, and is still to come */
static size_t input_left;
static bool serving;

ssize_t __real_read(int descriptor, void *to, size_t count);
ssize_t __wrap_read(int descriptor, void *to, size_t count);
ssize_t __wrap_read(int descriptor, void *to, size_t count)
{
    if (!serving || descriptor != STDIN_FILENO)
        return __real_read(descriptor, to, count);
    count = count < input_left ? count : input_left;
    memcpy(to, input, count);
    input += count;
    input_left -= count;
    return (ssize_t)count;
}

ssize_t __real_write(int descriptor, const void *from, size_t count);
ssize_t __wrap_write(int descriptor, const void *from, size_t count);
ssize_t __wrap_write(int descriptor, const void *from, size_t count)
{
    return serving && descriptor == STDOUT_FILENO ? (ssize_t)count
                                                  : __real_write(descriptor, from, count);
}

int __real_poll(struct pollfd *inputs, nfds_t count, int milliseconds);
int __wrap_poll(struct pollfd *inputs, nfds_t count, int milliseconds);
int __wrap_poll(struct pollfd *inputs, nfds_t count, int milliseconds)
{
    return serving ? input_left > 0 : __real_poll(inputs, count, milliseconds);
}

/* The search for help has a process of its own: here it is done at the end. */
pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    if (!serving)
        return __real_fork();
    errno = EAGAIN;
    return -1;
}

static int serve_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return serve();
}

static void find_helps(void)
{
    for (Document *at = documents; at; at = at->next)
        if (!analyse(at)->sound)
            cJSON_Delete(find_help(at));
}

static void run_session(const uint8_t *bytes, size_t size)
{
    uint64_t hash = hash_of(bytes, size);
    input = bytes;
    input_left = size;
    serving = true;
    run_main(serve_main, 0, NULL);
    use_arena(arena);
    if (hash % 64 == 0)
        find_helps();
    input_left = 0;
    /* what it has taken already */
    for (Reading reading = READING_MESSAGE; reading != READING_END;) {
        char *text = NULL;
        size_t length;
        const char *why;
        reading = read_message(&text, &length, &why);
        if (reading == READING_MESSAGE)
            free(text);
    }
    serving = false;
    while (documents)
        close_document(documents);
}

/* ---- a session as text: a line "%method line column name" and what follows it */

static void add_message(Text *out, cJSON *message)
{
    char *text = cJSON_PrintUnformatted(message);
    text_add(out, "Content-Length: %zu\r\n\r\n%s", strlen(text), text);
    cJSON_free(text);
    cJSON_Delete(message);
}

static cJSON *new_message(const char *method, bool request)
{
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "jsonrpc", "2.0");
    if (request)
        cJSON_AddNumberToObject(message, "id", 1);
    cJSON_AddStringToObject(message, "method", method);
    return message;
}

static void add_place(cJSON *object, const char *name, const double at[2])
{
    cJSON *place = cJSON_AddObjectToObject(object, name);
    cJSON_AddNumberToObject(place, "line", at[0]);
    cJSON_AddNumberToObject(place, "character", at[1]);
}

static void add_request(Text *out, const char *line, const char *body)
{
    char method[64] = "", name[64] = "";
    double at[4] = {0};
    int read = sscanf(line, "%63s %lf %lf %lf %lf", method, &at[0], &at[1], &at[2], &at[3]);
    sscanf(line, "%*s %*s %*s %63s", name);
    bool opens = !strcmp(method, "textDocument/didOpen"),
         changes = !strcmp(method, "textDocument/didChange");
    cJSON *message = new_message(method, !strstr(method, "/did")),
          *params = cJSON_AddObjectToObject(message, "params");
    cJSON *document = cJSON_AddObjectToObject(params, "textDocument");
    cJSON_AddStringToObject(document, "uri", at[3] == 1 ? "untitled:2" : "file:///input.net");
    if (opens)
        cJSON_AddStringToObject(document, "text", body);
    cJSON *change = changes ? cJSON_CreateObject() : NULL,
          *range = changes && read == 5 ? cJSON_AddObjectToObject(change, "range")
                                        : cJSON_AddObjectToObject(params, "range");
    if (range) {
        add_place(range, "start", at);
        add_place(range, "end", at + 2);
    }
    if (changes) {
        cJSON_AddStringToObject(change, "text", body);
        cJSON_AddItemToArray(cJSON_AddArrayToObject(params, "contentChanges"), change);
    }
    add_place(params, "position", at);
    cJSON_AddStringToObject(params, "newName", name);
    add_message(out, message);
}

/* Lines up to the next that begins with %. */
static const char *take_body(const char **at)
{
    const char *from = *at;
    while (**at && !(**at == '%' && (*at == from || (*at)[-1] == '\n')))
        ++*at;
    return format("%.*s", (int)(*at - from), from);
}

static void run_editor(const uint8_t *bytes, size_t size)
{
    Text out = {0};
    add_message(&out, new_message("initialize", true));
    for (const char *at = copied(bytes, size); *at;) {
        const char *line = "textDocument/didOpen";
        if (*at == '%') {
            line = format("%.*s", (int)strcspn(at + 1, "\n"), at + 1);
            at += strcspn(at, "\n");
            at += *at == '\n';
        }
        add_request(&out, line, take_body(&at));
    }
    run_session((const uint8_t *)text_chars(&out), out.length);
}

/* -------------------------------------------------------------- vocabulary */

static void add_arguments(const ArgSpec *args)
{
    for (; args && args->name; args++) {
        add_vocabulary(format("%s=", args->name));
        for (const char *const *word = args->words; word && *word; word++)
            add_vocabulary(*word);
    }
}

static bool is_option(const char *word)
{
    return word[0] == '-' || (word[0] >= 'a' && word[0] <= 'z');
}

static void add_command_line(void)
{
    static char *const commands[] = {"check", "build", "emit", "summary",
                                     "graph", "fmt",   "lsp",  "explain"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        before_run();
        char *page = printed(netc_main, 3, (char *[]){"netc", commands[i], "--help", NULL});
        after_run();
        add_vocabulary(commands[i]);
        add_vocabulary_of(page, is_option);
        free(page);
    }
}

static void add_methods(void)
{
    static const char *const methods[] = {
        "didOpen",       "didChange",  "didClose",
        "hover",         "completion", "signatureHelp",
        "definition",    "references", "documentHighlight",
        "prepareRename", "rename",     "documentSymbol",
        "foldingRange",  "inlayHint",  "semanticTokens/full",
        "formatting",    "codeAction",
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        add_vocabulary(format("\n%%textDocument/%s", methods[i]));
}

static void add_language(void)
{
    for (int i = 0; keyword_word(i); i++)
        add_vocabulary(keyword_word(i));
    for (const Operator *const *op = operators; *op; op++) {
        add_vocabulary((*op)->name);
        add_arguments((*op)->args);
    }
    for (int i = 0; setting_info(i).name; i++) {
        SettingInfo info = setting_info(i);
        add_vocabulary(info.name);
        add_arguments(info.args);
        for (int k = 0; k < info.choices.count; k++) {
            add_vocabulary(info.choices.items[k].name);
            add_arguments(info.choices.items[k].args);
        }
    }
}

void open_targets(void)
{
    const char *name = getenv("FUZZ_TARGET");
    before_run();
    if (strcmp(name, "command") == 0) {
        after_run();
        write_samples();
        add_command_line();
        return;
    }
    add_language();
    if (strcmp(name, "editor") == 0)
        add_methods();
    after_run();
}

const FuzzTarget targets[] = {
    {"net", run_net, mutate_words},
    {"repair", run_repair, mutate_words},
    {"build", run_build, mutate_words},
    {"serve", run_session, mutate_words},
    {"editor", run_editor, mutate_words},
    {"command", run_command, mutate_words},
    {NULL, NULL, NULL},
};
