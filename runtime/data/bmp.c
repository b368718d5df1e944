/* bmp.c: Windows' bitmaps, their pixels as they are stored: of 1 to 32 bits, with a palette or
 * without, from the bottom row up or from the top one down.
 *
 * "Bitmap Storage", Microsoft, https://learn.microsoft.com/windows/win32/gdi/bitmap-storage.
 * Debian has no library of this format alone, and those that read it among others would bring
 * window systems and typefaces into every trainer, so this one is our own.  What is packed (RLE)
 * hardly anybody writes, and is not read.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILE_HEADER = 14,
    OLD_HEADER = 12, /* OS/2's: sizes of 16 bits, and colours of three bytes */
    INFO_HEADER = 40,
    RGBA_HEADER = 56, /* which has masks of the colours and of alpha in it */
    MAX_HEADER = 124,
    PLAIN = 0, /* how pixels are packed */
    FIELDS = 3,
    FIELDS_AND_ALPHA = 6,
    COLOURS = 256,
    RGBA = 4,
};

typedef struct Bitmap {
    FILE *file;
    const char *path;
    NetError *error;
    int64_t size, pixels_at; /* bytes: of the file, before the pixels */
    int64_t width, height;
    bool from_top;
    int bits, packing;
    uint32_t mask[RGBA];       /* of red, green, blue, alpha in a pixel of 16 or 32 bits */
    int colours, colour_bytes; /* of the palette */
    uint8_t palette[COLOURS * RGBA];
} Bitmap;

static uint32_t number(const uint8_t *from, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint32_t)from[i] << (8 * i);
    return value;
}

static bool damaged(const Bitmap *bitmap, const char *reason)
{
    return net_picture_failed(bitmap->file, "BMP", bitmap->path, reason, bitmap->error);
}

static bool take(const Bitmap *bitmap, void *to, size_t count)
{
    if (fread(to, 1, count, bitmap->file) == count)
        return true;
    return net_picture_ended(bitmap->file, "BMP", "its image ends", bitmap->path, bitmap->error);
}

/* ------------------------------------------------------------ its header */

/* Behind a header of INFO_HEADER bytes its masks follow; a larger one has them in itself. */
static bool read_masks(Bitmap *bitmap, const uint8_t *header, int64_t *length)
{
    static const uint32_t of_16[] = {0x7c00, 0x3e0, 0x1f, 0}, of_32[] = {0xff0000, 0xff00, 0xff, 0};
    uint8_t behind[4 * RGBA];
    int count = bitmap->packing == FIELDS ? 3 : 4;
    memcpy(bitmap->mask, bitmap->bits == 16 ? of_16 : of_32, sizeof bitmap->mask);
    if (bitmap->packing == PLAIN)
        return true;
    if (*length == INFO_HEADER) {
        if (!take(bitmap, behind, (size_t)(4 * count)))
            return false;
        *length += 4 * count;
    } else {
        count = *length >= RGBA_HEADER ? 4 : 3;
        memcpy(behind, header + INFO_HEADER, (size_t)(4 * count));
    }
    for (int c = 0; c < count; c++) {
        bitmap->mask[c] = number(behind + 4 * c, 4);
        uint32_t field = bitmap->mask[c] ? bitmap->mask[c] >> __builtin_ctz(bitmap->mask[c]) : 0;
        if (field & (field + 1) || (c < 3 && field == 0))
            return damaged(bitmap, "a colour's bits do not lie side by side");
    }
    return true;
}

static bool read_palette(Bitmap *bitmap, int64_t at, uint32_t said)
{
    int most = 1 << bitmap->bits;
    int64_t room = (bitmap->pixels_at - at) / bitmap->colour_bytes;
    bitmap->colours = said > 0 && said < (uint32_t)most ? (int)said : most;
    if (room < bitmap->colours)
        bitmap->colours = (int)room;
    return take(bitmap, bitmap->palette, (size_t)(bitmap->colours * bitmap->colour_bytes));
}

static int64_t row_bytes(const Bitmap *bitmap)
{
    return (bitmap->width * bitmap->bits + 31) / 32 * 4;
}

static bool check_measures(const Bitmap *bitmap, int64_t length)
{
    bool fields = bitmap->packing == FIELDS || bitmap->packing == FIELDS_AND_ALPHA,
         indexed = bitmap->bits == 1 || bitmap->bits == 2 || bitmap->bits == 4 || bitmap->bits == 8,
         wide = bitmap->bits == 16 || bitmap->bits == 32;
    if (bitmap->width < 1 || bitmap->height < 1)
        return damaged(bitmap, "it says that it has no pixels");
    if (!net_check_image_size(bitmap->width, bitmap->height, bitmap->path, bitmap->error))
        return false;
    if (bitmap->packing != PLAIN && !fields)
        return net_fail(bitmap->error, "%s is a BMP that is packed (method %d): save it unpacked",
                        bitmap->path, bitmap->packing);
    if (fields ? !wide || length == OLD_HEADER : !indexed && !wide && bitmap->bits != 24)
        return damaged(bitmap, "it says of how many bits a pixel is, and no picture has so many");
    if (bitmap->pixels_at < FILE_HEADER + length)
        return damaged(bitmap, "its pixels begin in its header");
    int64_t end = bitmap->pixels_at + row_bytes(bitmap) * bitmap->height;
    return end <= bitmap->size
           || net_fail(bitmap->error,
                       "%s is cut off: it ends at byte %" PRId64 ", and its pixels go on to byte "
                       "%" PRId64,
                       bitmap->path, bitmap->size, end);
}

static void take_measures(Bitmap *bitmap, const uint8_t *header, int64_t length)
{
    bool old = length == OLD_HEADER;
    int64_t height = old ? (int16_t)number(header + 6, 2) : (int32_t)number(header + 8, 4);
    bitmap->from_top = height < 0;
    bitmap->height = height < 0 ? -height : height;
    bitmap->width = old ? (int16_t)number(header + 4, 2) : (int32_t)number(header + 4, 4);
    bitmap->bits = (int)number(header + (old ? 10 : 14), 2);
    bitmap->packing = old ? PLAIN : (int)number(header + 16, 4);
    bitmap->colour_bytes = old ? 3 : 4;
}

static bool read_header(Bitmap *bitmap)
{
    uint8_t start[FILE_HEADER], header[MAX_HEADER] = {0};
    if (fseek(bitmap->file, 0, SEEK_END) != 0 || (bitmap->size = ftell(bitmap->file)) < 0
        || fseek(bitmap->file, 0, SEEK_SET) != 0)
        return damaged(bitmap, "it cannot be gone through");
    if (!take(bitmap, start, sizeof start) || !take(bitmap, header, 4))
        return false;
    int64_t length = number(header, 4);
    if (length != OLD_HEADER && (length < INFO_HEADER || length > MAX_HEADER))
        return damaged(bitmap, "its header is of a length that no kind has");
    bitmap->pixels_at = number(start + 10, 4);
    if (!take(bitmap, header + 4, (size_t)length - 4))
        return false;
    take_measures(bitmap, header, length);
    uint32_t colours = length == OLD_HEADER ? 0 : number(header + 32, 4);
    return check_measures(bitmap, length) && read_masks(bitmap, header, &length)
           && (bitmap->bits > 8 || read_palette(bitmap, FILE_HEADER + length, colours));
}

/* ------------------------------------------------------------ its pixels */

static bool unpack_numbers(const Bitmap *bitmap, uint8_t *to, const uint8_t *row)
{
    int bits = bitmap->bits, each = 8 / bits;
    for (int64_t x = 0; x < bitmap->width; x++, to += RGBA) {
        int shift = 8 - bits - (int)(x % each) * bits;
        int colour = row[x / each] >> shift & ((1 << bits) - 1);
        if (colour >= bitmap->colours)
            return damaged(bitmap, "a pixel has a colour that its palette has not");
        const uint8_t *from = bitmap->palette + colour * bitmap->colour_bytes;
        memcpy(to, (uint8_t[]){from[2], from[1], from[0], 255}, RGBA);
    }
    return true;
}

/* Of some bits of a pixel a level from 0 to 255; no bits are `none`. */
static uint8_t level_of(uint32_t pixel, uint32_t mask, uint8_t none)
{
    if (mask == 0)
        return none;
    int shift = __builtin_ctz(mask);
    return (uint8_t)((uint64_t)((pixel & mask) >> shift) * 255 / (mask >> shift));
}

static void unpack_fields(const Bitmap *bitmap, uint8_t *to, const uint8_t *row)
{
    int bytes = bitmap->bits / 8;
    for (int64_t x = 0; x < bitmap->width; x++, row += bytes, to += RGBA) {
        uint32_t pixel = number(row, bytes);
        for (int c = 0; c < RGBA; c++)
            to[c] = level_of(pixel, bitmap->mask[c], c < 3 ? 0 : 255);
    }
}

static bool unpack(const Bitmap *bitmap, uint8_t *to, const uint8_t *row)
{
    if (bitmap->bits <= 8)
        return unpack_numbers(bitmap, to, row);
    if (bitmap->bits != 24) {
        unpack_fields(bitmap, to, row);
        return true;
    }
    for (int64_t x = 0; x < bitmap->width; x++, row += 3, to += RGBA)
        memcpy(to, (uint8_t[]){row[2], row[1], row[0], 255}, RGBA);
    return true;
}

static bool read_rows(const Bitmap *bitmap, uint8_t *pixels, uint8_t *row)
{
    if (fseek(bitmap->file, (long)bitmap->pixels_at, SEEK_SET) != 0)
        return damaged(bitmap, "its pixels are not there");
    for (int64_t i = 0; i < bitmap->height; i++) {
        int64_t y = bitmap->from_top ? i : bitmap->height - 1 - i;
        if (!take(bitmap, row, (size_t)row_bytes(bitmap))
            || !unpack(bitmap, pixels + y * bitmap->width * RGBA, row))
            return false;
    }
    return true;
}

/* Programs that know no alpha leave zeros where another one's would be: nothing is transparent
 * in a picture that would be nothing else. */
static void show_transparent(uint8_t *pixels, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (pixels[RGBA * i + 3])
            return;
    for (int64_t i = 0; i < count; i++)
        pixels[RGBA * i + 3] = 255;
}

bool net_decode_bmp(NetPicture *picture, FILE *file, const char *path, NetError *error)
{
    Bitmap bitmap = {.file = file, .path = path, .error = error};
    if (picture->use == NET_PICTURE_NUMBERS)
        return net_fail(error, "%s is a BMP file, and a mask is a PNG", path);
    if (!read_header(&bitmap))
        return false;
    int64_t count = bitmap.width * bitmap.height;
    picture->width = bitmap.width;
    picture->height = bitmap.height;
    if (picture->use == NET_PICTURE_SIZE)
        return true;
    uint8_t *pixels = net_allocate((size_t)count, RGBA, error),
            *row = pixels ? net_allocate((size_t)row_bytes(&bitmap), 1, error) : NULL;
    if (!row || !read_rows(&bitmap, pixels, row)) {
        free(row);
        free(pixels);
        return false;
    }
    free(row);
    show_transparent(pixels, count);
    picture->pixels = net_take_pixels(pixels, RGBA, picture->channels, count, error);
    return picture->pixels != NULL;
}
