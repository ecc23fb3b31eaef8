"""Somebody moves shapes about."""

from __future__ import annotations

import random

from scene import Editor, new_scene


def run() -> object:
    rng, editor = random.Random(3), Editor(new_scene(300))
    for _ in range(3_600):
        editor.step(rng.randrange(300), rng.randrange(-30, 30), rng.randrange(-30, 30))
    return editor.refused, [(shape["x"], shape["y"]) for shape in editor.scene["shapes"]]
