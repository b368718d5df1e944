/* webp.c: WebP files, by libwebp, where the program was linked with it.
 *
 * Few machines have that library's static file, and few data sets need it, so nothing depends on
 * it: its functions are asked for weakly, `netc build` links them in where they are, and a trainer
 * without them says what to do.  https://developers.google.com/speed/webp/docs/api
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

/* libwebp's decoder, as webp/decode.h declares it since its version 0.2. */
__attribute__((weak)) int WebPGetInfo(const uint8_t *data, size_t size, int *width, int *height);
__attribute__((weak)) uint8_t *WebPDecodeRGBA(const uint8_t *data, size_t size, int *width,
                                              int *height);

enum {
    RIFF_HEADER = 12, /* "RIFF", how many bytes follow, "WEBP" */
    CHUNK_HEADER = 8, /* four letters, how many bytes follow */
    RGBA = 4,
};

static size_t length_at(const uint8_t *bytes)
{
    return (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16
           | (size_t)bytes[3] << 24;
}

/* Of the file's chunks, each of an even number of bytes, that of the camera. */
static int orientation_of(const uint8_t *bytes, size_t count)
{
    for (size_t at = RIFF_HEADER; count - at >= CHUNK_HEADER;) {
        size_t length = length_at(bytes + at + 4), left = count - at - CHUNK_HEADER;
        if (length > left)
            break;
        if (memcmp(bytes + at, "EXIF", 4) == 0)
            return net_exif_orientation(bytes + at + CHUNK_HEADER, length);
        at += CHUNK_HEADER + length + (length % 2 && length < left);
    }
    return NET_UPRIGHT;
}

static bool decode(NetPicture *picture, const uint8_t *bytes, size_t count, const char *path,
                   NetError *error)
{
    int width, height;
    if (count < RIFF_HEADER || !WebPGetInfo(bytes, count, &width, &height))
        return net_fail(error, "%s is a damaged WebP: it does not say how large it is", path);
    if (!net_check_image_size(width, height, path, error))
        return false;
    picture->width = width;
    picture->height = height;
    picture->orientation = orientation_of(bytes, count);
    if (picture->use == NET_PICTURE_SIZE)
        return true;
    uint8_t *pixels = WebPDecodeRGBA(bytes, count, &width, &height);
    if (!pixels)
        return net_fail(error, "%s is a damaged WebP, or one of several pictures that move", path);
    picture->pixels =
        net_take_pixels(pixels, RGBA, picture->channels, (int64_t)width * height, error);
    return picture->pixels != NULL;
}

bool net_decode_webp(NetPicture *picture, FILE *file, const char *path, NetError *error)
{
    int64_t count;
    (void)file; /* it is read as a whole */
    if (!WebPGetInfo || !WebPDecodeRGBA)
        return net_fail(error,
                        "%s is a WebP file, and this program was built without libwebp: install "
                        "libwebp-dev and build it again, or convert the file",
                        path);
    if (picture->use == NET_PICTURE_NUMBERS)
        return net_fail(error, "%s is a WebP file, and a mask is a PNG", path);
    char *bytes = net_read_whole(path, &count, error);
    bool good = bytes && decode(picture, (const uint8_t *)bytes, (size_t)count, path, error);
    free(bytes);
    return good;
}
