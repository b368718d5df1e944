#!/usr/bin/env python3
"""Makes a table of birds that were measured, drawn at random:

    python3 birds.py > birds.csv
    python3 birds.py 3 > others.csv    # three other birds
"""
import random
import sys

# Means of wing and tail in mm, and how many grams a bird of these means has.
SPECIES = {"blackbird": (128, 108, 96), "thrush": (118, 84, 72), "starling": (130, 66, 80)}
NOISE = {"wing": 4, "tail": 6, "grams": 3}


def bird(numbers):
    species = numbers.choice(list(SPECIES))
    wing, tail, grams = SPECIES[species]
    size = numbers.gauss(0, 1)
    bill = 20 + 2 * size + numbers.gauss(0, 1) + (5 if species == "starling" else 0)
    return (
        round(wing + NOISE["wing"] * size + numbers.gauss(0, 2), 1),
        round(tail + NOISE["tail"] * size + numbers.gauss(0, 4), 1),
        round(bill, 1),
        numbers.choice(["spring", "autumn"]),
        species,
        round(grams * (1 + 0.12 * size) + numbers.gauss(0, NOISE["grams"]), 1),
    )


def main(count, seed):
    numbers = random.Random(seed)
    print("wing,tail,bill,season,species,grams")
    for _ in range(count):
        print(*bird(numbers), sep=",")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 600, len(sys.argv))
