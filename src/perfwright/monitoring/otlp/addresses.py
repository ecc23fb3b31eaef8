"""Where telemetry goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

DEFAULT_PORT = 4318
"""That OTLP over HTTP has everywhere."""
DEFAULT_ENDPOINT = f"http://127.0.0.1:{DEFAULT_PORT}"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an exporter sends to."""

    base: str
    headers: Mapping[str, str] = field(repr=False)
    """They may hold a secret."""


def destination(
    endpoint: str | None,
    *,
    headers: Mapping[str, str] | None,
    environment: Mapping[str, str],
) -> Destination:
    """Return where to send to: what is given, else what the environment says, else this machine.

    The environment's headers go to the environment's endpoint only: they may hold its token.
    """
    given = headers or {}
    named = environment.get(_ENDPOINT, "").strip()
    if endpoint is not None and endpoint != named:
        return Destination(endpoint, dict(given))
    if not named:
        return Destination(DEFAULT_ENDPOINT, dict(given))
    return Destination(named, {**headers_of(environment.get(_HEADERS, "")), **given})


def headers_of(text: str) -> dict[str, str]:
    """Read headers as OpenTelemetry's variables have them: `api-key=abc,x=%C3%A4`."""
    pairs = (pair.partition("=") for pair in text.split(","))
    return {unquote(key.strip()): unquote(value.strip()) for key, _, value in pairs if key.strip()}
