"""Makes it visible which rules led to a decision."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

log = logging.getLogger("loans")


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:140]} ... {text[-140:]}"


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*arguments: Any) -> Any:
        entry = ", ".join(map(shown, arguments))
        log.debug("-> %s(%s)", function.__qualname__, entry)
        result = function(*arguments)
        log.debug("<- %s = %s", function.__qualname__, shown(result))
        return result

    return wrapper
