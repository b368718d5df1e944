/* notes.c: sentences that a user is to be told and that stop nothing.
 *
 * The library prints nothing: who finds something to say leaves it here, and the
 * command line prints it.
 */
#include "runtime.h"

#include <stdarg.h>
#include <stdlib.h>

void net_note(NetNotes *notes, const char *template, ...)
{
    char **lines = notes ? realloc(notes->lines, (size_t)(notes->count + 1) * sizeof *lines) : NULL;
    if (!lines)
        return;
    notes->lines = lines;
    va_list arguments;
    va_start(arguments, template);
    if (vasprintf(&lines[notes->count], template, arguments) >= 0)
        notes->count++;
    va_end(arguments);
}

void net_notes_close(NetNotes *notes)
{
    for (int i = 0; i < notes->count; i++)
        free(notes->lines[i]);
    free(notes->lines);
    *notes = (NetNotes){0};
}
