"""Answers as bytes and headers."""

from __future__ import annotations

import msgspec
from aiohttp import web

from perfwright.llm.gateway.problems import Problem
from perfwright.llm.gateway.runtime import PieceStream
from perfwright.llm.replies import Completion, Piece
from perfwright.llm.requests import Api

JSON = "application/json"
SERVER = "perfwright"
"""Instead of the versions that aiohttp would tell everybody."""
DONE = b"data: [DONE]\n\n"
_encode = msgspec.json.Encoder().encode


def json_response(body: bytes, *, status: int = 200, **headers: str) -> web.Response:
    """Return a body of JSON."""
    return web.Response(
        body=body, status=status, headers={"Content-Type": JSON, "Server": SERVER, **headers}
    )


def text_response(text: str, *, kind: str) -> web.Response:
    """Return a text of some content type."""
    return web.Response(body=text.encode(), headers={"Content-Type": kind, "Server": SERVER})


def document_response(document: object, *, status: int = 200) -> web.Response:
    """Return something as JSON."""
    return json_response(_encode(document), status=status)


def problem_response(problem: Problem, api: Api = Api.CHAT) -> web.Response:
    """Return an error in the form of an interface."""
    return json_response(problem.body(api), status=problem.status, **problem.all_headers())


def completion_response(done: Completion) -> web.Response:
    """Return an answer: its bytes as they came, where they are known, and its facts as headers."""
    headers = {"Content-Type": JSON, **_facts(done)}
    if done.cost_usd is not None:
        headers["x-perfwright-cost-usd"] = f"{done.cost_usd:.9g}"
    return web.Response(body=done.raw if done.raw is not None else _encode(done), headers=headers)


def stream_headers(stream: PieceStream) -> dict[str, str]:
    """Return the headers of a stream; its cost is not known yet."""
    return {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", **_facts(stream)}


def _facts(answer: Completion | PieceStream) -> dict[str, str]:
    facts = {
        "Server": SERVER,
        "x-perfwright-cached": "true" if answer.cached else "false",
        "x-perfwright-endpoint": _header(answer.endpoint),
    }
    if answer.trace is not None:
        facts["x-perfwright-trace-id"] = facts["x-request-id"] = answer.trace.trace_id
    return facts


def event(piece: Piece, api: Api) -> bytes:
    """Return a piece as an event of the stream, byte for byte where it is known."""
    if piece.raw is not None:
        return piece.raw + b"\n\n"
    return _event(_encode(piece), kind=_kind_of(piece, api))


def error_event(problem: Problem, api: Api) -> bytes:
    """Return an error as the last event of a stream that has begun."""
    return _event(problem.body(api), kind="error" if api is Api.MESSAGES else None)


def end_of(api: Api) -> bytes:
    """Return what an interface ends its streams with."""
    return DONE if api is Api.CHAT else b""


def _event(data: bytes, *, kind: str | None) -> bytes:
    name = b"" if kind is None else b"event: " + kind.encode() + b"\n"
    return name + b"data: " + data + b"\n\n"


def _kind_of(piece: Piece, api: Api) -> str | None:
    """Name the event, in the interfaces that name them."""
    if api is Api.CHAT:
        return None
    kind = piece.get("type")
    return kind if isinstance(kind, str) and kind.isprintable() else None


def _header(text: str) -> str:
    """Keep what a header may hold: names come from configuration files."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if " " <= each <= "~" else "?" for each in text)
