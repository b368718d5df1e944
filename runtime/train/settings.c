/* settings.c: the numbers and words that a run is made with.
 *
 * They come from the network's train section, resolved by the compiler; a
 * resumed checkpoint replaces numbers, and the command line replaces both.  All
 * three go by path ("optimizer.momentum"), and every number that enters is
 * checked against the one table of ranges here.
 */
#include "runtime.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* In a path, * stands for a number. */
typedef struct Rule {
    const char *path;
    bool whole;
    double min, max;
} Rule;

static const double EXACT = 9007199254740992.0; /* 2^53: whole numbers up to here are doubles */

static const Rule rules[] = {
    {"batch", true, 1, 65536},
    {"accumulate", true, 1, 65536},
    {"ema.decay", false, 0, 0.9999999999},
    {"ema.every", true, 1, 1e12},
    {"ema.warmup", true, 0, 1e12},
    {"epochs", true, 0, 1000000},
    {"seed", true, 0, EXACT},
    {"validation", false, 0, 0.99},
    {"stop.patience", true, 0, 1000000},
    {"stop.min_delta", false, 0, 1e6},
    {"optimizer.lr", false, 0, 1000},
    {"optimizer.momentum", false, 0, 1},
    {"optimizer.dampening", false, 0, 1},
    {"optimizer.weight_decay", false, 0, 1000},
    {"optimizer.nesterov", true, 0, 1},
    {"optimizer.beta1", false, 0, 0.9999999},
    {"optimizer.beta2", false, 0, 0.9999999},
    {"optimizer.alpha", false, 0, 0.9999999},
    {"optimizer.eps", false, 0, 1},
    {"optimizer.amsgrad", true, 0, 1},
    {"optimizer.centered", true, 0, 1},
    {"optimizer.rho", false, 0, 1},
    {"optimizer.lr_decay", false, 0, 1000},
    {"optimizer.initial_accumulator_value", false, 0, 1e6},
    {"optimizer.momentum_decay", false, 0, 1000},
    {"optimizer.decoupled_weight_decay", true, 0, 1},
    {"optimizer.eps_inside", true, 0, 1},
    {"optimizer.lr_in_momentum", true, 0, 1},
    {"optimizer.trust_coefficient", false, 0, 1000},
    {"optimizer.ns_steps", true, 1, 99},
    {"optimizer.adam_lr", false, 0, 1000},
    {"optimizer.adam_eps", false, 0, 1},
    {"group.*.adapt", true, 0, 1},
    {"group.*.lr", false, 0, 1000},
    {"group.*.weight_decay", false, 0, 1000},
    {"group.*.clip", true, 0, 1},
    {"group.*.max_norm", false, 1e-6, 1e12},
    {"layer_decay", false, 1e-6, 1},
    {"clip.norm", false, 0, 1e12},
    {"clip.value", false, 0, 1e12},
    {"clip.adaptive", false, 0, 1e12},
    {"clip.eps", false, 0, 1e12},
    {"schedule.T_max", true, 1, 1e12},
    {"schedule.warmup", true, 0, 1e12},
    {"schedule.eta_min", false, 0, 1000},
    {"schedule.warmup_decay", false, 0, 1},
    {"schedule.start_factor", false, 0, 1},
    {"schedule.end_factor", false, 0, 1},
    {"schedule.total_iters", true, 1, 1e12},
    {"schedule.power", false, 0, 1000},
    {"schedule.timescale", false, 1e-6, 1e12},
    {"schedule.T_0", true, 1, 1e12},
    {"schedule.T_mult", true, 1, 1000},
    {"schedule.factor", false, 0, 0.9999999},
    {"schedule.patience", true, 0, 1e12},
    {"schedule.threshold", false, 0, 1e6},
    {"schedule.cooldown", true, 0, 1e12},
    {"schedule.min_lr", false, 0, 1000},
    {"schedule.eps", false, 0, 1},
    {"schedule.step_size", true, 1, 1e12},
    {"schedule.gamma", false, 0, 1000},
    {"schedule.milestones", true, 0, 1e12},
    {"schedule.max_lr", false, 0, 1000},
    {"schedule.total_steps", true, 1, 1e12},
    {"schedule.pct_start", false, 0, 1},
    {"schedule.cycle_momentum", true, 0, 1},
    {"schedule.base_momentum", false, 0, 0.9999999},
    {"schedule.max_momentum", false, 0, 0.9999999},
    {"schedule.div_factor", false, 1e-6, 1e12},
    {"schedule.final_div_factor", false, 1e-6, 1e12},
    {"schedule.three_phase", true, 0, 1},
    {"augment.random_crop.padding", true, 0, 65536},
    {"augment.*.fill", true, 0, 255},
    {"augment.*.target_fill", false, -1e9, 1e9},
    {"augment.horizontal_flip.p", false, 0, 1},
    {"augment.random_affine.degrees", false, -360, 360},
    {"augment.random_affine.translate", false, 0, 1},
    {"augment.random_affine.scale", false, 1e-3, 1000},
    {"augment.random_affine.shear", false, -89, 89},
    {"augment.cutout.size", true, 1, 65536},
    {"augment.random_resized_crop.scale", false, 1e-6, 1},
    {"augment.random_resized_crop.ratio", false, 1e-3, 1000},
    {"augment.mixup.alpha", false, 1e-3, 1000},
    {"augment.cutmix.alpha", false, 1e-3, 1000},
    {"augment.vertical_flip.p", false, 0, 1},
    {"augment.random_rotation.degrees", false, -360, 360},
    {"augment.color_jitter.hue", false, -0.5, 0.5},
    {"augment.color_jitter.*", false, 0, 1000},
    {"augment.random_erasing.p", false, 0, 1},
    {"augment.random_erasing.scale", false, 0, 1},
    {"augment.random_erasing.ratio", false, 1e-3, 1000},
    {"augment.random_erasing.value", false, -1e6, 1e6},
    {"augment.rand_augment.num_ops", true, 0, 100},
    {"augment.rand_augment.magnitude", true, 0, 1000},
    {"augment.rand_augment.num_magnitude_bins", true, 2, 1000},
    {"augment.rand_augment.magnitude_std", false, 0, 1000},
    {"augment.rand_augment.p", false, 0, 1},
    {"augment.trivial_augment.num_magnitude_bins", true, 2, 1000},
    {"augment.repeated_augment.repetitions", true, 1, 1000},
    {"augment.lighting.alphastd", false, 0, 1000},
    {"augment.lighting.eigval", false, -1e6, 1e6},
    {"augment.lighting.eigvec", false, -1e6, 1e6},
    {"normalize.mean", false, -1e6, 1e6},
    {"normalize.std", false, 1e-6, 1e6},
};

static const Rule *find_rule(const char *path)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (fnmatch(rules[i].path, path, 0) == 0)
            return &rules[i];
    return NULL;
}

/* ------------------------------------------------------------- numbers */

char *net_numbers_text(const double *numbers, int64_t count, int digits)
{
    enum { LONGEST = 40 }; /* bytes of one number's text, with its comma */
    char *text = calloc((size_t)count + 1, LONGEST);
    for (int64_t i = 0, used = 0; text && i < count; i++)
        used += snprintf(text + used, LONGEST, "%s%.*g", i ? "," : "", digits, numbers[i]);
    return text;
}

bool net_parse_number(double *number, const char *text, bool whole, double min, double max,
                      const char *option, NetError *error)
{
    char *end;
    /* strtod knows hexadecimal, infinity and nan too */
    bool decimal = text[strspn(text, "0123456789.eE+-")] == 0;
    double value = decimal ? strtod(text, &end) : 0;
    if (decimal && end != text && !*end && value >= min && value <= max
        && (!whole || value == floor(value))) {
        *number = value;
        return true;
    }
    return net_fail(error, "%s %s: %s from %.10g to %.16g is expected", option, *text ? text : "''",
                    whole ? "a whole number" : "a number", min, max);
}

/* ------------------------------------------------------------ a store */

static bool add_value(NetSettings *settings, const NetSetting *from, NetError *error)
{
    NetValue *value = &settings->values[settings->count];
    *value = (NetValue){
        .path = from->path, .word = from->word, .count = from->count, .compiled = from->numbers};
    if (from->count > 0) {
        value->numbers = net_allocate((size_t)from->count, sizeof *value->numbers, error);
        if (!value->numbers)
            return false;
        memcpy(value->numbers, from->numbers, (size_t)from->count * sizeof *value->numbers);
    }
    settings->count++;
    return true;
}

/* A program without a train section still has batches to test with and a seed. */
static const NetSetting defaults[] = {
    {"batch", NULL, 1, (const double[]){64}},
    {"epochs", NULL, 1, (const double[]){1}},
    {"seed", NULL, 1, (const double[]){1}},
    {"normalize.mean", NULL, 1, (const double[]){0}},
    {"normalize.std", NULL, 1, (const double[]){1}},
    {"validation", NULL, 1, (const double[]){0}},
    {"stop.patience", NULL, 1, (const double[]){0}},
    {"stop.min_delta", NULL, 1, (const double[]){0}},
};
enum { DEFAULTS = sizeof defaults / sizeof *defaults };

bool net_settings_open(NetSettings *settings, const NetModel *model, NetError *error)
{
    *settings = (NetSettings){0};
    settings->values =
        net_allocate((size_t)model->setting_count + DEFAULTS, sizeof *settings->values, error);
    bool good = settings->values != NULL;
    for (int i = 0; good && i < model->setting_count; i++)
        good = add_value(settings, &model->settings[i], error);
    for (int i = 0; good && i < DEFAULTS; i++)
        if (!net_setting_find(settings, defaults[i].path))
            good = add_value(settings, &defaults[i], error);
    if (!good)
        net_settings_close(settings);
    return good;
}

bool net_setting_is_default(const NetValue *value)
{
    for (int i = 0; i < DEFAULTS; i++)
        if (value->compiled == defaults[i].numbers)
            return value->numbers[0] == defaults[i].numbers[0];
    return false;
}

void net_settings_close(NetSettings *settings)
{
    for (int i = 0; i < settings->count; i++)
        free(settings->values[i].numbers);
    free(settings->values);
    *settings = (NetSettings){0};
}

const NetValue *net_setting_find(const NetSettings *settings, const char *path)
{
    for (int i = 0; i < settings->count; i++)
        if (strcmp(settings->values[i].path, path) == 0)
            return &settings->values[i];
    return NULL;
}

double net_setting(const NetSettings *settings, const char *path, double fallback)
{
    const NetValue *value = net_setting_find(settings, path);
    return value && value->count > 0 ? value->numbers[0] : fallback;
}

const char *net_setting_word(const NetSettings *settings, const char *path, const char *fallback)
{
    const NetValue *value = net_setting_find(settings, path);
    return value && value->word ? value->word : fallback;
}

/* ------------------------------------------------------------- changes */

/* A number that the trainer reads; the loss's own are compiled into its kernels. */
bool net_setting_changeable(const NetValue *value)
{
    return value->count > 0 && find_rule(value->path);
}

static bool fail_unknown(const NetSettings *settings, const char *path, NetError *error)
{
    char known[400] = "";
    for (int i = 0; i < settings->count; i++) {
        size_t used = strlen(known);
        if (net_setting_changeable(&settings->values[i]))
            snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                     settings->values[i].path);
    }
    return net_fail(error, "unknown setting %.60s; this network's are %s", path, known);
}

/* "0.5,0.5,0.5": as many numbers as the value has. */
static bool set_list(NetValue *value, const Rule *rule, const char *text, const char *option,
                     NetError *error)
{
    char *copy = strdup(text), *rest = copy;
    if (!copy)
        return net_fail(error, "out of memory");
    double *numbers = net_allocate((size_t)value->count, sizeof *numbers, error);
    bool good = numbers != NULL;
    int count = 0;
    for (char *part; good && (part = strsep(&rest, ",")); count++) {
        double number;
        good = net_parse_number(&number, part, rule->whole, rule->min, rule->max, option, error);
        if (good && count < value->count)
            numbers[count] = number;
    }
    if (good && count != value->count)
        good = net_fail(error, "%s %.60s: %d number%s expected, not %d", option, text, value->count,
                        value->count == 1 ? " is" : "s with commas between are", count);
    free(copy);
    if (!good) {
        free(numbers);
        return false;
    }
    free(value->numbers);
    value->numbers = numbers;
    return true;
}

bool net_setting_set(NetSettings *settings, const char *path, const char *text, const char *option,
                     NetError *error)
{
    NetValue *value = (NetValue *)net_setting_find(settings, path);
    if (!value)
        return fail_unknown(settings, path, error);
    if (value->word)
        return net_fail(error, "%s is the word %s, not a number: change it in the .net file", path,
                        value->word);
    if (!net_setting_changeable(value))
        return net_fail(error, "%s is compiled into this program: change it in the .net file",
                        path);
    if (!set_list(value, find_rule(path), text, option, error))
        return false;
    value->given = true;
    return true;
}
