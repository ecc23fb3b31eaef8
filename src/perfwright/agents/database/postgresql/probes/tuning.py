"""Searches settings on a scratch copy, and proposes those that carry something."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path

from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.detectors.untuned_settings import find
from perfwright.agents.database.naming import literal
from perfwright.agents.database.postgresql.knobs import KNOBS, MEMORY_KNOBS, present_values
from perfwright.agents.database.postgresql.probes.asking import ask
from perfwright.agents.database.postgresql.probes.replay import Replayer
from perfwright.agents.database.postgresql.probes.setting_trials import (
    HARM,
    SURE_ROUNDS,
    Compared,
    SettingTrials,
)
from perfwright.agents.database.postgresql.searching import is_installed, search, trimmed
from perfwright.agents.database.postgresql.setting_changes import overridden, setting_change
from perfwright.agents.database.postgresql.spaces import (
    NODES,
    WORK_SHARE,
    Config,
    Space,
    room_of,
    space_for,
)
from perfwright.agents.database.remedies.session_settings import REMEDY, risk_of
from perfwright.agents.database.server import ServerState, Setting
from perfwright.core import Clock, Prediction, Progress, Proposal
from perfwright.core.units import format_size

SEED = 7
MAX_TUNING_S = 30.0
SEARCH_SHARE = 0.6  # of the time; the rest is for trimming and the last look
TRIM_SHARE = 0.9
MIN_GAIN = 0.03  # of the statements that the settings affect
MIN_SHARE = 0.01  # of all reads
_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def tune(
    artifacts: DatabaseArtifacts,
    proposals: tuple[Proposal, ...],
    *,
    replayer: Replayer,
    memory_bytes: float | None,
    clock: Clock,
    progress: Progress,
) -> tuple[Proposal, ...]:
    """Replace proposals that only guess at settings by one whose settings were tried.

    It is left out where nothing pays, and where Optuna is not installed.

    Args:
        artifacts: What was seen.
        proposals: Those that were chosen; the changes of all others are in place on the copy.
        replayer: On the copy, with the present settings.
        memory_bytes: Of the target's machine; None: unknown.
        clock: The time.
        progress: Told about each step.
    """
    guesses = [p for p in proposals if p.remedy == REMEDY]
    others = tuple(p for p in proposals if p.remedy != REMEDY)
    server = artifacts.server
    if not guesses or server is None or not is_installed():
        return others
    began = clock.now()

    def time_is_up(share: float) -> bool:
        return clock.now() - began > share * MAX_TUNING_S

    names = [name for guess in guesses for name in guess.change.subject.split(", ")]
    space = _space(replayer, names=names, server=server, memory_bytes=memory_bytes)
    if not space.ladders:
        return others
    progress("measuring the reads under the present settings")
    trials = SettingTrials(
        replayer,
        workload=artifacts.workload or (),
        space=space,
        time_is_up=lambda: time_is_up(SEARCH_SHARE / 2),
    )
    progress(f"searching settings: {', '.join(ladder.knob.name for ladder in space.ladders)}")
    best, tried = search(
        space, trials.score, seed=SEED, time_is_up=lambda: time_is_up(SEARCH_SHARE)
    )
    progress("leaving out settings that carry nothing")
    best = trimmed(space, best, ratio=trials.ratio, time_is_up=lambda: time_is_up(TRIM_SHARE))
    if best == space.start:
        return others
    seen = trials.compare(best, space.start, rounds=SURE_ROUNDS)
    if not is_worth_it(seen, total_ms=trials.total_ms):
        return others
    return (
        *others,
        _proposal(guesses, space=space, best=best, seen=seen, tried=tried, server=server),
    )


def tuning_note(artifacts: DatabaseArtifacts) -> Iterator[str]:
    """Say what is missing where there are settings to search and nothing to search them with."""
    if artifacts.server is not None and not is_installed() and any(find(artifacts)):
        yield (
            "settings of the sessions were not searched: the extra `tuning` is not installed; "
            "pip install 'perfwright[tuning]'"
        )


def is_worth_it(seen: Compared, *, total_ms: float) -> bool:
    """Whether settings win enough of the reads that they affect, and of all reads."""
    saved = seen.other_ms - seen.one_ms - HARM * seen.harm_ms
    return seen.ratio <= 1.0 - MIN_GAIN and saved >= MIN_SHARE * total_ms


def _space(
    replayer: Replayer, *, names: list[str], server: ServerState, memory_bytes: float | None
) -> Space:
    """The space around the values that the session on the copy has."""
    listed = ", ".join(map(literal, KNOBS))
    rows = ask(
        replayer.connection,
        f"SELECT name, setting, coalesce(unit, '') FROM pg_settings WHERE name IN ({listed})",
    )
    settings = (Setting(name=name, value=value, unit=unit) for name, value, unit in rows)
    return space_for(
        [name for name in names if name in KNOBS and name not in overridden(server)],
        values=present_values(settings),
        room=room_of(server, memory_bytes=memory_bytes),
    )


def _proposal(
    guesses: list[Proposal],
    *,
    space: Space,
    best: Config,
    seen: Compared,
    tried: int,
    server: ServerState,
) -> Proposal:
    texts = space.texts(best)
    statements = "1 statement" if seen.statements == 1 else f"{seen.statements} statements"
    basis = f"{tried} settings tried by the clock on the copy, each in turns with the present ones"
    return replace(
        guesses[0],
        change=setting_change(server, texts),
        predicted=Prediction(
            metric="workload",
            ratio=seen.ratio,
            gain=seen.other_ms - seen.one_ms,
            basis=f"{basis}, on {statements} that they affect{_memory_words(space, texts)}",
        ),
        risk=risk_of(texts),
        because=tuple(dict.fromkeys(cause for guess in guesses for cause in guess.because)),
    )


def _memory_words(space: Space, texts: dict[str, str]) -> str:
    if not MEMORY_KNOBS & set(texts):
        return ""
    room = space.room
    return (
        f"; chosen so that {NODES} sorts or hashes in each of {room.busy:.0f} sessions together "
        f"take at most {WORK_SHARE:.0%} of {format_size(room.memory_bytes)} of memory"
    )


def machine_memory(url: str) -> float | None:
    """Memory of the machine that a server runs on: of this one, if that is it; else None."""
    import psycopg

    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return None
    host = str(given.get("host") or os.environ.get("PGHOST", ""))
    if given.get("service") or not (host in _HERE or host.startswith("/")):
        return None
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return min(float(pages * page_bytes), _container_bytes())


def _container_bytes() -> float:
    """What this process may take; infinite where nothing limits it."""
    try:
        return float(_CONTAINER_LIMIT.read_text())
    except (OSError, ValueError):  # `max`
        return inf
