/* sites.c: the statements that a fault is about, nearest first: its own, those
 * its message points at, which are the steps that led to it, and a few before.
 */
#include "repair/search.h"

#include <stdlib.h>

enum { NEIGHBOURS = 40, INSIDE = 50, UNMARKED = 100, MAX_SITES = 48 };

/* every statement of the file, in order */
typedef struct Collection {
    const Source *source;
    LIST(Site) sites;
} Collection;

static void collect(Collection *all, const Body *body, const BlockDef *def)
{
    for (int i = 0; body && i < body->stmts.count; i++) {
        const Stmt *stmt = body->stmts.items[i];
        const Operator *op = stmt->kind == STMT_CALL ? find_operator(stmt->call->word) : NULL;
        push(&all->sites, ((Site){.stmt = stmt, .op = op, .body = body, .at = i, .def = def}));
        collect(all, stmt->body, def);
        collect(all, stmt->other, def);
    }
}

bool starts_within(Span at, Span outer)
{
    if (at.source != outer.source || at.line < outer.line || at.line > outer.end_line)
        return false;
    return (at.line > outer.line || at.column >= outer.column)
           && (at.line < outer.end_line || at.column < outer.end_column);
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

/* The statement's distance before the fault, in statements. */
static int unmarked_distance(const Diagnostic *fault, const Collection *all, int at)
{
    Span primary = fault->marks.items[0].at;
    int steps = 0;
    for (int i = at;
         i < all->sites.count && compare_spans(all->sites.items[i].stmt->span, primary) < 0; i++)
        steps++;
    return steps > 0 && steps <= NEIGHBOURS ? UNMARKED + steps : -1;
}

/* Within what the fault's statement has in braces. */
static bool is_inside(const Diagnostic *fault, const Collection *all, int at)
{
    Span primary = fault->marks.items[0].at, stmt_span = all->sites.items[at].stmt->span;
    for (int i = at - 1; i >= 0; i--) {
        const Stmt *stmt = all->sites.items[i].stmt;
        const Body *last = stmt->other ? stmt->other : stmt->body;
        if (last && starts_within(primary, stmt->span))
            return starts_within(stmt_span, span_between(stmt->span, last->close));
    }
    return false;
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
    Collection all = {.source = program->source};
    for (int i = 0; i < program->blocks.count; i++)
        if (!program->blocks.items[i]->library)
            collect(&all, program->blocks.items[i]->body, program->blocks.items[i]);
    if (program->network)
        collect(&all, program->network->body, NULL);
    for (int i = 0; i < all.sites.count; i++) {
        Site site = all.sites.items[i];
        site.distance = marked_distance(fault, site.stmt);
        if (site.distance < 0)
            site.distance = is_inside(fault, &all, i) ? INSIDE : unmarked_distance(fault, &all, i);
        if (site.distance >= 0)
            push(sites, site);
    }
    if (sites->count)
        qsort(sites->items, (size_t)sites->count, sizeof *sites->items, compare_sites);
    sites->count = sites->count < MAX_SITES ? sites->count : MAX_SITES;
}
