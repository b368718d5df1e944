/* product.c: see product.h. */
#include "kernels/grain/product.h"
#include "kernels/grain/lane_product.h"

enum { ROWS_OF_PIECE = 8 };

/* Where an operand's matrix of the batch begins: " + b0 * 64L + b1 * 8L". */
static const char *batch_text(const MatrixProduct *product, const MatrixOperand *operand)
{
    Text text = {0};
    for (int k = 0; k < product->batches; k++)
        if (operand->batch[k])
            text_add(&text, " + b%d * %lldL", k, operand->batch[k]);
    return text.length ? text_chars(&text) : "";
}

/* A variable of each batch axis that the result has is the piece's own. */
static void declare_batch(Kernel *kernel, const MatrixProduct *product, Int blocks)
{
    Int behind = blocks;
    for (int k = product->batches - 1; k >= 0; k--) {
        if (!product->out.batch[k])
            continue;
        kernel_line(kernel, "const int64_t b%d = piece / %lld %% %lld;", k, behind,
                    product->batch_size[k]);
        behind *= product->batch_size[k];
    }
}

/* Opens loops over those that it has not, over which it is a sum: its first term is set. */
static const char *open_sums(Kernel *kernel, const MatrixProduct *product, bool accumulate)
{
    Text adds = {0};
    for (int k = 0; k < product->batches; k++) {
        if (product->out.batch[k])
            continue;
        kernel_line(kernel, "for (int b%d = 0; b%d < %lld; b%d++)", k, k, product->batch_size[k],
                    k);
        text_add(&adds, "%sb%d > 0", adds.length ? " || " : "", k);
    }
    return accumulate ? "true" : adds.length ? text_chars(&adds) : "false";
}

/* A piece is some rows of one of the batch's results. */
void emit_matrix_product(Kernel *kernel, const MatrixProduct *product, bool accumulate)
{
    const MatrixOperand *out = &product->out, *left = &product->left, *right = &product->right;
    const char *function = lane_product_function(kernel);
    Int blocks = (product->rows + ROWS_OF_PIECE - 1) / ROWS_OF_PIECE, pieces = blocks;
    require(out->column == 1);
    for (int k = 0; k < product->batches; k++)
        pieces *= out->batch[k] ? product->batch_size[k] : 1;
    open_pieces(kernel, "piece", pieces);
    kernel_line(kernel, "const int64_t row = piece %% %lld * %d;", blocks, ROWS_OF_PIECE);
    kernel_line(kernel, "const int rows = %lld - row < %d ? (int)(%lld - row) : %d;", product->rows,
                ROWS_OF_PIECE, product->rows, ROWS_OF_PIECE);
    declare_batch(kernel, product, blocks);
    const char *adds = open_sums(kernel, product, accumulate);
    kernel_line(kernel,
                "%s(%s%s + row * %lldL, %lld, %s%s + row * %lldL, %lld, %lld, %s%s, %lld, %lld, "
                "rows, %lld, %lld, %s);",
                function, out->name, batch_text(product, out), out->row, out->row, left->name,
                batch_text(product, left), left->row, left->row, left->column, right->name,
                batch_text(product, right), right->column, right->row, product->columns,
                product->terms, adds);
    kernel_line(kernel, "}");
}
