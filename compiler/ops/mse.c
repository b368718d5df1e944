/* mse.c: the mean squared distance of the network's output from the target
 * class as a one-hot row.
 */
#include "ops/operator.h"

const Operator operator_mse = {
    .name = "mse",
    .summary = "Mean squared error between the output and the one-hot target; the mean over "
               "classes and batch.",
    .shape_rule = "[classes] -> one loss per image",
    .formula = "loss = sum over k of (x[k] - t[k])^2 / classes\n"
               "d loss/dx[k] = 2 * (x[k] - t[k]) / classes\n"
               "t[k] = 1 if k is the target, else 0",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.MSELoss.html",
    .traits = OP_LOSS,
    .target = TARGET_NUMBERS,
    .input_gradient_reads = READS_X,
};
