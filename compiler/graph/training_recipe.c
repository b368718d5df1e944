/* training_recipe.c: the train section's optimizers and schedules.
 *
 * Names, arguments and defaults are those of torch.optim and torch.optim.lr_scheduler; of what
 * PyTorch has not, those of the paper or of the program that made it known, as the runtime's files
 * say.  A new one is one row here and one there.
 */
#include "graph/training.h"

#include "core/figure_list.h"

#include <string.h>

#define LARGEST_DECAY 0.9999999

#define LR(default_)                                                                    \
    {                                                                                   \
        "lr", ARG_REAL, .otherwise = default_, .maximum = 1000, .doc = "Learning rate." \
    }
#define BETA1(default_)                                                     \
    {                                                                       \
        "beta1", ARG_REAL, .otherwise = default_, .maximum = LARGEST_DECAY, \
                           .doc = "Decay of the gradient's running mean."   \
    }
#define BETA2(default_)                                                           \
    {                                                                             \
        "beta2", ARG_REAL, .otherwise = default_, .maximum = LARGEST_DECAY,       \
                           .doc = "Decay of the squared gradient's running mean." \
    }
#define EPS(default_)                                                                            \
    {                                                                                            \
        "eps", ARG_REAL, .otherwise = default_, .maximum = 1, .doc = "Added to the denominator." \
    }
/* Weight decay as part of the gradient, and apart from it. */
#define L2_DECAY                                                                    \
    {                                                                               \
        "weight_decay", ARG_REAL, .otherwise = "0", .maximum = 1000,                \
                                  .doc = "Times the weight, added to its gradient." \
    }
#define OWN_DECAY(default_)                                                               \
    {                                                                                     \
        "weight_decay", ARG_REAL, .otherwise = default_, .maximum = 1000,                 \
                                  .doc = "Times lr and the weight, taken off the weight." \
    }
#define AMSGRAD                                                                                 \
    {                                                                                           \
        "amsgrad", ARG_BOOL, .otherwise = "false",                                              \
                             .doc = "Whether to divide by the largest squared gradient's mean " \
                                    "so far."                                                   \
    }
#define DECOUPLED                                                                           \
    {                                                                                       \
        "decoupled_weight_decay", ARG_BOOL, .otherwise = "false",                           \
                                            .doc = "Whether weight decay is taken off the " \
                                                   "weight, as adamw does."                 \
    }
#define FIRST_SQUARE                                                                       \
    {                                                                                      \
        "initial_accumulator_value", ARG_REAL, .otherwise = "0", .maximum = 1e6,           \
                                               .doc = "What the squared gradients' state " \
                                                      "begins at."                         \
    }

static const ArgSpec sgd_args[] = {{"lr", ARG_REAL, .maximum = 1000, .doc = "Learning rate."},
                                   {"momentum", ARG_REAL, .otherwise = "0", .maximum = 1,
                                    .doc = "Weight of the velocity of the step before."},
                                   {"dampening", ARG_REAL, .otherwise = "0", .maximum = 1,
                                    .doc = "Part of the gradient kept out of the velocity."},
                                   L2_DECAY,
                                   {"nesterov", ARG_BOOL, .otherwise = "false",
                                    .doc = "Whether the gradient is taken a step ahead."},
                                   {0}};
static const ArgSpec adam_args[] = {LR("1e-3"), BETA1("0.9"), BETA2("0.999"), EPS("1e-8"), L2_DECAY,
                                    AMSGRAD,    {0}};
static const ArgSpec adamw_args[] = {
    LR("1e-3"), BETA1("0.9"), BETA2("0.999"), EPS("1e-8"), OWN_DECAY("1e-2"), AMSGRAD, {0}};
static const ArgSpec nadam_args[] = {
    LR("2e-3"),
    BETA1("0.9"),
    BETA2("0.999"),
    EPS("1e-8"),
    L2_DECAY,
    {"momentum_decay", ARG_REAL, .otherwise = "4e-3", .maximum = 1000,
     .doc = "How fast the momentum rises to beta1, from half of it."},
    DECOUPLED,
    {0}};
static const ArgSpec radam_args[] = {
    LR("1e-3"), BETA1("0.9"), BETA2("0.999"), EPS("1e-8"), L2_DECAY, DECOUPLED, {0}};
static const ArgSpec adamax_args[] = {LR("2e-3"),
                                      BETA1("0.9"),
                                      {"beta2", ARG_REAL, .otherwise = "0.999",
                                       .maximum = LARGEST_DECAY,
                                       .doc = "Decay of the largest gradient so far."},
                                      EPS("1e-8"),
                                      L2_DECAY,
                                      {0}};
static const ArgSpec rmsprop_args[] = {
    LR("1e-2"),
    {"alpha", ARG_REAL, .otherwise = "0.99", .maximum = LARGEST_DECAY,
     .doc = "Decay of the squared gradient's running mean."},
    EPS("1e-8"),
    L2_DECAY,
    {"momentum", ARG_REAL, .otherwise = "0", .maximum = 1,
     .doc = "Weight of the move of the step before."},
    {"centered", ARG_BOOL, .otherwise = "false",
     .doc = "Whether to divide by the gradient's deviation, not its size."},
    {"eps_inside", ARG_BOOL, .otherwise = "false",
     .doc = "Whether eps is added before the root is taken, as TensorFlow does."},
    {"lr_in_momentum", ARG_BOOL, .otherwise = "false",
     .doc = "Whether the momentum is of moves times lr, as TensorFlow's is."},
    FIRST_SQUARE,
    {0}};
static const ArgSpec adagrad_args[] = {
    LR("1e-2"),
    {"lr_decay", ARG_REAL, .otherwise = "0", .maximum = 1000,
     .doc = "The rate is divided by 1 + lr_decay times the steps before."},
    L2_DECAY,
    FIRST_SQUARE,
    EPS("1e-10"),
    {0}};
static const ArgSpec adadelta_args[] = {
    LR("1"),
    {"rho", ARG_REAL, .otherwise = "0.9", .maximum = 1, .doc = "Decay of both running means."},
    {"eps", ARG_REAL, .otherwise = "1e-6", .maximum = 1,
     .doc = "Added to both means before their roots."},
    L2_DECAY,
    {0}};
static const ArgSpec lion_args[] = {
    LR("1e-4"),
    {"beta1", ARG_REAL, .otherwise = "0.9", .maximum = LARGEST_DECAY,
     .doc = "Weight of the mean where the sign is taken."},
    {"beta2", ARG_REAL, .otherwise = "0.99", .maximum = LARGEST_DECAY,
     .doc = "Decay of the gradient's running mean."},
    OWN_DECAY("0"),
    {0}};
static const ArgSpec lars_args[] = {
    {"lr", ARG_REAL, .maximum = 1000, .doc = "Learning rate, which a layer's norms scale."},
    {"momentum", ARG_REAL, .otherwise = "0.9", .maximum = 1,
     .doc = "Weight of the move of the step before."},
    L2_DECAY,
    {"trust_coefficient", ARG_REAL, .otherwise = "1e-3", .maximum = 1000,
     .doc = "Times the norm of a layer's weights over that of its gradient: its rate."},
    {0}};
static const ArgSpec lamb_args[] = {LR("1e-3"),
                                    BETA1("0.9"),
                                    BETA2("0.999"),
                                    EPS("1e-6"),
                                    {"weight_decay", ARG_REAL, .otherwise = "1e-2", .maximum = 1000,
                                     .doc = "Times the weight, added to its direction."},
                                    {0}};
static const char *const adjustments[] = {"original", "match_rms_adamw", NULL};
static const ArgSpec muon_args[] = {
    LR("1e-3"),
    OWN_DECAY("0.1"),
    {"momentum", ARG_REAL, .otherwise = "0.95", .maximum = 1,
     .doc = "Decay of the gradient's running mean."},
    {"nesterov", ARG_BOOL, .otherwise = "true",
     .doc = "Whether the gradient is taken a step ahead."},
    {"eps", ARG_REAL, .otherwise = "1e-7", .maximum = 1,
     .doc = "The least norm that a matrix is divided by."},
    {"ns_steps", ARG_INT, .otherwise = "5", .minimum = 1, .maximum = 99,
     .doc = "Newton-Schulz iterations towards the orthogonal matrix."},
    {"adjust_lr_fn", ARG_WORD, .otherwise = "original", .words = adjustments,
     .doc = "How the rate follows a matrix's shape."},
    {"adam_lr", ARG_REAL, .otherwise = "none", .maximum = 1000,
     .doc = "Rate of the parameters that are no matrices, which adamw moves; lr when not given."},
    {"beta1", ARG_REAL, .otherwise = "0.9", .maximum = LARGEST_DECAY,
     .doc = "Of those: decay of the gradient's running mean."},
    {"beta2", ARG_REAL, .otherwise = "0.999", .maximum = LARGEST_DECAY,
     .doc = "Of those: decay of the squared gradient's running mean."},
    {"adam_eps", ARG_REAL, .otherwise = "1e-8", .maximum = 1,
     .doc = "Of those: added to the denominator."},
    {0}};

const Choice optimizers[] = {{"sgd", sgd_args, NULL},           {"adam", adam_args, NULL},
                             {"adamw", adamw_args, NULL},       {"nadam", nadam_args, NULL},
                             {"radam", radam_args, NULL},       {"adamax", adamax_args, NULL},
                             {"rmsprop", rmsprop_args, NULL},   {"adagrad", adagrad_args, NULL},
                             {"adadelta", adadelta_args, NULL}, {"lion", lion_args, NULL},
                             {"lars", lars_args, NULL},         {"lamb", lamb_args, NULL},
                             {"muon", muon_args, NULL},         {0}};

/* ------------------------------------------------------------ schedules */

static const char *const units[] = {"epoch", "step", NULL};
static const char *const anneals[] = {"cos", "linear", NULL};

#define WARMUP                                                                        \
    {                                                                                 \
        "warmup", ARG_INT, .otherwise = "0", .maximum = ANY_SIZE,                     \
                           .doc = "Epochs or steps over which the rate rises from 0." \
    }
#define WARMUP_DECAY                                                                       \
    {                                                                                      \
        "warmup_decay", ARG_REAL, .otherwise = "none", .maximum = 1,                       \
                                  .doc = "What the rate is multiplied by when the warmup " \
                                         "begins; 1/warmup when not given."                \
    }
#define BY                                                                                       \
    {                                                                                            \
        "by", ARG_WORD, .otherwise = "epoch", .words = units, .doc = "What the schedule counts." \
    }
#define COMMON WARMUP, WARMUP_DECAY, BY
#define GAMMA(default_)                                             \
    {                                                               \
        "gamma", ARG_REAL, .otherwise = default_, .maximum = 1000,  \
                           .doc = "What the rate is multiplied by." \
    }
#define TOTAL_ITERS                                                                          \
    {                                                                                        \
        "total_iters", ARG_INT, .otherwise = "none", .minimum = 1, .maximum = ANY_SIZE,      \
                                .doc = "Epochs or steps that it takes after the warmup; to " \
                                       "the end when not given."                             \
    }
#define ETA_MIN                                                                           \
    {                                                                                     \
        "eta_min", ARG_REAL, .otherwise = "0", .maximum = 1000, .doc = "The lowest rate." \
    }

static const ArgSpec constant_args[] = {COMMON, {0}};
static const ArgSpec step_args[] = {COMMON,
                                    {"step_size", ARG_INT, .positional = true, .minimum = 1,
                                     .maximum = ANY_SIZE,
                                     .doc = "Epochs or steps between two drops."},
                                    GAMMA("0.1"),
                                    {0}};
static const ArgSpec multi_step_args[] = {COMMON,
                                          {"milestones", ARG_INT, .positional = true,
                                           .maximum = ANY_SIZE,
                                           .doc = "The epochs or steps at which the rate drops."},
                                          GAMMA("0.1"),
                                          {0}};
static const ListRule multi_step_lists[] = {{"milestones", 1, 1000}, {0}};
static const ArgSpec exponential_args[] = {
    COMMON,
    {"gamma", ARG_REAL, .positional = true, .maximum = 1000,
     .doc = "What the rate is multiplied by every epoch or step."},
    {0}};
static const ArgSpec linear_args[] = {COMMON,
                                      {"start_factor", ARG_REAL, .otherwise = "0.33333333333333333",
                                       .maximum = 1,
                                       .doc = "What the rate is multiplied by in the beginning."},
                                      {"end_factor", ARG_REAL, .otherwise = "1", .maximum = 1,
                                       .doc = "What the rate is multiplied by in the end."},
                                      TOTAL_ITERS,
                                      {0}};
static const ArgSpec polynomial_args[] = {
    COMMON,
    {"power", ARG_REAL, .otherwise = "1", .maximum = 1000,
     .doc = "The rate falls to 0 as this power of the part that is left; 1: along a line."},
    TOTAL_ITERS,
    {0}};
static const ArgSpec inverse_sqrt_args[] = {
    COMMON,
    {"timescale", ARG_REAL, .otherwise = "none", .minimum = 1e-6, .maximum = 1e12,
     .doc = "Epochs or steps n: the rate is multiplied by sqrt(n/(n + those after the warmup)); "
            "the warmup, or 1, when not given."},
    {0}};
static const ArgSpec inv_args[] = {
    COMMON,
    {"gamma", ARG_REAL, .positional = true, .maximum = 1000,
     .doc = "How fast the rate falls: after t epochs or steps it is multiplied by "
            "(1 + gamma*t)^-power, as by Caffe's policy of this name."},
    {"power", ARG_REAL, .otherwise = "1", .maximum = 1000,
     .doc = "How far; 1 is Keras's InverseTimeDecay."},
    {0}};
static const ArgSpec cosine_args[] = {
    COMMON,
    {"T_max", ARG_INT, .otherwise = "none", .minimum = 1, .maximum = ANY_SIZE,
     .doc = "Epochs or steps from the warmup to the lowest rate; to the end when not given."},
    ETA_MIN,
    {0}};
static const ArgSpec restarts_args[] = {
    COMMON,
    {"T_0", ARG_INT, .positional = true, .minimum = 1, .maximum = ANY_SIZE,
     .doc = "Epochs or steps to the first restart at the full rate."},
    {"T_mult", ARG_INT, .otherwise = "1", .minimum = 1, .maximum = 1000,
     .doc = "How many times longer each next stretch is."},
    ETA_MIN,
    {0}};

static const char *const directions[] = {"min", "max", NULL};
static const char *const thresholds[] = {"rel", "abs", NULL};
static const ArgSpec plateau_args[] = {
    {"warmup", ARG_INT, .otherwise = "0", .maximum = ANY_SIZE,
     .doc = "Epochs over which the rate rises from 0, and no figure counts."},
    WARMUP_DECAY,
    {"monitor", ARG_WORD, .otherwise = "none", .words = any_word, .doc = MONITOR_DOC},
    {"mode", ARG_WORD, .otherwise = "none", .words = directions,
     .doc = "Whether the figure should fall (min), or rise (max); of no monitor= min is of the "
            "loss, and max of the accuracy."},
    {"factor", ARG_REAL, .otherwise = "0.1", .maximum = 0.9999999,
     .doc = "What the rate is multiplied by when that stops."},
    {"patience", ARG_INT, .otherwise = "10", .maximum = ANY_SIZE,
     .doc = "Epochs without a better figure that are waited for."},
    {"threshold", ARG_REAL, .otherwise = "1e-4", .maximum = 1e6,
     .doc = "How much better a figure must be."},
    {"threshold_mode", ARG_WORD, .otherwise = "rel", .words = thresholds,
     .doc = "Whether that is a part of the best figure, or a number."},
    {"cooldown", ARG_INT, .otherwise = "0", .maximum = ANY_SIZE,
     .doc = "Epochs after a drop of which no figure counts."},
    {"min_lr", ARG_REAL, .otherwise = "0", .maximum = 1000, .doc = "The lowest rate."},
    {"eps", ARG_REAL, .otherwise = "1e-8", .maximum = 1, .doc = "The least drop that is made."},
    {0}};

static const ArgSpec one_cycle_args[] = {
    {"max_lr", ARG_REAL, .positional = true, .maximum = 1000,
     .doc = "The highest rate; the optimizer's own is not used."},
    {"total_steps", ARG_INT, .otherwise = "none", .minimum = 1, .maximum = ANY_SIZE,
     .doc = "Of the cycle; all when not given."},
    {"pct_start", ARG_REAL, .otherwise = "0.3", .maximum = 1,
     .doc = "Part of the cycle in which the rate rises."},
    {"anneal_strategy", ARG_WORD, .otherwise = "cos", .words = anneals,
     .doc = "The form of its rise and fall."},
    {"cycle_momentum", ARG_BOOL, .otherwise = "true",
     .doc = "Whether momentum, or beta1, falls as the rate rises."},
    {"base_momentum", ARG_REAL, .otherwise = "0.85", .maximum = LARGEST_DECAY,
     .doc = "The lowest momentum."},
    {"max_momentum", ARG_REAL, .otherwise = "0.95", .maximum = LARGEST_DECAY,
     .doc = "The highest momentum."},
    {"div_factor", ARG_REAL, .otherwise = "25", .minimum = 1e-6, .maximum = 1e12,
     .doc = "max_lr over the first rate."},
    {"final_div_factor", ARG_REAL, .otherwise = "1e4", .minimum = 1e-6, .maximum = 1e12,
     .doc = "The first rate over the last."},
    {"three_phase", ARG_BOOL, .otherwise = "false",
     .doc = "Whether the rate falls to the first before it falls to the last."},
    {"by", ARG_WORD, .otherwise = "step", .words = units, .doc = "What the schedule counts."},
    {0}};

const Choice schedules[] = {{"constant", constant_args, NULL},
                            {"step", step_args, NULL},
                            {"multi_step", multi_step_args, multi_step_lists},
                            {"exponential", exponential_args, NULL},
                            {"linear", linear_args, NULL},
                            {"polynomial", polynomial_args, NULL},
                            {"inverse_sqrt", inverse_sqrt_args, NULL},
                            {"inv", inv_args, NULL},
                            {"cosine", cosine_args, NULL},
                            {"cosine_warm_restarts", restarts_args, NULL},
                            {"plateau", plateau_args, NULL},
                            {"one_cycle", one_cycle_args, NULL},
                            {0}};

/* ------------------------------------------------------------ resolving */

static bool is_set(const Training *t, const char *path, const char *word)
{
    const Setting *setting = find_setting(t->graph, path);
    return setting != NULL && setting->word != NULL && strcmp(setting->word, word) == 0;
}

/* PyTorch's rule for Nesterov's momentum. */
void resolve_optimizer(Training *t, const SettingDef *def)
{
    resolve_choice(t, def, optimizers, "an optimizer: sgd(lr=0.01), adam");
    if (!is_set(t, "optimizer", "sgd") || setting_number(t, "optimizer.nesterov") == 0)
        return;
    if (setting_number(t, "optimizer.momentum") <= 0
        || setting_number(t, "optimizer.dampening") != 0)
        build_error(t->b, "argument-range", find_setting(t->graph, "optimizer.nesterov")->span,
                    "nesterov needs a momentum above 0, and dampening 0");
}

void resolve_schedule(Training *t, const SettingDef *def)
{
    if (resolve_choice(t, def, schedules, "a schedule: cosine, step(30)") != NULL)
        check_monitor(t, "schedule.monitor");
}

/* -------------------------------------------------------------- monitor */

static const char *const figure_keys[] = {
#define KEY(constant, name, key, percent, larger) key,
    NET_FIGURE_LIST(KEY)
#undef KEY
        NULL};

/* Of the training images there are two: a step has no others. */
static bool is_of_training(const char *word)
{
    return strcmp(word, NET_OF_TRAINING "loss") == 0
           || strcmp(word, NET_OF_TRAINING "accuracy") == 0;
}

static bool is_figure(const char *word)
{
    for (int i = 0; figure_keys[i] != NULL; i++)
        if (strcmp(word, figure_keys[i]) == 0)
            return true;
    return false;
}

/* "aux_accuracy", of an output that is called aux. */
static bool is_of_output(const Training *t, const char *word)
{
    for (int i = 0; i < t->graph->outputs.count; i++) {
        const char *name = t->graph->outputs.items[i].name;
        size_t length = strlen(name);
        if (strncmp(word, name, length) == 0 && word[length] == '_' && is_figure(word + length + 1))
            return true;
    }
    return false;
}

/* Keras calls val_loss what is loss here, a log test_loss. */
static const char *without_split(const char *word)
{
    static const char *const splits[] = {"val_", "valid_", "validation_", "test_"};
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (strncmp(word, splits[i], strlen(splits[i])) == 0)
            return word + strlen(splits[i]);
    return NULL;
}

void check_monitor(Training *t, const char *path)
{
    const Setting *setting = find_setting(t->graph, path);
    const char *word = setting != NULL ? setting->word : NULL;
    if (word == NULL || is_figure(word) || is_of_training(word) || is_of_output(t, word))
        return;
    Diagnostic *d = build_error(t->b, "unknown-name", setting->span, "no figure is named %s", word);
    const char *plain = without_split(word), *near;
    if (plain != NULL && is_figure(plain))
        diag_fix(d, setting->span, plain, "it is %s here: of the images that a run is judged by",
                 plain);
    else if ((near = nearest_for(d, word, figure_keys)) != NULL)
        diag_fix(d, setting->span, near, "the nearest is %s", near);
    Text list = {0};
    for (int i = 0; figure_keys[i] != NULL; i++)
        text_add(&list, "%s%s", i > 0 ? ", " : "", figure_keys[i]);
    diag_note(d,
              "figures are: %s; " NET_OF_TRAINING "loss and " NET_OF_TRAINING "accuracy of the "
              "training images, and NAME_… of an output NAME",
              text_chars(&list));
}

/* ------------------------------------------------------- what goes together */

/* one_cycle sets every rate itself. */
static void check_rates(Training *t)
{
    const Setting *cycle = find_setting(t->graph, "schedule.max_lr");
    for (int group = 1; cycle != NULL && group <= t->groups; group++) {
        const Setting *lr = find_setting(t->graph, format("group.%d.lr", group));
        if (lr == NULL)
            continue;
        Diagnostic *d =
            build_error(t->b, "argument-range", lr->span,
                        "one_cycle sets the rate of every parameter: this group's has no effect");
        diag_label(d, cycle->span, "the rate");
    }
}

/* one_cycle moves a momentum, which some optimizers have not. */
static void check_momentum(Training *t)
{
    const Setting *cycle = find_setting(t->graph, "schedule.cycle_momentum"),
                  *optimizer = find_setting(t->graph, "optimizer");
    if (cycle == NULL || cycle->number == 0 || optimizer == NULL
        || find_setting(t->graph, "optimizer.momentum") != NULL
        || find_setting(t->graph, "optimizer.beta1") != NULL)
        return;
    Diagnostic *d =
        build_error(t->b, "argument-range", cycle->span,
                    "one_cycle moves the momentum too, and %s has none", optimizer->word);
    diag_label(d, optimizer->span, "no momentum");
    diag_help(d, "one_cycle(…, cycle_momentum=false)");
}

/* What lars, lamb and muon do for a whole layer, others do not. */
static void check_adapt(Training *t)
{
    const Setting *optimizer = find_setting(t->graph, "optimizer");
    bool layerwise = is_set(t, "optimizer", "lars") || is_set(t, "optimizer", "lamb")
                     || is_set(t, "optimizer", "muon");
    for (int group = 1; optimizer != NULL && !layerwise && group <= t->groups; group++) {
        const Setting *adapt = find_setting(t->graph, format("group.%d.adapt", group));
        if (adapt == NULL)
            continue;
        Diagnostic *d = build_error(t->b, "argument-range", adapt->span,
                                    "%s moves every parameter by itself: `adapt` is of lars, lamb "
                                    "and muon",
                                    optimizer->word);
        diag_label(d, optimizer->span, "the optimizer");
    }
}

/* A group's `clip` is of the line `clip`. */
static void check_clips(Training *t)
{
    bool clipped = find_setting(t->graph, "clip.norm") != NULL
                   || find_setting(t->graph, "clip.value") != NULL
                   || find_setting(t->graph, "clip.adaptive") != NULL;
    for (int group = 1; group <= t->groups; group++) {
        const Setting *own = find_setting(t->graph, format("group.%d.clip", group));
        if (own == NULL || clipped)
            continue;
        Diagnostic *d = build_error(t->b, "argument-range", own->span,
                                    "`clip` of a group says whether the line `clip` is of it, and "
                                    "there is none");
        diag_help(d, "a line `clip norm=1`; or leave `clip` out here");
    }
}

void check_recipe(Training *t)
{
    check_clips(t);
    check_rates(t);
    check_momentum(t);
    check_adapt(t);
}
