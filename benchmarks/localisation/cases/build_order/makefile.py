"""Reads the targets of a project."""

from __future__ import annotations

import random

from graph import BuildGraph


def project(layers: int, width: int) -> str:
    rng, lines = random.Random(4), []
    for layer in range(layers):
        for number in range(width):
            needs = [f"l{layer - 1}_{rng.randrange(width)}" for _ in range(2)] if layer else []
            lines.append(f"l{layer}_{number}: {' '.join(sorted(set(needs)))}")
    return "\n".join(lines)


def read(text: str) -> BuildGraph:
    graph = BuildGraph()
    for line in text.splitlines():
        target, _, needs = line.partition(":")
        graph.add(target.strip(), tuple(needs.split()))
    return graph
