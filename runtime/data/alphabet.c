/* alphabet.c: a text's characters as whole numbers: each has one, in the order of their codes, or
 * each byte its own.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256, MAX_CODE = 0x110000 };

bool net_alphabet_open(NetAlphabet *alphabet, bool bytes, NetError *error)
{
    *alphabet = (NetAlphabet){.bytes = bytes};
    alphabet->codes = net_allocate(BYTES, sizeof *alphabet->codes, error);
    alphabet->numbers =
        alphabet->codes ? net_allocate(MAX_CODE, sizeof *alphabet->numbers, error) : NULL;
    if (!alphabet->numbers)
        return false;
    memset(alphabet->numbers, -1, MAX_CODE * sizeof *alphabet->numbers);
    for (int i = 0; bytes && i < BYTES; i++)
        alphabet->codes[i] = alphabet->numbers[i] = i;
    alphabet->count = bytes ? BYTES : 0;
    return true;
}

void net_alphabet_close(NetAlphabet *alphabet)
{
    free(alphabet->codes);
    free(alphabet->numbers);
    *alphabet = (NetAlphabet){0};
}

/* The character at a text's beginning, and how many bytes it has; 0: it is none of UTF-8. */
static int64_t next_code(const NetAlphabet *alphabet, const char *text, int64_t left,
                         uint32_t *code)
{
    if (!alphabet->bytes)
        return net_utf8_decode((const uint8_t *)text, (size_t)left, code);
    *code = (uint8_t)*text;
    return 1;
}

bool net_alphabet_meet(NetAlphabet *alphabet, const char *text, int64_t length, const char *path,
                       NetError *error)
{
    uint32_t code;
    for (int64_t at = 0, step; at < length; at += step) {
        step = next_code(alphabet, text + at, length - at, &code);
        if (step == 0)
            return net_fail(error, "%s: byte %" PRId64 " begins no character of UTF-8", path, at);
        alphabet->numbers[code] = 0;
    }
    return true;
}

bool net_alphabet_number(NetAlphabet *alphabet, int64_t most, const char *path, NetError *error)
{
    int64_t met = 0;
    for (int32_t code = 0; code < MAX_CODE; code++)
        met += alphabet->numbers[code] >= 0;
    if (met > most)
        return net_fail(error,
                        "%s has %" PRId64 " different characters, and the network takes %" PRId64
                        " numbers; `input [...] of 256` takes a text's bytes",
                        path, met, most);
    free(alphabet->codes);
    alphabet->codes = net_allocate((size_t)met + 1, sizeof *alphabet->codes, error);
    alphabet->count = 0;
    for (int32_t code = 0; alphabet->codes && code < MAX_CODE; code++)
        if (alphabet->numbers[code] >= 0) {
            alphabet->codes[alphabet->count] = code;
            alphabet->numbers[code] = (int32_t)alphabet->count++;
        }
    return alphabet->codes != NULL;
}

int64_t net_alphabet_length(const NetAlphabet *alphabet, const char *text, int64_t length)
{
    int64_t count = 0;
    uint32_t code;
    for (int64_t at = 0, step = 1; at < length && step > 0; at += step, count++)
        step = next_code(alphabet, text + at, length - at, &code);
    return count;
}

bool net_alphabet_translate(const NetAlphabet *alphabet, NetKind kind, void *to, int64_t most,
                            const char *text, int64_t length, const char *path, NetError *error)
{
    uint32_t code;
    int64_t count = 0;
    for (int64_t at = 0, step; at < length && count < most; at += step, count++) {
        step = next_code(alphabet, text + at, length - at, &code);
        if (step == 0)
            return net_fail(error, "%s: byte %" PRId64 " begins no character of UTF-8", path, at);
        int32_t number = alphabet->numbers[code];
        if (number < 0)
            return net_fail(error,
                            "%s: byte %" PRId64 " begins '%.*s', which is none of the %" PRId64
                            " characters that the network was trained with",
                            path, at, (int)step, text + at, alphabet->count);
        if (kind == NET_BYTES)
            ((uint8_t *)to)[count] = (uint8_t)number;
        else
            ((int32_t *)to)[count] = number;
    }
    return true;
}

/* --------------------------------------------------------------- as lines */

char *net_alphabet_lines(const NetAlphabet *alphabet, int64_t numbers)
{
    char *names = NULL;
    size_t size;
    FILE *out = open_memstream(&names, &size);
    for (int64_t i = 0; out && i < numbers; i++) {
        int32_t code = i < alphabet->count ? alphabet->codes[i] : -1;
        if (code < 0)
            fprintf(out, "unused %" PRId64, i);
        else if (code < 0x20 || code == 0x7f || code == '\\' || (alphabet->bytes && code > 0x7f))
            fprintf(out, "\\x%02x", (unsigned)code);
        else if (code < 0x80)
            fputc(code, out);
        else
            fprintf(out, "\\u%04x", (unsigned)code);
        if (i + 1 < numbers)
            fputc('\n', out);
    }
    if (!out || fclose(out) != 0) {
        free(names);
        return NULL;
    }
    return names;
}

int net_spell_character(const char *name, char bytes[8])
{
    unsigned code;
    if (sscanf(name, "\\x%2x", &code) == 1) {
        bytes[0] = (char)code;
        return 1;
    }
    if (sscanf(name, "\\u%6x", &code) != 1) {
        snprintf(bytes, 8, "%s", name);
        return (int)strlen(bytes);
    }
    int length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)((0xf00 >> length) | code);
    return length;
}

/* The code of a line's name; -1: of a number that is not used. */
static int32_t code_of(const char *name)
{
    unsigned code;
    if (sscanf(name, "\\x%2x", &code) == 1 || sscanf(name, "\\u%6x", &code) == 1)
        return code < MAX_CODE ? (int32_t)code : -1;
    return name[0] && !name[1] ? (uint8_t)name[0] : -1;
}

/* Lines as above, in which the numbers that are used come first. */
bool net_alphabet_read(NetAlphabet *alphabet, const char *lines, NetError *error)
{
    NetNames names = {0};
    bool good = net_names_split(&names, lines, error);
    free(alphabet->codes);
    alphabet->codes =
        good ? net_allocate((size_t)names.count, sizeof *alphabet->codes, error) : NULL;
    alphabet->count = 0;
    for (int64_t i = 0; alphabet->codes && i < names.count; i++) {
        int32_t code = code_of(names.items[i]);
        if (code < 0)
            break;
        alphabet->codes[alphabet->count] = code;
        alphabet->numbers[code] = (int32_t)alphabet->count++;
    }
    net_names_close(&names);
    return alphabet->codes != NULL;
}
