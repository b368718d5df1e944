/* picture.h: what Graphviz drew, element by element, for the files that put it right.
 *
 *   svg.c     reads it and writes it again
 *   places.c  where the shapes stand that arrows say
 *
 * Lengths are in points, y grows downwards.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include "report/drawing.h"

/* a <text> as dot writes it: on a line of its own */
typedef struct Piece {
    const char *anchor, *x, *y, *size, *fill; /* the attributes' values; fill may be NULL */
    const char *text;                         /* as XML */
    bool bold;
} Piece;
typedef LIST(Piece) PieceList;

typedef struct Point {
    double x, y;
} Point;
typedef LIST(Point) PointList;
typedef struct Box {
    double left, top, right, bottom;
} Box;

/* What an element is a part of. */
typedef enum Part { PART_OF_NONE, PART_OF_FRAME, PART_OF_BOX, PART_OF_ARROW } Part;

typedef struct Element {
    const char *raw; /* as dot wrote it, with its newline */
    Part part;
    const char *fill; /* of a frame's outline and label */
    PieceList line;   /* a line of text; empty: it is none */
    PointList points; /* of an outline, or of an arrow's curve; empty: it has none */
    bool is_curve, moved;
    Box box; /* around the line in the widest typeface, or around the points */
} Element;
typedef LIST(Element) Picture;

double line_width(const PieceList *line, Typeface face);
Box line_box(const PieceList *line);
Box points_box(const PointList *points);

/* Moves shapes that cross a frame, a box, a line or another text along their arrows. */
void place_shapes(Picture *picture);

#endif
