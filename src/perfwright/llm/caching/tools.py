"""ToolMemo: results of tools that give the same for the same arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ParamSpec, TypeVar

import msgspec

from perfwright.cache import AdvancedCache
from perfwright.core import ConfigError
from perfwright.monitoring import Metric

P = ParamSpec("P")
T = TypeVar("T")

_UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class _Tool:
    ttl_s: float
    version: str


class ToolMemo:
    """Keeps results of tools by name and arguments, and runs equal calls that meet once.

    Only tools that were declared are kept: those whose result depends on their arguments alone and
    that change nothing, or nothing more when run again. All others run each time.

    Args:
        cache: Where results are kept; shared by processes if that is.
        ttl_s: How long a result is kept, in seconds, for tools declared without a time.
        namespace: Tells apart equal names of different agents.

    Errors are never kept. Results are handed out as they are: do not change what you get.
    """

    def __init__(self, cache: AdvancedCache, *, ttl_s: float = 300.0, namespace: str = "") -> None:
        if not ttl_s > 0:
            raise ConfigError(field="ttl_s", value=ttl_s, problem="give seconds above 0")
        self._cache, self._ttl_s, self._namespace = cache, ttl_s, namespace
        self._tools: dict[str, _Tool] = {}
        self._encode = msgspec.json.Encoder(order="sorted").encode
        self._calls, self._runs, self._undeclared, self._unkeyable = 0, 0, 0, 0

    def declare(self, name: str, *, ttl_s: float | None = None, version: str = "") -> None:
        """Say that a tool is pure or idempotent, so that its results may be kept.

        Args:
            name: Of the tool, as it is called.
            ttl_s: How long a result of it is kept, in seconds.
            version: Another one forgets what the former kept.
        """
        if name in self._tools:
            raise ConfigError(field="name", value=name, problem="this tool is declared already")
        self._tools[name] = _Tool(self._ttl_s if ttl_s is None else ttl_s, version)

    def tool(
        self, *, ttl_s: float | None = None, version: str = "", name: str | None = None
    ) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
        """Decorate a coroutine function that is a pure or idempotent tool."""

        def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
            called = name or function.__name__
            self.declare(called, ttl_s=ttl_s, version=version)
            signature = inspect.signature(function)

            @functools.wraps(function)
            async def memoised(*args: P.args, **kwargs: P.kwargs) -> T:
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                return await self.call(
                    called, bound.arguments, run=lambda: function(*args, **kwargs)
                )

            return memoised

        return decorate

    async def call(
        self, name: str, arguments: Mapping[str, Any] | str, *, run: Callable[[], Awaitable[T]]
    ) -> T:
        """Return a tool's result, kept or by running it.

        Args:
            name: Of the tool.
            arguments: By name, or as the JSON text that a model writes; the order of names does
                not matter.
            run: Runs the tool.
        """
        self._calls += 1
        tool = self._tools.get(name)
        if tool is None:
            self._undeclared += 1
            return await run()
        key = self._key(name, arguments, tool=tool)
        if key is None:
            self._unkeyable += 1
            return await run()

        async def factory() -> list[T]:
            self._runs += 1
            return [await run()]  # in a list, since the cache does not keep None

        kept: list[T] = await self._cache.get_or_set(key, factory, ttl=tool.ttl_s)
        return kept[0]

    def _key(self, name: str, arguments: Mapping[str, Any] | str, *, tool: _Tool) -> str | None:
        try:
            if isinstance(arguments, str):
                arguments = msgspec.json.decode(arguments or "{}")
            text = self._encode([self._namespace, name, tool.version, arguments])
        except _UNENCODABLE:  # msgspec's DecodeError is a ValueError
            return None
        return "tool1:" + blake2b(text, digest_size=20).hexdigest()

    def get_stats(self) -> dict[str, Any]:
        """Return the counts; `saved` are calls that ran no tool, `hit_rate` is 0 to 1."""
        kept = self._calls - self._undeclared - self._unkeyable
        return {
            "calls": self._calls,
            "saved": kept - self._runs,
            "undeclared": self._undeclared,
            "unkeyable": self._unkeyable,
            "hit_rate": (kept - self._runs) / kept if kept else 0.0,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield the same for Prometheus and OpenTelemetry."""
        stats = self.get_stats()
        for name in ("calls", "saved", "undeclared", "unkeyable"):
            yield Metric(
                name=f"llm_tool_memo_{name}",
                kind="counter",
                value=stats[name],
                help=f"Tool calls: {name}.",
            )
