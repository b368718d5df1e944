"""The library in other people's programs: in a shared library, on a small stack,
and in a forked child."""
import numpy as np
import pytest

from data.test_data import png
from examples.test_calling import FIRST
from harness import AS_USERS, BUILD, LIBRARIES, ROOT, built, rarely, run

WIDE = """\
network wide {
    input [1, 28, 28]
    conv2d(64, 5) as conv1
    relu
    conv2d(64, 3) as conv2
    relu
    max_pool2d(2)
    flatten
    linear(256) as fc1
    relu
    linear(10) as fc2
}
"""

# Every call of net.h; gives the answers' sum of squares, or -1.
CALLS = r"""
#include "net.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern const NetModel MODEL;
enum { MANY = 70 };
static NetError error;

static double answers(NetSession *network)
{
    NetShape size = net_image_size(network);
    int64_t pixels = size.c * size.h * size.w, classes = net_class_count(network);
    uint8_t *images = malloc((size_t)(MANY * pixels));
    float *values = calloc((size_t)(MANY * pixels), sizeof *values);
    float *given = calloc((size_t)(MANY * classes), sizeof *given);
    double sum = 0;
    for (int64_t i = 0; i < MANY * pixels; i++)
        values[i] = (float)(images[i] = (uint8_t)(i * 37 % 256)) / 255;
    for (int round = 0; round < 20; round++)
        for (int64_t count = 1; count <= MANY; count += MANY - 1) {
            if (round % 2)
                net_classify(network, images, count, given);
            else
                net_predict(network, values, count, given);
            for (int64_t i = 0; i < count * classes; i++)
                sum += (double)given[i] * (double)given[i];
        }
    free(images);
    free(values);
    free(given);
    return sum;
}
"""
SMALL_STACK = (
    CALLS
    + r"""
static void *work(void *picture)
{
    static uint8_t pixels[28 * 28];
    NetSession *network = net_open(&MODEL, 3, 16, 1, &error);
    if (!network || !net_save(network, "w", &error) || !net_load(network, "w", &error)
        || !net_read_picture(network, picture, pixels, &error))
        return NULL;
    printf("%d\n", answers(network) > 0);
    net_close(network);
    return picture;
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *done = NULL;
    if (argc != 2 || pthread_attr_init(&attributes)
        || pthread_attr_setstacksize(&attributes, 64 << 10)
        || pthread_create(&thread, &attributes, work, argv[1]) || pthread_join(thread, &done))
        return 2;
    if (!done)
        puts(error.text);
    return !done;
}
"""
)
FORK = (
    CALLS
    + r"""
/* The child's answers are the parent's, also of a child's child, and each closes what it has. */
static int same(NetSession *network, double expected, int depth)
{
    if (depth > 0) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            _exit(same(network, expected, depth - 1));
        }
        if (waitpid(child, &status, 0) < 0 || status != 0)
            return 1;
    }
    int differs = answers(network) != expected;
    net_close(network);
    return differs;
}

int main(void)
{
    alarm(120);
    NetSession *used = net_open(&MODEL, 3, 64, 1, &error);
    NetSession *fresh = net_open(&MODEL, 2, 64, 1, &error);
    NetSession *unused = net_open(&MODEL, 2, 64, 1, &error);
    NetSession *other = net_open(&MODEL, 1, 64, 1, &error);
    double expected = answers(used);
    pid_t child = fork();
    int status;
    if (child == 0) {
        alarm(60);
        net_close(unused);
        _exit(0);
    }
    if (waitpid(child, &status, 0) < 0 || status != 0)
        return 2;
    net_close(unused);
    int differ = same(used, expected, 2) + same(fresh, expected, 1) + same(other, expected, 1);
    puts(differ ? "differ" : "the same");
    return differ;
}
"""
)


def link(folder, text, network, name, *flags):
    """A program, or with -shared a library, of C text, a network and the archive."""
    (folder / f"{name}.c").write_text(text.replace("MODEL", network.split()[1] + "_model"))
    run(
        "gcc",
        *"-std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -I".split(),
        ROOT / "runtime",
        *flags,
        f"{name}.c",
        built(network, "--object", compiler=AS_USERS),
        BUILD / "libnet_f32.a",
        *LIBRARIES,
        "-o",
        name,
        cwd=folder,
    )
    return folder / name


@pytest.mark.parametrize("flags", [rarely([]), ["-static"]])
def test_a_forked_child_goes_on_with_a_session(tmp_path, flags):
    if flags and not (BUILD / "libcjson.a").exists():
        pytest.skip("there is no libcjson.a here")
    flags = [*flags, f"-L{BUILD}"] if flags else flags
    assert run(link(tmp_path, FORK, WIDE, "forks", *flags)).stdout == "the same\n"


@pytest.mark.parametrize(
    "network",
    [
        FIRST.replace("[2, 3, 4]", "[1, 28, 28]")
        .replace("[0.25, 0.5]", "0.25")
        .replace("[0.5, 0.125]", "0.5"),
        WIDE,
    ],
)
def test_a_session_works_on_a_small_stack(tmp_path, network):
    (tmp_path / "p.png").write_bytes(
        png((np.arange(60 * 50) * 7 % 256).astype("u1").reshape(60, 50), 0)
    )
    made = link(tmp_path, SMALL_STACK, network, "small")
    assert run(made, tmp_path / "p.png", cwd=tmp_path).stdout == "1\n"
    limited = run(
        "/bin/sh", "-c", 'ulimit -s 256; exec "$@"', "sh", made, tmp_path / "p.png", cwd=tmp_path
    )
    assert limited.stdout == "1\n"


def test_a_shared_library_takes_the_archive_in(tmp_path):
    text = (
        CALLS
        + """
double use(void);
double use(void)
{
    NetSession *network = net_open(&MODEL, 2, 64, 1, &error);
    double sum = answers(network);
    net_close(network);
    return sum;
}
"""
    )
    made = link(
        tmp_path, text, WIDE, "libwide.so", "-shared", "-fPIC", "-Wl,--no-undefined", "-Wl,-z,text"
    )
    (tmp_path / "main.c").write_text("double use(void);\nint main(void) { return !(use() > 0); }\n")
    run("gcc", "main.c", made, f"-Wl,-rpath,{tmp_path}", "-o", "main", cwd=tmp_path)
    run(tmp_path / "main")


def test_the_trainers_command_line_is_not_in_a_program(tmp_path):
    symbols = run("nm", link(tmp_path, FORK, WIDE, "forks")).stdout
    assert " net_main\n" not in symbols and " net_open\n" in symbols
    archive = run("nm", "-g", "--defined-only", BUILD / "libnet_f32.a").stdout.split("\n")
    assert not [line for line in archive if line.endswith(" main")]
