"""Signatures of versions: recorded, saved, compared."""

from __future__ import annotations

import json
import math
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError, ManualClock, TelemetryError
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.signature_recorder import SignatureRecorder
from perfwright.monitoring.signatures import (
    Batch,
    Signature,
    Signatures,
    compare,
    load_signatures,
    save_signatures,
)
from perfwright.monitoring.sketch import Sketch
from perfwright.monitoring.spans import Span


def ended(end_s: float, seconds: float, *, name: str = "page", error: str | None = None) -> Span:
    return Span(
        name, trace_id=1, span_id=1, start_s=end_s - seconds, end_s=end_s, error=error, resource={}
    )


def recorded(
    seed: int,
    *,
    level: float = 0.1,
    spread: float = 0.3,
    minutes: float = 10,
    wander: float = 0.0,
    tail: float = 1.0,
    name: str = "page",
) -> dict[str, Signature]:
    """Record an operation that comes five times a second."""
    rng, recorder, state = random.Random(seed), SignatureRecorder(), 0.0
    for number in range(round(minutes * 300)):
        state = 0.99 * state + wander * rng.gauss(0, 1)
        seconds = level * math.exp(rng.gauss(0, spread) + state)
        if rng.random() < 0.1:
            seconds *= tail
        recorder.observe(ended(number / 5, seconds, name=name))
    return recorder.signatures()


def verdicts(before: Signatures, after: Signatures, **settings: Any) -> dict[str, str]:
    found = compare(before, after, **settings)
    return {one.quantile: one.verdict for one in found}


# --- Comparing ------------------------------------------------------------------------------------


def test_a_version_that_is_slower_is_called_slower() -> None:
    before, after = recorded(1), recorded(2, level=0.12)
    assert verdicts(before, after) == {"p50": "slower", "p95": "slower"}


def test_a_version_that_is_faster_is_called_faster() -> None:
    before, after = recorded(1), recorded(2, level=0.08)
    assert verdicts(before, after) == {"p50": "faster", "p95": "faster"}


def test_a_longer_tail_is_seen_though_the_median_stayed() -> None:
    before, after = recorded(1), recorded(2, tail=5.0)
    assert verdicts(before, after) == {"p50": "same", "p95": "slower"}


def test_the_change_is_relative() -> None:
    (worst, *_) = compare(recorded(1), recorded(2, level=0.15))
    assert worst.change == pytest.approx(0.5, abs=0.1)
    assert worst.after_s / worst.before_s == pytest.approx(1 + worst.change)


def test_changes_that_are_too_small_to_matter_are_the_same() -> None:
    before, after = recorded(1), recorded(2, level=0.12)
    assert verdicts(before, after, min_change=0.5) == {"p50": "same", "p95": "same"}


@pytest.mark.parametrize("wander", [0.0, 0.05])
def test_versions_that_changed_nothing_are_seldom_called_slower(wander: float) -> None:
    calls = [recorded(seed, minutes=3, spread=0.5, wander=wander) for seed in range(40)]
    alarms = sum(
        any(one.verdict == "slower" for one in compare(before, after, false_alarm_rate=0.1))
        for before, after in zip(calls[::2], calls[1::2], strict=True)
    )
    assert alarms <= 5  # 2 of 20 are expected; more than 5 once in 90 times


def test_the_rate_is_shared_between_all_that_is_compared() -> None:
    one = recorded(1, minutes=4), recorded(2, minutes=4, level=0.108)
    alone = {found.quantile: found.p_value for found in compare(*one)}
    many: tuple[dict[str, Signature], dict[str, Signature]] = ({}, {})
    for number in range(30):
        for side, kept in zip(one, many, strict=True):
            kept[f"op{number}"] = side["page"]
    level = min(alone.values()) * 1.01
    rate = level * 2  # what two comparisons are allowed
    assert any(found.verdict == "slower" for found in compare(*one, false_alarm_rate=rate))
    assert all(found.verdict == "same" for found in compare(*many, false_alarm_rate=rate))


def test_too_short_a_record_is_unknown() -> None:
    found = compare(recorded(1, minutes=2), recorded(2, level=1.0))
    assert {one.verdict for one in found} == {"unknown"}
    assert "fewer than 16 batches" in str(found[0])


def test_operations_of_one_version_only_are_not_compared() -> None:
    assert compare(recorded(1, name="old"), recorded(1, name="new")) == []


def test_the_slower_ones_come_first() -> None:
    before = recorded(1) | recorded(1, name="b") | recorded(1, name="c")
    after = recorded(2, level=0.15) | recorded(2, name="b") | recorded(2, level=0.3, name="c")
    found = compare(before, after)
    assert [one.operation for one in found[:4]] == ["c", "c", "page", "page"]
    assert str(found[0]).startswith("c p")


def test_durations_of_zero_are_compared() -> None:
    (one, _) = compare(recorded(1, level=0.0), recorded(2, level=0.0))
    assert one.verdict == "same"


def test_durations_at_the_ends_of_all_numbers_are_compared() -> None:
    def lasting(seconds: float) -> Signatures:
        batches = (Batch(count=20, p50=seconds, p95=seconds),) * 16
        return {"page": Signature(operation="page", batches=batches, failed=0, sketch=Sketch())}

    (one, _) = compare(lasting(5e-324), lasting(1.7e308))
    assert one.verdict == "slower"
    assert math.isfinite(one.change)


@pytest.mark.parametrize(
    "settings",
    [
        {"false_alarm_rate": 0.0},
        {"false_alarm_rate": 1.0},
        {"false_alarm_rate": math.nan},
        {"min_change": -1.0},
        {"min_change": math.nan},
    ],
)
def test_settings_of_compare_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        compare({}, {}, **settings)


# --- Recording ------------------------------------------------------------------------------------


def test_a_batch_covers_its_time_and_has_its_count() -> None:
    recorder = SignatureRecorder(batch_s=10, min_count=20)
    for number in range(100):  # one a second: 20 take longer than 10 seconds
        recorder.observe(ended(number, 0.1))
    (signature,) = recorder.signatures().values()
    assert [batch.count for batch in signature.batches] == [20] * 4
    assert signature.sketch.count == 100


def test_when_there_are_too_many_batches_neighbours_become_one() -> None:
    recorder = SignatureRecorder(batch_s=1, min_count=1, keep=32)
    for number in range(5000):
        recorder.observe(ended(number, 0.1 + number * 1e-5))
    (signature,) = recorder.signatures().values()
    assert 16 <= len(signature.batches) <= 32
    assert sum(batch.count for batch in signature.batches) >= 4800
    levels = [batch.p50 for batch in signature.batches]
    assert levels == sorted(levels)


def test_failures_are_counted() -> None:
    recorder = SignatureRecorder()
    recorder.observe(ended(1, 0.1, error="ValueError: no"))
    assert recorder.signatures()["page"].failed == 1


def test_names_beyond_the_bound_are_counted_and_not_recorded() -> None:
    recorder = SignatureRecorder(max_operations=3)
    for number in range(5):
        recorder.observe(ended(1, 0.1, name=f"op{number}"))
    assert len(recorder.signatures()) == 3
    assert recorder.unrecorded == 2


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_what_is_no_length_of_time_is_left_out(seconds: float) -> None:
    recorder = SignatureRecorder()
    recorder.observe(ended(0, seconds))
    assert recorder.unrecorded == 1


def test_spans_of_a_monitor_are_recorded_until_the_end() -> None:
    clock = ManualClock()
    monitor = PerformanceMonitor(clock=clock)
    recorder = SignatureRecorder(monitor)
    monitor.finish_trace(monitor.start_trace("page"))
    assert recorder.signatures()["page"].sketch.count == 1
    recorder.close()
    monitor.finish_trace(monitor.start_trace("page"))
    assert recorder.signatures()["page"].sketch.count == 1


def test_threads_lose_no_span() -> None:
    recorder = SignatureRecorder(batch_s=0.01)

    def work() -> None:
        for number in range(2000):
            recorder.observe(ended(number * 0.001, 0.1))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.signatures()["page"].sketch.count == 6000


def test_what_is_slow_against_the_signature_is_kept() -> None:
    before = recorded(1, minutes=60)
    recorder = SignatureRecorder(against=before, slow_rate=0.001)
    for number in range(10_000):
        recorder.observe(ended(number, 0.1))
    recorder.observe(ended(1, 5.0))
    (slow,) = recorder.slow_operations()
    assert (slow.operation, slow.seconds, recorder.slow_count) == ("page", 5.0, 1)
    assert slow.ratio == pytest.approx(50, rel=0.1)


def test_of_what_did_not_change_the_agreed_share_is_slow() -> None:
    recorder = SignatureRecorder(against=recorded(1, minutes=60), slow_rate=0.01)
    rng = random.Random(9)
    for number in range(20_000):
        recorder.observe(ended(number, 0.1 * math.exp(rng.gauss(0, 0.3))))
    assert recorder.slow_count == pytest.approx(200, abs=60)
    assert len(recorder.slow_operations()) == 100


def test_a_signature_of_too_few_operations_calls_nothing_slow() -> None:
    assert math.isnan(recorded(1)["page"].slow_limit_s(false_alarm_rate=0.001))


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch_s", 0), ("batch_s", math.nan), ("min_count", 0), ("keep", 10), ("max_operations", 0)],
)
def test_settings_of_a_recorder_out_of_range_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        SignatureRecorder(**{field: value})


# --- Files ----------------------------------------------------------------------------------------

BATCHES = st.builds(
    Batch, count=st.integers(1, 10**9), p50=st.floats(0, 1e6), p95=st.floats(0, 1e6)
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(NAMES, st.lists(BATCHES, max_size=5), max_size=4), NAMES.filter(bool))
def test_what_is_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, batches: dict[str, list[Batch]], version: str
) -> None:
    path = tmp_path_factory.mktemp("signatures") / "it.json"
    signatures = {
        name: Signature(operation=name, batches=tuple(many), failed=1, sketch=Sketch())
        for name, many in batches.items()
    }
    save_signatures(path, signatures, version=version)
    assert load_signatures(path) == {version: signatures}


def test_versions_stand_side_by_side_and_the_oldest_go_first(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    for version in ("1", "2", "3", "2"):
        save_signatures(path, recorded(1, minutes=1), version=version, keep=2)
    assert list(load_signatures(path)) == ["3", "2"]
    assert [file.name for file in tmp_path.iterdir()] == ["it.json"]


def test_a_recorder_saves_what_compare_reads(tmp_path: Path) -> None:
    recorder = SignatureRecorder()
    for number in range(2000):
        recorder.observe(ended(number / 5, 0.1))
    recorder.save(tmp_path / "it.json", version="1.0")
    before = load_signatures(tmp_path / "it.json")["1.0"]
    assert verdicts(before, recorder.signatures()) == {"p50": "same", "p95": "same"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": "perfwright-signatures", "format_version": 2, "versions": {}}',
        '{"format": "perfwright-signatures", "format_version": 1, "versions": []}',
        '{"format": "perfwright-signatures", "format_version": 1, "versions": {"1": 3}}',
        '{"format": "perfwright-signatures", "format_version": 1, "versions": {"1": {"a": {}}}}',
        "[" * 100_000,
        "\x00\xff",
    ],
    ids=range(9),
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "it.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TelemetryError, match=r"it\.json"):
        load_signatures(path)


def test_durations_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "it.json"
    save_signatures(path, recorded(1, minutes=1), version="1")
    document = json.loads(path.read_text())
    document["versions"]["1"]["page"]["batches"][0][1] = -1.0
    path.write_text(json.dumps(document))
    with pytest.raises(TelemetryError, match="damaged"):
        load_signatures(path)


def test_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match="cannot be read"):
        load_signatures(tmp_path / "none.json")
    with pytest.raises(TelemetryError, match="cannot be written"):
        save_signatures(tmp_path / "none" / "it.json", {}, version="1")


def test_a_version_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="version"):
        save_signatures(tmp_path / "it.json", {}, version="")
