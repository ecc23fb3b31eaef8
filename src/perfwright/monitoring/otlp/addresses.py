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
    if endpoint is not None:
        return Destination(endpoint, dict(given))
    named = environment.get(_ENDPOINT, "").strip()
    if not named:
        return Destination(DEFAULT_ENDPOINT, dict(given))
    pairs = (pair.partition("=") for pair in environment.get(_HEADERS, "").split(","))
    named_headers = {unquote(key.strip()): unquote(value.strip()) for key, _, value in pairs if key}
    return Destination(named, {**named_headers, **given})
