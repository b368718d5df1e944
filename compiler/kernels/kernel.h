/* kernel.h: how the C of an operator is written.
 *
 *   text.c         lines, functions that are written once, stores
 *   pointwise.c    the loop over one expression
 *   helpers.c      small functions of the emitted C that kernels call; exponential.c and random.c
 *                  have the longer ones
 *   contraction.c  axes, windows, and the sums over them (contraction.h)
 *   winograd.c     Winograd's convolution (winograd.h)
 *   target.c       the processors that kernels are written for
 *   grain/         kernels of a grain: an image in each lane
 *   image/         kernels of one image: vectors of channels
 *
 * Nothing here knows of a plan: a kernel is told what it needs of its step.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include "network/network.h"

typedef struct Target {
    const char *name;   /* "native", "x86-64-v3", … */
    const char *cflags; /* "-march=native" */
    int vector_bytes;   /* 64, 32 or 16 */
    int registers;      /* vector registers: 32 or 16 */
} Target;

bool find_target(const char *name, Target *target); /* false: unknown, reported */

/* The file of C that is being written, of whose functions each stands there once. */
typedef struct Module {
    const Target *target;
    bool f64;
    int lanes;
    Arena *arena; /* of the text */
    Text *out;
    /* written so far: the name, by text, which is written once; its number, by name */
    Map functions, names;
    Map counts; /* by the word that a name begins with: the number last given to one */
    int function_count;
    bool has_sum_lanes;         /* the helper is written: two others call it */
    bool has_exponential_parts; /* likewise */
} Module;

/* Channels of a norm's input whose sums another norm has made. */
typedef struct ReusedStatistics {
    Int first, channels;
} ReusedStatistics;

enum { UNIT_ROWS = 4 }; /* whole_batch: of a parameter, whose gradient a unit sums */

/* A kernel being written: its body goes to `body`, line by line. */
struct Kernel {
    const Node *node; /* whose kernel it is; what other nodes' work it does, and how, follows */
    Module *module;   /* of the file */
    Stage stage;
    bool training;     /* the plan's: whether forward notes aux */
    Int kept_elements; /* the plan's: from one grain's statistics to the next's */
    /* vectors from one grain's to the next's; of what a whole_batch kernel writes: kept_elements
     * / lanes */
    Int x_stride, dy_stride;
    Int units; /* whole_batch: set by emit; of a gradient a unit sums UNIT_ROWS rows */
    /* it is large enough for a team's threads to share it; see open_pieces() */
    bool splits;
    Int pieces; /* set by emit: into how many it is cut; 0: one thread does it all */
    /* of `sums`, where the kernel splits: the channels that are the thread's; NULL: all */
    const char *summed_from, *summed_to;
    Text body;
    size_t packed;         /* body's length after kernel_add()'s last statement */
    const char *algorithm; /* for the function's comment; NULL: what its operator does */
    int lanes;
    int registers; /* of the target, for tile choice */
    int indent;
    bool one_image; /* for one image: a reference kernel has one lane */
    bool recompute; /* a second time, on the way back */
    bool workspace; /* it has the memory that Operator.workspace asked for, an operand */
    bool filters;   /* what Operator.filters speaks of is an operand, and made before */
    /* forward: a max pool of the values, y and aux are its own; backward_parameters: the max pool
     * through whose windows dy is read, whose dy and aux they are; NULL: none */
    const Node *pool;
    const Node *sums; /* a norm's sums of what is stored: operands n_x, n_statistics, … */
    /* a norm in evaluation, done with the sums before a pool or a store takes them; its
     * parameters are operands norm_weight, …; see grain/norm.h.  NULL: none */
    const Node *norm;
    const char *normalised; /* the function that does it: set by open_norm() */
    const Node *gradient;   /* a loss: its input's gradient is stored at once, not aux */
    /* statistics: channels whose sums an earlier norm's are, operands reused0, …; ascending */
    LIST(ReusedStatistics) reused;
    const char *epilogue; /* the function that is done to a value before its store; NULL: none */
    /* what it takes besides the value: "f0_x1, f1_y"; NULL: nothing, nor an index */
    const char *epilogue_operands;
};
/* Opens the kernel's outermost loop, whose turns are pieces: no sum crosses from one to another,
 * so that any thread may do any.  Where a team's threads share the kernel, the loop is over those
 * pieces that are the thread's, `variable` an int64_t.  What else the kernel writes must be its
 * thread's own then. */
void open_pieces(Kernel *kernel, const char *variable, Int count);
/* The same of the values from `first` below `end` by steps; the last may be cut short. */
void open_stepped_pieces(Kernel *kernel, const char *variable, Int first, Int end, Int step);
/* Instead of that loop two constants, by name: where the thread's pieces begin and end.  To be
 * called only where the kernel splits. */
void declare_pieces(Kernel *kernel, const char *begin, const char *stop, Int first, Int end,
                    Int step);
/* Between those, `begin` and `end`: the loop over whole steps, all of them from 0 on, or over one
 * rest that begins at `first`. */
void open_declared_pieces(Kernel *kernel, const char *variable, Int first, Int step);
enum { ENOUGH_PIECES = 16 }; /* for threads to share, whatever is a piece */
/* How many times its share the last of so many threads works, of so many equal pieces. */
double imbalance(Int pieces, Int threads);
/* Writes the store of `value` in `to`, which is element `at` of the kernel's y or
 * dx, with what is done to it before. */
void kernel_store(Kernel *kernel, const char *to, const char *at, const char *value);
/* Fetches what that store will read besides the value. */
void kernel_fetch(Kernel *kernel, const char *at);
/* indented, with a newline */
void kernel_line(Kernel *kernel, const char *template, ...) PRINTF(2, 3);
/* A statement that stands on one line with the one before, where it fits and that came by this
 * way, too: accumulators in rows. */
void kernel_add(Kernel *kernel, const char *template, ...) PRINTF(2, 3);
/* A function that kernels call, and that those of one text share: begins its body; … */
Kernel begin_function(const Kernel *kernel);
/* … and writes it above the kernel, unless an equal one is there: `head`, "static void " or the
 * like, `base`, of which its name is made, and `parameters`, "(vec *to)".  Gives its name. */
const char *end_function(const Kernel *kernel, const Kernel *function, const char *comment,
                         const char *head, const char *base, const char *parameters);
/* small ones, whose arguments are to be constants and whose arrays are to be registers */
#define ALWAYS_INLINE "static inline __attribute__((always_inline)) void "

/* Operator.emit of those that go element by element: the loop over their expression. */
bool emit_pointwise(Kernel *kernel);

/* ------------------------------------------------------- the module's own */

/* The function whose text from its operands on this is (made by format()); NULL: none was
 * written. */
const char *find_function(const Module *module, const char *text);
/* `base`; where another function has that name, base_2. */
const char *unused_name(Module *module, const char *base);
void note_function(Module *module, const char *name, const char *text);
/* find_function(); written, after `type`, where there is none, under a name made of `base`. */
const char *write_once(Module *module, const char *base, const char *type, const char *text);

/* helpers.c: the small functions that `body` calls. */
void emit_helpers(Module *module, const char *body);
void add_lanes(Text *text, int first, int count); /* ", 8, 9, …": so many lanes of a shuffle */
/* exponential.c: functions of a row of lanes that kernels call; each written only when one does. */
void emit_exponential(Module *module);
void emit_expm1(Module *module);
void emit_sigmoid_of_lanes(Module *module);
void emit_tanh_of_lanes(Module *module);
void emit_normal(Module *module);
void emit_gelu_of_lanes(Module *module);
void emit_gelu_gradient(Module *module);
void emit_logarithm(Module *module);
void emit_square_root(Module *module);
void emit_logarithm_beside_1(Module *module);
void emit_softplus(Module *module);
void emit_error_function(Module *module);
void emit_sine(Module *module);
void emit_cosine(Module *module);
void emit_power(Module *module);
/* random.c: dropout's mask of a row of values. */
void emit_dropped(Module *module);

#endif
