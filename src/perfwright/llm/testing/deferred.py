"""Deferred batches at half price: OpenAI's over files, Anthropic's of messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from perfwright.core import Clock
from perfwright.llm.requests import Api
from perfwright.llm.testing import bodies, forms
from perfwright.llm.testing.bodies import Malformed
from perfwright.llm.testing.connections import HttpRequest
from perfwright.llm.testing.files import Files, Response

AnswerLine = Callable[[Api, dict[str, Any]], tuple[int, dict[str, Any]]]
_APIS = {
    "/v1/chat/completions": Api.CHAT,
    "/v1/responses": Api.RESPONSES,
    "/v1/embeddings": Api.EMBEDDINGS,
}
_DAY = timedelta(days=1)
_encode = msgspec.json.Encoder().encode


class _Order(msgspec.Struct):
    input_file_id: str
    endpoint: str
    completion_window: str = "24h"
    metadata: dict[str, str] | None = None


class _FileLine(msgspec.Struct):
    custom_id: str
    body: dict[str, Any]


class _MessageLine(msgspec.Struct):
    custom_id: str
    params: dict[str, Any]


class _Asked(msgspec.Struct):
    requests: list[_MessageLine]


@dataclass(slots=True, kw_only=True)
class _Line:
    """One call of a batch."""

    custom_id: str
    api: Api
    body: dict[str, Any]
    status: int = 0
    answer: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Batch:
    id: str
    made: datetime
    ready_s: float
    lines: list[_Line]
    order: _Order | None = None
    """Of OpenAI's form: what the caller said of it."""
    files: dict[str, str | None] = field(default_factory=dict)
    is_done: bool = False
    is_cancelled: bool = False

    @property
    def failed(self) -> int:
        return sum(line.status not in (0, 200) for line in self.lines)

    @property
    def good(self) -> int:
        return sum(line.status == 200 for line in self.lines)


class Deferred:
    """Keeps batches, and answers each when its time has come."""

    def __init__(self, answer: AnswerLine, *, clock: Clock) -> None:
        self._answer, self._clock = answer, clock
        self._files = Files(clock=clock)
        self._batches: dict[str, _Batch] = {}

    def handle(self, request: HttpRequest, path: str, *, delay_s: float) -> Response | None:
        """Answer a request if it is about files or batches; a batch made now takes `delay_s`."""
        api = Api.MESSAGES if path.startswith("/messages") else Api.CHAT
        try:
            match path.strip("/").split("/"):
                case ["files", *rest]:
                    return self._files.handle(request, rest)
                case ["batches", *rest]:
                    return self._openai(request, rest, delay_s=delay_s)
                case ["messages", "batches", *rest]:
                    return self._anthropic(request, rest, delay_s=delay_s)
                case _:
                    return None
        except Malformed as error:
            refusal = forms.error(api, status=400, text=str(error), field=error.field)
            return 400, _encode(refusal)

    def _openai(self, request: HttpRequest, path: list[str], *, delay_s: float) -> Response | None:
        match request.method, path:
            case "POST", []:
                order = bodies.convert(bodies.read(request.body), _Order)
                return self._start(order, delay_s=delay_s)
            case "GET", []:
                found = [b for b in self._batches.values() if b.id.startswith("batch")]
                data = [self._openai_facts(batch) for batch in found]
                return 200, _encode({"object": "list", "data": data, "has_more": False})
            case "GET", [name] if batch := self._batches.get(name):
                return 200, _encode(self._openai_facts(batch))
            case "POST", [name, "cancel"] if batch := self._batches.get(name):
                self._cancel(batch)
                return 200, _encode(self._openai_facts(batch))
            case _:
                return None

    def _anthropic(
        self, request: HttpRequest, path: list[str], *, delay_s: float
    ) -> Response | None:
        match request.method, path:
            case "POST", []:
                asked = bodies.convert(bodies.read(request.body), _Asked)
                lines = [
                    _Line(custom_id=one.custom_id, api=Api.MESSAGES, body=one.params)
                    for one in asked.requests
                ]
                found: _Batch | None = self._add("msgbatch", lines, delay_s=delay_s)
            case "GET", [name]:
                found = self._batches.get(name)
            case "POST", [name, "cancel"]:
                found = self._batches.get(name)
                self._cancel(found)
            case "GET", [name, "results"] if (batch := self._batches.get(name)) and batch.is_done:
                return 200, _lines(_anthropic_line(line) for line in reversed(batch.lines))
            case _:
                return None
        if found is None:
            return None
        host = request.headers.get("host", "")
        return 200, _encode(self._anthropic_facts(found, host=host))

    # --- A batch's life ---------------------------------------------------------------------------

    def _start(self, order: _Order, *, delay_s: float) -> Response:
        file, api = self._files.get(order.input_file_id), _APIS.get(order.endpoint)
        if file is None:
            raise Malformed("no such file was uploaded", field="input_file_id")
        if api is None:
            raise Malformed(f"it must be one of {', '.join(_APIS)}", field="endpoint")
        asked = [
            bodies.convert(bodies.read(line), _FileLine)
            for line in file.content.splitlines()
            if line.strip()
        ]
        lines = [_Line(custom_id=one.custom_id, api=api, body=one.body) for one in asked]
        batch = self._add("batch", lines, delay_s=delay_s)
        batch.order = order
        return 200, _encode(self._openai_facts(batch))

    def _add(self, kind: str, lines: list[_Line], *, delay_s: float) -> _Batch:
        batch = _Batch(
            id=f"{kind}_{len(self._batches):08x}",
            made=self._clock.today(),
            ready_s=self._clock.now() + delay_s,
            lines=lines,
        )
        self._batches[batch.id] = batch
        return batch

    def _cancel(self, batch: _Batch | None) -> None:
        if batch is None:
            return
        self._advance(batch)
        if not batch.is_done:
            batch.is_done = batch.is_cancelled = True

    def _advance(self, batch: _Batch) -> None:
        """Answer a batch's lines, once, when it is due."""
        if not batch.is_done and self._clock.now() >= batch.ready_s:
            for line in batch.lines:
                line.status, line.answer = self._answer(line.api, line.body)
            batch.is_done = True

    # --- What is said of it -----------------------------------------------------------------------

    def _openai_facts(self, batch: _Batch) -> dict[str, Any]:
        self._advance(batch)
        if batch.is_done and not batch.files:
            batch.files = self._write(batch)
        status = "completed" if batch.is_done else "in_progress"
        made = int(batch.made.timestamp())
        return {
            "id": batch.id,
            "object": "batch",
            **(msgspec.to_builtins(batch.order) if batch.order else {}),
            "status": "cancelled" if batch.is_cancelled else status,
            "errors": None,
            "created_at": made,
            "in_progress_at": made,
            "expires_at": made + int(_DAY.total_seconds()),
            "completed_at": made if batch.is_done else None,
            "output_file_id": batch.files.get("output"),
            "error_file_id": batch.files.get("error"),
            "request_counts": {
                "total": len(batch.lines),
                "completed": batch.good,
                "failed": batch.failed,
            },
        }

    def _write(self, batch: _Batch) -> dict[str, str | None]:
        """Write the answers and the errors, in an order that nobody can rely on."""
        chosen = {
            "output": [line for line in batch.lines if line.status == 200],
            "error": [line for line in batch.lines if line.status not in (0, 200)],
        }
        files: dict[str, str | None] = {}
        for kind, lines in chosen.items():
            content = _lines(_openai_line(line) for line in reversed(lines))
            name = f"{batch.id}_{kind}.jsonl"
            kept = self._files.keep(name, content, purpose="batch_output") if lines else None
            files[kind] = kept.id if kept else None
        return files

    def _anthropic_facts(self, batch: _Batch, *, host: str) -> dict[str, Any]:
        self._advance(batch)
        left = len(batch.lines) - batch.good - batch.failed
        counts = {
            "processing": 0 if batch.is_done else left,
            "succeeded": batch.good,
            "errored": batch.failed,
            "canceled": left if batch.is_cancelled else 0,
            "expired": 0,
        }
        url = f"http://{host}/v1/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if batch.is_done else "in_progress",
            "request_counts": counts,
            "created_at": _rfc3339(batch.made),
            "expires_at": _rfc3339(batch.made + _DAY),
            "ended_at": _rfc3339(batch.made) if batch.is_done else None,
            "cancel_initiated_at": None,
            "archived_at": None,
            "results_url": url if batch.is_done else None,
        }


def _openai_line(line: _Line) -> dict[str, Any]:
    response = {"status_code": line.status, "request_id": line.custom_id, "body": line.answer}
    return {"id": line.custom_id, "custom_id": line.custom_id, "response": response, "error": None}


def _anthropic_line(line: _Line) -> dict[str, Any]:
    match line.status:
        case 0:
            result: dict[str, Any] = {"type": "canceled"}
        case 200:
            result = {"type": "succeeded", "message": line.answer}
        case _:
            result = {"type": "errored", "error": line.answer}
    return {"custom_id": line.custom_id, "result": result}


def _lines(entries: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(_encode(entry) + b"\n" for entry in entries)


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
