/* synthetic.c: digits drawn with strokes, for training where no data set is at
 * hand.  Each digit has a few written forms; an image takes one, unsettles its
 * points, maps it through a random affine map, draws it with a pen of random
 * width, and adds noise.  The task is easy beside MNIST, and not trivial.
 *
 * An image depends on nothing but the seed, its split and its number.  Classes
 * beyond ten are written with two or three digits; where an image has no room
 * for writing, a class is a fixed pattern of cells under noise.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------ one image's draws */

/* splitmix64 (Steele et al. 2014), started for each image from its position. */
static uint64_t draw_bits(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static float draw_between(uint64_t *state, float low, float high)
{
    return low + (high - low) * (float)(draw_bits(state) >> 40) * 0x1p-24f;
}

static uint64_t image_state(uint64_t seed, int split, int64_t image)
{
    uint64_t state = seed ^ net_hash(split ? "synthetic test" : "synthetic train");
    state = draw_bits(&state) + (uint64_t)image;
    return draw_bits(&state);
}

/* ---------------------------------------------------------- the writing */

/* Points are in hundredths of the digit's box, x to the right and y down.  A
 * line has corners; a curve passes smoothly through its points (Catmull-Rom); a
 * loop is a closed curve. */
typedef enum StrokeKind { LINE, CURVE, LOOP } StrokeKind;
enum { MAX_POINTS = 9, MAX_STROKES = 2, FORMS = 3 };
typedef struct Stroke {
    StrokeKind kind;
    int count;
    uint8_t point[MAX_POINTS][2];
} Stroke;
typedef struct Form {
    int strokes;
    Stroke stroke[MAX_STROKES];
} Form;

static const Form forms[10][FORMS] = {
    {{1, {{LOOP, 6, {{50, 5}, {78, 28}, {78, 72}, {50, 95}, {22, 72}, {22, 28}}}}},
     {1, {{LOOP, 6, {{58, 5}, {74, 35}, {66, 75}, {42, 95}, {26, 65}, {34, 25}}}}},
     {1,
      {{CURVE,
        8,
        {{60, 10}, {35, 12}, {20, 50}, {36, 90}, {64, 90}, {80, 50}, {64, 12}, {46, 16}}}}}},
    {{1, {{LINE, 2, {{50, 5}, {50, 95}}}}},
     {1, {{LINE, 3, {{30, 25}, {52, 5}, {52, 95}}}}},
     {2, {{LINE, 3, {{32, 24}, {52, 5}, {52, 95}}}, {LINE, 2, {{30, 95}, {74, 95}}}}}},
    {{2,
      {{CURVE, 6, {{24, 28}, {38, 8}, {62, 7}, {76, 28}, {58, 58}, {22, 94}}},
       {LINE, 2, {{22, 94}, {80, 94}}}}},
     {1,
      {{CURVE,
        9,
        {{25, 25},
         {45, 6},
         {72, 20},
         {66, 50},
         {40, 80},
         {24, 90},
         {22, 78},
         {40, 78},
         {82, 92}}}}},
     {2,
      {{CURVE, 5, {{22, 22}, {50, 5}, {78, 26}, {56, 58}, {20, 93}}},
       {CURVE, 3, {{20, 93}, {50, 86}, {82, 94}}}}}},
    {{2,
      {{CURVE, 5, {{24, 14}, {50, 4}, {74, 20}, {64, 42}, {42, 48}}},
       {CURVE, 5, {{42, 48}, {70, 54}, {78, 74}, {54, 96}, {22, 86}}}}},
     {2,
      {{LINE, 3, {{24, 8}, {76, 8}, {46, 42}}},
       {CURVE, 5, {{46, 42}, {74, 54}, {76, 80}, {48, 96}, {22, 86}}}}},
     {1, {{CURVE, 7, {{28, 18}, {56, 5}, {70, 24}, {46, 46}, {76, 66}, {60, 93}, {24, 88}}}}}},
    {{1, {{LINE, 4, {{62, 95}, {62, 5}, {18, 66}, {84, 66}}}}},
     {2, {{LINE, 3, {{28, 8}, {24, 54}, {78, 52}}}, {LINE, 2, {{70, 8}, {66, 95}}}}},
     {2, {{CURVE, 4, {{32, 6}, {22, 42}, {40, 56}, {74, 48}}}, {LINE, 2, {{76, 10}, {64, 95}}}}}},
    {{2,
      {{LINE, 3, {{74, 7}, {32, 7}, {28, 44}}},
       {CURVE, 5, {{28, 44}, {58, 38}, {78, 62}, {62, 92}, {24, 90}}}}},
     {1, {{CURVE, 7, {{74, 8}, {36, 10}, {30, 42}, {62, 46}, {75, 70}, {52, 95}, {22, 86}}}}},
     {2,
      {{LINE, 2, {{32, 8}, {78, 8}}},
       {CURVE, 6, {{32, 8}, {30, 46}, {60, 42}, {76, 68}, {54, 94}, {22, 88}}}}}},
    {{1,
      {{CURVE,
        8,
        {{66, 6}, {36, 30}, {24, 66}, {40, 94}, {68, 90}, {74, 64}, {50, 54}, {27, 72}}}}},
     {1, {{CURVE, 7, {{56, 4}, {32, 40}, {28, 80}, {52, 96}, {74, 78}, {60, 58}, {30, 70}}}}},
     {2,
      {{CURVE, 3, {{52, 4}, {34, 38}, {26, 70}}},
       {LOOP, 4, {{50, 54}, {75, 75}, {50, 96}, {26, 75}}}}}},
    {{1, {{LINE, 3, {{20, 8}, {80, 8}, {44, 95}}}}},
     {2, {{LINE, 3, {{20, 8}, {80, 8}, {44, 95}}}, {LINE, 2, {{36, 50}, {76, 48}}}}},
     {2,
      {{CURVE, 4, {{20, 18}, {32, 8}, {56, 12}, {80, 8}}},
       {CURVE, 3, {{80, 8}, {58, 46}, {46, 95}}}}}},
    {{2,
      {{LOOP, 4, {{50, 5}, {72, 25}, {50, 46}, {28, 25}}},
       {LOOP, 4, {{50, 46}, {77, 70}, {50, 95}, {23, 70}}}}},
     {1,
      {{LOOP, 8, {{70, 16}, {48, 5}, {28, 24}, {50, 48}, {76, 74}, {50, 96}, {24, 76}, {52, 48}}}}},
     {1,
      {{CURVE,
        9,
        {{74, 16},
         {46, 5},
         {32, 26},
         {56, 48},
         {70, 76},
         {44, 96},
         {26, 76},
         {48, 48},
         {76, 14}}}}}},
    {{2, {{LOOP, 4, {{50, 5}, {74, 27}, {50, 50}, {27, 27}}}, {LINE, 2, {{74, 27}, {66, 95}}}}},
     {1, {{CURVE, 7, {{74, 22}, {50, 5}, {26, 26}, {48, 50}, {74, 28}, {72, 62}, {58, 95}}}}},
     {1,
      {{CURVE,
        8,
        {{74, 22}, {48, 5}, {26, 28}, {48, 50}, {74, 24}, {76, 68}, {56, 95}, {26, 86}}}}}},
};

typedef struct Point {
    float x, y;
} Point;

/* One channelless image of ink, 0 … 1, and the pen that draws on it. */
typedef struct Paper {
    float *ink; /* [h][w] */
    int64_t h, w;
    float pen;                    /* radius in pixels */
    float xx, xy, x0, yx, yy, y0; /* from the digit's unit box to pixels */
} Paper;

static Point on_paper(const Paper *paper, Point p)
{
    return (Point){paper->xx * p.x + paper->xy * p.y + paper->x0,
                   paper->yx * p.x + paper->yy * p.y + paper->y0};
}

static int64_t clamp_index(float value, int64_t count)
{
    return value < 0 ? 0 : value >= (float)count ? count - 1 : (int64_t)value;
}

/* A straight piece from a to b, in pixels: ink falls off over one pixel at the
 * pen's edge, and overlapping pieces keep the darker. */
static void draw_piece(Paper *paper, Point a, Point b)
{
    float reach = paper->pen + 0.6f, dx = b.x - a.x, dy = b.y - a.y;
    float inverse = 1 / (dx * dx + dy * dy + 1e-6f);
    int64_t top = clamp_index(fminf(a.y, b.y) - reach, paper->h),
            bottom = clamp_index(fmaxf(a.y, b.y) + reach, paper->h);
    int64_t left = clamp_index(fminf(a.x, b.x) - reach, paper->w),
            right = clamp_index(fmaxf(a.x, b.x) + reach, paper->w);
    float far = reach * reach; /* the square of where no ink is: it ends at half a pixel */
    for (int64_t y = top; y <= bottom; y++) {
        for (int64_t x = left; x <= right; x++) {
            float px = (float)x + 0.5f - a.x, py = (float)y + 0.5f - a.y;
            float along = (px * dx + py * dy) * inverse;
            along = along < 0 ? 0 : along > 1 ? 1 : along;
            float ex = px - along * dx, ey = py - along * dy;
            float square = ex * ex + ey * ey;
            if (square > far)
                continue;
            float ink = paper->pen + 0.5f - sqrtf(square);
            ink = ink > 1 ? 1 : ink;
            float *at = &paper->ink[y * paper->w + x];
            *at = ink > *at ? ink : *at;
        }
    }
}

static float catmull_rom(float a, float b, float c, float d, float t)
{
    return b + 0.5f * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/* The curve from p[1] to p[2], whose neighbours give its direction. */
static void draw_curve(Paper *paper, const Point p[4])
{
    Point from = p[1];
    float length = hypotf(p[2].x - p[1].x, p[2].y - p[1].y);
    int pieces = 2 + (int)fminf(length / 3, 30);
    for (int i = 1; i <= pieces; i++) {
        float t = (float)i / (float)pieces;
        Point to = {catmull_rom(p[0].x, p[1].x, p[2].x, p[3].x, t),
                    catmull_rom(p[0].y, p[1].y, p[2].y, p[3].y, t)};
        draw_piece(paper, from, to);
        from = to;
    }
}

/* Neighbours of an open stroke's ends are the ends themselves. */
static Point point_at(const Stroke *stroke, const Point *points, int i)
{
    if (stroke->kind == LOOP)
        return points[(i + stroke->count) % stroke->count];
    return points[i < 0 ? 0 : i >= stroke->count ? stroke->count - 1 : i];
}

static void draw_stroke(Paper *paper, const Stroke *stroke, const Point *points)
{
    int spans = stroke->kind == LOOP ? stroke->count : stroke->count - 1;
    for (int i = 0; i < spans; i++) {
        Point p[4];
        for (int k = 0; k < 4; k++)
            p[k] = point_at(stroke, points, i - 1 + k);
        if (stroke->kind == LINE)
            draw_piece(paper, p[1], p[2]);
        else
            draw_curve(paper, p);
    }
}

/* The hand's unsteadiness moves every point by up to 4 % of the box; points that
 * two strokes share move together, being drawn from their position. */
static Point unsettle(const uint8_t point[2], uint64_t tremor)
{
    uint64_t state = tremor + (uint64_t)(point[0] * 101 + point[1]);
    return (Point){(float)point[0] * 0.01f + draw_between(&state, -0.04f, 0.04f),
                   (float)point[1] * 0.01f + draw_between(&state, -0.04f, 0.04f)};
}

static void draw_digit(Paper *paper, int digit, uint64_t *state)
{
    const Form *form = &forms[digit][draw_bits(state) % FORMS];
    uint64_t tremor = draw_bits(state);
    for (int s = 0; s < form->strokes; s++) {
        const Stroke *stroke = &form->stroke[s];
        Point points[MAX_POINTS];
        for (int i = 0; i < stroke->count; i++)
            points[i] = on_paper(paper, unsettle(stroke->point[i], tremor));
        draw_stroke(paper, stroke, points);
    }
}

/* The affine map into a cell of the paper `width` pixels wide from `left`: in
 * 28 x 28 the box is about 20 pixels, leaning, rotated and shifted a little. */
static void choose_map(Paper *paper, float left, float width, uint64_t *state)
{
    float side = fminf(width, (float)paper->h);
    float angle = draw_between(state, -0.25f, 0.25f), lean = draw_between(state, -0.25f, 0.4f);
    float high = side * draw_between(state, 0.6f, 0.8f);
    float wide = side * draw_between(state, 0.52f, 0.82f);
    float shift = side * 0.07f;
    paper->pen = fmaxf(0.55f, side * draw_between(state, 0.028f, 0.068f));
    paper->xx = wide * cosf(angle);
    paper->xy = -high * sinf(angle) - lean * high;
    paper->yx = wide * sinf(angle);
    paper->yy = high * cosf(angle);
    paper->x0 = left + width / 2 + draw_between(state, -shift, shift) - (paper->xx + paper->xy) / 2;
    paper->y0 =
        (float)paper->h / 2 + draw_between(state, -shift, shift) - (paper->yx + paper->yy) / 2;
}

static void write_number(Paper *paper, int number, int digits, uint64_t *state)
{
    static const int power[] = {1, 10, 100};
    float width = (float)paper->w / (float)digits;
    for (int i = 0; i < digits; i++) {
        choose_map(paper, (float)i * width, width, state);
        draw_digit(paper, number / power[digits - 1 - i] % 10, state);
    }
}

/* Where writing would be illegible: cells of the image, at most 8 x 8, that a
 * class fills or leaves, with a grey that differs from image to image. */
static void draw_cells(Paper *paper, int number, uint64_t *state)
{
    int64_t tall = (paper->h + 7) / 8, wide = (paper->w + 7) / 8;
    float strength = draw_between(state, 0.5f, 1);
    for (int64_t y = 0; y < paper->h; y++) {
        for (int64_t x = 0; x < paper->w; x++) {
            uint64_t cell = ((uint64_t)number << 8) + (uint64_t)(y / tall * 8 + x / wide);
            paper->ink[y * paper->w + x] = draw_bits(&cell) >> 63 ? strength : 0;
        }
    }
}

/* ------------------------------------------------------------ the images */

/* How ink becomes the values of one channel. */
typedef struct Colours {
    float ground, span, noise; /* a pixel is ground + span * ink + noise * (-128 … 127) */
} Colours;

enum { SHARE = 8 }; /* pixels share a draw: the low byte is the first one's noise */
typedef float Floats __attribute__((vector_size(SHARE * sizeof(float))));
typedef int32_t Wholes __attribute__((vector_size(SHARE * sizeof(int32_t))));
typedef int8_t Noises __attribute__((vector_size(SHARE)));
typedef uint8_t Bytes __attribute__((vector_size(SHARE)));

static void colour_pixels(uint8_t *to, const float *ink, uint64_t bits, Colours colours)
{
    Floats inks;
    Noises noises;
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        bits = __builtin_bswap64(bits);
    memcpy(&inks, ink, sizeof inks);
    memcpy(&noises, &bits, sizeof noises);
    Floats value = colours.ground + colours.span * inks
                   + colours.noise * __builtin_convertvector(noises, Floats);
    Wholes whole = __builtin_convertvector(value, Wholes);
    whole &= whole > 0;   /* at least 0: a comparison gives all bits or none */
    whole |= whole > 255; /* at most 255 */
    Bytes made = __builtin_convertvector(whole & 255, Bytes);
    memcpy(to, &made, sizeof made);
}

static void colour_plane(uint8_t *to, const float *ink, int64_t count, Colours colours,
                         uint64_t *state)
{
    int64_t i = 0;
    for (; i + SHARE <= count; i += SHARE)
        colour_pixels(to + i, ink + i, draw_bits(state), colours);
    if (i < count) {
        float last[SHARE] = {0};
        uint8_t made[SHARE];
        memcpy(last, ink + i, (size_t)(count - i) * sizeof *last);
        colour_pixels(made, last, draw_bits(state), colours);
        memcpy(to + i, made, (size_t)(count - i));
    }
}

/* Ink on a ground, every channel with its own colours, and noise on top.  A
 * grey image is white on black, as MNIST is; the tints of a colour image say
 * nothing about its class. */
static void develop(uint8_t *pixels, const Paper *paper, int64_t channels, uint64_t *state)
{
    float noise = draw_between(state, 0, 0.16f);
    int64_t plane = paper->h * paper->w;
    for (int64_t c = 0; c < channels; c++) {
        float ground = channels == 1 ? 0 : 255 * draw_between(state, 0, 0.35f);
        float mark = 255 * draw_between(state, channels == 1 ? 0.8f : 0.55f, 1);
        Colours colours = {.ground = ground, .span = mark - ground, .noise = noise};
        colour_plane(pixels + c * plane, paper->ink, plane, colours, state);
    }
}

static int count_digits(int classes)
{
    return classes <= 10 ? 1 : classes <= 100 ? 2 : 3;
}

/* Below this a digit's cell is too small for its strokes to be told apart. */
static const int64_t min_cell = 8;

typedef struct Drawing {
    Paper paper;
    int64_t channels;
    int classes;
    uint64_t seed;
    int split;
    uint64_t hand; /* of a further input: the same label, drawn otherwise */
} Drawing;

/* The first of the numbers that an image is drawn by. */
static int draw_label(const Drawing *drawing, uint64_t *state)
{
    return (int)(draw_bits(state) % (uint64_t)drawing->classes);
}

/* An image's ink, and its label; the state goes on to its colours. */
static int draw_ink(Drawing *drawing, int64_t image, uint64_t *state)
{
    Paper *paper = &drawing->paper;
    int digits = count_digits(drawing->classes);
    *state = image_state(drawing->seed, drawing->split, image);
    int label = draw_label(drawing, state);
    *state += drawing->hand;
    memset(paper->ink, 0, (size_t)(paper->h * paper->w) * sizeof *paper->ink);
    if (paper->h >= min_cell && paper->w / digits >= min_cell)
        write_number(paper, label, digits, state);
    else
        draw_cells(paper, label, state);
    return label;
}

static bool draw_image(void *source, int64_t image, uint8_t *pixels, NetError *error)
{
    Drawing *drawing = source;
    uint64_t state;
    (void)error;
    draw_ink(drawing, image, &state);
    develop(pixels, &drawing->paper, drawing->channels, &state);
    return true;
}

/* ----------------------------------------------------------- the targets */

/* Whether a target says one of its classes for the whole image. */
static bool is_label(const NetTarget *target)
{
    return target->positions == 1 && !target->ends
           && (target->kind == NET_CLASSES || target->classes > 1);
}

static bool label_images(NetImages *images, const char *name, int64_t classes,
                         const Drawing *drawing, NetError *error)
{
    NetArray *labels = net_add_array(images, name, NET_BYTES, net_one_value, error);
    if (!labels)
        return false;
    labels->classes = classes < drawing->classes ? classes : drawing->classes;
    for (int64_t i = 0; i < images->count; i++) {
        uint64_t state = image_state(drawing->seed, drawing->split, i);
        ((uint8_t *)labels->values)[i] = (uint8_t)(draw_label(drawing, &state) % labels->classes);
    }
    return true;
}

/* One bit of a label's own pattern. */
static bool bit_of(int label, int64_t element)
{
    uint64_t state = ((uint64_t)label << 32) + (uint64_t)element;
    return draw_bits(&state) >> 63;
}

/* Where the ink is, where the target is a picture of the image's size; else the label's pattern.
 * 0 … 1. */
static float part_of(const Drawing *drawing, int64_t plane, int label, int64_t element)
{
    const Paper *paper = &drawing->paper;
    if (plane == paper->h * paper->w)
        return paper->ink[element % plane];
    return bit_of(label, element) ? 1 : 0;
}

static double number_of(const NetTarget *target, float part)
{
    if (target->low > target->high)
        return (double)part;
    return part > 0.5f ? target->high : target->low;
}

/* The label's class where there is ink, the first elsewhere. */
static int64_t class_of(const NetTarget *target, int label, float part)
{
    int64_t others = target->classes - 1 < 255 ? target->classes - 1 : 255;
    return part > 0.5f && others > 0 ? 1 + label % others : 0;
}

static bool draw_target(NetImages *images, const char *name, const NetTarget *target,
                        Drawing *drawing, NetError *error)
{
    bool classes = target->kind == NET_CLASSES;
    int64_t elements = classes ? target->positions : net_shape_elements(target->shape);
    int64_t plane = classes ? elements : net_shape_plane(target->shape);
    NetShape shape = classes ? net_target_positions(target) : target->shape;
    NetArray *array = net_add_array(images, name, classes ? NET_BYTES : NET_FLOAT, shape, error);
    for (int64_t i = 0; array && i < images->count; i++) {
        uint64_t state;
        int label = draw_ink(drawing, i, &state);
        for (int64_t e = 0; e < elements; e++) {
            float part = part_of(drawing, plane, label, e);
            if (classes)
                ((uint8_t *)array->values)[i * elements + e] =
                    (uint8_t)class_of(target, label, part);
            else
                ((float *)array->values)[i * elements + e] = (float)number_of(target, part);
        }
    }
    return array != NULL;
}

static const char *name_of(const NetTarget *target)
{
    return target->name ? target->name : is_label(target) ? "class" : "target";
}

/* An array for each name that the model says. */
static bool draw_targets(NetImages *images, const NetModel *model, Drawing *drawing,
                         NetError *error)
{
    bool good = true;
    for (int i = 0; good && i < model->wanted_count; i++) {
        const NetTarget *target = &model->wanted[i];
        bool unnamed = false;
        for (int k = 0; k < i; k++)
            unnamed |= !target->name && !model->wanted[k].name;
        if (!unnamed && !net_find_array(images, name_of(target)))
            good = is_label(target)
                       ? label_images(images, name_of(target), target->classes, drawing, error)
                       : draw_target(images, name_of(target), target, drawing, error);
    }
    return good;
}

/* The labels that images are drawn by: as many as a target has classes. */
static int64_t count_labels(const NetModel *model)
{
    for (int i = 0; i < model->wanted_count; i++)
        if (is_label(&model->wanted[i]))
            return model->wanted[i].classes;
    return 10;
}

/* ------------------------------------------------------ further inputs
 * A network of several inputs gets an array for each, under its name, and any of them tells of the
 * label: a picture is drawn by another hand, of whole numbers three in four are the label. */

static const double TELLS = 0.75;

static void draw_values(NetArray *array, int64_t count, int64_t numbers, const Drawing *drawing)
{
    int64_t elements = net_shape_elements(array->shape), most = numbers < 256 ? numbers : 256;
    uint64_t salt = net_hash(array->name) + (uint64_t)drawing->split;
    array->classes = numbers;
    for (int64_t i = 0; i < count * elements; i++) {
        uint64_t state = image_state(drawing->seed, drawing->split, i / elements);
        double drawn = net_random(drawing->seed, 1, salt, (uint64_t)i);
        int64_t value = drawn < TELLS ? draw_label(drawing, &state)
                                      : (int64_t)((drawn - TELLS) / (1 - TELLS) * (double)most);
        ((uint8_t *)array->values)[i] = (uint8_t)(value % most);
    }
}

static bool draw_pictures(NetArray *array, int64_t count, const Drawing *like, NetError *error)
{
    NetShape shape = array->shape;
    int64_t elements = net_shape_elements(shape);
    Drawing drawing = *like;
    drawing.paper = (Paper){.h = shape.h, .w = shape.w};
    drawing.channels = shape.c;
    drawing.hand = net_hash(array->name);
    drawing.paper.ink =
        net_allocate((size_t)shape.h, (size_t)shape.w * sizeof *drawing.paper.ink, error);
    bool good = drawing.paper.ink != NULL;
    for (int64_t i = 0; good && i < count; i++)
        draw_image(&drawing, i, (uint8_t *)array->values + i * elements, error);
    free(drawing.paper.ink);
    return good;
}

static bool draw_input(NetImages *images, const NetInput *input, const Drawing *drawing,
                       NetError *error)
{
    bool numbers = input->numbers > 0;
    NetArray *array = net_add_array(images, input->name, numbers ? NET_BYTES : NET_PIXELS,
                                    numbers ? input->shape : net_image_shape(input->shape), error);
    if (array && numbers)
        draw_values(array, images->count, input->numbers, drawing);
    return array && (numbers || draw_pictures(array, images->count, drawing, error));
}

static bool draw_inputs(NetImages *images, const NetModel *model, Drawing *drawing, NetError *error)
{
    bool pictures = model->numbers == 0, good = true;
    if (pictures) {
        NetShape shape = net_image_shape(model->input);
        good = net_read_held(images, shape, draw_image, drawing, error);
        if (good && model->input_count > 1)
            snprintf(images->arrays[0].name, NET_ARRAY_NAME, "%s", model->inputs[0].name);
    }
    for (int i = pictures; good && i < model->input_count; i++)
        good = draw_input(images, &model->inputs[i], drawing, error);
    return good;
}

/* Labels are bytes, so a network with more than 256 classes sees the first 256. */
bool net_draw_synthetic(NetImages *images, int64_t count, const NetModel *model, uint64_t seed,
                        int split, NetError *error)
{
    NetShape shape = net_image_shape(model->input);
    int64_t labels = count_labels(model);
    size_t pixels;
    *images = (NetImages){.count = count, .held = images->held};
    if (__builtin_mul_overflow((size_t)shape.c * (size_t)shape.h, (size_t)shape.w, &pixels))
        return net_fail(error, "an image this large cannot be drawn");
    Drawing drawing = {.paper = {.h = shape.h, .w = shape.w},
                       .channels = shape.c,
                       .classes = labels < 256 ? (int)labels : 256,
                       .seed = seed,
                       .split = split};
    drawing.paper.ink =
        net_allocate((size_t)shape.h * (size_t)shape.w, sizeof *drawing.paper.ink, error);
    bool good = drawing.paper.ink && draw_inputs(images, model, &drawing, error)
                && draw_targets(images, model, &drawing, error);
    free(drawing.paper.ink);
    if (!good)
        net_images_close(images);
    return good;
}

/* ------------------------------------------------------------------ noise */

/* A target's number, of what is allowed. */
static double draw_number(const NetTarget *target, double drawn)
{
    if (target->low > target->high)
        return 4 * drawn - 2;
    if (target->ends)
        return drawn < 0.5 ? target->low : target->high;
    return target->low + (target->high - target->low) * drawn;
}

static bool draw_noise_target(NetImages *images, const NetTarget *target, int number, uint64_t seed,
                              NetError *error)
{
    char salt[32], name[32];
    bool classes = target->kind == NET_CLASSES || is_label(target);
    NetShape shape = classes ? net_target_positions(target) : target->shape;
    snprintf(salt, sizeof salt, number ? "labels %d" : "labels", number);
    snprintf(name, sizeof name, "target %d", number);
    NetArray *array = net_add_array(images, target->name ? target->name : name,
                                    classes ? NET_WHOLE : NET_FLOAT, shape, error);
    int64_t elements = net_shape_elements(shape);
    for (int64_t i = 0; array && i < images->count * elements; i++) {
        double drawn = net_random(seed, 0, net_hash(salt), (uint64_t)i);
        if (classes)
            ((int32_t *)array->values)[i] = (int32_t)((double)target->classes * drawn);
        else
            ((float *)array->values)[i] = (float)draw_number(target, drawn);
    }
    return array != NULL;
}

static bool draw_further_noise(NetImages *images, const NetInput *input, uint64_t seed,
                               NetError *error)
{
    int64_t elements = images->count * net_shape_elements(input->shape);
    double values = input->numbers && input->numbers < 256 ? (double)input->numbers : 256;
    NetArray *array = net_add_array(images, input->name, input->numbers ? NET_BYTES : NET_PIXELS,
                                    input->shape, error);
    for (int64_t i = 0; array && i < elements; i++)
        ((uint8_t *)array->values)[i] =
            (uint8_t)(values * net_random(seed, 0, net_hash(input->name), (uint64_t)i));
    return array != NULL;
}

/* Each target is an array of its own, whatever its name. */
bool net_draw_noise(NetImages *images, int64_t count, const NetModel *model, uint64_t seed,
                    NetError *error)
{
    int64_t elements = net_shape_elements(model->input);
    bool numbers = model->numbers > 0;
    double values = numbers && model->numbers < 256 ? (double)model->numbers : 256;
    *images = (NetImages){.count = count, .has_targets = true};
    NetArray *input = net_add_array(images, numbers ? "text" : "image",
                                    numbers ? NET_BYTES : NET_PIXELS, model->input, error);
    for (int64_t i = 0; input && i < count * elements; i++)
        ((uint8_t *)input->values)[i] =
            (uint8_t)(values * net_random(seed, 0, net_hash("pixels"), (uint64_t)i));
    bool good = input != NULL;
    for (int i = 0; good && i < model->wanted_count; i++) {
        good = draw_noise_target(images, &model->wanted[i], i, seed, error);
        images->targets[i] = i + 1;
    }
    for (int i = 1; good && i < model->input_count; i++) {
        images->inputs[i] = images->array_count;
        good = draw_further_noise(images, &model->inputs[i], seed, error);
    }
    return good;
}
