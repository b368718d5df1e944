/* paint.c: pixels as a PNG file, by libpng: of 1, 3 or 4 channels of a byte, [h][w][channels]; and
 * masks, whose bytes are classes, with a palette: programs read the numbers, people see colours. */
#include "runtime.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

static png_uint_32 format_of(int channels)
{
    return channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
}

enum { COLOURS = 256 };

/* Of PASCAL VOC's masks: the bits of a class, three at a time from the lowest on, are bits of red,
 * green and blue, from the highest on.  Everingham et al. 2010, "The PASCAL Visual Object Classes
 * Challenge". */
uint8_t net_class_colour(int class, int channel)
{
    int value = 0;
    for (int bit = channel; bit < 8; bit += 3)
        value |= (class >> bit & 1) << (7 - bit / 3);
    return (uint8_t)value;
}

static void make_palette(uint8_t palette[COLOURS][3])
{
    for (int class = 0; class < COLOURS; class ++)
        for (int channel = 0; channel < 3; channel++)
            palette[class][channel] = net_class_colour(class, channel);
}

/* palette NULL: none. */
static uint8_t *encode(png_image image, const uint8_t *pixels, const void *palette, size_t *bytes,
                       NetError *error)
{
    png_alloc_size_t count = 0;
    uint8_t *made = NULL;
    image.version = PNG_IMAGE_VERSION;
    bool good = png_image_write_to_memory(&image, NULL, &count, 0, pixels, 0, palette);
    if (good)
        made = malloc(count);
    good = made && png_image_write_to_memory(&image, made, &count, 0, pixels, 0, palette);
    if (!good) {
        net_fail(error, "cannot make a PNG of %lldx%lld pixels: %s", (long long)image.width,
                 (long long)image.height, image.message);
        free(made);
        return NULL;
    }
    *bytes = count;
    return made;
}

uint8_t *net_encode_png(const uint8_t *pixels, int64_t height, int64_t width, int channels,
                        size_t *bytes, NetError *error)
{
    const png_image image = {
        .width = (png_uint_32)width, .height = (png_uint_32)height, .format = format_of(channels)};
    return encode(image, pixels, NULL, bytes, error);
}

/* bytes NULL: there are none, reported; they are freed. */
static bool write_bytes(const char *path, uint8_t *bytes, size_t count, NetError *error)
{
    NetOutput output;
    if (!bytes)
        return false;
    bool good = net_create(&output, path, error);
    if (good) {
        net_put(&output, bytes, count);
        good = net_commit(&output, error);
    }
    free(bytes);
    return good;
}

bool net_write_mask(const char *path, const uint8_t *classes, int64_t height, int64_t width,
                    NetError *error)
{
    uint8_t palette[COLOURS][3] = {0};
    size_t count = 0;
    const png_image image = {.width = (png_uint_32)width,
                             .height = (png_uint_32)height,
                             .format = PNG_FORMAT_RGB_COLORMAP,
                             .colormap_entries = COLOURS};
    make_palette(palette);
    uint8_t *bytes = encode(image, classes, palette, &count, error);
    return write_bytes(path, bytes, count, error);
}

bool net_write_png(const char *path, const uint8_t *pixels, int64_t height, int64_t width,
                   int channels, NetError *error)
{
    size_t count = 0;
    uint8_t *bytes = net_encode_png(pixels, height, width, channels, &count, error);
    return write_bytes(path, bytes, count, error);
}

uint8_t *net_interleave(const uint8_t *planes, NetShape shape, int *channels, NetError *error)
{
    int64_t plane = shape.h * shape.w;
    *channels = shape.c == 3 ? 3 : 1;
    uint8_t *pixels = net_allocate((size_t)plane, (size_t)*channels, error);
    for (int c = 0; pixels && c < *channels; c++)
        for (int64_t i = 0; i < plane; i++)
            pixels[i * *channels + c] = planes[c * plane + i];
    return pixels;
}
