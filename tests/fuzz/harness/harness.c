/* harness.c: what libFuzzer calls, and how a program that may exit at any depth
 * is run a million times in one process.
 *
 * The linker sends exit() and _exit() of all code to the functions here (--wrap):
 * within a run they jump back to its beginning.  The program's files lie in a
 * folder of this process's own, in memory where the machine has such.
 */
#include "fuzz.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INTERNAL = 3 };

bool running;
static jmp_buf *end; /* of the innermost run */
static int end_status;
static const FuzzTarget *target;

_Noreturn void __real_exit(int status);
_Noreturn void __real__exit(int status);

_Noreturn void finding(const char *what)
{
    running = false;
    fprintf(stderr, "finding: %s\n", what);
    abort();
}

_Noreturn void end_run(int status)
{
    if (status == INTERNAL)
        finding("exit status 3: a fault of the program's own");
    end_status = status;
    longjmp(*end, 1);
}

_Noreturn void __wrap_exit(int status)
{
    if (running)
        end_run(status);
    __real_exit(status);
}

_Noreturn void __wrap__exit(int status)
{
    if (running)
        end_run(status);
    __real__exit(status);
}

int run_main(int (*entry)(int argc, char **argv), int argc, char **argv)
{
    jmp_buf here, *outer = end;
    end = &here;
    if (setjmp(here) == 0) {
        end_status = entry(argc, argv);
        if (end_status == INTERNAL)
            finding("main gives 3: a fault of the program's own");
    }
    end = outer;
    return end_status;
}

char *printed(int (*entry)(int argc, char **argv), int argc, char **argv)
{
    char *text = NULL;
    size_t length;
    FILE *before = stdout;
    bool was_running = running;
    stdout = open_memstream(&text, &length);
    running = true;
    run_main(entry, argc, argv);
    running = was_running;
    fclose(stdout);
    stdout = before;
    return text;
}

/* ------------------------------------------------------------- the folder */

static char folder[64];

static void empty_folder(const char *keep)
{
    DIR *listing = opendir(".");
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (entry->d_name[0] != '.' && (!keep || strcmp(entry->d_name, keep) != 0))
            remove(entry->d_name);
    if (listing)
        closedir(listing);
}

static void remove_folder(void)
{
    if (chdir(folder) != 0)
        return;
    empty_folder(NULL);
    if (chdir("data") == 0) {
        empty_folder(NULL);
        if (chdir("..") != 0)
            return;
    }
    rmdir("data");
    rmdir(folder);
}

static void enter_folder(void)
{
    snprintf(folder, sizeof folder, "%s/netc-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder) || chdir(folder) != 0)
        finding("no scratch folder");
    atexit(remove_folder);
}

void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        finding("a scratch file cannot be written");
}

/* ---------------------------------------------------------------- inputs */

uint64_t hash_of(const uint8_t *bytes, size_t size)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash ^ hash >> 29;
}

int split_words(const uint8_t *bytes, size_t size, char text[MAX_ARGUMENT_BYTES],
                char *argv[MAX_ARGUMENTS + 2])
{
    int argc = 1;
    size = size < MAX_ARGUMENT_BYTES - 1 ? size : MAX_ARGUMENT_BYTES - 1;
    memcpy(text, bytes, size);
    text[size] = '\0';
    argv[0] = (char *)"program";
    char *rest = text;
    for (char *word; argc <= MAX_ARGUMENTS && (word = strsep(&rest, "\n"));)
        if (*word || rest)
            argv[argc++] = word;
    argv[argc] = NULL;
    return argc;
}

/* ------------------------------------------------------------- libFuzzer's */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed);

/* Paths on libFuzzer's command line are given whole: the working folder changes. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const char *name = getenv("FUZZ_TARGET");
    for (target = targets; target->name && (!name || strcmp(target->name, name) != 0); target++)
        continue;
    if (!target->name) {
        fprintf(stderr, "FUZZ_TARGET is one of:");
        for (target = targets; target->name; target++)
            fprintf(stderr, " %s", target->name);
        fprintf(stderr, "\n");
        exit(2);
    }
    enter_folder();
    open_targets();
    return 0;
}

static const uint8_t *run_bytes;
static size_t run_size;

static int run_target(int argc, char **argv)
{
    (void)argc, (void)argv;
    target->run(run_bytes, run_size);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    run_bytes = bytes;
    run_size = size;
    setenv("TMPDIR", ".", 1);
    before_run();
    running = true;
    run_main(run_target, 0, NULL);
    running = false;
    after_run();
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed)
{
    return target->mutate ? target->mutate(bytes, size, max, seed)
                          : LLVMFuzzerMutate(bytes, size, max);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed)
{
    return cross_lines(a, a_size, b, b_size, out, max, seed);
}
