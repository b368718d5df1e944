/* drawing.h: what the files share that draw a network.
 *
 *   drawing.c   what is drawn, and where lines part
 *   dot.c       the drawing as Graphviz's DOT
 *   typeface.c  how wide a text is
 *   svg.c       what Graphviz drew, so that it holds in any typeface; see picture.h
 */
#ifndef DRAWING_H
#define DRAWING_H

#include "graph/graph.h"

/* A loop's iteration that is drawn for several. */
typedef struct Fold {
    const Instance *iteration;
    int times;
    bool lends; /* it holds one block and nothing else: the block's frame says the number */
} Fold;

/* Of a block. */
typedef struct Use {
    const Instance *instance;
    int first, end; /* its nodes */
} Use;

typedef struct Edge {
    const Node *node; /* inputs[which] of it */
    int which;
    int from, to; /* boxes; from -1: the input */
} Edge;

/* What comes into a frame from one box. */
typedef struct Entry {
    int edges;
    const Instance *inner; /* the frame directly within that they all lead into; NULL: none */
    bool parts;            /* they do not all lead into one */
    int fork;              /* the point where they part; -1: none */
    struct Entry *next;    /* of the frame's with a fork */
} Entry;

typedef struct Drawing {
    const Graph *graph;
    int forward;            /* nodes of the forward pass, the first of the graph's */
    bool brief;             /* blocks like those drawn are single boxes */
    int in_full;            /* when brief: so many uses are drawn in full at most, the first ones */
    LIST(Use) drawn, boxed; /* uses of blocks: in full; as a box */
    int *same;              /* by node: the one drawn in its stead, or itself */
    int *box;               /* by drawn node: the first of its box */
    int *consumers;         /* by drawn node: the edges that leave it */
    LIST(Fold) folds;
    LIST(Edge) edges;
    Map entries; /* by frame and box: drawing.c's entry_key */
    Map forked;  /* the first entry with a fork, by frame: drawing_forks */
    int forks;
} Drawing;

typedef LIST(const Instance *) Frames; /* outermost first */

Drawing make_drawing(const Graph *graph);
Node *drawing_node(const Drawing *drawing, int id);
bool drawing_has_box(const Drawing *drawing, int id); /* the box that begins with this node */
const Fold *drawing_fold(const Drawing *drawing,
                         const Instance *iteration); /* NULL: drawn for itself */
/* The boxed use that a node lies in; NULL: none. */
const Use *drawing_use(const Drawing *drawing, const Node *node);
Frames drawing_frames(const Drawing *drawing, const Node *node);
/* How often a block's use is repeated where its frame or box says so for the loop; or 0. */
int drawing_times(const Drawing *drawing, const Instance *use);
int drawing_source(const Drawing *drawing, const Tensor *tensor); /* its box; -1 - i: input i */
/* Whether inputs[k] of a join goes elsewhere too, and is not the join's last: the way past
 * what is skipped. */
bool drawing_skips(const Drawing *drawing, const Node *node, int k);
/* Whether it is summed to the body, or one of two ways on that is not the next node. */
bool drawing_is_aside(const Drawing *drawing, const Node *node, int k);
/* The frames that an edge goes into. */
Frames drawing_entered(const Drawing *drawing, const Edge *edge);
/* The point at which what enters the first `count` of these frames parted last; -1: nowhere. */
int drawing_fork_at(const Drawing *drawing, int from, const Frames *frames, int count);
const Entry *drawing_forks(const Drawing *drawing, const Instance *frame); /* linked by `next` */

/* The operator as a .net file calls it, defaults left out: "conv2d(20, 5, padding=2)". */
const char *node_call(const Node *node);
bool keeps_shape(const Node *node);

/* ---------------------------------------------------------------- texts */

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
