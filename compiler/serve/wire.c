/* wire.c: messages on standard input and output, each a header that says its
 * length and then so many bytes of JSON.
 *
 * Input comes from a program that may be broken or hostile: a length is a claim,
 * so memory grows with the bytes that arrive.  A message beyond the limit, and
 * what follows a header that makes no sense, is told of at once and then read and
 * thrown away: up to its end, or to what can only be the next header, for the
 * length may be wrong.  When the reader of our output is gone there is nobody to
 * serve, and the server ends.
 */
#include "serve/server.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_BYTES = 128 << 20, MAX_HEADER = 4096, MAX_LINES = 1000, CHUNK = 65536 };

static const char length_name[] = "Content-Length:";

static char buffer[CHUNK];
static size_t buffered, taken;

/* False at the end of the input, which one that cannot be read has as well. */
static bool fill(void)
{
    ssize_t got;
    do
        got = read(STDIN_FILENO, buffer, sizeof buffer);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        fprintf(stderr, "netc: cannot read standard input: %s\n", strerror(errno));
    taken = 0;
    buffered = got > 0 ? (size_t)got : 0;
    return buffered > 0;
}

bool input_waits(int milliseconds)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return taken < buffered || poll(&input, 1, milliseconds) > 0;
}

/* A line without its end, or its first MAX_HEADER characters; false at the end of the input. */
static bool read_line(char *line)
{
    size_t length = 0;
    while (length < MAX_HEADER - 1) {
        if (taken == buffered && !fill())
            return false;
        char c = buffer[taken++];
        if (c == '\n')
            break;
        line[length++] = c;
    }
    if (length && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    return true;
}

/* False when the input ended within it. */
static bool read_bytes(char **text, unsigned long long count)
{
    size_t length = 0, capacity = 0;
    while (count) {
        if (taken == buffered && !fill())
            return false;
        size_t some = buffered - taken < count ? buffered - taken : (size_t)count;
        if (length + some + 1 > capacity) {
            capacity = 2 * (length + some + 1);
            *text = memory_resize(*text, capacity);
        }
        memcpy(*text + length, buffer + taken, some);
        taken += some;
        length += some;
        count -= some;
    }
    *text = memory_resize(*text, length + 1);
    (*text)[length] = '\0';
    return true;
}

/* "Content-Length: 17".  False: not that header; *good false: not a number. */
static bool read_length(const char *line, unsigned long long *length, bool *good)
{
    if (strncasecmp(line, length_name, sizeof length_name - 1))
        return false;
    const char *digits = line + sizeof length_name - 1;
    digits += strspn(digits, " \t");
    char *end;
    errno = 0;
    *length = strtoull(digits, &end, 10);
    *good = *digits >= '0' && *digits <= '9' && !end[strspn(end, " \t")] && !errno;
    return true;
}

/* ---- what makes no sense */

static unsigned long long unread; /* bytes still to be thrown away */

static Reading bad(const char **why, const char *what, unsigned long long rest)
{
    *why = what;
    unread = rest;
    return READING_BAD;
}

/* One more character of what may be "Content-Length: 17" and the end of its line,
 * which no JSON holds unescaped; *seen: how many of them so far. */
static bool ends_header(char c, char *line, size_t *seen)
{
    size_t name = sizeof length_name - 1;
    bool digit = c >= '0' && c <= '9', blank = c == ' ' || c == '\t';
    bool counted = *seen > name && line[*seen - 1] >= '0' && line[*seen - 1] <= '9';
    if (counted && (c == '\r' || c == '\n'))
        return true;
    bool fits = *seen < name ? c == length_name[*seen] : digit || (blank && !counted);
    if (!fits || *seen == 64)
        *seen = 0;
    if (fits || c == length_name[0])
        line[(*seen)++] = c;
    return false;
}

/* Throws away what is unread; true where that ended in a header's line, which is
 * then in `line` with its end still to be read.  False: all is gone. */
static bool skip_unread(char *line)
{
    size_t seen = 0;
    for (; unread && (taken < buffered || fill()); unread--) {
        if (ends_header(buffer[taken], line, &seen)) {
            line[seen] = '\0';
            unread = 0;
            return true;
        }
        taken++;
    }
    return false;
}

Reading read_message(char **text, size_t *length, const char **why)
{
    char line[MAX_HEADER], rest[MAX_HEADER];
    unsigned long long claimed = 0;
    bool known = false, good = true;
    size_t lines = 0;
    if (unread && skip_unread(line)) {
        known = read_length(line, &claimed, &good);
        if (!read_line(rest))
            return READING_END;
    }
    do {
        if (!read_line(line))
            return READING_END;
        if (++lines > MAX_LINES || strlen(line) == MAX_HEADER - 1)
            return bad(why, "the header does not end", ULLONG_MAX);
        known |= read_length(line, &claimed, &good);
    } while (*line);
    if (!known || !good)
        return bad(why,
                   known ? "the Content-Length is no number" : "a header without a Content-Length",
                   ULLONG_MAX);
    if (claimed > MAX_BYTES)
        return bad(why, "the message is too long: at most 128 MiB", claimed);
    *text = NULL;
    if (!read_bytes(text, claimed)) {
        free(*text);
        *text = NULL; /* it is the caller's no more */
        return READING_END;
    }
    *length = (size_t)claimed;
    return READING_MESSAGE;
}

static void write_bytes(const char *chars, size_t length)
{
    while (length) {
        ssize_t put = write(STDOUT_FILENO, chars, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            fprintf(stderr, "netc: cannot write to standard output: %s\n", strerror(errno));
            exit(1);
        }
        chars += put;
        length -= (size_t)put;
    }
}

void send_message(cJSON *message)
{
    char *text = cJSON_PrintUnformatted(message), header[64];
    size_t length = strlen(text);
    int head = snprintf(header, sizeof header, "Content-Length: %zu\r\n\r\n", length);
    write_bytes(header, (size_t)head);
    write_bytes(text, length);
    free(text);
    cJSON_Delete(message);
}
