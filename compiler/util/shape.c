/* shape.c: see shape.h. */
#include "util/shape.h"

Shape shape_from(int rank, const Int *dims)
{
    Shape shape = {rank, {1, 1, 1, 1}};
    for (int axis = 0; axis < rank; axis++)
        shape.dim[axis] = dims[axis];
    return shape;
}

Shape shape_of(int rank, Int d0, Int d1, Int d2)
{
    return shape_from(rank, (Int[]){d0, d1, d2});
}

Shape shape_with(Shape shape, int axis, Int size)
{
    shape.dim[axis] = size;
    return shape;
}

Int shape_last(Shape shape)
{
    return shape.dim[shape.rank - 1];
}

bool shape_equal(Shape a, Shape b)
{
    bool equal = a.rank == b.rank;
    for (int axis = 0; equal && axis < a.rank; axis++)
        equal = a.dim[axis] == b.dim[axis];
    return equal;
}

Int shape_elements(Shape shape)
{
    return shape.dim[0] * shape_plane(shape);
}

Int shape_plane(Shape shape)
{
    return shape.dim[1] * shape.dim[2] * shape.dim[3];
}

const char *shape_text(Shape shape)
{
    Text text = {0};
    for (int axis = 0; axis < shape.rank; axis++)
        text_add(&text, "%s%lld", axis > 0 ? ", " : "[", shape.dim[axis]);
    return format("%s]", text_chars(&text));
}

const char *axis_unit(int rank, int axis)
{
    static const char *const units[] = {"step", "column", "row", "slice"};
    return axis == 0 ? "channel" : rank == 2 ? units[0] : units[rank - axis];
}

const char *axis_name(int rank, int axis)
{
    static const char *const names[MAX_RANK][MAX_RANK] = {
        {"features"},
        {"channels", "length"},
        {"channels", "height", "width"},
        {"channels", "depth", "height", "width"},
    };
    return names[rank - 1][axis];
}
