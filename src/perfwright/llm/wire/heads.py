"""What each request begins with: made once, sent before every body."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from perfwright.core import ConfigError
from perfwright.llm.wire.addresses import address_of, shown, with_scheme
from perfwright.llm.wire.dialling import Server, proxy_header


def server_of(base_url: str, *, proxy: str | None) -> Server:
    """Return where the connections for `base_url` go.

    Raises:
        ConfigError: If an address cannot be used.
    """
    parts = address_of(base_url)
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    via = _proxy_of(proxy) if proxy else None
    return Server(host=parts.hostname or "", port=port, is_tls=is_tls, proxy=via)


def _proxy_of(proxy: str) -> SplitResult:
    proxy = with_scheme(proxy.strip())
    if not proxy.lower().startswith("http://"):
        problem = (
            "only proxies with an http:// address are spoken to; name one, or except this host "
            "by no_proxy"
        )
        raise ConfigError(field="proxy", value=shown(proxy), problem=problem)
    return address_of(proxy, field="proxy")


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
