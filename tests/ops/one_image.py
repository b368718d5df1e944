"""The logits of one image at a time, which has kernels of its own.

They are compared with those of the same image among others.  They are also compared, bit for
bit, with those that two threads compute, which share an image when images come one by one.
"""
from harness import QUICK, built, link, network_file, run

MAIN = """
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern const NetModel the_model;
enum { IMAGES = 3 };
int main(int argc, char **argv)
{
    int repeats = argc > 1 ? atoi(argv[1]) : 0;
    NetError error;
    NetSession *network = net_open(&the_model, 1, IMAGES, 5, &error);
    NetSession *shared = net_open(&the_model, 2, IMAGES, 5, &error);
    NetShape size = net_image_size(network);
    int64_t pixels = size.c * size.h * size.w;
    float *images = malloc(IMAGES * pixels * sizeof *images);
    float *all = malloc(IMAGES * 10 * sizeof *all), alone[10], repeated[10];
    for (int64_t i = 0; i < IMAGES * pixels; i++)
        images[i] = (float)(i * 2654435761u % 1000) / 500 - 1;
    net_predict(network, images, IMAGES, all);
    double largest = 0, differ = 0;
    for (int image = 0; image < IMAGES; image++) {
        net_predict(network, images + image * pixels, 1, alone);
        for (int i = 0; i < 10; i++) {
            largest = fmax(largest, fabs(all[image * 10 + i]));
            differ = fmax(differ, fabs(all[image * 10 + i] - alone[i]));
        }
        for (int repeat = 0; repeat < repeats; repeat++) {
            net_predict(shared, images + image * pixels, 1, repeated);
            if (memcmp(alone, repeated, sizeof alone) != 0)
                differ = INFINITY;
        }
    }
    printf("%.3e\\n", differ / largest);
    return 0;
}
"""


def difference(tmp_path, source, dtype, *options, repeats=10, compiler=QUICK):
    """Between the logits of one image at a time and those of the same images together, relative
    to the largest.  `source`: a network's path or text."""
    made, options = tmp_path / "main", (f"--dtype={dtype}", *options)
    network = built(source, "--object", *options, compiler=compiler)
    link(MAIN, network_file(source), network, made, *options)
    return float(run(made, repeats).stdout)
