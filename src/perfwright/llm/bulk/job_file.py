"""The file that a bulk job goes on from: what was answered is never asked, or paid for, again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from perfwright.core import Clock, JobError
from perfwright.llm.bulk.appending import LineFile
from perfwright.llm.bulk.records import completion_of, digest_of, record_of
from perfwright.llm.replies import Completion
from perfwright.llm.requests import Request

_log = logging.getLogger("perfwright.llm")
_FORM = 1
"""Number of the file's form; a file of a later one is refused."""
_MARK = b'{"perfwright_job":'

Key = tuple[str, int]
"""Digest of a request, and which of the equal ones it is: five samples are five requests."""


class JobFile:
    """Outcomes of a job by request, one JSON line each; prompts are not in it.

    Requests are known by what they ask, not by their place, so a job may be sorted anew, extended,
    or have requests taken out between two runs. A failure is written for people to read; the next
    run sends its request again. It takes about 300 bytes of memory for each request.

    Raises:
        JobError: If it cannot be used: not a job file, in use, not to be opened.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        import msgspec

        self._encode, self._decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
        self._not_json = msgspec.DecodeError
        self._answered: dict[Key, int] = {}  # where its line begins
        self._seen: dict[str, int] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        """What was noted of batches at the provider, by their name; last note."""
        self._lines = LineFile(path, mark=_MARK, clock=clock)
        try:
            self._load()
            self._reader = path.open("rb")
        except BaseException:
            self._lines.close()
            raise

    @property
    def has_answers(self) -> bool:
        """Whether an earlier run was answered anything."""
        return bool(self._answered)

    def belongs_to(self, requests: Iterable[Request]) -> bool:
        """Return whether the file is new, or answers any of these."""
        return not self._answered or any(
            (digest_of(request), 0) in self._answered for request in requests
        )

    def refusal(self) -> JobError:
        """Return the error for a file that does not belong to the job."""
        return self._problem(
            f"none of its {len(self._answered)} answers is to a request of this job, so it is "
            "another job's; name another file, or delete this one"
        )

    def key_of(self, request: Request) -> Key:
        """Return the key of the next request that is taken."""
        digest = digest_of(request)
        number = self._seen.get(digest, 0)
        self._seen[digest] = number + 1
        return digest, number

    def answer_to(self, key: Key) -> Completion | None:
        """Return what an earlier run was answered, if it was."""
        start = self._answered.get(key)
        if start is None:
            return None
        self._reader.seek(start)
        return completion_of(self._decode(self._reader.readline()))

    def add(self, key: Key, outcome: Completion | Exception) -> None:
        """Write down how a request ended.

        Raises:
            JobError: If it cannot be written.
        """
        digest, number = key
        self._append({"digest": digest, "n": number, **record_of(outcome)})

    def note_batch(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write down the state of a batch that a provider works on."""
        self.batches[name] = dict(facts)
        self._append({"batch": name, **facts})

    async def aclose(self) -> None:
        """Make sure that the disk has all of it, and let others use it."""
        self._reader.close()
        await self._lines.aclose()

    def _append(self, record: Mapping[str, Any]) -> None:
        self._lines.append(self._encode(record) + b"\n")

    def _load(self) -> None:
        damaged, empty = 0, True
        for start, line in self._lines.lines():
            record = self._read(line)
            if empty:
                empty = False
                self._check_form(record)
            elif record is None:
                damaged += 1
            elif "ok" in record:
                self._answered[record["digest"], record["n"]] = start
            elif "batch" in record:
                self.batches[record.pop("batch")] = record
        if empty:
            self._append({"perfwright_job": _FORM})
        if damaged:
            _log.warning(
                "%s: passed over %d damaged lines; their requests are sent again",
                self._lines.path,
                damaged,
            )

    def _read(self, line: bytes) -> dict[str, Any] | None:
        try:
            record = self._decode(line)
        except self._not_json:
            return None
        return record if isinstance(record, dict) else None

    def _check_form(self, record: Mapping[str, Any] | None) -> None:
        if record is None or record.get("perfwright_job") != _FORM:
            raise self._problem("was written by another version of perfwright; name another file")

    def _problem(self, problem: str) -> JobError:
        return JobError(path=str(self._lines.path), problem=problem)
