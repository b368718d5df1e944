/* page.c: a run as one page that needs nothing else: curves, what is taken for what, where the
 * network is most wrong, and how large the gradients are.
 *
 * Everything is in the file: the style sheet with a light and a dark half, charts as SVG, pictures
 * as PNG in base64.  It has no scripts, so it can be mailed and shown anywhere.
 */
#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELLS = 26,    /* classes of a table that has a cell for each pair */
    MISTAKES = 12, /* the commonest, in a list */
    LINES = 16,    /* of a chart */
    COLOURS = 6,
    NAME = 256
};

static const char style[] =
    ":root{--page:#f6f7f9;--card:#fff;--text:#1c2024;--soft:#667080;--rule:#e3e6ea;--c0:#2563eb;"
    "--c1:#d9480f;--c2:#0f8a6d;--c3:#8b3fd9;--c4:#b7791f;--c5:#c2255c;--heat:37,99,235;--off:"
    "217,72,15}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#111418;--card:#1a1e24;--text:#e6e9ed;--soft:"
    "#98a2b0;--rule:#2c323a;--c0:#6ea8ff;--c1:#ff9b66;--c2:#4fd1a8;--c3:#c29bff;--c4:#f0c050;"
    "--c5:#ff7fae;--heat:110,168,255;--off:255,155,102}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 "
    "system-ui,sans-serif}main{max-width:1080px;margin:0 auto;padding:28px 20px 60px}"
    "h1{font-size:26px;margin:0}h2{font-size:18px;margin:36px 0 12px}p{margin:4px 0 0;color:"
    "var(--soft)}small{color:var(--soft);font-weight:400}\n"
    ".facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:12px;"
    "margin:20px 0}.facts div,.chart,.card{background:var(--card);border:1px solid var(--rule);"
    "border-radius:10px;padding:12px 14px}.facts b{display:block;font-size:21px;font-weight:600}"
    ".facts span{color:var(--soft);font-size:13px}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(400px,100%),1fr));gap:"
    "14px}"
    ".chart{margin:0}figcaption{font-weight:600}.keys{font-size:13px;color:var(--soft);min-height:"
    "22px}.key{margin-right:14px;white-space:nowrap}.key b{color:var(--text)}.key i{display:"
    "inline-block;width:16px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}"
    "svg{display:block;width:100%;height:auto}svg text{font-size:11.5px;fill:var(--soft)}"
    ".grid{stroke:var(--rule)}polyline{fill:none;stroke-width:2;stroke-linejoin:round}"
    "polyline.faint{stroke-width:1.2;opacity:.5}i.faint{opacity:.5}\n"
    ".spark{display:inline-block;width:120px;height:22px;vertical-align:middle}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:4px 8px;text-align:right;font-weight:400}th{color:var(--soft)}"
    ".left{text-align:left}.list tr+tr td{border-top:1px solid var(--rule)}"
    ".cells td{min-width:34px;height:30px;text-align:center;border:1px solid var(--page);"
    "border-radius:3px}.cells .none{color:var(--soft);opacity:.5}\n"
    ".bar{display:inline-block;width:160px;height:9px;border-radius:5px;background:var(--rule);"
    "overflow:hidden;vertical-align:middle}.bar i{display:block;height:100%;background:var(--c0)}"
    ".pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:12px}"
    ".pictures figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:"
    "10px;padding:8px;font-size:13px}.pictures img,.matrix{width:100%;image-rendering:pixelated;"
    "border-radius:6px;display:block;margin-bottom:6px}.matrix{max-width:520px}"
    ".wrong{color:var(--c1)}.right{color:var(--c2)}\n";

typedef struct Page {
    FILE *out;
    const NetReport *report;
    NetHistory history;
    NetAnswers answers;
    bool has_gradients; /* the session has those of a batch */
    NetError *error;
    bool failed;
} Page;

static NetNoun noun_of(const Page *page)
{
    return net_noun(page->report->model);
}

/* A file's name without its folders. */
static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *class_text(char text[NAME], const Page *page, int64_t class)
{
    const char *name = net_class_name(page->report->session, class);
    if (name)
        return net_shown(text, NAME, name);
    snprintf(text, NAME, "%" PRId64, class);
    return text;
}

/* ------------------------------------------------------------------ facts */

static void put_fact(FILE *out, const char *value, const char *what)
{
    fputs("<div><b>", out);
    net_html(out, value);
    fputs("</b><span>", out);
    net_html(out, what);
    fputs("</span></div>\n", out);
}

static void put_number(FILE *out, const char *what, const char *template, double value)
{
    char text[64];
    snprintf(text, sizeof text, template, value);
    put_fact(out, text, what);
}

static void put_time(FILE *out, double seconds)
{
    int64_t whole = (int64_t)(seconds + 0.5);
    char text[64];
    if (whole >= 3600)
        snprintf(text, sizeof text, "%" PRId64 " h %02" PRId64 " min", whole / 3600,
                 whole / 60 % 60);
    else if (whole >= 60)
        snprintf(text, sizeof text, "%" PRId64 " min %02" PRId64 " s", whole / 60, whole % 60);
    else
        snprintf(text, sizeof text, "%.1f s", seconds);
    put_fact(out, text, "of training");
}

/* "validation_accuracy" as its split and its figure; false: it is of the run's speed. */
static bool split_name(const char *name, char split[NAME], char figure[NAME])
{
    static const char *const splits[] = {"train", "validation", "test"};
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(splits[i]);
        if (strncmp(name, splits[i], length) == 0 && name[length] == '_') {
            snprintf(split, NAME, "%s", splits[i]);
            snprintf(figure, NAME, "%s", name + length + 1);
            return true;
        }
    }
    return false;
}

/* Figures between 0 and 1 that are shown with %. */
static bool is_share(const char *figure)
{
    return strcmp(figure, "accuracy") == 0;
}

static void put_last_figures(const Page *page)
{
    const NetHistory *history = &page->history;
    char split[NAME], figure[NAME], what[2 * NAME];
    for (int i = 0; i < history->count; i++) {
        const NetSeries *series = &history->series[i];
        if (strcmp(series->event, "epoch") != 0 || !split_name(series->name, split, figure)
            || strcmp(split, "train") == 0)
            continue;
        double last = series->y[series->count - 1];
        snprintf(what, sizeof what, "%.200s %.200s at the end", split, figure);
        put_number(page->out, what, is_share(figure) ? "%.2f %%" : "%.4f",
                   is_share(figure) ? 100 * last : last);
    }
}

static void put_facts(const Page *page)
{
    const NetHistory *history = &page->history;
    FILE *out = page->out;
    fputs("<div class=\"facts\">\n", out);
    put_last_figures(page);
    put_number(out, history->epochs == 1 ? "epoch" : "epochs", "%.0f", (double)history->epochs);
    put_number(out, "steps", "%.0f", (double)history->steps);
    if (history->best_epoch > 0)
        put_number(out, "the best epoch", "%.0f", history->best_epoch);
    if (history->seconds > 0)
        put_time(out, history->seconds);
    fputs("</div>\n", out);
}

/* ----------------------------------------------------------------- curves */

/* Steps of an epoch; 0: none is over. */
static double epoch_steps(const NetHistory *history)
{
    const NetSeries *loss = net_history_find(history, "step", "loss", NULL);
    return history->epochs > 0 && loss ? (double)history->steps / (double)history->epochs : 0;
}

static int add_line(NetLine *lines, int count, const NetSeries *series, const char *label,
                    double scale, int colour, bool faint)
{
    if (!series || count == LINES)
        return count;
    lines[count] = (NetLine){label, series->x, series->y, series->count, scale, colour, faint};
    return count + 1;
}

/* One chart for a figure, with a line for each split that has it; of the loss each step's, too. */
static void put_curve(const Page *page, const char *figure)
{
    static const char *const splits[] = {"train", "validation", "test"};
    const NetHistory *history = &page->history;
    char name[2 * NAME], title[NAME];
    NetLine lines[LINES];
    double steps = epoch_steps(history);
    bool loss = strcmp(figure, "loss") == 0;
    int count = 0;
    if (loss)
        count = add_line(lines, count, net_history_find(history, "step", "loss", NULL),
                         "of each step", steps > 0 ? 1 / steps : 1, 0, true);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s_%.200s", splits[i], figure);
        count = add_line(lines, count, net_history_find(history, "epoch", name, NULL), splits[i], 1,
                         i, false);
    }
    snprintf(title, sizeof title, "%c%.200s", figure[0] & ~0x20, figure + 1);
    NetChart chart = {title, steps > 0 || !loss ? "epoch" : "step", is_share(figure), loss};
    net_chart_draw(page->out, &chart, lines, count);
}

static void put_curves(const Page *page)
{
    const NetHistory *history = &page->history;
    char split[NAME], figure[NAME];
    fputs("<h2>How it went</h2>\n<div class=\"charts\">\n", page->out);
    put_curve(page, "loss");
    for (int i = 0; i < history->count; i++) {
        const NetSeries *series = &history->series[i];
        if (strcmp(series->event, "epoch") == 0 && split_name(series->name, split, figure)
            && strcmp(split, "train") != 0 && strcmp(figure, "loss") != 0)
            put_curve(page, figure);
    }
    const NetSeries *lr = net_history_find(history, "step", "lr", NULL);
    NetLine line[1];
    int count = add_line(line, 0, lr, "of the first group", 1, 2, false);
    net_chart_draw(page->out, &(NetChart){"Learning rate", "step", false, false}, line, count);
    fputs("</div>\n", page->out);
}

/* -------------------------------------------------------------- confusion */

static int64_t row_sum(const NetAnswers *answers, int64_t classes, int64_t right)
{
    int64_t sum = 0;
    for (int64_t taken = 0; taken < classes; taken++)
        sum += answers->confusion[right * classes + taken];
    return sum;
}

static void put_cell(const Page *page, int64_t right, int64_t taken, int64_t row)
{
    int64_t classes = page->report->session->model->classes,
            count = page->answers.confusion[right * classes + taken];
    char one[NAME], other[NAME];
    if (count == 0) {
        fputs("<td class=\"none\">·</td>", page->out);
        return;
    }
    double share = (double)count / (double)row, shade = 0.08 + 0.72 * sqrt(share);
    fprintf(page->out, "<td style=\"background:rgba(var(--%s),%.2f)%s\" title=\"",
            right == taken ? "heat" : "off", shade, shade > 0.5 ? ";color:#fff" : "");
    net_html(page->out, class_text(one, page, right));
    fputs(right == taken ? " as " : " taken for ", page->out);
    net_html(page->out, class_text(other, page, taken));
    fprintf(page->out, ": %.1f %%\">%" PRId64 "</td>", 100 * share, count);
}

/* A row for each class, and what its images are taken for. */
static void put_cells(const Page *page, int64_t classes)
{
    FILE *out = page->out;
    char name[NAME];
    fputs("<div class=\"wide card\"><table class=\"cells\"><tr><th class=\"left\">is ↓ taken for "
          "→</th>",
          out);
    for (int64_t taken = 0; taken < classes; taken++) {
        fputs("<th>", out);
        net_html(out, class_text(name, page, taken));
        fputs("</th>", out);
    }
    fputs("<th>right</th></tr>\n", out);
    for (int64_t right = 0; right < classes; right++) {
        int64_t row = row_sum(&page->answers, classes, right);
        fputs("<tr><th class=\"left\">", out);
        net_html(out, class_text(name, page, right));
        fputs("</th>", out);
        for (int64_t taken = 0; taken < classes; taken++)
            put_cell(page, right, taken, row);
        if (row > 0)
            fprintf(out, "<th>%.1f %%</th></tr>\n",
                    100 * (double)page->answers.confusion[right * (classes + 1)] / (double)row);
        else
            fputs("<th></th></tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

/* Bytes as text of 64 letters (RFC 4648). */
static void put_base64(FILE *out, const uint8_t *bytes, size_t count)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16
                         | (uint32_t)(i + 1 < count ? bytes[i + 1] : 0) << 8
                         | (uint32_t)(i + 2 < count ? bytes[i + 2] : 0);
        fputc(letters[three >> 18], out);
        fputc(letters[three >> 12 & 63], out);
        fputc(i + 1 < count ? letters[three >> 6 & 63] : '=', out);
        fputc(i + 2 < count ? letters[three & 63] : '=', out);
    }
}

/* [h][w][channels] */
static void put_png(Page *page, const uint8_t *pixels, int64_t h, int64_t w, int channels,
                    const char *kind)
{
    size_t count;
    uint8_t *png = pixels ? net_encode_png(pixels, h, w, channels, &count, page->error) : NULL;
    page->failed |= !png;
    if (!png)
        return;
    fprintf(page->out, "<img class=\"%s\" alt=\"\" src=\"data:image/png;base64,", kind);
    put_base64(page->out, png, count);
    fputs("\">", page->out);
    free(png);
}

/* Of many classes a picture, a point for each pair: blue on the diagonal, orange beside it. */
static void put_matrix(Page *page, int64_t classes)
{
    uint8_t *pixels = net_allocate((size_t)(classes * classes), 4, page->error);
    page->failed |= !pixels;
    for (int64_t right = 0; pixels && right < classes; right++) {
        int64_t row = row_sum(&page->answers, classes, right);
        for (int64_t taken = 0; taken < classes; taken++) {
            int64_t count = page->answers.confusion[right * classes + taken];
            const uint8_t blue[4] = {70, 130, 245, 0}, orange[4] = {235, 110, 45, 0};
            uint8_t *pixel = pixels + 4 * (right * classes + taken);
            memcpy(pixel, right == taken ? blue : orange, 4);
            pixel[3] = row > 0 ? (uint8_t)(255 * sqrt((double)count / (double)row)) : 0;
        }
    }
    fputs("<div class=\"card\">", page->out);
    put_png(page, pixels, classes, classes, 4, "matrix");
    fprintf(page->out,
            "<p>A row for each class, a column for what its %s are taken for.</p></div>\n",
            noun_of(page).many);
    free(pixels);
}

/* The pair of classes with the most images, but those that are listed; -1: there is none. */
static int64_t commonest(const NetAnswers *answers, int64_t classes, int64_t most)
{
    int64_t best = -1;
    for (int64_t i = 0; i < classes * classes; i++)
        if (i % (classes + 1) != 0 && answers->confusion[i] > 0 && answers->confusion[i] < most
            && (best < 0 || answers->confusion[i] > answers->confusion[best]))
            best = i;
    return best;
}

/* All pairs with a count, and then those with the next smaller one, until there are enough. */
static void put_mistakes(const Page *page, int64_t classes)
{
    FILE *out = page->out;
    const NetAnswers *answers = &page->answers;
    char one[NAME], other[NAME];
    int listed = 0;
    fputs("<div class=\"wide card\"><table class=\"list\">", out);
    for (int64_t pair, most = INT64_MAX;
         listed < MISTAKES && (pair = commonest(answers, classes, most)) >= 0;) {
        most = answers->confusion[pair];
        for (int64_t i = pair; i < classes * classes && listed < MISTAKES; i++) {
            if (answers->confusion[i] != most || i % (classes + 1) == 0)
                continue;
            fputs("<tr><td class=\"left\">", out);
            net_html(out, class_text(one, page, i / classes));
            fputs(" taken for ", out);
            net_html(out, class_text(other, page, i % classes));
            fprintf(out, "</td><td>%" PRId64 "</td><td>%.1f %%</td></tr>\n", most,
                    100 * (double)most / (double)row_sum(answers, classes, i / classes));
            listed++;
        }
    }
    if (listed == 0)
        fprintf(out, "<tr><td class=\"left\">No %s is taken for another class.</td></tr>",
                noun_of(page).one);
    fputs("</table></div>\n", out);
}

static void put_confusion(Page *page)
{
    const NetAnswers *answers = &page->answers;
    int64_t classes = page->report->session->model->classes;
    if (!answers->confusion || answers->result.images == 0)
        return;
    fprintf(page->out, "<h2>What is taken for what <small>%" PRId64 " %s %s</small></h2>\n",
            answers->result.images, answers->judged.name, noun_of(page).many);
    if (classes <= CELLS) {
        put_cells(page, classes);
        return;
    }
    fputs("<div class=\"charts\">\n", page->out);
    put_matrix(page, classes);
    put_mistakes(page, classes);
    fputs("</div>\n", page->out);
}

/* --------------------------------------------------------------- pictures */

static void put_picture(Page *page, int64_t index)
{
    const NetSession *session = page->report->session;
    NetShape shape = session->image;
    int channels;
    const uint8_t *planes = net_image_at(page->answers.judged.images, index, 0);
    uint8_t *pixels = net_interleave(planes, shape, &channels, page->error);
    put_png(page, pixels, shape.h, shape.w, channels, "picture");
    free(pixels);
}

static void put_worst(Page *page)
{
    const NetAnswers *answers = &page->answers;
    const NetImages *images = answers->judged.images;
    FILE *out = page->out;
    char one[NAME], other[NAME];
    if (answers->worst_count == 0 || images->arrays[images->inputs[0]].kind != NET_PIXELS)
        return;
    fprintf(out, "<h2>Where it is most wrong <small>by the loss</small></h2>\n"
                 "<div class=\"pictures\">\n");
    for (int i = 0; i < answers->worst_count; i++) {
        const NetAnswer *answer = &answers->worst[i];
        fputs("<figure>", out);
        put_picture(page, answer->image);
        if (answer->taken_share > 0) {
            fputs("<span class=\"wrong\">", out);
            net_html(out, class_text(one, page, answer->taken));
            fprintf(out, "</span> %.1f %%<br>is <span class=\"right\">", 100 * answer->taken_share);
            net_html(out, class_text(other, page, answer->right));
            fprintf(out, "</span> %.1f %%<br>", 100 * answer->right_share);
        }
        fprintf(out, "<small>loss %.3f, %s %" PRId64 "</small></figure>\n", answer->loss,
                noun_of(page).one, answer->image);
    }
    fputs("</div>\n", out);
}

/* -------------------------------------------------------------- gradients */

/* The last that was logged; of none what the session's gradients are. */
static double norm_of(const Page *page, const char *name, const NetParameter *parameter, double own)
{
    const NetSeries *series = net_history_find(&page->history, "stats", name, parameter->path);
    return series ? series->y[series->count - 1] : own;
}

typedef struct Norms {
    double weight, gradient;
} Norms;

static Norms norms_of(const Page *page, const NetParameter *parameter)
{
    const NetSession *session = page->report->session;
    bool measured = page->has_gradients;
    return (Norms){norm_of(page, "weight_norm", parameter,
                           session ? net_weight_norm(session, parameter) : NAN),
                   norm_of(page, "gradient_norm", parameter,
                           measured ? net_gradient_norm(session, parameter) : NAN)};
}

static void put_norms(const Page *page, const NetParameter *parameter, double min, double max)
{
    FILE *out = page->out;
    Norms norms = norms_of(page, parameter);
    char shape[NET_SHAPE_TEXT];
    const NetSeries *course =
        net_history_find(&page->history, "stats", "gradient_norm", parameter->path);
    bool known = norms.gradient > 0 && isfinite(norms.gradient);
    double part = known && max > min ? log(norms.gradient / min) / log(max / min) : known;
    fputs("<tr><td class=\"left\">", out);
    net_html(out, parameter->path);
    fprintf(out, "</td><td class=\"left\"><small>%s</small></td><td>%.4g</td><td>%.3g</td>",
            net_shape_text(shape, parameter->rank, parameter->dim), norms.weight, norms.gradient);
    fprintf(out, "<td><span class=\"bar\"><i style=\"width:%.1f%%\"></i></span></td><td>",
            4 + 96 * part);
    if (course)
        net_chart_spark(out, course->y, course->count);
    fputs("</td></tr>\n", out);
}

static void put_gradients(const Page *page)
{
    const NetModel *model = page->report->model;
    FILE *out = page->out;
    double min = HUGE_VAL, max = 0;
    for (int i = 0; i < model->parameter_count; i++) {
        if (model->parameters[i].kind != NET_TRAINED)
            continue;
        double norm = norms_of(page, &model->parameters[i]).gradient;
        min = norm > 0 ? fmin(min, norm) : min;
        max = isfinite(norm) ? fmax(max, norm) : max;
    }
    if (!(max > 0))
        return;
    fputs("<h2>Gradients by parameter <small>Euclidean norms; bars are logarithmic</small></h2>\n"
          "<div class=\"wide card\"><table class=\"list\"><tr><th class=\"left\">parameter</th>"
          "<th class=\"left\">shape</th><th>weights</th><th>gradient</th><th></th><th>in the "
          "run</th></tr>\n",
          out);
    for (int i = 0; i < model->parameter_count; i++)
        if (model->parameters[i].kind == NET_TRAINED)
            put_norms(page, &model->parameters[i], min, max);
    fputs("</table></div>\n", out);
}

/* ------------------------------------------------------------------- page */

static void put_head(const Page *page)
{
    const NetReport *report = page->report;
    FILE *out = page->out;
    int64_t parameters = 0;
    for (int i = 0; i < report->model->parameter_count; i++)
        if (report->model->parameters[i].kind == NET_TRAINED)
            parameters += report->model->parameters[i].elements;
    fprintf(out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s</title>\n<style>\n",
            report->model->name);
    fputs(style, out);
    for (int i = 0; i < COLOURS; i++)
        fprintf(out,
                "polyline.c%d{stroke:var(--c%d)}circle.c%d{fill:var(--c%d)}i.c%d{background:"
                "var(--c%d)}\n",
                i, i, i, i, i, i);
    fprintf(out, "</style></head><body><main>\n<h1>%s</h1>\n<p>", report->model->name);
    net_html(out, SHOWN(file_name(report->model->source)));
    fprintf(out, " · %" PRId64 " parameters · ", parameters);
    net_html(out, SHOWN(file_name(report->log)));
    if (report->weights) {
        fputs(" · ", out);
        net_html(out, SHOWN(file_name(report->weights)));
    }
    if (report->data) {
        fputs(" · ", out);
        net_html(out, SHOWN(report->data->what));
    }
    fputs("</p>\n", out);
}

static void put_page(Page *page)
{
    put_head(page);
    put_facts(page);
    put_curves(page);
    if (page->report->session) {
        put_confusion(page);
        put_worst(page);
    }
    put_gradients(page);
    fputs("</main></body></html>\n", page->out);
}

/* Of some training images, once the images are judged: a pass moves running statistics. */
static bool take_gradients(const NetReport *report)
{
    NetSession *session = report->session;
    if (!session || !session->training)
        return false;
    int64_t images = net_trained_images(report->data);
    NetBatch batch = {.images = &report->data->train,
                      .order = report->data->order,
                      .count = images < session->batch ? images : session->batch};
    return images > 0 && isfinite(net_train_batch(session, &batch, NULL).loss);
}

bool net_report(const NetReport *report, NetError *error)
{
    Page page = {.report = report, .error = error};
    NetOutput output;
    bool good =
        net_history_read(&page.history, report->log, error)
        && (!report->session
            || net_answers_take(&page.answers, report->session, report->data, report->worst, error))
        && net_create(&output, report->out, error);
    if (good) {
        page.out = output.file;
        page.has_gradients = take_gradients(report);
        put_page(&page);
        if (page.failed)
            net_discard(&output);
        good = !page.failed && net_commit(&output, error);
    }
    net_answers_close(&page.answers);
    net_history_close(&page.history);
    return good;
}
