/* write.h: from plans to the text of a program, and through the C compiler to a trainer.
 *
 * What the files that write the C share is in emit.h; programs.h runs other programs.
 */
#ifndef WRITE_H
#define WRITE_H

#include "kernels/kernel.h"
#include "plan/plan.h"

typedef struct CompileOptions {
    Target target;
    unsigned fuse; /* FUSE_… */
    Split split;
    bool f64;
    bool reference; /* --kernels=reference */
    const char *cc;
    bool dynamic; /* linked with the system's shared libraries */
    bool mpi;     /* for several ranks; implies `dynamic` */
    bool object;  /* for a program of the user's own: not linked, without main */
} CompileOptions;

/* emit.c: the whole C file. */
void emit_program(const Graph *graph, const Plans *plans, const CompileOptions *options, Text *out);
/* programs.c: the signals that end netc remove what it has not finished. */
void catch_signals(void);
/* compile.c: other programs run on what was written.  Each reports its failure
 * and leaves `output` as it was. */
/* before the work: could it be written? */
bool check_program(const char *output, const CompileOptions *options);
/* Whether what is there may be lost: it is a program, an object or nothing. */
bool may_replace(const char *output);
bool compile_program(const Text *c, const char *name, const char *output,
                     const CompileOptions *options);

#endif
