/* png.c: PNG files, by libpng. */
#include "runtime.h"

#include <png.h>
#include <stdlib.h>

/* libpng's reason, and where the file ended if that was it. */
static bool decode_failed(FILE *file, const png_image *image, const char *path, NetError *error)
{
    if (feof(file))
        return net_fail(error, "%s is cut off: it ends at byte %ld, before its image does", path, ftell(file));
    return net_fail(error, "%s is a damaged PNG, near byte %ld: %s", path, ftell(file), image->message);
}

static uint8_t *decode(FILE *file, png_image *image, int channels, const char *path, NetError *error)
{
    if (!png_image_begin_read_from_stdio(image, file)) {
        decode_failed(file, image, path, error);
        return NULL;
    }
    if (!net_check_image_size(image->width, image->height, path, error))
        return NULL;
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

uint8_t *net_decode_png(FILE *file, int channels, int64_t *height, int64_t *width, const char *path, NetError *error)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t *decoded = decode(file, &image, channels, path, error);
    *height = image.height;
    *width = image.width;
    png_image_free(&image);
    return decoded;
}
