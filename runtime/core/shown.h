/* shown.h: text from elsewhere (file names, words of the command line, names in
 * weights, sources, other libraries' complaints) as a terminal may be given it.
 * What would move the cursor, start a terminal's command, hide, or turn the order
 * of what is read is written out: \x1b, \u{202e}.  netc and the trainers share it.
 */
#ifndef NET_SHOWN_H
#define NET_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The character that UTF-8's bytes begin with, `length` > 0 of them: how many bytes it is, 0 where
 * it is none: cut off, longer than need be, a surrogate, or beyond Unicode. */
int net_utf8_decode(const unsigned char *bytes, size_t length, uint32_t *character);

/* One character, or one byte that is no UTF-8. */
typedef struct NetGlyph {
    int bytes;
    bool valid;      /* it is UTF-8 */
    char escape[12]; /* what is shown instead; empty: the character itself */
} NetGlyph;
NetGlyph net_glyph(const char *chars, size_t length); /* length > 0 */
/* What is shown of the one that stands at `chars`: *length bytes. */
const char *net_glyph_shown(const NetGlyph *glyph, const char *chars, size_t *length);

/* The text as it is shown, cut at a whole character when it does not fit; gives `to`. */
const char *net_shown(char *to, size_t room, const char *chars);
void net_print_shown(FILE *file, const char *chars);
/* The same, for an argument of printf: it lasts as long as the block it is said in. */
#define SHOWN(chars) net_shown((char[2048]){0}, 2048, chars)

/* Words of help on standard output, and a line's end: lines of at most 80 columns.  The first
 * begins where the cursor is, at column `indent`, and so do the others. */
void net_print_folded(const char *text, int indent);

#endif
