/* check.c: a program in memory, checked as the command would check a file, for
 * those who ask again and again: the language server at every key, a search for
 * the edit that fixes a fault.  Such a caller gives each check an arena and a
 * log of messages of its own, and drops both.
 */
#include "graph/graph.h"

void check_parsed(const Program *program, Trace *trace)
{
    if (program->network)
        build_traced(program, trace);
    else
        check_library(program, trace);
}

int count_errors(const char *path, const char *chars, size_t length)
{
    Arena *made = new_arena(), *arena = use_arena(made);
    DiagnosticLog *log = diag_to(new_diagnostic_log());
    const Program *program = parse_text(path, chars, length);
    if (program)
        check_parsed(program, NULL);
    int errors = diag_error_count();
    diag_to(log);
    use_arena(arena);
    drop_arena(made);
    return errors;
}
