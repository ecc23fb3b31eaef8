"""What all threads of one probe share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from types import CodeType
from typing import Any


@dataclass(slots=True, kw_only=True)
class Setup:
    """How loops are watched; `awaits` may change meanwhile."""

    now: Callable[[], float]
    block_s: float
    started_s: float
    task_types: tuple[type[Any], ...]
    machinery: frozenset[CodeType]
    """Code of the loop itself; a stack is of interest from there inwards."""
    is_machinery: Callable[[CodeType], bool]
    rng: Random
    awaits: bool = True
    """Whether to see at which awaits a task stands; it is most of the cost."""
