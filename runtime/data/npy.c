/* npy.c: numpy's format of one array,
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html: a magic string, the
 * version, the length of a header, and the header, which is a Python dictionary of three keys.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 6, MAX_HEADER = 4096 };

/* What is left of the header's text. */
typedef struct Header {
    const char *at;
    const NetFileArray *array;
    NetError *error;
} Header;

static void skip_blanks(Header *header)
{
    header->at += strspn(header->at, " \t\n\r");
}

static bool take(Header *header, char c)
{
    skip_blanks(header);
    if (*header->at != c)
        return false;
    header->at++;
    return true;
}

static bool refuse(const Header *header, const char *what)
{
    return net_fail(header->error, "%.200s: %s: its header says %s, near '%.20s'",
                    header->array->path, header->array->name, what, header->at);
}

static bool take_text(Header *header, char *text, size_t room)
{
    skip_blanks(header);
    char quote = *header->at;
    const char *end = quote == '\'' || quote == '"' ? strchr(header->at + 1, quote) : NULL;
    if (!end || (size_t)(end - header->at) > room)
        return refuse(header, "no text where one is expected");
    snprintf(text, room, "%.*s", (int)(end - header->at - 1), header->at + 1);
    header->at = end + 1;
    return true;
}

/* '<f4': the order of its bytes, the kind, how many bytes. */
static bool take_type(Header *header, NetFileArray *array)
{
    char type[16];
    if (!take_text(header, type, sizeof type))
        return false;
    bool big = type[0] == '>', known = type[0] && strchr("<>|=", type[0]) != NULL;
    int bytes = known && type[1] ? atoi(type + 2) : 0;
    bool sized = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
    if (!known || !type[1] || !strchr("uifb", type[1]) || !sized || (type[1] == 'f' && bytes == 1)
        || (type[1] == 'b' && bytes != 1))
        return net_fail(
            header->error,
            "%.200s: %s holds values of type '%s'; whole numbers, real ones and truths "
            "are read (u1 to u8, i1 to i8, f2 to f8, b1): save it as one of them, or leave it "
            "out",
            array->path, array->name, type);
    array->type = type[1];
    array->bytes = bytes;
    array->swapped = big && bytes > 1;
    return true;
}

static bool take_truth(Header *header, bool *truth)
{
    skip_blanks(header);
    *truth = strncmp(header->at, "True", 4) == 0;
    if (!*truth && strncmp(header->at, "False", 5) != 0)
        return refuse(header, "neither True nor False");
    header->at += *truth ? 4 : 5;
    return true;
}

/* (3, 4), (3,) or () */
static bool take_shape(Header *header, NetFileArray *array)
{
    if (!take(header, '('))
        return refuse(header, "no shape");
    while (!take(header, ')')) {
        char *end;
        skip_blanks(header);
        long long size =
            *header->at >= '0' && *header->at <= '9' ? strtoll(header->at, &end, 10) : -1;
        if (size < 0 || array->rank == NET_MAX_STORED)
            return refuse(header, "no shape of at most 8 axes");
        array->dim[array->rank++] = size;
        header->at = end + (*end == 'L'); /* as Python 2 wrote some */
        if (!take(header, ',') && *header->at != ')')
            return refuse(header, "no shape");
    }
    return true;
}

static bool take_entry(Header *header, NetFileArray *array, int *found)
{
    char key[32];
    if (!take_text(header, key, sizeof key) || !take(header, ':'))
        return refuse(header, "no key and value");
    if (strcmp(key, "descr") == 0)
        return *found |= 1, take_type(header, array);
    if (strcmp(key, "fortran_order") == 0)
        return *found |= 2, take_truth(header, &array->fortran);
    if (strcmp(key, "shape") == 0 && array->rank == 0)
        return *found |= 4, take_shape(header, array);
    return refuse(header, "another key than descr, fortran_order and shape");
}

static bool read_header(NetFileArray *array, const char *text, NetError *error)
{
    Header header = {text, array, error};
    int found = 0;
    if (!take(&header, '{'))
        return refuse(&header, "no dictionary");
    while (!take(&header, '}')) {
        if (!take_entry(&header, array, &found))
            return false;
        if (!take(&header, ',') && *header.at != '}')
            return refuse(&header, "no comma between keys");
    }
    return found == 7 || refuse(&header, "less than descr, fortran_order and shape");
}

bool net_read_npy(NetFileArray *array, const uint8_t *bytes, int64_t count, NetError *error)
{
    char text[MAX_HEADER + 1];
    int version = count > MAGIC ? bytes[MAGIC] : 0;
    int64_t start = version > 1 ? MAGIC + 6 : MAGIC + 4, length = 0;
    if (count < MAGIC + 2 || memcmp(bytes, "\x93NUMPY", MAGIC) != 0)
        return net_fail(error, "%.200s: %s does not begin as numpy's arrays do (93 4e 55 4d 50 59)",
                        array->path, array->name);
    if (version < 1 || version > 3)
        return net_fail(error,
                        "%.200s: %s is of version %d (byte 6) of numpy's format; 1 to 3 are "
                        "read",
                        array->path, array->name, version);
    for (int64_t i = start - 1; i >= MAGIC + 2 && i < count; i--)
        length = length << 8 | bytes[i];
    if (length > count - start)
        return net_fail(error,
                        "%.200s: %s is cut off: its header of %" PRId64 " bytes (byte 8) goes on "
                        "where it ends, at byte %" PRId64,
                        array->path, array->name, length, count);
    if (length > MAX_HEADER)
        return net_fail(error,
                        "%.200s: %s says that its header has %" PRId64 " bytes (byte 8), "
                        "more than the %d that are read",
                        array->path, array->name, length, (int)MAX_HEADER);
    memcpy(text, bytes + start, (size_t)length);
    text[length] = '\0';
    array->values = bytes + start + length;
    return read_header(array, text, error)
           && net_check_file_array(array, count - start - length, error);
}
