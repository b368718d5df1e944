/* checks.c: failing with a sentence, and allocating with a check. */
#include "runtime.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool net_fail(NetError *error, const char *template, ...)
{
    va_list arguments;
    char text[sizeof error->text];
    va_start(arguments, template);
    vsnprintf(text, sizeof text, template, arguments);
    va_end(arguments);
    net_shown(error->text, sizeof error->text, text);
    return false;
}

enum { LARGE_PAGE = 2 << 20 };

/* A kernel walks many planes at once, each of them in pages of its own: of the
 * usual size, there are more than the processor holds translations for. */
static void *allocate(size_t bytes)
{
    if (bytes < 2 * (size_t)LARGE_PAGE)
        return aligned_alloc(NET_ALIGNMENT, bytes);
    void *memory = aligned_alloc(LARGE_PAGE, bytes - bytes % LARGE_PAGE + LARGE_PAGE);
#ifdef MADV_HUGEPAGE
    if (memory)
        madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: it may be refused */
#endif
    return memory;
}

void *net_allocate(size_t count, size_t size, NetError *error)
{
    size_t bytes, padded;
    if (__builtin_mul_overflow(count, size, &bytes)
        || __builtin_add_overflow(bytes, (size_t)NET_ALIGNMENT - 1, &padded)) {
        net_fail(error, "%zu values of %zu bytes are more memory than an address can reach", count,
                 size);
        return NULL;
    }
    padded -= padded % NET_ALIGNMENT;
    /* At least one unit, so that NULL always means failure. */
    if (padded == 0)
        padded = NET_ALIGNMENT;
    void *memory = allocate(padded);
    if (!memory) {
        net_fail(error, "out of memory: %.1f MB were asked for", (double)bytes / 1e6);
        return NULL;
    }
    return memset(memory, 0, padded);
}
