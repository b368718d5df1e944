/* files.c: files that netc writes; a failure is reported. */
#include "diag/log.h"

#include <string.h>

static bool write_failed(const NetError *error)
{
    diag(SEVERITY_ERROR, "write", (Span){0}, "%s", error->text);
    return false;
}

/* "-" is standard output, which goes on after us. */
static const char *named_output(const char *path)
{
    return strcmp(path, "-") ? path : "/dev/fd/1";
}

bool check_output(const char *path, NetOutputKind kind)
{
    NetError error;
    return net_check_output(named_output(path), kind, &error) || write_failed(&error);
}

bool write_whole_file(const char *path, NetOutputKind kind, const char *chars, size_t length)
{
    NetError error;
    NetOutput output;
    fflush(stdout);
    if (!net_create_kind(&output, named_output(path), kind, &error))
        return write_failed(&error);
    net_put(&output, chars, length);
    return net_commit(&output, &error) || write_failed(&error);
}
