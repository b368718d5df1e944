"""Networks for images of 32 × 32 by the papers, with the parameters' names of
github.com/kuangliu/pytorch-cifar: what make_published.py trains."""
import torch
from torch import nn
from torch.nn import functional as F


def conv(before, after, kernel=1, stride=1, groups=1):
    return nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)


class Stages(nn.Module):
    """A first convolution, blocks, a pool and a linear layer.  `stages`: lists of blocks."""

    def __init__(self, first, stages, features, pool, normed=True):
        super().__init__()
        self.conv1, self.normed, self.pool = first, normed, pool
        if normed:
            self.bn1 = nn.BatchNorm2d(first.out_channels)
        for i, blocks in enumerate(stages):
            stage = nn.Sequential(*blocks) if isinstance(blocks, list) else blocks
            setattr(self, f"layer{i + 1}", stage)
        self.count, self.linear = len(stages), nn.Linear(features, 10)

    def forward(self, x):
        x = self.conv1(x)
        x = F.relu(self.bn1(x)) if self.normed else x
        for i in range(self.count):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.linear(F.avg_pool2d(x, self.pool).flatten(1))


def chain(block, before, sizes, *rest):
    """Blocks of (channels, stride), each of which takes what the one before gives."""
    made = []
    for channels, stride in sizes:
        made.append(block(before, channels, stride, *rest))
        before = made[-1].gives
    return made, before


def chains(block, before, *stages):
    """Stages of (channels, how many, the first one's stride)."""
    made = []
    for channels, count, stride, *rest in stages:
        blocks, before = chain(
            block, before, [(channels, stride)] + [(channels, 1)] * (count - 1), *rest
        )
        made.append(blocks)
    return made


# --------------------------------------------------------- He et al. 2016; Hu et al. 2018


class PreActBlock(nn.Module):
    squeezes = False

    def __init__(self, before, channels, stride):
        super().__init__()
        self.gives = channels
        self.bn1, self.conv1 = nn.BatchNorm2d(before), conv(before, channels, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(channels), conv(channels, channels, 3)
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(conv(before, channels, 1, stride))
        if self.squeezes:
            self.fc1 = nn.Conv2d(channels, channels // 16, 1)
            self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, x):
        active = F.relu(self.bn1(x))
        past = self.shortcut(active) if hasattr(self, "shortcut") else x
        y = self.conv2(F.relu(self.bn2(self.conv1(active))))
        if self.squeezes:
            weights = self.fc2(F.relu(self.fc1(y.mean((2, 3), keepdim=True))))
            y = y * weights.sigmoid()
        return y + past


class SqueezedBlock(PreActBlock):
    squeezes = True


FOUR = [(64, 2, 1), (128, 2, 2), (256, 2, 2), (512, 2, 2)]


def preact_resnet18():
    return Stages(conv(3, 64, 3), chains(PreActBlock, 64, *FOUR), 512, 4, normed=False)


def senet18():
    return Stages(conv(3, 64, 3), chains(SqueezedBlock, 64, *FOUR), 512, 4)


# ------------------------------------- Xie et al. 2017; Radosavovic et al. 2020; Chen et al. 2017


class Bottleneck(nn.Module):
    """Three convolutions, the middle one in groups, and a shortcut."""

    def __init__(self, before, channels, stride, width, groups):
        super().__init__()
        self.gives = channels
        self.conv1, self.bn1 = conv(before, width), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride, groups), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, channels), nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(
                conv(before, channels, 1, stride), nn.BatchNorm2d(channels)
            )

    def body(self, x):
        x = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return self.bn3(self.conv3(x))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def resnext29_2x64d():
    stages = [(256, 3, 1, 128, 2), (512, 3, 2, 256, 2), (1024, 3, 2, 512, 2)]
    return Stages(conv(3, 64), chains(Bottleneck, 64, *stages), 1024, 8)


def regnetx_200mf():
    stages = [
        (channels, count, stride, channels, channels // 8)
        for channels, count, stride in ((24, 1, 1), (56, 1, 2), (152, 4, 2), (368, 7, 2))
    ]
    return Stages(conv(3, 64, 3), chains(Bottleneck, 64, *stages), 368, 4)


class DualPath(Bottleneck):
    """The first `out` channels are added up, the others are kept beside those that come."""

    def __init__(self, before, out, extra, stride, width, first):
        super().__init__(before, out + extra, stride, width, 32)
        self.out = out
        if first:
            self.shortcut = nn.Sequential(
                conv(before, out + extra, 1, stride), nn.BatchNorm2d(out + extra)
            )
            self.gives = out + 2 * extra
        else:
            self.shortcut, self.gives = nn.Sequential(), before + extra

    def forward(self, x):
        kept, made = self.shortcut(x), self.body(x)
        added = kept[:, : self.out] + made[:, : self.out]
        return F.relu(torch.cat([added, kept[:, self.out :], made[:, self.out :]], 1))


def dpn26():
    before, stages = 64, []
    for width, out, extra, stride in (
        (96, 256, 16, 1),
        (192, 512, 32, 2),
        (384, 1024, 24, 2),
        (768, 2048, 128, 2),
    ):
        first = DualPath(before, out, extra, stride, width, True)
        second = DualPath(first.gives, out, extra, 1, width, False)
        before = second.gives
        stages.append([first, second])
    return Stages(conv(3, 64, 3), stages, before, 4)


# ------------------------------------------------------------------- Yu et al. 2018


class BasicBlock(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(before, channels, 3, stride), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = conv(channels, channels, 3), nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(
                conv(before, channels, 1, stride), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class Root(nn.Module):
    def __init__(self, before, channels):
        super().__init__()
        self.conv, self.bn = conv(before, channels), nn.BatchNorm2d(channels)

    def forward(self, *xs):
        return F.relu(self.bn(self.conv(torch.cat(xs, 1))))


class Tree(nn.Module):
    def __init__(self, before, channels, level, stride=1):
        super().__init__()
        below = BasicBlock if level == 1 else lambda *sizes: Tree(*sizes[:2], level - 1, sizes[2])
        self.left_tree = below(before, channels, stride)
        self.right_tree = below(channels, channels, 1)
        self.root = Root(2 * channels, channels)

    def forward(self, x):
        left = self.left_tree(x)
        return self.root(left, self.right_tree(left))


class SimpleDLA(nn.Module):
    def __init__(self):
        super().__init__()
        widths = dict(base=(3, 16), layer1=(16, 16), layer2=(16, 32))
        for name, (before, after) in widths.items():
            layers = conv(before, after, 3), nn.BatchNorm2d(after), nn.ReLU()
            setattr(self, name, nn.Sequential(*layers))
        self.layer3, self.layer4 = Tree(32, 64, 1), Tree(64, 128, 2, 2)
        self.layer5, self.layer6 = Tree(128, 256, 2, 2), Tree(256, 512, 1, 2)
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        for name in ("base", *(f"layer{i}" for i in range(1, 7))):
            x = getattr(self, name)(x)
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


# ------------------------------------------------------------------- Liu et al. 2018


class Separated(nn.Module):
    def __init__(self, before, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 7, stride, 3, groups=before, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)

    def forward(self, x):
        return self.bn1(self.conv1(x))


class Cell(nn.Module):
    def __init__(self, before, channels, stride=1):
        super().__init__()
        self.gives, self.stride = channels, stride
        self.sep_conv1 = Separated(before, channels, stride)
        if stride == 2:
            self.conv1, self.bn1 = conv(before, channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        pooled = F.max_pool2d(x, 3, self.stride, 1)
        if self.stride == 2:
            pooled = self.bn1(self.conv1(pooled))
        return F.relu(self.sep_conv1(x) + pooled)


def pnasnet_a():
    stages = []
    for channels in (44, 88, 176):
        if stages:
            stages.append(Cell(channels // 2, channels, 2))
        stages.append([Cell(channels, channels) for _ in range(6)])
    return Stages(conv(3, 44, 3), stages, 176, 8)


# ------------------------------------------------------------------- Tan and Le 2019


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduced):
        super().__init__()
        self.se1, self.se2 = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1)

    def forward(self, x):
        return x * self.se2(F.silu(self.se1(x.mean((2, 3), keepdim=True)))).sigmoid()


class MBConv(nn.Module):
    """Without the layer that pytorch-cifar's first block makes and does not run."""

    def __init__(self, before, channels, kernel, stride, expand):
        super().__init__()
        wide = expand * before
        self.expands, self.skips = expand > 1, stride == 1 and before == channels
        if self.expands:
            self.conv1, self.bn1 = conv(before, wide), nn.BatchNorm2d(wide)
        self.conv2, self.bn2 = conv(wide, wide, kernel, stride, wide), nn.BatchNorm2d(wide)
        self.se = SqueezeExcite(wide, before // 4)
        self.conv3, self.bn3 = conv(wide, channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        y = F.silu(self.bn1(self.conv1(x))) if self.expands else x
        y = self.bn3(self.conv3(self.se(F.silu(self.bn2(self.conv2(y))))))
        return x + y if self.skips else y


class EfficientNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1, before, layers = conv(3, 32, 3), nn.BatchNorm2d(32), 32, []
        for channels, count, kernel, stride, expand in (
            (16, 1, 3, 1, 1),
            (24, 2, 3, 2, 6),
            (40, 2, 5, 2, 6),
            (80, 3, 3, 2, 6),
            (112, 3, 5, 1, 6),
            (192, 4, 5, 2, 6),
            (320, 1, 3, 1, 6),
        ):
            for i in range(count):
                layers.append(MBConv(before, channels, kernel, 1 if i else stride, expand))
                before = channels
        self.layers, self.linear = nn.Sequential(*layers), nn.Linear(320, 10)

    def forward(self, x):
        x = self.layers(F.silu(self.bn1(self.conv1(x))))
        return self.linear(x.mean((2, 3)))


# ------------------------------------------------------------------- Zhang et al. 2018


class ShuffleUnit(nn.Module):
    def __init__(self, before, channels, stride, groups=2):
        super().__init__()
        self.gives = channels
        made = channels - before if stride == 2 else channels
        middle, self.groups, self.stride = made // 4, 1 if before == 24 else groups, stride
        self.conv1, self.bn1 = conv(before, middle, groups=self.groups), nn.BatchNorm2d(middle)
        self.conv2 = conv(middle, middle, 3, stride, middle)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3, self.bn3 = conv(middle, made, groups=groups), nn.BatchNorm2d(made)

    def forward(self, x):
        y = F.channel_shuffle(F.relu(self.bn1(self.conv1(x))), self.groups)
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        if self.stride == 2:
            return F.relu(torch.cat([y, F.avg_pool2d(x, 3, 2, 1)], 1))
        return F.relu(y + x)


def shufflenet_g2():
    stages = chains(ShuffleUnit, 24, (200, 4, 2), (400, 8, 2), (800, 4, 2))
    return Stages(conv(3, 24), stages, 800, 4)


# ------------------------------------------------------------------- Simonyan et al. 2015


class VGG11(nn.Module):
    def __init__(self):
        super().__init__()
        before, layers = 3, []
        for channels in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
            if channels:
                convolution = nn.Conv2d(before, channels, 3, padding=1)
                layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU()]
                before = channels
            else:
                layers.append(nn.MaxPool2d(2))
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(512, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


MODULES = {
    "vgg11_cifar": VGG11,
    "preact_resnet18": preact_resnet18,
    "resnext29_2x64d": resnext29_2x64d,
    "senet18": senet18,
    "dpn26": dpn26,
    "simple_dla": SimpleDLA,
    "pnasnet_a": pnasnet_a,
    "regnetx_200mf": regnetx_200mf,
    "efficientnet_b0_cifar": EfficientNet,
    "shufflenet_g2": shufflenet_g2,
}
