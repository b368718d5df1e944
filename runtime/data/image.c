/* image.c: an image file made to the network's measure: grey or RGB by its
 * channels, and stretched to its height and width by area averaging (each output
 * pixel is the mean of the part of the input it covers), which neither skips
 * pixels nor invents edges.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE = 8 };

typedef struct Picture {
    int64_t height, width;
    uint8_t *pixels; /* [height][width][channels] */
} Picture;

bool net_picture_failed(FILE *file, const char *kind, const char *path, const char *reason,
                        NetError *error)
{
    if (ferror(file) || errno == ENOMEM)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    return net_fail(error, "%s is a damaged %s, near byte %ld: %s", path, kind, ftell(file),
                    reason);
}

bool net_check_image_size(int64_t width, int64_t height, const char *path, NetError *error)
{
    static const int64_t max_pixels = (int64_t)64 << 20;
    if (width * height <= max_pixels)
        return true;
    return net_fail(error,
                    "%s is %" PRId64 " x %" PRId64 " pixels: more than the %" PRId64
                    " million that are read",
                    path, width, height, (max_pixels >> 20));
}

/* ITU-R BT.601's luma of what is stored, in the rounding of most other readers. */
static uint8_t grey(const uint8_t *rgb)
{
    return (uint8_t)((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16);
}

/* On white, in stored values, as browsers show it. */
static uint8_t over_white(int value, int alpha)
{
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* One pixel of 1 to 4 channels, as red, green and blue. */
static void opaque(uint8_t rgb[3], const uint8_t *pixel, int stored)
{
    int alpha = stored % 2 == 0 ? pixel[stored - 1] : 255;
    for (int c = 0; c < 3; c++)
        rgb[c] = over_white(pixel[stored < 3 ? 0 : c], alpha);
}

uint8_t *net_take_pixels(uint8_t *pixels, int stored, int channels, int64_t count, NetError *error)
{
    uint8_t *taken =
                stored == channels ? pixels : net_allocate((size_t)count, (size_t)channels, error),
            rgb[3];
    for (int64_t i = 0; taken && taken != pixels && i < count; i++) {
        opaque(rgb, pixels + i * stored, stored);
        if (channels == 1)
            taken[i] = grey(rgb);
        else
            memcpy(taken + 3 * i, rgb, 3);
    }
    if (taken != pixels)
        free(pixels);
    return taken;
}

/* How much of source pixel `at` output pixel `to` covers, when one output pixel
 * is `scale` source pixels wide. */
static double overlap(int64_t at, int64_t to, double scale)
{
    double low = (double)to * scale, high = (double)(to + 1) * scale;
    double start = low > (double)at ? low : (double)at;
    double end = high < (double)(at + 1) ? high : (double)(at + 1);
    return end > start ? end - start : 0;
}

static uint8_t average(const Picture *picture, NetShape shape, int64_t c, int64_t y, int64_t x)
{
    double down = (double)picture->height / (double)shape.h,
           across = (double)picture->width / (double)shape.w;
    double sum = 0, area = 0;
    for (int64_t v = (int64_t)((double)y * down);
         v < picture->height && (double)v < (double)(y + 1) * down; v++) {
        for (int64_t u = (int64_t)((double)x * across);
             u < picture->width && (double)u < (double)(x + 1) * across; u++) {
            double weight = overlap(v, y, down) * overlap(u, x, across);
            sum += weight * picture->pixels[(v * picture->width + u) * shape.c + c];
            area += weight;
        }
    }
    return area > 0 ? (uint8_t)(sum / area + 0.5) : 0;
}

static void resize(uint8_t *pixels, NetShape shape, const Picture *picture)
{
    for (int64_t c = 0; c < shape.c; c++)
        for (int64_t y = 0; y < shape.h; y++)
            for (int64_t x = 0; x < shape.w; x++)
                *pixels++ = average(picture, shape, c, y, x);
}

/* What the file is, told by how it begins. */
static bool decode(Picture *picture, FILE *file, int channels, const char *path, NetError *error)
{
    static const uint8_t png[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'},
                         jpeg[] = {0xff, 0xd8, 0xff};
    uint8_t start[SIGNATURE] = {0};
    errno = 0;
    size_t got = fread(start, 1, SIGNATURE, file);
    if (ferror(file))
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    if (fseek(file, 0, SEEK_SET) != 0)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    if (got == SIGNATURE && memcmp(start, png, SIGNATURE) == 0)
        picture->pixels =
            net_decode_png(file, channels, &picture->height, &picture->width, path, error);
    else if (memcmp(start, jpeg, sizeof jpeg) == 0)
        picture->pixels =
            net_decode_jpeg(file, channels, &picture->height, &picture->width, path, error);
    else
        return net_fail(error, "%s is neither a PNG nor a JPEG file", path);
    return picture->pixels != NULL;
}

bool net_read_image(uint8_t *pixels, NetShape shape, const char *path, NetError *error)
{
    shape = net_image_shape(shape);
    if (shape.c != 1 && shape.c != 3)
        return net_fail(error,
                        "%s cannot be shown to a network that takes %" PRId64
                        " channels: an image file has 1 or 3",
                        path, shape.c);
    FILE *file = fopen(path, "rb");
    if (!file)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    Picture picture = {0};
    bool read = decode(&picture, file, (int)shape.c, path, error);
    if (read)
        resize(pixels, shape, &picture);
    free(picture.pixels);
    fclose(file);
    return read;
}
