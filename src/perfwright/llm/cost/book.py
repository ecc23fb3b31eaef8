"""Every call that was paid for, added up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from perfwright.llm.cost.price import PICO
from perfwright.llm.replies import Usage
from perfwright.monitoring import Metric

OTHER = "other"
"""Stands for the values that came when the book had as many as it keeps."""
_MAX_SERIES = 100
"""Models with metrics of their own: callers choose the names, and a metrics system keeps each."""


class Totals:
    """Sums of calls; money in pico-dollars, so that they are exact."""

    __slots__ = (
        "batched", "cache_write", "cached", "calls", "completion",
        "estimated", "pico", "prompt", "reasoning", "unpriced",
    )  # fmt: skip

    def __init__(self) -> None:
        self.calls = self.prompt = self.cached = self.cache_write = 0
        self.completion = self.reasoning = self.pico = 0
        self.unpriced = self.estimated = self.batched = 0

    def as_dict(self) -> dict[str, Any]:
        """Return them by name; cost in USD."""
        return {
            "calls": self.calls,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens": self.prompt,
            "cached_tokens": self.cached,
            "cache_write_tokens": self.cache_write,
            "completion_tokens": self.completion,
            "reasoning_tokens": self.reasoning,
            "cost_usd": self.pico / PICO,
            "unpriced_calls": self.unpriced,
            "estimated_calls": self.estimated,
            "batch_calls": self.batched,
        }


class CostBook:
    """Totals overall, by model, by endpoint, and by each value of each label.

    Args:
        max_values: Distinct values that it keeps apart, of models, of endpoints, and of each
            label; the rest is under `other`. As many labels are kept.
    """

    def __init__(self, *, max_values: int = 1_000) -> None:
        self.total = Totals()
        self._max_values = max_values
        self._models: dict[str, Totals] = {}
        self._endpoints: dict[str, Totals] = {}
        self._labels: dict[str, dict[str, Totals]] = {}
        self.lumped = 0
        """Entries that went under `other`."""

    def book(
        self,
        usage: Usage,
        *,
        pico: int | None,
        model: str,
        endpoint: str = "",
        labels: Mapping[str, str] | None = None,
        batch: bool = False,
        estimated: bool = False,
    ) -> None:
        """Add a call.

        Args:
            usage: What it took.
            pico: Its cost in pico-dollars, None where no price is known.
            model: That answered.
            endpoint: That answered; empty if there is only one.
            labels: Who pays.
            batch: Whether it went through the batch interface.
            estimated: Whether `usage` is our own estimate.
        """
        rows = [self.total, self._row(self._models, model)]
        if endpoint:
            rows.append(self._row(self._endpoints, endpoint))
        if labels:
            for label, value in labels.items():
                rows.append(self._row(self._values(label), value))
        prompt, cached, written = usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens
        completion, reasoning = usage.completion_tokens, usage.reasoning_tokens
        for row in rows:
            row.calls += 1
            row.prompt += prompt
            row.completion += completion
            if cached:
                row.cached += cached
            if written:
                row.cache_write += written
            if reasoning:
                row.reasoning += reasoning
            if pico is None:
                row.unpriced += 1
            else:
                row.pico += pico
            if batch:
                row.batched += 1
            if estimated:
                row.estimated += 1

    def get_stats(self) -> dict[str, Any]:
        """Return all totals; cost in USD, of the calls whose price is known."""
        return self.total.as_dict() | {
            "by_model": _shown(self._models),
            "by_endpoint": _shown(self._endpoints),
            "by_label": {label: _shown(values) for label, values in self._labels.items()},
            "lumped_entries": self.lumped,
        }

    def metrics(self) -> Iterator[Metric]:
        """Yield tokens, cost and calls by model: of the first 100 each its own, of the rest one."""
        groups: dict[str, list[Totals]] = {}
        for at, (model, row) in enumerate(self._models.items()):
            groups.setdefault(model if at < _MAX_SERIES else OTHER, []).append(row)
        for model, rows in groups.items():
            for name, value, help_text in (
                (
                    "cost_usd",
                    sum(row.pico for row in rows) / PICO,
                    "Cost in USD, of calls whose price is known.",
                ),
                ("paid_calls", sum(row.calls for row in rows), "Calls that were booked."),
                (
                    "unpriced_calls",
                    sum(row.unpriced for row in rows),
                    "Calls whose price is not known.",
                ),
            ):
                yield _counter(f"llm_{name}", value, help_text=help_text, labels={"model": model})
            for kind in ("prompt", "cached", "cache_write", "completion", "reasoning"):
                yield _counter(
                    "llm_tokens",
                    sum(getattr(row, kind) for row in rows),
                    help_text="Tokens; cached and written ones are a part of the prompt's, "
                    "reasoning of the completion's.",
                    labels={"model": model, "kind": kind},
                )

    def _values(self, label: str) -> dict[str, Totals]:
        values = self._labels.get(label)
        if values is None:
            if len(self._labels) >= self._max_values:
                label = OTHER
            values = self._labels.setdefault(label, {})
        return values

    def _row(self, rows: dict[str, Totals], value: str) -> Totals:
        row = rows.get(value)
        if row is not None:
            return row
        if len(rows) >= self._max_values:
            self.lumped += 1
            value = OTHER
        return rows.setdefault(value, Totals())


def _shown(rows: Mapping[str, Totals]) -> dict[str, dict[str, Any]]:
    return {value: row.as_dict() for value, row in rows.items()}


def _counter(name: str, value: float, *, help_text: str, labels: Mapping[str, str]) -> Metric:
    return Metric(name=name, kind="counter", value=value, help=help_text, labels=labels)
