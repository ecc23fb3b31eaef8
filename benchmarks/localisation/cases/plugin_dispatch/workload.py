"""A round of the game."""

from __future__ import annotations

import random

from bus import Bus
from plugins import install


def run() -> object:
    rng, bus = random.Random(2), Bus()
    scores, heatmap, replay = install(bus)
    for tick in range(70_000):
        x, y = rng.uniform(0, 512), rng.uniform(0, 512)
        bus.publish("move", tick=tick, player=f"p{tick % 16}", x=x, y=y)
        if tick % 9 == 0:
            bus.publish(
                "kill",
                tick=tick,
                killer=f"p{rng.randrange(16)}",
                weapon="knife" if tick % 2 else "bow",
                x=x,
                y=y,
            )
    return sorted(scores.points.items()), sorted(heatmap.cells.items()), replay.digest.hexdigest()
