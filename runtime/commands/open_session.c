/* open_session.c: a network's session, as the command line asks for it, and the weights that it
 * starts with. */
#include "commands.h"

#include <string.h>

uint64_t net_seed_of(const Request *request)
{
    return (uint64_t)net_setting(&request->settings, "seed", 1);
}

static int64_t accumulated(const Request *request)
{
    return request->trains ? (int64_t)net_setting(&request->settings, "accumulate", 1) : 1;
}

/* Images that are computed at once.  Where nothing is normalised over them, what `accumulate` adds
 * up is the larger batch. */
int64_t net_batch_of(const Request *request)
{
    int64_t batch = (int64_t)net_setting(&request->settings, "batch", 64);
    return net_has_batch_norms(request->model) ? batch : batch * accumulated(request);
}

NetSession *net_open_session(const Request *request, bool training, NetError *error)
{
    NetSession *session =
        net_session_open(request->model, (int)request->threads, net_batch_of(request),
                         net_seed_of(request), training, error);
    if (session && !net_session_normalise(session, &request->settings, error)) {
        net_close(session);
        return NULL;
    }
    return session;
}

/* A refusal says where a part of the file would do. */
bool net_load_weights(NetSession *session, const Request *request, NetError *error)
{
    NetError ignored;
    if (request->partial)
        return net_load_part(session, request->weights, error);
    if (net_load(session, request->weights, error))
        return true;
    size_t used = strlen(error->text);
    if (net_load_part(session, request->weights, &ignored))
        snprintf(error->text + used, sizeof error->text - used,
                 ": --partial takes what this network has");
    return false;
}

NetSession *net_open_trained(const Request *request, NetError *error)
{
    NetSession *session = net_open_session(request, false, error);
    NetNotes notes = {0};
    if (session && !net_load_weights(session, request, error)) {
        net_close(session);
        return NULL;
    }
    if (session)
        net_normal_settle(session, &request->settings, request->weights, &notes);
    net_tell_notes(&notes);
    return session;
}

NetSession *net_open_training_session(const Request *request, NetError *error)
{
    NetSession *session = net_open_session(request, true, error);
    int passes = net_has_batch_norms(request->model) ? (int)accumulated(request) : 1;
    if (session && !net_session_accumulate(session, passes, error)) {
        net_close(session);
        return NULL;
    }
    if (session)
        session->own_norms = request->norms && strcmp(request->norms, "rank") == 0;
    return session;
}

/* Weights to start from may have been another task's: the classes and the
 * normalisation are this run's. */
bool net_load_first(NetSession *session, const Request *request, const NetTensorFile *weights,
                    NetError *error)
{
    if (request->partial)
        return net_weights_read_partial(session, weights, request->run.quiet ? NULL : stdout,
                                        error);
    if (!net_weights_read(session, NULL, weights, NULL, error))
        return false;
    net_forget_classes(session);
    return net_recipe_set(session, NULL, error)
           && net_session_normalise(session, &request->settings, error);
}

bool net_open_from(const Request *request, NetTensorFile *from, NetError *error)
{
    const char *path = request->resume ? request->resume : request->init;
    int unlike = net_ranks_unlike(request->resume ? 2 : request->init ? 1 : 0);
    if (unlike >= 0)
        return net_fail(error,
                        "rank %d has another --init or --resume than rank 0: start all with the "
                        "same words",
                        unlike);
    return !path
           || (net_tensors_open_handed(from, path, &net_speaker, error)
               && net_ranks_ready(net_tensors_unwrap(from, request->model, error), &net_speaker));
}
