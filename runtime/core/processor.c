/* processor.c: whether this processor can run what was compiled.
 *
 * The library is compiled for every processor of its kind, and the network for
 * the one that --target names.  On another, its first vector instruction would
 * kill the program without a word, so it is asked before.
 */
#include "runtime.h"

#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

typedef struct Feature {
    const char *name;
    int level, word, bit, state;
} Feature;

#define ROW(macro, name, level, word, bit, state) {name, level, word, bit, state},
static const Feature features[] = {NET_EACH_FEATURE(ROW)};
enum { FEATURES = sizeof features / sizeof *features, HIGHEST_LEVEL = 4 };
_Static_assert((int)FEATURES <= (int)NET_MAX_FEATURES, "a model has a place for each");

#ifdef __x86_64__

/* Words of CPUID: 1 ecx; 7 ebx, ecx, edx; 80000001 ecx; 7.1 eax. */
enum { WORDS = 6 };

static void ask(unsigned words[WORDS])
{
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d))
        words[0] = c;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        unsigned leaves = a;
        words[1] = b;
        words[2] = c;
        words[3] = d;
        if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
            words[5] = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d))
        words[4] = c;
}

/* 0: the system keeps xmm only, 1: ymm, 2: zmm too (XCR0, Intel's manual, 13.3). */
static int kept_state(const unsigned words[WORDS])
{
    enum { OSXSAVE = 27, YMM = 0x06, ZMM = 0xe6 };
    unsigned low, high;
    if (!(words[0] >> OSXSAVE & 1))
        return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & ZMM) == ZMM ? 2 : (low & YMM) == YMM ? 1 : 0;
}

void net_processor_has(bool has[NET_MAX_FEATURES])
{
    unsigned words[WORDS] = {0};
    ask(words);
    int state = kept_state(words);
    for (int i = 0; i < FEATURES; i++)
        has[i] = words[features[i].word] >> features[i].bit & 1 && state >= features[i].state;
}

#else

/* Nothing that is asked for by these names is compiled in. */
void net_processor_has(bool has[NET_MAX_FEATURES])
{
    memset(has, 0, NET_MAX_FEATURES * sizeof *has);
}

#endif

/* The highest level of which it has everything. */
static const char *best_target(const bool *has)
{
    static const char *const names[HIGHEST_LEVEL + 1] = {
        [1] = "x86-64", [2] = "x86-64-v2", [3] = "x86-64-v3", [4] = "x86-64-v4"};
    int best = HIGHEST_LEVEL;
    for (int i = 0; i < FEATURES; i++)
        if (features[i].level && !has[i] && best >= features[i].level)
            best = features[i].level - 1;
    return names[best];
}

bool net_check_features(const NetModel *model, const bool has[NET_MAX_FEATURES], NetError *error)
{
    char lacking[NET_SHAPE_TEXT * 2] = "";
    for (int i = 0; i < FEATURES; i++)
        if (model->features[i] && !has[i]) {
            size_t length = strlen(lacking);
            snprintf(lacking + length, sizeof lacking - length, "%s%s", length ? ", " : "",
                     features[i].name);
        }
    return !*lacking
           || net_fail(
               error,
               "%.60s was built for %.20s, and this processor lacks %s: build it with --target=%s",
               model->name, model->target, lacking, best_target(has));
}

bool net_check_processor(const NetModel *model, NetError *error)
{
    bool has[NET_MAX_FEATURES];
    net_processor_has(has);
    return net_check_features(model, has, error);
}
