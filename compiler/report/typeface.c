/* typeface.c: how wide a text is in typefaces that a drawing may be seen in.
 *
 * A drawing is made on one machine and looked at on another, which may have another
 * sans-serif.  So its boxes are measured for the widest one that is common, and its
 * texts are asked to be as long as in the usual one: see svg.c.  The fonts of this
 * machine matter little: dot makes a box larger where one of them is wider still.
 */
#include "core/shown.h"
#include "report/drawing.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST = ' ', LAST = '~', TIMES = LAST + 1, OTHER, EM = 1000 };

/* Advance widths in thousandths of an em, from ' ' to '~'.  The usual ones are
 * Helvetica's, which Arial and Liberation Sans share; the widest are each the larger one
 * of those and of DejaVu Sans's, which Bitstream Vera and nearly Verdana share. */
static const short widths[][2][LAST - FIRST + 1] = {
    [WIDEST_TYPEFACE] = {{318, 401, 460, 838, 637,  951, 780, 275, 391, 391, 500, 838, 318, 361,
                          318, 337, 637, 637, 637,  637, 637, 637, 637, 637, 637, 637, 337, 337,
                          838, 838, 838, 557, 1016, 685, 687, 723, 771, 667, 611, 778, 752, 295,
                          500, 667, 558, 863, 749,  788, 667, 788, 723, 667, 611, 732, 685, 989,
                          686, 667, 686, 391, 337,  391, 838, 557, 500, 613, 635, 550, 635, 616,
                          353, 635, 634, 278, 278,  580, 278, 975, 634, 612, 635, 635, 412, 521,
                          393, 634, 592, 818, 592,  592, 525, 637, 337, 637, 838},
                         {349, 457, 521, 838, 696,  1002, 873, 307,  458, 458, 523, 838, 380, 416,
                          380, 366, 696, 696, 696,  696,  696, 696,  696, 696, 696, 696, 400, 400,
                          838, 838, 838, 611, 1000, 774,  763, 734,  831, 684, 684, 821, 837, 373,
                          557, 775, 638, 996, 837,  851,  733, 851,  771, 721, 683, 813, 774, 1104,
                          771, 725, 726, 458, 366,  458,  838, 557,  500, 675, 716, 593, 716, 679,
                          436, 716, 712, 343, 343,  666,  343, 1042, 712, 688, 716, 716, 494, 596,
                          479, 712, 652, 924, 646,  652,  583, 712,  366, 712, 838}},
    [USUAL_TYPEFACE] = {{278, 278, 355, 556, 556,  889, 667, 191, 333, 333, 389, 584, 278, 333,
                         278, 278, 556, 556, 556,  556, 556, 556, 556, 556, 556, 556, 278, 278,
                         584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
                         500, 667, 556, 833, 722,  778, 667, 778, 722, 667, 611, 722, 667, 944,
                         667, 667, 611, 278, 278,  278, 469, 556, 333, 556, 556, 500, 556, 556,
                         278, 556, 556, 222, 222,  500, 222, 833, 556, 556, 556, 556, 333, 500,
                         278, 556, 500, 722, 500,  500, 500, 334, 260, 334, 584},
                        {278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333,
                         278, 278, 556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333,
                         584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278,
                         556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944,
                         667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556,
                         333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556,
                         333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584}},
};
static const short times_widths[] = {[WIDEST_TYPEFACE] = 838, [USUAL_TYPEFACE] = 584};

/* The next character, and how many bytes it takes: as an entity, whose numbers stand for
 * ASCII or a space, or in UTF-8. */
static int character_at(const char *xml, size_t *bytes)
{
    static const struct {
        const char *text;
        int character;
    } known[] = {
        {"&amp;", '&'},   {"&lt;", '<'},   {"&gt;", '>'},   {"&quot;", '"'},
        {"&apos;", '\''}, {"&#160;", ' '}, {"\u00a0", ' '}, {"\u00d7", TIMES},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strncmp(xml, known[i].text, *bytes = strlen(known[i].text)))
            return known[i].character;
    char *end;
    long number = strncmp(xml, "&#", 2) ? -1 : strtol(xml + 2, &end, 10);
    bool entity = number >= 0 && *end == ';';
    *bytes = entity ? (size_t)(end + 1 - xml) : (size_t)net_glyph(xml, strlen(xml)).bytes;
    long character = entity ? number : (unsigned char)*xml;
    return character >= FIRST && character <= LAST ? (int)character : OTHER;
}

double text_width(const char *xml, Typeface face, bool bold)
{
    int sum = 0;
    for (size_t bytes; *xml; xml += bytes) {
        int character = character_at(xml, &bytes);
        sum += character == OTHER   ? EM
               : character == TIMES ? times_widths[face]
                                    : widths[face][bold][character - FIRST];
    }
    return (double)sum / EM;
}

bool has_known_width(const char *xml)
{
    for (size_t bytes; *xml; xml += bytes)
        if (character_at(xml, &bytes) == OTHER)
            return false;
    return true;
}
