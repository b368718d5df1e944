/* explain_json.c: the table of operators as JSON, for whoever is to know all of
 * them without a list of their own: editors' word lists, generators of networks.
 */
#include "ops/operator.h"

#include <cjson/cJSON.h>

static const char *const kinds[] = {
    [ARG_INT] = "int",       [ARG_SINGLE] = "single",   [ARG_PAIR] = "pair",
    [ARG_TRIPLE] = "triple", [ARG_QUAD] = "quad",       [ARG_SHAPE] = "shape",
    [ARG_AXES] = "axes",     [ARG_INTS] = "ints",       [ARG_REAL] = "real",
    [ARG_BOOL] = "bool",     [ARG_WORD] = "word",       [ARG_INIT] = "init",
    [ARG_VALUES] = "values", [ARG_TENSORS] = "tensors",
};

static const char *const roles[] = {
    [ROLE_NONE] = NULL,
    [ROLE_KERNEL] = "kernel",
    [ROLE_STRIDE] = "stride",
    [ROLE_PADDING] = "padding",
    [ROLE_DILATION] = "dilation",
    [ROLE_CEIL_MODE] = "ceil_mode",
    [ROLE_OUTPUT_PADDING] = "output_padding",
    [ROLE_OUTPUT_SIZE] = "output_size",
    [ROLE_SCALE] = "scale",
    [ROLE_CHANNELS] = "channels",
    [ROLE_GROUPS] = "groups",
    [ROLE_AXIS] = "axis",
    [ROLE_EPSILON] = "epsilon",
    [ROLE_PER_CHANNEL] = "per_channel",
    [ROLE_POWER_ITERATIONS] = NULL, /* the last: those before it that have no word are NULL, too */
};

static const char *const windows[] = {
    [WINDOW_NONE] = NULL,
    [WINDOW_SLIDES] = "slides",
    [WINDOW_TRANSPOSED] = "transposed",
    [WINDOW_FITTED] = "fitted",
};

static const struct {
    unsigned trait;
    const char *name;
} traits[] = {
    {OP_JOINS, "joins"},       {OP_LOSS, "loss"},
    {OP_VIEW, "view"},         {OP_CONCATENATES, "concatenates"},
    {OP_IN_PLACE, "in_place"}, {OP_TRAINING_ONLY, "training_only"},
    {OP_SOURCE, "source"},     {OP_ALSO_JOINS, "also_joins"},
};

static void add_text(cJSON *object, const char *key, const char *text)
{
    cJSON_AddItemToObject(object, key, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

/* A range that is none has no keys. */
static void add_numbers(cJSON *object, const ArgSpec *spec)
{
    if (spec->minimum == 0 && spec->maximum == 0)
        return;
    cJSON_AddNumberToObject(object, "minimum", spec->minimum);
    cJSON_AddNumberToObject(object, "maximum", spec->maximum);
}

static cJSON *argument(const ArgSpec *spec)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", spec->name);
    cJSON_AddStringToObject(object, "kind", kinds[spec->kind]);
    add_text(object, "role", roles[spec->role]);
    cJSON_AddBoolToObject(object, "positional", spec->positional);
    cJSON_AddBoolToObject(object, "assertion", spec->assertion);
    cJSON_AddBoolToObject(object, "required", spec->otherwise == NULL);
    add_text(object, "default", absent_by_default(spec) ? NULL : spec->otherwise);
    add_numbers(object, spec);
    cJSON *words = spec->words ? cJSON_AddArrayToObject(object, "words") : NULL;
    for (int i = 0; words && spec->words[i]; i++)
        cJSON_AddItemToArray(words, cJSON_CreateString(spec->words[i]));
    cJSON_AddStringToObject(object, "doc", spec->doc);
    return object;
}

struct cJSON *arguments_json(const ArgSpec *args)
{
    cJSON *list = cJSON_CreateArray();
    for (const ArgSpec *spec = args; spec && spec->name; spec++)
        cJSON_AddItemToArray(list, argument(spec));
    return list;
}

/* "ranks": all that it takes; "rank": the only one, 0 where there are several. */
static void add_ranks(cJSON *object, const Operator *op)
{
    cJSON *ranks = cJSON_AddArrayToObject(object, "ranks");
    int only = 0;
    for (int rank = 1; rank <= MAX_RANK; rank++)
        if (!op->ranks || op->ranks & RANK(rank)) {
            cJSON_AddItemToArray(ranks, cJSON_CreateNumber(rank));
            only = op->ranks == RANK(rank) ? rank : only;
        }
    cJSON_AddNumberToObject(object, "rank", only);
}

static cJSON *described(const Operator *op)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", op->name);
    cJSON_AddStringToObject(object, "summary", op->summary);
    cJSON_AddStringToObject(object, "shape", op->shape_rule);
    add_ranks(object, op);
    add_text(object, "window", windows[op->window]);
    cJSON *list = cJSON_AddArrayToObject(object, "traits");
    for (size_t i = 0; i < sizeof traits / sizeof *traits; i++)
        if (op->traits & traits[i].trait)
            cJSON_AddItemToArray(list, cJSON_CreateString(traits[i].name));
    cJSON_AddItemToObject(object, "arguments", arguments_json(op->args));
    return object;
}

struct cJSON *operators_json(const Operator *only)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; operators[i] != NULL; i++)
        if (only == NULL || only == operators[i])
            cJSON_AddItemToArray(list, described(operators[i]));
    return list;
}
