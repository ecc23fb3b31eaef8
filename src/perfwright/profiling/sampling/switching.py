"""How long the interpreter waits before it is taken from the thread that runs."""

from __future__ import annotations

import _thread
import sys

SHORT_S = 0.0001
"""At the interpreter's own 5 ms no burst of work shorter than that is ever seen: by then the thread
has given the interpreter up by itself, to wait, and that is what a sample shows."""

C_CODE_S = 0.0005
"""The interval if C code keeps the interpreter all the time: a thread that waits for it wakes up
once in each interval, at some 3 us."""

_LOOKS = 3.0
"""Shortest interval, in looks: one must end before the thread that it stopped asks for its turn."""

_SMOOTHING = 0.2

_HALF_S = 0.5e-6
"""The setting is cut to whole microseconds, and 199.0 of them may be 198.99999."""


class _Setting:
    """The one setting of the process: what the program chose, and who wants it shorter for now."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with what is set now."""
        self._lock = _thread.allocate_lock()
        self._wants: dict[int, float] = {}
        self._theirs_s = self._set_s = sys.getswitchinterval()

    def want_none(self) -> None:
        """Set back what the threads of the parent wanted, in its child after a fork."""
        theirs_s = self._theirs_s if sys.getswitchinterval() == self._set_s else None
        if theirs_s is not None and self._wants:
            sys.setswitchinterval(theirs_s + _HALF_S)
        self.reset()

    def want(self, owner: int, wanted_s: float | None) -> float:
        """Shorten it to at most `wanted_s` on behalf of `owner`, or no more; returns the result."""
        with self._lock:
            now_s = sys.getswitchinterval()
            if now_s != self._set_s:  # the program has set it meanwhile
                self._theirs_s = self._set_s = now_s
            if wanted_s is None:
                self._wants.pop(owner, None)
            else:
                self._wants[owner] = wanted_s
            target_s = min((self._theirs_s, *self._wants.values()))
            if target_s != now_s:
                sys.setswitchinterval(target_s + _HALF_S)
                self._set_s = sys.getswitchinterval()
            return self._set_s


setting = _Setting()


class SwitchInterval:
    """Shortens `sys.getswitchinterval()` while the sampler waits for its turn.

    The setting is one for all threads, and threads that compute side by side would change places
    as often: so it is shortened only while at most one is busy.
    """

    def __init__(self) -> None:
        self.asked_s = sys.getswitchinterval()
        self._late = self._look_s = 0.0

    def shorten(self, *, busy_threads: int, late: float, look_s: float) -> None:
        """Prepare for the next look.

        Args:
            busy_threads: That had CPU at the last look.
            late: Share (0 to 1) of the last stretch in which the sampler waited for its turn.
            look_s: How long that look took.
        """
        self._late += _SMOOTHING * (late - self._late)
        self._look_s += _SMOOTHING * (look_s - self._look_s)
        wanted_s = max(SHORT_S, self._late * C_CODE_S, self._look_s * _LOOKS)
        self.asked_s = setting.want(id(self), wanted_s if busy_threads <= 1 else None)

    def restore(self) -> None:
        """Set it back, unless the program has set it to something else meanwhile."""
        setting.want(id(self), None)
