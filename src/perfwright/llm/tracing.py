"""One trace per call: every stage that it went through, and how long each took."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(slots=True)
class Stage:
    """A part of a call."""

    name: str
    """`cache`, `budget`, `limit_wait`, `batch_wait`, `breaker`, `backoff`, `attempt`, `stream`."""
    start_s: float
    end_s: float
    facts: Mapping[str, Any]
    """What is known of it, such as the endpoint and status of an attempt."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


class CallTrace:
    """The stages of one call in the order in which they ended; times are of the adapter's clock.

    It is built on every call, so it holds plain values and computes nothing that is not asked for.
    """

    __slots__ = ("_ids", "end_s", "error", "facts", "operation", "stages", "start_s")

    def __init__(self, operation: str, *, start_s: float, rng: random.Random) -> None:
        self.operation = operation
        """As OpenTelemetry's GenAI conventions name it: `chat`, `embeddings` ..."""
        self.start_s = start_s
        self.end_s = start_s
        self.stages: list[Stage] = []
        self.facts: dict[str, Any] = {}
        """Of the whole call: model, endpoint, tokens, cost."""
        self.error: BaseException | None = None
        self._ids = rng.getrandbits(192)

    @property
    def trace_id(self) -> str:
        """As W3C Trace Context has it: 32 hexadecimal digits."""
        return f"{self._ids >> 64:032x}"

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits."""
        return f"{self._ids & 0xFFFF_FFFF_FFFF_FFFF:016x}"

    @property
    def seconds(self) -> float:
        """How long the call has taken in all."""
        return self.end_s - self.start_s

    def add(self, name: str, start_s: float, *, end_s: float, **facts: Any) -> None:
        """Note that a stage is over."""
        self.stages.append(Stage(name, start_s, end_s, facts))

    def seconds_of(self, name: str) -> float:
        """Return how long all stages of this name took together."""
        return sum(stage.seconds for stage in self.stages if stage.name == name)


class TraceSink(Protocol):
    """Where finished traces go: called once for each call, on the event loop, so be quick."""

    def finished(self, trace: CallTrace) -> None:
        """Take a trace; it is not changed any more."""
