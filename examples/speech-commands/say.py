#!/usr/bin/env python3
"""Says words in a language of four, all whistled, into WAV files:

    python3 say.py FOLDER

makes FOLDER/train/WORD/000.wav … and FOLDER/test/WORD/000.wav …, each of half a second at 8000
samples a second; every folder gets recordings of its own, the same ones whenever it is made."""
import array
import math
import random
import sys
import wave
from pathlib import Path

RATE, LENGTH = 8000, 4000
COUNTS = {"train": 40, "test": 10}

# A word's tones: how much of its time each takes, and its pitch at the beginning and at the end, as
# a part of the speaker's own.
WORDS = {
    "up": [(1, 1, 2)],
    "down": [(1, 2, 1)],
    "go": [(1, 1.5, 1.5)],
    "stop": [(0.35, 1.5, 1.5), (0.3, 0, 0), (0.35, 1.5, 1.5)],
}


def say(word, numbers):
    """Samples from -1 to 1."""
    voice, loud = numbers.uniform(350, 700), numbers.uniform(0.2, 0.7)
    count, start = numbers.randrange(2000, 3000), numbers.randrange(200, 900)
    samples = [numbers.gauss(0, 0.05) for _ in range(LENGTH)]
    phase, at = 0, start
    for part, first, last in WORDS[word]:
        length = int(part * count)
        for i in range(length):
            phase += 2 * math.pi * voice * (first + (last - first) * i / length) / RATE
            swell = min(1, i / 200, (length - i) / 200)
            tone = math.sin(phase) + 0.4 * math.sin(2 * phase)
            samples[at + i] += loud * swell * tone if first > 0 else 0
        at += length
    return samples


def write_wav(path, samples):
    whole = array.array("h", (round(32767 * min(1, max(-1, value))) for value in samples))
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(whole.tobytes())


def main(folder):
    numbers = random.Random(folder)
    for split, count in COUNTS.items():
        for word in WORDS:
            Path(folder, split, word).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                write_wav(Path(folder, split, word, f"{i:03}.wav"), say(word, numbers))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 say.py FOLDER")
    main(sys.argv[1])
