/* words.c: changes a text as somebody who writes it would get it wrong: by words,
 * lines and bodies in braces, not by bytes.
 *
 * The words put in are the program's own, from its tables (operators, arguments,
 * options, settings), and numbers at the edges of their types.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t drawn;

static size_t draw(size_t below)
{
    drawn += 0x9e3779b97f4a7c15u;
    uint64_t z = (drawn ^ drawn >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return below ? (size_t)((z ^ z >> 31) % below) : 0;
}

/* ------------------------------------------------------------- vocabulary */

enum { MAX_VOCABULARY = 4096 };
static const char *vocabulary[MAX_VOCABULARY];
static size_t vocabulary_size;

static const char *const numbers[] = {
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "8",
    "10",
    "16",
    "64",
    "255",
    "256",
    "1000",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551616",
    "0.5",
    "1e-5",
    "1e308",
    "1e309",
    "-0.0",
    "1e-400",
    "0x10",
    "1.",
    ".5",
    "00",
    "nan",
    "inf",
    "1e",
    "123456789012345678901234567890",
};
static const char *const marks[] = {
    "{",        "}",
    "(",        ")",
    "[",        "]",
    "\"",       "'",
    "->",       "=",
    ",",        ";",
    "#",        "#=",
    "+",        "-",
    "*",        "/",
    "//",       "%",
    "==",       "!=",
    "<",        "<=",
    ">",        ">=",
    ":",        "_",
    "\"{",      "}\"",
    "{}",       "\n",
    "\n\n",     " ",
    "\t",       "\r\n",
    "\xc3\xa9", "\xe2\x80\xae",
    "\x1b[31m", "\xff",
    "\\",       "&",
    "|",        ".",
    "..",       "@",
    "--",       "%s",
};

void add_vocabulary(const char *word)
{
    for (size_t i = 0; i < vocabulary_size; i++)
        if (strcmp(vocabulary[i], word) == 0)
            return;
    if (vocabulary_size < MAX_VOCABULARY)
        vocabulary[vocabulary_size++] = strdup(word);
}

void add_vocabulary_of(const char *text, bool (*wanted)(const char *word))
{
    static const char ends[] = " \n\t,|=[]():";
    char word[64];
    for (const char *at = text; *(at += strspn(at, ends)); at += strcspn(at, ends)) {
        snprintf(word, sizeof word, "%.*s", (int)strcspn(at, ends), at);
        if (wanted(word))
            add_vocabulary(word);
    }
}

static const char *some_word(void)
{
    size_t kind = draw(8);
    if (kind < 2)
        return numbers[draw(sizeof numbers / sizeof *numbers)];
    if (kind < 4 || !vocabulary_size)
        return marks[draw(sizeof marks / sizeof *marks)];
    return vocabulary[draw(vocabulary_size)];
}

/* ------------------------------------------------------------------ pieces */

typedef struct Piece {
    size_t from, to;
} Piece; /* bytes of the text */

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '.'
           || c >= 0x80;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The word, number or mark around a place. */
static Piece word_at(const uint8_t *text, size_t size, size_t at)
{
    Piece piece = {at, at + 1};
    if (!is_word(text[at]))
        return piece;
    while (piece.from > 0 && is_word(text[piece.from - 1]))
        piece.from--;
    while (piece.to < size && is_word(text[piece.to]))
        piece.to++;
    return piece;
}

/* The next one that is no space, from a place drawn. */
static Piece some_piece(const uint8_t *text, size_t size)
{
    size_t at = draw(size);
    while (at + 1 < size && (text[at] == ' ' || text[at] == '\n'))
        at++;
    return word_at(text, size, at);
}

static Piece line_at(const uint8_t *text, size_t size, size_t at)
{
    Piece piece = {at, at};
    while (piece.from > 0 && text[piece.from - 1] != '\n')
        piece.from--;
    while (piece.to < size && text[piece.to++] != '\n')
        continue;
    return piece;
}

/* From the beginning of a line with a { to its }; a line where there is none. */
static Piece body_at(const uint8_t *text, size_t size, size_t at)
{
    Piece piece = line_at(text, size, at);
    int depth = 0;
    for (size_t i = piece.from; i < size; i++) {
        depth += text[i] == '{';
        depth -= text[i] == '}';
        if (i >= piece.to - 1 && depth <= 0) {
            piece.to = line_at(text, size, i).to;
            break;
        }
    }
    return piece;
}

/* The quoted text, or what parentheses or brackets enclose, after a place; else a word. */
static Piece enclosed_at(const uint8_t *text, size_t size, size_t at)
{
    static const char open[] = "\"([{", close[] = "\")]}";
    for (size_t from = at; from < size; from++) {
        const char *kind = text[from] ? strchr(open, text[from]) : NULL;
        const uint8_t *end =
            kind ? memchr(text + from + 1, close[kind - open], size - from - 1) : NULL;
        if (end)
            return (Piece){from, (size_t)(end - text) + 1};
    }
    return word_at(text, size, at);
}

static Piece any_piece(const uint8_t *text, size_t size)
{
    switch (draw(6)) {
    case 0:
    case 1:
        return some_piece(text, size);
    case 2:
    case 3:
        return line_at(text, size, draw(size));
    case 4:
        return body_at(text, size, draw(size));
    }
    return enclosed_at(text, size, draw(size));
}

/* ----------------------------------------------------------------- changes */

/* text[piece] replaced; what does not fit in `max` bytes is cut off. */
static size_t replace(uint8_t *text, size_t size, size_t max, Piece piece, const void *with,
                      size_t length)
{
    if (length > max - piece.from)
        length = max - piece.from;
    size_t rest = size - piece.to, room = max - piece.from - length;
    rest = rest < room ? rest : room;
    memmove(text + piece.from + length, text + piece.to, rest);
    memcpy(text + piece.from, with, length);
    return piece.from + length + rest;
}

static size_t put(uint8_t *text, size_t size, size_t max, Piece piece, const char *with)
{
    return replace(text, size, max, piece, with, strlen(with));
}

static Piece empty_at(size_t at)
{
    return (Piece){at, at};
}

/* A piece written once more elsewhere, in place of another or beside it. */
static size_t copy_piece(uint8_t *text, size_t size, size_t max)
{
    uint8_t kept[4096];
    Piece from = any_piece(text, size), to = any_piece(text, size);
    size_t length = from.to - from.from < sizeof kept ? from.to - from.from : sizeof kept;
    memcpy(kept, text + from.from, length);
    return replace(text, size, max, draw(2) ? empty_at(to.from) : to, kept, length);
}

static size_t move_piece(uint8_t *text, size_t size, size_t max)
{
    uint8_t kept[4096];
    Piece from = any_piece(text, size);
    size_t length = from.to - from.from < sizeof kept ? from.to - from.from : sizeof kept;
    memcpy(kept, text + from.from, length);
    size = replace(text, size, max, from, "", 0);
    return replace(text, size, max, empty_at(size ? any_piece(text, size).from : 0), kept, length);
}

/* Another number, near or far, where one stands. */
static size_t change_number(uint8_t *text, size_t size, size_t max)
{
    char with[32];
    size_t at = draw(size);
    while (at < size && !is_digit(text[at]))
        at++;
    if (at == size)
        return put(text, size, max, some_piece(text, size), some_word());
    Piece piece = {at, at};
    while (piece.to < size && is_digit(text[piece.to]))
        piece.to++;
    if (draw(3) == 0)
        return put(text, size, max, piece, numbers[draw(sizeof numbers / sizeof *numbers)]);
    long value = piece.to - piece.from < 10
                     ? strtol((const char *)(memcpy(with, text + at, piece.to - at),
                                             with[piece.to - at] = '\0', with),
                              NULL, 10)
                     : 0;
    snprintf(with, sizeof with, "%ld", draw(2) ? value + (long)draw(5) - 2 : value * (long)draw(4));
    return put(text, size, max, piece, with);
}

/* A letter of a word lost, doubled or another: what a misspelling is. */
static size_t misspell(uint8_t *text, size_t size, size_t max)
{
    static const char letters[] = "aeinrstC2_";
    Piece word = some_piece(text, size);
    size_t at = word.from + draw(word.to - word.from);
    char letter[2] = {letters[draw(sizeof letters - 1)], '\0'};
    switch (draw(3)) {
    case 0:
        return put(text, size, max, (Piece){at, at + 1}, "");
    case 1:
        return put(text, size, max, empty_at(at), letter);
    }
    return put(text, size, max, (Piece){at, at + 1}, letter);
}

/* Braces around a piece, with what may stand before them. */
static size_t wrap_piece(uint8_t *text, size_t size, size_t max)
{
    static const char *const heads[] = {
        "repeat 2 {\n",  "skip {\n",    "branch {\n", "concat {\n", "add {\n", "dense 2 {\n",
        "if 1 == 1 {\n", "block B {\n", "{",          "\"{",        "(",       "[",
    };
    static const char *const tails[] = {"\n}\n", "\n}\n", "\n}\n", "\n}\n", "\n}\n", "\n}\n",
                                        "\n}\n", "\n}\n", "}",     "}\"",   ")",     "]"};
    size_t kind = draw(sizeof heads / sizeof *heads);
    Piece piece = any_piece(text, size);
    size = put(text, size, max, empty_at(piece.to < size ? piece.to : size), tails[kind]);
    return put(text, size, max, empty_at(piece.from < size ? piece.from : size), heads[kind]);
}

static size_t change(uint8_t *text, size_t size, size_t max)
{
    if (size == 0)
        return put(text, size, max, empty_at(0), some_word());
    switch (draw(10)) {
    case 0:
        return put(text, size, max, any_piece(text, size), "");
    case 1:
        return copy_piece(text, size, max);
    case 2:
        return move_piece(text, size, max);
    case 3:
    case 4:
        return change_number(text, size, max);
    case 5:
        return misspell(text, size, max);
    case 6:
        return wrap_piece(text, size, max);
    case 7:
        return put(text, size, max, some_piece(text, size), some_word());
    case 8:
        return put(text, size, max, empty_at(some_piece(text, size).from), some_word());
    }
    return LLVMFuzzerMutate(text, size, max);
}

size_t mutate_words(uint8_t *bytes, size_t size, size_t max, unsigned seed)
{
    drawn = seed;
    size_t changes = 1 + draw(4);
    for (size_t i = 0; i < changes; i++)
        size = change(bytes, size, max);
    return size;
}

/* Whole lines of one in the other. */
size_t cross_lines(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
                   size_t max, unsigned seed)
{
    drawn = seed;
    size_t size = a_size < max ? a_size : max;
    memcpy(out, a, size);
    if (!b_size || !size)
        return size;
    Piece from = draw(2) ? body_at(b, b_size, draw(b_size)) : line_at(b, b_size, draw(b_size)),
          to = line_at(out, size, draw(size));
    return replace(out, size, max, draw(2) ? to : empty_at(to.from), b + from.from,
                   from.to - from.from);
}
