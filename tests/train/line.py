"""A line between two network namespaces that loses packets and takes its time, where the kernel has
no netem:  line.py DEVICE NAMESPACE NAMESPACE MILLISECONDS PERCENT  gives each namespace a device
of that name, says so, and carries packets until it is killed."""
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000
LARGEST = 65536  # bytes of a packet


def make_end(device, namespace, number):
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = f"end{os.getpid()}{number}"[-15:]
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", name, "netns", namespace, "name", device], check=True)
    return end


def carry(ends, seconds, loss):
    """Packets in the order of their arrival: (when, how many were before, to, bytes)."""
    way, count, dice = [], 0, random.Random(1)
    while True:
        left = max(way[0][0] - time.monotonic(), 0) if way else None
        for end in select.select(ends, [], [], left)[0]:
            packet = os.read(end, LARGEST)
            if dice.random() >= loss:
                to = ends[1 - ends.index(end)]
                heapq.heappush(way, (time.monotonic() + seconds, count, to, packet))
                count += 1
        while way and way[0][0] <= time.monotonic():
            *_, to, packet = heapq.heappop(way)
            try:
                os.write(to, packet)
            except OSError:
                pass  # the device is not up, or its queue is full: lost


def main():
    device, first, second, milliseconds, percent = sys.argv[1:]
    ends = [make_end(device, first, 1), make_end(device, second, 2)]
    print("ready", flush=True)
    carry(ends, float(milliseconds) / 1000, float(percent) / 100)


main()
