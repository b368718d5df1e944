/* positions.c: bytes of a source against a client's lines and UTF-16 units.
 *
 * A client counts lines from 0 and, in a line, the 16-bit units that UTF-16
 * would take; a source counts both from 1, in bytes.  A character of four bytes
 * in UTF-8 is two units; every other is one.
 */
#include "serve/server.h"

#include <math.h>
#include <string.h>

size_t offset_of(const Source *source, int line, int column)
{
    if (line < 1)
        return 0;
    if (line > source->lines)
        return source->length;
    size_t start = source->line_starts[line - 1],
           end = line < source->lines ? source->line_starts[line] : source->length;
    size_t offset = start + (size_t)(column > 0 ? column - 1 : 0);
    return offset < end ? offset : end;
}

const char *span_chars(Span span)
{
    size_t from = offset_of(span.source, span.line, span.column),
           to = offset_of(span.source, span.end_line, span.end_column);
    return intern_range(span.source->chars + from, to > from ? to - from : 0);
}

/* ---- from the client */

/* A whole number from 0, or -1. */
static int whole(const cJSON *object, const char *key)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, key);
    bool good = cJSON_IsNumber(number) && number->valuedouble >= 0 && number->valuedouble < 1e9
                && number->valuedouble == floor(number->valuedouble);
    return good ? (int)number->valuedouble : -1;
}

/* How many bytes of the line the first `units` units are. */
static size_t bytes_of_units(const char *line, size_t length, int units)
{
    size_t at = 0;
    while (at < length && line[at] != '\n' && line[at] != '\r' && units > 0) {
        unsigned char c = (unsigned char)line[at];
        size_t bytes = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        units -= bytes == 4 ? 2 : 1;
        if (units < 0)
            break; /* between the halves of one character: before it */
        for (at++; --bytes && at < length && ((unsigned char)line[at] & 0xC0) == 0x80; at++)
            ;
    }
    return at;
}

bool read_offset(const char *text, size_t length, const cJSON *position, size_t *offset)
{
    int line = whole(position, "line"), character = whole(position, "character");
    size_t at = 0;
    if (line < 0 || character < 0)
        return false;
    for (; line > 0 && at < length; line--) {
        const char *end = memchr(text + at, '\n', length - at);
        at = end ? (size_t)(end - text) + 1 : length;
    }
    *offset = line > 0 ? length : at + bytes_of_units(text + at, length - at, character);
    return true;
}

bool read_position(const Source *source, const cJSON *json, Position *position)
{
    int line = whole(json, "line"), character = whole(json, "character");
    if (line < 0 || character < 0)
        return false;
    line = line < source->lines ? line : source->lines - 1;
    size_t start = source->line_starts[line];
    *position = (Position){
        line + 1,
        (int)bytes_of_units(source->chars + start, source->length - start, character) + 1};
    return true;
}

/* ---- to the client */

static cJSON *json_position(const Source *source, int line, int column)
{
    cJSON *position = cJSON_CreateObject();
    line = line < 1 ? 1 : line > source->lines ? source->lines : line;
    size_t at = source->line_starts[line - 1], end = offset_of(source, line, column);
    int units = 0;
    for (; at < end && source->chars[at] != '\n' && source->chars[at] != '\r'; at++) {
        unsigned char c = (unsigned char)source->chars[at];
        units += (c & 0xC0) != 0x80 ? 1 + (c >= 0xF0) : 0;
    }
    cJSON_AddNumberToObject(position, "line", line - 1);
    cJSON_AddNumberToObject(position, "character", units);
    return position;
}

cJSON *json_range(Span span)
{
    cJSON *range = cJSON_CreateObject();
    cJSON_AddItemToObject(range, "start", json_position(span.source, span.line, span.column));
    cJSON_AddItemToObject(range, "end", json_position(span.source, span.end_line, span.end_column));
    return range;
}

cJSON *json_location(Span span)
{
    cJSON *location = cJSON_CreateObject();
    cJSON_AddStringToObject(location, "uri", uri_of(span.source->path));
    cJSON_AddItemToObject(location, "range", json_range(span));
    return location;
}

int compare_to_position(Span span, Position position)
{
    return span.line != position.line ? span.line - position.line : span.column - position.column;
}

bool is_within(Span span, Position position)
{
    bool before_end = position.line < span.end_line
                      || (position.line == span.end_line && position.column <= span.end_column);
    return compare_to_position(span, position) <= 0 && before_end;
}
