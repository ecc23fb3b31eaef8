"""Limits on how much is asked of others: circuit breaker and rate limits."""

from perfwright.limits.breaker import BreakerSnapshot, BreakerState, CircuitBreaker, Permit
from perfwright.limits.bucket import TokenBucket
from perfwright.limits.host import HostRateLimiter
from perfwright.limits.limiter import RateLimiter
from perfwright.limits.rate import Cost, Oversized, Rate
from perfwright.limits.redis import RedisRateLimiter
from perfwright.limits.reservation import Reservation

__all__ = [
    "BreakerSnapshot",
    "BreakerState",
    "CircuitBreaker",
    "Cost",
    "HostRateLimiter",
    "Oversized",
    "Permit",
    "Rate",
    "RateLimiter",
    "RedisRateLimiter",
    "Reservation",
    "TokenBucket",
]
