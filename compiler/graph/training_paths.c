/* training_paths.c: settings of single parameters: how they begin, whether they
 * are trained, at which rate.
 *
 * Parameters are named by their paths with * and ?, which match dots too.  Of
 * several settings of one kind the last that matches a parameter is its own.
 * All is resolved here, so that the runtime knows parameters and no patterns.
 */
#include "graph/training.h"

#include <fnmatch.h>
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

const ArgSpec group_args[] = {{"lr", ARG_REAL, .otherwise = "none", .maximum = 1000,
                               .doc = "Learning rate; the optimizer's when not given."},
                              {"weight_decay", ARG_REAL, .otherwise = "none", .maximum = 1000,
                               .doc = "Weight decay; the optimizer's when not given."},
                              {"adapt", ARG_BOOL, .otherwise = "none",
                               .doc = "Of lars, lamb and muon: whether a layer's own norms, or its "
                                      "matrix, say how it moves; true when not given."},
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
    if (args != NULL && !args[0].given && !args[1].given && !args[2].given)
        build_error(t->b, "missing-argument", def->span,
                    "`group` needs lr=, weight_decay= or adapt=");
    for (int i = 0; glob != NULL && i < t->graph->parameters.count; i++)
        if (matches(glob, t->graph->parameters.items[i]))
            t->graph->parameters.items[i]->group = t->groups;
}
