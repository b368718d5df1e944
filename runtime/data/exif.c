/* exif.c: how a camera was held, from what it wrote beside a picture: Exif 2.32, 4.6.4 and 4.6.5,
 * of whose fields one is looked for, Orientation.
 *
 * A camera that is held upright stores its picture lying and says so here.  Every viewer turns it,
 * so a network sees it as people do.  What is no Exif, or damaged, turns nothing.
 */
#include "runtime.h"

#include <string.h>

enum {
    HEADER = 8, /* bytes: the order of bytes, 42, where the first directory is */
    ENTRY = 12, /* of a directory: tag, type, count, value */
    ORIENTATION = 0x112,
    SHORT = 3, /* a type: 16 bits */
};

typedef struct Bytes {
    const uint8_t *at;
    size_t count;
    bool big; /* the first byte is the highest */
} Bytes;

/* A number of two or four bytes; 0 beyond the end. */
static uint32_t number(const Bytes *bytes, size_t from, int size)
{
    uint32_t value = 0;
    if (from > bytes->count || bytes->count - from < (size_t)size)
        return 0;
    for (int i = 0; i < size; i++)
        value |= (uint32_t)bytes->at[from + (size_t)i] << 8 * (bytes->big ? size - 1 - i : i);
    return value;
}

int net_exif_orientation(const uint8_t *exif, size_t count)
{
    Bytes bytes = {exif, count, count > 0 && exif[0] == 'M'};
    if (count < HEADER || exif[0] != exif[1] || (exif[0] != 'M' && exif[0] != 'I')
        || number(&bytes, 2, 2) != 42)
        return NET_UPRIGHT;
    size_t directory = number(&bytes, 4, 4), entries = number(&bytes, directory, 2);
    for (size_t i = 0; i < entries; i++) {
        size_t entry = directory + 2 + i * ENTRY;
        if (number(&bytes, entry, 2) != ORIENTATION || number(&bytes, entry + 2, 2) != SHORT)
            continue;
        uint32_t value = number(&bytes, entry + 8, 2);
        return value >= 1 && value <= 8 ? (int)value : NET_UPRIGHT;
    }
    return NET_UPRIGHT;
}

/* Row 0 and column 0 of the stored picture are, by its number: 1 top and left, 2 top and right,
 * 3 bottom and right, 4 bottom and left, 5 left and top, 6 right and top, 7 right and bottom, 8
 * left and bottom. */
void net_turn(uint8_t *to, NetShape shape, const uint8_t *from, int orientation)
{
    bool swap = net_is_turned(orientation);
    bool up = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    bool left = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    int64_t height = swap ? shape.w : shape.h, width = swap ? shape.h : shape.w;
    for (int64_t c = 0; c < shape.c; c++)
        for (int64_t y = 0; y < shape.h; y++)
            for (int64_t x = 0; x < shape.w; x++) {
                int64_t row = swap ? x : y, column = swap ? y : x;
                row = up ? height - 1 - row : row;
                column = left ? width - 1 - column : column;
                *to++ = from[(c * height + row) * width + column];
            }
}
