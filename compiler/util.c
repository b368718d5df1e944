/* util.c: memory, names, growing texts and files.
 *
 * The compiler runs once and ends, so everything is carved from one arena and
 * nothing is freed: no ownership to get wrong, and any pointer may be kept.
 * What checks a text many times (a server, a search for a fix) does each time
 * in an arena of its own and drops it whole.  Blocks are chained so that a leak
 * checker sees them as reachable.  Names are interned in a hash table, which
 * makes comparing them a pointer comparison everywhere else.
 */
#include "netc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_INTERNAL = 3 };

/* ---- memory */

typedef struct Block {
    struct Block *previous;
    size_t used, size;
    _Alignas(16) char bytes[];
} Block;

/* Under a sanitizer each allocation is a block of its own, as long as was asked
 * for, or nothing would be told of what lies beyond it. */
#ifdef ARENA_SEPARATE
enum { BLOCK_BYTES = 0, ALIGNMENT = 1 };
#else
enum { BLOCK_BYTES = 256 * 1024, ALIGNMENT = 16 };
#endif

struct Arena {
    Block *blocks;
    const char **names; /* interned here */
    size_t name_slots, name_count;
    const Arena *outer; /* whose names are known here; NULL: no other's */
};

static Arena lasting;
static Arena *arena = &lasting;

static _Noreturn void out_of_memory(size_t bytes)
{
    fprintf(stderr, "netc: out of memory (%zu bytes wanted)\n", bytes);
    exit(EXIT_INTERNAL);
}

/* Blocks of dropped arenas, zeroed: fresh ones would cost the system's pages,
 * which take longer than a check. */
static Block *spare;

static Block *take_block(size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    Block *block = spare;
    if (block && size == BLOCK_BYTES) {
        spare = block->previous;
        return block;
    }
    block = calloc(1, sizeof *block + size);
    if (!block)
        out_of_memory(bytes);
    block->size = size;
    return block;
}

static void return_block(Block *block)
{
    if (block->size != BLOCK_BYTES) {
        free(block);
        return;
    }
    memset(block->bytes, 0, block->used);
    block->used = 0;
    block->previous = spare;
    spare = block;
}

static void add_block(size_t bytes)
{
    Block *block = take_block(bytes);
    block->previous = arena->blocks;
    arena->blocks = block;
}

void *arena_allocate(size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        out_of_memory(bytes);
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!arena->blocks || arena->blocks->size - arena->blocks->used < bytes)
        add_block(bytes);
    void *memory = arena->blocks->bytes + arena->blocks->used;
    arena->blocks->used += bytes;
    return memory;
}

void *memory_resize(void *memory, size_t bytes)
{
    void *resized = realloc(memory, bytes ? bytes : 1);
    if (!resized)
        out_of_memory(bytes);
    return resized;
}

void *memory_allocate(size_t bytes)
{
    return memory_resize(NULL, bytes);
}

Arena *new_arena(void)
{
    Arena *made = memory_allocate(sizeof *made);
    *made = (Arena){0};
    return made;
}

Arena *new_passing_arena(void)
{
    Arena *made = new_arena();
    made->outer = arena;
    return made;
}

Arena *use_arena(Arena *next)
{
    Arena *before = arena;
    arena = next ? next : &lasting;
    return before;
}

void drop_arena(Arena *dropped)
{
    require(dropped != arena && dropped != &lasting);
    while (dropped->blocks) {
        Block *block = dropped->blocks;
        dropped->blocks = block->previous;
        return_block(block);
    }
    free(dropped);
}

void *arena_allocate_array(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory(SIZE_MAX);
    return arena_allocate(bytes);
}

void list_reserve(void **items, int *count, int *capacity, size_t size)
{
    if (*count < *capacity)
        return;
    int larger;
    if (__builtin_mul_overflow(*capacity, 2, &larger))
        out_of_memory(SIZE_MAX);
    larger = larger ? larger : 4;
    void *moved = arena_allocate_array((size_t)larger, size);
    if (*count)
        memcpy(moved, *items, (size_t)*count * size);
    *items = moved;
    *capacity = larger;
}

/* ---- names: an open-addressed table of pointers, at most half full */

static uint64_t hash_bytes(const char *chars, size_t length) /* FNV-1a */
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)chars[i]) * 1099511628211u;
    return hash;
}

/* The slot that holds these characters, or the empty one where they belong. */
static const char **find_slot(const Arena *where, uint64_t hash, const char *chars, size_t length)
{
    size_t at = hash & (where->name_slots - 1);
    while (where->names[at]
           && (strncmp(where->names[at], chars, length) || where->names[at][length]))
        at = (at + 1) & (where->name_slots - 1);
    return &where->names[at];
}

static const char *outer_name(uint64_t hash, const char *chars, size_t length)
{
    const char *name = NULL;
    for (const Arena *outer = arena->outer; outer && !name; outer = outer->outer)
        name = outer->name_slots ? *find_slot(outer, hash, chars, length) : NULL;
    return name;
}

static void grow_names(void)
{
    const char **old = arena->names;
    size_t old_slots = arena->name_slots;
    arena->name_slots = old_slots ? old_slots * 2 : 1024;
    arena->names = arena_allocate_array(arena->name_slots, sizeof *arena->names);
    for (size_t i = 0; i < old_slots; i++)
        if (old[i])
            *find_slot(arena, hash_bytes(old[i], strlen(old[i])), old[i], strlen(old[i])) = old[i];
}

const char *intern_range(const char *chars, size_t length)
{
    if (arena->name_count * 2 >= arena->name_slots)
        grow_names();
    length = strnlen(chars, length);
    uint64_t hash = hash_bytes(chars, length);
    const char *known = outer_name(hash, chars, length);
    if (known)
        return known;
    const char **slot = find_slot(arena, hash, chars, length);
    if (!*slot) {
        char *copy = arena_allocate(length + 1);
        memcpy(copy, chars, length);
        *slot = copy;
        arena->name_count++;
    }
    return *slot;
}

const char *intern(const char *chars)
{
    return intern_range(chars, strlen(chars));
}

char *print(const char *template, va_list arguments, int *length)
{
    char *chars = NULL;
    *length = vasprintf(&chars, template, arguments);
    if (*length < 0)
        out_of_memory(strlen(template));
    return chars;
}

const char *format(const char *template, ...)
{
    char few[256];
    va_list arguments;
    va_start(arguments, template);
    int length = vsnprintf(few, sizeof few, template, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof few)
        return intern_range(few, (size_t)length);
    va_start(arguments, template);
    char *chars = print(template, arguments, &length);
    va_end(arguments);
    const char *name = intern_range(chars, (size_t)length);
    free(chars);
    return name;
}

/* ---- maps: open-addressed, by the address of an interned name */

static struct MapSlot *find_map_slot(const Map *map, const char *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);
    int mask = map->capacity - 1, at = (int)(hash >> 40) & mask;
    while (map->slots[at].key != NULL && map->slots[at].key != key)
        at = (at + 1) & mask;
    return &map->slots[at];
}

static void grow_map(Map *map)
{
    Map larger = {.count = map->count, .capacity = map->capacity > 0 ? 2 * map->capacity : 8};
    larger.slots = NEW_ARRAY(struct MapSlot, (size_t)larger.capacity);
    for (int i = 0; i < map->capacity; i++)
        if (map->slots[i].key != NULL)
            *find_map_slot(&larger, map->slots[i].key) = map->slots[i];
    *map = larger;
}

void *map_get(const Map *map, const char *key)
{
    return map->capacity > 0 ? find_map_slot(map, key)->value : NULL;
}

void map_set(Map *map, const char *key, void *value)
{
    if (2 * map->count >= map->capacity)
        grow_map(map);
    struct MapSlot *slot = find_map_slot(map, key);
    map->count += slot->key == NULL;
    *slot = (struct MapSlot){key, value};
}

/* ---- texts */

/* Makes room for `more` characters and the final NUL. */
static void text_reserve(Text *text, size_t more)
{
    size_t needed;
    if (__builtin_add_overflow(text->length, more, &needed) || needed > SIZE_MAX / 4)
        out_of_memory(SIZE_MAX);
    if (needed < text->capacity)
        return;
    size_t larger = needed * 2 + 64;
    char *moved = arena_allocate(larger);
    if (text->length)
        memcpy(moved, text->chars, text->length);
    text->chars = moved;
    text->capacity = larger;
}

void text_add(Text *text, const char *template, ...)
{
    va_list arguments;
    text_reserve(text, 0);
    size_t room = text->capacity - text->length;
    va_start(arguments, template);
    int length = vsnprintf(text->chars + text->length, room, template, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory(strlen(template));
    if ((size_t)length >= room) {
        text_reserve(text, (size_t)length);
        va_start(arguments, template);
        vsnprintf(text->chars + text->length, (size_t)length + 1, template, arguments);
        va_end(arguments);
    }
    text->length += (size_t)length;
}

void text_add_range(Text *text, const char *chars, size_t length)
{
    text_reserve(text, length);
    if (length)
        memcpy(text->chars + text->length, chars, length);
    text->length += length;
    text->chars[text->length] = '\0';
}

const char *text_chars(const Text *text)
{
    return text->chars ? text->chars : "";
}

const char *with_separators(Int number)
{
    const char *digits = format("%lld", number);
    size_t length = strlen(digits);
    Text text = {0};
    for (size_t i = 0; i < length; i++)
        text_add(&text, "%s%c", i && (length - i) % 3 == 0 ? "," : "", digits[i]);
    return text_chars(&text);
}

/* ---- distances */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau's distance in its restricted form (no character is moved twice),
 * by three rolling rows of the usual table. */
int edit_distance(const char *a, const char *b)
{
    int height = (int)strnlen(a, 256), width = (int)strnlen(b, 256);
    int rows[3][257];
    for (int column = 0; column <= width; column++)
        rows[0][column] = column;
    for (int row = 1; row <= height; row++) {
        int *now = rows[row % 3], *last = rows[(row + 2) % 3], *before = rows[(row + 1) % 3];
        now[0] = row;
        for (int column = 1; column <= width; column++) {
            int cost = a[row - 1] != b[column - 1];
            now[column] =
                smaller(last[column - 1] + cost, smaller(last[column], now[column - 1]) + 1);
            if (row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1])
                now[column] = smaller(now[column], before[column - 2] + 1);
        }
    }
    return rows[height % 3][width];
}

/* ---- files */

static char *read_stream(FILE *file, size_t limit, size_t *length)
{
    Text text = {0};
    char buffer[16384];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        if (got > limit - text.length) {
            errno = EFBIG;
            return NULL;
        }
        text_add_range(&text, buffer, got);
    }
    if (ferror(file))
        return NULL;
    text_add_range(&text, "", 0);
    *length = text.length;
    return text.chars;
}

static char *read_and_close(FILE *file, size_t limit, size_t *length)
{
    char *chars = read_stream(file, limit, length);
    int error = errno;
    fclose(file);
    errno = error;
    return chars;
}

char *read_whole_file(const char *path, size_t limit, size_t *length)
{
    FILE *file = fopen(path, "rb");
    return file ? read_and_close(file, limit, length) : NULL;
}

/* Opened without waiting for a pipe's writer, and asked what it is only then: the
 * answer is about what will be read. */
char *read_regular_file(const char *path, size_t limit, size_t *length)
{
    struct stat status = {0};
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    FILE *file = NULL;
    if (fstat(descriptor, &status) == 0)
        errno = S_ISDIR(status.st_mode) ? EISDIR : ENXIO;
    if (S_ISREG(status.st_mode))
        file = fdopen(descriptor, "rb");
    if (file)
        return read_and_close(file, limit, length);
    int error = errno;
    close(descriptor);
    errno = error;
    return NULL;
}

static bool write_failed(const NetError *error)
{
    diag(SEVERITY_ERROR, "write", (Span){0}, "%s", error->text);
    return false;
}

/* "-" is standard output, which goes on after us. */
static const char *named_output(const char *path)
{
    return strcmp(path, "-") ? path : "/dev/fd/1";
}

bool check_output(const char *path, NetOutputKind kind)
{
    NetError error;
    return net_check_output(named_output(path), kind, &error) || write_failed(&error);
}

bool write_whole_file(const char *path, NetOutputKind kind, const char *chars, size_t length)
{
    NetError error;
    NetOutput output;
    fflush(stdout);
    if (!net_create_kind(&output, named_output(path), kind, &error))
        return write_failed(&error);
    net_put(&output, chars, length);
    return net_commit(&output, &error) || write_failed(&error);
}

_Noreturn void internal_error(const char *file, int line, const char *what)
{
    fflush(stdout);
    fprintf(stderr,
            "netc: internal error at %s:%d: %s\n"
            "This is a fault in netc, not in your program.\n",
            file, line, what);
    exit(EXIT_INTERNAL);
}
