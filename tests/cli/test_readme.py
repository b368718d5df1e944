"""The README's first error is what netc says today: skip a padding in
models/resnet.net and read.  `make golden` rewrites it."""
import re

from harness import MODELS, ROOT, check_text

EXAMPLE = re.compile(r"(<!-- error example -->\n```\n).*?(```\n)", re.S)


def test_the_readmes_error(tmp_path, request):
    network = (MODELS / "resnet.net").read_text()
    broken = network.replace("conv2d(channels, 3, padding=1) as conv2", "conv2d(channels, 3) as conv2")
    assert broken != network
    said = check_text(broken, tmp_path, name="resnet.net").stderr
    readme = ROOT / "README.md"
    if request.config.getoption("--golden"):
        readme.write_text(EXAMPLE.sub(lambda found: found[1] + said + found[2], readme.read_text()))
    assert said in readme.read_text()
