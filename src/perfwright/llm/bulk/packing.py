"""Which inputs of concurrent embedding calls travel together, and who pays what of the request."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

Input = str | Sequence[int]
"""A text, or its tokens."""
_BYTES_PER_TOKEN = 3.0
"""Less than texts of any language have, so that a request is rather too small than refused."""


def weight_of(entry: Input) -> int:
    """Estimate an input's tokens, rather too high."""
    if isinstance(entry, str):
        return int(len(entry.encode(errors="replace")) / _BYTES_PER_TOKEN) + 1
    return len(entry)


def identity_of(entry: Input) -> Hashable:
    """Return what is equal for equal inputs."""
    return entry if isinstance(entry, str) else tuple(entry)


def packed(weights: Sequence[int], *, max_inputs: int, max_weight: int) -> Iterator[range]:
    """Cut a row of inputs into requests, each as long as the limits allow.

    An input that is too heavy for any request goes alone: the provider says what is wrong with it.
    """
    start, total = 0, 0
    for index, weight in enumerate(weights):
        if index > start and (index - start == max_inputs or total + weight > max_weight):
            yield range(start, index)
            start, total = index, 0
        total += weight
    if start < len(weights):
        yield range(start, len(weights))


def shares(total: int, *, weights: Sequence[int]) -> list[int]:
    """Divide a whole number by weights, so that the parts sum to it."""
    all_weights, parts, given, passed = sum(weights) or 1, [], 0, 0
    for weight in weights:
        passed += weight
        upto = round(total * passed / all_weights)
        parts.append(upto - given)
        given = upto
    return parts
