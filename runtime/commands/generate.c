/* generate.c: goes on with a text. */
#include "commands.h"

int net_command_generate(Request *request)
{
    NetError error;
    if (!net_can_generate(request->model))
        return net_complain(
            MISUSE, "%s takes no text and gives none: generate is of networks of characters",
            request->model->name);
    if (!request->weights || !request->prompt)
        return net_complain(MISUSE, "generate needs --weights F and --prompt TEXT");
    NetSession *session = net_open_trained(request, &error);
    const NetGenerate options = {.prompt = request->prompt,
                                 .count = (int64_t)request->characters,
                                 .temperature = request->temperature,
                                 .top_k = (int64_t)request->top_k,
                                 .no_cache = request->no_cache,
                                 .seed = net_seed_of(request)};
    bool good = session && net_generate(session, &options, stdout, &error);
    net_close(session);
    return good ? DONE : net_give_up(&error);
}
