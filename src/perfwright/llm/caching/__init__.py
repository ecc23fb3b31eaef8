"""Answers that are asked for once: kept, shared while under way, and replayed as streams."""

from perfwright.llm.caching.completions import CacheMode, CompletionCache
from perfwright.llm.caching.grouping import PrefixOrder, group_by_prefix, order_blocks
from perfwright.llm.caching.keys import IGNORED_FIELDS
from perfwright.llm.caching.live import SharedStream
from perfwright.llm.caching.stored import Stored
from perfwright.llm.caching.tools import ToolMemo

__all__ = [
    "IGNORED_FIELDS",
    "CacheMode",
    "CompletionCache",
    "PrefixOrder",
    "SharedStream",
    "Stored",
    "ToolMemo",
    "group_by_prefix",
    "order_blocks",
]
