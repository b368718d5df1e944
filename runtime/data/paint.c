/* paint.c: pixels as a PNG file, by libpng: of 1, 3 or 4 channels of a byte, [h][w][channels]. */
#include "runtime.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

static png_uint_32 format_of(int channels)
{
    return channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
}

uint8_t *net_encode_png(const uint8_t *pixels, int64_t height, int64_t width, int channels,
                        size_t *bytes, NetError *error)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = format_of(channels)};
    png_alloc_size_t count = 0;
    uint8_t *made = NULL;
    bool good = png_image_write_to_memory(&image, NULL, &count, 0, pixels, 0, NULL);
    if (good)
        made = malloc(count);
    good = made && png_image_write_to_memory(&image, made, &count, 0, pixels, 0, NULL);
    if (!good) {
        net_fail(error, "cannot make a PNG of %lldx%lld pixels: %s", (long long)width,
                 (long long)height, image.message);
        free(made);
        return NULL;
    }
    *bytes = count;
    return made;
}

bool net_write_png(const char *path, const uint8_t *pixels, int64_t height, int64_t width,
                   int channels, NetError *error)
{
    size_t count;
    NetOutput output;
    uint8_t *bytes = net_encode_png(pixels, height, width, channels, &count, error);
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
