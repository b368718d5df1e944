"""The inputs from which fuzzing begins, made of what the repository has: networks,
the examples of every message, and files as a trainer writes them.  What a run
found that is worth keeping lies in corpus/, beside this file."""
import io
import json
import re
import struct
import zipfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

SESSION = """%textDocument/didOpen
{text}
%textDocument/hover 3 6
%textDocument/completion 4 8
%textDocument/didChange 2 4 2 9
relu
%textDocument/rename 5 6 other
%textDocument/codeAction 0 0 9 0
%textDocument/semanticTokens/full
%textDocument/{method} 4 7
"""
METHODS = (
    "signatureHelp definition references documentHighlight prepareRename "
    "documentSymbol foldingRange inlayHint formatting didClose"
).split()
TOY = """network n {
    input [3, 8, 8]
    conv2d(8, 3) as first
    concat { branch { conv2d(4, 1) }
             branch { relu } }
    flatten
    linear(10)
}
"""


def networks():
    yield from (
        path.read_text()
        for folder in ("models", "tests", "examples")
        for path in sorted((ROOT / folder).rglob("*.net"))
        if path.stat().st_size < 3000
    )
    examples = (ROOT / "compiler" / "diag" / "diagnostics.def").read_text()
    for strings in re.findall(r'((?:"(?:[^"\\]|\\.)*"\s*)+)[,)]', examples):
        text = "".join(
            json.loads(f'"{part}"') for part in re.findall(r'"((?:[^"\\]|\\.)*)"', strings)
        )
        if "\n" in text:
            yield text


def messages(text):
    def message(method, params, number=None):
        body = json.dumps(
            {
                "jsonrpc": "2.0",
                "method": method,
                "params": params,
                **({"id": number} if number else {}),
            }
        )
        return f"Content-Length: {len(body.encode())}\r\n\r\n{body}"

    document = {"uri": "file:///a.net"}
    return "".join(
        [
            message("initialize", {}, 1),
            message(
                "textDocument/didOpen", {"textDocument": {**document, "text": text, "version": 1}}
            ),
            message(
                "textDocument/hover",
                {"textDocument": document, "position": {"line": 2, "character": 6}},
                2,
            ),
            message(
                "textDocument/didChange",
                {"textDocument": document, "contentChanges": [{"text": "x"}]},
            ),
            message("textDocument/formatting", {"textDocument": document}, "three"),
            message("shutdown", None, 4),
            message("exit", None),
        ]
    )


def lines(*words):
    return "\n".join(words) + "\n"


COMMANDS = [
    lines("check", "a.net"),
    lines("check", "--fix", "bad.net"),
    lines("emit", "a.net", "-o", "out.c"),
    lines("fmt", "--annotate", "a.net", "lib.net"),
    lines("build", "a.net", "-o", "trainer", "--cc=none"),
    lines("--dump=plan", "a.net"),
    lines("summary", "--json", "a.net"),
    lines("graph", "--svg", "a.net", "-o", "g.svg"),
    lines("explain", "conv2d"),
    lines("check", "--diagnostics=sarif", "bad.net", "--warn=error"),
    lines(
        "emit", "--kernels=reference", "--dtype=f64", "--target=portable", "--fuse=none", "a.net"
    ),
    lines("fmt", "--diff", "--strip", "bad.net"),
    lines("check", "--max-errors=1", "--color=always", "bad.net"),
    lines("--version"),
    lines("help"),
]
TRAINS = [
    lines("train", "--data", "data", "--quiet", "--save", "s", "--checkpoint", "c", "--log", "l"),
    lines("train", "--data=data", "--init", "w"),
    lines("train", "--data", "data", "--resume", "w", "--save-gradients", "g"),
    lines("test", "--data", "data", "--weights", "w"),
    lines("predict", "--data", "data", "--weights", "w", "--count", "2"),
    lines("predict", "--weights", "w", "picture.png"),
    lines("predict", "--weights", "w", "--json", "--top", "2", "data", "-o", "s.csv"),
    lines("train", "--data", "data", "--quiet", "--validation", "0.5", "--early-stop", "2"),
    lines("train", "--data", "data", "--quiet", "--log", "l.csv", "--stats", "1"),
    lines("sweep", "--data", "data", "--set", "lr=0.1,0.2", "--repeat", "2", "-o", "s.csv"),
    lines("lr-find", "--data", "data", "--from", "0.1", "--to", "1"),
    lines("report", "l", "-o", "p.html", "--weights", "w", "--data", "data"),
    lines("look", "--weights", "w", "--output", "s", "picture.png"),
    lines("info"),
    lines(
        *"train --data data --set optimizer.lr=0.5 --set normalize.mean=1".split(),
        *"--epochs 1 --batch 2".split(),
    ),
    lines("bench", "--only", "one", "--json"),
    lines("gradcheck", "--samples", "3"),
    lines(*"train --max-steps 3 --threads 2 --no-shuffle --seed 7 --data data".split()),
]
SETTINGS = [
    lines("optimizer.lr=0.1", "batch=8", "normalize.mean=0.5", "normalize.std=2"),
    lines("schedule.milestones=1,2", "schedule.gamma=0.5"),
    lines("seed=9007199254740992", "epochs=1e6", "optimizer.beta1=.9"),
    lines("optimizer=sgd", "loss=1", "optimizer.lr=nan"),
]


# ------------------------------------------------------------------ files


def idx(count, height=4, width=4):
    images = (
        bytes([0, 0, 8, 3])
        + struct.pack(">3I", count, height, width)
        + bytes(range(count * height * width % 256)) * 1
    )
    images = images[:16] + bytes(count * height * width)
    labels = bytes([0, 0, 8, 1]) + struct.pack(">I", count) + bytes(count)
    return labels, images


def idx_inputs():
    for flags in range(4):
        labels, images = idx(3)
        yield bytes([flags, len(labels)]) + labels + images
    labels, images = idx(2)
    packed = zlib.compressobj(wbits=31)
    yield bytes([1, len(labels)]) + labels + packed.compress(images) + packed.flush()


def cifar_inputs():
    for flags, labels in ((2, 1), (0, 1), (3, 2), (1, 2)):
        yield bytes([flags]) + bytes((labels + 3072) * (1 if flags & 2 else 2))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(colour, depth, extra=b"", interlace=0):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\0" + bytes(range(7, 7 + (6 * channels * depth + 7) // 8))
    head = struct.pack(">IIBBBBB", 6, 4, depth, colour, 0, 0, interlace)
    palette = chunk(b"PLTE", bytes(range(48))) if colour == 3 else b""
    rows = (
        row * 4
        if not interlace
        else b"".join(
            (b"\0" + bytes((w * channels * depth + 7) // 8)) * h
            for w, h in ((1, 1), (1, 1), (2, 0), (1, 2), (3, 1), (3, 2), (6, 2))
        )
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + palette
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def png_inputs():
    for colour, depth in (
        (0, 1),
        (0, 8),
        (0, 16),
        (2, 8),
        (2, 16),
        (3, 2),
        (3, 8),
        (4, 8),
        (6, 8),
        (6, 16),
    ):
        yield b"\1" + png(colour, depth)
        yield b"\0" + png(colour, depth, chunk(b"gAMA", struct.pack(">I", 45455)))
    yield b"\0" + png(2, 8, interlace=1)
    yield b"\0" + png(3, 8, chunk(b"sRGB", b"\0")).replace(b"PLTE", b"PLTE")
    yield b"\0" + png(
        0, 8, chunk(b"tRNS", b"\0\7") + chunk(b"iCCP", b"a\0\0" + zlib.compress(b"profile"))
    )


# A grey and a coloured picture of 8 x 8 pixels, baseline: tables, then blocks.
def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(components, frame=0xC0):
    """All of one colour.  A block is two bits with these code tables, which have one code, "0",
    for size 0 and for the end of a block."""
    table = bytes([1] + [0] * 15 + [0])
    parts = [
        segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
        segment(0xDB, b"\0" + bytes([16] * 64)),
        segment(
            frame,
            struct.pack(">BHHB", 8, 8, 8, components)
            + b"".join(bytes([i + 1, 0x11, 0]) for i in range(components)),
        ),
        segment(0xC4, b"\0" + table),
        segment(0xC4, b"\x10" + table),
    ]
    spectral = b"\0\0\0" if frame == 0xC2 else b"\0\x3f\0"
    scan = segment(
        0xDA,
        bytes([components]) + b"".join(bytes([i + 1, 0]) for i in range(components)) + spectral,
    )
    bits = components * (1 if frame == 0xC2 else 2)
    return b"\xff\xd8" + b"".join(parts) + scan + bytes([0xFF >> bits]) + b"\xff\xd9"


def jpeg_inputs():
    yield from (jpeg(components, frame) for components in (1, 3, 4) for frame in (0xC0, 0xC1, 0xC2))


def safetensors(tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (shape, dtype, size) in tensors.items():
        count = size
        for dim in shape:
            count *= dim
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(data), len(data) + count],
        }
        data += bytes(count)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


STATE = {
    "conv.weight": [2, 1, 3, 3],
    "conv.bias": [2],
    "bn.weight": [2],
    "bn.bias": [2],
    "bn.running_mean": [2],
    "bn.running_var": [2],
    "fc.weight": [3, 32],
    "fc.bias": [3],
}


def weights_inputs():
    for dtype, size in (("F32", 4), ("F64", 8), ("F16", 2), ("BF16", 2)):
        counter = {"bn.num_batches_tracked": ([], "I64", 8)}
        yield safetensors(
            {**{name: (shape, dtype, size) for name, shape in STATE.items()}, **counter},
            {"class_names": "a\nb\nc"},
        )
    yield safetensors({})


def data_inputs():
    """For each reader a whole file: what the byte in front says."""
    columns = ",".join("abcdefghijklmnop")
    rows = "".join(f"{','.join(str(i * k) for k in range(16))},{i % 3}\n" for i in range(4))
    table = f'\ufeff{columns},"y"\r\n' + rows
    yield b"\0" + table.encode()
    yield b"\0" + table.replace(",", ";").encode()
    yield b"\x80" + b'{"inputs":[{"name":"a","numbers":true,"mean":0,"std":1}],"targets":[]}'
    for code in b"\1", b"\2", b"\3":
        yield code + named_arrays(code[0])
    form = struct.pack("<HHIIHH", 1, 1, 100, 200, 2, 16)
    samples = b"data" + struct.pack("<I", 32) + bytes(range(32))
    yield b"\4RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + form + samples


def named_arrays(kind):
    """x of three examples as .npy, or with y as .npz or .safetensors."""
    values = struct.pack("<48f", *range(48))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1, 4, 4), }\n"
    npy = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + values
    labels = (
        npy[:10]
        + header.replace(b"(3, 1, 4, 4)", b"(3,)").replace(b"f4", b"u1").ljust(len(header))
        + bytes(3)
    )
    if kind == 1:
        return npy
    if kind == 2:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", npy)
            archive.writestr("y.npy", labels)
        return packed.getvalue()
    text = json.dumps(
        {
            "x": {"dtype": "F32", "shape": [3, 1, 4, 4], "data_offsets": [0, 192]},
            "y": {"dtype": "U8", "shape": [3], "data_offsets": [192, 195]},
        }
    ).encode()
    return struct.pack("<Q", len(text)) + text + values + bytes(3)


def text_inputs(texts):
    return (text.encode() for text in texts)


def inputs(target):
    """The bytes of each seed of a target."""
    makers = {
        "net": lambda: text_inputs(networks()),
        "repair": lambda: text_inputs(networks()),
        "build": lambda: text_inputs(networks()),
        "editor": lambda: text_inputs(
            SESSION.replace("{text}", TOY).replace("{method}", method) for method in METHODS
        ),
        "serve": lambda: text_inputs([messages(TOY), messages("")]),
        "command": lambda: text_inputs(COMMANDS),
        "train": lambda: text_inputs(TRAINS),
        "settings": lambda: text_inputs(SETTINGS),
        "weights": weights_inputs,
        "resume": weights_inputs,
        "idx": idx_inputs,
        "cifar": cifar_inputs,
        "png": png_inputs,
        "jpeg": jpeg_inputs,
        "data": data_inputs,
    }
    return makers[target]()
