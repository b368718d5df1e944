/* operators.c: the table of operators, looked up and printed.  ops.def is the
 * one list; everything here expands or walks it, so a new operator appears in
 * `netc explain`, in the nearest-name search and in completion by its one line.
 */
#include "ops.h"

#include <string.h>

const Operator *const operators[] = {
#define OPERATOR(name) &operator_##name,
#include "ops.def"
#undef OPERATOR
    NULL};

/* Some thirty entries: a search by table order is as fast as a hash. */
const Operator *find_operator(const char *name)
{
    for (int i = 0; operators[i] != NULL; i++)
        if (strcmp(operators[i]->name, name) == 0)
            return operators[i];
    return NULL;
}

int operator_arg(const Operator *op, const char *name)
{
    for (int i = 0; op->args != NULL && op->args[i].name != NULL; i++)
        if (strcmp(op->args[i].name, name) == 0)
            return i;
    return -1;
}

int role_arg(const Operator *op, ArgRole role)
{
    for (int i = 0; op->args != NULL && op->args[i].name != NULL; i++)
        if (op->args[i].role == role)
            return i;
    return -1;
}

bool is_spatial(const Operator *op)
{
    return op->window != WINDOW_NONE || role_arg(op, ROLE_PADDING) >= 0;
}

/* An assertion such as in_channels=88 against what the input really has.
 * Reports and gives false when they differ; an absent one agrees. */
static bool assertion_holds(const Node *node, int arg, Int actual)
{
    const ArgValue *value = &node->args[arg];
    if (!value->given || value->integer[0] == actual)
        return true;
    const Tensor *input = node->inputs.items[0];
    Diagnostic *d =
        node_error(node, "shape-assert", value->span, "%s has %s=%lld, but its input has %lld",
                   node->op->name, node->op->args[arg].name, value->integer[0], actual);
    diag_caption(d, "the input is %s", shape_text(input->shape));
    node_derivation(d, input);
    Shape wanted = shape_of(input->shape.rank, value->integer[0], -1, -1);
    diag_sizes(d, input->shape, wanted);
    return false;
}

bool infer_node(Node *node)
{
    const Operator *op = node->op;
    if (op->rank && !node_needs_rank(node, op->rank))
        return false;
    for (int i = 0; op->args != NULL && op->args[i].name != NULL; i++)
        if (op->args[i].assertion && !assertion_holds(node, i, input_shape(node).dim[0]))
            return false;
    return op->infer == NULL || op->infer(node);
}

/* ----------------------------------------- shared by the operators */

bool infer_same_shape(Node *node)
{
    node->out_shape = input_shape(node);
    return true;
}

const char *pointwise_expression(const Node *node)
{
    const Operator *op = node->op;
    if (op == NULL || op->expression != NULL)
        return op == NULL ? NULL : op->expression(node);
    return node->stage == STAGE_FORWARD ? op->value : op->gradient;
}

bool emit_pointwise(Kernel *kernel)
{
    const Node *node = kernel->node;
    const char *value = pointwise_expression(node);
    kernel_line(kernel, "for (int i = 0; i < %lld; i++) {", shape_elements(node->out->shape));
    if (node->stage == STAGE_FORWARD)
        kernel_store(kernel, "y[i]", "i", value);
    else
        kernel_store(kernel, "dx[i]", "i", node->accumulate ? format("dx[i] + %s", value) : value);
    kernel_line(kernel, "}");
    return true;
}

Int saturating_product(int count, const Int *factors)
{
    Int product = 1;
    for (int i = 0; i < count; i++)
        if (__builtin_mul_overflow(product, factors[i], &product))
            return INT64_MAX;
    return product;
}

const char *branch_name(int input)
{
    return format("branch %d", input + 1);
}

void label_branches(Diagnostic *d, const Node *node)
{
    for (int i = 0; i < node->inputs.count; i++)
        label_step(d, node, node->inputs.items[i],
                   format("%s gives %s", branch_name(i), shape_text(node->inputs.items[i]->shape)));
}

/* ------------------------------------------------------- netc explain */

enum { PAGE_WIDTH = 88 };

static int longest_name(const ArgSpec *args)
{
    int longest = 0;
    for (int i = 0; args[i].name != NULL; i++) {
        int length = (int)strlen(args[i].name);
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* "stride=1"; a required argument is its name, one absent by default "[name]". */
static const char *signature_entry(const ArgSpec *arg)
{
    if (arg->otherwise == NULL)
        return arg->name;
    if (absent_by_default(arg))
        return format("[%s]", arg->name);
    const char *otherwise = arg->otherwise[0] == '=' ? arg->otherwise + 1 : arg->otherwise;
    return format("%s=%s", arg->name, otherwise);
}

/* conv2d(out_channels, kernel_size, stride=1, …), wrapped under the bracket. */
static void print_signature(const Operator *op, FILE *out)
{
    int margin = fprintf(out, "%s", op->name);
    if (op->args == NULL) {
        fprintf(out, "\n");
        return;
    }
    int column = margin += fprintf(out, "(");
    for (int i = 0; op->args[i].name != NULL; i++) {
        const char *entry = signature_entry(&op->args[i]);
        const char *after = op->args[i + 1].name != NULL ? "," : ")";
        if (i > 0 && column + (int)strlen(entry) + 2 > PAGE_WIDTH)
            column = fprintf(out, "\n%*s", margin, "") - 1;
        else if (i > 0)
            column += fprintf(out, " ");
        column += fprintf(out, "%s%s", entry, after);
    }
    fprintf(out, "\n");
}

static void print_joins(const Operator *op, FILE *out)
{
    if (op->traits & OP_JOINS)
        fprintf(out, "%s { branch { ... } branch { ... } ... }   or   %s(name, ...)\n", op->name,
                op->name);
    else
        print_signature(op, out);
}

static const char *kind_text(ArgKind kind)
{
    switch (kind) {
    case ARG_INT:
        return "whole number";
    case ARG_PAIR:
        return "number or [rows, columns]";
    case ARG_QUAD:
        return "number or [left, right, top, bottom]";
    case ARG_REAL:
        return "real number";
    case ARG_BOOL:
        return "true or false";
    case ARG_WORD:
        return "";
    }
    unreachable();
}

static void add_range(Text *text, const ArgSpec *arg)
{
    bool any = (arg->minimum == 0 && arg->maximum == 0) || arg->minimum <= -LARGEST;
    if (any)
        return;
    if (arg->maximum >= LARGEST)
        text_add(text, ", at least %g", arg->minimum);
    else
        text_add(text, ", %g to %g", arg->minimum, arg->maximum);
}

/* "number or [rows, columns], at least 0; or same, valid" */
static const char *domain(const ArgSpec *arg)
{
    Text text = {0};
    text_add(&text, "%s", kind_text(arg->kind));
    if (arg->kind != ARG_BOOL && arg->kind != ARG_WORD)
        add_range(&text, arg);
    for (int i = 0; arg->words != NULL && arg->words[i] != NULL; i++) {
        const char *before = i > 0 ? ", " : arg->kind == ARG_WORD ? "" : "; or ";
        text_add(&text, "%s%s", before, arg->words[i]);
    }
    return text_chars(&text);
}

static const char *default_text(const ArgSpec *arg)
{
    if (arg->otherwise == NULL)
        return "required";
    if (absent_by_default(arg))
        return arg->assertion ? "not checked" : "absent";
    if (arg->otherwise[0] == '=')
        return format("as %s", arg->otherwise + 1);
    return format("default %s", arg->otherwise);
}

static void print_arguments(const ArgSpec *args, FILE *out)
{
    int width = longest_name(args);
    fprintf(out, "\narguments\n");
    for (int i = 0; args[i].name != NULL; i++) {
        fprintf(out, "  %-*s  %s\n", width, args[i].name, args[i].doc);
        fprintf(out, "  %*s  %s; %s%s\n", width, "", domain(&args[i]), default_text(&args[i]),
                args[i].positional ? "; may be given without its name" : "");
    }
}

/* A heading and its text, whose further lines stand under the first. */
static void print_section(const char *heading, const char *text, FILE *out)
{
    if (text == NULL)
        return;
    fprintf(out, "%-11s", heading);
    for (; *text != '\0'; text++) {
        fputc(*text, out);
        if (*text == '\n')
            fprintf(out, "%11s", "");
    }
    fputc('\n', out);
}

void explain_operator(const Operator *op, FILE *out)
{
    print_joins(op, out);
    fprintf(out, "\n%s\n\n", op->summary);
    print_section("shape", op->shape_rule, out);
    print_section("formula", op->formula, out);
    print_section("reference", op->reference, out);
    if (op->args != NULL)
        print_arguments(op->args, out);
}

void list_operators(FILE *out)
{
    int width = 0;
    for (int i = 0; operators[i] != NULL; i++) {
        int length = (int)strlen(operators[i]->name);
        width = length > width ? length : width;
    }
    for (int i = 0; operators[i] != NULL; i++)
        fprintf(out, "  %-*s  %s\n", width, operators[i]->name, operators[i]->summary);
}
