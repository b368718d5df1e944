/* options.c: the options of all commands, in one table, and how a command line is read. */
#include "commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

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
    {"data", "DIR|synthetic", "the {many}; without it, the network's own setting",
     TRAIN | TEST | REPORT | LR_FIND | SWEEP, WORD, AT(data)},
    {"data", "DIR|synthetic|noise",
     "test {many}, or what a generator makes something of: normal numbers, drawn by the seed",
     PREDICT, WORD, AT(data)},
    {"data", "DIR|synthetic", "the {many} to train on; without it, a few drawn ones", BENCH, WORD,
     AT(data)},
    {"data", "DIR|synthetic",
     "draw the first training {many} as the network gets them, with all that augment does", LOOK,
     WORD, AT(data)},
    {"output", "F.html", "the page that is written; -o F.html", REPORT, WORD, AT(output),
     .letter = 'o'},
    {"memory", "SIZE",
     "as 2GB: for decoded pictures, of which those that do not fit are decoded again for each "
     "batch; without it, half of what there is",
     TRAIN | TEST | PREDICT | LR_FIND | SWEEP | LOOK, BYTES, AT(memory)},
    {"cache", "DIR", "keep decoded pictures in files there, for the next run",
     TRAIN | TEST | PREDICT | REPORT | LR_FIND | SWEEP | LOOK, WORD, AT(cache)},
    {"skip-broken", NULL, "leave out pictures that cannot be read",
     TRAIN | TEST | PREDICT | LR_FIND | SWEEP | LOOK, FLAG, AT(skip_broken)},
    {"weights", "F", "the weights, a safetensors file",
     TEST | PREDICT | GRADCHECK | GENERATE | LOOK, WORD, AT(weights)},
    {"output", "DIR|F.png",
     "the folder of the pictures that are written, or of --data the picture; -o DIR", LOOK, WORD,
     AT(output), .letter = 'o'},
    {"weights", "F", "show what the network makes of {many} with these weights", REPORT, WORD,
     AT(weights)},
    {"worst", "N", "how many of its worst mistakes are shown", REPORT, NUMBER, AT(worst), 0, 1000},
    {"epochs", "N", "how often to go through the training {many}", TRAIN | SWEEP, SETTING,
     .setting = "epochs"},
    {"batch", "N", "{many} per step",
     TRAIN | TEST | BENCH | GRADCHECK | REPORT | LR_FIND | SWEEP | LOOK, SETTING,
     .setting = "batch"},
    {"lr", "X", "the learning rate", TRAIN | SWEEP, SETTING, .setting = "optimizer.lr"},
    {"seed", "N", "of the first weights, the shuffles and dropout",
     TRAIN | TEST | PREDICT | BENCH | GRADCHECK | REPORT | LR_FIND | SWEEP | LOOK, SETTING,
     .setting = "seed"},
    {"prompt", "TEXT", "what the text begins with", GENERATE, WORD, AT(prompt)},
    {"prompt", "TEXT", "a text to say the class of", PREDICT, WORD, AT(prompt)},
    {"count", "N", "how many characters are added", GENERATE, NUMBER, AT(characters), 1, 1e9},
    {"temperature", "X", "less than 1 prefers what is likely, 0 takes the likeliest", GENERATE,
     REAL, AT(temperature), 0, 1000},
    {"top", "K", "tell the K likeliest classes", PREDICT, NUMBER, AT(top_k), 1, 1e6},
    {"csv", NULL, "print a table", PREDICT, FLAG, AT(csv)},
    {"json", NULL, "print JSON", PREDICT, FLAG, AT(bench.json)},
    {"output", "F.csv|F.json|F.png|DIR/",
     "write a table or JSON, or the pictures that the network makes: one beside the other, each "
     "next to its own input, or a file for each; -o F.csv",
     PREDICT, WORD, AT(output), .letter = 'o'},
    {"top-k", "N", "draw from the N likeliest only", GENERATE, NUMBER, AT(top_k), 1, 1e9},
    {"seed", "N", "of what is drawn", GENERATE, SETTING, .setting = "seed"},
    {"no-cache", NULL, "compute all characters that the network sees again for each new one",
     GENERATE, FLAG, AT(no_cache)},
    {"threads", "N", "how many; no result depends on it",
     TRAIN | TEST | PREDICT | BENCH | GRADCHECK | GENERATE | REPORT | LR_FIND | SWEEP | LOOK,
     NUMBER, AT(threads), 1, MAX_THREADS},
    {"norms", "all|rank",
     "of several MPI ranks, batch norms over all {many} of a batch, or each rank's over its own; "
     "running averages are then rank 0's",
     TRAIN, ONE_OF, AT(norms), .words = (const char *const[]){"all", "rank", NULL}},
    {"max-steps", "N", "stop when this many steps are done", TRAIN | SWEEP, NUMBER, AT(max_steps),
     0, 1e15},
    {"no-shuffle", NULL, "take the training {many} in file order", TRAIN | SWEEP, FLAG,
     AT(no_shuffle)},
    {"init", "F", "start from these weights", TRAIN | LR_FIND | SWEEP, WORD, AT(init)},
    {"partial", NULL, "of --init's weights take those that fit by name and shape",
     TRAIN | LR_FIND | SWEEP, FLAG, AT(partial)},
    {"partial", NULL, "of --weights, which may be a larger network's, take what this one has",
     TEST | PREDICT | GENERATE | REPORT | LOOK, FLAG, AT(partial)},
    {"validation", "X|DIR",
     "judge the run by a part of the training {many}, as 0.1, or by others; not by the test {many}",
     TRAIN | REPORT | LR_FIND | SWEEP | LOOK, .kind = VALIDATION},
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
     "write the weights of the epoch with the best figure so far: --monitor's, or else accuracy "
     "(without classes: loss) on the validation or test {many}",
     TRAIN | SWEEP, WORD, AT(run.best)},
    {"keep-best", "N", "of --save-best: also the N best epochs' weights, as F-epochE-FIGURE-VALUE",
     TRAIN | SWEEP, NUMBER, AT(run.keep_best), 1, NET_MAX_BEST},
    {"monitor", "FIGURE",
     "by what --save-best, --early-stop and a table of runs go, as a log has it: loss, accuracy, "
     "f1, mean_iou, mae, NAME_mae of an output NAME, train_loss; more is better where it is",
     TRAIN | SWEEP, WORD, AT(run.monitor)},
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
     "measure only training, inference of one {one} or of many, a text that is gone on with, or "
     "the layers: training, one, many, generate, layers",
     BENCH, ONE_OF, AT(bench.only),
     .words = (const char *const[]){"training", "one", "many", "generate", "layers", NULL}},
    {"many", "N",
     "{many} in a large call of inference; without it, as many as fit, at most a thousand", BENCH,
     NUMBER, AT(many), 2, 1e6},
    {"cores", "N,N,...",
     "by a model, how a step would scale to so many cores; --threads are measured beside it", BENCH,
     .kind = CORES},
    {"json", NULL, "print the figures as JSON", BENCH, FLAG, AT(bench.json)},
    {"count", "N", "how many test {many} to show", PREDICT, NUMBER, AT(count), 1, 1e6},
    {"count", "N", "how many {many} --data draws; without it, those of the first step, at most 64",
     LOOK, NUMBER, AT(many), 1, NET_MAX_TILES},
    {"samples", "N", "elements to check of each parameter", GRADCHECK, NUMBER, AT(samples), 1, 1e9},
    {"random-init", NULL, "add noise to every first parameter", GRADCHECK, FLAG,
     AT(gradcheck.random_init)},
    {"set", "PATH=VALUE", "change a number of the train section, as optimizer.momentum=0.9",
     TRAIN | TEST | PREDICT | BENCH | GRADCHECK | REPORT | LR_FIND | LOOK, .kind = PAIR},
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

static void print_options(unsigned bit, NetNoun noun)
{
    char left[LEFT], help[LINE];
    int width = 0;
    for (int i = 0; i < OPTIONS; i++)
        if (options[i].commands & bit && write_left(left, &options[i]) > width)
            width = (int)strlen(left);
    printf("\noptions:\n");
    for (int i = 0; i < OPTIONS; i++)
        if (options[i].commands & bit) {
            write_left(left, &options[i]);
            printf("  %-*s  ", width, left);
            net_print_folded(net_put_noun(help, sizeof help, options[i].help, noun), width + 4);
        }
}

/* In a list that is folded, for each has a comma behind it but the last. */
static void print_settings(const NetSettings *settings)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; out && i < settings->count; i++)
        if (net_setting_changeable(&settings->values[i]))
            fprintf(out, "%s%s", ftell(out) > 0 ? ", " : "", settings->values[i].path);
    if (out && fclose(out) == 0 && *text) {
        printf("\nsettings: ");
        net_print_folded(text, 10);
    }
    free(text);
}

static void print_help(const Request *request, const Command *command)
{
    const NetNoun noun = net_noun(request->model);
    char summary[LINE];
    printf("usage: %s %s [options]%s%s\n%s\n", SHOWN(program_invocation_short_name), command->name,
           *command->operands ? " " : "", command->operands,
           net_put_noun(summary, sizeof summary, command->summary, noun));
    print_options(command->bit, noun);
    if (command->bit == TRAIN)
        print_settings(&request->settings);
}

static int unknown_option(const Command *command, const char *word)
{
    const char *best = NULL, *end = strchrnul(word, '=');
    char name[LONGEST + 1];
    snprintf(name, sizeof name, "%.*s", (int)(end - word), word);
    for (int i = 0; i < OPTIONS && strncmp(name, "--", 2) == 0; i++)
        if (options[i].commands & command->bit)
            best = net_nearer(name + 2, best, options[i].name);
    if (best)
        return net_complain(MISUSE, "%s has no option %s; is --%s meant?", command->name, name,
                            best);
    return net_complain(MISUSE, "%s has no option %s; %s %s --help lists what it has",
                        command->name, name, program_invocation_short_name, command->name);
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
        return net_set_pair(request, value, error);
    case INTERVAL:
        return net_set_interval(field, value, name, error);
    case AXIS:
        return net_add_axis(request, value, error);
    case VALIDATION:
        return net_set_validation(request, value, error);
    case BYTES:
        return net_set_bytes(field, value, name, error);
    case CORES:
        return net_set_cores(&request->bench, value, name, error);
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

static int refuse(int found, const Command *command, const char *word)
{
    if (found == ':')
        return net_complain(MISUSE, "%s needs a value: %s", word,
                            options[index_of(optopt, command)].value);
    if (optopt >= OPTION)
        return net_complain(MISUSE, "--%s takes no value", options[optopt - OPTION].name);
    return unknown_option(command, optopt ? (char[]){'-', (char)optopt, '\0'} : word);
}

/* -1: go on; else the exit status. */
int net_read_options(Request *request, const Command *command, int argc, char **argv)
{
    struct option list[OPTIONS + 1];
    char letters[2 * OPTIONS + 2];
    list_options(list, letters, command);
    optind = 0; /* getopt begins anew, whatever it read last */
    for (int found; (found = getopt_long(argc, argv, letters, list, NULL)) != -1;) {
        NetError error;
        if (found == ':' || found == '?')
            return refuse(found, command, argv[optind - 1]);
        const Option *option = &options[index_of(found, command)];
        if (option->kind == HELP) {
            print_help(request, command);
            return DONE;
        }
        if (option->kind == SHOW_VERSION) {
            net_print_version(request->model);
            return DONE;
        }
        errno = 0;
        if (!apply(request, option, optarg, &error))
            return net_complain(errno == ENOMEM ? FAILED : MISUSE, "%s", error.text);
    }
    request->operands = argv + optind;
    request->operand_count = argc - optind;
    if (request->operand_count > 0 && !*command->operands)
        return net_complain(MISUSE, "%s takes options only, and %s is none", command->name,
                            request->operands[0]);
    return -1;
}
