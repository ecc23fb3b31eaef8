"""Calls of embed, the inputs that they share, and what each of them gets of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perfwright.core import LLMError
from perfwright.llm.bulk.crew import Outcome
from perfwright.llm.bulk.packing import Input, identity_of, shares, weight_of
from perfwright.llm.replies import Completion, Usage
from perfwright.llm.requests import Api, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the user of an input gets of a request's answer."""

    item: Mapping[str, Any]
    """The embedding, in the provider's form."""
    answer: Completion
    share: float
    """Of the answer's cost, for each user; 0 to 1."""


@dataclass(slots=True, kw_only=True)
class Row:
    """One input, for all who brought it."""

    entry: Input
    weight: int
    users: int = 0
    outcome: Part | Exception = field(default_factory=lambda: LLMError("it was not sent"))
    tokens: list[int] = field(default_factory=list)
    """Of the request's usage, what each user is charged."""


class EmbedCall:
    """One call of `embed`."""

    __slots__ = ("_fields", "_labels", "inputs", "kind", "rows")

    def __init__(
        self, inputs: Sequence[Input], *, fields: Mapping[str, Any], labels: Mapping[str, str]
    ) -> None:
        self.inputs, self._fields, self._labels = inputs, fields, labels
        self.kind = repr((sorted(fields.items()), sorted(labels.items())))
        """Calls of one kind may share requests."""
        self.rows: list[Row] = []

    def request(self, rows: Sequence[Row]) -> Request:
        """Return a request for these inputs, as this call would make it."""
        body = {**self._fields, "input": [row.entry for row in rows]}
        return Request(api=Api.EMBEDDINGS, body=body, labels=self._labels)

    def outcome(self) -> Outcome:
        """Return what this call is answered, or the error of an input of its own."""
        parts: list[Part] = []
        for row in self.rows:
            if isinstance(row.outcome, Exception):
                return row.outcome
            parts.append(row.outcome)
        tokens = sum(row.tokens.pop() for row in self.rows)
        costs = [
            part.answer.cost_usd * part.share for part in parts if part.answer.cost_usd is not None
        ]
        first = parts[0].answer
        return Completion(
            {
                **first,
                "data": [{**part.item, "index": index} for index, part in enumerate(parts)],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            },
            usage=Usage(prompt_tokens=tokens),
            cost_usd=sum(costs) if len(costs) == len(parts) else None,
            cached=all(part.answer.cached for part in parts),
            endpoint=first.endpoint,
            trace=first.trace,
        )


def unique_rows(calls: Sequence[EmbedCall]) -> list[Row]:
    """Return the inputs of all calls, equal ones once, and tie each call to its own."""
    rows: dict[Any, Row] = {}
    for call in calls:
        for entry in call.inputs:
            identity = identity_of(entry)
            row = rows.get(identity)
            if row is None:
                row = rows[identity] = Row(entry=entry, weight=weight_of(entry))
            call.rows.append(row)
            row.users += 1
    return list(rows.values())


def fail(rows: Sequence[Row], error: Exception) -> None:
    """Give every row the same error."""
    for row in rows:
        row.outcome = error


def share_out(answer: Completion, rows: Sequence[Row]) -> None:
    """Give each row its embedding, and each of its users a share of what the request cost."""
    data = sorted(answer["data"], key=lambda item: item.get("index", 0))
    users = [row for row in rows for _ in range(row.users)]
    weights = [row.weight for row in users]
    for row, tokens in zip(users, shares(answer.usage.prompt_tokens, weights=weights), strict=True):
        row.tokens.append(tokens)
    for row, item in zip(rows, data, strict=True):
        row.outcome = Part(item=item, answer=answer, share=row.weight / sum(weights))
