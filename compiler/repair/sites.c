/* sites.c: the statements that a fault is about, nearest first: its own, those
 * its message points at, which are the steps that led to it, and a few before.
 */
#include "repair/repair.h"

#include <stdlib.h>

enum { NEIGHBOURS = 40, UNMARKED = 100, MOST_SITES = 48 };

typedef struct Gathering {      /* every statement of the file, in order */
    const Source *source;
    LIST(const Stmt *) stmts;
} Gathering;

static void gather(Gathering *all, const Body *body)
{
    if (!body)
        return;
    for (int i = 0; i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        push(&all->stmts, stmt);
        gather(all, stmt->body);
        gather(all, stmt->other);
    }
}

static bool starts_within(Span at, Span outer)
{
    if (at.source != outer.source || at.line < outer.line || at.line > outer.end_line)
        return false;
    return (at.line > outer.line || at.column >= outer.column) &&
           (at.line < outer.end_line || at.column < outer.end_column);
}

/* How far along the fault's marks, then its notes, one lies in the statement. */
static int marked_distance(const Diagnostic *fault, const Stmt *stmt)
{
    for (int i = 0; i < fault->marks.count; i++)
        if (starts_within(fault->marks.items[i].at, stmt->span))
            return i;
    for (int i = 0; i < fault->remarks.count; i++)
        if (starts_within(fault->remarks.items[i].at, stmt->span))
            return fault->marks.count + i;
    return -1;
}

/* The statement's place before the fault, in statements. */
static int unmarked_distance(const Diagnostic *fault, const Gathering *all, int at)
{
    Span primary = fault->marks.items[0].at;
    int steps = 0;
    for (int i = at; i < all->stmts.count && compare_spans(all->stmts.items[i]->span, primary) < 0; i++)
        steps++;
    return steps > 0 && steps <= NEIGHBOURS ? UNMARKED + steps : -1;
}

static int compare_sites(const void *left, const void *right)
{
    const Site *a = left, *b = right;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    return compare_spans(a->stmt->span, b->stmt->span);
}

void find_sites(const Program *program, const Diagnostic *fault, SiteList *sites)
{
    Gathering all = { .source = program->source };
    for (int i = 0; i < program->blocks.count; i++)
        if (!program->blocks.items[i]->library)
            gather(&all, program->blocks.items[i]->body);
    if (program->network)
        gather(&all, program->network->body);
    for (int i = 0; i < all.stmts.count; i++) {
        const Stmt *stmt = all.stmts.items[i];
        int distance = marked_distance(fault, stmt);
        distance = distance < 0 ? unmarked_distance(fault, &all, i) : distance;
        if (distance >= 0)
            push(sites, ((Site){stmt, stmt->kind == STMT_CALL ? find_operator(stmt->call->word) : NULL, distance}));
    }
    if (sites->count)
        qsort(sites->items, (size_t)sites->count, sizeof *sites->items, compare_sites);
    sites->count = sites->count < MOST_SITES ? sites->count : MOST_SITES;
}
