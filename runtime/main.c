/* main.c: the trainer's command line: its commands, in one table, and how the one that is asked for
 * is called.  What each does is a file in commands/.
 */
#include "commands/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { MAX_DEFAULT_THREADS = 64 };

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

static const Command commands[] = {
    {"train", "", "Trains the network and shows how it goes.", TRAIN, net_command_train},
    {"sweep", "", "Trains with each of several settings and compares what they come to.", SWEEP,
     net_command_sweep},
    {"lr-find", "", "Finds a learning rate by a short run whose rate rises.", LR_FIND,
     net_command_lr_find},
    {"test", "", "Loss and accuracy on the test {many}.", TEST, net_command_test},
    {"predict", "[IMAGE|TEXT|FOLDER ...]", "Says what the network makes of {many}.", PREDICT,
     net_command_predict},
    {"generate", "", "Goes on with a text, character by character.", GENERATE,
     net_command_generate},
    {"look", "[IMAGE]",
     "Draws the first filters, what each layer makes of a picture, or training {many}.", LOOK,
     net_command_look},
    {"report", "LOG", "Makes a page of a run's log, and of its mistakes with --weights.", REPORT,
     net_command_report},
    {"bench", "", "Measures how many {many} a second the network trains on and answers for.", BENCH,
     net_command_bench},
    {"gradcheck", "", "Checks every gradient against differences of the loss.", GRADCHECK,
     net_command_gradcheck},
    {"info", "", "What was compiled: layers, sizes and settings.", INFO, net_command_info},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int print_usage(const NetModel *model)
{
    char line[LINE];
    printf("usage: %s COMMAND [options]\n%s, compiled from %s\n\ncommands:\n",
           SHOWN(program_invocation_short_name), model->name, SHOWN(model->source));
    for (int i = 0; i < COMMANDS; i++)
        if (commands[i].bit != GENERATE || net_can_generate(model))
            printf("  %-10s  %s\n", commands[i].name,
                   net_put_noun(line, sizeof line, commands[i].summary, net_noun(model)));
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
        best = net_nearer(word, best, commands[i].name);
    if (best)
        return net_complain(MISUSE, "there is no command %s; is %s meant?", word, best);
    return net_complain(MISUSE, "there is no command %s; %s --help lists the commands", word,
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
    return net_complain(FAILED, "cannot write to standard output%s%s", errno ? ": " : "",
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
        return net_complain(MISUSE, "%s is one process's: of the commands only train takes ranks",
                            command->name);
    if (command->bit & (TRAIN | SWEEP | LR_FIND) && model->training.phase_count == 0)
        return net_complain(MISUSE,
                            "%s has no train section, so there is no %s command: add one to %s",
                            model->name, command->name, model->source);
    if (!net_settings_open(&request.settings, model, &error))
        return net_give_up(&error);
    int status = net_read_options(&request, command, argc, argv);
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
    if (!net_ranks_ready(net_check_processor(model, &error), &net_speaker))
        return net_give_up(&error);
    if (!word)
        return net_complain(MISUSE, "a command is needed: %s --help lists them",
                            program_invocation_short_name);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_usage(model);
    if (strcmp(word, "--version") == 0) {
        net_print_version(model);
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
        return net_give_up(&error);
    if (net_rank() > 0 && !freopen("/dev/null", "w", stdout))
        return net_give_up(&(NetError){"/dev/null cannot be opened"});
    int status = run_words(model, argc, argv);
    net_ranks_close(status);
    return status;
}
