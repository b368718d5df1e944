/* repair.h: fixes, the edits that put a program right.
 *
 * What the files of the search share is in search.h.
 */
#ifndef REPAIR_H
#define REPAIR_H

#include "front/ast.h"

/* Searches the edits that fix what the log in use complains of, and
 * adds them to its messages as help.  Bounded by what it reads, not by a clock. */
void offer_help(const Program *program);
/* `check --fix`: makes every edit that is certain, writes the file and prints
 * the difference; what is left to say goes to the log in use. */
void fix_file(const char *path);

#endif
