/* svg.c: what Graphviz drew, so that it holds in any typeface.
 *
 * dot measures texts in a font of this machine and writes each piece of a line as an
 * element of its own, at the place where the piece before would end in that font.  In
 * a wider one a name runs into its arguments.  Here the pieces of a line become one
 * element, and its length is stated (textLength), so that a viewer which knows that
 * fits its own font to it.  One that does not has room: boxes are made for the widest.
 *
 * The label of a frame stands where a line may come in, so it is drawn last, on a patch
 * of the frame's colour.  And dot lets a curve swing out of the frame that both its ends
 * are in: such a curve is kept within.
 */
#include "report/drawing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* a <text> as dot writes it: on a line of its own */
typedef struct Piece {
    const char *anchor, *x, *y, *size, *fill; /* the attributes' values; fill may be NULL */
    const char *text;                         /* as XML */
    bool bold;
} Piece;
typedef LIST(Piece) PieceList;

/* The value of an attribute of the element that opens the line; NULL: it has none. */
static const char *attribute(const char *line, const char *name)
{
    const char *key = format(" %s=\"", name), *found = strstr(line, key), *end = strchr(line, '>');
    if (!found || found > end)
        return NULL;
    found += strlen(key);
    return intern_range(found, strcspn(found, "\""));
}

static bool read_piece(const char *line, Piece *piece)
{
    const char *start = strchr(line, '>'), *end = strstr(line, "</text>");
    if (strncmp(line, "<text ", 6) || !start || !end)
        return false;
    const char *weight = attribute(line, "font-weight");
    *piece = (Piece){
        .anchor = attribute(line, "text-anchor"),
        .x = attribute(line, "x"),
        .y = attribute(line, "y"),
        .size = attribute(line, "font-size"),
        .fill = attribute(line, "fill"),
        .text = intern_range(start + 1, (size_t)(end - start - 1)),
        .bold = weight && !strcmp(weight, "bold"),
    };
    return piece->anchor && piece->x && piece->y && piece->size;
}

/* Whether the second goes on where the first ends. */
static bool continues(const Piece *first, const Piece *second)
{
    return !strcmp(first->y, second->y) && !strcmp(first->anchor, "start")
           && !strcmp(second->anchor, "start");
}

static double line_width(const PieceList *line, Typeface face)
{
    double width = 0;
    for (int i = 0; i < line->count; i++)
        width +=
            text_width(line->items[i].text, face, line->items[i].bold) * atof(line->items[i].size);
    return width;
}

static bool has_known_length(const PieceList *line)
{
    for (int i = 0; i < line->count; i++)
        if (!has_known_width(line->items[i].text))
            return false;
    return true;
}

static void write_line(const PieceList *line, Text *out)
{
    const Piece *first = &line->items[0];
    text_add(out,
             "<text xml:space=\"preserve\" text-anchor=\"%s\" x=\"%s\" y=\"%s\" "
             "font-family=\"Helvetica,Arial,sans-serif\" font-size=\"%s\"",
             first->anchor, first->x, first->y, first->size);
    if (first->fill)
        text_add(out, " fill=\"%s\"", first->fill);
    if (has_known_length(line))
        text_add(out, " textLength=\"%.1f\" lengthAdjust=\"spacingAndGlyphs\"",
                 line_width(line, USUAL_TYPEFACE));
    text_add(out, ">");
    for (int i = 0; i < line->count; i++)
        text_add(out, line->items[i].bold ? "<tspan font-weight=\"bold\">%s</tspan>" : "%s",
                 line->items[i].text);
    text_add(out, "</text>\n");
}

/* Behind a line that begins at its x, from above its capitals to below its commas. */
static void write_patch(const PieceList *line, const char *fill, Text *out)
{
    const Piece *first = &line->items[0];
    double size = atof(first->size);
    text_add(out, "<rect x=\"%s\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
             first->x, atof(first->y) - 0.95 * size, line_width(line, WIDEST_TYPEFACE), 1.2 * size,
             fill);
}

/* ---------------------------------------------------------------- curves */

typedef struct Point {
    double x, y;
} Point;
typedef LIST(Point) PointList;
typedef struct Box {
    double left, top, right, bottom;
} Box;

/* Of a path: "M1,2C3,4 5,6 7,8". */
static PointList read_points(const char *path)
{
    PointList points = {0};
    for (const char *at = path; *(at += strcspn(at, "-.0123456789"));) {
        char *end;
        Point point = {.x = strtod(at, &end)};
        point.y = strtod(end + (*end == ','), &end);
        if (end == at)
            break;
        push(&points, point);
        at = end;
    }
    return points;
}

static Box bounds(const PointList *points)
{
    Box box = {HUGE_VAL, HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
    for (int i = 0; i < points->count; i++) {
        Point point = points->items[i];
        box = (Box){fmin(box.left, point.x), fmin(box.top, point.y), fmax(box.right, point.x),
                    fmax(box.bottom, point.y)};
    }
    return box;
}

static bool is_within(Point point, const Box *box)
{
    return point.x >= box->left && point.x <= box->right && point.y >= box->top
           && point.y <= box->bottom;
}

/* A Bézier curve lies within the hull of its points. */
static bool keep_within(PointList *points, const Box *frame)
{
    bool moved = false;
    for (int i = 1; i < points->count - 1; i++) {
        Point *point = &points->items[i], old = *point;
        *point = (Point){fmax(frame->left, fmin(frame->right, old.x)),
                         fmax(frame->top, fmin(frame->bottom, old.y))};
        moved |= point->x != old.x || point->y != old.y;
    }
    return moved;
}

static void write_curve(const PointList *points, Text *out)
{
    for (int i = 0; i < points->count; i++)
        text_add(out, "%c%.2f,%.2f",
                 i == 0   ? 'M'
                 : i == 1 ? 'C'
                          : ' ',
                 points->items[i].x, points->items[i].y);
}

/* --------------------------------------------------------------- the whole */

typedef struct Fitting {
    PieceList line;    /* the pieces read of the line of text under way */
    const char *frame; /* within a frame's element: its colour; NULL: in none, or not read yet */
    bool in_frame;
    Text labels;      /* of frames */
    LIST(Box) frames; /* of them all, somewhat smaller: dot writes them before what they hold */
} Fitting;

static void end_line(Fitting *fitting, Text *out)
{
    if (fitting->line.count && fitting->frame)
        write_patch(&fitting->line, fitting->frame, &fitting->labels);
    if (fitting->line.count)
        write_line(&fitting->line, fitting->frame ? &fitting->labels : out);
    fitting->line.count = 0;
}

static void read_frame(Fitting *fitting, const char *element, const PointList *points)
{
    enum { CLEARANCE = 3 };
    Box box = bounds(points);
    push(&fitting->frames, ((Box){box.left + CLEARANCE, box.top + CLEARANCE, box.right - CLEARANCE,
                                  box.bottom - CLEARANCE}));
    fitting->frame = attribute(element, "fill");
}

/* A path as it was, or the curve within the frames that its ends are in. */
static void write_path(const Fitting *fitting, const char *element, PointList *points, Text *out)
{
    bool moved = false;
    for (int i = 0; i < fitting->frames.count; i++) {
        const Box *frame = &fitting->frames.items[i];
        if (is_within(points->items[0], frame)
            && is_within(points->items[points->count - 1], frame))
            moved |= keep_within(points, frame);
    }
    const char *path = moved ? strstr(element, " d=\"") + strlen(" d=\"") : element;
    text_add_range(out, element, (size_t)(path - element));
    if (moved) {
        write_curve(points, out);
        path += strcspn(path, "\"");
    }
    text_add(out, "%s", path);
}

static void read_element(Fitting *fitting, const char *element, Text *out)
{
    const char *path = strncmp(element, "<path ", 6) ? NULL : attribute(element, "d");
    PointList points = path ? read_points(path) : (PointList){0};
    if (strstr(element, "class=\"cluster\""))
        fitting->in_frame = true;
    if (!strncmp(element, "</g>", 4)) {
        fitting->in_frame = false;
        fitting->frame = NULL;
    }
    if (fitting->in_frame && points.count)
        read_frame(fitting, element, &points);
    if (points.count && !fitting->in_frame)
        write_path(fitting, element, &points, out);
    else
        text_add(out, "%s", element);
}

/* Where the last element ends that holds others: the whole graph's. */
static const char *last_end(const char *svg)
{
    const char *last = NULL;
    for (const char *at = svg; (at = strstr(at, "</g>")); at++)
        last = at;
    return last;
}

void fit_svg(const char *svg, Text *out)
{
    Fitting fitting = {0};
    const char *end = last_end(svg);
    for (const char *at = svg, *next; *at; at = next) {
        next = at + strcspn(at, "\n");
        next += *next == '\n';
        const char *element = intern_range(at, (size_t)(next - at));
        Piece piece;
        bool text = read_piece(element, &piece);
        if (!text
            || (fitting.line.count
                && !continues(&fitting.line.items[fitting.line.count - 1], &piece)))
            end_line(&fitting, out);
        if (at == end)
            text_add_range(out, fitting.labels.chars, fitting.labels.length);
        if (text)
            push(&fitting.line, piece);
        else
            read_element(&fitting, element, out);
    }
}
