/* strided.c: see strided.h. */
#include "kernels/grain/strided.h"

Strided strided_shape(Shape shape)
{
    Strided strided = {.rank = shape.rank};
    Int step = 1;
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        strided.size[axis] = shape.dim[axis];
        strided.step[axis] = step;
        step *= shape.dim[axis];
    }
    return strided;
}

/* Neighbouring axes that are one stretch of x become one, and axes of one value none. */
static Strided merged(Strided strided)
{
    Strided result = {.from = strided.from};
    for (int axis = 0; axis < strided.rank; axis++) {
        int last = result.rank - 1;
        if (strided.size[axis] == 1)
            continue;
        if (last >= 0 && result.step[last] == strided.size[axis] * strided.step[axis]) {
            result.size[last] *= strided.size[axis];
            result.step[last] = strided.step[axis];
        } else {
            result.size[result.rank] = strided.size[axis];
            result.step[result.rank++] = strided.step[axis];
        }
    }
    if (result.rank == 0)
        result = (Strided){.rank = 1, .size = {1}, .step = {1}, .from = strided.from};
    return result;
}

static Int values_of(const Strided *strided)
{
    Int values = 1;
    for (int axis = 0; axis < strided->rank; axis++)
        values *= strided->size[axis];
    return values;
}

void emit_no_gradient(Kernel *kernel)
{
    open_pieces(kernel, "i", shape_elements(input_shape(kernel->node)));
    kernel_line(kernel, "dx[i] = splat(0);");
    kernel_line(kernel, "}");
    if (kernel->splits)
        kernel_line(kernel, "net_meet(team);");
}

void emit_strided(Kernel *kernel, Strided whole)
{
    static const char *const index[MAX_STRIDED] = {"i0", "i1", "i2", "i3", "i4", "i5"};
    const Strided strided = merged(whole);
    const Node *node = kernel->node;
    bool forward = kernel->stage == STAGE_FORWARD;
    Int inputs = shape_elements(input_shape(node)), inner = 1;
    if (!forward && !node->accumulate && values_of(&strided) < inputs)
        emit_no_gradient(kernel);
    bool adds = !forward && (node->accumulate || values_of(&strided) < inputs);
    for (int axis = 1; axis < strided.rank; axis++)
        inner *= strided.size[axis];
    Text at = {0};
    text_add(&at, "%lld", strided.from);
    open_pieces(kernel, index[0], strided.size[0]);
    kernel_line(kernel, "int64_t to = (int64_t)%s * %lld;", index[0], inner);
    for (int axis = 0; axis < strided.rank; axis++) {
        if (axis > 0)
            kernel_line(kernel, "for (int %s = 0; %s < %lld; %s++)%s", index[axis], index[axis],
                        strided.size[axis], index[axis], axis < strided.rank - 1 ? " {" : "");
        text_add(&at, " + %s * %lldL", index[axis], strided.step[axis]);
    }
    if (forward)
        kernel_line(kernel, "    y[to++] = x[%s];", text_chars(&at));
    else
        kernel_line(kernel, "    dx[%s] %s dy[to++];", text_chars(&at), adds ? "+=" : "=");
    for (int axis = 0; axis < strided.rank - 1 || axis == 0; axis++)
        kernel_line(kernel, "}");
}
