"""From a provider's failing answer to the error that says what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from perfwright.core import (
    BadAnswerError,
    ProviderDownError,
    ProviderError,
    ProviderLimitError,
    ProviderRefusedError,
    ProviderTimeoutError,
)
from perfwright.llm.wire.rate_headers import retry_after_s

MAX_PROBLEM = 500  # characters of a provider's message that are passed on

_SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_error"})
"""Codes of a 429 that no wait will change: somebody has to pay."""

_STATUS_OF = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "tokens": 429,
    "requests": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
}
"""Of errors that come inside an answer whose own status is good; others count as 500."""


def failed(
    status: int,
    body: bytes,
    *,
    headers: Mapping[str, str],
    endpoint: str,
    today: datetime | None = None,
    secret: str | None = None,
) -> ProviderError:
    """Return the error for an answer whose status is not good.

    Args:
        status: Of HTTP.
        body: As it came; JSON of any known form, a page, or nothing.
        headers: Names in lower case.
        endpoint: Name of the endpoint, for the text.
        today: For a `retry-after` that is a date, where the answer has none itself.
        secret: The key, cut out of the error should the answer quote it.
    """
    problem, code, known = _described(body, status=status, headers=headers)
    kind = _kind(status, code=code, should_retry=headers.get("x-should-retry"))
    error = kind(
        endpoint=endpoint,
        problem=problem,
        status=status,
        retry_after_s=retry_after_s(headers, today=today),
        code=code,
        request_id=headers.get("x-request-id") or headers.get("request-id") or known,
        headers=headers,
    )
    cut_secret(error, secret)
    return error


def failed_inside(
    payload: Mapping[str, Any], *, headers: Mapping[str, str], endpoint: str
) -> ProviderError | None:
    """Return the error that an answer of status 200, or a stream's event, carries; None if none."""
    error = _error_within(payload)
    if error is None:
        return None
    problem, code = _message_and_code(error)
    status = _status_of(error, code=code)
    return _kind(status, code=code, should_retry=None)(
        endpoint=endpoint,
        problem=problem[:MAX_PROBLEM] or "it failed without saying why",
        status=status,
        retry_after_s=retry_after_s(headers),
        code=code,
        request_id=headers.get("x-request-id") or headers.get("request-id") or "",
        headers=headers,
    )


def cut_secret(error: ProviderError, secret: str | None) -> None:
    """Take a key out of what an error says, should the provider have quoted it."""
    if not secret:
        return
    error.problem = error.problem.replace(secret, "***")
    error.code = error.code.replace(secret, "***")
    error.request_id = error.request_id.replace(secret, "***")
    error.headers = {name: value.replace(secret, "***") for name, value in error.headers.items()}


def bad_answer(
    problem: str, *, headers: Mapping[str, str], endpoint: str, status: int = 200
) -> BadAnswerError:
    """Return the error for an answer whose status is good and whose body is not."""
    return BadAnswerError(
        endpoint=endpoint,
        problem=problem,
        status=status,
        request_id=headers.get("x-request-id") or headers.get("request-id") or "",
        headers=headers,
    )


def looks_like(body: bytes) -> str:
    """Describe a body that is not what was expected, in few words and without its contents."""
    start = body[:2_000].strip()
    if not start:
        return "an empty body"
    if start[:1] == b"<":
        title = re.search(rb"<title[^>]*>(.*?)</title>", start, re.IGNORECASE | re.DOTALL)
        named = f" titled {_text(title[1]).strip()[:100]!r}" if title else ""
        return f"an HTML page{named}"
    return f"{len(body):,} bytes that begin with {_text(start[:40])!r}"


def _kind(status: int, *, code: str, should_retry: str | None) -> type[ProviderError]:
    """Which error a status is; a provider's own word on retrying goes above the usual reading."""
    if status == 429:
        return ProviderRefusedError if code in _SPENT else ProviderLimitError
    if status in (408, 504):
        return ProviderTimeoutError
    if status >= 500:
        return ProviderRefusedError if should_retry == "false" else ProviderDownError
    # 409 is a lock that another request holds, 425 a request that came too early: both pass.
    if status in (409, 425) or should_retry == "true":
        return ProviderDownError
    return ProviderRefusedError


def _described(body: bytes, *, status: int, headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Message, code and request id of a failing answer."""
    if 300 <= status < 400:
        where = headers.get("location", "elsewhere").partition("?")[0]
        return f"it redirects to {where}; give that as the base URL if you trust it", "", ""
    try:
        payload = msgspec.json.decode(body)
    except ValueError:
        return f"it answered with {looks_like(body)}", "", ""
    if not isinstance(payload, dict):
        return f"it answered with {looks_like(body)}", "", ""
    message, code = _message_and_code(_error_within(payload) or payload)
    known = payload.get("request_id")
    problem = message[:MAX_PROBLEM] or f"it answered with {looks_like(body)}"
    return problem, code, known if isinstance(known, str) else ""


def _error_within(payload: Mapping[str, Any]) -> Any:
    """The error object of an answer or event, in any of the forms; None if it is no failure."""
    error = payload.get("error")
    if error:
        return error
    kind = payload.get("type")
    if kind == "error":  # an event of Responses has code and message beside its type
        return {**payload, "type": None}
    if kind == "response.failed" or payload.get("status") == "failed":
        response = payload.get("response") or payload
        return response.get("error") or {"message": "the response failed"}
    return None


def _message_and_code(error: Any) -> tuple[str, str]:
    """Read `{"message", "code", "type"}`, FastAPI's `{"detail"}`, or a bare string."""
    if not isinstance(error, dict):
        return str(error), ""
    message = error.get("message") or error.get("detail") or ""
    if not isinstance(message, str):
        message = _text(msgspec.json.encode(message))
    code = error.get("code") or error.get("type") or ""
    return message, str(code)


def _status_of(error: Any, *, code: str) -> int:
    """What the error's status would have been; gateways put it where the code belongs."""
    if code.isdigit() and 400 <= int(code) < 600:
        return int(code)
    kind = error.get("type") if isinstance(error, dict) else None
    return _STATUS_OF.get(code) or _STATUS_OF.get(str(kind)) or 500


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
