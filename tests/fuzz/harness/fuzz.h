/* fuzz.h: what the files of the fuzz targets share.
 *
 *   harness.c   libFuzzer's entry points, ends of the program, the scratch folder
 *   words.c     a mutator that knows words, quotes, braces and lines
 *   compiler.c  the targets in netc
 *   runtime.c   the targets in a trainer
 *
 * Two programs are made of them, each with several targets, of which $FUZZ_TARGET
 * names one.  They are linked so that exit() of the program under test comes back
 * here: status 3, "a fault of ours", is a finding whatever the input, all others
 * are ordinary ends.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FuzzTarget {
    const char *name;
    void (*run)(const uint8_t *bytes, size_t size);
    /* A new input of at most `max` bytes in place; NULL: libFuzzer's own. */
    size_t (*mutate)(uint8_t *bytes, size_t size, size_t max, unsigned seed);
} FuzzTarget;

/* compiler.c or runtime.c: the table, ended by a name NULL, and what is done once
 * (in the scratch folder, which is the working one), before and after each run,
 * however it ended. */
extern const FuzzTarget targets[];
void open_targets(void);
void before_run(void);
void after_run(void);

/* harness.c */
extern bool running;                      /* an input is being run: false in libFuzzer's own code */
_Noreturn void finding(const char *what); /* stops with a report */
/* Ends the run as exit(status) would. */
_Noreturn void end_run(int status);
/* What a main() gives, or its exit(); the run goes on. */
int run_main(int (*entry)(int argc, char **argv), int argc, char **argv);
void write_file(const char *name, const void *bytes, size_t size);
/* Runs it with standard output kept; gives what it printed, to free(). */
char *printed(int (*entry)(int argc, char **argv), int argc, char **argv);
uint64_t hash_of(const uint8_t *bytes, size_t size); /* a choice that goes with an input */
/* The input's lines as words: argv[1 …]; gives argc.  The words lie in `text`. */
enum { MAX_ARGUMENTS = 12, MAX_ARGUMENT_BYTES = 2048 };
int split_words(const uint8_t *bytes, size_t size, char text[MAX_ARGUMENT_BYTES],
                char *argv[MAX_ARGUMENTS + 2]);

/* words.c */
void add_vocabulary(const char *word); /* kept as long as the program */
void add_vocabulary_of(const char *text, bool (*wanted)(const char *word));
size_t mutate_words(uint8_t *bytes, size_t size, size_t max, unsigned seed);
size_t cross_lines(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                   size_t max, unsigned seed);

/* libFuzzer's */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max);

#endif
