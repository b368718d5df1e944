/* wire.c: messages on standard input and output, each a header that says its
 * length and then so many bytes of JSON.
 *
 * Input comes from a program that may be broken or hostile: a length is a claim,
 * so memory grows with the bytes that arrive; a message beyond the limit is read
 * and thrown away.  When the reader of our output is gone there is nobody to
 * serve, and the server ends.
 */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MOST_BYTES = 128 << 20, MOST_HEADER = 4096, CHUNK = 65536 };

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

/* A line without its end, cut at MOST_HEADER; false at the end of the input. */
static bool read_line(char *line)
{
    size_t length = 0;
    for (;;) {
        if (taken == buffered && !fill())
            return false;
        char c = buffer[taken++];
        if (c == '\n')
            break;
        if (length < MOST_HEADER - 1)
            line[length++] = c;
    }
    if (length && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    return true;
}

/* False when the input ended within it.  `text` NULL: thrown away. */
static bool read_bytes(char **text, unsigned long long count)
{
    size_t length = 0, capacity = 0;
    while (count) {
        if (taken == buffered && !fill())
            return false;
        size_t some = buffered - taken < count ? buffered - taken : (size_t)count;
        if (text && length + some + 1 > capacity) {
            capacity = 2 * (length + some + 1);
            *text = memory_resize(*text, capacity);
        }
        if (text)
            memcpy(*text + length, buffer + taken, some);
        taken += some;
        length += some;
        count -= some;
    }
    if (text) {
        *text = memory_resize(*text, length + 1);
        (*text)[length] = '\0';
    }
    return true;
}

/* "Content-Length: 17".  False: not that header; *good false: not a number. */
static bool read_length(const char *line, unsigned long long *length, bool *good)
{
    static const char name[] = "Content-Length:";
    if (strncasecmp(line, name, sizeof name - 1))
        return false;
    const char *digits = line + sizeof name - 1;
    digits += strspn(digits, " \t");
    char *end;
    errno = 0;
    *length = strtoull(digits, &end, 10);
    *good = *digits >= '0' && *digits <= '9' && !end[strspn(end, " \t")] && !errno;
    return true;
}

Reading read_message(char **text, size_t *length, const char **why)
{
    char line[MOST_HEADER];
    unsigned long long claimed = 0;
    bool known = false, good = true;
    do {
        if (!read_line(line))
            return READING_END;
        known |= read_length(line, &claimed, &good);
    } while (*line);
    if (!known || !good) {
        *why = known ? "the Content-Length is no number" : "a header without a Content-Length";
        return READING_BAD;
    }
    if (claimed > MOST_BYTES) {
        *why = "the message is too long";
        return read_bytes(NULL, claimed) ? READING_BAD : READING_END;
    }
    *text = NULL;
    if (!read_bytes(text, claimed)) {
        free(*text);
        *text = NULL;           /* it is the caller's no more */
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
