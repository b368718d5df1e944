/* trials.c: what several runs came to, as a table: the same settings with other seeds, or other
 * settings.
 *
 * Of a trial's seeds the mean is told and the deviation of a sample (divided by n - 1), without
 * which the difference of two trials says little.  The best trial comes first.
 */
#include "runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 96, COLUMNS = NET_MAX_AXES + 2 * NET_MAX_FIGURES + 4 };

/* Mean and deviation of what the runs that ended well have. */
typedef struct Summary {
    double sum, squares, mean, deviation;
    int count;
} Summary;

typedef double Value(const NetOutcome *outcome, int which);

static double train_loss(const NetOutcome *outcome, int which)
{
    (void)which;
    return outcome->last.trained.items[0].value;
}

static double judged_figure(const NetOutcome *outcome, int which)
{
    return outcome->last.judged.items[which].value;
}

static double best_figure(const NetOutcome *outcome, int which)
{
    (void)which;
    return outcome->top.has_figure ? outcome->top.figure.value : NAN;
}

/* The last epoch's, of what the runs are compared by. */
static double last_figure(const NetOutcome *outcome, int which)
{
    (void)which;
    return outcome->last.has_figure ? outcome->last.figure.value : NAN;
}

static Summary summarise(const NetTrial *trial, Value *value, int which)
{
    Summary summary = {0};
    for (int i = 0; i < trial->count; i++)
        if (trial->outcomes[i].any) {
            summary.sum += value(&trial->outcomes[i], which);
            summary.count++;
        }
    summary.mean = summary.count > 0 ? summary.sum / summary.count : NAN;
    for (int i = 0; i < trial->count; i++)
        if (trial->outcomes[i].any) {
            double off = value(&trial->outcomes[i], which) - summary.mean;
            summary.squares += off * off;
        }
    if (summary.count > 1)
        summary.deviation = sqrt(summary.squares / (summary.count - 1));
    return summary;
}

/* Any run's that ended well, for the names of its figures; NULL: none did. */
static const NetOutcome *find_outcome(const NetTrials *trials)
{
    for (int i = 0; i < trials->count; i++)
        for (int k = 0; k < trials->items[i].count; k++)
            if (trials->items[i].outcomes[k].any)
                return &trials->items[i].outcomes[k];
    return NULL;
}

/* ---------------------------------------------------------------- order */

/* Better ones first, then as they were run; what has no figure comes last. */
static bool is_before(const NetTrial *a, const NetTrial *b, bool larger)
{
    double one = summarise(a, last_figure, 0).mean, other = summarise(b, last_figure, 0).mean;
    if (isnan(one) || isnan(other))
        return !isnan(one) && isnan(other);
    return larger ? one > other : one < other;
}

/* Few enough to be inserted one by one. */
static void sort(NetTrials *trials, const NetOutcome *any)
{
    bool larger = any->top.figure.larger_is_better;
    for (int i = 1; i < trials->count && any->top.has_figure; i++) {
        NetTrial trial = trials->items[i];
        int at = i;
        for (; at > 0 && is_before(&trial, &trials->items[at - 1], larger); at--)
            trials->items[at] = trials->items[at - 1];
        trials->items[at] = trial;
    }
}

/* ---------------------------------------------------------------- cells */

typedef char Row[COLUMNS][CELL];

static void put_summary(char cell[CELL], const NetTrial *trial, Value *value, int which,
                        bool percent)
{
    Summary summary = summarise(trial, value, which);
    char mean[32], deviation[32];
    net_value_text(mean, summary.mean, percent);
    net_value_text(deviation, summary.deviation, percent);
    if (summary.count == 0)
        snprintf(cell, CELL, "-");
    else if (summary.count == 1)
        snprintf(cell, CELL, "%s", mean);
    else /* one % is enough */
        snprintf(cell, CELL, "%.*s ± %s", (int)strcspn(mean, " "), mean, deviation);
}

static double seconds_of(const NetOutcome *outcome, int which)
{
    (void)which;
    return outcome->seconds;
}

static double epochs_of(const NetOutcome *outcome, int which)
{
    (void)which;
    return (double)outcome->last.epoch;
}

static int count_failed(const NetTrial *trial)
{
    int failed = 0;
    for (int i = 0; i < trial->count; i++)
        failed += !trial->outcomes[i].any;
    return failed;
}

/* The heading of trial NULL. */
static int fill(Row row, const NetTrials *trials, const NetTrial *trial, const NetOutcome *any)
{
    const NetFigures *figures = &any->last.judged;
    int count = 0;
    for (int i = 0; i < trials->axes; i++)
        snprintf(row[count++], CELL, "%s", trial ? trial->values[i] : trials->paths[i]);
    if (!trial)
        snprintf(row[count], CELL, "train loss");
    else
        put_summary(row[count], trial, train_loss, 0, false);
    count++;
    for (int i = 0; i < figures->count; i++, count++) {
        if (!trial)
            snprintf(row[count], CELL, "%s %s", any->last.split, figures->items[i].name);
        else
            put_summary(row[count], trial, judged_figure, i, figures->items[i].percent);
    }
    if (any->top.has_figure) {
        const NetFigure *best = &any->top.figure;
        if (!trial)
            snprintf(row[count], CELL, "best %s", best->name);
        else
            put_summary(row[count], trial, best_figure, 0, best->percent);
        count++;
    }
    if (!trial) {
        snprintf(row[count++], CELL, "epochs");
        snprintf(row[count++], CELL, "seconds");
        return count;
    }
    bool ended = count_failed(trial) < trial->count;
    snprintf(row[count++], CELL, ended ? "%.3g" : "-", summarise(trial, epochs_of, 0).mean);
    snprintf(row[count++], CELL, ended ? "%.1f" : "-", summarise(trial, seconds_of, 0).mean);
    return count;
}

/* Characters, of which ± has two bytes. */
static int columns_of(const char *text)
{
    int columns = 0;
    for (; *text; text++)
        columns += (*text & 0xc0) != 0x80;
    return columns;
}

static void print_row(FILE *out, Row row, int count, const int *widths, int failed)
{
    for (int i = 0; i < count; i++)
        fprintf(out, "%s%*s%s", i ? "  " : "", widths[i] - columns_of(row[i]), "", row[i]);
    if (failed > 0)
        fprintf(out, "  %d failed", failed);
    fputc('\n', out);
}

void net_trials_print(NetTrials *trials, FILE *out)
{
    const NetOutcome *any = find_outcome(trials);
    Row row;
    int widths[COLUMNS] = {0}, count = 0;
    if (!any)
        return;
    sort(trials, any);
    any = find_outcome(trials);
    for (int i = -1; i < trials->count; i++) {
        count = fill(row, trials, i < 0 ? NULL : &trials->items[i], any);
        for (int k = 0; k < count; k++)
            widths[k] = columns_of(row[k]) > widths[k] ? columns_of(row[k]) : widths[k];
    }
    for (int i = -1; i < trials->count; i++) {
        const NetTrial *trial = i < 0 ? NULL : &trials->items[i];
        count = fill(row, trials, trial, any);
        print_row(out, row, count, widths, trial ? count_failed(trial) : 0);
    }
}

/* ------------------------------------------------------------------ file */

/* Of a run that failed the figures are empty. */
static void put_run(FILE *file, const NetTrials *trials, const NetTrial *trial, int run,
                    const NetOutcome *any)
{
    const NetOutcome *outcome = &trial->outcomes[run];
    for (int i = 0; i < trials->axes; i++)
        fprintf(file, "%s,", trial->values[i]);
    fprintf(file, "%" PRIu64, outcome->seed);
    if (!outcome->any) {
        int empty = any ? any->last.trained.count + any->last.judged.count : 0;
        empty += any && any->top.has_figure ? 4 : 2;
        fputs(",failed", file);
        for (int i = 0; i < empty; i++)
            fputc(',', file);
        fputc('\n', file);
        return;
    }
    fprintf(file, ",ended,%" PRId64 ",%.6g", outcome->last.epoch, outcome->seconds);
    for (int i = 0; i < outcome->last.trained.count; i++)
        fprintf(file, ",%.9g", outcome->last.trained.items[i].value);
    for (int i = 0; i < outcome->last.judged.count; i++)
        fprintf(file, ",%.9g", outcome->last.judged.items[i].value);
    if (outcome->top.has_figure)
        fprintf(file, ",%.9g,%" PRId64, best_figure(outcome, 0), outcome->top.epoch);
    fputc('\n', file);
}

bool net_trials_write(const NetTrials *trials, const char *path, NetError *error)
{
    const NetOutcome *any = find_outcome(trials);
    NetOutput output;
    if (!net_create(&output, path, error))
        return false;
    for (int i = 0; i < trials->axes; i++)
        fprintf(output.file, "%s,", trials->paths[i]);
    fputs("seed,end,epochs,seconds", output.file);
    for (int i = 0; any && i < any->last.trained.count; i++)
        fprintf(output.file, ",train_%s", any->last.trained.items[i].key);
    for (int i = 0; any && i < any->last.judged.count; i++)
        fprintf(output.file, ",%s_%s", any->last.split, any->last.judged.items[i].key);
    if (any && any->top.has_figure)
        fprintf(output.file, ",best_%s,best_epoch", any->top.figure.key);
    fputc('\n', output.file);
    for (int i = 0; i < trials->count; i++)
        for (int run = 0; run < trials->items[i].count; run++)
            put_run(output.file, trials, &trials->items[i], run, any);
    return net_commit(&output, error);
}
