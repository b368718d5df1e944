/* Exercises the runtime's core and prints "ok", or stops at the first fault. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

static NetError error;

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    printf("not so: %s\n", what);
    exit(1);
}

/* -------------------------------------------------------------- threads */

enum { MAX_THREADS = 8, MEETINGS = 500, RUNS = 300 };

typedef struct Meeting {
    NetPool *pool;
    long mark[MAX_THREADS];
    bool torn[MAX_THREADS];
} Meeting;

/* Between two barriers every thread sees every mark of the round. */
static void meet(void *context, int thread)
{
    Meeting *meeting = context;
    for (long round = 0; round < MEETINGS; round++) {
        meeting->mark[thread] = round;
        net_pool_barrier(meeting->pool);
        for (int i = 0; i < net_pool_threads(meeting->pool); i++)
            meeting->torn[thread] |= meeting->mark[i] != round;
        net_pool_barrier(meeting->pool);
    }
}

static void count_run(void *context, int thread)
{
    ((Meeting *)context)->mark[thread]++;
}

static void check_threads(void)
{
    for (int threads = 1; threads <= MAX_THREADS; threads += threads < 3 ? 1 : 5) {
        Meeting meeting = {.pool = net_pool_open(threads, &error)};
        expect(meeting.pool && net_pool_threads(meeting.pool) == threads, "a pool opens");
        net_pool_run(meeting.pool, meet, &meeting);
        for (int i = 0; i < threads; i++) {
            expect(!meeting.torn[i], "a barrier holds everybody");
            meeting.mark[i] = 0;
        }
        for (int run = 0; run < RUNS; run++)
            net_pool_run(meeting.pool, count_run, &meeting);
        for (int i = 0; i < threads; i++)
            expect(meeting.mark[i] == RUNS, "every thread takes part in every run");
        net_pool_close(meeting.pool);
    }
    expect(!net_pool_open(0, &error), "no threads are refused");
}

/* -------------------------------------------------------------- vectors */

enum { SLOTS = 7, WIDTH = 2503 };

/* The tree written out, and the same bits however the range is cut. */
static void check_reduce(void)
{
    static real whole[SLOTS][WIDTH], parts[SLOTS][WIDTH], before[SLOTS][WIDTH];
    for (int slot = 0; slot < SLOTS; slot++)
        for (int i = 0; i < WIDTH; i++)
            before[slot][i] = (real)net_random_normal(1, 2, (uint64_t)slot, (uint64_t)i);
    memcpy(whole, before, sizeof whole);
    memcpy(parts, before, sizeof parts);
    net_reduce(whole[0], WIDTH, SLOTS, 0, WIDTH);
    net_reduce(parts[0], WIDTH, SLOTS, 0, 17);
    net_reduce(parts[0], WIDTH, SLOTS, 1500, WIDTH);
    net_reduce(parts[0], WIDTH, SLOTS, 17, 1500);
    expect(memcmp(whole[0], parts[0], sizeof whole[0]) == 0, "a cut range adds to the same bits");
    for (int i = 0; i < WIDTH; i++) {
        real low = (before[0][i] + before[1][i]) + (before[2][i] + before[3][i]);
        real high = (before[4][i] + before[5][i]) + before[6][i];
        expect(whole[0][i] == low + high, "the tree is the one documented");
    }
}

/* Every lane count, with ragged tiles and lanes without an image. */
static void check_load(void)
{
    enum { CHANNELS = 3, PLANE = 7 * 9, PIXELS = CHANNELS * PLANE, MAX_LANES = 35 };
    static uint8_t image[MAX_LANES][PIXELS];
    static real out[PIXELS * MAX_LANES], in_two_passes[PIXELS * MAX_LANES];
    const NetShape shape = {3, CHANNELS, 7, 9, 1};
    const real scale[CHANNELS] = {(real)0.013, (real)0.2, (real)0.7},
               shift[CHANNELS] = {(real)-0.4, (real)0.1, -1};
    for (int lanes = 1; lanes <= MAX_LANES; lanes++) {
        const uint8_t *images[MAX_LANES];
        for (int lane = 0; lane < lanes; lane++) {
            images[lane] = lane % 5 == 3 ? NULL : image[lane];
            for (int i = 0; i < PIXELS; i++)
                image[lane][i] = (uint8_t)(256 * net_random(1, 0, (uint64_t)lane, (uint64_t)i));
        }
        net_load_grain(out, images, lanes, shape, scale, shift);
        net_transpose_pixels(in_two_passes, images, lanes, shape);
        net_normalise_grain(in_two_passes, images, lanes, shape, scale, shift);
        expect(memcmp(out, in_two_passes, sizeof *out * (size_t)(PIXELS * lanes)) == 0,
               "two passes give the same bits");
        for (int i = 0; i < PIXELS * lanes; i++) {
            const uint8_t *from = images[i % lanes];
            int element = i / lanes, c = element / PLANE;
            /* volatile: rounded after the product, as the contract says */
            volatile real product = from ? from[element] * scale[c] : 0;
            expect(out[i] == (from ? product + shift[c] : 0), "a grain is the images, normalised");
        }
    }
}

/* --------------------------------------------------------------- random */

static void check_random(void)
{
    enum { DRAWS = 200000, ORDER = 1000 };
    double mean = 0, square = 0, uniform = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double normal = net_random_normal(5, 1, 9, i), unit = net_random(5, 1, 8, i);
        expect(unit >= 0 && unit < 1, "uniform numbers are in [0, 1)");
        mean += normal / DRAWS;
        square += normal * normal / DRAWS;
        uniform += unit / DRAWS;
    }
    expect(mean > -0.01 && mean < 0.01 && square > 0.98 && square < 1.02,
           "normal numbers are normal");
    expect(uniform > 0.497 && uniform < 0.503, "uniform numbers are even");
    expect(net_random(1, 2, 3, 4) != net_random(3, 2, 1, 4)
               && net_random(1, 2, 3, 4) != net_random(1, 3, 2, 4),
           "the words of a counter are not exchangeable");
    expect(net_hash("foobar") == 0x85944171F73967E8u, "the hash is FNV-1a");

    static int32_t order[ORDER], again[ORDER], other[ORDER];
    static bool seen[ORDER];
    net_shuffle(order, ORDER, 1, 2);
    net_shuffle(again, ORDER, 1, 2);
    net_shuffle(other, ORDER, 1, 3);
    expect(memcmp(order, again, sizeof order) == 0 && memcmp(order, other, sizeof order) != 0,
           "an epoch has its order");
    for (int i = 0; i < ORDER; i++)
        seen[order[i]] = true;
    for (int i = 0; i < ORDER; i++)
        expect(seen[i], "a shuffled order has everybody");
}

/* ---------------------------------------------------------------- files */

static bool write_file(const char *path, const char *text)
{
    NetOutput output;
    if (!net_create(&output, path, &error))
        return false;
    fputs(text, output.file);
    return net_commit(&output, &error);
}

/* Writes "new" over argv[2] and prints the sentence of a failure; with a third
 * word, gives up half way. */
static int write_command(int count, char **words)
{
    if (count > 3) {
        NetOutput output;
        if (net_create(&output, words[2], &error)) {
            fputs("half", output.file);
            net_discard(&output);
        }
        return 0;
    }
    if (write_file(words[2], "new"))
        return 0;
    printf("%s\n", error.text);
    return 1;
}

int main(int count, char **words)
{
    if (count > 2 && strcmp(words[1], "write") == 0)
        return write_command(count, words);
    expect(!net_allocate(SIZE_MAX / 2, 4, &error), "a product that overflows is refused");
    check_threads();
    check_reduce();
    check_load();
    check_random();
    puts("ok");
    return 0;
}
