/* files.c: the files of a run: each has its own, and none destroys what the user has. */
#include "commands.h"

#include <string.h>
#include <sys/stat.h>

/* The files of a run, each with its option. */
typedef struct Named {
    const char *option, *path;
    enum { READ, WEIGHTS, LOG } kind; /* of what is written there; READ: nothing is */
} Named;

enum { NAMED = 7 };

/* Written over one another they would destroy what the user has; only a
 * checkpoint goes on in the file that it is resumed from. */
static bool check_pair(const Named *a, const Named *b, NetError *error)
{
    bool goes_on = strcmp(a->option, "checkpoint") == 0 && strcmp(b->option, "resume") == 0;
    return goes_on || !a->path || !b->path || !net_same_file(a->path, b->path)
           || net_fail(error, "--%s and --%s name one file, %.300s: give each its own", a->option,
                       b->option, a->path);
}

/* Whether the file that is there may be replaced: one of ours by another of its kind. A name
 * that was mistyped, or completed by the shell, is often that of something else. */
static bool is_ours(const Named *file)
{
    enum { HEADER = 8 }; /* a header is after its length */
    char bytes[HEADER + 1];
    struct stat status;
    if (stat(file->path, &status) == 0 && net_stream_of(&status) >= 0)
        return true; /* /dev/stdout: what it is printed to goes on */
    if (file->kind == LOG)
        return net_log_is_ours(file->path);
    size_t length = net_first_bytes(file->path, bytes, HEADER + 1);
    return length == 0 || (length == HEADER + 1 && bytes[HEADER] == '{');
}

static bool check_name(const Request *request, const Named *file, NetError *error)
{
    const NetRun *run = &request->run;
    if (!file->path || file->kind == READ)
        return true;
    if (net_same_file(file->path, "/proc/self/exe"))
        return net_fail(error, "--%s %.300s is this program itself: give another file",
                        file->option, file->path);
    bool continued = request->resume && file->kind == LOG; /* read as a log */
    if (!continued && !is_ours(file))
        return net_fail(error, "--%s %.300s would replace a file that is no %s: give another name",
                        file->option, file->path, file->kind == LOG ? "run's log" : "weights file");
    if (run->keep > 1 && net_is_kept_name(file->path, run->checkpoint))
        return net_fail(
            error,
            "--%s %.300s is the name of an earlier checkpoint that --keep makes: give another file",
            file->option, file->path);
    return true;
}

bool net_check_files(const Request *request, NetError *error)
{
    const NetRun *run = &request->run;
    const Named files[NAMED] = {
        {"save", run->save, WEIGHTS},
        {"save-best", run->best, WEIGHTS},
        {"checkpoint", run->checkpoint, WEIGHTS},
        {"log", run->log, LOG},
        {"save-gradients", run->gradients, WEIGHTS},
        {"init", request->init, READ},
        {"resume", request->resume, READ},
    };
    for (int i = 0; i < NAMED; i++)
        for (int j = i + 1; j < NAMED; j++)
            if (!check_pair(&files[i], &files[j], error))
                return false;
    for (int i = 0; i < NAMED; i++)
        if (!check_name(request, &files[i], error))
            return false;
    return true;
}
