/* training.h: what the files of the train section share.
 *
 *   training.c         the section, loss
 *   training_recipe.c  optimizer, schedule
 *   training_data.c    data, normalize, augment
 *   training_moved.c   targets that augment moves
 *   training_fit.c     test
 *   training_readers.c data of csv("wine.csv") and its like
 *   training_units.c   whose targets are standardised
 *   training_paths.c   init, freeze, group: settings of parameters by path
 */
#ifndef TRAINING_H
#define TRAINING_H

#include "graph/build.h"

#define ANY_SIZE 2147483647.0

typedef struct Training {
    Builder *b;
    Graph *graph;
    const TrainDef *train;
    int groups; /* `group` settings so far */
    int losses, broken_losses;
    int unfrozen;     /* trained parameters that no `freeze` matched; -1: no freeze */
    Span freeze_span; /* the last freeze */
    bool has_test;    /* a `test` line, whatever is in it */
} Training;

/* An argument that may be a list of numbers, each as its table's row says. */
typedef struct ListRule {
    const char *name;
    int min_count, max_count;
} ListRule;

/* One of the things a setting may be, and its arguments. */
typedef struct Choice {
    const char *name;
    const ArgSpec *args;
    const ListRule *lists; /* ends with name NULL; NULL: none */
} Choice;

void add_number(Training *t, const char *path, double number, Span span);
void add_word(Training *t, const char *path, const char *word, Span span);
/* The word or text that a setting begins with: `data mnist`, `optimizer sgd(…)`;
 * NULL: reported.  `what` completes "begins with". */
const Expr *first_word(Training *t, const SettingDef *def, const char *what);
/* NULL: reported. */
const Choice *find_choice(Training *t, const char *setting, const Choice *choices,
                          const Expr *word);
/* The choice's arguments, those that were given or have defaults, as settings
 * under `prefix`; NULL: reported. */
const ArgValue *add_choice(Training *t, const char *prefix, const Choice *choice,
                           const Arguments *args, Span span);
/* The one of `choices` that a setting begins with, its word and arguments; NULL: reported. */
const ArgValue *resolve_choice(Training *t, const SettingDef *def, const Choice *choices,
                               const char *what);
double setting_number(const Training *t, const char *path);          /* 0: there is none */
const Argument *find_named(const Arguments *args, const char *name); /* NULL: none */

/* training_recipe.c */
extern const Choice optimizers[], schedules[];
void resolve_optimizer(Training *t, const SettingDef *def);
void resolve_schedule(Training *t, const SettingDef *def);
/* Of `monitor=`: whether the word at the path, if there is one, is a figure's name. */
#define MONITOR_DOC                                                                            \
    "The figure to go by, as a log has it without its split: loss, accuracy, f1, NAME_mae of " \
    "an output NAME; with train_ in front of the training images."
void check_monitor(Training *t, const char *path);
void check_recipe(Training *t); /* of optimizer, schedule and groups, what goes together */

/* training_data.c */
extern const ArgSpec normalize_args[];
extern const Choice augmentations[];
const char *data_set_name(int i); /* NULL: there are no more */
void resolve_data(Training *t, const SettingDef *def);
/* Data with one class for each image need an output of one row of classes. */
void check_positions(Training *t);
void resolve_normalize(Training *t, const SettingDef *def);
void resolve_augment(Training *t, const SettingDef *def);
/* mixup and cutmix change the losses, too. */
void mix_losses(Training *t);

/* training_fit.c */
extern const Choice test_steps[];
void resolve_test(Training *t, const SettingDef *def);
void check_moved(Training *t); /* of augment and targets: what moves with the images */
/* training_moved.c: "a class for each pixel", or a value */
const char *values_of(const Wanted *target);
void check_fit(Training *t); /* of test and augment, what goes together */
/* Whether the network takes a picture, and that alone; false: reported.  `what` completes "`test`
 * … one picture". */
bool takes_pictures(Training *t, const SettingDef *def, const char *what);

/* Whether the input holds whole numbers, as a text's are. */
void check_numbers(Training *t, bool text, Span at);

/* training_readers.c */
/* False: no reader has the call's name. */
bool resolve_reader(Training *t, const Expr *call);
void report_unknown_reader(Training *t, const Expr *call);
const char *data_reader_name(int i, const ArgSpec **args); /* NULL: there are no more */

/* training_units.c: of all losses, when they are there. */
void choose_units(Training *t);

/* training_paths.c */
extern const ArgSpec group_args[], layer_decay_args[];
void resolve_init(Training *t, const SettingDef *def);
void resolve_freeze(Training *t, const SettingDef *def);
void resolve_group(Training *t, const SettingDef *def);
void resolve_layer_decay(Training *t, const SettingDef *def);
void check_frozen(Training *t); /* that something is left to train */

#endif
