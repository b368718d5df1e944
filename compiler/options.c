/* options.c: the command line.  One table of commands and one of options, from
 * which parsing, --help and the checks all come, so that no option can be
 * accepted and not documented, or accepted where it does nothing.
 */
#include "options.h"
#include "core/shown.h"
#include "netc.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

typedef struct CommandSpec {
    const char *name, *operands;
    const char *summary;
    int minimum, maximum; /* operands */
} CommandSpec;

static const CommandSpec commands[] = {
    [COMMAND_CHECK] = {"check", "FILE...",
                       "checks every shape, name and setting; silent when all is well", 1, 1 << 20},
    [COMMAND_BUILD] = {"build", "FILE -o TRAINER",
                       "compiles a network into a program that trains, tests and runs it", 1, 1},
    [COMMAND_EMIT] = {"emit", "FILE", "writes the C that build would compile", 1, 1},
    [COMMAND_SUMMARY] = {"summary", "FILE",
                         "prints each layer's shapes, parameters and multiply-adds", 1, 1},
    [COMMAND_GRAPH] = {"graph", "FILE", "draws the network, with shapes, for Graphviz", 1, 1},
    [COMMAND_FMT] = {"fmt", "FILE...",
                     "lays files out in the one canonical way; - is standard input and output", 1,
                     1 << 20},
    [COMMAND_LSP] = {"lsp", "",
                     "serves an editor: the Language Server Protocol on standard input and output",
                     0, 0},
    [COMMAND_EXPLAIN] = {"explain", "[OPERATOR|WORD|CODE]",
                         "explains an operator, a word of the language or an error's code; alone, "
                         "lists them",
                         0, 1},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* which commands take an option */
enum {
    CHECK = 1 << COMMAND_CHECK,
    BUILD = 1 << COMMAND_BUILD,
    EMIT = 1 << COMMAND_EMIT,
    SUMMARY = 1 << COMMAND_SUMMARY,
    GRAPH = 1 << COMMAND_GRAPH,
    FMT = 1 << COMMAND_FMT,
    LSP = 1 << COMMAND_LSP,
    EXPLAIN = 1 << COMMAND_EXPLAIN,
    READS = CHECK | BUILD | EMIT | SUMMARY | GRAPH | FMT,
    ALL = READS | EXPLAIN | LSP
};

/* options without a letter */
enum {
    OPTION_KERNELS = 256,
    OPTION_DTYPE,
    OPTION_TARGET,
    OPTION_CC,
    OPTION_OBJECT,
    OPTION_DYNAMIC,
    OPTION_MPI,
    OPTION_FUSE,
    OPTION_SPLIT,
    OPTION_JSON,
    OPTION_SVG,
    OPTION_DUMP,
    OPTION_DIAGNOSTICS,
    OPTION_COLOUR,
    OPTION_MAX_ERRORS,
    OPTION_WARN,
    OPTION_FIX,
    OPTION_CHECK,
    OPTION_DIFF,
    OPTION_ANNOTATE,
    OPTION_STRIP,
    OPTION_STDIO
};

typedef struct OptionSpec {
    const char *name;
    int value;            /* its letter, or one of the above */
    const char *argument; /* NULL: takes none.  With '|': one of these words */
    unsigned commands;
    const char *help;
} OptionSpec;

static const OptionSpec option_specs[] = {
    {"output", 'o', "FILE", BUILD | EMIT | GRAPH,
     "where to write; - is standard output (not for build)"},
    {"kernels", OPTION_KERNELS, "specialised|reference", BUILD | EMIT,
     "specialised: loops written for this network (default); reference: the runtime's plain ones"},
    {"dtype", OPTION_DTYPE, "f32|f64", BUILD | EMIT | SUMMARY | CHECK,
     "the element type (default f32); f64 for gradient checks"},
    {"target", OPTION_TARGET, "NAME", BUILD | EMIT | SUMMARY | CHECK,
     "the processor: native (default), x86-64-v2, x86-64-v3, x86-64-v4, portable"},
    {"fuse", OPTION_FUSE, "none|NAME,...", BUILD | EMIT | SUMMARY | CHECK,
     "only these fusions (default all): "}, /* their names follow */
    {"split", OPTION_SPLIT, "auto|all|none", BUILD | EMIT | CHECK,
     "which kernels several threads share, of one image or where grains of images are too few "
     "for all: the large ones (default auto)"},
    {"cc", OPTION_CC, "PROGRAM", BUILD, "the C compiler (default cc; with --mpi mpicc)"},
    {"object", OPTION_OBJECT, NULL, BUILD,
     "an object file, to call from a C program (net.h), instead of a trainer"},
    {"dynamic", OPTION_DYNAMIC, NULL, BUILD,
     "links the system's shared libraries; without it, static ones where they are, so that the "
     "trainer runs elsewhere"},
    {"mpi", OPTION_MPI, NULL, BUILD,
     "for several processes, here or on many machines: mpirun -n 4 TRAINER train; needs MPI's "
     "mpicc"},
    {"json", OPTION_JSON, NULL, SUMMARY | EXPLAIN, "as JSON (explain: operators only)"},
    {"svg", OPTION_SVG, NULL, GRAPH, "as SVG, laid out by Graphviz's dot"},
    {"check", OPTION_CHECK, NULL, FMT,
     "writes nothing, names the files that would change, and exits with 1 if any would"},
    {"diff", OPTION_DIFF, NULL, FMT, "writes nothing, shows what would change"},
    {"annotate", OPTION_ANNOTATE, NULL, FMT,
     "writes each line's shape after it, as `-> [...]  #=`; old ones are renewed"},
    {"strip", OPTION_STRIP, NULL, FMT, "takes away what --annotate wrote"},
    {"stdio", OPTION_STDIO, NULL, LSP, "what it does anyway: editors like to say it"},
    {"dump", OPTION_DUMP, "ast|graph|gradient|plan", CHECK,
     "prints what that stage made, and stops"},
    {"diagnostics", OPTION_DIAGNOSTICS, "human|short|json|sarif|narrated", READS,
     "how errors are written (default human); narrated: plain sentences, to be read aloud"},
    {"warn", OPTION_WARN, "CODE|no-CODE|error", READS,
     "shows or silences a kind of warning (netc explain lists them), or makes errors of all; may "
     "be repeated"},
    {"fix", OPTION_FIX, NULL, CHECK, "makes every edit that is certain, and prints the difference"},
    {"color", OPTION_COLOUR, "auto|always|never", READS,
     "coloured errors (default auto: on a terminal, unless NO_COLOR is set)"},
    {"max-errors", OPTION_MAX_ERRORS, "N", READS, "stops after N errors (default 20; 0: no limit)"},
    {"help", 'h', NULL, ALL, "this page"},
};
enum { OPTIONS = sizeof option_specs / sizeof option_specs[0] };

/* ---------------------------------------------------------------- help */

static void print_option(const OptionSpec *spec)
{
    const char *name = format("--%s%s%s", spec->name, spec->argument ? "=" : "",
                              spec->argument ? spec->argument : "");
    if (spec->value < 256)
        name = format("-%c, %s", spec->value, name);
    printf("  %-26s", name);
    if (strlen(name) > 26)
        printf("\n  %26s", "");
    printf("  ");
    net_print_folded(format("%s%s", spec->help, spec->value == OPTION_FUSE ? fusion_names() : ""),
                     30);
}

static void print_command_help(Command command)
{
    const CommandSpec *spec = &commands[command];
    printf("usage: netc %s [OPTION...] %s\n\n", spec->name, spec->operands);
    net_print_folded(spec->summary, 0);
    printf("\noptions:\n");
    for (int i = 0; i < OPTIONS; i++)
        if (option_specs[i].commands & 1u << command)
            print_option(&option_specs[i]);
}

static void print_help(void)
{
    printf("netc compiles network descriptions into C programs that train them\n\n"
           "usage: netc COMMAND [OPTION...] [FILE...]\n\n");
    for (int i = 0; i < COMMANDS; i++) {
        printf("  %-8s %-16s ", commands[i].name,
               strcmp(commands[i].operands, "[OPERATOR|WORD|CODE]") ? commands[i].operands
                                                                    : "[WORD]");
        net_print_folded(commands[i].summary, 28);
    }
    printf("\n  netc COMMAND --help      lists that command's options\n"
           "  netc --dump=STAGE FILE   prints one stage: ast, graph, gradient or plan\n"
           "  netc --version\n\nexit: ");
    net_print_folded("0 all is well, 1 something is wrong with the program, 2 with the command, "
                     "3 with netc itself",
                     6);
}

void misuse(const Options *options, const char *message, ...)
{
    va_list arguments;
    va_start(arguments, message);
    char *text = NULL;
    fprintf(stderr, "netc: ");
    net_print_shown(stderr, vasprintf(&text, message, arguments) < 0 ? message : text);
    free(text);
    va_end(arguments);
    if (options)
        fprintf(stderr, "; see netc %s --help\n", commands[options->command].name);
    else
        fprintf(stderr, "; see netc --help\n");
    exit(2);
}

/* -------------------------------------------------------------- values */

/* The index of `word` among "a|b|c". */
static int choose(const Options *options, const OptionSpec *spec, const char *word)
{
    int index = 0;
    for (const char *at = spec->argument; at; index++) {
        size_t length = strcspn(at, "|");
        if (strlen(word) == length && !strncmp(at, word, length))
            return index;
        at = at[length] ? at + length + 1 : NULL;
    }
    misuse(options, "--%s takes %s, not '%s'", spec->name, spec->argument, word);
}

static int read_count(const Options *options, const OptionSpec *spec, const char *word)
{
    char *end;
    long count = strtol(word, &end, 10);
    if (end == word || *end || count < 0 || count > 1000000)
        misuse(options, "--%s takes a whole number up to 1000000, not '%s'", spec->name, word);
    return (int)count;
}

static const OptionSpec *option_of(int value)
{
    for (int i = 0; i < OPTIONS; i++)
        if (option_specs[i].value == value)
            return &option_specs[i];
    return NULL;
}

static void read_fuse(Options *options, const char *words)
{
    const char *unknown = read_fusions(words, &options->compile.fuse);
    if (unknown)
        misuse(options, "--fuse takes none, or some of %s, not '%s'", fusion_names(), unknown);
}

/* The one that an option without a value sets; NULL: it does something else. */
static bool *flag_of(Options *options, int value)
{
    switch (value) {
    case OPTION_OBJECT:
        return &options->compile.object;
    case OPTION_DYNAMIC:
        return &options->compile.dynamic;
    case OPTION_JSON:
        return &options->json;
    case OPTION_SVG:
        return &options->svg;
    case OPTION_CHECK:
        return &options->check;
    case OPTION_DIFF:
        return &options->diff;
    case OPTION_ANNOTATE:
        return &options->annotate;
    case OPTION_STRIP:
        return &options->strip;
    case OPTION_FIX:
        return &options->fix;
    }
    return NULL;
}

static void read_target(Options *options, const char *word)
{
    if (find_target(word, &options->compile.target))
        return;
    diag_flush();
    exit(2);
}

static void read_warning(const Options *options, const char *word)
{
    if (!diag_warn(word))
        misuse(options,
               "--warn takes error, a warning's code or no-CODE, not '%s'; `netc explain` lists "
               "the codes",
               word);
}

static void apply_option(Options *options, const OptionSpec *spec, const char *word)
{
    bool *flag = flag_of(options, spec->value);
    if (flag)
        *flag = true;
    switch (spec->value) {
    case 'o':
        options->output = word;
        break;
    case 'h':
        print_command_help(options->command);
        exit(0);
    case OPTION_KERNELS:
        options->compile.reference = choose(options, spec, word) == 1;
        break;
    case OPTION_DTYPE:
        options->compile.f64 = choose(options, spec, word) == 1;
        break;
    case OPTION_SPLIT:
        options->compile.split = (Split)choose(options, spec, word);
        break;
    case OPTION_CC:
        options->compile.cc = word;
        break;
    case OPTION_MPI:
        options->compile.mpi = options->compile.dynamic = true;
        break;
    case OPTION_DUMP:
        options->dump = (DumpStage)(DUMP_AST + choose(options, spec, word));
        break;
    case OPTION_DIAGNOSTICS:
        diag_options.style = choose(options, spec, word);
        break;
    case OPTION_COLOUR:
        diag_options.colour = choose(options, spec, word);
        break;
    case OPTION_MAX_ERRORS:
        diag_options.max_errors = read_count(options, spec, word);
        break;
    case OPTION_WARN:
        read_warning(options, word);
        break;
    case OPTION_FUSE:
        read_fuse(options, word);
        break;
    case OPTION_TARGET:
        read_target(options, word);
        break;
    }
}

/* ------------------------------------------------------------- parsing */

static Command read_command(const char *word)
{
    const char *names[COMMANDS + 1] = {NULL};
    for (int i = 0; i < COMMANDS; i++) {
        if (!strcmp(word, commands[i].name))
            return (Command)i;
        names[i] = commands[i].name;
    }
    const char *near = nearest(word, names);
    if (near)
        misuse(NULL, "no command '%s': did you mean '%s'?", word, near);
    misuse(NULL, "no command '%s'", word);
}

/* The tables getopt_long wants, for the options this command takes. */
static void getopt_tables(Command command, struct option *longs, char *letters)
{
    *letters++ = ':';
    for (int i = 0; i < OPTIONS; i++) {
        const OptionSpec *spec = &option_specs[i];
        if (!(spec->commands & 1u << command))
            continue;
        *longs++ = (struct option){spec->name, spec->argument ? required_argument : no_argument,
                                   NULL, spec->value};
        if (spec->value < 256) {
            *letters++ = (char)spec->value;
            if (spec->argument)
                *letters++ = ':';
        }
    }
    *letters = '\0';
    *longs = (struct option){NULL, 0, NULL, 0};
}

static _Noreturn void unknown_option(const Options *options, const char *word)
{
    const char *names[OPTIONS + 1] = {NULL};
    int count = 0;
    for (int i = 0; i < OPTIONS; i++)
        if (option_specs[i].commands & 1u << options->command)
            names[count++] = option_specs[i].name;
    const char *near = strncmp(word, "--", 2)
                           ? NULL
                           : nearest(format("%.*s", (int)strcspn(word + 2, "="), word + 2), names);
    if (near)
        misuse(options, "%s takes no option '%s': did you mean '--%s'?",
               commands[options->command].name, word, near);
    misuse(options, "%s takes no option '%s'", commands[options->command].name, word);
}

/* Of several letters in one word getopt has not passed the word yet, and names the
 * letter; a known one is that of a long option which takes no value and got one. */
static bool is_unknown_letter(void)
{
    return optopt && optopt < 256 && !option_of(optopt);
}

static void read_arguments(Options *options, int argc, char **argv)
{
    struct option longs[OPTIONS + 1];
    char letters[2 * OPTIONS + 2];
    getopt_tables(options->command, longs, letters);
    opterr = 0;
    for (int value; (value = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        if (value == ':')
            misuse(options, "%s needs a value", word);
        if (value == '?')
            unknown_option(options, is_unknown_letter() ? format("-%c", optopt) : word);
        apply_option(options, option_of(value), optarg);
    }
    for (int i = optind; i < argc; i++)
        push(&options->operands, argv[i]);
}

static void check_operands(const Options *options)
{
    const CommandSpec *spec = &commands[options->command];
    if (options->operands.count < spec->minimum)
        misuse(options, "%s needs a FILE", spec->name);
    if (options->operands.count > spec->maximum)
        misuse(options, "%s takes %s: '%s' is one too many", spec->name,
               spec->maximum ? "one operand" : "no operands",
               options->operands.items[spec->maximum]);
    if (options->command == COMMAND_BUILD && (!options->output || !strcmp(options->output, "-")))
        misuse(options, "build needs -o TRAINER, the program to write");
    if (options->output && net_same_file(options->output, options->operands.items[0]))
        misuse(options, "-o %s would replace what is read: give another file", options->output);
    if (options->compile.object && options->compile.mpi)
        misuse(options, "--mpi is for a trainer, and --object makes none");
    if (options->compile.object && options->compile.dynamic)
        misuse(options, "--dynamic is how a trainer is linked, and --object links nothing");
    if (options->dump && options->fix)
        misuse(options, "--dump prints a stage, and --fix none");
    if (options->annotate && options->strip)
        misuse(options, "--annotate and --strip undo each other");
    if (options->dump && options->operands.count > 1)
        misuse(options, "--dump takes one FILE");
}

Options read_options(int argc, char **argv)
{
    Options options = {.command = COMMAND_CHECK, .compile.fuse = FUSE_ALL};
    diag_options.max_errors = 20;
    if (argc < 2)
        misuse(NULL, "no command");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help();
        exit(0);
    }
    if (!strcmp(argv[1], "--version")) {
        printf("netc %s\n", NETC_VERSION);
        exit(0);
    }
    /* `netc --dump=plan FILE` is `netc check --dump=plan FILE`. */
    bool named = argv[1][0] != '-';
    if (named)
        options.command = read_command(argv[1]);
    if (!find_target("native", &options.compile.target))
        unreachable();
    read_arguments(&options, argc - named, argv + named);
    if (!named && !options.dump)
        misuse(NULL, "no command before '%s'", argv[1]);
    if (!options.compile.cc)
        options.compile.cc = options.compile.mpi ? "mpicc" : "cc";
    check_operands(&options);
    return options;
}
