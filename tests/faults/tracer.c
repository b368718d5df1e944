/* tracer.c: runs a program and strikes it at one system call: the call fails
 * with an errno, transfers only half, or a signal arrives before it.
 *
 * It works through ptrace, so that it also reaches calls that a C library makes
 * without its own public functions, and programs that are linked statically.
 * Counting begins where main does: what the loader does is not the program's.
 * Threads and forked children are the program too; what it executes is not.
 *
 *   tracer REPORT MAIN fail N COMMAND...      the N-th fault, counted from 1
 *   tracer REPORT MAIN onward N COMMAND...    it, and every later call of its kind
 *   tracer REPORT MAIN SIGNAL N COMMAND...    that signal at the N-th call
 *
 * MAIN is how far main lies from the program's entry point, in bytes.  A call has
 * as many faults as its row in `rows` names, each with a number of its own, so
 * that counting N up goes through all of them.  REPORT is a file: on its first
 * line what was struck, or "missed"; on its second "exit N" or "signal N".
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HALF = -1 }; /* instead of an errno: transfer half of what was asked for */
enum { MAX_FAULTS = 4, MAX_TASKS = 256, TEXT = 300 };

/* Which errnos a call may give that a program must survive.  What is not here
 * cannot fail (exit, getpid), or never does in a program that is right (futex). */
static const struct Row {
    long call;
    const char *name;
    int path;               /* which argument is a path; -1: none */
    int faults[MAX_FAULTS]; /* ends with 0 */
} rows[] = {
    {SYS_read, "read", -1, {EIO, EINTR, HALF}},
    {SYS_pread64, "pread", -1, {EIO, HALF}},
    {SYS_write, "write", -1, {ENOSPC, EINTR, HALF}},
    {SYS_writev, "writev", -1, {ENOSPC}},
    {SYS_pwrite64, "pwrite", -1, {ENOSPC, HALF}},
    {SYS_open, "open", 0, {EMFILE, EACCES}},
    {SYS_openat, "openat", 1, {EMFILE, EACCES, ENOSPC}},
    {SYS_close, "close", -1, {EIO}},
    {SYS_fsync, "fsync", -1, {EIO}},
    {SYS_fdatasync, "fdatasync", -1, {EIO}},
    {SYS_ftruncate, "ftruncate", -1, {EIO}},
    {SYS_fallocate, "fallocate", -1, {ENOSPC}},
    {SYS_rename, "rename", 1, {ENOSPC, EACCES}},
    {SYS_renameat, "renameat", 3, {ENOSPC, EACCES}},
    {SYS_renameat2, "renameat2", 3, {ENOSPC, EACCES}},
    {SYS_link, "link", 1, {EPERM}},
    {SYS_linkat, "linkat", 3, {EPERM}},
    {SYS_unlink, "unlink", 0, {EACCES}},
    {SYS_unlinkat, "unlinkat", 1, {EACCES}},
    {SYS_rmdir, "rmdir", 0, {EACCES}},
    {SYS_mkdir, "mkdir", 0, {ENOSPC}},
    {SYS_mkdirat, "mkdirat", 1, {ENOSPC}},
    {SYS_getdents64, "getdents", -1, {EIO}},
    {SYS_stat, "stat", 0, {EACCES}},
    {SYS_lstat, "lstat", 0, {EACCES}},
    {SYS_fstat, "fstat", -1, {EIO}},
    {SYS_newfstatat, "fstatat", 1, {EACCES}},
    {SYS_statx, "statx", 1, {EACCES}},
    {SYS_access, "access", 0, {EACCES}},
    {SYS_faccessat, "faccessat", 1, {EACCES}},
    {SYS_faccessat2, "faccessat2", 1, {EACCES}},
    {SYS_readlink, "readlink", 0, {EACCES}},
    {SYS_readlinkat, "readlinkat", 1, {EACCES}},
    {SYS_getcwd, "getcwd", -1, {ENOENT}},
    {SYS_lseek, "lseek", -1, {EIO}},
    {SYS_fchmod, "fchmod", -1, {EPERM}},
    {SYS_fchown, "fchown", -1, {EPERM}},
    {SYS_fcntl, "fcntl", -1, {EINVAL}},
    {SYS_flock, "flock", -1, {ENOLCK}},
    {SYS_ioctl, "ioctl", -1, {ENOTTY}},
    {SYS_dup, "dup", -1, {EMFILE}},
    {SYS_dup2, "dup2", -1, {EBUSY}},
    {SYS_pipe, "pipe", -1, {EMFILE}},
    {SYS_pipe2, "pipe2", -1, {EMFILE}},
    {SYS_poll, "poll", -1, {EINTR, ENOMEM}},
    {SYS_ppoll, "ppoll", -1, {EINTR, ENOMEM}},
    {SYS_mmap, "mmap", -1, {ENOMEM}},
    {SYS_mprotect, "mprotect", -1, {ENOMEM}},
    {SYS_madvise, "madvise", -1, {EINVAL}},
    {SYS_clone, "clone", -1, {EAGAIN}},
#ifdef SYS_clone3
    {SYS_clone3, "clone3", -1, {EAGAIN}},
#endif
    {SYS_fork, "fork", -1, {EAGAIN}},
    {SYS_vfork, "vfork", -1, {EAGAIN}},
    {SYS_wait4, "wait4", -1, {EINTR}},
    {SYS_waitid, "waitid", -1, {EINTR}},
    {SYS_rt_sigaction, "sigaction", -1, {EINVAL}},
    {SYS_sched_getaffinity, "getaffinity", -1, {EINVAL}},
    {SYS_sched_setaffinity, "setaffinity", -1, {EINVAL}},
    {SYS_getrandom, "getrandom", -1, {ENOSYS}},
    {SYS_sysinfo, "sysinfo", -1, {EFAULT}},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* A thread or a forked child; `failing` is the errno of the call it is in. */
typedef struct Task {
    pid_t id;
    bool inside;
    int failing;
} Task;

static Task tasks[MAX_TASKS];
static int task_count;
static pid_t program;
static FILE *report;

/* What to do, and how far it is. */
static int signal_number; /* 0: faults */
static bool onward;
static long wanted, counted;
static const struct Row *struck_row;
static int struck_fault;
static bool struck;

static _Noreturn void stop(const char *what)
{
    fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
    exit(125);
}

static Task *find_task(pid_t id)
{
    for (int i = 0; i < task_count; i++)
        if (tasks[i].id == id)
            return &tasks[i];
    return NULL;
}

static Task *add_task(pid_t id)
{
    if (task_count == MAX_TASKS)
        stop("too many tasks");
    tasks[task_count] = (Task){.id = id};
    return &tasks[task_count++];
}

static void remove_task(pid_t id)
{
    Task *task = find_task(id);
    if (task)
        *task = tasks[--task_count];
}

/* ------------------------------------------------------------- striking */

static const struct Row *find_row(long call)
{
    for (int i = 0; i < ROWS; i++)
        if (rows[i].call == call)
            return &rows[i];
    return NULL;
}

/* Of the program's memory; "" where it cannot be read. */
static void read_text(pid_t id, unsigned long long at, char text[TEXT])
{
    size_t used = 0;
    for (; used + sizeof(long) < TEXT; used += sizeof(long)) {
        errno = 0;
        long word = ptrace(PTRACE_PEEKDATA, id, (void *)(at + used), NULL);
        if (errno)
            break;
        memcpy(text + used, &word, sizeof word);
        if (memchr(&word, 0, sizeof word))
            return;
    }
    text[used] = '\0';
}

static const char *fault_name(int fault)
{
    return fault == HALF ? "half" : strerrorname_np(fault);
}

static void tell(pid_t id, const struct Row *row, int fault, const struct user_regs_struct *at)
{
    char text[TEXT] = "";
    const unsigned long long arguments[] = {at->rdi, at->rsi, at->rdx, at->r10};
    if (row->path >= 0)
        read_text(id, arguments[row->path], text);
    else
        snprintf(text, sizeof text, "%lld", (long long)at->rdi);
    fprintf(report, "%s %s %s\n", row->name, fault_name(fault), text);
    fflush(report); /* whoever waits in vain for the end is told as well */
}

static void fail_call(Task *task, struct user_regs_struct *registers, int fault)
{
    if (fault == HALF) {
        registers->rdx = registers->rdx > 1 ? registers->rdx / 2 : registers->rdx;
    } else {
        task->failing = fault;
        registers->orig_rax = (unsigned long long)-1; /* no such call: nothing is done */
    }
    if (ptrace(PTRACE_SETREGS, task->id, NULL, registers) < 0)
        stop("cannot set registers");
}

/* The fault that is due at this call; 0: none.  A call that is interrupted is
 * right to be made again, and is not interrupted for ever. */
static int due_fault(const struct Row *row)
{
    if (struck)
        return onward && row == struck_row && struck_fault != EINTR ? struck_fault : 0;
    for (int i = 0; i < MAX_FAULTS && row->faults[i]; i++)
        if (++counted == wanted)
            return row->faults[i];
    return 0;
}

static void enter_call(Task *task)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, task->id, NULL, &registers) < 0)
        return;
    const struct Row *row = find_row((long)registers.orig_rax);
    if (signal_number) {
        if (++counted != wanted)
            return;
        fprintf(report, "%s %lld\n", row ? row->name : "call", (long long)registers.orig_rax);
        struck = true;
        kill(program, signal_number);
        return;
    }
    int fault = row ? due_fault(row) : 0;
    if (!fault)
        return;
    if (!struck)
        tell(task->id, row, fault, &registers);
    struck = true;
    struck_row = row;
    struck_fault = fault;
    fail_call(task, &registers, fault);
}

static void leave_call(Task *task)
{
    struct user_regs_struct registers;
    if (!task->failing || ptrace(PTRACE_GETREGS, task->id, NULL, &registers) < 0)
        return;
    registers.rax = (unsigned long long)-(long long)task->failing;
    task->failing = 0;
    if (ptrace(PTRACE_SETREGS, task->id, NULL, &registers) < 0)
        stop("cannot set registers");
}

/* ------------------------------------------------------------ beginning */

static unsigned long long entry_point(pid_t id)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/auxv", (int)id);
    FILE *file = fopen(path, "rb");
    if (!file)
        stop(path);
    Elf64_auxv_t pair;
    while (fread(&pair, sizeof pair, 1, file) == 1 && pair.a_type != AT_ENTRY)
        continue;
    fclose(file);
    return pair.a_un.a_val;
}

static void begin(char **command)
{
    program = fork();
    if (program < 0)
        stop("fork");
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execvp(command[0], command);
        stop(command[0]);
    }
    int status;
    waitpid(program, &status, 0);
    if (!WIFSTOPPED(status))
        stop("ptrace is not permitted here");
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK
                   | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, program, NULL, (void *)options) < 0)
        stop("ptrace is not permitted here");
    ptrace(PTRACE_CONT, program, NULL, NULL);
    waitpid(program, &status, 0);
    if (!WIFSTOPPED(status) || status >> 16 != PTRACE_EVENT_EXEC)
        stop(command[0]);
}

/* Goes on to main's first instruction, by a breakpoint there. */
static void go_to_main(long offset)
{
    int status;
    struct user_regs_struct registers;
    unsigned long long at = entry_point(program) + (unsigned long long)offset;
    long word = ptrace(PTRACE_PEEKTEXT, program, (void *)at, NULL);
    ptrace(PTRACE_POKETEXT, program, (void *)at, (void *)((word & ~0xFFL) | 0xCC));
    ptrace(PTRACE_CONT, program, NULL, NULL);
    waitpid(program, &status, 0);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
        stop("main was not reached");
    ptrace(PTRACE_GETREGS, program, NULL, &registers);
    registers.rip = at;
    ptrace(PTRACE_SETREGS, program, NULL, &registers);
    ptrace(PTRACE_POKETEXT, program, (void *)at, (void *)word);
}

/* ---------------------------------------------------------- going on */

/* Gives the signal to pass on. */
static int handle_stop(Task *task, int status)
{
    int number = WSTOPSIG(status);
    if (number == (SIGTRAP | 0x80)) {
        task->inside = !task->inside;
        (task->inside ? enter_call : leave_call)(task);
        return 0;
    }
    return status >> 16 ? 0 : number;
}

/* What the program executes is another's. */
static bool is_other_program(const Task *task, int status)
{
    return status >> 16 == PTRACE_EVENT_EXEC && task->id != program;
}

/* Until the program has ended, and all its children; gives its status. */
static int follow(void)
{
    int status, ended = 0;
    pid_t id;
    ptrace(PTRACE_SYSCALL, program, NULL, NULL);
    while ((id = waitpid(-1, &status, __WALL)) > 0) {
        Task *task = find_task(id);
        if (!WIFSTOPPED(status)) {
            if (id == program)
                ended = status;
            remove_task(id);
            continue;
        }
        int passed = 0;
        if (!task) /* its first stop is that of being attached */
            task = add_task(id);
        else if (is_other_program(task, status)) {
            ptrace(PTRACE_DETACH, id, NULL, NULL);
            remove_task(id);
            continue;
        } else
            passed = handle_stop(task, status);
        ptrace(PTRACE_SYSCALL, id, NULL, (void *)(long)passed);
    }
    return ended;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        stop("REPORT MAIN fail|onward|SIGNAL N COMMAND...");
    report = fopen(argv[1], "we");
    if (!report)
        stop(argv[1]);
    onward = strcmp(argv[3], "onward") == 0;
    signal_number = atoi(argv[3]);
    wanted = atol(argv[4]);
    begin(argv + 5);
    add_task(program);
    go_to_main(atol(argv[2]));
    int status = follow();
    if (!struck)
        fprintf(report, "missed %ld\n", counted);
    if (WIFSIGNALED(status))
        fprintf(report, "signal %d\n", WTERMSIG(status));
    else
        fprintf(report, "exit %d\n", WEXITSTATUS(status));
    return fclose(report) == 0 ? 0 : 125;
}
