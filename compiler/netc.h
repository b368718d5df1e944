/* netc.h: the compiler, stage by stage, for main.c and options.c, which run it:
 *
 *   .net text --front--> AST --graph--> typed graph --graph--> training graph
 *             --plan--> plan --write--> C
 *
 * Each stage is a room: a folder with one header for the others.  Data flows one way and so do
 * calls: a room includes and calls only those that come before it in this list; what it needs of
 * a later one it is given, as a table of functions (an operator's) or as a value.
 * tests/cli/test_rooms.py reads the list.
 *
 *   util           memory, names, lists, texts, shapes
 *   diag           messages, and files that are written
 *   network        what a network is made of
 *   kernels        how the C of an operator is written:
 *   kernels/grain    of many images, one in each lane
 *   kernels/image    of one image, channels side by side
 *   ops            what each operator is
 *   front          text to AST
 *   graph          AST to typed graph; gradients
 *   plan           steps, fusions, memory
 *   write          the C, and the trainer that the C compiler makes of it
 *   report         the summary, the drawing
 *   format         one layout for all .net files
 *   repair         fixes: the edits that put a program right
 *   serve          the language server
 */
#ifndef NETC_H
#define NETC_H

#include "diag/diag.h"
#include "format/format.h"
#include "front/ast.h"
#include "graph/graph.h"
#include "kernels/kernel.h"
#include "network/network.h"
#include "ops/ops.h"
#include "plan/plan.h"
#include "repair/repair.h"
#include "report/report.h"
#include "serve/serve.h"
#include "util/util.h"
#include "write/write.h"

#endif
