/* lr_find.c: a short run whose rate rises, for a learning rate to take. */
#include "commands.h"

int net_command_lr_find(Request *request)
{
    NetError error;
    NetData data = {0};
    NetOptimizer optimizer = {0};
    NetTensorFile from = {0};
    NetNotes notes = {0};
    NetSession *session = NULL;
    NetLrFind *finder = &request->finder;
    if (finder->from >= finder->to)
        return net_complain(MISUSE, "--from %g is no less than --to %g: the rate is to rise",
                            finder->from, finder->to);
    if (finder->log && !net_log_is_ours(finder->log))
        return net_complain(MISUSE,
                            "--log %.300s would replace a file that is no run's log: give "
                            "another name",
                            finder->log);
    if (request->partial && !request->init)
        return net_complain(MISUSE, "%s", net_find_contradiction(request));
    request->trains = true;
    finder->steps = (int64_t)request->rate_steps;
    bool good =
        net_open_from(request, &from, &error)
        && net_open_judged(request, &data, net_seed_of(request), &notes, &error)
        && (session = net_open_training_session(request, &error))
        && net_optimizer_open(&optimizer, request->model, &request->settings, &error)
        && (!request->init || net_load_first(session, request, &from, &error))
        && net_take_classes(session, &data, &error) && net_take_recipe(session, &data, &error)
        && net_lr_find(session, &optimizer, &request->settings, &data, finder, stdout, &error);
    net_tell_notes(&notes);
    net_optimizer_close(&optimizer);
    net_close(session);
    net_data_close(&data);
    net_tensors_close(&from);
    return good ? DONE : net_give_up(&error);
}
