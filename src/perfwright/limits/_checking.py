"""Settings are checked once, where they come in."""

from __future__ import annotations

from perfwright.core import ConfigError, is_number


def check_range(
    field: str,
    value: float | None,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> None:
    """Refuse a setting that is out of its range; None means that it is off."""
    if value is None:
        return
    if not is_number(value):
        raise ConfigError(field=field, value=value, problem="must be a number")
    for wrong, bound, words in (
        (above is not None and not value > above, above, "must be above"),
        (at_least is not None and not value >= at_least, at_least, "must be at least"),
        (at_most is not None and not value <= at_most, at_most, "must be at most"),
        (below is not None and not value < below, below, "must be below"),
    ):
        if wrong:
            raise ConfigError(field=field, value=value, problem=f"{words} {bound:g}")
