"""Lists of parts, as suppliers send them."""

from __future__ import annotations

import csv
import io
import random
import string

NAMES = ("code", "price", "due", "unit", "note")


def number_of(rng: random.Random) -> str:
    if rng.random() < 0.006:  # typed with a placeholder at its end
        return "".join(rng.choices(string.ascii_uppercase, k=rng.randrange(15, 18))) + "_?"
    groups = ("".join(rng.choices(string.ascii_uppercase, k=rng.randrange(2, 5))) for _ in range(3))
    return rng.choice("-./ ").join(groups) + str(rng.randrange(10_000))


def delivery(seed: int, count: int) -> str:
    rng, out = random.Random(seed), io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow(NAMES)
    for _ in range(count):
        price = f"{rng.randrange(9)}'{rng.randrange(1000):03}.{rng.randrange(100):02}"
        due = f"{rng.randrange(1, 28)}.{rng.randrange(1, 12)}.2031"
        writer.writerow(
            (number_of(rng), price, due, rng.choice(("pc", "KG ", "m", "box")), "x" * 30)
        )
    return out.getvalue()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))
