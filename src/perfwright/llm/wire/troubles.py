"""What can go wrong between here and a provider, in our terms."""

from __future__ import annotations

import ssl

from perfwright.core import (
    BadAnswerError,
    ProviderDownError,
    ProviderError,
    ProviderRefusedError,
    ProviderTimeoutError,
)
from perfwright.llm.wire.http1 import CutOffError, MalformedError

TROUBLES = (OSError, MalformedError)
"""All that a connection raises; a time-out is an OSError."""


def from_trouble(error: Exception, *, endpoint: str, timeout_s: float) -> ProviderError:
    """Return the error that says what `error` means for a call.

    Args:
        error: One of `TROUBLES`.
        endpoint: Name of the endpoint.
        timeout_s: What the call was given.
    """
    text = str(error) or type(error).__name__
    match error:
        case TimeoutError():
            problem = f"no answer within {timeout_s:g} s"
            return ProviderTimeoutError(endpoint=endpoint, problem=problem)
        case MalformedError():
            return BadAnswerError(endpoint=endpoint, problem=f"its answer is not usable: {text}")
        case CutOffError(is_begun=True):
            return BadAnswerError(endpoint=endpoint, problem=f"its answer was cut off: {text}")
        case CutOffError():
            return ProviderDownError(endpoint=endpoint, problem=text)
        case ssl.SSLCertVerificationError():
            problem = f"its certificate is not trusted: {error.verify_message}"
            return ProviderRefusedError(endpoint=endpoint, problem=problem)
        case _:
            return ProviderDownError(endpoint=endpoint, problem=f"it cannot be reached: {text}")
