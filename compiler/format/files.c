/* files.c: `netc fmt`.  A file that is laid out already is not written; one with
 * errors is left alone, and the others are formatted all the same. */
#include "format.h"

#include <errno.h>
#include <string.h>

static const char *read_input(const char *path, size_t *length)
{
    bool piped = !strcmp(path, "-");
    const char *chars = read_whole_file(piped ? "/dev/stdin" : path, MAX_FILE_BYTES, length);
    if (!chars)
        diag(SEVERITY_ERROR, "read", (Span){0}, "cannot read %s: %s", path,
             errno == EFBIG ? format("larger than %d MiB", MAX_FILE_BYTES >> 20) : strerror(errno));
    return chars;
}

static FormatMode mode_of(const Options *options)
{
    return options->annotate ? FORMAT_ANNOTATE : options->strip ? FORMAT_STRIP : FORMAT_PLAIN;
}

static void show_changes(const Options *options, const char *path, const char *before,
                         const Text *after)
{
    if (options->diff) {
        Text diff = {0};
        add_diff(path, before, text_chars(after), &diff);
        fwrite(text_chars(&diff), 1, diff.length, stdout);
    } else {
        printf("%s\n", SHOWN(path));
    }
}

/* False: --check, and it would change. */
static bool format_file(const Options *options, const char *path)
{
    size_t length;
    Text out = {0};
    const char *chars = read_input(path, &length);
    const char *shown = strcmp(path, "-") ? path : "<stdin>";
    if (!chars || !format_text(shown, chars, length, mode_of(options), &out))
        return true;
    bool same = out.length == length && !memcmp(chars, text_chars(&out), length);
    if (options->check || options->diff) {
        if (!same)
            show_changes(options, shown, chars, &out);
    } else if (!same || !strcmp(path, "-")) {
        write_whole_file(path, NET_ANY_FILE, text_chars(&out), out.length);
    }
    return same || !options->check;
}

bool format_files(const Options *options)
{
    bool clean = true;
    for (int i = 0; i < options->operands.count; i++)
        clean &= format_file(options, options->operands.items[i]);
    return clean;
}
