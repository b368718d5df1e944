/* programs.h: running other programs, and the folder in which they work. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "diag/diag.h"

typedef LIST(const char *) Words;               /* a command; ends with NULL when it is run */
void add_words(Words *words, const char *text); /* those that spaces part */

Diagnostic *tool_error(const char *message, const char *what);

/* A folder of our own for what programs read and write, theirs too (TMPDIR).
 * It goes with everything in it when it is closed, or when a signal ends netc.
 * NULL: reported. */
const char *open_scratch(void);
void close_scratch(bool keep);
/* A file in it, to be named once. */
const char *scratch_file(const char *name);
bool write_scratch(const char *path, const Text *text); /* reports */

/* Runs words and waits: its exit code, or -1 when it could not be run or died of
 * a signal (reported).  A signal that is to end netc ends the program, then netc. */
int run_program(Words *words);
/* What it printed, without the last newline; NULL: it failed, and said nothing. */
const char *ask_program(Words *words);

#endif
