/* classes.c: the words for a network's classes.
 *
 * The data know them when the network is trained: folders' names, CIFAR's. They
 * are kept in the saved weights' __metadata__, a line each, so that a program
 * that has the weights but not the data still says "cat" and not "3".
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool has_control(const char *lines)
{
    for (; *lines; lines++)
        if (((unsigned char)*lines < ' ' && *lines != '\n') || *lines == 127)
            return true;
    return false;
}

static int64_t count_lines(const char *lines)
{
    int64_t count = 1;
    for (; *lines; lines++)
        count += *lines == '\n';
    return count;
}

/* Points at each line of `text`, whose line ends become the strings' ends. */
static void split(char *text, const char **names)
{
    for (char *end; (end = strchr(text, '\n')); text = end + 1) {
        *end = '\0';
        *names++ = text;
    }
    *names = text;
}

bool net_name_classes(NetSession *session, const char *lines, const char *where, NetError *error)
{
    int64_t classes = session->model->classes;
    if (count_lines(lines) != classes)
        return net_fail(error, "%s names %" PRId64 " classes, and this network has %" PRId64, where,
                        count_lines(lines), classes);
    if (has_control(lines))
        return net_fail(error, "%s has a control character in a class's name", where);
    char *whole = strdup(lines), *text = strdup(lines);
    const char **names = calloc((size_t)classes, sizeof *names);
    if (!whole || !text || !names) {
        free(whole);
        free(text);
        free(names);
        return net_fail(error, "out of memory");
    }
    split(text, names);
    net_forget_classes(session);
    session->class_lines = whole;
    session->class_names = names; /* the first is `text` */
    return true;
}

void net_forget_classes(NetSession *session)
{
    if (session->class_names)
        free((char *)session->class_names[0]);
    free(session->class_names);
    free(session->class_lines);
    session->class_names = NULL;
    session->class_lines = NULL;
}

/* The first class that the two name differently. */
static bool differ(const NetSession *session, const NetData *data, NetError *error)
{
    const char *line = data->class_names;
    int64_t label = 0;
    for (; label + 1 < session->model->classes; label++) {
        size_t length = strcspn(line, "\n");
        if (strlen(session->class_names[label]) != length
            || strncmp(line, session->class_names[label], length) != 0)
            break;
        line += length + 1;
    }
    return net_fail(
        error, "%s calls class %" PRId64 " %.*s, and the weights were trained to call it %.150s",
        data->what, label, (int)strcspn(line, "\n"), line, session->class_names[label]);
}

/* Whether the network's classes are those of the data, which may have names for others. */
static bool has_its_classes(const NetModel *model, const NetData *data)
{
    int number = net_main_target(model);
    if (number < 0)
        return false;
    return net_is_by_class(&model->wanted[number],
                           &data->train.arrays[data->train.targets[number]]);
}

bool net_take_classes(NetSession *session, const NetData *data, NetError *error)
{
    if (!data->class_names || !has_its_classes(session->model, data))
        return true;
    if (!session->class_lines)
        return net_name_classes(session, data->class_names, data->what, error);
    return strcmp(session->class_lines, data->class_names) == 0 || differ(session, data, error);
}

int64_t net_class_count(const NetSession *session)
{
    return session->model->classes;
}

const char *net_class_name(const NetSession *session, int64_t class)
{
    bool known = session->class_names && class >= 0 && class < session->model->classes;
    return known ? session->class_names[class] : NULL;
}

const char *net_class_shown(char *text, size_t size, const NetSession *session, int64_t class)
{
    const char *name = net_class_name(session, class);
    if (name)
        return net_shown(text, size, name);
    snprintf(text, size, "%" PRId64, class);
    return text;
}
