/* text.c: texts that grow, texts of a template, and how far two words are apart. */
#include "util/util.h"

#include <stdlib.h>
#include <string.h>

char *print(const char *template, va_list arguments, int *length)
{
    char *chars = NULL;
    *length = vasprintf(&chars, template, arguments);
    if (*length < 0)
        out_of_memory(strlen(template));
    return chars;
}

const char *format(const char *template, ...)
{
    char few[256];
    va_list arguments;
    va_start(arguments, template);
    int length = vsnprintf(few, sizeof few, template, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof few)
        return intern_range(few, (size_t)length);
    va_start(arguments, template);
    char *chars = print(template, arguments, &length);
    va_end(arguments);
    const char *name = intern_range(chars, (size_t)length);
    free(chars);
    return name;
}

/* ---- texts that grow */

/* Makes room for `more` characters and the final NUL. */
static void text_reserve(Text *text, size_t more)
{
    size_t needed;
    if (__builtin_add_overflow(text->length, more, &needed) || needed > SIZE_MAX / 4)
        out_of_memory(SIZE_MAX);
    if (needed < text->capacity)
        return;
    size_t larger = needed * 2 + 64;
    char *moved = arena_allocate(larger);
    if (text->length)
        memcpy(moved, text->chars, text->length);
    text->chars = moved;
    text->capacity = larger;
}

void text_add(Text *text, const char *template, ...)
{
    va_list arguments;
    text_reserve(text, 0);
    size_t room = text->capacity - text->length;
    va_start(arguments, template);
    int length = vsnprintf(text->chars + text->length, room, template, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory(strlen(template));
    if ((size_t)length >= room) {
        text_reserve(text, (size_t)length);
        va_start(arguments, template);
        vsnprintf(text->chars + text->length, (size_t)length + 1, template, arguments);
        va_end(arguments);
    }
    text->length += (size_t)length;
}

void text_add_range(Text *text, const char *chars, size_t length)
{
    text_reserve(text, length);
    if (length)
        memcpy(text->chars + text->length, chars, length);
    text->length += length;
    text->chars[text->length] = '\0';
}

const char *text_chars(const Text *text)
{
    return text->chars ? text->chars : "";
}

const char *with_separators(Int number)
{
    const char *digits = format("%lld", number);
    size_t length = strlen(digits);
    Text text = {0};
    for (size_t i = 0; i < length; i++)
        text_add(&text, "%s%c", i && (length - i) % 3 == 0 ? "," : "", digits[i]);
    return text_chars(&text);
}

/* ---- distances */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau's distance in its restricted form (no character is moved twice),
 * by three rolling rows of the usual table. */
int edit_distance(const char *a, const char *b)
{
    int height = (int)strnlen(a, 256), width = (int)strnlen(b, 256);
    int rows[3][257];
    for (int column = 0; column <= width; column++)
        rows[0][column] = column;
    for (int row = 1; row <= height; row++) {
        int *now = rows[row % 3], *last = rows[(row + 2) % 3], *before = rows[(row + 1) % 3];
        now[0] = row;
        for (int column = 1; column <= width; column++) {
            int cost = a[row - 1] != b[column - 1];
            now[column] =
                smaller(last[column - 1] + cost, smaller(last[column], now[column - 1]) + 1);
            if (row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1])
                now[column] = smaller(now[column], before[column - 2] + 1);
        }
    }
    return rows[height % 3][width];
}
