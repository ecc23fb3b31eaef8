"""What a caller is told when there is no answer: a status, and the error in its own form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from perfwright.core import (
    BreakerOpenError,
    ConfigError,
    CostTooHighError,
    LimiterUnavailableError,
    LimitTimeoutError,
    PerfwrightError,
)
from perfwright.core.errors import (
    BadAnswerError,
    ProviderDownError,
    ProviderError,
    ProviderLimitError,
    ProviderRefusedError,
    ProviderTimeoutError,
    SpendLimitError,
    StreamCutError,
)
from perfwright.llm.requests import Api

_ANTHROPIC_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_NOT_SENT = ("invalid_body", "no_such_interface", "untranslatable")
"""Codes of requests that no endpoint could be asked in its form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request gets no answer."""

    status: int
    """Of HTTP."""
    code: str
    """For programs, such as `insufficient_quota`."""
    text: str
    """For people: what happened, and what to do."""
    kind: str = ""
    """OpenAI's `type`; empty follows from the status."""
    retry_after_s: float | None = None
    """When the same request may be answered; None where that is not known."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, api: Api) -> dict[str, object]:
        """Return the error as a client of this interface expects it."""
        match api:
            case Api.MESSAGES:
                kind = _ANTHROPIC_KINDS.get(self.status) or (
                    "api_error" if self.status >= 500 else "invalid_request_error"
                )
                return {"type": "error", "error": {"type": kind, "message": self.text}}
            case Api.CHAT | Api.RESPONSES | Api.EMBEDDINGS:
                kind = self.kind or _kind_of(self.status)
                error = {"message": self.text, "type": kind, "param": None, "code": self.code}
                return {"error": error}
            case unknown:
                assert_never(unknown)

    def body(self, api: Api) -> bytes:
        """Return the document as JSON."""
        return msgspec.json.encode(self.document(api))

    def all_headers(self) -> dict[str, str]:
        """Return the headers that say when, and whether, to try again.

        Retry-After takes whole seconds; the other header is the one that OpenAI's client reads.
        """
        found = dict(self.headers)
        if self.retry_after_s is not None:
            found["Retry-After"] = str(math.ceil(self.retry_after_s))
            found["retry-after-ms"] = str(math.ceil(self.retry_after_s * 1_000))
        if self.status < 500 and self.status != 429:
            found["x-should-retry"] = "false"
        return found


def _kind_of(status: int) -> str:
    match status:
        case 401:
            return "authentication_error"
        case 402:
            return "insufficient_quota"
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status < 500 else "api_error"


def problem_of(error: Exception) -> Problem:
    """Tell the caller of a failed call what became of it; what is no one's fault is a 500."""
    match error:
        case SpendLimitError():
            return Problem(status=402, code="insufficient_quota", text=str(error))
        case LimitTimeoutError():
            return Problem(
                status=429, code="limit_timeout", text=str(error), retry_after_s=error.wait_s
            )
        case CostTooHighError():
            return Problem(status=400, code="request_too_large_for_limit", text=str(error))
        case LimiterUnavailableError():
            return Problem(status=503, code="limiter_unavailable", text=str(error))
        case BreakerOpenError():
            return Problem(
                status=503, code="provider_down", text=str(error), retry_after_s=error.retry_after_s
            )
        case ProviderError():
            return _problem_of_provider(error)
        case TimeoutError():
            text = str(error) or "the call took longer than it may; raise its timeout"
            return Problem(status=504, code="timeout", text=text)
        case ConfigError():
            return Problem(status=400, code="invalid_request", text=str(error))
        case PerfwrightError():
            return Problem(status=500, code="internal_error", text=str(error))
        case _:
            text = f"internal error ({type(error).__name__}); the gateway's log has the traceback"
            return Problem(status=500, code="internal_error", text=text)


def _is_the_callers(error: ProviderRefusedError) -> bool:
    """Tell what a caller can mend from redirects, proxies' refusals, certificates."""
    if error.status is None:
        return error.code in _NOT_SENT
    return 400 <= error.status < 500 and error.status != 407


def _problem_of_provider(error: ProviderError) -> Problem:
    text, wait_s = str(error), error.retry_after_s
    match error:
        case ProviderLimitError():
            code = error.code or "rate_limit_exceeded"
            return Problem(status=429, code=code, text=text, retry_after_s=wait_s)
        case ProviderRefusedError(status=401 | 403):
            # Passed on, the caller would take it for a refusal of its own key.
            return Problem(status=502, code="provider_refused_key", text=text)
        case ProviderRefusedError() if not _is_the_callers(error):
            return Problem(status=502, code="provider_error", text=text)
        case ProviderRefusedError():
            code = error.code or "provider_refused"
            return Problem(status=error.status or 400, code=code, text=text)
        case ProviderTimeoutError():
            return Problem(status=504, code="provider_timeout", text=text)
        case ProviderDownError() if error.status in (None, 503, 529):
            return Problem(status=503, code="provider_down", text=text, retry_after_s=wait_s)
        case BadAnswerError() | StreamCutError():
            return Problem(status=502, code="bad_answer", text=text)
        case _:
            return Problem(status=502, code="provider_error", text=text, retry_after_s=wait_s)
