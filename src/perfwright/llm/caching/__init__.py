"""Answers that are asked for once: kept, shared while under way, and replayed as streams."""

from perfwright.llm.caching.completions import CacheMode, CompletionCache
from perfwright.llm.caching.grouping import PrefixOrder, group_by_prefix, order_blocks
from perfwright.llm.caching.keys import IGNORED_FIELDS
from perfwright.llm.caching.likeness import may_mean_the_same
from perfwright.llm.caching.live import SharedStream
from perfwright.llm.caching.prefetching import Prefetcher
from perfwright.llm.caching.semantic import SemanticCache, same_text
from perfwright.llm.caching.steadiness import UnstablePart, find_unstable_parts, mark_cache_points
from perfwright.llm.caching.stored import Stored
from perfwright.llm.caching.tools import ToolMemo
from perfwright.llm.caching.warming import Warming, plan_warming, warm_prompts

__all__ = [
    "CacheMode",
    "CompletionCache",
    "IGNORED_FIELDS",
    "Prefetcher",
    "PrefixOrder",
    "SemanticCache",
    "SharedStream",
    "Stored",
    "ToolMemo",
    "UnstablePart",
    "Warming",
    "find_unstable_parts",
    "group_by_prefix",
    "mark_cache_points",
    "may_mean_the_same",
    "order_blocks",
    "plan_warming",
    "same_text",
    "warm_prompts",
]
