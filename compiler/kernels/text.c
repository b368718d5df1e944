/* text.c: the text of kernels: lines, statements, stores, and functions that each stand in a
 * file once.
 */
#include "kernels/kernel.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 100 }; /* columns */

void kernel_line(Kernel *kernel, const char *template, ...)
{
    va_list arguments;
    va_start(arguments, template);
    int length;
    char *line = print(template, arguments, &length);
    va_end(arguments);
    bool is_close = line[0] == '}';
    if (is_close)
        kernel->indent--;
    text_add(&kernel->body, "%*s", 4 * (kernel->indent + 1), "");
    text_add_range(&kernel->body, line, (size_t)length);
    text_add(&kernel->body, "\n");
    if (length > 0 && line[length - 1] == '{')
        kernel->indent++;
    free(line);
}

void kernel_add(Kernel *kernel, const char *template, ...)
{
    va_list arguments;
    va_start(arguments, template);
    int length;
    char *statement = print(template, arguments, &length);
    va_end(arguments);
    Text *body = &kernel->body;
    size_t end = body->length;
    if (end && kernel->packed == end) {
        size_t line = end - 1;
        while (line > 0 && body->chars[line - 1] != '\n')
            line--;
        if (end - line + (size_t)length <= MAX_LINE) {
            body->chars[end - 1] = ' ';
            text_add(body, "%s\n", statement);
            kernel->packed = body->length;
            free(statement);
            return;
        }
    }
    kernel_line(kernel, "%s", statement);
    kernel->packed = body->length;
    free(statement);
}

/* ---------------------------------------------------------------- pieces */

void open_stepped_pieces(Kernel *kernel, const char *variable, Int first, Int end, Int step)
{
    const char *by = step == 1 ? format("%s++", variable) : format("%s += %lld", variable, step);
    if (!kernel->splits) {
        kernel_line(kernel, "for (int %s = %lld; %s < %lld; %s) {", variable, first, variable, end,
                    by);
        return;
    }
    Int count = (end - first + step - 1) / step;
    const char *from = first ? format("%lld + ", first) : "",
               *times = step == 1 ? "" : format("%lld * ", step);
    kernel->pieces += count;
    kernel_line(kernel,
                "for (int64_t %s = %s%snet_pieces(team, %lld).from, %s_end = %s%snet_pieces(team, "
                "%lld).to; %s < %s_end; %s) {",
                variable, from, times, count, variable, from, times, count, variable, variable, by);
}

void open_pieces(Kernel *kernel, const char *variable, Int count)
{
    open_stepped_pieces(kernel, variable, 0, count, 1);
}

void declare_pieces(Kernel *kernel, const char *begin, const char *stop, Int first, Int end,
                    Int step)
{
    Int count = (end - first + step - 1) / step;
    const char *times = format("%s%s", first ? format("%lld + ", first) : "",
                               step == 1 ? "" : format("%lld * ", step)),
               *to = format("%s(int)net_pieces(team, %lld).to", times, count);
    kernel->pieces += count;
    kernel_line(kernel, "const int %s = %s(int)net_pieces(team, %lld).from;", begin, times, count);
    if ((end - first) % step)
        kernel_line(kernel, "const int %s = %s < %lld ? %s : %lld;", stop, to, end, to, end);
    else
        kernel_line(kernel, "const int %s = %s;", stop, to);
}

void open_declared_pieces(Kernel *kernel, const char *variable, Int first, Int step)
{
    if (first == 0)
        kernel_line(kernel, "for (int %s = begin; %s + %lld <= end; %s += %lld) {", variable,
                    variable, step, variable, step);
    else
        kernel_line(kernel, "for (int %s = %lld; %s < end; %s += %lld) {", variable, first,
                    variable, variable, step);
}

double imbalance(Int pieces, Int threads)
{
    return (double)((pieces + threads - 1) / threads * threads) / (double)pieces;
}

/* ---------------------------------------------------------------- stores */

void kernel_store(Kernel *kernel, const char *to, const char *at, const char *value)
{
    if (!kernel->epilogue)
        kernel_add(kernel, "%s = %s;", to, value);
    else if (kernel->epilogue_operands)
        kernel_add(kernel, "%s = %s(%s%s, %s);", to, kernel->epilogue, value,
                   kernel->epilogue_operands, at);
    else
        kernel_add(kernel, "%s = %s(%s);", to, kernel->epilogue, value);
}

void kernel_fetch(Kernel *kernel, const char *at)
{
    const char *names = format("%s%s", kernel->epilogue_operands ? kernel->epilogue_operands : "",
                               kernel->sums ? ", n_x" : "");
    for (const char *name = names; *name; name += strcspn(name, ",")) {
        name += strspn(name, ", ");
        kernel_add(kernel, "__builtin_prefetch(%.*s + %s, 0, 2);", (int)strcspn(name, ","), name,
                   at);
    }
}

/* -------------------------------------------------- functions by name */

/* `base`; where another function has that name, base_2.  Names are never given
 * back, so the search goes on where the last one for `base` ended. */
const char *unused_name(Module *module, const char *base)
{
    const char *name = base = intern(base);
    intptr_t number = (intptr_t)map_get(&module->counts, base);
    number = number ? number : 1;
    if (number > 1)
        name = format("%s_%d", base, (int)number);
    while (map_get(&module->names, name))
        name = format("%s_%d", base, (int)++number);
    map_set(&module->counts, base, (void *)number);
    return name;
}

/* The function whose text (made by format()) this is; NULL: none was written. */
const char *find_function(const Module *module, const char *text)
{
    return map_get(&module->functions, text);
}

void note_function(Module *module, const char *name, const char *text)
{
    map_set(&module->functions, text, (void *)name);
    map_set(&module->names, name, (void *)(intptr_t)++module->function_count);
}

const char *write_once(Module *module, const char *base, const char *type, const char *text)
{
    const char *name = find_function(module, text);
    if (name)
        return name;
    name = unused_name(module, base);
    note_function(module, name, text);
    text_add(module->out, "%s%s%s", type, name, text);
    return name;
}

Kernel begin_function(const Kernel *kernel)
{
    Kernel function = *kernel;
    function.body = (Text){0};
    function.packed = 0;
    function.indent = 0;
    return function;
}

/* A kernel's text is made in a passing arena, which this outlives. */
const char *end_function(const Kernel *kernel, const Kernel *function, const char *comment,
                         const char *head, const char *base, const char *parameters)
{
    Arena *passing = use_arena(kernel->module->arena);
    const char *text = format("%s\n{\n%s}\n\n", parameters, text_chars(&function->body));
    const char *name = write_once(kernel->module, base, format("%s\n%s", comment, head), text);
    use_arena(passing);
    return name;
}
