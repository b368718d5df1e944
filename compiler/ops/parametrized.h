/* parametrized.h: the arguments that say how a layer's weight is made of what is learned. */
#ifndef PARAMETRIZED_H
#define PARAMETRIZED_H

#define WEIGHT_NORM_ARGUMENT                                                      \
    {                                                                             \
        "weight_norm", ARG_BOOL, ROLE_WEIGHT_NORM,                                \
            .otherwise = "false",                                                 \
            .doc = "Whether the weight is learned as magnitudes and directions: " \
                   "parametrizations.weight.original0, 1."                        \
    }
#define STANDARDIZATION_ARGUMENT                                                                 \
    {                                                                                            \
        "weight_standardization", ARG_REAL, ROLE_STANDARDIZATION,                                \
            .otherwise = "none", .minimum = 1e-30, .maximum = 1,                                 \
            .doc = "Each filter to mean 0 and variance 1; this is added to the variance: 1e-10." \
    }
#define UNIT_NORM_ARGUMENT                                                         \
    {                                                                              \
        "unit_norm", ARG_BOOL, ROLE_UNIT_NORM,                                     \
            .otherwise = "false",                                                  \
            .doc = "Whether each output's weights are what is learned over their " \
                   "length: of a normalized input the outputs are cosines."        \
    }
#define SPECTRAL_NORM_ARGUMENT                                                               \
    {                                                                                        \
        "spectral_norm", ARG_BOOL, ROLE_SPECTRAL_NORM,                                       \
            .otherwise = "false",                                                            \
            .doc = "Whether the weight is what is learned over its largest singular value: " \
                   "parametrizations.weight.original."                                       \
    }
#define POWER_ITERATIONS_ARGUMENT                                                  \
    {                                                                              \
        "n_power_iterations", ARG_INT, ROLE_POWER_ITERATIONS,                      \
            .otherwise = "1", .minimum = 1, .maximum = 1000,                       \
            .doc = "Of spectral_norm: how often a step brings its vectors nearer." \
    }

#endif
