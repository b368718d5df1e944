/* training.c: the train section.
 *
 * Every setting has a row in `settings`, every optimizer and schedule a row in
 * its own table with its arguments; a new one is one row.  What the user wrote
 * is resolved, defaults filled in, into a flat list by path ("optimizer.lr"),
 * which the runtime reads and its command line overrides.  The data set's
 * shape and classes, where they are known, are checked against the network.
 */
#include "build.h"

#include <string.h>

#define ANY_SIZE 2147483647.0

typedef struct Training {
    Builder *b;
    Graph *graph;
    const TrainDef *train;
} Training;

/* ----------------------------------------------------------- the tables */

typedef struct Choice { const char *name; const ArgSpec *args; } Choice;

static const ArgSpec sgd_args[] = {
    {"lr", ARG_REAL, .maximum = 1000, .doc = "Learning rate."},
    {"momentum", ARG_REAL, .otherwise = "0", .maximum = 1, .doc = "Weight of the velocity of the step before."},
    {"dampening", ARG_REAL, .otherwise = "0", .maximum = 1, .doc = "Part of the gradient kept out of the velocity."},
    {"weight_decay", ARG_REAL, .otherwise = "0", .maximum = 1000, .doc = "Times the weight, added to its gradient."},
    {"nesterov", ARG_BOOL, .otherwise = "false", .doc = "Whether the gradient is taken a step ahead."},
    {0}
};

static const ArgSpec adam_args[] = {
    {"lr", ARG_REAL, .otherwise = "1e-3", .maximum = 1000, .doc = "Learning rate."},
    {"beta1", ARG_REAL, .otherwise = "0.9", .maximum = 0.9999999, .doc = "Decay of the gradient's running mean."},
    {"beta2", ARG_REAL, .otherwise = "0.999", .maximum = 0.9999999, .doc = "Decay of the squared gradient's running mean."},
    {"eps", ARG_REAL, .otherwise = "1e-8", .maximum = 1, .doc = "Added to the denominator."},
    {"weight_decay", ARG_REAL, .otherwise = "0", .maximum = 1000, .doc = "Times the weight, added to its gradient."},
    {0}
};

static const Choice optimizers[] = {{"sgd", sgd_args}, {"adam", adam_args}, {0}};

static const char *const units[] = {"epoch", "step", NULL};

static const ArgSpec constant_args[] = {
    {"warmup", ARG_INT, .otherwise = "0", .maximum = ANY_SIZE, .doc = "Epochs or steps over which the rate rises from 0."},
    {"by", ARG_WORD, .otherwise = "epoch", .words = units, .doc = "What the schedule counts."},
    {0}
};

static const ArgSpec cosine_args[] = {
    {"warmup", ARG_INT, .otherwise = "0", .maximum = ANY_SIZE, .doc = "Epochs or steps over which the rate rises from 0."},
    {"by", ARG_WORD, .otherwise = "epoch", .words = units, .doc = "What the schedule counts."},
    {"T_max", ARG_INT, .otherwise = "none", .minimum = 1, .maximum = ANY_SIZE,
     .doc = "Epochs or steps to the lowest rate; the whole training when not given."},
    {"eta_min", ARG_REAL, .otherwise = "0", .maximum = 1000, .doc = "The lowest rate."},
    {0}
};

static const Choice schedules[] = {{"constant", constant_args}, {"cosine", cosine_args}, {0}};

static const ArgSpec batch_args[] = {
    {"batch", ARG_INT, .positional = true, .minimum = 1, .maximum = 65536, .doc = "Images per step."}, {0}
};
static const ArgSpec epochs_args[] = {
    {"epochs", ARG_INT, .positional = true, .minimum = 1, .maximum = 1000000, .doc = "Passes over the training images."}, {0}
};
static const ArgSpec seed_args[] = {
    {"seed", ARG_INT, .positional = true, .otherwise = "1", .maximum = ANY_SIZE, .doc = "Of every random number."}, {0}
};

static const struct DataSet { const char *name; int64_t dim[3], classes; } data_sets[] = {
    {"mnist", {1, 28, 28}, 10}, {"fashion_mnist", {1, 28, 28}, 10}, {"kmnist", {1, 28, 28}, 10},
    {"synthetic", {1, 28, 28}, 10}, {"cifar10", {3, 32, 32}, 10}, {0}
};

/* ------------------------------------------------------------- settings */

const Setting *find_setting(const Graph *graph, const char *path)
{
    for (int i = 0; i < graph->settings.count; i++)
        if (strcmp(graph->settings.items[i].path, path) == 0)
            return &graph->settings.items[i];
    return NULL;
}

static void add_number(Training *t, const char *path, double number, Span span)
{
    Setting setting = {.path = path, .kind = SETTING_NUMBER, .number = number, .span = span};
    push(&t->graph->settings, setting);
}

static void add_word(Training *t, const char *path, const char *word, Span span)
{
    Setting setting = {.path = path, .kind = SETTING_WORD, .word = word, .span = span};
    push(&t->graph->settings, setting);
}

/* Every argument under "prefix.name"; one that is absent by default, not at all. */
static void add_arguments(Training *t, const char *prefix, const ArgSpec *specs, const ArgValue *values)
{
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++) {
        const ArgValue *value = &values[i];
        const char *path = format("%s.%s", prefix, specs[i].name);
        if (!value->given && strcmp(specs[i].otherwise, "none") == 0)
            continue;
        if (value->word != NULL && specs[i].kind != ARG_BOOL)
            add_word(t, path, value->word, value->span);
        else
            add_number(t, path, specs[i].kind == ARG_REAL ? value->real : (double)value->integer[0], value->span);
    }
}

/* The word or text that a setting begins with: `data mnist`, `optimizer sgd(…)`. */
static const Expr *first_word(Training *t, const SettingDef *def, const char *what)
{
    const Arg *first = def->arguments.count > 0 ? &def->arguments.items[0] : NULL;
    const Expr *word = first != NULL && first->name == NULL ? first->value : NULL;
    if (word != NULL && word->kind == EXPR_ERROR)
        return NULL;
    if (word != NULL && (word->kind == EXPR_PATH || word->kind == EXPR_CALL || word->kind == EXPR_TEXT))
        return word;
    build_error(t->b, "missing-argument", def->span, "`%s` begins with %s", def->name, what);
    return NULL;
}

/* The arguments in the call's brackets, then those after it. */
static const Arguments *choice_arguments(Training *t, const SettingDef *def, const Expr *word)
{
    ArgList rest = {0};
    for (int i = 1; i < def->arguments.count; i++)
        push(&rest, def->arguments.items[i]);
    return joined_arguments(evaluate_arguments(t->b, &word->arguments), evaluate_arguments(t->b, &rest));
}

/* adam's betas=(0.9, 0.999), as PyTorch writes it: beta1 and beta2. */
static const Arguments *split_betas(const Arguments *args)
{
    Arguments *split = NEW(Arguments);
    for (int i = 0; i < args->count; i++) {
        Argument arg = args->items[i];
        bool pair = arg.name == intern("betas") && arg.value.kind == VALUE_LIST && arg.value.list->values.count == 2;
        for (int k = 0; pair && k < 2; k++) {
            Argument beta = arg;
            beta.name = intern(k == 0 ? "beta1" : "beta2");
            beta.value = arg.value.list->values.items[k];
            push(split, beta);
        }
        if (!pair)
            push(split, arg);
    }
    return split;
}

static const Choice *find_choice(Training *t, const char *setting, const Choice *choices, const Expr *word)
{
    LIST(const char *) names = {0};
    Text list = {0};
    for (int i = 0; choices[i].name != NULL; i++) {
        if (word->word != NULL && strcmp(choices[i].name, word->word) == 0)
            return &choices[i];
        push(&names, choices[i].name);
        text_add(&list, "%s%s", i > 0 ? ", " : "", choices[i].name);
    }
    push(&names, NULL);
    Span at = word->kind == EXPR_CALL ? word->word_span : word->span;
    const char *written = span_text(at);
    Diagnostic *d = build_error(t->b, "unknown-name", at, "no %s is named %s", setting, written);
    const char *near = nearest(written, names.items);
    if (near != NULL)
        diag_fix(d, at, near, "the nearest is %s", near);
    diag_note(d, "%s may be: %s", setting, text_chars(&list));
    return NULL;
}

/* NULL: reported. */
static const ArgValue *resolve_choice(Training *t, const SettingDef *def, const Choice *choices, const char *what)
{
    const Expr *word = first_word(t, def, what);
    const Choice *choice = word != NULL ? find_choice(t, def->name, choices, word) : NULL;
    if (choice == NULL)
        return NULL;
    const Arguments *args = split_betas(choice_arguments(t, def, word));
    const ArgValue *values = resolve_arguments(t->b, choice->name, choice->args, args, word->span);
    if (values == NULL)
        return NULL;
    add_word(t, def->name, intern(choice->name), word->span);
    add_arguments(t, def->name, choice->args, values);
    return values;
}

static double setting_number(const Training *t, const char *path)
{
    const Setting *setting = find_setting(t->graph, path);
    return setting != NULL ? setting->number : 0;
}

/* PyTorch's rule for Nesterov's momentum. */
static void resolve_optimizer(Training *t, const SettingDef *def)
{
    resolve_choice(t, def, optimizers, "an optimizer: sgd(lr=0.01), adam");
    if (setting_number(t, "optimizer.nesterov") == 0)
        return;
    if (setting_number(t, "optimizer.momentum") <= 0 || setting_number(t, "optimizer.dampening") != 0)
        build_error(t->b, "argument-range", find_setting(t->graph, "optimizer.nesterov")->span,
                    "nesterov needs a momentum above 0, and dampening 0");
}

static void resolve_schedule(Training *t, const SettingDef *def)
{
    resolve_choice(t, def, schedules, "a schedule: constant, cosine");
}

/* `batch 64`: one argument, called as the setting. */
static void resolve_number(Training *t, const SettingDef *def, const ArgSpec *specs)
{
    const ArgValue *values = resolve_arguments(t->b, def->name, specs, evaluate_arguments(t->b, &def->arguments), def->span);
    if (values != NULL)
        add_number(t, def->name, (double)values[0].integer[0], values[0].span);
}

static void resolve_batch(Training *t, const SettingDef *def)
{
    resolve_number(t, def, batch_args);
}

static void resolve_epochs(Training *t, const SettingDef *def)
{
    resolve_number(t, def, epochs_args);
}

static void resolve_seed(Training *t, const SettingDef *def)
{
    resolve_number(t, def, seed_args);
}

/* ----------------------------------------------------------------- data */

static const struct DataSet *find_data_set(const char *name)
{
    for (int i = 0; data_sets[i].name != NULL; i++)
        if (strcmp(data_sets[i].name, name) == 0)
            return &data_sets[i];
    return NULL;
}

static void report_unknown_data(Training *t, const Expr *word)
{
    LIST(const char *) names = {0};
    Text list = {0};
    for (int i = 0; data_sets[i].name != NULL; i++) {
        push(&names, data_sets[i].name);
        text_add(&list, "%s%s", i > 0 ? ", " : "", data_sets[i].name);
    }
    push(&names, NULL);
    Diagnostic *d = build_error(t->b, "unknown-name", word->span, "no data set is named %s", word->word);
    const char *near = nearest(word->word, names.items);
    if (near != NULL)
        diag_fix(d, word->span, near, "the nearest is %s", near);
    diag_note(d, "known are: %s; a folder is written \"folder\"", text_chars(&list));
}

static void check_input(Training *t, const struct DataSet *set, Span at)
{
    const Tensor *input = t->graph->input;
    Shape shape = shape_of(3, set->dim[0], set->dim[1], set->dim[2]);
    if (input == NULL || shape_equal(input->shape, shape))
        return;
    Diagnostic *d = build_error(t->b, "shape-mismatch", t->graph->input_span, "the network's input is %s, but %s has images %s",
                                shape_text(input->shape), set->name, shape_text(shape));
    diag_label(d, at, "%s", shape_text(shape));
}

/* The last layer with weights whose output the logits are: the one to mend. */
static const Node *final_layer(const Graph *graph)
{
    const Node *last = graph->output->producer;
    for (const Node *node = last; node != NULL; node = node->inputs.items[0]->producer) {
        if (!shape_equal(node->out_shape, graph->output->shape))
            break;
        if (node->parameters.count > 0)
            return node;
    }
    return last;
}

static void check_classes(Training *t, const struct DataSet *set, Span at)
{
    const Tensor *output = t->graph->output;
    if (output == NULL || output->shape.rank != 1 || output->shape.dim[0] == set->classes || output->producer == NULL)
        return;
    const Node *layer = final_layer(t->graph);
    Diagnostic *d = node_error(layer, "classes-mismatch", layer->span, "%s gives %lld values, but %s has %lld classes",
                               layer->path, (long long)output->shape.dim[0], set->name, (long long)set->classes);
    diag_caption(d, "%lld values, one per class", (long long)output->shape.dim[0]);
    diag_label(d, at, "%lld classes", (long long)set->classes);
}

static void resolve_data(Training *t, const SettingDef *def)
{
    const Expr *word = first_word(t, def, "a data set's name, or \"folder\"");
    if (word == NULL)
        return;
    if (def->arguments.count > 1 || word->kind == EXPR_CALL) {
        build_error(t->b, "too-many-arguments", def->span, "`data` takes one name");
        return;
    }
    if (word->kind == EXPR_TEXT) {
        Value text = evaluate(t->b, word);
        if (text.kind == VALUE_TEXT && text.word[0] == '\0')
            build_error(t->b, "value-type", word->span, "the folder's name is empty");
        else if (text.kind == VALUE_TEXT)
            add_word(t, "data", text.word, word->span);
        return;
    }
    const struct DataSet *set = find_data_set(word->word);
    if (set == NULL) {
        report_unknown_data(t, word);
        return;
    }
    add_word(t, "data", word->word, word->span);
    check_input(t, set, word->span);
    check_classes(t, set, word->span);
}

/* ------------------------------------------------------------ normalize */

/* One number, or a list of one per channel. */
static bool read_numbers(Training *t, const Argument *arg, double minimum, Setting *setting)
{
    bool list = arg->value.kind == VALUE_LIST;
    int count = list ? arg->value.list->values.count : 1;
    for (int i = 0; i < count; i++) {
        const Value *value = list ? &arg->value.list->values.items[i] : &arg->value;
        ArgSpec spec = {arg->name, ARG_REAL, .positional = true, .minimum = minimum, .maximum = 1e6};
        ArgSpec specs[] = {spec, {0}};
        Arguments one = {0};
        Argument item = {NULL, arg->name_span, arg->span, *value};
        push(&one, item);
        const ArgValue *number = resolve_arguments(t->b, "normalize", specs, &one, arg->span);
        if (number == NULL)
            return false;
        push(&setting->list, number->real);
    }
    return true;
}

static bool fits_channels(Training *t, const Argument *arg, int count)
{
    const Tensor *input = t->graph->input;
    if (count == 1 || input == NULL || input->shape.dim[0] == count)
        return true;
    Diagnostic *d = build_error(t->b, "shape-mismatch", arg->span, "`%s` lists %d numbers, but the input has %lld channels",
                                arg->name, count, (long long)input->shape.dim[0]);
    diag_label(d, t->graph->input_span, "%s", shape_text(input->shape));
    return false;
}

static const Argument *find_named(const Arguments *args, const char *name)
{
    for (int i = 0; i < args->count; i++)
        if (args->items[i].name == intern(name))
            return &args->items[i];
    return NULL;
}

static void resolve_moment(Training *t, const Arguments *args, const char *name, double minimum)
{
    const Argument *arg = find_named(args, name);
    if (arg == NULL)
        return;
    Setting setting = {.path = format("normalize.%s", name), .kind = SETTING_LIST, .span = arg->span};
    if (read_numbers(t, arg, minimum, &setting) && fits_channels(t, arg, setting.list.count))
        push(&t->graph->settings, setting);
}

/* Its arguments may be lists, which no table kind is; a table with the same
 * names still says what is missing, unknown or given twice. */
static void resolve_normalize(Training *t, const SettingDef *def)
{
    static const ArgSpec specs[] = {{"mean", ARG_REAL, .doc = NULL}, {"std", ARG_REAL, .doc = NULL}, {0}};
    const Arguments *args = evaluate_arguments(t->b, &def->arguments);
    Arguments names = {0};
    for (int i = 0; i < args->count; i++) {
        Argument name = args->items[i];
        if (name.value.kind == VALUE_LIST)
            name.value = int_value(0);
        push(&names, name);
    }
    if (resolve_arguments(t->b, "normalize", specs, &names, def->span) == NULL)
        return;
    resolve_moment(t, args, "mean", -1e6);
    resolve_moment(t, args, "std", 1e-6);
}

/* ----------------------------------------------------------------- loss */

static const Operator *find_loss(Training *t, const Expr *word)
{
    LIST(Choice) losses = {0};
    for (int i = 0; operators[i] != NULL; i++)
        if (operators[i]->traits & OP_LOSS)
            push(&losses, ((Choice){operators[i]->name, operators[i]->args}));
    push(&losses, (Choice){0});
    const Choice *choice = find_choice(t, "loss", losses.items, word);
    return choice != NULL ? find_operator(choice->name) : NULL;
}

static const char *loss_path(const Graph *graph)
{
    for (int i = 0; i < graph->nodes.count; i++)
        if (strcmp(graph->nodes.items[i]->path, "loss") == 0)
            return "the loss";
    return "loss";
}

static void add_loss_node(Training *t, const Operator *op, ArgValue *args, Span span)
{
    const char *path = loss_path(t->graph);
    Node *node = new_node(t->graph, STAGE_FORWARD, op);
    node->path = path;
    node->span = span;
    node->args = args;
    push(&node->inputs, t->graph->output);
    if (op->infer(node))
        t->graph->loss = node;
}

static void resolve_loss(Training *t, const SettingDef *def)
{
    const Expr *word = first_word(t, def, "a loss: cross_entropy");
    const Operator *op = word != NULL ? find_loss(t, word) : NULL;
    if (op == NULL)
        return;
    ArgValue *values = resolve_arguments(t->b, op->name, op->args, choice_arguments(t, def, word), word->span);
    if (values == NULL)
        return;
    add_word(t, "loss", intern(op->name), word->span);
    add_arguments(t, "loss", op->args, values);
    if (t->graph->output != NULL && t->graph->output->producer != NULL)
        add_loss_node(t, op, values, word->span);
}

/* -------------------------------------------------------------- section */

static const struct SettingRow {
    const char *name;
    bool required;
    void (*resolve)(Training *t, const SettingDef *def);
} rows[] = {
    {"data", true, resolve_data},
    {"normalize", false, resolve_normalize},
    {"loss", true, resolve_loss},
    {"optimizer", true, resolve_optimizer},
    {"schedule", false, resolve_schedule},
    {"batch", true, resolve_batch},
    {"epochs", true, resolve_epochs},
    {"seed", false, resolve_seed},
};
enum { ROWS = sizeof rows / sizeof *rows };

static int find_row(const char *name)
{
    for (int i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return i;
    return -1;
}

static void report_unknown_setting(Training *t, const SettingDef *def)
{
    const char *names[ROWS + 1] = {0};
    Text list = {0};
    for (int i = 0; i < ROWS; i++) {
        names[i] = rows[i].name;
        text_add(&list, "%s%s", i > 0 ? ", " : "", rows[i].name);
    }
    Diagnostic *d = build_error(t->b, "unknown-setting", def->name_span, "the train section has no setting `%s`", def->name);
    const char *near = nearest(def->name, names);
    if (near != NULL)
        diag_fix(d, def->name_span, near, "the nearest is %s", near);
    diag_note(d, "settings are: %s", text_chars(&list));
}

/* A misspelt setting also leaves one missing: that is one cause, and told once. */
static void report_missing(Training *t, const SettingDef *const *given, int unknown)
{
    Text list = {0};
    int missing = 0;
    for (int i = 0; i < ROWS; i++)
        if (rows[i].required && given[i] == NULL)
            text_add(&list, "%s%s", missing++ > 0 ? ", " : "", rows[i].name);
    if (missing > unknown)
        build_error(t->b, "missing-setting", t->train->span, "the train section lacks %s", text_chars(&list));
}

static void resolve_section(Training *t)
{
    const SettingDef *given[ROWS] = {0};
    int unknown = 0;
    for (int i = 0; i < t->train->settings.count; i++) {
        const SettingDef *def = &t->train->settings.items[i];
        int row = find_row(def->name);
        if (row < 0) {
            report_unknown_setting(t, def);
            unknown++;
        } else if (given[row] != NULL) {
            Diagnostic *d = build_error(t->b, "duplicate-setting", def->span, "`%s` is set twice", def->name);
            diag_label(d, given[row]->span, "the first");
        } else {
            given[row] = def;
            rows[row].resolve(t, def);
        }
    }
    report_missing(t, given, unknown);
    if (given[find_row("schedule")] == NULL) {
        Arguments none = {0};
        add_word(t, "schedule", intern("constant"), t->train->span);
        add_arguments(t, "schedule", constant_args, resolve_arguments(t->b, "constant", constant_args, &none, t->train->span));
    }
    if (given[find_row("seed")] == NULL)
        add_number(t, "seed", 1, t->train->span);
}

/* The builder calls this too, so that its faults are told together with the
 * network's; a second call finds the section resolved. */
void resolve_training(Graph *graph)
{
    const TrainDef *train = graph->program->train;
    if (train == NULL || graph->train_span.source != NULL)
        return;
    graph->train_span = train->span;
    Builder b = {.program = graph->program, .graph = graph, .frame = new_frame("")};
    Training t = {&b, graph, train};
    resolve_section(&t);
}
