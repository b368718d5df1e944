/* digest.c: 64 bits that tell whether bytes are still what they were.
 *
 * Against disks, copies and mistakes, not against forgers.  Each step maps the
 * digests one to one, so that a single changed word always shows.
 */
#include "runtime.h"

#include <string.h>

static uint64_t mix(uint64_t digest, uint64_t word)
{
    digest = (digest ^ word) * 0x9E3779B97F4A7C15u;
    return digest ^ digest >> 29;
}

uint64_t net_digest(uint64_t digest, const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    uint64_t word;
    for (; count >= sizeof word; count -= sizeof word, from += sizeof word) {
        memcpy(&word, from, sizeof word);
        digest = mix(digest, word);
    }
    word = 0;
    memcpy(&word, from, count);
    return count > 0 ? mix(digest, word | (uint64_t)count << 56) : digest;
}

uint64_t net_digest_text(uint64_t digest, const char *text)
{
    return net_digest(digest, text, strlen(text) + 1);
}
