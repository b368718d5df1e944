#!/usr/bin/env python3
"""Makes a table of houses and their prices, which nobody ever paid:

    python3 houses.py > houses.csv
    python3 houses.py 3 > others.csv    # three other houses
"""
import random
import sys

# A square metre's price and how far the district is from the centre, in km.
DISTRICTS = {
    "Old Town": (4200, 1),
    "Harbour, north": (3600, 3),
    "Hillside": (2900, 6),
    "Mill": (2100, 9),
}


def house(numbers):
    district = numbers.choice(list(DISTRICTS))
    price, distance = DISTRICTS[district]
    area = numbers.randrange(35, 210)
    rooms = max(1, round(area / numbers.uniform(22, 38)))
    year = numbers.randrange(1890, 2025)
    garden = numbers.choice(["no", "no", "yes"])
    value = area * price * (0.75 + 0.004 * max(0, year - 1950))
    value += 18000 * rooms + (30000 + 4000 * distance if garden == "yes" else 0)
    value *= numbers.gauss(1, 0.06)
    return area, rooms, year, f'"{district}"', garden, round(value / 100) * 100


def main(count, seed):
    numbers = random.Random(seed)
    print('area,rooms,"year built",district,garden,price')
    for _ in range(count):
        print(*house(numbers), sep=",")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 600, len(sys.argv))
