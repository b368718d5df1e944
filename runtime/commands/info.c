/* info.c: what was compiled: layers, sizes and settings. */
#include "commands.h"

int net_command_info(Request *request)
{
    net_info(request->model, stdout);
    return DONE;
}
