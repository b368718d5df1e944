/* training_fit.c: how pictures of other sizes become the network's: `test resize(256),
 * center_crop(224)`, and what of `augment` goes with it.
 *
 * Without `test` a picture is stretched to the network's height and width.  With it the forms of
 * pictures are kept: test images are resized and cut, and training images come in their own sizes
 * to `augment`, whose first crop gives them the network's.
 */
#include "graph/training.h"

#include <string.h>

static const ArgSpec resize_args[] = {{"size", ARG_INT, .positional = true, .minimum = 1,
                                       .maximum = 65536,
                                       .doc = "The shorter side, or [height, width]."},
                                      {0}};
static const ArgSpec center_crop_args[] = {{"size", ARG_PAIR, .positional = true, .minimum = 1,
                                            .maximum = 65536,
                                            .doc = "The network's height and width."},
                                           {0}};
static const ListRule resize_lists[] = {{"size", 1, 2}, {0}};

const Choice test_steps[] = {
    {"resize", resize_args, resize_lists}, {"center_crop", center_crop_args, NULL}, {0}};

/* Whether it is one of a pair of sizes that is the network's; false: reported. */
static bool gives_input(Training *t, const char *subject, const Setting *size)
{
    const Shape shape = t->graph->input->shape;
    Int h = (Int)size->list.items[0], w = (Int)size->list.items[1];
    if (shape.dim[1] == h && shape.dim[2] == w)
        return true;
    Diagnostic *d = build_error(t->b, "shape-mismatch", size->span,
                                "%s gives %lldx%lld images, but the network's input is %s", subject,
                                h, w, shape_text(shape));
    diag_label(d, t->graph->input_span, "%s", shape_text(shape));
    return false;
}

/* What a picture of any size is in the end. */
static void check_test_size(Training *t, const SettingDef *def)
{
    const Setting *resize = find_setting(t->graph, "test.resize.size"),
                  *crop = find_setting(t->graph, "test.center_crop.size");
    const Shape shape = t->graph->input->shape;
    if (crop != NULL) {
        gives_input(t, "center_crop", crop);
    } else if (resize != NULL && resize->list.count == 2) {
        gives_input(t, "resize", resize);
    } else if (resize != NULL) {
        Diagnostic *d = build_error(t->b, "shape-mismatch", def->span,
                                    "resize(%.0f) gives the shorter side and keeps the form: "
                                    "pictures have other sizes then",
                                    resize->list.items[0]);
        diag_help(d, "center_crop([%lld, %lld]) behind it cuts out the middle", shape.dim[1],
                  shape.dim[2]);
    }
}

/* False: reported. */
static bool resolve_test_step(Training *t, const Expr *word)
{
    if (word->kind == EXPR_ERROR)
        return false;
    bool named = word->kind == EXPR_PATH || word->kind == EXPR_CALL;
    if (!named)
        build_error(t->b, "value-type", word->span,
                    "`test` takes calls, as resize(256), center_crop(224)");
    const Choice *choice = named ? find_choice(t, "test step", test_steps, word) : NULL;
    if (choice == NULL)
        return false;
    const char *path = format("test.%s", choice->name);
    const Setting *first = find_setting(t->graph, path);
    const Setting *crop = find_setting(t->graph, "test.center_crop");
    if (first != NULL || crop != NULL) {
        Diagnostic *d = first != NULL ? build_error(t->b, "duplicate-setting", word->span,
                                                    "%s is given twice", choice->name)
                                      : build_error(t->b, "argument-range", word->span,
                                                    "%s comes before center_crop", choice->name);
        diag_label(d, (first != NULL ? first : crop)->span, first != NULL ? "the first" : "here");
        return false;
    }
    add_word(t, path, intern(choice->name), word->span);
    return add_choice(t, path, choice, evaluate_arguments(t->b, &word->arguments), word->span)
           != NULL;
}

/* Pictures, and of one input: what `what` is for. */
bool takes_pictures(Training *t, const SettingDef *def, const char *what)
{
    const Tensor *input = t->graph->input;
    if (input != NULL && input->shape.rank != 3) {
        Diagnostic *d = build_error(t->b, "shape-mismatch", def->span,
                                    "`%s` needs images [channels, height, width]", def->name);
        diag_label(d, t->graph->input_span, "%s", shape_text(input->shape));
        return false;
    }
    if (t->graph->inputs.count > 1) {
        Diagnostic *d = build_error(t->b, "shape-mismatch", def->span,
                                    "`%s` %s one picture, and the network takes %d inputs",
                                    def->name, what, t->graph->inputs.count);
        diag_label(d, t->graph->inputs.items[1].span, "the second");
        return false;
    }
    return input != NULL;
}

void resolve_test(Training *t, const SettingDef *def)
{
    bool good = true;
    t->has_test = true;
    if (first_word(t, def, "what is done: resize(256), center_crop(224)") == NULL
        || !takes_pictures(t, def, "cuts"))
        return;
    for (int i = 0; i < def->arguments.count; i++) {
        const Arg *arg = &def->arguments.items[i];
        if (arg->name != NULL)
            build_error(t->b, "unknown-argument", arg->name_span, "`test` has no argument `%s`",
                        arg->name);
        good &= arg->name == NULL && resolve_test_step(t, arg->value);
    }
    if (good)
        check_test_size(t, def);
}

static bool has_path(const Setting *setting, const char *path)
{
    return strcmp(setting->path, path) == 0;
}

/* A step is a setting "augment.NAME" that is a word of that name. */
static bool is_step(const Setting *setting)
{
    static const char section[] = "augment.";
    return setting->kind == SETTING_WORD && strncmp(setting->path, section, sizeof section - 1) == 0
           && strchr(setting->path + sizeof section - 1, '.') == NULL;
}

static void report_late(Training *t, const Setting *step, const Setting *before)
{
    Diagnostic *d =
        build_error(t->b, "argument-range", step->span,
                    "with `test` images come in their own sizes, and %s has to be before %s: the "
                    "first crop gives them the network's",
                    step->word, before->word);
    diag_label(d, before->span, "%s", before->word);
}

/* The crop by which training images get the network's size comes first, a resize before it. */
static void check_first_crop(Training *t)
{
    const Setting *first = NULL, *crop = NULL, *resize = find_setting(t->graph, "augment.resize");
    for (int i = 0; i < t->graph->settings.count; i++) {
        const Setting *step = &t->graph->settings.items[i];
        bool crops =
            has_path(step, "augment.random_crop") || has_path(step, "augment.random_resized_crop");
        if (!is_step(step) || (step == resize && first == NULL))
            continue;
        if (step == resize || (crops && first != NULL && crop == NULL)) {
            report_late(t, step, first);
            return;
        }
        first = first != NULL ? first : step;
        crop = crops ? step : crop;
    }
    if (resize == NULL || crop != NULL)
        return;
    Diagnostic *d = build_error(t->b, "argument-range", resize->span,
                                "resize has no crop behind it, so images would have other sizes");
    diag_help(d, "random_crop or random_resized_crop, of the network's size, as the next");
}

/* A class or a value for each pixel stays where it is. */
static void check_test_targets(Training *t, const Setting *test)
{
    for (int i = 0; i < t->graph->wanted.count; i++) {
        const Wanted *target = &t->graph->wanted.items[i];
        if (target->shape.rank < 3)
            continue;
        build_error(t->b, "shape-mismatch", test->span,
                    "`test` cuts the images, and %s is held against a target with %s", target->loss,
                    values_of(target));
        return;
    }
}

void check_fit(Training *t)
{
    const Setting *test = find_setting(t->graph, "test.resize"),
                  *resize = find_setting(t->graph, "augment.resize");
    test = test != NULL ? test : find_setting(t->graph, "test.center_crop");
    if (test != NULL) {
        check_first_crop(t);
        check_test_targets(t, test);
    } else if (resize != NULL && !t->has_test) {
        Diagnostic *d = build_error(t->b, "argument-range", resize->span,
                                    "resize is of pictures in their own sizes, and without a "
                                    "`test` line all are stretched to the network's");
        diag_help(d, "a line `test resize(256), center_crop(224)` says what test images become");
    }
}
