/* The program for one image, and that for one step of a sequence: its functions, the phase that
 * calls them, and the table of how its parameters are packed.
 *
 * It is written beside the grains' programs, with functions of its own: a
 * tensor is [height][width][channels], addresses count elements, and what a
 * kernel is told of its neighbours (strides, what is done to each value before
 * it is stored) is in its text.
 */
#include "kernels/image/image.h"
#include "ops/ops.h"
#include "write/emit.h"

#include <string.h>

typedef struct Writer {
    Emitter *emitter;
    const Plan *plan;
    StepList steps;
    StepCalls own; /* those of the step that is being written */
    Text packings;
    int packing_count;
    double shared; /* seconds, by estimate, of what threads share */
    Int packed;    /* elements so far */
    Int work;      /* elements of a thread, behind the arena: the most that a kernel uses */
    Int rows;      /* elements that are kept from step to step so far */
} Writer;

/* ------------------------------------------------------------ addresses */

/* From one position of a tensor to the next, in elements. */
static Int stride_of(const Plan *plan, const Tensor *tensor)
{
    const Tensor *root = plan->placements[tensor->id].root;
    return shape_plane(tensor->shape) == 1 ? shape_elements(tensor->shape) : root->shape.dim[0];
}

/* The planner counts slices as planes that follow one another: one that begins
 * after so many planes begins at so many channels here. */
static const char *address_of(const Plan *plan, const Tensor *tensor)
{
    static const char *const names[] = {[SPACE_NONE] = "0",
                                        [SPACE_INPUT] = "s->input",
                                        [SPACE_SCRATCH] = "arena",
                                        [SPACE_KEPT] = "s->kept"};
    const Placement *placement = &plan->placements[tensor->id];
    if (placement->space == SPACE_NONE)
        return names[placement->space];
    Int at = placement->address - placement->offset
             + placement->offset / shape_plane(placement->root->shape);
    return at || placement->space != SPACE_INPUT ? format("%s + %lld", names[placement->space], at)
                                                 : names[placement->space];
}

static bool is_dense(const Plan *plan, const Tensor *tensor)
{
    return stride_of(plan, tensor) * shape_plane(tensor->shape) == shape_elements(tensor->shape);
}

static const char *what_of(const Tensor *tensor)
{
    return format("%s %s", tensor->name, shape_text(tensor->shape));
}

/* ------------------------------------------------------------- epilogue */

typedef LIST(Part) PartList;

/* The nodes whose work is done on what the kernel stores: for one that goes
 * element by element, its own first. */
static PartList parts_of_epilogue(const Step *step)
{
    const Epilogue epilogue = step_epilogue(step);
    PartList list = {0};
    if (pointwise_expression(step_node(step)))
        push(&list, ((Part){.node = step_node(step), .role = PART_EPILOGUE, .which = 0}));
    for (int i = 0; i < epilogue.count; i++)
        push(&list, epilogue.parts[i]);
    return list;
}

/* Writes the function `vec name(vec r, vec f0_x1, …)`, unless there is no
 * epilogue, and lists what it reads as operands of the kernel. */
static void write_epilogue(Writer *writer, ImageKernel *image, OperandList *operands)
{
    const PartList parts = parts_of_epilogue(writer->emitter->step);
    Text head = {0}, body = {0}, name = {0};
    if (!parts.count)
        return;
    text_add(&head, "(vec r");
    for (int i = 0; i < parts.count; i++) {
        const Part *part = &parts.items[i];
        text_add(&name, "%s_", part->node->op->name);
        for (int k = 0; k < part->node->inputs.count; k++) {
            if (k == part->which)
                continue;
            const Tensor *tensor = part->node->inputs.items[k];
            const char *operand = format("f%d_x%d", i, k);
            text_add(&head, ", vec %s", operand);
            push(&image->epilogue_names, operand);
            push(&image->epilogue_strides, stride_of(writer->plan, tensor));
            push(operands, ((Operand){"const real *", operand, address_of(writer->plan, tensor),
                                      what_of(tensor)}));
        }
        text_add(&body, "    r = %s;\n", epilogue_expression(part->node, part->which, i, ""));
    }
    const char *text =
        format("%s)\n{\n%s    return r;\n}\n\n", text_chars(&head), text_chars(&body));
    image->epilogue = write_once(&writer->emitter->module, format("%svalue", text_chars(&name)),
                                 "/* Epilogue: what other layers do to each value before it is "
                                 "stored. */\nstatic inline __attribute__((always_inline)) vec ",
                                 text);
}

/* ------------------------------------------------------------- packings */

static long long offset_of(const Parameter *parameter)
{
    return parameter ? parameter->offset : -1;
}

static const char *factor_table(Module *module, const Packing *packing)
{
    Text table = {0};
    if (!packing->points)
        return "0";
    for (Int i = 0; i < packing->points * packing->columns; i++)
        text_add(&table, "%s%.17g", i ? ", " : "", packing->at[i]);
    return write_once(module, "factors",
                      "/* What a tap adds to its filter's value at each point. */\n"
                      "static const double ",
                      format("[] = { %s };\n\n", text_chars(&table)));
}

/* Elements, so that what follows begins a cache line. */
static Int whole_lines(Int elements)
{
    return (elements + 15) / 16 * 16;
}

/* A row of the table, and the operand that points to what it packs. */
static void write_packing(Writer *writer, const ImageKernel *image, OperandList *operands)
{
    const Packing *packing = &image->packing;
    const Node *node = image->kernel.node,
               *norm = node->op->traits & OP_AFFINE ? node
                                                    : part_node(writer->emitter->step, PART_AFFINE);
    if (!packing->outs)
        return;
    text_add(&writer->packings, "    { %lld, %lld, %lld, ", writer->packed,
             offset_of(packing->weight), offset_of(packing->bias));
    if (norm)
        text_add(&writer->packings, "%lld, %lld, %lld, %lld, %.17g, ",
                 offset_of(find_parameter(norm, "weight")), offset_of(find_parameter(norm, "bias")),
                 offset_of(find_parameter(norm, "running_mean")),
                 offset_of(find_parameter(norm, "running_var")),
                 norm->args[role_arg(norm->op, ROLE_EPSILON)].real);
    else
        text_add(&writer->packings, "-1, -1, -1, -1, 0, ");
    text_add(&writer->packings, "%lld, %lld, %lld, %lld, %lld, %lld, %lld, %s, %s },    /* %s */\n",
             packing->groups, packing->outs, packing->ins, packing->rows, packing->columns,
             packing->block, packing->last,
             packing->transposed ? "NET_TRANSPOSED" : format("%lld", packing->points),
             factor_table(&writer->emitter->module, packing), node->path);
    writer->packing_count++;
    push(operands,
         ((Operand){"const real *", "w", format("s->packed + %lld", writer->packed), node->path}));
    writer->packed += whole_lines(packed_elements(packing));
}

/* Kernels run one after the other, so what they use meanwhile lies in one place. */
static void write_work(Writer *writer, const ImageKernel *image, OperandList *operands)
{
    if (!image->work)
        return;
    push(operands, ((Operand){"real *", "workspace", "team->own", image->kernel.node->path}));
    push(operands, ((Operand){"real *", "team_workspace",
                              format("arena + %lld", whole_lines(writer->plan->scratch_elements)),
                              image->kernel.node->path}));
    writer->work = image->work > writer->work ? whole_lines(image->work) : writer->work;
}

/* What a kernel of a step keeps for later ones. */
static void write_rows_kept(Writer *writer, const Node *node, OperandList *operands)
{
    if (!node->sequence || !node->op->kept_of_rows)
        return;
    push(operands,
         ((Operand){"real *", "rows", format("s->rows + %lld", writer->rows), node->path}));
    writer->rows += whole_lines(node->op->kept_of_rows(node, writer->emitter->module.lanes));
}

/* -------------------------------------------------------------- bodies */

static void pointwise_run(ImageKernel *image, const char *from, const char *position,
                          const char *channel, Int used)
{
    image_store(image, position, channel, used,
                format("*(const unaligned_vec *)(%s + (%s) * %lldL + %s)", from, position,
                       strcmp(from, "y") == 0 ? image->y_stride : image->x_stride, channel));
}

/* y = epilogue of `from`, over all of y: as one row where all that is read and
 * written lies close, else position by position. */
static void write_pointwise(ImageKernel *image, const char *from, bool dense)
{
    Kernel *kernel = &image->kernel;
    Shape shape = kernel->node->out->shape;
    Int count = dense ? shape_elements(shape) : shape.dim[0],
        whole = count / kernel->lanes * kernel->lanes;
    const char *position = dense ? "0" : "p";
    if (!dense)
        open_pieces(kernel, "p", shape_plane(shape));
    if (whole) {
        if (dense)
            open_stepped_pieces(kernel, "i", 0, whole, kernel->lanes);
        else
            kernel_line(kernel, "for (int i = 0; i < %lld; i += LANES) {", whole);
        pointwise_run(image, from, position, "i", kernel->lanes);
        kernel_line(kernel, "}");
    }
    if (count > whole && dense && kernel->splits)
        kernel_line(kernel, "if (net_leads(team))");
    if (count > whole)
        pointwise_run(image, from, position, format("%lld", whole), count - whole);
    if (!dense)
        kernel_line(kernel, "}");
}

/* The node as it is at one position: a row of channels. */
static Node *at_one_position(const Node *node)
{
    Node *narrow = NEW(Node);
    *narrow = *node;
    narrow->inputs.items = NULL;
    narrow->inputs.count = narrow->inputs.capacity = 0;
    for (int i = 0; i <= node->inputs.count; i++) {
        Tensor *tensor = NEW(Tensor);
        *tensor = *(i < node->inputs.count ? node->inputs.items[i] : node->out);
        tensor->shape = shape_of(1, tensor->shape.dim[0], 1, 1);
        if (i < node->inputs.count)
            push(&narrow->inputs, tensor);
        else
            narrow->out = tensor;
    }
    return narrow;
}

/* The runtime's kernel for a grain of one: of planes, or element by element, of
 * whatever lies close, which may be one position's channels. */
static void write_reference(Writer *writer, ImageKernel *image, const OperandList *operands,
                            bool dense)
{
    Kernel *kernel = &image->kernel;
    const Node *node = kernel->node;
    long long count = shape_plane(node->out->shape);
    Kernel call = *kernel;
    call.splits = false;
    require(dense || node_traits(node) & OP_IN_PLACE);
    call.node = dense ? node->forward : at_one_position(node->forward);
    kernel_line(&call, "NetKernel net_%s_forward;", node->op->name);
    if (!dense)
        kernel_line(&call, "for (int p = 0; p < %lld; p++) {", count);
    emit_reference(writer->emitter, &call, operands);
    for (int i = 0; !dense && i < node->inputs.count; i++)
        kernel_line(&call, "%s += %lld;", node->inputs.count == 1 ? "x" : format("x%d", i),
                    stride_of(writer->plan, node->inputs.items[i]));
    if (!dense) {
        kernel_line(&call, "y += %lld;", image->y_stride);
        kernel_line(&call, "}");
        kernel_line(&call, "y -= %lldL;", count * image->y_stride);
    }
    *kernel = call;
    kernel->node = node;
    if (image->epilogue)
        write_pointwise(image, "y", dense);
}

static bool all_dense(const Plan *plan, const Step *step)
{
    const Node *node = step_node(step);
    const Epilogue epilogue = step_epilogue(step);
    bool dense = is_dense(plan, step_result(step));
    for (int i = 0; i < node->inputs.count; i++)
        dense &= is_dense(plan, node->inputs.items[i]);
    for (int i = 0; i < epilogue.count; i++)
        for (int k = 0; k < epilogue.parts[i].node->inputs.count; k++)
            if (k != epilogue.parts[i].which)
                dense &= is_dense(plan, epilogue.parts[i].node->inputs.items[k]);
    return dense;
}

static void write_body(Writer *writer, ImageKernel *image, const OperandList *operands)
{
    const Node *node = image->kernel.node;
    bool dense = all_dense(writer->plan, writer->emitter->step);
    if (pointwise_expression(node))
        write_pointwise(image, "x0", dense);
    else if (node->sequence && node->op->emit_row)
        node->op->emit_row(image);
    else if (node->op->emit_image && can_do_image(node->forward))
        node->op->emit_image(image);
    else
        write_reference(writer, image, operands, dense);
}

/* ---------------------------------------------------------------- calls */

static void add_operands(Writer *writer, const Node *node, OperandList *operands)
{
    const Plan *plan = writer->plan;
    const Tensor *out = step_result(writer->emitter->step);
    bool pointwise = pointwise_expression(node) != NULL;
    push(operands, ((Operand){"const NetStep *", "s", "s", NULL}));
    push(operands, ((Operand){"const NetTeam *", "team", "team", NULL}));
    push(operands, ((Operand){"int64_t ", "g", "g", NULL}));
    push(operands, ((Operand){"real *", "y", address_of(plan, out), what_of(out)}));
    for (int i = 0; i < node->inputs.count; i++)
        push(operands,
             ((Operand){"const real *",
                        node->inputs.count == 1 && !pointwise ? "x" : format("x%d", i),
                        address_of(plan, node->inputs.items[i]), what_of(node->inputs.items[i])}));
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *parameter = node->parameters.items[i];
        if (parameter->kind == PARAMETER_CONSTANT)
            push(operands, ((Operand){"const real *", parameter_name(node, i),
                                      constant_table(&writer->emitter->module, parameter, true),
                                      parameter->path}));
        else if (parameter->kind != PARAMETER_COUNTER)
            push(operands,
                 ((Operand){"const real *", parameter_name(node, i),
                            format("s->%s + %lld",
                                   parameter->kind == PARAMETER_TRAINED ? "weights" : "buffers",
                                   parameter->offset),
                            parameter->path}));
    }
}

/* Those that the calls use. */
static void write_locals(const Emitter *emitter, const char *calls)
{
    if (strstr(calls, " arena") || strstr(calls, "(arena"))
        text_add(emitter->module.out, "    real *arena = team->scratch;\n");
    text_add(emitter->module.out, "    (void)s, (void)team, (void)g;\n");
}

static void write_phase(Writer *writer)
{
    Text *out = writer->emitter->module.out;
    Calls calls = {0};
    bool shared = add_team_calls(&calls, &writer->steps);
    const char *name = format("%s_1", plan_name(writer->plan));
    const Text text = phase_calls(writer->emitter, name, &calls, write_locals);
    text_add(out, writer->plan->graph->sequence ? "/* One step of a sequence. */\n"
                                                : "/* One image. */\n");
    open_phase(out, name);
    if (!shared)
        leave_to_first(out);
    write_locals(writer->emitter, text_chars(&text));
    text_add(out, "%s}\n\n", text_chars(&text));
}

static void write_kernel(Writer *writer, const Node *node)
{
    const Target *target = &writer->emitter->options->target;
    OperandList operands = {0};
    ImageKernel image = {
        .kernel = {.node = node,
                   .module = &writer->emitter->module,
                   .stage = STAGE_FORWARD,
                   .lanes = writer->emitter->module.lanes,
                   .registers = target->registers,
                   .splits = writer->emitter->step->splits},
        .halves = target->vector_bytes == 64,
        .winograd = writer->plan->fuse & FUSE_WINOGRAD,
        .x_stride = first_input(node) ? stride_of(writer->plan, first_input(node)) : 0,
        .y_stride = stride_of(writer->plan, step_result(writer->emitter->step)),
    };
    image.kernel.one_image = true;
    for (int i = 0; i < node->inputs.count; i++)
        push(&image.x_strides, stride_of(writer->plan, node->inputs.items[i]));
    add_operands(writer, node, &operands);
    write_epilogue(writer, &image, &operands);
    Arena *body = new_passing_arena(), *before = use_arena(body); /* see emit_kernel() */
    write_body(writer, &image, &operands);
    use_arena(before);
    write_packing(writer, &image, &operands);
    write_work(writer, &image, &operands);
    write_rows_kept(writer, node, &operands);
    drop_unused(&operands, text_chars(&image.kernel.body));
    const char *text =
        format("%s\n{\n%s}\n\n", signature(&operands), text_chars(&image.kernel.body));
    const char *comment = function_comment(writer->emitter->step, image.kernel.algorithm);
    drop_arena(body);
    const char *function = write_once(
        &writer->emitter->module, format("%s_%s", identifier(node->path), plan_name(writer->plan)),
        format("%sstatic void ", comment), text);
    write_call(&writer->own.text, function, &operands);
    writer->own.shared = image.kernel.pieces > 0;
    if (writer->own.shared)
        writer->shared += writer->emitter->step->seconds;
}

/* ---------------------------------------------------------------- moves */

static void write_rows(Writer *writer, const char *to, Int to_stride, const Tensor *from, Int rows,
                       Int count)
{
    text_add(&writer->own.text,
             "    net_copy_rows(%s, %lldL, %s, %lldL, %lldL, %lldL);   /* %s */\n", to, to_stride,
             address_of(writer->plan, from), stride_of(writer->plan, from), rows, count,
             from->name);
}

/* Inputs that could not be written straight into the output are copied. */
static void write_concat(Writer *writer, const Node *node)
{
    const Plan *plan = writer->plan;
    const Placement *out = &plan->placements[node->out->id];
    Int channel = 0, area = shape_plane(node->out->shape);
    for (int i = 0; i < node->inputs.count; i++) {
        const Tensor *input = node->inputs.items[i];
        const Placement *placement = &plan->placements[input->id];
        if (placement->root != out->root || placement->address != out->address + channel * area)
            write_rows(writer, format("%s + %lld", address_of(plan, node->out), channel),
                       stride_of(plan, node->out), input, area, input->shape.dim[0]);
        channel += input->shape.dim[0];
    }
}

/* Between [positions][channels] and planes. */
static void write_transpose(Writer *writer, const Node *node)
{
    const Tensor *in = node->inputs.items[0], *out = node->out,
                 *image = node->op == &operator_unflatten ? out : in;
    text_add(&writer->own.text, "    %s(%s, %s, %lldL, %lldL, %lldL);   /* %s from %s */\n",
             image == in ? "net_to_planes" : "net_from_planes", address_of(writer->plan, out),
             address_of(writer->plan, in), image->shape.dim[0], shape_plane(image->shape),
             stride_of(writer->plan, image), out->name, in->name);
}

static void write_step(Writer *writer, const Step *step)
{
    const Node *node = step_node(step);
    if (plan_skips(writer->plan, step))
        return;
    writer->emitter->step = step;
    writer->own = (StepCalls){.path = node->path};
    if (node->stage == STAGE_COPY)
        write_rows(writer, address_of(writer->plan, node->dx), shape_elements(node->dx->shape),
                   node->from, 1, shape_elements(node->from->shape));
    else if (node_traits(node) & OP_CONCATENATES)
        write_concat(writer, node);
    else if (node->op == &operator_unflatten || node->op->traits & OP_VIEW)
        write_transpose(writer, node);
    else
        write_kernel(writer, node);
    if (writer->own.text.length)
        push(&writer->steps, writer->own);
}

/* --------------------------------------------------------------- helpers */

/* Stores the first lanes of a vector, in pieces that are powers of two. */
static void write_stores(Text *out, int lanes, const char *body)
{
    for (int piece = 2; piece < lanes; piece *= 2)
        text_add(out,
                 "typedef real part%d __attribute__((vector_size(%d * sizeof(real)), "
                 "aligned(sizeof(real)), may_alias));\n",
                 piece, piece);
    for (int used = 1; used <= lanes; used++) {
        if (!strstr(body, format("store_%d(", used)))
            continue;
        text_add(out,
                 "/* The first %d lanes. */\n"
                 "static inline __attribute__((always_inline)) void store_%d(real *to, vec r)\n{\n",
                 used, used);
        if (used == lanes)
            text_add(out, "    *(unaligned_vec *)to = r;\n");
        for (int at = 0, piece = lanes / 2; at < used && used < lanes; piece /= 2) {
            if (piece > used - at)
                continue;
            if (piece == 1)
                text_add(out, "    to[%d] = r[%d];\n", at, at);
            else {
                text_add(out, "    *(part%d *)(to + %d) = __builtin_shufflevector(r, r", piece, at);
                add_lanes(out, at, piece);
                text_add(out, ");\n");
            }
            at += piece;
        }
        text_add(out, "}\n");
    }
    text_add(out, "\n");
}

/* Vectors of half the width, where they cost half: those functions that are called. */
static void write_halves(Text *out, int lanes, const char *body)
{
    text_add(
        out,
        "typedef real half __attribute__((vector_size(LANES / 2 * sizeof(real)), may_alias));\n"
        "typedef real unaligned_half __attribute__((vector_size(LANES / 2 * sizeof(real)), "
        "aligned(sizeof(real)), may_alias));\n");
    if (strstr(body, "splat_half("))
        text_add(out, "/* One value in every lane of half a vector. */\nstatic inline half "
                      "splat_half(real value)\n{\n    return value - (half){ 0 };\n}\n");
    if (strstr(body, " low(")) {
        text_add(out, "/* The lower half. */\nstatic inline half low(vec v)\n{\n    return "
                      "__builtin_shufflevector(v, v");
        add_lanes(out, 0, lanes / 2);
        text_add(out, ");\n}\n");
    }
    text_add(out, "/* A half twice. */\nstatic inline vec widen(half h)\n{\n    return "
                  "__builtin_shufflevector(h, h");
    add_lanes(out, 0, lanes / 2);
    add_lanes(out, 0, lanes / 2);
    text_add(out, ");\n}\n\n");
}

void emit_one_image_helpers(const Emitter *emitter, const char *body, Text *out)
{
    if (strstr(body, "unaligned_half"))
        write_halves(out, emitter->module.lanes, body);
    write_stores(out, emitter->module.lanes, body);
}

void emit_one_image(Emitter *emitter, const Plan *plan)
{
    Writer writer = {.emitter = emitter, .plan = plan};
    emitter->plan = plan;
    for (int i = 0; i < plan->steps.count; i++)
        write_step(&writer, plan->steps.items[i]);
    write_phase(&writer);
    const char *name = plan_name(plan), *of = plan->graph->sequence ? "row_" : "";
    text_add(emitter->module.out,
             "static const NetPhase %s[] = {\n    { %s_1, 0, 0, 0, 0, 0, 0, 0 },\n};\n\n"
             "static const NetPacking %spackings[] = {\n%s"
             "    { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },\n};\n\n",
             name, name, of, text_chars(&writer.packings));
    emit_output_places(emitter, plan);
    Text *fields = plan->graph->sequence ? &emitter->one_row : &emitter->one_image;
    text_add(fields,
             "    .%s = { %s, 1, %lld, %lld, 0, %lld, 0, 0, %lld, %.3g, %s },\n"
             "    .%spackings = %spackings, .%spacking_count = %d,\n    .%spacked = %lld,\n",
             name, name, whole_lines(plan->scratch_elements), plan->kept_elements,
             plan->placements[plan->logits->id].address, writer.work, writer.shared,
             plan->outputs.count ? format("%s_outputs", name) : "0", of, of, of,
             writer.packing_count, of, writer.packed);
    if (plan->graph->sequence)
        text_add(fields, "    .row_kept = %lld,\n", writer.rows);
}
