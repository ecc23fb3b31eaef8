"""The traffic as a file: one JSON line for each call, for tools to read."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from perfwright.core import Clock, ConfigError, SystemClock
from perfwright.llm.telemetry.content import content_of
from perfwright.llm.telemetry.conventions import identity, of_answer, of_request
from perfwright.llm.telemetry.facts import Facts
from perfwright.llm.tracing import CallTrace

_log = logging.getLogger("perfwright.llm")


class TrafficLog:
    """Appends what is known of each call, under the names of OpenTelemetry's conventions.

    Without content it still tells which prompts, and which beginnings of prompts, repeat:
    `prompt_digests` has one digest for each message together with all before it. Who can guess a
    prompt word for word can recognise its digest. Several processes may write to one file.

    Args:
        path: Of the file; it is made if it is not there, and readable for its owner alone.
        clock: The adapter's, which the times of traces are of.
        record_content: Write prompts and answers as well.
        mask: Applied to each content, in JSON, before it is written.
        max_bytes: At this size the file becomes `path` + ".1", in place of an older one.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        clock: Clock | None = None,
        record_content: bool = False,
        mask: Callable[[str], str] = str,
        max_bytes: int = 100_000_000,
    ) -> None:
        import msgspec

        if max_bytes < 1:
            raise ConfigError(field="max_bytes", value=max_bytes, problem="must be at least 1")
        self._path, self._clock = Path(path), clock or SystemClock()
        self._record_content, self._mask, self._max_bytes = record_content, mask, max_bytes
        self._encode = msgspec.json.Encoder(enc_hook=lambda value: type(value).__name__).encode
        self._descriptor = self._open()
        self.lost = 0
        """Calls that could not be written; the first is told of in the log."""

    def finished(self, trace: CallTrace) -> None:
        """Write a call; a disk that fails costs its line, never the call."""
        line = self._encode(self._record(trace)) + b"\n"
        try:
            if os.fstat(self._descriptor).st_size + len(line) > self._max_bytes:
                self._begin_anew()
            os.write(self._descriptor, line)
        except OSError as error:
            self.lost += 1
            if self.lost == 1:
                _log.warning("%s: cannot be written, calls are missing: %s", self._path, error)

    def close(self) -> None:
        """Close the file; give the sink no more traces."""
        os.close(self._descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _begin_anew(self) -> None:
        if os.fstat(self._descriptor).st_size == 0:
            return  # a line that is too large for any file
        self._path.replace(f"{self._path}.1")
        os.close(self._descriptor)
        self._descriptor = self._open()

    def _record(self, trace: CallTrace) -> dict[str, Any]:
        facts = Facts(trace)
        ago_s = self._clock.now() - trace.start_s
        record = {
            "time": (self._clock.today() - timedelta(seconds=ago_s)).isoformat(),
            "trace_id": trace.trace_id,
            "duration_s": round(trace.seconds, 6),
            **identity(facts, latest=True),
            **of_request(facts, latest=True),
            **of_answer(facts, latest=True),
            "endpoint": facts.endpoint,
            "cached": facts.cached,
            "cost_usd": facts.cost_usd,
            "labels": dict(facts.labels),
            "prompt_digests": self._digests(facts),
            "stages": [
                {
                    "name": stage.name,
                    "start_s": round(stage.start_s - trace.start_s, 6),
                    "seconds": round(stage.seconds, 6),
                    **stage.facts,
                }
                for stage in trace.stages
            ],
        }
        if self._record_content:
            for name, text in content_of(facts).items():
                record[name] = self._mask(text)
        return record

    def _digests(self, facts: Facts) -> list[str]:
        """Return a digest of each message with all before it."""
        if facts.request is None:
            return []
        sofar, digests = hashlib.blake2b(digest_size=8), []
        asked: Sequence[object] = facts.request.messages
        asked = asked or [facts.body.get("input")]
        for message in asked:
            sofar.update(self._encode(message))
            digests.append(sofar.hexdigest())
        return digests
