"""Which traces to keep: by their identifier at the start, by how they went at the end."""

from __future__ import annotations

_RANDOM_BITS = 56
_RANDOM = (1 << _RANDOM_BITS) - 1


class HeadSampling:
    """Keeps a share of all traces, and of each trace either every span or none, in all processes.

    A trace is kept if the lowest 56 bits of its identifier, which W3C Trace Context makes the
    random ones, are at least a threshold. Everybody who follows that rule with the same ratio keeps
    the same traces, and a smaller ratio keeps a part of what a larger one does.

    Source: OpenTelemetry specification, TraceState: Probability Sampling.
    """

    __slots__ = ("ratio", "threshold")

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self.threshold = round((1.0 - ratio) * (1 << _RANDOM_BITS))

    def keeps(self, trace_id: int) -> bool:
        """Return whether the trace is kept."""
        return trace_id & _RANDOM >= self.threshold
