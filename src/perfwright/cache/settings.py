"""The cache's settings, validated once."""

from __future__ import annotations

from dataclasses import dataclass, fields

from perfwright.core import ConfigError

_FROM_ZERO = frozenset(
    {"stale_s", "fail_safe_s", "negative_ttl_s", "jitter_ratio", "early_refresh"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How long values live, and what is served when there is no fresh one."""

    default_ttl_s: float = 3_600.0
    """TTL of values stored without one."""
    jitter_ratio: float = 0.05
    """TTLs are shortened by a random share of up to this much, so that values stored together do
    not expire together."""
    early_refresh: float = 1.0
    """How many times its factory's duration before its end a value is refreshed in the background,
    plus a random time of the same mean (XFetch); 0 turns this off."""
    stale_s: float = 0.0
    """How long after its end a value is still served while it is refreshed in the background."""
    fail_safe_s: float = 0.0
    """How long after its end a value is served when the factory fails."""
    fail_safe_retry_s: float = 1.0
    """How long such a value, or one whose refresh failed, is served before the next attempt."""
    negative_ttl_s: float = 0.0
    """TTL of None, when the factory returns it; 0 does not store None."""
    unlinked_ttl_s: float = 5.0
    """How long values of the first tier are served when changes elsewhere are not being told and
    the second tier does not answer."""
    lease_wait_s: float = 30.0
    """How long to wait for another process's factory before calling one's own."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (value == 0 and field.name in _FROM_ZERO)):  # NaN is neither
                raise ConfigError(field=field.name, value=value, problem="must be above 0")
        if self.jitter_ratio >= 1:
            raise ConfigError(field="jitter_ratio", value=self.jitter_ratio, problem="is below 1")

    @property
    def grace_s(self) -> float:
        """How long a value is kept after its end."""
        return max(self.stale_s, self.fail_safe_s)
