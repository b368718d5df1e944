/* random.c: numbers that are a function of their index, not of what was drawn before.
 *
 * Every draw is Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers:
 * as easy as 1, 2, 3") of a counter: dropout's mask for an image is the same
 * whichever thread computes it and whatever was drawn before, so runs repeat
 * with any number of threads, and resume without saving a generator's state.
 */
#include "runtime.h"

#include <math.h>

typedef struct Block {
    uint32_t word[4];
} Block;

static Block philox_round(Block x, uint32_t key0, uint32_t key1)
{
    uint64_t p0 = (uint64_t)0xD2511F53u * x.word[0];
    uint64_t p1 = (uint64_t)0xCD9E8D57u * x.word[2];
    return (Block){{(uint32_t)(p1 >> 32) ^ x.word[1] ^ key0, (uint32_t)p1,
                    (uint32_t)(p0 >> 32) ^ x.word[3] ^ key1, (uint32_t)p0}};
}

/* The key's step between rounds: the golden ratio and sqrt(3) - 1. */
static Block philox(Block counter, uint64_t key)
{
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        counter = philox_round(counter, key0, key1);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

/* splitmix64's last step (Steele et al. 2014): spreads near numbers apart. */
static uint64_t spread(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t net_random_key(uint64_t seed, uint64_t salt)
{
    return spread(seed + 0x9E3779B97F4A7C15u) ^ spread(salt);
}

/* Philox takes three of our four words; seed and salt share the key. */
static Block draw(uint64_t seed, uint64_t step, uint64_t salt, uint64_t index)
{
    Block counter = {
        {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)step, (uint32_t)(step >> 32)}};
    return philox(counter, net_random_key(seed, salt));
}

/* 53 of 64 bits: every value is a double below 1. */
static double unit(uint32_t high, uint32_t low)
{
    return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

double net_random(uint64_t seed, uint64_t step, uint64_t salt, uint64_t index)
{
    Block block = draw(seed, step, salt, index);
    return unit(block.word[0], block.word[1]);
}

/* Box and Muller's transform; 1 - u is in (0, 1], where the logarithm is finite. */
double net_random_normal(uint64_t seed, uint64_t step, uint64_t salt, uint64_t index)
{
    Block block = draw(seed, step, salt, index);
    double radius = sqrt(-2 * log(1 - unit(block.word[0], block.word[1])));
    return radius * cos(6.283185307179586 * unit(block.word[2], block.word[3]));
}

uint64_t net_hash(const char *text)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
    return hash;
}

/* 0 … bound-1, each exactly as likely (Lemire 2019): the high half of a
 * product, drawn again in the few cases that would favour some values.  `index`
 * numbers the draws. */
static uint32_t below(uint32_t bound, uint64_t seed, uint64_t epoch, uint64_t *index)
{
    uint64_t salt = net_hash("shuffle");
    uint32_t reject = -bound % bound;
    for (;;) {
        uint64_t product = (uint64_t)draw(seed, epoch, salt, (*index)++).word[0] * bound;
        if ((uint32_t)product >= reject)
            return (uint32_t)(product >> 32);
    }
}

/* Fisher and Yates, from the end down. */
void net_shuffle(int32_t *order, int64_t count, uint64_t seed, uint64_t epoch)
{
    uint64_t index = 0;
    for (int64_t i = 0; i < count; i++)
        order[i] = (int32_t)i;
    for (int64_t i = count - 1; i > 0; i--) {
        uint32_t j = below((uint32_t)(i + 1), seed, epoch, &index);
        int32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}
