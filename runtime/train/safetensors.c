/* safetensors.c: tensors by name in a file that PyTorch, and everything else,
 * reads and writes (https://huggingface.co/docs/safetensors).
 *
 *   8 bytes         n, the header's length, little-endian
 *   n bytes         JSON: {"name": {"dtype", "shape", "data_offsets": [begin, end]}, …}
 *   the rest        the tensors' bytes, end to end
 *
 * A file is somebody else's and is never believed: what the header says is
 * checked against the file's own length before any of it is used, and values
 * are read piece by piece, so a lie cannot make us allocate or read astray.
 *
 * Our own files say in __metadata__, under `checksums`, a digest of the rest of
 * __metadata__ and of each tensor, a line each: "conv1.weight 0123456789abcdef".
 * A bit that a disk or a copy changed is then told, wherever it is.  Files
 * without it are taken as they are.
 */
#include "runtime.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const int64_t MAX_HEADER = 100000000;    /* bytes: the format's own limit */
static const double EXACT = 9007199254740992.0; /* 2^53: whole numbers up to here are doubles */

typedef struct NetDtype {
    const char *name;
    int bytes;
    double (*read)(const uint8_t *from); /* NULL: not a type for weights */
} NetDtype;

/* ---------------------------------------------------------------- types */

static uint64_t little_endian(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static double read_f64(const uint8_t *from)
{
    uint64_t bits = little_endian(from, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double read_f32(const uint8_t *from)
{
    return float_of((uint32_t)little_endian(from, 4));
}

/* The upper half of a float32. */
static double read_bf16(const uint8_t *from)
{
    return float_of((uint32_t)little_endian(from, 2) << 16);
}

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
static double read_f16(const uint8_t *from)
{
    int bits = (int)little_endian(from, 2);
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                  : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                 : ldexp(fraction, -24);
    return bits >> 15 ? -size : size;
}

static const NetDtype dtypes[] = {
    {"F64", 8, read_f64}, {"F32", 4, read_f32}, {"F16", 2, read_f16}, {"BF16", 2, read_bf16},
    {"I64", 8, NULL},     {"I32", 4, NULL},     {"I16", 2, NULL},     {"I8", 1, NULL},
    {"U64", 8, NULL},     {"U32", 4, NULL},     {"U16", 2, NULL},     {"U8", 1, NULL},
    {"BOOL", 1, NULL},    {"F8_E4M3", 1, NULL}, {"F8_E5M2", 1, NULL},
};

static const NetDtype *find_dtype(const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    return NULL;
}

const char *net_shape_text(char *text, int rank, const int64_t *dim)
{
    int used = snprintf(text, NET_SHAPE_TEXT, "[");
    for (int i = 0; i < rank; i++)
        used += snprintf(text + used, (size_t)(NET_SHAPE_TEXT - used), "%s%" PRId64, i ? ", " : "",
                         dim[i]);
    snprintf(text + used, (size_t)(NET_SHAPE_TEXT - used), "]");
    return text;
}

/* ------------------------------------------------------ reading a header */

int64_t net_utf8_bytes(const char *text, int64_t length)
{
    int64_t at = 0;
    uint32_t character;
    for (int step = 1; at < length && step > 0; at += step)
        step = net_utf8_decode((const uint8_t *)text + at, (size_t)(length - at), &character);
    return at;
}

static bool check_utf8(const char *path, const char *text, int64_t length, NetError *error)
{
    int64_t good = net_utf8_bytes(text, length);
    return good == length
           || net_fail(error, "%s: the header is not UTF-8 at byte %" PRId64, path, (8 + good));
}

/* A whole number from 0 that a double holds exactly. */
static bool whole(const cJSON *item, int64_t *number)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= EXACT)
        || item->valuedouble != floor(item->valuedouble))
        return false;
    *number = (int64_t)item->valuedouble;
    return true;
}

static bool read_shape(NetTensorFile *file, const cJSON *entry, NetStored *tensor, NetError *error)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape"), *dim;
    if (!cJSON_IsArray(shape))
        return net_fail(error, "%s: %.100s: shape is missing or is no array", file->path,
                        tensor->name);
    tensor->elements = 1;
    cJSON_ArrayForEach(dim, shape)
    {
        if (tensor->rank == NET_MAX_RANK)
            return net_fail(error, "%s: %.100s: more than %d dimensions", file->path, tensor->name,
                            NET_MAX_RANK);
        int64_t *size = &tensor->dim[tensor->rank++];
        if (!whole(dim, size))
            return net_fail(error, "%s: %.100s: shape has something else than whole numbers from 0",
                            file->path, tensor->name);
        if (__builtin_mul_overflow(tensor->elements, *size, &tensor->elements))
            return net_fail(error, "%s: %.100s: the shape's product is too large", file->path,
                            tensor->name);
    }
    return true;
}

static bool read_offsets(NetTensorFile *file, const cJSON *entry, NetStored *tensor,
                         NetError *error)
{
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
    const cJSON *begin = cJSON_IsArray(offsets) ? offsets->child : NULL,
                *end = begin ? begin->next : NULL;
    if (!begin || !end || end->next || !whole(begin, &tensor->begin) || !whole(end, &tensor->end))
        return net_fail(error, "%s: %.100s: data_offsets is not two whole numbers from 0",
                        file->path, tensor->name);
    int64_t bytes, room = file->bytes - file->data;
    if (tensor->end > room)
        return net_fail(error,
                        "%s: %.100s: data_offsets end at %" PRId64 " and there are %" PRId64
                        " bytes of data",
                        file->path, tensor->name, tensor->end, room);
    if (__builtin_mul_overflow(tensor->elements, tensor->dtype->bytes, &bytes)
        || tensor->end - tensor->begin != bytes) {
        char shape[NET_SHAPE_TEXT];
        return net_fail(error,
                        "%s: %.100s: data_offsets span %" PRId64 " bytes, which is not %s of %s",
                        file->path, tensor->name, (tensor->end - tensor->begin),
                        net_shape_text(shape, tensor->rank, tensor->dim), tensor->dtype->name);
    }
    return true;
}

static bool read_entry(NetTensorFile *file, const cJSON *entry, NetStored *tensor, NetError *error)
{
    *tensor = (NetStored){.name = entry->string};
    if (!cJSON_IsObject(entry))
        return net_fail(error, "%s: %.100s: not an object with dtype, shape and data_offsets",
                        file->path, entry->string);
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
    if (!cJSON_IsString(dtype))
        return net_fail(error, "%s: %.100s: dtype is missing or is no text", file->path,
                        tensor->name);
    tensor->dtype = find_dtype(dtype->valuestring);
    if (!tensor->dtype)
        return net_fail(error, "%s: %.100s: unknown dtype %.20s", file->path, tensor->name,
                        dtype->valuestring);
    return read_shape(file, entry, tensor, error) && read_offsets(file, entry, tensor, error);
}

static bool check_metadata(const NetTensorFile *file, const cJSON *metadata, NetError *error)
{
    const cJSON *item;
    if (!cJSON_IsObject(metadata))
        return net_fail(error, "%s: __metadata__ is not an object", file->path);
    cJSON_ArrayForEach(item, metadata) if (!cJSON_IsString(item)) return net_fail(
        error, "%s: __metadata__: %.100s is not text", file->path, item->string);
    return true;
}

static bool read_entries(NetTensorFile *file, NetError *error)
{
    file->tensors =
        net_allocate((size_t)cJSON_GetArraySize(file->header), sizeof *file->tensors, error);
    if (!file->tensors)
        return false;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, file->header)
    {
        if (strcmp(entry->string, "__metadata__") == 0) {
            if (!check_metadata(file, entry, error))
                return false;
        } else if (!read_entry(file, entry, &file->tensors[file->count++], error)) {
            return false;
        }
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const NetStored *)a)->name, ((const NetStored *)b)->name);
}

static int by_offset(const void *a, const void *b)
{
    const NetStored *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static bool check_names(NetTensorFile *file, NetError *error)
{
    qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, by_name);
    for (int i = 1; i < file->count; i++)
        if (strcmp(file->tensors[i].name, file->tensors[i - 1].name) == 0)
            return net_fail(error, "%s: %.100s is there twice", file->path, file->tensors[i].name);
    return true;
}

/* The tensors fill the data from end to end. */
static bool check_offsets(NetTensorFile *file, NetError *error)
{
    int64_t at = 0;
    qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, by_offset);
    for (int i = 0; i < file->count; i++) {
        const NetStored *tensor = &file->tensors[i];
        if (tensor->begin != at)
            return net_fail(error,
                            "%s: %.100s begins at byte %" PRId64
                            " of the data, %s the tensor before it ends at %" PRId64,
                            file->path, tensor->name, tensor->begin,
                            tensor->begin < at ? "inside:" : "after a gap:", at);
        at = tensor->end;
    }
    if (at != file->bytes - file->data)
        return net_fail(error, "%s: %" PRId64 " bytes follow the last tensor", file->path,
                        (file->bytes - file->data - at));
    return true;
}

/* ------------------------------------------------------------ checksums */

static const char CHECKSUMS[] = "checksums", OF_METADATA[] = "__metadata__";

/* The order of the keys does not matter: other tools change it. */
static uint64_t digest_pair(const char *key, const char *value)
{
    return net_digest_text(net_digest_text(0, key), value);
}

static uint64_t digest_metadata(const cJSON *metadata)
{
    uint64_t sum = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, metadata) if (strcmp(item->string, CHECKSUMS) != 0) sum +=
        digest_pair(item->string, item->valuestring);
    return sum;
}

/* What goes before the values. */
static uint64_t digest_shape(const char *dtype, int rank, const int64_t *dim)
{
    return net_digest(net_digest_text(0, dtype), dim, (size_t)rank * sizeof *dim);
}

/* Among tensors that are sorted by name. */
static NetStored *find_sorted(const NetTensorFile *file, const char *name, size_t length)
{
    int low = 0, high = file->count - 1;
    while (low <= high) {
        int middle = low + (high - low) / 2;
        NetStored *tensor = &file->tensors[middle];
        int order = strncmp(tensor->name, name, length);
        if (order == 0 && !tensor->name[length])
            return tensor;
        if (order >= 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return NULL;
}

/* "name 0123456789abcdef" */
static bool read_checksum(NetTensorFile *file, const char *line, size_t length, NetError *error)
{
    enum { DIGITS = 16 };
    size_t name = length > DIGITS ? length - DIGITS - 1 : 0;
    if (length <= DIGITS || line[name] != ' '
        || strspn(line + name + 1, "0123456789abcdef") < DIGITS)
        return net_fail(error,
                        "%s: __metadata__ was changed after it was written: %.*s is no checksum",
                        file->path, length < 100 ? (int)length : 100, line);
    uint64_t checksum = strtoull(line + name + 1, NULL, 16);
    if (name == strlen(OF_METADATA) && strncmp(line, OF_METADATA, name) == 0) {
        file->summed = true;
        const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(file->header, "__metadata__");
        return digest_metadata(metadata) == checksum
               || net_fail(error,
                           "%s: __metadata__ is not what was written: its checksum differs; if "
                           "that was on purpose, "
                           "remove its key `%s`",
                           file->path, CHECKSUMS);
    }
    NetStored *tensor = find_sorted(file, line, name);
    if (!tensor)
        return net_fail(error, "%s: the checksums name %.*s, which is not there", file->path,
                        name < 100 ? (int)name : 100, line);
    tensor->summed = true;
    tensor->checksum = checksum;
    return true;
}

static bool read_checksums(NetTensorFile *file, NetError *error)
{
    const char *text = net_tensors_metadata(file, CHECKSUMS);
    for (const char *line = text; line && *line;) {
        size_t length = strcspn(line, "\n");
        if (!read_checksum(file, line, length, error))
            return false;
        line += length + (line[length] != 0);
    }
    if (text && !file->summed)
        return net_fail(error, "%s: the checksums have none of __metadata__", file->path);
    for (int i = 0; text && i < file->count; i++)
        if (!file->tensors[i].summed)
            return net_fail(error, "%s: the checksums have none of %.100s", file->path,
                            file->tensors[i].name);
    return true;
}

static bool parse_header(NetTensorFile *file, const char *text, int64_t length, NetError *error)
{
    if (!check_utf8(file->path, text, length, error))
        return false;
    const char *end = NULL;
    errno = 0;
    file->header = cJSON_ParseWithLengthOpts(text, (size_t)length, &end, false);
    if (!file->header && errno == ENOMEM)
        return net_fail(error, "%s: out of memory for the header's %" PRId64 " bytes", file->path,
                        length);
    if (!file->header)
        return net_fail(error, "%s: the header is not JSON at byte %" PRId64, file->path,
                        (8 + (end ? end - text : 0)));
    while (end < text + length && *end == ' ')
        end++;
    if (end != text + length)
        return net_fail(error, "%s: something follows the header's JSON at byte %" PRId64,
                        file->path, (8 + (end - text)));
    if (!cJSON_IsObject(file->header))
        return net_fail(error, "%s: the header is not a JSON object", file->path);
    return read_entries(file, error) && check_names(file, error) && read_checksums(file, error)
           && check_offsets(file, error);
}

/* All `count` bytes of `what`. */
static bool read_bytes(const NetTensorFile *file, void *bytes, int64_t count, const char *what,
                       NetError *error)
{
    errno = 0;
    if (fread(bytes, 1, (size_t)count, file->file) == (size_t)count)
        return true;
    return net_fail(error, "cannot read %s: %s: the %" PRId64 " bytes of %.100s", file->path,
                    errno ? strerror(errno) : "the file has become shorter", count, what);
}

static bool read_length(NetTensorFile *file, int64_t *length, NetError *error)
{
    uint8_t bytes[8];
    if (file->bytes < 8)
        return net_fail(
            error,
            "%s: %" PRId64
            " bytes are no safetensors file, which begins with 8 of its header's length",
            file->path, file->bytes);
    if (!read_bytes(file, bytes, 8, "the header's length", error))
        return false;
    uint64_t stated = little_endian(bytes, 8);
    if (stated > (uint64_t)MAX_HEADER)
        return net_fail(
            error,
            "%s: not a safetensors file: the first 8 bytes say %llu bytes of header, %" PRId64
            " at most are possible",
            file->path, (unsigned long long)stated, MAX_HEADER);
    *length = (int64_t)stated;
    if (*length > file->bytes - 8)
        return net_fail(error,
                        "%s: cut short: the header says it has %" PRId64
                        " bytes and the file has %" PRId64,
                        file->path, *length, file->bytes);
    file->data = 8 + *length;
    return true;
}

static bool read_header(NetTensorFile *file, NetError *error)
{
    int64_t length = 0;
    if (!read_length(file, &length, error))
        return false;
    char *text = net_allocate((size_t)length + 1, 1, error);
    if (!text)
        return false;
    bool good = read_bytes(file, text, length, "the header", error)
                && parse_header(file, text, length, error);
    free(text);
    return good;
}

FILE *net_open_whole(const char *path, int64_t *bytes, NetError *error)
{
    struct stat status;
    FILE *file = NULL;
    if (stat(path, &status) != 0)
        net_fail(error, "cannot read %s: %m", path);
    else if (!S_ISREG(status.st_mode))
        net_fail(error, "cannot read %s: it is not a file", path);
    else if (!(file = fopen(path, "rb")))
        net_fail(error, "cannot read %s: %m", path);
    else
        *bytes = status.st_size;
    return file;
}

bool net_tensors_open(NetTensorFile *file, const char *path, NetError *error)
{
    int64_t bytes = 0;
    FILE *opened = net_open_whole(path, &bytes, error);
    return net_tensors_open_file(file, opened, bytes, path, error);
}

bool net_tensors_open_file(NetTensorFile *file, FILE *opened, int64_t bytes, const char *path,
                           NetError *error)
{
    *file = (NetTensorFile){.path = path, .file = opened, .bytes = bytes};
    if (opened && read_header(file, error))
        return true;
    net_tensors_close(file);
    return false;
}

void net_tensors_close(NetTensorFile *file)
{
    if (file->file)
        fclose(file->file);
    cJSON_Delete(file->header);
    for (int i = 0; file->renamed && i < file->count; i++)
        free(file->renamed[i]);
    free(file->renamed);
    free(file->tensors);
    *file = (NetTensorFile){0};
}

const char *net_tensor_type(const NetStored *tensor)
{
    return tensor->dtype->name;
}

const NetStored *net_tensors_find(const NetTensorFile *file, const char *name)
{
    for (int i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

bool net_tensors_pair(const NetTensorFile *file, int index, const char **key, const char **value)
{
    const cJSON *item =
        cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(file->header, "__metadata__"), index);
    if (item) {
        *key = item->string;
        *value = item->valuestring;
    }
    return item != NULL;
}

const char *net_tensors_metadata(const NetTensorFile *file, const char *key)
{
    const cJSON *metadata = cJSON_GetObjectItemCaseSensitive(file->header, "__metadata__");
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(metadata, key));
}

/* ---------------------------------------------------------- values */

/* bytes read at a time: a multiple of every type's size; small for a small stack */
enum { PIECE = 1 << 13 };

/* What is done with some bytes of a tensor, the first of which is its element `at`. */
typedef bool Take(void *context, int64_t at, const uint8_t *from, int64_t count,
                  const NetDtype *dtype);

/* False: the file could not be read, or `take` wants no more. */
static bool read_values(const NetTensorFile *file, const NetStored *tensor, Take *take,
                        void *context, NetError *error)
{
    uint8_t piece[PIECE];
    int size = tensor->dtype->bytes;
    bool good = fseeko(file->file, file->data + tensor->begin, SEEK_SET) == 0
                || net_fail(error, "cannot read %s: %m", file->path);
    for (int64_t done = 0; good && done < tensor->elements;) {
        int64_t some =
            tensor->elements - done < PIECE / size ? tensor->elements - done : PIECE / size;
        good = read_bytes(file, piece, some * size, tensor->name, error);
        if (good && !take(context, done, piece, some, tensor->dtype))
            return false;
        done += some;
    }
    return good;
}

static bool take_reals(void *context, int64_t at, const uint8_t *from, int64_t count,
                       const NetDtype *dtype)
{
    real *to = (real *)context + at;
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)dtype->read(from + i * dtype->bytes);
    return true;
}

/* A count that a file has as a real number. */
static int64_t whole_of(double value)
{
    const double most = 9007199254740992.0; /* 2^53 */
    return (int64_t)fmin(fmax(value, 0), most);
}

static bool take_wholes(void *context, int64_t at, const uint8_t *from, int64_t count,
                        const NetDtype *dtype)
{
    int64_t *to = (int64_t *)context + at;
    for (int64_t i = 0; i < count; i++)
        to[i] = dtype->read ? whole_of(dtype->read(from + i * dtype->bytes))
                            : (int64_t)little_endian(from + i * dtype->bytes, dtype->bytes);
    return true;
}

/* strange: the first element that is not finite, or -1 */
typedef struct Audit {
    uint64_t digest;
    int64_t strange;
    double value;
} Audit;

/* As the number that it would become. */
static bool take_audit(void *context, int64_t at, const uint8_t *from, int64_t count,
                       const NetDtype *dtype)
{
    Audit *audit = context;
    audit->digest = net_digest(audit->digest, from, (size_t)(count * dtype->bytes));
    for (int64_t i = 0; dtype->read && audit->strange < 0 && i < count; i++) {
        audit->value = (double)(real)dtype->read(from + i * dtype->bytes);
        if (!isfinite(audit->value))
            audit->strange = at + i;
    }
    return true;
}

bool net_tensor_audit(const NetTensorFile *file, const NetStored *tensor, NetError *error)
{
    Audit audit = {.digest = digest_shape(tensor->dtype->name, tensor->rank, tensor->dim),
                   .strange = -1};
    if (!read_values(file, tensor, take_audit, &audit, error))
        return false;
    if (tensor->summed && audit.digest != tensor->checksum)
        return net_fail(
            error,
            "%s: %.100s is not what was written: its checksum differs, so a disk, a copy or a tool "
            "changed it; if that was on purpose, remove the key `%s` of __metadata__",
            file->path, tensor->name, CHECKSUMS);
    if (audit.strange >= 0)
        return net_fail(error, "%s: %.100s[%" PRId64 "] is %s, and weights are finite numbers",
                        file->path, tensor->name, audit.strange, net_strange_text(audit.value));
    return true;
}

bool net_tensor_check(const NetTensorFile *file, const NetStored *tensor, bool whole,
                      NetError *error)
{
    /* who makes all of a state half as long makes its counts so, too */
    bool counts = strcmp(tensor->dtype->name, "I64") == 0 || strcmp(tensor->dtype->name, "I32") == 0
                  || tensor->dtype->read != NULL;
    if (whole ? counts : tensor->dtype->read != NULL)
        return true;
    return net_fail(
        error, "%s: %.100s is %s, and %s", file->path, tensor->name, tensor->dtype->name,
        whole ? "counts are I64, I32 or a type of weights" : "weights are F32, F64, F16 or BF16");
}

bool net_tensor_reals(const NetTensorFile *file, const NetStored *tensor, real *to, NetError *error)
{
    return read_values(file, tensor, take_reals, to, error);
}

bool net_tensor_wholes(const NetTensorFile *file, const NetStored *tensor, int64_t *to,
                       NetError *error)
{
    return read_values(file, tensor, take_wholes, to, error);
}

/* --------------------------------------------------------------- writing */

static int64_t bytes_of(const NetNamed *tensor)
{
    return tensor->elements * find_dtype(tensor->dtype)->bytes;
}

static bool describe(cJSON *header, const NetNamed *tensor, int64_t begin)
{
    cJSON *entry = cJSON_AddObjectToObject(header, tensor->name);
    cJSON *dtype = cJSON_AddStringToObject(entry, "dtype", tensor->dtype);
    cJSON *shape = cJSON_AddArrayToObject(entry, "shape");
    bool good = dtype && shape;
    for (int i = 0; good && i < tensor->rank; i++)
        good = cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)tensor->dim[i]));
    cJSON *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
    return good && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)begin))
           && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)(begin + bytes_of(tensor))));
}

/* NULL: no memory. */
static char *checksums_text(const NetNamed *tensors, int count, const char *const *metadata)
{
    char *text = NULL;
    size_t size = 0;
    uint64_t sum = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (const char *const *pair = metadata; *pair; pair += 2)
        sum += digest_pair(pair[0], pair[1]);
    fprintf(out, "%s %016llx\n", OF_METADATA, (unsigned long long)sum);
    for (int i = 0; i < count; i++) {
        uint64_t digest = digest_shape(tensors[i].dtype, tensors[i].rank, tensors[i].dim);
        digest = net_digest(digest, tensors[i].values, (size_t)bytes_of(&tensors[i]));
        fprintf(out, "%s %016llx\n", tensors[i].name, (unsigned long long)digest);
    }
    bool good = !ferror(out);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return NULL;
}

static bool add_metadata(cJSON *header, const NetNamed *tensors, int count,
                         const char *const *metadata)
{
    cJSON *object = cJSON_AddObjectToObject(header, "__metadata__");
    char *checksums = checksums_text(tensors, count, metadata);
    bool good = object && checksums && cJSON_AddStringToObject(object, CHECKSUMS, checksums);
    for (; good && *metadata; metadata += 2)
        good = cJSON_AddStringToObject(object, metadata[0], metadata[1]) != NULL;
    free(checksums);
    return good;
}

static char *header_text(const NetNamed *tensors, int count, const char *const *metadata)
{
    cJSON *header = cJSON_CreateObject();
    bool good = header && (!metadata || add_metadata(header, tensors, count, metadata));
    int64_t begin = 0;
    for (int i = 0; good && i < count; i++) {
        good = describe(header, &tensors[i], begin);
        begin += bytes_of(&tensors[i]);
    }
    char *text = good ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    return text;
}

/* Values as they lie in memory: the machines this runs on are little-endian, as
 * the format is. */
static bool write_all(FILE *file, const char *header, const NetNamed *tensors, int count)
{
    size_t length = strlen(header), padded = (length + 7) / 8 * 8;
    uint8_t prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (uint8_t)((uint64_t)padded >> (8 * i));
    bool good = fwrite(prefix, 1, 8, file) == 8
                && fprintf(file, "%s%*s", header, (int)(padded - length), "") == (int)padded;
    for (int i = 0; good && i < count; i++)
        good = fwrite(tensors[i].values, 1, (size_t)bytes_of(&tensors[i]), file)
               == (size_t)bytes_of(&tensors[i]);
    return good;
}

bool net_write_safetensors(const char *path, const NetNamed *tensors, int count,
                           const char *const *metadata, NetError *error)
{
    NetOutput output;
    char *header = header_text(tensors, count, metadata);
    if (!header)
        return net_fail(error, "out of memory");
    bool good = net_create(&output, path, error);
    if (good && !write_all(output.file, header, tensors, count)) {
        good = net_fail(error, "cannot write %s: %m", path);
        net_discard(&output);
    } else if (good) {
        good = net_commit(&output, error);
    }
    free(header);
    return good;
}
