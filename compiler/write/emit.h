/* emit.h: what the files that write the C share.
 *
 *   emit.c     the file: its head, the phases, main
 *   phases.c   a phase's calls, cut into functions
 *   kernel.c   one function per node: its operands, its body
 *   image.c    the programs for one image, and for one step of a sequence
 *   model.c    the tables: parameters, layers, settings, the NetModel
 *   spelling.c names, numbers, addresses and calls, as C has them
 */
#ifndef EMIT_H
#define EMIT_H

#include "write/write.h"

/* One pointer that a kernel takes: how it is declared, and what is passed. */
typedef struct Operand {
    const char *type;    /* "const vec *" */
    const char *name;    /* "x" */
    const char *address; /* "scratch + 92160" */
    const char *what;    /* "conv1 [10, 24, 24]", for the comment; NULL: none */
} Operand;
typedef LIST(Operand) OperandList;

typedef struct Emitter {
    const Graph *graph;
    const Plan *plan; /* the one being written, */
    const Step *step; /* and of it */
    const CompileOptions *options;
    Module module; /* the text */
    int first;     /* position among the plan's steps of the phase being written */
    Text phases;   /* the table of phases, as they are written */
    Text parts;    /* the table of the program's calls, as they are written */
    int part_count;
    Text one_image;       /* its fields of the model; empty: there is none */
    Text one_row;         /* likewise, of one step of a sequence */
    const Node *obstacle; /* of a sequence: why there is none */
} Emitter;

/* spelling.c */
/* A path as a C identifier: "incep1.branch1x1" is incep1_branch1x1. */
const char *identifier(const char *path);
/* Text as a C string. */
const char *quoted(const char *chars);
/* A file's path as a comment can hold it: what would end or begin one is a '?'. */
const char *comment_text(const char *path);
/* A double as C reads it back exactly. */
const char *number_text(double value);
const char *address_text(const Plan *plan, const Tensor *tensor);
/* As a NetShape is initialised. */
const char *shape_in_c(Shape shape);

/* kernel.c: writes the function of emitter->step unless an equal one exists; gives its name,
 * in *units how many units it has when it sums over the whole batch, and in *pieces into how
 * many it is cut for a team's threads; 0: its first thread does it all.  Drops the operands that
 * the function does not use. */
const char *emit_kernel(Emitter *emitter, OperandList *operands, Int *units, Int *pieces);
/* "conv1: conv2d [1, 28, 28] -> …, forward   models/cnn.net:5": what a function computes, by
 * which algorithm (NULL: its operator's summary), and what is fused into it. */
const char *function_comment(const Step *step, const char *algorithm);
/* What part `number` of an epilogue, into whose input `which` a value flows (-1: dy), makes of
 * it, `r`, in C; its further operands end in `index`, "[i]" or nothing. */
const char *epilogue_expression(const Node *node, int which, int number, const char *index);
void emit_reference(const Emitter *emitter, Kernel *kernel, const OperandList *operands);
void drop_unused(OperandList *operands, const char *body);
const char *signature(const OperandList *operands);                /* "(const vec *x, …)" */
void step_operands(const Emitter *emitter, OperandList *operands); /* of emitter->step */
/* Of STAGE_ADD_GRADIENTS, and of a use's own gradient of a parameter that others have, too. */
const char *contribution_address(const Plan *plan, const Node *node, int which);
/* The name of the table of a constant's values: as a grain has them, or as one image has, with as
 * many zeros behind them as a vector has lanes. */
const char *constant_table(Module *module, const Parameter *parameter, bool positions_first);
/* phases.c: calls as they are written, and where those of each step end. */
typedef struct CallEnd {
    const char *path; /* the step's */
    size_t end;
    int lines; /* of all calls up to here */
} CallEnd;
typedef struct Calls {
    Text text;
    LIST(CallEnd) ends;
} Calls;
void end_calls(Calls *calls, const char *path);
/* A step's calls, and whether a team's threads share them. */
typedef struct StepCalls {
    const char *path;
    Text text;
    bool shared;
} StepCalls;
typedef LIST(StepCalls) StepList;
/* The calls of a phase for a team, whose threads meet before and after what they share; all else
 * is done by the first.  False: they share nothing, and the phase leaves the others out. */
bool add_team_calls(Calls *calls, const StepList *steps);
/* Begins a phase's function, or that of a stretch of it. */
void open_phase(Text *out, const char *name);
/* Of one that nobody shares: all but a team's first thread have nothing to do in it. */
void leave_to_first(Text *out);
/* What the function of `phase` ("training_1") has to call: `calls`, or where they are long,
 * functions of a stretch of them each, which this writes; `open` writes their locals. */
Text phase_calls(Emitter *emitter, const char *phase, const Calls *calls,
                 void (*open)(const Emitter *emitter, const char *text));
/* spelling.c: a call with these operands, a line for each that a comment names. */
void write_call(Text *calls, const char *function, const OperandList *operands);
/* image.c */
void emit_one_image(Emitter *emitter, const Plan *plan);
void emit_one_image_helpers(const Emitter *emitter, const char *body, Text *out);
/* model.c */
/* The table of where a program leaves the named outputs, if there are any. */
void emit_output_places(Emitter *emitter, const Plan *plan);
void emit_model(Emitter *emitter, const Plan *training, const Plan *inference);

#endif
