"""Which places to mend first: every claim weighed by what would vanish with it."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice

from perfwright.core import discover
from perfwright.profiling.bottleneck import Bottleneck, BottleneckKind
from perfwright.profiling.diagnosis.claim import Claim, KindRule
from perfwright.profiling.diagnosis.own import OwnCode
from perfwright.profiling.diagnosis.place import Place
from perfwright.profiling.diagnosis.responsibility import fallbacks
from perfwright.profiling.diagnosis.run import Run
from perfwright.profiling.model import Function, Profile

MIN_SCORE = 0.1  # percent; below it a place is noise
MIN_CONFIDENCE = 0.5  # below it the kind is called unknown
SURE = 0.6  # confidence of a claim that soft ones give way to
NAMED = 0.6  # of what an unknown cause would weigh: then the known one is told
SAME = 0.6  # part of the time of a soft claim that the other must explain
EXPLAINED_AGAIN = 0.45  # what is left of a claim whose time a better one explains already


def diagnose(
    profile: Profile, *, own: OwnCode | None = None, top_n: int | None = 20
) -> list[Bottleneck]:
    """Rank the functions of the user's code whose change would save most.

    Args:
        profile: What the probes saw, with sources; stacks suffice, the rest makes it surer.
        own: Which code the user can change.
        top_n: At most so many; None for all.

    Returns:
        One bottleneck for each function, the greatest saving first.
    """
    run = Run(profile, own=own)
    claims = _undisputed(run, [claim for rule in all_rules() for claim in rule.find(run)])
    strongest = list(_strongest(run, claims))
    ranked = _ranked(run, [*strongest, *_unnamed(run, strongest)])
    found = [_bottleneck(run, claim, score=score) for claim, score in ranked]
    return [b for b in found if b.score >= MIN_SCORE][:top_n]


@cache
def all_rules() -> tuple[KindRule, ...]:
    """Every rule of the package `kinds`, by identifier."""
    package = importlib.import_module("perfwright.profiling.diagnosis.kinds")
    return discover(package, kind=KindRule)


def _undisputed(run: Run, claims: list[Claim]) -> list[Claim]:
    """The claims without the soft ones that a sure claim explains otherwise."""
    sure = [c.samples for c in claims if not c.soft and c.confidence >= SURE]
    return [
        c
        for c in claims
        if not c.soft
        or not any(run.share(c.samples & other) > SAME * run.share(c.samples) for other in sure)
    ]


def _unnamed(run: Run, claims: list[Claim]) -> Iterator[Claim]:
    """Claims of unknown kind, but for functions of which a cause explains nearly as much."""
    named = {c.function: weight(run, c) for c in claims if c.confidence >= MIN_CONFIDENCE}
    for claim in fallbacks(run):
        if named.get(claim.function, 0.0) < NAMED * weight(run, claim):
            yield claim


def _strongest(run: Run, claims: Iterable[Claim]) -> Iterator[Claim]:
    """The weightiest kind of each function, with all that is claimed of this kind."""
    of: dict[Function, dict[BottleneckKind, list[Claim]]] = {}
    for claim in claims:
        of.setdefault(claim.function, {}).setdefault(claim.kind, []).append(claim)
    for kinds in of.values():
        rivals = [_together(run, same) for same in kinds.values()]
        yield min(rivals, key=lambda c: (-weight(run, c), c.kind))


def _together(run: Run, claims: list[Claim]) -> Claim:
    """Claims of one kind about several lines of a function, as one."""
    first = min(claims, key=lambda c: (-weight(run, c), c.lines))
    if first.share is not None:
        return first
    return replace(
        first,
        samples=frozenset[int]().union(*(claim.samples for claim in claims)),
        lines=tuple(dict.fromkeys(line for claim in (first, *claims) for line in claim.lines)),
    )


def weight(run: Run, claim: Claim) -> float:
    """Expected part of the run's cost that vanishes: what would, by how sure that is."""
    share = run.share(claim.samples) if claim.share is None else claim.share
    return min(share, 1.0) * claim.confidence


def _ranked(run: Run, claims: list[Claim]) -> list[tuple[Claim, float]]:
    """The best claim first, then what is best given that its time is gone, and so on."""
    left = list(claims)
    explained = frozenset[int]()
    ranked: list[tuple[Claim, float]] = []
    while left:
        best = max(
            left, key=lambda c: (_remaining(run, c, explained=explained), c.function.name, c.kind)
        )
        score = _remaining(run, best, explained=explained)
        ranked.append((best, min(100 * score, ranked[-1][1] if ranked else 100.0)))
        explained |= best.samples
        left = [c for c in left if c.function != best.function]
    return ranked


def _remaining(run: Run, claim: Claim, *, explained: frozenset[int]) -> float:
    if claim.share is not None:
        return weight(run, claim)
    new = run.share(claim.samples - explained)
    known = run.share(claim.samples & explained)
    return (new + EXPLAINED_AGAIN * known) * claim.confidence


def _bottleneck(run: Run, claim: Claim, *, score: float) -> Bottleneck:
    place = run.ensure(claim.function)
    sure = claim.confidence >= MIN_CONFIDENCE
    return Bottleneck(
        function=claim.function,
        score=round(score, 2),
        kind=claim.kind if sure else BottleneckKind.UNKNOWN,
        evidence=claim.evidence,
        confidence=round(claim.confidence, 2) if sure else 0.0,
        lines=claim.lines or place.hottest(claim.samples),
        self_s=place.self_s,
        cumulative_s=place.cumulative_s,
        calls=place.calls,
        memory_bytes=claim.memory_bytes,
        callers=_callers(run, place),
    )


def _callers(run: Run, place: Place, *, limit: int = 3) -> tuple[Function, ...]:
    """Who called it most, as counted, else as seen: own functions where there are any."""
    counted = [function for function, _ in run.callers.get(place.function, Counter()).most_common()]
    own = [function for function in counted if run.own.owns(function)]
    seen = (function for function, _ in run.callers_of(place))
    return tuple(islice(own or seen, limit)) or tuple(counted[:limit])
