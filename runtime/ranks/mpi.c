/* mpi.c: ranks by MPI (https://www.mpi-forum.org/docs/, version 3.1).  `netc build --mpi`
 * compiles it into a trainer.
 *
 * MPI_Allreduce promises no order of its sums, so gradients are added here, by messages between
 * pairs of ranks.  Among a power of two of them: recursive halving and doubling (Thakur,
 * Rabenseifner and Gropp 2005, "Optimization of collective communication operations in MPICH"),
 * whose pairs are the tree's.  Else the tree itself, towards rank 0, which hands out the sum.
 *
 * A thread of its own adds the gradients, so that the backward pass goes on meanwhile.  It has
 * communicators of its own, and the two threads call MPI by turns (MPI_THREAD_SERIALIZED).
 *
 * Every wait looks at the clock: MPI itself would wait for ever for a rank that hangs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "net_ranks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <mpi.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const MPI_Comm all = MPI_COMM_WORLD;
static MPI_Comm ending;  /* where ranks meet at the end, whatever others are waiting for */
static MPI_Comm summing; /* the second thread's */
#define REAL (sizeof(real) == sizeof(double) ? MPI_DOUBLE : MPI_FLOAT)

enum { WAIT = 600, LAST_WAIT = 5 }; /* seconds: for an answer, and for the others' end */
/* Tests: after these others may have the processor; between two looks at the clock. */
enum { AWAKE = 4096, LOOK = 256, NAP = 20000 /* ns */ };
enum { MESSAGE = 1 << 28, LINE = 16, MAX_ANSWERS = 64 };
enum { SUM, PARCEL }; /* messages' tags */

static struct {
    int rank, count, here, beside;
    double patience; /* seconds */
    int spins;       /* before it sleeps where ranks meet */
} ranks = {.count = 1, .here = 1, .beside = 1};

/* What a thread's messages need. */
typedef struct Desk {
    MPI_Comm on;
    bool sleeps; /* while it waits: others compute */
    int *counts, *places;
    real *room; /* what others send */
    int64_t room_elements;
} Desk;
static Desk first_desk, second_desk;

/* One thread at a time is in MPI. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
#define IN_TURN(call)                \
    do {                             \
        pthread_mutex_lock(&turn);   \
        call;                        \
        pthread_mutex_unlock(&turn); \
    } while (0)

/* Parcels. */
static struct {
    MPI_Request *requests;
    int count;
    int64_t room; /* requests */
} under_way;

/* ------------------------------------------------------------ waiting */

static _Noreturn void stop(const char *why)
{
    fflush(stdout);
    fprintf(stderr, "%s: error: rank %d of %d: %s\n", program_invocation_short_name, ranks.rank,
            ranks.count, why);
    MPI_Abort(all, 1);
    abort();
}

static _Noreturn void stop_for_silence(void)
{
    char why[200];
    snprintf(why, sizeof why,
             "another rank has not answered for %.0f s, so all end; --resume goes on from the last "
             "checkpoint",
             ranks.patience);
    stop(why);
}

/* Of a wait, of which what the job was stopped for is no part: seconds. */
typedef struct Clock {
    double last, waited;
} Clock;

static bool is_too_long(Clock *clock, double patience)
{
    double now = net_seconds(), since = clock->last > 0 ? now - clock->last : 0;
    clock->waited += since < 1 ? since : 1;
    clock->last = now;
    return clock->waited > patience;
}

/* Whether all were answered in that time. */
static bool wait_for(const Desk *desk, MPI_Request *requests, int count, double patience)
{
    Clock clock = {0};
    for (int64_t tests = 0;; tests++) {
        int done;
        IN_TURN(MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE));
        if (done)
            return true;
        if (desk->sleeps && tests >= LOOK)
            nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL);
        else if (tests >= AWAKE)
            sched_yield();
        if (tests % LOOK == LOOK - 1 && is_too_long(&clock, patience))
            return false;
    }
}

static void finish(const Desk *desk, MPI_Request *requests, int count)
{
    if (!wait_for(desk, requests, count, ranks.patience))
        stop_for_silence();
}

/* ------------------------------------------------------- begin and end */

static double patience_of(const char *text)
{
    char *end;
    double value = text ? strtod(text, &end) : 0;
    return text && end != text && *end == '\0' && value > 0 ? value : WAIT;
}

/* Of the processors that the rank may run on: the same for ranks that have the same ones. */
static int digest_processors(void)
{
    cpu_set_t set;
    unsigned digest = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (unsigned i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &set))
                digest = (digest ^ i) * 16777619u;
    return (int)(digest >> 1);
}

static void count_neighbours(void)
{
    MPI_Comm machine, beside;
    MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, ranks.rank, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &ranks.here);
    MPI_Comm_split(machine, digest_processors(), ranks.rank, &beside);
    MPI_Comm_size(beside, &ranks.beside);
    MPI_Comm_free(&beside);
    MPI_Comm_free(&machine);
}

static bool open_desk(Desk *desk, MPI_Comm on, bool sleeps)
{
    desk->on = on;
    desk->sleeps = sleeps;
    desk->counts = calloc((size_t)ranks.count, sizeof *desk->counts);
    desk->places = calloc((size_t)ranks.count, sizeof *desk->places);
    return desk->counts && desk->places;
}

static void close_desk(Desk *desk)
{
    free(desk->counts);
    free(desk->places);
    free(desk->room);
}

bool net_ranks_open(int *argc, char ***argv, NetError *error)
{
    int given;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_SERIALIZED, &given) != MPI_SUCCESS
        || given < MPI_THREAD_SERIALIZED) {
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
    MPI_Comm_dup(all, &summing);
    count_neighbours();
    ranks.patience = patience_of(getenv("NET_RANKS_PATIENCE"));
    if (open_desk(&first_desk, all, false) && open_desk(&second_desk, summing, true))
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

int net_ranks_beside(void)
{
    return ranks.beside;
}

/* ------------------------------------------------------------ messages */

static real *room_for(Desk *desk, int64_t elements)
{
    if (elements > desk->room_elements) {
        free(desk->room);
        desk->room = elements < INT64_MAX / (int64_t)sizeof(real)
                         ? malloc((size_t)elements * sizeof(real))
                         : NULL;
        if (!desk->room)
            stop("out of memory for what the ranks send one another");
        desk->room_elements = elements;
    }
    return desk->room;
}

static void gather_values(const Desk *desk, real *values, MPI_Datatype type)
{
    MPI_Request request;
    IN_TURN(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, desk->counts, desk->places,
                            type, desk->on, &request));
    finish(desk, &request, 1);
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
    real *room = room_for(&first_desk, grains * width);
    const NetShare own = net_rank_grains(grains, ranks.rank, ranks.count);
    move_rows(rows, count, own, room, width, false);
    for (int rank = 0; rank < ranks.count; rank++) {
        NetShare share = net_rank_grains(grains, rank, ranks.count);
        first_desk.places[rank] = (int)share.from;
        first_desk.counts[rank] = (int)(share.to - share.from);
    }
    MPI_Datatype row;
    IN_TURN(MPI_Type_contiguous((int)width, REAL, &row));
    IN_TURN(MPI_Type_commit(&row));
    gather_values(&first_desk, room, row);
    IN_TURN(MPI_Type_free(&row));
    move_rows(rows, count, (NetShare){0, own.from}, room, width, true);
    move_rows(rows, count, (NetShare){own.to, grains}, room, width, true);
}

/* Of so many elements those of the next message. */
static int next_message(int64_t left)
{
    return left < MESSAGE ? (int)left : MESSAGE;
}

/* Sends and receives at once; either may be none. */
static void exchange(const Desk *desk, int other, const real *send, int64_t sent, real *receive,
                     int64_t received)
{
    MPI_Request requests[MAX_ANSWERS];
    int count = 0;
    for (int64_t at = 0; at < received; at += MESSAGE)
        IN_TURN(MPI_Irecv(receive + at, next_message(received - at), REAL, other, SUM, desk->on,
                          &requests[count++]));
    for (int64_t at = 0; at < sent; at += MESSAGE)
        IN_TURN(MPI_Isend(send + at, next_message(sent - at), REAL, other, SUM, desk->on,
                          &requests[count++]));
    finish(desk, requests, count);
}

void net_ranks_send(const NetParcel *parcels, int64_t count, int64_t bytes)
{
    if (count > INT_MAX || bytes > INT_MAX)
        stop("an example is larger than a message can be");
    if (count > under_way.room) {
        free(under_way.requests);
        under_way.requests = malloc((size_t)count * sizeof *under_way.requests);
        under_way.room = under_way.requests ? count : 0;
        if (!under_way.requests)
            stop("out of memory for what the ranks send one another");
    }
    under_way.count = (int)count;
    for (int i = 0; i < under_way.count; i++)
        if (parcels[i].comes)
            IN_TURN(MPI_Irecv(parcels[i].bytes, (int)bytes, MPI_BYTE, parcels[i].other, PARCEL, all,
                              &under_way.requests[i]));
        else
            IN_TURN(MPI_Isend(parcels[i].bytes, (int)bytes, MPI_BYTE, parcels[i].other, PARCEL, all,
                              &under_way.requests[i]));
}

void net_ranks_sent(void)
{
    finish(&first_desk, under_way.requests, under_way.count);
    under_way.count = 0;
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

static void sum_by_halves(Desk *desk, real *sum, int64_t elements)
{
    NetShare stretch[CHAR_BIT * sizeof(int)] = {{0, elements}};
    real *room = room_for(desk, elements);
    int level = 0;
    for (int bit = 1; bit < ranks.count; bit *= 2, level++) {
        NetShare kept = half_of(stretch[level], bit, true),
                 given = half_of(stretch[level], bit, false);
        exchange(desk, ranks.rank ^ bit, sum + given.from, given.to - given.from, room,
                 kept.to - kept.from);
        net_add(sum + kept.from, room, kept.to - kept.from);
        stretch[level + 1] = kept;
    }
    for (int bit = ranks.count / 2; bit > 0; bit /= 2, level--) {
        NetShare own = half_of(stretch[level - 1], bit, true),
                 other = half_of(stretch[level - 1], bit, false);
        exchange(desk, ranks.rank ^ bit, sum + own.from, own.to - own.from, sum + other.from,
                 other.to - other.from);
    }
}

static void hand_out(const Desk *desk, void *bytes, int64_t count)
{
    for (int64_t at = 0; at < count; at += MESSAGE) {
        MPI_Request request;
        IN_TURN(MPI_Ibcast((char *)bytes + at, next_message(count - at), MPI_BYTE, 0, desk->on,
                           &request));
        finish(desk, &request, 1);
    }
}

static void sum_by_tree(Desk *desk, real *sum, int64_t elements, int holders)
{
    for (int reach = 1; reach < holders && ranks.rank < holders; reach *= 2) {
        if (ranks.rank % (2 * reach) == reach) {
            exchange(desk, ranks.rank - reach, sum, elements, NULL, 0);
            break;
        }
        if (ranks.rank + reach < holders) {
            real *room = room_for(desk, elements);
            exchange(desk, ranks.rank + reach, NULL, 0, room, elements);
            net_add(sum, room, elements);
        }
    }
    hand_out(desk, sum, elements * (int64_t)sizeof(real));
}

/* What the second thread is to do: a join where there are units, else a sum. */
typedef struct Job {
    const real *own;
    real *values;
    int64_t elements, units, unit;
    int holders;
} Job;

static void sum_up(Desk *desk, const Job *job)
{
    bool power_of_two = (ranks.count & (ranks.count - 1)) == 0;
    if (job->own != job->values && ranks.rank < job->holders)
        net_copy(job->values, job->own, job->elements);
    if (job->elements > (int64_t)MESSAGE * (MAX_ANSWERS / 2))
        stop("there are more parameters than the ranks can send one another");
    if (power_of_two && job->holders == ranks.count)
        sum_by_halves(desk, job->values, job->elements);
    else
        sum_by_tree(desk, job->values, job->elements, job->holders);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void join(Desk *desk, const Job *job)
{
    if (job->elements > INT_MAX)
        stop("a layer's gradient is larger than a message can be");
    for (int rank = 0; rank < ranks.count; rank++) {
        NetShare units = net_share(job->units, rank, ranks.count);
        int64_t from = least(units.from * job->unit, job->elements),
                to = least(units.to * job->unit, job->elements);
        desk->places[rank] = (int)from;
        desk->counts[rank] = (int)(to - from);
    }
    gather_values(desk, job->values, REAL);
}

/* The jobs of a step, in the order in which all ranks have them. */
static struct {
    pthread_mutex_t door;
    pthread_cond_t changed;
    pthread_t thread;
    bool there, ends; /* the thread is; is to end */
    Job *jobs;
    int count, done, room;
    double took, waited; /* seconds */
} adding = {.door = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void do_job(const Job *job)
{
    double start = net_seconds();
    (job->units ? join : sum_up)(&second_desk, job);
    adding.took += net_seconds() - start;
}

static void *add_jobs(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&adding.door);
    while (!adding.ends) {
        if (adding.done == adding.count) {
            pthread_cond_wait(&adding.changed, &adding.door);
            continue;
        }
        Job job = adding.jobs[adding.done]; /* the list may move */
        pthread_mutex_unlock(&adding.door);
        do_job(&job);
        pthread_mutex_lock(&adding.door);
        adding.done++;
        pthread_cond_broadcast(&adding.changed);
    }
    pthread_mutex_unlock(&adding.door);
    return NULL;
}

/* Signals are for the first thread. */
static void begin_adding(void)
{
    sigset_t others, before;
    sigfillset(&others);
    sigdelset(&others, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    adding.there = pthread_create(&adding.thread, NULL, add_jobs, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!adding.there)
        stop("cannot start a thread that adds the gradients");
}

static void give_job(Job job)
{
    if (!adding.there)
        begin_adding();
    pthread_mutex_lock(&adding.door);
    if (adding.count == adding.room) {
        adding.room = 2 * adding.room + 64;
        adding.jobs = realloc(adding.jobs, (size_t)adding.room * sizeof *adding.jobs);
        if (!adding.jobs)
            stop("out of memory for what the ranks send one another");
    }
    adding.jobs[adding.count++] = job;
    pthread_cond_broadcast(&adding.changed);
    pthread_mutex_unlock(&adding.door);
}

void net_ranks_sum(const real *own, real *sum, int64_t elements, int holders)
{
    give_job((Job){.own = own, .values = sum, .elements = elements, .holders = holders});
}

void net_ranks_join(real *values, int64_t units, int64_t unit, int64_t elements)
{
    give_job((Job){.values = values, .elements = elements, .units = units, .unit = unit});
}

void net_ranks_summed(void)
{
    double start = net_seconds();
    pthread_mutex_lock(&adding.door);
    while (adding.done < adding.count)
        pthread_cond_wait(&adding.changed, &adding.door);
    adding.done = adding.count = 0;
    adding.waited += net_seconds() - start;
    pthread_mutex_unlock(&adding.door);
}

void net_ranks_took(double *all, double *waited)
{
    pthread_mutex_lock(&adding.door);
    *all = adding.took;
    *waited = adding.waited;
    pthread_mutex_unlock(&adding.door);
}

/* A rank that fails may leave jobs undone, for which the others do not come. */
static void end_adding(void)
{
    if (!adding.there)
        return;
    pthread_mutex_lock(&adding.door);
    bool idle = adding.done == adding.count;
    adding.ends = true;
    pthread_cond_broadcast(&adding.changed);
    pthread_mutex_unlock(&adding.door);
    if (idle)
        pthread_join(adding.thread, NULL);
    free(idle ? adding.jobs : NULL);
}

/* ------------------------------------------------------- small messages */

void net_ranks_add(double *values, int count)
{
    MPI_Request request;
    IN_TURN(MPI_Iallreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, all, &request));
    finish(&first_desk, &request, 1);
}

int64_t net_ranks_largest(int64_t number)
{
    MPI_Request request;
    IN_TURN(MPI_Iallreduce(MPI_IN_PLACE, &number, 1, MPI_INT64_T, MPI_MAX, all, &request));
    finish(&first_desk, &request, 1);
    return number;
}

void net_ranks_copy(real *values, int64_t count)
{
    hand_out(&first_desk, values, count * (int64_t)sizeof(real));
}

void net_ranks_hand_out(void *bytes, int64_t count)
{
    hand_out(&first_desk, bytes, count);
}

int net_ranks_unlike(uint64_t number)
{
    uint64_t first = number;
    hand_out(&first_desk, &first, sizeof first);
    int64_t unlike = first != number ? ranks.count - ranks.rank : 0; /* the first is the largest */
    unlike = net_ranks_largest(unlike);
    return unlike ? ranks.count - (int)unlike : -1;
}

/* ------------------------------------------------------- shared memory */

/* At the beginning of what all have. */
typedef struct Meeting {
    _Alignas(NET_ALIGNMENT) atomic_uint passed; /* counts how often they met */
    atomic_int sleepers;
    _Alignas(NET_ALIGNMENT) atomic_uint arrived;
} Meeting;
enum { HEAD = 4 * NET_ALIGNMENT, SPINS = 1500, LOOK_AGAIN = 250000000 /* ns */ };
_Static_assert((int)sizeof(Meeting) <= (int)HEAD, "it has room");
static Meeting *meeting;

/* Rank 0's file without a name, which the others open as a file of rank 0's process. */
static int open_shared(int64_t bytes)
{
    char path[64];
    int64_t where[2] = {getpid(), -1}; /* process, descriptor */
    if (ranks.rank == 0) {
        int own = memfd_create("ranks", MFD_CLOEXEC);
        where[1] = own >= 0 && ftruncate(own, bytes) == 0 ? own : -1;
    }
    net_ranks_hand_out(where, sizeof where);
    if (where[1] < 0 || ranks.rank == 0)
        return (int)where[1];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)where[0], (int)where[1]);
    return open(path, O_RDWR | O_CLOEXEC);
}

void *net_ranks_share(int64_t bytes, bool spins)
{
    bytes += HEAD;
    ranks.spins = spins ? SPINS : 0;
    const char *own = getenv("NET_RANKS_MEMORY");
    if (net_ranks_largest(ranks.here < ranks.count || (own && strcmp(own, "own") == 0)))
        return NULL;
    int file = open_shared(bytes);
    void *memory = file < 0
                       ? MAP_FAILED
                       : mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    bool good = !net_ranks_largest(memory == MAP_FAILED); /* all have opened it, if they can */
    if (file >= 0)
        close(file);
    if (!good && memory != MAP_FAILED)
        munmap(memory, (size_t)bytes);
    meeting = good ? memory : NULL;
    return good ? (char *)memory + HEAD : NULL;
}

void net_ranks_unshare(void *memory, int64_t bytes)
{
    munmap((char *)memory - HEAD, (size_t)(bytes + HEAD));
}

/* As core/threads.c has threads meet; but a rank may hang, so sleep looks at the clock. */
static void wait_for_others(unsigned old)
{
    Clock clock = {0};
    for (int i = 0; i < ranks.spins && atomic_load(&meeting->passed) == old; i++)
        net_pause();
    atomic_fetch_add(&meeting->sleepers, 1);
    while (atomic_load(&meeting->passed) == old) {
        syscall(SYS_futex, &meeting->passed, FUTEX_WAIT, old,
                &(struct timespec){.tv_nsec = LOOK_AGAIN}, NULL, 0);
        if (is_too_long(&clock, ranks.patience))
            stop_for_silence();
    }
    atomic_fetch_sub(&meeting->sleepers, 1);
}

void net_ranks_meet(void)
{
    unsigned passed = atomic_load(&meeting->passed);
    if (atomic_fetch_add(&meeting->arrived, 1) < (unsigned)ranks.count - 1) {
        wait_for_others(passed);
        return;
    }
    atomic_store(&meeting->arrived, 0);
    atomic_fetch_add(&meeting->passed, 1);
    if (atomic_load(&meeting->sleepers) > 0)
        syscall(SYS_futex, &meeting->passed, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* ------------------------------------------------------------- the end */

/* Who failed may be alone with that; else rank 0 is still writing. */
void net_ranks_close(int status)
{
    bool failed = status > 0 && status < 128;
    MPI_Request request;
    end_adding();
    MPI_Ibarrier(ending, &request);
    if (!wait_for(&first_desk, &request, 1, failed ? LAST_WAIT : ranks.patience))
        MPI_Abort(all, status ? status : 1);
    close_desk(&first_desk);
    close_desk(&second_desk);
    free(under_way.requests);
    MPI_Finalize();
}
