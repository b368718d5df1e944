/* main.c: the commands, and the way from a .net file to a trainer.  Each
 * function here calls the stages in order; netc.h lists them.
 *
 * Exit: 0 all is well, 1 the program was wrong and was told why, 2 the command
 * was, 3 netc itself is.
 */
#include "netc.h"
#include "options.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* training NULL: no train section; one_image NULL: reference kernels. */
/* What is written must be no file that the program is made of: read_options has
 * looked at the first of them. */
static void spare_sources(const Program *program, const char *output)
{
    for (int i = 0; i < program->sources.count; i++)
        if (net_same_file(output, program->sources.items[i]->path))
            diag(SEVERITY_ERROR, "usage", (Span){0},
                 "-o %s would replace a file that the program uses", output);
}

/* NULL: nothing to read, a library, or errors.  output: what is to be written, or NULL. */
static Graph *check_file(const char *path, const char *output)
{
    DiagnosticLog *own = new_diagnostic_log(), *before = diag_to(own);
    const Program *program = parse_program(path);
    Trace trace = {0};
    if (program)
        check_parsed(program, &trace);
    if (program && output)
        spare_sources(program, output);
    bool good = diag_error_count() == 0;
    if (program && !good)
        offer_help(program);
    diag_to(before);
    diag_take(own);
    return good ? trace.graph : NULL;
}

/* .net text to a checked network. */
static Graph *read_network(const char *path, const char *output)
{
    Graph *graph = check_file(path, output);
    if (graph)
        verify_graph(graph);
    return graph;
}

/* For the commands that can do nothing with a library. */
static Graph *read_network_only(const char *path, const char *output)
{
    Graph *graph = read_network(path, output);
    if (!graph && !diag_error_count())
        diag_help(diag(SEVERITY_ERROR, "no-network", (Span){0},
                       "%s has no network: it is a library", path),
                  "`netc check` checks a library's blocks; another file takes them with `use`");
    return graph;
}

/* To a graph with its gradients, in the order in which it is best computed. */
static void complete_graph(Graph *graph, const CompileOptions *options)
{
    graph->structure = structure_text(graph);
    lower_nodes(graph);
    if (options->fuse & FUSE_POOL)
        pool_first(graph);
    verify_graph(graph);
    if (!options->reference)
        mark_whole_batch(graph);
    if (graph->loss)
        add_gradients(graph, options->fuse);
    place_parameters(graph);
    verify_graph(graph);
}

static Plans make_plans(Graph *graph, const CompileOptions *options)
{
    int lanes = options->target.vector_bytes / (options->f64 ? 8 : 4);
    unsigned fuse = options->reference ? options->fuse & ~(unsigned)FUSE_KERNELS : options->fuse;
    /* without a mask register, choosing lanes costs as much as multiplying them */
    if (options->target.vector_bytes < 64)
        fuse &= ~(unsigned)FUSE_POOL_GRADIENT;
    complete_graph(graph, options);
    Plans plans = {.inference = make_plan(graph, false, lanes, fuse, false)};
    if (graph->loss)
        plans.training = make_plan(graph, true, lanes, fuse, options->mpi);
    if (options->reference)
        return plans;
    split_steps(plans.inference, options->split);
    if (graph->loss)
        split_steps(plans.training, options->split);
    /* one image: a convolution does not hand its rows to a pool */
    plans.one_image =
        make_plan(one_image_graph(graph), false, 1, fuse & ~(unsigned)FUSE_POOL, false);
    split_steps(plans.one_image, options->split);
    const Graph *row = row_graph(graph, &plans.obstacle);
    if (row) {
        plans.one_row =
            make_plan(one_image_graph(row), false, 1, fuse & ~(unsigned)FUSE_POOL, false);
        split_steps(plans.one_row, options->split);
    }
    return plans;
}

static void emit_network(Graph *graph, const CompileOptions *options, Text *c)
{
    Plans plans = make_plans(graph, options);
    emit_program(graph, &plans, options, c);
}

/* ------------------------------------------------------------ commands */

static void check(const Options *options)
{
    for (int i = 0; i < options->operands.count; i++)
        if (options->fix)
            fix_file(options->operands.items[i]);
        else
            read_network(options->operands.items[i], NULL);
}

static void build(const Options *options)
{
    if (!check_program(options->output, &options->compile))
        return;
    Graph *graph = read_network_only(options->operands.items[0], options->output);
    if (!graph || !may_replace(options->output))
        return;
    Text c = {0};
    emit_network(graph, &options->compile, &c);
    compile_program(&c, graph->name, options->output, &options->compile);
}

static void emit(const Options *options)
{
    const char *output = options->output ? options->output : "-";
    if (!check_output(output, NET_ANY_FILE))
        return;
    Graph *graph = read_network_only(options->operands.items[0], options->output);
    if (!graph)
        return;
    Text c = {0};
    emit_network(graph, &options->compile, &c);
    write_whole_file(output, NET_ANY_FILE, text_chars(&c), c.length);
}

static void summary(const Options *options)
{
    Graph *graph = read_network_only(options->operands.items[0], options->output);
    if (!graph)
        return;
    Graph listed = *graph;
    listed.nodes.items = NEW_ARRAY(Node *, (size_t)graph->nodes.count);
    memcpy(listed.nodes.items, graph->nodes.items, (size_t)graph->nodes.count * sizeof(Node *));
    Plans plans = make_plans(graph, &options->compile);
    const Plan *plan = plans.training ? plans.training : plans.inference;
    (options->json ? write_summary_json : write_summary)(&listed, plan, &options->compile, stdout);
}

static void draw(const Options *options)
{
    const char *output = options->output ? options->output : "-";
    if (!check_output(output, NET_ANY_FILE))
        return;
    Graph *graph = read_network_only(options->operands.items[0], options->output);
    if (!graph)
        return;
    Text dot = {0};
    write_dot(graph, &dot);
    if (options->svg)
        render_svg(&dot, output);
    else
        write_whole_file(output, NET_ANY_FILE, text_chars(&dot), dot.length);
}

/* False: --check found one that would change. */
static bool format_files(const Options *options)
{
    const FormatOptions how = {
        .mode = options->annotate ? FORMAT_ANNOTATE
                : options->strip  ? FORMAT_STRIP
                                  : FORMAT_PLAIN,
        .check = options->check,
        .diff = options->diff,
    };
    bool clean = true;
    for (int i = 0; i < options->operands.count; i++)
        clean &= format_file(options->operands.items[i], &how);
    return clean;
}

static void list_all(void)
{
    printf("operators:\n");
    list_operators(stdout);
    printf("\nwords:\n");
    list_words(stdout);
    printf("\nsettings of the train section:\n");
    list_settings(stdout);
    printf("\n");
    diag_list_codes(stdout);
}

static void explain(const Options *options)
{
    const char *word = options->operands.count ? options->operands.items[0] : NULL;
    const Operator *op = word ? find_operator(word) : NULL;
    if (options->json && (op || !word))
        explain_json(op, stdout);
    else if (!word)
        list_all();
    else if (op)
        explain_operator(op, stdout);
    else if (!options->json && find_language_word(word))
        explain_word(find_language_word(word), stdout);
    else if (options->json || (!explain_setting(word, stdout) && !diag_explain(word, stdout)))
        misuse(
            options,
            "'%s' is neither an operator nor a word of the language nor a setting nor an error's "
            "code; `netc explain` lists them",
            word);
}

/* One stage as text: what the golden tests compare. */
static void dump(const Options *options)
{
    const char *path = options->operands.items[0];
    if (options->dump == DUMP_AST) {
        Program *program = parse_program(path);
        if (program && !diag_error_count())
            dump_ast(program, stdout);
        return;
    }
    if (options->dump == DUMP_GRAPH) {
        Program *program = parse_program(path);
        Graph *graph = program && program->network ? build_graph(program) : NULL;
        if (graph)
            resolve_training(graph);
        if (graph && !diag_error_count())
            dump_graph(graph, stdout);
        return;
    }
    Graph *graph = read_network_only(path, NULL);
    if (!graph)
        return;
    if (options->dump == DUMP_GRADIENT) {
        complete_graph(graph, &options->compile);
        dump_graph(graph, stdout);
        return;
    }
    Plans plans = make_plans(graph, &options->compile);
    if (plans.training)
        dump_plan(plans.training, stdout);
    dump_plan(plans.inference, stdout);
    if (plans.one_image)
        dump_plan(plans.one_image, stdout);
    if (plans.one_row)
        dump_plan(plans.one_row, stdout);
}

/* At every exit: what was printed must have arrived, or a full disk would look
 * like success.  --help and --version leave through here too. */
static void close_output(void)
{
    bool failed = ferror(stdout);
    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return;
    fprintf(stderr, "netc: cannot write to standard output%s%s\n", errno ? ": " : "",
            errno ? strerror(errno) : "");
    _exit(1);
}

int main(int argc, char **argv)
{
    atexit(close_output);
    atexit(net_remove_unfinished); /* before it */
    catch_signals();
    cJSON_InitHooks(&(cJSON_Hooks){memory_allocate, free});
    Options options = read_options(argc, argv);
    bool good = true;
    if (options.dump)
        dump(&options);
    else
        switch (options.command) {
        case COMMAND_CHECK:
            check(&options);
            break;
        case COMMAND_BUILD:
            build(&options);
            break;
        case COMMAND_EMIT:
            emit(&options);
            break;
        case COMMAND_SUMMARY:
            summary(&options);
            break;
        case COMMAND_GRAPH:
            draw(&options);
            break;
        case COMMAND_FMT:
            good = format_files(&options);
            break;
        case COMMAND_LSP:
            return serve();
        case COMMAND_EXPLAIN:
            explain(&options);
            break;
        }
    diag_flush();
    return diag_error_count() || !good ? 1 : 0;
}
