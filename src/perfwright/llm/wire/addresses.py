"""Where requests go, and with which headers: URLs and keys."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from perfwright.core import ConfigError
from perfwright.llm.requests import Api

Form = Literal["openai", "anthropic"]

ANTHROPIC_VERSION = "2023-06-01"

_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")  # of a header, in lower case: RFC 9110
_PATHS = {
    Api.CHAT: "/chat/completions",
    Api.RESPONSES: "/responses",
    Api.EMBEDDINGS: "/embeddings",
    Api.MESSAGES: "/messages",
}
_KEY_OF_HOST = {"api.openai.com": "OPENAI_API_KEY", "api.anthropic.com": "ANTHROPIC_API_KEY"}
_BASE_OF_KEY = {"OPENAI_API_KEY": "OPENAI_BASE_URL", "ANTHROPIC_API_KEY": "ANTHROPIC_BASE_URL"}


def url_of(base_url: str, *, api: Api, form: Form, query: Mapping[str, str] | None = None) -> str:
    """Return the URL that `api` has under `base_url`.

    A base without a path gets `/v1`; one with a path is taken as it is, but for a slash at its end
    or an interface's own path, which people copy along. Its query, such as Azure's
    `api-version`, is kept.

    Raises:
        ConfigError: If it is no HTTP address.
    """
    parts = _address(base_url.strip())
    path = parts.path.rstrip("/")
    for own in _PATHS.values():
        path = path.removesuffix(own)
    wanted = Api.MESSAGES if form == "anthropic" and api is Api.CHAT else api
    asked = "&".join(filter(None, (parts.query, urlencode(query or {}))))
    return urlunsplit((parts.scheme, parts.netloc, (path or "/v1") + _PATHS[wanted], asked, ""))


def shown(base_url: str) -> str:
    """Return the address without what may be secret: user, password and query."""
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def key_for(base_url: str, *, form: Form) -> str | None:
    """Return the environment's key for `base_url`; None if it has none that is meant for it.

    A key goes only to the provider it belongs to, or to the address that the environment names
    next to it (`OPENAI_BASE_URL`): a local or foreign server must not be handed it by accident.
    """
    variable = "ANTHROPIC_API_KEY" if form == "anthropic" else "OPENAI_API_KEY"
    if _KEY_OF_HOST.get(urlsplit(base_url).hostname or "") != variable:
        named = os.environ.get(_BASE_OF_KEY[variable], "")
        if not named or named.rstrip("/") != base_url.rstrip("/"):
            return None
    return os.environ.get(variable) or None


def headers_of(
    api_key: str | None, *, form: Form, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the headers of every request; `extra` goes above our own, whatever its case.

    Raises:
        ConfigError: If a value cannot stand in a header. It is not shown: it may be the key.
    """
    own = {"content-type": "application/json", "accept": "*/*", "user-agent": "perfwright"}
    if form == "anthropic":
        own["anthropic-version"] = ANTHROPIC_VERSION
    if api_key:
        if form == "anthropic":
            own["x-api-key"] = api_key.strip()
        else:
            own["authorization"] = f"Bearer {api_key.strip()}"
    headers = own | {name.lower(): value for name, value in (extra or {}).items()}
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name in ("content-length", "transfer-encoding"):
            raise ConfigError(
                field="headers", value=name, problem="it is no header that can be set"
            )
        if not value.isascii() or not value.isprintable():
            raise ConfigError(
                field=f"header {name}",
                value="(not shown)",
                problem="it holds characters that a header cannot carry; copy it again",
            )
    return headers


def _address(base_url: str) -> SplitResult:
    parts = urlsplit(base_url)
    problem = ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problem = "it is no http:// or https:// address"
    elif not base_url.isascii() or not base_url.isprintable() or " " in base_url:
        problem = "it holds characters that an address cannot; write them as %XX, a name as xn--"
    elif not _has_port_or_none(parts):
        problem = "its port is no number from 0 to 65,535"
    if problem:
        raise ConfigError(field="base_url", value=shown(base_url), problem=problem)
    return parts


def _has_port_or_none(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port >= 0
    except ValueError:
        return False


def proxy_for(base_url: str) -> str | None:
    """Return the environment's proxy for `base_url`; never one for this very machine."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return None
    from urllib.request import getproxies, proxy_bypass  # 25 ms of import

    return None if proxy_bypass(host) else getproxies().get(parts.scheme)
