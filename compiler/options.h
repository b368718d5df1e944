/* options.h: the command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "write/write.h"

typedef enum Command {
    COMMAND_CHECK,
    COMMAND_BUILD,
    COMMAND_EMIT,
    COMMAND_SUMMARY,
    COMMAND_GRAPH,
    COMMAND_FMT,
    COMMAND_LSP,
    COMMAND_EXPLAIN
} Command;

typedef enum DumpStage { DUMP_NONE, DUMP_AST, DUMP_GRAPH, DUMP_GRADIENT, DUMP_PLAN } DumpStage;

typedef struct Options {
    Command command;
    DumpStage dump;
    LIST(const char *) operands;
    const char *output; /* "-": standard output */
    bool json, svg, fix;
    bool check, diff, annotate, strip; /* fmt */
    CompileOptions compile;
} Options;

/* Reads the command line and sets diag_options.  --help and --version print and
 * end the program with 0; misuse says what is wrong and ends it with 2. */
Options read_options(int argc, char **argv);
_Noreturn void misuse(const Options *options, const char *message, ...) PRINTF(2, 3);

#endif
