"""The simulated provider itself: takes a call, decides its fate, answers in its own time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from perfwright.core import Clock
from perfwright.llm.requests import Api
from perfwright.llm.testing import bodies, forms
from perfwright.llm.testing.answers import Answer
from perfwright.llm.testing.bodies import Malformed
from perfwright.llm.testing.connections import Connection, HttpRequest
from perfwright.llm.testing.deferred import Deferred
from perfwright.llm.testing.fate import Fault, fault_of, is_slow, latency_s
from perfwright.llm.testing.limits import Limits
from perfwright.llm.testing.model import Model
from perfwright.llm.testing.settings import ProviderSettings
from perfwright.llm.testing.tally import Tally, add_usage

_CALLS = {
    "/chat/completions": Api.CHAT,
    "/responses": Api.RESPONSES,
    "/embeddings": Api.EMBEDDINGS,
    "/messages": Api.MESSAGES,
}
_LIMITS = ("requests_per_s", "burst", "tokens_per_s", "tokens_burst")
_REFUSED = "The prompt was refused by policy"
_FLUSH_S = 0.001
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, kw_only=True)
class _Call:
    connection: Connection
    api: Api
    body: dict[str, Any] = field(default_factory=dict)
    headers: bytes = b""
    answer: Answer = field(init=False)  # as soon as it is admitted
    fault: Fault = ""
    sent_tokens: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def is_streamed(self) -> bool:
        return bool(self.body.get("stream")) and self.api is not Api.EMBEDDINGS


class Service:
    """Answers requests by its settings, and counts them."""

    def __init__(self, settings: ProviderSettings, *, clock: Clock) -> None:
        self.settings = settings
        self.tally = Tally()
        self._clock = clock
        self._rng = random.Random(settings.seed)
        self._limits = Limits(settings, now_s=clock.now())
        self._model = Model(created=int(clock.today().timestamp()))
        self._deferred = Deferred(self._answer_deferred, clock=clock)
        self._connections: set[Connection] = set()

    def connect(self) -> Connection:
        """Return the protocol for a client that has just connected."""
        connection = Connection(self.handle, on_closed=self._connections.discard)
        self._connections.add(connection)
        self.tally.connections += 1
        return connection

    def disconnect(self) -> None:
        """Reset all connections."""
        for connection in tuple(self._connections):
            connection.reset()

    def change(self, changes: dict[str, Any]) -> None:
        """Go on with other settings; what was decided for calls under way stays.

        Raises:
            ConfigError: If a value cannot be.
        """
        before, self.settings = self.settings, self.settings.changed(changes)
        if any(getattr(before, name) != getattr(self.settings, name) for name in _LIMITS):
            self._limits = Limits(self.settings, now_s=self._clock.now())
        else:
            self._limits.use(self.settings)
        if before.seed != self.settings.seed:
            self._rng = random.Random(self.settings.seed)

    def reset_counts(self) -> None:
        """Start counting anew; calls under way are counted as still there."""
        in_flight = self.tally.in_flight
        self.tally = Tally(in_flight=in_flight, max_in_flight=in_flight)

    def handle(self, connection: Connection, request: HttpRequest) -> None:
        """Take one HTTP request."""
        path = request.path.removeprefix("/v1").rstrip("/")
        api = _CALLS.get(path) if request.method == "POST" else None
        if api is not None:
            self._arrive(_Call(connection=connection, api=api), request)
        elif not self._is_known(request):
            body = forms.error(Api.CHAT, status=401, text="Incorrect API key provided")
            connection.respond(401, _encode(body))
        elif path == "/models" and request.method == "GET":
            connection.respond(200, _encode(forms.models(self.settings.models)))
        elif found := self._deferred.handle(request, path, delay_s=self.settings.batch_s):
            status, content = found
            connection.respond(status, content)
        else:
            text = f"Unknown request URL: {request.method} {request.path}"
            connection.respond(404, _encode(forms.error(Api.CHAT, status=404, text=text)))

    # --- A call's way in --------------------------------------------------------------------------

    def _arrive(self, call: _Call, request: HttpRequest) -> None:
        now_s = self._clock.now()
        self.tally.arrived(now_s)
        call.connection.on_gone = lambda: self._abandon(call)
        if self.settings.down:
            self._be_down(call)
        elif not self._is_known(request):
            self._fail(call, status=401, text="Incorrect API key provided")
        else:
            self._read(call, request.body, now_s=now_s)

    def _read(self, call: _Call, content: bytes, *, now_s: float) -> None:
        try:
            call.body = bodies.read(content)
            text = bodies.check(call.api, call.body)
        except Malformed as error:
            self._fail(call, status=400, text=str(error), field=error.field)
            return
        if self._is_refused(text):
            self._fail(call, status=400, text=_REFUSED)
        else:
            self._judge(call, text, now_s=now_s)

    def _judge(self, call: _Call, text: str, *, now_s: float) -> None:
        """Let a call through, or tell it when to come back."""
        call.answer = self._answer(call.api, call.body, text=text)
        wait_s = self._limits.admit(call.answer.usage.total_tokens, now_s=now_s)
        today = self._clock.today()
        call.headers = self._limits.headers(call.api, now_s=now_s, today=today)
        call.headers += f"x-request-id: req_{call.answer.id}\r\n".encode()
        if wait_s > 0.0:
            call.headers += self._limits.retry_after(wait_s, today=today)
            self._fail(call, status=429, text="Rate limit reached")
            return
        self.tally.admitted(call.answer.digest, now_s=now_s)
        call.fault = fault_of(self.settings, self._rng, streamed=call.is_streamed)
        if call.fault:
            self.tally.faults[call.fault] += 1
        if call.fault != "hang":
            self._schedule(call)

    def _schedule(self, call: _Call) -> None:
        """Answer when the time has come, unless the client leaves before."""
        delay_s = self._delay_s(call)
        if delay_s > 0.0:
            loop = asyncio.get_running_loop()
            call.timer = loop.call_later(delay_s, self._reply, call)
        else:
            self._reply(call)

    def _delay_s(self, call: _Call) -> float:
        """How long until the answer, or the first of its pieces."""
        settings = self.settings
        if call.fault == "error" and settings.error_latency_s is not None:
            return settings.error_latency_s
        if is_slow(settings, self._rng):
            self.tally.faults["slow"] += 1
            return settings.slow_latency_s
        usage = call.answer.usage
        silent = usage.reasoning_tokens if call.is_streamed else usage.completion_tokens
        return latency_s(settings, self._rng) + settings.token_delay_s * silent

    # --- A call's way out -------------------------------------------------------------------------

    def _reply(self, call: _Call) -> None:
        call.timer = None
        if call.fault == "error":
            status = self._rng.choice(self.settings.error_statuses)
            self._fail(call, status=status, text="The server failed to process the request")
        elif call.fault == "reset":
            self._drop(call)
        else:
            self.tally.by_status[200] += 1
            until_s = self._clock.now() + self.settings.prompt_cache_ttl_s
            self._model.learn(call.answer, until_s=until_s)
            self._send(call)

    def _send(self, call: _Call) -> None:
        if call.is_streamed:
            call.connection.start_stream(headers=call.headers)
            self._stream(call, self._events(call))
            return
        body = _encode(forms.whole(call.api, call.answer))
        if call.fault == "truncate":
            body = body[: len(body) // 2]
        self._book(call)
        call.connection.respond(200, body, headers=call.headers)

    def _events(self, call: _Call) -> Iterator[tuple[int, bytes]]:
        return forms.events(
            call.api,
            call.answer,
            chunk_tokens=self.settings.chunk_tokens,
            with_usage=bool((call.body.get("stream_options") or {}).get("include_usage")),
        )

    def _stream(self, call: _Call, events: Iterator[tuple[int, bytes]]) -> None:
        """Send what is due, and come back for the rest."""
        loop, delay_s = asyncio.get_running_loop(), self.settings.token_delay_s
        due: list[bytes] = []
        for tokens, event in events:
            due.append(event)
            call.sent_tokens += tokens
            if call.fault == "cut" and call.sent_tokens * 2 >= len(call.answer.content.tokens):
                call.connection.write(due)
                self._book(call)
                # What is written must leave before the reset, which throws away what has not.
                loop.call_later(_FLUSH_S, call.connection.reset)
                return
            if tokens and delay_s:
                call.connection.write(due)
                call.timer = loop.call_later(delay_s * tokens, self._stream, call, events)
                return
        call.connection.write(due)
        self._book(call)
        call.connection.end_stream()

    def _book(self, call: _Call) -> None:
        """Count an answer; one that arrives in part is not one."""
        self.tally.in_flight -= 1
        call.connection.on_gone = None
        if call.fault:
            add_usage(self.tally.undelivered, call.answer.usage)
        else:
            self.tally.finished(call.answer.model, call.answer.usage, now_s=self._clock.now())

    def _abandon(self, call: _Call) -> None:
        """Forget a call whose client is gone."""
        self.tally.in_flight -= 1
        self.tally.aborted += 1
        if call.timer is not None:
            call.timer.cancel()

    def _be_down(self, call: _Call) -> None:
        self.tally.faults["down"] += 1
        match self.settings.outage:
            case "status":
                self._fail(call, status=503, text="The service is unavailable")
            case "refuse":
                self._drop(call)
            case "hang":
                pass

    def _drop(self, call: _Call) -> None:
        self.tally.in_flight -= 1
        call.connection.on_gone = None
        call.connection.reset()

    def _fail(self, call: _Call, *, status: int, text: str, field: str | None = None) -> None:
        """End a call with an error."""
        self.tally.in_flight -= 1
        self.tally.by_status[status] += 1
        body = _encode(forms.error(call.api, status=status, text=text, field=field))
        call.connection.respond(status, body, headers=call.headers)

    def _answer_deferred(self, api: Api, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer one line of a deferred batch: no limits, no latency, counts of its own."""
        try:
            text = bodies.check(api, body)
        except Malformed as error:
            return 400, forms.error(api, status=400, text=str(error), field=error.field)
        if self._is_refused(text):
            return 400, forms.error(api, status=400, text=_REFUSED)
        answer = self._answer(api, body, text=text)
        add_usage(self.tally.batched.setdefault(answer.model, Counter()), answer.usage)
        return 200, forms.whole(api, answer)

    def _answer(self, api: Api, body: dict[str, Any], *, text: str) -> Answer:
        now_s = self._clock.now()
        return self._model.answer(api, body, text=text, settings=self.settings, now_s=now_s)

    def _is_refused(self, text: str) -> bool:
        marker = self.settings.refused_marker
        return bool(marker) and marker in text

    def _is_known(self, request: HttpRequest) -> bool:
        if not self.settings.api_keys:
            return True
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return (request.headers.get("x-api-key") or bearer) in self.settings.api_keys
