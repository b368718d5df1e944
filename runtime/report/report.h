/* report.h: what the files of a report share.
 *
 *   series.c    a log as series of numbers
 *   chart.c     lines as SVG
 *   answers.c   what a network says of the images that its run was judged by
 *   page.c      all of it as one page
 */
#ifndef NET_REPORT_H
#define NET_REPORT_H

#include "runtime.h"

/* ---------------------------------------------------------------- series.c */

/* Numbers of one name, in the order in which they were logged. */
typedef struct NetSeries {
    char *event, *name; /* "step" and "loss"; of a parameter's statistics … */
    char *of;           /* … its path; NULL */
    double *x, *y;      /* x: of an epoch its number, else the step */
    int64_t count, room;
} NetSeries;
typedef struct NetHistory {
    NetSeries *series;
    int count, room;
    int64_t steps, epochs;
    double seconds, best_epoch; /* of all epochs; the last that was marked, 0: none */
} NetHistory;
bool net_history_read(NetHistory *history, const char *path, NetError *error);
void net_history_close(NetHistory *history);
/* NULL: there is none. `of` NULL: a row's own. */
const NetSeries *net_history_find(const NetHistory *history, const char *event, const char *name,
                                  const char *of);

/* ----------------------------------------------------------------- chart.c */

typedef struct NetLine {
    const char *label;
    const double *x, *y;
    int64_t count;
    double scale; /* x is multiplied by it */
    int colour;   /* of the page's classes c0, c1, … */
    bool faint;   /* many points, of which means are drawn */
} NetLine;
typedef struct NetChart {
    const char *title, *x_label;
    bool percent; /* y is shown times 100 */
    bool may_be_logarithmic;
} NetChart;
/* Draws nothing where there are no two points. */
void net_chart_draw(FILE *out, const NetChart *chart, const NetLine *lines, int count);
/* A small one, of the values alone. */
void net_chart_spark(FILE *out, const double *values, int64_t count);
void net_html(FILE *out, const char *text); /* with &, <, > and quotes written out */

/* --------------------------------------------------------------- answers.c */

/* What a network made of an image. */
typedef struct NetAnswer {
    int64_t image;                         /* of the images that were asked */
    double loss, taken_share, right_share; /* the latter: probabilities */
    int32_t taken, right;
    bool wrong;
} NetAnswer;
typedef struct NetAnswers {
    NetJudged judged;
    NetResult result;
    int64_t *confusion; /* [classes][classes]: right, taken; NULL: there are no classes */
    NetAnswer *worst;   /* those of the largest losses; with classes, of wrong ones */
    int worst_count;
} NetAnswers;
bool net_answers_take(NetAnswers *answers, NetSession *session, const NetData *data, int worst,
                      NetError *error);
void net_answers_close(NetAnswers *answers);

#endif
