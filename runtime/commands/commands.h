/* commands.h: what the trainer's commands share.
 *
 * Each command is a file with its name here and a row of the table in main.c.  It is given a
 * Request, which options.c made of the command line, and gives an exit status.  This room and
 * main.c are all of the library that prints a message or chooses a status.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "../runtime.h"

/* 0 done, 1 a failure, 2 misuse, 128 and a signal's number where one ended the run. */
enum { DONE = 0, FAILED = 1, MISUSE = 2, INTERRUPTED = 128 };

enum { LINE = 400 };         /* bytes of a line of help */
enum { LONGEST = 31 };       /* bytes of an option's name, or of a command's */
enum { MAX_THREADS = 1024 }; /* that --threads takes */
enum { CLASS_TEXT = 1024 };  /* bytes of a class as it is shown: its name, or its number */

/* The commands, as bits: an option is of some of them. */
enum {
    TRAIN = 1,
    TEST = 2,
    PREDICT = 4,
    BENCH = 8,
    GRADCHECK = 16,
    INFO = 32,
    GENERATE = 64,
    REPORT = 128,
    LR_FIND = 256,
    SWEEP = 512,
    LOOK = 1024,
    ANY = 2047
};

/* What the command line asks for. */
typedef struct Request {
    const NetModel *model;
    NetSettings settings;
    const char *data, *weights, *init, *resume;
    const char *validation; /* a folder; NULL: as the settings say */
    NetRun run;
    NetGradcheck gradcheck;
    NetBench bench;
    double threads, max_steps, steps, many, count, samples;
    const char *norms, *prompt;
    double characters, temperature, top_k;
    double memory; /* bytes; 0: not said */
    const char *cache;
    bool no_shuffle, no_cache, skip_broken;
    const char *output;
    bool csv;
    double worst, repeat, rate_steps;
    NetLrFind finder;
    NetTrials trials; /* of --repeat and of sweep: values[0] of an axis are in `grids` */
    const char *grids[NET_MAX_AXES]; /* "0.1,0.01" of each axis */
    NetData *shared;                 /* what several runs are on; NULL: each opens its own */
    char **operands;
    int operand_count;
    bool trains, partial;
    bool answers_only; /* what is tested need not have targets */
} Request;

typedef struct Command {
    const char *name, *operands, *summary;
    unsigned bit;
    int (*run)(Request *request);
} Command;

/* ---------------------------------------------------------- messages.c */

extern int net_speaker; /* the rank that says what is wrong */
/* "PROGRAM: error: …" on stderr, by the rank that speaks; gives `status`. */
int net_complain(int status, const char *template, ...) PRINTF(2, 3);
int net_give_up(const NetError *error); /* says it; gives FAILED */
void net_tell_error(const NetError *error);
/* What does not end the command, on stderr too, so that --quiet hides none of it; empties them. */
void net_tell_notes(NetNotes *notes);
void net_print_version(const NetModel *model);

/* ----------------------------------------------------------- options.c */

/* What the words after a command's name ask for; -1: go on, else the exit status. */
int net_read_options(Request *request, const Command *command, int argc, char **argv);

/* ------------------------------------------------------------ values.c */
/* What an option's value says; `name` is the option's, for a message. */

bool net_set_pair(Request *request, const char *pair, NetError *error); /* lr=0.1 */
bool net_add_axis(Request *request, const char *pair, NetError *error); /* lr=0.1,0.01 */
/* Sets a setting to the value of that number in "0.1,0.01", which goes to `text` too; false without
 * a message in *error where there are not so many. */
bool net_set_nth(Request *request, const char *path, const char *values, int number,
                 char text[NET_SHAPE_TEXT], NetError *error);
/* "10m" to seconds[0], "500" to seconds[1]. */
bool net_set_interval(double *seconds, const char *value, const char *name, NetError *error);
/* "2GB", "512MB": powers of ten. */
bool net_set_bytes(double *bytes, const char *value, const char *name, NetError *error);
bool net_set_cores(NetBench *bench, const char *value, const char *name, NetError *error);
bool net_set_validation(Request *request, const char *value, NetError *error);

/* -------------------------------------------------------------- near.c */

/* Of `best`, which may be NULL, and a candidate the one nearer to the word, if it is near. */
const char *net_nearer(const char *word, const char *best, const char *candidate);

/* --------------------------------------------------------- open_data.c */
/* `weights`: of a session that is tested; NULL: it is trained.  net_data_close() what is opened. */

bool net_open_data(const Request *request, NetData *data, const NetSession *weights,
                   NetNotes *notes, NetError *error);
/* By what a training run is judged: see data/validation.c. */
bool net_open_validation(const Request *request, NetData *data, uint64_t seed, NetNotes *notes,
                         NetError *error);
/* The data and by which of them a run is judged; once for several runs. */
bool net_open_judged(const Request *request, NetData *data, uint64_t seed, NetNotes *notes,
                     NetError *error);
/* The data, whose classes must be the weights'. */
bool net_open_test_data(const Request *request, NetSession *session, NetData *data,
                        NetError *error);
/* A file is a picture, and that is all an example is.  `instead`: the way out. */
bool net_check_pictures(const Request *request, const char *instead, NetError *error);

/* ------------------------------------------------------ open_session.c */

uint64_t net_seed_of(const Request *request);
int64_t net_batch_of(const Request *request); /* images that are computed at once */
/* NULL: *error says why; net_close() it. */
NetSession *net_open_session(const Request *request, bool training, NetError *error);
NetSession *net_open_training_session(const Request *request, NetError *error);
/* Of --weights; with --partial they may be a larger network's that has all of this one's. */
bool net_load_weights(NetSession *session, const Request *request, NetError *error);
/* With the weights of --weights; tells what they bring. */
NetSession *net_open_trained(const Request *request, NetError *error);
/* The file of --resume or --init, if there is one: rank 0's. */
bool net_open_from(const Request *request, NetTensorFile *from, NetError *error);
/* --init's weights, of which that file is. */
bool net_load_first(NetSession *session, const Request *request, const NetTensorFile *weights,
                    NetError *error);

/* ------------------------------------------------------------- files.c */

/* That no file of a run is another's, nor something that is not ours. */
bool net_check_files(const Request *request, NetError *error);

/* ------------------------------------------------------------- train.c */

int net_train_once(Request *request); /* one run of train or sweep */
/* What one option says and another makes senseless; NULL: nothing. */
const char *net_find_contradiction(const Request *request);

/* ------------------------------------------------------------- sweep.c */

int net_run_trials(Request *request); /* the runs of sweep, or of train --repeat */

/* ------------------------------------------------ a file for each of them */

int net_command_train(Request *request);
int net_command_sweep(Request *request);
int net_command_lr_find(Request *request);
int net_command_test(Request *request);
int net_command_predict(Request *request);
int net_command_generate(Request *request);
int net_command_look(Request *request);
int net_command_report(Request *request);
int net_command_bench(Request *request);
int net_command_gradcheck(Request *request);
int net_command_info(Request *request);

#endif
