/* The processors that kernels are written for. */
#include "kernels/kernel.h"

#include <string.h>

/* x86-64-v4 has AVX-512, v3 AVX2 with FMA, v2 and below 16-byte SSE; the
 * portable target says nothing of the machine and lets the C compiler lower
 * 16-byte vectors to what there is. */
static const Target targets[] = {
    {"x86-64-v4", "-march=x86-64-v4", 64, 32},
    {"x86-64-v3", "-march=x86-64-v3", 32, 16},
    {"x86-64-v2", "-march=x86-64-v2", 16, 16},
    {"x86-64", "-march=x86-64", 16, 16},
    {"portable", "", 16, 16},
};

static Target native_target(void)
{
    /* Tuned for Zen 2 or 3, gcc takes some chains of fused multiply-adds apart and leaves others
     * whole: it is slower here, and two kernels for one sum would not round alike. */
    Target native = {"native", "-march=native -mtune=generic", 16, 16};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl")) {
        native.vector_bytes = 64;
        native.registers = 32;
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        native.vector_bytes = 32;
    }
#elif defined(__aarch64__)
    native.registers = 32;
#endif
    return native;
}

bool find_target(const char *name, Target *target)
{
    if (strcmp(name, "native") == 0) {
        *target = native_target();
        return true;
    }
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (strcmp(name, targets[i].name) == 0) {
            *target = targets[i];
            return true;
        }
    Diagnostic *d = diag(SEVERITY_ERROR, "usage", (Span){0}, "unknown target `%s`", name);
    diag_help(d, "the targets are native, x86-64-v4, x86-64-v3, x86-64-v2, x86-64 and portable");
    return false;
}
