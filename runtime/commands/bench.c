/* bench.c: how many images a second the network trains on and answers for. */
#include "commands.h"

/* What --cores prints is a table, and all of it. */
static bool has_other_figures(const NetBench *bench)
{
    return bench->core_counts && (bench->json || bench->only || bench->many);
}

int net_command_bench(Request *request)
{
    NetError error;
    NetData data = {0};
    request->bench.threads = (int)request->threads;
    request->bench.steps = (int64_t)request->steps;
    request->bench.many = (int64_t)request->many;
    if (has_other_figures(&request->bench))
        return net_complain(MISUSE,
                            "--cores prints a table of its own: without --json, --only and --many");
    request->bench.data = request->data ? &data : NULL;
    bool good = (!request->data || net_open_data(request, &data, NULL, NULL, &error))
                && net_bench(request->model, &request->settings, &request->bench, stdout, &error);
    net_data_close(&data);
    return good ? DONE : net_give_up(&error);
}
