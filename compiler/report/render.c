/* render.c: Graphviz draws the network. */
#include "report/drawing.h"
#include "report/report.h"
#include "write/programs.h"

#include <errno.h>
#include <string.h>

static bool draw_svg(const Text *dot, const char *output)
{
    const char *source = scratch_file("graph.dot"), *made = scratch_file("graph.svg");
    if (!write_scratch(source, dot))
        return false;
    Words words = {0};
    add_words(&words, "dot -Tsvg -o");
    push(&words, made);
    push(&words, source);
    int code = run_program(&words);
    size_t length;
    char *svg = code == 0 ? read_whole_file(made, 1u << 30, &length) : NULL;
    if (!svg && code == 0 && errno != ENOENT)
        tool_error("cannot read what dot drew: %s", strerror(errno));
    else if (code < 0)
        diag_help(tool_error("%s", "--svg needs Graphviz"),
                  "install it (Debian: apt-get install graphviz), or leave --svg out and draw the "
                  "DOT elsewhere");
    else if (!svg)
        tool_error("%s", "dot could not draw the graph");
    if (!svg)
        return false;
    Text fitted = {0};
    fit_svg(svg, &fitted);
    return write_whole_file(output, NET_ANY_FILE, text_chars(&fitted), fitted.length);
}

bool render_svg(const Text *dot, const char *output)
{
    if (!open_scratch())
        return false;
    bool done = draw_svg(dot, output);
    close_scratch(false);
    return done;
}
