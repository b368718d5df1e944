/* net.h: calling a trained network from a C or C++ program.
 *
 * `netc build --object digits.net -o digits.o` compiles a network to an object
 * file that defines one constant, named after the network in digits.net:
 *
 *     extern const NetModel digits_model;
 *
 * It is linked with libnet_f32.a (libnet_f64.a after --dtype=f64) and
 * -lcjson -lz -lpng -ljpeg -lm -lpthread; several networks may be in one
 * program.  examples/c-program is a whole one.
 *
 * Errors.  A function that can fail gives false or NULL, and one sentence in
 * *error.  The library prints nothing and never exits.
 * Ownership.  A session and the class names it gives are the library's until
 * net_close; arrays are the caller's, and are used only during the call.
 * Threads.  A session is for one caller at a time and has threads of its own;
 * several sessions do not know of each other.  A call needs less than 64 KB of
 * stack.
 * Processes.  After fork() the child may go on with a session that no call was
 * using: it has the parent's weights of that moment, and makes its threads anew.
 */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct NetModel NetModel;
typedef struct NetSession NetSession;
typedef struct NetError {
    char text[512];
} NetError; /* no newline */
/* One image's shape, of one to four axes: [c], [c, w], [c, h, w] or [c, d, h, w].  h and w are 1
 * where there is no such axis; d counts for four axes only.  A C program names
 * what it sets, as {.rank = 3, .c = 3, .h = 28, .w = 28}: of a list that ends before the last
 * field compilers warn. */
typedef struct NetShape {
    int rank;
    int64_t c, h, w, d;
} NetShape;

/* A model ready to run with `threads` threads on up to `batch` images at a
 * time, its parameters initialised from `seed` until net_load brings trained
 * ones. */
NetSession *net_open(const NetModel *model, int threads, int64_t batch, uint64_t seed,
                     NetError *error);
void net_close(NetSession *session); /* NULL: nothing to close */

/* Reads or writes safetensors with PyTorch's names and layouts.  A file that
 * cannot be read whole, is not what was written, has numbers that are not finite,
 * or is of another network, changes nothing.  Weights that say how their pixels
 * were normalised are used so; for others it is as the train section says. */
bool net_load(NetSession *session, const char *path, NetError *error);
bool net_save(const NetSession *session, const char *path, NetError *error);

/* What the network takes and gives: images of [c][h][w] bytes, a number for
 * each class. */
NetShape net_image_size(const NetSession *session);
int64_t net_class_count(const NetSession *session);
/* NULL: the weights do not say */
const char *net_class_name(const NetSession *session, int64_t class_number);

/* How pixels, from 0 to 1, are normalised: less the mean, over the deviation; of a
 * channel from 0.  For those who normalise themselves, for net_predict. */
void net_normalisation(const NetSession *session, int64_t channel, double *mean, double *std);

/* A PNG, JPEG, BMP or WebP file as an image for this network: made grey or colour, and
 * stretched to its size.  `pixels` is [c][h][w]. */
bool net_read_picture(const NetSession *session, const char *path, uint8_t *pixels,
                      NetError *error);

/* Probabilities of `count` images: `images` is [count][c][h][w], 0 to 255,
 * normalised here as net_normalisation says; `probabilities` is
 * [count][classes].  One image alone has a program of its own, whose large layers the session's
 * threads share; a small network's image is the calling thread's alone, unless calls follow one
 * another within microseconds.  Its weights are packed at the first such call after they
 * changed. */
void net_classify(NetSession *session, const uint8_t *images, int64_t count, float *probabilities);

/* Logits of `count` images: `pixels` is [count][c][h][w], already normalised;
 * `logits` is [count][classes]. */
void net_predict(NetSession *session, const float *pixels, int64_t count, float *logits);

/* The outputs that `output NAME` gives a network besides its last tensor, from 0 in the order of
 * the file; not those of an `aside` that only a loss of the train section reads. */
int net_output_count(const NetSession *session);
const char *net_output_name(const NetSession *session, int output);
NetShape net_output_shape(const NetSession *session, int output);
/* Like net_predict: logits, NULL where nobody wants them, and outputs[i] as [count][shape of
 * output i], NULL likewise, of each named output. */
void net_predict_outputs(NetSession *session, const float *pixels, int64_t count, float *logits,
                         float *const *outputs);

/* What a network takes, from 0 in the order of the file: most have one input.  Numbers: it holds
 * whole numbers from 0, below it; 0: real ones. */
int net_input_count(const NetSession *session);
const char *net_input_name(const NetSession *session, int input);
NetShape net_input_shape(const NetSession *session, int input);
int64_t net_input_numbers(const NetSession *session, int input);
/* Like net_predict_outputs, of a network with several inputs: inputs[i] is [count][shape of input
 * i], NULL all zeros, and outputs may be NULL.  The functions above give such a network its first
 * input, and zeros for the others. */
void net_predict_inputs(NetSession *session, const float *const *inputs, int64_t count,
                        float *logits, float *const *outputs);

#ifdef __cplusplus
}
#endif
#endif
