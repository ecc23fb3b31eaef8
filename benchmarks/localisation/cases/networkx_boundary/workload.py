"""How well the districts of a road network are connected."""

from __future__ import annotations

import random

import networkx as nx


def roads(crossings: int) -> nx.Graph:
    rng = random.Random(2)
    graph = nx.Graph()
    for number in range(crossings):
        for _ in range(3):
            graph.add_edge(
                number, (number + rng.randrange(1, 40)) % crossings, metres=rng.randrange(50, 900)
            )
    return graph


def exits(graph: nx.Graph, district: list[int]) -> int:
    return sum(data["metres"] for *_, data in nx.edge_boundary(graph, district, data=True))


def run() -> object:
    graph = roads(7_000)
    districts = [list(range(start, start + 1_000)) for start in range(0, 7_000, 500)]
    return [
        exits(graph, [node % 7_000 for node in district]) for district in districts
    ], nx.density(graph)
