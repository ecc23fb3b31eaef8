"""How tightly a social network is knit."""

from __future__ import annotations

import networkx as nx


def report(graph: nx.Graph) -> list[tuple[int, float]]:
    squares = nx.square_clustering(graph)
    degrees = dict(graph.degree())
    return [(node, round(squares[node] * degrees[node], 9)) for node in sorted(graph)]


def run() -> object:
    graph = nx.barabasi_albert_graph(1_200, 8, seed=3)
    ranks = nx.core_number(graph)
    return report(graph), sum(ranks.values()), nx.number_connected_components(graph)
