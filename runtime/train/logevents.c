/* logevents.c: a log that TensorBoard shows: a file of records, each an Event with scalars.
 *
 * A record is its length, the length's checksum, its bytes and theirs (TFRecord); the checksum is
 * CRC-32C, rotated and added to, as tensorflow/core/lib/hash/crc32c.h has it.  The bytes are a
 * protobuf message of tensorflow/core/util/event.proto:
 *
 *     Event   1 wall_time: double   2 step: int64   3 file_version: string   5 summary: Summary
 *     Summary 1 value: Value, repeated              Value  1 tag: string   2 simple_value: float
 *
 * These are seven fields of four wire types.  A protobuf library would bring TensorFlow's .proto
 * files, a compiler for them into every build and its code into every trainer, to write and read
 * them; the functions below take less than the calls of it would.
 */
#include "train/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    VARINT = 0,
    FIXED64 = 1,
    BYTES = 2,
    FIXED32 = 5, /* wire types */
    HEADER = 12,
    FOOTER = 4,
    MAX_RECORD = 1 << 24
};
enum {
    WALL_TIME = 1,
    STEP = 2,
    FILE_VERSION = 3,
    SUMMARY = 5,
    VALUE = 1,
    TAG = 1,
    SIMPLE_VALUE = 2
};

static const char VERSION[] = "brain.Event:2";
static const char EPOCH[] = "epoch"; /* the tag by which an epoch's row is known */

/* -------------------------------------------------------------- checksum */

static uint32_t crc32c(const void *bytes, size_t count)
{
    static uint32_t table[256];
    static bool made;
    for (uint32_t i = 0; i < 256 && !made; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
        table[i] = value;
    }
    made = true;
    uint32_t crc = ~0u;
    for (const unsigned char *at = bytes, *end = at + count; at < end; at++)
        crc = crc >> 8 ^ table[(crc ^ *at) & 0xff];
    return ~crc;
}

static uint32_t masked(const void *bytes, size_t count)
{
    uint32_t crc = crc32c(bytes, count);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* --------------------------------------------------------------- writing */

typedef struct Message {
    char *bytes;
    size_t count, room;
    bool failed; /* there was no memory */
} Message;

static void put(Message *message, const void *bytes, size_t count)
{
    if (message->count + count > message->room) {
        size_t room = 2 * message->room + count + 64;
        char *more = realloc(message->bytes, room);
        if (!more) {
            message->failed = true;
            return;
        }
        message->bytes = more;
        message->room = room;
    }
    memcpy(message->bytes + message->count, bytes, count);
    message->count += count;
}

/* Least byte first. */
static void put_little(Message *message, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put(message, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

static void put_varint(Message *message, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        put_little(message, (value & 0x7f) | 0x80, 1);
    put_little(message, value, 1);
}

static void put_key(Message *message, int field, int type)
{
    put_varint(message, (uint64_t)(field << 3 | type));
}

static void put_bytes(Message *message, int field, const void *bytes, size_t count)
{
    put_key(message, field, BYTES);
    put_varint(message, count);
    put(message, bytes, count);
}

static void put_time(Message *message)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    put_key(message, WALL_TIME, FIXED64);
    put_little(message, bits, 8);
}

static void put_scalar(Message *summary, const char *tag, double value)
{
    Message message = {0};
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    put_bytes(&message, TAG, tag, strlen(tag));
    put_key(&message, SIMPLE_VALUE, FIXED32);
    put_little(&message, bits, 4);
    summary->failed |= message.failed;
    if (!message.failed)
        put_bytes(summary, VALUE, message.bytes, message.count);
    free(message.bytes);
}

/* Takes the message. */
static NetBytes frame(Message *message)
{
    Message record = {0}, length = {0};
    put_little(&length, message->count, 8);
    if (!message->failed && !length.failed) {
        put(&record, length.bytes, length.count);
        put_little(&record, masked(length.bytes, length.count), 4);
        put(&record, message->bytes, message->count);
        put_little(&record, masked(message->bytes, message->count), 4);
    }
    bool good = !message->failed && !length.failed && !record.failed;
    free(message->bytes);
    free(length.bytes);
    if (good)
        return (NetBytes){record.bytes, record.count};
    free(record.bytes);
    return (NetBytes){0};
}

static NetBytes begin(const NetLog *log)
{
    (void)log;
    Message event = {0};
    put_time(&event);
    put_bytes(&event, FILE_VERSION, VERSION, sizeof VERSION - 1);
    return frame(&event);
}

/* "loss/train" and "gradient_norm/conv1.weight"; of a row's own "step/lr". */
static void put_field(Message *summary, const NetLogRow *row, const NetLogField *field)
{
    char *tag = NULL;
    int length = field->of ? asprintf(&tag, "%s/%s", field->name, field->of)
                           : asprintf(&tag, "%s/%s", row->event, field->name);
    if (length < 0) {
        summary->failed = true;
        return;
    }
    put_scalar(summary, tag, field->value);
    free(tag);
}

static NetBytes encode(const NetLog *log, const NetLogRow *row)
{
    (void)log;
    Message summary = {0}, event = {0};
    if (strcmp(row->event, EPOCH) == 0)
        put_scalar(&summary, EPOCH, (double)row->epoch);
    for (int i = 0; i < row->count; i++)
        put_field(&summary, row, &row->fields[i]);
    put_time(&event);
    put_key(&event, STEP, VARINT);
    put_varint(&event, (uint64_t)row->step);
    if (!summary.failed)
        put_bytes(&event, SUMMARY, summary.bytes, summary.count);
    event.failed |= summary.failed;
    free(summary.bytes);
    return frame(&event);
}

/* --------------------------------------------------------------- reading */

typedef struct Reader {
    const uint8_t *at, *end;
    bool bad;
} Reader;

static uint64_t get_little(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static uint64_t get_varint(Reader *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    reader->bad = true;
    return 0;
}

/* One field of a message: its number; a varint is in *number, other values in *value.  0: there is
 * no more, or the message is not whole. */
static int get_field(Reader *reader, uint64_t *number, Reader *value)
{
    if (reader->bad || reader->at == reader->end)
        return 0;
    uint64_t key = get_varint(reader), bytes;
    switch (key & 7) {
    case VARINT:
        *number = get_varint(reader);
        bytes = 0;
        break;
    case FIXED64:
        bytes = 8;
        break;
    case FIXED32:
        bytes = 4;
        break;
    case BYTES:
        bytes = get_varint(reader);
        break;
    default:
        reader->bad = true;
        return 0;
    }
    if (reader->bad || bytes > (uint64_t)(reader->end - reader->at) || key >> 3 > 1000) {
        reader->bad = true;
        return 0;
    }
    *value = (Reader){reader->at, reader->at + bytes, false};
    reader->at += bytes;
    return (int)(key >> 3);
}

static bool is_text(const Reader *value, const char *text)
{
    size_t length = (size_t)(value->end - value->at);
    return length == strlen(text) && memcmp(value->at, text, length) == 0;
}

/* Whether a value has the tag; its number, too. */
static bool read_scalar(Reader value, const char *tag, double *scalar)
{
    uint64_t number;
    Reader part;
    bool is = false;
    int field;
    while ((field = get_field(&value, &number, &part)) > 0) {
        is |= field == TAG && is_text(&part, tag);
        if (field == SIMPLE_VALUE && part.end - part.at == 4) {
            uint32_t bits = (uint32_t)get_little(part.at, 4);
            float single;
            memcpy(&single, &bits, sizeof single);
            *scalar = (double)single;
        }
    }
    return is;
}

/* The number that a summary has under the tag; `otherwise` where it has none. */
static double find_scalar(Reader summary, const char *tag, double otherwise)
{
    uint64_t number;
    Reader value;
    while (get_field(&summary, &number, &value) > 0) {
        double scalar = 0;
        if (read_scalar(value, tag, &scalar))
            return scalar;
    }
    return otherwise;
}

/* What a log's end is found by. */
typedef struct Event {
    bool version;       /* it is the file's first */
    double epoch, step; /* epoch -1: it is no epoch's */
} Event;

static bool read_event(Event *event, const uint8_t *bytes, size_t count)
{
    Reader reader = {bytes, bytes + count, false}, value;
    uint64_t number = 0;
    *event = (Event){.epoch = -1};
    for (int field; (field = get_field(&reader, &number, &value));) {
        event->version |= field == FILE_VERSION && is_text(&value, VERSION);
        if (field == STEP)
            event->step = (double)number;
        if (field == SUMMARY)
            event->epoch = find_scalar(value, EPOCH, -1);
    }
    return !reader.bad;
}

typedef enum Record { WHOLE, TORN, STRANGE } Record;

/* The file ends within a torn record; its bytes are for the caller to free(). */
static Record read_record(FILE *file, uint8_t **bytes, size_t *count)
{
    uint8_t header[HEADER], footer[FOOTER];
    *bytes = NULL;
    if (fread(header, 1, HEADER, file) != HEADER)
        return TORN;
    uint64_t length = get_little(header, 8);
    if (get_little(header + 8, 4) != masked(header, 8) || length > MAX_RECORD)
        return STRANGE;
    *count = (size_t)length;
    *bytes = malloc(*count + 1);
    if (!*bytes)
        return STRANGE;
    if (fread(*bytes, 1, *count, file) != *count || fread(footer, 1, FOOTER, file) != FOOTER)
        return TORN;
    return get_little(footer, FOOTER) == masked(*bytes, *count) ? WHOLE : STRANGE;
}

static int64_t find_end(const NetLog *log, FILE *file, const NetProgress *progress)
{
    (void)log;
    for (int64_t end = 0;; end = ftello(file)) {
        uint8_t *bytes;
        size_t count = 0;
        Event event = {0};
        errno = 0;
        Record record = end < 0 ? STRANGE : read_record(file, &bytes, &count);
        bool known = record == WHOLE && read_event(&event, bytes, count);
        if (end >= 0)
            free(bytes);
        if (record == TORN && !ferror(file))
            return end;
        if (!known || (end == 0 && !event.version))
            return -1;
        if (net_log_is_later(event.epoch >= 0, event.epoch, event.step, progress))
            return end;
    }
}

/* The first record is the version's: a length, a time, and the text. */
static bool is_ours(const char *bytes, size_t count)
{
    enum { TEXT_AT = HEADER + 1 + 8 + 2 };
    return count >= TEXT_AT + sizeof VERSION - 1
           && memcmp(bytes + TEXT_AT, VERSION, sizeof VERSION - 1) == 0;
}

const NetLogKind net_log_events = {
    .begin = begin, .encode = encode, .find_end = find_end, .is_ours = is_ours};
