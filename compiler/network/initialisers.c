/* initialisers.c: the ways in which a parameter may begin, with torch.nn.init's names, arguments
 * and formulas.
 */
#include "network/network.h"

#include <math.h>
#include <string.h>

static const char *const modes[] = {"fan_in", "fan_out", NULL};
static const char *const nonlinearities[] = {"linear", "conv2d",     "sigmoid", "tanh",
                                             "relu",   "leaky_relu", "selu",    NULL};

static const ArgSpec kaiming_args[] = {
    {"a", ARG_REAL, .otherwise = "0", .minimum = -1000, .maximum = 1000,
     .doc = "The negative slope of leaky_relu."},
    {"mode", ARG_WORD, .otherwise = "fan_in", .words = modes,
     .doc = "Which pass keeps its variance: forward or backward."},
    {"nonlinearity", ARG_WORD, .otherwise = "leaky_relu", .words = nonlinearities,
     .doc = "What follows the layer."},
    {0}};
static const ArgSpec xavier_args[] = {
    {"gain", ARG_REAL, .otherwise = "1", .maximum = 1000, .doc = "Times the deviation."}, {0}};
static const ArgSpec normal_args[] = {{"mean", ARG_REAL, .positional = true, .otherwise = "0",
                                       .minimum = -1e6, .maximum = 1e6, .doc = "The middle."},
                                      {"std", ARG_REAL, .positional = true, .otherwise = "1",
                                       .maximum = 1e6, .doc = "The deviation."},
                                      {0}};
static const ArgSpec uniform_args[] = {
    {"a", ARG_REAL, .positional = true, .otherwise = "0", .minimum = -1e6, .maximum = 1e6,
     .doc = "The lowest value."},
    {"b", ARG_REAL, .positional = true, .otherwise = "1", .minimum = -1e6, .maximum = 1e6,
     .doc = "The highest value."},
    {0}};
static const ArgSpec truncated_args[] = {
    {"mean", ARG_REAL, .positional = true, .otherwise = "0", .minimum = -1e6, .maximum = 1e6,
     .doc = "The middle of the normal distribution."},
    {"std", ARG_REAL, .positional = true, .otherwise = "1", .maximum = 1e6,
     .doc = "Its deviation."},
    {"a", ARG_REAL, .positional = true, .otherwise = "-2", .minimum = -1e6, .maximum = 1e6,
     .doc = "The lowest value."},
    {"b", ARG_REAL, .positional = true, .otherwise = "2", .minimum = -1e6, .maximum = 1e6,
     .doc = "The highest value."},
    {0}};
static const ArgSpec constant_args[] = {
    {"val", ARG_REAL, .positional = true, .minimum = -1e6, .maximum = 1e6, .doc = "Every value."},
    {0}};

static const ArgSpec orthogonal_args[] = {{"gain", ARG_REAL, .positional = true, .otherwise = "1",
                                           .maximum = 1000,
                                           .doc = "The length of each row, or of each column."},
                                          {0}};
static const ArgSpec dirac_args[] = {{"groups", ARG_INT, .positional = true, .otherwise = "1",
                                      .minimum = 1, .maximum = 65536, .doc = "Of the convolution."},
                                     {0}};
static const ArgSpec sparse_args[] = {{"sparsity", ARG_REAL, .positional = true, .maximum = 1,
                                       .doc = "The part of each column that is 0."},
                                      {"std", ARG_REAL, .positional = true, .otherwise = "0.01",
                                       .maximum = 1e6, .doc = "The deviation of the others."},
                                      {0}};

/* torch.nn.init.calculate_gain. */
static double gain(const char *nonlinearity, double slope)
{
    if (strcmp(nonlinearity, "relu") == 0)
        return sqrt(2);
    if (strcmp(nonlinearity, "leaky_relu") == 0)
        return sqrt(2 / (1 + slope * slope));
    if (strcmp(nonlinearity, "tanh") == 0)
        return 5.0 / 3;
    return strcmp(nonlinearity, "selu") == 0 ? 3.0 / 4 : 1;
}

typedef struct Fans {
    double in, out;
} Fans;

/* As torch.nn.init counts: of a tensor's first two dimensions, times the rest. */
static Fans fans_of(const Parameter *parameter)
{
    double window = 1;
    for (int i = 2; i < parameter->rank; i++)
        window *= (double)parameter->dim[i];
    return (Fans){(double)parameter->dim[1] * window, (double)parameter->dim[0] * window};
}

static Init constant_init(double value)
{
    return (Init){INIT_CONSTANT, value, 0};
}

static Init normal_init(double deviation)
{
    return (Init){INIT_NORMAL, 0, deviation};
}

/* The uniform distribution with this deviation. */
static Init uniform_init(double deviation)
{
    return (Init){INIT_UNIFORM, -sqrt(3) * deviation, sqrt(3) * deviation};
}

static double kaiming_deviation(const Parameter *parameter, const ArgValue *args)
{
    Fans fans = fans_of(parameter);
    return gain(args[2].word, args[0].real)
           / sqrt(strcmp(args[1].word, "fan_in") == 0 ? fans.in : fans.out);
}

static double xavier_deviation(const Parameter *parameter, const ArgValue *args)
{
    Fans fans = fans_of(parameter);
    return args[0].real * sqrt(2 / (fans.in + fans.out));
}

static Init kaiming_normal(const Parameter *parameter, const ArgValue *args)
{
    return normal_init(kaiming_deviation(parameter, args));
}

static Init kaiming_uniform(const Parameter *parameter, const ArgValue *args)
{
    return uniform_init(kaiming_deviation(parameter, args));
}

static Init xavier_normal(const Parameter *parameter, const ArgValue *args)
{
    return normal_init(xavier_deviation(parameter, args));
}

static Init xavier_uniform(const Parameter *parameter, const ArgValue *args)
{
    return uniform_init(xavier_deviation(parameter, args));
}

static Init normal(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_NORMAL, args[0].real, args[1].real};
}

static Init uniform(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_UNIFORM, args[0].real, args[1].real};
}

static Init constant(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return constant_init(args[0].real);
}

static Init truncated(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_TRUNCATED, args[0].real, args[1].real};
}

static Init zeros(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter, (void)args;
    return constant_init(0);
}

static Init ones(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter, (void)args;
    return constant_init(1);
}

static Init orthogonal(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_ORTHOGONAL, args[0].real, 0};
}

static Init dirac(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_DIRAC, (double)args[0].integer[0], 0};
}

static Init eye(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter, (void)args;
    return (Init){INIT_EYE, 0, 0};
}

static Init sparse(const Parameter *parameter, const ArgValue *args)
{
    (void)parameter;
    return (Init){INIT_SPARSE, args[0].real, args[1].real};
}

const Initialiser initialisers[] = {{"kaiming_normal", kaiming_args, kaiming_normal, true, 0, 0},
                                    {"kaiming_uniform", kaiming_args, kaiming_uniform, true, 0, 0},
                                    {"xavier_normal", xavier_args, xavier_normal, true, 0, 0},
                                    {"xavier_uniform", xavier_args, xavier_uniform, true, 0, 0},
                                    {"normal", normal_args, normal, false, 0, 0},
                                    {"trunc_normal", truncated_args, truncated, false, 0, 0},
                                    {"uniform", uniform_args, uniform, false, 0, 0},
                                    {"constant", constant_args, constant, false, 0, 0},
                                    {"zeros", NULL, zeros, false, 0, 0},
                                    {"ones", NULL, ones, false, 0, 0},
                                    {"orthogonal", orthogonal_args, orthogonal, false, 2, 5},
                                    {"dirac", dirac_args, dirac, false, 3, 5},
                                    {"eye", NULL, eye, false, 2, 2},
                                    {"sparse", sparse_args, sparse, false, 2, 2},
                                    {0}};

const Initialiser *find_initialiser(const char *name)
{
    for (int i = 0; initialisers[i].name != NULL; i++)
        if (strcmp(initialisers[i].name, name) == 0)
            return &initialisers[i];
    return NULL;
}

const char *initialiser_fault(const Initialiser *init, const ArgValue *args, int rank,
                              const Int *dim)
{
    if (init->max_rank == 0)
        return NULL;
    if (rank < init->min_rank || rank > init->max_rank)
        return format("%s needs %s dimensions", init->name,
                      init->min_rank == init->max_rank ? "2"
                      : init->min_rank == 2            ? "at least 2"
                                                       : "a convolution's weight, of 3 to 5");
    if (init->init == dirac && dim[0] % args[0].integer[0] != 0)
        return format("dirac of %lld groups needs a first size that they divide, not %lld",
                      args[0].integer[0], dim[0]);
    return NULL;
}

void initialise_parameter(Parameter *parameter, const Initialiser *init, const ArgValue *args)
{
    parameter->init = init->init(parameter, args);
    if (parameter->init.kind == INIT_TRUNCATED) {
        parameter->low = args[2].real;
        parameter->high = args[3].real;
    }
}
