"""Caching: memory, a shared tier, single flight across processes, invalidation everywhere."""

from perfwright.cache.advanced import AdvancedCache
from perfwright.cache.decorator import cached
from perfwright.cache.redis_tier import RedisTier
from perfwright.cache.serializers import MsgpackSerializer, PickleSerializer, Serializer
from perfwright.cache.settings import Settings
from perfwright.cache.sqlite_tier import SqliteTier
from perfwright.cache.store import LocalStore

__all__ = [
    "AdvancedCache",
    "LocalStore",
    "MsgpackSerializer",
    "PickleSerializer",
    "RedisTier",
    "Serializer",
    "Settings",
    "SqliteTier",
    "cached",
]
