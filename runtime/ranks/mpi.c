/* mpi.c: ranks by MPI (https://www.mpi-forum.org/docs/, version 3.1).  `netc build --mpi`
 * compiles it into a trainer.
 *
 * MPI_Allreduce promises no order of its sums, so gradients are added here, by messages between
 * pairs of ranks.  Among a power of two of them: recursive halving and doubling (Thakur,
 * Rabenseifner and Gropp 2005, "Optimization of collective communication operations in MPICH"),
 * whose pairs are the tree's.  Else the tree itself, towards rank 0, which hands out the sum.
 *
 * Every wait looks at the clock: MPI itself would wait for ever for a rank that hangs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "net_ranks.h"

#include <errno.h>
#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static const MPI_Comm all = MPI_COMM_WORLD;
static MPI_Comm ending; /* where ranks meet at the end, whatever others are waiting for */
#define REAL (sizeof(real) == sizeof(double) ? MPI_DOUBLE : MPI_FLOAT)

enum { WAIT = 600, LAST_WAIT = 5 }; /* seconds: for an answer, and for the others' end */
/* Tests: after these others may have the processor; between two looks at the clock. */
enum { AWAKE = 4096, LOOK = 256 };
enum { MESSAGE = 1 << 28, LINE = 16, MAX_ANSWERS = 64 };

static struct {
    int rank, count, here;
    double patience; /* seconds */
    int *counts, *places;
    real *room; /* what others send */
    int64_t room_elements;
} ranks = {.count = 1, .here = 1};

/* ------------------------------------------------------------ waiting */

static _Noreturn void stop(const char *why)
{
    fflush(stdout);
    fprintf(stderr, "%s: error: rank %d of %d: %s\n", program_invocation_short_name, ranks.rank,
            ranks.count, why);
    MPI_Abort(all, 1);
    abort();
}

/* Whether all were answered in that time, of which what the job was stopped for is no part. */
static bool wait_for(MPI_Request *requests, int count, double patience)
{
    double last = 0, waited = 0;
    for (int64_t tests = 0;; tests++) {
        int done;
        MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE);
        if (done)
            return true;
        if (tests >= AWAKE)
            sched_yield();
        if (tests % LOOK == LOOK - 1) {
            double now = net_seconds();
            waited += last > 0 ? now - last < 1 ? now - last : 1 : 0;
            last = now;
            if (waited > patience)
                return false;
        }
    }
}

static void finish(MPI_Request *requests, int count)
{
    char why[200];
    if (wait_for(requests, count, ranks.patience))
        return;
    snprintf(why, sizeof why,
             "another rank has not answered for %.0f s, so all end; --resume goes on from the last "
             "checkpoint",
             ranks.patience);
    stop(why);
}

/* ------------------------------------------------------- begin and end */

static double patience_of(const char *text)
{
    char *end;
    double value = text ? strtod(text, &end) : 0;
    return text && end != text && *end == '\0' && value > 0 ? value : WAIT;
}

static int count_here(void)
{
    MPI_Comm machine;
    int count = 1;
    MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, ranks.rank, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &count);
    MPI_Comm_free(&machine);
    return count;
}

bool net_ranks_open(int *argc, char ***argv, NetError *error)
{
    int given;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS
        || given < MPI_THREAD_FUNNELED) {
        snprintf(error->text, sizeof error->text, "MPI cannot be started with threads beside it");
        return false;
    }
    MPI_Comm_rank(all, &ranks.rank);
    MPI_Comm_size(all, &ranks.count);
    if (ranks.count > NET_MAX_RANKS) {
        snprintf(error->text, sizeof error->text, "%d ranks are more than %d", ranks.count,
                 NET_MAX_RANKS);
        return false;
    }
    MPI_Comm_dup(all, &ending);
    ranks.here = count_here();
    ranks.patience = patience_of(getenv("NET_RANKS_PATIENCE"));
    ranks.counts = calloc((size_t)ranks.count, sizeof *ranks.counts);
    ranks.places = calloc((size_t)ranks.count, sizeof *ranks.places);
    if (ranks.counts && ranks.places)
        return true;
    snprintf(error->text, sizeof error->text, "out of memory for %d ranks", ranks.count);
    return false;
}

int net_rank(void)
{
    return ranks.rank;
}

int net_rank_count(void)
{
    return ranks.count;
}

int net_ranks_here(void)
{
    return ranks.here;
}

/* Who failed may be alone with that; else rank 0 is still writing. */
void net_ranks_close(int status)
{
    bool failed = status > 0 && status < 128;
    MPI_Request request;
    MPI_Ibarrier(ending, &request);
    if (!wait_for(&request, 1, failed ? LAST_WAIT : ranks.patience))
        MPI_Abort(all, status ? status : 1);
    free(ranks.counts);
    free(ranks.places);
    free(ranks.room);
    MPI_Finalize();
}

/* ------------------------------------------------------------ messages */

static real *room_for(int64_t elements)
{
    if (elements > ranks.room_elements) {
        free(ranks.room);
        ranks.room = elements < INT64_MAX / (int64_t)sizeof(real)
                         ? malloc((size_t)elements * sizeof(real))
                         : NULL;
        if (!ranks.room)
            stop("out of memory for what the ranks send one another");
        ranks.room_elements = elements;
    }
    return ranks.room;
}

static void gather_values(real *values, MPI_Datatype type)
{
    MPI_Request request;
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, ranks.counts, ranks.places, type,
                    all, &request);
    finish(&request, 1);
}

/* The rows of these grains into the room, where a grain's follow one another, or out of it. */
static void move_rows(const NetRows *rows, int count, NetShare grains, real *room, int64_t width,
                      bool out)
{
    for (int64_t grain = grains.from; grain < grains.to; grain++) {
        real *at = room + grain * width;
        for (int i = 0; i < count; at += rows[i++].elements) {
            real *row = rows[i].base + grain * rows[i].stride;
            net_copy(out ? row : at, out ? at : row, rows[i].elements);
        }
    }
}

void net_ranks_gather(const NetRows *rows, int count, int64_t grains)
{
    int64_t width = 0;
    for (int i = 0; i < count; i++)
        width += rows[i].elements;
    if (width == 0)
        return;
    if (width > INT_MAX || grains > INT_MAX)
        stop("a grain has more to send than a message can hold");
    real *room = room_for(grains * width);
    const NetShare own = net_rank_grains(grains, ranks.rank, ranks.count);
    move_rows(rows, count, own, room, width, false);
    for (int rank = 0; rank < ranks.count; rank++) {
        NetShare share = net_rank_grains(grains, rank, ranks.count);
        ranks.places[rank] = (int)share.from;
        ranks.counts[rank] = (int)(share.to - share.from);
    }
    MPI_Datatype row;
    MPI_Type_contiguous((int)width, REAL, &row);
    MPI_Type_commit(&row);
    gather_values(room, row);
    MPI_Type_free(&row);
    move_rows(rows, count, (NetShare){0, own.from}, room, width, true);
    move_rows(rows, count, (NetShare){own.to, grains}, room, width, true);
}

void net_ranks_join(real *values, const int64_t *at)
{
    for (int rank = 0; rank < ranks.count; rank++) {
        if (at[rank + 1] > INT_MAX)
            stop("a layer's gradient is larger than a message can be");
        ranks.places[rank] = (int)at[rank];
        ranks.counts[rank] = (int)(at[rank + 1] - at[rank]);
    }
    gather_values(values, REAL);
}

/* Of so many elements those of the next message. */
static int next_message(int64_t left)
{
    return left < MESSAGE ? (int)left : MESSAGE;
}

/* Sends and receives at once; either may be none. */
static void exchange(int other, const real *send, int64_t sent, real *receive, int64_t received)
{
    MPI_Request requests[MAX_ANSWERS];
    int count = 0;
    for (int64_t at = 0; at < received; at += MESSAGE)
        MPI_Irecv(receive + at, next_message(received - at), REAL, other, 0, all,
                  &requests[count++]);
    for (int64_t at = 0; at < sent; at += MESSAGE)
        MPI_Isend(send + at, next_message(sent - at), REAL, other, 0, all, &requests[count++]);
    finish(requests, count);
}

/* ---------------------------------------------------------------- sums */

/* The half of the stretch that the rank keeps, and then adds to, where it meets a rank that
 * differs in this bit. */
static NetShare half_of(NetShare stretch, int bit, bool kept)
{
    int64_t middle = stretch.from + (stretch.to - stretch.from) / 2 / LINE * LINE;
    bool upper = ((ranks.rank & bit) != 0) == kept;
    return upper ? (NetShare){middle, stretch.to} : (NetShare){stretch.from, middle};
}

static void sum_by_halves(real *sum, int64_t elements)
{
    NetShare stretch[CHAR_BIT * sizeof(int)] = {{0, elements}};
    real *room = room_for(elements);
    int level = 0;
    for (int bit = 1; bit < ranks.count; bit *= 2, level++) {
        NetShare kept = half_of(stretch[level], bit, true),
                 given = half_of(stretch[level], bit, false);
        exchange(ranks.rank ^ bit, sum + given.from, given.to - given.from, room,
                 kept.to - kept.from);
        net_add(sum + kept.from, room, kept.to - kept.from);
        stretch[level + 1] = kept;
    }
    for (int bit = ranks.count / 2; bit > 0; bit /= 2, level--) {
        NetShare own = half_of(stretch[level - 1], bit, true),
                 other = half_of(stretch[level - 1], bit, false);
        exchange(ranks.rank ^ bit, sum + own.from, own.to - own.from, sum + other.from,
                 other.to - other.from);
    }
}

static void hand_out(real *values, int64_t count)
{
    for (int64_t at = 0; at < count; at += MESSAGE) {
        MPI_Request request;
        MPI_Ibcast(values + at, next_message(count - at), REAL, 0, all, &request);
        finish(&request, 1);
    }
}

static void sum_by_tree(real *sum, int64_t elements, int holders)
{
    for (int reach = 1; reach < holders && ranks.rank < holders; reach *= 2) {
        if (ranks.rank % (2 * reach) == reach) {
            exchange(ranks.rank - reach, sum, elements, NULL, 0);
            break;
        }
        if (ranks.rank + reach < holders) {
            real *room = room_for(elements);
            exchange(ranks.rank + reach, NULL, 0, room, elements);
            net_add(sum, room, elements);
        }
    }
    hand_out(sum, elements);
}

void net_ranks_sum(const real *own, real *sum, int64_t elements, int holders)
{
    bool power_of_two = (ranks.count & (ranks.count - 1)) == 0;
    if (own != sum && ranks.rank < holders)
        net_copy(sum, own, elements);
    if (elements > (int64_t)MESSAGE * (MAX_ANSWERS / 2))
        stop("there are more parameters than the ranks can send one another");
    if (power_of_two && holders == ranks.count)
        sum_by_halves(sum, elements);
    else
        sum_by_tree(sum, elements, holders);
}

void net_ranks_add(double *values, int count)
{
    MPI_Request request;
    MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, all, &request);
    finish(&request, 1);
}

int64_t net_ranks_largest(int64_t number)
{
    MPI_Request request;
    MPI_Iallreduce(MPI_IN_PLACE, &number, 1, MPI_INT64_T, MPI_MAX, all, &request);
    finish(&request, 1);
    return number;
}

void net_ranks_copy(real *values, int64_t count)
{
    hand_out(values, count);
}

int net_ranks_unlike(uint64_t number)
{
    uint64_t first = number;
    MPI_Request request;
    MPI_Ibcast(&first, 1, MPI_UINT64_T, 0, all, &request);
    finish(&request, 1);
    int64_t unlike = first != number ? ranks.count - ranks.rank : 0; /* the first is the largest */
    unlike = net_ranks_largest(unlike);
    return unlike ? ranks.count - (int)unlike : -1;
}
