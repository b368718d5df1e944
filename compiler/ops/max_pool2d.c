/* max_pool2d.c: the largest value of each window along one, two or three axes: of windows that
 * slide, and of the adaptive ones, whose size follows from the wanted output.  The forward pass
 * notes which tap of the window won (aux, of the output's shape, counted slice by slice and row by
 * row), so the backward pass needs neither x nor y: an activation may overwrite y in place.
 */
#include "kernels/grain/pool.h"
#include "kernels/image/image.h"
#include "ops/operator.h"
#include "ops/window.h"

enum { KERNEL_SIZE, STRIDE, PADDING, DILATION, CEIL_MODE };

/* clang-format off */
#define ARGUMENTS(sizes, what) { \
    [KERNEL_SIZE] = {"kernel_size", sizes, ROLE_KERNEL, .positional = true, .minimum = 1, \
                     .maximum = LARGEST, .doc = "Size of the window."}, \
    [STRIDE] = {"stride", sizes, ROLE_STRIDE, .otherwise = "=kernel_size", .minimum = 1, \
                .maximum = LARGEST, .doc = "Step of the window."}, \
    [PADDING] = {"padding", sizes, ROLE_PADDING, .otherwise = "0", .maximum = LARGEST, \
                 .doc = what " of -inf added at both ends, at most half of kernel_size."}, \
    [DILATION] = {"dilation", sizes, ROLE_DILATION, .otherwise = "1", .minimum = 1, \
                  .maximum = LARGEST, .doc = "Distance between the window's taps."}, \
    [CEIL_MODE] = {"ceil_mode", ARG_BOOL, ROLE_CEIL_MODE, .otherwise = "false", \
                   .doc = "Rounds the output size up: a last window may hang over the end."}, \
    {0}}
/* clang-format on */

static const ArgSpec args_of_1[] = ARGUMENTS(ARG_SINGLE, "Steps");
static const ArgSpec args_of_2[] = ARGUMENTS(ARG_PAIR, "Rows and columns");
static const ArgSpec args_of_3[] = ARGUMENTS(ARG_TRIPLE, "Slices, rows and columns");

/* A fitted window that shares values with both neighbours has one more than its share. */
static Int max_taps(const Node *node, int axis)
{
    bool shares = node->op->window == WINDOW_FITTED
                  && input_shape(node).dim[1 + axis] % node->out_shape.dim[1 + axis];
    return node_window(node, axis).kernel + shares;
}

/* aux holds a tap's number as a real: exact in float up to 2^24. */
static bool taps_countable(const Node *node)
{
    Text sizes = {0};
    Int kernel[MAX_RANK];
    for (int axis = 0; axis < window_axes(node); axis++) {
        kernel[axis] = max_taps(node, axis);
        text_add(&sizes, "%s%lld", axis ? " by " : "", kernel[axis]);
    }
    if (saturating_product(window_axes(node), kernel) <= 1 << 24)
        return true;
    int arg = role_arg(node->op, ROLE_KERNEL);
    Diagnostic *d =
        node_error(node, "argument-range", arg < 0 ? node->span : node->args[arg].span,
                   "%s: a window of %s is too large", node->op->name, text_chars(&sizes));
    diag_caption(d, "at most %d taps", 1 << 24);
    return false;
}

static bool notes_taps(Node *node)
{
    node->aux_shape = node->out_shape;
    return taps_countable(node);
}

static bool infer(Node *node)
{
    return padding_at_most_half(node) && infer_window_shape(node, input_shape(node).dim[0])
           && notes_taps(node);
}

static bool infer_adaptive(Node *node)
{
    infer_fitted_shape(node);
    return notes_taps(node);
}

/* A dilated window may lie in the padding alone: its y is -inf, which no x is. */
static bool is_max_pool(const Node *node)
{
    bool close = true;
    for (int axis = 0; axis < window_axes(node); axis++)
        close &= node_window(node, axis).dilation == 1;
    return close;
}

/* Inside: `window` is the first element of a window of x's shape, `p` counts outputs. */
static void open_windows(Kernel *kernel, const char *window)
{
    Axis rows = layer_axis(kernel->node, ROWS), columns = layer_axis(kernel->node, COLUMNS);
    open_pieces(kernel, "c", input_shape(kernel->node).dim[0]);
    kernel_line(kernel, "int64_t p = c * %lldL;", rows.positions * columns.positions);
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", rows.positions);
    kernel_line(kernel, "for (int column = 0; column < %lld; column++, p++) {", columns.positions);
    kernel_line(kernel, "%s + (c * %lld + row * %lld) * %lld + column * %lld;", window,
                rows.sources, rows.taps, columns.sources, columns.taps);
}

static void close_windows(Kernel *kernel)
{
    for (int i = 0; i < 3; i++)
        kernel_line(kernel, "}");
}

/* Of the window that v points to, in a whole tensor. */
static const char *stored_value(const void *pool, Int tap)
{
    Int columns = pooled_columns(pool), width = shape_last(input_shape(pool));
    return format("v[%lld]", tap / columns * width + tap % columns);
}

static void emit_forward(Kernel *kernel)
{
    open_windows(kernel, "const vec *v = x");
    emit_pool_window(kernel, kernel->node, stored_value, kernel->node);
    close_windows(kernel);
}

/* Elements no window covers have no gradient. */
static void clear_uncovered(Kernel *kernel, Int rows, Int columns)
{
    const Node *node = kernel->node;
    Shape in = input_shape(node);
    if (!node->accumulate && shape_plane(node->out->shape) * rows * columns < shape_plane(in)) {
        open_pieces(kernel, "c", in.dim[0]);
        kernel_line(kernel, "for (int64_t i = c * %lldL; i < (c + 1) * %lldL; i++)",
                    shape_plane(in), shape_plane(in));
        kernel_line(kernel, "    dx[i] = (vec){ 0 };");
        kernel_line(kernel, "}");
    }
}

static void emit_backward(Kernel *kernel, Int rows, Int columns)
{
    Int width = shape_last(input_shape(kernel->node));
    clear_uncovered(kernel, rows, columns);
    open_windows(kernel, "vec *v = dx");
    kernel_line(kernel, "const vec d = dy[p], which = aux[p];");
    for (Int tap = 0; tap < rows * columns; tap++)
        kernel_line(kernel, "v[%lld] %s (vec)((mask)d & (which == (vec){ 0 } + (real)%lld));",
                    tap / columns * width + tap % columns, kernel->node->accumulate ? "+=" : "=",
                    tap);
    close_windows(kernel);
}

/* ------------------------------------------------- windows that overlap
 * … or reach into the padding, or lie apart. */

enum { MAX_TAPS = 16 }; /* of a window's columns: their text is written out */

/* Opens loops over the channels and the rows of an axis. */
static void open_plane(Kernel *kernel, const Axis *rows)
{
    open_pieces(kernel, "c", input_shape(kernel->node).dim[0]);
    kernel_line(kernel, "for (int row = 0; row < %lld; row++) {", rows->positions);
    declare_row_taps(kernel, rows);
}

static void close_plane(Kernel *kernel)
{
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* As emit_pool_window(), of the taps that lie inside; where none does, y is -inf, noted as -1. */
static void emit_any_window(Kernel *kernel, const Axis *rows, const Axis *columns, Run run)
{
    bool notes = kernel->training;
    open_run(kernel, columns, run);
    kernel_line(kernel, "const int64_t p = (c * %lldL + row) * %lldL + column;", rows->positions,
                columns->positions);
    kernel_line(kernel, "vec best = (vec){ 0 } - (real)__builtin_inf(), value%s;",
                notes ? ", which = (vec){ 0 } - 1" : "");
    kernel_line(kernel, "mask takes;");
    open_row_taps(kernel, rows);
    kernel_line(kernel, "const vec *v = x + (c * %lldL + line) * %lldL + source;", rows->sources,
                columns->sources);
    for (Int tap = 0; tap < columns->taps; tap++) {
        Int source = axis_source(columns, run.start, tap);
        if (source >= 0)
            emit_pool_take(kernel, format("v[%lld]", source - first_source(columns, run.start)),
                           format("(tap * %lld + %lld)", columns->taps, tap),
                           notes ? " | (which < (vec){ 0 })" : "");
    }
    kernel_line(kernel, "}");
    kernel_store(kernel, "y[p]", "p", "best");
    if (notes)
        kernel_line(kernel, "aux[p] = which;");
    kernel_line(kernel, "}");
}

static void emit_any_forward(Kernel *kernel)
{
    Axis rows = layer_rows(kernel->node), columns = layer_axis(kernel->node, COLUMNS);
    RunList runs = {0};
    split_columns(&columns, 1, &runs);
    open_plane(kernel, &rows);
    for (int i = 0; i < runs.count; i++)
        emit_any_window(kernel, &rows, &columns, runs.items[i]);
    close_plane(kernel);
}

/* Whether a window takes any of a tile's columns: none does where the stride or the dilation
 * steps over them. */
static bool is_taken(const Axis *columns, Run run)
{
    for (Int x = 0; x < run.width; x++)
        for (Int tap = 0; tap < columns->taps; tap++)
            if (axis_source(columns, run.start + x, tap) >= 0)
                return true;
    return false;
}

static void add_chosen(Kernel *kernel, const Axis *rows, const Axis *columns, Run run)
{
    open_row_taps(kernel, rows);
    kernel_line(kernel, "const int64_t p = (c * %lldL + line) * %lldL + source;", rows->sources,
                columns->sources);
    for (Int x = 0; x < run.width; x++)
        for (Int tap = columns->taps - 1; tap >= 0; tap--) {
            Int source = axis_source(columns, run.start + x, tap);
            long long at = source - first_source(columns, run.start);
            if (source >= 0)
                kernel_line(kernel,
                            "a%lld += (vec)((mask)dy[p + %lld] & (aux[p + %lld] == (vec){ 0 } + "
                            "(real)(tap * %lld + %lld)));",
                            x, at, at, columns->taps, tap);
        }
    kernel_line(kernel, "}");
}

/* No window takes them. */
static void emit_zeros(Kernel *kernel, const Axis *rows, const Axis *columns, Run run)
{
    if (kernel->node->accumulate)
        return;
    kernel_line(kernel, "for (int column = %lld; column < %lld; column++) {", run.start,
                run.start + run.width * run.count);
    kernel_line(kernel, "dx[(c * %lldL + row) * %lldL + column] = (vec){ 0 };", rows->positions,
                columns->positions);
    kernel_line(kernel, "}");
}

/* What the windows that chose an element give it: every element is written once. */
static void emit_elements(Kernel *kernel, const Axis *rows, const Axis *columns, Run run)
{
    open_run(kernel, columns, run);
    kernel_line(kernel, "vec *to = dx + (c * %lldL + row) * %lldL + column;", rows->positions,
                columns->positions);
    for (Int x = 0; x < run.width; x++)
        kernel_line(kernel,
                    kernel->node->accumulate ? "vec a%lld = to[%lld];" : "vec a%lld = { 0 };", x,
                    x);
    add_chosen(kernel, rows, columns, run);
    for (Int x = 0; x < run.width; x++)
        kernel_line(kernel, "to[%lld] = a%lld;", x, x);
    kernel_line(kernel, "}");
}

static void emit_any_backward(Kernel *kernel)
{
    Axis rows = reversed(layer_rows(kernel->node)),
         columns = reversed(layer_axis(kernel->node, COLUMNS));
    RunList runs = {0};
    split_columns(&columns, columns.stride < MAX_TAPS ? columns.stride : MAX_TAPS, &runs);
    open_plane(kernel, &rows);
    for (int i = 0; i < runs.count; i++)
        (is_taken(&columns, runs.items[i]) ? emit_elements : emit_zeros)(kernel, &rows, &columns,
                                                                         runs.items[i]);
    close_plane(kernel);
}

/* Whether all are alike and the text of a row of taps is not too long. */
static bool has_short_windows(const Node *node)
{
    return (node->op->window == WINDOW_SLIDES || fits_evenly(node))
           && (pools_tiles(node) || layer_axis(node, COLUMNS).taps <= MAX_TAPS);
}

static bool emit(Kernel *kernel)
{
    bool forward = kernel->stage == STAGE_FORWARD;
    if (!has_short_windows(kernel->node)) {
        if (!is_max_pool(kernel->node)) /* but for a long window with gaps */
            return false;
        emit_span_pool(kernel, span_pool(kernel->node, true, false));
        return true;
    }
    if (!pools_tiles(kernel->node))
        (forward ? emit_any_forward : emit_any_backward)(kernel);
    else if (forward)
        emit_forward(kernel);
    else
        emit_backward(kernel, pooled_rows(kernel->node), pooled_columns(kernel->node));
    return true;
}

static bool has_short_image_windows(const Node *node)
{
    return (node->op->window == WINDOW_SLIDES || fits_evenly(node))
           && layer_axis(node, COLUMNS).taps <= MAX_IMAGE_TAPS;
}

static bool can_do_image_pool(const Node *node)
{
    return has_short_image_windows(node) || is_max_pool(node);
}

static void emit_image(ImageKernel *image)
{
    const Node *node = image->kernel.node;
    if (!has_short_image_windows(node)) {
        image_span_pool(image, span_pool(node, true, false));
        return;
    }
    image_window(image, (ChannelWindow){.kind = WINDOW_LARGEST,
                                        .channels = input_shape(node).dim[0],
                                        .rows = layer_rows(node),
                                        .columns = layer_axis(node, COLUMNS)});
}

#define REFERENCE(page) "https://pytorch.org/docs/stable/generated/torch.nn." page ".html"
#define SUMMARY \
    "The largest value of each window; its gradient goes to the first largest in scan order."
#define MAX_POOL                                                                                \
    .traits = OP_TAKES_EPILOGUE, .input_gradient_reads = READS_AUX, .is_max_pool = is_max_pool, \
    .emit = emit, .emit_image = emit_image, .can_do_image = can_do_image_pool

const Operator operator_max_pool1d = {
    .name = "max_pool1d",
    .summary = SUMMARY,
    .shape_rule = "[c, t] -> [c, steps]\n"
                  "steps = floor((t + 2*padding - dilation*(kernel_size-1) - 1)/stride) + 1\n"
                  "ceil_mode rounds up",
    .formula = "y[c, i] = max over p of x[c, i*stride + p*dilation - padding]",
    .reference = REFERENCE("MaxPool1d"),
    .args = args_of_1,
    .ranks = RANK(2),
    .window = WINDOW_SLIDES,
    .infer = infer,
    MAX_POOL,
};

const Operator operator_max_pool2d = {
    .name = "max_pool2d",
    .summary = SUMMARY,
    .shape_rule = "[c, h, w] -> [c, rows, columns]\n"
                  "rows = floor((h + 2*padding - dilation*(kernel_size-1) - 1)/stride) + 1\n"
                  "columns follow from w in the same way; ceil_mode rounds up",
    .formula =
        "y[c, i, j] = max over p, q of\n"
        "             x[c, i*stride + p*dilation - padding, j*stride + q*dilation - padding]",
    .reference = REFERENCE("MaxPool2d"),
    .args = args_of_2,
    .ranks = RANK(3),
    .window = WINDOW_SLIDES,
    .infer = infer,
    MAX_POOL,
};

const Operator operator_max_pool3d = {
    .name = "max_pool3d",
    .summary = SUMMARY,
    .shape_rule = "[c, d, h, w] -> [c, slices, rows, columns]\n"
                  "slices = floor((d + 2*padding - dilation*(kernel_size-1) - 1)/stride) + 1\n"
                  "rows and columns follow from h and w in the same way; ceil_mode rounds up",
    .formula = "y[c, s, i, j] = max over r, p, q of x[c, s*stride + r*dilation - padding, ...]",
    .reference = REFERENCE("MaxPool3d"),
    .args = args_of_3,
    .ranks = RANK(4),
    .window = WINDOW_SLIDES,
    .infer = infer,
    MAX_POOL,
};

#define ADAPTIVE_SUMMARY \
    "The largest values of windows chosen so that the output has the size asked for."

const Operator operator_adaptive_max_pool1d = {
    .name = "adaptive_max_pool1d",
    .summary = ADAPTIVE_SUMMARY,
    .shape_rule = "[c, t] -> [c, output_size]",
    .formula = "y[c, i] = max of x[c, p] for p in floor(i*t/steps) to ceil((i+1)*t/steps) - 1",
    .reference = REFERENCE("AdaptiveMaxPool1d"),
    .args = fitted_args_of_1,
    .ranks = RANK(2),
    .window = WINDOW_FITTED,
    .infer = infer_adaptive,
    MAX_POOL,
};

const Operator operator_adaptive_max_pool2d = {
    .name = "adaptive_max_pool2d",
    .summary = ADAPTIVE_SUMMARY,
    .shape_rule = "[c, h, w] -> [c, rows, columns] with [rows, columns] = output_size",
    .formula = "y[c, i, j] = max of x[c, p, q] for p in floor(i*h/rows) to ceil((i+1)*h/rows) - 1\n"
               "             and q in floor(j*w/columns) to ceil((j+1)*w/columns) - 1",
    .reference = REFERENCE("AdaptiveMaxPool2d"),
    .args = fitted_args_of_2,
    .ranks = RANK(3),
    .window = WINDOW_FITTED,
    .infer = infer_adaptive,
    MAX_POOL,
};

const Operator operator_adaptive_max_pool3d = {
    .name = "adaptive_max_pool3d",
    .summary = ADAPTIVE_SUMMARY,
    .shape_rule = "[c, d, h, w] -> [c, slices, rows, columns] with\n"
                  "[slices, rows, columns] = output_size",
    .formula = "y[c, s, i, j] = max of x[c, r, p, q] for r in floor(s*d/slices) to\n"
               "                ceil((s+1)*d/slices) - 1, and p, q likewise",
    .reference = REFERENCE("AdaptiveMaxPool3d"),
    .args = fitted_args_of_3,
    .ranks = RANK(4),
    .window = WINDOW_FITTED,
    .infer = infer_adaptive,
    MAX_POOL,
};
