/* png.c: PNG files, by libpng, their pixels as they are stored: what the file
 * says of gamma and colour spaces is not applied, as no other reader of training
 * images does, and of 16 bits the upper 8 are taken.
 */
#include "runtime.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct Decoder {
    png_struct *png;
    png_info *info;
    jmp_buf stop;
    char told[128];
    uint8_t *pixels; /* [height][width][stored] */
    int stored;      /* channels of a pixel, alpha being the last of 2 or 4 */
    NetPictureUse use;
} Decoder;

static void stop(png_struct *png, const char *reason)
{
    Decoder *decoder = png_get_error_ptr(png);
    snprintf(decoder->told, sizeof decoder->told, "%s", reason);
    longjmp(decoder->stop, 1);
}

/* libpng's own would print them. */
static void ignore(png_struct *png, const char *warning)
{
    (void)png, (void)warning;
}

/* A palette's number or a grey of at most 8 bits, in a byte each. */
static bool ask_for_numbers(Decoder *decoder, const char *path, NetError *error)
{
    int type = png_get_color_type(decoder->png, decoder->info),
        bits = png_get_bit_depth(decoder->png, decoder->info);
    if ((type != PNG_COLOR_TYPE_GRAY && type != PNG_COLOR_TYPE_PALETTE) || bits > 8)
        return net_fail(error,
                        "%s has %s: the pixels of a mask are numbers of classes, in a grey or "
                        "palette PNG of at most 8 bits",
                        path, bits > 8 ? "16 bits" : "colours");
    png_set_packing(decoder->png);
    png_set_interlace_handling(decoder->png);
    png_read_update_info(decoder->png, decoder->info);
    decoder->stored = 1;
    return true;
}

/* Palettes, fewer bits than 8 and a transparent colour become whole bytes. */
static void ask_for_bytes(Decoder *decoder)
{
    png_set_expand(decoder->png);
    png_set_strip_16(decoder->png);
    png_set_interlace_handling(decoder->png);
    png_read_update_info(decoder->png, decoder->info);
    decoder->stored = png_get_channels(decoder->png, decoder->info);
}

static bool read_rows(Decoder *decoder, NetError *error)
{
    png_struct *png = decoder->png;
    size_t height = png_get_image_height(png, decoder->info),
           row = png_get_rowbytes(png, decoder->info);
    int passes = png_get_interlace_type(png, decoder->info) == PNG_INTERLACE_NONE
                     ? 1
                     : PNG_INTERLACE_ADAM7_PASSES;
    decoder->pixels = net_allocate(height, row, error);
    for (int pass = 0; decoder->pixels && pass < passes; pass++)
        for (size_t y = 0; y < height; y++)
            png_read_row(png, decoder->pixels + y * row, NULL);
    return decoder->pixels != NULL;
}

static bool decode(Decoder *decoder, FILE *file, const char *path, NetError *error)
{
    decoder->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, decoder, stop, ignore);
    decoder->info = decoder->png ? png_create_info_struct(decoder->png) : NULL;
    if (!decoder->info)
        return net_fail(error, "cannot read %s: out of memory", path);
    if (setjmp(decoder->stop))
        return net_picture_ended(file, "PNG", decoder->told, path, error);
    png_init_io(decoder->png, file);
    png_read_info(decoder->png, decoder->info);
    if (!net_check_image_size(png_get_image_width(decoder->png, decoder->info),
                              png_get_image_height(decoder->png, decoder->info), path, error))
        return false;
    if (decoder->use == NET_PICTURE_SIZE)
        return true;
    if (decoder->use == NET_PICTURE_NUMBERS) {
        if (!ask_for_numbers(decoder, path, error))
            return false;
    } else {
        ask_for_bytes(decoder);
    }
    return read_rows(decoder, error);
}

static void look_for_orientation(const Decoder *decoder, NetPicture *picture)
{
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 count = 0;
    png_byte *exif = NULL;
    if (png_get_eXIf_1(decoder->png, decoder->info, &count, &exif) != 0)
        picture->orientation = net_exif_orientation(exif, count);
#else
    (void)decoder, (void)picture;
#endif
}

bool net_decode_png(NetPicture *picture, FILE *file, const char *path, NetError *error)
{
    Decoder *decoder = net_allocate(1, sizeof *decoder, error);
    if (!decoder)
        return false;
    decoder->use = picture->use;
    bool good = decode(decoder, file, path, error);
    if (good) {
        picture->height = png_get_image_height(decoder->png, decoder->info);
        picture->width = png_get_image_width(decoder->png, decoder->info);
        look_for_orientation(decoder, picture);
    }
    if (good && picture->use != NET_PICTURE_SIZE) {
        picture->pixels = net_take_pixels(decoder->pixels, decoder->stored, picture->channels,
                                          picture->height * picture->width, error);
        good = picture->pixels != NULL;
    } else {
        free(decoder->pixels);
    }
    png_destroy_read_struct(&decoder->png, &decoder->info, NULL);
    free(decoder);
    return good;
}
