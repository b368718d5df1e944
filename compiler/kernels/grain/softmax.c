/* softmax.c: see softmax.h. */
#include "kernels/grain/softmax.h"

void emit_exponential_total(Kernel *kernel, Int channels, Int plane, const char *keep)
{
    long long end = channels * plane, step = plane;
    kernel_line(kernel, "vec largest = v[0], total = { 0 };");
    kernel_line(kernel, "for (int64_t c = %lld; c < %lld; c += %lld)", step, end, step);
    kernel_line(kernel, "    largest = vec_select(v[c] > largest, v[c], largest);");
    kernel_line(kernel, "for (int64_t c = 0; c < %lld; c += %lld)", end, step);
    kernel_line(kernel, "    total += %svec_exp(v[c] - largest);",
                keep ? format("%s[c] = ", keep) : "");
}
