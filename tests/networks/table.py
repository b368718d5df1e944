"""The table of networks that people write: what is said of each, and the size at which it is
trained in a test."""
import functools
import re
from pathlib import Path

from harness import MODELS

HERE = Path(__file__).resolve().parent

# Those that models/ has: the file, its parameters, its title.  Where the file has no train section,
# NUMBER_MODEL.train is one to stand behind it.
IN_MODELS = {
    1: ("mlp", 575050, "MLP on MNIST, PyTorch's tutorials"),
    2: ("lenet5", 61706, "LeNet-5, LeCun et al. 1998"),
    8: ("vgg11_cifar", 9231114, "VGG-11 for CIFAR-10, kuangliu/pytorch-cifar"),
    10: ("resnet18_cifar", 11173962, "ResNet-18 for CIFAR-10, kuangliu/pytorch-cifar"),
    29: ("resnet8", 78186, "ResNet-8, MLPerf Tiny's image classification"),
    32: ("vgg16", 138357544, "VGG-16, torchvision"),
    35: ("inception_v3", 27161264, "Inception-v3, torchvision"),
    39: ("resnet50", 25557032, "ResNet-50, torchvision"),
    40: ("resnext50_32x4d", 25028904, "ResNeXt-50 32x4d, torchvision"),
    42: ("densenet121", 7978856, "DenseNet-121, torchvision"),
    44: ("mobilenet_v2", 3504872, "MobileNetV2, torchvision"),
    47: ("shufflenet_v2_x1_0", 2278604, "ShuffleNetV2 x1.0, torchvision"),
    48: ("efficientnet_b0", 5288548, "EfficientNet-B0, torchvision"),
    50: ("regnet_y_400mf", 4344144, "RegNetY-400MF, torchvision"),
    51: ("convnext_tiny", 28589128, "ConvNeXt-T, torchvision"),
    69: ("vit_b_16", 86567656, "ViT-B/16, torchvision"),
    71: ("swin_t", 28288354, "Swin-T, torchvision"),
    72: ("mlp_mixer", 59880472, "MLP-Mixer B/16, timm"),
    90: ("dcgan_generator", 3576704, "DCGAN's generator, pytorch/examples"),
    98: ("m5", 26915, "M5 on raw audio, PyTorch's tutorial"),
    99: ("ds_cnn", 23756, "DS-CNN, MLPerf Tiny's keyword spotting"),
    112: ("gpt", 10745088, "nanoGPT on characters, karpathy/nanoGPT"),
}

# Whose recipe a train section of models/ is.
RECIPES_OF_MODELS = {
    1: "PyTorch's example for MNIST",
    2: "PyTorch's example for MNIST",
    8: "kuangliu/pytorch-cifar",
    10: "kuangliu/pytorch-cifar",
}

# Why those are not trained that have no train section, and what cannot be said at all.
BOXES = "the loss of boxes: which box of a place is an object's depends on how they overlap"
NOT_TRAINED = {
    "081_yolov1": BOXES,
    "082_yolov3": BOXES,
    "083_ssd300": BOXES,
    "084_retinanet_fpn": BOXES,
    "090_dcgan_generator": "two networks in turn",
    "091_cyclegan": "two networks in turn",
    "093_fast_style_transfer": "the loss of a second, frozen network's features",
    "102_vggish": "its classifier and what it learned of are not published",
    "121_arcface_r18": "a loss that moves the right class's angle among 93,431 faces",
}
# Whose section checks and which have not been trained: the slow test shows it for all.
NOT_TRIED = {
    "013_resnext29_2x64d",
    "015_senet18",
    "016_dpn26",
    "017_simple_dla",
    "020_efficientnet_b0_cifar",
    "024_residual_attention56",
    "026_capsnet",
    "031_caffenet",
    "032_vgg16",
    "035_inception_v3",
    "036_inception_v4",
    "037_inception_resnet_v2",
    "041_wide_resnet50_2",
    "052_convnextv2_tiny",
    "055_ese_vovnet39b",
    "056_cspdarknet53",
    "057_darknet53",
    "058_hrnet_w18",
    "059_res2net50",
    "064_bit_resnetv2_50",
    "069_vit_b_16",
    "071_swin_t",
    "075_maxvit_t",
    "077_fcn8s",
    "105_deepspeech2",
    "112_gpt",
}
NOT_WRITTEN = {
    85: (
        "Faster R-CNN, torchvision",
        "proposals: which boxes go on depends on scores (sorting, overlap, pooling of regions)",
    )
}


class Network:
    """One row: `stem` begins with its number; `text` is the file with its train section."""

    def __init__(self, stem, title, text):
        self.stem, self.title, self.text = stem, title, text
        self.number = int(stem.split("_")[0])
        head, _, self.section = text.partition("\ntrain {\n")
        notes = head[head.rindex("\n}\n") :] if self.section else ""
        self.recipe = self.note(notes, "Recipe")
        self.without = self.note(notes, "Without")
        if self.number in RECIPES_OF_MODELS:
            self.recipe = RECIPES_OF_MODELS[self.number]

    @staticmethod
    def note(notes, word):
        """What a comment before the train section says, in one line."""
        found = re.search(rf"^# {word}: ((?:.*\n# )*?.*)\.$", notes, re.M)
        return found and found[1].replace("\n# ", " ")

    def setting(self, name):
        return re.search(rf"^    {name} +(.*)$", self.section, re.M)[1]


def of_models(number, model, title):
    stem = f"{number:03}_{model}"
    text = (MODELS / f"{model}.net").read_text()
    section = HERE / f"{stem}.train"
    if section.exists():
        text = f"{text.rstrip()}\n\n{section.read_text()}"
    return Network(stem, title, text)


@functools.cache
def networks():
    """All rows that are written, in their order."""
    rows = [of_models(number, model, title) for number, (model, _, title) in IN_MODELS.items()]
    for path in HERE.glob("*.net"):
        text = path.read_text()
        title = text.splitlines()[0].removeprefix("# ").split(" ", 1)[1].partition("; ")[0]
        rows.append(Network(path.stem, title, text))
    return sorted(rows, key=lambda row: row.stem)


def with_section():
    return [row for row in networks() if row.section]


def trained():
    return [row for row in with_section() if row.stem not in NOT_TRIED]


# ------------------------------------------------------------- the table


def cells(row):
    name, _, source = row.title.partition(", ")
    if not row.section:
        return row.number, name, source, "yes", "no", "no", NOT_TRAINED[row.stem]
    whole = "yes" if row.recipe and not row.without else "in part" if row.recipe else "no"
    train = "?" if row.stem in NOT_TRIED else "yes"
    return row.number, name, source, "yes", train, whole, row.without or ""


def table():
    """README.md's, as it has to be."""
    rows = [cells(row) for row in networks()]
    for number, (title, missing) in NOT_WRITTEN.items():
        rows.append((number, *title.split(", "), "no", "no", "no", missing))
    rows.sort(key=lambda row: row[0])
    head = (
        "| | network | source | write | train | recipe | what is missing |\n" + "| --- " * 7 + "|\n"
    )
    lines = "".join("| " + " | ".join(map(str, row)) + " |\n" for row in rows)
    return head + lines.replace(" |  |", " | |")


# ---------------------------------------------------------- smaller ones

SIDE = 32  # of pictures that are larger than 160
# Those whose pools and windows need more.
SIDES = {
    "030_alexnet": 64,
    "031_caffenet": 99,
    "035_inception_v3": 75,
    "036_inception_v4": 75,
    "037_inception_resnet_v2": 75,
    "071_swin_t": 224,
    "075_maxvit_t": 224,
    "086_stacked_hourglass": 64,
}
# CIFAR-10's pictures are half as high, and a folder of them, but here.
WHOLE = {"008_vgg11_cifar", "029_resnet8"}
TURNS = 2  # of a repeat, at most
# Those whose layers count the turns.
DEEP = {"058_hrnet_w18", "092_ddpm_cifar10"}
# What else is made smaller: fewer channels, turns, positions, or layers.
NARROW = [("4096", "64")]


def fewer(call, *channels, by=8):
    return [(f"{call}({channel}", f"{call}({channel // by}") for channel in sorted(channels)]


SMALLER = {
    "012_wrn_28_10": [
        ("Wide(160)", "Wide(16)"),
        ("Wide(320,", "Wide(32,"),
        ("Wide(640,", "Wide(64,"),
    ],
    "030_alexnet": NARROW,
    "031_caffenet": NARROW,
    "032_vgg16": NARROW,
    "035_inception_v3": [("avg_pool2d(5, stride=3)", "adaptive_avg_pool2d(5)")],
    "062_nasnet_a_large": [(", 168)", ", 16)"), (", 336)", ", 32)"), (", 672)", ", 64)")],
    "069_vit_b_16": [("197", "5")],
    "070_deit_tiny_distilled": [("198", "6")],
    "071_swin_t": [("conv2d(96, 4", "conv2d(24, 4")],
    "075_maxvit_t": [
        *fewer("Layer", 64, by=2),
        *fewer("Layer", 128, by=4),
        *fewer("Layer", 256),
        *fewer("Layer", 512, by=16),
    ],
    "076_unet": fewer("DoubleConv", 64, 128, 256, 512, 1024),
    "077_fcn8s": [
        *NARROW,
        *fewer("conv2d", 64),
        *fewer("Convs", 128, 256, 512, by=16),
        ("31 + 224", "31 + 32"),
        ("weight=50176", "weight=1024"),
    ],
    "078_deeplabv3_resnet50": [("520", "32"), *fewer("Bottleneck", 64, 128, 256, 512)],
    "079_lraspp_mobilenet_v3": [("size=65", "size=4"), ("size=520", "size=32")],
    "080_segnet": [
        *fewer("Down", 64, 128, 256, 512),
        ("512, 512, 3", "64, 64, 3"),
        ("512, 256, 3", "64, 32, 3"),
        ("256, 128, 3", "32, 16, 3"),
        ("128, 64, 2", "16, 8, 2"),
        ("ConvBN(64)", "ConvBN(8)"),
    ],
    "086_stacked_hourglass": [
        *fewer("Residual", 128, 256),
        *fewer("conv2d", 256),
        *(
            (f"    loss      mse, output=stacks.{i}.heatmap, target=maps\n", "")
            for i in range(2, 7)
        ),
    ],
    "091_pix2pix": [
        ("    Down(512)          as down6;                         batch_norm2d as d6\n", ""),
        ("    Down(512)          as down7;                         batch_norm2d as d7\n", ""),
        ("    Up(512)            as up8;                           Join(d7)\n", ""),
        ("    Up(512, half=true) as up7;                           Join(d6)\n", ""),
        ("[3, 32, 32]", "[3, 64, 64]"),
        *fewer("Down", 128, 256, 512),
        *fewer("Up", 512, 256, 128, 64),
        *fewer("conv2d", 64),
    ],
    "092_ddpm_cifar10": [
        ("[3, 16, 16]", "[3, 8, 8]"),
        ("128, 256, 256, 256", "32, 64, 64, 64"),
        ("conv2d(128", "conv2d(32"),
        ("ResBlock(256", "ResBlock(64"),
    ],
    "095_espcn": [("[1, 85, 85]", "[1, 17, 17]")],
    "096_edsr": [("[3, 48, 48]", "[3, 8, 8]"), ("body.32", "body.2"), *fewer("conv2d", 256, 1024)],
    "097_dncnn": [("[1, 40, 40]", "[1, 16, 16]")],
    "100_wavenet": [("4096", "64")],
    "105_deepspeech2": [
        ("[1, 161, 401]", "[1, 161, 41]"),
        ("Both(800", "Both(80"),
        ("ctc(64)", "ctc(8)"),
    ],
    "112_gpt": [("256", "32")],
    "113_bert_base": [("512", "16"), ("768", "96")],
    "123_pointnet": [("[3, 1024]", "[3, 64]")],
    "124_c3d": [
        *NARROW,
        ("[3, 16, 112, 112]", "[3, 16, 32, 32]"),
        ("Conv(64)", "Conv(8)"),
        ("Conv(128)", "Conv(16)"),
        ("Conv(256)", "Conv(32)"),
        ("Conv(512)", "Conv(64)"),
        (";  dropout\n", "\n"),
    ],
    "125_gcn": [("2708", "100"), ("1433", "143")],
}

# Whose rate, of a recipe with a warm-up or of many examples a step, is too large for so few: it is
# less by their share, where others' is by its square root.
SLOWER = {
    "021_shufflenet_g2",
    "040_resnext50_32x4d",
    "045_mobilenet_v3_large",
    "046_mnasnet1_0",
    "048_efficientnet_b0",
    "049_efficientnet_v2_s",
    "050_regnet_y_400mf",
}


def smaller(row):
    """The network as a test trains it: smaller pictures, fewer turns, at once with the full rate,
    and what SMALLER says.  Shapes that the author asserts are those of the full size."""
    text = row.text
    first = text.index("\nnetwork ")
    blocks, body = text[:first], text[first:]
    body = re.sub(r" *-> \[[0-9, ]*\]$", "", body, flags=re.M)
    body = re.sub(r"^    (accumulate|stop) .*\n", "", body, flags=re.M)
    body = re.sub(r"^    schedule +constant, warmup.*\n", "", body, flags=re.M)
    body = re.sub(r"^(    schedule .*?), warmup=.*?(\)?)$", r"\1\2", body, flags=re.M)
    found = re.search(r"^    input \[3, (\d+), (\d+)\]", body, re.M)
    if found and int(found[1]) > 160:
        side = SIDES.get(row.stem, SIDE)
        body = body.replace(found[0], f"    input [3, {side}, {side}]")
        body = re.sub(r"\b(resize|\w+_crop)\((\[.*?\]|\d+)", rf"\1({side}", body)
    if row.stem not in WHOLE and "data      cifar10\n" in body:
        body = body.replace("[3, 32, 32]", "[3, 16, 16]").replace(
            "random_crop(32", "random_crop(16"
        )
        body = body.replace("cifar10\n", '"cifar10"\n')
        body = re.sub(r"avg_pool2d\((4|8)\)", lambda m: f"avg_pool2d({int(m[1]) // 2})", body)
    text = blocks + body
    if row.stem not in DEEP:
        text = re.sub(r"\b(repeat|dense) (?:[3-9]|\d\d+)\b", rf"\1 {TURNS}", text)
    for old, new in SMALLER.get(row.stem, []):
        assert old in text, f"{row.stem}: {old} is not there"
        text = text.replace(old, new)
    return text
