"""`/metrics` of a service, for Prometheus to scrape."""

from __future__ import annotations

from perfwright.monitoring.exposition import CONTENT_TYPE, prometheus_text
from perfwright.monitoring.http_servers import App, Receive, Scope, Send
from perfwright.monitoring.metrics import Measured


def metrics_app(*sources: Measured) -> App:
    """Return an ASGI application that answers every GET with the present metrics of its sources.

    Mount it where Prometheus is to scrape: `app.mount("/metrics", metrics_app(monitor, cache))`.
    """

    async def serve(  # noqa: PLR0917 - ASGI's
        scope: Scope, receive: Receive, send: Send
    ) -> None:
        del receive
        if scope["type"] != "http":
            raise ValueError(f"/metrics is served over HTTP, not {scope['type']}")
        found = scope["method"] in ("GET", "HEAD")
        body = b""
        if found:
            body = prometheus_text(
                metric for source in sources for metric in source.metrics()
            ).encode()
        headers = [
            (b"content-type", CONTENT_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        status = 200 if found else 405
        await send({"type": "http.response.start", "status": status, "headers": headers})
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown})

    return serve
