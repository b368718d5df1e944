/* alone.c: one process, which has nobody to talk to. */
#include "net_ranks.h"

bool net_ranks_open(int *argc, char ***argv, NetError *error)
{
    (void)argc, (void)argv, (void)error;
    return true;
}

int net_rank(void)
{
    return 0;
}

int net_rank_count(void)
{
    return 1;
}

int net_ranks_here(void)
{
    return 1;
}

int net_ranks_beside(void)
{
    return 1;
}

void net_ranks_close(int status)
{
    (void)status;
}

void net_ranks_gather(const NetRows *rows, int count, int64_t grains)
{
    (void)rows, (void)count, (void)grains;
}

void net_ranks_join(real *values, int64_t units, int64_t unit, int64_t elements)
{
    (void)values, (void)units, (void)unit, (void)elements;
}

void net_ranks_sum(const real *own, real *sum, int64_t elements, int holders)
{
    (void)own, (void)sum, (void)elements, (void)holders;
}

void net_ranks_summed(void)
{
}

void net_ranks_took(double *all, double *waited)
{
    *all = *waited = 0;
}

void *net_ranks_share(int64_t bytes, bool spins)
{
    (void)bytes, (void)spins;
    return NULL;
}

void net_ranks_unshare(void *memory, int64_t bytes)
{
    (void)memory, (void)bytes;
}

void net_ranks_meet(void)
{
}

void net_ranks_add(double *values, int count)
{
    (void)values, (void)count;
}

int64_t net_ranks_largest(int64_t number)
{
    return number;
}

void net_ranks_copy(real *values, int64_t count)
{
    (void)values, (void)count;
}

void net_ranks_hand_out(void *bytes, int64_t count)
{
    (void)bytes, (void)count;
}

void net_ranks_send(const NetParcel *parcels, int64_t count, int64_t bytes)
{
    (void)parcels, (void)count, (void)bytes;
}

void net_ranks_sent(void)
{
}

int net_ranks_unlike(uint64_t number)
{
    (void)number;
    return -1;
}
