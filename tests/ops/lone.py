"""A lone image's logits, which a program of their own makes, against those of the same image among others; and
bit for bit against those that two threads make of it, which share it when images come one upon the other."""
from harness import ROOT, netc, run

MAIN = """
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern const NetModel NAME_model;
enum { IMAGES = 3, TURNS = 100 };
int main(void)
{
    NetError error;
    NetSession *network = net_open(&NAME_model, 1, IMAGES, 5, &error), *shared = net_open(&NAME_model, 2, IMAGES, 5, &error);
    NetShape size = net_image_size(network);
    int64_t pixels = size.c * size.h * size.w;
    float *images = malloc(IMAGES * pixels * sizeof *images), *all = malloc(IMAGES * 10 * sizeof *all), alone[10], again[10];
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
        for (int turn = 0; turn < TURNS; turn++) {
            net_predict(shared, images + image * pixels, 1, again);
            if (memcmp(alone, again, sizeof alone) != 0)
                differ = INFINITY;
        }
    }
    printf("%.3e\\n", differ / largest);
    return 0;
}
"""


def difference(tmp_path, path, name, dtype, *options):
    """Between lone images' logits and those of the same images together, relative to the largest."""
    real = "float" if dtype == "f32" else "double"
    netc("build", "--object", f"--dtype={dtype}", *options, path, "-o", tmp_path / "net.o")
    (tmp_path / "main.c").write_text(MAIN.replace("NAME", name))
    run("gcc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-DNET_NO_MAIN", f"-DNET_REAL={real}", "-I", ROOT / "runtime", tmp_path / "main.c", tmp_path / "net.o",
        ROOT / "build" / f"libnet_{dtype}.a", "-lcjson", "-lz", "-lpng", "-ljpeg", "-lm", "-lpthread", "-o", tmp_path / "main")
    return float(run(tmp_path / "main").stdout)
