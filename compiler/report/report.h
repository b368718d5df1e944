/* report.h: what a person is shown of a network: a table, a drawing.
 *
 * What the files that draw share is in drawing.h.
 */
#ifndef REPORT_H
#define REPORT_H

#include "write/write.h"

/* summary.c, dot.c */
void write_summary(const Graph *graph, const Plan *plan, const CompileOptions *options, FILE *out);
void write_summary_json(const Graph *graph, const Plan *plan, const CompileOptions *options,
                        FILE *out);
void write_dot(const Graph *graph, Text *out);
/* render.c: what Graphviz draws of it; reports a failure and leaves `output` as it was.
 * "-": standard output. */
bool render_svg(const Text *dot, const char *output);

#endif
