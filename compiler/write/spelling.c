/* spelling.c: how names, numbers, addresses and calls are spelt in the emitted C. */
#include "core/shown.h"
#include "write/emit.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* What is made of a path has an ending, so it is no word of C and no helper here;
 * but the runtime's functions have the same endings after their "net_". */
const char *identifier(const char *path)
{
    Text text = {0};
    if (isdigit((unsigned char)path[0]))
        text_add(&text, "layer");
    if (strncmp(path, "net_", 4) == 0 || strncmp(path, "net.", 4) == 0)
        text_add(&text, "layer_");
    for (const char *c = path; *c; c++)
        text_add_range(&text, isalnum((unsigned char)*c) ? c : "_", 1);
    return intern(text_chars(&text));
}

const char *comment_text(const char *path)
{
    Text text = {0};
    path = SHOWN(path);
    for (const char *c = path; *c; c++) {
        bool ends = c > path && c[-1] == '*' && *c == '/',
             begins = c > path && c[-1] == '/' && *c == '*';
        text_add(&text, "%c", ends || begins ? '?' : *c);
    }
    return intern(text_chars(&text));
}

const char *number_text(double value)
{
    if (isinf(value))
        return value < 0 ? "-__builtin_inf()" : "__builtin_inf()";
    return format("%.17g", value);
}

const char *address_text(const Plan *plan, const Tensor *tensor)
{
    const Placement *placement = &plan->placements[tensor->id];
    switch (placement->space) {
    case SPACE_NONE:
        return "0";
    case SPACE_INPUT:
        return placement->address ? format("input + %lld", placement->address) : "input";
    case SPACE_SCRATCH:
        return format("scratch + %lld", placement->address);
    case SPACE_KEPT:
        return format("kept + %lld", placement->address);
    case SPACE_FILTERS:
        return format("s->filters + %lld", placement->address * plan->lanes);
    }
    unreachable();
}

const char *quoted(const char *chars)
{
    Text text = {0};
    text_add(&text, "\"");
    for (const char *c = chars; *c;) {
        NetGlyph glyph = net_glyph(c, strlen(c));
        for (int i = 0; i < glyph.bytes; i++, c++)
            if (*c == '"' || *c == '\\' || *c == '?') /* ??) would be a trigraph */
                text_add(&text, "\\%c", *c);
            else
                text_add(&text, *glyph.escape ? "\\%03o" : "%c", (unsigned char)*c);
    }
    text_add(&text, "\"");
    return text_chars(&text);
}

void write_call(Text *calls, const char *function, const OperandList *operands)
{
    text_add(calls, "    %s(", function);
    for (int i = 0; i < operands->count; i++) {
        const Operand *operand = &operands->items[i];
        if (operand->what)
            text_add(calls, "%s\n        %s /* %s: %s */", i ? "," : "", operand->address,
                     operand->name, operand->what);
        else
            text_add(calls, "%s%s", i ? ", " : "", operand->address);
    }
    text_add(calls, ");\n");
}

const char *shape_in_c(Shape shape)
{
    const Int *dim = shape.dim;
    Int rows = shape.rank < 3 ? 1 : dim[shape.rank - 2],
        columns = shape.rank < 2 ? 1 : dim[shape.rank - 1];
    return format("{ %d, %lld, %lld, %lld, %lld }", shape.rank, dim[0], rows, columns,
                  shape.rank == 4 ? dim[1] : 1);
}
