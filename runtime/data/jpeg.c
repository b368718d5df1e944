/* jpeg.c: JPEG files, by libjpeg.  The library goes on after damage and only warns; here a
 * warning of damage is a fault, so that no half-grey image is learned from.  Bytes that are left
 * over between markers hurt nothing, and cameras write them.
 */
#include "runtime.h"

#include <jpeglib.h> /* uses FILE and size_t */

#include <jerror.h> /* uses jpeglib.h */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIF_MARKER = JPEG_APP0 + 1,
    EXIF_START = 6, /* "Exif", two zeros */
    MARKER_BYTES = 0xffff,
    INK = 4, /* channels of CMYK */
};

typedef struct Decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr manager;
    jmp_buf stop;
    char told[JMSG_LENGTH_MAX];
    uint8_t *pixels; /* [height][width][stored] */
    int stored;      /* channels of a pixel: 1, 3 or 4 */
    int orientation;
} Decoder;

static void stop(j_common_ptr jpeg)
{
    Decoder *decoder = jpeg->client_data;
    jpeg->err->format_message(jpeg, decoder->told);
    longjmp(decoder->stop, 1);
}

/* Of warnings those after which every pixel is what was stored. */
static bool is_harmless(int code)
{
    return code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM;
}

/* Levels below 0 are warnings; the others say what is going on. */
static void warn(j_common_ptr jpeg, int level)
{
    if (level < 0 && !is_harmless(jpeg->err->msg_code))
        stop(jpeg);
}

/* Halves, for which the library has fast code, while no side becomes less than `least`. */
static void choose_scale(struct jpeg_decompress_struct *jpeg, int64_t least)
{
    int64_t side = jpeg->image_width < jpeg->image_height ? jpeg->image_width : jpeg->image_height;
    jpeg->scale_num = 1;
    for (jpeg->scale_denom = 1; jpeg->scale_denom < 8 && side / 2 >= least; side /= 2)
        jpeg->scale_denom *= 2;
}

static void choose_colours(Decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    J_COLOR_SPACE space = jpeg->jpeg_color_space;
    bool ink = space == JCS_CMYK || space == JCS_YCCK;
    decoder->stored = space == JCS_GRAYSCALE ? 1 : ink ? INK : 3;
    jpeg->out_color_space = space == JCS_GRAYSCALE ? JCS_GRAYSCALE : ink ? JCS_CMYK : JCS_RGB;
}

/* In place.  What is stored is how much light each ink lets through, as Adobe's programs have it;
 * other readers take every such file for one of theirs. */
static void light_of_inks(Decoder *decoder, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *ink = decoder->pixels + i * INK;
        int black = ink[3];
        for (int c = 0; c < 3; c++)
            decoder->pixels[3 * i + c] = (uint8_t)((ink[c] * black + 127) / 255);
    }
    decoder->stored = 3;
}

static int orientation_of(const Decoder *decoder)
{
    for (jpeg_saved_marker_ptr marker = decoder->jpeg.marker_list; marker; marker = marker->next)
        if (marker->marker == EXIF_MARKER && marker->data_length > EXIF_START
            && memcmp(marker->data, "Exif\0", EXIF_START) == 0)
            return net_exif_orientation(marker->data + EXIF_START,
                                        marker->data_length - EXIF_START);
    return NET_UPRIGHT;
}

static bool decode(Decoder *decoder, FILE *file, const NetPicture *picture, const char *path,
                   NetError *error)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (setjmp(decoder->stop))
        return net_picture_failed(file, "JPEG", path, decoder->told, error);
    jpeg_create_decompress(jpeg);
    jpeg_save_markers(jpeg, EXIF_MARKER, MARKER_BYTES);
    jpeg_stdio_src(jpeg, file);
    jpeg_read_header(jpeg, TRUE);
    if (!net_check_image_size(jpeg->image_width, jpeg->image_height, path, error))
        return false;
    decoder->orientation = orientation_of(decoder); /* markers are forgotten by what follows */
    if (picture->use == NET_PICTURE_SIZE)
        return true;
    choose_scale(jpeg, picture->least);
    choose_colours(decoder);
    jpeg_start_decompress(jpeg);
    size_t row = (size_t)jpeg->output_width * (size_t)decoder->stored;
    decoder->pixels = net_allocate(jpeg->output_height, row, error);
    if (!decoder->pixels)
        return false;
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW to = decoder->pixels + jpeg->output_scanline * row;
        jpeg_read_scanlines(jpeg, &to, 1);
    }
    jpeg_finish_decompress(jpeg);
    return true;
}

static bool take(Decoder *decoder, NetPicture *picture, NetError *error)
{
    const struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    bool size = picture->use == NET_PICTURE_SIZE;
    picture->height = size ? jpeg->image_height : jpeg->output_height;
    picture->width = size ? jpeg->image_width : jpeg->output_width;
    picture->orientation = decoder->orientation;
    if (size)
        return true;
    int64_t count = picture->height * picture->width;
    if (decoder->stored == INK)
        light_of_inks(decoder, count);
    picture->pixels =
        net_take_pixels(decoder->pixels, decoder->stored, picture->channels, count, error);
    return picture->pixels != NULL;
}

bool net_decode_jpeg(NetPicture *picture, FILE *file, const char *path, NetError *error)
{
    Decoder *decoder = net_allocate(1, sizeof *decoder, error);
    if (!decoder)
        return false;
    decoder->jpeg.err = jpeg_std_error(&decoder->manager);
    decoder->jpeg.client_data = decoder;
    decoder->manager.error_exit = stop;
    decoder->manager.emit_message = warn;
    if (picture->use == NET_PICTURE_NUMBERS) {
        free(decoder);
        return net_fail(error, "%s is a JPEG file, which changes numbers: a mask is a PNG", path);
    }
    bool good = decode(decoder, file, picture, path, error);
    if (good)
        good = take(decoder, picture, error);
    else
        free(decoder->pixels);
    jpeg_destroy_decompress(&decoder->jpeg);
    free(decoder);
    return good;
}
