/* look.c: the first filters as pictures, and what each layer makes of one. */
#include "commands.h"

int net_command_look(Request *request)
{
    NetError error;
    if (!request->weights || !request->output || request->operand_count > 1)
        return net_complain(MISUSE, "look needs --weights F, --output DIR and at most one picture");
    if (request->model->numbers)
        return net_complain(MISUSE, "%s takes whole numbers and no pictures", request->model->name);
    NetSession *session = NULL;
    bool good = net_check_pictures(request, "look without one draws the filters", &error)
                && (session = net_open_trained(request, &error))
                && net_look(session, request->operand_count ? request->operands[0] : NULL,
                            request->output, stdout, &error);
    net_close(session);
    return good ? DONE : net_give_up(&error);
}
