"""The exporter's queue and its answers to answers, with a receiver that is a list."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from perfwright.core import ConfigError, ManualClock
from perfwright.monitoring import Metric, PerformanceMonitor
from perfwright.monitoring.otlp import OtlpExporter, decode_metrics, decode_spans, exporter
from perfwright.monitoring.otlp.addresses import destination
from perfwright.monitoring.otlp.delivery import Reply
from perfwright.monitoring.otlp.posting import Poster
from tests.monitoring.otlp.spans import a_span, wall_s

TAKEN = Reply(status=200, body=b"{}")
PATIENCE_S = 10.0


class Receiver:
    """Stands for the network: answers by a function, notes what came."""

    def __init__(self, answer: Callable[[int], Reply] = lambda _: TAKEN) -> None:
        self.answer = answer
        self.bodies: list[tuple[str, bytes]] = []
        self.bytes_sent = 0
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()

    def post(self, path: str, body: bytes, *, content_type: str) -> Reply:
        assert content_type == "application/json"
        self.asked.set()
        assert self.gate.wait(PATIENCE_S)
        self.bodies.append((path, body))
        return self.answer(len(self.bodies))

    def close(self) -> None:
        pass

    def names(self) -> list[str]:
        bodies = [body for path, body in self.bodies if path == "/v1/traces"]
        return [span.name for body in bodies for span in decode_spans(body, wall_s=wall_s).spans]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., OtlpExporter]]:
    """Make exporters that send to a `Receiver`, and close them."""
    open_ones: list[OtlpExporter] = []

    def make(receiver: Receiver, **settings: Any) -> OtlpExporter:
        monkeypatch.setattr(exporter, "Poster", lambda *_, **__: receiver)
        plain: dict[str, Any] = {"interval_s": 0.01, "clock": ManualClock(), "rng": Hasty()}
        one = OtlpExporter("http://receiver", **(plain | settings))
        open_ones.append(one)
        return one

    yield make
    for one in open_ones:
        one.close()


class Hasty(random.Random):
    """Draws waits of no length, so that no test waits for a repetition."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def test_spans_reach_the_receiver(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    one = made(receiver)
    one.export([a_span("a"), a_span("b")])
    assert one.flush(PATIENCE_S)
    assert receiver.names() == ["a", "b"]
    assert one.get_stats()["sent"] == 2
    assert one.get_stats()["dropped"] == {}


def test_batches_are_bounded(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    one = made(receiver, batch_size=3)
    one.export([a_span(str(n)) for n in range(7)])
    assert one.flush(PATIENCE_S)
    sizes = [len(decode_spans(body, wall_s=wall_s).spans) for _, body in receiver.bodies]
    assert sizes == [3, 3, 1]


def test_a_full_queue_drops_and_counts(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    receiver.gate.clear()
    one = made(receiver, max_queue=4, batch_size=2)
    one.export([a_span("0"), a_span("1")])
    assert receiver.asked.wait(PATIENCE_S)  # these two are on their way, and still count
    one.export([a_span(str(n)) for n in range(2, 9)])
    assert one.get_stats()["dropped"] == {"queue_full": 5}
    assert one.get_stats()["queued"] == 4
    receiver.gate.set()
    assert not one.flush(PATIENCE_S)
    assert receiver.names() == ["0", "1", "2", "3"]


def test_a_receiver_that_is_away_is_asked_again(made: Callable[..., OtlpExporter]) -> None:
    away = Reply(status=None, problem="ConnectionRefusedError")
    receiver = Receiver(lambda n: away if n < 3 else TAKEN)
    one = made(receiver)
    one.export([a_span()])
    assert one.flush(PATIENCE_S)
    assert len(receiver.bodies) == 3
    stats = one.get_stats()
    assert (stats["sent"], stats["retries"], stats["dropped"]) == (1, 2, {})


def test_a_receiver_that_stays_away_costs_its_batches(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver(lambda _: Reply(status=503))
    one = made(receiver, max_tries=3)
    one.export([a_span()])
    assert not one.flush(PATIENCE_S)
    assert len(receiver.bodies) == 3
    assert one.get_stats()["dropped"] == {"http_503": 1}


def test_a_refused_batch_is_not_sent_again(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver(lambda _: Reply(status=401, body=b"who are you?"))
    one = made(receiver)
    one.export([a_span(), a_span()])
    assert not one.flush(PATIENCE_S)
    assert len(receiver.bodies) == 1
    assert one.get_stats()["dropped"] == {"http_401": 2}


def test_a_batch_that_is_too_large_is_sent_in_halves(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver(lambda n: Reply(status=413) if n in (1, 2) else TAKEN)
    one = made(receiver, batch_size=4)
    one.export([a_span(str(n)) for n in range(4)])
    assert one.flush(PATIENCE_S)
    sizes = [len(decode_spans(body, wall_s=wall_s).spans) for _, body in receiver.bodies]
    assert sizes == [4, 2, 1, 1, 2]
    assert one.get_stats()["sent"] == 4


def test_what_a_receiver_rejects_is_counted(made: Callable[..., OtlpExporter]) -> None:
    partial = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no name"}}'
    one = made(Receiver(lambda _: Reply(status=200, body=partial)))
    one.export([a_span(), a_span()])
    assert not one.flush(PATIENCE_S)
    assert (one.get_stats()["sent"], one.get_stats()["dropped"]) == (1, {"rejected": 1})


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"partialSuccess":{"rejectedSpans":"-5"}}', b'{"partialSuccess":[]}']
)
def test_an_odd_answer_to_a_taken_batch_does_not_matter(
    made: Callable[..., OtlpExporter], body: bytes
) -> None:
    one = made(Receiver(lambda _: Reply(status=200, body=body)))
    one.export([a_span()])
    assert one.flush(PATIENCE_S)
    assert one.get_stats()["sent"] == 1


def test_a_span_that_cannot_be_written_costs_only_its_batch(
    made: Callable[..., OtlpExporter],
) -> None:
    receiver = Receiver()
    one = made(receiver, batch_size=1)
    one.export([a_span(trace_id=2**200), a_span("good")])
    assert not one.flush(PATIENCE_S)
    assert receiver.names() == ["good"]
    assert one.get_stats()["dropped"] == {"unwritable": 1}


def test_closing_sends_what_waits(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    one = made(receiver, interval_s=1_000.0)
    one.export([a_span()])
    one.close(PATIENCE_S)
    assert receiver.names() == ["load"]


def test_a_closed_exporter_drops_and_counts(made: Callable[..., OtlpExporter]) -> None:
    one = made(Receiver())
    one.close()
    one.close()
    one.export([a_span()])
    assert not one.flush(0.01)
    assert one.get_stats()["dropped"] == {"closed": 1}


def test_closing_does_not_wait_for_a_receiver_that_is_away(
    made: Callable[..., OtlpExporter],
) -> None:
    receiver = Receiver(lambda _: Reply(status=503, retry_after="300"))
    one = made(receiver)
    one.export([a_span()])
    assert receiver.asked.wait(PATIENCE_S)
    one.close(PATIENCE_S)
    assert one.get_stats()["dropped"] == {"closed": 1}


def test_it_tells_once_that_spans_get_lost(
    made: Callable[..., OtlpExporter], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "perfwright.otlp")
    receiver = Receiver(lambda n: Reply(status=500) if n <= 3 else TAKEN)
    one = made(receiver, batch_size=1, headers={"Authorization": "Bearer secret"})
    one.export([a_span()] * 5)
    assert not one.flush(PATIENCE_S)
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert texts[0].startswith("spans do not reach http://receiver: HTTP 500")
    assert texts[1] == "spans reach http://receiver again"
    assert "secret" not in caplog.text


class Counting:
    def metrics(self) -> list[Metric]:
        return [Metric(name="jobs", kind="counter", value=5, help="Jobs.")]


class Failing:
    def metrics(self) -> list[Metric]:
        raise RuntimeError("no")


def metrics_of(receiver: Receiver) -> list[Mapping[str, Any]]:
    bodies = [body for path, body in receiver.bodies if path == "/v1/metrics"]
    return [
        {each.metric.name: each.metric.value for each in decode_metrics(body).metrics}
        for body in bodies
    ]


def test_metrics_are_sent_when_it_closes(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    made(receiver, sources=[Counting()]).close(PATIENCE_S)
    assert metrics_of(receiver) == [{"perfwright_jobs": 5}]


def test_metrics_are_sent_at_intervals(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    clock = ManualClock()
    one = made(receiver, sources=[Counting()], clock=clock, metrics_interval_s=60.0)
    clock.now_s = 61.0
    assert receiver.asked.wait(PATIENCE_S)
    one.close(PATIENCE_S)
    assert len(metrics_of(receiver)) == 2


def test_a_source_that_fails_does_not_end_the_exporter(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    one = made(receiver, sources=[Failing()])
    one.export([a_span()])
    one.close(PATIENCE_S)
    assert receiver.names() == ["load"]
    assert metrics_of(receiver) == []
    assert one.get_stats()["lost_metrics"] == 1


def test_metrics_that_do_not_arrive_are_counted(made: Callable[..., OtlpExporter]) -> None:
    one = made(Receiver(lambda _: Reply(status=401)), sources=[Counting()])
    one.close(PATIENCE_S)
    assert one.get_stats()["lost_metrics"] == 1
    assert {m.name: m.value for m in one.metrics()}["otlp_export_lost_metrics"] == 1


def test_it_measures_itself(made: Callable[..., OtlpExporter]) -> None:
    one = made(Receiver(lambda _: Reply(status=400)))
    one.export([a_span()])
    assert not one.flush(PATIENCE_S)
    found = {metric.name: metric for metric in one.metrics()}
    assert found["otlp_export_dropped_spans"].value == 1
    assert found["otlp_export_dropped_spans"].labels == {"reason": "http_400"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"endpoint": "localhost:4318"}, "endpoint"),
        ({"endpoint": "ftp://host"}, "endpoint"),
        ({"endpoint": "http://"}, "endpoint"),
        ({"endpoint": "http://host:port"}, "endpoint"),
        ({"headers": {"x": "a\r\nEvil: yes"}}, "headers"),
        ({"protocol": "grpc"}, "protocol"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_queue": 1.5}, "max_queue"),
        ({"max_tries": True}, "max_tries"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"interval_s": float("nan")}, "interval_s"),
        ({"timeout_s": "1"}, "timeout_s"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(given: dict[str, Any], field: str) -> None:
    settings = {"endpoint": "http://host"} | given
    with pytest.raises(ConfigError) as raised:
        OtlpExporter(settings.pop("endpoint"), **settings)
    assert raised.value.field == field


def test_a_refused_address_does_not_show_its_password() -> None:
    with pytest.raises(ConfigError) as raised:
        Poster("ftp://me:secret@host/x?key=secret", headers={}, timeout_s=1.0, compress=True)
    assert "secret" not in str(raised.value)


ENVIRONMENT = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318/base",
    "OTEL_EXPORTER_OTLP_HEADERS": "api-key=se%20cret, x=1,",
}


def test_the_environment_says_where_to_send() -> None:
    found = destination(None, headers={"x": "2"}, environment=ENVIRONMENT)
    assert found.base == "https://collector:4318/base"
    assert found.headers == {"api-key": "se cret", "x": "2"}
    assert "cret" not in repr(found)


def test_a_given_address_does_not_get_the_environments_token() -> None:
    found = destination("http://other:4318", headers=None, environment=ENVIRONMENT)
    assert (found.base, found.headers) == ("http://other:4318", {})


def test_the_environments_address_gets_its_token_however_it_is_given() -> None:
    given = ENVIRONMENT["OTEL_EXPORTER_OTLP_ENDPOINT"]
    found = destination(given, headers=None, environment=ENVIRONMENT)
    assert found.headers == {"api-key": "se cret", "x": "1"}


def test_without_a_word_it_sends_to_this_machine() -> None:
    assert destination(None, headers=None, environment={}).base == "http://127.0.0.1:4318"


def test_the_end_of_a_program_waits_once_for_all_exporters_that_hang() -> None:
    program = """
import socket
from perfwright.monitoring import OtlpExporter, PerformanceMonitor
silent = socket.create_server(("127.0.0.1", 0))
endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
monitors = [PerformanceMonitor() for _ in range(2)]
for monitor in monitors:
    monitor.add_exporter(OtlpExporter(endpoint))
    monitor.finish_trace(monitor.start_trace("load"))
alone = [OtlpExporter(endpoint, sources=monitors) for _ in range(2)]
print("end")
"""
    begun_s = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "end\n"
    assert 4.9 < time.perf_counter() - begun_s < 9.0


def test_a_monitor_calls_exported_only_what_arrived(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver(lambda n: Reply(status=401) if n == 1 else TAKEN)
    one = made(receiver, batch_size=2)
    monitor = PerformanceMonitor(exporters=[one])
    for _ in range(5):
        monitor.finish_trace(monitor.start_trace("load"))
    assert not monitor.flush(PATIENCE_S)
    [found] = monitor.get_stats()["exporters"]
    assert found["exporter"] == "OtlpExporter"
    assert (found["exported"], found["failed"], found["dropped"]) == (3, 2, 0)
    assert found["last_error"].startswith("HTTP 401")
    assert one.get_stats()["sent"] == 3
    assert one.get_stats()["dropped"] == {"http_401": 2}
    assert monitor.close(PATIENCE_S)


def test_a_burst_has_one_queue_to_wait_in(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    receiver.gate.clear()
    one = made(receiver)
    monitor = PerformanceMonitor(exporters=[one])
    for _ in range(9000):
        monitor.finish_trace(monitor.start_trace("load"))
    monitor.settle()
    [found] = monitor.get_stats()["exporters"]
    assert (found["waiting"], found["dropped"]) == (8192, 808)
    receiver.gate.set()
    assert not monitor.close(PATIENCE_S)  # of 808 it cannot say that they arrived
    assert len(receiver.names()) == 8192
    assert one.get_stats()["dropped"] == {"queue_full": 808}


def test_a_monitor_can_change_the_queue_of_an_exporter(made: Callable[..., OtlpExporter]) -> None:
    receiver = Receiver()
    receiver.gate.clear()
    monitor = PerformanceMonitor()
    monitor.add_exporter(made(receiver), max_queue=10)
    for _ in range(30):
        monitor.finish_trace(monitor.start_trace("load"))
    monitor.settle()
    assert monitor.get_stats()["exporters"][0]["dropped"] == 20
    receiver.gate.set()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"endpoint": 5}, "endpoint is a URL, not int"),
        ({"sources": [5]}, "a source has a method `metrics`; 5 has none"),
        ({"clock": 3}, "clock is an object such as"),
        ({"rng": 3}, "rng is an object such as"),
    ],
)
def test_what_is_of_another_kind_is_refused(given: dict[str, Any], told: str) -> None:
    settings = {"endpoint": "http://host"} | given
    with pytest.raises(TypeError, match=told):
        OtlpExporter(settings.pop("endpoint"), **settings)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_sends_its_own_spans_over_its_own_connection(
    made: Callable[..., OtlpExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    parents, childs = Receiver(), Receiver()
    parents.gate.clear()
    one = made(parents)
    monitor = PerformanceMonitor(exporters=[one])
    monitor.finish_trace(monitor.start_trace("parent"))
    monitor.settle()
    assert parents.asked.wait(PATIENCE_S)
    monkeypatch.setattr(exporter, "Poster", lambda *_, **__: childs)
    child = os.fork()
    if child == 0:
        try:
            monitor.finish_trace(monitor.start_trace("child"))
            delivered = monitor.flush(PATIENCE_S) and childs.names() == ["child"]
            os._exit(0 if delivered else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    parents.gate.set()
    assert monitor.close(PATIENCE_S)
    assert parents.names() == ["parent"]
