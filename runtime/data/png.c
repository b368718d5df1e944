/* png.c: an image file made to the network's measure: grey or RGB by its
 * channels, resized by area averaging (each output pixel is the mean of the
 * part of the input it covers), which neither skips pixels nor invents edges.
 */
#include "runtime.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE = 8 };
static const int64_t most_pixels = (int64_t)64 << 20;

/* libpng's reason, and where the file ended if that was it. */
static bool decode_failed(FILE *file, const png_image *image, const char *path, NetError *error)
{
    if (feof(file))
        return net_fail(error, "%s is cut off: it ends at byte %ld, before its image does", path, ftell(file));
    return net_fail(error, "%s is a damaged PNG, near byte %ld: %s", path, ftell(file), image->message);
}

static bool check_signature(FILE *file, const char *path, NetError *error)
{
    uint8_t start[SIGNATURE];
    errno = 0;
    size_t got = fread(start, 1, SIGNATURE, file);
    if (ferror(file))
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    if (got < SIGNATURE || png_sig_cmp(start, 0, SIGNATURE) != 0)
        return net_fail(error, "%s is not a PNG file", path);
    rewind(file);
    return true;
}

/* The decoded pixels, [height][width][channels], or NULL. */
static uint8_t *decode(FILE *file, png_image *image, int64_t channels, const char *path, NetError *error)
{
    if (!png_image_begin_read_from_stdio(image, file)) {
        decode_failed(file, image, path, error);
        return NULL;
    }
    if ((int64_t)image->width * image->height > most_pixels) {
        net_fail(error, "%s is %u x %u pixels: more than the %lld million that are read",
                 path, image->width, image->height, (long long)(most_pixels >> 20));
        return NULL;
    }
    /* 16-bit files are taken to be as bright as 8-bit ones, not linear. */
    image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    image->format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    uint8_t *decoded = net_allocate(PNG_IMAGE_SIZE(*image), 1, error);
    /* Transparent pixels show white, as on paper. */
    static const png_color white = {255, 255, 255};
    if (decoded && !png_image_finish_read(image, &white, decoded, 0, NULL)) {
        decode_failed(file, image, path, error);
        free(decoded);
        return NULL;
    }
    return decoded;
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

static uint8_t average(const uint8_t *decoded, const png_image *image, NetShape shape, int64_t c, int64_t y, int64_t x)
{
    double down = (double)image->height / (double)shape.h, across = (double)image->width / (double)shape.w;
    double sum = 0, area = 0;
    for (int64_t v = (int64_t)((double)y * down); v < image->height && (double)v < (double)(y + 1) * down; v++) {
        for (int64_t u = (int64_t)((double)x * across); u < image->width && (double)u < (double)(x + 1) * across; u++) {
            double weight = overlap(v, y, down) * overlap(u, x, across);
            sum += weight * decoded[(v * image->width + u) * shape.c + c];
            area += weight;
        }
    }
    return area > 0 ? (uint8_t)(sum / area + 0.5) : 0;
}

static void resize(uint8_t *pixels, NetShape shape, const uint8_t *decoded, const png_image *image)
{
    for (int64_t c = 0; c < shape.c; c++)
        for (int64_t y = 0; y < shape.h; y++)
            for (int64_t x = 0; x < shape.w; x++)
                *pixels++ = average(decoded, image, shape, c, y, x);
}

bool net_read_png(uint8_t *pixels, NetShape shape, const char *path, NetError *error)
{
    shape = net_image_shape(shape);
    if (shape.c != 1 && shape.c != 3)
        return net_fail(error, "%s cannot be shown to a network that takes %lld channels: an image file has 1 or 3",
                        path, (long long)shape.c);
    FILE *file = fopen(path, "rb");
    if (!file)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t *decoded = check_signature(file, path, error) ? decode(file, &image, shape.c, path, error) : NULL;
    if (decoded)
        resize(pixels, shape, decoded, &image);
    free(decoded);
    png_image_free(&image);
    fclose(file);
    return decoded != NULL;
}
