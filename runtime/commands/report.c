/* report.c: a page of a run's log and of its mistakes. */
#include "commands.h"

/* What the network makes of the images that its run was judged by. */
static bool report_answers(Request *request, NetReport *report, NetData *data, NetError *error)
{
    NetNotes notes = {0};
    bool training = request->model->training.phase_count > 0;
    bool good = net_open_data(request, data, NULL, &notes, error)
                && net_open_validation(request, data, net_seed_of(request), &notes, error)
                && (report->session = net_open_session(request, training, error))
                && net_load_weights(report->session, request, error);
    if (good)
        net_normal_settle(report->session, &request->settings, request->weights, &notes);
    net_tell_notes(&notes);
    report->data = data;
    return good && net_take_classes(report->session, data, error);
}

int net_command_report(Request *request)
{
    NetError error;
    NetData data = {0};
    if (request->operand_count != 1 || !request->output)
        return net_complain(MISUSE,
                            "report needs a run's log and a page to write: report run.jsonl -o "
                            "run.html");
    if (!request->weights && request->data)
        return net_complain(MISUSE,
                            "--data is of --weights F: what the network makes of these images");
    if (net_same_file(request->output, request->operands[0])
        || (request->weights && net_same_file(request->output, request->weights)))
        return net_complain(MISUSE,
                            "the page would replace what it is made of: give --output another "
                            "file");
    NetReport report = {.model = request->model,
                        .log = request->operands[0],
                        .out = request->output,
                        .weights = request->weights,
                        .worst = (int)request->worst};
    bool good = !request->weights || report_answers(request, &report, &data, &error);
    good = good && net_report(&report, &error);
    net_close(report.session);
    net_data_close(&data);
    return good ? DONE : net_give_up(&error);
}
