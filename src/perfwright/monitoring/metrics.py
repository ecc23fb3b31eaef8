"""What a part of the library counts, in a form that any metrics system can take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from perfwright.monitoring._buckets import Exponential

Kind = Literal["counter", "gauge", "summary", "histogram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Many observations in one value: a `summary` has quantiles, a `histogram` has buckets."""

    count: int
    total: float
    """The sum of all observations, in the metric's unit."""
    quantiles: Mapping[float, float] = field(default_factory=dict)
    """Value at each quantile, 0 to 1."""
    buckets: Mapping[float, int] = field(default_factory=dict)
    """How many observations are at most each bound, in ascending order of bounds."""
    exponential: Callable[[], Exponential] | None = field(default=None, compare=False, repr=False)
    """Makes the same with bounds that grow by one factor, for exporters that can show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number, or one distribution, at one moment."""

    name: str
    """Snake case, without prefix, unit or `_total`: exporters add these as their system wants."""
    kind: Kind
    """A counter only grows; a gauge goes up and down."""
    value: float | Distribution
    """A `Distribution` for a summary or histogram, else a number."""
    help: str
    """One sentence."""
    unit: Literal["", "seconds", "bytes", "ratio"] = ""
    """Empty where things are counted; a ratio is 0 to 1."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What tells apart the metrics of one name, such as `{"tier": "l1"}`: few values each."""

    def __post_init__(self) -> None:
        distributed = self.kind in ("summary", "histogram")
        if distributed != isinstance(self.value, Distribution):
            kind = "a Distribution" if distributed else "a number"
            raise TypeError(f"metric {self.name!r} is a {self.kind}: its value must be {kind}")


class Measured(Protocol):
    """Something that can say what it has counted."""

    def metrics(self) -> Iterable[Metric]:
        """Return the present values: the same names at each call, in any order, cheap to make."""
