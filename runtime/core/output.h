/* output.h: how netc and the trainers write every file of theirs: the path is
 * always the old file or the whole new one.  It stands apart from runtime.h
 * because the compiler uses it too.
 */
#ifndef NET_OUTPUT_H
#define NET_OUTPUT_H

#include "net.h"

#include <stdio.h>

/* paths.c: the path without links, "." and "..", also of a file that does not
 * exist yet; free() it.  NULL: its folder does not exist. */
char *net_resolve(const char *path);
/* Whether both name one regular file, or would.  A device or a pipe can be named twice. */
bool net_same_file(const char *a, const char *b);

typedef enum NetOutputKind {
    NET_ANY_FILE,     /* a device or a pipe is written in place */
    NET_REGULAR_FILE, /* they are refused */
    NET_PROGRAM       /* likewise, and made executable as the umask lets it */
} NetOutputKind;

/* Whether `path` could be written, found out before the work is done.  Changes
 * nothing that is there. */
bool net_check_output(const char *path, NetOutputKind kind, NetError *error);

/* The first bytes of a regular file, at most `count`; how many, 0 where there is none or it
 * cannot be read. */
size_t net_first_bytes(const char *path, char *bytes, size_t count);

/* Write to `file`.  What is written lies under a temporary name in the same
 * folder, made the file itself by net_commit, and is dropped by net_discard.
 * Through a symbolic link the file it names is written, whether it is there or
 * not.  /dev/stdout and /dev/fd/N are the descriptors themselves. */
typedef struct NetOutput {
    FILE *file;
    char *path;      /* as it was given */
    char *target;    /* what its links lead to */
    char *temporary; /* NULL: written in place */
    int reason;      /* why net_put failed; 0: it did not */
} NetOutput;
bool net_create(NetOutput *output, const char *path, NetError *error);
bool net_create_kind(NetOutput *output, const char *path, NetOutputKind kind, NetError *error);
/* Writes these bytes; net_commit says if that failed. */
void net_put(NetOutput *output, const void *bytes, size_t length);
/* flushes, syncs, renames; output is closed either way */
bool net_commit(NetOutput *output, NetError *error);
void net_discard(NetOutput *output);

/* For a program that a signal ends: what is said to be unfinished is removed.
 * Outputs say so themselves; other files, and then the folder they lie in, may.
 * The text must stay until it is forgotten.  Safe in a signal handler. */
void net_unfinished(const char *path);
/* false: it is being removed, and the text must stay */
bool net_forget_unfinished(const char *path);
void net_remove_unfinished(void);

/* Removes what killed runs left in `folder`: names that begin with `prefix` and
 * end with six of our letters, the caller's own, nobody's lock on them, and not
 * written to for `seconds`, by the clock of the folder's own disk, which is
 * asked with `fresh`, a file or folder just made there.  Folders, if they are
 * asked for, go with the files in them. */
void net_remove_leftovers(const char *folder, const char *prefix, int fresh, int64_t seconds,
                          bool folders);
void net_empty_folder(int folder); /* of its files; it stays */

#endif
