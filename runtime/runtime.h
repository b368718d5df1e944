/* runtime.h: what the files of the runtime share and a user's program does not
 * see, grouped by file.  Functions that can fail give false (or NULL) and put
 * one sentence in *error, naming the file and the field or byte offset; only
 * commands/ and main.c print and exit.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "core/figure_list.h"
#include "core/output.h"
#include "core/shown.h"
#include "data/arrays.h"
#include "data/readers.h"
#include "net_ranks.h"
#include "net_runtime.h"

#include <pthread.h>
#include <stdio.h>

#define PRINTF(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))

/* ------------------------------------------------------- core/checks.c */

/* Always false.  What a terminal should not get of the names in it is written out, as shown.h
 * has it. */
bool net_fail(NetError *error, const char *template, ...) PRINTF(2, 3);
/* zeroed, NET_ALIGNMENT-aligned, product checked; free() it */
void *net_allocate(size_t count, size_t size, NetError *error);

/* ------------------------------------------------------ core/signals.c */

/* From here on SIGINT, SIGTERM, SIGHUP and a batch system's warnings ask the
 * program to end, unless they were ignored when it was started: it dies of them,
 * until net_signals_work; then it is to look.  A second one of
 * the kind, a second later, kills.  A pipe without a reader and a file at its
 * size's limit are errors of the write, and no deaths. */
void net_signals_catch(void);
void net_signals_work(void);     /* from here on there is something to save */
int net_signal_asked(void);      /* the first that came; 0: none */
void net_signal_ask(int number); /* as if it had come: it came to another rank */
/* Whether calls that a signal interrupts are taken up again, as what saves a run
 * needs; while it trains, a write that nobody reads must not hold it up. */
void net_signals_finish(bool finish);

/* --------------------------------------------------- core/processors.c */

int net_processors(void);      /* that the calling thread may run on */
int net_processor_quota(void); /* so many at most, in time; INT32_MAX: without limit */

/* ---------------------------------------------------- core/processor.c */

/* False with the target to build for, where the model's code would be killed here. */
bool net_check_processor(const NetModel *model, NetError *error);
bool net_check_features(const NetModel *model, const bool has[NET_MAX_FEATURES], NetError *error);
void net_processor_has(bool has[NET_MAX_FEATURES]); /* in the order of NET_EACH_FEATURE */

/* ------------------------------------------------------- core/random.c */

uint64_t net_hash(const char *text); /* FNV-1a, 64 bits: a stream's salt from a name */
/* A shuffled order of 0 … count-1, the same for the same seed and epoch. */
void net_shuffle(int32_t *order, int64_t count, uint64_t seed, uint64_t epoch);

/* ------------------------------------------------------- core/digest.c */

/* Of all bytes so far, from 0; pieces but the last are multiples of 8 bytes. */
uint64_t net_digest(uint64_t digest, const void *bytes, size_t count);
uint64_t net_digest_text(uint64_t digest, const char *text); /* with its end */

/* ------------------------------------------------------ core/threads.c */

/* As pthread_create().  Signals are for the main thread: others are born with all of them blocked
 * but the one that is about what the thread itself reads, a mapped file's pages. */
int net_thread_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *),
                     void *context);
typedef struct NetPool NetPool;
NetPool *net_pool_open(int threads, NetError *error);
void net_pool_close(NetPool *pool);
/* In a forked child they are made anew: it may be fewer then, and stays so. */
int net_pool_threads(NetPool *pool);
/* Whether they wait awake for some tens of microseconds, at a barrier and for work. */
bool net_pool_spins(const NetPool *pool);
/* Runs work(context, thread) on every thread, the caller being thread 0, and
 * returns when all are done. */
void net_pool_run(NetPool *pool, void (*work)(void *context, int thread), void *context);
/* Inside work: all threads meet. */
void net_pool_barrier(NetPool *pool);
/* Where the members of a team meet (net_team_meet), by the number of its first thread. */
struct NetMeeting *net_pool_meeting(NetPool *pool, int first);

/* ------------------------------------------------------- core/vectors.c */
/* Loops worth vectorising that no network shapes. */

/* sum[i] = the slots' i-th values added in one fixed tree, for i in [from, to). */
/* into slot 0 */
void net_reduce(real *slots, int64_t stride, int64_t count, int64_t from, int64_t to);
/* One grain of normalised input, [elements][lanes], from uint8 images:
 * out = (pixel / 255 - mean[channel]) / std[channel].  images[lane] NULL: zeros. */
void net_load_grain(real *out, const uint8_t *const *images, int lanes, NetShape shape,
                    const real *scale, const real *shift);
/* The same in two passes, with plain loops: pixels to lanes, and lanes to input. */
void net_transpose_pixels(real *out, const uint8_t *const *images, int lanes, NetShape shape);
void net_normalise_grain(real *out, const uint8_t *const *images, int lanes, NetShape shape,
                         const real *scale, const real *shift);
/* One grain of input that is normalised already: out[element][lane] = images[lane][element]. */
void net_transpose_grain(real *out, const float *const *images, int lanes, int64_t elements);

/* --------------------------------------------------------------- data/ */

/* data/arrays.h: what a data set is. */

/* data/nouns.c: what the examples of a network's data are called. */
NetNoun net_noun(const NetModel *model);
/* Likewise of those that were read: what is flat may be no picture. */
NetNoun net_noun_of(const NetModel *model, const NetImages *made);
/* The text with the noun in the place of each {one}, {many}, {a} and {values}, cut where there is
 * no room. */
char *net_put_noun(char *text, size_t size, const char *template, NetNoun noun);

/* data/data.c: finds what the source is: a directory with the IDX files, the CIFAR binaries or
 * images by class, a known set's name, "synthetic", or what a reader of data/readers.h reads; and
 * binds it to the model. */
bool net_data_open(NetData *data, const NetOpening *opening, NetError *error);
void net_data_close(NetData *data);
/* The image that an input is shown: itself, or of a flat input [n] the most
 * nearly square grey image with n pixels (784: 28 x 28). */
NetShape net_image_shape(NetShape input);

/* data/validation.c: by which images a run is judged. */
/* order[from … to), or from … to where order is NULL. */
typedef struct NetJudged {
    const char *name; /* "validation" or "test" */
    const NetImages *images;
    const int32_t *order;
    int64_t from, to;
    struct NetFetch *fetch; /* of several ranks, where none holds what it tests; or NULL */
} NetJudged;
NetJudged net_judged(const NetData *data);
/* That are trained on. */
int64_t net_trained_images(const NetData *data);
/* Takes a part of the training images to judge by; `by_class`: as large a part of each class. */
bool net_split_training(NetData *data, double part, bool by_class, uint64_t seed, NetError *error);
/* The training images in an epoch's order, shuffled, to order[0 … net_trained_images()). */
void net_order_images(int32_t *order, const NetData *data, uint64_t seed, uint64_t epoch);
/* Where an epoch's batches begin in their examples: a text is cut anew in each epoch, so that each
 * character is met at each place.  Of other data 0. */
int64_t net_text_offset(const NetData *data, uint64_t seed, uint64_t epoch);
/* Reads others: a folder with a folder for each class, or what net_data_open reads, of which it is
 * the test images, or all where there are no test images. */
bool net_validation_open(NetData *data, const NetOpening *opening, NetError *error);
/* data/text.c: likewise a text, by the characters' numbers of the text that is trained on. */
bool net_validation_text(NetData *data, const NetOpening *opening, NetError *error);

/* train/generate.c: goes on with a text, character by character. */
typedef struct NetGenerate {
    const char *prompt;
    int64_t count;      /* characters that are added */
    double temperature; /* the logits are divided by it; 0: the likeliest is taken */
    int64_t top_k;      /* of so many likeliest; 0: of all */
    uint64_t seed;
    bool no_cache; /* each character goes through the whole window */
} NetGenerate;
/* Whether the network takes characters and gives them. */
bool net_can_generate(const NetModel *model);
bool net_generate(NetSession *session, const NetGenerate *options, FILE *out, NetError *error);
/* data/held.c: some of a split's images, or all.  Reads image number `index` to `pixels`. */
typedef bool NetReadOne(void *source, int64_t index, uint8_t *pixels, NetError *error);
/* images->count and held are set: makes and fills the first array, "image", of pixels. */
/* Where not all are held or kept, the digest below is made of images that are read for it. */
bool net_read_sample(NetImages *images, NetReadOne *read, void *source, NetError *error);
bool net_read_held(NetImages *images, NetShape shape, NetReadOne *read, void *source,
                   NetError *error);
int64_t net_held_count(const NetImages *images);
/* Of the first array an example that is held; of a text `offset` values on. */
const uint8_t *net_image_at(const NetImages *images, int64_t index, int64_t offset);
/* A digest of a few hundred images' pixels, spread evenly. */
uint64_t net_sample_digest(const NetImages *images);

/* data/identity.c: what tells a data set from another, as texts. */
enum {
    NET_TRAIN_IMAGES,
    NET_TEST_IMAGES,
    NET_IMAGE_SIZE,
    NET_DATA_CLASSES,
    NET_TRAIN_LABELS,
    NET_TRAIN_PIXELS,
    NET_TEST_LABELS,
    NET_TEST_PIXELS,
    NET_VALIDATION_IMAGES,
    NET_VALIDATION_DIGEST,
    NET_DATA_TRAITS
};
enum { NET_IDENTITY_TEXT = 72 }; /* bytes of one trait's text */
typedef struct NetIdentity {
    char what[256], texts[NET_DATA_TRAITS][NET_IDENTITY_TEXT];
    NetNoun noun;
    bool further; /* the network has several inputs: they are looked at with the labels */
} NetIdentity;
void net_data_identify(NetIdentity *identity, const NetData *data);
const char *net_identity_key(int trait); /* in a checkpoint's metadata */
/* What a checkpoint means that does not say it; NULL: every one does. */
const char *net_identity_default(int trait);
/* False with a sentence that names both and says what differs, and what to do with the
 * checkpoint. */
bool net_identity_same(const NetIdentity *theirs, const NetIdentity *ours, const char *checkpoint,
                       NetError *error);

/* data/idx.c: one pair of IDX files, gzipped or not (zlib reads both).
 * http://yann.lecun.com/exdb/mnist/ */
bool net_read_idx(NetImages *images, const char *images_path, const char *labels_path,
                  NetError *error);
/* data/cifar.c: CIFAR-10's and -100's binary batches.
 * https://www.cs.toronto.edu/~kriz/cifar.html */
bool net_read_cifar(NetImages *images, int classes, const char *const *paths, int path_count,
                    NetError *error);
/* data/synthetic.c: digits drawn as strokes under random affine maps and noise; example i of a
 * split depends only on seed, split and i.  images->held says which are drawn.  There is a target
 * for each that the model wants: of a digit its number; of a class for each pixel where the ink
 * is; of numbers some that follow from the digit, 0 and 1. */
bool net_draw_synthetic(NetImages *images, int64_t count, const NetModel *model, uint64_t seed,
                        int split, NetError *error);
/* Noise for each input and, of what is allowed, for each target: every value matters. */
bool net_draw_noise(NetImages *images, int64_t count, const NetModel *model, uint64_t seed,
                    NetError *error);
/* data/fit.c: how a picture of any size becomes the network's, keeping its form: resized, so that
 * its shorter side is resize[0], or where resize[1] is not 0 to this height and width, and then cut
 * to crop, a height and a width, of the middle, with black where it is smaller.  What is 0 is not
 * done; all 0: it is stretched. */
typedef struct NetFit {
    int64_t resize[2], crop[2];
} NetFit;
NetFit net_fit_of(const NetSettings *settings);             /* `test` */
NetFit net_resize_of_training(const NetSettings *settings); /* `augment resize`, first */
bool net_fits(const NetFit *fit);                           /* anything is done */
/* Training images stay in their own sizes, for a crop of augment's. */
bool net_keeps_sizes(const NetSettings *settings);
/* So many pixels of the shorter side are enough. */
int64_t net_fit_least(const NetFit *fit);
NetShape net_fit_resized(const NetFit *fit, NetShape own);
/* [c][h][w] of `own` becomes what fit says. */
bool net_fit_picture(uint8_t *to, const uint8_t *from, NetShape own, const NetFit *fit,
                     NetError *error);
/* data/image.c: a PNG, JPEG, BMP or WebP file as [c][h][w] in the network's shape: grey or
 * RGB as it has channels, turned as its Exif says, and stretched to its size by area averaging or
 * brought to it as `fit` says. */
bool net_read_image(uint8_t *pixels, NetShape shape, const NetFit *fit, const char *path,
                    NetError *error);
/* Likewise in its own size, [shape->c][shape->h][shape->w]; free() it.  A side of `least` pixels is
 * enough.  NULL: *error says why. */
uint8_t *net_read_whole_image(NetShape *shape, int64_t channels, int64_t least, const char *path,
                              NetError *error);
/* What of a picture is asked for: its pixels; the numbers that are stored, where they are classes;
 * how large it is. */
typedef enum NetPictureUse {
    NET_PICTURE_PIXELS,
    NET_PICTURE_NUMBERS,
    NET_PICTURE_SIZE
} NetPictureUse;
/* A picture that is read. */
typedef struct NetPicture {
    NetPictureUse use;
    int channels;  /* 1 or 3: asked for */
    int64_t least; /* a decoder that can give half a picture does while each side has so many */
    int64_t height, width;
    uint8_t *pixels; /* [height][width][channels]; free() it */
    int orientation; /* Exif's, 1 to 8 */
} NetPicture;
/* Fills in a picture as its use, channels and least say. */
bool net_read_any_picture(NetPicture *picture, const char *path, NetError *error);
/* A decoder's failure, false: of the file's content for the library's `reason`, or
 * of reading it or of memory, which errno tells. */
bool net_picture_failed(FILE *file, const char *kind, const char *path, const char *reason,
                        NetError *error);
/* The same, and where the file ended if that was it. */
bool net_picture_ended(FILE *file, const char *kind, const char *reason, const char *path,
                       NetError *error);
bool net_check_image_size(int64_t width, int64_t height, const char *path, NetError *error);
/* Takes over `count` pixels of 1 to 4 channels (grey, grey and alpha, RGB, RGB and alpha) and
 * gives them as the network has channels, 1 or 3, for the caller to free(): on white where
 * transparent, grey by ITU-R BT.601.  NULL: no memory. */
uint8_t *net_take_pixels(uint8_t *pixels, int stored, int channels, int64_t count, NetError *error);
/* data/png.c, data/jpeg.c, data/bmp.c, data/webp.c: fill in a picture.  False: *error says why,
 * and it has no pixels. */
typedef bool NetDecode(NetPicture *picture, FILE *file, const char *path, NetError *error);
NetDecode net_decode_png, net_decode_jpeg, net_decode_bmp, net_decode_webp;
/* data/resize.c: to [c][h][w], c being the picture's channels. */
bool net_resize(uint8_t *to, NetShape shape, const NetPicture *picture, NetError *error);
/* data/exif.c: how a picture was stored, of an Exif block from its TIFF header on. */
enum { NET_UPRIGHT = 1 };
int net_exif_orientation(const uint8_t *exif, size_t count);
static inline bool net_is_turned(int orientation) /* height is width */
{
    return orientation >= 5;
}
/* [c][h][w] of `shape` from the same picture as it was stored. */
void net_turn(uint8_t *to, NetShape shape, const uint8_t *from, int orientation);

/* -------------------------------------------------------------- train/ */

/* A function compiled once for each width of vectors, of which the machine
 * selects one.  Element by element the results are the same bits: gcc fuses no
 * multiply with an add under -std=c11.  Not under a sanitizer, which is not yet
 * awake when the choice is made. */
#if defined __x86_64__ && defined __GLIBC__ && !defined __SANITIZE_THREAD__ \
    && !defined __SANITIZE_ADDRESS__ && !defined __clang__
#define NET_EACH_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define NET_EACH_WIDTH
#endif

enum {
    NET_RANGE_UNIT = 16, /* elements: a thread's range of the weights is a multiple */
    NET_MAX_LANES = 64,
    NET_MAX_RANK = 8,     /* of a tensor in a file */
    NET_SHAPE_TEXT = 192, /* bytes that any shape's text fits in */
};

/* train/notes.c: sentences to tell a user that stop nothing. */
typedef struct NetNotes {
    char **lines;
    int count;
} NetNotes;
void net_note(NetNotes *notes, const char *template, ...) PRINTF(2, 3); /* NULL: nobody is told */
void net_notes_close(NetNotes *notes);

/* train/settings.c: the train section's settings by path, as the command line
 * and a resumed checkpoint change them. */
typedef struct NetValue {
    const char *path;
    const char *word; /* NULL: numbers */
    int count;
    double *numbers;
    const double *compiled; /* as the .net file has them */
    bool given;             /* on the command line */
} NetValue;
typedef struct NetSettings {
    NetValue *values;
    int count;
} NetSettings;
bool net_settings_open(NetSettings *settings, const NetModel *model, NetError *error);
void net_settings_close(NetSettings *settings);
/* The value of a path, or `fallback` where the network has no such setting. */
double net_setting(const NetSettings *settings, const char *path, double fallback);
const char *net_setting_word(const NetSettings *settings, const char *path, const char *fallback);
bool net_setting_changeable(const NetValue *value); /* not compiled into the program */
/* Whether the .net file does not say it, nor anybody since. */
bool net_setting_is_default(const NetValue *value);
const NetValue *net_setting_find(const NetSettings *settings, const char *path); /* NULL: none */
/* From text: a number, or a list with commas, within the range the path allows.
 * `option` is what the user wrote and what a message names. */
bool net_setting_set(NetSettings *settings, const char *path, const char *text, const char *option,
                     NetError *error);
/* A whole number or a decimal one, all of `text`, in the range; false and the range otherwise. */
bool net_parse_number(double *number, const char *text, bool whole, double min, double max,
                      const char *option, NetError *error);
/* Numbers with commas between them, to free(); with 17 digits every double comes
 * back, with fewer they are for people.  NULL: no memory. */
char *net_numbers_text(const double *numbers, int64_t count, int digits);

/* train/schedules.c: the learning rate of a step. */
/* of one_cycle */
typedef struct NetCycle {
    double total, max_lr, pct_start, div_factor, final_div_factor, base_momentum, max_momentum;
    bool linear, three_phase, cycle_momentum;
} NetCycle;
/* of plateau */
typedef struct NetPlateau {
    double factor, threshold, min_lr, eps;
    int64_t patience, cooldown; /* epochs */
    bool rises, relative;       /* the figure should, else fall; of the best figure */
    const char *monitor;        /* the figure's name; NULL: the loss, or what else is judged by */
} NetPlateau;
typedef struct NetPlateauState {
    double best;
    int64_t bad, cooling, drops; /* epochs; epochs; how often the rate was lowered */
    bool judged;                 /* there is a best figure */
} NetPlateauState;
typedef struct NetSchedule {
    const struct NetScheduleKind *kind;
    double eta_min, warmup, t_max, gamma, step_size;
    const double *milestones; /* in the settings */
    int milestone_count;
    NetCycle cycle;
    bool by_step;
    double warmup_decay; /* negative: none */
    double start_factor, end_factor, total_iters, power, timescale, t_0, t_mult;
    NetPlateau plateau;
    NetPlateauState state; /* a checkpoint keeps it */
} NetSchedule;
bool net_schedule_open(NetSchedule *schedule, const NetSettings *settings, int64_t steps_per_epoch,
                       NetError *error);
/* Of parameters whose own learning rate is `lr`; step and epoch from 0. */
double net_schedule_lr(const NetSchedule *schedule, double lr, int64_t step, int64_t epoch);
/* Of schedules that also move the momentum; -1: not this one. */
double net_schedule_momentum(const NetSchedule *schedule, int64_t step, int64_t epoch);
double net_schedule_max_momentum(const NetSettings *settings);
/* Whether it goes by a figure of each epoch; then it is told, of epochs from 0. */
bool net_schedule_judges(const NetSchedule *schedule);
void net_schedule_judge(NetSchedule *schedule, int64_t epoch, double figure);

/* train/clip.c */
typedef struct NetClip {
    double norm, value, adaptive; /* negative: none */
    double eps;                   /* of adaptive: a unit's weights count as no smaller */
    double *squares;              /* [pieces]: sums of the gradient's squares */
    int64_t pieces;
} NetClip;

/* train/optimizers.c: a new optimizer is one function and one entry of a table. */
enum { NET_MAX_SLOTS = NET_MAX_READS - 1 };
typedef struct NetRates {
    double lr, momentum, dampening, weight_decay, beta1, beta2, eps, alpha;
    bool nesterov, amsgrad, centered;
    int64_t updates; /* with this one, so 1 the first time */
    double rho, lr_decay, initial, momentum_decay, trust, adam_eps;
    double mu, mu_next, mu_product; /* nadam's momentum, now and next, and the product so far */
    int ns_steps;
    bool decoupled, eps_inside, lr_in_momentum, match_rms;
} NetRates;
typedef struct NetGroup {
    double base_lr, lr, weight_decay;
    double plain_base, plain_lr; /* likewise, of layers that lars, lamb and muon do not adapt */
    double max_norm;             /* of each unit of its weights; 0: no bound */
    bool adapts, clips;
} NetGroup; /* lr: of this step */
/* of the weights: of one group */
typedef struct NetStretch {
    int64_t from, to;
    int group, layer; /* layer: as NetParameter has it */
} NetStretch;
/* A parameter, of an optimizer that looks at all of a layer. */
typedef struct NetMoved {
    int64_t from, to;            /* of the weights */
    int64_t rows, columns;       /* of the matrix that it is: the first axis, and all others */
    int64_t first_piece, pieces; /* in which its squares are summed */
    int group, layer;            /* layer: as NetParameter has it */
    bool adapts;                 /* to the layer; false: the plain rule moves it */
} NetMoved;
typedef struct NetLayers {
    NetMoved *items;
    int count;
    int64_t pieces;
    double *weight_squares, *squares; /* [pieces]: of the weights, of what they move along */
    real *direction;                  /* [trained]; NULL: they move along the gradient */
    int64_t direction_elements;
    real *room; /* of a matrix that is made orthogonal; NULL: none is */
    int64_t room_elements;
    int rounds; /* in which all matrices are */
} NetLayers;
/* train/unitwise.c: what makes one output: a row of the first axis, or all of a single one. */
typedef struct NetUnit {
    int64_t from, to; /* of the weights */
    bool clips;
    double max_norm; /* 0: no bound */
} NetUnit;
typedef struct NetUnits {
    NetUnit *items; /* of all that is moved; none where neither is asked for */
    int64_t count;
    double *factors; /* [count]: what each one's gradient is multiplied by */
    bool bounded;    /* some have a bound */
} NetUnits;
/* train/average.c: a running average of the weights and the running statistics. */
typedef struct NetAverage {
    double decay;
    int64_t every, warmup;   /* steps; epochs in which it is a copy */
    real *weights, *buffers; /* NULL: there is none */
    int64_t updates;         /* since it was a copy last */
    bool in_use;             /* it and the session's have changed places */
} NetAverage;
typedef struct NetOptimizerKind NetOptimizerKind;
typedef struct NetOptimizer {
    const NetOptimizerKind *kind;
    NetRates rates;   /* but for lr and weight_decay, which are the groups' */
    NetGroup *groups; /* the first: of the parameters in no group */
    int group_count;
    NetStretch *stretches; /* ascending; what is in none is frozen */
    int stretch_count;
    real *state[NET_MAX_SLOTS]; /* each as long as the weights; NULL: not used with these rates */
    NetClip clip;
    NetUnits units;
    double layer_decay; /* of the rate, from one layer to the one before */
    NetLayers layers;   /* of a layerwise one */
    double mu_product;  /* nadam's, of all steps so far: a part of its state */
    NetAverage average;
} NetOptimizer;
bool net_average_open(NetAverage *average, const NetModel *model, const NetSettings *settings,
                      NetError *error);
void net_average_close(NetAverage *average);
/* Before the first step: it is a copy, unless a checkpoint had it. */
void net_average_begin(NetAverage *average, const NetSession *session);
/* After that many steps, in an epoch from 0. */
void net_average_step(NetAverage *average, const NetSession *session, int64_t step, int64_t epoch);
/* The average becomes the session's weights, to test and to save, and the other way round. */
void net_average_exchange(NetAverage *average, NetSession *session);
bool net_optimizer_open(NetOptimizer *optimizer, const NetModel *model, const NetSettings *settings,
                        NetError *error);
void net_optimizer_close(NetOptimizer *optimizer);
const char *net_optimizer_name(const NetOptimizer *optimizer);
/* What follows from a step's number, from 0, without its rates. */
void net_optimizer_count(NetOptimizer *optimizer, int64_t step);
const char *net_optimizer_slot(const NetOptimizer *optimizer, int slot); /* "momentum_buffer" */
/* The rates of a step, from 0. */
void net_optimizer_schedule(NetOptimizer *optimizer, const NetSchedule *schedule, int64_t step,
                            int64_t epoch);
/* weights[from … to) by the mean gradient, of which gradient[0 … to - from) is theirs. */
void net_optimizer_update(const NetOptimizer *optimizer, real *weights, int64_t from, int64_t to,
                          const real *gradient);

/* train/layerwise.c: optimizers that look at all of a layer before they move it.  The threads meet
 * between these, and then update. */
bool net_is_layerwise(const NetOptimizer *optimizer);
/* The state and the direction of weights[from … to). */
void net_optimizer_direct(const NetOptimizer *optimizer, real *weights, int64_t from, int64_t to,
                          const real *gradient);
/* The squares of the weights and of the direction, of these pieces. */
void net_layers_measure(const NetOptimizer *optimizer, const real *weights, const real *gradient,
                        int64_t first, int64_t end);
/* A thread's part of a round of layers.rounds. */
void net_layers_round(const NetOptimizer *optimizer, int round, int thread, int threads);

/* Gradients within bounds: where there is a norm, all pieces are measured
 * before any of the gradient is changed. */
bool net_clip_open(NetClip *clip, const NetSettings *settings, int64_t trained, NetError *error);
void net_clip_close(NetClip *clip);
/* pieces */
void net_clip_measure(const NetOptimizer *optimizer, const real *gradient, int64_t first,
                      int64_t end);
void net_clip_apply(const NetOptimizer *optimizer, real *gradient, int64_t from, int64_t to);

/* Where the clip is adaptive, all units are measured before any of the gradient is changed: in the
 * first a step's whole gradient, in the second gradient[0 … to - from) that of the weights from
 * `from` on. */
bool net_units_open(NetOptimizer *optimizer, const NetModel *model, NetError *error);
void net_units_close(NetOptimizer *optimizer);
void net_units_measure(const NetOptimizer *optimizer, const real *weights, const real *gradient,
                       int64_t first, int64_t end);
void net_units_clip(const NetOptimizer *optimizer, real *gradient, int64_t from, int64_t to);
/* Of units whose weights were all moved: brings them within their bounds. */
void net_units_bound(const NetOptimizer *optimizer, real *weights, int64_t first, int64_t end);

/* train/initial.c: each parameter from its own stream of random numbers. */
bool net_initialise(const NetModel *model, real *weights, real *buffers, int64_t *counters,
                    uint64_t seed, NetError *error);

/* What times the parts of a program, on one thread: see train/profile.c. */

typedef struct NetTensorFile NetTensorFile; /* see train/safetensors.c below */

/* What the grains of a step have. */
typedef struct NetArenas {
    real *kept, *filters, *input, *loss, *gradients;
} NetArenas;

/* train/heads.c: other outputs than the last that losses hold against something of the data, and
 * that are there when the network answers. */
enum { NET_MAX_HEADS = 7, NET_FIGURE_NAME = 64 };
typedef struct NetHead {
    int output, target; /* of NetModel.outputs, of NetModel.wanted */
    NetMeaning says;
} NetHead;
int net_find_heads(NetHead heads[NET_MAX_HEADS], const NetModel *model);
/* The largest of a position's classes, `step` values apart. */
int64_t net_largest(const real *first, int64_t step, int64_t classes);

/* train/session.c */
struct NetSession {
    const NetModel *model;
    NetShape image; /* what the data hold: the input, or the image it is the values of */
    NetFit fit;     /* how pictures become that */
    NetPool *pool;
    bool training;       /* has gradients, and room for the training program */
    bool own_norms;      /* each rank's batch norms are over its own images alone */
    bool keep_gradients; /* a step that moves the weights leaves all of its gradient, too */
    int64_t batch, max_grains;
    real *weights, *buffers, *gradients, *kept, *filters, *input, *loss, *active;
    int64_t *counters;
    void *targets[NET_MAX_TARGETS]; /* as NetStep.targets */
    /* train/units.c: of each target means, then deviations, [NET_NORMAL_PARTS][elements]; NULL: it
     * is as it is.  Known: the weights or the data have said so */
    double *units[NET_MAX_TARGETS];
    bool units_known;
    /* [grains][NetModel.targets][lanes]: the class with the largest logit; and the one that it is
     * held against, -1: none */
    int32_t *predicted, *truth;
    double *figure_sums; /* [images][net_sum_count()]; NULL: there is no target */
    NetHead heads[NET_MAX_HEADS];
    int head_count;
    int64_t *counts, count_count; /* figures.c's own */
    double *image_weights;       /* [batch]: what an image's targets count; see NetTarget.weights */
    real *scale, *shift;         /* [channels]: of the normalisation */
    double *normal, *own_normal; /* [NET_NORMAL_PARTS][channels]: in use, and the settings' */
    real **scratch;              /* [threads] */
    char *shared; /* train/join.c: a training step's arenas, and the weights; NULL: they are not */
    int64_t shared_bytes;
    NetArenas together;
    int first_thread, all_threads; /* of the ranks before this one; of all */
    int64_t gradient_stride;
    uint64_t seed, steps;          /* training steps done */
    NetHook *hook;                 /* is called after each part of a program; NULL: none is */
    struct NetOneImage *one_image; /* train/one_image.c; NULL: none came yet by itself */
    bool one_image_failed;         /* there was no memory for it */
    struct NetOneImage *one_row;   /* likewise, of one step of a sequence */
    bool one_row_failed;
    const char **class_names;            /* [classes]; NULL: not known */
    char *class_lines;                   /* the same, a line each */
    char *recipe;                        /* NetData.recipe of what it was trained on; NULL: none */
    real *further_scale, *further_shift; /* of the inputs behind the first, one after the other */
    /* whose gradients a step adds up; more than 1 where a norm is over a pass's images */
    int passes;
    real *sum;    /* [gradient_stride]: of the passes so far; NULL: there is one */
    real *shares; /* [max_grains * lanes]: NetStep.shares */
};
NetSession *net_session_open(const NetModel *model, int threads, int64_t batch, uint64_t seed,
                             bool training, NetError *error);
/* Whether something is normalised over the images of a batch. */
bool net_has_batch_norms(const NetModel *model);
/* Steps add up the gradients of so many batches. */
bool net_session_accumulate(NetSession *session, int passes, NetError *error);

/* train/normal.c: the normalisation of pixels, which goes with the weights. */
enum { NET_MEAN, NET_STD, NET_NORMAL_PARTS };
/* Uses the settings' normalize.mean and normalize.std, one number or one per channel. */
bool net_session_normalise(NetSession *session, const NetSettings *settings, NetError *error);
/* A file's, [NET_NORMAL_PARTS][channels], the session's own where it does not say; free() it.
 * NULL: *error says why. */
double *net_normal_read(const NetSession *session, const NetTensorFile *file, NetError *error);
void net_normal_use(NetSession *session, const double *numbers);
const char *net_normal_key(int part); /* in the metadata */
/* the one in use; free() it. NULL: no memory */
char *net_normal_text(const NetSession *session, int part);
/* After weights were read: what the command line gave is used all the same; notes
 * say where the weights' differs from the settings'. */
void net_normal_settle(NetSession *session, const NetSettings *settings, const char *weights,
                       NetNotes *notes);

/* train/one_image.c: one image by the program for it: its logits, [classes], good until the next
 * call; NULL: there is no such program. */
typedef struct NetOneImage NetOneImage;
/* normalised; further: as NetBatch has it */
const real *net_one_image_floats(NetSession *session, const float *pixels,
                                 const float *const *further);
/* After one of these: a named output, as long as its logits are good. */
const real *net_one_image_output(const NetSession *session, int output);
/* Of an image whose first input is bytes. */
const real *net_one_image_bytes(NetSession *session, const NetImages *images, int64_t index);
/* The same of a sequence, step by step: begins one; false: there is no program for it, or no
 * memory … */
bool net_rows_begin(NetSession *session);
/* … and, as often as the input has steps, what the network makes of the next one's whole number:
 * its outputs, [classes], good until the next call. */
const real *net_rows_next(NetSession *session, int64_t number);
void net_weights_changed(NetSession *session); /* must be said when weights or buffers were */

/* derive.c: weights that are made of what is learned.  Said by net_weights_changed(). */
void net_derive(const NetModel *model, real *weights, const real *buffers);
void net_first_magnitudes(const NetModel *model, real *weights);
/* Of a gradient that is summed over all grains: those of the sources follow from the weights'. */
void net_derive_gradients(const NetModel *model, const real *weights, const real *buffers,
                          real *gradients);
/* spectral.c: a matrix over its largest singular value.  A training step begins with some power
 * iterations, and what follows from them; a network begins with vectors that fit its weights. */
bool net_has_spectral(const NetModel *model);
void net_power_iterations(const NetModel *model, real *weights, real *buffers);
void net_first_vectors(const NetModel *model, const real *weights, real *buffers);
void net_spectral_derive(const NetDerived *derived, real *weights, const real *buffers);
void net_spectral_gradient(const NetDerived *derived, const real *weights, const real *buffers,
                           real *gradients);
void net_one_image_close(NetSession *session);

/* train/classes.c: what each class is called.  `lines` has a line for each;
 * `where` they stand is for the message. */
bool net_name_classes(NetSession *session, const char *lines, const char *where, NetError *error);
void net_forget_classes(NetSession *session);
/* The data's names, where they have any: they become the session's, or must be
 * what the session's are. */
bool net_take_classes(NetSession *session, const NetData *data, NetError *error);

/* train/recipe.c: NULL: there is none. */
bool net_recipe_set(NetSession *session, const char *text, NetError *error);
/* The data's becomes the session's, or must be what the session's is. */
bool net_take_recipe(NetSession *session, const NetData *data, NetError *error);

/* train/units.c: targets that are standardised.  Those of the data, unless the session's weights
 * have said; false: no memory. */
bool net_units_take(NetSession *session, const NetData *data, NetError *error);
bool net_units_read(NetSession *session, const NetTensorFile *file, NetError *error);
void net_units_forget(NetSession *session);
/* Keys and values for the metadata, which the caller frees, a NULL among them where there was no
 * memory; gives how many strings. */
enum { NET_UNIT_KEY = 96, NET_UNIT_PAIRS = 4 * NET_MAX_TARGETS, NET_SHOWN_UNITS = 512 };
int net_units_write(const NetSession *session, char *pairs[NET_UNIT_PAIRS]);
/* One value of the target's, as the network gives it, in the target's own unit; and back. */
double net_to_unit(const NetSession *session, int target, int64_t element, double value);
double net_from_unit(const NetSession *session, int target, int64_t element, double value);
/* Of whole outputs, [images][elements of the target's shape]; target below 0: they have no unit. */
void net_answer_in_unit(const NetSession *session, int target, float *values, int64_t images);
/* "target price mean 310.2, deviation 95.1; …", cut where there is no room; "": none is. */
const char *net_units_text(char *text, size_t size, const NetSession *session);

/* data/augment.c: what is done at random to each training image. */
typedef struct NetRange {
    double low, high;
} NetRange;
/* What stands beyond an image's edges: torchvision's padding modes, of numpy's names.  Of abcd:
 * edge aa|abcd|dd, reflect cb|abcd|cb, symmetric ba|abcd|dc. */
typedef enum NetBorderMode {
    NET_BORDER_CONSTANT,
    NET_BORDER_EDGE,
    NET_BORDER_REFLECT,
    NET_BORDER_SYMMETRIC
} NetBorderMode;
enum { NET_MAX_FILLS = 4 };
typedef struct NetBorder {
    NetBorderMode mode;
    uint8_t fill[NET_MAX_FILLS]; /* of the channels, the last of those behind it too */
} NetBorder;
typedef struct NetAugmentStep {
    const struct NetAugmentKind *kind;
    uint64_t salt;
    double p, translate_x, translate_y;
    NetRange degrees, scale, scale_y, shear_x, shear_y; /* scale_y of 0: as scale */
    NetBorder border;
    int64_t pad_y, pad_x, side;
    bool bilinear;
    NetRange ratio, jitter[4];   /* of a window's sides; brightness, contrast, saturation, hue */
    double magnitude, deviation; /* of rand_augment; magnitude -1: it is drawn */
    int operations, bins;
    const void *list;            /* operations.c's: what is drawn of */
    bool noisy;                  /* random_erasing leaves noise */
    double value[NET_MAX_FILLS]; /* else this, normalised */
    double eigval[3], eigvec[9]; /* of lighting: of the colours' covariance */
    bool fills_targets;          /* from beyond the edges a target gets … */
    double target_fill;          /* … this, as the network has it */
} NetAugmentStep;
enum { NET_MAX_AUGMENT_STEPS = 16 };
typedef struct NetAugment {
    NetAugmentStep steps[NET_MAX_AUGMENT_STEPS];
    int count;      /* 0: images stay as they are */
    NetShape shape; /* of an image */
    int sizing;     /* the step that cuts images of their own sizes; -1: they have this one */
    NetFit resize;  /* of those before it */
    int lanes;
    double *normal; /* [2][channels]: mean and deviation of the normalisation, in levels */
    uint8_t *room;  /* [threads][lanes + 3][elements] */
    /* moved.c: [threads][3][elements] of the largest target; NULL: none moves */
    double *target_room;
    int64_t target_elements;
    uint64_t seed, epoch;
    double mixup_alpha, cutmix_alpha; /* 0: not */
    /* repeat.c: so often an image comes in a step; images of a step, of an epoch */
    int64_t repeats, step_images, images;
} NetAugment;
/* data/repeat.c: an image several times in a step, each time with draws of its own.  Says how many
 * images a step and an epoch have. */
void net_repeat_begin(NetAugment *augment, int64_t step_images, int64_t images);
/* An epoch's order, [images], becomes one in which they are repeated. */
void net_repeat_order(const NetAugment *augment, int32_t *order);
/* What the draws of the image that has this place in that order go by: its index for the first of
 * its copies. */
int64_t net_repeat_key(const NetAugment *augment, int64_t index, int64_t position);
/* data/mix.c: how the images of a step are mixed in pairs. */
typedef struct NetMixing {
    bool mixes, pastes;               /* by a rectangle of the other, else by a sum */
    double share;                     /* of the image's own target; the rest is the other's */
    int64_t top, bottom, left, right; /* of the rectangle */
} NetMixing;
/* Of the step whose first image has this number in the epoch's order. */
NetMixing net_mix_draw(const NetAugment *augment, int64_t first);
/* The batch's image with which one of it is mixed; itself: with none. */
int64_t net_mix_partner(const NetMixing *mixing, int64_t image, int64_t count);
bool net_augment_open(NetAugment *augment, const NetSettings *settings, NetShape shape, int lanes,
                      int threads, uint64_t seed, NetError *error);
void net_augment_close(NetAugment *augment);
bool net_augments(const NetAugment *augment); /* whether it does anything */
/* Pictures are augmented as bytes; data whose examples are other numbers are refused. */
bool net_augment_check(const NetAugment *augment, const NetData *data, NetError *error);
/* data/moved.c: room for the targets that move with the image: those of [planes, height, width]. */
bool net_targets_open(NetAugment *augment, const NetModel *model, const NetImages *images,
                      int threads, NetError *error);
/* An example's values of a target, as the array has them, or what they become in the thread's room,
 * until its next call: moved as the image of this key is.  augment NULL: as they are. */
const void *net_augment_target(const NetAugment *augment, const NetTarget *target,
                               const NetArray *array, const void *values, int64_t key, int thread);
/* train/session.c: all of that for the session's steps on these data. */
bool net_augment_begin(NetAugment *augment, const NetSettings *settings, const NetSession *session,
                       const NetData *data, NetError *error);
/* What an image and another become, in the thread's room for the first one's lane.  The other was
 * made in lane augment->lanes. */
const uint8_t *net_augment_mix(const NetAugment *augment, const uint8_t *own, const uint8_t *other,
                               const NetMixing *mixing, int thread, int lane);
/* The image, or what was made of it in the thread's room for this lane.  `sized`: the step
 * `sizing` was done already, by net_augment_size.  `key`: see net_repeat_key(). */
const uint8_t *net_augment_image(const NetAugment *augment, const uint8_t *image, int64_t key,
                                 bool sized, int thread, int lane);
/* An image of its own size becomes one of the network's. */
bool net_augment_size(const NetAugment *augment, uint8_t *to, const uint8_t *image, NetShape own,
                      int64_t key, NetError *error);
/* Of the crop by which images get the network's size: random_crop's size and padding; all 0 where
 * it is another, which any image is large enough for. */
typedef struct NetCrop {
    int64_t h, w, pad_y, pad_x;
} NetCrop;
NetCrop net_crop_of(const NetSettings *settings);
bool net_crop_fits(const NetCrop *crop, NetShape own);

/* Which images a pass takes: order[first], …, or first, … where order is NULL. */
/* Takes the logits of image i of a batch, `stride` apart, from the thread that made them. */
typedef void NetTake(void *to, int64_t image, const real *logits, int64_t stride,
                     const NetModel *model);

/* Takes what the program left of image i: outputs[k][element * stride]. */
typedef void NetTakeOutputs(void *to, int64_t image, const real *const *outputs, int64_t stride);
enum { NET_MAX_OUTPUTS = 64 };

typedef struct NetBatch {
    const NetImages *images;
    const uint8_t
        *fetched; /* where not all are held: the pixels of the rank's, from `first` on … */
    int64_t fetched_first; /* … and this one of the batch, in the batch's order; NULL: not */
    const float *pixels;   /* instead: [count][c][h][w], normalised, without targets */
    const int32_t *order;
    int64_t first, count;
    int64_t end;                  /* the images of the next batches are below it; 0: all */
    int64_t offset;               /* of a text's stretches, this time */
    const NetAugment *augment;    /* NULL: images as they are */
    NetTake *take;                /* is given each image's logits; NULL: nobody wants them */
    NetTakeOutputs *take_outputs; /* and each one's named outputs, likewise */
    void *to;
    /* beside pixels: of each further input [count][elements], as they are; NULL: zeros, likewise */
    const float *const *further;
    int pass;       /* of a step of several: its number; its part of the gradient … */
    double portion; /* … is multiplied by this: images of the step that are its; 0: all are */
    bool more;      /* others follow, and no weight moves yet */
    NetMixing mixing;
} NetBatch;
/* train/inputs.c: the inputs behind the first. */
int64_t net_input_elements(const NetModel *model); /* of all inputs: from a grain's to the next's */
bool net_open_further(NetSession *session, NetError *error);
void net_normalise_further(NetSession *session); /* as session->normal says */
/* A grain's, by the index of each lane's image. */
void net_load_further(const NetSession *session, const NetBatch *batch, real *grain,
                      const int64_t *indices);
/* Pixels to lanes, normalised, in one pass or in two. */
void net_load_pixels(const NetModel *model, real *to, const uint8_t *const *images, NetShape shape,
                     const real *scale, const real *shift);
/* Those of one image, as its program takes them. */
void net_place_further_floats(const NetModel *model, const float *const *further, real *to);
/* All inputs of a data set's example, likewise. */
void net_place_image(const NetSession *session, const NetImages *images, int64_t index, real *to);
/* Whether an input's values are bytes as the vectors' loops take them: pixels, or a text. */
bool net_is_bytes(const NetArray *array, int64_t numbers);
/* A grain's values of any kind, as they are, likewise. */
void net_load_array(real *to, const NetArray *array, const NetBatch *batch, const int64_t *indices,
                    int lanes);

/* The mean loss over the batch and how many were right. */
/* A network of one output gives a number, and one whose output is an image an image: there is no
 * class to be right about.  Other numbers may be held against classes. */
bool net_has_classes(const NetModel *model);
int64_t net_outputs(const NetModel *model); /* values of the output */
/* The target, of NetModel.wanted, that the output's figures are of; below 0: it has none. */
int net_main_target(const NetModel *model);
/* Where a position's class of an image is, in a session's truth and predicted. */
static inline int64_t net_target_place(const NetModel *model, int64_t image, int64_t position)
{
    return (image / model->lanes * model->targets + position) * model->lanes + image % model->lanes;
}
/* data/bind.c: the array of classes that the output is held against; NULL: it is of numbers, or
 * there is none. */
const NetArray *net_class_array(const NetModel *model, const NetImages *images);
/* train/classes.c: a class's name as it is shown, or its number where none is known. */
const char *net_class_shown(char *text, size_t size, const NetSession *session, int64_t class);
/* train/logcsv.c: a cell of a table, quoted where it has to be (RFC 4180). */
void net_put_cell(FILE *out, const char *text);
/* train/figures.c: what is told of a result: the loss and then what it is usually read as.  All
 * that prints, logs or compares results goes through this list. */
typedef struct NetFigure {
    char name[NET_FIGURE_NAME], key[NET_FIGURE_NAME]; /* "R²", "r2": as printed, and in a log */
    double value;
    bool percent; /* shown times 100, with % */
    bool larger_is_better;
    bool of_head; /* of another output than the last */
} NetFigure;
/* core/figure_list.h has their names. */
typedef enum NetFigureKind {
#define NET_FIGURE_KIND(constant, name, key, percent, larger) NET_FIGURE_##constant,
    NET_FIGURE_LIST(NET_FIGURE_KIND)
#undef NET_FIGURE_KIND
} NetFigureKind;
NetFigure net_figure(NetFigureKind kind, double value); /* of the last output */
enum { NET_MAX_FIGURES = 8 + 3 * NET_MAX_HEADS, NET_FIGURES_TEXT = 1024 };
typedef struct NetFigures {
    NetFigure items[NET_MAX_FIGURES];
    int count; /* 0: of no images */
} NetFigures;
/* train/measures.c: what a test measures besides the loss and the accuracy of classes. */
enum {
    NET_SUM_ANSWERS, /* of classes */
    NET_SUM_LABELS,  /* of yes and no */
    NET_SUM_CORRECT,
    NET_SUM_TOP5,
    NET_SUM_VALUES, /* of numbers */
    NET_SUM_ABSOLUTE,
    NET_SUM_SQUARED,
    NET_SUM_TARGETS,
    NET_SUM_TARGET_SQUARES,
    NET_SUMS
};
bool net_figures_open(NetSession *session, NetError *error);
void net_figures_begin(NetSession *session);
/* Of an image of a batch, whose output begins at `first`, its values NetModel.lanes apart; on any
 * thread. */
void net_figures_note(NetSession *session, int64_t image, const real *first);
/* The same of a head's output. */
void net_figures_note_head(NetSession *session, int head, int64_t image, const real *first);
/* NET_SUMS of the last output, and of each head. */
enum { NET_ALL_SUMS = NET_SUMS * (1 + NET_MAX_HEADS) };
int net_sum_count(const NetSession *session);
/* A batch's, to what there was before: net_sum_count() sums. */
void net_figures_add(const NetSession *session, int64_t images, double *sums);
NetFigures net_figures_made(const NetSession *session, double loss, const double *sums);
/* All that may be measured of such a network, with any values. */
NetFigures net_figures_possible(const NetModel *model);
double net_class_iou(const NetSession *session, int64_t class); /* NAN: it was not met */

typedef struct NetResult {
    double loss;
    int64_t correct; /* of all targets: an image has NetModel.targets */
    int64_t images;
    int64_t answers;     /* targets that are classes, and count */
    NetFigures measured; /* of a whole split */
} NetResult;

NetFigures net_figures(const NetResult *result);
void net_figures_add_one(NetFigures *figures, NetFigure figure);
/* By which epochs are compared: the accuracy, or where there are no classes the loss. */
const NetFigure *net_figure_judged(const NetFigures *figures);
/* The figure that `monitor=` names: by its key ("loss", "mean_iou", "aux_accuracy") of the images
 * that a run is judged by, with train_ in front of those it is trained on.  NULL: there is none,
 * as where no yes was among the labels. */
const NetFigure *net_figure_of(const NetFigures *trained, const NetFigures *judged,
                               const char *name);
bool net_figure_of_training(const char *name);
/* Whether such a network can have it, and what it is like; `by_class`: what is trained on has
 * classes that all count.  False: the message says who asked, as "the schedule plateau". */
bool net_figure_exists(NetFigure *figure, const NetModel *model, bool by_class, const char *name,
                       const char *who, NetError *error);
/* Whether it is better than another value of it, by more than `least`. */
bool net_figure_better(const NetFigure *figure, double than, double least);
/* "0.1234", or of a share "97.50 %" */
const char *net_value_text(char text[32], double value, bool percent);
/* "  test loss 0.1234  test accuracy 97.50 %", each behind `before`; empty of no figures. */
const char *net_figures_text(char text[NET_FIGURES_TEXT], const char *before,
                             const NetFigures *figures);
/* One training step: `optimizer`, unless NULL, moves the weights; a loss that is
 * not finite moves nothing, and the step does not count.  The mean gradient is
 * left in session->gradients[0 … trained) without an optimizer and where
 * session->keep_gradients asks for it. */
NetResult net_train_batch(NetSession *session, const NetBatch *batch,
                          const NetOptimizer *optimizer);
/* One pass of the inference program; the loss is the network's own, or without a
 * train section the cross-entropy of its logits. */
NetResult net_test_batch(NetSession *session, const NetBatch *batch);
/* probabilities[class] of an image's logits, which lie `stride` apart: their softmax. */
/* `step`: from one probability to the next. */
void net_probabilities(const real *logits, int64_t stride, int64_t classes, float *probabilities,
                       int64_t step);
/* What a network says of one example: its logits and their softmax, [classes] each, and those of
 * its named outputs that are not NULL. */
typedef struct NetAnswered {
    float *logits, *probabilities;
    float *outputs[NET_MAX_OUTPUTS];
} NetAnswered;
/* The figure that epochs are compared by: of that name, or of "" net_figure_judged's.  False: it
 * was not measured. */
bool net_figure_by(NetFigure *by, const NetFigures *trained, const NetFigures *judged,
                   const char *name);
/* The one of net_figure_judged, of such a network. */
NetFigure net_figure_usual(const NetModel *model);
/* Of one image of bytes, normalised here. */
void net_answer(NetSession *session, const NetImages *images, int64_t index,
                const NetAnswered *answer);
/* The same of an example of any data. */
bool net_answer_example(NetSession *session, const NetImages *images, int64_t index,
                        const NetAnswered *answer, NetError *error);
/* All of a split, unless a signal asks the program to end: then less, as .images
 * says.  confusion, unless NULL, is [classes][classes]: true, predicted. */
NetResult net_test_split(NetSession *session, const NetImages *images, int64_t *confusion);
NetResult net_test_judged(NetSession *session, const NetJudged *judged, int64_t *confusion);
/* How many ranks test: batch i is number i % net_testing_ranks()'s. */
int net_testing_ranks(void);

/* train/safetensors.c: https://huggingface.co/docs/safetensors (the format). */
/* before the first fault: `length` where there is none */
int64_t net_utf8_bytes(const char *text, int64_t length);
typedef struct NetNamed {
    const char *name;
    const char *dtype;
    int rank;
    int64_t dim[NET_MAX_DIMS];
    const void *values;
    int64_t elements;
} NetNamed;
/* metadata is key, value, key, value, …, NULL, to which checksums are added; or NULL. */
bool net_write_safetensors(const char *path, const NetNamed *tensors, int count,
                           const char *const *metadata, NetError *error);
/* A file whose header was read and checked: every tensor lies inside it, and no
 * two overlap.  Values are read when asked for. */
typedef struct NetStored {
    const char *name;
    const struct NetDtype *dtype;
    int rank;
    int64_t dim[NET_MAX_RANK], elements;
    int64_t begin, end; /* bytes, from the start of the data */
    uint64_t checksum;  /* of type, shape and bytes, where `summed` */
    bool summed;
} NetStored;
struct NetTensorFile {
    const char *path;
    FILE *file;
    int64_t bytes, data; /* the file's length; where its tensors begin */
    struct cJSON *header;
    NetStored *tensors; /* in the order of their bytes */
    int count;
    bool summed;    /* it says what its parts' checksums are, and those of the metadata are right */
    char **renamed; /* [count]: names that net_tensors_unwrap() gave, or NULL; NULL: it did not */
};
bool net_tensors_open(NetTensorFile *file, const char *path, NetError *error);
/* Likewise of a file that is open, at its start, and becomes its own; NULL: *error says why. */
bool net_tensors_open_file(NetTensorFile *file, FILE *opened, int64_t bytes, const char *path,
                           NetError *error);
FILE *net_open_whole(const char *path, int64_t *bytes, NetError *error); /* NULL: it is no file */
void net_tensors_close(NetTensorFile *file);
const NetStored *net_tensors_find(const NetTensorFile *file, const char *name); /* NULL: none */
const char *net_tensors_metadata(const NetTensorFile *file, const char *key);   /* NULL: none */
const char *net_tensor_type(const NetStored *tensor);                           /* "F32" */
/* of the metadata; false: no more */
bool net_tensors_pair(const NetTensorFile *file, int index, const char **key, const char **value);
/* Whether its values can be had: F64, F32, F16 and BF16 as real, I64 as a whole number. */
bool net_tensor_check(const NetTensorFile *file, const NetStored *tensor, bool whole,
                      NetError *error);
/* Reads it all: whether its bytes are what was written, where the file says so, and every number
 * is finite. */
bool net_tensor_audit(const NetTensorFile *file, const NetStored *tensor, NetError *error);
/* All of a tensor that was checked. */
bool net_tensor_reals(const NetTensorFile *file, const NetStored *tensor, real *to,
                      NetError *error);
bool net_tensor_wholes(const NetTensorFile *file, const NetStored *tensor, int64_t *to,
                       NetError *error);
const char *net_shape_text(char *text, int rank, const int64_t *dim); /* "[10, 1, 5, 5]" */

/* train/weights.c: a network's state under PyTorch's names, the classes' names as
 * class_names and the normalisation in the metadata, and the optimizer's state as
 * optimizer.<slot>.<name>.  Reading changes no weight unless all of it is good; a
 * NULL optimizer leaves its state alone, and notes say which of it the file has not. */
/* NULL: a counter's */
real *net_parameter_values(const NetSession *session, const NetParameter *parameter);
bool net_weights_read(NetSession *session, NetOptimizer *optimizer, const NetTensorFile *file,
                      NetNotes *notes, NetError *error);
/* The tensor that has a parameter's values, under any of its names; NULL: none. */
const NetStored *net_stored_of(const NetTensorFile *file, const NetModel *model, int number);
bool net_stored_fits(const NetStored *tensor, const NetParameter *parameter); /* by its shape */
/* Whether a tensor of a file is none that the network, its optimizer or a profiler has. */
bool net_is_extra(const NetModel *model, const char *name);
/* Of a larger network's weights this one's: the file has each of them, and may have others. */
bool net_weights_read_part(NetSession *session, const NetTensorFile *file, NetError *error);
/* net_load of such weights. */
bool net_load_part(NetSession *session, const char *path, NetError *error);
/* train/foreign.c: tensors by the network's names, without the words of PyTorch's wrappers. */
bool net_tensors_unwrap(NetTensorFile *file, const NetModel *model, NetError *error);
bool net_has_name(const NetModel *model, const char *name);
bool net_is_profilers(const char *name); /* total_ops and the like */
/* train/partial.c: what fits, and a table of what does not, on `out` unless it is NULL.  The
 * normalisation and the classes' names stay the session's. */
bool net_weights_read_partial(NetSession *session, const NetTensorFile *file, FILE *out,
                              NetError *error);
bool net_weights_write(const NetSession *session, const NetOptimizer *optimizer, const char *path,
                       const char *const *metadata, NetError *error);
bool net_gradients_write(const NetSession *session, const char *path, NetError *error);

/* train/checkpoint.c: weights, optimizer state and progress in one file. */
enum { NET_MAX_KEPT = 1000, NET_MAX_BEST = 100 };
/* An epoch whose weights are kept, and the figure that it is kept for. */
typedef struct NetBestEpoch {
    int64_t epoch;
    double figure;
} NetBestEpoch;
/* of a run */
typedef struct NetProgress {
    int64_t epoch;    /* from 0: the one under way */
    int64_t position; /* images of it that are done */
    int64_t step;     /* training steps done */
    double loss_sum;  /* over those images */
    int64_t correct;
    bool shuffle;
    int64_t train_images;
    int64_t best_epoch;                   /* whose weights --save-best wrote, from 1; 0: none yet */
    double best;                          /* its figure */
    NetBestEpoch bests[NET_MAX_BEST + 1]; /* of --keep-best: best first; one is there shortly */
    int best_count;
    char asked[NET_FIGURE_NAME];   /* the figure of --monitor; "": none */
    char monitor[NET_FIGURE_NAME]; /* the key of the one that best and top are of; "": not known */
    int kept_count; /* the steps of the checkpoints that are kept beside the newest, ascending */
    int64_t kept[NET_MAX_KEPT];
    const NetIdentity *data; /* of the images; NULL: not known */
    uint64_t split_seed;     /* with which validation images were drawn */
    int64_t top_epoch;       /* the last that was better than those before, from 1; 0: none yet */
    double top;              /* its figure: of `stop patience=` */
    NetPlateauState plateau; /* of the schedule */
} NetProgress;
bool net_checkpoint_write(const char *path, const NetSession *session,
                          const NetOptimizer *optimizer, const NetSettings *settings,
                          const NetProgress *progress, NetError *error);
/* Progress and settings from the metadata.  What was given on the command line
 * stays, and what the .net file says where it was edited since; notes say what
 * changed.  False: it is no checkpoint, or something changed that cannot. */
bool net_checkpoint_progress(const NetTensorFile *file, NetSettings *settings,
                             NetProgress *progress, NetNotes *notes, NetError *error);
/* What the optimizer has besides its tensors. */
bool net_checkpoint_optimizer(const NetTensorFile *file, NetOptimizer *optimizer, NetError *error);
/* Whether it is of this network, and of these data; checkpoints from before they
 * said so are taken, those without data with a note. */
bool net_checkpoint_network(const NetTensorFile *file, const NetModel *model, NetNotes *notes,
                            NetError *error);
bool net_checkpoint_data(const NetTensorFile *file, const NetIdentity *ours, NetNotes *notes,
                         NetError *error);

/* train/fetch.c: of images that the ranks hold in shares, those of a batch that a rank computes.
 * What is asked for comes while something else is computed.  All ranks make the same calls. */
typedef struct NetFetch {
    const NetImages *images;
    int lanes;
    uint8_t *rooms[2];  /* of the batch in use and of the next; NULL: all images are held */
    NetParcel *parcels; /* [batch], or [ranks + 1][batch] */
    bool asked;         /* for a batch that is under way */
    int64_t batch;
    uint8_t *tested; /* of a batch that the rank tests; NULL: none is */
} NetFetch;
/* `judged`: some of the images are tested, too. */
bool net_fetch_open(NetFetch *fetch, const NetImages *images, int64_t batch, bool judged, int lanes,
                    NetError *error);
void net_fetch_close(NetFetch *fetch);
void net_fetch_ask(NetFetch *fetch, const NetBatch *batch);
/* Makes them the batch's, until the batch after the next is asked for; asks where nobody did. */
void net_fetch_take(NetFetch *fetch, NetBatch *batch);
/* Of batches that the ranks test at the same time, from image `first` of the order on the rank's
 * own, with its pixels; each rank calls it.  Behind `to` there are no images. */
void net_fetch_tested(NetFetch *fetch, NetBatch *own, int64_t first, int64_t to);

/* train/handed.c: a file that only rank 0 needs to have; other ranks read a copy of it, in memory.
 * All ranks call it.  False: *speaker is the rank that says why. */
bool net_tensors_open_handed(NetTensorFile *file, const char *path, int *speaker, NetError *error);

/* train/join.c: once the ranks have agreed to begin, those on one machine put together what a step
 * works in, where they can; and before the session and the optimizer are closed. */
void net_join(NetSession *session, NetOptimizer *optimizer);
void net_leave(NetSession *session, NetOptimizer *optimizer);

/* train/start.c: whether all ranks are ready, and begin the same run. False: *speaker is the rank
 * that says why. */
typedef struct NetStart {
    const NetSession *session;
    const NetSettings *settings;
    const NetProgress *progress;
    int64_t max_steps;
} NetStart;
bool net_ranks_start(const NetStart *start, bool ready, int *speaker, NetError *error);
bool net_ranks_ready(bool ready, int *speaker); /* all of them */
/* Whether all ranks have the same weights and buffers, as they must. */
bool net_ranks_same(const NetSession *session, NetError *error);

/* train/keep.c: the newest checkpoint has the name it was given, and earlier ones
 * that name and their step, "run.ckpt.500", beside it. */
typedef struct NetKeep {
    char *path;    /* of the newest, without links */
    int64_t max;   /* checkpoints of the run, with the newest; 0: no earlier ones are asked for */
    int64_t holds; /* the step of the checkpoint there; -1: none of this run */
} NetKeep;
/* `from`: the checkpoint that is resumed, or NULL.  What that one kept is the
 * run's only when it lies where the run's checkpoints do. */
bool net_keep_open(NetKeep *keep, const char *path, int64_t max, const char *from,
                   NetProgress *progress, NetError *error);
void net_keep_close(NetKeep *keep);
/* Before the next checkpoint is written: gives the one there its second name and
 * enters it in progress->kept.  False: it cannot be kept. */
bool net_keep_earlier(NetKeep *keep, NetProgress *progress, NetError *error);
/* After it was: removes those that are too many, and are this run's. */
void net_keep_remove(NetKeep *keep, NetProgress *progress);
/* Whether `path` is the name of an earlier checkpoint of `checkpoint`. */
bool net_is_kept_name(const char *path, const char *checkpoint);

/* train/best.c: the weights of the best epochs beside those of the best one. */
/* "best-epoch7-f1-0.9321.safetensors"; free() it.  NULL: no memory. */
char *net_best_name(const char *path, const char *key, NetBestEpoch one);
/* Whether an epoch with this figure is among the `max` best so far. */
bool net_best_enters(const NetProgress *progress, const NetFigure *figure, int64_t max);
bool net_best_free(const char *name, NetError *error); /* no other file has that name */
/* After its weights were written: removes those that are no longer among the best. */
void net_best_enter(NetProgress *progress, const char *path, const NetFigure *figure, int64_t epoch,
                    int64_t max);
/* Of a run that is taken up again: files that are no longer there are no longer kept. */
void net_best_forget_lost(NetProgress *progress, const char *path);

/* train/log.c: rows of JSON, of a table or of TensorBoard's events, as the file is called, each on
 * the disk's side as soon as it happens. */
typedef struct NetEpoch {
    int64_t epoch, step;
    NetFigures trained, judged; /* of the training images, and of those the run is judged by */
    const char *split;          /* what the latter are: "test" or "validation" */
    double seconds, images_per_second;
    bool compared, best; /* held against the best before; better than it */
    bool has_figure;     /* false: that by which epochs are compared was not measured */
    NetFigure figure;
} NetEpoch;
/* Of a split's result, "train" and "loss"; of a parameter, its path and "gradient_norm". */
typedef struct NetLogField {
    const char *of, *name; /* of NULL: the row's own */
    double value;
    bool truth; /* it is yes or no */
} NetLogField;
typedef struct NetLog {
    const char *path; /* NULL: no log */
    const struct NetLogKind *kind;
    int descriptor;
    bool torn;            /* the last row is half there, and cannot be taken back */
    bool begun;           /* what the file begins with is written */
    int64_t whole;        /* bytes of the file before the last row, where rows are no lines */
    int64_t lost;         /* rows that could not be written */
    NetError reason;      /* of the last of them */
    NetLogField *columns; /* of a table; the first are of steps and epochs, then parameters' */
    int column_count, plain_columns;
    struct NetEpoch *planned; /* has the names of columns */
} NetLog;
typedef struct NetLogPlan {
    const char *path;
    const NetModel *model;
    const char *split;         /* by which images epochs are judged */
    bool compared, statistics; /* whether epochs are held against the best; these are logged */
} NetLogPlan;
/* The file that a log at `path` is: of a folder, which is made, TensorBoard's; free() it. NULL:
 * *error says why. */
char *net_log_path(const char *path, const char *network, NetError *error);
/* Whether a file that is there may be replaced, by its first bytes. */
bool net_log_is_ours(const char *path);
/* resumed: where a run goes on that is taken up again; the log is cut back to it.  NULL: it begins
 * anew. */
bool net_log_open(NetLog *log, const NetLogPlan *plan, const NetProgress *resumed, NetError *error);
/* False: the row is lost, and none of it is in a file; the next may do better. */
bool net_log_step(NetLog *log, int64_t epoch, int64_t step, double loss, double lr,
                  NetError *error);
bool net_log_epoch(NetLog *log, const NetEpoch *epoch, NetError *error);
/* Of the session's weights and of the gradients that it keeps. */
bool net_log_statistics(NetLog *log, int64_t epoch, int64_t step, const NetSession *session,
                        NetError *error);
/* False with how many rows were lost, if any were. */
bool net_log_close(NetLog *log, NetError *error);
/* The descriptor of standard output or standard error, if that is this file; else -1. */
struct stat;
int net_stream_of(const struct stat *file);

/* train/statistics.c: Euclidean norms, of a trained parameter and of its mean gradient, which the
 * session must keep. */
enum { NET_STATISTICS = 2 };
double net_weight_norm(const NetSession *session, const NetParameter *parameter);
double net_gradient_norm(const NetSession *session, const NetParameter *parameter);
/* A field for each statistic of each trained parameter; how many.  session NULL: their names. */
int net_statistics_fields(NetLogField *fields, const NetModel *model, const NetSession *session);

/* train/live.c: the line that lives on a terminal. */
enum { NET_TREND = 24, NET_LIVE_TEXT = 160 };
/* How the loss went: means of as many steps each. */
typedef struct NetTrend {
    double means[NET_TREND], sum;
    int count;
    int64_t each, added; /* steps of a mean; in `sum` */
} NetTrend;
void net_trend_add(NetTrend *trend, double loss);
/* Pieces of the line, of ASCII; others: figures besides the loss. */
typedef struct NetLive {
    char head[NET_LIVE_TEXT], percent[NET_LIVE_TEXT], loss[NET_LIVE_TEXT], others[NET_FIGURES_TEXT],
        rate[NET_LIVE_TEXT], left[NET_LIVE_TEXT];
    double part; /* of the epoch that is done */
    const NetTrend *trend;
} NetLive;
/* Over what is there, in at most so many columns. */
void net_live_draw(FILE *terminal, const NetLive *line, int columns);
/* Whether lines can be drawn over there: it is a terminal, and no dumb one. */
bool net_is_terminal(FILE *file);
#define NET_STRONG "\033[1m"
#define NET_FAINT "\033[2m"
#define NET_GREEN "\033[32m"
#define NET_CYAN "\033[36m"
#define NET_PLAIN "\033[0m"
/* The sequence, or nothing where there are to be no colours. */
const char *net_colour(FILE *file, const char *sequence);

/* train/meter.c: what a run shows of itself: a live line on a terminal, a plain
 * line now and then elsewhere. */
typedef struct NetMeter {
    FILE *live;             /* NULL: not a terminal */
    bool quiet, shown;      /* shown: a live line is on the screen */
    double start, last;     /* seconds */
    int64_t start_images;   /* done when the clock started */
    int64_t epochs, images; /* of the run; of an epoch */
    double stepped;         /* when the last step was done */
    double between;         /* seconds from an epoch's last step to the next one's beginning */
    NetTrend trend;
    const char *label; /* of one of several runs, which shows nothing but its live line; NULL */
    NetNoun noun;
} NetMeter;
/* label: of one of several runs; NULL */
void net_meter_open(NetMeter *meter, bool quiet, const char *label, int64_t epochs,
                    const NetData *data);
/* an epoch begins with `done` images behind it */
void net_meter_epoch(NetMeter *meter, int64_t done);
/* `loss` is the step's, `trained` the epoch's so far. */
void net_meter_step(NetMeter *meter, int64_t epoch, int64_t done, double loss,
                    const NetFigures *trained);
void net_meter_summary(NetMeter *meter, const NetEpoch *epoch);
/* Of a run that ends within an epoch, `done` images into it. */
void net_meter_stopped(NetMeter *meter, int64_t epoch, int64_t step, int64_t done,
                       const NetFigures *trained);
/* Of one that ends because no epoch was better than the top one. */
void net_meter_no_better(NetMeter *meter, const NetProgress *progress, const char *by);
void net_meter_clear(NetMeter *meter);

/* train/finite.c: where values that are no numbers came from.  False with a
 * sentence when a trained parameter is not finite. */
bool net_check_weights(const NetSession *session, NetError *error);
const char *net_strange_text(double value); /* "nan", "inf" or "-inf", of one that is not finite */
/* After a training step whose loss is not finite: the parameter, or the first
 * layer's output, that is not, as the clause "the output of conv2 (…) is the
 * first that is not finite".  Takes the step's forward pass again. */
void net_explain_loss(NetSession *session, const NetBatch *batch, char *text, size_t size);

/* After a test of some images whose logits are not finite: the same. */
bool net_explain_test(NetSession *session, const NetImages *images, NetError *error);

/* train/batches.c: false with a sentence when the run comes to a batch of one image that
 * a layer normalises over it, one value for each channel. */
bool net_check_batches(const NetSession *session, int64_t images, const NetProgress *progress,
                       int64_t epochs, int64_t max_steps, NetError *error);

/* What a run came to. */
typedef struct NetOutcome {
    bool any;           /* it was judged at least once; else the rest is 0 */
    NetEpoch last, top; /* the last epoch, and the best */
    uint64_t seed;
    double seconds;
} NetOutcome;

/* train/loop.c */
typedef struct NetRun {
    const char *save, *best, *checkpoint, *gradients, *log; /* paths, or NULL */
    const char *resumed; /* the checkpoint that the run goes on from; NULL: it begins */
    bool quiet;
    int64_t max_steps;    /* -1: no limit */
    double every_seconds; /* between checkpoints; 0: none but after each epoch */
    double every_steps;
    double keep;                         /* checkpoints; 0: one, and nothing is removed */
    double keep_best;                    /* epochs whose weights are kept; 0: the best one's */
    const char *monitor;                 /* the figure that epochs are compared by; NULL */
    void (*tell)(const NetError *error); /* what went wrong and does not end the run */
    int *speaker;      /* of several ranks the one that says why a run cannot begin; may be NULL */
    double statistics; /* are logged every so many steps; 0: never */
    const char *label; /* of one of several runs: it shows its live line only, with this before */
    NetOutcome *outcome; /* is filled; NULL: nobody asks */
} NetRun;
typedef enum NetEnd { NET_FAILED, NET_FINISHED, NET_INTERRUPTED } NetEnd;
/* Trains from *progress on until the epochs or the steps are done or a signal
 * asks the run to end, and saves.  What cannot be written is told at once, and
 * the run goes on: NET_FAILED, then, and *error is the last sentence of several. */
NetEnd net_train(NetSession *session, NetOptimizer *optimizer, const NetSettings *settings,
                 const NetData *data, NetProgress *progress, const NetRun *run, NetError *error);

/* data/folder.c: what predict is asked about: texts, recordings or pictures. */
const NetFileKind *net_asked_files(const NetModel *model);

/* data/folder.c: adds a file, or those of a kind of a folder and of the folders in it: a folder's
 * own come first, in the order of their names' bytes.  What is none by name is noted. */
bool net_find_files(NetNames *paths, const char *path, const NetFileKind *kind, NetNotes *notes,
                    NetError *error);

/* train/predict.c: what a network says of pictures. */
typedef struct NetPredict {
    const NetNames *paths;   /* of files, or … */
    bool texts;              /* they are texts … */
    const char *prompt;      /* … behind this one; NULL: there is none */
    const NetImages *images; /* … the first `count` of these, which have labels */
    int64_t count;
    int top;            /* classes that are told */
    bool top_given;     /* then all have columns */
    bool json, csv;     /* at most one; neither: for people */
    const char *folder; /* for the pictures that a network makes; NULL */
    const char *sheet;  /* a PNG for all of them, beside what they are made of; NULL */
    void (*tell)(const NetError *error); /* of a picture that cannot be answered */
} NetPredict;
/* *failed: how many pictures could not be answered, each told. */
bool net_predict_pictures(NetSession *session, const NetPredict *options, FILE *out,
                          int64_t *failed, NetError *error);

/* train/sheet.c: pictures of one size in the tiles of one: groups in rows, `together` tiles of a
 * group side by side.  Of more than NET_MAX_TILES groups it has the first. */
enum { NET_MAX_TILES = 256 };
typedef struct NetSheet {
    NetShape tile; /* [1 or 3, h, w] */
    int together;
    int64_t groups, columns;
    int64_t scale; /* a pixel is a square of so many */
    int64_t gap;   /* between groups */
    int64_t height, width;
    uint8_t *pixels; /* [height][width][channels] */
} NetSheet;
bool net_sheet_open(NetSheet *sheet, int64_t groups, int together, NetShape tile, NetError *error);
/* Pixels [1 or the tile's channels][h][w], no larger than the tile, in whose middle they are. */
void net_sheet_put(const NetSheet *sheet, int64_t group, int number, const uint8_t *pixels,
                   NetShape shape);
bool net_sheet_write(const NetSheet *sheet, const char *path, NetError *error);
void net_sheet_close(NetSheet *sheet);

/* train/look.c: the filters of the first convolution and, of a picture, each layer's output, as PNG
 * files in the folder, which is made; they are listed on `out`.  picture NULL: no outputs. */
bool net_look(NetSession *session, const char *picture, const char *folder, FILE *out,
              NetError *error);

/* train/look_data.c: the first training examples of a run as the network gets them, as one PNG, and
 * a line on `out` for each of its rows with what they are held against.  count 0: those of the
 * first step, 64 at most.  The session is one that trains. */
bool net_look_data(NetSession *session, const NetSettings *settings, const NetData *data,
                   int64_t count, const char *path, FILE *out, NetError *error);

/* train/trials.c: what several runs came to. */
enum { NET_MAX_AXES = 8 };
/* Runs with the same settings but for the seed. */
typedef struct NetTrial {
    const char *values[NET_MAX_AXES]; /* as they are written */
    NetOutcome *outcomes;
    int count;
} NetTrial;
typedef struct NetTrials {
    const char *paths[NET_MAX_AXES]; /* the settings in which the trials differ */
    int axes;
    NetTrial *items;
    int count;
} NetTrials;
/* A row for each trial, the best first; nothing where no run was judged. */
void net_trials_print(NetTrials *trials, FILE *out);
/* A table with a row for each run, as CSV. */
bool net_trials_write(const NetTrials *trials, const char *path, NetError *error);

/* train/lrfind.c: a learning rate to train with: a short run whose rate rises. */
typedef struct NetLrFind {
    double from, to;
    int64_t steps;
    const char *log; /* NULL: nothing is written */
} NetLrFind;
/* Prints the curve and a suggestion. The session's weights are not worth keeping after it. */
bool net_lr_find(NetSession *session, NetOptimizer *optimizer, const NetSettings *settings,
                 const NetData *data, const NetLrFind *options, FILE *out, NetError *error);

/* data/paint.c: pixels of a byte, [h][w][channels] of 1, 3 or 4, as PNG; free() it.  NULL: *error
 * says why. */
uint8_t *net_encode_png(const uint8_t *pixels, int64_t height, int64_t width, int channels,
                        size_t *bytes, NetError *error);
bool net_write_png(const char *path, const uint8_t *pixels, int64_t height, int64_t width,
                   int channels, NetError *error);
/* Of a class below 256 the red (channel 0), green or blue in which it is shown. */
uint8_t net_class_colour(int class, int channel);
/* Classes, [h][w], as a PNG of these numbers with a palette. */
bool net_write_mask(const char *path, const uint8_t *classes, int64_t height, int64_t width,
                    NetError *error);
/* An image [c][h][w] as [h][w][channels], its first channel where it has not three; free() it. */
uint8_t *net_interleave(const uint8_t *planes, NetShape shape, int *channels, NetError *error);

/* report/page.c: a run's log, and where there are weights what the network makes of the images
 * that the run was judged by, as one page of HTML. */
typedef struct NetReport {
    const NetModel *model;
    const char *log, *out, *weights;
    NetSession *session; /* with the weights, which weights and data name; NULL: none */
    const NetData *data;
    int worst; /* mistakes that are shown */
} NetReport;
bool net_report(const NetReport *report, NetError *error);

/* train/art.c: an image drawn in a terminal's characters. */
void net_draw_image(FILE *out, const uint8_t *pixels, NetShape shape);
bool net_is_utf8(void); /* the locale's characters are */

/* train/measure.c: what a benchmark is made of. */
enum { NET_REPEATS = 5 };
typedef struct NetSpread {
    double median, min, max;
} NetSpread;
NetSpread net_spread(const double values[NET_REPEATS]);
/* How images go through a session: with an optimizer they train it; with
 * logits, [batch][classes], inputs[i] of `batch` images are its input number i. */
typedef struct NetJob {
    NetSession *session;
    int64_t batch;
    const NetImages *images;
    const int32_t *order;
    const NetOptimizer *optimizer;
    const float *const *inputs;
    float *logits;
} NetJob;
void net_job_run(const NetJob *job, int64_t steps);
int64_t net_job_steps(const NetJob *job); /* that take a fifth of a second; warms up */
double net_thread_seconds(void);          /* what the calling thread has used of a processor */
/* Multiply-adds a second that the pool's threads reach together. */
double net_measure_peak(const NetModel *model, NetPool *pool);

/* train/profile.c: the time of each part of a program on one thread. */
typedef struct NetProfile {
    const NetProgram *program;
    int64_t steps, images; /* in a repeat; in a step */
    double peak, step;     /* multiply-adds a second; seconds per step */
    double *seconds;       /* [part_count], per step */
} NetProfile;
/* Medians over NET_REPEATS; job's session has one thread. */
bool net_profile(NetProfile *profile, const NetJob *job, int64_t steps, NetError *error);
void net_profile_print(const NetProfile *profile, FILE *out);

/* train/pass.c: a piece of a step, on the calling thread as one of `count` would do it, the first
 * grain standing for all. */
typedef enum NetPieceKind {
    NET_PIECE_LOAD,   /* a grain's images */
    NET_PIECE_GRAIN,  /* a phase of a grain, as one of a team */
    NET_PIECE_SHARED, /* its share of a phase's whole-batch work */
    NET_PIECE_UPDATE  /* its share of the sums and the update */
} NetPieceKind;
typedef struct NetPiece {
    NetPieceKind kind;
    int phase, number, count;
} NetPiece;
/* Gives how often it would have met the others. */
int64_t net_run_piece(NetSession *session, const NetBatch *batch, const NetOptimizer *optimizer,
                      NetPiece piece, NetHook *hook);

/* train/cores.c: a step on more cores than there are here, by a model. */
typedef struct NetCores {
    NetJob one, all; /* the same step, on one thread and on several */
    const int *cores;
    int count;
} NetCores;
typedef struct NetOnCores {
    int cores;
    double seconds, measured; /* of a step; measured 0: there are not so many */
} NetOnCores;
/* Prints what it finds, which is in results[count], too. */
bool net_cores(const NetCores *cores, NetOnCores *results, FILE *out, NetError *error);

/* train/bench.c, train/gradcheck.c, train/info.c: one command each. */
enum { NET_MAX_CORE_COUNTS = 32, NET_MAX_CORES = 4096 };
typedef struct NetBench {
    int threads;
    int64_t steps;                  /* in a repeat; 0: as many as take a fifth of a second */
    int64_t many;                   /* images in a large call; 0: as many as fit, at most 1000 */
    const NetData *data;            /* NULL: images drawn for it */
    const char *only;               /* "training", "one", "many" or "layers"; NULL: all of them */
    int cores[NET_MAX_CORE_COUNTS]; /* how a step scales to so many, and nothing else */
    int core_counts;                /* 0: not */
    bool json;
} NetBench;
bool net_bench(const NetModel *model, const NetSettings *settings, const NetBench *options,
               FILE *out, NetError *error);
typedef struct NetGradcheck {
    int threads;
    int64_t samples;
    bool random_init;
    const char *weights;
} NetGradcheck;
/* False with a sentence when a gradient is wrong or could not be checked. */
bool net_gradcheck(const NetModel *model, const NetSettings *settings, const NetGradcheck *options,
                   FILE *out, NetError *error);
void net_info(const NetModel *model, FILE *out);

#endif
