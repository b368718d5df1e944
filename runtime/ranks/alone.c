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

void net_ranks_close(int status)
{
    (void)status;
}

void net_ranks_gather(const NetRows *rows, int count, int64_t grains)
{
    (void)rows, (void)count, (void)grains;
}

void net_ranks_join(real *values, const int64_t *at)
{
    (void)values, (void)at;
}

void net_ranks_sum(const real *own, real *sum, int64_t elements, int holders)
{
    (void)own, (void)sum, (void)elements, (void)holders;
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

int net_ranks_unlike(uint64_t number)
{
    (void)number;
    return -1;
}
