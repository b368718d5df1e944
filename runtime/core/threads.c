/* threads.c: a pool of threads that run one function together and meet at
 * barriers.
 *
 * A training step has a handful of barriers a millisecond or so apart, and where threads share a
 * grain's kernels one every ten microseconds or more: too
 * close for a sleep and a wake each time and too far to burn a processor.  So
 * a wait spins for some tens of microseconds and then sleeps in the kernel
 * (a futex on Linux, a condition variable elsewhere).  With more threads than
 * processors a spinner would hold up the thread it waits for: then none spins.
 */
#include "runtime.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

/* of a thread: training's kernels keep some values of every channel there */
enum { MIN_STACK = 8 << 20 };
enum { SPINS = 1500 }; /* of one pause each: 20 to 80 microseconds */

/* A number that threads wait on to change. */
typedef struct Gate {
    _Alignas(NET_ALIGNMENT) atomic_uint value;
    atomic_int sleepers; /* so that opening an unwatched gate costs no system call */
#ifndef __linux__
    pthread_mutex_t mutex;
    pthread_cond_t changed;
#endif
} Gate;

/* Where threads wait for one another. */
typedef struct NetMeeting {
    Gate passed; /* counts how often they met */
    _Alignas(NET_ALIGNMENT) atomic_int arrived;
    int spins;
} NetMeeting;

struct NetPool {
    Gate start;         /* counts runs */
    NetMeeting meeting; /* of all threads */
    NetMeeting *teams;  /* [threads]: by a team's first thread */
    int threads, spins, created;
    unsigned forks;                          /* of the process when the threads were made */
    void (*work)(void *context, int thread); /* NULL: the threads end */
    void *context;
    struct Member {
        NetPool *pool;
        int thread;
        pthread_t handle;
    } * members;
};

void net_pause(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* -------------------------------------------------------------- gates */

#ifdef __linux__

static void gate_initialise(Gate *gate)
{
    atomic_init(&gate->value, 0);
    atomic_init(&gate->sleepers, 0);
}

static void gate_destroy(Gate *gate)
{
    (void)gate;
}

static void gate_sleep(Gate *gate, unsigned old)
{
    while (atomic_load(&gate->value) == old)
        syscall(SYS_futex, &gate->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
}

static void gate_wake(Gate *gate)
{
    syscall(SYS_futex, &gate->value, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

#else

static void gate_initialise(Gate *gate)
{
    atomic_init(&gate->value, 0);
    atomic_init(&gate->sleepers, 0);
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

static void gate_destroy(Gate *gate)
{
    pthread_mutex_destroy(&gate->mutex);
    pthread_cond_destroy(&gate->changed);
}

static void gate_sleep(Gate *gate, unsigned old)
{
    pthread_mutex_lock(&gate->mutex);
    while (atomic_load(&gate->value) == old)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void gate_wake(Gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

#endif

/* Returns when the value is no longer `old`.  A sleeper says so before it looks
 * at the value for the last time, and gate_open looks for sleepers after it has
 * changed it, both in one total order: one of the two always sees the other. */
static void gate_wait(Gate *gate, unsigned old, int spins)
{
    for (int i = 0; i < spins; i++) {
        if (atomic_load_explicit(&gate->value, memory_order_acquire) != old)
            return;
        net_pause();
    }
    atomic_fetch_add(&gate->sleepers, 1);
    gate_sleep(gate, old);
    atomic_fetch_sub(&gate->sleepers, 1);
}

static void gate_open(Gate *gate)
{
    atomic_fetch_add(&gate->value, 1);
    if (atomic_load(&gate->sleepers) > 0)
        gate_wake(gate);
}

/* ----------------------------------------------------------- the pool */

/* The last to arrive opens the gate for the others.  It clears the count
 * first: nobody can arrive at the next meeting before the gate opens. */
static void meet(NetMeeting *meeting, int threads)
{
    unsigned passed = atomic_load_explicit(&meeting->passed.value, memory_order_relaxed);
    if (atomic_fetch_add(&meeting->arrived, 1) == threads - 1) {
        atomic_store_explicit(&meeting->arrived, 0, memory_order_relaxed);
        gate_open(&meeting->passed);
    } else {
        gate_wait(&meeting->passed, passed, meeting->spins);
    }
}

void net_pool_barrier(NetPool *pool)
{
    if (pool->threads > 1)
        meet(&pool->meeting, pool->threads);
}

NetMeeting *net_pool_meeting(NetPool *pool, int first)
{
    return &pool->teams[first];
}

void net_team_meet(const NetTeam *team)
{
    if (team->meeting)
        meet(team->meeting, team->members);
    else if (team->met)
        ++*team->met;
}

static void *member_main(void *argument)
{
    struct Member *member = argument;
    NetPool *pool = member->pool;
    for (unsigned run = 0;; run++) {
        gate_wait(&pool->start, run, pool->spins);
        if (!pool->work)
            return NULL;
        pool->work(pool->context, member->thread);
        net_pool_barrier(pool);
    }
}

int net_thread_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *),
                     void *context)
{
    sigset_t others, before;
    sigfillset(&others);
    sigdelset(&others, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    int reason = pthread_create(thread, attributes, work, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reason;
}

static int create_member(struct Member *member)
{
    pthread_attr_t attributes;
    size_t stack;
    pthread_attr_init(&attributes);
    if (pthread_attr_getstacksize(&attributes, &stack) == 0 && stack < MIN_STACK)
        pthread_attr_setstacksize(&attributes, MIN_STACK);
    int reason = net_thread_start(&member->handle, &attributes, member_main, member);
    pthread_attr_destroy(&attributes);
    return reason;
}

/* A forked child has none of its parent's threads. */
static atomic_uint forks;
static void count_fork(void)
{
    atomic_fetch_add(&forks, 1);
}
static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

static bool create_members(NetPool *pool, NetError *error)
{
    pool->created = 0;
    pool->forks = atomic_load(&forks);
    for (int thread = 1; thread < pool->threads; thread++) {
        struct Member *member = &pool->members[thread];
        *member = (struct Member){.pool = pool, .thread = thread};
        int reason = create_member(member);
        if (reason)
            return net_fail(error, "cannot start thread %d of %d: %s", thread + 1, pool->threads,
                            strerror(reason));
        pool->created++;
    }
    return true;
}

static void reset_meeting(NetMeeting *meeting, int spins)
{
    gate_initialise(&meeting->passed);
    atomic_init(&meeting->arrived, 0);
    meeting->spins = spins;
}

static void reset_gates(NetPool *pool)
{
    gate_initialise(&pool->start);
    reset_meeting(&pool->meeting, pool->spins);
    for (int thread = 0; thread < pool->threads; thread++)
        reset_meeting(&pool->teams[thread], pool->spins);
}

/* In a child the threads are made anew when they are first asked for; as many as
 * can be had will do, since no result depends on it. */
static void make_after_fork(NetPool *pool)
{
    NetError ignored;
    if (pool->threads == 1 || pool->forks == atomic_load(&forks))
        return;
    reset_gates(pool);
    create_members(pool, &ignored);
    pool->threads = pool->created + 1;
}

NetPool *net_pool_open(int threads, NetError *error)
{
    if (threads < 1) {
        net_fail(error, "%d threads: at least one is needed", threads);
        return NULL;
    }
    NetPool *pool = net_allocate(1, sizeof *pool, error);
    struct Member *members = pool ? net_allocate((size_t)threads, sizeof *members, error) : NULL;
    NetMeeting *teams = members ? net_allocate((size_t)threads, sizeof *teams, error) : NULL;
    if (!teams) {
        free(members);
        free(pool);
        return NULL;
    }
    static pthread_once_t watching = PTHREAD_ONCE_INIT;
    pthread_once(&watching, watch_forks);
    pool->threads = threads;
    pool->members = members;
    pool->teams = teams;
    pool->spins = threads <= net_processors() ? SPINS : 0;
    reset_gates(pool);
    if (!create_members(pool, error)) {
        net_pool_close(pool);
        return NULL;
    }
    return pool;
}

void net_pool_close(NetPool *pool)
{
    if (!pool)
        return;
    pool->work = NULL;
    gate_open(&pool->start);
    bool ours = pool->forks == atomic_load(&forks);
    for (int thread = 1; ours && thread <= pool->created; thread++)
        pthread_join(pool->members[thread].handle, NULL);
    gate_destroy(&pool->start);
    gate_destroy(&pool->meeting.passed);
    for (int thread = 0; thread < pool->threads; thread++)
        gate_destroy(&pool->teams[thread].passed);
    free(pool->teams);
    free(pool->members);
    free(pool);
}

int net_pool_threads(NetPool *pool)
{
    make_after_fork(pool);
    return pool->threads;
}

bool net_pool_spins(const NetPool *pool)
{
    return pool->threads > 1 && pool->spins > 0;
}

void net_pool_run(NetPool *pool, void (*work)(void *context, int thread), void *context)
{
    make_after_fork(pool);
    pool->work = work;
    pool->context = context;
    if (pool->threads > 1)
        gate_open(&pool->start);
    work(context, 0);
    net_pool_barrier(pool);
}
