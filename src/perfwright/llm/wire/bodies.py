"""What is sent, and what an answer's bytes hold: pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from perfwright.core import ProviderRefusedError
from perfwright.llm.requests import Api, Request
from perfwright.llm.wire.addresses import Form
from perfwright.llm.wire.anthropic import request_to_messages
from perfwright.llm.wire.anthropic_parts import UntranslatableError
from perfwright.llm.wire.openai_chat import messages_to_chat
from perfwright.llm.wire.shapes import fault_of, not_a

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def whole_body(request: Request, *, form: Form, endpoint: str) -> Mapping[str, Any]:
    """Return the body that asks for the whole answer at once: the request's own if that does.

    Raises:
        ProviderRefusedError: If the endpoint has no such interface, or no words for the request.
    """
    body = _translated(request, endpoint=endpoint, form=form)
    if body.get("stream") or body.get("stream_options"):
        return {name: body[name] for name in body if name not in ("stream", "stream_options")}
    return body


def stream_body(
    request: Request, *, form: Form, endpoint: str, with_usage: bool
) -> Mapping[str, Any]:
    """Return the body that asks for a stream, which for chat is made to tell its usage.

    Args:
        request: What is asked for; its `stream` is not looked at.
        form: What the endpoint speaks.
        endpoint: Its name, for the error's text.
        with_usage: Whether to add `stream_options.include_usage`, which few servers do not know.

    Raises:
        ProviderRefusedError: If the endpoint has no such interface, or no words for the request.
    """
    body = _translated(request, endpoint=endpoint, form=form)
    is_chat = form == "openai" and request.api in (Api.CHAT, Api.MESSAGES)
    if is_chat and with_usage and not wants_usage(request):
        options = body.get("stream_options") or {}
        if not isinstance(options, Mapping):
            problem = not_a("an object", name="stream_options", found=options)
            raise _not_sent(endpoint, problem, code="invalid_body")
        wanted = {**options, "include_usage": True}
        return {**body, "stream": True, "stream_options": wanted}
    return body if body.get("stream") is True else {**body, "stream": True}


def bytes_of(body: Mapping[str, Any], request: Request) -> bytes:
    """Return a body as it is sent: the caller's own bytes if it is the caller's own body."""
    if body is request.body and request.raw is not None:
        return request.raw
    return encoded(body)


def wants_usage(request: Request) -> bool:
    """Tell whether the caller asked for the usage of a stream himself."""
    options = request.body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def is_usage_only(piece: Mapping[str, Any]) -> bool:
    """Tell a chat stream's piece that only brings the usage: for callers who did not ask for it."""
    return piece.get("choices") == [] and isinstance(piece.get("usage"), dict)


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return `body` as JSON.

    Raises:
        TypeError: If it holds what JSON has no form for; the text names the type.
    """
    plain = body if isinstance(body, dict) else dict(body)
    try:
        return _encode(plain)
    except UnicodeEncodeError:  # half a surrogate pair: JSON can escape it, UTF-8 cannot hold it
        return json.dumps(plain).encode()


def object_in(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object that `data` is; None if it is something else."""
    try:
        found = _decode(data)
    except (ValueError, RecursionError):  # the latter for hostile depths
        return None
    return found if isinstance(found, dict) else None


def _translated(request: Request, *, endpoint: str, form: Form) -> Mapping[str, Any]:
    """The body in the endpoint's form: chat and messages can each be said in the other's."""
    if form == "openai":
        if request.api is not Api.MESSAGES:
            return request.body
        translate = messages_to_chat
    else:
        if request.api is Api.MESSAGES:
            return request.body
        if request.api is not Api.CHAT:
            raise _no_such_interface(endpoint, api=request.api, form=form)
        translate = request_to_messages
    try:
        return translate(request.body)
    except UntranslatableError as error:
        raise _not_sent(endpoint, str(error), code="untranslatable") from error
    except (AttributeError, TypeError) as error:  # a list for an object, a number for a text
        raise _not_sent(endpoint, fault_of(request.body), code="invalid_body") from error


def _no_such_interface(endpoint: str, *, api: Api, form: Form) -> ProviderRefusedError:
    problem = f"it speaks {form}'s form, which has no {api.value}"
    return _not_sent(endpoint, problem, code="no_such_interface")


def _not_sent(endpoint: str, problem: str, *, code: str) -> ProviderRefusedError:
    """The status is the one that a provider would have answered with: the caller's to mend."""
    return ProviderRefusedError(
        endpoint=endpoint, problem=f"{problem}; the request was not sent", code=code, status=400
    )
