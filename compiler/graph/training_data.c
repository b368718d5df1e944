/* training_data.c: where the images come from, and what is done to them before
 * the network sees them.  The shape and classes of a known data set are checked
 * against the network's.
 */
#include "graph/training.h"

#include <string.h>

/* Zeros: any. */
static const struct DataSet {
    const char *name;
    Int dim[3], classes;
} data_sets[] = {{"mnist", {1, 28, 28}, 10},
                 {"fashion_mnist", {1, 28, 28}, 10},
                 {"kmnist", {1, 28, 28}, 10},
                 {"emnist_balanced", {1, 28, 28}, 47},
                 {"emnist_byclass", {1, 28, 28}, 62},
                 {"emnist_bymerge", {1, 28, 28}, 47},
                 {"emnist_digits", {1, 28, 28}, 10},
                 {"emnist_letters", {1, 28, 28}, 26},
                 {"emnist_mnist", {1, 28, 28}, 10},
                 {"cifar10", {3, 32, 32}, 10},
                 {"cifar100", {3, 32, 32}, 100},
                 {"synthetic", {0, 0, 0}, 0},
                 {0}};

const char *data_set_name(int i)
{
    return data_sets[i].name;
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
    Diagnostic *d =
        build_error(t->b, "unknown-name", word->span, "no data set is named %s", word->word);
    const char *near = nearest_for(d, word->word, names.items);
    if (near != NULL)
        diag_fix(d, word->span, near, "the nearest is %s", near);
    diag_note(d, "known are: %s; a folder is written \"folder\"", text_chars(&list));
}

static void check_input(Training *t, const struct DataSet *set, Span at)
{
    const Tensor *input = t->graph->input;
    Shape shape = shape_of(3, set->dim[0], set->dim[1], set->dim[2]);
    Shape grey = shape_of(2, set->dim[1], set->dim[2], 1);
    if (input == NULL || input->choices > 0 || shape_equal(input->shape, shape) || set->dim[0] == 0
        || (set->dim[0] == 1 && shape_equal(input->shape, grey)))
        return;
    Diagnostic *d = build_error(t->b, "shape-mismatch", t->graph->input_span,
                                "the network's input is %s, but %s has images %s",
                                shape_text(input->shape), set->name, shape_text(shape));
    diag_label(d, at, "%s", shape_text(shape));
    diag_sizes(d, input->shape, shape);
}

/* The last layer with weights whose output the logits are: the one to fix. */
static const Node *final_layer(const Graph *graph)
{
    const Node *last = graph->output->producer;
    for (const Node *node = last; node != NULL; node = node->inputs.items[0]->producer) {
        if (first_input(node) == NULL || !shape_equal(node->out_shape, graph->output->shape))
            break;
        if (node->parameters.count > 0)
            return node;
    }
    return last;
}

static void check_classes(Training *t, const struct DataSet *set, Span at)
{
    const Tensor *output = t->graph->output;
    if (output == NULL || output->shape.rank != 1 || output->shape.dim[0] == set->classes
        || set->classes == 0 || output->producer == NULL)
        return;
    const Node *layer = final_layer(t->graph);
    Diagnostic *d = node_error(layer, "classes-mismatch", layer->span,
                               "%s gives %lld values, but %s has %lld classes", layer->path,
                               output->shape.dim[0], set->name, set->classes);
    diag_caption(d, "%lld values, one per class", output->shape.dim[0]);
    diag_label(d, at, "%lld classes", set->classes);
    diag_sizes(d, output->shape, shape_of(1, set->classes, 1, 1));
}

/* Texts are whole numbers, pictures are none. */
void check_numbers(Training *t, bool text, Span at)
{
    const Tensor *input = t->graph->input;
    if (input == NULL || text == (input->choices > 0))
        return;
    Diagnostic *d =
        build_error(t->b, "whole-numbers", at,
                    text ? "a text is whole numbers, and the network's input %s holds real ones"
                         : "images are real numbers, and the network's input %s holds whole ones",
                    shape_text(input->shape));
    diag_label(d, t->graph->input_span, "%s", shape_text(input->shape));
    diag_help(d, text ? "`input [256] of 65`: 256 characters, each one of 65"
                      : "`data text(\"file.txt\")` takes a text's characters");
}

/* What has one array of examples is no data for several inputs. */
static bool has_one_input(Training *t, const char *data, Span at)
{
    const Graph *graph = t->graph;
    if (graph->inputs.count < 2)
        return true;
    Diagnostic *d = build_error(t->b, "shape-mismatch", at,
                                "%s has one array of examples, and the network takes %d inputs",
                                data, graph->inputs.count);
    diag_label(d, graph->inputs.items[1].span, "the second");
    diag_help(d, "`data arrays(\"folder\")` reads one for each, and `data synthetic` draws them");
    return false;
}

/* The known data set of the section; NULL: there is none. */
static const struct DataSet *find_setting_set(const Training *t)
{
    const Setting *data = find_setting(t->graph, "data");
    return data != NULL ? find_data_set(data->word) : NULL;
}

/* Whether the output is held against the class that the data have; not where it is one number, nor
 * where the loss says another target. */
static bool may_be_class(const Node *loss)
{
    return loss == NULL
           || (only_target(loss) >= 0
               && (loss->op->target == TARGET_CLASSES
                   || shape_elements(loss->inputs.items[0]->shape) > 1));
}

void check_positions(Training *t)
{
    check_moved(t);
    const Node *loss = t->graph->loss;
    const Tensor *input = t->graph->input;
    const struct DataSet *set = find_setting_set(t);
    if (set != NULL && may_be_class(loss))
        check_classes(t, set, find_setting(t->graph, "data")->span);
    if (loss != NULL && loss->op->target == TARGET_CLASSES && only_target(loss) >= 0
        && input != NULL && set != NULL && set->classes > 0)
        node_has_rank(loss, RANK(1));
}

void resolve_data(Training *t, const SettingDef *def)
{
    const Expr *word = first_word(t, def, "a data set's name, or \"folder\"");
    if (word == NULL)
        return;
    if (def->arguments.count == 1 && word->kind == EXPR_CALL && resolve_reader(t, word))
        return;
    if (def->arguments.count == 1 && word->kind == EXPR_CALL && find_data_set(word->word) == NULL) {
        report_unknown_reader(t, word);
        return;
    }
    if (def->arguments.count > 1 || word->kind == EXPR_CALL) {
        build_error(t->b, "too-many-arguments", def->span, "`data` takes one name");
        return;
    }
    if (word->kind == EXPR_TEXT) {
        Value text = evaluate(t->b, word);
        if (text.kind == VALUE_TEXT && text.word[0] == '\0')
            build_error(t->b, "value-type", word->span, "the folder's name is empty");
        else if (text.kind == VALUE_TEXT) {
            add_word(t, "data", text.word, word->span);
            if (has_one_input(t, "a folder", word->span))
                check_numbers(t, false, word->span);
        }
        return;
    }
    const struct DataSet *set = find_data_set(word->word);
    if (set == NULL) {
        report_unknown_data(t, word);
        return;
    }
    add_word(t, "data", word->word, word->span);
    if (set->dim[0] > 0 && !has_one_input(t, word->word, word->span))
        return;
    if (set->dim[0] > 0)
        check_numbers(t, false, word->span);
    check_input(t, set, word->span);
}

/* ------------------------------------------------------------ normalize */

const ArgSpec normalize_args[] = {{"mean", ARG_REAL, .minimum = -1e6, .maximum = 1e6, .doc = NULL},
                                  {"std", ARG_REAL, .minimum = 1e-6, .maximum = 1e6, .doc = NULL},
                                  {0}};
static const ListRule normalize_lists[] = {{"mean", 1, 65536}, {"std", 1, 65536}, {0}};

static bool check_channels(Training *t, const Arguments *args, const char *name)
{
    const Tensor *input = t->graph->input;
    const Argument *arg = find_named(args, name);
    int count = arg != NULL && arg->value.kind == VALUE_LIST ? arg->value.list->values.count : 1;
    if (count <= 1 || input == NULL || input->shape.dim[0] == count)
        return true;
    Diagnostic *d = build_error(t->b, "shape-mismatch", arg->span,
                                "`%s` lists %d numbers, but the input has %lld channel%s", name,
                                count, input->shape.dim[0], input->shape.dim[0] == 1 ? "" : "s");
    diag_label(d, t->graph->input_span, "%s", shape_text(input->shape));
    return false;
}

void resolve_normalize(Training *t, const SettingDef *def)
{
    static const Choice normalize = {"normalize", normalize_args, normalize_lists};
    const Arguments *args = evaluate_arguments(t->b, &def->arguments);
    add_choice(t, "normalize", &normalize, args, def->span);
    if (check_channels(t, args, "mean"))
        check_channels(t, args, "std");
}

/* -------------------------------------------------------------- augment */

static const char *const interpolations[] = {"nearest", "bilinear", NULL};

/* What stands beyond the edges of an image that is moved. */
static const char *const padding_modes[] = {"constant", "edge", "reflect", "symmetric", NULL};

#define FILL                                                                                \
    {                                                                                       \
        "fill", ARG_INT, .otherwise = "none", .maximum = 255,                               \
                         .doc = "What comes from beyond the edges, from 0, black, to 255: " \
                                "for all channels or a list by channel; 0 when not given."  \
    }
#define TARGET_FILL                                                                              \
    {                                                                                            \
        "target_fill", ARG_REAL, .otherwise = "none", .minimum = -1e9, .maximum = 1e9,           \
                                 .doc = "The same of a target with a class or a value for each " \
                                        "pixel; the loss's ignore_index when not given."         \
    }
#define PADDING_MODE                                                                          \
    {                                                                                         \
        "padding_mode", ARG_WORD, .otherwise = "constant", .words = padding_modes,            \
                                  .doc = "Beyond the edges: `fill`, the edge's own pixels, "  \
                                         "or the image mirrored without its edge or with it." \
    }
#define FILLS        \
    {                \
        "fill", 1, 4 \
    }

static const ArgSpec random_crop_args[] = {{"size", ARG_PAIR, .positional = true, .minimum = 1,
                                            .maximum = ANY_SIZE,
                                            .doc = "The network's height and width."},
                                           {"padding", ARG_PAIR, .otherwise = "0", .maximum = 65536,
                                            .doc = "Rows and columns added on every side before."},
                                           FILL,
                                           TARGET_FILL,
                                           PADDING_MODE,
                                           {0}};
static const ListRule fill_lists[] = {FILLS, {0}};
static const ArgSpec horizontal_flip_args[] = {
    {"p", ARG_REAL, .positional = true, .otherwise = "0.5", .maximum = 1,
     .doc = "Probability that left and right change places."},
    {0}};
#define INTERPOLATION                                                               \
    {                                                                               \
        "interpolation", ARG_WORD, .otherwise = "nearest", .words = interpolations, \
                                   .doc = "Of the pixels between pixels."           \
    }
static const ArgSpec random_affine_args[] = {
    {"degrees", ARG_REAL, .positional = true, .minimum = -360, .maximum = 360,
     .doc = "Turned by at most this, or between two."},
    {"translate", ARG_REAL, .otherwise = "none", .maximum = 1,
     .doc = "At most so much of the width and of the height."},
    {"scale", ARG_REAL, .otherwise = "none", .minimum = 1e-3, .maximum = 1000,
     .doc = "Between these two; of four numbers, along x and then along y."},
    {"shear", ARG_REAL, .otherwise = "none", .minimum = -89, .maximum = 89,
     .doc = "Degrees along x: at most, or between two; then along y."},
    INTERPOLATION,
    FILL,
    TARGET_FILL,
    PADDING_MODE,
    {0}};
static const ListRule random_affine_lists[] = {
    {"degrees", 1, 2}, {"translate", 2, 2}, {"scale", 2, 4}, {"shear", 1, 4}, FILLS, {0}};
static const ArgSpec cutout_args[] = {
    {"size", ARG_INT, .positional = true, .minimum = 1, .maximum = 65536,
     .doc = "The side of the square that is made the mean's grey."},
    {0}};

static const ArgSpec resized_crop_args[] = {
    {"size", ARG_PAIR, .positional = true, .minimum = 1, .maximum = ANY_SIZE,
     .doc = "The network's height and width."},
    {"scale", ARG_REAL, .otherwise = "none", .minimum = 1e-6, .maximum = 1,
     .doc = "The part of the area that is kept: between these two; [0.08, 1] when not given."},
    {"ratio", ARG_REAL, .otherwise = "none", .minimum = 1e-3, .maximum = 1000,
     .doc = "Its width over its height: between these two; [3/4, 4/3] when not given."},
    {0}};
static const ListRule resized_crop_lists[] = {{"scale", 2, 2}, {"ratio", 2, 2}, {0}};
static const ArgSpec vertical_flip_args[] = {
    {"p", ARG_REAL, .positional = true, .otherwise = "0.5", .maximum = 1,
     .doc = "Probability that top and bottom change places."},
    {0}};
static const ArgSpec rotation_args[] = {{"degrees", ARG_REAL, .positional = true, .minimum = -360,
                                         .maximum = 360,
                                         .doc = "Turned by at most this, or between two."},
                                        INTERPOLATION,
                                        FILL,
                                        TARGET_FILL,
                                        PADDING_MODE,
                                        {0}};
static const ListRule rotation_lists[] = {{"degrees", 1, 2}, FILLS, {0}};
static const ArgSpec color_jitter_args[] = {
    {"brightness", ARG_REAL, .otherwise = "none", .maximum = 1000,
     .doc = "By a factor of at most so much from 1, or between two."},
    {"contrast", ARG_REAL, .otherwise = "none", .maximum = 1000, .doc = "Likewise."},
    {"saturation", ARG_REAL, .otherwise = "none", .maximum = 1000, .doc = "Likewise."},
    {"hue", ARG_REAL, .otherwise = "none", .minimum = -0.5, .maximum = 0.5,
     .doc = "By at most this part of the circle, or between two."},
    {0}};
static const ListRule color_jitter_lists[] = {
    {"brightness", 1, 2}, {"contrast", 1, 2}, {"saturation", 1, 2}, {"hue", 1, 2}, {0}};
static const char *const noises[] = {"random", NULL};
static const ArgSpec erasing_args[] = {
    {"p", ARG_REAL, .positional = true, .otherwise = "0.5", .maximum = 1,
     .doc = "Probability that a rectangle is erased."},
    {"scale", ARG_REAL, .otherwise = "none", .maximum = 1,
     .doc = "Its part of the area: between these two; [0.02, 0.33] when not given."},
    {"ratio", ARG_REAL, .otherwise = "none", .minimum = 1e-3, .maximum = 1000,
     .doc = "Its height over its width: between these two; [0.3, 3.3] when not given."},
    {"value", ARG_REAL, .otherwise = "0", .minimum = -1e6, .maximum = 1e6, .words = noises,
     .doc =
         "What it becomes to the network, where 0 is the mean, or a list by channel; or noise of "
         "the deviation 1 in each pixel."},
    {0}};
static const ListRule erasing_lists[] = {{"scale", 2, 2}, {"ratio", 2, 2}, {"value", 1, 4}, {0}};
static const char *const spaces[] = {"torchvision", "timm", "timm_increasing", NULL};
static const ArgSpec rand_augment_args[] = {
    {"num_ops", ARG_INT, .positional = true, .otherwise = "2", .maximum = 100,
     .doc = "Operations, one after the other."},
    {"magnitude", ARG_INT, .positional = true, .otherwise = "9", .maximum = 999,
     .doc = "How strong, of the bins from 0."},
    {"num_magnitude_bins", ARG_INT, .otherwise = "31", .minimum = 2, .maximum = 1000,
     .doc = "Into which the way to the strongest is cut; timm has 11."},
    INTERPOLATION,
    FILL,
    TARGET_FILL,
    {"magnitude_std", ARG_REAL, .otherwise = "0", .maximum = 1000,
     .doc = "Of normal noise in the magnitude, drawn for each operation: timm's mstd."},
    {"p", ARG_REAL, .otherwise = "1", .maximum = 1,
     .doc = "Probability that an operation is done; timm has 0.5."},
    {"space", ARG_WORD, .otherwise = "torchvision", .words = spaces,
     .doc = "Whose operations, and how strong: timm_increasing is timm's inc1."},
    {0}};
static const ArgSpec trivial_augment_args[] = {{"num_magnitude_bins", ARG_INT, .otherwise = "31",
                                                .minimum = 2, .maximum = 1000,
                                                .doc = "Strengths, of which one is drawn."},
                                               INTERPOLATION,
                                               FILL,
                                               TARGET_FILL,
                                               {0}};
static const char *const policies[] = {"imagenet", "cifar10", "svhn", NULL};
static const ArgSpec auto_augment_args[] = {{"policy", ARG_WORD, .positional = true,
                                             .otherwise = "imagenet", .words = policies,
                                             .doc = "The data on which the operations were found."},
                                            INTERPOLATION,
                                            FILL,
                                            TARGET_FILL,
                                            {0}};
static const ArgSpec lighting_args[] = {
    {"alphastd", ARG_REAL, .positional = true, .otherwise = "0.1", .maximum = 1000,
     .doc = "Deviation of what each principal component is multiplied by."},
    {"eigval", ARG_REAL, .otherwise = "none", .minimum = -1e6, .maximum = 1e6,
     .doc =
         "The three components' eigenvalues, of colours from 0 to 1; ImageNet's when not given."},
    {"eigvec", ARG_REAL, .otherwise = "none", .minimum = -1e6, .maximum = 1e6,
     .doc = "Of red, green and blue the part in each component, nine numbers; ImageNet's when not "
            "given."},
    {0}};
static const ListRule lighting_lists[] = {{"eigval", 3, 3}, {"eigvec", 9, 9}, {0}};
static const ArgSpec repeated_args[] = {
    {"repetitions", ARG_INT, .positional = true, .otherwise = "3", .minimum = 1, .maximum = 1000,
     .doc = "How often a step has each of its images, with draws of its own each time."},
    {0}};

static const ArgSpec mix_args[] = {
    {"alpha", ARG_REAL, .positional = true, .otherwise = "1", .minimum = 1e-3, .maximum = 1000,
     .doc = "Of the Beta distribution that an image's share is drawn from, once a step."},
    {0}};

static const ArgSpec resize_args[] = {
    {"size", ARG_INT, .positional = true, .minimum = 1, .maximum = 65536,
     .doc = "The shorter side, or [height, width], of images that come in their own sizes."},
    {0}};
static const ListRule resize_lists[] = {{"size", 1, 2}, {0}};

const Choice augmentations[] = {{"resize", resize_args, resize_lists},
                                {"random_crop", random_crop_args, fill_lists},
                                {"horizontal_flip", horizontal_flip_args, NULL},
                                {"random_affine", random_affine_args, random_affine_lists},
                                {"cutout", cutout_args, NULL},
                                {"random_resized_crop", resized_crop_args, resized_crop_lists},
                                {"vertical_flip", vertical_flip_args, NULL},
                                {"random_rotation", rotation_args, rotation_lists},
                                {"color_jitter", color_jitter_args, color_jitter_lists},
                                {"random_erasing", erasing_args, erasing_lists},
                                {"rand_augment", rand_augment_args, fill_lists},
                                {"trivial_augment", trivial_augment_args, fill_lists},
                                {"auto_augment", auto_augment_args, fill_lists},
                                {"lighting", lighting_args, lighting_lists},
                                {"repeated_augment", repeated_args, NULL},
                                {"mixup", mix_args, NULL},
                                {"cutmix", mix_args, NULL},
                                {0}};

/* Without `test` the data are of the network's size already: a crop is of a padded image, or made
 * larger. */
static void check_crop(Training *t, const char *name)
{
    const Setting *size = find_setting(t->graph, format("augment.%s.size", name));
    const Tensor *input = t->graph->input;
    if (size == NULL || input == NULL)
        return;
    Int h = (Int)size->list.items[0], w = (Int)size->list.items[1];
    if (input->shape.dim[1] == h && input->shape.dim[2] == w)
        return;
    Diagnostic *d = build_error(t->b, "shape-mismatch", size->span,
                                "%s gives %lldx%lld images, but the network's input is %s", name, h,
                                w, shape_text(input->shape));
    diag_label(d, t->graph->input_span, "%s", shape_text(input->shape));
}

/* Those that may be [low, high] must not be the other way round. */
static void check_order(Training *t, const char *path)
{
    const Setting *setting = find_setting(t->graph, path);
    for (int i = 0; setting != NULL && i + 1 < setting->list.count; i += 2)
        if (setting->list.items[i] > setting->list.items[i + 1])
            build_error(t->b, "argument-range", setting->span,
                        "%.10g is above %.10g: the lower comes first", setting->list.items[i],
                        setting->list.items[i + 1]);
}

/* A single number x means -x to x. */
static void check_single(Training *t, const char *path)
{
    const Setting *setting = find_setting(t->graph, path);
    if (setting == NULL)
        return;
    if (setting->list.count == 1 && setting->list.items[0] < 0)
        build_error(t->b, "argument-range", setting->span,
                    "%.10g: one number is the most either way, so at least 0",
                    setting->list.items[0]);
    if (setting->list.count == 3)
        build_error(t->b, "argument-type", setting->span,
                    "%stwo or four numbers are expected, not 3",
                    strstr(path, ".scale") != NULL ? "" : "one, ");
}

/* rand_augment's strength is one of its bins. */
static void check_magnitude(Training *t)
{
    const Setting *magnitude = find_setting(t->graph, "augment.rand_augment.magnitude"),
                  *bins = find_setting(t->graph, "augment.rand_augment.num_magnitude_bins");
    if (magnitude != NULL && bins != NULL && magnitude->number >= bins->number)
        build_error(t->b, "argument-range", magnitude->span,
                    "magnitude %.10g is none of the %.10g bins, which are counted from 0",
                    magnitude->number, bins->number);
}

/* What mixes colours needs grey or red, green and blue, and lighting these three. */
static void check_colours(Training *t)
{
    static const char *const names[] = {"color_jitter", "rand_augment", "trivial_augment",
                                        "auto_augment", "lighting"};
    const Tensor *input = t->graph->input;
    for (size_t i = 0; i < sizeof names / sizeof *names && input != NULL; i++) {
        const Setting *setting = find_setting(t->graph, format("augment.%s", names[i]));
        bool grey = strcmp(names[i], "lighting") != 0;
        if (setting == NULL || input->shape.dim[0] == 3 || (grey && input->shape.dim[0] == 1))
            continue;
        Diagnostic *d = build_error(t->b, "shape-mismatch", setting->span,
                                    "%s is of %sred, green and blue, and the input has %lld "
                                    "channel%s",
                                    names[i], grey ? "grey images or of " : "", input->shape.dim[0],
                                    input->shape.dim[0] == 1 ? "" : "s");
        diag_label(d, t->graph->input_span, "%s", shape_text(input->shape));
    }
}

/* A list has a number for each channel. */
static void check_by_channel(Training *t, const char *path)
{
    const Setting *setting = find_setting(t->graph, path);
    const Tensor *input = t->graph->input;
    if (setting == NULL || input == NULL || setting->list.count <= 1
        || setting->list.count == input->shape.dim[0])
        return;
    Diagnostic *d =
        build_error(t->b, "shape-mismatch", setting->span,
                    "%d numbers, but the input has %lld channel%s: one for each, or one "
                    "for all",
                    setting->list.count, input->shape.dim[0], input->shape.dim[0] == 1 ? "" : "s");
    diag_label(d, t->graph->input_span, "%s", shape_text(input->shape));
}

/* What other modes take is not filled in. */
static void check_border(Training *t, const char *name)
{
    const Setting *fill = find_setting(t->graph, format("augment.%s.fill", name)),
                  *mode = find_setting(t->graph, format("augment.%s.padding_mode", name));
    check_by_channel(t, format("augment.%s.fill", name));
    if (fill == NULL || mode == NULL || strcmp(mode->word, "constant") == 0)
        return;
    Diagnostic *d = build_error(t->b, "argument-range", fill->span,
                                "padding_mode=%s takes the image's own pixels, and nothing is "
                                "filled in: leave out `fill` or `padding_mode`",
                                mode->word);
    diag_label(d, mode->span, "here");
}

/* Copies of an image that nothing changes teach nothing new, and a step has room for them all. */
static void check_repeats(Training *t)
{
    const Setting *repeats = find_setting(t->graph, "augment.repeated_augment");
    bool changes = false;
    for (const Choice *choice = augmentations; choice->name != NULL; choice++)
        changes |= strcmp(choice->name, "resize") != 0
                   && strcmp(choice->name, "repeated_augment") != 0
                   && find_setting(t->graph, format("augment.%s", choice->name)) != NULL;
    if (repeats != NULL && !changes)
        build_error(t->b, "argument-range", repeats->span,
                    "repeated_augment repeats images that nothing changes: another augmentation "
                    "has to stand beside it, as horizontal_flip");
}

static void resolve_step(Training *t, const Expr *word)
{
    if (word->kind == EXPR_ERROR)
        return;
    bool named = word->kind == EXPR_PATH || word->kind == EXPR_CALL;
    if (!named)
        build_error(t->b, "value-type", word->span,
                    "`augment` takes calls, as random_crop(28, padding=2)");
    const Choice *choice = named ? find_choice(t, "augmentation", augmentations, word) : NULL;
    if (choice == NULL)
        return;
    const char *path = format("augment.%s", choice->name);
    const Setting *first = find_setting(t->graph, path);
    if (first != NULL) {
        Diagnostic *d =
            build_error(t->b, "duplicate-setting", word->span, "%s is given twice", choice->name);
        diag_label(d, first->span, "the first");
        return;
    }
    add_word(t, path, intern(choice->name), word->span);
    add_choice(t, path, choice, evaluate_arguments(t->b, &word->arguments), word->span);
}

/* What in a loss is of one class for each image; false: reported. */
static bool mixes_classes(Training *t, const Setting *mix, const Node *node)
{
    const Shape shape = node->inputs.items[0]->shape;
    if (strcmp(node->op->name, "cross_entropy") != 0 || shape.rank != 1) {
        Diagnostic *d = build_error(t->b, "argument-range", mix->span,
                                    "%s mixes two images' classes, which needs cross_entropy of "
                                    "one class for each image",
                                    mix->word);
        diag_label(d, node->span, "%s of %s", node->op->name, shape_text(shape));
        return false;
    }
    const ArgValue *ignored = &node->args[operator_arg(node->op, "ignore_index")];
    if (!ignored->given)
        return true;
    Diagnostic *d = build_error(t->b, "argument-range", ignored->span,
                                "%s gives an image parts of two classes, of which none can be "
                                "ignored: leave out `ignore_index`",
                                mix->word);
    diag_label(d, mix->span, "here");
    return false;
}

void mix_losses(Training *t)
{
    const Setting *mix = find_setting(t->graph, "augment.mixup");
    mix = mix != NULL ? mix : find_setting(t->graph, "augment.cutmix");
    for (int i = 0; mix != NULL && i < t->graph->nodes.count; i++) {
        Node *node = t->graph->nodes.items[i];
        if (node->op->traits & OP_LOSS)
            node->mixes = mixes_classes(t, mix, node);
    }
}

void resolve_augment(Training *t, const SettingDef *def)
{
    if (first_word(t, def, "what is done: random_crop(28, padding=2), horizontal_flip") == NULL
        || !takes_pictures(t, def, "changes"))
        return;
    for (int i = 0; i < def->arguments.count; i++) {
        const Arg *arg = &def->arguments.items[i];
        if (arg->name != NULL)
            build_error(t->b, "unknown-argument", arg->name_span, "`augment` has no argument `%s`",
                        arg->name);
        else
            resolve_step(t, arg->value);
    }
    check_crop(t, "random_crop");
    check_crop(t, "random_resized_crop");
    static const char *const bordered[] = {"random_crop",  "random_affine",   "random_rotation",
                                           "rand_augment", "trivial_augment", "auto_augment"};
    for (size_t i = 0; i < sizeof bordered / sizeof *bordered; i++)
        check_border(t, bordered[i]);
    check_by_channel(t, "augment.random_erasing.value");
    check_repeats(t);
    check_magnitude(t);
    check_colours(t);
    static const char *const ranges[] = {
        "random_affine.degrees",     "random_affine.scale",     "random_affine.shear",
        "random_resized_crop.scale", "random_rotation.degrees", "random_resized_crop.ratio",
        "random_erasing.scale",      "random_erasing.ratio",    "color_jitter.brightness",
        "color_jitter.contrast",     "color_jitter.saturation", "color_jitter.hue"};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        check_order(t, format("augment.%s", ranges[i]));
        check_single(t, format("augment.%s", ranges[i]));
    }
}
