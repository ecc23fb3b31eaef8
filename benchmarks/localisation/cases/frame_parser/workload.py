"""Replays a recorded day."""

from __future__ import annotations

from framing import Decoder
from telemetry import Fleet, recording


def run() -> object:
    stream = recording(70_000)
    decoder, fleet = Decoder(), Fleet()
    for start in range(0, len(stream), 2_000_000):
        for kind, payload in decoder.feed(stream[start : start + 2_000_000]):
            fleet.handle(kind, payload)
    return sorted(fleet.kinds.items()), fleet.positions, fleet.checksum
