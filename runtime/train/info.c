/* info.c: what a compiled network says of itself. */
#include "runtime.h"

#include <inttypes.h>
#include <string.h>

static const char *shape_text(char *text, NetShape shape)
{
    const int64_t dims[][4] = {{shape.c},
                               {shape.c, shape.w},
                               {shape.c, shape.h, shape.w},
                               {shape.c, shape.d, shape.h, shape.w}};
    return net_shape_text(text, shape.rank, dims[shape.rank - 1]);
}

static void print_layers(const NetModel *model, FILE *out)
{
    char in[NET_SHAPE_TEXT], after[NET_SHAPE_TEXT];
    int width = (int)strlen("layer");
    for (int i = 0; i < model->layer_count; i++)
        if ((int)strlen(model->layers[i].path) > width)
            width = (int)strlen(model->layers[i].path);
    fprintf(out, "\n%-*s  %-20s %-18s %-18s %12s %14s\n", width, "layer", "operator", "in", "out",
            "parameters", "multiply-adds");
    for (int i = 0; i < model->layer_count; i++) {
        const NetLayer *layer = &model->layers[i];
        fprintf(out, "%-*s  %-20s %-18s %-18s %12" PRId64 " %14" PRId64 "\n", width, layer->path,
                layer->op, shape_text(in, layer->in), shape_text(after, layer->out),
                layer->parameters, layer->multiply_adds);
    }
}

static void print_totals(const NetModel *model, FILE *out)
{
    int64_t parameters = 0, multiply_adds = 0;
    for (int i = 0; i < model->parameter_count; i++)
        if (model->parameters[i].kind == NET_TRAINED)
            parameters += model->parameters[i].elements;
    for (int i = 0; i < model->layer_count; i++)
        multiply_adds += model->layers[i].multiply_adds;
    fprintf(out, "\nparameters      %" PRId64 "\nmultiply-adds   %" PRId64 " per %s\n", parameters,
            multiply_adds, net_noun(model).one);
}

static void print_arena(FILE *out, const char *name, const NetProgram *program)
{
    if (program->phase_count > 0)
        fprintf(out,
                "%-15s %d phase%s; %" PRId64 " bytes of scratch per thread, %" PRId64
                " kept per grain, %" PRId64 " of filters\n",
                name, program->phase_count, program->phase_count == 1 ? "" : "s",
                (program->scratch_elements * (int64_t)sizeof(real)),
                (program->kept_elements * (int64_t)sizeof(real)),
                (program->filter_elements * (int64_t)sizeof(real)));
}

/* How a text is gone on with. */
static void print_generate(const NetModel *model, FILE *out)
{
    if (!net_can_generate(model))
        return;
    if (model->row.phase_count > 0)
        fprintf(out,
                "generate        one step for each character; %" PRId64 " bytes kept of those "
                "before\n",
                model->row_kept * (int64_t)sizeof(real));
    else if (model->row_obstacle)
        fprintf(out,
                "generate        all steps again for each character, as %s looks at other steps\n",
                SHOWN(model->row_obstacle));
    else
        fprintf(out, "generate        all steps again for each character\n");
}

static void print_settings(const NetModel *model, FILE *out)
{
    if (model->setting_count > 0)
        fprintf(out, "\n");
    for (int i = 0; i < model->setting_count; i++) {
        const NetSetting *setting = &model->settings[i];
        fprintf(out, "%-23s %s", setting->path, SHOWN(setting->word ? setting->word : ""));
        for (int n = 0; n < setting->count; n++)
            fprintf(out, "%s%.10g", n ? ", " : "", setting->numbers[n]);
        fprintf(out, "\n");
    }
}

/* One has no need of a name. */
static void print_inputs(const NetModel *model, FILE *out)
{
    char shape[NET_SHAPE_TEXT];
    for (int i = 0; i < model->input_count; i++) {
        const NetInput *input = &model->inputs[i];
        fprintf(out, "input           %s%s%s", model->input_count > 1 ? input->name : "",
                model->input_count > 1 ? " " : "", shape_text(shape, input->shape));
        if (input->numbers && model->input_count > 1)
            fprintf(out, " of %" PRId64, input->numbers);
        fprintf(out, "\n");
    }
}

void net_info(const NetModel *model, FILE *out)
{
    char output[NET_SHAPE_TEXT];
    fprintf(
        out,
        "network         %s, from %s\ntarget          %s\nkernels         %s\nelement type    %s\n"
        "grain           %d %s\n",
        model->name, SHOWN(model->source), model->target, model->kernels,
        model->real_bytes == 4 ? "float32" : "float64", model->lanes, net_noun(model).many);
    print_inputs(model, out);
    if (net_has_classes(model))
        fprintf(out, "classes         %" PRId64 "\n", model->classes);
    if (!net_has_classes(model) || model->targets > 1)
        fprintf(out, "output          %s\n", shape_text(output, model->output));
    print_layers(model, out);
    print_totals(model, out);
    print_arena(out, "training", &model->training);
    print_arena(out, "inference", &model->inference);
    print_generate(model, out);
    print_settings(model, out);
}
