/* art.c: an image in a terminal.
 *
 * A half block (U+2580) shows two pixels in one cell, the upper as its
 * foreground and the lower as its background, so pixels come out square.  Where
 * there is no terminal or no colour, five shades or ten characters stand for
 * the mean of the two.
 */
#include "runtime.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_COLUMNS = 64 }; /* wider images are averaged down to this */

typedef enum Style { PLAIN, SHADES, COLOURS_256, TRUE_COLOUR } Style;

typedef struct Pixel {
    int red, green, blue;
} Pixel; /* 0 … 255 */

/* an image at the size it is drawn in */
typedef struct Picture {
    const uint8_t *pixels;
    NetShape shape;
    int64_t rows, columns;
} Picture;

bool net_is_utf8(void)
{
    setlocale(LC_CTYPE, "");
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* https://no-color.org: the variable's presence says no. */
static Style choose_style(FILE *out)
{
    const char *term = getenv("TERM"), *depth = getenv("COLORTERM"), *none = getenv("NO_COLOR");
    if (!net_is_utf8())
        return PLAIN;
    if (!isatty(fileno(out)) || (none && *none) || !term || strcmp(term, "dumb") == 0)
        return SHADES;
    bool deep = depth && (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0);
    return deep ? TRUE_COLOUR : COLOURS_256;
}

/* ------------------------------------------------------------- pixels */

/* The mean of the image's pixels that the cell covers. */
static int sample(const Picture *picture, int64_t channel, int64_t row, int64_t column)
{
    NetShape shape = picture->shape;
    const uint8_t *plane = picture->pixels + channel * shape.h * shape.w;
    int64_t top = row * shape.h / picture->rows, bottom = (row + 1) * shape.h / picture->rows;
    int64_t left = column * shape.w / picture->columns,
            right = (column + 1) * shape.w / picture->columns;
    int64_t sum = 0;
    for (int64_t y = top; y < bottom; y++)
        for (int64_t x = left; x < right; x++)
            sum += plane[y * shape.w + x];
    return (int)(sum / ((bottom - top) * (right - left)));
}

/* Below the last row there is nothing: black. */
static Pixel pixel_at(const Picture *picture, int64_t row, int64_t column)
{
    if (row >= picture->rows)
        return (Pixel){0};
    int red = sample(picture, 0, row, column);
    if (picture->shape.c < 3)
        return (Pixel){red, red, red};
    return (Pixel){red, sample(picture, 1, row, column), sample(picture, 2, row, column)};
}

/* The eye's weights: ITU-R BT.601. */
static int brightness(Pixel pixel)
{
    return (299 * pixel.red + 587 * pixel.green + 114 * pixel.blue) / 1000;
}

/* ------------------------------------------------------------- drawing */

/* xterm's palette: 24 greys from 232, between black (16) and white (231), and a
 * cube of 6 × 6 × 6 colours from 16. */
static int palette_256(Pixel pixel)
{
    if (pixel.red == pixel.green && pixel.green == pixel.blue) {
        int grey = (pixel.red + 2) / 10; /* grey n of the 24 is 8 + 10 n */
        return grey == 0 ? 16 : grey > 24 ? 231 : 231 + grey;
    }
    return 16 + 36 * ((pixel.red * 5 + 127) / 255) + 6 * ((pixel.green * 5 + 127) / 255)
           + (pixel.blue * 5 + 127) / 255;
}

static void draw_cell(FILE *out, Style style, Pixel upper, Pixel lower)
{
    static const char *const shades[] = {" ", "░", "▒", "▓", "█"};
    int mean = (brightness(upper) + brightness(lower)) / 2;
    switch (style) {
    case PLAIN:
        fputc(" .:-=+*#%@"[mean * 10 / 256], out);
        break;
    case SHADES:
        fputs(shades[mean * 5 / 256], out);
        break;
    case COLOURS_256:
        fprintf(out, "\033[38;5;%d;48;5;%dm▀", palette_256(upper), palette_256(lower));
        break;
    case TRUE_COLOUR:
        fprintf(out, "\033[38;2;%d;%d;%d;48;2;%d;%d;%dm▀", upper.red, upper.green, upper.blue,
                lower.red, lower.green, lower.blue);
        break;
    }
}

void net_draw_image(FILE *out, const uint8_t *pixels, NetShape shape)
{
    Style style = choose_style(out);
    Picture picture = {pixels, shape, shape.h, shape.w};
    if (shape.w > MAX_COLUMNS) {
        picture.columns = MAX_COLUMNS;
        picture.rows = shape.h * MAX_COLUMNS / shape.w > 0 ? shape.h * MAX_COLUMNS / shape.w : 1;
    }
    for (int64_t row = 0; row < picture.rows; row += 2) {
        fputs("  ", out);
        for (int64_t column = 0; column < picture.columns; column++)
            draw_cell(out, style, pixel_at(&picture, row, column),
                      pixel_at(&picture, row + 1, column));
        fputs(style >= COLOURS_256 ? "\033[0m\n" : "\n", out);
    }
}
