"""What a deferred job still owes: requests by name, and the batches that are waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perfwright.llm.bulk.crew import Outcome
from perfwright.llm.bulk.job_file import JobFile, Key
from perfwright.llm.bulk.progress import Meter
from perfwright.llm.bulk.records import digest_of
from perfwright.llm.requests import Api, Request


class DeferredWork:
    """Outcomes by request, in memory and in the job file if there is one.

    Requests get names that are the same in every run: a provider's answers carry them.
    """

    def __init__(self, requests: Sequence[Request], *, file: JobFile | None, meter: Meter) -> None:
        self._file, self._meter = file, meter
        self._keys = _keys(requests)
        self._outcomes: dict[str, Outcome] = {}
        self._batches: dict[str, Sequence[str]] = {}
        self.requests = dict(zip(self._keys, requests, strict=True))
        self.open = dict.fromkeys(self._keys)
        """Names of those without an outcome, in their order."""
        self.waiting: dict[str, float | None] = {}
        """Batches under way, with when this run sent them; None for those of an earlier run."""
        if file is not None:
            self._restore(file)

    @property
    def apis(self) -> Mapping[str, Api]:
        """The interface of each request."""
        return {name: request.api for name, request in self.requests.items()}

    def in_no_batch(self) -> list[str]:
        """Return the names of those that no batch under way may answer."""
        batched = {name for batch in self.waiting for name in self._batches[batch]}
        return [name for name in self.open if name not in batched]

    def sent(self, batch: str, names: Sequence[str], *, now_s: float) -> None:
        """Note a batch that the provider has taken."""
        self.waiting[batch], self._batches[batch] = now_s, names
        if self._file is not None:
            self._file.note_batch(batch, {"requests": list(names), "over": False})

    def over(self, batch: str) -> None:
        """Note that a batch is not waited for any more."""
        del self.waiting[batch]
        if self._file is not None:
            self._file.note_batch(batch, {"requests": [], "over": True})

    def done(self, name: str, outcome: Outcome) -> None:
        """Note how a request ended."""
        if self._file is not None:
            self._file.add(self._keys[name], outcome)
        self._end(name, outcome)

    def outcomes(self) -> list[Outcome]:
        """Return all outcomes in the order of the requests."""
        return [self._outcomes[name] for name in self.requests]

    def _restore(self, file: JobFile) -> None:
        for name, key in self._keys.items():
            answer = file.answer_to(key)
            if answer is not None:
                self._end(name, answer, restored=True)
        for batch, facts in file.batches.items():
            if not facts["over"]:
                self.waiting[batch], self._batches[batch] = None, facts["requests"]

    def _end(self, name: str, outcome: Outcome, *, restored: bool = False) -> None:
        del self.open[name]
        self._outcomes[name] = outcome
        self._meter.count(outcome, restored=restored)


def _keys(requests: Sequence[Request]) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    seen: dict[str, int] = {}
    for request in requests:
        digest = digest_of(request)
        number = seen[digest] = seen.get(digest, -1) + 1
        keys[f"{digest}-{number}"] = digest, number
    return keys
