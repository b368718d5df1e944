/* explain.c: `netc explain`: an operator's page, and the list of them. */
#include "ops/operator.h"

#include <string.h>

enum { PAGE_WIDTH = 88 };

static int longest_name(const ArgSpec *args)
{
    int longest = 0;
    for (int i = 0; args[i].name != NULL; i++) {
        int length = (int)strlen(args[i].name);
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* "stride=1"; a required argument is its name, one absent by default "[name]". */
static const char *signature_entry(const ArgSpec *arg)
{
    if (arg->otherwise == NULL)
        return arg->name;
    if (absent_by_default(arg))
        return format("[%s]", arg->name);
    const char *otherwise = arg->otherwise[0] == '=' ? arg->otherwise + 1 : arg->otherwise;
    return format("%s=%s", arg->name, otherwise);
}

/* The arguments and what closes them, from a column on, wrapped at a margin. */
static void print_entries(const ArgSpec *args, int column, int margin, FILE *out)
{
    for (int i = 0; args[i].name != NULL; i++) {
        const char *entry = signature_entry(&args[i]);
        const char *after = args[i + 1].name != NULL ? "," : ")";
        if (i > 0 && column + (int)strlen(entry) + 2 > PAGE_WIDTH)
            column = fprintf(out, "\n%*s", margin, "") - 1;
        else if (i > 0)
            column += fprintf(out, " ");
        column += fprintf(out, "%s%s", entry, after);
    }
    fprintf(out, "\n");
}

/* conv2d(out_channels, kernel_size, stride=1, …), wrapped under the bracket. */
static void print_signature(const char *name, const ArgSpec *args, FILE *out)
{
    int margin = fprintf(out, "%s", name);
    if (args == NULL || args[0].name == NULL) {
        fprintf(out, "\n");
        return;
    }
    margin += fprintf(out, "(");
    print_entries(args, margin, margin, out);
}

/* ", axis=0": those of an operator that joins, behind the names of tensors. */
static const char *further_arguments(const ArgSpec *args)
{
    Text text = {0};
    for (int i = 0; args != NULL && args[i].name != NULL; i++)
        text_add(&text, ", %s", signature_entry(&args[i]));
    return text.length ? text_chars(&text) : "";
}

/* op { branch { ... } branch { ... } ... }   or   op(name, ..., axis=0) */
static void print_joined(const Operator *op, FILE *out)
{
    int further = (int)strlen(further_arguments(op->args));
    fprintf(out, "%s { branch { ... } branch { ... } ... }%s", op->name,
            further > 40 ? "\n" : "   ");
    int margin = fprintf(out, "or   %s(", op->name), column = margin + fprintf(out, "name, ...");
    if (further == 0)
        fprintf(out, ")\n");
    else
        print_entries(op->args, column + fprintf(out, ", "), margin, out);
}

static void print_joins(const Operator *op, FILE *out)
{
    if (op->traits & OP_JOINS)
        print_joined(op, out);
    else
        print_signature(op->name, op->args, out);
    if (op->traits & OP_ALSO_JOINS) {
        fprintf(out, "or   %s(name", op->name);
        for (int i = 1; i < op->joined; i++)
            fprintf(out, ", name");
        fprintf(out, ", %s=..., ...) of %d tensors\n", op->args[0].name, op->joined);
    }
}

static const char *kind_text(ArgKind kind)
{
    switch (kind) {
    case ARG_INT:
        return "whole number";
    case ARG_SINGLE:
        return "number";
    case ARG_TRIPLE:
        return "number or [depth, rows, columns]";
    case ARG_SHAPE:
        return "list of sizes, one of which may be _";
    case ARG_AXES:
        return "axis or list of axes";
    case ARG_INTS:
        return "whole number or list of them";
    case ARG_PAIR:
        return "number or [rows, columns]";
    case ARG_QUAD:
        return "number or [left, right, top, bottom]";
    case ARG_REAL:
        return "real number";
    case ARG_BOOL:
        return "true or false";
    case ARG_INIT:
        return "number, or an initialiser with its arguments";
    case ARG_VALUES:
        return "number or list of numbers";
    case ARG_TENSORS:
        return "named tensor or list of them";
    case ARG_WORD:
        return "";
    }
    unreachable();
}

static void add_range(Text *text, const ArgSpec *arg)
{
    bool any = (arg->minimum == 0 && arg->maximum == 0) || arg->minimum <= -LARGEST;
    if (any)
        return;
    if (arg->maximum >= LARGEST)
        text_add(text, ", at least %g", arg->minimum);
    else
        text_add(text, ", %g to %g", arg->minimum, arg->maximum);
}

/* "number or [rows, columns], at least 0; or same, valid" */
static const char *domain(const ArgSpec *arg)
{
    Text text = {0};
    bool listed = arg->kind == ARG_INIT && arg->words != NULL;
    text_add(&text, "%s", arg->words == any_word ? "name" : listed ? "" : kind_text(arg->kind));
    if (arg->kind != ARG_BOOL && arg->kind != ARG_WORD && arg->kind != ARG_INIT)
        add_range(&text, arg);
    for (int i = 0; arg->words != NULL && arg->words[i] != NULL; i++) {
        const char *before = i > 0 ? ", " : arg->kind == ARG_WORD || listed ? "" : "; or ";
        text_add(&text, "%s%s", before, arg->words[i]);
    }
    return text_chars(&text);
}

static const char *default_text(const ArgSpec *arg)
{
    if (arg->otherwise == NULL)
        return "required";
    if (absent_by_default(arg))
        return arg->assertion ? "not checked" : "absent";
    if (arg->otherwise[0] == '=')
        return format("as %s", arg->otherwise + 1);
    return format("default %s", arg->otherwise);
}

/* The rest of a line that is indented so far, and further lines under it. */
static void print_wrapped(const char *text, int indent, FILE *out)
{
    int room = PAGE_WIDTH - indent, end = (int)strlen(text);
    while (end > room) {
        int cut = room;
        while (cut > 0 && text[cut] != ' ')
            cut--;
        if (cut == 0)
            break;
        fprintf(out, "%.*s\n%*s", cut, text, indent, "");
        text += cut + 1;
        end -= cut + 1;
    }
    fprintf(out, "%s\n", text);
}

static void print_arguments(const ArgSpec *args, FILE *out)
{
    int width = longest_name(args);
    fprintf(out, "\narguments\n");
    for (int i = 0; args[i].name != NULL; i++) {
        fprintf(out, "  %-*s  ", width, args[i].name);
        print_wrapped(args[i].doc, width + 4, out);
        fprintf(out, "  %*s  ", width, "");
        print_wrapped(format("%s; %s%s", domain(&args[i]), default_text(&args[i]),
                             args[i].positional ? "; may be given without its name" : ""),
                      width + 4, out);
    }
}

/* A heading and its text, whose further lines stand under the first. */
static void print_section(const char *heading, const char *text, FILE *out)
{
    if (text == NULL)
        return;
    fprintf(out, "%-11s", heading);
    for (; *text != '\0'; text++) {
        fputc(*text, out);
        if (*text == '\n')
            fprintf(out, "%11s", "");
    }
    fputc('\n', out);
}

void explain_call(const char *name, const char *summary, const ArgSpec *args, FILE *out)
{
    print_signature(name, args, out);
    fprintf(out, "\n");
    print_wrapped(summary, 0, out);
    if (args != NULL && args[0].name != NULL)
        print_arguments(args, out);
}

void explain_operator(const Operator *op, FILE *out)
{
    print_joins(op, out);
    fprintf(out, "\n");
    print_wrapped(op->summary, 0, out);
    fprintf(out, "\n");
    print_section("shape", op->shape_rule, out);
    print_section("formula", op->formula, out);
    print_section("reference", op->reference, out);
    if (op->args != NULL)
        print_arguments(op->args, out);
}

void list_operators(FILE *out)
{
    int width = 0;
    for (int i = 0; operators[i] != NULL; i++) {
        int length = (int)strlen(operators[i]->name);
        width = length > width ? length : width;
    }
    for (int i = 0; operators[i] != NULL; i++)
        fprintf(out, "  %-*s  %s\n", width, operators[i]->name, operators[i]->summary);
}
