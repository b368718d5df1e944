"""Operators that work along axes, on shapes of one to four of them: their emitted kernels against
the reference, to the bit however many threads share them; finite differences; one image."""
import pytest

from harness import netc, run, trainer
from ops import arranged
from ops.one_image import difference
from ops.test_emission import same_both_ways
from write.test_emit import SYNTAX_CHECK

GROUPS = [name for name in dir(arranged) if name.isupper() and name != "TRAIN"]
AT_ONCE = 24  # uses in a network
GRADCHECK = "--batch 5 --samples 4 --random-init --threads 1".split()


def parts(usual=GROUPS):
    for name in GROUPS:
        uses, marks = getattr(arranged, name), () if name in usual else pytest.mark.slow
        for first in range(0, len(uses), AT_ONCE):
            part = uses[first : first + AT_ONCE]
            yield pytest.param(part, id=f"{name.lower()}-{first}", marks=marks)


@pytest.mark.parametrize("uses", parts())
def test_written_out_as_reference(uses, tmp_path):
    same_both_ways(arranged.network(uses), tmp_path)


# The kernels of each are compared with the plain loops above, and those with differences.
@pytest.mark.parametrize("uses", parts({"ATTENTIONS"}))
def test_gradients_are_finite_differences(uses):
    program = trainer(arranged.network(uses), "--dtype=f64", "--split=all")
    told = run(program, "gradcheck", *GRADCHECK).stdout
    assert " 0 wrong " in told


@pytest.mark.parametrize("uses", parts())
def test_one_image_has_the_same_logits(uses, tmp_path):
    assert difference(tmp_path, arranged.network(uses), "f32", "--split=all") < 3e-5


def test_attention_is_c_without_a_warning(tmp_path):
    """In training and in inference, which draws no dropout."""
    (tmp_path / "a.net").write_text(arranged.network(arranged.ATTENTIONS))
    netc("emit", tmp_path / "a.net", "-o", tmp_path / "a.c")
    run("gcc", *SYNTAX_CHECK, "-march=native", tmp_path / "a.c")
