/* max_unpool2d.c: values put back where a max pool found the largest; all else is 0.
 *
 * The pool is named as a tensor: max_unpool2d(pool1).  Its node reads what the pool was given, and
 * finds again which position of each window won, so that nobody has to keep the pool's notes, and
 * inference, which makes none, needs no others.  What the pool was given has no gradient by it.
 */
#include "kernels/image/image.h"
#include "ops/operator.h"

#include <string.h>

/* The window is the pool's.  Who writes it too, as PyTorch's layer has it, has to agree. */
enum { KERNEL_SIZE, STRIDE, PADDING, DILATION, OUTPUT_SIZE };

static const ArgSpec args[] = {
    [KERNEL_SIZE] = {"kernel_size", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                     .doc = "Size of the window: the pool's."},
    [STRIDE] = {"stride", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                .doc = "Step of the window: the pool's."},
    [PADDING] = {"padding", ARG_PAIR, .otherwise = "none", .maximum = LARGEST,
                 .doc = "Rows and columns of padding: the pool's."},
    [DILATION] = {"dilation", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                  .doc = "Distance between the window's taps: the pool's."},
    [OUTPUT_SIZE] = {"output_size", ARG_PAIR, .otherwise = "none", .minimum = 1, .maximum = LARGEST,
                     .doc = "Rows and columns of the output; absent: the least that the windows "
                            "cover."},
    {0}};

/* The max pool that made the second tensor; NULL: reported. */
static const Node *pool_of(const Node *node)
{
    const Tensor *named = node->inputs.items[1];
    const Node *pool = named->producer;
    if (node->inputs.count == 2 && pool && strcmp(pool->op->name, "max_pool2d") == 0)
        return pool;
    bool many = node->inputs.count > 2;
    Diagnostic *d = many ? node_error(node, "argument-type", node->span,
                                      "max_unpool2d takes one max_pool2d, not %d tensors",
                                      node->inputs.count - 1)
                         : node_error(node, "argument-type", node->span,
                                      "max_unpool2d takes the tensor of a max_pool2d, not of %s",
                                      pool ? pool->op->name : "an input");
    if (!many && pool)
        label_step(d, node, named, format("%s", pool->op->name));
    diag_help(d, "name the pool, `max_pool2d(2) as pool1`, and then it: max_unpool2d(pool1)");
    return NULL;
}

/* Takes over one of the pool's numbers for each axis. */
static bool take_over(const Node *node, const Node *pool, int arg)
{
    ArgValue *own = &node->args[arg];
    const ArgValue *its = &pool->args[operator_arg(pool->op, args[arg].name)];
    bool same = own->integer[0] == its->integer[0] && own->integer[1] == its->integer[1];
    if (own->given && !same) {
        Diagnostic *d = node_error(
            node, "argument-range", own->span,
            "max_unpool2d has %s=[%lld, %lld], but the pool has [%lld, %lld]", args[arg].name,
            own->integer[0], own->integer[1], its->integer[0], its->integer[1]);
        diag_label(d, pool->span, "the pool");
        diag_help(d, "leave %s out: it is the pool's; output_size sets another size",
                  args[arg].name);
        return false;
    }
    own->integer[0] = its->integer[0];
    own->integer[1] = its->integer[1];
    return true;
}

static bool has_the_pools_shape(const Node *node, const Node *pool)
{
    if (shape_equal(input_shape(node), pool->out->shape))
        return true;
    Diagnostic *d = node_error(node, "shape-mismatch", node->span,
                               "max_unpool2d needs the pool's shape %s, but its input is %s",
                               shape_text(pool->out->shape), shape_text(input_shape(node)));
    diag_caption(d, "a value for each window of the pool");
    diag_label(d, pool->span, "the pool gives %s", shape_text(pool->out->shape));
    node_derivation(d, node->inputs.items[0]);
    diag_sizes(d, input_shape(node), pool->out->shape);
    return false;
}

/* Positions are counted through the pool's rows, as PyTorch's indices are, so the output
 * has to hold the last of them. */
static bool holds_all_positions(const Node *node, Shape pooled)
{
    Shape out = node->out_shape;
    if (out.dim[1] >= 1 && out.dim[2] >= 1 && shape_plane(out) >= shape_plane(pooled))
        return true;
    const ArgValue *size = &node->args[OUTPUT_SIZE];
    Diagnostic *d = node_error(node, "argument-range", size->given ? size->span : node->span,
                               "max_unpool2d gives %lld by %lld, but the pool had %lld by %lld",
                               out.dim[1], out.dim[2], pooled.dim[1], pooled.dim[2]);
    diag_caption(d, "a value from the end would have no place");
    diag_help(d, "output_size=[%lld, %lld] is what the pool was given", pooled.dim[1],
              pooled.dim[2]);
    return false;
}

static bool infer(Node *node)
{
    const Node *pool = node->inputs.count > 1 ? pool_of(node) : NULL;
    if (!pool || !has_the_pools_shape(node, pool))
        return false;
    for (int arg = KERNEL_SIZE; arg <= DILATION; arg++)
        if (!take_over(node, pool, arg))
            return false;
    node->out_shape = input_shape(node);
    for (int axis = 0; axis < 2; axis++)
        node->out_shape.dim[1 + axis] =
            node->args[OUTPUT_SIZE].given
                ? node->args[OUTPUT_SIZE].integer[axis]
                : (input_shape(node).dim[1 + axis] - 1) * node->args[STRIDE].integer[axis]
                      - 2 * node->args[PADDING].integer[axis]
                      + node->args[KERNEL_SIZE].integer[axis];
    node->inputs.items[1] = pool->inputs.items[0];
    return holds_all_positions(node, input_shape(pool));
}

/* ------------------------------------------------------------- kernels
 * Of windows that lie side by side: each is all that is known of its part of the output. */

enum { MAX_TAPS = 16 }; /* of a window: their text is written out */

typedef struct Unpool {
    Int rows, columns;           /* of a window */
    Int down, right;             /* windows */
    Int pooled_plane, out_plane; /* of what the pool was given, and of y */
    Int width;                   /* columns of both */
} Unpool;

static Unpool unpool_of(const Node *node)
{
    Shape pooled = node->inputs.items[1]->shape, x = input_shape(node);
    return (Unpool){.rows = node->args[KERNEL_SIZE].integer[0],
                    .columns = node->args[KERNEL_SIZE].integer[1],
                    .down = x.dim[1],
                    .right = x.dim[2],
                    .pooled_plane = shape_plane(pooled),
                    .out_plane = shape_plane(node->out->shape),
                    .width = pooled.dim[2]};
}

static bool lies_side_by_side(const Node *node)
{
    const Unpool unpool = unpool_of(node);
    Shape pooled = node->inputs.items[1]->shape, out = node->out->shape;
    bool alone = out.dim[2] == pooled.dim[2] && unpool.rows * unpool.columns <= MAX_TAPS
                 && unpool.down * unpool.rows <= min(pooled.dim[1], out.dim[1])
                 && unpool.right * unpool.columns <= pooled.dim[2];
    for (int axis = 0; axis < 2; axis++)
        alone &= node->args[STRIDE].integer[axis] == node->args[KERNEL_SIZE].integer[axis]
                 && node->args[PADDING].integer[axis] == 0
                 && node->args[DILATION].integer[axis] == 1;
    return alone;
}

static Int place_of_tap(const Unpool *unpool, Int tap)
{
    return tap / unpool->columns * unpool->width + tap % unpool->columns;
}

/* Declares `which`, the tap of the window's largest value: of equals the first, and of NaNs, which
 * are larger than all, the last.  `value`: the text of a tap's. */
static void declare_winner(Kernel *kernel, const Unpool *unpool, const char *(*value)(Int place))
{
    kernel_line(kernel, "vec best = %s, which = { 0 }, value;", value(0));
    kernel_line(kernel, "mask takes;");
    for (Int tap = 1; tap < unpool->rows * unpool->columns; tap++) {
        kernel_line(kernel, "value = %s;", value(place_of_tap(unpool, tap)));
        kernel_line(kernel, "takes = (value > best) | (value != value);");
        kernel_line(kernel, "best = vec_select(takes, value, best);");
        kernel_line(kernel, "which = vec_select(takes, (vec){ 0 } + (real)%lld, which);", tap);
    }
}

static const char *pooled_value(Int place)
{
    return format("v[%lld]", place);
}

/* Sets so many values from an element on to 0, channel by channel. */
static void clear(Kernel *kernel, const char *to, Int channels, Int plane)
{
    open_pieces(kernel, "c", channels);
    kernel_line(kernel, "for (int64_t i = c * %lldL; i < (c + 1) * %lldL; i++)", plane, plane);
    kernel_line(kernel, "    %s[i] = (vec){ 0 };", to);
    kernel_line(kernel, "}");
}

static bool leaves_some(const Unpool *unpool)
{
    return unpool->rows * unpool->columns * unpool->down * unpool->right < unpool->out_plane;
}

static void emit_windows(Kernel *kernel, const Unpool *unpool)
{
    bool forward = kernel->stage == STAGE_FORWARD;
    Int taps = unpool->rows * unpool->columns, channels = input_shape(kernel->node).dim[0];
    if (forward && leaves_some(unpool))
        clear(kernel, "y", channels, unpool->out_plane);
    open_pieces(kernel, "c", channels);
    kernel_line(kernel, "int64_t p = c * %lldL;", unpool->down * unpool->right);
    kernel_line(kernel, "for (int row = 0; row < %lld; row++)", unpool->down);
    kernel_line(kernel, "for (int column = 0; column < %lld; column++, p++) {", unpool->right);
    kernel_line(kernel, "const int64_t at = row * %lldL + column * %lld;",
                unpool->rows * unpool->width, unpool->columns);
    kernel_line(kernel, "const vec *v = x1 + c * %lldL + at;", unpool->pooled_plane);
    declare_winner(kernel, unpool, pooled_value);
    kernel_line(kernel,
                forward ? "vec *to = y + c * %lldL + at;"
                        : "const vec *from = dy + c * %lldL + at;",
                unpool->out_plane);
    if (!forward)
        kernel_line(kernel, "vec sum = %s;", kernel->node->accumulate ? "dx[p]" : "{ 0 }");
    for (Int tap = 0; tap < taps; tap++)
        kernel_line(kernel,
                    forward
                        ? "to[%lld] = (vec)((mask)x0[p] & (which == (vec){ 0 } + (real)%lld));"
                        : "sum += (vec)((mask)from[%lld] & (which == (vec){ 0 } + (real)%lld));",
                    place_of_tap(unpool, tap), tap);
    if (!forward)
        kernel_line(kernel, "dx[p] = sum;");
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

/* What the pool was given has no gradient by it. */
static bool emit(Kernel *kernel)
{
    const Node *node = kernel->node;
    if (!lies_side_by_side(node))
        return false;
    const Unpool unpool = unpool_of(node);
    if (kernel->stage == STAGE_FORWARD || node->which == 0)
        emit_windows(kernel, &unpool);
    else if (!node->accumulate)
        clear(kernel, "dx", node->inputs.items[1]->shape.dim[0], unpool.pooled_plane);
    return true;
}

static const char *image_value(Int place)
{
    return format("*(const unaligned_vec *)(v + %lldL * APART)", place);
}

/* A window of `used` channels from c on. */
static void unpool_channels(ImageKernel *image, const Unpool *unpool, Int used)
{
    Kernel *kernel = &image->kernel;
    kernel_line(kernel, "const vec given = *(const unaligned_vec *)(x0 + p * %lldL + c);",
                image->x_strides.items[0]);
    kernel_line(kernel, "const real *v = x1 + at * %lldL + c;", image->x_strides.items[1]);
    kernel_line(kernel, "enum { APART = %lld };", image->x_strides.items[1]);
    declare_winner(kernel, unpool, image_value);
    for (Int tap = 0; tap < unpool->rows * unpool->columns; tap++)
        image_store(image, format("at + %lld", place_of_tap(unpool, tap)), "c", used,
                    format("(vec)((mask)given & (which == (vec){ 0 } + (real)%lld))", tap));
}

/* The loops over the channels' vectors of a position; `body` of a whole one, and of the last. */
static void unpool_all_channels(ImageKernel *image, const Unpool *unpool,
                                void (*body)(ImageKernel *, const Unpool *, Int))
{
    Kernel *kernel = &image->kernel;
    Int channels = input_shape(kernel->node).dim[0],
        whole = channels / kernel->lanes * kernel->lanes;
    if (whole) {
        kernel_line(kernel, "for (int c = 0; c < %lld; c += LANES) {", whole);
        body(image, unpool, kernel->lanes);
        kernel_line(kernel, "}");
    }
    if (whole < channels) {
        kernel_line(kernel, "const int c = %lld;", whole);
        body(image, unpool, channels - whole);
    }
}

static void clear_channels(ImageKernel *image, const Unpool *unpool, Int used)
{
    (void)unpool;
    image_store(image, "p", "c", used, "(vec){ 0 }");
}

/* Rows of windows are pieces: each is some rows of y, and the last those behind it, too. */
static void emit_image(ImageKernel *image)
{
    Kernel *kernel = &image->kernel;
    const Unpool unpool = unpool_of(kernel->node);
    Int lines = unpool.rows * unpool.width;
    open_pieces(kernel, "row", unpool.down);
    if (leaves_some(&unpool)) {
        kernel_line(kernel,
                    "for (int64_t p = row * %lldL; p < (row < %lld ? (row + 1) * %lldL : "
                    "%lldL); p++) {",
                    lines, unpool.down - 1, lines, unpool.out_plane);
        unpool_all_channels(image, &unpool, clear_channels);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "for (int column = 0; column < %lld; column++) {", unpool.right);
    kernel_line(kernel, "const int64_t p = row * %lldL + column, at = row * %lldL + column * %lld;",
                unpool.right, lines, unpool.columns);
    unpool_all_channels(image, &unpool, unpool_channels);
    kernel_line(kernel, "}");
    kernel_line(kernel, "}");
}

const Operator operator_max_unpool2d = {
    .name = "max_unpool2d",
    .summary = "Puts each value where a named max pool found the largest of its window; else 0.",
    .shape_rule = "[c, rows, columns] -> [c, h, w], of the pool's output to output_size, or\n"
                  "h = (rows - 1)*stride - 2*padding + kernel_size; w likewise",
    .formula = "y[c, k] = x[c, i] where k is the position, counted through the rows, of the\n"
               "          largest of the pool's window i; 0 where there is none\n"
               "of several that go to one position the last one counts",
    .reference = "https://pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html",
    .args = args,
    .traits = OP_JOINS,
    .ranks = RANK(3),
    .input_gradient_reads = READS_X,
    .infer = infer,
    .emit = emit,
    .emit_image = emit_image,
    .can_do_image = lies_side_by_side,
};
