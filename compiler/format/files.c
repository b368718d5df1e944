/* files.c: `netc fmt`.  A file that is laid out already is not written; one with
 * errors is left alone, and the others are formatted all the same. */
#include "core/shown.h"
#include "format/rows.h"

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

static void show_changes(const FormatOptions *options, const char *path, const char *before,
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

bool format_file(const char *path, const FormatOptions *options)
{
    size_t length;
    Text out = {0};
    const char *chars = read_input(path, &length);
    const char *shown = strcmp(path, "-") ? path : "<stdin>";
    if (!chars || !format_text(shown, chars, length, options->mode, &out))
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
