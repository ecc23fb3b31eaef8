"""What a monitor hands its finished spans to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from perfwright.monitoring.spans import Span


class SpanExporter(Protocol):
    """Where finished spans go: called from one thread, a batch at a time.

    It may also have `flush(timeout_s)` and `close(timeout_s)`: the monitor's own have that thread
    call them, with what is left of their time. What they return as False, or raise, is a failure.
    """

    def export(self, spans: Sequence[Span], /) -> int | None:
        """Deliver up to 512 spans.

        Returns:
            How many arrived, None for all of them. The others are counted as failed, as is the
            whole batch if it raises.
        """


def arrived_of(answer: object, given: int) -> int:
    """Return what an exporter says of its batch; what is no number of spans says: all of it."""
    if answer is False:
        return 0
    return min(max(answer, 0), given) if type(answer) is int else given
