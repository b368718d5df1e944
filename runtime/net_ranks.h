/* net_ranks.h: the processes that train one network together, on one machine or on many: MPI's
 * ranks.
 *
 * ranks/alone.c is in the library and knows of one process.  ranks/mpi.c, which `netc build
 * --mpi` compiles into a trainer, takes its place; it includes this file and MPI's own alone.
 *
 * Each rank has all weights and computes some of a batch's grains.  What other ranks' grains
 * read is gathered when they need it, and gradients are added in net_reduce's tree over all
 * grains, so the number of ranks is in no result, as the number of threads is not.
 *
 * All functions are for the thread that opened the ranks.  But for the first five, every rank
 * calls them in the same order.  One that waits for another rank too long says so and ends all.
 */
#ifndef NET_RANKS_H
#define NET_RANKS_H

#include "net_runtime.h"

/* Before all else; takes from the command line what is MPI's. */
bool net_ranks_open(int *argc, char ***argv, NetError *error);
int net_rank(void); /* from 0 */
int net_rank_count(void);
int net_ranks_here(void);   /* how many run on this machine */
int net_ranks_beside(void); /* of those so many on the same processors as this one, itself too */
/* The last call, with the status that the rank will exit with.  A rank that comes here alone
 * ends the others. */
void net_ranks_close(int status);

enum { NET_MAX_RANKS = 4096 };

/* How many of a batch's grains a rank computes, the last perhaps fewer: a power of two, so that
 * their sum is a part of the tree over all. */
static inline int64_t net_rank_block(int64_t grains, int ranks)
{
    int64_t block = 1;
    while (block * ranks < grains)
        block *= 2;
    return block;
}
/* The first so many ranks have grains. */
static inline int net_ranks_busy(int64_t grains, int ranks)
{
    int64_t block = net_rank_block(grains, ranks);
    return (int)((grains + block - 1) / block);
}
static inline NetShare net_rank_grains(int64_t grains, int rank, int ranks)
{
    int64_t block = net_rank_block(grains, ranks);
    NetShare share = {rank * block, (rank + 1) * block};
    share.from = share.from < grains ? share.from : grains;
    share.to = share.to < grains ? share.to : grains;
    return share;
}

/* core/threads.c: for a processor that waits in a loop. */
void net_pause(void);
/* core/vectors.c: sum[i] += terms[i]. */
void net_add(real *sum, const real *terms, int64_t count);
double net_seconds(void); /* train/meter.c: a clock that never goes back */

/* For each grain `elements` from base + grain * stride on. */
typedef struct NetRows {
    real *base;
    int64_t stride, elements;
} NetRows;

/* Every rank has its own grains' rows, and gets those of all. */
void net_ranks_gather(const NetRows *rows, int count, int64_t grains);
/* The next two are done by a thread of their own, one after the other, while the caller goes on:
 * what they are of is not to be touched until net_ranks_summed. */
/* values[elements] are of `units` units of `unit` elements, the last perhaps less.  Each rank has
 * its net_share of the units, and gets all. */
void net_ranks_join(real *values, int64_t units, int64_t unit, int64_t elements);
/* sum[i] of the first `holders` ranks' own[i], added in net_reduce's tree; every rank gets it.
 * `own` may be `sum`. */
void net_ranks_sum(const real *own, real *sum, int64_t elements, int holders);
void net_ranks_summed(void); /* returns when all of them are done */
/* The seconds that joins and sums took so far, and those of them that somebody waited for. */
void net_ranks_took(double *all, double *waited);
/* Memory, zeroed, that all ranks have together, of the same size for all.  NULL: they are not on
 * one machine, or it cannot be had, or NET_RANKS_MEMORY=own is set.
 * `spins`: each of their threads has a processor. */
void *net_ranks_share(int64_t bytes, bool spins);
void net_ranks_unshare(void *memory, int64_t bytes);
/* Returns when all have come, and what each wrote there is seen by the others. */
void net_ranks_meet(void);
/* Each value is added over the ranks.  That is exact where all ranks but one have 0. */
void net_ranks_add(double *values, int count);
/* The largest of the ranks' numbers. */
int64_t net_ranks_largest(int64_t number);
/* All get rank 0's. */
void net_ranks_copy(real *values, int64_t count);
void net_ranks_hand_out(void *bytes, int64_t count);
/* Bytes that go to another rank, or come from it.  Of two ranks both list what passes between
 * them in the same order. */
typedef struct NetParcel {
    uint8_t *bytes;
    int other;
    bool comes;
} NetParcel;
/* All are `bytes` long.  They are under way until net_ranks_sent, and their memory is not to be
 * touched; `parcels` is free again at once. */
void net_ranks_send(const NetParcel *parcels, int64_t count, int64_t bytes);
void net_ranks_sent(void);
/* The first rank whose number is not rank 0's; -1: there is none. */
int net_ranks_unlike(uint64_t number);

#endif
