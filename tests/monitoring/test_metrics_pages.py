"""`/metrics` of a service."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route

from perfwright.monitoring import PerformanceMonitor, metrics_app


def asked(method: str, monitor: PerformanceMonitor) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=metrics_app(monitor))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.request(method, "/metrics")

    return asyncio.run(ask())


def test_prometheus_reads_the_page() -> None:
    monitor = PerformanceMonitor()
    monitor.record("checkout", 0.25)
    page = asked("GET", monitor)
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [
        sample
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
        if sample.labels.get("operation") == "checkout" and sample.name.endswith("_count")
    ]
    assert [sample.value for sample in samples] == [1.0]


def test_the_head_of_the_page_tells_its_length() -> None:
    monitor = PerformanceMonitor()
    head = asked("HEAD", monitor)
    assert (head.content, int(head.headers["content-length"]) > 0) == (b"", True)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_page_is_only_read(method: str) -> None:
    assert asked(method, PerformanceMonitor()).status_code == 405


def test_a_route_of_starlette_serves_it_without_a_redirect() -> None:
    app = Starlette()
    app.routes.append(Route("/metrics", metrics_app(PerformanceMonitor())))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.get("/metrics")

    page = asyncio.run(ask())
    assert page.status_code == 200
    assert "perfwright_spans_started_total" in page.text


def test_a_source_without_metrics_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="a source has a method `metrics`; 5 has none"):
        metrics_app(5)  # type: ignore[arg-type]
