/* tools.c: the other programs that netc runs: the C compiler that turns the
 * emitted file into a trainer, and Graphviz's dot.
 *
 * No shell is involved, so any file name works.  What they read and write lies
 * in a fresh temporary folder, and the result is moved to its name only when
 * all went well: an interrupted or failed run leaves the previous file intact.
 */
#include "netc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef LIST(const char *) Words;

static const Span nowhere;

static Diagnostic *tool_error(const char *message, const char *what)
{
    return diag(SEVERITY_ERROR, "tool", nowhere, message, what);
}

/* ------------------------------------------------- running one program */

/* Runs words (NULL-terminated) and waits.  Like system(), it leaves an
 * interrupt to the program, so that we are there to clean up.  Gives its exit
 * code, or -1 when it could not be run or died of a signal (reported). */
static int run(const Words *words)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, interrupt, quit;
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGQUIT);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

    pid_t child;
    int status = 0;
    int failed = posix_spawnp(&child, words->items[0], NULL, &attributes, (char *const *)words->items, environ);
    if (failed)
        tool_error("cannot run %s", format("%s: %s", words->items[0], strerror(failed)));
    else
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    posix_spawnattr_destroy(&attributes);
    if (failed)
        return -1;
    if (WIFSIGNALED(status)) {
        tool_error("%s", format("%s was stopped by signal %d", words->items[0], WTERMSIG(status)));
        return -1;
    }
    return WEXITSTATUS(status);
}

static void add_words(Words *words, const char *text)
{
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        push(words, intern_range(at, length));
        at += length;
    }
}

/* ------------------------------------------------------ temporary files */

static const char *make_folder(void)
{
    const char *parent = getenv("TMPDIR");
    const char *template = format("%s/netc-XXXXXX", parent && *parent ? parent : "/tmp");
    char *folder = arena_allocate(strlen(template) + 1);
    strcpy(folder, template);
    if (mkdtemp(folder))
        return folder;
    tool_error("cannot make a temporary folder: %s", format("%s: %s", folder, strerror(errno)));
    return NULL;
}

static bool copy_bytes(int from, int to)
{
    char buffer[1 << 16];
    ssize_t got;
    while ((got = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0, wrote; done < got; done += wrote)
            if ((wrote = write(to, buffer + done, (size_t)(got - done))) < 0)
                return false;
    return got == 0;
}

/* Copies `made` beside `output` and renames it there: the folders may be on
 * different file systems, where a rename alone does not reach. */
static bool move_into_place(const char *made, const char *output)
{
    const char *beside = format("%s.%ld.tmp", output, (long)getpid());
    int from = open(made, O_RDONLY | O_CLOEXEC);
    int to = from < 0 ? -1 : open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0777);
    bool moved = to >= 0 && copy_bytes(from, to);
    if (to >= 0)
        moved = close(to) == 0 && moved;
    moved = moved && rename(beside, output) == 0;
    if (!moved) {
        diag(SEVERITY_ERROR, "write", nowhere, "cannot write %s: %s", output, strerror(errno));
        if (to >= 0)
            unlink(beside);
    }
    if (from >= 0)
        close(from);
    return moved;
}

/* ------------------------------------------------------- the C compiler */

typedef struct Runtime { const char *library, *include; } Runtime;

static const char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return ".";
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    return intern(path);
}

/* The runtime's library and header: under $NETC_HOME, or where they lie as seen
 * from netc itself in its build folder or installed. */
static bool find_runtime(bool f64, Runtime *runtime)
{
    const char *own = own_folder(), *home = getenv("NETC_HOME");
    const char *type = f64 ? "f64" : "f32";
    const Runtime places[] = {
        { format("%s/build/libnet_%s.a", home ? home : own, type), format("%s/runtime", home ? home : own) },
        { format("%s/libnet_%s.a", own, type), format("%s/../runtime", own) },
        { format("%s/../lib/netc/libnet_%s.a", own, type), format("%s/../include/netc", own) },
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i].library, R_OK) == 0 && access(format("%s/net_runtime.h", places[i].include), R_OK) == 0) {
            *runtime = places[i];
            return true;
        }
    diag_help(tool_error("cannot find the runtime library libnet_%s.a", type),
              "it lies beside netc in its build folder; NETC_HOME names the repository when netc was moved");
    return false;
}

static Words compiler_words(const char *source, const char *made, const Runtime *runtime, const CompileOptions *options)
{
    Words words = { 0 };
    push(&words, options->cc);
    /* Contraction into fused multiply-adds is what the kernels count on; no
     * kernel reads errno or a floating-point trap. */
    add_words(&words, "-std=c11 -O2 -ffp-contract=fast -fno-math-errno -fno-trapping-math");
    add_words(&words, options->target.cflags);
    push(&words, options->f64 ? "-DNET_REAL=double" : "-DNET_REAL=float");
    push(&words, "-I");
    push(&words, runtime->include);
    push(&words, source);
    push(&words, "-o");
    push(&words, made);
    if (options->object) {
        add_words(&words, "-c -DNET_NO_MAIN");
    } else {
        push(&words, runtime->library);
        add_words(&words, "-lcjson -lz -lpng -ljpeg -lm -lpthread");
    }
    push(&words, NULL);
    return words;
}

bool compile_program(const Text *c, const char *name, const char *output, const CompileOptions *options)
{
    Runtime runtime;
    if (!find_runtime(options->f64, &runtime))
        return false;
    const char *folder = make_folder();
    if (!folder)
        return false;
    const char *source = format("%s/%s.c", folder, name), *made = format("%s/%s", folder, name);
    bool done = false;
    int code = -1;
    if (write_whole_file(source, text_chars(c), c->length)) {
        Words words = compiler_words(source, made, &runtime, options);
        code = run(&words);
        done = code == 0 && move_into_place(made, output);
    }
    unlink(made);
    if (code > 0) {             /* what it printed is on the terminal already */
        diag_note(tool_error("%s failed on the emitted C", options->cc), "the C is kept in %s", source);
        return false;
    }
    unlink(source);
    rmdir(folder);
    return done;
}

/* -------------------------------------------------------------- pictures */

bool render_svg(const Text *dot, const char *output)
{
    const char *folder = make_folder();
    if (!folder)
        return false;
    const char *source = format("%s/graph.dot", folder), *made = format("%s/graph.svg", folder);
    bool done = false;
    if (write_whole_file(source, text_chars(dot), dot->length)) {
        Words words = { 0 };
        add_words(&words, "dot -Tsvg -o");
        push(&words, made);
        push(&words, source);
        push(&words, NULL);
        int code = run(&words);
        size_t length;
        char *svg = code == 0 ? read_whole_file(made, 1u << 30, &length) : NULL;
        done = svg && write_whole_file(output, svg, length);
        if (code < 0)
            diag_help(tool_error("%s", "--svg needs Graphviz"), "install it (Debian: apt-get install graphviz), or leave --svg out and draw the DOT elsewhere");
        else if (!svg)
            tool_error("%s", "dot could not draw the graph");
    }
    unlink(made);
    unlink(source);
    rmdir(folder);
    return done;
}
