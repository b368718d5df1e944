/* The fusions, and the walk over the steps that tries them.  See fuse.h for what one is. */
#include "plan/fuse/fuse.h"

#include <string.h>

static const struct {
    const char *name;
    unsigned bit; /* 0: always */
    Fuse *fuse;   /* NULL: done elsewhere */
    bool after;   /* when the others have looked at every step */
} fusions[] = {
#define FUSION(bit, name, kernels, function) {name, FUSE_##bit, function, false},
#define FUSION_AFTER(bit, name, function) {name, FUSE_##bit, function, true},
#define FUSION_ALWAYS(function) {NULL, 0, function, false},
#define FUSION_ELSEWHERE(bit, name, kernels) {name, FUSE_##bit, NULL, false},
#include "graph/fusions.def"
};
enum { FUSION_ROWS = sizeof fusions / sizeof fusions[0] };

/* ---------------------------------------------------------------- names */

const char *fusion_names(void)
{
    Text names = {0};
    for (int i = 0; i < FUSION_ROWS; i++)
        if (fusions[i].name && !fusions[i].after)
            text_add(&names, "%s%s", names.length ? ", " : "", fusions[i].name);
    return text_chars(&names);
}

static unsigned find_fusion(const char *word, size_t length)
{
    for (int i = 0; i < FUSION_ROWS; i++)
        if (fusions[i].name && strlen(fusions[i].name) == length
            && strncmp(fusions[i].name, word, length) == 0)
            return fusions[i].bit;
    return 0;
}

const char *read_fusions(const char *words, unsigned *fuse)
{
    *fuse = 0;
    if (strcmp(words, "none") == 0)
        return NULL;
    for (const char *word = words;;) {
        size_t length = strcspn(word, ",");
        unsigned bit = find_fusion(word, length);
        if (!bit)
            return intern_range(word, length);
        *fuse |= bit;
        if (!word[length])
            return NULL;
        word += length + 1;
    }
}

/* ----------------------------------------------------------------- walk */

void take_over(Fusion *fusion, int maker, int position, PartRole role, int which,
               const Tensor *handed)
{
    Plan *plan = fusion->plan;
    Step *step = plan->steps.items[maker], *taken = plan->steps.items[position];
    for (int i = 0; i < taken->parts.count; i++) {
        Part part = taken->parts.items[i];
        if (i == 0)
            part = (Part){part.node, role, which, handed};
        push(&step->parts, part);
    }
    plan->steps.items[position] = NULL;
    fusion->moved[position] = maker;
}

static void try_fusions(Fusion *fusion, int position, bool after)
{
    const Plan *plan = fusion->plan;
    for (int i = 0; i < FUSION_ROWS && plan->steps.items[position]; i++) {
        bool wanted = !fusions[i].bit || (plan->fuse & fusions[i].bit);
        if (wanted && fusions[i].fuse && fusions[i].after == after
            && !plan_skips(plan, plan->steps.items[position]))
            fusions[i].fuse(fusion, position);
    }
}

static void close_gaps(Plan *plan)
{
    int kept = 0;
    for (int i = 0; i < plan->steps.count; i++)
        if (plan->steps.items[i])
            plan->steps.items[kept++] = plan->steps.items[i];
    plan->steps.count = kept;
}

void fuse_steps(Plan *plan)
{
    Fusion fusion = {
        .plan = plan,
        .uses = NEW_ARRAY(UseList, (size_t)plan->tensors.count),
        .moved = NEW_ARRAY(int, (size_t)plan->steps.count),
        .summed = NEW_ARRAY(const Node *, (size_t)plan->tensors.count),
    };
    note_uses(&fusion);
    for (int after = 0; after < 2; after++)
        for (int position = 0; position < plan->steps.count; position++) {
            if (!after)
                fusion.reached = position;
            if (plan->steps.items[position])
                try_fusions(&fusion, position, after);
        }
    close_gaps(plan);
}
