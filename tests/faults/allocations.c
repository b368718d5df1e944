/* allocations.c: a library to be preloaded, in which one allocation fails.
 *
 * It stands before the C library's malloc and its like, which the C library
 * itself calls too (strdup, asprintf, fopen), and hands on to it.  Counting
 * begins where main does.  FAULT_AT says which allocation fails, from 1;
 * FAULT_ONWARD that all later ones do as well.  What failed is written to the
 * file FAULT_REPORT; with FAULT_STACK, who asked for it as well.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Under these names the C library exports its own. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

enum { FRAMES = 24 };

static atomic_long counted;
static long wanted; /* 0: none, and not yet */
static bool onward, stacks;
static char *report;

static void tell(const char *name, size_t bytes)
{
    char text[100];
    void *frames[FRAMES];
    int file = open(report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int length = snprintf(text, sizeof text, "%s ENOMEM %zu\n", name, bytes);
    ssize_t put = write(file, text, (size_t)length);
    if (stacks && put > 0)
        backtrace_symbols_fd(frames, backtrace(frames, FRAMES), file);
    close(file);
}

/* Whether this allocation is to fail. */
static bool fails(const char *name, size_t bytes)
{
    static _Thread_local bool telling;
    if (!wanted || telling)
        return false;
    long number = ++counted;
    if (number < wanted || (number > wanted && !onward))
        return false;
    if (number == wanted) {
        telling = true;
        tell(name, bytes);
        telling = false;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    return fails("malloc", bytes) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails("calloc", count * bytes) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    return fails("realloc", bytes) ? NULL : __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    return fails("memalign", bytes) ? NULL : __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails("aligned_alloc", bytes) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    if (fails("posix_memalign", bytes))
        return ENOMEM;
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : ENOMEM;
}

/* So that whoever goes through all of them knows that this was beyond the last. */
__attribute__((destructor)) static void tell_missed(void)
{
    if (wanted && counted < wanted)
        tell("missed", (size_t)counted);
}

/* ------------------------------------------------- where main begins */

typedef int Main(int argc, char **argv, char **environment);
static Main *real_main;

static int counted_main(int argc, char **argv, char **environment)
{
    const char *at = getenv("FAULT_AT");
    report = getenv("FAULT_REPORT");
    onward = getenv("FAULT_ONWARD") != NULL;
    stacks = getenv("FAULT_STACK") != NULL;
    unsetenv("LD_PRELOAD"); /* what the program executes is another's */
    if (report && at)
        wanted = atol(at);
    return real_main(argc, argv, environment);
}

int __libc_start_main(Main *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
    __typeof__(&__libc_start_main) real = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main;
    return real(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
