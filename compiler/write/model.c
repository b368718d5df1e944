/* The tables at the end of the emitted file: every parameter with its path,
 * place and initialisation, every layer, every setting, and the constant
 * NetModel that points to them and to the phases. */
#include "write/emit.h"

#include <string.h>

static const char *shape_fields(Shape shape)
{
    return format("{ %d, %lld, %lld, %lld }", shape.rank, shape.dim[0], shape.dim[1], shape.dim[2]);
}

static const char *kind_name(ParameterKind kind)
{
    switch (kind) {
    case PARAMETER_TRAINED:
        return "NET_TRAINED";
    case PARAMETER_BUFFER:
        return "NET_BUFFER";
    case PARAMETER_COUNTER:
        return "NET_COUNTER";
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
    }
    unreachable();
}

static void emit_parameters(Emitter *emitter)
{
    const Graph *graph = emitter->graph;
    if (!graph->parameters.count)
        return;
    text_add(emitter->module.out, "static const NetParameter parameters[] = {\n");
    for (int i = 0; i < graph->parameters.count; i++) {
        const Parameter *p = graph->parameters.items[i];
        text_add(
            emitter->module.out,
            "    { %s, %s, %d, { %lld, %lld, %lld, %lld }, %lld, %lld, %s, %s, %s, %s, %s, %d },\n",
            quoted(p->path), kind_name(p->kind), p->rank, p->dim[0], p->dim[1], p->dim[2],
            p->dim[3], p->offset, p->elements, init_name(p->init.kind), number_text(p->init.a),
            number_text(p->init.b), p->whole_batch ? "true" : "false", p->frozen ? "true" : "false",
            p->group);
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
                 shape_fields(node->inputs.items[0]->shape), shape_fields(node->out->shape),
                 trained_elements(node), node_multiply_adds(node), node->span.line,
                 node->op->traits & OP_STATISTICS ? "true" : "false");
        count++;
    }
    text_add(emitter->module.out,
             "    { 0, 0, { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, 0, 0, 0, false },\n};\n\n");
    return count;
}

static void emit_setting(Emitter *emitter, const Setting *setting)
{
    switch (setting->kind) {
    case SETTING_NUMBER:
        text_add(emitter->module.out, "    { %s, 0, 1, (const double[]){ %s } },\n",
                 quoted(setting->path), number_text(setting->number));
        break;
    case SETTING_WORD:
        text_add(emitter->module.out, "    { %s, %s, 0, 0 },\n", quoted(setting->path),
                 quoted(setting->word));
        break;
    case SETTING_LIST:
        text_add(emitter->module.out, "    { %s, 0, %d, (const double[]){", quoted(setting->path),
                 setting->list.count);
        for (int i = 0; i < setting->list.count; i++)
            text_add(emitter->module.out, " %s,", number_text(setting->list.items[i]));
        text_add(emitter->module.out, " } },\n");
        break;
    }
}

static void emit_settings(Emitter *emitter)
{
    if (!emitter->graph->settings.count)
        return;
    text_add(emitter->module.out, "static const NetSetting settings[] = {\n");
    for (int i = 0; i < emitter->graph->settings.count; i++)
        emit_setting(emitter, &emitter->graph->settings.items[i]);
    text_add(emitter->module.out, "};\n\n");
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
    text_add(emitter->module.out,
             "    .%s = { %s, %d, %lld, %lld, %lld, %s_parts, sizeof %s_parts / sizeof *%s_parts - "
             "1 },\n",
             name, name, plan->phases, plan->scratch_elements, plan->kept_elements,
             plan->places[plan->logits->id].place * plan->lanes, name, name, name);
}

void emit_model(Emitter *emitter, const Plan *training, const Plan *inference)
{
    const Graph *graph = emitter->graph;
    emit_parameters(emitter);
    int layers = emit_layers(emitter);
    emit_settings(emitter);
    emit_structure(emitter);
    text_add(emitter->module.out, "const NetModel %s_model = {\n", graph->name);
    text_add(emitter->module.out, "    .name = %s,\n    .source = %s,\n", quoted(graph->name),
             quoted(graph->program->source->path));
    text_add(emitter->module.out, "    .target = %s,\n    .kernels = \"%s\",\n",
             quoted(emitter->options->target.name),
             emitter->options->reference ? "reference" : "specialised");
    text_add(emitter->module.out,
             "    .real_bytes = sizeof(real),\n    .lanes = LANES,\n    .input = %s,\n    .classes "
             "= %lld,\n",
             shape_fields(graph->input->shape), shape_elements(graph->output->shape));
    if (graph->parameters.count)
        text_add(emitter->module.out, "    .parameters = parameters,\n    .parameter_count = %d,\n",
                 graph->parameters.count);
    text_add(emitter->module.out,
             "    .trained = %lld,\n    .buffers = %lld,\n    .counters = %lld,\n",
             graph->trained_elements, graph->buffer_elements, graph->counters);
    text_add(emitter->module.out,
             "    .layers = layers,\n    .layer_count = %d,\n    .structure = structure,\n",
             layers);
    text_add(emitter->module.out, "    .load_at_once = %s,\n    .update_at_once = %s,\n",
             emitter->options->fuse & FUSE_LOAD ? "true" : "false",
             updates_at_once(graph, emitter->options->fuse) ? "true" : "false");
    if (training)
        emit_program_fields(emitter, "training", training);
    emit_program_fields(emitter, "inference", inference);
    text_add_range(emitter->module.out, text_chars(&emitter->single), emitter->single.length);
    if (graph->settings.count)
        text_add(emitter->module.out, "    .settings = settings,\n    .setting_count = %d,\n",
                 graph->settings.count);
    text_add(emitter->module.out,
             "    .peak = peak,\n    .features = NET_COMPILED_FOR,\n};\n\n"
             "#ifndef NET_NO_MAIN           /* a program of your own that includes this file */\n"
             "int main(int argc, char **argv)\n{\n    return net_main(&%s_model, argc, "
             "argv);\n}\n#endif\n",
             graph->name);
}
