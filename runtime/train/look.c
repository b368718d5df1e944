/* look.c: pictures of what a network has learned to look for: the filters of its first
 * convolution, and what each layer makes of a picture, channel by channel.
 *
 * A layer's output is looked at as soon as it is there, by a hook, for memory is shared too tightly
 * to look later.  What the compiler joined is one output: a convolution, its norm and its relu.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Look {
    NetHook hook; /* the first member: what the session is given */
    NetSession *session;
    const char *folder;
    FILE *out;
    float **maps; /* [parts]: what a part leaves; NULL: it is no layer's output, or no picture */
} Look;

/* ------------------------------------------------------------------ tiles */

/* Pictures [h][w] of one size and `channels` planes, so many of them, in a square. */
typedef struct Tiles {
    const float *values; /* [count][channels][h][w] */
    int64_t count, h, w;
    int channels;
    bool around_zero; /* 0 is the middle grey; else the least value is black, of each */
} Tiles;

/* What is black and what is white. */
typedef struct Range {
    float min, max;
} Range;

static Range range_of(const Tiles *tiles, const float *tile)
{
    Range range = {tile[0], tile[0]};
    for (int64_t i = 0; i < tiles->channels * tiles->h * tiles->w; i++) {
        range.min = fminf(range.min, tile[i]);
        range.max = fmaxf(range.max, tile[i]);
    }
    if (tiles->around_zero) {
        range.max = fmaxf(range.max, -range.min);
        range.min = -range.max;
    }
    return range;
}

static uint8_t shade(Range range, float value)
{
    return range.max > range.min
               ? (uint8_t)(255 * (value - range.min) / (range.max - range.min) + 0.5f)
               : 0;
}

static bool write_tiles(const Tiles *tiles, const char *path, NetError *error)
{
    NetShape shape = {.rank = 3, .c = tiles->channels, .h = tiles->h, .w = tiles->w};
    int64_t elements = net_shape_elements(shape);
    NetSheet sheet = {0};
    uint8_t *shades = net_allocate((size_t)elements, 1, error);
    bool good = shades && net_sheet_open(&sheet, tiles->count, 1, shape, error);
    for (int64_t i = 0; good && i < sheet.groups; i++) {
        const float *tile = tiles->values + i * elements;
        Range range = range_of(tiles, tile);
        for (int64_t k = 0; k < elements; k++)
            shades[k] = shade(range, tile[k]);
        net_sheet_put(&sheet, i, 0, shades, shape);
    }
    good = good && net_sheet_write(&sheet, path, error);
    net_sheet_close(&sheet);
    free(shades);
    return good;
}

/* "DIR/features-03-layer1.conv1.png": paths are of letters, digits, underscores and dots. */
static char *name_of(const Look *look, const char *kind, int number, const char *path)
{
    char *name;
    return asprintf(&name, "%s/%s-%02d-%s.png", look->folder, kind, number, path) < 0 ? NULL : name;
}

static bool write_named(const Look *look, const Tiles *tiles, const char *kind, int number,
                        const char *path, const char *what, NetError *error)
{
    char *name = name_of(look, kind, number, path);
    bool good = name ? write_tiles(tiles, name, error) : net_fail(error, "out of memory");
    if (good)
        fprintf(look->out, "%s: %s, %" PRId64 " of %" PRId64 "x%" PRId64 "%s\n", SHOWN(name), what,
                tiles->count, tiles->h, tiles->w,
                tiles->count > NET_MAX_TILES ? ", the first 256" : "");
    free(name);
    return good;
}

/* ---------------------------------------------------------------- filters */

/* Of every convolution that reads a picture's channels: [outs, 1 or 3, rows, columns]. */
static bool write_filters(const Look *look, int *written, NetError *error)
{
    const NetModel *model = look->session->model;
    bool good = true;
    for (int i = 0; good && i < model->parameter_count && *written == 0; i++) {
        const NetParameter *parameter = &model->parameters[i];
        const int64_t *dim = parameter->dim;
        if (parameter->kind != NET_TRAINED || parameter->rank != 4
            || dim[1] != look->session->image.c || (dim[1] != 1 && dim[1] != 3)
            || dim[2] * dim[3] < 2)
            continue;
        float *values = net_allocate((size_t)parameter->elements, sizeof *values, error);
        for (int64_t k = 0; values && k < parameter->elements; k++)
            values[k] = (float)look->session->weights[parameter->offset + k];
        Tiles tiles = {values, dim[0], dim[2], dim[3], (int)dim[1], true};
        good = values && write_named(look, &tiles, "filters", i, parameter->path, "filters", error);
        *written += good;
        free(values);
    }
    return good;
}

/* --------------------------------------------------------------- features */

static void begin_phase(NetHook *hook)
{
    (void)hook;
}

/* The first image's. */
static void take_map(NetHook *hook, const NetStep *step, const real *scratch, int64_t grain,
                     int index)
{
    Look *look = (Look *)hook;
    const NetModel *model = look->session->model;
    const NetPart *part = &model->inference.parts[index];
    float *map = grain == 0 ? look->maps[index] : NULL;
    const real *values = (part->kept ? step->kept : scratch) + part->offset;
    for (int64_t i = 0; map && i < part->elements / model->lanes; i++)
        map[i] = (float)values[i * model->lanes];
}

static bool has_part(const NetModel *model, int layer)
{
    for (int i = 0; i < model->inference.part_count; i++)
        if (model->inference.parts[i].layer == layer)
            return true;
    return false;
}

/* The last of the layers that a part computes, from its own on, whose output has rows and columns
 * and as many values as the part leaves; -1: none. */
static int last_layer(const NetModel *model, const NetPart *part)
{
    int found = -1;
    for (int i = part->layer; i >= 0 && i < model->layer_count; i++) {
        NetShape shape = model->layers[i].out;
        if (i > part->layer && has_part(model, i))
            break;
        if (shape.rank == 3 && shape.h * shape.w > 1
            && net_shape_elements(shape) * model->lanes == part->elements)
            found = i;
    }
    return found;
}

/* What is not filled stays NAN at its start. */
static bool make_maps(Look *look, NetError *error)
{
    const NetModel *model = look->session->model;
    const NetProgram *program = &model->inference;
    look->maps = net_allocate((size_t)program->part_count + 1, sizeof *look->maps, error);
    for (int i = 0; look->maps && i < program->part_count; i++) {
        if (last_layer(model, &program->parts[i]) < 0)
            continue;
        look->maps[i] = net_allocate((size_t)(program->parts[i].elements / model->lanes),
                                     sizeof *look->maps[i], error);
        if (!look->maps[i])
            return false;
        look->maps[i][0] = NAN;
    }
    return look->maps != NULL;
}

/* "conv2d, batch_norm2d, relu": what the part computes. */
static void list_operators(const NetModel *model, int from, int to, char *text, size_t size)
{
    size_t used = 0;
    for (int i = from; i <= to && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > from ? ", " : "",
                                 model->layers[i].op);
}

static bool write_map(const Look *look, int index, NetError *error)
{
    const NetModel *model = look->session->model;
    const NetPart *part = &model->inference.parts[index];
    int last = last_layer(model, part);
    NetShape shape = model->layers[last].out;
    Tiles tiles = {look->maps[index], shape.c, shape.h, shape.w, 1, false};
    char what[NET_SHAPE_TEXT];
    list_operators(model, part->layer, last, what, sizeof what);
    return write_named(look, &tiles, "features", part->layer, model->layers[part->layer].path, what,
                       error);
}

static bool write_features(Look *look, const uint8_t *pixels, int *written, NetError *error)
{
    NetSession *session = look->session;
    int parts = session->model->inference.part_count;
    const NetImages one = net_pictures(1, session->image, pixels);
    bool good = make_maps(look, error);
    if (good) {
        session->hook = &look->hook;
        net_test_batch(session, &(NetBatch){.images = &one, .count = 1});
        session->hook = NULL;
    }
    for (int i = 0; good && i < parts; i++)
        if (look->maps[i] && !isnan(look->maps[i][0])) {
            good = write_map(look, i, error);
            *written += good;
        }
    for (int i = 0; look->maps && i < parts; i++)
        free(look->maps[i]);
    free(look->maps);
    return good;
}

bool net_look(NetSession *session, const char *picture, const char *folder, FILE *out,
              NetError *error)
{
    Look look = {.hook = {begin_phase, take_map}, .session = session, .folder = folder, .out = out};
    int written = 0;
    uint8_t *pixels = NULL;
    if (picture) {
        pixels = net_allocate((size_t)net_shape_elements(session->image), 1, error);
        if (!pixels || !net_read_picture(session, picture, pixels, error)) {
            free(pixels);
            return false;
        }
    }
    bool good = (mkdir(folder, 0777) == 0 || errno == EEXIST
                 || net_fail(error, "cannot make the folder %s: %m", folder))
                && write_filters(&look, &written, error)
                && (!pixels || write_features(&look, pixels, &written, error));
    free(pixels);
    if (good && written == 0)
        return net_fail(error, "%s has no convolution of pictures whose filters could be shown%s",
                        session->model->name,
                        picture ? ", nor layers with rows and columns"
                                : "; with a picture its layers are");
    return good;
}
