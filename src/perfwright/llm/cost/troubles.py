"""Troubles of booking: the answer is paid for, so they are told and counted, not raised."""

from __future__ import annotations

import logging

_log = logging.getLogger("perfwright.llm")
_MAX_TOLD = 64


class Troubles:
    """Logs each trouble once, and counts them all."""

    def __init__(self) -> None:
        self.count = 0
        self._told: set[str] = set()

    def note(self, what: str, error: Exception) -> None:
        """Take in that `what` has failed."""
        self.count += 1
        reason = f"{what}: {type(error).__name__}: {error}"
        if reason not in self._told and len(self._told) < _MAX_TOLD:
            self._told.add(reason)
            _log.warning("%s; the calls go on, and this is logged once", reason, exc_info=error)
