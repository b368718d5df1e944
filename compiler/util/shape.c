/* shape.c: see shape.h. */
#include "util/shape.h"

Shape shape_of(int rank, Int d0, Int d1, Int d2)
{
    return (Shape){rank, {d0, rank == 1 ? 1 : d1, rank == 1 ? 1 : d2}};
}

bool shape_equal(Shape a, Shape b)
{
    return a.rank == b.rank && a.dim[0] == b.dim[0] && a.dim[1] == b.dim[1] && a.dim[2] == b.dim[2];
}

Int shape_elements(Shape shape)
{
    return shape.dim[0] * shape.dim[1] * shape.dim[2];
}

Int shape_plane(Shape shape)
{
    return shape.dim[1] * shape.dim[2];
}

const char *shape_text(Shape shape)
{
    Text text = {0};
    for (int axis = 0; axis < shape.rank; axis++)
        text_add(&text, "%s%lld", axis > 0 ? ", " : "[", shape.dim[axis]);
    return format("%s]", text_chars(&text));
}
