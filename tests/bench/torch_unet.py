"""models/unet.net in PyTorch."""
import torch
from torch import nn


def double_conv(channels, middle, out):
    return nn.Sequential(
        nn.Conv2d(channels, middle, 3, padding=1, bias=False),
        nn.BatchNorm2d(middle),
        nn.ReLU(inplace=True),
        nn.Conv2d(middle, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        down, up = [3, 64, 128, 256, 512, 512], [(1024, 256), (512, 128), (256, 64), (128, 64)]
        self.down = nn.ModuleList(double_conv(a, b, b) for a, b in zip(down, down[1:]))
        self.up = nn.ModuleList(double_conv(a, a // 2, b) for a, b in up)
        self.pool, self.larger = nn.MaxPool2d(2), nn.Upsample(scale_factor=2)
        self.last = nn.Conv2d(64, 2, 1)

    def forward(self, x):
        taps = []
        for number, block in enumerate(self.down):
            x = block(self.pool(x) if number else x)
            taps.append(x)
        for block, tap in zip(self.up, taps[-2::-1]):
            x = block(torch.cat([tap, self.larger(x)], 1))
        return self.last(x)
