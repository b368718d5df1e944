/* compile.c: the C compiler turns the emitted file into a trainer.
 *
 * What it reads and writes lies in a fresh temporary folder, and the result is
 * written to its name only when all went well: an interrupted or failed run
 * leaves the previous file intact.
 */
#include "write/programs.h"
#include "write/write.h"

#include "core/output.h"
#include "core/shown.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------- the C compiler */

typedef struct Runtime {
    const char *library, *include;
} Runtime;

/* The runtime's library and header: under $NETC_HOME, or where they lie as seen
 * from netc itself in its build folder or installed. */
static bool find_runtime(bool f64, Runtime *runtime)
{
    const char *own = program_folder(), *home = getenv("NETC_HOME");
    const char *type = f64 ? "f64" : "f32";
    if (!own && !home) {
        diag_help(tool_error("cannot tell where netc lies: /proc/self/exe: %s", strerror(errno)),
                  "NETC_HOME names the repository, where its library is");
        return false;
    }
    if (!own)
        own = home;
    const Runtime places[] = {
        {format("%s/build/libnet_%s.a", home ? home : own, type),
         format("%s/runtime", home ? home : own)},
        {format("%s/libnet_%s.a", own, type), format("%s/../runtime", own)},
        {format("%s/../lib/netc/libnet_%s.a", own, type), format("%s/../include/netc", own)},
    };
    const char *refused = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (access(places[i].library, R_OK) == 0
            && access(format("%s/net_runtime.h", places[i].include), R_OK) == 0) {
            *runtime = places[i];
            return true;
        }
        if (errno != ENOENT && errno != ENOTDIR)
            refused = format("%s: %s", places[i].library, strerror(errno));
    }
    if (refused)
        tool_error("cannot read the runtime library %s", refused);
    else
        diag_help(tool_error("cannot find the runtime library libnet_%s.a", type),
                  "it lies beside netc in its build folder; NETC_HOME names the repository when "
                  "netc was moved");
    return false;
}

/* The library NAME beside ours or where the C compiler has it, or NULL. */
static const char *static_library(const char *name, const Runtime *runtime,
                                  const CompileOptions *options)
{
    const char *own = format("%.*s%s", (int)(strrchr(runtime->library, '/') + 1 - runtime->library),
                             runtime->library, name);
    if (access(own, R_OK) == 0)
        return own;
    Words words = {0};
    push(&words, options->cc);
    push(&words, format("-print-file-name=%s", name));
    const char *path = ask_program(&words);
    return path && *path == '/' && access(path, R_OK) == 0 ? path : NULL;
}

/* The trainer asks for libwebp weakly, which neither takes anything out of a static library nor
 * keeps a shared one: either is told to be wanted.  Where the library is not, the trainer says so
 * when it meets such a file. */
static void add_webp(Words *words, const Runtime *runtime, const CompileOptions *options)
{
    const char *name = options->dynamic ? "libwebp.so" : "libwebp.a";
    const char *path = static_library(name, runtime, options);
    if (!path)
        return;
    push(words, options->dynamic ? "-Wl,--push-state,--no-as-needed" : "-Wl,-u,WebPDecodeRGBA");
    push(words, path);
    if (options->dynamic)
        push(words, "-Wl,--pop-state");
}

/* Static as far as there are libraries for it, so that the program runs on a
 * machine that has none of them. */
static void add_libraries(Words *words, const Runtime *runtime, const CompileOptions *options)
{
    static const char *const names[] = {"cjson", "png", "z", "jpeg"};
    bool all = !options->dynamic;
    push(words, runtime->library);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path =
            options->dynamic ? NULL : static_library(format("lib%s.a", names[i]), runtime, options);
        push(words, path ? path : format("-l%s", names[i]));
        all = all && path;
    }
    add_webp(words, runtime, options);
    add_words(words, "-lm -lpthread");
    if (all && static_library("libc.a", runtime, options)
        && static_library("libm.a", runtime, options))
        push(words, "-static");
}

/* One file's functions, compiled by as many processes as there are processors: with GCC as
 * link-time optimisation, of this file alone. Whether the compiler can do that it is asked.
 * GCC has make run the processes, and the makefile that it writes does not quote names. */
static void add_processes(Words *words, const CompileOptions *options)
{
    enum { MAX_PROCESSES = 16 };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    static const char needs_no_quotes[] = "/._-+0123456789abcdefghijklmnopqrstuvwxyz"
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *made = scratch_file("trial");
    if (processors < 2 || made[strspn(made, needs_no_quotes)])
        return;
    const char *option =
        format("-flto=%ld", processors < MAX_PROCESSES ? processors : MAX_PROCESSES);
    Words trial = {0};
    push(&trial, options->cc);
    push(&trial, option);
    add_words(&trial, "-shared -nostdlib -x c /dev/null -o");
    push(&trial, made);
    if (ask_program(&trial))
        push(words, option);
}

/* Whether the C compiler knows MPI, as MPI's own does. */
static bool check_mpi(const CompileOptions *options)
{
    Words trial = {0};
    push(&trial, options->cc);
    add_words(&trial, "-include mpi.h -fsyntax-only -x c /dev/null");
    if (ask_program(&trial))
        return true;
    diag_help(tool_error("%s does not find mpi.h", options->cc),
              "--mpi needs an MPI and its C compiler: apt-get install libopenmpi-dev openmpi-bin");
    return false;
}

static Words compiler_words(const char *source, const char *made, const Runtime *runtime,
                            const CompileOptions *options)
{
    Words words = {0};
    push(&words, options->cc);
    /* Contraction into fused multiply-adds is what the kernels count on, in every loop alike:
     * GCC's tuning for some processors, and its generic one since 14, takes an accumulator's
     * apart, so that what a value is depends on the loop that it is computed in.  (Clang has no
     * such parameter and is not to tell so.)  No kernel reads errno or a floating-point trap. */
    add_words(&words, "-std=c11 -O2 -ffp-contract=fast -fno-math-errno -fno-trapping-math "
                      "--param=avoid-fma-max-bits=0 -Wno-unused-command-line-argument");
    add_words(&words, options->target.cflags);
    push(&words, options->f64 ? "-DNET_REAL=double" : "-DNET_REAL=float");
    push(&words, "-I");
    push(&words, runtime->include);
    push(&words, source);
    if (options->mpi)
        push(&words, format("%s/ranks/mpi.c", runtime->include));
    push(&words, "-o");
    push(&words, made);
    if (options->object) {
        add_words(&words, "-c -fPIC -DNET_NO_MAIN");
    } else {
        add_processes(&words, options);
        add_libraries(&words, runtime, options);
    }
    return words;
}

static NetOutputKind program_kind(const CompileOptions *options)
{
    return options->object ? NET_REGULAR_FILE : NET_PROGRAM;
}

/* Whether what is there may be replaced: a program or an object by another one, or an empty
 * file. A name that the shell completed is often that of something else. */
static bool is_program(const char *path)
{
    char magic[4];
    size_t length = net_first_bytes(path, magic, sizeof magic);
    return length == 0 || (length == sizeof magic && memcmp(magic, "\177ELF", length) == 0);
}

bool check_program(const char *output, const CompileOptions *options)
{
    return check_output(output, program_kind(options));
}

bool may_replace(const char *output)
{
    if (is_program(output))
        return true;
    Diagnostic *d = diag(SEVERITY_ERROR, "write", (Span){0},
                         "%s is there already, and is no program", SHOWN(output));
    diag_help(d, "give -o another name, or remove that file first");
    return false;
}

enum { MAX_PROGRAM_BYTES = 1 << 30 };

static bool copy_program(const char *made, const char *output, const CompileOptions *options)
{
    size_t length;
    char *bytes = read_whole_file(made, MAX_PROGRAM_BYTES, &length);
    if (!bytes && errno == ENOENT)
        tool_error("%s made no program", options->cc);
    else if (!bytes)
        tool_error("cannot read what the C compiler made: %s", strerror(errno));
    return bytes && write_whole_file(output, program_kind(options), bytes, length);
}

bool compile_program(const Text *c, const char *name, const char *output,
                     const CompileOptions *options)
{
    Runtime runtime;
    if (!find_runtime(options->f64, &runtime) || !open_scratch())
        return false;
    const char *source = scratch_file(format("%s.c", name)),
               *made = scratch_file(format("%s.made", name));
    if (!write_scratch(source, c)) {
        close_scratch(false);
        return false;
    }
    if (options->mpi && !check_mpi(options)) {
        close_scratch(false);
        return false;
    }
    Words words = compiler_words(source, made, &runtime, options);
    int code = run_program(&words);
    bool done = code == 0 && copy_program(made, output, options);
    close_scratch(code > 0);
    if (code > 0) /* what it printed is on the terminal already */
        diag_note(tool_error("%s failed on the emitted C", options->cc), "the C is kept in %s",
                  source);
    return done;
}
