/* shown.c: which characters a terminal is not given as they are, and what instead.
 * Decided by Unicode's ranges, not by the C library: a trainer that is linked
 * statically has no tables of characters, and the user's locale may be C.
 */
#include "core/shown.h"

#include <string.h>

/* Controls, what is never seen, and what changes the direction of its surroundings.
 * Some scripts need a few of these within words: such a name is still readable. */
static const struct {
    uint32_t first, last;
} hidden[] = {
    {0x00, 0x1F},     {0x7F, 0x9F},       {0xAD, 0xAD},       {0x34F, 0x34F},   {0x61C, 0x61C},
    {0x115F, 0x1160}, {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F}, {0x2028, 0x202E},
    {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB},
    {0xFFFE, 0xFFFF}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

static bool is_hidden(uint32_t character)
{
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (character >= hidden[i].first && character <= hidden[i].last)
            return true;
    return false;
}

int net_utf8_decode(const unsigned char *bytes, size_t length, uint32_t *character)
{
    static const uint32_t min[] = {0, 0, 0x80, 0x800, 0x10000};
    int count = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
    if (count > 1 && (bytes[0] < 0xC2 || bytes[0] > 0xF4 || (size_t)count > length))
        return 0;
    *character = count == 1 ? bytes[0] : bytes[0] & (0x7Fu >> count);
    for (int i = 1; i < count; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        *character = *character << 6 | (bytes[i] & 0x3Fu);
    }
    bool surrogate = *character >= 0xD800 && *character <= 0xDFFF;
    return *character < min[count] || surrogate || *character > 0x10FFFF ? 0 : count;
}

NetGlyph net_glyph(const char *chars, size_t length)
{
    uint32_t character = 0;
    int bytes = net_utf8_decode((const unsigned char *)chars, length, &character);
    NetGlyph glyph = {.bytes = bytes ? bytes : 1, .valid = bytes > 0};
    if (!bytes || (is_hidden(character) && character < 0x80))
        snprintf(glyph.escape, sizeof glyph.escape, "\\x%02x", (unsigned char)*chars);
    else if (is_hidden(character))
        snprintf(glyph.escape, sizeof glyph.escape, "\\u{%x}", (unsigned)character & 0x1FFFFF);
    return glyph;
}

const char *net_glyph_shown(const NetGlyph *glyph, const char *chars, size_t *length)
{
    *length = *glyph->escape ? strlen(glyph->escape) : (size_t)glyph->bytes;
    return *glyph->escape ? glyph->escape : chars;
}

const char *net_shown(char *to, size_t room, const char *chars)
{
    size_t used = 0;
    for (size_t left = strlen(chars); left > 0;) {
        NetGlyph glyph = net_glyph(chars, left);
        size_t length;
        const char *shown = net_glyph_shown(&glyph, chars, &length);
        if (used + length >= room)
            break;
        memcpy(to + used, shown, length);
        used += length;
        chars += glyph.bytes;
        left -= (size_t)glyph.bytes;
    }
    to[used] = '\0';
    return to;
}

void net_print_shown(FILE *file, const char *chars)
{
    for (size_t left = strlen(chars); left > 0;) {
        NetGlyph glyph = net_glyph(chars, left);
        size_t length;
        const char *shown = net_glyph_shown(&glyph, chars, &length);
        fwrite(shown, 1, length, file);
        chars += glyph.bytes;
        left -= (size_t)glyph.bytes;
    }
}

void net_print_folded(const char *text, int indent)
{
    enum { COLUMNS = 80 };
    for (int at = indent; *text;) {
        int length = (int)strcspn(text, " ");
        if (at > indent && at + 1 + length > COLUMNS) {
            printf("\n%*s", indent, "");
            at = indent;
        }
        at += printf("%s%.*s", at > indent ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}
