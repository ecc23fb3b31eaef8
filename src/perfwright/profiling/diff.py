"""What got slower between two profiles, and what may be chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import sqrt
from pathlib import PurePath
from statistics import NormalDist, fmean, variance
from typing import Literal, get_args

from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.formats.weights import busy_s
from perfwright.profiling.model import Function, Profile, Stack

Unit = Literal["work", "second"]
"""Seconds per unit of work, or per second that passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One function in both profiles."""

    function: Function
    """As in the later profile, or as in the earlier one if it is in no other."""
    before_s: float
    """Self time per unit."""
    after_s: float
    low_s: float
    """Bounds of the difference, after less before."""
    high_s: float
    cumulative_before_s: float
    """With all that it called."""
    cumulative_after_s: float

    @property
    def difference_s(self) -> float:
        """Self time that was added, per unit; negative if it got faster."""
        return self.after_s - self.before_s

    @property
    def is_certain(self) -> bool:
        """Whether the difference is beyond the noise of sampling."""
        return self.low_s > 0.0 or self.high_s < 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDiff:
    """What changed between two profiles."""

    unit: Unit
    before_s: float
    """Time with work in all functions, per unit."""
    after_s: float
    changes: tuple[Change, ...]
    """Every function, the largest difference first."""

    @property
    def slower(self) -> tuple[Change, ...]:
        """What got slower beyond the noise, most first."""
        return tuple(item for item in self.changes if item.low_s > 0.0)

    @property
    def faster(self) -> tuple[Change, ...]:
        """What got faster beyond the noise, most first."""
        return tuple(item for item in self.changes if item.high_s < 0.0)


def compare(
    before: Profile | Sequence[Profile],
    after: Profile | Sequence[Profile],
    *,
    unit: Unit | None = None,
    confidence: float = 0.95,
) -> ProfileDiff:
    """Compare the time of each function in two profiles, or in two sets of them.

    Functions are matched by qualified name, and by the ends of their paths where a name is not the
    only one; line numbers do not matter. CPU counts for what runs, time for what waits, and idle
    threads for nothing.

    One profile a side allows for the noise of sampling alone: each stack's samples are taken as a
    Poisson count. Several a side also allow for the differences between runs.

    Args:
        before: The earlier one, or several runs of it.
        after: The later one, or several runs of it.
        unit: What to divide by; by default work, where every profile tells how much was done.
        confidence: That not one function is called changed which did not (0 to 1): the bounds
            are wide enough for all functions together (Bonferroni).

    Raises:
        ConfigError: If `confidence` is not between 0 and 1, or `unit` is none.
        ProfilerError: If there is nothing to compare, or no work although that is the unit.
    """
    if type(confidence) is not float or not 0.0 < confidence < 1.0:
        raise ConfigError(field="confidence", value=confidence, problem="must be between 0 and 1")
    asked: object = unit
    if asked is not None and asked not in get_args(Unit):
        raise ConfigError(field="unit", value=unit, problem="must be 'work' or 'second'")
    sides = [_profiles(before), _profiles(after)]
    unit = unit or ("work" if all(item.work > 0 for side in sides for item in side) else "second")
    old, new = (_Side([_sums(item, unit) for item in side]) for side in sides)
    pairs = _matched(old.functions(), new.functions())
    z = NormalDist().inv_cdf(1.0 - (1.0 - confidence) / (2.0 * max(1, len(pairs))))
    changes = [_change(old, new, pair=pair, z=z) for pair in pairs]
    changes.sort(key=lambda item: -abs(item.difference_s))
    totals = {"before_s": old.total_s, "after_s": new.total_s}
    return ProfileDiff(unit=unit, changes=tuple(changes), **totals)


@dataclass(slots=True)
class _Sum:
    self_s: float = 0.0
    cumulative_s: float = 0.0
    variance: float = 0.0


@dataclass(frozen=True, slots=True)
class _Run:
    """One profile, per unit."""

    sums: Mapping[Function, _Sum]
    grain_s: float
    """What one sample stands for: the least that can be told from nothing."""


class _Side:
    """The runs of one side."""

    def __init__(self, runs: list[_Run]) -> None:
        self._runs = runs

    def functions(self) -> set[Function]:
        return {function for run in self._runs for function in run.sums}

    @property
    def total_s(self) -> float:
        return fmean(sum(item.self_s for item in run.sums.values()) for run in self._runs)

    def of(self, function: Function | None) -> tuple[float, float, float]:
        """Mean self time, mean cumulative time, and the variance of the first."""
        none = _Sum()
        seen = [run.sums.get(function, none) if function else none for run in self._runs]
        own = [item.self_s for item in seen]
        noise = fmean(
            max(item.variance, run.grain_s**2) for item, run in zip(seen, self._runs, strict=True)
        )
        if len(own) > 1:
            noise = max(noise, variance(own))
        return fmean(own), fmean(item.cumulative_s for item in seen), noise / len(own)


def _profiles(given: Profile | Sequence[Profile]) -> list[Profile]:
    profiles = [given] if isinstance(given, Profile) else list(given)
    if not profiles or not all(item.stacks for item in profiles):
        raise ProfilerError(
            problem="a profile to compare has no samples",
            remedy="record for longer, or with sampling switched on",
        )
    return profiles


def _sums(profile: Profile, unit: Unit) -> _Run:
    amount = profile.work if unit == "work" else profile.wall_s
    if amount <= 0.0:
        raise ProfilerError(
            problem=f"a profile tells no amount to divide by ({unit})",
            remedy="give Profile.work, or compare by unit='second'",
        )
    sums: dict[Function, _Sum] = {}
    for stack in profile.stacks:
        seconds = busy_s(stack) / amount
        if seconds <= 0.0 or not stack.frames:
            continue
        for function in {frame.function for frame in stack.frames}:  # recursion counts once
            sums.setdefault(function, _Sum()).cumulative_s += seconds
        leaf = sums[stack.frames[-1].function]
        leaf.self_s += seconds
        leaf.variance += seconds**2 / max(1, stack.samples)
    return _Run(sums, _grain_s(profile.stacks) / amount)


def _grain_s(stacks: Iterable[Stack]) -> float:
    busy = [(busy_s(stack), stack.samples) for stack in stacks if busy_s(stack) > 0.0]
    return sum(seconds for seconds, _ in busy) / max(1, sum(count for _, count in busy))


@dataclass(frozen=True, slots=True)
class _Pair:
    old: Function | None
    new: Function | None
    shown: Function


def _matched(old: set[Function], new: set[Function]) -> list[_Pair]:
    pairs: list[_Pair] = []
    left = _by_name(old)
    for name, candidates in sorted(_by_name(new).items()):
        rivals = left.pop(name, [])
        # The most alike first, so that a file keeps its own namesake.
        ranked = sorted(
            ((_alike(a, b), a, b) for a in rivals for b in candidates),
            key=lambda item: (-item[0], item[1].file, item[1].line, item[2].file, item[2].line),
        )
        taken: set[Function] = set()
        for alike, a, b in ranked:
            if alike and a in rivals and b not in taken:
                rivals.remove(a)
                taken.add(b)
                pairs.append(_Pair(a, b, b))
        pairs += [_Pair(None, b, b) for b in candidates if b not in taken]
        pairs += [_Pair(a, None, a) for a in rivals]
    return pairs + [_Pair(a, None, a) for rest in left.values() for a in rest]


def _by_name(functions: set[Function]) -> dict[str, list[Function]]:
    named: dict[str, list[Function]] = {}
    for function in sorted(functions, key=lambda item: (item.file, item.line)):
        named.setdefault(function.name, []).append(function)
    return named


def _alike(a: Function, b: Function) -> int:
    """Count the parts that two paths end with in common; 0 for different file names."""
    ends = zip(reversed(PurePath(a.file).parts), reversed(PurePath(b.file).parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))


def _change(old: _Side, new: _Side, *, pair: _Pair, z: float) -> Change:
    before_s, cumulative_before_s, before_noise = old.of(pair.old)
    after_s, cumulative_after_s, after_noise = new.of(pair.new)
    reach_s = z * sqrt(before_noise + after_noise)
    return Change(
        function=pair.shown,
        before_s=before_s,
        after_s=after_s,
        low_s=after_s - before_s - reach_s,
        high_s=after_s - before_s + reach_s,
        cumulative_before_s=cumulative_before_s,
        cumulative_after_s=cumulative_after_s,
    )
