/* The C of a network: one file that is meant to be read.
 *
 * Head (what the network is), one function per distinct kernel, one function
 * per phase that calls them in order, then the tables and the constant
 * NetModel.  Everything that depends on a shape is a number by now: the text
 * has no decisions left to make.
 */
#include "write/emit.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* ----------------------------------------------------------------- head */

static void emit_head(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    Int parameters = 0;
    for (int i = 0; i < graph->parameters.count; i++)
        if (graph->parameters.items[i]->kind == PARAMETER_TRAINED)
            parameters += graph->parameters.items[i]->elements;
    text_add(emitter->module.out,
             "/* %s: %s -> %s, %lld parameters.\n"
             " * Compiled by netc %s from %s: change that file, not this one.\n"
             " *\n"
             " * Activations are [channels][height][width][LANES], one image per lane; a\n"
             " * `vec` is one such row of lanes, and every offset below counts vecs.\n"
             " */\n",
             graph->name, inputs_text(graph), shape_text(graph->output->shape), parameters,
             NETC_VERSION, comment_text(graph->program->source->path));
    text_add(emitter->module.out,
             "#ifndef NET_REAL\n"
             "#define NET_REAL %s\n"
             "#endif\n"
             "#include \"net_runtime.h\"\n\n"
             "#ifdef __cplusplus\nextern \"C\" {\n#endif\n"
             "#if __FLT_EVAL_METHOD__ && !defined __clang__   /* a real times a vec is a vec */\n"
             "#pragma GCC optimize(\"excess-precision=fast\")\n#endif\n\n"
             "#define LANES %d\n"
             "typedef real vec __attribute__((vector_size(LANES * sizeof(real)), may_alias));\n\n",
             emitter->options->f64 ? "double" : "float", emitter->module.lanes);
}

/* --------------------------------------------------------------- phases */

/* `function`: net_copy or net_accumulate; of each there is one for a team. */
static void emit_move(const Emitter *emitter, Text *calls, const char *function, const char *to,
                      const char *from, Int vectors, const char *what)
{
    text_add(calls, "    %s%s(real *)(%s), (const real *)(%s), %lldL * LANES);   /* %s */\n",
             function, emitter->step->splits ? "_pieces(team, " : "(", to, from, vectors, what);
}

/* One use's gradients of parameters are added to what others have made of them. */
static void emit_sum_of_gradients(const Emitter *emitter, Text *calls, const Node *node)
{
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *parameter = node->parameters.items[i];
        if (node->contribution_at[i] >= 0)
            text_add(calls, "    net_accumulate%sgradients + %lld, %s, %lldL);   /* d %s */\n",
                     emitter->step->splits ? "_pieces(team, " : "(", parameter->offset,
                     contribution_address(emitter->plan, node, i), parameter->elements,
                     parameter->path);
    }
}

/* Inputs that could not be written straight into the output are copied. */
static void emit_concat(Emitter *emitter, Text *calls, const Node *node)
{
    const Plan *plan = emitter->plan;
    const Placement *out = &plan->placements[node->out->id];
    Int at = out->address;
    for (int i = 0; i < node->inputs.count; i++) {
        const Tensor *input = node->inputs.items[i];
        const Placement *placement = &plan->placements[input->id];
        if (placement->root != out->root || placement->address != at)
            emit_move(emitter, calls, "net_copy",
                      format("%s + %lld", out->space == SPACE_KEPT ? "kept" : "scratch", at),
                      address_text(plan, input), shape_elements(input->shape),
                      format("%s into %s", input->name, node->path));
        at += shape_elements(input->shape);
    }
}

/* A call; gives the units of what is computed for the whole batch, or a grain's pieces. */
static Int emit_call(Emitter *emitter, Text *calls)
{
    OperandList operands = {0};
    Int units, pieces;
    step_operands(emitter, &operands);
    const char *function = emit_kernel(emitter, &operands, &units, &pieces);
    write_call(calls, function, &operands);
    return step_node(emitter->step)->whole_batch ? units : pieces;
}

/* Where a layer's output lies after its part, as the table of parts says it. */
static const char *output_fields(const Plan *plan, const Step *step)
{
    const Tensor *out =
        step_node(step)->stage == STAGE_FORWARD && !step->recompute ? step_result(step) : NULL;
    const Placement *placement = out ? &plan->placements[out->id] : NULL;
    if (!placement || (placement->space != SPACE_KEPT && placement->space != SPACE_SCRATCH))
        return "-1, false, 0, 0";
    return format("%d, %s, %lld, %lld", step_node(step)->id,
                  placement->space == SPACE_KEPT ? "true" : "false",
                  placement->address * plan->lanes, shape_elements(out->shape) * plan->lanes);
}

/* A step's row in the table of parts; gives its number. */
static int emit_part(Emitter *emitter)
{
    const Node *node = step_node(emitter->step);
    bool multiplies = node->stage == STAGE_FORWARD || node->stage == STAGE_BACKWARD_INPUT
                      || node->stage == STAGE_BACKWARD_PARAMETERS;
    Int multiply_adds = multiplies ? node_multiply_adds(node->forward ? node->forward : node) : 0;
    text_add(&emitter->parts, "    { %s, \"%s\", %lld, %s },\n", quoted(node->path),
             step_stage(emitter->step), multiply_adds, output_fields(emitter->plan, emitter->step));
    return emitter->part_count++;
}

/* Gives whether the threads of a team share it. */
static bool emit_step(Emitter *emitter, Text *calls, const Step *step)
{
    const Plan *plan = emitter->plan;
    const Node *node = step_node(step);
    bool shared = step->splits;
    if (plan_skips(plan, step))
        return false;
    emitter->step = step;
    if (node->stage == STAGE_ACCUMULATE || node->stage == STAGE_COPY)
        emit_move(emitter, calls, node->stage == STAGE_COPY ? "net_copy" : "net_accumulate",
                  address_text(plan, node->dx), address_text(plan, node->from),
                  shape_elements(node->dx->shape),
                  format("%s from %s", node->dx->name, node->from->name));
    else if (node->stage == STAGE_ADD_GRADIENTS)
        emit_sum_of_gradients(emitter, calls, node);
    else if (node->stage == STAGE_FORWARD && (node_traits(node) & OP_CONCATENATES))
        emit_concat(emitter, calls, node);
    else
        shared = emit_call(emitter, calls) > 0;
    if (calls->length)
        text_add(calls, "    net_lap(s, team, g, %d);\n", emit_part(emitter));
    return shared;
}

/* The locals a phase declares: those its calls use. */
static void emit_locals(const Emitter *emitter, const char *calls)
{
    const Plan *plan = emitter->plan;
    if (strstr(calls, " scratch + ") || strstr(calls, "(scratch + "))
        text_add(emitter->module.out, "    vec *scratch = (vec *)team->scratch;\n");
    if (strstr(calls, " own + "))
        text_add(emitter->module.out, "    vec *own = (vec *)team->own;\n");
    if (strstr(calls, " kept + ") || strstr(calls, "(kept + "))
        text_add(emitter->module.out, "    vec *kept = (vec *)s->kept + g * %lld;\n",
                 plan->kept_elements / plan->lanes);
    if (strstr(calls, "  input ") || strstr(calls, "(input)") || strstr(calls, "(input + "))
        text_add(emitter->module.out, "    const vec *input = (const vec *)s->input + g * %lld;\n",
                 input_elements(plan->graph));
    if (strstr(calls, " weights + "))
        text_add(emitter->module.out, "    const real *weights = s->weights;\n");
    if (strstr(calls, " gradients + ") || strstr(calls, "(gradients + "))
        text_add(emitter->module.out,
                 "    real *gradients = s->gradients + g * s->gradient_stride;\n");
}

static void emit_grain_phase(Emitter *emitter, int phase)
{
    const Plan *plan = emitter->plan;
    const char *name = format("%s_%d", plan_name(plan), phase + 1);
    Calls calls = {0};
    StepList steps = {0};
    for (int i = emitter->first; is_in_phase(plan, i, phase); i++) {
        const Step *step = plan->steps.items[i];
        StepCalls own = {.path = step_node(step)->path};
        if (step_node(step)->whole_batch)
            continue;
        own.shared = emit_step(emitter, &own.text, step);
        if (own.text.length)
            push(&steps, own);
    }
    if (!steps.count) {
        text_add(&emitter->phases, "0, ");
        return;
    }
    bool shared = add_team_calls(&calls, &steps);
    const Text text = phase_calls(emitter, name, &calls, emit_locals);
    text_add(emitter->module.out, "/* %s, phase %d of %d: one grain. */\n", plan_name(plan),
             phase + 1, plan->phases);
    open_phase(emitter->module.out, name);
    if (!shared)
        leave_to_first(emitter->module.out);
    emit_locals(emitter, text_chars(&text));
    text_add(emitter->module.out, "\n%s}\n\n", text_chars(&text));
    text_add(&emitter->phases, "%s, ", name);
}

/* The gradients that a node sums over the whole batch; gives how many. */
static int emit_sums(Emitter *emitter, const char *function, const Node *node)
{
    Text *out = emitter->module.out;
    int count = 0;
    if (node->stage != STAGE_BACKWARD_PARAMETERS)
        return 0;
    text_add(out, "static const NetSum %s_sums[] = {\n", function);
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *p = node->parameters.items[i];
        if (p->makes)
            continue;
        count++;
        text_add(out, "    { %lld, %lld, %lld },\n", p->offset, UNIT_ROWS * p->elements / p->dim[0],
                 p->elements);
    }
    text_add(out, "};\n\n");
    return count;
}

/* A function per node, and the table of them. */
static void emit_shared_phase(Emitter *emitter, int phase)
{
    const Plan *plan = emitter->plan;
    Text table = {0};
    int count = 0;
    for (int i = emitter->first; is_in_phase(plan, i, phase); i++) {
        const Node *node = step_node(plan->steps.items[i]);
        if (!node->whole_batch)
            continue;
        emitter->step = plan->steps.items[i];
        Text call = {0};
        const char *name = format("%s_%d_%d", plan_name(plan), phase + 1, ++count);
        Int units = emit_call(emitter, &call);
        text_add(emitter->module.out, "/* %s, phase %d of %d: a share of %s, for all grains. */\n",
                 plan_name(plan), phase + 1, plan->phases, node->path);
        text_add(emitter->module.out,
                 "static void %s(const NetStep *s, real *arena, int64_t from, int64_t to)\n{\n    "
                 "%s\n%s}\n\n",
                 name,
                 strstr(text_chars(&call), " own + ") ? "vec *own = (vec *)arena;" : "(void)arena;",
                 text_chars(&call));
        int sums = emit_sums(emitter, name, node);
        text_add(&table, "    { %s, %lld, %d, %s, %d, %s },\n", name, units, emit_part(emitter),
                 sums ? format("%s_sums", name) : "0", sums,
                 node->stage == STAGE_FILTERS ? "true" : "false");
    }
    if (!count) {
        text_add(&emitter->phases, "0, 0, ");
        return;
    }
    text_add(emitter->module.out, "static const NetSharedWork %s_%d_shared[] = {\n%s};\n\n",
             plan_name(plan), phase + 1, text_chars(&table));
    text_add(&emitter->phases, "%s_%d_shared, %d, ", plan_name(plan), phase + 1, count);
}

static void add_reads(const Plan *plan, const TensorList *reads, Text *table)
{
    for (int i = 0; i < reads->count; i++) {
        const Tensor *tensor = reads->items[i];
        const Placement *placement = &plan->placements[tensor->id];
        require(placement->space == SPACE_KEPT || placement->space == SPACE_INPUT);
        text_add(table, "    { %s, %s, %lld, %lld },\n",
                 placement->space == SPACE_INPUT ? "true" : "false",
                 tensor->role == TENSOR_STATISTICS ? "true" : "false",
                 placement->address * plan->lanes,
                 tensor_vectors(tensor, plan->lanes) * plan->lanes);
    }
}

/* What it reads of all grains. */
static void emit_reads(Emitter *emitter, const PhaseReads *reads, int phase)
{
    const Plan *plan = emitter->plan;
    Text table = {0};
    add_reads(plan, &reads->early, &table);
    add_reads(plan, &reads->late, &table);
    if (!table.length) {
        text_add(&emitter->phases, "0, 0, 0, ");
        return;
    }
    text_add(emitter->module.out, "static const NetRead %s_%d_reads[] = {\n%s};\n\n",
             plan_name(plan), phase + 1, text_chars(&table));
    text_add(&emitter->phases, "%s_%d_reads, %d, %d, ", plan_name(plan), phase + 1,
             reads->early.count, reads->early.count + reads->late.count);
}

/* The gradients that are whole after it: several ranks add them while others are made. */
static void emit_phase_sums(Emitter *emitter, const PhaseSums *sums, int phase)
{
    const char *name = format("%s_%d_gradients", plan_name(emitter->plan), phase + 1);
    if (!sums->count || !emitter->options->mpi) {
        text_add(&emitter->phases, "0, 0 ");
        return;
    }
    text_add(emitter->module.out, "static const NetShare %s[] = {\n", name);
    for (int i = 0; i < sums->count; i++)
        text_add(emitter->module.out, "    { %lld, %lld },\n", sums->items[i].from,
                 sums->items[i].to);
    text_add(emitter->module.out, "};\n\n");
    text_add(&emitter->phases, "%s, %d ", name, sums->count);
}

static void emit_phases(Emitter *emitter, const Plan *plan)
{
    emitter->plan = plan;
    emitter->phases = emitter->parts = (Text){0};
    emitter->part_count = emitter->first = 0;
    const PhaseReads *reads = find_reads(plan);
    const PhaseSums *sums = find_sums(plan);
    for (int phase = 0; phase < plan->phases; phase++) {
        text_add(&emitter->phases, "    { ");
        emit_grain_phase(emitter, phase);
        emit_shared_phase(emitter, phase);
        emit_reads(emitter, &reads[phase], phase);
        emit_phase_sums(emitter, &sums[phase], phase);
        text_add(&emitter->phases, "},\n");
        while (is_in_phase(plan, emitter->first, phase))
            emitter->first++;
    }
    text_add(emitter->module.out, "static const NetPhase %s[] = {\n%s};\n\n", plan_name(plan),
             text_chars(&emitter->phases));
    text_add(emitter->module.out,
             "static const NetPart %s_parts[] = {\n%s    { 0, 0, 0, -1, false, 0, 0 },\n};\n\n",
             plan_name(plan), text_chars(&emitter->parts));
}

enum { PEAK_CHAINS = 12 }; /* two units of latency four keep eight busy; 12 fit in 16 registers */

/* What the trainer's bench measures the kernels against. */
static void emit_peak(Emitter *emitter)
{
    Text chains = {0}, iteration = {0}, sum = {0};
    for (int i = 0; i < PEAK_CHAINS; i++) {
        /* a chain from 2 would stay there, and be left out */
        text_add(&chains, "%sc%d = term * %d", i ? ", " : "", i, i + 3);
        text_add(&iteration, "        c%d = c%d * factor + term;\n", i, i);
        text_add(&sum, "%sc%d", i ? " + " : "", i);
    }
    text_add(emitter->module.out,
             "/* Multiply-adds as fast as the machine makes them. */\n"
             "static int64_t peak(int64_t turns, real *sum)\n{\n"
             "    const vec factor = (vec){ 0 } + (real)0.5, term = (vec){ 0 } + 1;\n"
             "    vec %s;\n"
             "    for (int64_t i = 0; i < turns; i++) {\n%s    }\n"
             "    *sum = (%s)[0];\n"
             "    return turns * LANES * %d;\n}\n\n",
             text_chars(&chains), text_chars(&iteration), text_chars(&sum), PEAK_CHAINS);
}

/* The operators' C functions that `body` calls. */
static Text called_functions(const Graph *graph, const char *body)
{
    Text text = {0};
    Map written = {0};
    for (int i = 0; i < graph->nodes.count; i++) {
        const Operator *op = graph->nodes.items[i]->op;
        const EmittedFunction *function = op ? op->functions : NULL;
        for (; function && function->call; function++) {
            if (map_get(&written, function->call) || !strstr(body, function->call))
                continue;
            map_set(&written, function->call, (void *)function);
            text_add(&text, "%s", function->text);
        }
    }
    return text;
}

/* What the text calls, before it. */
static void emit_called(Emitter *emitter, const char *body)
{
    Text functions = called_functions(emitter->graph, body), all = {0};
    text_add_range(&all, text_chars(&functions), functions.length);
    text_add_range(&all, body, strlen(body));
    emit_helpers(&emitter->module, text_chars(&all));
    text_add_range(emitter->module.out, text_chars(&functions), functions.length);
}

void emit_program(const Graph *graph, const Plans *plans, const CompileOptions *options, Text *out)
{
    Text body = {0};
    Arena *arena = use_arena(NULL);
    use_arena(arena);
    Emitter emitter = {.graph = graph,
                       .options = options,
                       .obstacle = plans->obstacle,
                       .module = {.target = &options->target,
                                  .f64 = options->f64,
                                  .lanes = plans->inference->lanes,
                                  .arena = arena,
                                  .out = &body}};
    if (plans->training)
        emit_phases(&emitter, plans->training);
    emit_phases(&emitter, plans->inference);
    if (plans->one_image)
        emit_one_image(&emitter, plans->one_image);
    if (plans->one_row)
        emit_one_image(&emitter, plans->one_row);
    emit_peak(&emitter);
    emit_model(&emitter, plans->training, plans->inference);

    emitter.module.out = out;
    emit_head(&emitter);
    if (!options->reference)
        emit_called(&emitter, text_chars(&body));
    if (plans->one_image)
        emit_one_image_helpers(&emitter, text_chars(&body), out);
    text_add_range(out, text_chars(&body), body.length);
}
