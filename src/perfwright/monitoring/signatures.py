"""How fast each operation is in one version of a program, saved, to compare the next version with.

A signature keeps the latencies as they came, in batches of some seconds: the spread between the
batches is what the operation does by itself, on this machine, with nothing changed. A later version
is called slower only where it differs by more than that.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from perfwright.core import ConfigError, TelemetryError
from perfwright.monitoring.sketch import Sketch

Verdict = Literal["slower", "faster", "same", "unknown"]
Quantile = Literal["p50", "p95"]
QUANTILES: Mapping[Quantile, float] = {"p50": 0.5, "p95": 0.95}

MIN_BATCHES = 16
"""Fewer on either side are too few to know how an operation varies by itself."""

_LONGEST_S = 1e30
_FORMAT = "perfwright-signatures"
_FORMAT_VERSION = 1
_REMEDY = "delete the file, or name another one: it is written anew with the next version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The operations that ended within one stretch of time."""

    count: int
    p50: float
    """In seconds, as `p95`."""
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How one operation behaved in one version."""

    operation: str
    batches: tuple[Batch, ...]
    """In the order of time."""
    failed: int
    sketch: Sketch
    """Of all durations, in seconds."""

    def slow_limit_s(self, *, false_alarm_rate: float = 0.001) -> float:
        """Return what only that share of operations exceeds as long as nothing changes.

        Not a number where too few were seen to know: fewer than 10 would exceed it.
        """
        if not 0.0 < false_alarm_rate < 1.0:
            problem = "must be above 0 and below 1"
            raise ConfigError(field="false_alarm_rate", value=false_alarm_rate, problem=problem)
        if self.sketch.count * false_alarm_rate < 10.0:
            return math.nan
        return self.sketch.quantile(1.0 - false_alarm_rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One quantile of one operation in two versions."""

    operation: str
    quantile: Quantile
    verdict: Verdict
    before_s: float
    """Typical of the batches; not a number where unknown, as are the others."""
    after_s: float
    change: float
    """Relative: 0.5 is half as slow again."""
    p_value: float
    """Chance of so large a change, in this direction, if there is none."""

    def __str__(self) -> str:
        """One line for a person."""
        if self.verdict == "unknown":
            return f"{self.operation} {self.quantile}: unknown, fewer than {MIN_BATCHES} batches"
        return (
            f"{self.operation} {self.quantile}: {self.verdict}, {self.before_s:.4g} s to "
            f"{self.after_s:.4g} s ({100 * self.change:+.1f} %, p = {self.p_value:.2g})"
        )


Signatures = Mapping[str, Signature]
"""By operation; of one version."""


def compare(
    before: Signatures,
    after: Signatures,
    *,
    false_alarm_rate: float = 0.01,
    min_change: float = 0.05,
) -> list[Comparison]:
    """Say which operations became slower or faster, by p50 and p95.

    Args:
        before: Signatures of the version to compare with.
        after: Those of the version in question.
        false_alarm_rate: Chance that a version that changed nothing is called slower anywhere;
            that of being called faster anywhere is the same.
        min_change: Smaller relative changes are called the same.

    Returns:
        Two for each operation that is in both, slower ones first, by how much they changed.

    Raises:
        ConfigError: If a setting is out of its range.
    """
    if not 0.0 < false_alarm_rate < 1.0:
        problem = "must be above 0 and below 1"
        raise ConfigError(field="false_alarm_rate", value=false_alarm_rate, problem=problem)
    if not 0.0 <= min_change < math.inf:
        raise ConfigError(field="min_change", value=min_change, problem="must not be negative")
    pairs = [
        (quantile, before[operation], after[operation])
        for operation in sorted(before.keys() & after.keys())
        for quantile in QUANTILES
    ]
    known = [pair for pair in pairs if _is_known(pair[1]) and _is_known(pair[2])]
    level = false_alarm_rate / len(known) if known else 0.0
    found = [
        _compared(one, two, quantile=quantile, level=level, min_change=min_change)
        for quantile, one, two in pairs
    ]
    order: tuple[Verdict, ...] = ("slower", "faster", "same", "unknown")
    return sorted(found, key=lambda one: (order.index(one.verdict), -abs(one.change)))


def _is_known(signature: Signature) -> bool:
    return len(signature.batches) >= MIN_BATCHES


def _compared(
    before: Signature, after: Signature, *, quantile: Quantile, level: float, min_change: float
) -> Comparison:
    from perfwright.stats.groups import group_shift

    operation, nothing = before.operation, math.nan
    if not (_is_known(before) and _is_known(after)):
        return Comparison(
            operation=operation, quantile=quantile, verdict="unknown",
            before_s=nothing, after_s=nothing, change=nothing, p_value=nothing,
        )  # fmt: skip
    one, two = _logarithms(before, quantile), _logarithms(after, quantile)
    shift = group_shift(one, two)
    change = math.expm1(shift.value)
    typical_s = math.exp(math.fsum(one) / len(one))
    verdict: Verdict = "same"
    if shift.p_higher <= level and change >= min_change:
        verdict = "slower"
    elif shift.p_lower <= level and -change >= min_change / (1.0 + min_change):
        verdict = "faster"
    return Comparison(
        operation=operation,
        quantile=quantile,
        verdict=verdict,
        before_s=typical_s,
        after_s=typical_s * (1.0 + change),
        change=change,
        p_value=min(shift.p_higher, shift.p_lower),
    )


def _logarithms(signature: Signature, quantile: Quantile) -> list[float]:
    """Of a batch's quantile, in the order of time; what is below a nanosecond is one."""
    quantiles = (getattr(batch, quantile) for batch in signature.batches)
    return [math.log(min(max(seconds, 1e-9), _LONGEST_S)) for seconds in quantiles]


# --- Files ----------------------------------------------------------------------------------------


def save_signatures(
    path: str | os.PathLike[str], signatures: Signatures, *, version: str, keep: int = 20
) -> None:
    """Write the signatures of a version into a file, beside those of other versions.

    The file is replaced as a whole, so that no reader sees half of it. Two writers at once: the
    later one wins.

    Args:
        path: A JSON file; made if it is not there.
        signatures: By operation.
        version: What they are of, such as a release or a commit; what it had before is replaced.
        keep: Versions to keep, the latest written ones.

    Raises:
        ConfigError: If the version is empty, or `keep` is below 1.
        TelemetryError: If the file cannot be read or written, or holds something else.
    """
    if not version:
        raise ConfigError(field="version", value=version, problem="must not be empty")
    if type(keep) is not int or keep < 1:
        raise ConfigError(field="keep", value=keep, problem="must be a whole number >= 1")
    place = Path(path)
    versions = _read(place)["versions"] if place.exists() else {}
    versions.pop(version, None)
    versions[version] = {name: _to_dict(one) for name, one in signatures.items()}
    kept = dict(list(versions.items())[-keep:])
    document = {"format": _FORMAT, "format_version": _FORMAT_VERSION, "versions": kept}
    draft = place.with_name(f"{place.name}.{os.getpid()}.new")
    try:
        draft.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
        draft.replace(place)
    except OSError as error:
        draft.unlink(missing_ok=True)
        problem = f"cannot be written: {error.strerror or error}"
        remedy = "name a file in a folder that can be written to"
        raise TelemetryError(what=str(place), problem=problem, remedy=remedy) from error


def load_signatures(path: str | os.PathLike[str]) -> dict[str, dict[str, Signature]]:
    """Read a file of `save_signatures`.

    Returns:
        Signatures by version, the one written first first, and by operation.

    Raises:
        TelemetryError: If the file cannot be read, or holds something else.
    """
    versions = _read(Path(path))["versions"]
    try:
        return {
            version: {name: _from_dict(name, saved) for name, saved in operations.items()}
            for version, operations in versions.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError, TelemetryError) as error:
        problem = f"holds a damaged signature ({type(error).__name__}: {error})"
        raise TelemetryError(what=str(path), problem=problem, remedy=_REMEDY) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        remedy = "check its name and its permissions"
        raise TelemetryError(what=str(path), problem=problem, remedy=remedy) from error
    except (ValueError, RecursionError) as error:
        problem = f"is no JSON ({error})"
        raise TelemetryError(what=str(path), problem=problem, remedy=_REMEDY) from error
    if (
        not isinstance(document, dict)
        or document.get("format") != _FORMAT
        or not isinstance(document.get("versions"), dict)
    ):
        problem = "holds no signatures"
        raise TelemetryError(what=str(path), problem=problem, remedy=_REMEDY)
    if document.get("format_version") != _FORMAT_VERSION:
        problem = f"is of format {document.get('format_version')!r}, not {_FORMAT_VERSION}"
        remedy = "read it with the perfwright that wrote it"
        raise TelemetryError(what=str(path), problem=problem, remedy=remedy)
    return document


def _to_dict(signature: Signature) -> dict[str, Any]:
    return {
        "failed": signature.failed,
        "batches": [[batch.count, batch.p50, batch.p95] for batch in signature.batches],
        "sketch": signature.sketch.to_dict(),
    }


def _from_dict(operation: str, saved: Mapping[str, Any]) -> Signature:
    return Signature(
        operation=operation,
        batches=tuple(_batch(row) for row in saved["batches"]),
        failed=int(saved["failed"]),
        sketch=Sketch.from_dict(saved["sketch"]),
    )


def _batch(row: Iterable[Any]) -> Batch:
    count, p50, p95 = row
    batch = Batch(count=int(count), p50=float(p50), p95=float(p95))
    if not (0.0 <= batch.p50 < math.inf and 0.0 <= batch.p95 < math.inf):
        raise ValueError(f"{p50!r} and {p95!r} are no durations")
    return batch
