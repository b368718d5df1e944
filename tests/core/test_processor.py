"""A program says which target a processor can run before an instruction that it
has not kills it."""
import re
import shutil

import pytest

from harness import BUILD, LIBRARIES, ROOT, c_program, netc, run, trainer

NETWORK = "network n {\n    input [4]\n    linear(2) as fc\n}\n"
PROGRAM = r"""
#include "runtime.h"
#include <stdlib.h>

/* FEATURES has a 1 for each feature that the model is compiled for.  The processor has those
 * below `level`. */
#define LEVEL(macro, name, level, word, bit, state) level,
static const int levels[] = { NET_EACH_FEATURE(LEVEL) };

int main(int argc, char **argv)
{
    NetError error;
    NetModel model = { .name = "digits", .target = argv[1] };
    bool has[NET_MAX_FEATURES] = {0};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        model.features[i] = levels[i] && levels[i] <= atoi(argv[2]);
        has[i] = levels[i] && levels[i] <= atoi(argv[3]);
    }
    puts(net_check_features(&model, has, &error) ? "runs" : error.text);
    net_processor_has(has);
    printf("%d\n", argc > 4 && has[0]);
}
"""


@pytest.fixture(scope="module")
def driver():
    return c_program(PROGRAM)


def told(driver, *words):
    return run(driver, *words).stdout.splitlines()[0]


def test_what_lacks_and_what_would_run_are_named(driver):
    assert told(driver, "x86-64-v4", 4, 4) == told(driver, "x86-64-v3", 3, 4) == "runs"
    assert told(driver, "x86-64-v4", 4, 3) == (
        "digits was built for x86-64-v4, and this processor lacks "
        "avx512f, avx512bw, avx512cd, avx512dq, avx512vl: build it with --target=x86-64-v3"
    )
    text = told(driver, "native", 3, 2)
    assert text.startswith("digits was built for native, and this processor lacks avx, avx2, fma, ")
    assert text.endswith("build it with --target=x86-64-v2")
    assert told(driver, "x86-64-v2", 2, 0).endswith(
        "lacks sse3, ssse3, sse4.1, sse4.2, popcnt: build it with --target=x86-64"
    )


@pytest.mark.parametrize("kernels", ["specialised", "reference"])
def test_a_trainer_for_another_processor_says_so(kernels):
    """Where this one has everything it runs."""
    result = run(
        trainer(NETWORK, "--target=x86-64-v4", f"--kernels={kernels}", exact=True),
        "info",
        expect=None,
    )
    assert result.returncode == 0 or re.search(
        r"error: n was built for x86-64-v4, and this processor lacks .*avx512f.*: "
        r"build it with --target=x86-64",
        result.stderr,
    )


@pytest.mark.parametrize(
    "processor, good, target", [("Nehalem", False, "x86-64-v2"), ("Haswell", True, "")]
)
def test_an_emulated_processor(processor, good, target):
    emulator = shutil.which("qemu-x86_64")
    if not emulator:
        pytest.skip("qemu-user is not here")
    result = run(
        emulator,
        "-cpu",
        processor,
        trainer(NETWORK, "--target=x86-64-v3", exact=True),
        "info",
        expect=0 if good else 1,
    )
    assert good or result.stderr.endswith(f"build it with --target={target}\n")


def test_a_c_program_is_told(tmp_path):
    """net_open refuses, where the machine lacks something."""
    (tmp_path / "n.net").write_text(NETWORK)
    netc("build", "--object", "--target=x86-64-v4", "n.net", "-o", "n.o", cwd=tmp_path)
    (tmp_path / "p.c").write_text(
        '#include "net.h"\n'
        "#include <stdio.h>\n"
        "extern const NetModel n_model;\n"
        "int main(void) {\n"
        "    NetError error;\n"
        '    puts(net_open(&n_model, 1, 1, 0, &error) ? "open" : error.text);\n'
        "}\n"
    )
    objects = ["p.c", "n.o", BUILD / "libnet_f32.a", *LIBRARIES]
    run("gcc", "-I", ROOT / "runtime", *objects, "-o", "p", cwd=tmp_path)
    assert re.match(
        "open|n was built for x86-64-v4, and this processor lacks ", run(tmp_path / "p").stdout
    )
