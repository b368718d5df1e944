/* drawing.h: what the files share that draw a network.
 *
 *   dot.c       the network as Graphviz's DOT
 *   typeface.c  how wide a text is
 *   svg.c       what Graphviz drew, so that it holds in any typeface
 */
#ifndef DRAWING_H
#define DRAWING_H

#include "netc.h"

typedef enum Typeface {
    WIDEST_TYPEFACE, /* of the common ones: what boxes are measured for */
    USUAL_TYPEFACE   /* Helvetica, and what has its widths */
} Typeface;

/* In ems, of a text as XML has it ("a&#160;&lt; b").  A character that is not in ASCII
 * counts as one em. */
double text_width(const char *xml, Typeface face, bool bold);
bool has_known_width(const char *xml); /* no such character is in it */

/* The drawing with its texts fitted: `svg` is what dot wrote. */
void fit_svg(const char *svg, Text *out);

#endif
