"""The way to a provider over HTTP: thin, since every microsecond of it is paid on every call."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

from perfwright.core import Clock, ProviderError, SystemClock
from perfwright.llm.replies import Reply
from perfwright.llm.requests import Api, Request
from perfwright.llm.transport import ReplyStream
from perfwright.llm.wire.addresses import Form, headers_of, key_for, proxy_for, shown, url_of
from perfwright.llm.wire.answers import reply_of
from perfwright.llm.wire.bodies import bytes_of, stream_body, whole_body
from perfwright.llm.wire.decoding import StreamDecoder
from perfwright.llm.wire.failures import cut_secret, failed
from perfwright.llm.wire.heads import head_of, server_of
from perfwright.llm.wire.per_loop import LoopPools
from perfwright.llm.wire.pieces import split
from perfwright.llm.wire.pool import Answer, Pool
from perfwright.llm.wire.streams import EventStream, ReadyStream
from perfwright.llm.wire.troubles import TROUBLES, from_trouble

MAX_ANSWER_BYTES = 256 << 20  # a batch of 2,048 embeddings of 3,072 numbers has some 130 MB


class HttpTransport:
    """Sends requests to one endpoint: an `OpenAI`-compatible server, or Anthropic's.

    Args:
        base_url: As the provider gives it, with `/v1` or without; its query goes with every
            request.
        api_key: None takes `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`, but only if `base_url` is that
            provider's own or what `OPENAI_BASE_URL` or `ANTHROPIC_BASE_URL` names. It is in no
            text that this class produces.
        name: Of the endpoint, for errors and traces.
        form: What the endpoint speaks. On `anthropic` chat requests are translated and back.
        headers: Sent with every request, above our own: `{"api-key": ...}` for Azure, say.
        proxy: URL of an HTTP proxy; None takes the environment's, except for this very machine.
        ssl_context: For servers whose certificate the system does not know.
        max_connections: At once; further requests wait for one.
        with_stream_usage: Ask chat streams for their usage; False for servers that refuse
            `stream_options`.
        clock: For waits that the provider gives as a date.

    Raises:
        ConfigError: If an address or a header cannot be used.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None = None,
        name: str = "default",
        form: Form = "openai",
        headers: Mapping[str, str] | None = None,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 1_000,
        with_stream_usage: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.name, self.form = name, form
        self._key = api_key or key_for(base_url, form=form)
        self._shown = shown(base_url)
        proxied = proxy or proxy_for(base_url)
        self._server = server_of(base_url, proxy=proxied)
        own = headers_of(self._key, form=form, extra=headers)
        self._heads = {
            api: head_of(_url(base_url, api=api, form=form), headers=own, server=self._server)
            for api in Api
        }
        self._context = ssl_context
        self._max_connections = max_connections
        self._with_stream_usage = with_stream_usage
        self._clock = clock or SystemClock()
        self._pools = LoopPools(self._make_pool)

    def __repr__(self) -> str:
        """Its name and address; never its key."""
        return f"HttpTransport(name={self.name!r}, base_url={self._shown!r}, form={self.form!r})"

    async def send(self, request: Request, *, timeout_s: float) -> Reply:
        """Return the whole answer; see `Transport`."""
        api = request.api
        body = whole_body(request, form=self.form, endpoint=self.name)
        try:
            async with asyncio.timeout(timeout_s):
                pool = await self._pools.get()
                answer = await pool.whole(self._message(api, bytes_of(body, request)))
        except TROUBLES as error:
            raise from_trouble(error, endpoint=self.name, timeout_s=timeout_s) from error
        data, headers = answer.take(), answer.headers
        if answer.status >= 300:
            raise self._failed(answer.status, data, headers=headers)
        return self._reply(api, data, headers=headers)

    async def open(self, request: Request, *, timeout_s: float) -> ReplyStream:
        """Return once the provider has accepted the request; see `Transport`."""
        body = stream_body(
            request, form=self.form, endpoint=self.name, with_usage=self._with_stream_usage
        )
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline_s):
                pool = await self._pools.get()
                answer = await pool.begun(self._message(request.api, bytes_of(body, request)))
                if not _is_event_stream(answer):
                    return await self._without_streaming(request.api, answer)
        except TROUBLES as error:
            raise from_trouble(error, endpoint=self.name, timeout_s=timeout_s) from error
        return EventStream(
            answer,
            decoder=StreamDecoder(
                api=request.api, form=self.form, headers=answer.headers, endpoint=self.name
            ),
            timeout_s=timeout_s,
            deadline_s=deadline_s,
            endpoint=self.name,
            secret=self._key,
        )

    async def warm(self, connections: int) -> int:
        """Open so many connections that wait for use; returns how many there are."""
        return await (await self._pools.get()).warm(min(connections, self._max_connections))

    async def aclose(self) -> None:
        """Close its connections."""
        await self._pools.aclose()

    def _message(self, api: Api, body: bytes) -> bytes:
        return b"%s%d\r\n\r\n%s" % (self._heads[api], len(body), body)

    def _make_pool(self) -> Pool:
        if self._server.is_tls and self._context is None:
            self._context = ssl.create_default_context()
        return Pool(
            self._server,
            max_connections=self._max_connections,
            max_body_bytes=MAX_ANSWER_BYTES,
            context=self._context,
        )

    def _reply(self, api: Api, data: bytes, *, headers: Mapping[str, str]) -> Reply:
        try:
            return reply_of(api, data, headers=headers, form=self.form, endpoint=self.name)
        except ProviderError as error:
            cut_secret(error, self._key)
            raise

    def _failed(self, status: int, data: bytes, *, headers: Mapping[str, str]) -> ProviderError:
        today = self._clock.today()
        return failed(
            status, data, headers=headers, endpoint=self.name, today=today, secret=self._key
        )

    async def _without_streaming(self, api: Api, answer: Answer) -> ReplyStream:
        """Read an error, or what a server sends that does not stream."""
        try:
            data = await answer.read()
        finally:
            await answer.aclose()
        if answer.status >= 300:
            raise self._failed(answer.status, data, headers=answer.headers)
        reply = self._reply(api, data, headers=answer.headers)
        return ReadyStream(split(api, reply.payload), headers=answer.headers)


def _is_event_stream(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "")
    return answer.status < 300 and kind.lower().startswith("text/event-stream")


def _url(base_url: str, *, api: Api, form: Form) -> str:
    """Where a request goes; messages go to an OpenAI-compatible server as chat."""
    if form == "openai" and api is Api.MESSAGES:
        api = Api.CHAT
    return url_of(base_url, api=api, form=form)
