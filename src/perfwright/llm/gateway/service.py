"""What a gateway answers: one function for each path, and the pipeline behind them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from perfwright.core import Clock
from perfwright.llm.caching import CacheMode
from perfwright.llm.gateway import answers
from perfwright.llm.gateway.access import AccessLog, Seen
from perfwright.llm.gateway.bodies import decode, refuse_content_type
from perfwright.llm.gateway.callers import refuse_web_page, secret_of, wishes_of
from perfwright.llm.gateway.counts import Counts
from perfwright.llm.gateway.keys import NO_KEY, GatewayKey, KeyRing
from perfwright.llm.gateway.problems import Problem, problem_of
from perfwright.llm.gateway.reading import read_body
from perfwright.llm.gateway.runtime import PieceStream, Runtime
from perfwright.llm.gateway.settings import GatewaySettings
from perfwright.llm.gateway.streaming import StreamBrokenError, send_pieces
from perfwright.llm.requests import Api, Request
from perfwright.monitoring import Metric, prometheus_text
from perfwright.monitoring.exposition import CONTENT_TYPE

logger = logging.getLogger("perfwright.gateway")

_APIS = {
    "/chat/completions": Api.CHAT,
    "/responses": Api.RESPONSES,
    "/embeddings": Api.EMBEDDINGS,
    "/messages": Api.MESSAGES,
}
_CALLS = {f"{prefix}{path}": api for path, api in _APIS.items() for prefix in ("/v1", "")}
_PAGES = ("/health", "/ready", "/metrics", "/stats", "/v1/models", "/models")
_FREE_PAGES = ("/health", "/ready")
"""Without a key: what a load balancer asks."""
_KNOWN = ", ".join((*(f"/v1{path}" for path in _APIS), "/v1/models", "/health", "/metrics"))
_UNKNOWN = "other"


class Gateway:
    """Answers requests; it knows nothing of sockets.

    Args:
        runtime: The pipeline; whoever made it closes it.
        keys: Of callers; with none, everybody on this machine may call.
        settings: Its patience and bounds.
        clock: Measures how long requests take.
        model: Of calls that name none.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        keys: Iterable[GatewayKey] = (),
        settings: GatewaySettings,
        clock: Clock,
        model: str = "",
    ) -> None:
        self._runtime, self._settings, self._model = runtime, settings, model
        self._now = clock.now
        self._keys = KeyRing(keys, now_s=clock.now())
        self._log = AccessLog(is_on=settings.access_log)
        self.counts = Counts()
        self.is_draining = False
        """Set when it stops: answers then close their connections, and it is not ready."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever it is."""
        began_s = self._now()
        seen = Seen(method=request.method, path=request.raw_path.partition("?")[0])
        self.counts.in_flight += 1
        try:
            response = await self._answer(request, seen)
        except (asyncio.CancelledError, ConnectionError):
            self.counts.disconnected += 1
            self._log.write(seen, status=499, seconds=self._now() - began_s)
            raise
        finally:
            self.counts.in_flight -= 1
        if self.is_draining and not response.prepared:  # whose caller will read that it closes
            response.force_close()
        seconds = self._now() - began_s
        self.counts.note(seen.route, status=response.status, seconds=seconds)
        self._log.write(seen, status=response.status, seconds=seconds)
        return response

    def metrics(self) -> Iterator[Metric]:
        """Yield its own counts and the pipeline's."""
        yield from self.counts.metrics()
        yield from self._runtime.metrics()

    # --- Which way --------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest, seen: Seen) -> web.StreamResponse:
        api = _CALLS.get(seen.path)
        if api is None:
            return self._page(request, seen)
        seen.route = api.value
        if request.method != "POST":
            return _wrong_method(request.method, allowed="POST, OPTIONS", api=api)
        try:
            answer = await self._call(request, seen, api=api)
        except StreamBrokenError:
            raise
        except Exception as error:  # the boundary to a caller in another program
            if _has_left(request):  # there is nobody to tell
                raise ConnectionResetError from error
            answer = _explain(error)
        if isinstance(answer, Problem):
            seen.problem = answer.code
            return answers.problem_response(answer, api)
        return answer

    def _page(self, request: web.BaseRequest, seen: Seen) -> web.Response:
        path, model = seen.path, ""
        if path.startswith(("/v1/models/", "/models/")):
            path, _, model = path.partition("models/")
            path += "models"
        if path not in _PAGES:
            text = f"there is no {seen.path[:200]!r} here; there are: {_KNOWN}"
            return answers.problem_response(Problem(status=404, code="not_found", text=text))
        seen.route = path.removeprefix("/v1").strip("/")
        if request.method not in ("GET", "HEAD"):
            return _wrong_method(request.method, allowed="GET, HEAD, OPTIONS", api=Api.CHAT)
        if path in _FREE_PAGES:
            return self._health(ready=path == "/ready")
        key = self._identify(request)
        if isinstance(key, Problem):
            return answers.problem_response(key)
        if path == "/metrics":
            text = prometheus_text(self.metrics())
            return answers.text_response(text, kind=CONTENT_TYPE)
        if path == "/stats":
            return answers.document_response(self._stats())
        return self._models(key, model=unquote(model))

    # --- Calls ------------------------------------------------------------------------------------

    async def _call(
        self, request: web.BaseRequest, seen: Seen, *, api: Api
    ) -> web.StreamResponse | Problem:
        if self.counts.in_flight > self._settings.max_in_flight:
            return _FULL
        key = self._identify(request)
        if isinstance(key, Problem):
            return key
        seen.key = key.name if key is not None else ""
        wishes = wishes_of(request.headers, key=seen.key or None)
        if isinstance(wishes, Problem):
            return wishes
        content = await self._content(request, api=api)
        if isinstance(content, Problem):
            return content
        raw, body = content
        asked = Request(
            api=api,
            body=body,
            raw=raw,
            labels=wishes.labels,
            priority=wishes.priority,
            timeout_s=wishes.timeout_s,
        )
        seen.model = asked.model
        if key is not None:
            refused = self._keys.refuse(key, model=seen.model, now_s=self._now())
            if refused is not None:
                return refused
        if body.get("stream") and api is not Api.EMBEDDINGS:
            return await self._stream(request, seen, asked=asked, cache=wishes.cache)
        done = await self._runtime.send(asked, cache=wishes.cache)
        seen.take(done)
        return answers.completion_response(done)

    async def _content(
        self, request: web.BaseRequest, *, api: Api
    ) -> tuple[bytes | None, dict[str, Any]] | Problem:
        refused = refuse_content_type(request.headers.get("Content-Type"))
        if refused is not None:
            return refused
        raw = await read_body(request, settings=self._settings)
        if isinstance(raw, Problem):
            return raw
        body = decode(raw, api=api)
        if isinstance(body, Problem):
            return body
        if self._model and not body.get("model"):
            return None, {**body, "model": self._model}
        return raw, body

    async def _stream(
        self, request: web.BaseRequest, seen: Seen, *, asked: Request, cache: CacheMode
    ) -> web.StreamResponse:
        stream: PieceStream = await self._runtime.open(asked, cache=cache)
        async with aclosing(stream):
            response = await send_pieces(request, stream, asked=asked, force_close=self.is_draining)
            seen.take(stream.completion)
            return response

    def _identify(self, request: web.BaseRequest) -> GatewayKey | Problem | None:
        if not len(self._keys):
            return refuse_web_page(request.headers)
        return self._keys.identify(secret_of(request.headers)) or NO_KEY

    # --- Pages ------------------------------------------------------------------------------------

    def _health(self, *, ready: bool) -> web.Response:
        if ready and self.is_draining:
            return answers.document_response({"status": "draining"}, status=503)
        return answers.document_response({"status": "ok"})

    def _stats(self) -> dict[str, Any]:
        return {"gateway": self.counts.describe(), "llm": dict(self._runtime.get_stats())}

    def _models(self, key: GatewayKey | None, *, model: str) -> web.Response:
        names = [name for name in self._runtime.models() if key is None or key.allows(name)]
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "perfwright"}
            for name in names
        ]
        if not model:
            return answers.document_response({"object": "list", "data": listed})
        for entry in listed:
            if entry["id"] == model:
                return answers.document_response(entry)
        text = f"there is no model {model[:200]!r} here; GET /v1/models lists them"
        return answers.problem_response(Problem(status=404, code="model_not_found", text=text))


_FULL = Problem(
    status=503,
    code="overloaded",
    text="as many requests are under way as the gateway bears; try again in a moment",
    retry_after_s=1.0,
)


def _explain(error: Exception) -> Problem:
    problem = problem_of(error)
    if problem.code == "internal_error":
        logger.error("a call failed inside the gateway", exc_info=error)
    return problem


def _has_left(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _wrong_method(method: str, *, allowed: str, api: Api) -> web.Response:
    if method == "OPTIONS":
        return web.Response(status=204, headers={"Allow": allowed, "Server": answers.SERVER})
    problem = Problem(
        status=405,
        code="method_not_allowed",
        text=f"{method[:20]} is not answered here; use {allowed.partition(',')[0]}",
        headers={"Allow": allowed},
    )
    return answers.problem_response(problem, api)
