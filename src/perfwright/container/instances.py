"""The runtime's objects, one of each, built when they are first asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from perfwright.core import ConfigError

if TYPE_CHECKING:
    from perfwright.cache import AdvancedCache
    from perfwright.container.config import Config
    from perfwright.llm import OptimizedLLMAdapter
    from perfwright.monitoring import PerformanceMonitor
    from perfwright.profiling import BottleneckDetector, Profiler

T = TypeVar("T")


class Container:
    """Builds each object once, on first use, from `perfwright.toml` and the environment.

    Any thread may ask: the first one builds, the others wait for it. The objects themselves belong
    to one event loop, as their own documentation says.

    Args:
        folder: Where the configuration is; None: the working folder at the first use.
        environment: Variables; None: those of the process at the first use.
    """

    def __init__(
        self, *, folder: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder, self._environment = folder, environment
        self._lock = threading.RLock()  # building one object may ask for another
        self._built: dict[str, Any] = {}
        self._overrides: list[dict[str, object]] = []

    # --- The objects ------------------------------------------------------------------------------

    @property
    def optimized_llm_provider(self) -> OptimizedLLMAdapter:
        """The way to language models, with limits, retries, cache and budgets.

        Raises:
            ConfigError: If no endpoint is known, or a setting cannot be used.
        """
        return self._get("optimized_llm_provider", self._build_llm)

    @property
    def advanced_cache(self) -> AdvancedCache:
        """The cache, which the adapter uses too; with Redis behind it where one is named."""
        return self._get("advanced_cache", self._build_cache)

    @property
    def performance_monitor(self) -> PerformanceMonitor:
        """The monitor, which also sees each call of the adapter.

        In `container`, that of this process: the one that `@trace` reports to, also before the
        first use. Only if another one was chosen by `set_monitor`, it takes that one's place.

        Raises:
            ConfigError: If a setting cannot be used.
        """
        return self._get("performance_monitor", self._build_monitor)

    @property
    def profiler(self) -> Profiler:
        """The profiler, not started.

        Raises:
            ConfigError: If a setting cannot be used.
        """
        return self._get("profiler", self._build_profiler)

    @property
    def bottleneck_detector(self) -> BottleneckDetector:
        """The detector, which watches the operations of the monitor.

        Raises:
            ConfigError: If a setting cannot be used.
        """
        return self._get("bottleneck_detector", self._build_detector)

    @property
    def config(self) -> Config:
        """The configuration, read once."""
        return self._get("config", self._load_config)

    # --- Tests and the end ------------------------------------------------------------------------

    @contextmanager
    def override(self, **objects: object) -> Iterator[None]:
        """Hand these out instead, within a `with` block: `container.override(advanced_cache=fake)`.

        Where blocks overlap, the one that began last wins.

        Raises:
            ConfigError: If there is no object of such a name.
        """
        for name in objects:
            if not isinstance(getattr(type(self), name, None), property):
                known = ", ".join(
                    each for each, v in vars(type(self)).items() if _is_public(each, v)
                )
                raise ConfigError(field="override", value=name, problem=f"must be one of {known}")
        with self._lock:
            self._overrides = [objects, *self._overrides]
        try:
            yield
        finally:
            with self._lock:  # not what was before: blocks of other tasks may have begun and ended
                self._overrides = [each for each in self._overrides if each is not objects]

    def reset(self) -> None:
        """Forget what was built without closing it; the next use builds from the present config."""
        with self._lock:
            built, self._built = self._built, {}
        _leave(built)

    async def aclose(self) -> None:
        """Close what was built, last first, and forget it; overrides are whoever's made them.

        What `@trace` sees from then on is counted by a new monitor, which becomes the container's
        at its next use.
        """
        import asyncio

        with self._lock:
            built, self._built = self._built, {}
        _leave(built)  # first: a monitor that is closed makes no spans
        for each in reversed(built.values()):
            if hasattr(each, "aclose"):
                await each.aclose()
            elif hasattr(each, "close"):
                await asyncio.to_thread(each.close)  # it may wait for what is still to be sent

    # --- Building ---------------------------------------------------------------------------------

    def _get(self, name: str, build: Callable[[], T]) -> T:
        for objects in self._overrides:
            if name in objects:
                return cast("T", objects[name])
        if name not in self._built:
            with self._lock:
                if name not in self._built:
                    self._built[name] = build()
        return cast("T", self._built[name])

    def _load_config(self) -> Config:
        from perfwright.container.config import load_config

        return load_config(self._folder or Path.cwd())

    def _variables(self) -> Mapping[str, str]:
        return os.environ if self._environment is None else self._environment

    def _redis(self) -> Any:
        from perfwright.container.llm import build_redis

        return self._get("_redis", lambda: build_redis(self.config.llm, self._variables()))

    def _build_cache(self) -> AdvancedCache:
        from perfwright.container.llm import build_cache

        return build_cache(self.config.llm, redis_client=self._redis())

    def _build_llm(self) -> OptimizedLLMAdapter:
        from perfwright.container.llm import LlmSetup

        section = self.config.llm
        setup = LlmSetup(section=section, environment=self._variables())
        cache = self.advanced_cache if section.cache else None
        return setup.build(
            cache=cache, redis_client=self._redis(), monitor=self.performance_monitor
        )

    def _build_monitor(self) -> PerformanceMonitor:
        from perfwright.container.monitoring import build_monitor
        from perfwright.monitoring.tracing import set_monitor, unclaimed_monitor

        section, variables = self.config.monitoring, self._variables()
        if self is not container:
            return build_monitor(section, variables)
        monitor = build_monitor(section, variables, monitor=unclaimed_monitor())
        set_monitor(monitor)  # so that `@trace` reports to it
        return monitor

    def _build_profiler(self) -> Profiler:
        from perfwright.container.monitoring import build_profiler

        return build_profiler(self.config.profiling, folder=self._folder or Path.cwd())

    def _build_detector(self) -> BottleneckDetector:
        from perfwright.container.monitoring import build_detector

        detector = build_detector(self.config.monitoring, self._variables())
        detector.watch(self.performance_monitor)
        return detector


def _leave(built: Mapping[str, Any]) -> None:
    """Let the process go on with a monitor of its own, if its present one was built here."""
    if (monitor := built.get("performance_monitor")) is not None:
        from perfwright.monitoring.tracing import leave_monitor

        leave_monitor(monitor)


def _is_public(name: str, value: object) -> bool:
    return isinstance(value, property) and not name.startswith("_")


container = Container()
"""The one of this process."""
