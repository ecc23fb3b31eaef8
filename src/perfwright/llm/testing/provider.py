"""A simulated provider in a process of its own, held by a `with` block."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any, Self, cast

import msgspec

from perfwright.core import PerfwrightError
from perfwright.llm.testing.settings import ProviderSettings

_END_S = 5.0


class SimulatedProvider:
    """Runs a provider from entering the block until leaving it, or until this process ends.

    Its settings are those of `ProviderSettings`, as keywords::

        with SimulatedProvider(latency_s=0.2, requests_per_s=100, burst=20) as provider:
            adapter = OptimizedLLMAdapter(base_url=provider.base_url)
            ...
            provider.set(down=True)
            print(provider.counts()["attempts"])

    The methods wait for the process, a millisecond or so; they may be called from any thread.
    """

    def __init__(self, *, port: int = 0, **settings: Any) -> None:
        """Check the settings; nothing is started yet.

        Raises:
            ConfigError: If there is no such setting, or a value cannot be.
        """
        self.settings = ProviderSettings().changed(settings)
        self._wanted_port = port
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.base_url = ""
        """For OpenAI's clients, such as `http://127.0.0.1:40001/v1`."""

    @property
    def root_url(self) -> str:
        """For Anthropic's clients, which add `/v1` themselves."""
        return self.base_url.removesuffix("/v1")

    @property
    def pid(self) -> int:
        """Of the provider's process."""
        return self._running().pid

    def start(self) -> Self:
        """Start the process and wait until it listens."""
        command = [sys.executable, "-P", "-m", "perfwright.llm.testing", "--ends-with-stdin"]
        command += ["--port", str(self._wanted_port)]
        for name, value in asdict(self.settings).items():
            command += ["--set", f"{name}={msgspec.json.encode(value).decode()}"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            address = self._read()
        except BaseException:
            self.close()
            raise
        self.port, self.base_url = address["port"], address["base_url"]
        return self

    def set(self, **changes: Any) -> None:
        """Change settings now; calls under way keep what was decided for them.

        Raises:
            ConfigError: If there is no such setting, or a value cannot be.
        """
        self.settings = self.settings.changed(changes)
        self._ask({"set": changes})

    def counts(self) -> dict[str, Any]:
        """Return what was counted since the start or the last reset."""
        counts: dict[str, Any] = self._ask({"counts": True})["counts"]
        return counts

    def reset_counts(self) -> dict[str, Any]:
        """Start counting anew; returns the counts until now."""
        counts: dict[str, Any] = self._ask({"counts": True, "reset": True})["counts"]
        return counts

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        try:
            process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    async def __aenter__(self) -> Self:
        """Start it; the event loop waits with it, since nothing works without a provider."""
        return self.start()

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise PerfwrightError("the simulated provider does not run; enter its `with` block")
        return self._process

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            pipe = cast("IO[bytes]", self._running().stdin)
            pipe.write(msgspec.json.encode(order) + b"\n")
            pipe.flush()
            answer = self._read()
        if "error" in answer:
            raise PerfwrightError(f"the simulated provider did not take {order}: {answer['error']}")
        return answer

    def _read(self) -> dict[str, Any]:
        process = self._running()
        line = cast("IO[bytes]", process.stdout).readline()
        if not line:
            code = process.wait(timeout=_END_S)
            raise PerfwrightError(
                f"the simulated provider ended with exit code {code}; see its standard error"
            )
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer
