/* test.c: loss and accuracy on the test images. */
#include "commands.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONFUSIONS = 5 }; /* that are told */

/* The commonest mistakes, each once: its count is cleared when it is printed. */
static void print_confusions(const NetSession *session, int64_t *confusion)
{
    int64_t classes = session->model->classes;
    for (int i = 0; i < CONFUSIONS; i++) {
        int64_t best = 0;
        for (int64_t i = 1; i < classes * classes; i++)
            if (i % (classes + 1) != 0 && (confusion[i] > confusion[best] || best == 0))
                best = i;
        if (best == 0 || confusion[best] == 0)
            return;
        char right[CLASS_TEXT], taken[CLASS_TEXT];
        printf("%s%s taken for %s: %" PRId64, i ? ", " : "most often ",
               net_class_shown(right, CLASS_TEXT, session, best / classes),
               net_class_shown(taken, CLASS_TEXT, session, best % classes), confusion[best]);
        confusion[best] = 0;
    }
}

/* Of classes of positions, each one's intersection over union. */
static void print_ious(const NetSession *session, const NetResult *result)
{
    enum { SHOWN_CLASSES = 32 };
    const NetModel *model = session->model;
    bool shown = false;
    for (int i = 0; i < result->measured.count; i++)
        shown |= strcmp(result->measured.items[i].key, "mean_iou") == 0;
    for (int64_t class = 0; shown && class < model->classes && class < SHOWN_CLASSES; class ++) {
        char name[CLASS_TEXT];
        double iou = net_class_iou(session, class);
        if (!isnan(iou))
            printf("  IoU of %s %.2f %%\n", net_class_shown(name, CLASS_TEXT, session, class),
                   100 * iou);
    }
}

static void print_test(const NetSession *session, const NetResult *result, int64_t *confusion)
{
    char figures[NET_FIGURES_TEXT];
    net_figures_text(figures, ", ", &result->measured);
    if (result->answers == 0) {
        printf("test loss %.6f%s (%" PRId64 " %s)\n", result->loss, figures, result->images,
               net_noun(session->model).many);
        return;
    }
    int64_t answers = result->answers;
    printf("test loss %.6f, accuracy %.2f %% (%" PRId64 " of %" PRId64 ")%s\n", result->loss,
           100.0 * (double)result->correct / (double)answers, result->correct, answers, figures);
    print_ious(session, result);
    if (confusion)
        print_confusions(session, confusion);
    if (result->correct < answers)
        printf("\n");
}

static bool test(Request *request, NetSession *session, const NetData *data, NetError *error)
{
    int64_t classes = request->model->classes;
    if (data->test.count < 1)
        return net_fail(error, "%s has no test %s", data->what, data->noun.many);
    enum { MOST = 65536 }; /* of more there is no table of mistakes */
    bool few = net_has_classes(request->model) && classes <= MOST;
    int64_t *confusion =
        few ? net_allocate((size_t)(classes * classes), sizeof *confusion, error) : NULL;
    if (few && !confusion)
        return false;
    NetResult result = net_test_split(session, &data->test, confusion);
    bool good = isfinite(result.loss) || net_explain_test(session, &data->test, error);
    if (good)
        print_test(session, &result, confusion);
    free(confusion);
    return good;
}

int net_command_test(Request *request)
{
    NetError error;
    NetData data = {0};
    NetSession *session = NULL;
    if (!request->weights)
        return net_complain(MISUSE, "test needs --weights F: what to test");
    bool good = (session = net_open_trained(request, &error))
                && net_open_test_data(request, session, &data, &error)
                && test(request, session, &data, &error);
    net_close(session);
    net_data_close(&data);
    return good ? DONE : net_give_up(&error);
}
