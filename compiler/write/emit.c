/* The C of a network: one file that is meant to be read.
 *
 * Head (what the network is), one function per distinct kernel, one function
 * per phase that calls them in order, then the tables and the constant
 * NetModel.  Everything that depends on a shape is a number by now: the text
 * has no decisions left to make.
 */
#include "emit.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* What is made of a path has an ending, so it is no word of C and no helper here;
 * but the runtime's functions have the same endings after their "net_". */
const char *identifier(const char *path)
{
    Text text = {0};
    if (isdigit((unsigned char)path[0]))
        text_add(&text, "layer");
    if (strncmp(path, "net_", 4) == 0 || strncmp(path, "net.", 4) == 0)
        text_add(&text, "layer_");
    for (const char *c = path; *c; c++)
        text_add_range(&text, isalnum((unsigned char)*c) ? c : "_", 1);
    return intern(text_chars(&text));
}

const char *comment_text(const char *path)
{
    Text text = {0};
    path = SHOWN(path);
    for (const char *c = path; *c; c++) {
        bool ends = c > path && c[-1] == '*' && *c == '/',
             begins = c > path && c[-1] == '/' && *c == '*';
        text_add(&text, "%c", ends || begins ? '?' : *c);
    }
    return intern(text_chars(&text));
}

const char *number_text(double value)
{
    if (isinf(value))
        return value < 0 ? "-__builtin_inf()" : "__builtin_inf()";
    return format("%.17g", value);
}

const char *place_text(const Plan *plan, const Tensor *tensor)
{
    const Placement *place = &plan->places[tensor->id];
    switch (place->space) {
    case SPACE_NONE:
        return "0";
    case SPACE_INPUT:
        return place->place ? format("input + %lld", place->place) : "input";
    case SPACE_SCRATCH:
        return format("scratch + %lld", place->place);
    case SPACE_KEPT:
        return format("kept + %lld", place->place);
    }
    unreachable();
}

/* ----------------------------------------------------------------- head */

static void emit_head(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    Int parameters = 0;
    for (int i = 0; i < graph->parameters.count; i++)
        if (graph->parameters.items[i]->kind == PARAMETER_TRAINED)
            parameters += graph->parameters.items[i]->elements;
    text_add(emitter->out,
             "/* %s: %s -> %s, %lld parameters.\n"
             " * Compiled by netc %s from %s: change that file, not this one.\n"
             " *\n"
             " * Activations are [channels][height][width][LANES], one image per lane; a\n"
             " * `vec` is one such row of lanes, and every offset below counts vecs.\n"
             " */\n",
             graph->name, shape_text(graph->input->shape), shape_text(graph->output->shape),
             parameters, NETC_VERSION, comment_text(graph->program->source->path));
    text_add(emitter->out,
             "#ifndef NET_REAL\n"
             "#define NET_REAL %s\n"
             "#endif\n"
             "#include \"net_runtime.h\"\n\n"
             "#define LANES %d\n"
             "typedef real vec __attribute__((vector_size(LANES * sizeof(real)), may_alias));\n\n",
             emitter->options->f64 ? "double" : "float", emitter->lanes);
}

void add_lanes(Text *text, int first, int count)
{
    for (int i = 0; i < count; i++)
        text_add(text, ", %d", first + i);
}

/* "8, 9, …": the lanes of a shuffle. */
static void lane_list(Text *text, int lanes, int (*lane)(int lanes, int i, int step), int step)
{
    for (int i = 0; i < lanes; i++)
        text_add(text, "%s%d", i ? ", " : "", lane(lanes, i, step));
}

static int rotated(int lanes, int i, int step)
{
    return (i + step) % lanes;
}

/* Lanes of the low (step 0) or high (step 1) halves of two rows, in turn. */
static int interleaved(int lanes, int i, int step)
{
    return i / 2 + (i % 2 ? lanes : 0) + (step ? lanes / 2 : 0);
}

/* The sum of a row's lanes, in one fixed tree. */
static void emit_sum_lanes(Emitter *emitter)
{
    if (emitter->has_sum_lanes)
        return;
    emitter->has_sum_lanes = true;
    text_add(
        emitter->out,
        "/* The sum of the lanes, in one fixed tree. */\nstatic inline real sum_lanes(vec v)\n{\n");
    for (int step = emitter->lanes / 2; step; step /= 2) {
        text_add(emitter->out, "    v += __builtin_shufflevector(v, v, ");
        lane_list(emitter->out, emitter->lanes, rotated, step);
        text_add(emitter->out, ");\n");
    }
    text_add(emitter->out, "    return v[0];\n}\n\n");
}

/* Lane i of the result is the sum of row i's lanes: the transposition below,
 * adding as it goes. */
static void emit_sum_block(Emitter *emitter)
{
    int lanes = emitter->lanes, round = 0;
    text_add(emitter->out, "/* Lane i is the sum of row i: a transposition that adds as it goes. "
                           "*/\nstatic inline vec sum_block(const vec *rows)\n{\n");
    for (int rows = lanes; rows > 1; rows /= 2, round++)
        for (int i = 0; i < rows / 2; i++) {
            const char *one = round ? format("r%d_%d", round, i) : format("rows[%d]", i);
            const char *other =
                round ? format("r%d_%d", round, i + rows / 2) : format("rows[%d]", i + rows / 2);
            text_add(emitter->out, "    const vec r%d_%d = ", round + 1, i);
            for (int half = 0; half < 2; half++) {
                text_add(emitter->out, "%s__builtin_shufflevector(%s, %s, ",
                         half ? "\n        + " : "", one, other);
                lane_list(emitter->out, lanes, interleaved, half);
                text_add(emitter->out, ")");
            }
            text_add(emitter->out, ";\n");
        }
    text_add(emitter->out, "    return r%d_0;\n}\n\n", round);
}

/* to[i] = the sum of row i's lanes.  The last block ends with the last row. */
static void emit_sum_rows(Emitter *emitter)
{
    emit_sum_lanes(emitter);
    emit_sum_block(emitter);
    text_add(emitter->out, "/* to[i] = the sum of row i's lanes. */\nstatic void sum_rows(real "
                           "*to, const vec *rows, int count)\n{\n"
                           "    for (int i = 0; i < count && count < LANES; i++)\n"
                           "        to[i] = sum_lanes(rows[i]);\n"
                           "    for (int i = 0; i < count && count >= LANES; i += LANES) {\n"
                           "        const int at = i + LANES <= count ? i : count - LANES;\n"
                           "        *(unaligned_vec *)(to + at) = sum_block(rows + at);\n"
                           "    }\n}\n\n");
}

/* Row i of `from` becomes lane i of every row of `to`: interleaving rows that
 * lie half the rows apart, log2(lanes) times, turns rows into lanes. */
static void emit_transpose(Emitter *emitter)
{
    int lanes = emitter->lanes, round = 0;
    text_add(emitter->out, "/* Lanes become rows: rows are interleaved log2(LANES) times. "
                           "*/\nstatic inline void transpose(vec *to, const vec *from)\n{\n");
    for (int step = lanes; step > 1; step /= 2, round++)
        for (int i = 0; i < lanes; i++) {
            const char *row = round ? format("r%d_", round) : "from[";
            const char *end = round ? "" : "]";
            if (step == 2)
                text_add(emitter->out, "    to[%d] = ", i);
            else
                text_add(emitter->out, "    const vec r%d_%d = ", round + 1, i);
            text_add(emitter->out, "__builtin_shufflevector(%s%d%s, %s%d%s, ", row, i / 2, end, row,
                     i / 2 + lanes / 2, end);
            lane_list(emitter->out, lanes, interleaved, i % 2);
            text_add(emitter->out, ");\n");
        }
    text_add(emitter->out, "}\n\n");
}

/* All bits of `yes` where m has them, of `no` elsewhere. */
static void emit_select(Emitter *emitter)
{
    text_add(emitter->out, "/* The lanes of yes where m has them, of no elsewhere. */\nstatic "
                           "inline vec vec_select(mask m, vec yes, vec no)\n{\n"
                           "    return (vec)(((mask)yes & m) | ((mask)no & ~m));\n}\n\n");
}

/* What is chosen often, by a bit a lane where the machine has registers for that. */
static void emit_blend(Emitter *emitter)
{
    bool f64 = emitter->options->f64, masks = emitter->options->target.vector_bytes == 64;
    if (masks)
        text_add(
            emitter->out,
            "#ifdef __AVX512DQ__\n"
            "#include <immintrin.h>\n"
            "typedef __mmask%d lane_mask;\n\n"
            "/* What vec_blend takes: a bit a lane where the machine has registers for it. */\n"
            "static inline lane_mask lane_mask_of(mask m)\n{\n    return "
            "_mm512_movepi%d_mask((__m512i)m);\n}\n\n"
            "/* vec_select of such a mask. */\n"
            "static inline vec vec_blend(lane_mask from, vec yes, vec no)\n{\n"
            "    return (vec)_mm512_mask_blend_p%c(from, (__m512%s)no, (__m512%s)yes);\n}\n"
            "#else\n",
            f64 ? 8 : 16, f64 ? 64 : 32, f64 ? 'd' : 's', f64 ? "d" : "", f64 ? "d" : "");
    text_add(emitter->out,
             "typedef mask lane_mask;\n\n"
             "/* What vec_blend takes: a bit a lane where the machine has registers for it. */\n"
             "static inline lane_mask lane_mask_of(mask m)\n{\n    return m;\n}\n\n"
             "/* vec_select of such a mask. */\n"
             "static inline vec vec_blend(lane_mask from, vec yes, vec no)\n{\n"
             "    return vec_select(from, yes, no);\n}\n%s\n",
             masks ? "#endif\n" : "");
}

static void emit_splat(Emitter *emitter)
{
    text_add(emitter->out, "/* One value in every lane. */\nstatic inline vec splat(real "
                           "value)\n{\n    return value - (vec){ 0 };\n}\n\n");
}

/* Costs nothing: the C compiler believes that the pointers now point elsewhere. */
static void emit_compiler_barrier(Emitter *emitter)
{
    text_add(emitter->out,
             "/* What was read through a and b is not to be kept for later. */\n"
             "#define compiler_barrier(a, b) __asm__(\"\" : \"+r\"(a), \"+r\"(b))\n\n");
}

/* Of a finish's constants a compiler likes to keep some in registers all the time,
 * which a tile that fills them would have to pay for at each of its taps. */
static void emit_register_barrier(Emitter *emitter)
{
    text_add(emitter->out, "/* Nothing is to stay in a vector register from before to after. */\n"
                           "#ifdef __x86_64__\n"
                           "#define register_barrier() __asm__ volatile(\"\" ::: ");
    for (int i = 0; i < 16; i++)
        text_add(emitter->out, "%s\"xmm%d\"", i ? ", " : "", i);
    text_add(emitter->out, ")\n#else\n#define register_barrier()\n#endif\n\n");
}

/* A small function: how a call of it is seen, and which other helpers it calls. */
typedef struct Helper {
    const char *call, *calls;
    void (*emit)(Emitter *);
} Helper;

/* In an order in which each follows what it calls. */
static const Helper helpers[] = {
    {"vec_select(", "", emit_select},
    {"lane_mask_of(", "vec_select(", emit_blend},
    {"splat(", "", emit_splat},
    {"compiler_barrier(", "", emit_compiler_barrier},
    {"register_barrier(", "", emit_register_barrier},
    {"sum_lanes(", "", emit_sum_lanes},
    {"sum_rows(", "", emit_sum_rows},
    {"transpose(", "", emit_transpose},
    {"vec_exp(", "vec_select( splat(", emit_exponential},
    {"vec_expm1(", "vec_select( splat(", emit_expm1},
    {"vec_sigmoid(", "vec_select( splat( vec_exp(", emit_sigmoid_of_lanes},
    {"vec_tanh(", "vec_select( splat( vec_expm1(", emit_tanh_of_lanes},
    {"vec_log(", "", emit_logarithm},
    {"vec_sqrt(", "", emit_square_root},
    {"normal_cdf(", "vec_select( splat( vec_exp(", emit_normal},
    {"vec_gelu(", "vec_select( splat( vec_exp( normal_cdf(", emit_gelu_of_lanes},
    {"vec_gelu_gradient(", "vec_select( splat( vec_exp( normal_cdf(", emit_gelu_gradient},
    {"dropout_mask(", "vec_select( splat(", emit_dropped},
};

/* Whether `body`, or a helper that it calls, calls this one. */
static bool is_called(const Helper *helper, const char *body)
{
    if (strstr(body, helper->call))
        return true;
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        if (strstr(helpers[i].calls, helper->call) && strstr(body, helpers[i].call))
            return true;
    return false;
}

/* The small functions that kernels call, each written only when one does. */
static void emit_helpers(Emitter *emitter, const char *body)
{
    text_add(emitter->out, "typedef real unaligned_vec __attribute__((vector_size(LANES * "
                           "sizeof(real)), aligned(sizeof(real)), may_alias));\n"
                           "typedef __typeof__((vec){ 0 } < (vec){ 0 }) mask;      /* all bits of "
                           "a lane, or none */\n\n");
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        if (is_called(&helpers[i], body))
            helpers[i].emit(emitter);
}

/* --------------------------------------------------------------- phases */

static void emit_move(Text *calls, const char *function, const char *to, const char *from,
                      Int vectors, const char *what)
{
    text_add(calls, "    %s((real *)(%s), (const real *)(%s), %lldL * LANES);   /* %s */\n",
             function, to, from, vectors, what);
}

/* Inputs that could not be written straight into the output are copied. */
static void emit_concat(Emitter *emitter, Text *calls, const Node *node)
{
    const Plan *plan = emitter->plan;
    const Placement *out = &plan->places[node->out->id];
    Int at = out->place;
    for (int i = 0; i < node->inputs.count; i++) {
        const Tensor *input = node->inputs.items[i];
        const Placement *place = &plan->places[input->id];
        if (place->root != out->root || place->place != at)
            emit_move(calls, "net_copy",
                      format("%s + %lld", out->space == SPACE_KEPT ? "kept" : "scratch", at),
                      place_text(plan, input), shape_elements(input->shape),
                      format("%s into %s", input->name, node->path));
        at += shape_elements(input->shape);
    }
}

void write_call(Text *calls, const char *function, const OperandList *operands)
{
    text_add(calls, "    %s(", function);
    for (int i = 0; i < operands->count; i++) {
        const Operand *operand = &operands->items[i];
        if (operand->what)
            text_add(calls, "%s\n        %s /* %s: %s */", i ? "," : "", operand->address,
                     operand->name, operand->what);
        else
            text_add(calls, "%s%s", i ? ", " : "", operand->address);
    }
    text_add(calls, ");\n");
}

/* A call; gives the units of what is computed for the whole batch. */
static Int emit_call(Emitter *emitter, Text *calls)
{
    OperandList operands = {0};
    Int units;
    step_operands(emitter, &operands);
    const char *function = emit_kernel(emitter, &operands, &units);
    write_call(calls, function, &operands);
    return units;
}

/* Where a layer's output lies after its part, as the table of parts says it. */
static const char *output_fields(const Plan *plan, const Step *step)
{
    const Tensor *out =
        step_node(step)->stage == STAGE_FORWARD && !step->recompute ? step_result(step) : NULL;
    const Placement *place = out ? &plan->places[out->id] : NULL;
    if (!place || (place->space != SPACE_KEPT && place->space != SPACE_SCRATCH))
        return "-1, false, 0, 0";
    return format("%d, %s, %lld, %lld", step_node(step)->id,
                  place->space == SPACE_KEPT ? "true" : "false", place->place * plan->lanes,
                  shape_elements(out->shape) * plan->lanes);
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

static void emit_step(Emitter *emitter, Text *calls, const Step *step)
{
    const Plan *plan = emitter->plan;
    const Node *node = step_node(step);
    size_t before = calls->length;
    if (plan_skips(plan, step))
        return;
    emitter->step = step;
    if (node->stage == STAGE_ACCUMULATE || node->stage == STAGE_COPY)
        emit_move(calls, node->stage == STAGE_COPY ? "net_copy" : "net_accumulate",
                  place_text(plan, node->dx), place_text(plan, node->from),
                  shape_elements(node->dx->shape),
                  format("%s from %s", node->dx->name, node->from->name));
    else if (node->stage == STAGE_FORWARD && (node->op->traits & OP_CONCATENATES))
        emit_concat(emitter, calls, node);
    else
        emit_call(emitter, calls);
    if (calls->length > before)
        text_add(calls, "    net_lap(s, arena, g, %d);\n", emit_part(emitter));
}

/* The locals a phase declares: those its calls use. */
static void emit_locals(Emitter *emitter, const char *calls)
{
    const Plan *plan = emitter->plan;
    if (strstr(calls, " scratch + ") || strstr(calls, "(scratch + "))
        text_add(emitter->out, "    vec *scratch = (vec *)arena;\n");
    if (strstr(calls, " kept + ") || strstr(calls, "(kept + "))
        text_add(emitter->out, "    vec *kept = (vec *)s->kept + g * %lld;\n",
                 plan->kept_elements / plan->lanes);
    if (strstr(calls, " input") || strstr(calls, "(input"))
        text_add(emitter->out, "    const vec *input = (const vec *)s->input + g * %lld;\n",
                 shape_elements(plan->graph->input->shape));
    if (strstr(calls, " weights + "))
        text_add(emitter->out, "    const real *weights = s->weights;\n");
    if (strstr(calls, " gradients + "))
        text_add(emitter->out, "    real *gradients = s->gradients + g * s->gradient_stride;\n");
}

static bool is_in_phase(const Plan *plan, int position, int phase)
{
    return position < plan->steps.count && plan->steps.items[position]->phase == phase;
}

static void emit_grain_phase(Emitter *emitter, int phase)
{
    const Plan *plan = emitter->plan;
    Text calls = {0};
    for (int i = emitter->first; is_in_phase(plan, i, phase); i++)
        if (!step_node(plan->steps.items[i])->whole_batch)
            emit_step(emitter, &calls, plan->steps.items[i]);
    if (!calls.length)
        return;
    text_add(emitter->out, "/* %s, phase %d of %d: one grain. */\n", plan_name(plan), phase + 1,
             plan->phases);
    text_add(emitter->out, "static void %s_%d(const NetStep *s, real *arena, int64_t g)\n{\n",
             plan_name(plan), phase + 1);
    emit_locals(emitter, text_chars(&calls));
    text_add(emitter->out, "\n%s}\n\n", text_chars(&calls));
    text_add(&emitter->phases, ".grain = %s_%d, ", plan_name(plan), phase + 1);
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
        text_add(emitter->out, "/* %s, phase %d of %d: a share of %s, for all grains. */\n",
                 plan_name(plan), phase + 1, plan->phases, node->path);
        text_add(emitter->out,
                 "static void %s(const NetStep *s, real *arena, int64_t from, int64_t to)\n{\n    "
                 "(void)arena;\n%s}\n\n",
                 name, text_chars(&call));
        text_add(&table, "    { %s, %lld, %d, %s },\n", name, units, emit_part(emitter),
                 node->stage == STAGE_BACKWARD_PARAMETERS ? "true" : "false");
    }
    if (!count)
        return;
    text_add(emitter->out, "static const NetSharedWork %s_%d_shared[] = {\n%s};\n\n",
             plan_name(plan), phase + 1, text_chars(&table));
    text_add(&emitter->phases, ".shared = %s_%d_shared, .shared_count = %d ", plan_name(plan),
             phase + 1, count);
}

static void emit_phases(Emitter *emitter, const Plan *plan)
{
    emitter->plan = plan;
    emitter->phases = emitter->parts = (Text){0};
    emitter->part_count = emitter->first = 0;
    for (int phase = 0; phase < plan->phases; phase++) {
        text_add(&emitter->phases, "    { ");
        emit_grain_phase(emitter, phase);
        emit_shared_phase(emitter, phase);
        text_add(&emitter->phases, "},\n");
        while (is_in_phase(plan, emitter->first, phase))
            emitter->first++;
    }
    text_add(emitter->out, "static const NetPhase %s[] = {\n%s};\n\n", plan_name(plan),
             text_chars(&emitter->phases));
    text_add(emitter->out, "static const NetPart %s_parts[] = {\n%s    { 0 },\n};\n\n",
             plan_name(plan), text_chars(&emitter->parts));
}

enum { PEAK_CHAINS = 12 }; /* two units of latency four keep eight busy; 12 fit in 16 registers */

/* What the trainer's bench measures the kernels against. */
static void emit_peak(Emitter *emitter)
{
    Text chains = {0}, turn = {0}, sum = {0};
    for (int i = 0; i < PEAK_CHAINS; i++) {
        /* a chain from 2 would stay there, and be left out */
        text_add(&chains, "%sc%d = term * %d", i ? ", " : "", i, i + 3);
        text_add(&turn, "        c%d = c%d * factor + term;\n", i, i);
        text_add(&sum, "%sc%d", i ? " + " : "", i);
    }
    text_add(emitter->out,
             "/* Multiply-adds as fast as the machine makes them. */\n"
             "static int64_t peak(int64_t turns, real *sum)\n{\n"
             "    const vec factor = (vec){ 0 } + (real)0.5, term = (vec){ 0 } + 1;\n"
             "    vec %s;\n"
             "    for (int64_t i = 0; i < turns; i++) {\n%s    }\n"
             "    *sum = (%s)[0];\n"
             "    return turns * LANES * %d;\n}\n\n",
             text_chars(&chains), text_chars(&turn), text_chars(&sum), PEAK_CHAINS);
}

void emit_program(const Graph *graph, const Plan *training, const Plan *inference,
                  const Plan *single, const CompileOptions *options, Text *out)
{
    Text body = {0};
    Arena *arena = use_arena(NULL);
    use_arena(arena);
    Emitter emitter = {.graph = graph,
                       .options = options,
                       .lanes = inference->lanes,
                       .arena = arena,
                       .out = &body};
    if (training)
        emit_phases(&emitter, training);
    emit_phases(&emitter, inference);
    if (single)
        emit_single(&emitter, single);
    emit_peak(&emitter);
    emit_model(&emitter, training, inference);

    emitter.out = out;
    emit_head(&emitter);
    if (!options->reference)
        emit_helpers(&emitter, text_chars(&body));
    if (single)
        emit_single_helpers(&emitter, text_chars(&body), out);
    text_add_range(out, text_chars(&body), body.length);
}
