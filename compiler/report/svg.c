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
 * are in: such a curve is kept within.  The shapes that arrows say may move: places.c.
 */
#include "report/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static const Piece *last_piece(const PieceList *line)
{
    return &line->items[line->count - 1];
}

double line_width(const PieceList *line, Typeface face)
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

Box line_box(const PieceList *line)
{
    static const double ASCENT = 0.74, DESCENT = 0.22; /* of letters and brackets, in ems */
    const Piece *first = &line->items[0];
    double x = atof(first->x), y = atof(first->y), size = atof(first->size);
    double wide = line_width(line, WIDEST_TYPEFACE);
    double left = strcmp(first->anchor, "middle") ? x : x - wide / 2;
    return (Box){left, y - ASCENT * size, left + wide, y + DESCENT * size};
}

/* ---------------------------------------------------------------- curves */

/* Of a path, "M1,2C3,4 5,6 7,8", or of a polygon, "1,2 3,4". */
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

/* The corners around it. */
static PointList read_ellipse(const char *element)
{
    const char *const names[] = {"cx", "cy", "rx", "ry"};
    double values[4];
    for (int i = 0; i < 4; i++) {
        const char *value = attribute(element, names[i]);
        values[i] = value ? atof(value) : 0;
    }
    PointList points = {0};
    push(&points, ((Point){values[0] - values[2], values[1] - values[3]}));
    push(&points, ((Point){values[0] + values[2], values[1] + values[3]}));
    return points;
}

Box points_box(const PointList *points)
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

/* Within the frames that both its ends are in; dot writes them before what they hold. */
static void keep_in_frames(const Picture *picture, Element *curve)
{
    enum { CLEARANCE = 3 };
    const PointList *points = &curve->points;
    for (int i = 0; i < picture->count; i++) {
        const Element *frame = &picture->items[i];
        Box box = {frame->box.left + CLEARANCE, frame->box.top + CLEARANCE,
                   frame->box.right - CLEARANCE, frame->box.bottom - CLEARANCE};
        if (frame->part == PART_OF_FRAME && frame->points.count && is_within(points->items[0], &box)
            && is_within(points->items[points->count - 1], &box))
            curve->moved |= keep_within(&curve->points, &box);
    }
    curve->box = points_box(points);
}

static void write_curve(const Element *curve, Text *out)
{
    const char *path = strstr(curve->raw, " d=\"") + strlen(" d=\"");
    text_add_range(out, curve->raw, (size_t)(path - curve->raw));
    for (int i = 0; i < curve->points.count; i++)
        text_add(out, "%c%.2f,%.2f",
                 i == 0   ? 'M'
                 : i == 1 ? 'C'
                          : ' ',
                 curve->points.items[i].x, curve->points.items[i].y);
    text_add(out, "%s", path + strcspn(path, "\""));
}

/* --------------------------------------------------------------- the whole */

/* The part that a group's first line opens, or that goes on. */
static Part part_after(const char *raw, Part part)
{
    static const struct {
        const char *class;
        Part part;
    } classes[] = {{"class=\"cluster\"", PART_OF_FRAME},
                   {"class=\"node\"", PART_OF_BOX},
                   {"class=\"edge\"", PART_OF_ARROW}};
    if (!strncmp(raw, "</g>", 4))
        return PART_OF_NONE;
    for (size_t i = 0; !strncmp(raw, "<g ", 3) && i < sizeof classes / sizeof *classes; i++)
        if (strstr(raw, classes[i].class))
            return classes[i].part;
    return part;
}

static PointList outline_of(const char *raw)
{
    bool path = !strncmp(raw, "<path ", 6), polygon = !strncmp(raw, "<polygon ", 9);
    const char *points = attribute(raw, path ? "d" : "points");
    if (!strncmp(raw, "<ellipse ", 9))
        return read_ellipse(raw);
    return (path || polygon) && points ? read_points(points) : (PointList){0};
}

/* Whether the piece goes on where the picture's last line of text ends, which it joins then. */
static bool join_line(Picture *picture, const Piece *piece)
{
    Element *last = picture->count ? &picture->items[picture->count - 1] : NULL;
    if (!last || !last->line.count || !continues(last_piece(&last->line), piece))
        return false;
    push(&last->line, *piece);
    last->box = line_box(&last->line);
    return true;
}

/* Adds what dot wrote on one line of the file. */
static void add_element(Picture *picture, const char *raw)
{
    static const Element none = {0};
    const Element *last = picture->count ? &picture->items[picture->count - 1] : &none;
    Element element = {.raw = raw, .part = part_after(raw, last->part)};
    Piece piece;
    if (read_piece(raw, &piece)) {
        if (join_line(picture, &piece))
            return;
        push(&element.line, piece);
        element.box = line_box(&element.line);
        element.fill = last->fill;
    } else if ((element.points = outline_of(raw)).count) {
        element.box = points_box(&element.points);
        element.fill = element.part == PART_OF_FRAME ? attribute(raw, "fill") : NULL;
        element.is_curve = element.part == PART_OF_ARROW && !strncmp(raw, "<path ", 6);
        if (element.is_curve)
            keep_in_frames(picture, &element);
    }
    push(picture, element);
}

static Picture read_picture(const char *svg)
{
    Picture picture = {0};
    for (const char *at = svg, *next; *at; at = next) {
        next = at + strcspn(at, "\n");
        next += *next == '\n';
        add_element(&picture, intern_range(at, (size_t)(next - at)));
    }
    return picture;
}

/* Where the last element ends that holds others: the whole graph's. */
static int last_end(const Picture *picture)
{
    int last = picture->count - 1;
    while (last >= 0 && strncmp(picture->items[last].raw, "</g>", 4))
        last--;
    return last;
}

static void write_labels_of_frames(const Picture *picture, Text *out)
{
    for (int i = 0; i < picture->count; i++) {
        const Element *element = &picture->items[i];
        if (element->part != PART_OF_FRAME || !element->line.count)
            continue;
        if (element->fill)
            write_patch(&element->line, element->fill, out);
        write_line(&element->line, out);
    }
}

void fit_svg(const char *svg, Text *out)
{
    Picture picture = read_picture(svg);
    place_shapes(&picture);
    const int end = last_end(&picture);
    for (int i = 0; i < picture.count; i++) {
        const Element *element = &picture.items[i];
        if (i == end)
            write_labels_of_frames(&picture, out);
        if (!element->line.count && element->moved)
            write_curve(element, out);
        else if (!element->line.count)
            text_add(out, "%s", element->raw);
        else if (element->part != PART_OF_FRAME)
            write_line(&element->line, out);
    }
}
