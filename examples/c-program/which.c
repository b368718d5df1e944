/* which.c: says which class each picture shows.
 *
 *     which WEIGHTS.safetensors PICTURE...
 */
#include "net.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

extern const NetModel cnn_model; /* in cnn.o */

/* The picture's likeliest class. */
static bool say(NetSession *network, const char *path, uint8_t *pixels, float *probabilities,
                NetError *error)
{
    if (!net_read_picture(network, path, pixels, error))
        return false;
    net_classify(network, pixels, 1, probabilities);
    int64_t best = 0;
    for (int64_t i = 1; i < net_class_count(network); i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    const char *name = net_class_name(network, best); /* digits have none: the number says it */
    if (name)
        printf("%s: %s, %.1f %%\n", path, name, 100 * (double)probabilities[best]);
    else
        printf("%s: %" PRId64 ", %.1f %%\n", path, best, 100 * (double)probabilities[best]);
    return true;
}

int main(int argc, char **argv)
{
    NetError error;
    if (argc < 3) {
        fprintf(stderr, "usage: which WEIGHTS.safetensors PICTURE...\n");
        return 2;
    }
    /* one thread, one image at a time */
    NetSession *network = net_open(&cnn_model, 1, 1, 0, &error);
    if (!network || !net_load(network, argv[1], &error)) {
        fprintf(stderr, "which: %s\n", error.text);
        net_close(network);
        return 1;
    }
    NetShape size = net_image_size(network);
    uint8_t *pixels = malloc((size_t)(size.c * size.h * size.w));
    float *probabilities = malloc((size_t)net_class_count(network) * sizeof *probabilities);
    int status = pixels && probabilities ? 0 : 1;
    for (int i = 2; i < argc && status == 0; i++)
        if (!say(network, argv[i], pixels, probabilities, &error)) {
            fprintf(stderr, "which: %s\n", error.text);
            status = 1;
        }
    free(pixels);
    free(probabilities);
    net_close(network);
    return status;
}
