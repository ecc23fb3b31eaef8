"""How a gateway listens, and what it bears."""

from __future__ import annotations

from dataclasses import dataclass

from perfwright.core import ConfigError, is_loopback

DEFAULT_PORT = 8780


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Where it listens, and its patience with callers.

    Raises:
        ConfigError: If a number makes no sense.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 takes a free one."""
    max_body_bytes: int = 32 * 2**20
    """Of a request, after decompression; a longer one is refused with 413."""
    max_in_flight: int = 10_000
    """Requests at once; more are refused with 503, so that memory stays bounded."""
    max_connections: int | None = None
    """Of callers at once; more wait to be accepted. None: what the limit of open files allows."""
    header_timeout_s: float = 15.0
    """From the first byte of a request to the end of its headers."""
    body_timeout_s: float = 60.0
    """From there to the end of its body."""
    idle_timeout_s: float = 75.0
    """How long a connection stays open between requests."""
    write_timeout_s: float = 60.0
    """How long a caller may leave its answer unread before it is given up."""
    drain_timeout_s: float = 30.0
    """How long a stopping gateway waits for the calls that it has begun."""
    access_log: bool = False
    """One line of JSON for each request, without any of its content."""

    def __post_init__(self) -> None:
        for name in ("max_body_bytes", "max_in_flight", "max_connections"):
            if (count := getattr(self, name)) is not None:
                _check(name, count, lowest=1)
        for name in ("header_timeout_s", "body_timeout_s", "idle_timeout_s", "write_timeout_s"):
            _check(name, getattr(self, name), lowest=0.01)
        _check("drain_timeout_s", self.drain_timeout_s, lowest=0)
        if not 0 <= self.port <= 65_535:
            raise ConfigError(field="port", value=self.port, problem="must be 0 to 65535")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def refuse_open_door(settings: GatewaySettings, *, has_keys: bool) -> None:
    """Refuse to let a network spend money that it needs no key for.

    Raises:
        ConfigError: If it would listen beyond this machine without keys.
    """
    if settings.is_local or has_keys:
        return
    raise ConfigError(
        field="host",
        value=settings.host,
        problem="can be reached from other machines, and whoever reaches it spends your money; "
        "give callers keys ([gateway.keys], or PERFWRIGHT_GATEWAY_KEYS), or listen on 127.0.0.1. "
        "To make a key: perfwright gateway --new-key NAME",
    )


def _check(name: str, value: float, *, lowest: float) -> None:
    if not lowest <= value < float("inf"):
        raise ConfigError(field=name, value=value, problem=f"must be {lowest:g} or more, finite")
