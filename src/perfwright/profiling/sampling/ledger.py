"""Accounts of threads: which stack each stretch of time and of CPU belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from perfwright.profiling.sampling import clocks

Key = tuple[int, ...]
"""Code id and position of each frame in turn, innermost first."""

GAP = (0, 0)
"""Stands in a key for frames that were not kept."""

WINDOW_S = 0.25
"""A look is fair for its moment, not for the stretch before it: CPU of a stretch that ends in a
wait was spent elsewhere. So the CPU of so much time is shared out among the looks that found the
thread running, each for the time that it stands for."""

STEADY_RATIO = 0.7
"""A thread that had the CPU for so much of a stretch, and is in the same call at both of its ends,
computes in that call."""

CALM_TICKS, CALM_S = 3, 0.06
"""A thread inside a call is taken to stand still once it had no CPU for so long, though others hold
the interpreter: with 12 threads that compute, each gets its turn of 5 ms within 60 ms."""


class Held(IntEnum):
    """How the sampler came to the interpreter at one look."""

    FREE = 0
    """At once: whoever is inside a call stands still, or computes without the interpreter."""
    UNSURE = 1
    """Some thread gave it up, asked to or of itself."""
    FORCED = 2
    """Some thread ran, and had to be asked."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the sampler knows of a thread at one look, besides where it is."""

    wall_s: float
    """Length of the stretch that this look stands for."""
    tail_s: float
    """CPU since the last look that belongs to the next stretch."""
    held: Held
    alone: bool
    """Whether no other thread had CPU."""


@dataclass(slots=True)
class Sums:
    """What one stack of one thread has been charged with."""

    run_samples: int = 0
    run_wall_s: float = 0.0
    cpu_s: float = 0.0
    still_samples: int = 0
    still_wall_s: float = 0.0

    def add(self, other: Sums) -> None:
        """Take over the charges of another one."""
        self.run_samples += other.run_samples
        self.run_wall_s += other.run_wall_s
        self.cpu_s += other.cpu_s
        self.still_samples += other.still_samples
        self.still_wall_s += other.still_wall_s


@dataclass(slots=True)
class Account:
    """One thread."""

    name: str
    clock_id: int | None = None
    read_s: float = 0.0
    """CPU clock at the last look."""
    charged_s: float = 0.0
    """CPU clock up to which time has been charged."""
    owed_s: float = 0.0
    """CPU of windows in which the thread was never seen running: shared out at the end."""
    window_s: float = 0.0
    window_cpu_s: float = 0.0
    ran: list[tuple[Sums, float]] = field(default_factory=list)
    """Looks of the window that found it running, and the stretch that each stands for."""
    stood: list[tuple[Sums, float]] = field(default_factory=list)
    key: Key = ()
    last: Sums | None = None
    """Where the last sample went."""
    running: bool = False
    """Whether it found the thread running."""
    between: bool = False
    """Whether it found the thread between two instructions, so not inside any call."""
    calm_ticks: int = 0
    """Looks since it last had CPU, while it was not clear whether it stands still."""
    calm_s: float = 0.0
    sums: dict[Key, Sums] = field(default_factory=dict)

    def advance(self) -> float | None:
        """Read the CPU clock: seconds since the last look; None if the thread has ended."""
        if self.clock_id is None:
            return 0.0
        read_s = clocks.cpu_s(self.clock_id)
        if read_s is None:
            return None
        before_s, self.read_s = self.read_s, read_s
        return read_s - before_s

    def on_cpu(self) -> bool:
        """Whether the thread has had CPU since the last look: it runs this very moment."""
        return self.clock_id is not None and (clocks.cpu_s(self.clock_id) or 0.0) > self.read_s

    def charge(self, tail_s: float, wall_s: float) -> float:
        """Seconds of CPU not charged yet, without those of the last `tail_s`; at most `wall_s`."""
        cpu_s = max(0.0, min(self.read_s - self.charged_s - tail_s, wall_s))
        self.charged_s += cpu_s
        return cpu_s


class Ledger:
    """Charges each stretch to a stack and a state. Bounded by `max_stacks`."""

    def __init__(self, max_stacks: int) -> None:
        self._max = self._left = max_stacks
        self._sites: dict[Key, list[int]] = {}
        """Of each call: looks that found it standing still, and computing."""
        self.truncated_samples = 0

    def unmoved(self, account: Account, *, wall_s: float, held: Held) -> None:
        """Charge a stretch without any CPU: the thread is where it was."""
        last = account.last
        if last is None:
            return
        if account.between:  # ready to go on, but others have the interpreter or the CPU
            last.run_samples += 1
            last.run_wall_s += wall_s
        elif not account.running or held is Held.FREE or self._stands(account.key[:2]):
            _stand(account, last, wall_s=wall_s)
        else:
            self._perhaps(account, last, wall_s=wall_s)

    def moved(self, account: Account, key: Key, *, between: bool, idle: bool, look: Look) -> None:
        """Charge a stretch with some CPU.

        Args:
            account: The thread.
            key: Where it is now.
            between: Whether that is between two instructions, so not inside a call.
            idle: Whether that is where threads wait for work: whatever it did was done before.
            look: The circumstances.
        """
        sums = self._sums(account, key)
        known = account.clock_id is not None
        cpu_s = account.charge(look.tail_s, look.wall_s) if known else 0.0
        steady = key == account.key and cpu_s >= STEADY_RATIO * look.wall_s > 0.0
        account.running = between or (
            known and not idle and self._computes(account, key[:2], look=look, steady=steady)
        )
        if account.running:
            sums.run_samples += 1
            account.ran.append((sums, look.wall_s))
        else:
            sums.still_samples += 1
            account.stood.append((sums, look.wall_s))
        if known:
            account.window_cpu_s += cpu_s
        elif account.running:
            account.window_cpu_s += look.wall_s
        account.window_s += look.wall_s
        account.calm_ticks, account.calm_s = 0, 0.0
        account.last, account.key, account.between = sums, key, between
        if account.window_s >= WINDOW_S:
            close_window(account)

    @staticmethod
    def extend(account: Account, wall_s: float) -> None:
        """Charge the time after the last look, without a sample, as more of the same."""
        if account.last is None:
            return
        looks = account.ran if account.running else account.stood
        looks.append((account.last, wall_s))

    def _perhaps(self, account: Account, last: Sums, *, wall_s: float) -> None:
        """Charge a thread that either stands still or waits for its turn; time will tell."""
        last.run_samples += 1
        last.run_wall_s += wall_s
        account.calm_ticks += 1
        account.calm_s += wall_s
        if account.calm_ticks >= CALM_TICKS and account.calm_s >= CALM_S:
            last.run_samples -= account.calm_ticks
            last.run_wall_s -= account.calm_s
            last.still_samples += account.calm_ticks - 1
            _stand(account, last, wall_s=account.calm_s)
            self._site(account.key[:2])[0] += account.calm_ticks
            account.calm_ticks, account.calm_s = 0, 0.0

    def _computes(self, account: Account, site: Key, *, look: Look, steady: bool) -> bool:
        """Whether a thread inside a call computes there, or stands still."""
        seen = self._site(site)
        # Without the interpreter's lock it computes on while we look, unless we took its CPU.
        if steady or account.on_cpu():
            seen[1] += 1
            return True
        if look.held is Held.FREE:
            seen[0] += 1
        elif look.alone:
            # It ran when the look was due. Should it have let go just now, to wait in this call,
            # then what it did before was most likely done around here.
            seen[1] += look.held is Held.FORCED
            return True
        # As a rule of this place: a call that computes may have lost its CPU to another process,
        # and one that waits may have begun just now.
        return seen[0] <= seen[1]

    def _stands(self, site: Key) -> bool:
        seen = self._site(site)
        return seen[0] > seen[1]

    def _site(self, site: Key) -> list[int]:
        seen = self._sites.get(site)
        if seen is None:
            if len(self._sites) > 4 * self._max:
                self._sites.clear()
            seen = self._sites[site] = [0, 0]
        return seen

    def _sums(self, account: Account, key: Key) -> Sums:
        sums = account.sums.get(key)
        if sums is not None:
            return sums
        if self._left <= 0:
            self.truncated_samples += 1
            key = (*key[:2], *GAP) if self._left > -self._max // 4 else GAP
            sums = account.sums.get(key)
            if sums is not None:
                return sums
        self._left -= 1
        sums = account.sums[key] = Sums()
        return sums


def close_window(account: Account) -> None:
    """Share the CPU of the window out among the looks that found the thread running."""
    cpu_s, account.window_cpu_s, account.window_s = account.window_cpu_s, 0.0, 0.0
    ran_s = sum(wall_s for _, wall_s in account.ran)
    stood_s = sum(wall_s for _, wall_s in account.stood)
    seen_s = 0.0
    if ran_s > 0.0:  # by chance or by short bursts less may be seen running than did run
        seen_s = max(ran_s, cpu_s)
        for sums, wall_s in account.ran:
            sums.run_wall_s += wall_s * seen_s / ran_s
            sums.cpu_s += wall_s * cpu_s / ran_s
    else:
        account.owed_s += cpu_s
        seen_s = cpu_s
    for sums, wall_s in account.stood:
        if stood_s > 0.0:
            sums.still_wall_s += wall_s * max(0.0, ran_s + stood_s - seen_s) / stood_s
    account.ran.clear()
    account.stood.clear()


def settle(account: Account) -> None:
    """Charge what is still open, in proportion to what was seen of the thread running."""
    close_window(account)
    owed_s, account.owed_s = account.owed_s, 0.0
    if owed_s <= 0.0 or account.last is None:
        return
    total_s = sum(sums.cpu_s for sums in account.sums.values())
    if total_s <= 0.0:
        account.last.run_samples += 1
        account.last.run_wall_s += owed_s
        account.last.cpu_s += owed_s
        return
    for sums in account.sums.values():
        share_s = owed_s * sums.cpu_s / total_s
        sums.run_wall_s += share_s
        sums.cpu_s += share_s


def _stand(account: Account, last: Sums, *, wall_s: float) -> None:
    last.still_samples += 1
    last.still_wall_s += wall_s
    account.running = False
