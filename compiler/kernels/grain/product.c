/* product.c: see product.h. */
#include "kernels/grain/product.h"

typedef struct Tiling {
    const MatrixProduct *product;
    bool accumulate;
    Int rows, columns; /* of a whole tile */
} Tiling;

static Int at_most(Int size, Int limit)
{
    return size < limit ? size : limit;
}

/* Where an operand's matrix of the batch begins: "b0 * 64L + b1 * 8L". */
static const char *batch_text(const MatrixProduct *product, const MatrixOperand *operand)
{
    Text text = {0};
    for (int k = 0; k < product->batches; k++)
        if (operand->batch[k])
            text_add(&text, " + b%d * %lldL", k, operand->batch[k]);
    return text.length ? text_chars(&text) : "";
}

/* The loops over what is summed over, or a variable of each batch axis that is a piece's own. */
static void open_sums(Kernel *kernel, const MatrixProduct *product)
{
    for (int k = 0; k < product->batches; k++)
        if (!product->out.batch[k])
            kernel_line(kernel, "for (int b%d = 0; b%d < %lld; b%d++)", k, k,
                        product->batch_size[k], k);
    kernel_line(kernel, "for (int k = 0; k < %lld; k++) {", product->terms);
}

static void emit_sums(Kernel *kernel, const MatrixProduct *product, Int rows, Int columns)
{
    const MatrixOperand *left = &product->left, *right = &product->right;
    kernel_line(kernel, "const vec *l = %s%s + row * %lldL + k * %lldL;", left->name,
                batch_text(product, left), left->row, left->column);
    kernel_line(kernel, "const vec *r = %s%s + k * %lldL + column * %lldL;", right->name,
                batch_text(product, right), right->row, right->column);
    for (Int c = 0; c < columns; c++)
        kernel_add(kernel, "const vec r%lld = r[%lld];", c, c * right->column);
    for (Int row = 0; row < rows; row++) {
        kernel_line(kernel, "const vec l%lld = l[%lld];", row, row * left->row);
        for (Int c = 0; c < columns; c++)
            kernel_add(kernel, "s%lld_%lld += l%lld * r%lld;", row, c, row, c);
    }
}

static void emit_tile(Kernel *kernel, const Tiling *tiling, Int rows, Int columns)
{
    const MatrixProduct *product = tiling->product;
    const MatrixOperand *out = &product->out;
    for (Int row = 0; row < rows; row++)
        for (Int c = 0; c < columns; c++)
            kernel_add(kernel, "vec s%lld_%lld = { 0 };", row, c);
    open_sums(kernel, product);
    emit_sums(kernel, product, rows, columns);
    kernel_line(kernel, "}");
    kernel_line(kernel, "vec *to = %s%s + row * %lldL + column * %lldL;", out->name,
                batch_text(product, out), out->row, out->column);
    for (Int row = 0; row < rows; row++)
        for (Int c = 0; c < columns; c++)
            kernel_add(kernel, "to[%lld] %s s%lld_%lld;", row * out->row + c * out->column,
                       tiling->accumulate ? "+=" : "=", row, c);
}

/* So many rows, from `row` on. */
static void emit_rows(Kernel *kernel, const Tiling *tiling, Int rows)
{
    Int columns = tiling->product->columns, whole = columns / tiling->columns * tiling->columns;
    kernel_line(kernel, "for (int column = 0; column < %lld; column += %lld) {", whole,
                tiling->columns);
    emit_tile(kernel, tiling, rows, tiling->columns);
    kernel_line(kernel, "}");
    if (whole == columns)
        return;
    kernel_line(kernel, "{");
    kernel_line(kernel, "const int column = %lld;", whole);
    emit_tile(kernel, tiling, rows, columns - whole);
    kernel_line(kernel, "}");
}

/* A piece is some rows of one of the batch's results. */
void emit_matrix_product(Kernel *kernel, const MatrixProduct *product, bool accumulate)
{
    bool many = kernel->registers >= 32;
    const Tiling tiling = {product, accumulate, at_most(product->rows, many ? 4 : 3),
                           at_most(product->columns, many ? 4 : 3)};
    Int blocks = (product->rows + tiling.rows - 1) / tiling.rows,
        rest = product->rows % tiling.rows, batch = 1;
    for (int k = 0; k < product->batches; k++)
        batch *= product->out.batch[k] ? product->batch_size[k] : 1;
    open_pieces(kernel, "piece", batch * blocks);
    kernel_line(kernel, "const int64_t row = piece %% %lld * %lld;", blocks, tiling.rows);
    Int behind = blocks;
    for (int k = product->batches - 1; k >= 0; k--)
        if (product->out.batch[k]) {
            kernel_line(kernel, "const int64_t b%d = piece / %lld %% %lld;", k, behind,
                        product->batch_size[k]);
            behind *= product->batch_size[k];
        }
    if (rest)
        kernel_line(kernel, "if (row + %lld <= %lld) {", tiling.rows, product->rows);
    emit_rows(kernel, &tiling, tiling.rows);
    if (rest) {
        kernel_line(kernel, "} else {");
        emit_rows(kernel, &tiling, rest);
        kernel_line(kernel, "}");
    }
    kernel_line(kernel, "}");
}
