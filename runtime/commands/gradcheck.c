/* gradcheck.c: every gradient against differences of the loss. */
#include "commands.h"

int net_command_gradcheck(Request *request)
{
    NetError error;
    if (sizeof(real) != sizeof(double))
        return net_complain(MISUSE,
                            "gradients are checked in float64: build the network with --dtype=f64");
    if (request->model->training.phase_count == 0)
        return net_complain(MISUSE, "%s has no train section, so it has no gradients",
                            request->model->name);
    request->gradcheck.threads = (int)request->threads;
    request->gradcheck.samples = (int64_t)request->samples;
    request->gradcheck.weights = request->weights;
    return net_gradcheck(request->model, &request->settings, &request->gradcheck, stdout, &error)
               ? DONE
               : net_give_up(&error);
}
