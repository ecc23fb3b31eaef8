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
    parts = address_of(base_url)
    path = parts.path.rstrip("/")
    for own in _PATHS.values():
        path = path.removesuffix(own)
    wanted = Api.MESSAGES if form == "anthropic" and api is Api.CHAT else api
    asked = "&".join(filter(None, (parts.query, urlencode(query or {}))))
    return urlunsplit((parts.scheme, parts.netloc, (path or "/v1") + _PATHS[wanted], asked, ""))


def shown(base_url: str) -> str:
    """Return the address without what may be secret: user, password and query."""
    try:
        parts = urlsplit(base_url)
    except ValueError:
        return "(not shown)"  # which part of it is secret cannot be told
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def key_for(base_url: str, *, form: Form) -> str | None:
    """Return the environment's key for `base_url`; None if it has none that is meant for it.

    A key goes only to the provider it belongs to, or to the address that the environment names
    next to it (`OPENAI_BASE_URL`): a local or foreign server must not be handed it by accident.
    """
    variable = "ANTHROPIC_API_KEY" if form == "anthropic" else "OPENAI_API_KEY"
    if _KEY_OF_HOST.get(address_of(base_url).hostname or "") != variable:
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
    own = {
        "content-type": "application/json",
        "accept": "*/*",
        "accept-encoding": "identity",  # unpacking costs more than a short answer's bytes
        "user-agent": "perfwright",
    }
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


def address_of(text: str, *, field: str = "base_url") -> SplitResult:
    """Return the parts of an HTTP address; its port can be read.

    Args:
        text: The address; blanks around it do not count.
        field: Which setting it is, for the error.

    Raises:
        ConfigError: If it is none.
    """
    text = text.strip()
    parts = _split(text)
    problem = ""
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        problem = "it is no http:// or https:// address"
    elif not text.isascii() or not text.isprintable() or " " in text:
        problem = "it holds characters that an address cannot; write them as %XX, a name as xn--"
    elif not _has_port_or_none(parts):
        problem = "its port is no number from 1 to 65,535"
    if parts is None or problem:
        raise ConfigError(field=field, value=shown(text), problem=problem)
    return parts


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _has_port_or_none(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def proxy_for(base_url: str) -> str | None:
    """Return the environment's proxy for `base_url`; never one for this very machine.

    `no_proxy` may hold names with their subdomains, names with a port, addresses and networks
    (`10.0.0.0/8`).

    Raises:
        ConfigError: If `base_url` is no HTTP address.
    """
    parts = address_of(base_url)
    host = parts.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return None
    from urllib.request import getproxies, proxy_bypass  # 25 ms of import

    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not proxy or proxy_bypass(f"{host}:{port}") or _is_among(host, proxies.get("no", "")):
        return None
    return with_scheme(proxy)


def with_scheme(proxy: str) -> str:
    """Return a proxy's address in full: many write it as `host:port`."""
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_among(host: str, networks: str) -> bool:
    """Tell whether `host` is an address in one of the networks of a `no_proxy`."""
    from ipaddress import ip_address, ip_network

    try:
        address = ip_address(host)
    except ValueError:
        return False
    for text in networks.split(","):
        try:
            if address in ip_network(text.strip(), strict=False):
                return True
        except ValueError:
            continue  # a name
    return False
