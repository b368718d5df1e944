/* training_paths.c: settings of single parameters: how they begin, whether they
 * are trained, at which rate.
 *
 * Parameters are named by their paths with * and ?, which match dots too.  Of
 * several settings of one kind the last that matches a parameter is its own.
 * All is resolved here, so that the runtime knows parameters and no patterns.
 */
#include "graph/training.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

enum { SHOWN_PATHS = 6 };

static bool matches(const char *glob, const Parameter *parameter)
{
    return parameter->kind == PARAMETER_TRAINED && fnmatch(glob, parameter->path, 0) == 0;
}

static void report_no_match(Training *t, const char *glob, Span at)
{
    Diagnostic *d =
        build_error(t->b, "unknown-name", at, "no parameter's path is matched by \"%s\"", glob);
    LIST(const char *) paths = {0};
    Text list = {0};
    int shown = 0;
    for (int i = 0; i < t->graph->parameters.count; i++) {
        const Parameter *parameter = t->graph->parameters.items[i];
        if (parameter->kind != PARAMETER_TRAINED)
            continue;
        push(&paths, parameter->path);
        if (shown++ < SHOWN_PATHS)
            text_add(&list, "%s%s", shown > 1 ? ", " : "", parameter->path);
    }
    push(&paths, NULL);
    const char *near = nearest(glob, paths.items);
    if (near != NULL)
        diag_help(d, "the nearest path is \"%s\"", near);
    diag_note(d, "paths are: %s%s", text_chars(&list), shown > SHOWN_PATHS ? ", …" : "");
}

/* The glob, or NULL: reported, or the network's own faults leave it unknown
 * what there is to match. */
static const char *read_glob(Training *t, const Expr *expr)
{
    if (expr->kind == EXPR_ERROR)
        return NULL;
    if (expr->kind != EXPR_TEXT) {
        build_error(t->b, "value-type", expr->span,
                    "the parameters' paths are a quoted text, as \"conv1.*\"");
        return NULL;
    }
    Value text = evaluate(t->b, expr);
    if (text.kind != VALUE_TEXT || t->graph->output == NULL)
        return NULL;
    for (int i = 0; i < t->graph->parameters.count; i++)
        if (matches(text.word, t->graph->parameters.items[i]))
            return text.word;
    report_no_match(t, text.word, expr->span);
    return NULL;
}

static const char *first_glob(Training *t, const SettingDef *def)
{
    const Expr *first = first_word(t, def, "the parameters' paths, as \"conv1.*\"");
    return first != NULL ? read_glob(t, first) : NULL;
}

/* ----------------------------------------------------------------- init */

static const char *const modes[] = {"fan_in", "fan_out", NULL};
static const char *const nonlinearities[] = {"linear", "conv2d",     "sigmoid", "tanh",
                                             "relu",   "leaky_relu", "selu",    NULL};

static const ArgSpec kaiming_args[] = {
    {"a", ARG_REAL, .otherwise = "0", .minimum = -1000, .maximum = 1000,
     .doc = "The negative slope of leaky_relu."},
    {"mode", ARG_WORD, .otherwise = "fan_in", .words = modes,
     .doc = "Which pass keeps its variance: forward or backward."},
    {"nonlinearity", ARG_WORD, .otherwise = "leaky_relu", .words = nonlinearities,
     .doc = "What follows the layer."},
    {0}};
static const ArgSpec xavier_args[] = {
    {"gain", ARG_REAL, .otherwise = "1", .maximum = 1000, .doc = "Times the deviation."}, {0}};
static const ArgSpec normal_args[] = {{"mean", ARG_REAL, .positional = true, .otherwise = "0",
                                       .minimum = -1e6, .maximum = 1e6, .doc = "The middle."},
                                      {"std", ARG_REAL, .positional = true, .otherwise = "1",
                                       .maximum = 1e6, .doc = "The deviation."},
                                      {0}};
static const ArgSpec uniform_args[] = {
    {"a", ARG_REAL, .positional = true, .otherwise = "0", .minimum = -1e6, .maximum = 1e6,
     .doc = "The lowest value."},
    {"b", ARG_REAL, .positional = true, .otherwise = "1", .minimum = -1e6, .maximum = 1e6,
     .doc = "The highest value."},
    {0}};
static const ArgSpec constant_args[] = {
    {"val", ARG_REAL, .positional = true, .minimum = -1e6, .maximum = 1e6, .doc = "Every value."},
    {0}};

/* torch.nn.init.calculate_gain. */
static double gain(const char *nonlinearity, double slope)
{
    if (strcmp(nonlinearity, "relu") == 0)
        return sqrt(2);
    if (strcmp(nonlinearity, "leaky_relu") == 0)
        return sqrt(2 / (1 + slope * slope));
    if (strcmp(nonlinearity, "tanh") == 0)
        return 5.0 / 3;
    return strcmp(nonlinearity, "selu") == 0 ? 3.0 / 4 : 1;
}

typedef struct Fans {
    double in, out;
} Fans;

/* As torch.nn.init counts: of a tensor's first two dimensions, times the rest. */
static Fans fans_of(const Parameter *parameter)
{
    double window = 1;
    for (int i = 2; i < parameter->rank; i++)
        window *= (double)parameter->dim[i];
    return (Fans){(double)parameter->dim[1] * window, (double)parameter->dim[0] * window};
}

static Init normal_init(double deviation)
{
    return (Init){INIT_NORMAL, 0, deviation};
}

/* The uniform distribution with this deviation. */
static Init uniform_init(double deviation)
{
    return (Init){INIT_UNIFORM, -sqrt(3) * deviation, sqrt(3) * deviation};
}

static double kaiming_deviation(const Parameter *parameter, const ArgValue *args)
{
    Fans fans = fans_of(parameter);
    return gain(args[2].word, args[0].real)
           / sqrt(strcmp(args[1].word, "fan_in") == 0 ? fans.in : fans.out);
}

static double xavier_deviation(const Parameter *parameter, const ArgValue *args)
{
    Fans fans = fans_of(parameter);
    return args[0].real * sqrt(2 / (fans.in + fans.out));
}

static Init kaiming_normal(const Parameter *parameter, const ArgValue *args)
{
    return normal_init(kaiming_deviation(parameter, args));
}

static Init kaiming_uniform(const Parameter *parameter, const ArgValue *args)
{
    return uniform_init(kaiming_deviation(parameter, args));
}

static Init xavier_normal(const Parameter *parameter, const ArgValue *args)
{
    return normal_init(xavier_deviation(parameter, args));
}

static Init xavier_uniform(const Parameter *parameter, const ArgValue *args)
{
    return uniform_init(xavier_deviation(parameter, args));
}

static Init normal(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_NORMAL, args[0].real, args[1].real};
}

static Init uniform(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_UNIFORM, args[0].real, args[1].real};
}

static Init constant(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_CONSTANT, args[0].real, 0};
}

/* In the order of `initialisers`. */
static const struct Rule {
    Init (*init)(const Parameter *parameter, const ArgValue *args);
    bool fans;
} rules[] = {
    {kaiming_normal, true}, {kaiming_uniform, true}, {xavier_normal, true}, {xavier_uniform, true},
    {normal, false},        {uniform, false},        {constant, false},
};
const Choice initialisers[] = {
    {"kaiming_normal", kaiming_args, NULL}, {"kaiming_uniform", kaiming_args, NULL},
    {"xavier_normal", xavier_args, NULL},   {"xavier_uniform", xavier_args, NULL},
    {"normal", normal_args, NULL},          {"uniform", uniform_args, NULL},
    {"constant", constant_args, NULL},      {0}};

static bool has_fans(Training *t, const Parameter *parameter, const char *name, Span at)
{
    if (parameter->rank >= 2)
        return true;
    Diagnostic *d = build_error(t->b, "argument-type", at,
                                "%s needs a fan_in and a fan_out, and %s has one dimension", name,
                                parameter->path);
    diag_help(d, "a narrower path, as \"*.weight\", or normal, uniform or constant");
    return false;
}

static void initialise(Training *t, const char *glob, const Choice *choice, const ArgValue *args,
                       Span at)
{
    const struct Rule *rule = &rules[choice - initialisers];
    for (int i = 0; i < t->graph->parameters.count; i++) {
        Parameter *parameter = t->graph->parameters.items[i];
        if (!matches(glob, parameter))
            continue;
        if (rule->fans && !has_fans(t, parameter, choice->name, at))
            return;
        parameter->init = rule->init(parameter, args);
    }
}

/* init "*.weight", kaiming_normal(mode=fan_out) */
void resolve_init(Training *t, const SettingDef *def)
{
    const char *glob = first_glob(t, def);
    const Expr *word = def->arguments.count == 2 ? def->arguments.items[1].value : NULL;
    if (word != NULL && word->kind == EXPR_ERROR)
        return;
    if (word == NULL || def->arguments.items[1].name != NULL
        || (word->kind != EXPR_PATH && word->kind != EXPR_CALL)) {
        build_error(t->b, "missing-argument", def->span,
                    "`init` takes paths and one initialiser: init \"*.weight\", kaiming_normal");
        return;
    }
    const Choice *choice = find_choice(t, "initialiser", initialisers, word);
    if (choice == NULL)
        return;
    const ArgValue *args = resolve_arguments(
        t->b, choice->name, choice->args, evaluate_arguments(t->b, &word->arguments), word->span);
    if (args == NULL || glob == NULL)
        return;
    if (choice->args == uniform_args && args[0].real > args[1].real)
        build_error(t->b, "argument-range", word->span,
                    "uniform from %.10g to %.10g: the lower comes first", args[0].real,
                    args[1].real);
    else
        initialise(t, glob, choice, args, word->span);
}

/* --------------------------------------------------------------- freeze */

static int count_unfrozen(const Graph *graph)
{
    int count = 0;
    for (int i = 0; i < graph->parameters.count; i++)
        count += graph->parameters.items[i]->kind == PARAMETER_TRAINED
                 && !graph->parameters.items[i]->frozen;
    return count;
}

/* freeze "features.0.*", "features.1.*" */
void resolve_freeze(Training *t, const SettingDef *def)
{
    if (first_word(t, def, "the parameters' paths, as \"conv1.*\"") == NULL)
        return;
    for (int i = 0; i < def->arguments.count; i++) {
        const Arg *arg = &def->arguments.items[i];
        if (arg->name != NULL) {
            build_error(t->b, "unknown-argument", arg->name_span, "`freeze` has no argument `%s`",
                        arg->name);
            continue;
        }
        const char *glob = read_glob(t, arg->value);
        for (int k = 0; glob != NULL && k < t->graph->parameters.count; k++)
            t->graph->parameters.items[k]->frozen |= matches(glob, t->graph->parameters.items[k]);
    }
    t->freeze_span = def->span;
    t->unfrozen = count_unfrozen(t->graph);
}

void check_frozen(Training *t)
{
    if (t->unfrozen == 0 && t->graph->output != NULL && t->graph->parameters.count > 0)
        build_error(t->b, "argument-range", t->freeze_span,
                    "every parameter is frozen: nothing is left to train");
}

/* ---------------------------------------------------------------- group */

const ArgSpec group_args[] = {{"lr", ARG_REAL, .otherwise = "none", .maximum = 1000,
                               .doc = "Learning rate; the optimizer's when not given."},
                              {"weight_decay", ARG_REAL, .otherwise = "none", .maximum = 1000,
                               .doc = "Weight decay; the optimizer's when not given."},
                              {0}};

/* group "*.bias", weight_decay=0 */
void resolve_group(Training *t, const SettingDef *def)
{
    static const Choice group = {"group", group_args, NULL};
    const char *glob = first_glob(t, def);
    ArgList rest = {0};
    for (int i = 1; i < def->arguments.count; i++)
        push(&rest, def->arguments.items[i]);
    const char *path = format("group.%d", ++t->groups);
    if (glob != NULL)
        add_word(t, path, glob, def->span);
    const ArgValue *args =
        def->arguments.count > 0
            ? add_choice(t, path, &group, evaluate_arguments(t->b, &rest), def->span)
            : NULL;
    if (args != NULL && !args[0].given && !args[1].given)
        build_error(t->b, "missing-argument", def->span, "`group` needs lr= or weight_decay=");
    for (int i = 0; glob != NULL && i < t->graph->parameters.count; i++)
        if (matches(glob, t->graph->parameters.items[i]))
            t->graph->parameters.items[i]->group = t->groups;
}
