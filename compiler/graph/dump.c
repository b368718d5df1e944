/* dump.c: the graph as text, one line per node, stable from run to run: what
 * `netc --dump=graph` and `--dump=gradient` print and the golden tests compare.
 */
#include "graph/build.h"

static void dump_tensor(const char *before, const Tensor *tensor, FILE *out)
{
    fprintf(out, "%s%s %s", before, tensor->name, shape_text(tensor->shape));
    if (tensor->base != tensor)
        fprintf(out, " in %s at %lld", tensor->base->name, tensor->offset);
}

/* The arguments that are not what they would be unwritten, and the inputs. */
static void add_call(Text *text, const Node *node, bool assertions)
{
    const ArgSpec *specs = node->op->args;
    const char *separator = "(";
    for (int i = 0; specs != NULL && specs[i].name != NULL; i++) {
        if (argument_is_default(specs, node->args, i) || (specs[i].assertion && !assertions))
            continue;
        text_add(text, "%s%s=%s", separator, specs[i].name,
                 argument_text(&specs[i], &node->args[i]));
        separator = ", ";
    }
    text_add(text, "%s", separator[0] == ',' ? ")" : "");
    for (int i = 0; i < node->inputs.count; i++)
        text_add(text, "%s%s", i > 0 ? ", " : " of ", node->inputs.items[i]->name);
}

/* The parameters that are another layer's. */
static void add_shared(Text *text, const Node *node)
{
    for (int i = 0; i < node->parameters.count; i++)
        if (!owns_parameter(node, node->parameters.items[i]))
            text_add(text, ", %s %s", parameter_name(node, i), node->parameters.items[i]->path);
}

const char *structure_text(const Graph *graph)
{
    Text text = {0};
    text_add(&text, "input %s\n", inputs_text(graph));
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (node->stage != STAGE_FORWARD || node->out == NULL)
            continue;
        text_add(&text, "%s = %s", node->path, node->op->name);
        add_call(&text, node, false);
        add_shared(&text, node);
        text_add(&text, "\n");
    }
    for (int i = 0; i < graph->outputs.count; i++)
        text_add(&text, "output %s of %s\n", graph->outputs.items[i].name,
                 graph->outputs.items[i].tensor->name);
    text_add(&text, "output %s", graph->output->name);
    return text_chars(&text);
}

static void dump_init(const Parameter *parameter, FILE *out)
{
    if (parameter->sources[0]) {
        fprintf(out, "made of %s", parameter->sources[0]->path);
        if (parameter->sources[1])
            fprintf(out, ", %s", parameter->sources[1]->path);
        fprintf(out, "\n");
        return;
    }
    switch (parameter->kind) {
    case PARAMETER_TRAINED:
        fprintf(out, "trained ");
        break;
    case PARAMETER_BUFFER:
        fprintf(out, "buffer ");
        break;
    case PARAMETER_COUNTER:
        fprintf(out, "counter ");
        break;
    case PARAMETER_CONSTANT:
        fprintf(out, "constant\n");
        return;
    }
    switch (parameter->init.kind) {
    case INIT_CONSTANT:
        fprintf(out, "%.6g", parameter->init.a);
        break;
    case INIT_UNIFORM:
        fprintf(out, "uniform %.6g to %.6g", parameter->init.a, parameter->init.b);
        break;
    case INIT_NORMAL:
        fprintf(out, "normal %.6g, %.6g", parameter->init.a, parameter->init.b);
        break;
    case INIT_TRUNCATED:
        fprintf(out, "normal %.6g, %.6g from %.6g to %.6g", parameter->init.a, parameter->init.b,
                parameter->low, parameter->high);
        break;
    case INIT_ORTHOGONAL:
        fprintf(out, "orthogonal %.6g", parameter->init.a);
        break;
    case INIT_DIRAC:
        fprintf(out, "dirac of %.6g", parameter->init.a);
        break;
    case INIT_EYE:
        fprintf(out, "eye");
        break;
    case INIT_SPARSE:
        fprintf(out, "sparse %.6g, %.6g", parameter->init.a, parameter->init.b);
        break;
    }
    if (parameter->group > 0)
        fprintf(out, ", group %d", parameter->group);
    if (parameter->layer > 0)
        fprintf(out, ", %d layer%s before the end", parameter->layer,
                parameter->layer == 1 ? "" : "s");
    fprintf(out, "%s\n", parameter->frozen ? ", frozen" : "");
}

static void dump_parameters(const Node *node, FILE *out)
{
    for (int i = 0; i < node->parameters.count; i++) {
        const Parameter *parameter = node->parameters.items[i];
        fprintf(out, "        %s [", parameter->path);
        for (int k = 0; k < parameter->rank; k++)
            fprintf(out, "%s%lld", k > 0 ? ", " : "", parameter->dim[k]);
        fprintf(out, "] ");
        dump_init(parameter, out);
    }
}

static void dump_forward(const Node *node, FILE *out)
{
    Text call = {0};
    add_call(&call, node, true);
    fprintf(out, "%s", text_chars(&call));
    if (node->out != NULL)
        dump_tensor(" -> ", node->out, out);
    if (node->aux != NULL)
        dump_tensor("; ", node->aux, out);
    if (node->statistics != NULL)
        dump_tensor("; ", node->statistics, out);
    fprintf(out, "\n");
    dump_parameters(node, out);
}

static void dump_backward(const Node *node, FILE *out)
{
    if (node->stage == STAGE_BACKWARD_INPUT)
        fprintf(out, " input %d", node->which);
    if (node->dy != NULL)
        dump_tensor(" of ", node->dy, out);
    if (node->from != NULL)
        dump_tensor(" of ", node->from, out);
    if (node->contribution != NULL)
        dump_tensor(node->stage == STAGE_ADD_GRADIENTS ? " of " : " alone -> ", node->contribution,
                    out);
    if (node->dx != NULL)
        dump_tensor(node->accumulate ? " added to " : " -> ", node->dx, out);
    fprintf(out, "\n");
}

static void dump_node(const Node *node, FILE *out)
{
    fprintf(out, "%4d  %s", node->id, stage_name(node->stage));
    if (node->op != NULL)
        fprintf(out, " %s", node->op->name);
    if (node->op != NULL && (node->op->traits & OP_LOSS) && node->loss_weight != 1)
        fprintf(out, " times %.10g", node->loss_weight);
    if (node->path != NULL && (node->stage != STAGE_FORWARD || node->out == NULL))
        fprintf(out, " %s", node->path);
    if (node->stage == STAGE_FORWARD)
        dump_forward(node, out);
    else
        dump_backward(node, out);
}

static void dump_setting(const Setting *setting, FILE *out)
{
    fprintf(out, "  %s", setting->path);
    switch (setting->kind) {
    case SETTING_NUMBER:
        fprintf(out, " %.10g", setting->number);
        break;
    case SETTING_WORD:
        fprintf(out, " %s", setting->word);
        break;
    case SETTING_LIST:
        for (int i = 0; i < setting->list.count; i++)
            fprintf(out, " %.10g", setting->list.items[i]);
        break;
    }
    fprintf(out, "\n");
}

static void dump_output(const Output *output, const char *kind, FILE *out)
{
    fprintf(out, "%s %s", kind, output->name);
    dump_tensor(" = ", output->tensor, out);
    fprintf(out, "\n");
}

void dump_graph(const Graph *graph, FILE *out)
{
    fprintf(out, "graph %s: ", graph->name);
    for (int i = 0; i < graph->inputs.count; i++)
        dump_tensor(i > 0 ? ", " : "", graph->inputs.items[i].tensor, out);
    fprintf(out, " -> %s %s\n", graph->output->name, shape_text(graph->output->shape));
    for (int i = 0; i < graph->outputs.count; i++)
        dump_output(&graph->outputs.items[i], "output", out);
    for (int i = 0; i < graph->auxiliary.count; i++)
        dump_output(&graph->auxiliary.items[i], "output of training", out);
    for (int i = 0; i < graph->nodes.count; i++)
        dump_node(graph->nodes.items[i], out);
    if (graph->settings.count > 0)
        fprintf(out, "train\n");
    for (int i = 0; i < graph->settings.count; i++)
        dump_setting(&graph->settings.items[i], out);
}
