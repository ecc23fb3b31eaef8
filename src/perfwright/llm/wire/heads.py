"""What each request begins with: made once, sent before every body."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from perfwright.core import ConfigError
from perfwright.llm.wire.addresses import shown
from perfwright.llm.wire.dialling import Server, proxy_header


def server_of(base_url: str, *, proxy: str | None) -> Server:
    """Return where the connections for `base_url` go.

    Raises:
        ConfigError: If an address cannot be used.
    """
    parts = urlsplit(base_url.strip())
    is_tls = parts.scheme == "https"
    via = urlsplit(proxy) if proxy else None
    if via is not None and (via.scheme != "http" or not via.hostname):
        problem = "only proxies with an http:// address are spoken to"
        raise ConfigError(field="proxy", value=shown(proxy or ""), problem=problem)
    port = parts.port or (443 if is_tls else 80)
    return Server(host=parts.hostname or "", port=port, is_tls=is_tls, proxy=via)


def head_of(url: str, *, headers: Mapping[str, str], server: Server) -> bytes:
    """Return the bytes of a POST up to the number of its body's bytes.

    Args:
        url: Where it goes.
        headers: Names in lower case.
        server: Tells whether a proxy reads along: it wants the whole URL.
    """
    parts = urlsplit(url)
    there = parts.netloc.rpartition("@")[2]
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    is_proxied = server.proxy is not None and not server.is_tls
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": there, **headers}.items())
    target = f"{parts.scheme}://{there}{path}" if is_proxied else path
    extra = proxy_header(server.proxy) if is_proxied else ""
    return f"POST {target} HTTP/1.1\r\n{lines}{extra}content-length: ".encode("ascii")
