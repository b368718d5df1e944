/* meter.c: what a run shows of itself.
 *
 * On a terminal one line lives and is drawn over, ten times a second; elsewhere
 * a plain line is written every few seconds, which a file or a pipe can keep.
 * An epoch's line stays either way.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double LIVE_INTERVAL = 0.1, PLAIN_INTERVAL = 5; /* seconds */

enum { WIDTH = 80, MAX_BAR = 30, MIN_BAR = 6, LINE = 256 }; /* columns, and bytes of a line */

double net_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static FILE *find_terminal(void)
{
    const char *term = getenv("TERM");
    if (term && strcmp(term, "dumb") == 0)
        return NULL;
    return isatty(STDERR_FILENO) ? stderr : isatty(STDOUT_FILENO) ? stdout : NULL;
}

static int window_width(FILE *terminal)
{
    struct winsize size;
    return ioctl(fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : WIDTH;
}

void net_meter_open(NetMeter *meter, bool quiet, int64_t epochs, int64_t images)
{
    *meter = (NetMeter){
        .live = quiet ? NULL : find_terminal(), .quiet = quiet, .epochs = epochs, .images = images};
}

void net_meter_epoch(NetMeter *meter, int64_t done)
{
    meter->start = meter->last = net_seconds();
    meter->start_images = done;
}

/* 12345.6 as "12,345". */
static const char *thousands(char text[32], double value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%.0f", value < 1e15 ? value : 0), used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = 0;
    return text;
}

/* "1:02:03", or "2:03" below an hour. */
static const char *clock_text(char text[32], double seconds)
{
    int64_t whole = seconds < 3.6e8 ? (seconds + 0.5) : 0;
    if (whole >= 3600)
        snprintf(text, 32, "%" PRId64 ":%02" PRId64 ":%02" PRId64, whole / 3600, whole / 60 % 60,
                 whole % 60);
    else
        snprintf(text, 32, "%" PRId64 ":%02" PRId64, whole / 60, whole % 60);
    return text;
}

/* A bar of `width` columns, each `full`, or `empty` with what is left to do. */
static void draw_bar(FILE *out, int width, double part)
{
    int full = (int)(part * width + 0.5);
    fputs(" [", out);
    for (int i = 0; i < width; i++)
        fputc(i < full ? '#' : '.', out);
    fputc(']', out);
}

static double images_per_second(const NetMeter *meter, int64_t done, double now)
{
    double elapsed = now - meter->start;
    return elapsed > 0 ? (double)(done - meter->start_images) / elapsed : 0;
}

/* "  accuracy 97.50 %"; nothing where there is none. */
static const char *accuracy_text(char text[64], const char *what, double accuracy)
{
    text[0] = 0;
    if (!isnan(accuracy))
        snprintf(text, 64, "  %s %.2f %%", what, 100 * accuracy);
    return text;
}

/* What goes before and after the bar. */
typedef struct Line {
    char head[LINE], tail[LINE];
    double part;
} Line;

static Line describe(const NetMeter *meter, int64_t epoch, int64_t done, double loss,
                     double accuracy, double now)
{
    Line line = {.part = meter->images > 0 ? (double)done / (double)meter->images : 1};
    char rate_text[32], left_text[32], right_text[64];
    double rate = images_per_second(meter, done, now);
    double left = (double)((meter->epochs - epoch) * meter->images - done);
    snprintf(line.head, LINE, "epoch %" PRId64 "/%" PRId64, epoch + 1, meter->epochs);
    snprintf(line.tail, LINE, " %3.0f %%  loss %.4f%s  %s images/s  ETA %s", 100 * line.part, loss,
             accuracy_text(right_text, "accuracy", accuracy), thousands(rate_text, rate),
             clock_text(left_text, rate > 0 ? left / rate : 0));
    return line;
}

/* The last column stays empty: some terminals wrap when it is written. */
static void draw_live(NetMeter *meter, const Line *line)
{
    int room = window_width(meter->live) - 1 - (int)(strlen(line->head) + strlen(line->tail)) - 3;
    fprintf(meter->live, "\r%.*s", window_width(meter->live) - 1, line->head);
    if (room >= MIN_BAR)
        draw_bar(meter->live, room < MAX_BAR ? room : MAX_BAR, line->part);
    int left = window_width(meter->live) - 1 - (int)strlen(line->head);
    fprintf(meter->live, "%.*s\033[K", left > 0 ? left : 0, line->tail);
    fflush(meter->live);
    meter->shown = true;
}

void net_meter_step(NetMeter *meter, int64_t epoch, int64_t done, double loss, double accuracy)
{
    double now = net_seconds();
    if (meter->quiet || now - meter->last < (meter->live ? LIVE_INTERVAL : PLAIN_INTERVAL))
        return;
    meter->last = now;
    Line line = describe(meter, epoch, done, loss, accuracy, now);
    if (meter->live) {
        draw_live(meter, &line);
    } else {
        printf("%s %s\n", line.head, line.tail);
        fflush(stdout);
    }
}

void net_meter_clear(NetMeter *meter)
{
    if (meter->shown) {
        fputs("\r\033[K", meter->live);
        fflush(meter->live);
    }
    meter->shown = false;
}

/* A narrow terminal is spared the speed: a wrapped line is no line. */
void net_meter_summary(NetMeter *meter, const NetEpoch *epoch)
{
    char rate[32], speed[64], right[64], figures[256];
    if (meter->quiet)
        return;
    net_meter_clear(meter);
    int used = printf("epoch %" PRId64 "/%" PRId64 "  train loss %.4f", epoch->epoch, meter->epochs,
                      epoch->train_loss);
    if (!epoch->untested)
        used += printf("  test loss %.4f%s%s%s", epoch->test_loss,
                       accuracy_text(right, "test accuracy", epoch->test_accuracy),
                       net_figures_text(figures, sizeof figures, &epoch->figures, "  "),
                       epoch->best ? ", the best" : "");
    int more = snprintf(speed, sizeof speed, "  %.1f s  %s images/s", epoch->seconds,
                        thousands(rate, epoch->images_per_second));
    bool fits = !isatty(STDOUT_FILENO) || used + more < window_width(stdout);
    printf("%s\n", fits ? speed : "");
    fflush(stdout);
}

void net_meter_stopped(NetMeter *meter, int64_t epoch, int64_t step, int64_t done, double loss,
                       double accuracy)
{
    if (meter->quiet)
        return;
    net_meter_clear(meter);
    char right[64];
    printf("stopped after step %" PRId64 ", %.1f %% of epoch %" PRId64 "/%" PRId64
           "  train loss %.4f%s\n",
           step, 100 * (double)done / (double)meter->images, epoch + 1, meter->epochs, loss,
           accuracy_text(right, "train accuracy", accuracy));
    fflush(stdout);
}
