"""Manifests as players of a game have them on their disks."""

from __future__ import annotations

import json
import random

TAGS = ("Maps", "Sound", "Interface", "Weather", "Vehicles", "Fixes")


def collection(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for number in range(count):
        near = range(max(0, number - 6), number)
        needs = rng.sample(near, min(len(near), rng.randrange(1, 4))) if number > 20 else []
        texts.append(
            json.dumps(
                {
                    "name": f"addon-{number}",
                    "version": f"{1 + number % 4}.{number % 10}.0",
                    "title": f"  add-on number {number} by player {rng.randrange(400)} ",
                    "tags": rng.sample(TAGS, 3),
                    "needs": [f"addon-{other}>=1.0" for other in needs],
                }
            )
        )
    rng.shuffle(texts)
    return texts
