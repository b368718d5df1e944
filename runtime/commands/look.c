/* look.c: the first filters as pictures, what each layer makes of one, and what the network is
 * trained on. */
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* "F.png", or in a folder, which is made, "DIR/training.png"; free() it.  NULL: *error says why. */
static char *sheet_path(const char *output, NetError *error)
{
    size_t length = strlen(output);
    bool file = length >= 4 && strcasecmp(output + length - 4, ".png") == 0;
    if (!file && mkdir(output, 0777) != 0 && errno != EEXIST) {
        net_fail(error, "cannot make the folder %s: %m", output);
        return NULL;
    }
    char *path = file ? strdup(output) : net_join_path(output, "training.png");
    if (!path)
        net_fail(error, "out of memory");
    return path;
}

/* What the network is trained on: it needs no weights. */
static int look_at_data(Request *request)
{
    NetError error;
    NetNotes notes = {0};
    NetData data = {0};
    NetSession *session = NULL;
    const NetModel *model = request->model;
    if (!request->output || request->operand_count > 0)
        return net_complain(MISUSE, "look --data needs --output F.png or a folder, and no picture");
    if (model->training.phase_count == 0)
        return net_complain(
            MISUSE, "%s has no train section, so nothing says what it is trained on", model->name);
    request->trains = true;
    char *path = sheet_path(request->output, &error);
    bool good = path && net_open_judged(request, &data, net_seed_of(request), &notes, &error)
                && (session = net_open_training_session(request, &error))
                && net_take_classes(session, &data, &error)
                && net_take_recipe(session, &data, &error);
    net_tell_notes(&notes);
    good = good
           && net_look_data(session, &request->settings, &data, (int64_t)request->many, path,
                            stdout, &error);
    net_close(session);
    net_data_close(&data);
    free(path);
    return good ? DONE : net_give_up(&error);
}

int net_command_look(Request *request)
{
    NetError error;
    if (request->data)
        return look_at_data(request);
    if (!request->weights || !request->output || request->operand_count > 1)
        return net_complain(MISUSE, "look needs --weights F, --output DIR and at most one picture; "
                                    "or --data DIR and --output F.png");
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
