/* zip.c: the members of a zip archive, as numpy's .npz is one: PKWARE's APPNOTE.TXT, 4.3.
 *
 * What is there is said by the central directory at the end; of each member, which is stored or
 * packed by deflate, the sizes are those said there, and the checksum is compared.  zlib unpacks;
 * the libraries that read whole archives would bring encryption and other packers into every
 * trainer.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    END = 22,        /* bytes of the end record */
    ENTRY = 46,      /* of an entry of the directory, and its name, extra fields and comment */
    LOCAL = 30,      /* of what is before a member, likewise */
    LOCATOR_64 = 20, /* of what says where the end record with 64 bits is */
    END_64 = 56,
    STORED = 0,
    DEFLATED = 8,
};

typedef struct Archive {
    const uint8_t *bytes;
    int64_t count;
    const char *path;
    NetError *error;
} Archive;

/* Of the directory's entry. */
typedef struct Entry {
    char name[NET_MEMBER_NAME];
    int method;
    uint32_t checksum;
    int64_t packed, size, at;
} Entry;

static uint64_t number(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static bool has_mark(const Archive *archive, int64_t at, int64_t length, const char *mark)
{
    return at >= 0 && at <= archive->count - length && memcmp(archive->bytes + at, mark, 4) == 0;
}

static bool refuse(const Archive *archive, int64_t at, const char *what)
{
    return net_fail(archive->error, "%.300s is a damaged zip archive, near byte %" PRId64 ": %s",
                    archive->path, at, what);
}

/* From the end, for a comment may follow it. */
static int64_t find_end(const Archive *archive)
{
    int64_t first = archive->count - END - 65535;
    for (int64_t at = archive->count - END; at >= 0 && at >= first; at--)
        if (has_mark(archive, at, END, "PK\5\6"))
            return at;
    return -1;
}

/* A field of 32 bits that is full stands for one of 64 in an extra field, in a fixed order. */
static bool widen(int64_t *value, const uint8_t **extra, const uint8_t *end)
{
    if (*value != 0xffffffff)
        return true;
    if (end - *extra < 8)
        return false;
    *value = (int64_t)number(*extra, 8);
    *extra += 8;
    return *value >= 0;
}

static bool read_wide(Entry *entry, const uint8_t *extra, const uint8_t *end)
{
    while (end - extra >= 4) {
        const uint8_t *field = extra + 4;
        int64_t length = (int64_t)number(extra + 2, 2);
        if (length > end - field)
            return false;
        if (number(extra, 2) == 1)
            return widen(&entry->size, &field, extra + 4 + length)
                   && widen(&entry->packed, &field, extra + 4 + length)
                   && widen(&entry->at, &field, extra + 4 + length);
        extra = field + length;
    }
    return entry->size != 0xffffffff && entry->packed != 0xffffffff && entry->at != 0xffffffff;
}

/* The entry at *at, which becomes where the next one is. */
static bool read_entry(Entry *entry, const Archive *archive, int64_t *at)
{
    if (!has_mark(archive, *at, ENTRY, "PK\1\2"))
        return refuse(archive, *at, "no entry of the directory is there");
    const uint8_t *from = archive->bytes + *at;
    int64_t name = (int64_t)number(from + 28, 2), extra = (int64_t)number(from + 30, 2),
            comment = (int64_t)number(from + 32, 2);
    if (name + extra + comment > archive->count - *at - ENTRY)
        return refuse(archive, *at, "the directory goes on where the file ends");
    *entry = (Entry){.method = (int)number(from + 10, 2),
                     .checksum = (uint32_t)number(from + 16, 4),
                     .packed = (int64_t)number(from + 20, 4),
                     .size = (int64_t)number(from + 24, 4),
                     .at = (int64_t)number(from + 42, 4)};
    snprintf(entry->name, sizeof entry->name, "%.*s", (int)name, from + ENTRY);
    if (number(from + 8, 2) & 1)
        return net_fail(archive->error, "%.200s: %.100s is encrypted", archive->path, entry->name);
    if (!read_wide(entry, from + ENTRY + name, from + ENTRY + name + extra))
        return refuse(archive, *at, "its sizes are not said");
    *at += ENTRY + name + extra + comment;
    return true;
}

/* Memory grows as bytes are unpacked, so a false size costs no more than the file is long. */
static bool inflate_member(NetMember *member, const Archive *archive, const Entry *entry,
                           const uint8_t *from)
{
    enum { PIECE = 1 << 20 };
    z_stream stream = {.next_in = (uint8_t *)from, .avail_in = (uInt)entry->packed};
    int64_t have = 0, room = 0;
    int code = inflateInit2(&stream, -MAX_WBITS);
    while (code == Z_OK && have <= entry->size) {
        if (have == room) {
            room = room ? 2 * room : PIECE;
            room = room < entry->size + 1 ? room : entry->size + 1;
            uint8_t *larger = realloc(member->unpacked, (size_t)room);
            code = larger ? Z_OK : Z_MEM_ERROR;
            member->unpacked = larger ? larger : member->unpacked;
        }
        int64_t left = room - have;
        stream.next_out = member->unpacked + have;
        stream.avail_out = (uInt)(left < PIECE ? left : PIECE);
        uInt before = stream.avail_out;
        code = code == Z_OK ? inflate(&stream, Z_NO_FLUSH) : code;
        have += before - stream.avail_out;
        if (code == Z_OK && before == stream.avail_out)
            code = Z_BUF_ERROR;
    }
    inflateEnd(&stream);
    if (code == Z_MEM_ERROR)
        return net_fail(archive->error, "out of memory: %.300s", archive->path);
    if (code != Z_STREAM_END || have != entry->size)
        return refuse(archive, from - archive->bytes, "a member does not unpack to its size");
    member->bytes = member->unpacked;
    return true;
}

static bool read_member(NetMember *member, const Archive *archive, const Entry *entry)
{
    if (!has_mark(archive, entry->at, LOCAL, "PK\3\4"))
        return refuse(archive, entry->at, "no member is there");
    const uint8_t *local = archive->bytes + entry->at;
    int64_t start =
        entry->at + LOCAL + (int64_t)number(local + 26, 2) + (int64_t)number(local + 28, 2);
    if (start > archive->count || entry->packed > archive->count - start)
        return refuse(archive, entry->at, "a member goes on where the file ends");
    *member = (NetMember){.bytes = archive->bytes + start, .count = entry->size};
    memcpy(member->name, entry->name, sizeof member->name);
    if (entry->method != STORED && entry->method != DEFLATED)
        return net_fail(archive->error,
                        "%.200s: %.100s is packed by method %d; deflate, 8, is read", archive->path,
                        entry->name, entry->method);
    if (entry->method == STORED && entry->size != entry->packed)
        return refuse(archive, entry->at, "a member has two sizes");
    if (entry->method == DEFLATED && entry->packed > (int64_t)UINT32_MAX)
        return net_fail(archive->error,
                        "%.200s: %.100s is packed and larger than 4 GB: save it "
                        "unpacked",
                        archive->path, entry->name);
    if (entry->method == DEFLATED
        && !inflate_member(member, archive, entry, archive->bytes + start))
        return false;
    uLong sum = crc32_z(0, member->bytes, (size_t)member->count);
    return sum == entry->checksum
           || refuse(archive, entry->at, "a member's checksum is another than is said");
}

/* Where the directory begins and how many entries it has. */
static bool find_directory(const Archive *archive, int64_t *at, int64_t *entries)
{
    int64_t end = find_end(archive);
    if (end < 0)
        return net_fail(archive->error,
                        "%.300s is cut off, or no zip archive: it has no directory "
                        "at its end, byte %" PRId64,
                        archive->path, archive->count);
    const uint8_t *from = archive->bytes + end;
    *entries = (int64_t)number(from + 10, 2);
    *at = (int64_t)number(from + 16, 4);
    if (!has_mark(archive, end - LOCATOR_64, LOCATOR_64, "PK\6\7"))
        return true;
    int64_t wide = (int64_t)number(from - LOCATOR_64 + 8, 8);
    if (!has_mark(archive, wide, END_64, "PK\6\6"))
        return refuse(archive, end - LOCATOR_64, "its directory is not where it says");
    *entries = (int64_t)number(archive->bytes + wide + 32, 8);
    *at = (int64_t)number(archive->bytes + wide + 48, 8);
    return true;
}

bool net_read_zip(const uint8_t *bytes, int64_t count, const char *path, NetTakeMember *take,
                  void *to, NetError *error)
{
    Archive archive = {bytes, count, path, error};
    int64_t at = 0, entries = 0;
    if (!find_directory(&archive, &at, &entries))
        return false;
    for (int64_t i = 0; i < entries; i++) {
        Entry entry;
        NetMember member = {0};
        bool good = read_entry(&entry, &archive, &at) && read_member(&member, &archive, &entry)
                    && take(to, &member, error);
        free(member.unpacked); /* NULL where it was taken */
        if (!good)
            return false;
    }
    return true;
}
