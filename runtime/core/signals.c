/* signals.c: a run that is asked to end, ends by itself and saves what it did.
 *
 * Whoever wants a run to end says so with a signal: a terminal's Ctrl-C or its
 * closing, a batch system's warning before it kills.  The first of a kind asks,
 * and a later one kills.  Some senders say it twice at once: timeout(1) signals
 * its child and then the child's group, and a shell passes on the hangup that
 * the kernel sends as well.  What comes within the same second is the same wish.
 *
 * A write to a pipe or terminal that nobody reads may wait for ever, so while a
 * run is asked to end no call is taken up again after a signal, and an alarm
 * comes each second in case the write began just after the first.
 */
#include "runtime.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* a shell's exit status of a signal's death is 128 + its number */
enum { DEATH = 128, LONGEST_SIGNAL = 64 };

static const double SAME_WISH = 1; /* seconds */

static const int wishes[] = {
    SIGINT,  SIGTERM, SIGHUP,
    SIGXCPU, SIGUSR1, SIGUSR2, /* of batch systems, some minutes before they kill */
};
enum { WISHES = sizeof wishes / sizeof *wishes };

static volatile sig_atomic_t asked;           /* the first signal; 0: none came */
static volatile sig_atomic_t working;         /* there is something to save */
static volatile double since[LONGEST_SIGNAL]; /* when each signal first came; 0: it did not */

/* As if nobody had caught it; a container's first process outlives that. */
static _Noreturn void die_of(int number)
{
    sigset_t one;
    net_remove_unfinished();
    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(number);
    _exit(DEATH + number);
}

/* The kernel repeats SIGXCPU every second until it kills by itself. */
static void take_wish(int number)
{
    int before = errno;
    if (!working) {
        net_remove_unfinished();
        _exit(DEATH + number);
    }
    if (since[number] == 0) {
        since[number] = net_seconds();
        asked = asked ? asked : number;
        alarm(1);
    } else if (number != SIGXCPU && net_seconds() - since[number] > SAME_WISH) {
        die_of(number);
    }
    errno = before;
}

static void take_alarm(int number)
{
    (void)number;
    alarm(1);
}

/* Ignored when the program was started, as nohup does, it stays ignored. */
static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, before;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

void net_signals_catch(void)
{
    for (int i = 0; i < WISHES; i++)
        handle(wishes[i], take_wish, 0);
    handle(SIGALRM, take_alarm, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void net_signals_work(void)
{
    working = true;
}

void net_signals_finish(bool finish)
{
    int flags = finish ? SA_RESTART : 0;
    for (int i = 0; i < WISHES; i++)
        handle(wishes[i], take_wish, flags);
    handle(SIGALRM, take_alarm, flags);
}

void net_signal_ask(int number)
{
    if (number && !asked) /* 0 never takes the place of one that comes meanwhile */
        asked = number;
}

int net_signal_asked(void)
{
    return asked;
}
