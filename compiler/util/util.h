/* util.h: what every room builds with: memory, names, lists, maps, texts, files that are read.
 *
 *   arena.c   memory and interned names
 *   text.c    growing texts, and how far two words are apart
 *   map.c     from names to pointers
 *   files.c   files that are read
 *   shape.c   the shape of one image (shape.h)
 *
 * Everything the compiler allocates comes from the arena in use, as a rule the one that lives
 * until the process ends, so nothing is freed by hand and any pointer may be kept as long as its
 * arena.  Names are interned: in one arena, equal names are equal pointers.
 */
#ifndef UTIL_H
#define UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define NETC_VERSION "0.1.0"

/* Every size, count and whole number of a program: int64_t, but printed by "%lld" on
 * any machine. */
typedef long long Int;
_Static_assert(sizeof(Int) == sizeof(int64_t), "a size has 64 bits");

static inline Int min(Int a, Int b)
{
    return a < b ? a : b;
}

#define PRINTF(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))

/* ------------------------------------------------------- arena.c: memory */

void *arena_allocate(size_t bytes); /* zeroed; out of memory ends the program with exit 3 */
#define NEW(T) ((T *)arena_allocate(sizeof(T)))
#define NEW_ARRAY(T, n) ((T *)arena_allocate_array((n), sizeof(T)))
void *arena_allocate_array(size_t count, size_t size); /* the product is checked */

/* For what is done over and over.  Everything allocated and interned goes to the
 * arena in use; use_arena gives the one used before, and NULL is the lasting one. */
typedef struct Arena Arena;
Arena *new_arena(void);
/* For a passage of work that the arena in use outlives: what was interned there
 * stays the one of its name, what is interned here is dropped. */
Arena *new_passing_arena(void);
Arena *use_arena(Arena *arena);
void drop_arena(Arena *arena); /* not the one in use */

_Noreturn void out_of_memory(size_t bytes); /* ends the program with exit 3 */

const char *intern(const char *chars);
const char *intern_range(const char *chars, size_t length);
const char *format(const char *template, ...) PRINTF(1, 2); /* interned */

/* A growing array: LIST(Node *) nodes;  push(&nodes, node);  nodes.items[i] */
#define LIST(T)              \
    struct {                 \
        T *items;            \
        int count, capacity; \
    }
#define push(list, value)                                                     \
    (list_reserve((void **)&(list)->items, &(list)->count, &(list)->capacity, \
                  sizeof *(list)->items),                                     \
     (list)->items[(list)->count++] = (value))
void list_reserve(void **items, int *count, int *capacity, size_t size);

/* Memory of the system's, for what outlives every arena or is freed by a library:
 * malloc and realloc, but for want of memory the program ends as it does where
 * an arena has none (exit 3), so that nobody has to ask. */
void *memory_allocate(size_t bytes);
void *memory_resize(void *memory, size_t bytes);

/* The printed text, to free(), and its length. */
char *print(const char *template, va_list arguments, int *length);

/* From interned names to pointers; what is not there is NULL. */
typedef struct Map {
    struct MapSlot {
        const char *key;
        void *value;
    } * slots;
    int count, capacity;
} Map;
void *map_get(const Map *map, const char *key);
void map_set(Map *map, const char *key, void *value);

/* A growing text. */
typedef struct Text {
    char *chars;
    size_t length, capacity;
} Text;
void text_add(Text *text, const char *template, ...) PRINTF(2, 3);
void text_add_range(Text *text, const char *chars, size_t length);
const char *text_chars(const Text *text); /* never NULL */
const char *with_separators(Int number);  /* 1234567 as "1,234,567" */

/* Levenshtein distance with transpositions, for "did you mean". */
int edit_distance(const char *a, const char *b);

/* A file's bytes, NUL-terminated, or NULL with errno set.  At most `limit`
 * bytes: a longer file gives NULL and EFBIG. */
char *read_whole_file(const char *path, size_t limit, size_t *length);
/* The same of a regular file only, for paths that are not the user's own words:
 * anything else (a pipe, a device) gives NULL and ENXIO, and is not waited for. */
char *read_regular_file(const char *path, size_t limit, size_t *length);

/* The folder of the program that runs; NULL with errno set: it cannot be told. */
const char *program_folder(void);

/* Our own bug: names this file and line and ends the program with exit 3. */
#define unreachable() internal_error(__FILE__, __LINE__, "unreachable")
#define require(condition) ((condition) ? (void)0 : internal_error(__FILE__, __LINE__, #condition))
_Noreturn void internal_error(const char *file, int line, const char *what);

#endif
