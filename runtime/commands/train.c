/* train.c: the command train, of one run or of several. */
#include "commands.h"

int net_command_train(Request *request)
{
    if (request->output && request->repeat == 1)
        return net_complain(MISUSE, "--output is a table of several runs: it needs --repeat N");
    return request->repeat > 1 ? net_run_trials(request) : net_train_once(request);
}
