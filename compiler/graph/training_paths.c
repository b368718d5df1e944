/* training_paths.c: settings of single parameters: how they begin, whether they
 * are trained, at which rate.
 *
 * Parameters are named by their paths with * and ?, which match dots too.  Of
 * several settings of one kind the last that matches a parameter is its own.
 * All is resolved here, so that the runtime knows parameters and no patterns.  In the paths of
 * layers # is a whole number, and tells one layer from another.
 */
#include "graph/training.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_PATHS = 6 };

enum { MAX_NUMBERS = 8 };

/* A layer's place among others: the entry that it is of, and the numbers that # stand for. */
typedef struct LayerKey {
    int entry;
    long numbers[MAX_NUMBERS];
} LayerKey;

/* With the numbers from `at` on; key NULL: # is itself. */
static bool matches_from(const char *glob, const char *path, LayerKey *key, int at)
{
    const char *sign = key != NULL && at < MAX_NUMBERS ? strchr(glob, '#') : NULL;
    if (sign == NULL)
        return fnmatch(glob, path, 0) == 0;
    const char *before = format("%.*s", (int)(sign - glob), glob);
    for (const char *p = path; *p != '\0'; p++) {
        if (!isdigit((unsigned char)*p) || (p > path && isdigit((unsigned char)p[-1]))
            || fnmatch(before, format("%.*s", (int)(p - path), path), 0) != 0)
            continue;
        char *end;
        key->numbers[at] = strtol(p, &end, 10);
        if (matches_from(sign + 1, end, key, at + 1))
            return true;
        key->numbers[at] = 0;
    }
    return false;
}

static bool matches(const char *glob, const Parameter *parameter)
{
    return parameter->kind == PARAMETER_TRAINED && matches_from(glob, parameter->path, NULL, 0);
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
static const char *read_any_glob(Training *t, const Expr *expr, bool of_layers)
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
    for (int i = 0; i < t->graph->parameters.count; i++) {
        const Parameter *parameter = t->graph->parameters.items[i];
        LayerKey key = {0};
        if (parameter->kind == PARAMETER_TRAINED
            && matches_from(text.word, parameter->path, of_layers ? &key : NULL, 0))
            return text.word;
    }
    report_no_match(t, text.word, expr->span);
    return NULL;
}

static const char *read_glob(Training *t, const Expr *expr)
{
    return read_any_glob(t, expr, false);
}

static const char *first_glob(Training *t, const SettingDef *def)
{
    const Expr *first = first_word(t, def, "the parameters' paths, as \"conv1.*\"");
    return first != NULL ? read_glob(t, first) : NULL;
}

/* ----------------------------------------------------------------- init */

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

/* "[10, 5]" */
static const char *dimensions_text(const Parameter *parameter)
{
    Text text = {0};
    for (int i = 0; i < parameter->rank; i++)
        text_add(&text, "%s%lld", i > 0 ? ", " : "[", parameter->dim[i]);
    text_add(&text, "]");
    return text_chars(&text);
}

static bool fits(Training *t, const Initialiser *init, const ArgValue *args,
                 const Parameter *parameter, Span at)
{
    const char *fault = initialiser_fault(init, args, parameter->rank, parameter->dim);
    if (init->fans && !has_fans(t, parameter, init->name, at))
        return false;
    if (fault == NULL)
        return true;
    Diagnostic *d = build_error(t->b, "argument-type", at, "%s, and %s is %s", fault,
                                parameter->path, dimensions_text(parameter));
    diag_help(d, "a narrower path, as \"fc.weight\", or another initialiser");
    return false;
}

static void initialise(Training *t, const char *glob, const Initialiser *init, const ArgValue *args,
                       Span at)
{
    for (int i = 0; i < t->graph->parameters.count; i++) {
        Parameter *parameter = t->graph->parameters.items[i];
        if (!matches(glob, parameter))
            continue;
        if (!fits(t, init, args, parameter, at))
            return;
        initialise_parameter(parameter, init, args);
    }
}

static const Initialiser *named_initialiser(Training *t, const Expr *word)
{
    LIST(Choice) choices = {0};
    for (int i = 0; initialisers[i].name != NULL; i++)
        push(&choices, ((Choice){initialisers[i].name, initialisers[i].args, NULL}));
    push(&choices, (Choice){0});
    const Choice *choice = find_choice(t, "initialiser", choices.items, word);
    return choice != NULL ? find_initialiser(choice->name) : NULL;
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
    const Initialiser *init = named_initialiser(t, word);
    if (init == NULL)
        return;
    const ArgValue *args =
        initialiser_arguments(t->b, init, evaluate_arguments(t->b, &word->arguments), word->span);
    if (args != NULL && glob != NULL)
        initialise(t, glob, init, args, word->span);
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

const ArgSpec group_args[] = {
    {"lr", ARG_REAL, .otherwise = "none", .maximum = 1000,
     .doc = "Learning rate; the optimizer's when not given."},
    {"weight_decay", ARG_REAL, .otherwise = "none", .maximum = 1000,
     .doc = "Weight decay; the optimizer's when not given."},
    {"adapt", ARG_BOOL, .otherwise = "none",
     .doc = "Of lars, lamb and muon: whether a layer's own norms, or its "
            "matrix, say how it moves; true when not given."},
    {"clip", ARG_BOOL, .otherwise = "none",
     .doc = "Whether the clip is of their gradients; false: they are neither "
            "in its norm nor changed; true when not given."},
    {"max_norm", ARG_REAL, .otherwise = "none", .minimum = 1e-6, .maximum = 1e12,
     .doc = "The most that the norm of the weights of each unit, a row of "
            "the first axis, may be after a step."},
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
    bool any = false;
    for (int i = 0; args != NULL && group_args[i].name != NULL; i++)
        any |= args[i].given;
    if (args != NULL && !any)
        build_error(t->b, "missing-argument", def->span,
                    "`group` needs lr=, weight_decay=, adapt=, clip= or max_norm=");
    for (int i = 0; glob != NULL && i < t->graph->parameters.count; i++)
        if (matches(glob, t->graph->parameters.items[i]))
            t->graph->parameters.items[i]->group = t->groups;
}

/* ---------------------------------------------------------- layer_decay */

const ArgSpec layer_decay_args[] = {
    {"factor", ARG_REAL, .positional = true, .minimum = 1e-6, .maximum = 1,
     .doc =
         "What a layer's rate is of that of the layer after it; what no path matches comes last, "
         "and has the whole rate."},
    {0}};

typedef LIST(LayerKey) LayerKeyList;

static int compare_keys(const void *a, const void *b)
{
    const LayerKey *left = a, *right = b;
    if (left->entry != right->entry)
        return left->entry < right->entry ? -1 : 1;
    for (int i = 0; i < MAX_NUMBERS; i++)
        if (left->numbers[i] != right->numbers[i])
            return left->numbers[i] < right->numbers[i] ? -1 : 1;
    return 0;
}

/* The parameters that one path matches are of the entry's layers; keys[] has each parameter's. */
static void place_path(Training *t, const char *glob, int entry, LayerKey *keys)
{
    for (int i = 0; i < t->graph->parameters.count; i++) {
        const Parameter *parameter = t->graph->parameters.items[i];
        LayerKey key = {.entry = entry};
        if (parameter->kind == PARAMETER_TRAINED && matches_from(glob, parameter->path, &key, 0))
            keys[i] = key;
    }
}

/* A path, or a list of them; false: reported, or not known. */
static bool place_entry(Training *t, const Expr *expr, int entry, LayerKey *keys)
{
    bool list = expr->kind == EXPR_LIST;
    int count = list ? expr->items.count : 1;
    bool good = count > 0;
    Text shown = {0};
    if (!good)
        build_error(t->b, "value-type", expr->span, "a list of no paths is no layer");
    for (int i = 0; i < count; i++) {
        const char *glob = read_any_glob(t, list ? expr->items.items[i] : expr, true);
        good &= glob != NULL;
        if (glob == NULL)
            continue;
        place_path(t, glob, entry, keys);
        text_add(&shown, "%s%s", i > 0 ? ", " : "", glob);
    }
    if (good)
        add_word(t, format("layer_decay.%d", entry), intern(text_chars(&shown)), expr->span);
    return good;
}

/* Layers in their order; of n, the last is 1 before the end and the first n. */
static void number_layers(const Graph *graph, const LayerKey *keys)
{
    LayerKeyList layers = {0};
    for (int i = 0; i < graph->parameters.count; i++)
        if (keys[i].entry > 0)
            push(&layers, keys[i]);
    qsort(layers.items, (size_t)layers.count, sizeof *layers.items, compare_keys);
    int kept = 0;
    for (int i = 0; i < layers.count; i++)
        if (kept == 0 || compare_keys(&layers.items[kept - 1], &layers.items[i]) != 0)
            layers.items[kept++] = layers.items[i];
    for (int i = 0; i < graph->parameters.count; i++)
        for (int k = 0; keys[i].entry > 0 && k < kept; k++)
            if (compare_keys(&keys[i], &layers.items[k]) == 0)
                graph->parameters.items[i]->layer = kept - k;
}

/* layer_decay 0.9, "stem.*", ["stages.#.downsample.*", "stages.#.blocks.#.*"] */
void resolve_layer_decay(Training *t, const SettingDef *def)
{
    const ArgList *args = &def->arguments;
    ArgList first = {0};
    for (int i = 0; i < args->count && i < 1; i++)
        push(&first, args->items[i]);
    const ArgValue *values = resolve_arguments(t->b, "layer_decay", layer_decay_args,
                                               evaluate_arguments(t->b, &first), def->span);
    if (values == NULL)
        return;
    add_number(t, "layer_decay", values[0].real, values[0].span);
    if (args->count < 2) {
        build_error(t->b, "missing-argument", def->span,
                    "`layer_decay` takes a factor and the paths of layers, from the first on: "
                    "layer_decay 0.9, \"stem.*\", \"blocks.#.*\"");
        return;
    }
    LayerKey *keys = NEW_ARRAY(LayerKey, (size_t)t->graph->parameters.count + 1);
    bool good = true;
    for (int i = 1; i < args->count; i++) {
        const Arg *arg = &args->items[i];
        if (arg->name != NULL)
            build_error(t->b, "unknown-argument", arg->name_span,
                        "`layer_decay` has no argument `%s`", arg->name);
        good &= arg->name == NULL && place_entry(t, arg->value, i, keys);
    }
    if (good)
        number_layers(t->graph, keys);
}
