/* map.c: maps from interned names: open-addressed, by the name's address. */
#include "util/util.h"

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
