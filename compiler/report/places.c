/* places.c: where the shapes stand that arrows say.
 *
 * dot leaves room for a shape beside the middle of its arrow, but it does not count it as a
 * part of the frame that the arrow is in.  So a shape may stand on a frame's edge, or on what
 * is beside the frame.  Such a shape goes to the nearest place along its arrow that is free.
 */
#include "report/picture.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 24 };              /* in which a curve is followed, from knot to knot */
static const double BESIDE = 4;   /* between an arrow and its shape, as dot leaves it */
static const double AROUND = 2.5; /* that a new place has free */

static bool meet(const Box *a, const Box *b)
{
    return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

static bool holds(const Box *outer, const Box *inner)
{
    return outer->left <= inner->left && inner->right <= outer->right && outer->top <= inner->top
           && inner->bottom <= outer->bottom;
}

static double cubic(double t, double a, double b, double c, double d)
{
    double s = 1 - t;
    return s * s * s * a + 3 * t * s * s * b + 3 * t * t * s * c + t * t * t * d;
}

/* A point of the curve; `step` counts from its first knot through all segments. */
static Point curve_point(const PointList *points, int step)
{
    const Point *p = &points->items[3 * (step / STEPS)];
    double t = (double)(step % STEPS) / STEPS;
    return step % STEPS == 0 ? *p
                             : (Point){cubic(t, p[0].x, p[1].x, p[2].x, p[3].x),
                                       cubic(t, p[0].y, p[1].y, p[2].y, p[3].y)};
}

static int curve_steps(const PointList *points)
{
    return (points->count - 1) / 3 * STEPS;
}

/* Which part of the way from `at`, `by` long, is between two bounds along one axis. */
static void clip_way(double at, double by, double low, double high, double *first, double *last)
{
    if (by == 0) {
        *last = at < low || at > high ? -1 : *last;
        return;
    }
    *first = fmax(*first, fmin((low - at) / by, (high - at) / by));
    *last = fmin(*last, fmax((low - at) / by, (high - at) / by));
}

static bool is_passed(Point from, Point to, const Box *box)
{
    double first = 0, last = 1;
    clip_way(from.x, to.x - from.x, box->left, box->right, &first, &last);
    clip_way(from.y, to.y - from.y, box->top, box->bottom, &first, &last);
    return first <= last;
}

static bool is_crossed(const PointList *points, const Box *box)
{
    for (int step = 0; step < curve_steps(points); step++)
        if (is_passed(curve_point(points, step), curve_point(points, step + 1), box))
            return true;
    return false;
}

/* Whether another element keeps a shape from standing there. */
static bool is_in_the_way(const Element *element, const Box *place)
{
    if (!(element->line.count || element->points.count) || !meet(&element->box, place))
        return false;
    if (element->is_curve)
        return is_crossed(&element->points, place);
    bool around = element->part == PART_OF_NONE || element->part == PART_OF_FRAME;
    return element->line.count || !around || !holds(&element->box, place);
}

static bool is_free(const Picture *picture, int label, Box place)
{
    for (int i = 0; i < picture->count; i++)
        if (i != label && is_in_the_way(&picture->items[i], &place))
            return false;
    return true;
}

static Box moved_by(Box box, double x, double y)
{
    return (Box){box.left + x, box.top + y, box.right + x, box.bottom + y};
}

static Box grown(Box box)
{
    return (Box){box.left - AROUND, box.top - AROUND, box.right + AROUND, box.bottom + AROUND};
}

static void move_line(Element *element, double x, double y)
{
    Piece *first = &element->line.items[0];
    first->x = format("%.2f", atof(first->x) + x);
    first->y = format("%.2f", atof(first->y) + y);
    element->box = moved_by(element->box, x, y);
}

/* The nearest free place around a point of the curve: beside it, above or below, at a corner. */
static void place_shape(Picture *picture, int label, const PointList *curve)
{
    const Box old = picture->items[label].box;
    const double wide = old.right - old.left, high = old.bottom - old.top;
    Point best = {0};
    double least = HUGE_VAL;
    for (int step = 0; step <= curve_steps(curve); step++) {
        Point at = curve_point(curve, step);
        for (int side = 0; side < 9; side++) {
            double right = at.x + (side % 3 - 1) * (wide / 2 + BESIDE);
            double down = at.y + (side / 3 - 1) * (high / 2 + BESIDE);
            Point by = {right - wide / 2 - old.left, down - high / 2 - old.top};
            double distance = hypot(by.x, by.y);
            if (distance >= least || !is_free(picture, label, grown(moved_by(old, by.x, by.y))))
                continue;
            best = by;
            least = distance;
        }
    }
    if (isfinite(least))
        move_line(&picture->items[label], best.x, best.y);
}

void place_shapes(Picture *picture)
{
    const PointList *curve = NULL; /* of the arrow: dot writes it before its shape */
    for (int i = 0; i < picture->count; i++) {
        const Element *element = &picture->items[i];
        if (element->is_curve)
            curve = &element->points;
        if (element->part == PART_OF_ARROW && element->line.count && curve
            && !is_free(picture, i, element->box))
            place_shape(picture, i, curve);
    }
}
