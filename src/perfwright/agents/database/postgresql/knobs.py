"""The settings of PostgreSQL that may be searched: their bounds, risks and memory. Pure.

None of them can lose data or alter an answer: `fsync`, `synchronous_commit`, autovacuum and the
like are not here, and never will be. The `enable_*` switches are for finding out, not for keeping.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Literal

from perfwright.agents.database.server import ServerState, Setting
from perfwright.core import Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One setting, within declared bounds."""

    name: str
    rungs: tuple[float, ...]
    """What it may become, in order of distance from PostgreSQL's own value; the last is the bound.
    Memory is in kB; a switch is 1 or 0."""
    unit: Literal["kB", "", "switch"] = ""
    risk: Risk
    why: str
    first: float
    """What is proposed before anything was measured."""

    @property
    def rises(self) -> bool:
        """Whether it is only ever raised; else it is only ever lowered."""
        return self.rungs[-1] > self.rungs[0]

    def beyond(self, present: float) -> tuple[float, ...]:
        """The rungs that lie beyond the present value, the nearest first."""
        if self.rises:
            return tuple(rung for rung in self.rungs if rung > present)
        return tuple(rung for rung in self.rungs if rung < present)

    def text(self, value: float) -> str:
        """A value as SET takes it."""
        if self.unit == "switch":
            return "on" if value else "off"
        if self.unit == "kB":
            whole = int(value)
            return f"{whole // 1024}MB" if whole % 1024 == 0 else f"{whole}kB"
        return f"{value:g}"


def _doubled(low: float, high: float) -> tuple[float, ...]:
    count = round(log2(high / low)) + 1
    return tuple(low * 2.0**number for number in range(count))


KNOBS: Mapping[str, Knob] = {
    knob.name: knob
    for knob in (
        Knob(
            name="work_mem",
            rungs=_doubled(4 * 1024, 256 * 1024),
            unit="kB",
            risk=Risk.MEDIUM,
            why="Sorts and hashes that exceed it are written to disk and read back.",
            first=16 * 1024,
        ),
        Knob(
            name="hash_mem_multiplier",
            rungs=(1.0, 2.0, 4.0, 8.0),
            risk=Risk.MEDIUM,
            why="Hashes suffer more than sorts when they do not fit; this is theirs alone.",
            first=4.0,
        ),
        Knob(
            name="random_page_cost",
            rungs=(4.0, 3.0, 2.0, 1.5, 1.25, 1.1, 1.0),
            risk=Risk.LOW,
            why="Four times a page in order is for disks that turn; in memory all are alike.",
            first=1.1,
        ),
        Knob(
            name="effective_cache_size",
            rungs=_doubled(1024**2, 256 * 1024**2),
            unit="kB",
            risk=Risk.LOW,
            why="The planner takes repeated index lookups for dear when it expects little cache.",
            first=8 * 1024**2,
        ),
        Knob(
            name="jit",
            rungs=(1.0, 0.0),
            unit="switch",
            risk=Risk.LOW,
            why="Compiling takes longer than it saves for statements of less than a second or so.",
            first=0.0,
        ),
        Knob(
            name="max_parallel_workers_per_gather",
            rungs=(4.0, 3.0, 2.0, 1.0, 0.0),
            risk=Risk.MEDIUM,
            # Never raised: alone on a copy, workers always pay; what others lose does not show.
            why="Starting workers takes milliseconds that a short statement does not win back.",
            first=0.0,
        ),
        Knob(
            name="join_collapse_limit",
            rungs=(8.0, 10.0, 12.0, 14.0),
            risk=Risk.LOW,
            why="Statements that join more tables than this are joined in the order of their text.",
            first=12.0,
        ),
        Knob(
            name="from_collapse_limit",
            rungs=(8.0, 10.0, 12.0, 14.0),
            risk=Risk.LOW,
            why="Subqueries are planned by themselves when they would bring more tables than this.",
            first=12.0,
        ),
    )
}
"""Plan cache mode is not here: whether statements are prepared shows only in the program."""

MEMORY_KNOBS = frozenset({"work_mem", "hash_mem_multiplier"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KnobFacts:
    """Settings under which statements may be faster."""

    knobs: tuple[str, ...]
    """Names within `KNOBS`."""


_AMOUNT = re.compile(r"\s*(-?[\d.]+(?:e[+-]?\d+)?)\s*(B|kB|MB|GB|TB|8kB)?\s*\Z", re.IGNORECASE)
KIB = {"b": 1 / 1024, "kb": 1.0, "mb": 1024.0, "gb": 1024.0**2, "tb": 1024.0**3, "8kb": 8.0}
_SWITCH = {"on": 1.0, "true": 1.0, "yes": 1.0, "off": 0.0, "false": 0.0, "no": 0.0}


def amount(knob: Knob, text: str, *, unit: str = "") -> float | None:
    """Read a value as PostgreSQL writes it; None where it is none.

    Args:
        knob: The setting.
        text: Such as `64MB`, `8192`, `on`.
        unit: What a bare number is in, such as `8kB`.
    """
    if knob.unit == "switch" and text.strip().lower() in _SWITCH:
        return _SWITCH[text.strip().lower()]
    match = _AMOUNT.match(text)
    if match is None:
        return None
    number = float(match[1])
    if knob.unit != "kB":
        return number
    return number * KIB[(match[2] or unit or "kB").lower()]


def present_values(settings: Iterable[Setting]) -> dict[str, float]:
    """The values of all knobs among some settings, by name."""
    found = {}
    for setting in settings:
        knob = KNOBS.get(setting.name)
        value = amount(knob, setting.value, unit=setting.unit) if knob else None
        if value is not None:
            found[setting.name] = value
    return found


def present(server: ServerState, name: str) -> float | None:
    """What the sessions that run the workload have for a knob; None where it cannot be seen."""
    own = workload_settings(server).get(name)
    if own is not None:
        return amount(KNOBS[name], own, unit=_UNITS.get(name, ""))
    setting = server.setting(name)
    return present_values((setting,)).get(name) if setting else None


_UNITS = {"effective_cache_size": "8kB"}


def workload_settings(server: ServerState) -> dict[str, str]:
    """What a session of the workload has besides the server's own settings, by name.

    What is set for the role in this database outranks what is set for the role, and that what is
    set for the database.
    """
    here = (("", server.database), (server.workload_role, ""))
    ranked = (*here, (server.workload_role, server.database))
    return {
        each.name: each.value
        for subject in ranked
        if subject != ("", "")
        for each in server.role_settings
        if (each.role, each.database) == subject
    }
