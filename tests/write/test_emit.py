"""The emitted C: whatever the files and the layers are called, it compiles."""
import pytest

from harness import ROOT, have, netc, run, trainer

PLAIN = "network a {\n    input [4]\n    linear(10)\n}\n"

# Every name here is a keyword or another name of C, or equals its neighbour as a C identifier.
CONFUSABLE = """network int {
    input [1, 6, 6]
    conv2d(2, 1) as main
    conv2d(2, 1) as register
    conv2d(2, 1) as a.b
    conv2d(2, 1) as a_b
    conv2d(2, 1) as NULL
    conv2d(2, 1) as vec
    conv2d(2, 1) as real
    conv2d(2, 1) as "0.1"
    flatten
    linear(10) as printf
}
"""


@pytest.mark.parametrize(
    "name", ["line\nbreak.net", "qu\"o'te.net", "back\\slash\\", "%s%n.net", "??)?.net"]
)
def test_any_file_name_compiles(name, tmp_path):
    folder = tmp_path / "odd*"
    folder.mkdir()
    (folder / name).write_text(PLAIN)
    netc("build", folder / name, "-o", tmp_path / "out")
    assert name.split("\n")[0] in run(tmp_path / "out", "info").stdout


def test_a_folder_whose_name_ends_a_comment(tmp_path):
    folder = tmp_path / "odd*"
    folder.mkdir()
    (folder / "a.net").write_text(PLAIN)
    netc("build", folder / "a.net", "-o", tmp_path / "out")
    assert "*/" not in netc("emit", folder / "a.net").stdout.splitlines()[1]


def test_names_of_layers_that_are_names_of_c(tmp_path):
    (tmp_path / "int.net").write_text(CONFUSABLE)
    netc("build", tmp_path / "int.net", "-o", tmp_path / "out")
    assert "a.b " in run(tmp_path / "out", "info").stdout


# Words of C and of what it has beside it, names of the runtime's and of this text's own.
HOSTILE_NAMES = """
    if int double _Bool _Atomic static_assert asm typeof inline restrict linux unix i386 NAN
    INFINITY I EOF NULL errno assert stdin main printf memcpy malloc exp sqrt y0 signal time true
    bool NET_REAL NET_RUNTIME_H NetModel NetStep NetKernel
    net_relu net_linear net.linear net_conv2d net_main net_lap net_copy net_random net_open net
    layer_net_relu layer_net_linear real vec mask LANES compiler_barrier vec_select vec_exp peak
    training inference single inference_1 training_1 training_1_1 single_1 settings layers
    parameters packings inference_parts training_1_shared s g x y dy weights gradients scratch kept
    input arena a.b a_b 0.1 layer0.1 relu_value relu_value_2 sum_rows exponential choose splat
    store_8 low half a_b_forward a_b_2 n_model net_n _ __ _X
    __builtin_inf __func__ __FILE__ __COUNTER__ _Pragma net_linear_forward net_relu_backward
    net_linear_statistics
""".split()
SYNTAX_CHECK = [
    *"-std=c11 -Wall -Werror -Wno-psabi -Wno-unused-function -O0 -fsyntax-only -I".split(),
    ROOT / "runtime",
]


def hostile_network(name):
    """A layer of each name, and no two alike: those would share one function."""
    layers = [
        f'    linear({30 + i}) as "{layer}"\n    relu' for i, layer in enumerate(HOSTILE_NAMES)
    ]
    inner = "\n".join(layers)
    return f"""\
network {name} {{
    input [1, 28, 28]
    flatten
    linear(9)
{inner}
    linear(10)
}}
train {{
    data mnist
    loss cross_entropy
    optimizer sgd(lr=0.1)
    batch 4
    epochs 1
}}
"""


@pytest.mark.parametrize(
    "name, options",
    ids="reference reference_f64 specialised specialised_f64".split(),
    argvalues=[
        ("int", ["--kernels=reference"]),
        ("net_main", ["--kernels=reference", "--dtype=f64"]),
        ("net_main", []),
        ("int", ["--dtype=f64"]),
    ],
)
def test_no_name_of_a_layer_meets_another(name, options, tmp_path):
    (tmp_path / "a.net").write_text(hostile_network(name))
    netc("emit", tmp_path / "a.net", "-o", tmp_path / "a.c", *options)
    for compiler in filter(have, ("gcc", "clang")):
        run(compiler, *SYNTAX_CHECK, "-march=native", tmp_path / "a.c")


def test_a_layer_named_as_the_runtimes_function_runs(tmp_path):
    text = (
        "network peak {\n"
        "    input [1, 6, 6]\n"
        "    conv2d(2, 3) as net_relu\n"
        "    relu as int\n"
        "    flatten\n"
        "    linear(10) as peak\n"
        "}\n"
    )
    assert "net_relu" in run(trainer(text, "--kernels=reference"), "info").stdout


def test_no_name_of_the_runtime_is_a_models():
    names = run("nm", "-g", "--defined-only", ROOT / "build" / "libnet_f32.a").stdout.split()
    assert [name for name in names if name.endswith("_model")] == []
