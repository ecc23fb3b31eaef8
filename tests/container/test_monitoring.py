"""Monitor, profiler and detector, as `[monitoring]`, `[profiling]` and the environment say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfwright.container import Container
from perfwright.core import ConfigError, ManualClock
from perfwright.llm.testing import SimulatedProvider
from perfwright.monitoring import PerformanceMonitor


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


@pytest.mark.parametrize("size", ["1s", "0MiB", "-1MiB"])
def test_a_bad_size_is_refused(tmp_path: Path, size: str) -> None:
    own = container(tmp_path, f'[monitoring]\nmemory_threshold = "{size}"\n')
    with pytest.raises((ConfigError, ValueError), match="memory_threshold"):
        _ = own.bottleneck_detector
