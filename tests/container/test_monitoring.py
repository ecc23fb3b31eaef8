"""Monitor, profiler and detector, as `[monitoring]`, `[profiling]` and the environment say."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from perfwright.container import Container, instances
from perfwright.core import ConfigError, ManualClock
from perfwright.llm.testing import SimulatedProvider
from perfwright.monitoring import PerformanceMonitor, get_monitor, set_monitor, trace


def container(folder: Path, text: str = "", **env: str) -> Container:
    (folder / "perfwright.toml").write_text(text, encoding="utf-8")
    return Container(folder=folder, environment=env)


@pytest.fixture
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(latency_s=0.0) as provider:
        yield provider


def test_the_monitor_is_set_up_by_the_file(tmp_path: Path) -> None:
    text = '[monitoring]\nslow_threshold = "250ms"\nservice = "shop"\n'
    monitor = container(tmp_path, text).performance_monitor
    assert (monitor.slow_threshold, monitor.resource["service.name"]) == (0.25, "shop")


def test_the_service_is_named_by_the_environment_as_opentelemetry_does(tmp_path: Path) -> None:
    monitor = container(tmp_path, OTEL_SERVICE_NAME="till").performance_monitor
    assert monitor.resource["service.name"] == "till"


def test_the_detector_watches_what_the_monitor_measures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = container(tmp_path, '[monitoring]\ntime_threshold = "1s"\n')
    with caplog.at_level(logging.WARNING):
        clock = ManualClock()
        with own.override(performance_monitor=PerformanceMonitor(clock=clock)):
            detector = own.bottleneck_detector
            with own.performance_monitor.span("checkout"):
                clock.now_s += 2.5
            own.performance_monitor.settle()
    assert [str(each) for each in detector.get_bottlenecks()] == [
        "Time bottleneck: checkout took 2.50s (threshold: 1.0s)"
    ]


def test_a_call_of_a_model_is_an_operation_of_the_monitor(
    tmp_path: Path, provider: SimulatedProvider
) -> None:
    text = f'[llm]\nbase_url = "{provider.base_url}"\nmodel = "m"\n'
    own = container(tmp_path, text)

    async def call() -> None:
        with own.performance_monitor.span("request"):
            await own.optimized_llm_provider.complete("Q1")
        await own.aclose()

    monitor = own.performance_monitor
    asyncio.run(call())
    root = monitor.traces()[0].root
    assert root is not None
    assert root.name == "request"
    assert {"chat m", "llm.attempt"} <= {span.name for span in monitor.traces()[0].spans}


def test_own_code_of_the_profiler_is_found_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    text = '[profiling]\nmode = "sampling"\nown = ["src", "sqlparse"]\n'
    profiler = container(tmp_path, text).profiler
    assert str(tmp_path / "src") in profiler.own.roots
    assert "sqlparse" in profiler.own.named


@pytest.mark.parametrize(
    "text",
    [
        '[monitoring]\nslow_threshold = "5MiB"\n',
        '[monitoring]\nslow_threshold = "0s"\n',
        "[monitoring]\nhistogram_window = 0\n",
        "[monitoring]\nsample_ratio = 1.5\n",
        '[monitoring]\notlp_url = "collector"\n',
        '[monitoring]\nwindow = "x"\n',
    ],
)
def test_a_bad_setting_of_the_monitor_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        _ = container(tmp_path, text).performance_monitor


@pytest.mark.parametrize("size", ["1s", "0MiB", "-1MiB", "0.1B"])
def test_a_bad_size_is_refused(tmp_path: Path, size: str) -> None:
    own = container(tmp_path, f'[monitoring]\nmemory_threshold = "{size}"\n')
    with pytest.raises((ConfigError, ValueError), match="memory_threshold"):
        _ = own.bottleneck_detector


# --- A collector ----------------------------------------------------------------------------------


class Collector(HTTPServer):
    """Takes everything, and notes what it was sent by way of authorisation."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.authorisations: list[str | None] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.authorisations.append(self.headers["Authorization"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def authorisations(own: Container, collector: Collector) -> set[str | None]:
    """Return what a collector was sent with a span and the metrics."""
    monitor = own.performance_monitor
    with monitor.span("load"):
        pass
    assert monitor.close(10.0)
    assert len(collector.authorisations) == 2
    return set(collector.authorisations)


HEADERS = "Authorization=Bearer%20TOK"


def test_the_headers_of_the_environment_go_to_its_collector(
    tmp_path: Path, collector: Collector
) -> None:
    own = container(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{collector.address}",
        OTEL_EXPORTER_OTLP_HEADERS=HEADERS,
    )
    assert authorisations(own, collector) == {"Bearer TOK"}


def test_the_environments_token_does_not_go_to_another_collector(
    tmp_path: Path, collector: Collector
) -> None:
    text = f'[monitoring]\notlp_url = "http://{collector.address}"\n'
    own = container(
        tmp_path,
        text,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        OTEL_EXPORTER_OTLP_HEADERS=HEADERS,
    )
    assert authorisations(own, collector) == {None}


def test_a_variable_that_the_file_names_holds_the_headers(
    tmp_path: Path, collector: Collector
) -> None:
    text = f'[monitoring]\notlp_url = "http://{collector.address}"\notlp_headers_env = "TOKEN"\n'
    assert authorisations(container(tmp_path, text, TOKEN=HEADERS), collector) == {"Bearer TOK"}


def test_a_user_and_password_of_the_environments_address_are_sent(
    tmp_path: Path, collector: Collector
) -> None:
    url = f"http://ada:s%20cret@{collector.address}"
    own = container(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert authorisations(own, collector) == {"Basic YWRhOnMgY3JldA=="}


def test_a_password_in_the_file_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    own = container(tmp_path, '[monitoring]\notlp_url = "http://ada:s3cret@127.0.0.1:4318"\n')
    with pytest.raises(ConfigError, match="otlp_headers_env") as raised:
        _ = own.performance_monitor
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('otlp_url = "http://127.0.0.1:1"\notlp_headers_env = "TOKEN"', "otlp_headers_env"),
        ('otlp_headers_env = "TOKEN"', "otlp_headers_env"),
        ("otlp_max_queue = 10", "otlp_max_queue"),
        ('otlp_url = "http://127.0.0.1:1"\notlp_max_queue = 0', "otlp_max_queue"),
    ],
)
def test_a_setting_of_the_export_that_does_nothing_is_refused(
    tmp_path: Path, text: str, field: str
) -> None:
    own = container(tmp_path, f"[monitoring]\n{text}\n", TOKEN="")
    with pytest.raises(ConfigError, match=field):
        _ = own.performance_monitor


def test_how_many_spans_wait_for_the_collector_is_a_setting(
    tmp_path: Path, collector: Collector
) -> None:
    text = f'[monitoring]\notlp_url = "http://{collector.address}"\notlp_max_queue = 7\n'
    monitor = container(tmp_path, text).performance_monitor
    for _ in range(200):
        with monitor.span("load"):
            pass
    assert not monitor.close(10.0)
    (found,) = monitor.get_stats()["exporters"]
    assert (found["exported"], found["dropped"]) == (7, 193)


# --- The monitor of the process -------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    """Stands for the container of the process."""
    text = (
        '[monitoring]\nservice = "shop"\nslow_threshold = "250ms"\n'
        "histogram_window = 5\nsample_ratio = 0\n"
    )
    made = container(tmp_path, text)
    monkeypatch.setattr(instances, "container", made)
    before = set_monitor(None)
    yield made
    set_monitor(before)


def test_what_was_traced_before_the_first_use_is_in_the_containers_monitor(own: Container) -> None:
    @trace("early")
    def work() -> None:
        pass

    for _ in range(20):
        work()
    assert own.performance_monitor is get_monitor()
    work()
    found = own.performance_monitor.get_stats()
    assert found["operations"]["early"]["count"] == 21
    assert found["latencies"]["early"]["count"] == 5
    assert own.performance_monitor.slow_threshold == 0.25


def test_a_span_around_the_first_use_ends_where_the_others_are(own: Container) -> None:
    exported: list[str] = []

    class Exporter:
        def export(self, spans: object, /) -> None:
            exported.extend(span.name for span in spans)  # type: ignore[attr-defined]

    @trace("handler")
    def handle() -> None:
        monitor = own.performance_monitor
        monitor.add_exporter(Exporter())
        with monitor.span("chat"):
            pass

    handle()
    monitor = own.performance_monitor
    (whole,) = monitor.traces()
    assert whole.complete
    assert {span.name for span in whole.spans} == {"handler", "chat"}
    assert {span.resource["service.name"] for span in whole.spans} == {"shop"}
    handle()
    assert len(monitor.traces()) == 1  # sample_ratio is that of the file now
    assert monitor.close(10.0)
    assert exported == ["chat", "handler"]


def test_a_monitor_that_somebody_chose_is_left_as_it_is(own: Container) -> None:
    chosen = PerformanceMonitor(slow_threshold=9.0)
    set_monitor(chosen)
    assert own.performance_monitor is not chosen
    assert chosen.slow_threshold == 9.0
    assert get_monitor() is own.performance_monitor


@pytest.mark.parametrize("how", ["aclose", "reset"])
def test_what_is_traced_after_the_end_is_in_the_next_monitor(own: Container, how: str) -> None:
    @trace("late")
    def work() -> None:
        pass

    first = own.performance_monitor
    if how == "aclose":
        asyncio.run(own.aclose())
    else:
        own.reset()
    work()
    assert own.performance_monitor is not first
    work()
    assert own.performance_monitor.get_stats()["operations"]["late"]["count"] == 2
    assert "late" not in first.operations()


def test_a_setting_that_is_refused_leaves_the_monitor_to_the_next_try(
    own: Container, tmp_path: Path
) -> None:
    early = get_monitor()
    good = (tmp_path / "perfwright.toml").read_text()
    (tmp_path / "perfwright.toml").write_text("[monitoring]\nsample_ratio = 3\n")
    with pytest.raises(ConfigError):
        _ = own.performance_monitor
    (tmp_path / "perfwright.toml").write_text(good)
    own.reset()
    assert own.performance_monitor is early


@pytest.mark.parametrize(
    ("argument", "service"),
    [
        ("-c", "python"),
        ("", "python"),
        ("-", "python"),
        ("/srv/app/serve.py", "serve"),
        ("/srv/shop/__main__.py", "shop"),
    ],
)
def test_a_process_without_a_name_is_called_by_its_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str, service: str
) -> None:
    monkeypatch.setattr(sys, "argv", [argument])
    assert container(tmp_path).performance_monitor.resource["service.name"] == service
