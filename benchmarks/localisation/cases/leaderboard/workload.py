"""A long tournament."""

from __future__ import annotations

from board import Board
from games import games


def run() -> object:
    board = Board()
    ranks = [board.record(player, points, at) for at, (player, points) in enumerate(games(4_200))]
    return ranks, board.podium()
