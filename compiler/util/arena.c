/* arena.c: memory and names.
 *
 * The compiler runs once and ends, so everything is carved from one arena and
 * nothing is freed: no ownership to get wrong, and any pointer may be kept.
 * What checks a text many times (a server, a search for a fix) does each time
 * in an arena of its own and drops it whole.  Blocks are chained so that a leak
 * checker sees them as reachable.  Names are interned in a hash table, which
 * makes comparing them a pointer comparison everywhere else.
 */
#include "util/util.h"

#include <stdlib.h>
#include <string.h>

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

_Noreturn void out_of_memory(size_t bytes)
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

_Noreturn void internal_error(const char *file, int line, const char *what)
{
    fflush(stdout);
    fprintf(stderr,
            "netc: internal error at %s:%d: %s\n"
            "This is a fault in netc, not in your program.\n",
            file, line, what);
    exit(EXIT_INTERNAL);
}
