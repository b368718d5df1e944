/* image.c: an image file made to the network's measure: grey or RGB by its
 * channels, turned as the camera was held, and stretched to its height and width.
 */
#include "runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIGNATURE = 12 };

bool net_picture_failed(FILE *file, const char *kind, const char *path, const char *reason,
                        NetError *error)
{
    if (ferror(file) || errno == ENOMEM)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    return net_fail(error, "%s is a damaged %s, near byte %ld: %s", path, kind, ftell(file),
                    reason);
}

bool net_picture_ended(FILE *file, const char *kind, const char *reason, const char *path,
                       NetError *error)
{
    if (feof(file) && !ferror(file))
        return net_fail(error, "%s is cut off: it ends at byte %ld, before its image does", path,
                        ftell(file));
    return net_picture_failed(file, kind, path, reason, error);
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

/* What a file is, told by how it begins; decode NULL: it is not read. */
static const struct Kind {
    const char *name;
    int at, length; /* of what tells it */
    char start[9];
    NetDecode *decode;
} kinds[] = {
    {"PNG", 0, 8, "\x89PNG\r\n\x1a\n", net_decode_png},
    {"JPEG", 0, 3, "\xff\xd8\xff", net_decode_jpeg},
    {"WebP", 8, 4, "WEBP", net_decode_webp},
    {"BMP", 0, 2, "BM", net_decode_bmp},
    {"GIF", 0, 4, "GIF8", NULL},
    {"TIFF", 0, 4, "II*\0", NULL},
    {"TIFF", 0, 4, "MM\0*", NULL},
    {"HEIF or AVIF", 4, 4, "ftyp", NULL},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const struct Kind *find_kind(const uint8_t start[SIGNATURE])
{
    for (int i = 0; i < KINDS; i++)
        if (memcmp(start + kinds[i].at, kinds[i].start, (size_t)kinds[i].length) == 0)
            return &kinds[i];
    return NULL;
}

static bool decode(NetPicture *picture, FILE *file, const char *path, NetError *error)
{
    uint8_t start[SIGNATURE] = {0};
    errno = 0;
    fread(start, 1, SIGNATURE, file);
    if (ferror(file) || fseek(file, 0, SEEK_SET) != 0)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    const struct Kind *kind = find_kind(start);
    if (!kind)
        return net_fail(error, "%s is no PNG, JPEG, BMP or WebP file", path);
    if (!kind->decode)
        return net_fail(error,
                        "%s is a %s file: only PNG, JPEG, BMP and WebP are read, so convert it",
                        path, kind->name);
    return kind->decode(picture, file, path, error);
}

/* The picture as it was stored becomes `shape`, standing as it was taken. */
static bool fit_in(uint8_t *pixels, NetShape shape, const NetPicture *picture, NetError *error)
{
    NetShape stored = shape;
    if (picture->orientation == NET_UPRIGHT)
        return net_resize(pixels, shape, picture, error);
    if (net_is_turned(picture->orientation)) {
        stored.h = shape.w;
        stored.w = shape.h;
    }
    uint8_t *lying = net_allocate(1, (size_t)net_shape_elements(shape), error);
    bool good = lying && net_resize(lying, stored, picture, error);
    if (good)
        net_turn(pixels, shape, lying, picture->orientation);
    free(lying);
    return good;
}

bool net_read_any_picture(NetPicture *picture, const char *path, NetError *error)
{
    struct stat status;
    bool there = stat(path, &status) == 0;
    if (there && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) /* to open it may wait */
        return net_fail(error, "cannot read %s: it is not a file", path);
    FILE *file = fopen(path, "rb");
    if (!file)
        return net_fail(error, "cannot read %s: %s", path, strerror(errno));
    picture->orientation = NET_UPRIGHT;
    bool read = decode(picture, file, path, error);
    fclose(file);
    return read;
}

static bool check_channels(int64_t channels, const char *path, NetError *error)
{
    return channels == 1 || channels == 3
           || net_fail(error,
                       "%s cannot be shown to a network that takes %" PRId64
                       " channels: an image file has 1 or 3",
                       path, channels);
}

/* [height][width][c] as [c][h][w], standing as it was taken. */
static uint8_t *stand(NetShape *shape, const NetPicture *picture, NetError *error)
{
    int64_t h = picture->height, w = picture->width, c = picture->channels;
    bool turned = net_is_turned(picture->orientation);
    *shape = (NetShape){3, c, turned ? w : h, turned ? h : w, 1};
    uint8_t *lying = net_allocate((size_t)(h * w), (size_t)c, error);
    uint8_t *pixels = lying && picture->orientation != NET_UPRIGHT
                          ? net_allocate((size_t)(h * w), (size_t)c, error)
                          : lying;
    for (int64_t i = 0; pixels && i < h * w; i++)
        for (int64_t k = 0; k < c; k++)
            lying[k * h * w + i] = picture->pixels[i * c + k];
    if (pixels && pixels != lying)
        net_turn(pixels, *shape, lying, picture->orientation);
    if (pixels != lying)
        free(lying);
    return pixels;
}

uint8_t *net_read_whole_image(NetShape *shape, int64_t channels, int64_t least, const char *path,
                              NetError *error)
{
    NetPicture picture = {.channels = (int)channels, .least = least};
    uint8_t *pixels =
        check_channels(channels, path, error) && net_read_any_picture(&picture, path, error)
            ? stand(shape, &picture, error)
            : NULL;
    free(picture.pixels);
    return pixels;
}

static bool read_fitted(uint8_t *pixels, int64_t channels, const NetFit *fit, const char *path,
                        NetError *error)
{
    NetShape own;
    uint8_t *whole = net_read_whole_image(&own, channels, net_fit_least(fit), path, error);
    bool good = whole && net_fit_picture(pixels, whole, own, fit, error);
    free(whole);
    return good;
}

bool net_read_image(uint8_t *pixels, NetShape shape, const NetFit *fit, const char *path,
                    NetError *error)
{
    shape = net_image_shape(shape);
    if (net_fits(fit))
        return read_fitted(pixels, shape.c, fit, path, error);
    NetPicture picture = {.channels = (int)shape.c, .least = shape.h > shape.w ? shape.h : shape.w};
    bool read = check_channels(shape.c, path, error) && net_read_any_picture(&picture, path, error)
                && fit_in(pixels, shape, &picture, error);
    free(picture.pixels);
    return read;
}
