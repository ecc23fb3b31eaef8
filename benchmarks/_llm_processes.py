"""Client processes of the LLM benchmarks: each runs in the environment that has its packages."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _rivals import environment, interpreter

from perfwright.llm.testing.answers import digest_of

_PROGRAM = Path(__file__).with_name("_llm_clients.py")
_END_S = 10.0
_SETS = {"openai": "openai", "langchain": "openai", "litellm": "litellm", "router": "litellm"}


@dataclass(slots=True)
class ClientProcess:
    """One client in its own process."""

    process: subprocess.Popen[str]

    def start(self, do: str, **details: Any) -> None:
        """Give an order and return at once."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **details}) + "\n")
        self.process.stdin.flush()

    def result(self, *, patience_s: float = 120.0) -> dict[str, Any]:
        """Wait for the answer to the order that was given last."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.process.stdout, selectors.EVENT_READ)
            if not waiting.select(patience_s):
                raise TimeoutError(f"a client gave no answer within {patience_s:g} s")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a client ended with {self.process.wait(_END_S)}, see above")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise RuntimeError(f"a client failed: {answer['failed']}")
        return answer

    def do(self, order: str, *, patience_s: float = 120.0, **details: Any) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        self.start(order, **details)
        return self.result(patience_s=patience_s)


@contextmanager
def client(name: str, base_url: str, **options: Any) -> Iterator[ClientProcess]:
    """Start a client, connected to a provider; it ends with the block."""
    python = interpreter(_SETS[name]) if name in _SETS else Path(sys.executable)
    process = subprocess.Popen(
        [str(python), str(_PROGRAM), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
        bufsize=1,
    )
    started = ClientProcess(process)
    try:
        started.do("open", base_url=base_url, **options)
        yield started
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Close its input, at which a client closes its connections and ends; kill it if it hangs."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def misplaced(texts: list[str], firsts: dict[str, str], *, seed: int) -> int:
    """Count answers that are not those of their prompts."""
    return sum(
        first != digest_of(f"user: {texts[int(number)]}", seed=seed)[:6].hex()
        for number, first in firsts.items()
    )
