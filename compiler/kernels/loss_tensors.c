/* loss_tensors.c: where a loss finds the elements that it reads: of a whole tensor, or of a part of
 * one, `p[:4]`, which has a shape of its own, an offset, and a stride along each of its axes.
 * Nothing is copied.
 */
#include "kernels/loss.h"

LossTensor loss_tensor(const char *name, Shape shape, int input)
{
    LossTensor tensor = {.name = name, .shape = shape, .input = input};
    Int step = 1;
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        tensor.stride[axis] = step;
        step *= shape.dim[axis];
    }
    return tensor;
}

/* ---------------------------------------------------------------- slices */

/* From the end where it is below 0, as Python counts. */
static Int counted(Int position, Int size)
{
    return position < 0 ? position + size : position;
}

/* Leaves the axis out, as PyTorch does.  NULL: it does; else what is wrong. */
static const char *take_position(LossTensor *part, Int at, Int size, Int stride)
{
    Int position = counted(at, size);
    if (position < 0 || position >= size)
        return format("there is no %lld among %lld, which are counted from 0", at, size);
    part->offset += position * stride;
    return NULL;
}

static const char *take_range(LossTensor *part, const LossIndex *index, Int size, Int stride)
{
    Int from = index->has_from ? counted(index->from, size) : 0,
        to = index->has_to ? counted(index->to, size) : size;
    if (from < 0 || to > size)
        return format("%lld is beyond the %lld that are there", from < 0 ? index->from : index->to,
                      size);
    if (from >= to)
        return format("it takes nothing of the %lld that are there", size);
    part->offset += from * stride;
    part->stride[part->shape.rank] = stride * index->step;
    part->shape.dim[part->shape.rank++] = (to - from + index->step - 1) / index->step;
    return NULL;
}

const char *take_slice(const LossTensor *whole, const LossSlice *slice, LossTensor *part)
{
    const char *fault = NULL;
    *part = *whole;
    part->shape.rank = 0;
    if (slice->count > whole->shape.rank)
        return format("it has %d axis%s, and this says %d", whole->shape.rank,
                      whole->shape.rank == 1 ? "" : "es", slice->count);
    for (int axis = 0; axis < whole->shape.rank && fault == NULL; axis++) {
        const LossIndex all = {.range = true, .step = 1};
        const LossIndex *index = axis < slice->count ? &slice->index[axis] : &all;
        Int size = whole->shape.dim[axis], stride = whole->stride[axis];
        fault = index->range ? take_range(part, index, size, stride)
                             : take_position(part, index->from, size, stride);
    }
    part->shape =
        part->shape.rank > 0 ? shape_from(part->shape.rank, part->shape.dim) : shape_of(1, 1, 1, 1);
    return fault;
}

/* --------------------------------------------------------------- domains */

static bool spreads_over(Shape shape, Shape domain)
{
    if (shape_elements(shape) == 1)
        return true;
    if (shape.rank != domain.rank)
        return false;
    for (int axis = 0; axis < shape.rank; axis++)
        if (shape.dim[axis] != domain.dim[axis] && shape.dim[axis] != 1)
            return false;
    return true;
}

static Shape widened(Shape a, Shape b)
{
    if (shape_elements(a) == 1 && shape_elements(b) == 1)
        return a.rank > b.rank ? a : b;
    if (shape_elements(a) == 1)
        return b;
    for (int axis = 0; axis < a.rank && a.rank == b.rank; axis++)
        if (a.dim[axis] == 1)
            a.dim[axis] = b.dim[axis];
    return a;
}

Shape loss_domain(const LossUse *use, int sum, int *bad)
{
    const LossForm *form = use->plain ? use->plain : use->form;
    const Term *body = form->sums.items[sum].body;
    Shape domain = shape_of(1, 1, 1, 1);
    *bad = -1;
    for (int i = 0; i < use->count; i++)
        if (!use->tensors[i].table && term_reads(form->terms, body, i))
            domain = widened(domain, use->tensors[i].shape);
    for (int i = 0; i < use->count && *bad < 0; i++)
        if (!use->tensors[i].table && term_reads(form->terms, body, i)
            && !spreads_over(use->tensors[i].shape, domain))
            *bad = i;
    return domain;
}

/* ---------------------------------------------------------------- places */

/* Its elements follow one another. */
static bool is_dense(const LossTensor *tensor)
{
    Int step = 1;
    for (int axis = tensor->shape.rank - 1; axis >= 0; axis--) {
        if (tensor->shape.dim[axis] > 1 && tensor->stride[axis] != step)
            return false;
        step *= tensor->shape.dim[axis];
    }
    return true;
}

const char *loss_index(const LossTensor *tensor, Shape domain)
{
    Text text = {0};
    Int inner = 1;
    if (shape_elements(tensor->shape) == 1)
        return format("%lld", tensor->offset);
    if (shape_equal(tensor->shape, domain) && is_dense(tensor))
        return tensor->offset > 0 ? format("e + %lldL", tensor->offset) : "e";
    for (int axis = tensor->shape.rank - 1; axis >= 0; axis--) {
        if (tensor->shape.dim[axis] > 1)
            text_add(&text, "%se / %lldL %% %lldL * %lldL", text.length ? " + " : "", inner,
                     tensor->shape.dim[axis], tensor->stride[axis]);
        inner *= domain.dim[axis];
    }
    if (tensor->offset > 0)
        text_add(&text, " + %lldL", tensor->offset);
    return text_chars(&text);
}
