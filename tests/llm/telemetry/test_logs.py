from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError
from perfwright.llm import CallTrace, Request
from perfwright.llm.telemetry import TraceLog, TrafficLog, waterfall
from tests.llm.telemetry.traces import CLOCK, SECRET, failed, trace


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, *traces: CallTrace, **options: Any) -> TrafficLog:
    sink = TrafficLog(path, clock=CLOCK, **options)
    for each in traces:
        sink.finished(each)
    sink.close()
    return sink


# --- The slowest and the failed -------------------------------------------------------------------


@given(st.lists(st.floats(0.1, 100.0), max_size=40), st.integers(1, 8))
def test_the_slowest_calls_are_kept(durations: list[float], size: int) -> None:
    log = TraceLog(size=size)
    for duration in durations:
        log.finished(trace(start_s=0.0, end_s=duration))
    assert [t.seconds for t in log.slowest] == sorted(durations, reverse=True)[:size]
    assert log.failed == []


def test_the_last_failed_calls_are_kept_however_fast() -> None:
    log = TraceLog(size=2)
    calls = [failed(end_s=998.0 + n / 10) for n in range(3)]
    for call in [*calls, trace(end_s=2_000.0)]:
        log.finished(call)
    assert log.failed == [calls[2], calls[1]]


def test_a_cleared_log_compares_with_nothing_before() -> None:
    log = TraceLog(size=1)
    log.finished(trace(end_s=2_000.0))
    log.clear()
    log.finished(trace())
    assert [t.seconds for t in log.slowest] == [2.0]


def test_no_place_for_a_trace_is_refused() -> None:
    with pytest.raises(ConfigError, match="size"):
        TraceLog(size=0)


def test_a_call_is_drawn_as_a_waterfall() -> None:
    call = trace()
    assert waterfall(call).splitlines() == [
        f"chat  gpt-5  2.00 s  from west  70+8 tokens  $0.002000  {call.trace_id[:8]}",
        "  limit_wait  |  ████████                              |   400.0 ms  endpoint=east",
        "  attempt     |          ██                            |   100.0 ms"
        "  FAILED endpoint=east status=503",
        "  attempt     |                    ████████████████████|     1.00 s"
        "  endpoint=west status=200",
    ]


def test_a_failed_call_says_so_without_its_content() -> None:
    drawn = waterfall(failed())
    assert "FAILED: 503" in drawn
    assert SECRET not in drawn


def test_a_call_of_no_length_can_be_drawn() -> None:
    call = trace(start_s=1.0, end_s=1.0)
    assert len(waterfall(call).splitlines()) == 4


def test_a_log_draws_slow_and_failed_calls() -> None:
    log = TraceLog()
    log.finished(trace())
    log.finished(failed(end_s=997.5))
    text = log.render(limit=1)
    assert text.index("Slowest calls") < text.index("2.00 s") < text.index("Last failed calls")
    assert text.rindex("FAILED: 503") > text.index("Last failed calls")


# --- The traffic ----------------------------------------------------------------------------------


def test_a_line_tells_what_is_known_of_a_call(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    write(path, trace())
    (line,) = lines(path)
    assert line["time"] == "2025-12-31T23:59:57+00:00"
    assert line["duration_s"] == 2.0
    assert line["gen_ai.request.model"] == "gpt-5"
    assert line["gen_ai.usage.cache_read.input_tokens"] == 64
    assert (line["cost_usd"], line["cached"], line["endpoint"]) == (0.002, False, "west")
    assert line["labels"] == {"agent": "planner"}
    assert [stage["name"] for stage in line["stages"]] == ["limit_wait", "attempt", "attempt"]
    assert line["stages"][0] | {"seconds": 0.4} == {
        "name": "limit_wait",
        "start_s": 0.1,
        "seconds": 0.4,
        "endpoint": "east",
    }


def test_content_stays_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    write(path, trace(), failed())
    assert "Ada" not in path.read_text()
    assert "Be brief" not in path.read_text()


def test_content_is_written_masked_for_who_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    write(path, trace(), record_content=True, mask=lambda text: text.replace("Ada", "***"))
    (line,) = lines(path)
    assert "the patient's name is ***" in line["gen_ai.input.messages"]
    assert "*** it is" in line["gen_ai.output.messages"]
    assert "Ada" not in path.read_text()


def test_prompts_that_begin_alike_have_digests_that_begin_alike(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    system = {"role": "system", "content": "Be brief."}
    other = Request(body={"messages": [system, {"role": "user", "content": "Something else"}]})
    write(path, trace(), trace(), trace(request=other))
    first, again, differing = (line["prompt_digests"] for line in lines(path))
    assert first == again
    assert (first[0] == differing[0], first[1] == differing[1]) == (True, False)


def test_a_failed_call_names_its_error(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    write(path, failed())
    assert lines(path)[0]["error.type"] == "503"


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    write(path, trace())
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_makes_way_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    write(path, *(trace(seed=n) for n in range(5)), max_bytes=2_500)
    old = lines(tmp_path / "traffic.jsonl.1")
    assert 0 < len(old) < 5
    assert max(path.stat().st_size, (tmp_path / "traffic.jsonl.1").stat().st_size) <= 2_500
    assert lines(path)[-1]["trace_id"] == trace(seed=4).trace_id


def test_a_disk_that_fails_costs_the_line_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="perfwright.llm"):
        sink = write(Path("/dev/full"), trace(), trace())
    assert sink.lost == 2
    assert caplog.text.count("calls are missing") == 1
