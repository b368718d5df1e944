"""Published networks against PyTorch: their states' names and shapes, and for some where four steps
of training lead.  make_published.py says how the fixture was made; `make test-slow` trains them
all."""
import json

import numpy as np
import pytest

from data.test_data import png
from harness import (
    QUICK,
    netc,
    read_log,
    read_safetensors,
    run,
    trainer,
    write_safetensors,
)
from parity.published import (
    CLASSES,
    FIXTURE,
    NETWORKS,
    STEPS,
    digest_of,
    drawn_images,
    drawn_text,
    first_state,
    network_path,
    probes,
    small_text,
)

RTOL = 1e-8  # of a loss, and of a tensor's norm
TRAINED = [name for name, published in NETWORKS.items() if published.side]
QUICKEST = [name for name in TRAINED if NETWORKS[name].quick]


def summary(path):
    return json.loads(netc("summary", "--json", "--warn=no-rows-left-out", path).stdout)


@pytest.mark.parametrize("name", NETWORKS)
def test_state(name):
    """Names and shapes; parity/make_published.py prints PyTorch's."""
    state = [(entry["name"], entry["shape"]) for entry in summary(network_path(name))["state"]]
    assert np.array_equal(digest_of(state), read_safetensors(FIXTURE)[f"{name}.state"])


def write_text(path, published):
    """Its numbers as characters, in the order of their codes."""
    path.write_bytes(bytes(32 + number for number in drawn_text(published)))
    return path


def write_images(folder, published):
    """train/CLASS/NUMBER.png, and a test image."""
    images, labels = drawn_images(published)
    for part in ("test/0", *(f"train/{label}" for label in range(CLASSES))):
        (folder / part).mkdir(parents=True)
    for number, (image, label) in enumerate(zip(images, labels)):
        content = png(image.transpose(1, 2, 0), 2)
        (folder / "train" / str(label) / f"{number:02}.png").write_bytes(content)
    (folder / "test" / "0" / "0.png").write_bytes(content)
    return folder


def check_training(name, tmp_path, compiler):
    """Four steps from the same weights, on the same images."""
    wanted, source = read_safetensors(FIXTURE), small_text(name)
    (tmp_path / "small.net").write_text(source)
    shapes = {entry["name"]: entry["shape"] for entry in summary(tmp_path / "small.net")["state"]}
    write_safetensors(tmp_path / "first", first_state(name, shapes))
    words = f"train --no-shuffle --epochs 1 --max-steps {STEPS} --quiet --data".split()
    files = ["--init", tmp_path / "first", "--save", tmp_path / "w", "--log", tmp_path / "log"]
    program = trainer(source, "--dtype=f64", "--warn=no-rows-left-out", compiler=compiler)
    write = write_text if NETWORKS[name].letters else write_images
    run(program, *words, write(tmp_path / "data", NETWORKS[name]), *files)
    losses = [event["loss"] for event in read_log(tmp_path / "log") if event["event"] == "step"]
    np.testing.assert_allclose(losses, wanted[f"{name}.losses"], RTOL)
    found, expected = probes(read_safetensors(tmp_path / "w")), wanted[f"{name}.probes"]
    assert found.shape == expected.shape
    apart = np.abs(found - expected).max(1) / np.maximum(expected[:, 0], 1e-3)
    assert apart.max() <= RTOL, (sorted(shapes)[apart.argmax()], apart.max())


@pytest.mark.parametrize("name", QUICKEST)
def test_training(name, tmp_path):
    check_training(name, tmp_path, QUICK)
