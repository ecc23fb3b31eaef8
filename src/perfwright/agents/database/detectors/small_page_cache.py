"""A page cache that is too small for what the workload reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from perfwright.agents.database.artifacts import CacheTrial, DatabaseArtifacts
from perfwright.agents.database.examples import artifacts, read
from perfwright.agents.database.facts import CacheFacts
from perfwright.core import Detector, Finding, Layer, Scope

MIN_SHARE = 0.05  # less was within the noise of the trial


def find(artifacts: DatabaseArtifacts) -> Iterator[Finding]:
    """Yield a finding when the reads were faster with more memory."""
    trial = artifacts.cache
    if trial is None:
        return
    saved = trial.default_ms - trial.larger_ms
    if saved > MIN_SHARE * trial.default_ms:
        yield Finding(
            subject="PRAGMA cache_size, mmap_size",
            evidence=f"the reads took {trial.default_ms:.1f} ms with SQLite's own settings and "
            f"{trial.larger_ms:.1f} ms with {trial.cache_kib // 1024} MiB of cache",
            cost=saved,
            confidence=0.6,
            facts=CacheFacts(
                cache_kib=trial.cache_kib, mmap_bytes=trial.mmap_bytes, saved_ms=saved
            ),
        )


def _with(larger_ms: float) -> DatabaseArtifacts:
    trial = CacheTrial(default_ms=100.0, larger_ms=larger_ms, cache_kib=65_536, mmap_bytes=2**28)
    return replace(artifacts(read()), cache=trial)


RULE = Detector(
    id="small-page-cache",
    layer=Layer.DATABASE,
    title="Give each connection a larger page cache",
    why="SQLite keeps 2 MB of pages by itself; what does not fit is read from the file again.",
    needs=("cache",),
    scope=Scope.COMPREHENSIVE,
    find=find,
    limits="Connection settings: the program has to set them, and may do so already. Each "
    "connection takes the memory for itself.",
    fires_on=_with(60.0),
    silent_on=_with(99.0),
)
