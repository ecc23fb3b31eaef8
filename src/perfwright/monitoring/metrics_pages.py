"""`/metrics` of a service, for Prometheus to scrape."""

from __future__ import annotations

from collections.abc import Sequence

from perfwright.monitoring.exposition import CONTENT_TYPE, prometheus_text
from perfwright.monitoring.http_servers import App, Receive, Scope, Send
from perfwright.monitoring.metrics import Measured


def metrics_app(*sources: Measured) -> App:
    """Return an ASGI application that answers every GET with the present metrics of its sources.

    In Starlette and FastAPI it is a route: `app.routes.append(Route("/metrics",
    metrics_app(monitor, cache)))`. `app.mount` would answer `/metrics` with a redirect.

    Raises:
        TypeError: If a source has no metrics.
    """
    for source in sources:
        if not callable(getattr(source, "metrics", None)):
            raise TypeError(f"a source has a method `metrics`; {source!r} has none")
    return _MetricsApp(sources)


class _MetricsApp:
    """An object, as Starlette takes a function for one that returns the answer."""

    def __init__(self, sources: Sequence[Measured]) -> None:
        self._sources = sources

    async def __call__(  # noqa: PLR0917 - ASGI's
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one request."""
        del receive
        if scope["type"] != "http":
            raise ValueError(f"/metrics is served over HTTP, not {scope['type']}")
        found = scope["method"] in ("GET", "HEAD")
        body = b""
        if found:
            body = prometheus_text(
                metric for source in self._sources for metric in source.metrics()
            ).encode()
        headers = [
            (b"content-type", CONTENT_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        status = 200 if found else 405
        await send({"type": "http.response.start", "status": status, "headers": headers})
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown})
