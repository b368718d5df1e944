/* summary.c: what a network is, layer by layer, as a table in the manner of
 * torchinfo or as JSON with fixed keys.
 *
 * Requires a planned graph; changes nothing.  All numbers are per image: the
 * table shows what a reader would work out from the .net file by hand, and the
 * arena's size beside the least that any placement could reach.
 */
#include "report/report.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------ what is counted */

static bool is_layer(const Node *node)
{
    return node->stage == STAGE_FORWARD && !(node->op->traits & OP_LOSS);
}

static Int total(const Graph *graph, Int (*count)(const Node *node))
{
    Int sum = 0;
    for (int i = 0; i < graph->nodes.count; i++)
        if (is_layer(graph->nodes.items[i])
            && __builtin_add_overflow(sum, count(graph->nodes.items[i]), &sum))
            return INT64_MAX;
    return sum;
}

static Int real_bytes(const CompileOptions *options)
{
    return options->f64 ? 8 : 4;
}

static Int arena_bytes(const Plan *plan, const CompileOptions *options)
{
    return (plan->scratch_elements + plan->kept_elements + plan->filter_elements)
           * real_bytes(options);
}

/* ------------------------------------------------------------- the table */

enum { COLUMNS = 6 };
typedef struct Row {
    const char *cell[COLUMNS];
} Row;
typedef LIST(Row) Table;

static const bool right_aligned[COLUMNS] = {false, false, false, false, true, true};

static const char *or_dash(Int number)
{
    return number ? with_separators(number) : "-";
}

static const char *input_shapes(const Node *node)
{
    Text text = {0};
    for (int i = 0; i < node->inputs.count; i++)
        text_add(&text, "%s%s", i ? " " : "", shape_text(node->inputs.items[i]->shape));
    return text_chars(&text);
}

static Table make_table(const Graph *graph)
{
    Table table = {0};
    push(&table, ((Row){{"layer", "operator", "in", "out", "parameters", "multiply-adds"}}));
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.items[i];
        if (!is_layer(node))
            continue;
        push(&table,
             ((Row){{node->path, node->op->name, input_shapes(node), shape_text(node->out->shape),
                     or_dash(trained_elements(node)), or_dash(node_multiply_adds(node))}}));
    }
    push(&table, ((Row){{"total", "", "", "", with_separators(total(graph, trained_elements)),
                         with_separators(total(graph, node_multiply_adds))}}));
    return table;
}

static void measure(const Table *table, int *widths)
{
    for (int i = 0; i < table->count; i++)
        for (int c = 0; c < COLUMNS; c++) {
            int width = (int)strlen(table->items[i].cell[c]);
            if (width > widths[c])
                widths[c] = width;
        }
}

static void print_row(const Row *row, const int *widths, FILE *out)
{
    Text line = {0};
    for (int c = 0; c < COLUMNS; c++)
        text_add(&line, right_aligned[c] ? "%s%*s" : "%s%-*s", c ? "  " : "", widths[c],
                 row->cell[c]);
    while (line.length && line.chars[line.length - 1] == ' ')
        line.length--;
    fprintf(out, "%.*s\n", (int)line.length, text_chars(&line));
}

static void print_rule(const int *widths, FILE *out)
{
    int width = 2 * (COLUMNS - 1);
    for (int c = 0; c < COLUMNS; c++)
        width += widths[c];
    for (int i = 0; i < width; i++)
        fputc('-', out);
    fputc('\n', out);
}

void write_summary(const Graph *graph, const Plan *plan, const CompileOptions *options, FILE *out)
{
    Table table = make_table(graph);
    int widths[COLUMNS] = {0};
    measure(&table, widths);
    fprintf(out, "%s  %s\n", graph->name, inputs_text(graph));
    print_rule(widths, out);
    for (int i = 0; i < table.count; i++) {
        if (i == 1 || i == table.count - 1)
            print_rule(widths, out);
        print_row(&table.items[i], widths, out);
    }
    print_rule(widths, out);
    for (int i = 0; i < graph->outputs.count; i++)
        fprintf(out, "output            %s = %s %s\n", graph->outputs.items[i].name,
                graph->outputs.items[i].tensor->name,
                shape_text(graph->outputs.items[i].tensor->shape));
    fprintf(out, "parameters        %s bytes\n",
            with_separators(total(graph, trained_elements) * real_bytes(options)));
    fprintf(out, "arena, %s  %s bytes for %d images at a time (lower bound %s)\n",
            plan->training ? "training " : "inference", with_separators(arena_bytes(plan, options)),
            plan->lanes, with_separators(plan->lower_bound * real_bytes(options)));
}

/* -------------------------------------------------------------- as JSON */

/* cJSON keeps numbers as doubles and prints 15 digits: whole numbers go in as text. */
static cJSON *json_integer(Int number)
{
    return cJSON_CreateRaw(format("%lld", number));
}

static cJSON *json_dims(int rank, const Int *dim)
{
    cJSON *array = cJSON_CreateArray();
    for (int i = 0; i < rank; i++)
        cJSON_AddItemToArray(array, json_integer(dim[i]));
    return array;
}

static cJSON *json_shape(Shape shape)
{
    return json_dims(shape.rank, shape.dim);
}

/* One shape; for an operator that joins, an array of them. */
static cJSON *json_inputs(const Node *node)
{
    if (node->inputs.count == 1)
        return json_shape(node->inputs.items[0]->shape);
    cJSON *array = cJSON_CreateArray();
    for (int i = 0; i < node->inputs.count; i++)
        cJSON_AddItemToArray(array, json_shape(node->inputs.items[i]->shape));
    return array;
}

static cJSON *json_layer(const Node *node)
{
    cJSON *layer = cJSON_CreateObject();
    cJSON_AddStringToObject(layer, "name", node->path);
    cJSON_AddStringToObject(layer, "operator", node->op->name);
    cJSON_AddItemToObject(layer, "in", json_inputs(node));
    cJSON_AddItemToObject(layer, "out", json_shape(node->out->shape));
    cJSON_AddItemToObject(layer, "parameters", json_integer(trained_elements(node)));
    cJSON_AddItemToObject(layer, "multiply_adds", json_integer(node_multiply_adds(node)));
    cJSON_AddItemToObject(layer, "line", json_integer(node->span.line));
    return layer;
}

/* choices: of whole numbers, how many there are; 0: it holds real ones. */
static cJSON *json_input(const Input *input)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", input->tensor->name);
    cJSON_AddItemToObject(object, "shape", json_shape(input->tensor->shape));
    cJSON_AddItemToObject(object, "choices", json_integer(input->tensor->choices));
    return object;
}

static cJSON *json_output(const Output *output)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", output->name);
    cJSON_AddStringToObject(object, "layer", output->tensor->name);
    cJSON_AddItemToObject(object, "shape", json_shape(output->tensor->shape));
    return object;
}

/* One tensor of the state_dict; dtype in safetensors' words. */
static cJSON *json_parameter(const char *path, const Parameter *parameter,
                             const CompileOptions *options)
{
    cJSON *state = cJSON_CreateObject();
    cJSON_AddStringToObject(state, "name", path);
    cJSON_AddItemToObject(state, "shape", json_dims(parameter->rank, parameter->dim));
    cJSON_AddStringToObject(state, "dtype",
                            parameter->kind == PARAMETER_COUNTER ? "I64"
                            : options->f64                       ? "F64"
                                                                 : "F32");
    return state;
}

void write_summary_json(const Graph *graph, const Plan *plan, const CompileOptions *options,
                        FILE *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "network", graph->name);
    cJSON_AddItemToObject(root, "parameters", json_integer(total(graph, trained_elements)));
    cJSON_AddItemToObject(root, "multiply_adds", json_integer(total(graph, node_multiply_adds)));
    cJSON_AddItemToObject(root, "arena_bytes", json_integer(arena_bytes(plan, options)));
    cJSON_AddItemToObject(root, "arena_lower_bound",
                          json_integer(plan->lower_bound * real_bytes(options)));
    cJSON *state = cJSON_AddArrayToObject(root, "state");
    for (int i = 0; i < graph->parameters.count; i++)
        cJSON_AddItemToArray(state, json_parameter(graph->parameters.items[i]->path,
                                                   graph->parameters.items[i], options));
    for (int i = 0; i < graph->aliases.count; i++)
        cJSON_AddItemToArray(state, json_parameter(graph->aliases.items[i].path,
                                                   graph->aliases.items[i].parameter, options));
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (int i = 0; i < graph->nodes.count; i++)
        if (is_layer(graph->nodes.items[i]))
            cJSON_AddItemToArray(layers, json_layer(graph->nodes.items[i]));
    cJSON *outputs = cJSON_AddArrayToObject(root, "outputs");
    for (int i = 0; i < graph->outputs.count; i++)
        cJSON_AddItemToArray(outputs, json_output(&graph->outputs.items[i]));
    cJSON *inputs = cJSON_AddArrayToObject(root, "inputs");
    for (int i = 0; i < graph->inputs.count; i++)
        cJSON_AddItemToArray(inputs, json_input(&graph->inputs.items[i]));
    char *text = cJSON_Print(root);
    fprintf(out, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(root);
}
