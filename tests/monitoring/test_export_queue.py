"""Exporters get kept spans from a thread of their own; what they cannot take is counted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from perfwright.core import ConfigError
from perfwright.monitoring._lots import LARGE_BYTES
from perfwright.monitoring.exposition import prometheus_text
from perfwright.monitoring.monitor import PerformanceMonitor
from perfwright.monitoring.spans import Span, SpanContext


class Exporter:
    """Remembers what it was given; waits or fails if told to."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.sizes: list[int] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.fails = False
        self.calls: list[str] = []
        self.timeouts_s: list[float] = []

    def export(self, spans: Sequence[Span], /) -> None:
        assert self.may_go_on.wait(10)
        if self.fails:
            raise OSError("nobody listens")
        self.names += [span.name for span in spans]
        self.sizes.append(len(spans))

    def flush(self, timeout_s: float) -> None:
        self.calls.append("flush")
        self.timeouts_s.append(timeout_s)

    def close(self, timeout_s: float) -> None:
        self.calls.append("close")
        self.timeouts_s.append(timeout_s)


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


@pytest.fixture
def monitor(exporter: Exporter) -> Iterator[PerformanceMonitor]:
    made = PerformanceMonitor()
    made.add_exporter(exporter, interval_s=60.0)
    yield made
    exporter.may_go_on.set()
    made.close()


def make(monitor: PerformanceMonitor, number: int, *, name: str = "load") -> None:
    for _ in range(number):
        with monitor.span(name):
            pass


def counts(monitor: PerformanceMonitor) -> dict[str, int]:
    [found] = monitor.get_stats()["exporters"]
    return {key: found[key] for key in ("exported", "dropped", "failed", "waiting")}


def test_a_flush_hands_over_everything_that_finished(
    monitor: PerformanceMonitor, exporter: Exporter
) -> None:
    make(monitor, 3)
    assert exporter.names == []
    assert monitor.flush(10.0)
    assert exporter.names == ["load"] * 3
    assert exporter.calls == ["flush"]
    assert 0.0 < exporter.timeouts_s[0] <= 10.0


def test_a_call_of_the_exporter_gets_512_spans_at_most(
    monitor: PerformanceMonitor, exporter: Exporter
) -> None:
    exporter.may_go_on.clear()
    make(monitor, 1200)
    exporter.may_go_on.set()
    assert monitor.flush(10.0)
    assert sum(exporter.sizes) == 1200
    assert max(exporter.sizes) <= 512


def test_spans_wait_no_longer_than_the_interval(exporter: Exporter) -> None:
    monitor = PerformanceMonitor()
    arrived = threading.Event()

    class Telling(Exporter):
        def export(self, spans: Sequence[Span], /) -> None:
            arrived.set()

    monitor.add_exporter(Telling(), interval_s=0.01)
    make(monitor, 1)
    assert arrived.wait(10)
    monitor.close()


def test_what_a_full_queue_cannot_take_is_dropped_and_counted(exporter: Exporter) -> None:
    exporter.may_go_on.clear()
    monitor = PerformanceMonitor()
    monitor.add_exporter(exporter, max_queue=600, interval_s=60.0)
    make(monitor, 5000)
    exporter.may_go_on.set()
    assert not monitor.close(10.0)
    found = counts(monitor)
    assert found["exported"] == len(exporter.names)
    assert found["exported"] + found["dropped"] == 5000
    assert 600 <= found["exported"] <= 600 + 512 + 600


def make_large(monitor: PerformanceMonitor, number: int) -> None:
    for _ in range(number):
        with monitor.span("large") as span:
            for tag in range(58):
                span.add_tag(f"tag {tag}", "x" * 1000)


def test_what_waits_is_bounded_by_its_bytes_too(exporter: Exporter) -> None:
    exporter.may_go_on.clear()
    monitor = PerformanceMonitor()
    monitor.add_exporter(exporter, max_queue=600, interval_s=60.0)
    for _ in range(30):
        make_large(monitor, 10)
        make(monitor, 10)
    monitor.settle()
    found = counts(monitor)
    assert found["waiting"] + found["dropped"] == 600
    exporter.may_go_on.set()
    assert not monitor.close(10.0)
    large = exporter.names.count("large")
    assert 600 * LARGE_BYTES // 70_000 <= large <= 600 * LARGE_BYTES // 58_000
    assert exporter.names.count("load") == 300
    assert counts(monitor)["dropped"] == 300 - large


def test_room_for_bytes_is_free_again_once_they_were_handed_over(
    monitor: PerformanceMonitor, exporter: Exporter
) -> None:
    for _ in range(5):
        make_large(monitor, 20)
        assert monitor.flush(10.0)
    assert exporter.names == ["large"] * 100


def test_a_queue_has_room_for_one_large_span_at_least(exporter: Exporter) -> None:
    monitor = PerformanceMonitor()
    monitor.add_exporter(exporter, max_queue=1, interval_s=60.0)
    make_large(monitor, 1)
    assert monitor.close(10.0)
    assert exporter.names == ["large"]


def test_a_failing_exporter_is_counted_and_asked_again(
    monitor: PerformanceMonitor, exporter: Exporter
) -> None:
    exporter.fails = True
    make(monitor, 2)
    assert not monitor.flush(10.0)
    exporter.fails = False
    make(monitor, 1)
    assert monitor.flush(10.0)
    assert counts(monitor) == {"exported": 1, "dropped": 0, "failed": 2, "waiting": 0}
    assert monitor.get_stats()["exporters"][0]["last_error"] == "OSError: nobody listens"


def test_a_flush_that_takes_too_long_says_so(
    monitor: PerformanceMonitor, exporter: Exporter
) -> None:
    exporter.may_go_on.clear()
    make(monitor, 1)
    assert not monitor.flush(0.01)


def test_close_delivers_and_then_takes_nothing(exporter: Exporter) -> None:
    monitor = PerformanceMonitor(exporters=[exporter])
    make(monitor, 2)
    assert monitor.close(10.0)
    make(monitor, 1)
    assert exporter.names == ["load"] * 2
    assert exporter.calls == ["flush", "close"]
    assert all(0.0 < each <= 10.0 for each in exporter.timeouts_s)
    assert not [t for t in threading.enumerate() if t.name == "perfwright-export"]


def test_a_removed_exporter_gets_what_waited_and_no_more(exporter: Exporter) -> None:
    monitor = PerformanceMonitor()
    remove = monitor.add_exporter(exporter)
    make(monitor, 1)
    remove()
    make(monitor, 1)
    assert monitor.flush(1.0)
    assert exporter.names == ["load"]


def test_unsampled_spans_are_not_exported_unless_their_trace_fails(exporter: Exporter) -> None:
    monitor = PerformanceMonitor(sample_ratio=0.0, exporters=[exporter])
    make(monitor, 5, name="quiet")
    with monitor.span("request"):
        make(monitor, 1, name="part")
        with monitor.span("broken") as broken:
            broken.set_error("no")
    monitor.close(10.0)
    assert sorted(exporter.names) == ["broken", "part", "request"]


def test_each_span_of_a_slow_trace_is_exported_once(exporter: Exporter) -> None:
    monitor = PerformanceMonitor(slow_threshold=0.0, exporters=[exporter])
    with monitor.span("request"):
        make(monitor, 3, name="part")
        monitor.flush(10.0)
    monitor.close(10.0)
    assert sorted(exporter.names) == ["part", "part", "part", "request"]


def test_spans_of_other_processes_are_not_sent_on(exporter: Exporter) -> None:
    monitor = PerformanceMonitor(resource={"service.name": "shop"}, exporters=[exporter])
    for name, own in (("theirs", False), ("ours", True)):
        span = Span(name, trace_id=1, span_id=1, start_s=0.0, end_s=1.0)
        monitor.ingest(span, own=own)
    monitor.close(10.0)
    assert exporter.names == ["ours"]


def test_an_exporter_that_is_traced_itself_makes_no_spans() -> None:
    monitor = PerformanceMonitor()

    class Traced(Exporter):
        def export(self, spans: Sequence[Span], /) -> None:
            with monitor.span("delivery"):
                super().export(spans)

    monitor.add_exporter(Traced())
    make(monitor, 1)
    monitor.close(10.0)
    assert monitor.operations() == ["load"]


def test_a_remote_caller_that_samples_gets_its_spans_exported(exporter: Exporter) -> None:
    monitor = PerformanceMonitor(sample_ratio=0.0, exporters=[exporter])
    with monitor.span("load", parent=SpanContext(1, 2, True)):
        pass
    monitor.close(10.0)
    assert exporter.names == ["load"]


def test_what_waits_at_the_end_of_the_program_is_delivered() -> None:
    program = """
from perfwright.monitoring.monitor import PerformanceMonitor
class Printing:
    def export(self, spans, /):
        print("exported", len(spans))
monitor = PerformanceMonitor(exporters=[Printing()])
with monitor.span("load"):
    pass
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "exported 1\n"


def test_an_exporter_cannot_wait_for_itself() -> None:
    monitor = PerformanceMonitor()
    answers: list[bool] = []

    class Impatient(Exporter):
        def export(self, spans: Sequence[Span], /) -> None:
            answers.append(monitor.flush(10.0))

    monitor.add_exporter(Impatient())
    make(monitor, 1)
    monitor.close(10.0)
    assert answers == [False]


def test_an_exporter_needs_its_method(monitor: PerformanceMonitor) -> None:
    with pytest.raises(TypeError, match="export"):
        monitor.add_exporter(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", [{"max_queue": 0}, {"interval_s": -1.0}])
def test_settings_of_a_queue_are_refused_by_name(
    monitor: PerformanceMonitor, exporter: Exporter, setting: dict[str, float]
) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        monitor.add_exporter(exporter, **setting)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_delivers_its_own_spans_and_not_its_parents(exporter: Exporter) -> None:
    monitor = PerformanceMonitor(exporters=[exporter])
    make(monitor, 1, name="parent")
    child = os.fork()
    if child == 0:
        try:
            make(monitor, 1, name="child")
            delivered = monitor.flush(10.0) and exporter.names == ["child"]
            os._exit(0 if delivered else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    monitor.close(10.0)
    assert exporter.names == ["parent"]


@pytest.mark.parametrize("raised", [asyncio.CancelledError("gone"), SystemExit(1)])
def test_an_exporter_that_raises_more_than_an_exception_is_counted_and_asked_again(
    raised: BaseException,
) -> None:
    class Once(Exporter):
        def export(self, spans: Sequence[Span], /) -> None:
            if not self.calls:
                self.calls.append("raised")
                raise raised
            super().export(spans)

    monitor = PerformanceMonitor(exporters=[Once()])
    make(monitor, 2)
    assert not monitor.flush(10.0)
    make(monitor, 1)
    assert monitor.close(10.0)
    assert counts(monitor) == {"exported": 1, "dropped": 0, "failed": 2, "waiting": 0}
    assert type(raised).__name__ in monitor.get_stats()["exporters"][0]["last_error"]


def test_spans_in_the_hands_of_an_exporter_are_counted_as_waiting_then_as_failed(
    exporter: Exporter,
) -> None:
    exporter.may_go_on.clear()
    monitor = PerformanceMonitor()
    monitor.add_exporter(exporter, max_queue=100, interval_s=0.001)
    make(monitor, 20_000)
    before = counts(monitor)
    assert sum(before.values()) == 20_000
    assert not monitor.close(0.2)
    after = counts(monitor)
    assert after["waiting"] == after["exported"] == 0
    assert sum(after.values()) == 20_000
    assert "closed" in monitor.get_stats()["exporters"][0]["last_error"]
    exporter.may_go_on.set()
    assert not monitor.close(10.0)
    assert counts(monitor) == after


def test_closing_takes_its_time_once_for_all_exporters() -> None:
    let_go = threading.Event()

    class Hanging(Exporter):
        def export(self, spans: Sequence[Span], /) -> None:
            assert let_go.wait(60)

        def close(self, timeout_s: float) -> None:
            assert let_go.wait(60)

    healthy = Exporter()
    monitor = PerformanceMonitor(exporters=[Hanging(), Hanging(), Hanging(), healthy])
    make(monitor, 3)
    begun_s = time.perf_counter()
    assert not monitor.flush(0.5)
    assert not monitor.close(0.5)
    assert time.perf_counter() - begun_s < 3.0
    assert healthy.names == ["load"] * 3
    assert healthy.calls == ["flush", "flush", "close"]
    let_go.set()


def test_the_end_of_a_program_waits_5_s_for_all_hanging_exporters_together() -> None:
    program = """
import time
from perfwright.monitoring.monitor import PerformanceMonitor
class Hanging:
    def export(self, spans, /):
        time.sleep(1000)
class Printing:
    def export(self, spans, /):
        print("exported", len(spans))
first = PerformanceMonitor(exporters=[Printing(), Hanging(), Hanging()])
second = PerformanceMonitor(exporters=[Hanging()])
for monitor in (first, second):
    monitor.finish_trace(monitor.start_trace("load"))
print("end")
"""
    begun_s = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "end\nexported 1\n"
    assert 4.9 < time.perf_counter() - begun_s < 9.0


def test_an_exporters_failure_to_flush_or_close_is_said() -> None:
    class Broken(Exporter):
        def flush(self, timeout_s: float) -> None:
            raise asyncio.CancelledError

    monitor = PerformanceMonitor(exporters=[Broken()])
    make(monitor, 1)
    assert not monitor.flush(10.0)
    assert not monitor.close(10.0)
    assert counts(monitor)["exported"] == 1


def test_a_monitor_closed_by_its_own_exporter_still_delivers() -> None:
    answers: list[bool] = []
    monitor = PerformanceMonitor()

    class Closing(Exporter):
        def export(self, spans: Sequence[Span], /) -> None:
            answers.append(monitor.close(10.0))
            super().export(spans)

    monitor.add_exporter(Closing(), interval_s=60.0)
    make(monitor, 1)
    monitor.flush(10.0)
    assert monitor.close(10.0)
    assert answers == [False]
    assert counts(monitor) == {"exported": 1, "dropped": 0, "failed": 0, "waiting": 0}


def test_a_monitor_that_cannot_give_its_spans_does_not_end_delivery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter = Exporter()
    monitor = PerformanceMonitor()

    def fail() -> None:
        raise TypeError("a span is broken")

    monkeypatch.setattr(monitor, "settle", fail)
    monitor.add_exporter(exporter, interval_s=60.0)
    monkeypatch.undo()
    make(monitor, 2)
    assert not monitor.flush(10.0)
    assert monitor.get_stats()["exporters"][0]["last_error"] == "TypeError: a span is broken"
    assert exporter.names == ["load"] * 2
    monitor.close(10.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_does_not_open_again_what_its_parent_closed(exporter: Exporter) -> None:
    monitor = PerformanceMonitor(exporters=[exporter])
    monitor.close(10.0)
    child = os.fork()
    if child == 0:
        running = [t for t in threading.enumerate() if t.name == "perfwright-export"]
        os._exit(1 if running else 0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_flush_tells_of_what_was_lost_since_the_one_before(
    monitor: PerformanceMonitor, exporter: Exporter
) -> None:
    exporter.fails = True
    make(monitor, 1200)
    while counts(monitor)["waiting"]:
        time.sleep(0.001)
    exporter.fails = False
    assert not monitor.flush(10.0)
    assert monitor.flush(10.0)


@pytest.mark.parametrize(
    ("answer", "arrived"),
    [(3, 3), (None, 10), (0, 0), (-1, 0), (99, 10), (False, 0), (True, 10), ("odd", 10)],
)
def test_an_exporter_says_how_many_spans_arrived(answer: object, arrived: int) -> None:
    class Saying:
        last_error = "the rest is too old"

        def export(self, spans: Sequence[Span], /) -> int | None:
            return answer  # type: ignore[return-value]  # whatever a user's exporter returns

    monitor = PerformanceMonitor(exporters=[Saying()])
    make(monitor, 10)
    assert monitor.close(10.0) is (arrived == 10)
    assert counts(monitor) == {
        "exported": arrived,
        "failed": 10 - arrived,
        "dropped": 0,
        "waiting": 0,
    }
    said = monitor.get_stats()["exporters"][0]["last_error"]
    assert said == ("" if arrived == 10 else "the rest is too old")


def test_a_burst_of_8192_spans_arrives(exporter: Exporter) -> None:
    exporter.may_go_on.clear()
    monitor = PerformanceMonitor(exporters=[exporter])
    make(monitor, 8192)
    exporter.may_go_on.set()
    assert monitor.close(30.0)
    assert len(exporter.names) == 8192


def test_what_was_lost_is_shown_as_metrics(exporter: Exporter) -> None:
    class Failing:
        def export(self, spans: Sequence[Span], /) -> int:
            return 0

    monitor = PerformanceMonitor(exporters=[exporter, Failing(), Failing()])
    make(monitor, 3)
    monitor.close(10.0)
    lines = prometheus_text(monitor.metrics()).splitlines()
    assert 'perfwright_exported_spans_total{exporter="Exporter"} 3.0' in lines
    assert 'perfwright_exported_spans_total{exporter="Failing 2"} 0.0' in lines
    for name in ("Failing", "Failing 2"):
        lost = f'perfwright_export_lost_spans_total{{exporter="{name}",reason="failed"}} 3.0'
        assert lost in lines


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_children_of_multiprocessing_deliver_at_their_end(method: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = tmp_path / "program.py"
    program.write_text(f"""
import multiprocessing
from perfwright.monitoring.monitor import PerformanceMonitor

class Told:
    def export(self, spans):
        with open({str(told)!r}, "a") as file:
            file.write(f"{{len(spans)}} ")

monitor = PerformanceMonitor(exporters=[Told()])

def work():
    for _ in range(7):
        with monitor.span("load"):
            pass

if __name__ == "__main__":
    child = multiprocessing.get_context({method!r}).Process(target=work)
    child.start()
    child.join()
""")
    subprocess.run([sys.executable, str(program)], check=True, timeout=60)
    assert told.read_text() == "7 "
