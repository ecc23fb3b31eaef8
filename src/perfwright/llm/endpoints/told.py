"""What headers tell of a limit, turned into a rate."""

from __future__ import annotations

from perfwright.limits import Rate

_WINDOWS_S = (60.0, 1.0, 3_600.0, 86_400.0)
"""Lengths of the windows that providers have limits for, the most usual first. None says which."""
_ENOUGH_USED = 5
_NEARLY_ALL = 0.9
_OTHER_RESET = 0.1


class ToldLimit:
    """A limit as headers announce it: so much in a window, so much left, and when all is back.

    A limit of 6,000 in a minute may mean that 6,000 can go at once, or 100 a second with a burst
    of 20. The reset tells: what is left now and what comes back until then is what fits in.
    """

    def __init__(self) -> None:
        self.rate: Rate | None = None
        self._window_s = 0.0
        self._fit_s: tuple[float, float] | None = None
        """A window that fitted the last answer, and the first reset that it fitted."""

    def note(self, limit: int | None, *, left: int | None, reset_s: float | None) -> Rate | None:
        """Take one answer's headers; returns the rate if it is another than before."""
        if limit is None or left is None or limit < 1:
            return None
        if reset_s is not None:
            self._note_window(limit, used=limit - left, left=left, reset_s=reset_s)
        per_s = limit / (self._window_s or _WINDOWS_S[0])
        fits = left + (per_s * reset_s if reset_s is not None else 0.0)
        burst = min(max(1.0, fits), float(limit))
        if self.rate is not None and self.rate.per_s == per_s:
            burst = max(burst, self.rate.burst)
            if burst == self.rate.burst:
                return None
        self.rate = Rate(per_s, burst)
        return self.rate

    def _note_window(self, limit: int, *, used: int, left: int, reset_s: float) -> None:
        """The window's length shows in how long it takes to get back what was used."""
        if used >= _ENOUGH_USED and reset_s > 0.0:
            for window_s in _WINDOWS_S:
                back_s = used * window_s / limit
                if abs(reset_s - back_s) <= 0.05 * back_s + 0.001:
                    self._note_fit(window_s, reset_s=reset_s, used_ratio=used / limit)
                    return
            self._fit_s = None
        window_s = self._window_s or _WINDOWS_S[0]
        if left + limit / window_s * reset_s > 1.05 * limit + 2.0:  # more would come back than fits
            self._window_s = next((w for w in sorted(_WINDOWS_S) if w >= reset_s), _WINDOWS_S[-1])

    def _note_fit(self, window_s: float, *, reset_s: float, used_ratio: float) -> None:
        """An empty bucket can fit by chance: a second's worth of a minute is back in a second."""
        fit_window_s, fit_reset_s = self._fit_s or (0.0, 0.0)
        if fit_window_s != window_s:
            self._fit_s = (window_s, reset_s)
        is_other = abs(reset_s - fit_reset_s) > _OTHER_RESET * fit_reset_s
        if used_ratio <= _NEARLY_ALL or (fit_window_s == window_s and is_other):
            self._window_s = window_s
