/* messages.c: what goes wrong, and what else is to be known, on stderr. */
#include "commands.h"

#include <errno.h>
#include <stdarg.h>

static const char VERSION[] = "0.1.0";

enum { MESSAGE_BYTES = 4096 }; /* the longest message; what is longer is cut */

int net_speaker;

int net_complain(int status, const char *template, ...)
{
    va_list arguments;
    if (net_rank() != net_speaker)
        return status;
    va_start(arguments, template);
    char text[MESSAGE_BYTES]; /* that memory is out must be said without any */
    fflush(stdout);
    vsnprintf(text, sizeof text, template, arguments);
    fprintf(stderr, "%s: error: ", SHOWN(program_invocation_short_name));
    net_print_shown(stderr, text);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

void net_tell_notes(NetNotes *notes)
{
    fflush(stdout);
    for (int i = 0; i < notes->count && net_rank() == 0; i++) {
        fprintf(stderr, "%s: note: ", SHOWN(program_invocation_short_name));
        net_print_shown(stderr, notes->lines[i]);
        fputc('\n', stderr);
    }
    net_notes_close(notes);
}

int net_give_up(const NetError *error)
{
    return net_complain(FAILED, "%s", error->text);
}

void net_tell_error(const NetError *error)
{
    net_give_up(error);
}

void net_print_version(const NetModel *model)
{
    printf("%s %s, compiled from %s for %s\n", model->name, VERSION, SHOWN(model->source),
           model->target);
}
