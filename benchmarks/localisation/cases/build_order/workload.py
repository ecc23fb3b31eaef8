"""Plans the build of a project."""

from __future__ import annotations

from makefile import project, read


def run() -> object:
    graph = read(project(14, 90))
    affected = [len(graph.affected(f"l0_{number}")) for number in range(90)]
    return sorted((depth, len(targets)) for depth, targets in graph.levels().items()), affected
