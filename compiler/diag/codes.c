/* codes.c: the codes that messages have, and their pages.  diagnostics.def lists
 * every one with its explanation; a message with any other code is our own bug.
 */
#include "diag/log.h"

#include <string.h>

const CodeEntry codes[] = {
#define DIAGNOSTIC(code, summary, explanation, wrong, right) \
    {code, summary, explanation, wrong, right, false},
#define WARNING(code, summary, explanation, wrong, right) \
    {code, summary, explanation, wrong, right, true},
#include "diag/diagnostics.def"
#undef DIAGNOSTIC
#undef WARNING
};
const int code_count = sizeof codes / sizeof *codes;

int find_code(const char *code)
{
    for (int i = 0; i < code_count; i++)
        if (strcmp(codes[i].code, code) == 0)
            return i;
    return -1;
}

bool diag_warn(const char *word)
{
    bool off = strncmp(word, "no-", 3) == 0;
    int code = find_code(off ? word + 3 : word);
    if (strcmp(word, "error") == 0) {
        diag_options.warnings_are_errors = true;
        return true;
    }
    if (code < 0 || !codes[code].warning)
        return false;
    if (!diag_options.silenced)
        diag_options.silenced = NEW_ARRAY(bool, (size_t)code_count);
    diag_options.silenced[code] = off;
    return true;
}

void diag_print_indented(const char *heading, const char *program, FILE *out)
{
    if (!program)
        return;
    fprintf(out, "\n%s\n\n", heading);
    while (*program) {
        int length = (int)strcspn(program, "\n");
        fprintf(out, "%s%.*s\n", length ? "    " : "", length, program);
        program += length + (program[length] == '\n');
    }
}

void diag_print_wrapped(const char *text, FILE *out)
{
    enum { WIDTH = 78 };
    int column = 0;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column && column + 1 + length > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += fprintf(out, "%s%.*s", column ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

bool diag_explain(const char *code, FILE *out)
{
    int found = find_code(code);
    if (found < 0)
        return false;
    const CodeEntry *entry = &codes[found];
    fprintf(out, "%s: %s\n\n", entry->code, entry->summary);
    diag_print_wrapped(entry->explanation, out);
    diag_print_indented("Wrong:", entry->wrong, out);
    diag_print_indented("Right:", entry->right, out);
    return true;
}

void diag_list_codes(FILE *out)
{
    for (int warnings = 0; warnings < 2; warnings++) {
        fprintf(out, warnings ? "\nwarnings:\n" : "errors:\n");
        for (int i = 0; i < code_count; i++)
            if (codes[i].warning == warnings)
                fprintf(out, "%-20s %s\n", codes[i].code, codes[i].summary);
    }
}
