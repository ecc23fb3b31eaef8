"""What other processes need to know of a span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perfwright.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SpanContext:
    """What other processes need to know of a span: the content of a `traceparent` header.

    Raises:
        ConfigError: If an identifier is 0, negative or too long.
    """

    trace_id: int
    """128 bits, never 0."""
    span_id: int
    """64 bits, never 0."""
    sampled: bool = True
    """Whether the caller keeps this trace."""
    trace_state: str = ""
    """The `tracestate` header, handed on as it came."""
    _depth: ClassVar[int] = 0
    _token: ClassVar[None] = None

    def __post_init__(self) -> None:
        for field, value, bits in (("trace_id", self.trace_id, 128), ("span_id", self.span_id, 64)):
            if type(value) is not int or not 0 < value < 1 << bits:
                raise ConfigError(field=field, value=value, problem=f"needs 1 to {bits} bits")

    @property
    def kept(self) -> bool:
        """Whether head sampling chose this trace, under the name that spans have for it."""
        return self.sampled
