/* training.c: the train section.
 *
 * Every setting has a row in `rows`, every optimizer and schedule a row in
 * its own table with its arguments (training_recipe.c); a new one is one row.  What the user wrote
 * is resolved, defaults filled in, into a flat list by path ("optimizer.lr"),
 * which the runtime reads and its command line overrides.
 */
#include "graph/training.h"

#include <string.h>

/* ----------------------------------------------------------- the tables */

static const ArgSpec clip_args[] = {{"norm", ARG_REAL, .otherwise = "none", .maximum = 1e12,
                                     .doc = "The most that all gradients' common norm may be."},
                                    {"value", ARG_REAL, .otherwise = "none", .maximum = 1e12,
                                     .doc = "The most that any one gradient may be, either way."},
                                    {"adaptive", ARG_REAL, .otherwise = "none", .maximum = 1e12,
                                     .doc = "The most that the norm of a unit's gradient may be, "
                                            "times the norm of its weights; a unit is what makes "
                                            "one output (Brock et al. 2021)."},
                                    {"eps", ARG_REAL, .otherwise = "none", .maximum = 1e12,
                                     .doc = "Of adaptive: no weights' norm counts as less; 0.001 "
                                            "when not given."},
                                    {0}};
static const ArgSpec batch_args[] = {{"batch", ARG_INT, .positional = true, .minimum = 1,
                                      .maximum = 65536, .doc = "Images per step."},
                                     {0}};
static const ArgSpec accumulate_args[] = {{"accumulate", ARG_INT, .positional = true, .minimum = 1,
                                           .maximum = 65536,
                                           .doc = "Batches whose gradients make one step."},
                                          {0}};
static const ArgSpec ema_args[] = {
    {"decay", ARG_REAL, .positional = true, .maximum = 0.9999999999,
     .doc = "What the average keeps of itself; the rest is the weights."},
    {"every", ARG_INT, .otherwise = "1", .minimum = 1, .maximum = ANY_SIZE,
     .doc = "Steps from one change of the average to the next."},
    {"warmup", ARG_INT, .otherwise = "0", .maximum = ANY_SIZE,
     .doc = "Epochs in which the average is a copy of the weights."},
    {0}};
static const ArgSpec epochs_args[] = {{"epochs", ARG_INT, .positional = true, .minimum = 1,
                                       .maximum = 1000000,
                                       .doc = "Passes over the training images."},
                                      {0}};
static const ArgSpec validation_args[] = {
    {"validation", ARG_REAL, .positional = true, .maximum = 0.99,
     .doc = "So much of the training images, or a \"folder\" of others: what a run is judged by."},
    {0}};
static const ArgSpec stop_args[] = {
    {"patience", ARG_INT, .positional = true, .minimum = 1, .maximum = 1000000,
     .doc = "Epochs without a better figure, after which the run stops."},
    {"min_delta", ARG_REAL, .otherwise = "0", .maximum = 1e6,
     .doc = "How much better a figure must be to count."},
    {"monitor", ARG_WORD, .otherwise = "none", .words = any_word, .doc = MONITOR_DOC},
    {0}};
static const ArgSpec seed_args[] = {{"seed", ARG_INT, .positional = true, .otherwise = "1",
                                     .maximum = ANY_SIZE, .doc = "Of every random number."},
                                    {0}};

/* ------------------------------------------------------------- settings */

const Setting *find_setting(const Graph *graph, const char *path)
{
    for (int i = 0; i < graph->settings.count; i++)
        if (strcmp(graph->settings.items[i].path, path) == 0)
            return &graph->settings.items[i];
    return NULL;
}

void add_number(Training *t, const char *path, double number, Span span)
{
    Setting setting = {.path = path, .kind = SETTING_NUMBER, .number = number, .span = span};
    push(&t->graph->settings, setting);
}

void add_word(Training *t, const char *path, const char *word, Span span)
{
    Setting setting = {.path = path, .kind = SETTING_WORD, .word = word, .span = span};
    push(&t->graph->settings, setting);
}

const Argument *find_named(const Arguments *args, const char *name)
{
    for (int i = 0; i < args->count; i++)
        if (args->items[i].name == intern(name))
            return &args->items[i];
    return NULL;
}

/* ---------------------------------------------------- arguments as lists */

static const ListRule *find_list(const Choice *choice, const char *name)
{
    for (const ListRule *rule = choice->lists; rule != NULL && rule->name != NULL; rule++)
        if (strcmp(rule->name, name) == 0)
            return rule;
    return NULL;
}

/* The name of the argument that stands unnamed behind so many others; NULL: there is none. */
static const char *positional_name(const Choice *choice, int before)
{
    for (const ArgSpec *spec = choice->args; spec != NULL && spec->name != NULL; spec++)
        if (spec->positional && before-- == 0)
            return spec->name;
    return NULL;
}

/* A list's place in the table, which knows single values only, is taken by its
 * first; an empty list stays, and is told to be no number.  What is no list of ours, as a pair,
 * stays too. */
static const Arguments *without_lists(const Choice *choice, const Arguments *args)
{
    Arguments *single = NEW(Arguments);
    int unnamed = 0;
    for (int i = 0; i < args->count; i++) {
        Argument arg = args->items[i];
        const char *name = arg.name != NULL ? arg.name : positional_name(choice, unnamed++);
        bool list = arg.value.kind == VALUE_LIST && arg.value.list->values.count > 0;
        if (list && (name == NULL || find_list(choice, name) != NULL))
            arg.value = arg.value.list->values.items[0];
        push(single, arg);
    }
    return single;
}

/* The argument that a resolved value came from. */
static const Argument *written_argument(const Arguments *args, const ArgValue *value)
{
    for (int i = 0; i < args->count; i++)
        if (args->items[i].span.line == value->span.line
            && args->items[i].span.column == value->span.column)
            return &args->items[i];
    return NULL;
}

/* One number, or a list of so many. */
static bool add_list(Training *t, const char *subject, const char *path, const ArgSpec *spec,
                     const ListRule *rule, const Argument *arg)
{
    bool list = arg->value.kind == VALUE_LIST;
    int count = list ? arg->value.list->values.count : 1;
    Setting setting = {.path = path, .kind = SETTING_LIST, .span = arg->span};
    if (count < rule->min_count || count > rule->max_count) {
        build_error(t->b, "argument-type", arg->span, "`%s` of %s takes %d%s number%s, not %d",
                    spec->name, subject, rule->min_count,
                    rule->max_count > rule->min_count ? format(" to %d", rule->max_count) : "",
                    rule->max_count > 1 ? "s" : "", count);
        return false;
    }
    ArgSpec specs[] = {*spec, {0}};
    specs[0].positional = true;
    for (int i = 0; i < count; i++) {
        Arguments one = {0};
        Argument item = {NULL,      arg->name_span,
                         arg->span, list ? arg->value.list->values.items[i] : arg->value,
                         NULL,      false};
        push(&one, item);
        const ArgValue *number = resolve_arguments(t->b, subject, specs, &one, arg->span);
        if (number == NULL)
            return false;
        push(&setting.list, spec->kind == ARG_REAL ? number->real : (double)number->integer[0]);
    }
    push(&t->graph->settings, setting);
    return true;
}

/* ------------------------------------------------------------- choices */

static void add_pair(Training *t, const char *path, const ArgValue *value)
{
    Setting setting = {.path = path, .kind = SETTING_LIST, .span = value->span};
    push(&setting.list, (double)value->integer[0]);
    push(&setting.list, (double)value->integer[1]);
    push(&t->graph->settings, setting);
}

/* loss.weights are the classes', loss.weight is the loss's own. */
static void add_values(Training *t, const char *path, const ArgValue *value)
{
    Setting setting = {.path = path, .kind = SETTING_LIST, .span = value->span};
    for (int i = 0; i < value->count; i++)
        push(&setting.list, value->reals[i]);
    push(&t->graph->settings, setting);
}

/* Every argument under "prefix.name"; one that is absent by default, not at all. */
static bool add_arguments(Training *t, const char *prefix, const Choice *choice,
                          const ArgValue *values, const Arguments *args)
{
    const ArgSpec *specs = choice->args;
    bool good = true;
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++) {
        const ArgValue *value = &values[i];
        const char *path = format("%s.%s", prefix, specs[i].name);
        const ListRule *rule = find_list(choice, specs[i].name);
        if (!value->given && strcmp(specs[i].otherwise, "none") == 0)
            continue;
        if (rule != NULL && value->given && value->word == NULL)
            good &= add_list(t, choice->name, path, &specs[i], rule, written_argument(args, value));
        else if (specs[i].kind == ARG_PAIR)
            add_pair(t, path, value);
        else if (specs[i].kind == ARG_VALUES)
            add_values(t, format("%ss", path), value);
        else if (value->word != NULL && specs[i].kind != ARG_BOOL)
            add_word(t, path, value->word, value->span);
        else
            add_number(t, path, specs[i].kind == ARG_REAL ? value->real : (double)value->integer[0],
                       value->span);
    }
    return good;
}

const ArgValue *add_choice(Training *t, const char *prefix, const Choice *choice,
                           const Arguments *args, Span span)
{
    const ArgValue *values =
        resolve_arguments(t->b, choice->name, choice->args, without_lists(choice, args), span);
    return values != NULL && add_arguments(t, prefix, choice, values, args) ? values : NULL;
}

const Expr *first_word(Training *t, const SettingDef *def, const char *what)
{
    const Arg *first = def->arguments.count > 0 ? &def->arguments.items[0] : NULL;
    const Expr *word = first != NULL && first->name == NULL ? first->value : NULL;
    if (word != NULL && word->kind == EXPR_ERROR)
        return NULL;
    if (word != NULL
        && (word->kind == EXPR_PATH || word->kind == EXPR_CALL || word->kind == EXPR_TEXT))
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
    return joined_arguments(evaluate_arguments(t->b, &word->arguments),
                            evaluate_arguments(t->b, &rest));
}

/* adam's betas=(0.9, 0.999), as PyTorch writes it: beta1 and beta2. */
static const Arguments *split_betas(const Arguments *args)
{
    Arguments *split = NEW(Arguments);
    for (int i = 0; i < args->count; i++) {
        Argument arg = args->items[i];
        bool pair = arg.name == intern("betas") && arg.value.kind == VALUE_LIST
                    && arg.value.list->values.count == 2;
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

const Choice *find_choice(Training *t, const char *setting, const Choice *choices, const Expr *word)
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
    const char *near = nearest_for(d, other_choice(written), names.items);
    if (near != NULL)
        diag_fix(d, at, near, "the nearest is %s", near);
    else if (strcmp(setting, "loss") == 0)
        diag_help(d, "one's own is defined outside all braces, as `loss dice(p, t) = "
                     "1 - 2*sum(p*t)/(sum(p) + sum(t))`");
    diag_note(d, "%s may be: %s", setting, text_chars(&list));
    return NULL;
}

const ArgValue *resolve_choice(Training *t, const SettingDef *def, const Choice *choices,
                               const char *what)
{
    const Expr *word = first_word(t, def, what);
    const Choice *choice = word != NULL ? find_choice(t, def->name, choices, word) : NULL;
    if (choice == NULL)
        return NULL;
    add_word(t, def->name, intern(choice->name), word->span);
    return add_choice(t, def->name, choice, split_betas(choice_arguments(t, def, word)),
                      word->span);
}

double setting_number(const Training *t, const char *path)
{
    const Setting *setting = find_setting(t->graph, path);
    return setting != NULL ? setting->number : 0;
}

static void resolve_clip(Training *t, const SettingDef *def)
{
    static const Choice clip = {"clip", clip_args, NULL};
    const ArgValue *values =
        add_choice(t, "clip", &clip, evaluate_arguments(t->b, &def->arguments), def->span);
    if (values == NULL)
        return;
    int given = values[0].given + values[1].given + values[2].given;
    if (given != 1)
        build_error(t->b, given > 1 ? "duplicate-argument" : "missing-argument", def->span,
                    "`clip` takes one of norm=, value= and adaptive=, %s",
                    given > 1 ? "not several" : "and has none");
    else if (values[3].given && !values[2].given)
        build_error(t->b, "unknown-argument", values[3].span,
                    "`eps` is the least norm of weights that adaptive= divides by: leave it out");
}

/* `batch 64`: one argument, called as the setting. */
static void resolve_number(Training *t, const SettingDef *def, const ArgSpec *specs)
{
    const ArgValue *values = resolve_arguments(
        t->b, def->name, specs, evaluate_arguments(t->b, &def->arguments), def->span);
    if (values != NULL)
        add_number(t, def->name, (double)values[0].integer[0], values[0].span);
}

static void resolve_batch(Training *t, const SettingDef *def)
{
    resolve_number(t, def, batch_args);
}

static void resolve_accumulate(Training *t, const SettingDef *def)
{
    resolve_number(t, def, accumulate_args);
}

static void resolve_ema(Training *t, const SettingDef *def)
{
    static const Choice ema = {"ema", ema_args, NULL};
    add_choice(t, "ema", &ema, evaluate_arguments(t->b, &def->arguments), def->span);
}

static void resolve_epochs(Training *t, const SettingDef *def)
{
    resolve_number(t, def, epochs_args);
}

static void resolve_seed(Training *t, const SettingDef *def)
{
    resolve_number(t, def, seed_args);
}

/* `validation 0.1`, or `validation "folder"`: two paths, of which the run uses the number
 * where it is above 0. */
static void resolve_validation(Training *t, const SettingDef *def)
{
    const Expr *word = def->arguments.count == 1 ? def->arguments.items[0].value : NULL;
    if (word == NULL || word->kind != EXPR_TEXT) {
        const ArgValue *values = resolve_arguments(
            t->b, def->name, validation_args, evaluate_arguments(t->b, &def->arguments), def->span);
        if (values != NULL)
            add_number(t, "validation", values[0].real, values[0].span);
        return;
    }
    Value text = evaluate(t->b, word);
    if (text.kind == VALUE_TEXT && text.word[0] == '\0')
        build_error(t->b, "value-type", word->span, "the folder's name is empty");
    else if (text.kind == VALUE_TEXT)
        add_word(t, "validation.data", text.word, word->span);
}

static void resolve_stop(Training *t, const SettingDef *def)
{
    static const Choice stop = {"stop", stop_args, NULL};
    if (add_choice(t, "stop", &stop, evaluate_arguments(t->b, &def->arguments), def->span) != NULL)
        check_monitor(t, "stop.monitor");
}

/* ----------------------------------------------------------------- loss */

static const ArgSpec loss_args[] = {{"weight", ARG_REAL, .otherwise = "1", .minimum = -1e6,
                                     .maximum = 1e6, .doc = "What this loss is multiplied by."},
                                    {"standardize", ARG_BOOL, .otherwise = "none",
                                     .doc = "Of mse, l1, huber and smooth_l1: whether the target "
                                            "is less its mean, over its deviation, to the loss "
                                            "(answers and figures have its own unit in any case); "
                                            "when not given, where a layer without an activation "
                                            "makes an output of one axis."},
                                    {0}};

/* What a loss says of a target: `target=NAME`. */
typedef struct TargetUse {
    const char *name; /* NULL: the data's only one */
    Span span;        /* of its value; none: it is not said */
} TargetUse;
typedef LIST(TargetUse) TargetUses;

static bool same_name(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether one array can be both: classes, as many, at as many positions; or numbers of one shape.
 * What has one value at a position takes a class as the number that it is. */
static bool agree(const Wanted *a, const Wanted *b)
{
    bool one = a->layout.classes == 1 || b->layout.classes == 1;
    return a->layout.targets == b->layout.targets
           && (one || a->layout.classes == b->layout.classes);
}

/* Losses that are held against one array. */
static bool fits_classes(Training *t, const Node *loss, const Output *of, const Wanted *target)
{
    for (int i = 0; i < t->graph->wanted.count; i++) {
        const Wanted *other = &t->graph->wanted.items[i];
        if (!same_name(other->name, target->name) || agree(other, target))
            continue;
        Diagnostic *d =
            build_error(t->b, "classes-mismatch", loss->span,
                        "the output %s has %lld values, and another one %lld: they are held "
                        "against one target",
                        of != NULL ? of->name : "of the network", shape_elements(target->shape),
                        shape_elements(other->shape));
        if (of != NULL)
            diag_label(d, of->span, "%s", shape_text(of->tensor->shape));
        diag_help(d, "`target=NAME` says which array of the data each is held against");
        return false;
    }
    return true;
}

static bool same_weights(const Wanted *a, const Wanted *b)
{
    if (a->weights == NULL || b->weights == NULL)
        return a->weights == b->weights;
    return memcmp(a->weights, b->weights, (size_t)a->layout.classes * sizeof *a->weights) == 0;
}

static bool same_target(const Wanted *a, const Wanted *b)
{
    return same_name(a->name, b->name) && a->kind == b->kind && shape_equal(a->shape, b->shape)
           && a->ignored == b->ignored && a->low == b->low && a->high == b->high
           && a->ends == b->ends && same_weights(a, b);
}

/* The number of what the loss wants among all that is wanted; -1: reported. */
static int want_target(Training *t, const Node *loss, const Output *of, const Wanted *target)
{
    Graph *graph = t->graph;
    for (int i = 0; i < graph->wanted.count; i++)
        if (same_target(&graph->wanted.items[i], target))
            return i;
    if (!fits_classes(t, loss, of, target))
        return -1;
    if (graph->wanted.count == MAX_TARGETS) {
        build_error(t->b, "argument-range", loss->span,
                    "the losses are held against more than %d different targets", MAX_TARGETS);
        return -1;
    }
    push(&graph->wanted, *target);
    return graph->wanted.count - 1;
}

/* The network's input, as what a loss is held against: its values in their order, whatever axes the
 * output has. */
static bool fits_input(Training *t, const Node *loss, const Wanted *target, Span at)
{
    const Tensor *input = t->graph->input;
    bool classes = loss->op->target == TARGET_CLASSES, whole = input->choices > 0;
    Int elements = classes ? target->layout.targets : shape_elements(target->shape);
    if (classes == whole && elements == shape_elements(input->shape))
        return true;
    Diagnostic *d;
    if (classes != whole)
        d = build_error(t->b, "whole-numbers", at, "%s takes %s, and the input holds %s",
                        loss->op->name, classes ? "classes" : "real numbers",
                        whole ? "whole numbers" : "real ones");
    else
        d = build_error(t->b, "shape-mismatch", at,
                        "the input is no target of this output: it is %s, and the output %s",
                        shape_text(input->shape), shape_text(target->shape));
    diag_label(d, t->graph->input_span, "%s", shape_text(input->shape));
    return false;
}

/* What the loss wants of its target `which`. */
static Wanted wanted_of(const Node *node, int which, const char *name)
{
    const Operator *op = node->op;
    Shape shape = node->inputs.items[0]->shape;
    int ignore = operator_arg(op, "ignore_index");
    bool any = op->target_low >= op->target_high;
    int weight = op->target == TARGET_CLASSES && op->ranks == 0 ? operator_arg(op, "weight") : -1;
    Wanted target = {
        .name = name,
        .loss = op->name,
        .kind = op->target,
        .shape = shape,
        .layout = class_layout_of(shape),
        .ignored =
            ignore >= 0 && node->args[ignore].given ? node->args[ignore].integer[0] : NOT_IGNORED,
        .low = any ? 0 : op->target_low,
        .high = any ? -1 : op->target_high,
        .ends = op->target_ends,
        .weights = weight >= 0 && node->args[weight].given ? node->args[weight].reals : NULL,
    };
    if (op->wants != NULL)
        op->wants(node, which, &target);
    return target;
}

/* One more of node->targets; false: reported. */
static bool find_wanted(Training *t, Node *node, const Output *of, TargetUse use)
{
    bool input = same_name(use.name, "input");
    const Wanted target = wanted_of(node, node->targets.count, use.name);
    if (input && !fits_input(t, node, &target, use.span))
        return false;
    int number =
        input && target.kind == TARGET_NUMBERS ? INPUT_TARGET : want_target(t, node, of, &target);
    push(&node->targets, number);
    return number != NO_TARGET;
}

/* As `target=` says; of several that it does not say, each is called as the loss calls it.  False:
 * reported. */
static bool find_all_wanted(Training *t, Node *node, const Output *of, const TargetUses *uses,
                            const FunctionForm *form)
{
    const Operator *op = node->op;
    int count = op->target == TARGET_NONE ? 0 : op->targets > 0 ? op->targets : 1;
    if (uses->count > 0 && uses->count != count) {
        Diagnostic *d = count == 0
                            ? build_error(t->b, "unknown-argument", uses->items[0].span,
                                          "%s is held against no target", op->name)
                            : build_error(t->b, "argument-type", uses->items[uses->count - 1].span,
                                          "%s is held against %d target%s, and this names %d",
                                          op->name, count, count == 1 ? "" : "s", uses->count);
        if (form != NULL)
            diag_label(d, form->span, "defined here");
        if (count > 1)
            diag_help(d, "`target=[…]` lists them in the order of its parameters");
        return false;
    }
    for (int i = 0; i < count; i++) {
        TargetUse use = {count > 1 ? form->tensor[op->joined + i] : NULL, {0}};
        if (!find_wanted(t, node, of, uses->count > 0 ? uses->items[i] : use))
            return false;
    }
    return true;
}

/* What a loss's line begins with: one of ours, or the program's own. */
typedef struct LossKind {
    const char *name;
    const Operator *op;       /* NULL: the program's own, … */
    const FunctionForm *form; /* … which this is */
    const ArgSpec *args;
    int named; /* how many outputs may stand in its brackets */
} LossKind;

/* name NULL: reported. */
static LossKind find_loss(Training *t, const Expr *word)
{
    LIST(Choice) losses = {0};
    const FunctionForm *form;
    if (word->word != NULL && find_own_loss(t->b, word->word, &form))
        return form != NULL ? (LossKind){form->name, NULL, form, form->args, form->tensors}
                            : (LossKind){0};
    for (int i = 0; operators[i] != NULL; i++)
        if (operators[i]->traits & OP_LOSS)
            push(&losses, ((Choice){operators[i]->name, operators[i]->args, NULL}));
    for (int i = 0; i < t->graph->program->functions.count; i++)
        if (t->graph->program->functions.items[i]->loss)
            push(&losses, ((Choice){t->graph->program->functions.items[i]->name, NULL, NULL}));
    push(&losses, (Choice){0});
    const Choice *choice = find_choice(t, "loss", losses.items, word);
    const Operator *op = choice != NULL ? find_operator(choice->name) : NULL;
    return op != NULL ? (LossKind){op->name, op, NULL, op->args, op->joined} : (LossKind){0};
}

static bool has_path(const Graph *graph, const char *path)
{
    for (int i = 0; i < graph->nodes.count; i++)
        if (strcmp(graph->nodes.items[i]->path, path) == 0)
            return true;
    return false;
}

/* "loss", "loss.aux1", "loss.3": what no layer is called, nor another loss. */
static const char *loss_path(const Training *t, const Output *of)
{
    const char *path = of != NULL ? format("loss.%s", of->name) : "loss";
    if (has_path(t->graph, path))
        path = t->losses == 0 ? "the loss" : format("loss.%d", t->losses + 1);
    while (has_path(t->graph, path))
        path = format("%s_", path);
    return path;
}

/* The outputs that a loss reads; none: the network's last tensor. */
typedef LIST(Output *) OutputList;

/* `own`: as loss_args. */
static void add_loss_node(Training *t, const LossKind *kind, const Operator *op, ArgValue *args,
                          const OutputList *read, const TargetUses *targets, const ArgValue *own,
                          Span span)
{
    Output *of = read->count > 0 ? read->items[0] : NULL;
    const char *path = loss_path(t, of);
    Node *node = new_node(t->graph, STAGE_FORWARD, op);
    node->path = path;
    node->span = span;
    node->args = args;
    node->loss_weight = own[0].real;
    node->standardize = own[1].given ? &own[1] : NULL;
    for (int i = 0; i < read->count; i++)
        push(&node->inputs, read->items[i]->tensor);
    if (read->count == 0)
        push(&node->inputs, t->graph->output);
    if (!infer_node(node) || !find_all_wanted(t, node, of, targets, kind->form))
        return;
    add_aux(t->graph, node);
    for (int i = 0; i < read->count; i++)
        read->items[i]->has_loss = true;
    for (int i = 0; i < node->inputs.count; i++)
        if (node->inputs.items[i] == t->graph->output && t->graph->loss == NULL)
            t->graph->loss = node;
    t->losses++;
}

/* The last output of that name; NULL: none, reported. */
static Output *find_output(Training *t, const Expr *name)
{
    const char *word = name->kind == EXPR_PATH ? name->word : NULL;
    Value text = name->kind == EXPR_TEXT ? evaluate(t->b, name) : (Value){0};
    LIST(const char *) names = {0};
    word = text.kind == VALUE_TEXT ? text.word : word;
    for (int i = 0; word != NULL && i < t->graph->outputs.count; i++) {
        if (t->graph->outputs.items[i].name == intern(word))
            return &t->graph->outputs.items[i];
        push(&names, t->graph->outputs.items[i].name);
    }
    if (name->kind == EXPR_ERROR || t->graph->output == NULL)
        return NULL; /* its fault, or the network's, is told */
    push(&names, NULL);
    Diagnostic *d = build_error(t->b, "unknown-name", name->span, "no output is named %s",
                                word != NULL ? word : span_text(name->span));
    const char *near = word != NULL ? nearest_for(d, word, names.items) : NULL;
    if (near != NULL)
        diag_fix(d, name->span, near, "the nearest is %s", near);
    else
        diag_help(d, "`output %s` in the network names the current tensor",
                  word != NULL ? word : "NAME");
    return NULL;
}

/* What follows the loss itself: `output=aux1, weight=0.3`; the other arguments are the loss's. */
typedef struct LossUse {
    const Expr *output; /* NULL: the last one */
    const Expr *target; /* NULL: the data's only one, or as the loss calls them */
    ArgList rest;
    ArgList own;
} LossUse;

/* The names of outputs that a loss's brackets begin with, `triplet(a, b, c)`; what follows them are
 * its arguments.  False: reported. */
static bool read_named(Training *t, const LossKind *kind, const Expr *word, OutputList *read,
                       ArgList *rest)
{
    bool good = true;
    for (int i = 0; i < word->arguments.count; i++) {
        const Arg *arg = &word->arguments.items[i];
        bool name = arg->name == NULL && rest->count == 0 && (i < kind->named || kind->form != NULL)
                    && (arg->value->kind == EXPR_PATH || arg->value->kind == EXPR_TEXT);
        Output *output = name ? find_output(t, arg->value) : NULL;
        good &= !name || output != NULL;
        if (name && output != NULL)
            push(read, output);
        else if (!name)
            push(rest, *arg);
    }
    return good;
}

/* Whether there are as many as the loss takes; one alone may do where it has a target. */
static bool has_outputs(Training *t, const LossKind *kind, int count, Span at)
{
    int takes = kind->named, read = count > 0 ? count : 1;
    bool alone = count <= 1 && takes == 2 && strcmp(kind->name, "cosine") == 0;
    if (kind->form != NULL ? read <= takes : takes == 0 || count == takes || alone)
        return true;
    Diagnostic *d =
        build_error(t->b, count < takes ? "missing-argument" : "too-many-arguments", at,
                    "%s takes %s%d named output%s, not %d", kind->name,
                    kind->form != NULL ? "at most " : "", takes, takes == 1 ? "" : "s", count);
    diag_help(d, "`output NAME` in the network names a tensor, and `loss %s(%s)` reads them",
              kind->name, takes == 3 ? "anchor, positive, negative" : "a, b");
    if (kind->form != NULL)
        diag_label(d, kind->form->span, "defined here");
    return false;
}

/* `loss mse, standardize`: what a line's argument is to be is not said.  True: reported. */
static bool lacks_value(Training *t, const Arg *arg)
{
    static const struct {
        const char *name, *value;
    } known[] = {
        {"standardize", "true"}, {"weight", "0.5"}, {"output", "NAME"}, {"target", "NAME"}};
    const char *word = arg->name == NULL && arg->value->kind == EXPR_PATH ? arg->value->word : NULL;
    for (size_t i = 0; word != NULL && i < sizeof known / sizeof *known; i++) {
        if (strcmp(word, known[i].name) != 0)
            continue;
        Span at = arg->value->span;
        Diagnostic *d = build_error(t->b, "missing-argument", at, "`%s` needs a value", word);
        if (i == 0)
            diag_fix(d, at, "standardize=true", "the target's unit is then taken from it");
        else
            diag_help(d, "`%s=%s`", word, known[i].value);
        return true;
    }
    return false;
}

static LossUse read_loss_use(Training *t, const SettingDef *def)
{
    LossUse use = {0};
    for (int i = 1; i < def->arguments.count; i++) {
        const Arg *arg = &def->arguments.items[i];
        if (arg->name == intern("output"))
            use.output = arg->value;
        else if (arg->name == intern("target"))
            use.target = arg->value;
        else if (arg->name == intern("weight") || arg->name == intern("standardize"))
            push(&use.own, *arg);
        else if (!lacks_value(t, arg))
            push(&use.rest, *arg);
    }
    return use;
}

/* `quality`, `"quality"`.  False: reported. */
static bool read_target(Training *t, const Expr *name, TargetUses *uses)
{
    TargetUse one = {0}, *use = &one;
    Value text = name->kind == EXPR_TEXT ? evaluate(t->b, name) : (Value){0};
    use->span = name->span;
    use->name = name->kind == EXPR_PATH ? name->word : text.kind == VALUE_TEXT ? text.word : NULL;
    if (use->name == NULL && name->kind != EXPR_ERROR)
        build_error(t->b, "value-type", name->span,
                    "target= takes the name of an array of the data, or input");
    push(uses, one);
    return use->name != NULL;
}

/* `target=quality`, `target=[box, label]`. */
static bool read_targets(Training *t, const Expr *value, TargetUses *uses)
{
    bool good = true;
    if (value == NULL)
        return true;
    if (value->kind != EXPR_LIST)
        return read_target(t, value, uses);
    for (int i = 0; i < value->items.count; i++)
        good &= read_target(t, value->items.items[i], uses);
    if (value->items.count == 0)
        build_error(t->b, "value-type", value->span, "target= names no array");
    return good && value->items.count > 0;
}

/* "box, label" */
static const char *targets_text(const TargetUses *uses)
{
    Text text = {0};
    for (int i = 0; i < uses->count; i++)
        text_add(&text, "%s%s", i > 0 ? ", " : "", uses->items[i].name);
    return text_chars(&text);
}

static void resolve_loss(Training *t, const SettingDef *def)
{
    const Expr *word = first_word(t, def, "a loss: cross_entropy");
    const LossKind kind = word != NULL ? find_loss(t, word) : (LossKind){0};
    if (kind.name == NULL) {
        t->broken_losses++;
        return;
    }
    LossUse use = read_loss_use(t, def);
    OutputList read = {0};
    ArgList inside = {0};
    bool named = read_named(t, &kind, word, &read, &inside);
    const Arguments *args =
        joined_arguments(evaluate_arguments(t->b, &inside), evaluate_arguments(t->b, &use.rest));
    ArgValue *values = resolve_arguments(t->b, kind.name, kind.args, args, word->span);
    const ArgValue *own =
        resolve_arguments(t->b, "loss", loss_args, evaluate_arguments(t->b, &use.own), def->span);
    Output *of = use.output != NULL ? find_output(t, use.output) : NULL;
    TargetUses targets = {0};
    if (of != NULL)
        push(&read, of);
    bool broken = !named || !read_targets(t, use.target, &targets) || values == NULL || own == NULL
                  || (use.output != NULL && of == NULL)
                  || !has_outputs(t, &kind, read.count, word->span);
    const Operator *op = kind.op;
    if (!broken && op == NULL)
        op = own_loss(t->b, kind.name, values, read.count > 0 ? read.count : 1, word->span);
    broken |= op == NULL;
    t->broken_losses += broken;
    if (broken)
        return;
    Choice choice = {op->name, op->args, NULL};
    const char *path = t->losses > 0 ? format("loss.%d", t->losses + 1) : "loss";
    add_word(t, path, intern(op->name), word->span);
    add_arguments(t, path, &choice, values, args);
    if (of != NULL)
        add_word(t, format("%s.output", path), of->name, use.output->span);
    if (own[0].real != 1)
        add_number(t, format("%s.weight", path), own[0].real, own[0].span);
    if (targets.count > 0)
        add_word(t, format("%s.target", path), intern(targets_text(&targets)), use.target->span);
    if (t->graph->output != NULL && t->graph->output->producer != NULL)
        add_loss_node(t, &kind, op, values, &read, &targets, own, word->span);
}

/* Of several losses each is added to the others. */
static void check_losses(Training *t)
{
    Graph *graph = t->graph;
    for (int i = 0; i < graph->nodes.count && t->losses > 1; i++)
        graph->nodes.items[i]->loss_adds = (graph->nodes.items[i]->op->traits & OP_LOSS) != 0;
    if (t->losses > 0 && graph->loss == NULL && t->broken_losses == 0) {
        Diagnostic *d = build_error(t->b, "cannot-learn", t->train->span,
                                    "no loss reads the network's output, its last tensor");
        diag_help(d, "a line `loss …` without `output=`");
    }
    for (int i = 0; i < graph->outputs.count; i++) {
        const Output *output = &graph->outputs.items[i];
        if (!output->aside || output->has_loss || t->broken_losses > 0 || t->losses == 0)
            continue;
        Diagnostic *d = build_error(t->b, "unread-output", output->span,
                                    "no loss reads the output %s of this `aside`", output->name);
        diag_help(d,
                  "`loss cross_entropy, output=%s, weight=0.3` in the train section; or leave "
                  "the aside out",
                  output->name);
    }
}

/* Outputs of which nothing but training is made. */
static void part_outputs(Graph *graph)
{
    int kept = 0;
    for (int i = 0; i < graph->outputs.count; i++) {
        const Output output = graph->outputs.items[i];
        if (output.aside && output.has_loss)
            push(&graph->auxiliary, output);
        else
            graph->outputs.items[kept++] = output;
    }
    graph->outputs.count = kept;
}

/* -------------------------------------------------------------- section */

enum { ONCE = 0, REQUIRED = 1, OFTEN = 2 };

static const struct SettingRow {
    const char *name;
    unsigned times; /* REQUIRED, OFTEN, both, or ONCE */
    void (*resolve)(Training *t, const SettingDef *def);
    const Choice *choices; /* what it may begin with, of a table of ours */
    const ArgSpec *args;   /* its own arguments */
    const char *doc;
} rows[] = {
    {"data", REQUIRED, resolve_data, NULL, NULL,
     "Where the examples come from: a known data set, a \"folder\" of images by class, or what "
     "text, csv, arrays, masks or audio read."},
    {"normalize", ONCE, resolve_normalize, NULL, normalize_args,
     "Pixels from 0 to 1, less their mean, over their deviation: a number each, or a list by "
     "channel."},
    {"augment", ONCE, resolve_augment, augmentations, NULL,
     "Random changes of each training image, by seed, epoch and image."},
    {"test", ONCE, resolve_test, test_steps, NULL,
     "How images of other sizes than the network's become test images; training images then come "
     "to augment in their own sizes."},
    {"loss", REQUIRED | OFTEN, resolve_loss, NULL, loss_args,
     "What training makes small; of several lines, their sum, each times its weight=, of the "
     "output that output= names, held against the array of the data that target= names.  One's own "
     "is defined outside all braces, loss dice(p, t) = 1 - 2*sum(p*t)/(sum(p) + sum(t)): of "
     "outputs, here p, and of targets, of which target=[a, b] names several; p[:4] is a part of "
     "p."},
    {"optimizer", REQUIRED, resolve_optimizer, optimizers, NULL,
     "How a gradient moves its parameter."},
    {"schedule", ONCE, resolve_schedule, schedules, NULL,
     "How the learning rate changes over the training."},
    {"clip", ONCE, resolve_clip, NULL, clip_args,
     "A limit to the gradients, before the optimizer reads them."},
    {"init", OFTEN, resolve_init, NULL, NULL,
     "How the parameters begin whose paths match; the last match wins."},
    {"freeze", OFTEN, resolve_freeze, NULL, NULL,
     "Parameters, by their paths, that are not trained."},
    {"group", OFTEN, resolve_group, NULL, group_args,
     "A rate, weight decay or bound of their own for parameters whose paths match."},
    {"layer_decay", ONCE, resolve_layer_decay, NULL, layer_decay_args,
     "Lower rates for the layers before the last, each a path or a list of paths, from the first "
     "on; "
     "# in a path is any number, of which each is a layer of its own."},
    {"ema", ONCE, resolve_ema, NULL, ema_args,
     "A running average of the weights, which is tested and saved in their place."},
    {"batch", REQUIRED, resolve_batch, NULL, batch_args, "Images per step."},
    {"accumulate", ONCE, resolve_accumulate, NULL, accumulate_args,
     "Batches whose gradients are added up for one step."},
    {"epochs", REQUIRED, resolve_epochs, NULL, epochs_args, "Passes over the training images."},
    {"validation", ONCE, resolve_validation, NULL, validation_args,
     "What a run is judged by instead of the test images: a part of the training images, as 0.1, "
     "or a \"folder\" of others."},
    {"stop", ONCE, resolve_stop, NULL, stop_args,
     "Ends a run that has become no better for patience= epochs."},
    {"seed", ONCE, resolve_seed, NULL, seed_args, "Of every random number."},
};
enum { ROWS = sizeof rows / sizeof *rows };

static void add_choice_info(SettingInfo *info, const char *name, const ArgSpec *args)
{
    push(&info->choices, ((ChoiceInfo){name, args}));
}

SettingInfo setting_info(int i)
{
    if (i >= ROWS)
        return (SettingInfo){0};
    const struct SettingRow *row = &rows[i];
    SettingInfo info = {.name = row->name,
                        .doc = row->doc,
                        .required = row->times & REQUIRED,
                        .repeated = row->times & OFTEN,
                        .args = row->args};
    for (const Choice *choice = row->choices; choice != NULL && choice->name != NULL; choice++)
        add_choice_info(&info, choice->name, choice->args);
    for (int k = 0; row->resolve == resolve_data && data_set_name(k) != NULL; k++)
        add_choice_info(&info, data_set_name(k), NULL);
    const ArgSpec *args;
    for (int k = 0; row->resolve == resolve_data && data_reader_name(k, &args) != NULL; k++)
        add_choice_info(&info, data_reader_name(k, &args), args);
    for (int k = 0; row->resolve == resolve_loss && operators[k] != NULL; k++)
        if (operators[k]->traits & OP_LOSS)
            add_choice_info(&info, operators[k]->name, operators[k]->args);
    for (int k = 0; row->resolve == resolve_init && initialisers[k].name != NULL; k++)
        add_choice_info(&info, initialisers[k].name, initialisers[k].args);
    return info;
}

static int find_row(const char *name)
{
    for (int i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return i;
    return -1;
}

/* What other frameworks call settings. */
static const char *other_setting_name(const char *word)
{
    static const struct {
        const char *theirs, *ours;
    } spellings[] = {
        {"batch_size", "batch"},
        {"batchsize", "batch"},
        {"criterion", "loss"},
        {"dataset", "data"},
        {"num_epochs", "epochs"},
        {"n_epochs", "epochs"},
        {"max_epochs", "epochs"},
        {"lr_scheduler", "schedule"},
        {"scheduler", "schedule"},
        {"transform", "augment"},
        {"optim", "optimizer"},
        {"solver", "optimizer"},
        {"random_seed", "seed"},
        {"validation_split", "validation"},
        {"val", "validation"},
        {"early_stopping", "stop"},
        {"patience", "stop"},
        {"lr_layer_decay", "layer_decay"},
        {"layerwise_lr_decay", "layer_decay"},
        {"random_seed", "seed"},
        {"gradient_accumulation_steps", "accumulate"},
    };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (strcmp(word, spellings[i].theirs) == 0)
            return spellings[i].ours;
    return NULL;
}

static void report_unknown_setting(Training *t, const SettingDef *def)
{
    const char *names[ROWS + 1] = {0};
    Text list = {0};
    for (int i = 0; i < ROWS; i++) {
        names[i] = rows[i].name;
        text_add(&list, "%s%s", i > 0 ? ", " : "", rows[i].name);
    }
    Diagnostic *d = build_error(t->b, "unknown-setting", def->name_span,
                                "the train section has no setting `%s`", def->name);
    const char *other = other_setting_name(def->name),
               *near = other == NULL ? nearest_for(d, def->name, names) : NULL;
    if (other != NULL)
        diag_fix(d, def->name_span, other, "it is %s here", other);
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
        if ((rows[i].times & REQUIRED) && given[i] == NULL)
            text_add(&list, "%s%s", missing++ > 0 ? ", " : "", rows[i].name);
    if (missing > unknown)
        build_error(t->b, "missing-setting", t->train->span, "the train section lacks %s",
                    text_chars(&list));
}

/* ------------------------------------------------ what could never learn */

/* A single value is its own mean: less that it is 0, and 0 has no gradient. */
static void check_statistics(Training *t, const Node *node)
{
    const Setting *batch = find_setting(t->graph, "batch");
    if (!(node->op->traits & OP_STATISTICS) || batch == NULL || batch->number != 1
        || shape_plane(node->inputs.items[0]->shape) != 1)
        return;
    Diagnostic *d = build_error(
        t->b, "cannot-learn", node->span,
        "%s has one value in each channel to normalise, which always becomes 0", node->op->name);
    diag_caption(d, "%s", shape_text(node->inputs.items[0]->shape));
    diag_label(d, batch->span, "one image per step");
    diag_help(d, "a batch of two or more, or leave %s out", node->op->name);
}

/* The softmax of one value is 1, whatever it is. */
static void check_loss(Training *t)
{
    const Node *loss = t->graph->loss;
    const Tensor *output = t->graph->output;
    if (loss == NULL || strcmp(loss->op->name, "cross_entropy") != 0 || output == NULL
        || shape_elements(output->shape) != 1)
        return;
    Diagnostic *d =
        build_error(t->b, "cannot-learn", loss->span, "cross_entropy of one class is always 0");
    if (output->producer != NULL)
        diag_label(d, output->producer->span, "one output");
    diag_help(d, "an output for each class, two for yes and no; or mse");
}

static void check_learning(Training *t)
{
    for (int i = 0; i < t->graph->nodes.count; i++)
        check_statistics(t, t->graph->nodes.items[i]);
    check_loss(t);
    check_positions(t);
    check_fit(t);
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
        } else if (given[row] != NULL && !(rows[row].times & OFTEN)) {
            Diagnostic *d =
                build_error(t->b, "duplicate-setting", def->span, "`%s` is set twice", def->name);
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
        add_choice(t, "schedule", &schedules[0], &none, t->train->span);
    }
    if (given[find_row("seed")] == NULL)
        add_number(t, "seed", 1, t->train->span);
    check_recipe(t);
    check_frozen(t);
    check_losses(t);
    choose_units(t);
    mix_losses(t);
    check_learning(t);
    part_outputs(t->graph);
}

/* The builder calls this too, so that its faults are told together with the
 * network's; a second call finds the section resolved. */
void resolve_training(Graph *graph)
{
    const TrainDef *train = graph->program->train;
    if (train == NULL || graph->train_span.source != NULL)
        return;
    graph->train_span = train->span;
    Builder b = new_builder(graph->program, graph, NULL);
    b.frame = new_frame("", NULL);
    b.functions = graph->functions;
    Training t = {.b = &b, .graph = graph, .train = train, .unfrozen = -1};
    resolve_section(&t);
}
