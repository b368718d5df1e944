/* programs.c: running other programs, and the folder in which they work.
 *
 * No shell is involved, so any file name works.  A program is in a process group
 * of its own, so that a signal which ends netc ends it with all that it started;
 * netc waits for that, removes what is unfinished, and dies of the same signal.
 */
#include "write/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { DAY = 24 * 60 * 60 };

Diagnostic *tool_error(const char *message, const char *what)
{
    return diag(SEVERITY_ERROR, "tool", (Span){0}, message, what);
}

void add_words(Words *words, const char *text)
{
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        push(words, intern_range(at, length));
        at += length;
    }
}

/* ---------------------------------------------------------------- signals */

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXCPU, SIGXFSZ};
enum { ENDING = sizeof ending / sizeof *ending };

static volatile pid_t running;        /* 0: no program does */
static volatile sig_atomic_t stopped; /* the signal that came while one did */

static void die_of(int number)
{
    net_remove_unfinished();
    signal(number, SIG_DFL);
    raise(number);
}

static void stop(int number)
{
    if (!running) {
        die_of(number);
        return;
    }
    stopped = number;
    kill(-running, number);
}

void catch_signals(void)
{
    for (int i = 0; i < ENDING; i++) {
        struct sigaction action = {.sa_handler = stop}, before;
        sigemptyset(&action.sa_mask);
        for (int k = 0; k < ENDING; k++)
            sigaddset(&action.sa_mask, ending[k]);
        if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(ending[i], &action, NULL);
    }
}

/* ------------------------------------------------------------ the folder */

static struct Scratch {
    const char *folder, *parent;
    const char *answer; /* the file of what a program that was asked says */
    int descriptor;     /* of the folder: its lock says that it is in use */
    Words files;
} scratch = {.descriptor = -1};

static const char *temporary_parent(void)
{
    const char *parent = getenv("TMPDIR");
    return parent && *parent ? intern(parent) : NULL;
}

/* A signal removes the files before the folder: they are noted in its place, and
 * it after them. */
const char *scratch_file(const char *name)
{
    const char *path = format("%s/%s", scratch.folder, name);
    push(&scratch.files, path);
    net_forget_unfinished(scratch.folder);
    net_unfinished(path);
    net_unfinished(scratch.folder);
    return path;
}

const char *open_scratch(void)
{
    scratch.parent = temporary_parent();
    const char *parent = scratch.parent ? scratch.parent : "/tmp";
    const char *template = format("%s/netc-build-XXXXXX", parent);
    char *folder = arena_allocate(strlen(template) + 1);
    strcpy(folder, template);
    if (!mkdtemp(folder)) {
        tool_error("cannot make a temporary folder: %s", format("%s: %s", folder, strerror(errno)));
        return NULL;
    }
    scratch.folder = folder;
    net_unfinished(folder);
    scratch.descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (scratch.descriptor < 0) { /* it could be neither locked nor emptied */
        tool_error("cannot read the temporary folder %s",
                   format("%s: %s", folder, strerror(errno)));
        net_remove_unfinished();
        return NULL;
    }
    flock(scratch.descriptor, LOCK_EX | LOCK_NB);
    net_remove_leftovers(parent, "netc-build-", scratch.descriptor, DAY, true);
    setenv("TMPDIR", folder, 1);
    scratch.answer = scratch_file("answer");
    return folder;
}

static void forget_scratch(void)
{
    for (int i = 0; i < scratch.files.count; i++)
        net_forget_unfinished(scratch.files.items[i]);
    net_forget_unfinished(scratch.folder);
    if (scratch.parent)
        setenv("TMPDIR", scratch.parent, 1);
    else
        unsetenv("TMPDIR");
    close(scratch.descriptor);
    scratch = (struct Scratch){.descriptor = -1};
}

void close_scratch(bool keep)
{
    if (!keep) {
        /* these are gone even if the folder cannot be listed */
        for (int i = 0; i < scratch.files.count; i++)
            unlink(scratch.files.items[i]);
        net_empty_folder(scratch.descriptor);
        rmdir(scratch.folder);
    }
    forget_scratch();
}

bool write_scratch(const char *path, const Text *text)
{
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(text_chars(text), 1, text->length, file) == text->length;
    if (file && fclose(file) != 0)
        good = false;
    if (!good)
        diag(SEVERITY_ERROR, "write", (Span){0}, "cannot write %s: %s", path, strerror(errno));
    return good;
}

/* --------------------------------------------------------------- running */

/* Signals that end us wait until we know whom to pass them to. */
static int start(const Words *words, const posix_spawn_file_actions_t *actions)
{
    sigset_t ours, before;
    sigemptyset(&ours);
    for (int i = 0; i < ENDING; i++)
        sigaddset(&ours, ending[i]);
    sigprocmask(SIG_BLOCK, &ours, &before);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &before);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    pid_t child;
    int failed = posix_spawnp(&child, words->items[0], actions, &attributes,
                              (char *const *)words->items, environ);
    if (!failed)
        running = child;
    posix_spawnattr_destroy(&attributes);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    running = 0;
    if (stopped) {
        if (scratch.folder)
            net_empty_folder(scratch.descriptor);
        die_of(stopped);
    }
    return status;
}

int run_program(Words *words)
{
    push(words, NULL);
    int failed = start(words, NULL);
    if (failed) {
        tool_error("cannot run %s", format("%s: %s", words->items[0], strerror(failed)));
        return -1;
    }
    int status = wait_for(running);
    if (WIFSIGNALED(status)) {
        tool_error("%s", format("%s was stopped by signal %d", words->items[0], WTERMSIG(status)));
        return -1;
    }
    return WEXITSTATUS(status);
}

const char *ask_program(Words *words)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, scratch.answer,
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    push(words, NULL);
    int failed = start(words, &actions);
    posix_spawn_file_actions_destroy(&actions);
    if (failed || wait_for(running) != 0)
        return NULL;
    size_t length;
    char *line = read_whole_file(scratch.answer, 1 << 16, &length);
    if (line)
        line[strcspn(line, "\n")] = '\0';
    return line;
}
