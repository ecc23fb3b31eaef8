"""Scenes of shapes, and an editor that can show what a change would do."""

from __future__ import annotations

import json
from typing import Any

Scene = dict[str, Any]


def clone(scene: Scene) -> Scene:
    return json.loads(json.dumps(scene))


def new_scene(shapes: int) -> Scene:
    return {
        "title": "scene",
        "shapes": [
            {"id": number, "x": number * 7 % 400, "y": number * 11 % 300, "w": 20, "h": 12}
            for number in range(shapes)
        ],
    }


def overlaps(one: dict[str, int], other: dict[str, int]) -> bool:
    return abs(one["x"] - other["x"]) < one["w"] and abs(one["y"] - other["y"]) < one["h"]


class Editor:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.refused = 0

    def preview(self, index: int, dx: int, dy: int) -> Scene:
        changed = clone(self.scene)
        shape = changed["shapes"][index]
        shape["x"], shape["y"] = (shape["x"] + dx) % 400, (shape["y"] + dy) % 300
        return changed

    def step(self, index: int, dx: int, dy: int) -> None:
        changed = self.preview(index, dx, dy)
        moved = changed["shapes"][index]
        close = sum(overlaps(moved, other) for other in changed["shapes"])
        if close > 4:
            self.refused += 1
        else:
            self.scene = changed
