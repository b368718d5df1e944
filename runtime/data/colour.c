/* colour.c: changes of an image's colours, as torchvision.transforms.v2.functional makes them of
 * tensors of bytes: in float32, and what is left behind the point is cut off.
 *
 * Each changes [c][h][w] pixels in place, c being 1 or 3.
 */
#include "data/picture.h"

#include <math.h>
#include <string.h>

enum { LEVELS = 256 };

static int64_t plane_of(NetShape shape)
{
    return shape.h * shape.w;
}

static int64_t count_of(NetShape shape)
{
    return shape.c * plane_of(shape);
}

static uint8_t cut(float value)
{
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)value;
}

/* part * a + (1 - part) * b */
static uint8_t blend(uint8_t a, float b, double part)
{
    return cut(fmaf((float)(1 - part), b, (float)a * (float)part));
}

/* The whole number below the luma of a pixel, ITU-R BT.601. */
static float grey_of(const uint8_t *pixels, NetShape shape, int64_t at)
{
    int64_t plane = plane_of(shape);
    if (shape.c == 1)
        return pixels[at];
    float red = 0.2989f * (float)pixels[at], green = fmaf(0.587f, (float)pixels[at + plane], red);
    return floorf(fmaf(0.114f, (float)pixels[at + 2 * plane], green));
}

void net_adjust_brightness(uint8_t *pixels, NetShape shape, double factor)
{
    for (int64_t i = 0; i < count_of(shape); i++)
        pixels[i] = cut((float)pixels[i] * (float)factor);
}

void net_adjust_contrast(uint8_t *pixels, NetShape shape, double factor)
{
    double sum = 0;
    for (int64_t i = 0; i < plane_of(shape); i++)
        sum += (double)grey_of(pixels, shape, i);
    const float mean = (float)(sum / (double)plane_of(shape));
    for (int64_t i = 0; i < count_of(shape); i++)
        pixels[i] = blend(pixels[i], mean, factor);
}

void net_adjust_saturation(uint8_t *pixels, NetShape shape, double factor)
{
    int64_t plane = plane_of(shape);
    for (int64_t i = 0; i < plane && shape.c == 3; i++) {
        const float grey = grey_of(pixels, shape, i);
        for (int64_t c = 0; c < 3; c++)
            pixels[c * plane + i] = blend(pixels[c * plane + i], grey, factor);
    }
}

/* ------------------------------------------------------------------ hue */

/* Hue, saturation and value of red, green and blue, all from 0 to 1. */
static void to_hsv(float hsv[3], const float rgb[3])
{
    float max = fmaxf(fmaxf(rgb[0], rgb[1]), rgb[2]), min = fminf(fminf(rgb[0], rgb[1]), rgb[2]);
    float range = max - min, over = range > 0 ? range : 1;
    float r = (max - rgb[0]) / over, g = (max - rgb[1]) / over, b = (max - rgb[2]) / over;
    float hue = max == rgb[0] ? b - g : max == rgb[1] ? 2 + r - b : 4 + g - r;
    hsv[0] = range > 0 ? fmodf(hue / 6 + 1, 1) : 0;
    hsv[1] = range > 0 ? range / max : 0;
    hsv[2] = max;
}

static float within(float value)
{
    return fminf(fmaxf(value, 0), 1);
}

static void to_rgb(float rgb[3], const float hsv[3])
{
    static const int selected[3][6] = {{0, 2, 1, 1, 3, 0}, {3, 0, 0, 2, 1, 1}, {1, 1, 3, 0, 0, 2}};
    float six = hsv[0] * 6, whole = floorf(six), rest = six - whole, s = hsv[1], v = hsv[2];
    const float values[] = {v, within((1 - s) * v), within((1 - s * rest) * v),
                            within((s * rest + (1 - s)) * v)};
    for (int c = 0; c < 3; c++)
        rgb[c] = values[selected[c][(int)whole % 6]];
}

/* `turn`: of the circle of hues, from -0.5 to 0.5. */
void net_adjust_hue(uint8_t *pixels, NetShape shape, double turn)
{
    const float scale = 255 + 1 - 1e-3f; /* so that each level has as much of 0 … 1 */
    int64_t plane = plane_of(shape);
    for (int64_t i = 0; i < plane && shape.c == 3; i++) {
        float rgb[3], hsv[3];
        for (int64_t c = 0; c < 3; c++)
            rgb[c] = (float)pixels[c * plane + i] / 255;
        to_hsv(hsv, rgb);
        hsv[0] += (float)turn;
        hsv[0] -= floorf(hsv[0]);
        to_rgb(rgb, hsv);
        for (int64_t c = 0; c < 3; c++)
            pixels[c * plane + i] = (uint8_t)(rgb[c] * scale);
    }
}

/* ------------------------------------------------------------ sharpness */

/* `from`: as many pixels; the edge of one pixel stays as it is. */
void net_adjust_sharpness(uint8_t *pixels, const uint8_t *from, NetShape shape, double factor)
{
    const float around = (float)(1.0 / 13), middle = (float)(5.0 / 13);
    for (int64_t row = 0; row < shape.c * shape.h; row++) {
        bool edge = row % shape.h == 0 || row % shape.h == shape.h - 1;
        for (int64_t x = 1; x + 1 < shape.w && !edge; x++) {
            float sum = 0, own = from[row * shape.w + x];
            for (int64_t v = -1; v <= 1; v++)
                for (int64_t u = -1; u <= 1; u++)
                    sum += (v || u ? around : middle) * (float)from[(row + v) * shape.w + x + u];
            pixels[row * shape.w + x] = cut(fmaf((float)(1 - factor), rintf(sum) - own, own));
        }
    }
}

/* --------------------------------------------------------------- levels */

void net_posterize(uint8_t *pixels, NetShape shape, int bits)
{
    const uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(((1 << bits) - 1) << (8 - bits));
    for (int64_t i = 0; i < count_of(shape); i++)
        pixels[i] &= mask;
}

void net_solarize(uint8_t *pixels, NetShape shape, double threshold)
{
    for (int64_t i = 0; i < count_of(shape); i++)
        if (pixels[i] >= threshold)
            pixels[i] = 255 - pixels[i];
}

void net_solarize_add(uint8_t *pixels, NetShape shape, int added)
{
    for (int64_t i = 0; i < count_of(shape); i++)
        if (pixels[i] < LEVELS / 2)
            pixels[i] = pixels[i] + added > 255 ? 255 : (uint8_t)(pixels[i] + added);
}

void net_invert(uint8_t *pixels, NetShape shape)
{
    for (int64_t i = 0; i < count_of(shape); i++)
        pixels[i] = 255 - pixels[i];
}

/* Of each channel the darkest becomes 0 and the brightest 255. */
void net_autocontrast(uint8_t *pixels, NetShape shape)
{
    for (int64_t c = 0; c < shape.c; c++) {
        uint8_t *plane = pixels + c * plane_of(shape), min = 255, max = 0;
        for (int64_t i = 0; i < plane_of(shape); i++) {
            min = plane[i] < min ? plane[i] : min;
            max = plane[i] > max ? plane[i] : max;
        }
        const float scale = (float)(max - min) * (float)(1.0 / 255);
        for (int64_t i = 0; i < plane_of(shape) && max > min; i++)
            plane[i] = cut((float)(plane[i] - min) / scale);
    }
}

/* Of one channel: each level takes the place that the pixels below it leave. */
static void equalize(uint8_t *plane, int64_t count)
{
    int64_t histogram[LEVELS] = {0}, below = 0, last = 0;
    uint8_t levels[LEVELS];
    for (int64_t i = 0; i < count; i++)
        histogram[plane[i]]++;
    for (int k = 0; k < LEVELS; k++)
        last = histogram[k] ? histogram[k] : last;
    int64_t step = (count - last) / 255;
    for (int k = 0; k < LEVELS && step > 0; k++) {
        int64_t level = k ? (below + step / 2) / step : 0;
        levels[k] = level > 255 ? 255 : (uint8_t)level;
        below += histogram[k];
    }
    for (int64_t i = 0; i < count && step > 0; i++)
        plane[i] = levels[plane[i]];
}

void net_equalize(uint8_t *pixels, NetShape shape)
{
    for (int64_t c = 0; c < shape.c; c++)
        equalize(pixels + c * plane_of(shape), plane_of(shape));
}
