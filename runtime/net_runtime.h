/* net_runtime.h: what the C that netc emits includes.  A program written by
 * hand that calls a compiled model includes net.h alone.
 *
 * The emitted file defines one constant NetModel: names, shapes, sizes of the
 * arenas, and a few functions, one per phase of a step.  This library does the
 * rest: data, shuffling, the training loop, optimizers, evaluation,
 * checkpoints, progress, the log and the command line.
 *
 * Layout.  A grain is `lanes` images, the width of a hardware vector.  Every
 * activation is stored batch-innermost, [channels][height][width][lanes], so
 * any operator is a full-width vector operation whatever its channels or
 * window.  A batch of n images is ceil(n / lanes) grains; lanes of the last
 * grain beyond n hold no image, and their loss gradient is exactly zero.
 *
 * Determinism.  What sums over the batch keeps one partial result per grain,
 * and adds them in one fixed order, or is one sum over all grains in their
 * order; the number of threads decides only who computes a grain or a unit of
 * the sum, so it never changes a bit of a result.
 */
#ifndef NET_RUNTIME_H
#define NET_RUNTIME_H

#include "net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The element type.  The library is built once for each; a model says which it
 * was compiled for, and opening it with the other library is an error. */
#ifndef NET_REAL
#define NET_REAL float
#endif
typedef NET_REAL real;

/* Values of one image of this shape, and of one of its channels. */
static inline int64_t net_shape_plane(NetShape shape)
{
    return (shape.rank == 4 ? shape.d : 1) * shape.h * shape.w;
}
/* The size along an axis, counted from 0. */
static inline int64_t net_shape_dim(NetShape shape, int axis)
{
    int from_last = shape.rank - 1 - axis;
    return axis == 0 ? shape.c : from_last == 0 ? shape.w : from_last == 1 ? shape.h : shape.d;
}
static inline int64_t net_shape_elements(NetShape shape)
{
    return shape.c * net_shape_plane(shape);
}

#define NET_ALIGNMENT 64 /* bytes: every arena, and every tensor in one, starts at a multiple */

/* ------------------------------------------------ one step of a program */

enum { NET_MAX_INPUTS = 8, NET_MAX_TARGETS = 16 }; /* of a model */

typedef struct NetStep {
    const real *weights;     /* every trained parameter, PyTorch's layouts, one arena */
    real *buffers;           /* running statistics */
    real *gradients;         /* [grains][gradient_stride]: each grain's own, overwritten */
    int64_t gradient_stride; /* elements */
    const real *input; /* [grains][net_input_elements][lanes], normalised: all inputs of a grain */
    /* for each of NetModel.wanted: of classes int32_t [grains][positions][lanes], of numbers real
     * [grains][elements][lanes]; 0 in lanes without an image */
    const void *targets[NET_MAX_TARGETS];
    const real *active; /* [grains][lanes]: 1 where the lane holds an image, else 0 */
    real *kept;         /* [grains][kept_elements]: tensors that outlive a phase */
    real *filters;      /* transformed weights, the same for all grains */
    real *loss;         /* [grains][lanes]: each image's loss; 0 in lanes without an image */
    int64_t grains;
    int64_t from, to;           /* those that the process computes: all, or those of an MPI rank */
    int64_t norm_from, norm_to; /* those over which a batch norm's statistics are */
    int64_t images;             /* in this batch: the loss is their mean */
    uint64_t seed;        /* of the run: with `step` and the image's position it decides dropout */
    uint64_t step;        /* counts training steps from 0 */
    struct NetHook *hook; /* is called after every part; NULL: none is */
    const struct NetMove *move; /* NULL: gradients are left in `gradients` */
    const real *packed; /* parameters as NetModel.packings lays them out: for one image only */
    /* large layers of one image take their weights from the end: every other image does */
    bool backwards;
    int64_t row; /* of a sequence: the number of the step that is computed, … */
    real *rows;  /* … and what is kept of those before it: [NetModel.row_kept] */
    /* of classes that count differently: what those of the batch's targets count together */
    double target_weights[NET_MAX_TARGETS];
    /* [grains][lanes]: what an image's own target counts where the image in the neighbouring lane,
     * lane ^ 1, is mixed in, whose target counts the rest; 1 where none is */
    const real *shares;
} NetStep;

/* Who computes a whole-batch gradient in a step that moves the weights hands
 * over each stretch of it, gradient[0 … to - from), while it is in the cache;
 * nobody needs it afterwards.  Of each of `reads` the move will read the same
 * stretch, so who hands it over may fetch that ahead. */
enum { NET_MAX_READS = 4 }; /* the weights, and what an optimizer keeps of each */
typedef struct NetMove {
    const real *reads[NET_MAX_READS];
    int read_count;
    void (*update)(const struct NetMove *move, int64_t from, int64_t to, const real *gradient);
} NetMove;

/* A part of a program: one kernel's call in one of its phases. */
typedef struct NetPart {
    const char *path, *stage; /* "conv1", "backward_input" */
    /* per image: what the layer is defined by, none taken off for skipped taps */
    int64_t multiply_adds;
    int layer; /* whose output it leaves, of NetModel.layers; -1: none's */
    bool kept; /* the output lies in the grain's kept tensors, else in the scratch arena … */
    int64_t offset, elements; /* … from here on, in elements */
} NetPart;

/* ------------------------------------------------- who computes a grain */

/* Of `count` things those that are the thread's, which follow one another. */
typedef struct NetShare {
    int64_t from, to;
} NetShare;
static inline NetShare net_share(int64_t count, int thread, int threads)
{
    NetShare share = {count * thread / threads, count * (thread + 1) / threads};
    return share;
}

/* The threads that compute a grain: one alone, or several, where there are more threads than
 * grains or some grains are left over.  These go through its kernels together.  A large kernel is
 * cut into pieces, which no sum crosses, and each member computes some; a small one is the first
 * member's. */
typedef struct NetTeam {
    real *scratch; /* of all members: tensors that die within a phase */
    real *own;     /* the member's: what a kernel needs meanwhile; of the first member, `scratch` */
    int member, members;
    struct NetMeeting *meeting; /* NULL: one alone, or members that run one after the other, … */
    int64_t *met;               /* … which count here how often they would have met */
} NetTeam;

/* The member's of a kernel's pieces. */
static inline NetShare net_pieces(const NetTeam *team, int64_t count)
{
    return net_share(count, team->member, team->members);
}

static inline bool net_leads(const NetTeam *team)
{
    return team->member == 0;
}

/* Of a contraction whose operands are packed: the positions that read the same taps, every
 * stride-th along each axis from a first one on, and those taps. */
enum { NET_MAX_TAPS = 8 }; /* along an axis */
typedef struct NetTaps {
    int first_row, rows, row_taps;
    int first_column, columns, column_taps;
    int64_t filters; /* where their packed weights begin */
    /* the source that a tap reads is position * step + shift, its weight row_weight +
     * column_weight from a channel's first */
    int row_shift[NET_MAX_TAPS], column_shift[NET_MAX_TAPS];
    int row_weight[NET_MAX_TAPS], column_weight[NET_MAX_TAPS];
} NetTaps;

/* Returns when all members have come here. */
void net_team_meet(const NetTeam *team);
static inline void net_meet(const NetTeam *team)
{
    if (__builtin_expect(team->members > 1, 0))
        net_team_meet(team);
}

/* A profiler hook: it times the parts, or looks at what they leave.  `phase` is called when a
 * thread begins a phase, `part` after each part, with the arguments of its NetWork. */
typedef struct NetHook {
    void (*phase)(struct NetHook *hook);
    void (*part)(struct NetHook *hook, const NetStep *step, const real *scratch, int64_t grain,
                 int part);
} NetHook;

/* Called after each part.  Without a hook it costs a test of a pointer; with one, grains are
 * computed by one thread each. */
static inline void net_lap(const NetStep *step, const NetTeam *team, int64_t grain, int part)
{
    if (__builtin_expect(step->hook != NULL, 0))
        step->hook->part(step->hook, step, team->scratch, grain, part);
}

/* A phase: work for which no grain waits for another.  `grain` runs once per grain,
 * by a team of threads; then all threads meet and share out each
 * of `shared`: a thread computes some of its units, for all grains, and the
 * shares are the same in every step, so what a thread reads of the weights is
 * what it moved.  All threads meet after each phase. */
typedef void NetWork(const NetStep *step, const NetTeam *team, int64_t grain);
typedef void NetSharedFunction(const NetStep *step, real *scratch, int64_t from, int64_t to);
/* Of a gradient: what each unit of a sum over all grains makes, the last perhaps less. */
typedef struct NetSum {
    int64_t at, unit, elements; /* of grain 0's gradients */
} NetSum;
typedef struct NetSharedWork {
    NetSharedFunction *work;
    int64_t units;
    int part; /* of NetProgram.parts: told when all threads have done it */
    /* its sums run over all grains: it hands them to NetStep.move, where there is one; 0: it
     * computes grains, from step->from on */
    const NetSum *sums;
    int sum_count;
    bool of_weights; /* it makes NetStep.filters: grains that follow find them made */
} NetSharedWork;
/* What a phase reads of all grains, in each grain's input or kept tensors. */
typedef struct NetRead {
    bool input;
    bool statistics; /* a batch norm's */
    int64_t offset, elements;
} NetRead;
typedef struct NetPhase {
    NetWork *grain;              /* NULL: nothing */
    const NetSharedWork *shared; /* none of them reads what another writes */
    int shared_count;
    /* those that were written since they were read so last: before `grain` the first
     * `early_reads`, before `shared` the others */
    const NetRead *reads;
    int early_reads, read_count;
    /* stretches of the gradients that are whole after it in each grain */
    const NetShare *gradients;
    int gradient_count;
} NetPhase;

typedef struct NetProgram {
    const NetPhase *phases;
    int phase_count;
    int64_t scratch_elements; /* per thread */
    int64_t kept_elements;    /* per grain */
    int64_t filter_elements;  /* of all grains */
    int64_t logits;           /* where, in a grain's kept tensors, [classes][lanes] are */
    const NetPart *parts;     /* in the order of their calls */
    int part_count;
    int64_t own_elements;   /* of one image: per thread, besides */
    double shared;          /* likewise: seconds that one takes for what all share, by estimate */
    const int64_t *outputs; /* as `logits`, of NetModel.outputs */
} NetProgram;

enum { NET_TRANSPOSED = -1 }; /* NetPacking.points */

/* How the program for one image has a layer's parameters: in groups, those in
 * blocks of `block` output channels, the last of `last`, with zeros for channels
 * that there are not.  In a block a term for each of its channels, then
 * [rows][ins][columns] factors for each; or, by Winograd's way, [points][points]
 * [1 + ins] values of each one's filter, the first of them 0.  A batch norm in
 * evaluation behind the layer is part of them. */
typedef struct NetPacking {
    int64_t to;           /* in `packed` */
    int64_t weight, bias; /* in the weights: [groups * outs][ins][rows][columns]; -1: ones; zeros */
    int64_t norm_weight, norm_bias;   /* likewise, [groups * outs] */
    int64_t norm_mean, norm_variance; /* in the buffers; -1: no batch norm */
    double eps;
    int64_t groups, outs, ins, rows, columns;
    int64_t block, last;
    /* of Winograd's tiles along an axis; 0: taps; NET_TRANSPOSED: taps of a weight that is
     * [groups * ins][outs][rows][columns] */
    int64_t points;
    /* [points][columns]: what a tap adds to its filter's value at a point, of both axes */
    const double *at;
} NetPacking;

/* ------------------------------------------------------- the processor */

/* What a C compiler may be told that an x86-64 processor has: its macro, name,
 * the x86-64 level that it belongs to (0: none), CPUID's word (processor.c) and
 * bit there, and the state that the system must keep for it: 1 ymm, 2 zmm. */
/* clang-format off */
#define NET_EACH_FEATURE(X) \
    X(__SSE3__, "sse3", 2, 0, 0, 0) X(__SSSE3__, "ssse3", 2, 0, 9, 0) \
    X(__SSE4_1__, "sse4.1", 2, 0, 19, 0) X(__SSE4_2__, "sse4.2", 2, 0, 20, 0) \
    X(__POPCNT__, "popcnt", 2, 0, 23, 0) X(__AVX__, "avx", 3, 0, 28, 1) \
    X(__AVX2__, "avx2", 3, 1, 5, 1) X(__FMA__, "fma", 3, 0, 12, 1) \
    X(__F16C__, "f16c", 3, 0, 29, 1) X(__BMI__, "bmi1", 3, 1, 3, 0) \
    X(__BMI2__, "bmi2", 3, 1, 8, 0) X(__LZCNT__, "lzcnt", 3, 4, 5, 0) \
    X(__MOVBE__, "movbe", 3, 0, 22, 0) X(__AVX512F__, "avx512f", 4, 1, 16, 2) \
    X(__AVX512BW__, "avx512bw", 4, 1, 30, 2) X(__AVX512CD__, "avx512cd", 4, 1, 28, 2) \
    X(__AVX512DQ__, "avx512dq", 4, 1, 17, 2) X(__AVX512VL__, "avx512vl", 4, 1, 31, 2) \
    X(__AVX512IFMA__, "avx512ifma", 0, 1, 21, 2) X(__AVX512VBMI__, "avx512vbmi", 0, 2, 1, 2) \
    X(__AVX512VBMI2__, "avx512vbmi2", 0, 2, 6, 2) X(__AVX512VNNI__, "avx512vnni", 0, 2, 11, 2) \
    X(__AVX512BITALG__, "avx512bitalg", 0, 2, 12, 2) \
    X(__AVX512VPOPCNTDQ__, "avx512vpopcntdq", 0, 2, 14, 2) \
    X(__AVX512FP16__, "avx512fp16", 0, 3, 23, 2) X(__AVX512BF16__, "avx512bf16", 0, 5, 5, 2) \
    X(__AVXVNNI__, "avxvnni", 0, 5, 4, 1) X(__GFNI__, "gfni", 0, 2, 8, 0) \
    X(__ADX__, "adx", 0, 1, 19, 0) X(__SSE4A__, "sse4a", 0, 4, 6, 0) \
    X(__XOP__, "xop", 0, 4, 11, 1) X(__FMA4__, "fma4", 0, 4, 16, 1) X(__TBM__, "tbm", 0, 4, 21, 0)
/* clang-format on */

/* Those that the file which includes this is compiled for, a bool for each in
 * that order.  A macro that is defined is 1, which makes NET_COMMA_1 a comma. */
#define NET_COMMA_1 ,
#define NET_THIRD(first, second, third, ...) third
#define NET_CHOOSE(...) NET_THIRD(__VA_ARGS__, 0)
#define NET_IS_1(value) NET_CHOOSE(NET_COMMA_##value 0, 1, 0)
#define NET_FEATURE_BOOL(macro, name, level, word, bit, state) NET_IS_1_OF(macro),
#define NET_IS_1_OF(macro) NET_IS_1(macro)
#define NET_COMPILED_FOR                   \
    {                                      \
        NET_EACH_FEATURE(NET_FEATURE_BOOL) \
    }
enum { NET_MAX_FEATURES = 48 };

/* -------------------------------------------------------------- a model */

typedef enum NetParameterKind { NET_TRAINED, NET_BUFFER, NET_COUNTER } NetParameterKind;
enum { NET_MAX_DIMS = 5 }; /* of a parameter: conv3d's weight */
typedef enum NetInitKind {
    NET_CONSTANT,
    NET_UNIFORM,
    NET_NORMAL,
    NET_TRUNCATED,
    NET_ORTHOGONAL, /* rows, or columns, of length a at right angles to one another */
    NET_DIRAC,      /* a convolution of a groups that changes nothing */
    NET_EYE,
    NET_SPARSE /* of each column the part a zeros, the rest of deviation b */
} NetInitKind;

typedef struct NetParameter {
    const char *path; /* PyTorch's state_dict key */
    NetParameterKind kind;
    int rank;
    int64_t dim[NET_MAX_DIMS];
    int64_t offset, elements; /* in its kind's arena; a counter's offset is its index */
    NetInitKind init;
    double a, b;      /* constant a; uniform in a … b; normal of mean a, deviation b … */
    double low, high; /* … truncated to these */
    bool whole_batch; /* grain 0's gradient is the whole batch's: nothing to add up */
    bool frozen;      /* no optimizer moves it */
    int group;        /* its settings are group.N.lr and group.N.weight_decay; 0: in none */
    int layer; /* of `layer_decay`: how many layers before the end; 0: it has the whole rate */
    int uses;  /* layers that have it */
    /* of a table: begins as zeros, and the table's own layer has no gradient of it; -1: none */
    int64_t padding_row;
} NetParameter;

/* Another name in the state of a parameter that several layers have. */
typedef struct NetAlias {
    const char *path;
    int parameter; /* of NetModel.parameters */
} NetAlias;

/* What the network takes. */
typedef struct NetInput {
    const char *name;
    NetShape shape;
    int64_t numbers; /* it holds whole numbers below it; 0: real ones */
    int64_t offset;  /* among a step's inputs, in elements of an image */
} NetInput;

/* What a loss is held against: an array of the data (data/arrays.h says which fit). */
typedef enum NetTargetKind { NET_CLASSES, NET_NUMBERS } NetTargetKind;
typedef struct NetTarget {
    const char *name; /* of the array; NULL: the data's only one */
    const char *loss; /* that wants it, as a message calls it; NULL: none, the network has logits */
    NetTargetKind kind;
    NetShape shape; /* of the output that it is held against */
    /* of that output: a position's classes lie `class_step` values apart, positions
     * `position_step`; of numbers without such an order there is one class */
    int64_t classes, positions, class_step, position_step;
    int64_t ignored;       /* NET_CLASSES: a class that counts as none, allowed whatever it is */
    double low, high;      /* NET_NUMBERS: what they may be; low > high: any that are finite */
    bool ends;             /* those two alone */
    const double *weights; /* of classes: what each counts; NULL: all 1 */
    /* NET_NUMBERS: the output is held against them less their mean, over their deviation, if they
     * are numbers by themselves and no class: see train/units.c */
    bool standardised;
} NetTarget;
/* NetTarget.ignored: none is. */
#define NET_NOT_IGNORED (-9223372036854775807LL)

/* What is made small: the sum of these, each times its weight. */
typedef struct NetLoss {
    const char *name;   /* "cross_entropy" */
    const char *output; /* that it reads; NULL: the network's last tensor */
    double weight;
    int target; /* of NetModel.wanted; NET_NO_TARGET, NET_INPUT_TARGET */
} NetLoss;
/* What a network's output says: logits of classes, for each position; their logarithms, or scores;
 * for each value a logit of yes or no; or numbers, as an image is. */
typedef enum NetMeaning {
    NET_OUTPUT_LOGITS,
    NET_OUTPUT_SCORES,
    NET_OUTPUT_LABELS,
    NET_OUTPUT_NUMBERS
} NetMeaning;
enum { NET_NO_TARGET = -1, NET_INPUT_TARGET = -2 }; /* it has none; the network's input */

/* A tensor that the network names as an output. */
typedef struct NetNamedOutput {
    const char *name;
    NetShape shape;
    int unit; /* 1 + the number of NetModel.wanted in whose unit it is given; 0: as it is */
} NetNamedOutput;
/* A weight of [rows][length] that is no state, but made of parameters before each step: what they
 * are, and how, says compiler/network/parametrization.c.  All are among the weights. */
typedef struct NetDerived {
    int64_t offset, rows, length;
    int64_t direction; /* of the same shape; what is standardised, where … */
    int64_t magnitude; /* … this, [rows], is -1 */
    double eps;
    bool whole_batch; /* as NetParameter's */
    bool part;        /* it is those rows of `direction`'s parameter as they are */
    /* Of spectral_norm: where among the buffers its matrix's singular vectors are, [rows] and
     * [length]; -1: it is none.  A row's values lie in `outer` runs, one for each index of the axes
     * before that of the rows. */
    int64_t left, right, outer, iterations;
} NetDerived;

typedef struct NetLayer {
    const char *path, *op;
    NetShape in, out;
    int64_t parameters, multiply_adds; /* multiply-adds per image, forward */
    int line;                          /* in the .net file */
    /* training normalises each channel over the images of a batch and their positions */
    bool over_batch;
} NetLayer;

/* of the train section: "optimizer.lr" = 0.01 */
typedef struct NetSetting {
    const char *path;
    const char *word; /* NULL: numbers */
    int count;
    const double *numbers;
} NetSetting;

/* Makes multiply-adds that wait for nothing but their own last result and gives
 * how many.  It is compiled with the kernels, for their target, so its speed is
 * the peak that they can be held against. */
typedef int64_t NetPeak(int64_t iterations, real *sum);

struct NetModel {
    const char *name;
    const char *source;  /* the .net file */
    const char *target;  /* "native", "x86-64-v3", … */
    const char *kernels; /* "specialised" or "reference" */
    int real_bytes;      /* sizeof(real) it was compiled with */
    int lanes;
    NetShape input;  /* the first, which pictures and texts are for: see inputs */
    int64_t numbers; /* it holds whole numbers below it; 0: pixels */
    /* of one target, and how many targets an image has: 1, or one for each position of the output,
     * whose values lie so many elements apart */
    int64_t classes, targets;
    int64_t class_step, target_step;
    const NetNamedOutput *outputs; /* others, with names */
    int output_count;
    const NetParameter *parameters; /* in state_dict order */
    int parameter_count;
    const NetAlias *aliases;
    int alias_count;
    const NetDerived *derived; /* in the order of their offsets, behind all parameters */
    int derived_count;
    int64_t trained, buffers, counters; /* elements of the three arenas */
    const NetLayer *layers;
    int layer_count;
    /* what is computed, a line for each layer: "relu_1 = relu of conv1"; no build's options
     * change it */
    const char *structure;
    bool load_at_once; /* images are transposed to lanes and normalised in one pass, not in two */
    /* gradients move the weights as they are summed; false: once all are there */
    bool update_at_once;
    NetProgram training; /* phase_count 0: no train section */
    NetProgram inference;
    /* one image, [h][w][c]: a grain of its own; phase_count 0: none */
    NetProgram single;
    const NetPacking *packings;
    int packing_count;
    int64_t packed;             /* elements */
    const NetSetting *settings; /* empty: no train section */
    int setting_count;
    NetPeak *peak;
    bool features[NET_MAX_FEATURES]; /* NET_COMPILED_FOR: what its code needs of the processor */
    const NetInput *inputs;          /* in the order of the file */
    int input_count;
    /* Of a network that makes something of each step of a text: one step, of it and of what was
     * kept of those before; phase_count 0: none, */
    NetProgram row;
    const NetPacking *row_packings;
    int row_packing_count;
    int64_t row_packed, row_kept; /* elements */
    const char *row_obstacle;     /* … as this layer looks at other steps, too; NULL: none does */
    const NetTarget *wanted; /* what the losses want of the data; the first is of the output, which
                              * without a train section is taken for logits */
    int wanted_count;
    const NetLoss *losses; /* none without a train section; the first of the output is what
                            * figures of it are printed by */
    int loss_count;
    int main_loss;
    NetMeaning output_kind; /* what the output, of this shape, says */
    NetShape output;
};

/* The trainer's whole command line: train, test, predict, bench, gradcheck, info. */
int net_main(const NetModel *model, int argc, char **argv);

/* --------------------------------------------- calls of reference kernels */

/* An operator's argument by name, as the .net file resolved it. */
typedef struct NetAttribute {
    const char *name;
    double value[8];
    const char *word;
    int count;            /* of a list: how many values; 0: it was not given */
    const double *values; /* of a list that may be long: all; NULL: of no such */
} NetAttribute;

#define NET_MAX_PARAMETERS 8

/* Everything a reference kernel may need; each reads what its operator is
 * defined by and ignores the rest.  Pointers to one grain's tensors. */
typedef struct NetCall {
    int lanes;
    const NetAttribute *attributes; /* ends with name NULL */
    bool training;

    int inputs;           /* forward inputs */
    const real *const *x; /* [inputs]; NULL entries in a backward call that reads none */
    const NetShape *x_shape;
    real *y;
    NetShape y_shape; /* the forward output; backward: read only, or NULL */
    real *aux;        /* what forward notes for backward, or NULL */
    real *statistics; /* grain 0's; grain g's are statistics + g * statistics_stride */
    int64_t statistics_stride;

    const real *dy; /* backward: gradient of y */
    real *dx;       /* backward_input: gradient of x[which] */
    int which;
    bool accumulate; /* dx += instead of dx = */

    int parameters;
    /* trained or buffer, in state order; a counter's is NULL */
    real *parameter[NET_MAX_PARAMETERS];
    /* this grain's gradient; NULL for buffers. Set, not added to */
    real *dparameter[NET_MAX_PARAMETERS];
    int64_t gradient_stride; /* the same parameter's gradient of grain g + 1 lies this far on */

    const NetStep *step;
    int64_t grain;
    const real *active; /* [lanes] of this grain */
    uint64_t salt;      /* differs between the network's nodes: a seed for dropout */
    int64_t numbers;    /* x[0] holds whole numbers below it; 0: real ones */
    double loss_weight; /* of a loss: what it is multiplied by, and … */
    bool loss_adds;     /* … whether it is added to others' */
    /* backward_input of an operator that makes all inputs' gradients at once: by input where in dx
     * its own begins, in values of one image; -1: nobody wants it.  NULL: dx is that of x[which] */
    const int64_t *dx_at;
    const void *target; /* a loss's, of this grain: as NetStep.targets, or the input; NULL: none */
    double target_weight; /* as NetStep.target_weights */
} NetCall;

/* Named net_<operator>_forward, _statistics, _backward_input and
 * _backward_parameters: one file per operator in runtime/kernels/. */
typedef void NetKernel(const NetCall *call);

/* Of a grain; what the operator has besides is still 0. */
static inline NetCall net_call(const NetStep *step, int64_t grain, int lanes)
{
    NetCall call;
    memset(&call, 0, sizeof call);
    call.lanes = lanes;
    call.gradient_stride = step->gradient_stride;
    call.step = step;
    call.grain = grain;
    call.active = step->active + grain * lanes;
    return call;
}

/* value[index] of the attribute `name`; stops the program when it is missing,
 * which only a fault in an operator's table can cause. */
double net_attribute(const NetCall *call, const char *name, int index);
const char *net_attribute_word(const NetCall *call, const char *name); /* NULL: none */
int net_attribute_count(const NetCall *call, const char *name);        /* 0: no list, or absent */
const double *net_attribute_values(const NetCall *call, const char *name); /* NULL: absent */

/* Of an enlarged or reduced axis: how many of its values each of the new ones is made of, and
 * which, with what weights, [out][taps].  scale: how many times larger it was asked to be; 0: by
 * its size alone.  As torch.nn.functional.interpolate has it; NET_CUBIC with a = -0.75. */
typedef enum NetResize { NET_NEAREST, NET_NEAREST_EXACT, NET_LINEAR, NET_CUBIC } NetResize;
int net_resize_taps(NetResize mode);
void net_resize_axis(NetResize mode, int64_t in, int64_t out, double scale, bool align_corners,
                     int64_t *at, real *weight);

/* to[i] = from[i] and to[i] += from[i]: where tensors meet that no operator joins. */
static inline void net_copy(real *to, const real *from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i];
}
static inline void net_accumulate(real *to, const real *from, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* The same by all members of a team: each moves a part, of whole lines of a cache. */
static inline NetShare net_part(const NetTeam *team, int64_t count)
{
    const int64_t line = NET_ALIGNMENT / (int64_t)sizeof(real);
    NetShare lines = net_pieces(team, (count + line - 1) / line);
    NetShare part = {lines.from * line, lines.to * line < count ? lines.to * line : count};
    return part;
}
static inline void net_copy_pieces(const NetTeam *team, real *to, const real *from, int64_t count)
{
    NetShare part = net_part(team, count);
    net_copy(to + part.from, from + part.from, part.to - part.from);
}
static inline void net_accumulate_pieces(const NetTeam *team, real *to, const real *from,
                                         int64_t count)
{
    NetShare part = net_part(team, count);
    net_accumulate(to + part.from, from + part.from, part.to - part.from);
}

/* Rows of `count` elements, each its stride after the last. */
static inline void net_copy_rows(real *to, int64_t to_stride, const real *from, int64_t from_stride,
                                 int64_t rows, int64_t count)
{
    for (int64_t row = 0; row < rows; row++)
        net_copy(to + row * to_stride, from + row * from_stride, count);
}

/* [positions][channels], a position `stride` elements, to [channels][positions] and back. */
static inline void net_to_planes(real *to, const real *from, int64_t channels, int64_t positions,
                                 int64_t stride)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t p = 0; p < positions; p++)
            to[c * positions + p] = from[p * stride + c];
}
static inline void net_from_planes(real *to, const real *from, int64_t channels, int64_t positions,
                                   int64_t stride)
{
    for (int64_t p = 0; p < positions; p++)
        for (int64_t c = 0; c < channels; c++)
            to[p * stride + c] = from[c * positions + p];
}

/* A number in [0, 1) from its counter: the same for the same four words on
 * every machine (Salmon et al. 2011, "Parallel random numbers: as easy as
 * 1, 2, 3": Philox4x32-10). */
double net_random(uint64_t seed, uint64_t step, uint64_t salt, uint64_t index);
/* One of a normal distribution of mean 0 and deviation 1, likewise. */
double net_random_normal(uint64_t seed, uint64_t step, uint64_t salt, uint64_t index);
/* The generator's key then: for kernels that draw a row of lanes at once. */
uint64_t net_random_key(uint64_t seed, uint64_t salt);

#ifdef __cplusplus
}
#endif
#endif
