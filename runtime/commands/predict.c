/* predict.c: what pictures show, what texts are, or test images. */
#include "commands.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { TOP = 3 }; /* classes of a picture, where nothing is said */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcasecmp(text + length - tail, end) == 0;
}

/* A table, JSON, a picture of all, or a folder of pictures, as the name says; false: it says none
 * of them. */
static bool take_output(const Request *request, NetPredict *options)
{
    const char *path = request->output;
    struct stat status;
    if (!path)
        return true;
    options->csv |= ends_with(path, ".csv");
    options->json |= ends_with(path, ".json");
    bool folder = ends_with(path, "/") || (stat(path, &status) == 0 && S_ISDIR(status.st_mode));
    if (folder)
        options->folder = path;
    else if (ends_with(path, ".png"))
        options->sheet = path;
    return folder || options->sheet || ends_with(path, ".csv") || ends_with(path, ".json");
}

/* To standard output, or whole to a file. */
static bool predict(const Request *request, NetSession *session, const NetPredict *options,
                    int64_t *failed, NetError *error)
{
    NetOutput output;
    if (!request->output || options->folder || options->sheet)
        return net_predict_pictures(session, options, stdout, failed, error);
    if (!net_create(&output, request->output, error))
        return false;
    if (net_predict_pictures(session, options, output.file, failed, error))
        return net_commit(&output, error);
    net_discard(&output);
    return false;
}

static bool find_all(const Request *request, NetNames *paths, NetError *error)
{
    const NetFileKind *kind = net_asked_files(request->model);
    NetNotes notes = {0};
    bool good = true;
    for (int i = 0; good && i < request->operand_count; i++)
        good = net_find_files(paths, request->operands[i], kind, &notes, error);
    net_tell_notes(&notes);
    return good;
}

/* No pictures and no texts: rows come by --data alone. */
static const char *find_misuse_of_rows(const Request *request)
{
    if (request->prompt)
        return "--prompt is of a network of texts, and this one is asked about rows of a table";
    if (request->operand_count > 0)
        return "predict takes a table by its option: --data F.csv";
    return request->data ? NULL : "predict needs rows of a table: --data F.csv";
}

/* What is missing, or too much; NULL: nothing. */
static const char *find_misuse(const Request *request)
{
    bool texts = request->model->numbers != 0, named = request->operand_count > 0,
         recordings = net_takes_recordings(request->model);
    if (net_is_read_by(request->model, "csv"))
        return find_misuse_of_rows(request);
    if (request->prompt && !texts)
        return "--prompt is of a network of texts, and this one is asked about pictures";
    if (!named && !request->data && !request->prompt)
        return texts
                   ? "predict needs texts: --prompt TEXT, files or folders of them, or --data for "
                     "some test examples"
               : recordings
                   ? "predict needs recordings: WAV files or folders of them, or --data for some "
                     "test examples"
                   : "predict needs images: PNG, JPEG, BMP or WebP files or folders of them, or "
                     "--data "
                     "for some test images";
    if (named && request->data)
        return texts        ? "predict takes text files or --data, not both"
               : recordings ? "predict takes WAV files or --data, not both"
                            : "predict takes image files or --data, not both";
    return request->prompt && request->data ? "predict takes --prompt or --data, not both" : NULL;
}

/* Texts of a network that gives something else than their next character. */
static bool takes_texts(const NetModel *model)
{
    return model->numbers && !net_can_generate(model) && model->input_count <= 1;
}

int net_command_predict(Request *request)
{
    NetError error;
    NetData data = {0};
    NetNames paths = {0};
    NetSession *session = NULL;
    int64_t failed = 0;
    NetPredict options = {.paths = &paths,
                          .count = (int64_t)request->count,
                          .top = request->top_k > 0 ? (int)request->top_k : TOP,
                          .top_given = request->top_k > 0,
                          .json = request->bench.json,
                          .csv = request->csv,
                          .texts = request->model->numbers && !request->data,
                          .prompt = request->prompt,
                          .tell = net_tell_error};
    if (!request->weights)
        return net_complain(MISUSE, "predict needs --weights F: what to predict with");
    if (options.texts && !takes_texts(request->model))
        return net_complain(
            MISUSE, "%s takes whole numbers and no pictures%s", request->model->name,
            net_can_generate(request->model) ? ": generate goes on with a text" : "");
    const char *misuse = find_misuse(request);
    if (misuse)
        return net_complain(MISUSE, "%s", misuse);
    if (!take_output(request, &options))
        return net_complain(MISUSE, "--output %.300s: F.csv, F.json, F.png or DIR/ is expected",
                            request->output);
    if (options.json && options.csv)
        return net_complain(MISUSE, "a table or JSON: give one");
    request->answers_only = true;
    bool good = net_check_pictures(request, "predict --data synthetic shows drawn examples", &error)
                && (session = net_open_trained(request, &error))
                && find_all(request, &paths, &error)
                && (!request->data || net_open_test_data(request, session, &data, &error));
    if (good && request->data)
        options.images = &data.test;
    good = good && predict(request, session, &options, &failed, &error);
    net_close(session);
    net_data_close(&data);
    net_names_close(&paths);
    return good ? failed ? FAILED : DONE : net_give_up(&error);
}
