/* graph.h: from the tree of a .net file to the graph of a network, with its gradients.
 *
 * What the files that build the graph share is in build.h, those of the train section in
 * training.h.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "front/ast.h"
#include "network/network.h"

/* What the walk met at one expansion of a statement, for those who ask about
 * the text: the editor, `fmt --annotate`. */
typedef struct StmtUse {
    const Stmt *stmt;
    const Tensor *in, *out; /* NULL: unknown; `out` before any assertion; of several the first */
    const Tensor *all_in, *all_out; /* all of them: TENSOR_SEVERAL, or the same */
    const Instance *instance;
    int first, end; /* the nodes it made: first <= id < end */
} StmtUse;
typedef struct Symbol {
    const char *name;
    Int value;
} Symbol;
/* one use of a block, with the whole numbers its signature binds */
typedef struct BlockUse {
    const BlockDef *def;
    const Instance *instance;
    LIST(Symbol) symbols;
} BlockUse;
typedef struct Trace {
    Graph *graph;        /* as far as it was built, errors or none; NULL: a library */
    LIST(StmtUse) stmts; /* in the order in which they end */
    bool partial;        /* there were too many: only the first are here */
    LIST(BlockUse) blocks;
    int steps; /* statements walked, those of unknown shapes, which make no node, too */
} Trace;

/* build.c: expands blocks and infers every shape in one walk.  NULL when the
 * program has errors (all reported) or no network. */
Graph *build_graph(const Program *program);
Graph *build_traced(const Program *program, Trace *trace);
/* Checks a library's blocks for names and arguments. */
void check_library(const Program *program, Trace *trace);
/* functions.c: what the right side of a `function` may call, and how, "clamp(x, min, max)"; name
 * NULL: there are no more. */
typedef struct ElementFunction {
    const char *name, *call;
} ElementFunction;
ElementFunction element_function(int i);
/* training.c: resolves the train section against its table into
 * graph->settings and adds the loss node. */
void resolve_training(Graph *graph);
const Setting *find_setting(const Graph *graph, const char *path); /* NULL: none */

/* What the train section can hold, for completion and the editors' grammars. */
/* args NULL: none */
typedef struct ChoiceInfo {
    const char *name;
    const ArgSpec *args;
} ChoiceInfo;
typedef struct SettingInfo {
    const char *name, *doc;
    bool required, repeated;
    const ArgSpec *args;      /* its own; NULL: none */
    LIST(ChoiceInfo) choices; /* what it may begin with: optimizers, data sets */
} SettingInfo;
SettingInfo setting_info(int i); /* name NULL: there are no more */

/* settings_pages.c: `netc explain` of a setting, or of what one begins with; false: it is none. */
bool explain_setting(const char *word, FILE *out);
void list_settings(FILE *out);
/* `netc explain --json`: the operator; NULL: all, and the train section's settings. */
void explain_json(const Operator *only, FILE *out);

/* Rewrites of a graph, or of the plan that is made of it: the rows of fusions.def. */
enum {
#define FUSION(bit, name, kernels, function) FUSION_##bit,
#define FUSION_ELSEWHERE(bit, name, kernels) FUSION_##bit,
#include "graph/fusions.def"
    FUSIONS
};
enum {
#define FUSION(bit, name, kernels, function) FUSE_##bit = 1 << FUSION_##bit,
#define FUSION_ELSEWHERE(bit, name, kernels) FUSE_##bit = 1 << FUSION_##bit,
#include "graph/fusions.def"
    FUSE_ALL = (1 << FUSIONS) - 1,
/* in a plan they need specialised kernels */
#define FUSION(bit, name, kernels, function) | (kernels ? FUSE_##bit : 0)
#define FUSION_ELSEWHERE(bit, name, kernels) | (kernels ? FUSE_##bit : 0)
    FUSE_KERNELS = 0
#include "graph/fusions.def"
};

/* lower.c: puts simpler nodes in the place of those that are made of them, see Operator.lower.
 * Requires a graph without gradients; a copy of graph->nodes from before still lists the layers as
 * they were written. */
void lower_nodes(Graph *graph);
/* gradient.c: sets whole_batch where Operator.whole_batch says so; not for
 * reference kernels, which know grains only. */
void mark_whole_batch(Graph *graph);
/* Appends backward nodes.  Requires a loss.  Of `fuse`, FUSE_CONCAT and
 * FUSE_FIRST_LAYER matter. */
void add_gradients(Graph *graph, unsigned fuse);
/* reorder.c: puts a window's maximum before the activation it follows, its mean
 * before a 1 x 1 convolution.  Requires a graph without gradients; replaces nodes,
 * so a copy of graph->nodes from before still lists the layers as they were written. */
void pool_first(Graph *graph);
/* image.c: the forward graph of one image at a time, a copy. */
Graph *one_image_graph(const Graph *graph);
/* row.c: the forward graph of one step of a network that makes a value of each step of a text, of
 * it and of earlier steps; NULL: it is none, or *obstacle, where that is not NULL, is made of
 * others, too. */
Graph *row_graph(const Graph *graph, const Node **obstacle);
/* verify.c: stops with an internal error when the graph breaks an invariant. */
void verify_graph(const Graph *graph);
/* dump.c */
void dump_graph(const Graph *graph, FILE *out);
/* What the network computes, a line for each layer with its arguments and
 * inputs: "relu_1 = relu of conv1".  Requires a graph as it is written. */
const char *structure_text(const Graph *graph);

/* arguments.c: whether args[i] is what it would be had nobody written it,
 * and what it is, as a user would write it. */
bool argument_is_default(const ArgSpec *specs, const ArgValue *args, int i);
const char *argument_text(const ArgSpec *spec, const ArgValue *value);
/* ------------------------- check.c: texts in memory, for those who ask often */

/* Checks a parsed program, network or library; `trace` may be NULL. */
void check_parsed(const Program *program, Trace *trace);
/* How many errors the text has, standing for the file at `path`: leaves nothing
 * behind, neither memory nor messages. */
int count_errors(const char *path, const char *chars, size_t length);

#endif
