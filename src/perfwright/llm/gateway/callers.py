"""What a request's headers say of its caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from perfwright.batching import Priority
from perfwright.core import is_loopback
from perfwright.llm.caching import CacheMode
from perfwright.llm.gateway.keys import LABEL
from perfwright.llm.gateway.problems import Problem

LABELS_HEADER = "x-perfwright-labels"
PRIORITY_HEADER = "x-perfwright-priority"
TIMEOUT_HEADER = "x-perfwright-timeout-s"
CACHE_HEADER = "x-perfwright-cache"
_CACHE_MODES: dict[str, CacheMode] = {"use": "use", "refresh": "refresh", "bypass": "bypass"}
_MAX_LABELS = 8
_MAX_LABEL_CHARACTERS = 64
_LONGEST_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a caller may ask for beside the body."""

    labels: Mapping[str, str]
    priority: Priority = Priority.NORMAL
    timeout_s: float | None = None
    cache: CacheMode = "use"


def secret_of(headers: Mapping[str, str]) -> str | None:
    """Return the key that was sent: as OpenAI's, Anthropic's or Azure's clients send it."""
    given = headers.get("Authorization")
    if given is not None:
        scheme, _, secret = given.partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else None
    return headers.get("x-api-key") or headers.get("api-key")


def refuse_web_page(headers: Mapping[str, str]) -> Problem | None:
    """Refuse calls that a web page makes a browser send to a gateway of this machine.

    Without keys every page that is visited could spend money: by a request across origins, which
    carries `Origin`, or through a name of its own that it lets point here, which `Host` shows.
    """
    origin, host = headers.get("Origin"), headers.get("Host")
    if origin is not None and not is_loopback(_host_of(origin)):
        text = f"a page of {origin[:200]!r} may not call a gateway without keys; give it a key"
        return Problem(status=403, code="foreign_origin", text=text)
    if host is not None and not is_loopback(_host_of(f"//{host}")):
        text = (
            f"a gateway without keys answers to names of this machine, not to {host[:200]!r}; "
            "call it as 127.0.0.1 or localhost, or give callers keys"
        )
        return Problem(status=403, code="foreign_host", text=text)
    return None


def wishes_of(headers: Mapping[str, str], *, key: str | None) -> Wishes | Problem:
    """Read the optional headers; the label `key` is the gateway's and cannot be chosen."""
    labels = _labels_of(headers.get(LABELS_HEADER, ""))
    priority, timeout = headers.get(PRIORITY_HEADER, "normal"), headers.get(TIMEOUT_HEADER)
    if labels is None:
        text = (
            f"{LABELS_HEADER} must be NAME=VALUE,NAME=VALUE: at most {_MAX_LABELS} labels of "
            f"{_MAX_LABEL_CHARACTERS} printable characters, and none named {LABEL!r}"
        )
        return _bad(text)
    if priority.upper() not in Priority.__members__:
        known = ", ".join(name.lower() for name in Priority.__members__)
        return _bad(f"{PRIORITY_HEADER} must be one of {known}")
    timeout_s = _seconds(timeout) if timeout is not None else None
    if timeout is not None and timeout_s is None:
        return _bad(
            f"{TIMEOUT_HEADER} must be a number of seconds, above 0, at most {_LONGEST_S:g}"
        )
    cache = _CACHE_MODES.get(headers.get(CACHE_HEADER, "use"))
    if cache is None:
        return _bad(f"{CACHE_HEADER} must be one of {', '.join(_CACHE_MODES)}")
    if key is not None:
        labels[LABEL] = key
    return Wishes(
        labels=labels, priority=Priority[priority.upper()], timeout_s=timeout_s, cache=cache
    )


def _labels_of(text: str) -> dict[str, str] | None:
    labels: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, found, value = (each.strip() for each in part.partition("="))
        fits = 0 < len(name) <= _MAX_LABEL_CHARACTERS and len(value) <= _MAX_LABEL_CHARACTERS
        if not found or not fits or name == LABEL or not (name + value).isprintable():
            return None
        labels[name] = value
    return labels if len(labels) <= _MAX_LABELS else None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0.0 < seconds <= _LONGEST_S else None


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _bad(text: str) -> Problem:
    return Problem(status=400, code="invalid_header", text=text)
