/* main.c: the trainer's command line.
 *
 * Its table of contents is the table of commands at the end.  What the words of
 * a command line mean is decided here and nowhere else, and this is the only
 * file of the library that prints a message or chooses an exit status: 0 done,
 * 1 a failure, 2 misuse, 128 and a signal's number where one ended the run.
 */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, MISUSE = 2, INTERRUPTED = 128 };

static const char VERSION[] = "0.1.0";

enum { CLASS_TEXT = 1024 }; /* bytes of a class as it is shown: its name, or its number */
enum { MAX_DEFAULT_THREADS = 64, MAX_THREADS = 1024, TOP = 3, CONFUSIONS = 5 };

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
} Request;

typedef struct Command {
    const char *name, *operands, *summary;
    unsigned bit;
    int (*run)(Request *request);
} Command;

enum { MESSAGE_BYTES = 4096 }; /* the longest message; what is longer is cut */

static int speaker; /* the rank that says what is wrong */

static int complain(int status, const char *template, ...) PRINTF(2, 3);
static int complain(int status, const char *template, ...)
{
    va_list arguments;
    if (net_rank() != speaker)
        return status;
    va_start(arguments, template);
    char text[MESSAGE_BYTES]; /* that memory is out must be said without any */
    fflush(stdout);
    vsnprintf(text, sizeof text, template, arguments);
    fprintf(stderr, "%s: error: ", SHOWN(program_invocation_short_name));
    net_print_shown(stderr, text);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

/* What does not end the command, on stderr too, so that --quiet hides none of it. */
static void tell_notes(NetNotes *notes)
{
    fflush(stdout);
    for (int i = 0; i < notes->count && net_rank() == 0; i++) {
        fprintf(stderr, "%s: note: ", SHOWN(program_invocation_short_name));
        net_print_shown(stderr, notes->lines[i]);
        fputc('\n', stderr);
    }
    net_notes_close(notes);
}

static int fail(const NetError *error)
{
    return complain(FAILED, "%s", error->text);
}

static void tell(const NetError *error)
{
    fail(error);
}

/* -------------------------------------------------------------- options */

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

typedef enum Kind {
    FLAG,    /* sets the bool at `offset` */
    WORD,    /* sets the const char * at `offset` */
    ONE_OF,  /* likewise, to one of `words` */
    NUMBER,  /* sets the double at `offset`: a whole number from `min` to `max` */
    REAL,    /* the same of any number */
    SETTING, /* sets `setting` */
    PAIR,    /* path=value: sets any setting */
    /* sets the double at `offset` to a time's seconds, or the next one to a number of steps */
    INTERVAL,
    BYTES,      /* sets the double at `offset` to a size: 2GB */
    CORES,      /* sets bench.cores */
    AXIS,       /* path=value,value,…: adds an axis to `trials` */
    VALIDATION, /* sets the setting to a part, or `validation` to a folder */
    HELP,
    SHOW_VERSION
} Kind;

typedef struct Option {
    const char *name, *value, *help;
    unsigned commands;
    Kind kind;
    size_t offset; /* in Request */
    double min, max;
    const char *setting;
    const char *const *words; /* ends with NULL */
    char letter;              /* a short name; 0: none */
} Option;

#define AT(field) .offset = offsetof(Request, field)

static const Option options[] = {
    {"data", "DIR|synthetic", "the images; without it, the network's own setting",
     TRAIN | TEST | PREDICT | REPORT | LR_FIND | SWEEP, WORD, AT(data)},
    {"data", "DIR|synthetic", "the images to train on; without it, a few drawn ones", BENCH, WORD,
     AT(data)},
    {"output", "F.html", "the page that is written; -o F.html", REPORT, WORD, AT(output),
     .letter = 'o'},
    {"memory", "SIZE",
     "as 2GB: for decoded pictures, of which those that do not fit are decoded again for each "
     "batch; without it, half of what there is",
     TRAIN | TEST | PREDICT | LR_FIND | SWEEP, BYTES, AT(memory)},
    {"skip-broken", NULL, "leave out pictures that cannot be read",
     TRAIN | TEST | PREDICT | LR_FIND | SWEEP, FLAG, AT(skip_broken)},
    {"weights", "F", "the weights, a safetensors file",
     TEST | PREDICT | GRADCHECK | GENERATE | LOOK, WORD, AT(weights)},
    {"output", "DIR", "the folder of the pictures that are written; -o DIR", LOOK, WORD, AT(output),
     .letter = 'o'},
    {"weights", "F", "show what the network makes of images with these weights", REPORT, WORD,
     AT(weights)},
    {"worst", "N", "how many of its worst mistakes are shown", REPORT, NUMBER, AT(worst), 0, 1000},
    {"epochs", "N", "how often to go through the training images", TRAIN | SWEEP, SETTING,
     .setting = "epochs"},
    {"batch", "N", "images per step", TRAIN | TEST | BENCH | GRADCHECK | REPORT | LR_FIND | SWEEP,
     SETTING, .setting = "batch"},
    {"lr", "X", "the learning rate", TRAIN | SWEEP, SETTING, .setting = "optimizer.lr"},
    {"seed", "N", "of the first weights, the shuffles and dropout",
     TRAIN | TEST | PREDICT | BENCH | GRADCHECK | REPORT | LR_FIND | SWEEP, SETTING,
     .setting = "seed"},
    {"prompt", "TEXT", "what the text begins with", GENERATE, WORD, AT(prompt)},
    {"count", "N", "how many characters are added", GENERATE, NUMBER, AT(characters), 1, 1e9},
    {"temperature", "X", "less than 1 prefers what is likely, 0 takes the likeliest", GENERATE,
     REAL, AT(temperature), 0, 1000},
    {"top", "K", "tell the K likeliest classes", PREDICT, NUMBER, AT(top_k), 1, 1e6},
    {"csv", NULL, "print a table", PREDICT, FLAG, AT(csv)},
    {"json", NULL, "print JSON", PREDICT, FLAG, AT(bench.json)},
    {"output", "F.csv|F.json|DIR/",
     "write a table or JSON, or the pictures that the network makes; -o F.csv", PREDICT, WORD,
     AT(output), .letter = 'o'},
    {"top-k", "N", "draw from the N likeliest only", GENERATE, NUMBER, AT(top_k), 1, 1e9},
    {"seed", "N", "of what is drawn", GENERATE, SETTING, .setting = "seed"},
    {"no-cache", NULL, "compute all characters that the network sees again for each new one",
     GENERATE, FLAG, AT(no_cache)},
    {"threads", "N", "how many; no result depends on it",
     TRAIN | TEST | PREDICT | BENCH | GRADCHECK | GENERATE | REPORT | LR_FIND | SWEEP | LOOK,
     NUMBER, AT(threads), 1, MAX_THREADS},
    {"norms", "all|rank",
     "of several MPI ranks, batch norms over all images of a batch, or each rank's over its own; "
     "running averages are then rank 0's",
     TRAIN, ONE_OF, AT(norms), .words = (const char *const[]){"all", "rank", NULL}},
    {"max-steps", "N", "stop when this many steps are done", TRAIN | SWEEP, NUMBER, AT(max_steps),
     0, 1e15},
    {"no-shuffle", NULL, "take the training images in file order", TRAIN | SWEEP, FLAG,
     AT(no_shuffle)},
    {"init", "F", "start from these weights", TRAIN | LR_FIND | SWEEP, WORD, AT(init)},
    {"partial", NULL, "of --init's weights take those that fit by name and shape",
     TRAIN | LR_FIND | SWEEP, FLAG, AT(partial)},
    {"validation", "X|DIR",
     "judge the run by a part of the training images, as 0.1, or by others; not by the test images",
     TRAIN | REPORT | LR_FIND | SWEEP, .kind = VALIDATION},
    {"early-stop", "N", "end the run when N epochs have been no better than one before",
     TRAIN | SWEEP, SETTING, .setting = "stop.patience"},
    {"repeat", "N", "train N times with this seed and the next ones; files get their run's number",
     TRAIN | SWEEP, NUMBER, AT(repeat), 1, 1000},
    {"set", "PATH=A,B,...", "train with each of these values, and each of another --set's", SWEEP,
     .kind = AXIS},
    {"output", "F.csv", "write a table of all runs; -o F.csv", TRAIN | SWEEP, WORD, AT(output),
     .letter = 'o'},
    {"from", "X", "the first learning rate", LR_FIND, REAL, AT(finder.from), 1e-12, 1000},
    {"to", "X", "the last learning rate", LR_FIND, REAL, AT(finder.to), 1e-12, 1000},
    {"steps", "N", "how many steps the rate rises over", LR_FIND, NUMBER, AT(rate_steps), 20, 1e6},
    {"log", "F", "write each step's rate and smoothed loss, as train does", LR_FIND, WORD,
     AT(finder.log)},
    {"save", "F", "write the weights at the end", TRAIN | SWEEP, WORD, AT(run.save)},
    {"save-best", "F",
     "write the weights of the epoch with the best accuracy so far (without classes: loss) on the "
     "validation or test images",
     TRAIN | SWEEP, WORD, AT(run.best)},
    {"checkpoint", "F", "write all of the run after every epoch and at the end", TRAIN, WORD,
     AT(run.checkpoint)},
    {"checkpoint-every", "N|TIME", "and every N steps, as 500, or every 30s, 10m or 2h", TRAIN,
     INTERVAL, AT(run.every_seconds)},
    {"keep", "N", "keep the last N checkpoints, the earlier ones as F.STEP", TRAIN, NUMBER,
     AT(run.keep), 1, NET_MAX_KEPT},
    {"resume", "F", "go on from a checkpoint", TRAIN, WORD, AT(resume)},
    {"log", "F",
     "write every step and epoch: as lines of JSON, to F.csv as a table, to F.tfevents or a folder "
     "for TensorBoard",
     TRAIN | SWEEP, WORD, AT(run.log)},
    {"stats", "N", "every N steps log the norms of each parameter and of its gradient",
     TRAIN | SWEEP, NUMBER, AT(run.statistics), 1, 1e15},
    {"save-gradients", "F", "write the mean gradient of the last step", TRAIN, WORD,
     AT(run.gradients)},
    {"quiet", NULL, "show no progress", TRAIN | SWEEP, FLAG, AT(run.quiet)},
    {"steps", "N", "steps in a repeat; without it, as many as take a fifth of a second", BENCH,
     NUMBER, AT(steps), 1, 1e9},
    {"only", "WHAT",
     "measure only training, inference of one image or of many, a text that is gone on with, or "
     "the layers: training, one, many, generate, layers",
     BENCH, ONE_OF, AT(bench.only),
     .words = (const char *const[]){"training", "one", "many", "generate", "layers", NULL}},
    {"many", "N",
     "images in a large call of inference; without it, as many as fit, at most a thousand", BENCH,
     NUMBER, AT(many), 2, 1e6},
    {"cores", "N,N,...",
     "by a model, how a step would scale to so many cores; --threads are measured beside it", BENCH,
     .kind = CORES},
    {"json", NULL, "print the figures as JSON", BENCH, FLAG, AT(bench.json)},
    {"count", "N", "how many test images to show", PREDICT, NUMBER, AT(count), 1, 1e6},
    {"samples", "N", "elements to check of each parameter", GRADCHECK, NUMBER, AT(samples), 1, 1e9},
    {"random-init", NULL, "add noise to every first parameter", GRADCHECK, FLAG,
     AT(gradcheck.random_init)},
    {"set", "PATH=VALUE", "change a number of the train section, as optimizer.momentum=0.9",
     TRAIN | TEST | PREDICT | BENCH | GRADCHECK | REPORT | LR_FIND, .kind = PAIR},
    {"help", NULL, "say this", ANY, .kind = HELP},
    {"version", NULL, "say the version", ANY, .kind = SHOW_VERSION},
};
enum { OPTIONS = sizeof options / sizeof *options };

enum { LEFT = 64 }; /* bytes of an option and what it takes */

static int write_left(char left[LEFT], const Option *option)
{
    return snprintf(left, LEFT, "--%s%s%s", option->name, option->value ? " " : "",
                    option->value ? option->value : "");
}

static void print_options(unsigned bit)
{
    char left[LEFT];
    int width = 0;
    for (int i = 0; i < OPTIONS; i++)
        if (options[i].commands & bit && write_left(left, &options[i]) > width)
            width = (int)strlen(left);
    printf("\noptions:\n");
    for (int i = 0; i < OPTIONS; i++)
        if (options[i].commands & bit) {
            write_left(left, &options[i]);
            printf("  %-*s  %s\n", width, left, options[i].help);
        }
}

static void print_help(const Request *request, const Command *command)
{
    printf("usage: %s %s [options]%s%s\n%s\n", SHOWN(program_invocation_short_name), command->name,
           *command->operands ? " " : "", command->operands, command->summary);
    print_options(command->bit);
    bool first = true;
    for (int i = 0; i < request->settings.count && command->bit == TRAIN; i++)
        if (net_setting_changeable(&request->settings.values[i])) {
            printf("%s%s", first ? "\nsettings: " : ", ", request->settings.values[i].path);
            first = false;
        }
    if (!first)
        printf("\n");
}

/* ---------------------------------------------------- near names */

enum { LONGEST = 31 };

static int min_of(int a, int b, int c)
{
    int min = a < b ? a : b;
    return min < c ? min : c;
}

/* Levenshtein's: letters to insert, remove or replace. */
static int distance(const char *a, const char *b)
{
    int row[LONGEST + 1], length = (int)strlen(b);
    if (strlen(a) > LONGEST || length > LONGEST)
        return LONGEST;
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < length; j++) {
            int above = row[j + 1];
            row[j + 1] = min_of(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[length];
}

/* The nearer of the two, when it is within a third of the word's length. */
static const char *nearer(const char *word, const char *best, const char *candidate)
{
    int limit = (int)(strlen(word) + 2) / 3, found = distance(word, candidate);
    return found <= limit && (!best || found < distance(word, best)) ? candidate : best;
}

static int unknown_option(const Command *command, const char *word)
{
    const char *best = NULL, *end = strchrnul(word, '=');
    char name[LONGEST + 1];
    snprintf(name, sizeof name, "%.*s", (int)(end - word), word);
    for (int i = 0; i < OPTIONS && strncmp(name, "--", 2) == 0; i++)
        if (options[i].commands & command->bit)
            best = nearer(name + 2, best, options[i].name);
    if (best)
        return complain(MISUSE, "%s has no option %s; is --%s meant?", command->name, name, best);
    return complain(MISUSE, "%s has no option %s; %s %s --help lists what it has", command->name,
                    name, program_invocation_short_name, command->name);
}

/* ------------------------------------------------------------- reading */

/* "lr=0.1" as the path and what follows the sign; `lr` is the optimizer's. */
static bool split_pair(const char *pair, char path[NET_SHAPE_TEXT], const char **value,
                       NetError *error)
{
    const char *equals = strchr(pair, '=');
    if (!equals)
        return net_fail(error, "--set %.100s: PATH=VALUE is expected, as optimizer.momentum=0.9",
                        pair);
    bool lr = equals - pair == 2 && strncmp(pair, "lr", 2) == 0;
    snprintf(path, NET_SHAPE_TEXT, "%s%.*s", lr ? "optimizer." : "", (int)(equals - pair), pair);
    *value = equals + 1;
    return true;
}

static bool set_pair(Request *request, const char *pair, NetError *error)
{
    char path[NET_SHAPE_TEXT], option[NET_SHAPE_TEXT];
    const char *value;
    if (!split_pair(pair, path, &value, error))
        return false;
    snprintf(option, sizeof option, "--set %.150s", path);
    return net_setting_set(&request->settings, path, value, option, error);
}

/* Sets a setting to the value of that number in "0.1,0.01"; false without a message in *error
 * where there are not so many. */
static bool set_nth(Request *request, const char *path, const char *values, int number,
                    char text[NET_SHAPE_TEXT], NetError *error)
{
    char option[NET_SHAPE_TEXT];
    for (; number > 0 && values; number--) {
        values = strchr(values, ',');
        values = values ? values + 1 : NULL;
    }
    error->text[0] = 0;
    if (!values)
        return false;
    snprintf(text, NET_SHAPE_TEXT, "%.*s", (int)strcspn(values, ","), values);
    snprintf(option, sizeof option, "--set %.150s", path);
    return net_setting_set(&request->settings, path, text, option, error);
}

/* Each value is tried now, so that a fault is told before the first run. */
static bool add_axis(Request *request, const char *pair, NetError *error)
{
    NetTrials *trials = &request->trials;
    char path[NET_SHAPE_TEXT], text[NET_SHAPE_TEXT];
    const char *values;
    if (!split_pair(pair, path, &values, error))
        return false;
    const NetValue *setting = net_setting_find(&request->settings, path);
    for (int i = 0; i < trials->axes; i++)
        if (setting && strcmp(trials->paths[i], path) == 0)
            return net_fail(error, "--set %s is given twice: name all its values at once", path);
    if (trials->axes == NET_MAX_AXES)
        return net_fail(error, "a sweep takes at most %d settings", NET_MAX_AXES);
    if (strcmp(path, "seed") == 0 || strcmp(path, "validation") == 0)
        return net_fail(error, "a sweep's runs have the same %s%s", path,
                        *path == 's' ? ": --repeat N takes other seeds" : "");
    for (int i = 0; set_nth(request, path, values, i, text, error); i++)
        continue;
    if (error->text[0])
        return false;
    trials->paths[trials->axes] = setting->path;
    request->grids[trials->axes++] = values;
    return true;
}

static bool set_one_of(const char **field, const Option *option, const char *value, NetError *error)
{
    char all[NET_SHAPE_TEXT] = "";
    for (const char *const *word = option->words; *word; word++) {
        size_t length = strlen(all);
        if (strcmp(*word, value) == 0)
            return *field = value, true;
        snprintf(all + length, sizeof all - length, "%s%s",
                 word == option->words ? ""
                 : word[1]             ? ", "
                                       : " or ",
                 *word);
    }
    return net_fail(error, "--%s takes %s, not '%.100s'", option->name, all, value);
}

/* "10m" to seconds[0], "500" to seconds[1]. */
static bool set_interval(double *seconds, const char *value, const char *name, NetError *error)
{
    static const char letters[] = "smh";
    static const double units[] = {1, 60, 3600};
    size_t length = strlen(value);
    const char *letter = length > 0 ? strchr(letters, value[length - 1]) : NULL;
    char *number = strndup(value, letter ? length - 1 : length);
    double max = letter ? 1e9 / units[letter - letters] : 1e15, min = letter ? 1e-3 : 1;
    NetError ignored;
    bool good =
        number
        && net_parse_number(&seconds[letter ? 0 : 1], number, !letter, min, max, name, &ignored);
    free(number);
    if (!good)
        return net_fail(
            error,
            "%s %.100s: a number of steps, as 500, or a time, as 30s, 10m or 2h, is expected", name,
            *value ? value : "''");
    if (letter)
        seconds[0] *= units[letter - letters];
    seconds[letter ? 1 : 0] = 0;
    return true;
}

/* "2GB", "512MB": powers of ten. */
static bool set_bytes(double *bytes, const char *value, const char *name, NetError *error)
{
    static const struct Unit {
        const char *name;
        double bytes;
    } units[] = {{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"K", 1e3},
                 {"M", 1e6},  {"G", 1e9},  {"T", 1e12}, {"B", 1},     {"", 1}};
    const char *unit = value + strspn(value, "0123456789.");
    char *number = strndup(value, (size_t)(unit - value));
    NetError ignored;
    double factor = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units && factor == 0; i++)
        if (strcasecmp(unit, units[i].name) == 0)
            factor = units[i].bytes;
    bool good =
        number && factor > 0
        && net_parse_number(bytes, number, false, 1 / factor, 1e15 / factor, name, &ignored);
    free(number);
    *bytes *= factor;
    return good
           || net_fail(error, "%s %.100s: a size, as 2GB or 512MB, is expected", name,
                       *value ? value : "''");
}

/* "1,2,4". */
static bool set_cores(NetBench *bench, const char *value, const char *name, NetError *error)
{
    for (const char *at = value;; at++) {
        size_t length = strcspn(at, ",");
        char *number = strndup(at, length);
        double cores;
        NetError ignored;
        bool good = number && bench->core_counts < NET_MAX_CORE_COUNTS
                    && net_parse_number(&cores, number, true, 1, NET_MAX_CORES, name, &ignored);
        free(number);
        if (!good)
            return net_fail(error,
                            "%s %.100s: numbers of cores, as 1,2,4,64, are expected: up to %d, "
                            "each from 1 to %d",
                            name, *value ? value : "''", NET_MAX_CORE_COUNTS, NET_MAX_CORES);
        bench->cores[bench->core_counts++] = (int)cores;
        at += length;
        if (!*at)
            return true;
    }
}

/* A folder that is called as a number is written ./0.1. */
static bool set_validation(Request *request, const char *value, NetError *error)
{
    bool number = *value && value[strspn(value, "0123456789.eE+-")] == 0;
    request->validation = number ? NULL : value;
    return net_setting_set(&request->settings, "validation", number ? value : "0", "--validation",
                           error);
}

static bool apply(Request *request, const Option *option, const char *value, NetError *error)
{
    char name[LONGEST + 1];
    void *field = (char *)request + option->offset;
    snprintf(name, sizeof name, "--%s", option->name);
    switch (option->kind) {
    case FLAG:
        *(bool *)field = true;
        return true;
    case WORD:
        *(const char **)field = value;
        return true;
    case ONE_OF:
        return set_one_of(field, option, value, error);
    case NUMBER:
        return net_parse_number(field, value, true, option->min, option->max, name, error);
    case REAL:
        return net_parse_number(field, value, false, option->min, option->max, name, error);
    case SETTING:
        return net_setting_set(&request->settings, option->setting, value, name, error);
    case PAIR:
        return set_pair(request, value, error);
    case INTERVAL:
        return set_interval(field, value, name, error);
    case AXIS:
        return add_axis(request, value, error);
    case VALIDATION:
        return set_validation(request, value, error);
    case BYTES:
        return set_bytes(field, value, name, error);
    case CORES:
        return set_cores(&request->bench, value, name, error);
    case HELP:
    case SHOW_VERSION:
        return true;
    }
    __builtin_unreachable();
}

enum { OPTION = 256 }; /* what getopt gives for the first option: beyond any letter */

/* getopt's own tables of the command's options; val is OPTION and our index. */
static void list_options(struct option *list, char *letters, const Command *command)
{
    *letters++ = ':';
    for (int i = 0; i < OPTIONS; i++) {
        if (!(options[i].commands & command->bit))
            continue;
        *list++ = (struct option){
            options[i].name, options[i].value ? required_argument : no_argument, NULL, OPTION + i};
        if (options[i].letter) {
            *letters++ = options[i].letter;
            *letters++ = ':';
        }
    }
    *list = (struct option){0};
    *letters = 0;
}

/* Our index of what getopt found. */
static int index_of(int found, const Command *command)
{
    for (int i = 0; i < OPTIONS && found < OPTION; i++)
        if (options[i].commands & command->bit && options[i].letter == found)
            return i;
    return found - OPTION;
}

static void print_version(const NetModel *model)
{
    printf("%s %s, compiled from %s for %s\n", model->name, VERSION, SHOWN(model->source),
           model->target);
}

/* -1: go on; else the exit status. */
static int read_options(Request *request, const Command *command, int argc, char **argv)
{
    struct option list[OPTIONS + 1];
    char letters[2 * OPTIONS + 2];
    list_options(list, letters, command);
    optind = 0; /* getopt begins anew, whatever it read last */
    for (int found; (found = getopt_long(argc, argv, letters, list, NULL)) != -1;) {
        NetError error;
        if (found == ':')
            return complain(MISUSE, "%s needs a value: %s", argv[optind - 1],
                            options[index_of(optopt, command)].value);
        if (found == '?' && optopt >= OPTION)
            return complain(MISUSE, "--%s takes no value", options[optopt - OPTION].name);
        if (found == '?')
            return unknown_option(command,
                                  optopt ? (char[]){'-', (char)optopt, '\0'} : argv[optind - 1]);
        const Option *option = &options[index_of(found, command)];
        if (option->kind == HELP) {
            print_help(request, command);
            return DONE;
        }
        if (option->kind == SHOW_VERSION) {
            print_version(request->model);
            return DONE;
        }
        errno = 0;
        if (!apply(request, option, optarg, &error))
            return complain(errno == ENOMEM ? FAILED : MISUSE, "%s", error.text);
    }
    request->operands = argv + optind;
    request->operand_count = argc - optind;
    if (request->operand_count > 0 && !*command->operands)
        return complain(MISUSE, "%s takes options only, and %s is none", command->name,
                        request->operands[0]);
    return -1;
}

/* ------------------------------------------------------ what commands share */

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* As many as there are processors.  Ranks that run on the same ones share them; a quota is of all
 * ranks of a machine. */
static int default_threads(void)
{
    int threads =
        least(net_processors() / net_ranks_beside(), net_processor_quota() / net_ranks_here());
    return threads < 1 ? 1 : least(threads, MAX_DEFAULT_THREADS);
}

static const char *data_source(const Request *request)
{
    return request->data ? request->data
                         : net_setting_word(&request->settings, "data", "synthetic");
}

static uint64_t seed_of(const Request *request)
{
    return (uint64_t)net_setting(&request->settings, "seed", 1);
}

/* The images of a plain IDX file are the file's own pages.  Cut off while the
 * program runs, it has them no more, and the signal that then comes, perhaps to
 * several threads, is told once, as any other fault of a file.  Of another cause
 * it comes again and kills. */
static NetError cut_off;

static void report_cut_off(int signal_number, siginfo_t *information, void *context)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    (void)context;
    if (information->si_code != BUS_ADRERR) {
        signal(signal_number, SIG_DFL);
        return;
    }
    while (atomic_flag_test_and_set(&told))
        pause();
    ssize_t ignored = write(STDERR_FILENO, cut_off.text, strlen(cut_off.text));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    _exit(FAILED);
}

static void watch_data(const char *what)
{
    struct sigaction action = {.sa_sigaction = report_cut_off, .sa_flags = SA_SIGINFO};
    net_fail(&cut_off, "%s: error: a file of %s was cut off while it was in use",
             program_invocation_short_name, what);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

static int64_t accumulated(const Request *request)
{
    return request->trains ? (int64_t)net_setting(&request->settings, "accumulate", 1) : 1;
}

/* Images that are computed at once.  Where nothing is normalised over them, what `accumulate` adds
 * up is the larger batch. */
static int64_t batch_of(const Request *request)
{
    int64_t batch = (int64_t)net_setting(&request->settings, "batch", 64);
    return net_has_batch_norms(request->model) ? batch : batch * accumulated(request);
}

static double validation_part(const Request *request)
{
    return net_setting(&request->settings, "validation", 0);
}

/* On a terminal, of what takes longer than a moment. */
static void show_progress(const char *what, int64_t done, int64_t all)
{
    static double start, last; /* last 0: nothing is shown */
    static int64_t before;
    double now = net_seconds();
    if (start == 0 || done < before) { /* something new */
        start = now;
        last = 0;
    }
    before = done;
    if (done == all && last > 0)
        fprintf(stderr, "\r\x1b[K");
    if (!isatty(STDERR_FILENO) || done == all || now - start < 1 || now - last < 0.2)
        return;
    last = now;
    fprintf(stderr, "\r%s: %" PRId64 " of %" PRId64 ", %.0f a second\x1b[K", what, done, all,
            (double)done / (now - start));
}

/* `weights`: of a session that is tested; NULL: it is trained.  Ranks hold images in shares, as
 * they train on them; a part of those is tested in another order, so with one each rank has all. */
static NetOpening opening_of(const Request *request, const NetSession *weights, NetNotes *notes)
{
    return (NetOpening){
        .source = data_source(request),
        .model = request->model,
        .settings = &request->settings,
        .seed = seed_of(request),
        .share = validation_part(request) == 0,
        .batch = batch_of(request),
        .threads = (int)request->threads,
        .memory = (int64_t)request->memory,
        .skip_broken = request->skip_broken,
        .test_only = weights != NULL,
        .class_lines = weights ? weights->class_lines : NULL,
        .class_owner = "weights",
        .recipe = weights ? weights->recipe : NULL,
        .notes = notes,
        .progress = request->run.quiet ? NULL : show_progress,
    };
}

static bool open_data(const Request *request, NetData *data, const NetSession *weights,
                      NetNotes *notes, NetError *error)
{
    const NetOpening opening = opening_of(request, weights, notes);
    watch_data(opening.source); /* arrays are copied from a file's pages */
    if (!net_data_open(data, &opening, error))
        return false;
    watch_data(data->what);
    return true;
}

/* By what a training run is judged: see data/validation.c. */
static bool open_validation(const Request *request, NetData *data, uint64_t seed, NetNotes *notes,
                            NetError *error)
{
    const NetModel *model = request->model;
    double part = validation_part(request);
    const char *source = request->validation;
    if (!source && part == 0)
        source = net_setting_word(&request->settings, "validation.data", NULL);
    if (part > 0)
        return net_split_training(data, part, model->targets == 1 && net_has_classes(model), seed,
                                  error);
    if (!source)
        return true;
    NetOpening opening = opening_of(request, NULL, notes);
    opening.source = source;
    opening.seed++;
    opening.share = false;
    opening.test_only = true;
    opening.class_lines = data->class_names;
    opening.class_owner = "training images";
    opening.recipe = data->recipe;
    return model->numbers && model->targets > 1 ? net_validation_text(data, &opening, error)
                                                : net_validation_open(data, &opening, error);
}

static NetSession *open_session(const Request *request, bool training, NetError *error)
{
    NetSession *session = net_session_open(request->model, (int)request->threads, batch_of(request),
                                           seed_of(request), training, error);
    if (session && !net_session_normalise(session, &request->settings, error)) {
        net_close(session);
        return NULL;
    }
    return session;
}

static NetSession *open_trained(const Request *request, NetError *error)
{
    NetSession *session = open_session(request, false, error);
    NetNotes notes = {0};
    if (session && !net_load(session, request->weights, error)) {
        net_close(session);
        return NULL;
    }
    if (session)
        net_normal_settle(session, &request->settings, request->weights, &notes);
    tell_notes(&notes);
    return session;
}

/* ---------------------------------------------------------------- train */

static NetSession *open_training_session(const Request *request, NetError *error)
{
    NetSession *session = open_session(request, true, error);
    int passes = net_has_batch_norms(request->model) ? (int)accumulated(request) : 1;
    if (session && !net_session_accumulate(session, passes, error)) {
        net_close(session);
        return NULL;
    }
    if (session)
        session->own_norms = request->norms && strcmp(request->norms, "rank") == 0;
    return session;
}

static void announce(const Request *request, const NetData *data, const NetProgress *progress)
{
    int64_t parameters = 0;
    for (int i = 0; i < request->model->parameter_count; i++)
        if (request->model->parameters[i].kind == NET_TRAINED)
            parameters += request->model->parameters[i].elements;
    const NetJudged judged = net_judged(data);
    printf("%s: %" PRId64 " parameters, %s, %" PRId64 " training and %" PRId64
           " %s images, %d thread%s\n",
           request->model->name, parameters, SHOWN(data->what), net_trained_images(data),
           judged.to - judged.from, judged.name, (int)request->threads,
           request->threads == 1 ? "" : "s");
    if (request->resume)
        printf("resumed from %s after %" PRId64 " steps\n", SHOWN(request->resume), progress->step);
    fflush(stdout);
}

/* Weights to start from may have been another task's: the classes and the
 * normalisation are this run's. */
static bool load_first(NetSession *session, const Request *request, const NetTensorFile *weights,
                       NetError *error)
{
    if (request->partial)
        return net_weights_read_partial(session, weights, request->run.quiet ? NULL : stdout,
                                        error);
    if (!net_weights_read(session, NULL, weights, NULL, error))
        return false;
    net_forget_classes(session);
    return net_recipe_set(session, NULL, error)
           && net_session_normalise(session, &request->settings, error);
}

/* The run as it was left; the normalisation is the settings', which took the checkpoint's. */
static bool load_run(NetSession *session, NetOptimizer *optimizer, const Request *request,
                     const NetTensorFile *checkpoint, NetNotes *notes, NetError *error)
{
    return net_weights_read(session, optimizer, checkpoint, notes, error)
           && net_checkpoint_optimizer(checkpoint, optimizer, error)
           && net_checkpoint_network(checkpoint, request->model, notes, error)
           && net_session_normalise(session, &request->settings, error);
}

/* The data and by which of them a run is judged; once for several runs. */
static bool open_judged(const Request *request, NetData *data, uint64_t seed, NetNotes *notes,
                        NetError *error)
{
    return data->train.count > 0
           || (open_data(request, data, NULL, notes, error)
               && open_validation(request, data, seed, notes, error));
}

/* With the checkpoint's settings taken: everything else is opened with them.  `ready`: they are.
 * `from`: the checkpoint or the first weights. */
static bool train_with(Request *request, bool ready, const NetTensorFile *from,
                       NetProgress *progress, NetNotes *notes, NetEnd *end, NetError *error)
{
    const NetTensorFile *checkpoint = request->resume ? from : NULL;
    NetData own = {0}, *data = request->shared ? request->shared : &own;
    NetIdentity identity;
    NetOptimizer optimizer = {0};
    NetSession *session = NULL;
    bool good = ready && open_judged(request, data, progress->split_seed, notes, error)
                && (session = open_training_session(request, error))
                && net_optimizer_open(&optimizer, request->model, &request->settings, error)
                && (!request->init || load_first(session, request, from, error))
                && (!checkpoint || load_run(session, &optimizer, request, checkpoint, notes, error))
                && net_take_classes(session, data, error) && net_take_recipe(session, data, error);
    if (good) {
        net_data_identify(&identity, data);
        progress->data = &identity;
        good = (!checkpoint || net_checkpoint_data(checkpoint, &identity, notes, error))
               && net_check_batches(session, net_trained_images(data), progress,
                                    (int64_t)net_setting(&request->settings, "epochs", 1),
                                    request->run.max_steps, error);
    }
    good =
        net_ranks_start(&(NetStart){session, &request->settings, progress, request->run.max_steps},
                        good, &speaker, error);
    if (good && !request->run.quiet && !request->run.label)
        announce(request, data, progress);
    if (good) {
        tell_notes(notes);
        *end = net_train(session, &optimizer, &request->settings, data, progress, &request->run,
                         error);
    }
    net_optimizer_close(&optimizer);
    net_close(session);
    net_data_close(&own);
    return good && *end != NET_FAILED;
}

/* The images that are left of an epoch are those that its order has last. */
static bool take_order(const Request *request, NetProgress *progress, NetNotes *notes,
                       NetError *error)
{
    if (!request->no_shuffle || !progress->shuffle)
        return true;
    if (progress->position > 0)
        return net_fail(error,
                        "%s is of the middle of an epoch whose images are shuffled, and "
                        "--no-shuffle was asked for: "
                        "it can change at an epoch's end",
                        request->resume);
    net_note(notes, "images are shuffled in %s, and now in file order, as the command line says",
             request->resume);
    progress->shuffle = false;
    return true;
}

static bool resume(Request *request, const NetTensorFile *checkpoint, NetProgress *progress,
                   NetNotes *notes, NetError *error)
{
    request->run.resumed = request->resume;
    return net_checkpoint_progress(checkpoint, &request->settings, progress, notes, error)
           && take_order(request, progress, notes, error);
}

/* The file of --resume or --init, if there is one: rank 0's. */
static bool open_from(const Request *request, NetTensorFile *from, NetError *error)
{
    const char *path = request->resume ? request->resume : request->init;
    int unlike = net_ranks_unlike(request->resume ? 2 : request->init ? 1 : 0);
    if (unlike >= 0)
        return net_fail(error,
                        "rank %d has another --init or --resume than rank 0: start all with the "
                        "same words",
                        unlike);
    return !path
           || (net_tensors_open_handed(from, path, &speaker, error)
               && net_ranks_ready(net_tensors_unwrap(from, request->model, error), &speaker));
}

/* What one option says and another makes senseless; NULL: nothing. */
static const char *find_contradiction(const Request *request)
{
    const NetRun *run = &request->run;
    if (request->init && request->resume)
        return "--init and --resume both say where to start: give one";
    if (request->partial && !request->init)
        return "--partial needs --init F: what to take weights from";
    if ((run->every_seconds > 0 || run->every_steps > 0) && !run->checkpoint)
        return "--checkpoint-every needs --checkpoint F: what to write";
    if (run->statistics > 0 && !run->log)
        return "--stats needs --log F: where to write";
    if (run->keep > 0 && !run->checkpoint)
        return "--keep needs --checkpoint F: what to keep";
    return NULL;
}

/* The files of a run, each with its option. */
typedef struct Named {
    const char *option, *path;
    enum { READ, WEIGHTS, LOG } kind; /* of what is written there; READ: nothing is */
} Named;

enum { NAMED = 7 };

/* Written over one another they would destroy what the user has; only a
 * checkpoint goes on in the file that it is resumed from. */
static bool check_pair(const Named *a, const Named *b, NetError *error)
{
    bool goes_on = strcmp(a->option, "checkpoint") == 0 && strcmp(b->option, "resume") == 0;
    return goes_on || !a->path || !b->path || !net_same_file(a->path, b->path)
           || net_fail(error, "--%s and --%s name one file, %.300s: give each its own", a->option,
                       b->option, a->path);
}

/* Whether the file that is there may be replaced: one of ours by another of its kind. A name
 * that was mistyped, or completed by the shell, is often that of something else. */
static bool is_ours(const Named *file)
{
    enum { HEADER = 8 }; /* a header is after its length */
    char bytes[HEADER + 1];
    struct stat status;
    if (stat(file->path, &status) == 0 && net_stream_of(&status) >= 0)
        return true; /* /dev/stdout: what it is printed to goes on */
    if (file->kind == LOG)
        return net_log_is_ours(file->path);
    size_t length = net_first_bytes(file->path, bytes, HEADER + 1);
    return length == 0 || (length == HEADER + 1 && bytes[HEADER] == '{');
}

static bool check_name(const Request *request, const Named *file, NetError *error)
{
    const NetRun *run = &request->run;
    if (!file->path || file->kind == READ)
        return true;
    if (net_same_file(file->path, "/proc/self/exe"))
        return net_fail(error, "--%s %.300s is this program itself: give another file",
                        file->option, file->path);
    bool continued = request->resume && file->kind == LOG; /* read as a log */
    if (!continued && !is_ours(file))
        return net_fail(error, "--%s %.300s would replace a file that is no %s: give another name",
                        file->option, file->path, file->kind == LOG ? "run's log" : "weights file");
    if (run->keep > 1 && net_is_kept_name(file->path, run->checkpoint))
        return net_fail(
            error,
            "--%s %.300s is the name of an earlier checkpoint that --keep makes: give another file",
            file->option, file->path);
    return true;
}

static bool check_files(const Request *request, NetError *error)
{
    const NetRun *run = &request->run;
    const Named files[NAMED] = {
        {"save", run->save, WEIGHTS},
        {"save-best", run->best, WEIGHTS},
        {"checkpoint", run->checkpoint, WEIGHTS},
        {"log", run->log, LOG},
        {"save-gradients", run->gradients, WEIGHTS},
        {"init", request->init, READ},
        {"resume", request->resume, READ},
    };
    for (int i = 0; i < NAMED; i++)
        for (int j = i + 1; j < NAMED; j++)
            if (!check_pair(&files[i], &files[j], error))
                return false;
    for (int i = 0; i < NAMED; i++)
        if (!check_name(request, &files[i], error))
            return false;
    return true;
}

/* Rank 0 writes the run's files and shows how it goes. */
static void write_nothing(NetRun *run)
{
    run->save = run->best = run->checkpoint = run->log = run->gradients = NULL;
    run->every_seconds = run->every_steps = run->keep = run->statistics = 0;
    run->quiet = true;
}

/* For who asks whether messages or the network hold a run up. */
static void tell_sums(void)
{
    double all, waited;
    NetNotes notes = {0};
    net_ranks_took(&all, &waited);
    if (getenv("NET_RANKS_TRACE") && all > 0)
        net_note(&notes,
                 "gradients were under way between the ranks for %.3f s, for %.3f s of which "
                 "nothing was computed",
                 all, waited);
    tell_notes(&notes);
}

/* Of a folder the file in it; *log is for the caller to free(). */
static bool find_log(Request *request, char **log, NetError *error)
{
    if (!request->run.log)
        return true;
    *log = net_log_path(request->run.log, request->model->name, error);
    request->run.log = *log;
    return *log != NULL;
}

static int train_once(Request *request)
{
    NetError error;
    NetEnd end = NET_FAILED;
    NetTensorFile from = {0};
    NetNotes notes = {0};
    NetProgress progress = {.shuffle = !request->no_shuffle, .split_seed = seed_of(request)};
    request->trains = true;
    const char *contradiction = find_contradiction(request);
    if (contradiction)
        return complain(MISUSE, "%s", contradiction);
    if (net_rank() > 0)
        write_nothing(&request->run);
    char *log = NULL;
    bool named = find_log(request, &log, &error) && check_files(request, &error);
    if (!net_ranks_ready(named, &speaker)) {
        free(log);
        return complain(MISUSE, "%s", error.text);
    }
    net_signals_catch();
    request->run.speaker = &speaker;
    request->run.max_steps = (int64_t)request->max_steps;
    request->run.tell = tell;
    bool good = open_from(request, &from, &error);
    if (good) {
        bool ready = !request->resume || resume(request, &from, &progress, &notes, &error);
        good = train_with(request, ready, &from, &progress, &notes, &end, &error);
    }
    tell_notes(&notes);
    net_tensors_close(&from);
    free(log);
    tell_sums();
    if (!good)
        return fail(&error);
    return end == NET_INTERRUPTED ? INTERRUPTED + net_signal_asked() : DONE;
}

/* --------------------------------------------------------- several runs */

/* "w.safetensors" as "w-3.safetensors", and a folder as "runs-3/"; NULL: no memory, or no path. */
static char *numbered(const char *path, int number)
{
    char *made;
    struct stat status;
    if (!path)
        return NULL;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path,
               *dot = strrchr(name, '.');
    bool folder = !*name || (stat(path, &status) == 0 && S_ISDIR(status.st_mode));
    size_t stem = dot && dot > name && !folder ? (size_t)(dot - path) : strlen(path);
    while (folder && stem > 1 && path[stem - 1] == '/')
        stem--;
    return asprintf(&made, "%.*s-%d%s", (int)stem, path, number, folder ? "/" : path + stem) < 0
               ? NULL
               : made;
}

enum { RUN_FILES = 5 };

/* Where a run's files' names are. */
static void list_files(NetRun *run, const char **files[RUN_FILES])
{
    const char **all[RUN_FILES] = {&run->save, &run->best, &run->checkpoint, &run->gradients,
                                   &run->log};
    memcpy(files, all, sizeof all);
}

/* A line of a run that is over. */
static void tell_run(const Request *request, const char *label, const char *settings,
                     const NetOutcome *outcome)
{
    char trained[NET_FIGURES_TEXT], judged[NET_FIGURES_TEXT], before[32];
    if (request->run.quiet)
        return;
    snprintf(before, sizeof before, "  %s ", outcome->any ? outcome->last.split : "");
    printf("%s%s", label, settings);
    if (outcome->any)
        printf("%s%s  %.1f s\n", net_figures_text(trained, "  train ", &outcome->last.trained),
               net_figures_text(judged, before, &outcome->last.judged), outcome->seconds);
    else
        printf("  failed\n");
    fflush(stdout);
}

/* One run of several, whose settings are set; false: it was to end, or there is no memory. */
static bool run_one(Request *request, int number, int all, const char *settings,
                    NetOutcome *outcome)
{
    Request one = *request;
    const char **names[RUN_FILES];
    char *made[RUN_FILES], label[64];
    double start = net_seconds();
    bool named = true;
    list_files(&one.run, names);
    for (int i = 0; i < RUN_FILES; i++) {
        made[i] = numbered(*names[i], number);
        named &= made[i] || !*names[i];
        *names[i] = made[i];
    }
    snprintf(label, sizeof label, "run %d/%d", number, all);
    one.run.label = label;
    one.run.outcome = outcome;
    int status = named ? train_once(&one) : complain(FAILED, "out of memory");
    outcome->seed = seed_of(request);
    outcome->seconds = net_seconds() - start;
    outcome->any &= status == DONE || status > INTERRUPTED;
    tell_run(request, label, settings, outcome);
    for (int i = 0; i < RUN_FILES; i++)
        free(made[i]);
    return named && status <= INTERRUPTED;
}

/* The trial of that number: the last axis changes fastest.  Writes "  lr 0.1" for each axis. */
static bool set_trial(Request *request, int number, NetTrial *trial, char *settings, size_t size,
                      NetError *error)
{
    const NetTrials *trials = &request->trials;
    size_t used = 0;
    int left = number;
    settings[0] = 0;
    for (int axis = trials->axes - 1; axis >= 0; axis--) {
        char text[NET_SHAPE_TEXT];
        int count = 1;
        for (const char *at = request->grids[axis]; (at = strchr(at, ',')); at++)
            count++;
        if (!set_nth(request, trials->paths[axis], request->grids[axis], left % count, text, error))
            return false;
        left /= count;
        trial->values[axis] = strdup(text);
        if (!trial->values[axis])
            return net_fail(error, "out of memory");
    }
    for (int axis = 0; axis < trials->axes && used < size; axis++)
        used += (size_t)snprintf(settings + used, size - used, "  %s %s", trials->paths[axis],
                                 trial->values[axis]);
    return true;
}

static int64_t count_trials(const Request *request)
{
    int64_t all = 1;
    for (int axis = 0; axis < request->trials.axes; axis++) {
        int64_t count = 1;
        for (const char *at = request->grids[axis]; (at = strchr(at, ',')); at++)
            count++;
        all *= count;
    }
    return all;
}

static bool set_seed(Request *request, uint64_t seed, NetError *error)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, seed);
    return net_setting_set(&request->settings, "seed", text, "--seed", error);
}

/* All of them, or as many as there are before a signal. */
static bool run_all(Request *request, NetError *error)
{
    NetTrials *trials = &request->trials;
    int all = (int)count_trials(request), repeats = (int)request->repeat, number = 0;
    uint64_t first_seed = seed_of(request);
    bool go_on = true;
    trials->items = net_allocate((size_t)all, sizeof *trials->items, error);
    if (!trials->items)
        return false;
    for (int i = 0; i < all && go_on; i++) {
        char settings[NET_MAX_AXES * 80];
        NetTrial *trial = &trials->items[trials->count];
        trial->outcomes = net_allocate((size_t)repeats, sizeof *trial->outcomes, error);
        trials->count++;
        if (!trial->outcomes || !set_trial(request, i, trial, settings, sizeof settings, error))
            return false;
        for (int k = 0; k < repeats && go_on; k++) {
            if (!set_seed(request, first_seed + (uint64_t)k, error))
                return false;
            go_on = run_one(request, ++number, all * repeats, settings, &trial->outcomes[k]);
            trial->count++;
        }
    }
    return true;
}

static void close_trials(NetTrials *trials)
{
    for (int i = 0; i < trials->count; i++) {
        for (int axis = 0; axis < trials->axes; axis++)
            free((char *)trials->items[i].values[axis]);
        free(trials->items[i].outcomes);
    }
    free(trials->items);
    *trials = (NetTrials){0};
}

/* The runs that failed of all. */
static int count_failed(const NetTrials *trials, int *all)
{
    int failed = 0;
    *all = 0;
    for (int i = 0; i < trials->count; i++)
        for (int k = 0; k < trials->items[i].count; k++) {
            failed += !trials->items[i].outcomes[k].any;
            ++*all;
        }
    return failed;
}

static int run_trials(Request *request)
{
    NetError error;
    NetData data = {0};
    int all;
    if (request->resume)
        return complain(MISUSE, "--resume goes on with one run: without --repeat");
    if (net_rank_count() > 1)
        return complain(MISUSE, "several runs are one process's: without ranks");
    if (count_trials(request) * (int64_t)request->repeat > 100000)
        return complain(MISUSE, "these are more than 100000 runs");
    request->shared = &data;
    bool good = (!request->output || net_check_output(request->output, NET_ANY_FILE, &error))
                && run_all(request, &error);
    net_data_close(&data);
    if (good) {
        if (!request->run.quiet)
            printf("\n");
        net_trials_print(&request->trials, stdout);
        good = !request->output || net_trials_write(&request->trials, request->output, &error);
    }
    int failed = count_failed(&request->trials, &all);
    close_trials(&request->trials);
    if (!good)
        return fail(&error);
    if (net_signal_asked())
        return INTERRUPTED + net_signal_asked();
    return failed == all || (failed && request->repeat > 1) ? FAILED : DONE;
}

static int run_train(Request *request)
{
    if (request->output && request->repeat == 1)
        return complain(MISUSE, "--output is a table of several runs: it needs --repeat N");
    return request->repeat > 1 ? run_trials(request) : train_once(request);
}

static int run_sweep(Request *request)
{
    if (request->trials.axes == 0)
        return complain(MISUSE, "sweep needs --set PATH=A,B,...: what to try, as "
                                "--set lr=0.1,0.01");
    return run_trials(request);
}

/* -------------------------------------------------------------- lr-find */

static int run_lr_find(Request *request)
{
    NetError error;
    NetData data = {0};
    NetOptimizer optimizer = {0};
    NetTensorFile from = {0};
    NetNotes notes = {0};
    NetSession *session = NULL;
    NetLrFind *finder = &request->finder;
    if (finder->from >= finder->to)
        return complain(MISUSE, "--from %g is no less than --to %g: the rate is to rise",
                        finder->from, finder->to);
    if (finder->log && !net_log_is_ours(finder->log))
        return complain(MISUSE,
                        "--log %.300s would replace a file that is no run's log: give "
                        "another name",
                        finder->log);
    if (request->partial && !request->init)
        return complain(MISUSE, "%s", find_contradiction(request));
    request->trains = true;
    finder->steps = (int64_t)request->rate_steps;
    bool good =
        open_from(request, &from, &error)
        && open_judged(request, &data, seed_of(request), &notes, &error)
        && (session = open_training_session(request, &error))
        && net_optimizer_open(&optimizer, request->model, &request->settings, &error)
        && (!request->init || load_first(session, request, &from, &error))
        && net_lr_find(session, &optimizer, &request->settings, &data, finder, stdout, &error);
    tell_notes(&notes);
    net_optimizer_close(&optimizer);
    net_close(session);
    net_data_close(&data);
    net_tensors_close(&from);
    return good ? DONE : fail(&error);
}

/* ----------------------------------------------------------------- test */

/* The data, whose classes must be the weights'. */
static bool open_test_data(const Request *request, NetSession *session, NetData *data,
                           NetError *error)
{
    NetNotes notes = {0};
    bool good =
        open_data(request, data, session, &notes, error) && net_take_classes(session, data, error);
    if (good && data->test.count == 0)
        good = net_fail(error, "%s has nothing to test with", data->what);
    tell_notes(&notes);
    return good;
}

/* The commonest mistakes, each once: its count is cleared when it is printed. */
static void print_confusions(const NetSession *session, int64_t *confusion)
{
    int64_t classes = session->model->classes;
    for (int i = 0; i < CONFUSIONS; i++) {
        int64_t best = 0;
        for (int64_t i = 1; i < classes * classes; i++)
            if (i % (classes + 1) != 0 && (confusion[i] > confusion[best] || best == 0))
                best = i;
        if (best == 0 || confusion[best] == 0)
            return;
        char right[CLASS_TEXT], taken[CLASS_TEXT];
        printf("%s%s taken for %s: %" PRId64, i ? ", " : "most often ",
               net_class_shown(right, CLASS_TEXT, session, best / classes),
               net_class_shown(taken, CLASS_TEXT, session, best % classes), confusion[best]);
        confusion[best] = 0;
    }
}

/* Of classes of positions, each one's intersection over union. */
static void print_ious(const NetSession *session, const NetResult *result)
{
    enum { SHOWN_CLASSES = 32 };
    const NetModel *model = session->model;
    bool shown = false;
    for (int i = 0; i < result->measured.count; i++)
        shown |= strcmp(result->measured.items[i].key, "mean_iou") == 0;
    for (int64_t class = 0; shown && class < model->classes && class < SHOWN_CLASSES; class ++) {
        char name[CLASS_TEXT];
        double iou = net_class_iou(session, class);
        if (!isnan(iou))
            printf("  IoU of %s %.2f %%\n", net_class_shown(name, CLASS_TEXT, session, class),
                   100 * iou);
    }
}

static void print_test(const NetSession *session, const NetResult *result, int64_t *confusion)
{
    char figures[NET_FIGURES_TEXT];
    net_figures_text(figures, ", ", &result->measured);
    if (result->answers == 0) {
        printf("test loss %.6f%s (%" PRId64 " images)\n", result->loss, figures, result->images);
        return;
    }
    int64_t answers = result->answers;
    printf("test loss %.6f, accuracy %.2f %% (%" PRId64 " of %" PRId64 ")%s\n", result->loss,
           100.0 * (double)result->correct / (double)answers, result->correct, answers, figures);
    print_ious(session, result);
    if (confusion)
        print_confusions(session, confusion);
    if (result->correct < answers)
        printf("\n");
}

static bool test(Request *request, NetSession *session, const NetData *data, NetError *error)
{
    int64_t classes = request->model->classes;
    if (data->test.count < 1)
        return net_fail(error, "%s has no test images", data->what);
    enum { MOST = 65536 }; /* of more there is no table of mistakes */
    bool few = net_has_classes(request->model) && classes <= MOST;
    int64_t *confusion =
        few ? net_allocate((size_t)(classes * classes), sizeof *confusion, error) : NULL;
    if (few && !confusion)
        return false;
    NetResult result = net_test_split(session, &data->test, confusion);
    bool good = isfinite(result.loss) || net_explain_test(session, &data->test, error);
    if (good)
        print_test(session, &result, confusion);
    free(confusion);
    return good;
}

static int run_test(Request *request)
{
    NetError error;
    NetData data = {0};
    NetSession *session = NULL;
    if (!request->weights)
        return complain(MISUSE, "test needs --weights F: what to test");
    bool good = (session = open_trained(request, &error))
                && open_test_data(request, session, &data, &error)
                && test(request, session, &data, &error);
    net_close(session);
    net_data_close(&data);
    return good ? DONE : fail(&error);
}

/* -------------------------------------------------------------- predict */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcasecmp(text + length - tail, end) == 0;
}

/* A table, JSON, or a folder of pictures, as the name says; false: it says none of them. */
static bool take_output(const Request *request, NetPredict *options)
{
    const char *path = request->output;
    struct stat status;
    if (!path)
        return true;
    options->csv |= ends_with(path, ".csv");
    options->json |= ends_with(path, ".json");
    bool folder = ends_with(path, "/") || (stat(path, &status) == 0 && S_ISDIR(status.st_mode));
    if (folder)
        options->folder = path;
    return folder || ends_with(path, ".csv") || ends_with(path, ".json");
}

/* To standard output, or whole to a file. */
static bool predict(const Request *request, NetSession *session, const NetPredict *options,
                    int64_t *failed, NetError *error)
{
    NetOutput output;
    if (!request->output || options->folder)
        return net_predict_pictures(session, options, stdout, failed, error);
    if (!net_create(&output, request->output, error))
        return false;
    if (net_predict_pictures(session, options, output.file, failed, error))
        return net_commit(&output, error);
    net_discard(&output);
    return false;
}

static bool find_all(const Request *request, NetNames *paths, NetError *error)
{
    for (int i = 0; i < request->operand_count; i++)
        if (!net_find_pictures(paths, request->operands[i], error))
            return false;
    return true;
}

/* A file is a picture, and that is all an example is. */
static bool check_pictures(const Request *request, const char *instead, NetError *error)
{
    return request->operand_count == 0 || request->model->input_count <= 1
           || net_fail(error, "a picture is one of the network's %d inputs: %s",
                       request->model->input_count, instead);
}

static int run_predict(Request *request)
{
    NetError error;
    NetData data = {0};
    NetNames paths = {0};
    NetSession *session = NULL;
    int64_t failed = 0;
    NetPredict options = {.paths = &paths,
                          .count = (int64_t)request->count,
                          .top = request->top_k > 0 ? (int)request->top_k : TOP,
                          .top_given = request->top_k > 0,
                          .json = request->bench.json,
                          .csv = request->csv,
                          .tell = tell};
    if (!request->weights)
        return complain(MISUSE, "predict needs --weights F: what to predict with");
    if (request->model->numbers && !request->data)
        return complain(MISUSE, "%s takes whole numbers and no pictures%s", request->model->name,
                        net_can_generate(request->model) ? ": generate goes on with a text" : "");
    if (request->operand_count == 0 && !request->data)
        return complain(MISUSE, "predict needs images: PNG or JPEG files or folders of them, or "
                                "--data for some test images");
    if (request->operand_count > 0 && request->data)
        return complain(MISUSE, "predict takes image files or --data, not both");
    if (!take_output(request, &options))
        return complain(MISUSE, "--output %.300s: F.csv, F.json or DIR/ is expected",
                        request->output);
    if (options.json && options.csv)
        return complain(MISUSE, "a table or JSON: give one");
    bool good = check_pictures(request, "predict --data synthetic shows drawn examples", &error)
                && (session = open_trained(request, &error)) && find_all(request, &paths, &error)
                && (!request->data || open_test_data(request, session, &data, &error));
    if (good && request->data)
        options.images = &data.test;
    good = good && predict(request, session, &options, &failed, &error);
    net_close(session);
    net_data_close(&data);
    net_names_close(&paths);
    return good ? failed ? FAILED : DONE : fail(&error);
}

/* ------------------------------------------------------------- generate */

static int run_generate(Request *request)
{
    NetError error;
    if (!net_can_generate(request->model))
        return complain(MISUSE,
                        "%s takes no text and gives none: generate is of networks of characters",
                        request->model->name);
    if (!request->weights || !request->prompt)
        return complain(MISUSE, "generate needs --weights F and --prompt TEXT");
    NetSession *session = open_trained(request, &error);
    const NetGenerate options = {.prompt = request->prompt,
                                 .count = (int64_t)request->characters,
                                 .temperature = request->temperature,
                                 .top_k = (int64_t)request->top_k,
                                 .no_cache = request->no_cache,
                                 .seed = seed_of(request)};
    bool good = session && net_generate(session, &options, stdout, &error);
    net_close(session);
    return good ? DONE : fail(&error);
}

/* ----------------------------------------------------------------- look */

static int run_look(Request *request)
{
    NetError error;
    if (!request->weights || !request->output || request->operand_count > 1)
        return complain(MISUSE, "look needs --weights F, --output DIR and at most one picture");
    if (request->model->numbers)
        return complain(MISUSE, "%s takes whole numbers and no pictures", request->model->name);
    NetSession *session = NULL;
    bool good = check_pictures(request, "look without one draws the filters", &error)
                && (session = open_trained(request, &error))
                && net_look(session, request->operand_count ? request->operands[0] : NULL,
                            request->output, stdout, &error);
    net_close(session);
    return good ? DONE : fail(&error);
}

/* --------------------------------------------------------------- report */

/* What the network makes of the images that its run was judged by. */
static bool report_answers(Request *request, NetReport *report, NetData *data, NetError *error)
{
    NetNotes notes = {0};
    bool training = request->model->training.phase_count > 0;
    bool good = open_data(request, data, NULL, &notes, error)
                && open_validation(request, data, seed_of(request), &notes, error)
                && (report->session = open_session(request, training, error))
                && net_load(report->session, request->weights, error);
    if (good)
        net_normal_settle(report->session, &request->settings, request->weights, &notes);
    tell_notes(&notes);
    report->data = data;
    return good && net_take_classes(report->session, data, error);
}

static int run_report(Request *request)
{
    NetError error;
    NetData data = {0};
    if (request->operand_count != 1 || !request->output)
        return complain(MISUSE, "report needs a run's log and a page to write: report run.jsonl -o "
                                "run.html");
    if (!request->weights && request->data)
        return complain(MISUSE, "--data is of --weights F: what the network makes of these images");
    if (net_same_file(request->output, request->operands[0])
        || (request->weights && net_same_file(request->output, request->weights)))
        return complain(MISUSE, "the page would replace what it is made of: give --output another "
                                "file");
    NetReport report = {.model = request->model,
                        .log = request->operands[0],
                        .out = request->output,
                        .weights = request->weights,
                        .worst = (int)request->worst};
    bool good = !request->weights || report_answers(request, &report, &data, &error);
    good = good && net_report(&report, &error);
    net_close(report.session);
    net_data_close(&data);
    return good ? DONE : fail(&error);
}

/* ------------------------------------------------ bench, gradcheck, info */

/* What --cores prints is a table, and all of it. */
static bool has_other_figures(const NetBench *bench)
{
    return bench->core_counts && (bench->json || bench->only || bench->many);
}

static int run_bench(Request *request)
{
    NetError error;
    NetData data = {0};
    request->bench.threads = (int)request->threads;
    request->bench.steps = (int64_t)request->steps;
    request->bench.many = (int64_t)request->many;
    if (has_other_figures(&request->bench))
        return complain(MISUSE,
                        "--cores prints a table of its own: without --json, --only and --many");
    request->bench.data = request->data ? &data : NULL;
    bool good = (!request->data || open_data(request, &data, NULL, NULL, &error))
                && net_bench(request->model, &request->settings, &request->bench, stdout, &error);
    net_data_close(&data);
    return good ? DONE : fail(&error);
}

static int run_gradcheck(Request *request)
{
    NetError error;
    if (sizeof(real) != sizeof(double))
        return complain(MISUSE,
                        "gradients are checked in float64: build the network with --dtype=f64");
    if (request->model->training.phase_count == 0)
        return complain(MISUSE, "%s has no train section, so it has no gradients",
                        request->model->name);
    request->gradcheck.threads = (int)request->threads;
    request->gradcheck.samples = (int64_t)request->samples;
    request->gradcheck.weights = request->weights;
    return net_gradcheck(request->model, &request->settings, &request->gradcheck, stdout, &error)
               ? DONE
               : fail(&error);
}

static int run_info(Request *request)
{
    net_info(request->model, stdout);
    return DONE;
}

/* ------------------------------------------------------------- commands */

static const Command commands[] = {
    {"train", "", "Trains the network and shows how it goes.", TRAIN, run_train},
    {"sweep", "", "Trains with each of several settings and compares what they come to.", SWEEP,
     run_sweep},
    {"lr-find", "", "Finds a learning rate by a short run whose rate rises.", LR_FIND, run_lr_find},
    {"test", "", "Loss and accuracy on the test images.", TEST, run_test},
    {"predict", "[IMAGE|FOLDER ...]", "Says what images show, and draws them.", PREDICT,
     run_predict},
    {"generate", "", "Goes on with a text, character by character.", GENERATE, run_generate},
    {"look", "[IMAGE]", "Draws the first filters, and what each layer makes of a picture.", LOOK,
     run_look},
    {"report", "LOG", "Makes a page of a run's log, and of its mistakes with --weights.", REPORT,
     run_report},
    {"bench", "", "Measures how many images a second the network trains on and answers for.", BENCH,
     run_bench},
    {"gradcheck", "", "Checks every gradient against differences of the loss.", GRADCHECK,
     run_gradcheck},
    {"info", "", "What was compiled: layers, sizes and settings.", INFO, run_info},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int print_usage(const NetModel *model)
{
    printf("usage: %s COMMAND [options]\n%s, compiled from %s\n\ncommands:\n",
           SHOWN(program_invocation_short_name), model->name, SHOWN(model->source));
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i].bit != GENERATE || net_can_generate(model))
            printf("  %-10s  %s\n", commands[i].name, commands[i].summary);
    printf("\n%s COMMAND --help lists a command's options.\n",
           SHOWN(program_invocation_short_name));
    return DONE;
}

static const Command *find_command(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *word)
{
    const char *best = NULL;
    for (int i = 0; i < COMMANDS; i++)
        best = nearer(word, best, commands[i].name);
    if (best)
        return complain(MISUSE, "there is no command %s; is %s meant?", word, best);
    return complain(MISUSE, "there is no command %s; %s --help lists the commands", word,
                    program_invocation_short_name);
}

/* The pipe's other end is closed. */
static bool nobody_reads(int descriptor)
{
    struct pollfd pipe = {.fd = descriptor, .events = POLLOUT};
    return poll(&pipe, 1, 0) == 1 && pipe.revents & (POLLERR | POLLHUP);
}

/* Of a run nobody needs to read to the end what it shows: its files are its
 * result, as what the other commands print is theirs. */
static int finish_output(const Command *command)
{
    errno = 0; /* an earlier write's reason is lost by now */
    if ((fflush(stdout) == 0 && !ferror(stdout))
        || (command->bit == TRAIN && nobody_reads(STDOUT_FILENO)))
        return DONE;
    return complain(FAILED, "cannot write to standard output%s%s", errno ? ": " : "",
                    errno ? strerror(errno) : "");
}

static int run_command(const NetModel *model, const Command *command, int argc, char **argv)
{
    NetError error;
    Request request = {.model = model,
                       .threads = default_threads(),
                       .max_steps = -1,
                       .count = 5,
                       .samples = 32,
                       .characters = 500,
                       .worst = 24,
                       .repeat = 1,
                       .rate_steps = 200,
                       .finder = {.from = 1e-7, .to = 10},
                       .temperature = 1};
    if (command->bit != TRAIN && net_rank_count() > 1)
        return complain(MISUSE, "%s is one process's: of the commands only train takes ranks",
                        command->name);
    if (command->bit & (TRAIN | SWEEP | LR_FIND) && model->training.phase_count == 0)
        return complain(MISUSE, "%s has no train section, so there is no %s command: add one to %s",
                        model->name, command->name, model->source);
    if (!net_settings_open(&request.settings, model, &error))
        return fail(&error);
    int status = read_options(&request, command, argc, argv);
    if (status < 0)
        status = command->run(&request);
    net_settings_close(&request.settings);
    return status == DONE ? finish_output(command) : status;
}

/* A standard stream that is closed would give its number to the next file that
 * is opened, weights perhaps, and what is printed would go there. */
static void hold_standard_streams(void)
{
    for (int descriptor; (descriptor = open("/dev/null", O_RDONLY)) >= 0;)
        if (descriptor > STDERR_FILENO) {
            close(descriptor);
            return;
        }
}

static int run_words(const NetModel *model, int argc, char **argv)
{
    NetError error;
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!net_ranks_ready(net_check_processor(model, &error), &speaker))
        return fail(&error);
    if (!word)
        return complain(MISUSE, "a command is needed: %s --help lists them",
                        program_invocation_short_name);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_usage(model);
    if (strcmp(word, "--version") == 0) {
        print_version(model);
        return DONE;
    }
    const Command *command = find_command(word);
    return command ? run_command(model, command, argc - 1, argv + 1) : unknown_command(word);
}

int net_main(const NetModel *model, int argc, char **argv)
{
    hold_standard_streams();
    NetError error;
    if (!net_ranks_open(&argc, &argv, &error))
        return fail(&error);
    if (net_rank() > 0 && !freopen("/dev/null", "w", stdout))
        return fail(&(NetError){"/dev/null cannot be opened"});
    int status = run_words(model, argc, argv);
    net_ranks_close(status);
    return status;
}
