/* search.c: help that was tried.  For a fault of shapes, edits near it are made
 * one by one, and those kept after which the whole program checks.  The smallest
 * of these are offered; when it is exactly one, `--fix` makes it.
 *
 * A help that names a thing (the nearest of a misspelt word) is tried as well:
 * when the line is still at fault then, it is offered but not made unasked.
 */
#include "repair/search.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OFFERED = 3, MAX_FAULTS = 200 };

static bool is_of_shapes(const Diagnostic *d)
{
    static const char *const searched[] = {
        "shape-assert", "shape-rank",       "shape-mismatch",   "concat-mismatch", "add-mismatch",
        "mul-mismatch", "window-too-large", "classes-mismatch", "groups",
    };
    for (size_t i = 0; i < sizeof searched / sizeof *searched; i++)
        if (strcmp(d->code, searched[i]) == 0)
            return true;
    return false;
}

static bool affords(const Search *search)
{
    return search->left - (Int)search->program->source->length > search->kept
           && search->left_in_file > 0;
}

/* ------------------------------------------------------------- singles */

static int compare_candidates(const void *left, const void *right)
{
    const Candidate *a = left, *b = right;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return (a->distance > b->distance) - (a->distance < b->distance);
}

/* Sorting must not change the order of those that are equal. */
static void sort_candidates(CandidateList *candidates)
{
    for (int i = 0; i < candidates->count; i++)
        candidates->items[i].distance = candidates->items[i].distance * 1000 + i;
    if (candidates->count)
        qsort(candidates->items, (size_t)candidates->count, sizeof *candidates->items,
              compare_candidates);
}

static bool fits(Search *search, const Diagnostic *fault, Candidate *candidate)
{
    candidate->gone = NEW_ARRAY(bool, (size_t)search->faults.count);
    search->added = !candidate->call && !candidate->root;
    if (!edits_are_placed(search->program, &candidate->edits))
        return false;
    TrialResult result = try_edits(search, fault, &candidate->edits, candidate->gone);
    search->rooted |= result == TRIAL_REVEALS && candidate->root;
    if (result == TRIAL_REVEALS && !search->revealing)
        search->revealing = candidate->text;
    return result == TRIAL_FIXES;
}

static void try_size(Search *search, const Diagnostic *fault, const CandidateList *candidates,
                     Size size, CandidateList *fit)
{
    for (int i = 0; i < candidates->count && affords(search) && fit->count < MAX_OFFERED; i++)
        if (candidates->items[i].size == size && fits(search, fault, &candidates->items[i]))
            push(fit, candidates->items[i]);
}

/* --------------------------------------------------------------- pairs */

/* Both of one call, or one after the other. */
static const char *pair_text(const Diagnostic *fault, const Candidate *a, const Candidate *b,
                             const EditList *edits)
{
    if (a->call == b->call)
        return format("%s %s", edited_call(a->call, edits), outcome(fault));
    return format("%s and %s together: %s", edited_call(a->call, &a->edits),
                  edited_call(b->call, &b->edits), outcome(fault));
}

/* False when the two are at one position. */
static bool make_pair(const Diagnostic *fault, const Candidate *a, const Candidate *b,
                      Candidate *pair)
{
    *pair = (Candidate){.size = SIZE_STRUCTURE};
    push(&pair->edits, a->edits.items[0]);
    push(&pair->edits, b->edits.items[0]);
    if (!sort_edits(&pair->edits))
        return false;
    pair->text = pair_text(fault, a, b, &pair->edits);
    return true;
}

/* Of the nearest numbers, nearest pairs first. */
static void try_pairs(Search *search, const Diagnostic *fault, const CandidateList *candidates,
                      CandidateList *fit)
{
    CandidateList numbers = {0};
    for (int i = 0; i < candidates->count; i++)
        if (candidates->items[i].call)
            push(&numbers, candidates->items[i]);
    for (int sum = 1; sum < 2 * numbers.count && !fit->count; sum++)
        for (int i = 0; 2 * i < sum && affords(search); i++) {
            Candidate pair;
            if (sum - i < numbers.count
                && make_pair(fault, &numbers.items[i], &numbers.items[sum - i], &pair)
                && fits(search, fault, &pair))
                push(fit, pair);
        }
}

/* -------------------------------------------------------------- offers */

/* Faults that any of the edits would fix too have the same cause: it is told
 * once. */
static void drop_consequences(Search *search, const CandidateList *fit)
{
    for (int i = 0; i < search->faults.count; i++)
        for (int k = 0; k < fit->count; k++)
            search->faults.items[i]->dropped |= fit->items[k].gone[i];
}

/* Whether the only one that fits may be made unasked: it is of a kind that is
 * hardly ever wrong, and of all others none fits, however much it changes. */
static bool is_certain(Search *search, const Diagnostic *fault, const CandidateList *candidates,
                       const CandidateList *fit)
{
    const Candidate *only = &fit->items[0];
    bool rooted = search->rooted;
    if (fit->count != 1 || !only->plain || search->left < LAST_BYTES)
        return false;
    for (int i = 0; i < candidates->count && affords(search); i++) {
        Candidate other = candidates->items[i];
        bool same =
            only->among.source && other.call && starts_within(other.call->span, only->among);
        if (other.size > only->size && !same && fits(search, fault, &other))
            return false;
    }
    search->rooted = rooted;
    return affords(search);
}

static void offer(Diagnostic *fault, const CandidateList *fit, bool certain)
{
    fault->doubtful |= !certain;
    for (int i = 0; i < fit->count; i++)
        diag_repair(fault, &fit->items[i].edits, fit->items[i].text);
}

/* Of an input that is not the data's, every shape that does not fit follows. */
static void drop_what_follows(Search *search, const Diagnostic *fault)
{
    for (int i = 0; i < search->faults.count; i++)
        if (search->faults.items[i] != fault)
            search->faults.items[i]->dropped |= is_of_shapes(search->faults.items[i]);
}

static void search_edits(Search *search, Diagnostic *fault)
{
    if (search->layers < 0)
        search->layers = count_layers(search);
    SiteList sites = {0};
    CandidateList candidates = {0}, fit = {0};
    int asserted = 0; /* what only says what arrives is not all that is offered */
    find_sites(search->program, fault, &sites);
    for (int i = 0; i < sites.count; i++) {
        propose_alike(search->program, fault, &sites.items[i], &candidates);
        propose_numbers(fault, &sites.items[i], &candidates);
        propose_layers(fault, &sites.items[i], &candidates);
    }
    propose_input(search->program, fault, &candidates);
    propose_signature(search->program, fault, &candidates);
    propose_logits(search->program, fault, &candidates);
    sort_candidates(&candidates);
    for (Size size = 0; fit.count == asserted && size < (asserted ? SIZE_STRUCTURE : SIZES);
         size++) {
        search->kept = size < SIZE_STRUCTURE ? LAST_BYTES : 0;
        try_size(search, fault, &candidates, size, &fit);
        asserted = size == SIZE_ASSERTED_INPUT ? fit.count : asserted;
    }
    if (!fit.count)
        try_pairs(search, fault, &candidates, &fit);
    search->kept = 0;
    offer(fault, &fit, fit.count && is_certain(search, fault, &candidates, &fit));
    drop_consequences(search, &fit);
    if (!fit.count && search->revealing)
        diag_help(fault, "%s; another fault shows then", search->revealing);
    if (search->rooted)
        drop_what_follows(search, fault);
}

static void try_its_own(Search *search, Diagnostic *fault)
{
    for (int i = 0; i < fault->remarks.count && affords(search); i++) {
        const Remark *remark = &fault->remarks.items[i];
        if (remark->edits.count && remark->edits.items[0].at.source == search->program->source)
            fault->doubtful |= !trial_clears(search, fault, &remark->edits);
    }
}

void offer_help(const Program *program)
{
    Search search = {.program = program, .left_in_file = FILE_BYTES, .layers = -1};
    search.faults = errors_in_use();
    vet_help(program);
    if (search.faults.count > MAX_FAULTS)
        return;
    for (int i = 0; i < search.faults.count; i++) {
        Diagnostic *fault = search.faults.items[i];
        search.left = SEARCH_BYTES;
        search.kept = 0;
        search.revealing = NULL;
        search.rooted = false;
        if (fault->dropped || fault->marks.items[0].at.source != program->source)
            continue;
        if (is_of_shapes(fault))
            search_edits(&search, fault);
        else
            try_its_own(&search, fault);
    }
    diag_drop();
}
