/* function.c: a `function` of the program as an operator.  The C of a function and of its
 * gradients are small functions of rows of lanes, so that they go wherever an activation goes: a
 * loop of their own, the epilogue of another kernel, the kernel for one image.
 */
#include "ops/spread.h"

#include "kernels/grain/axes.h"

#include <string.h>

typedef struct Function {
    Operator op; /* first: a node's op is the whole */
    const FunctionForm *form;
    const Operator *spread; /* where one of its tensors is repeated; NULL: this is it */
    /* the C functions of y and of each tensor's gradient: how a call begins, and what it takes */
    const char **call;
    bool **takes; /* by function and tensor */
    const Terms *plain_terms;
    const Term *plain;
} Function;

static const Function *function_of(const Node *node)
{
    return (const Function *)node->op;
}

/* Which of its C functions a kernel calls: 0 y, 1 + i the gradient of tensor i. */
static int called_by(const Node *node)
{
    return node->stage == STAGE_FORWARD ? 0 : 1 + node->which;
}

/* ------------------------------------------------------------- shapes */

static bool infer(Node *node)
{
    const FunctionForm *form = function_of(node)->form;
    int count = node->inputs.count;
    if (count == form->tensors) {
        bool equal = true;
        if (count == 1)
            return infer_same_shape(node);
        if (!infer_spread(node, "function-mismatch"))
            return false;
        for (int i = 0; i < count; i++)
            equal &= shape_equal(node->inputs.items[i]->shape, node->out_shape);
        if (!equal)
            node->op = function_of(node)->spread;
        return true;
    }
    Diagnostic *d = node_error(
        node, count < form->tensors ? "missing-argument" : "too-many-arguments", node->span,
        "function %s takes %d tensors, not %d", form->name, form->tensors, count);
    diag_label(d, form->span, "defined here");
    diag_help(d,
              "%s { branch { … } … } with %d branches, or %s(name, …) with the current tensor "
              "first and %d named ones",
              form->name, form->tensors, form->name, form->tensors - 1);
    return false;
}

/* -------------------------------------------------------------- calls */

/* "function_1_f(x0[i], dy[i])", of what `operand` says of each tensor and of dy. */
static const char *call_text(const Node *node, const char *(*operand)(const Node *, int),
                             const char *dy)
{
    const Function *f = function_of(node);
    int called = called_by(node);
    const char *between = "";
    Text text = {0};
    text_add(&text, "%s", f->call[called]);
    for (int i = 0; i < f->form->tensors; i++)
        if (f->takes[called][i]) {
            text_add(&text, "%s%s", between, operand(node, i));
            between = ", ";
        }
    if (called)
        text_add(&text, "%s%s", between, dy);
    text_add(&text, ")");
    return text_chars(&text);
}

static const char *element(const Node *node, int i)
{
    return node->inputs.count == 1 ? "x[i]" : format("x%d[i]", i);
}

static const char *expression(const Node *node)
{
    return call_text(node, element, "dy[i]");
}

static bool emit_repeated(Kernel *kernel)
{
    emit_spread(kernel, call_text(kernel->node, spread_element, spread_dy(kernel->node)));
    return true;
}

static const char *image_call(const ImageKernel *image, const char *channel)
{
    const Function *f = function_of(image->kernel.node);
    const char *between = "";
    Text text = {0};
    text_add(&text, "%s", f->call[0]);
    for (int i = 0; i < f->form->tensors; i++)
        if (f->takes[0][i]) {
            text_add(&text, "%s%s", between, image_spread_element(image, i, channel));
            between = ", ";
        }
    text_add(&text, ")");
    return text_chars(&text);
}

static void emit_image_repeated(ImageKernel *image)
{
    emit_image_spread(image, image_call);
}

/* --------------------------------------------------------- the reference */

static const char *plain_lanes(const Kernel *kernel)
{
    return kernel->one_image ? "1" : "LANES";
}

/* The element of input i in a lane. */
static const char *plain_element(const Kernel *kernel, int i)
{
    const char *name = kernel->node->inputs.count == 1 ? "x" : format("x%d", i);
    return format("(double)((const real *)%s)[(%s) * %s + lane]", name,
                  spread_index(kernel->node, i), plain_lanes(kernel));
}

static void plain_lines(Kernel *kernel, int tensor)
{
    const Function *f = function_of(kernel->node);
    const char **elements = NEW_ARRAY(const char *, (size_t)f->form->tensors);
    for (int i = 0; i < f->form->tensors; i++)
        elements[i] = plain_element(kernel, i);
    Formula lines = one_formula(f->plain_terms, f->plain, elements, tensor);
    for (int i = 0; i < lines.count; i++)
        kernel_line(kernel, "%s", lines.items[i]);
}

/* y, or dx of what is not repeated: value by value. */
static void emit_plain_values(Kernel *kernel, bool forward, const char *at)
{
    int loops = open_spread_loops(kernel, -1, false, false);
    kernel_line(kernel, "for (int lane = 0; lane < %s; lane++) {", plain_lanes(kernel));
    plain_lines(kernel, forward ? -1 : kernel->node->which);
    if (forward)
        kernel_line(kernel, "((real *)y)%s = (real)value;", at);
    else
        kernel_line(kernel, "((real *)dx)%s %s (real)(((const real *)dy)%s * slope);", at,
                    kernel->node->accumulate ? "+=" : "=", at);
    close_loops(kernel, loops + 1);
}

static void emit_plain_sums(Kernel *kernel, const char *at)
{
    const Node *node = kernel->node;
    int own = open_spread_loops(kernel, node->which, false, false);
    kernel_line(kernel, "for (int lane = 0; lane < %s; lane++) {", plain_lanes(kernel));
    kernel_line(kernel, "double sum = 0;");
    int summed = open_spread_loops(kernel, node->which, true, false);
    plain_lines(kernel, node->which);
    kernel_line(kernel, "sum += ((const real *)dy)%s * slope;", at);
    close_loops(kernel, summed);
    kernel_line(kernel, "((real *)dx)[(%s) * %s + lane] %s (real)sum;",
                spread_index(node, node->which), plain_lanes(kernel),
                node->accumulate ? "+=" : "=");
    close_loops(kernel, own + 1);
}

static void emit_reference(Kernel *kernel)
{
    const Node *node = kernel->node;
    bool forward = kernel->stage == STAGE_FORWARD;
    const char *at = format("[(%s) * %s + lane]", spread_output_index(node), plain_lanes(kernel));
    if (!forward && is_spread(node, node->which))
        emit_plain_sums(kernel, at);
    else
        emit_plain_values(kernel, forward, at);
}

/* ------------------------------------------------------------- making */

/* y, or the gradient of tensor `which`: a C function of what its terms read. */
static EmittedFunction lanes_function(Function *f, int number, Terms *terms, const Term *term,
                                      int which)
{
    const FunctionForm *form = f->form;
    const char **names = NEW_ARRAY(const char *, (size_t)form->tensors + 1), *between = "";
    bool *takes = NEW_ARRAY(bool, (size_t)form->tensors + 1);
    Text text = {0};
    f->call[which + 1] = format("function_%d_%s%s(", number, form->name,
                                which < 0 ? "" : format("_by_%s", form->tensor[which]));
    text_add(&text, "/* %s%s */\nstatic inline vec %s",
             which < 0 ? "" : format("The gradient in %s of ", form->tensor[which]), form->text,
             f->call[which + 1]);
    names[form->tensors] = "dy";
    for (int i = 0; i <= form->tensors; i++) {
        takes[i] = i == form->tensors ? which >= 0 : term_reads(terms, term, i);
        if (i < form->tensors)
            names[i] = form->tensors == 1 ? "x" : format("x%d", i);
        if (takes[i])
            text_add(&text, "%svec %s", between, names[i]);
        between = takes[i] ? ", " : between;
    }
    text_add(&text, "%s)\n{\n%s%s}\n\n", *between ? "" : "void",
             which >= 0 && !term_reads(terms, term, form->tensors) ? "    (void)dy;\n" : "",
             lanes_body(terms, term, names));
    f->takes[which + 1] = takes;
    return (EmittedFunction){f->call[which + 1], text_chars(&text)};
}

static Operator described(const FunctionForm *form)
{
    return (Operator){
        .name = form->name,
        .summary = "A function of the program, element by element.",
        .shape_rule = form->tensors == 1 ? "any shape, unchanged"
                                         : "equal shapes, unchanged; an axis of 1 repeats",
        .formula = form->text,
        .args = form->args,
        .traits = form->tensors > 1 ? OP_JOINS : 0,
        .take_row = take_any_row,
    };
}

Operator *function_template(const FunctionForm *form)
{
    Operator *op = NEW(Operator);
    *op = described(form);
    op->traits |= OP_DEFINED;
    return op;
}

/* Of tensors of which some are repeated: neither in place nor in another's store. */
static const Operator *spread_operator(const Function *same)
{
    Function *f = NEW(Function);
    *f = *same;
    f->op.traits = OP_JOINS;
    f->op.expression = NULL;
    f->op.emit = emit_repeated;
    f->op.emit_image = emit_image_repeated;
    f->op.can_do_image = spreads_channels;
    return &f->op;
}

const Operator *function_operator(const FunctionForm *form, int number, Terms *terms,
                                  const Term *value, Terms *plain_terms, const Term *plain)
{
    Function *f = NEW(Function);
    int tensors = form->tensors;
    const Term *dy = tensor_term(terms, tensors);
    EmittedFunction *functions = NEW_ARRAY(EmittedFunction, (size_t)tensors + 2);
    f->op = described(form);
    f->form = form;
    f->call = NEW_ARRAY(const char *, (size_t)tensors + 1);
    f->takes = NEW_ARRAY(bool *, (size_t)tensors + 1);
    f->plain_terms = plain_terms;
    f->plain = plain;
    functions[0] = lanes_function(f, number, terms, value, -1);
    for (int i = 0; i < tensors; i++) {
        const Term *gradient = term2(terms, TERM_MULTIPLY, dy, derive_term(terms, value, i));
        functions[i + 1] = lanes_function(f, number, terms, gradient, i);
        bool reads = slope_reads(plain_terms, plain, i);
        for (int k = 0; k < tensors; k++)
            reads |= f->takes[i + 1][k];
        if (reads)
            f->op.input_gradient_reads = READS_X;
    }
    f->op.traits |= OP_IN_PLACE | OP_TAKES_EPILOGUE | OP_TAKES_GRADIENT_EPILOGUE;
    f->op.infer = infer;
    f->op.expression = expression;
    f->op.functions = functions;
    f->op.emit = emit_pointwise;
    f->op.emit_reference = emit_reference;
    f->spread = tensors > 1 ? spread_operator(f) : NULL;
    return &f->op;
}
