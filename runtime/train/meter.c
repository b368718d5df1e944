/* meter.c: what a run shows of itself.
 *
 * On a terminal one line lives and is drawn over, ten times a second; elsewhere
 * a plain line is written every few seconds, which a file or a pipe can keep.
 * An epoch's line stays either way.
 */
#include "runtime.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double LIVE_INTERVAL = 0.1, PLAIN_INTERVAL = 5; /* seconds */

enum { WIDTH = 80 }; /* columns of a terminal that does not say */

double net_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static FILE *find_terminal(void)
{
    return net_is_terminal(stderr) ? stderr : net_is_terminal(stdout) ? stdout : NULL;
}

static int window_width(FILE *terminal)
{
    struct winsize size;
    return ioctl(fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : WIDTH;
}

void net_meter_open(NetMeter *meter, bool quiet, const char *label, int64_t epochs,
                    const NetData *data)
{
    *meter = (NetMeter){
        .live = quiet ? NULL : find_terminal(),
        .epochs = epochs,
        .images = net_trained_images(data),
        .label = label,
        .noun = data->noun,
    };
    meter->quiet = quiet || (label && !meter->live);
}

void net_meter_epoch(NetMeter *meter, int64_t done)
{
    meter->start = meter->last = net_seconds();
    meter->start_images = done;
    if (meter->stepped > 0)
        meter->between = meter->start - meter->stepped;
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

static double images_per_second(const NetMeter *meter, int64_t done, double now)
{
    double elapsed = now - meter->start;
    return elapsed > 0 ? (double)(done - meter->start_images) / elapsed : 0;
}

/* Of all epochs, with the tests between them. */
static double seconds_left(const NetMeter *meter, int64_t epoch, int64_t done, double rate)
{
    double images = (double)((meter->epochs - epoch) * meter->images - done),
           tests = (double)(meter->epochs - epoch - 1);
    return rate > 0 ? images / rate + tests * meter->between : 0;
}

/* The first figure, or all but the first. */
static void write_figures(char *to, size_t size, const NetFigures *figures, bool first)
{
    char text[NET_FIGURES_TEXT];
    NetFigures some = *figures;
    int skipped = first || some.count == 0 ? 0 : 1;
    some.count = first && some.count > 1 ? 1 : some.count - skipped;
    memmove(some.items, some.items + skipped, (size_t)some.count * sizeof *some.items);
    snprintf(to, size, "%s", net_figures_text(text, "  ", &some));
}

static NetLive describe(const NetMeter *meter, int64_t epoch, int64_t done,
                        const NetFigures *trained, double now)
{
    NetLive line = {.part = meter->images > 0 ? (double)done / (double)meter->images : 1,
                    .trend = &meter->trend};
    char rate_text[32], left_text[32];
    double rate = images_per_second(meter, done, now);
    snprintf(line.head, sizeof line.head, "%.60s%sepoch %" PRId64 "/%" PRId64,
             meter->label ? meter->label : "", meter->label ? "  " : "", epoch + 1, meter->epochs);
    snprintf(line.percent, sizeof line.percent, "  %3.0f %%", 100 * line.part);
    write_figures(line.loss, sizeof line.loss, trained, true);
    write_figures(line.others, sizeof line.others, trained, false);
    snprintf(line.rate, sizeof line.rate, "  %s %s/s", thousands(rate_text, rate),
             meter->noun.many);
    snprintf(line.left, sizeof line.left, "  ETA %s",
             clock_text(left_text, seconds_left(meter, epoch, done, rate)));
    return line;
}

void net_meter_step(NetMeter *meter, int64_t epoch, int64_t done, double loss,
                    const NetFigures *trained)
{
    double now = net_seconds();
    if (meter->quiet)
        return;
    meter->stepped = now;
    net_trend_add(&meter->trend, loss);
    if (now - meter->last < (meter->live ? LIVE_INTERVAL : PLAIN_INTERVAL))
        return;
    meter->last = now;
    NetLive line = describe(meter, epoch, done, trained, now);
    if (meter->live) {
        /* the last column stays empty: some terminals wrap when it is written */
        net_live_draw(meter->live, &line, window_width(meter->live) - 1);
        meter->shown = true;
    } else {
        printf("%s%s%s%s%s%s\n", line.head, line.percent, line.loss, line.others, line.rate,
               line.left);
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

/* A narrow terminal is spared the speed, and then what is told of the training images: a wrapped
 * line is no line. */
void net_meter_summary(NetMeter *meter, const NetEpoch *epoch)
{
    char rate[32], head[64], speed[64], before[32], trained[NET_FIGURES_TEXT],
        judged[NET_FIGURES_TEXT];
    net_meter_clear(meter);
    if (meter->quiet || meter->label)
        return;
    size_t width = isatty(STDOUT_FILENO) ? (size_t)window_width(stdout) : SIZE_MAX;
    NetFigures shown = epoch->trained;
    snprintf(head, sizeof head, "epoch %" PRId64 "/%" PRId64, epoch->epoch, meter->epochs);
    snprintf(speed, sizeof speed, "  %.1f s  %s %s/s", epoch->seconds,
             thousands(rate, epoch->images_per_second), meter->noun.many);
    snprintf(before, sizeof before, "  %s ", epoch->split);
    net_figures_text(judged, before, &epoch->judged);
    const char *best = epoch->best ? ", the best" : "";
    size_t fixed = strlen(head) + strlen(judged) + strlen(best), used;
    do
        used = fixed + strlen(net_figures_text(trained, "  train ", &shown));
    while (used >= width && shown.count-- > 0);
    const char *plain = net_colour(stdout, NET_PLAIN);
    printf("%s%s%s%s%s%s%s%s%s%s%s\n", head, trained, net_colour(stdout, NET_STRONG), judged, plain,
           net_colour(stdout, NET_GREEN), best, plain, net_colour(stdout, NET_FAINT),
           used + strlen(speed) < width ? speed : "", plain);
    fflush(stdout);
}

void net_meter_stopped(NetMeter *meter, int64_t epoch, int64_t step, int64_t done,
                       const NetFigures *trained)
{
    net_meter_clear(meter);
    if (meter->quiet || meter->label)
        return;
    char figures[NET_FIGURES_TEXT];
    printf("stopped after step %" PRId64 ", %.1f %% of epoch %" PRId64 "/%" PRId64 "%s\n", step,
           100 * (double)done / (double)meter->images, epoch + 1, meter->epochs,
           net_figures_text(figures, "  train ", trained));
    fflush(stdout);
}

void net_meter_no_better(NetMeter *meter, const NetProgress *progress, const char *by)
{
    net_meter_clear(meter);
    if (meter->quiet || meter->label)
        return;
    printf("stopped after epoch %" PRId64 ": by %s none was better than epoch %" PRId64
           " for %" PRId64 " epochs\n",
           progress->epoch, by, progress->top_epoch, progress->epoch - progress->top_epoch);
    fflush(stdout);
}
