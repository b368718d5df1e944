/* jpeg.c: JPEG files, by libjpeg.  The library goes on after damage and only
 * warns; here a warning is a fault, so that no half-grey image is learned from.
 */
#include "runtime.h"

#include <jpeglib.h> /* uses FILE and size_t */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct Decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr manager;
    jmp_buf stop;
    char told[JMSG_LENGTH_MAX];
    uint8_t *pixels; /* [height][width][stored] */
    int stored;      /* channels of a pixel: 1 or 3 */
} Decoder;

static void stop(j_common_ptr jpeg)
{
    Decoder *decoder = jpeg->client_data;
    jpeg->err->format_message(jpeg, decoder->told);
    longjmp(decoder->stop, 1);
}

/* Levels below 0 are warnings of damage; the others say what is going on. */
static void warn(j_common_ptr jpeg, int level)
{
    if (level < 0)
        stop(jpeg);
}

static bool decode(Decoder *decoder, FILE *file, const char *path, NetError *error)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (setjmp(decoder->stop))
        return net_picture_failed(file, "JPEG", path, decoder->told, error);
    jpeg_create_decompress(jpeg);
    jpeg_stdio_src(jpeg, file);
    jpeg_read_header(jpeg, TRUE);
    if (!net_check_image_size(jpeg->image_width, jpeg->image_height, path, error))
        return false;
    decoder->stored = jpeg->jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
    jpeg->out_color_space = decoder->stored == 1 ? JCS_GRAYSCALE : JCS_RGB;
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

uint8_t *net_decode_jpeg(FILE *file, int channels, int64_t *height, int64_t *width,
                         const char *path, NetError *error)
{
    Decoder *decoder = net_allocate(1, sizeof *decoder, error);
    if (!decoder)
        return NULL;
    decoder->jpeg.err = jpeg_std_error(&decoder->manager);
    decoder->jpeg.client_data = decoder;
    decoder->manager.error_exit = stop;
    decoder->manager.emit_message = warn;
    uint8_t *pixels = NULL;
    if (decode(decoder, file, path, error)) {
        *height = decoder->jpeg.output_height;
        *width = decoder->jpeg.output_width;
        pixels =
            net_take_pixels(decoder->pixels, decoder->stored, channels, *height * *width, error);
    } else {
        free(decoder->pixels);
    }
    jpeg_destroy_decompress(&decoder->jpeg);
    free(decoder);
    return pixels;
}
