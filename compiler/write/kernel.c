/* One C function per node: its operands, and a body that is either the
 * operator's own specialised text or a call of the runtime's reference kernel.
 *
 * Both kinds have the same signature, so a phase reads the same either way and
 * any node may fall back.  A function's text names no layer, so two layers of
 * the same shape share one.
 */
#include "kernels/grain/norm.h"
#include "write/emit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------- operands */

static void add_operand(OperandList *operands, const char *type, const char *name,
                        const char *address, const char *what)
{
    push(operands, ((Operand){type, name, address, what}));
}

/* Grain 0's, for a kernel that takes every grain's. */
static const char *first_grain_text(const Plan *plan, const Tensor *tensor)
{
    const Placement *placement = &plan->placements[tensor->id];
    return format("(vec *)s->%s + %lld", placement->space == SPACE_INPUT ? "input" : "kept",
                  placement->address);
}

static void add_tensor(const Emitter *emitter, OperandList *operands, const char *type,
                       const char *name, Tensor *tensor, bool all_grains)
{
    if (tensor)
        tensor = step_tensor(emitter->step, tensor);
    if (tensor)
        add_operand(operands, type, name,
                    (all_grains ? first_grain_text : address_text)(emitter->plan, tensor),
                    format("%s %s", tensor->name, shape_text(tensor->shape)));
}

static void add_inputs(const Emitter *emitter, OperandList *operands, const Node *node,
                       bool all_grains)
{
    for (int i = 0; i < node->inputs.count; i++)
        add_tensor(emitter, operands, "const vec *",
                   node->inputs.count == 1 ? "x" : format("x%d", i), node->inputs.items[i],
                   all_grains);
}

/* Grain 0's: a kernel finds the other grains' a fixed stride on. */
static void add_sums(const Emitter *emitter, OperandList *operands, const char *type,
                     const char *name, const Tensor *statistics)
{
    if (statistics)
        add_operand(operands, type, name,
                    format("(real *)((vec *)s->kept + %lld)",
                           emitter->plan->placements[statistics->id].address),
                    statistics->name);
}

static void add_statistics(const Emitter *emitter, OperandList *operands, const Node *node)
{
    add_sums(emitter, operands, "real *", "statistics", node->statistics);
}

const char *constant_table(Module *module, const Parameter *parameter, bool positions_first)
{
    Text table = {0};
    Int channels = parameter->dim[0], plane = parameter->elements / channels;
    for (Int i = 0; i < parameter->elements; i++) {
        Int at = positions_first ? i % channels * plane + i / channels : i;
        text_add(&table, "%s%s", i ? ", " : "", number_text(parameter->values[at]));
    }
    for (int lane = 0; positions_first && lane < module->lanes; lane++)
        text_add(&table, ", 0");
    return write_once(module, "values", "/* A constant's values. */\nstatic const real ",
                      format("[] = { %s };\n\n", text_chars(&table)));
}

static void add_parameters(const Emitter *emitter, OperandList *operands, const Node *node)
{
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *parameter = node->parameters.items[i];
        if (parameter->kind == PARAMETER_CONSTANT) {
            add_operand(operands, "const real *", parameter_name(node, i),
                        constant_table((Module *)&emitter->module, parameter, false),
                        parameter->path);
            continue;
        }
        bool trained = parameter->kind == PARAMETER_TRAINED;
        if (parameter->kind == PARAMETER_COUNTER)
            continue;
        const char *trained_space = node->whole_batch ? "s->weights" : "weights";
        add_operand(operands, trained ? "const real *" : "real *", parameter_name(node, i),
                    format("%s + %lld", trained ? trained_space : "s->buffers", parameter->offset),
                    parameter->path);
    }
}

static const char *gradient_address(const Plan *plan, const Node *node, int which)
{
    const Parameter *parameter = node->parameters.items[which];
    if (node->contribution && node->contribution_at[which] >= 0)
        return contribution_address(plan, node, which);
    return format("%s + %lld", node->whole_batch ? "s->gradients" : "gradients", parameter->offset);
}

const char *contribution_address(const Plan *plan, const Node *node, int which)
{
    return format("(real *)(%s) + %lld", address_text(plan, node->contribution),
                  node->contribution_at[which]);
}

static void add_parameter_gradients(const Emitter *emitter, OperandList *operands, const Node *node)
{
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *parameter = node->parameters.items[i];
        if (parameter->kind == PARAMETER_TRAINED)
            add_operand(operands, "real *", format("d%s", parameter_name(node, i)),
                        gradient_address(emitter->plan, node, i), format("d %s", parameter->path));
    }
}

/* Of a loss's target `name`, its grain's classes or numbers. */
static void add_target(const Emitter *emitter, OperandList *operands, const char *name, int number)
{
    const Graph *graph = emitter->graph;
    if (number == INPUT_TARGET) {
        add_tensor(emitter, operands, "const vec *", name, graph->input, false);
        return;
    }
    const Wanted *target = &graph->wanted.items[number];
    bool classes = target->kind == TARGET_CLASSES;
    Int values =
        classes ? target->layout.targets * emitter->plan->lanes : shape_elements(target->shape);
    add_operand(operands, classes ? "const int32_t *" : "const vec *", name,
                format("(%s)s->targets[%d] + g * %lldL",
                       classes ? "const int32_t *" : "const vec *", number, values),
                target->name != NULL ? comment_text(target->name) : "target");
}

/* Of a loss: "wanted", and of several "wanted1", … */
static void add_targets(const Emitter *emitter, OperandList *operands, const Node *node)
{
    for (int i = 0; node->op->traits & OP_LOSS && i < node->targets.count; i++)
        add_target(emitter, operands, i ? format("wanted%d", i) : "wanted", node->targets.items[i]);
}

static void add_backward_reads(const Emitter *emitter, OperandList *operands, const Node *node,
                               unsigned reads)
{
    bool pooled = node->stage == STAGE_BACKWARD_PARAMETERS;
    const Node *pool = pooled ? part_node(emitter->step, PART_POOL) : NULL;
    add_tensor(emitter, operands, "const vec *", "dy", pool ? pool->dy : node->dy,
               node->whole_batch);
    if (reads & READS_X)
        add_inputs(emitter, operands, node, node->whole_batch);
    add_targets(emitter, operands, node);
    if (reads & READS_Y)
        add_tensor(emitter, operands, "const vec *", "y", node->out, node->whole_batch);
    if (reads & READS_AUX)
        add_tensor(emitter, operands, reads & WRITES_AUX ? "vec *" : "const vec *", "aux",
                   node->aux, node->whole_batch);
    if (reads & (READS_STATISTICS | READS_PARAMETER_GRADIENTS))
        add_statistics(emitter, operands, node);
    add_parameters(emitter, operands, node);
    if (pool)
        add_tensor(emitter, operands, "const vec *", "aux", pool->aux, node->whole_batch);
}

static void add_forward_operands(const Emitter *emitter, OperandList *operands, const Node *node,
                                 Tensor *result)
{
    bool training = emitter->plan->training;
    const Node *gradient =
        node->op->traits & OP_LOSS ? part_node(emitter->step, PART_GRADIENT) : NULL;
    add_tensor(emitter, operands, "vec *", "y", result, node->whole_batch);
    add_tensor(emitter, operands, "vec *", "aux", training ? node->aux : NULL, node->whole_batch);
    add_tensor(emitter, operands, "vec *", "dx", gradient ? gradient->dx : NULL, node->whole_batch);
    add_inputs(emitter, operands, node, node->whole_batch);
    add_targets(emitter, operands, node);
    if (training)
        add_statistics(emitter, operands, node);
    add_parameters(emitter, operands, node);
}

/* The sums of an earlier norm are the operand "reused0", and so on. */
static void add_reused_sums(const Emitter *emitter, OperandList *operands)
{
    const Step *step = emitter->step;
    int count = 0;
    for (int i = 0; i < step->parts.count; i++)
        if (step->parts.items[i].role == PART_STATISTICS)
            add_sums(emitter, operands, "const real *", format("reused%d", count++),
                     step->parts.items[i].node->statistics);
}

/* Of a node's work by itself; `result`: what it stores. */
static void node_operands(const Emitter *emitter, const Node *node, Tensor *result,
                          OperandList *operands)
{
    add_operand(operands, "const NetStep *", "s", "s", NULL);
    if (node->whole_batch) {
        add_operand(operands, "int64_t ", "from", "from", NULL);
        add_operand(operands, "int64_t ", "to", "to", NULL);
    } else {
        add_operand(operands, "const NetTeam *", "team", "team", NULL);
        add_operand(operands, "int64_t ", "g", "g", NULL);
    }
    switch (node->stage) {
    case STAGE_FORWARD:
        add_forward_operands(emitter, operands, node, result);
        break;
    case STAGE_STATISTICS:
        add_statistics(emitter, operands, node);
        add_reused_sums(emitter, operands);
        add_inputs(emitter, operands, node, node->whole_batch);
        break;
    case STAGE_FILTERS:
        add_parameters(emitter, operands, node);
        break;
    case STAGE_BACKWARD_INPUT:
        add_tensor(emitter, operands, "vec *", "dx", result, node->whole_batch);
        add_backward_reads(emitter, operands, node, node->op->input_gradient_reads);
        if (node->op->input_gradient_reads & READS_PARAMETER_GRADIENTS)
            add_parameter_gradients(emitter, operands, node);
        break;
    case STAGE_BACKWARD_PARAMETERS:
        add_parameter_gradients(emitter, operands, node);
        add_backward_reads(emitter, operands, node, node->op->parameter_gradient_reads);
        break;
    case STAGE_ACCUMULATE:
    case STAGE_ADD_GRADIENTS:
    case STAGE_COPY:
        unreachable(); /* the phase moves them itself */
    }
}

/* "x1" of the third part of the kernel's epilogue is its operand "f2_x1". */
static const char *epilogue_operand(int part, const char *name)
{
    return format("f%d_%s", part, name);
}

static void add_epilogue_operands(const Emitter *emitter, OperandList *operands)
{
    const Epilogue epilogue = step_epilogue(emitter->step);
    bool whole_batch = step_node(emitter->step)->whole_batch;
    for (int i = 0; i < epilogue.count; i++) {
        const Node *node = epilogue.parts[i].node;
        OperandList own = {0};
        add_inputs(emitter, &own, node, whole_batch);
        add_tensor(emitter, &own, "const vec *", "y", node->out, whole_batch);
        if (node->stage == STAGE_FORWARD && emitter->plan->training)
            add_tensor(emitter, operands, "vec *", "aux", node->aux, whole_batch);
        for (int k = 0; k < own.count; k++)
            if (epilogue.parts[i].which != k) {
                own.items[k].name = epilogue_operand(i, own.items[k].name);
                push(operands, own.items[k]);
            }
    }
}

/* "aux" of a node whose work the kernel does besides is its operand "n_aux". */
static const char *further_operand(const char *name)
{
    return format("n_%s", name);
}

static void add_further_operands(const Emitter *emitter, OperandList *operands, const Node *further)
{
    OperandList own = {0};
    if (!further)
        return;
    node_operands(emitter, further, node_result(further), &own);
    for (int i = 0; i < own.count; i++) {
        Operand operand = own.items[i];
        operand.name = further_operand(operand.name);
        push(operands, operand);
    }
}

/* "weight" of a norm in evaluation, which a kernel does with its sums, is "norm_weight". */
static void add_norm_operands(const Emitter *emitter, OperandList *operands, const Node *norm)
{
    OperandList own = {0};
    if (!norm)
        return;
    add_parameters(emitter, &own, norm);
    for (int i = 0; i < own.count; i++) {
        own.items[i].name = format("norm_%s", own.items[i].name);
        push(operands, own.items[i]);
    }
}

/* Each thread has its own; what all of a team's read is written to its first one's. */
static void add_workspace(const Emitter *emitter, OperandList *operands, const Tensor *workspace)
{
    if (!workspace)
        return;
    const Placement *placement = &emitter->plan->placements[workspace->id];
    const char *what = format("%s %s", workspace->name, shape_text(workspace->shape));
    require(placement->space == SPACE_SCRATCH);
    add_operand(operands, "vec *", "workspace", format("own + %lld", placement->address), what);
    add_operand(operands, "vec *", "team_workspace", format("scratch + %lld", placement->address),
                what);
}

void step_operands(const Emitter *emitter, OperandList *operands)
{
    const Step *step = emitter->step;
    node_operands(emitter, step_node(step), step_result(step), operands);
    add_tensor(emitter, operands,
               step_node(step)->stage == STAGE_FILTERS ? "real *" : "const real *", "filters",
               step->filters, false);
    add_workspace(emitter, operands, step->workspace);
    add_norm_operands(emitter, operands, part_node(step, PART_AFFINE));
    add_epilogue_operands(emitter, operands);
    add_further_operands(emitter, operands, part_node(step, PART_SUMS));
    add_further_operands(emitter, operands, part_node(step, PART_LOSS));
}

/* True when `name` stands in `text` as a word of its own, not as a field's. */
static bool mentions(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
        char before = at == text ? ' ' : at[-1], after = at[length];
        if (!isalnum((unsigned char)before) && before != '_' && before != '.'
            && !isalnum((unsigned char)after) && after != '_')
            return true;
    }
    return false;
}

/* A kernel takes what its body uses and no more. */
void drop_unused(OperandList *operands, const char *body)
{
    int kept = 0;
    for (int i = 0; i < operands->count; i++)
        if (mentions(body, operands->items[i].name))
            operands->items[kept++] = operands->items[i];
    operands->count = kept;
}

/* -------------------------------------------------------------- epilogue
 * What a kernel does for others as it stores: one small function of the value,
 * and of what else the others read at the same index. */

/* The expression with the value that flows through, `r`, and the other operands in their places. */
const char *epilogue_expression(const Node *node, int which, int number, const char *index)
{
    const char *flows = which < 0 ? "dy" : node->inputs.count == 1 ? "x" : format("x%d", which);
    Text text = {0};
    for (const char *at = pointwise_expression(node); *at;) {
        size_t length =
            strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
        if (length && strncmp(at + length, "[i]", 3) == 0) {
            const char *name = format("%.*s", (int)length, at);
            if (strcmp(name, flows) == 0)
                text_add(&text, "r");
            else
                text_add(&text, "%s%s", epilogue_operand(number, name), index);
            at += length + 3;
        } else {
            length = length ? length : 1;
            text_add_range(&text, at, length);
            at += length;
        }
    }
    return text_chars(&text);
}

/* "add_relu", of the operators whose work it does. */
static const char *epilogue_name(Epilogue epilogue, int first)
{
    Text name = {0};
    for (int i = first; i < epilogue.count; i++)
        text_add(&name, "%s%s", epilogue.parts[i].node->op->name,
                 epilogue.parts[i].node->stage == STAGE_FORWARD ? "_" : "_gradient_");
    return format("%svalue", text_chars(&name));
}

/* Writes the function, unless an equal one exists, and tells the kernel of it. */
static void write_epilogue(Emitter *emitter, Kernel *kernel)
{
    const Epilogue epilogue = step_epilogue(emitter->step);
    OperandList operands = {0};
    Text body = {0}, passed = {0}, text = {0};
    int first = epilogue.count && epilogue.parts->role == PART_POOL; /* which has its own text */
    if (first == epilogue.count)
        return;
    for (int i = first; i < epilogue.count; i++)
        text_add(&body, "    r = %s;\n",
                 epilogue_expression(epilogue.parts[i].node, epilogue.parts[i].which, i, "[i]"));
    add_epilogue_operands(emitter, &operands);
    drop_unused(&operands, text_chars(&body));
    text_add(&text, "(vec r");
    for (int i = 0; i < operands.count; i++) {
        text_add(&text, ", const vec *%s", operands.items[i].name);
        text_add(&passed, ", %s", operands.items[i].name);
    }
    const char *whole = format("%s%s)\n{\n%s    return r;\n}\n\n", text_chars(&text),
                               operands.count ? ", int64_t i" : "", text_chars(&body));
    kernel->epilogue_operands = operands.count ? text_chars(&passed) : NULL;
    kernel->epilogue = find_function(&emitter->module, whole);
    if (kernel->epilogue)
        return;
    kernel->epilogue = unused_name(&emitter->module, epilogue_name(epilogue, first));
    note_function(&emitter->module, kernel->epilogue, whole);
    text_add(emitter->module.out,
             "/* Epilogue: what other layers do to each value before it is stored. */\n"
             "static inline __attribute__((always_inline)) vec %s%s",
             kernel->epilogue, whole);
}

/* After a reference kernel, which knows of no epilogue: over all it stored. */
static void emit_epilogue_afterwards(Kernel *kernel)
{
    const char *result = kernel->stage == STAGE_FORWARD ? "y[i]" : "dx[i]";
    if (!kernel->epilogue)
        return;
    kernel_line(kernel, "for (int64_t i = 0; i < %lld; i++)",
                shape_elements(node_result(kernel->node)->shape));
    kernel->indent++;
    kernel_store(kernel, result, "i", result);
    kernel->indent--;
}

/* Likewise a norm's, which comes before. */
static void emit_norm_afterwards(Kernel *kernel)
{
    if (!kernel->norm)
        return;
    Shape shape = kernel->node->out->shape;
    kernel_line(kernel, "for (int c = 0; c < %lld; c++)", shape.dim[0]);
    kernel_line(kernel, "    for (int64_t i = c * %lldL; i < (c + 1) * %lldL; i++)",
                shape_plane(shape), shape_plane(shape));
    kernel->indent += 2;
    norm_value(kernel, "y[i]", "y[i]", "c");
    kernel->indent -= 2;
}

/* Of the logits that the kernel has stored: a block in which the loss's operands have their
 * names. */
static void emit_loss(const Emitter *emitter, Kernel *kernel, const Node *loss)
{
    Kernel own = {.node = loss,
                  .module = kernel->module,
                  .stage = loss->stage,
                  .gradient = part_node(emitter->step, PART_GRADIENT),
                  .training = kernel->training,
                  .kept_elements = kernel->kept_elements,
                  .lanes = kernel->lanes,
                  .registers = kernel->registers,
                  .indent = kernel->indent + 1};
    OperandList operands = {0};
    require(loss->op->emit(&own));
    node_operands(emitter, loss, NULL, &operands);
    drop_unused(&operands, text_chars(&own.body));
    kernel_line(kernel, "{");
    for (int i = 0; i < operands.count; i++) {
        const char *name = operands.items[i].name;
        if (operands.items[i].what)
            kernel_line(kernel, "%s%s = %s;", operands.items[i].type, name,
                        strcmp(name, "x") == 0 ? "y" : further_operand(name));
    }
    text_add_range(&kernel->body, text_chars(&own.body), own.body.length);
    kernel_line(kernel, "}");
}

/* ------------------------------------------------------- reference body */

/* "1.5, 2": those for which a call has room. */
static const char *reals_text(const ArgValue *value)
{
    Text text = {0};
    for (int i = 0; i < value->count && i < MAX_INTS; i++)
        text_add(&text, "%s%s", i ? ", " : "", number_text(value->reals[i]));
    return text.length ? text_chars(&text) : "0";
}

/* "2, 2, 0, 0" */
static const char *integers_text(const ArgValue *value, int count)
{
    Text text = {0};
    for (int i = 0; i < count; i++)
        text_add(&text, "%s%lld", i ? ", " : "", value->integer[i]);
    return text_chars(&text);
}

static void reference_attribute(Kernel *kernel, const ArgSpec *spec, const ArgValue *value)
{
    if (spec->assertion)
        return;
    const char *word = value->word ? format("\"%s\"", value->word) : "0";
    if (spec->kind == ARG_VALUES) {
        kernel_line(kernel, "    { \"%s\", { %s }, %s, %d, %s },", spec->name, reals_text(value),
                    word, value->count, value->count ? format("%s_values", spec->name) : "0");
    } else if (spec->kind == ARG_REAL) {
        kernel_line(kernel, "    { \"%s\", { %s }, %s, 0, 0 },", spec->name,
                    number_text(value->real), word);
    } else if (spec->kind == ARG_INIT && !value->init->fans) {
        Init init = value->init->init(NULL, value->init_args);
        kernel_line(kernel, "    { \"%s\", { %s, %s }, %s, 0, 0 },", spec->name,
                    number_text(init.a), number_text(init.b), word);
    } else {
        kernel_line(kernel, "    { \"%s\", { %s }, %s, %d, 0 },", spec->name,
                    integers_text(value, spec->kind == ARG_INTS ? MAX_INTS : 4), word,
                    spec->kind == ARG_INT && absent_by_default(spec) ? value->given : value->count);
    }
}

/* All numbers of a list, which may be long. */
static void reference_values(Kernel *kernel, const ArgSpec *spec, const ArgValue *value)
{
    Text text = {0};
    for (int i = 0; spec->kind == ARG_VALUES && i < value->count; i++)
        text_add(&text, "%s%s", i ? ", " : "", number_text(value->reals[i]));
    if (text.length)
        kernel_line(kernel, "static const double %s_values[] = { %s };", spec->name,
                    text_chars(&text));
}

static bool has_operand(const OperandList *operands, const char *name)
{
    for (int i = 0; i < operands->count; i++)
        if (strcmp(operands->items[i].name, name) == 0)
            return true;
    return false;
}

static void reference_tables(Kernel *kernel, const OperandList *operands)
{
    const Node *node = kernel->node;
    for (int i = 0; node->op->args && node->op->args[i].name; i++)
        reference_values(kernel, &node->op->args[i], &node->args[i]);
    kernel_line(kernel, "static const NetAttribute attributes[] = {");
    for (int i = 0; node->op->args && node->op->args[i].name; i++)
        reference_attribute(kernel, &node->op->args[i], &node->args[i]);
    kernel_line(kernel, "    { 0, { 0, 0, 0, 0 }, 0, 0, 0 },");
    kernel_line(kernel, "};");
    kernel_line(kernel, "static const NetShape x_shape[] = {");
    for (int i = 0; i < node->inputs.count; i++)
        kernel_line(kernel, "    %s,", shape_in_c(node->inputs.items[i]->shape));
    kernel_line(kernel, "};");
    kernel_line(kernel, "const real *x_[] = {");
    for (int i = 0; i < node->inputs.count; i++) {
        const char *name = node->inputs.count == 1 ? "x" : format("x%d", i);
        kernel_line(kernel, "    %s%s,", has_operand(operands, name) ? "(const real *)" : "",
                    has_operand(operands, name) ? name : "0");
    }
    kernel_line(kernel, "};");
}

static void reference_pointer(Kernel *kernel, const OperandList *operands, const char *name)
{
    if (has_operand(operands, name))
        kernel_line(kernel, "call.%s = (real *)%s;", name, name);
}

static void reference_parameters(Kernel *kernel, const OperandList *operands)
{
    const Node *node = kernel->node;
    kernel_line(kernel, "call.parameters = %d;", node->parameters.count);
    for (int i = 0; i < node->parameters.count; i++) {
        const char *name = parameter_name(node, i);
        if (has_operand(operands, name))
            kernel_line(kernel, "call.parameter[%d] = (real *)%s;", i, name);
        if (has_operand(operands, format("d%s", name)))
            kernel_line(kernel, "call.dparameter[%d] = d%s;", i, name);
    }
}

/* Where in dx the gradient of each input is. */
static void reference_places(Kernel *kernel)
{
    Text places = {0};
    for (int i = 0; i < kernel->node->inputs.count; i++)
        text_add(&places, "%s%lld", i ? ", " : "", kernel->node->dx_at[i]);
    kernel_line(kernel, "static const int64_t dx_at[] = { %s };", text_chars(&places));
}

/* Assignments, since C++ has no designated fields that may be left out. */
void emit_reference(const Emitter *emitter, Kernel *kernel, const OperandList *operands)
{
    static const char *const pointers[] = {"y", "aux", "statistics", "dy", "dx", NULL};
    const Node *node = kernel->node;
    if (node->op->emit_reference) {
        node->op->emit_reference(kernel);
        return;
    }
    reference_tables(kernel, operands);
    if (node->stage == STAGE_BACKWARD_INPUT && node->dx_at)
        reference_places(kernel);
    kernel_line(kernel, "NetCall call = net_call(s, g, %s);", kernel->one_image ? "1" : "LANES");
    kernel_line(kernel, "call.attributes = attributes;");
    kernel_line(kernel, "call.training = %s;", emitter->plan->training ? "true" : "false");
    kernel_line(kernel, "call.inputs = %d;", node->inputs.count);
    kernel_line(kernel, "call.x = x_;");
    kernel_line(kernel, "call.x_shape = x_shape;");
    if (first_input(node) && first_input(node)->choices)
        kernel_line(kernel, "call.numbers = %lld;", first_input(node)->choices);
    if (node->out)
        kernel_line(kernel, "call.y_shape = (NetShape)%s;", shape_in_c(node->out->shape));
    for (int i = 0; pointers[i]; i++)
        reference_pointer(kernel, operands, pointers[i]);
    if (has_operand(operands, "statistics"))
        kernel_line(kernel, "call.statistics_stride = %lldL;", emitter->plan->kept_elements);
    if (node->stage == STAGE_BACKWARD_INPUT) {
        kernel_line(kernel, "call.which = %d;", node->which);
        kernel_line(kernel, "call.accumulate = %s;", node->accumulate ? "true" : "false");
        if (node->dx_at)
            kernel_line(kernel, "call.dx_at = dx_at;");
    }
    reference_parameters(kernel, operands);
    if (node->op->traits & OP_LOSS) {
        kernel_line(kernel, "call.loss_weight = %s;", number_text(node->loss_weight));
        kernel_line(kernel, "call.loss_adds = %s;", node->loss_adds ? "true" : "false");
        if (has_operand(operands, "wanted"))
            kernel_line(kernel, "call.target = wanted;");
        if (only_target(node) >= 0)
            kernel_line(kernel, "call.target_weight = s->target_weights[%d];", only_target(node));
    }
    kernel_line(kernel, "call.salt = %d;", node_salt(node));
    kernel_line(kernel, "net_%s_%s(&call);", node->op->name, stage_name(node->stage));
}

/* ------------------------------------------------------------- function */

const char *signature(const OperandList *operands)
{
    Text text = {0};
    text_add(&text, "(");
    for (int i = 0; i < operands->count; i++)
        text_add(&text, "%s%s%s", i ? ", " : "", operands->items[i].type, operands->items[i].name);
    text_add(&text, ")");
    return text_chars(&text);
}

/* incep1_branch1x1_forward; where inference needs another, …_forward_2. */
static const char *function_name(Emitter *emitter, const Step *step)
{
    return unused_name(&emitter->module,
                       format("%s_%s", identifier(step_node(step)->path), step_stage(step)));
}

/* "relu_1 (relu), …": the layers whose work a step does besides its own. */
static void add_fused(Text *text, const Step *step)
{
    const char *before = "\n * Fused: ";
    for (int i = 0; i < step->parts.count; i++) {
        const Part *part = &step->parts.items[i];
        const Node *fused = part->node;
        if (part->role == PART_MAIN || part->role == PART_STATISTICS)
            continue;
        text_add(text, "%s%s (%s%s)", before, comment_text(fused->path),
                 fused->stage == STAGE_FORWARD ? "" : "gradient of ", fused->op->name);
        before = ", ";
    }
}

const char *function_comment(const Step *step, const char *algorithm)
{
    Text text = {0};
    const Node *node = step_node(step);
    const Tensor *out = node->stage == STAGE_FORWARD ? step_result(step) : node->out;
    text_add(&text, "/* %s: %s", comment_text(node->path), node->op->name);
    if (node->inputs.count)
        text_add(&text, " %s", shape_text(node->inputs.items[0]->shape));
    if (out)
        text_add(&text, " -> %s", shape_text(out->shape));
    text_add(&text, ", %s   %s:%d\n * %s", stage_name(node->stage),
             node->span.source ? comment_text(node->span.source->path) : "?", node->span.line,
             algorithm ? algorithm : node->op->summary);
    add_fused(&text, step);
    text_add(&text, " */\n");
    return text_chars(&text);
}

static void write_function(Emitter *emitter, const char *name, const char *text, bool reference,
                           const char *algorithm)
{
    const Node *node = step_node(emitter->step);
    text_add(
        emitter->module.out, "%s",
        function_comment(emitter->step, reference ? "By the runtime's plain loops." : algorithm));
    if (reference && !node->op->emit_reference)
        text_add(emitter->module.out, "NetKernel net_%s_%s;\n", node->op->name,
                 stage_name(node->stage));
    text_add(emitter->module.out, "static void %s%s", name, text);
}

/* From one grain's tensor to the next's, in vectors. */
static Int grain_stride(const Plan *plan, const Tensor *tensor)
{
    if (!tensor)
        return 0;
    return plan->placements[tensor->id].space == SPACE_INPUT ? input_elements(plan->graph)
                                                             : plan->kept_elements / plan->lanes;
}

static void note_reused_sums(Kernel *kernel, const Step *step)
{
    for (int i = 0; i < step->parts.count; i++) {
        const Part *part = &step->parts.items[i];
        if (part->role == PART_STATISTICS)
            push(&kernel->reused,
                 ((ReusedStatistics){part->which, part->node->inputs.items[0]->shape.dim[0]}));
    }
}

static Kernel kernel_of(Emitter *emitter)
{
    const Step *step = emitter->step;
    const Node *node = step_node(step);
    Kernel kernel = {
        .module = &emitter->module,
        .x_stride = grain_stride(emitter->plan, step_tensor(step, (Tensor *)first_input(node))),
        .dy_stride = grain_stride(emitter->plan, node->dy),
        .node = node,
        .stage = node->stage,
        .training = emitter->plan->training,
        .kept_elements = emitter->plan->kept_elements,
        .lanes = emitter->module.lanes,
        .registers = emitter->options->target.registers,
        .recompute = step->recompute,
        .splits = step->splits,
        .workspace = step->workspace != NULL,
        .filters = step->filters != NULL,
        .pool = part_node(step->makes ? step->makes : step, PART_POOL),
        .sums = part_node(step, PART_SUMS),
        .norm = part_node(step, PART_AFFINE),
        .gradient = part_node(step, PART_GRADIENT),
    };
    note_reused_sums(&kernel, step);
    return kernel;
}

const char *emit_kernel(Emitter *emitter, OperandList *operands, Int *units, Int *pieces)
{
    const Node *node = step_node(emitter->step), *loss = part_node(emitter->step, PART_LOSS);
    Kernel kernel = kernel_of(emitter);
    write_epilogue(emitter, &kernel);
    /* Most layers' text is one that was written before, and takes more memory than all else. */
    Arena *body = new_passing_arena(), *before = use_arena(body);
    open_norm(&kernel);
    bool reference = emitter->options->reference || !node->op->emit || !node->op->emit(&kernel);
    require(!reference || (!node->whole_batch && !kernel.pool && !kernel.sums));
    *units = kernel.units;
    *pieces = kernel.pieces;
    require(!reference || !kernel.pieces);
    if (reference) {
        emit_reference(emitter, &kernel, operands);
        emit_norm_afterwards(&kernel);
        emit_epilogue_afterwards(&kernel);
    }
    if (loss)
        emit_loss(emitter, &kernel, loss);
    drop_unused(operands, text_chars(&kernel.body));
    use_arena(before);
    const char *text = format("%s\n{\n%s}\n\n", signature(operands), text_chars(&kernel.body)),
               *algorithm = kernel.algorithm ? format("%s", kernel.algorithm) : NULL;
    drop_arena(body);
    const char *name = find_function(&emitter->module, text);
    if (name)
        return name;
    name = function_name(emitter, emitter->step);
    note_function(&emitter->module, name, text);
    write_function(emitter, name, text, reference, algorithm);
    return name;
}
