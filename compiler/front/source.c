/* source.c: reads a file and all it uses, each once, into one program.
 *
 * The first may be a text in memory instead, as may those it uses.
 *
 * Files wait in a list rather than being read where `use` stands, so that no
 * chain of files, however long or circular, nests anything.  A file's identity
 * is its resolved path; what messages show is the path as it was written.
 */
#include "front/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Loading {
    Program *program;
    LIST(const char *) known; /* resolved paths */
} Loading;

/* ---- sections are defined once */

static void already_defined(Span second, Span first, const char *message)
{
    Diagnostic *d = diag(SEVERITY_ERROR, "duplicate-block", second, "%s", message);
    diag_label(d, first, "first defined here");
}

void define_use(Parser *parser, const Expr *path, Span span)
{
    Text text = {0};
    for (int i = 0; i < path->items.count; i++) {
        if (path->items.items[i]->kind != EXPR_CHARS) {
            diag(SEVERITY_ERROR, "syntax", path->items.items[i]->span,
                 "a file's path holds no value in braces");
            return;
        }
        text_add(&text, "%s", path->items.items[i]->word);
    }
    if (path->kind != EXPR_ERROR)
        push(&parser->program->uses, ((UseDef){intern(text_chars(&text)), span}));
}

void define_block(Parser *parser, BlockDef *block)
{
    block->library = parser->library;
    push(&parser->program->blocks, block);
}

void define_function(Parser *parser, const Token *word, FunctionDef *function)
{
    function->loss = *word->chars == 'l';
    function->library = parser->library;
    push(&parser->program->functions, function);
}

void define_network(Parser *parser, const Token *name, Body *body)
{
    NetworkDef *network = parser->program->network;
    if (parser->library)
        return;
    if (network) {
        already_defined(name->span, network->name_span, "a second network in one file");
        return;
    }
    parser->program->network = NEW(NetworkDef);
    *parser->program->network = (NetworkDef){name->word, name->span, body};
}

void define_train(Parser *parser, TrainDef *train)
{
    if (parser->library)
        return;
    if (parser->program->train)
        already_defined(train->span, parser->program->train->span,
                        "a second train section in one file");
    else
        parser->program->train = train;
}

/* A block's or a function's: a statement that has it as its first word means one of them. */
typedef struct Defined {
    const char *what, *name;
    Span span;
} Defined;

static int compare_defined(const void *left, const void *right)
{
    const Defined *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    if (!order)
        order = a->span.source->order - b->span.source->order;
    if (!order)
        order = a->span.line - b->span.line;
    return order ? order : a->span.column - b->span.column;
}

/* Sorts a copy, so that a library of many blocks is no quadratic matter. */
static void check_names(const Program *program)
{
    LIST(Defined) sorted = {0};
    for (int i = 0; i < program->blocks.count; i++) {
        const BlockDef *block = program->blocks.items[i];
        push(&sorted, ((Defined){"block", block->name, block->name_span}));
    }
    for (int i = 0; i < program->functions.count; i++) {
        const FunctionDef *function = program->functions.items[i];
        push(&sorted, ((Defined){"function", function->name, function->name_span}));
    }
    if (sorted.count)
        qsort(sorted.items, (size_t)sorted.count, sizeof *sorted.items, compare_defined);
    const Defined *first = sorted.items;
    for (int i = 1; i < sorted.count; i++) {
        const Defined *second = &sorted.items[i];
        if (second->name != first->name)
            first = second;
        else if (second->what == first->what)
            already_defined(second->span, first->span,
                            format("a second %s named %s", first->what, first->name));
        else
            already_defined(second->span, first->span,
                            format("%s is the name of a %s already", first->name, first->what));
    }
}

/* ---- files */

static void parse_file(Program *program, const Source *source)
{
    TokenList tokens = {0};
    Parser parser = {.program = program, .library = source != program->source};
    if (!scan_source(source, &tokens, NULL))
        return;
    fix_words(&tokens);
    layout_start(&parser.layout, &tokens);
    parse_source(&parser);
}

const char *(*unsaved_text)(const char *path, size_t *length);

const Source *new_source(const char *path, const char *chars, size_t length)
{
    static int order;
    LIST(size_t) starts = {0};
    push(&starts, (size_t)0);
    for (size_t i = 0; i < length; i++)
        if (chars[i] == '\n')
            push(&starts, i + 1);
    Source *source = NEW(Source);
    *source = (Source){intern(path), chars, length, order++, starts.items, starts.count};
    return source;
}

static const Source *add_source(Program *program, const char *path, const char *chars,
                                size_t length)
{
    const Source *source = new_source(path, chars, length);
    push(&program->sources, source);
    return source;
}

bool (*may_read)(const char *first, const char *path);

/* NULL, with errno set, when it cannot be read.  The file on the command line may
 * be a pipe; what a program uses is a file. */
static const Source *read_source(Program *program, const char *path)
{
    size_t length;
    const char *chars = unsaved_text ? unsaved_text(path, &length) : NULL;
    if (!chars)
        chars =
            (program->source ? read_regular_file : read_whole_file)(path, MAX_FILE_BYTES, &length);
    return chars ? add_source(program, path, chars, length) : NULL;
}

static const char *resolved(const char *path)
{
    char *real = realpath(path, NULL);
    const char *name = intern(real ? real : path);
    free(real);
    return name;
}

static bool is_known(Loading *loading, const char *path)
{
    const char *identity = resolved(path);
    for (int i = 0; i < loading->known.count; i++)
        if (loading->known.items[i] == identity)
            return true;
    push(&loading->known, identity);
    return false;
}

static const char *why_unreadable(void)
{
    if (errno == ENXIO)
        return "not a regular file";
    return errno == EFBIG ? format("larger than %d MiB", MAX_FILE_BYTES >> 20) : strerror(errno);
}

/* A path relative to the file that says it. */
static const char *beside(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    return *path == '/' || !slash ? path : format("%.*s%s", (int)(slash - file) + 1, file, path);
}

static bool is_net_file(const char *path)
{
    size_t length = strlen(path);
    return length >= 4 && strcmp(path + length - 4, ".net") == 0;
}

/* A message about a file that is no program would show some of it, so a link to
 * such a file is none either. */
static bool is_usable(const Loading *loading, UseDef use, const char *path)
{
    const char *real = resolved(path);
    if (!is_net_file(path) || !is_net_file(real))
        diag_help(diag(SEVERITY_ERROR, "use", use.span,
                       "%s is not read: `use` takes a file of blocks whose name ends in .net",
                       is_net_file(path) ? real
                       : *path           ? path
                                         : "\"\""),
                  "rename the file, here and on the disk, if it holds blocks");
    else if (*real == '/' && may_read && !may_read(loading->program->source->path, real))
        diag_help(diag(SEVERITY_ERROR, "use", use.span,
                       "%s is not read: it lies outside this file's folder and the workspace",
                       path),
                  "open a folder that holds both; `netc check` reads it");
    else
        return true;
    return false;
}

static bool exists(const char *path)
{
    size_t length;
    return (unsaved_text && unsaved_text(path, &length)) || access(path, F_OK) == 0;
}

/* A file of netc's own library, under $NETC_HOME or where it lies as seen from netc in its build
 * folder or installed; NULL: it has none of this name. */
static const char *library_file(const char *name)
{
    const char *own = program_folder(), *home = getenv("NETC_HOME");
    const char *const folders[] = {home ? format("%s/library", home) : NULL,
                                   own ? format("%s/../library", own) : NULL,
                                   own ? format("%s/../lib/netc/library", own) : NULL};
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !strchr(name, '/'); i++) {
        const char *path = folders[i] ? format("%s/%s", folders[i], name) : NULL;
        if (path && is_net_file(path) && exists(path))
            return resolved(path);
    }
    return NULL;
}

/* Beside the file that says it; a bare name that is not there may be the library's. */
static void follow_use(Loading *loading, UseDef use)
{
    const char *path = beside(use.span.source->path, use.path);
    const char *shipped = *use.path && !exists(path) ? library_file(use.path) : NULL;
    path = shipped ? shipped : path;
    if (is_known(loading, path) || (!shipped && !is_usable(loading, use, path)))
        return;
    const Source *source = read_source(loading->program, path);
    if (!source) {
        diag(SEVERITY_ERROR, "use", use.span, "cannot read %s: %s", path, why_unreadable());
        return;
    }
    parse_file(loading->program, source);
}

/* The first file, and then those it uses. */
static Program *parse_all(Program *program, const Source *source)
{
    Loading loading = {.program = program};
    program->source = source;
    is_known(&loading, source->path);
    parse_file(program, source);
    for (int i = 0; i < program->uses.count; i++)
        follow_use(&loading, program->uses.items[i]);
    check_names(program);
    return program;
}

static Program *unreadable(const char *path)
{
    diag(SEVERITY_ERROR, "read", (Span){0}, "cannot read %s: %s", path, why_unreadable());
    return NULL;
}

bool read_program_text(const char *path, Text *text)
{
    text->chars = read_whole_file(path, MAX_FILE_BYTES, &text->length);
    text->capacity = text->length + 1;
    return text->chars || unreadable(path);
}

Program *parse_program(const char *path)
{
    Program *program = NEW(Program);
    const Source *source = read_source(program, path); /* program->source is still NULL */
    return source ? parse_all(program, source) : unreadable(path);
}

Program *parse_text(const char *path, const char *chars, size_t length)
{
    Program *program = NEW(Program);
    errno = EFBIG;
    return length <= MAX_FILE_BYTES ? parse_all(program, add_source(program, path, chars, length))
                                    : unreadable(path);
}
