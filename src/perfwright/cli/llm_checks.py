"""What `perfwright doctor` says of language models: keys, library, endpoints."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from perfwright.cli.checks import Check
from perfwright.cli.llm_hints import KEYS
from perfwright.container.config import load_config
from perfwright.container.llm import LlmSetup
from perfwright.core import PerfwrightError

_PATIENCE_S = 3.0


def llm_checks() -> Iterator[Check]:
    """Look at this process's environment, and at the configuration of its folder."""
    keys = [key for key in KEYS if os.environ.get(key)]
    yield Check(
        name="LLM key",
        ok=bool(keys),
        found=", ".join(keys) or "none in the environment",
        needed_for="explanations and proposals by a model; rules work without",
        remedy=f"export {KEYS[0]}=...",
    )
    yield _library()
    yield from _endpoints()


def _library() -> Check:
    try:
        found, ok = version("aiohttp"), True
    except PackageNotFoundError:
        found, ok = "not installed", False
    return Check(
        name="aiohttp",
        ok=ok,
        found=found,
        needed_for="calls of language models, and perfwright gateway",
        remedy="pip install aiohttp",
    )


def _endpoints() -> Iterator[Check]:
    """Try to connect to what is configured; nothing is asked, so nothing is paid."""
    name = "LLM endpoint"
    try:
        section = load_config(Path.cwd()).llm
        setup = LlmSetup(section=section, environment=os.environ)
        if not setup.is_configured():
            return
        endpoints = setup.endpoints()
    except PerfwrightError as error:
        yield Check(name=name, ok=False, found=str(error), needed_for="calls of language models")
        return
    for endpoint in endpoints:
        trouble = _trouble(endpoint.base_url)
        yield Check(
            name=name if endpoint.name == "default" else f"{name} {endpoint.name}",
            ok=trouble is None,
            found=f"{endpoint.base_url} {'can be reached' if trouble is None else trouble}",
            needed_for="calls of language models",
            remedy="check [llm] base_url and the network, or the proxy that HTTPS needs here",
        )


def _trouble(url: str) -> str | None:
    """Connect, in a thread of its own: looking a name up knows no time-out."""
    parts = urlsplit(url)
    address = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    said: list[str | None] = []

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=_PATIENCE_S).close()
            said.append(None)
        except OSError as error:
            said.append(f"cannot be reached: {error.strerror or error}")

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return said[0] if said else f"does not answer within {_PATIENCE_S:g} s"
