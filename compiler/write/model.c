/* The tables at the end of the emitted file: every parameter with its path,
 * offset and initialisation, every layer, every setting, and the constant
 * NetModel that points to them and to the phases. */
#include "write/emit.h"

#include <string.h>

static const char *kind_name(ParameterKind kind)
{
    switch (kind) {
    case PARAMETER_TRAINED:
        return "NET_TRAINED";
    case PARAMETER_BUFFER:
        return "NET_BUFFER";
    case PARAMETER_COUNTER:
        return "NET_COUNTER";
    case PARAMETER_CONSTANT:
        break;
    }
    unreachable();
}

static const char *init_name(InitKind kind)
{
    switch (kind) {
    case INIT_CONSTANT:
        return "NET_CONSTANT";
    case INIT_UNIFORM:
        return "NET_UNIFORM";
    case INIT_NORMAL:
        return "NET_NORMAL";
    case INIT_TRUNCATED:
        return "NET_TRUNCATED";
    case INIT_ORTHOGONAL:
        return "NET_ORTHOGONAL";
    case INIT_DIRAC:
        return "NET_DIRAC";
    case INIT_EYE:
        return "NET_EYE";
    case INIT_SPARSE:
        return "NET_SPARSE";
    }
    unreachable();
}

static int parameter_number(const Graph *graph, const Parameter *parameter)
{
    int number = 0;
    while (graph->parameters.items[number] != parameter)
        number++;
    return number;
}

static void emit_aliases(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    text_add(emitter->module.out, "static const NetAlias aliases[] = {\n");
    for (int i = 0; i < graph->aliases.count; i++)
        text_add(emitter->module.out, "    { %s, %d },\n", quoted(graph->aliases.items[i].path),
                 parameter_number(graph, graph->aliases.items[i].parameter));
    text_add(emitter->module.out, "};\n\n");
}

static void emit_parameters(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    if (!graph->parameters.count)
        return;
    text_add(emitter->module.out, "static const NetParameter parameters[] = {\n");
    for (int i = 0; i < graph->parameters.count; i++) {
        const Parameter *p = graph->parameters.items[i];
        text_add(emitter->module.out,
                 "    { %s, %s, %d, { %lld, %lld, %lld, %lld, %lld }, %lld, %lld, %s, %s, %s, %s, "
                 "%s, %s, %s, %d, %d, %d, %lld },\n",
                 quoted(p->path), kind_name(p->kind), p->rank, p->dim[0], p->dim[1], p->dim[2],
                 p->dim[3], p->dim[4], p->offset, p->elements, init_name(p->init.kind),
                 number_text(p->init.a), number_text(p->init.b), number_text(p->low),
                 number_text(p->high), p->whole_batch ? "true" : "false",
                 p->frozen ? "true" : "false", p->group, p->layer, p->uses, p->padding_row);
    }
    text_add(emitter->module.out, "};\n\n");
    if (graph->aliases.count)
        emit_aliases(emitter);
}

/* A weight that is made of others; in their order, as NetDerived. */
static void emit_derived(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    if (!graph->derived.count)
        return;
    text_add(emitter->module.out, "static const NetDerived derived[] = {\n");
    for (int i = 0; i < graph->derived.count; i++) {
        const Parameter *p = graph->derived.items[i];
        const Parameter *direction = p->sources[p->sources[1] ? 1 : 0];
        Int rows = p->dim[p->matrix_axis], length = p->elements / rows;
        text_add(emitter->module.out,
                 "    { %lld, %lld, %lld, %lld, %lld, %s, %s, %s, %lld, %lld, %lld, %lld },\n",
                 p->offset, rows, length, direction->offset + p->first_row * length,
                 p->sources[1] ? p->sources[0]->offset : -1, number_text(p->epsilon),
                 p->whole_batch ? "true" : "false", p->is_part ? "true" : "false",
                 p->left ? p->left->offset : -1, p->right ? p->right->offset : -1,
                 p->matrix_axis ? p->dim[0] : 1, p->iterations);
    }
    text_add(emitter->module.out, "};\n\n");
}

/* Forward nodes come first in the graph and the loss last of them, so a layer's
 * index is its node's. */
static int emit_layers(Emitter *emitter)
{
    int count = 0;
    text_add(emitter->module.out, "static const NetLayer layers[] = {\n");
    for (int i = 0; i < emitter->graph->nodes.count; i++) {
        const Node *node = emitter->graph->nodes.items[i];
        if (node->stage != STAGE_FORWARD || !node->out)
            continue;
        require(node->id == count);
        text_add(emitter->module.out, "    { %s, %s, %s, %s, %lld, %lld, %d, %s },\n",
                 quoted(node->path), quoted(node->op->name),
                 shape_in_c(first_input(node) ? first_input(node)->shape : (Shape){0}),
                 shape_in_c(node->out->shape), trained_elements(node), node_multiply_adds(node),
                 node->span.line, node->op->traits & OP_STATISTICS ? "true" : "false");
        count++;
    }
    text_add(emitter->module.out,
             "    { 0, 0, { 0, 0, 0, 0, 0 }, { 0, 0, 0, 0, 0 }, 0, 0, 0, false },\n};\n\n");
    return count;
}

/* Its row; its numbers are those of `numbers` from `first` on. Gives how many. */
static int add_setting(const Setting *setting, int first, Text *rows, Text *numbers)
{
    int count = setting->kind == SETTING_WORD     ? 0
                : setting->kind == SETTING_NUMBER ? 1
                                                  : setting->list.count;
    const double *values = setting->kind == SETTING_LIST ? setting->list.items : &setting->number;
    for (int i = 0; i < count; i++)
        text_add(numbers, "%s%s", first + i ? ", " : "", number_text(values[i]));
    text_add(rows, "    { %s, %s, %d, %s },\n", quoted(setting->path),
             setting->kind == SETTING_WORD ? quoted(setting->word) : "0", count,
             setting->kind == SETTING_WORD ? "0" : format("setting_numbers + %d", first));
    return count;
}

static void emit_settings(Emitter *emitter)
{
    Text *out = emitter->module.out, rows = {0}, numbers = {0};
    int count = 0;
    if (!emitter->graph->settings.count)
        return;
    for (int i = 0; i < emitter->graph->settings.count; i++)
        count += add_setting(&emitter->graph->settings.items[i], count, &rows, &numbers);
    if (count)
        text_add(out, "static const double setting_numbers[] = { %s };\n\n", text_chars(&numbers));
    text_add(out, "static const NetSetting settings[] = {\n%s};\n\n", text_chars(&rows));
}

/* A line of C for each of the text's, which the compiler joins. */
static void emit_structure(Emitter *emitter)
{
    text_add(emitter->module.out, "static const char structure[] =");
    for (const char *line = emitter->graph->structure; line;) {
        const char *end = strchr(line, '\n');
        text_add(emitter->module.out, "\n    %s",
                 quoted(end ? format("%.*s\n", (int)(end - line), line) : line));
        line = end ? end + 1 : NULL;
    }
    text_add(emitter->module.out, ";\n\n");
}

static void emit_program_fields(Emitter *emitter, const char *name, const Plan *plan)
{
    if (!plan) {
        text_add(emitter->module.out, "    .%s = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },\n", name);
        return;
    }
    text_add(emitter->module.out,
             "    .%s = { %s, %d, %lld, %lld, %lld, %lld, %s_parts, sizeof %s_parts / sizeof "
             "*%s_parts - "
             "1, 0, 0, %s },\n",
             name, name, plan->phases, plan->scratch_elements, plan->kept_elements,
             plan->filter_elements, plan->placements[plan->logits->id].address * plan->lanes, name,
             name, name, plan->outputs.count ? format("%s_outputs", name) : "0");
}

void emit_output_places(Emitter *emitter, const Plan *plan)
{
    if (!plan || !plan->outputs.count)
        return;
    text_add(emitter->module.out, "static const int64_t %s_outputs[] = {", plan_name(plan));
    for (int i = 0; i < plan->outputs.count; i++)
        text_add(emitter->module.out, "%s %lld", i ? "," : "",
                 plan->placements[plan->outputs.items[i]->id].address * plan->lanes);
    text_add(emitter->module.out, " };\n\n");
}

static void emit_inputs(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    text_add(emitter->module.out, "static const NetInput inputs[] = {\n");
    for (int i = 0; i < graph->inputs.count; i++) {
        const Input *input = &graph->inputs.items[i];
        text_add(emitter->module.out, "    { %s, %s, %lld, %lld },\n",
                 quoted(input->name ? input->name : input->tensor->name),
                 shape_in_c(input->tensor->shape), input->tensor->choices, input->offset);
    }
    text_add(emitter->module.out, "};\n\n");
}

static void emit_outputs(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    if (!graph->outputs.count)
        return;
    text_add(emitter->module.out, "static const NetNamedOutput outputs[] = {\n");
    for (int i = 0; i < graph->outputs.count; i++)
        text_add(emitter->module.out, "    { %s, %s, %d },\n", quoted(graph->outputs.items[i].name),
                 shape_in_c(graph->outputs.items[i].tensor->shape), graph->outputs.items[i].unit);
    text_add(emitter->module.out, "};\n\n");
}

/* What each class counts, as a table; "0": all the same. */
static const char *emit_weights(Text *out, const Wanted *target, int number)
{
    if (!target->weights)
        return "0";
    text_add(out, "static const double wanted_%d_weights[] = {", number);
    for (Int i = 0; i < target->layout.classes; i++)
        text_add(out, "%s %s", i ? "," : "", number_text(target->weights[i]));
    text_add(out, " };\n");
    return format("wanted_%d_weights", number);
}

static void emit_target(Text *out, const Wanted *target, const char *weights)
{
    text_add(out, "    { %s, %s, %s, %s, %lld, %lld, %lld, %lld, %lldL, %s, %s, %s, %s, %s },\n",
             target->name ? quoted(target->name) : "0", target->loss ? quoted(target->loss) : "0",
             target->kind == TARGET_CLASSES ? "NET_CLASSES" : "NET_NUMBERS",
             shape_in_c(target->shape), target->layout.classes, target->layout.targets,
             target->layout.class_step, target->layout.target_step, target->ignored,
             number_text(target->low), number_text(target->high), target->ends ? "true" : "false",
             weights, target->standardised ? "true" : "false");
}

/* What the losses want of the data; without any the output is taken for logits. */
static int emit_wanted(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    Text *out = emitter->module.out;
    Int elements = shape_elements(graph->output->shape);
    const Wanted logits = {.kind = TARGET_CLASSES,
                           .shape = shape_of(1, elements, 1, 1),
                           .layout = {elements, 1, 1, 1},
                           .ignored = NOT_IGNORED,
                           .high = -1};
    int count = graph->loss ? graph->wanted.count : 1;
    if (count == 0)
        return 0;
    Text rows = {0};
    for (int i = 0; i < count; i++) {
        const Wanted *target = graph->loss ? &graph->wanted.items[i] : &logits;
        emit_target(&rows, target, emit_weights(out, target, i));
    }
    text_add(out, "static const NetTarget wanted[] = {\n%s};\n\n", text_chars(&rows));
    return count;
}

static const char *loss_output(const Graph *graph, const Node *loss)
{
    for (int i = 0; i < graph->outputs.count + graph->auxiliary.count; i++) {
        const Output *output = i < graph->outputs.count
                                   ? &graph->outputs.items[i]
                                   : &graph->auxiliary.items[i - graph->outputs.count];
        if (output->tensor == first_input(loss) && output->tensor != graph->output)
            return quoted(output->name);
    }
    return "0";
}

/* By the loss that reads it; without one what has one axis is taken for logits. */
static const char *output_kind(const Graph *graph)
{
    const Node *loss = graph->loss;
    const char *name = loss ? loss->op->name : "";
    if (!loss)
        return graph->output->shape.rank == 1 && graph->output->shape.dim[0] > 1
                   ? "NET_OUTPUT_LOGITS"
                   : "NET_OUTPUT_NUMBERS";
    if (loss->op->target == TARGET_CLASSES && loss->op->wants)
        return "NET_OUTPUT_NUMBERS"; /* no class for each position */
    if (loss->op->target == TARGET_CLASSES)
        return strcmp(name, "cross_entropy") == 0 ? "NET_OUTPUT_LOGITS" : "NET_OUTPUT_SCORES";
    return strcmp(name, "bce_with_logits") == 0 ? "NET_OUTPUT_LABELS" : "NET_OUTPUT_NUMBERS";
}

/* Gives how many, and in *main which is of the output. */
static int emit_losses(Emitter *emitter, int *main)
{
    const Graph *graph = emitter->graph;
    Text *out = emitter->module.out;
    int count = 0;
    *main = 0;
    if (!graph->loss)
        return 0;
    text_add(out, "static const NetLoss losses[] = {\n");
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (node->stage != STAGE_FORWARD || !(node->op->traits & OP_LOSS))
            continue;
        if (node == graph->loss)
            *main = count;
        text_add(out, "    { %s, %s, %s, %d },\n", quoted(node->op->name), loss_output(graph, node),
                 number_text(node->loss_weight), node->target);
        count++;
    }
    text_add(out, "};\n\n");
    return count;
}

/* What one target's classes are, and where they lie in the output. */
static void emit_targets(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    ClassLayout layout = {shape_elements(graph->output->shape), 1, 1, 1};
    if (graph->loss && graph->loss->op->target == TARGET_CLASSES)
        layout = class_layout_of(graph->output->shape);
    text_add(emitter->module.out,
             "    .classes = %lld, .targets = %lld,\n    .class_step = %lld, .target_step "
             "= %lld,\n",
             layout.classes, layout.targets, layout.class_step, layout.target_step);
}

/* What is computed of one step of a sequence, or which layer looks at others. */
static void emit_row_fields(Emitter *emitter)
{
    const Node *obstacle = emitter->obstacle;
    if (!emitter->one_row.length) {
        emit_program_fields(emitter, "row", NULL);
        text_add(emitter->module.out, "    .row_packings = 0, .row_packing_count = 0,\n"
                                      "    .row_packed = 0, .row_kept = 0,\n");
    }
    text_add_range(emitter->module.out, text_chars(&emitter->one_row), emitter->one_row.length);
    text_add(emitter->module.out, "    .row_obstacle = %s,\n",
             obstacle ? quoted(obstacle->path) : "0");
}

void emit_model(Emitter *emitter, const Plan *training, const Plan *inference)
{
    const Graph *graph = emitter->graph;
    emit_inputs(emitter);
    emit_outputs(emitter);
    emit_output_places(emitter, training);
    emit_output_places(emitter, inference);
    emit_parameters(emitter);
    emit_derived(emitter);
    int layers = emit_layers(emitter), main_loss, wanted = emit_wanted(emitter),
        losses = emit_losses(emitter, &main_loss);
    emit_settings(emitter);
    emit_structure(emitter);
    /* In C++ a constant is its file's own, unless it was declared as everyone's. */
    text_add(emitter->module.out, "extern const NetModel %s_model;\nconst NetModel %s_model = {\n",
             graph->name, graph->name);
    text_add(emitter->module.out, "    .name = %s,\n    .source = %s,\n", quoted(graph->name),
             quoted(graph->program->source->path));
    text_add(emitter->module.out, "    .target = %s,\n    .kernels = \"%s\",\n",
             quoted(emitter->options->target.name),
             emitter->options->reference ? "reference" : "specialised");
    text_add(
        emitter->module.out,
        "    .real_bytes = sizeof(real),\n    .lanes = LANES,\n    .input = %s,\n    .numbers = "
        "%lld,\n",
        shape_in_c(graph->input->shape), graph->input->choices);
    emit_targets(emitter);
    text_add(emitter->module.out, "    .outputs = %s, .output_count = %d,\n",
             graph->outputs.count ? "outputs" : "0", graph->outputs.count);
    text_add(emitter->module.out, "    .parameters = %s, .parameter_count = %d,\n",
             graph->parameters.count ? "parameters" : "0", graph->parameters.count);
    text_add(emitter->module.out, "    .aliases = %s, .alias_count = %d,\n",
             graph->aliases.count ? "aliases" : "0", graph->aliases.count);
    text_add(emitter->module.out, "    .derived = %s, .derived_count = %d,\n",
             graph->derived.count ? "derived" : "0", graph->derived.count);
    text_add(emitter->module.out, "    .trained = %lld, .buffers = %lld, .counters = %lld,\n",
             graph->trained_elements, graph->buffer_elements, graph->counters);
    text_add(emitter->module.out,
             "    .layers = layers, .layer_count = %d,\n    .structure = structure,\n", layers);
    text_add(emitter->module.out, "    .load_at_once = %s, .update_at_once = %s,\n",
             emitter->options->fuse & FUSE_LOAD ? "true" : "false",
             updates_at_once(graph, emitter->options->fuse) ? "true" : "false");
    emit_program_fields(emitter, "training", training);
    emit_program_fields(emitter, "inference", inference);
    if (!emitter->one_image.length) {
        emit_program_fields(emitter, "single", NULL);
        text_add(emitter->module.out, "    .packings = 0, .packing_count = 0, .packed = 0,\n");
    }
    text_add_range(emitter->module.out, text_chars(&emitter->one_image), emitter->one_image.length);
    text_add(emitter->module.out, "    .settings = %s, .setting_count = %d,\n",
             graph->settings.count ? "settings" : "0", graph->settings.count);
    text_add(emitter->module.out,
             "    .peak = peak,\n    .features = NET_COMPILED_FOR,\n"
             "    .inputs = inputs, .input_count = %d,\n",
             graph->inputs.count);
    emit_row_fields(emitter);
    text_add(emitter->module.out,
             "    .wanted = %s, .wanted_count = %d,\n    .losses = %s, .loss_count = "
             "%d, .main_loss = %d,\n    .output_kind = %s,\n    .output = %s,\n};\n\n"
             "#ifdef __cplusplus\n}\n#endif\n\n"
             "#ifndef NET_NO_MAIN           /* a program of your own that includes this file */\n"
             "int main(int argc, char **argv)\n{\n    return net_main(&%s_model, argc, "
             "argv);\n}\n#endif\n",
             wanted ? "wanted" : "0", wanted, losses ? "losses" : "0", losses, main_loss,
             output_kind(graph), shape_in_c(graph->output->shape), graph->name);
}
