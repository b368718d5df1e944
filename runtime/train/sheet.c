/* sheet.c: many pictures of one size as one, in tiles.  Those that belong together, as what goes
 * into a network and what comes out, stand side by side, and farther from the others.
 */
#include "runtime.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 48, GAP = 2, FAR = 8, BESIDE = 32 }; /* pixels: a small tile is enlarged; a grey */

/* From a group's first pixel to the next one's. */
static int64_t group_width(const NetSheet *sheet)
{
    return sheet->together * (sheet->tile.w * sheet->scale + GAP) - GAP + sheet->gap;
}

static int64_t group_height(const NetSheet *sheet)
{
    return sheet->tile.h * sheet->scale + sheet->gap;
}

bool net_sheet_open(NetSheet *sheet, int64_t groups, int together, NetShape tile, NetError *error)
{
    int64_t larger = tile.h > tile.w ? tile.h : tile.w;
    groups = groups < NET_MAX_TILES ? groups : NET_MAX_TILES;
    *sheet = (NetSheet){.tile = tile, .together = together, .groups = groups};
    sheet->columns = (int64_t)ceil(sqrt((double)groups));
    sheet->columns = sheet->columns > 0 ? sheet->columns : 1;
    sheet->scale = (TILE + larger - 1) / larger;
    int64_t rows = (groups + sheet->columns - 1) / sheet->columns;
    sheet->gap = together > 1 ? FAR : GAP;
    sheet->height = rows * group_height(sheet) + sheet->gap;
    sheet->width = sheet->columns * group_width(sheet) + sheet->gap;
    size_t elements = (size_t)(sheet->height * sheet->width * tile.c);
    sheet->pixels = net_allocate(elements, 1, error);
    if (sheet->pixels)
        memset(sheet->pixels, BESIDE, elements);
    return sheet->pixels != NULL;
}

/* The pixel at a tile's place, a square of `scale` pixels. */
static void put_square(const NetSheet *sheet, int64_t top, int64_t left, int64_t channel,
                       uint8_t value)
{
    int64_t scale = sheet->scale;
    for (int64_t k = 0; k < scale * scale; k++) {
        int64_t at = (top + k / scale) * sheet->width + left + k % scale;
        sheet->pixels[at * sheet->tile.c + channel] = value;
    }
}

void net_sheet_put(const NetSheet *sheet, int64_t group, int number, const uint8_t *pixels,
                   NetShape shape)
{
    NetShape tile = sheet->tile;
    int64_t scale = sheet->scale;
    int64_t top = sheet->gap + group / sheet->columns * group_height(sheet)
                  + (tile.h - shape.h) / 2 * scale,
            left = sheet->gap + group % sheet->columns * group_width(sheet)
                   + number * (tile.w * scale + GAP) + (tile.w - shape.w) / 2 * scale;
    for (int64_t c = 0; group < sheet->groups && c < tile.c; c++) {
        const uint8_t *plane = pixels + (shape.c == 1 ? 0 : c) * shape.h * shape.w;
        for (int64_t i = 0; i < shape.h * shape.w; i++)
            put_square(sheet, top + i / shape.w * scale, left + i % shape.w * scale, c, plane[i]);
    }
}

bool net_sheet_write(const NetSheet *sheet, const char *path, NetError *error)
{
    return net_write_png(path, sheet->pixels, sheet->height, sheet->width, (int)sheet->tile.c,
                         error);
}

void net_sheet_close(NetSheet *sheet)
{
    free(sheet->pixels);
    *sheet = (NetSheet){0};
}
