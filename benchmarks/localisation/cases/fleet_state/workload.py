"""The control room is restarted and reads the day again."""

from __future__ import annotations

from itertools import islice

from projection import Projection
from telemetry import recorded


def run() -> object:
    projection, lines, boards = Projection(), recorded(80_000, 4_500), []
    while part := list(islice(lines, 10_000)):
        projection.replay(part)
        boards.append(projection.board())
    return boards, projection.state["totals"], projection.state["hours"]
