"""The awaits that a suspended coroutine stands at, outermost first."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType

_WRAPPERS = frozenset(
    (
        "FutureIter",
        "anext_awaitable",
        "async_generator_asend",
        "async_generator_athrow",
        "coroutine_wrapper",
    )
)
"""What the interpreter puts between an `await` and its object; none has an attribute for it."""


def below(node: object) -> tuple[FrameType | None, object]:
    """Return the frame of a suspended coroutine or generator, and what it awaits.

    No frame: the node runs no Python code (a future), or has ended. Nothing awaited: it is the
    innermost, or does not say.
    """
    if isinstance(node, CoroutineType):
        return node.cr_frame, node.cr_await
    if isinstance(node, GeneratorType):
        return node.gi_frame, node.gi_yieldfrom
    if isinstance(node, AsyncGeneratorType):
        return node.ag_frame, node.ag_await
    if type(node).__name__ in _WRAPPERS:
        inner = (each for each in gc.get_referents(node) if not isinstance(each, type))
        return None, next(inner, None)
    return None, None


def calls(node: object) -> Iterator[tuple[object, FrameType, object]]:
    """Yield each suspended call from `node` inwards, with its frame and what it awaits."""
    while node is not None:
        frame, awaited = below(node)
        # A coroutine that awaits nothing runs now, or has not begun; a generator may just yield.
        if frame is not None and (awaited is not None or not isinstance(node, CoroutineType)):
            yield node, frame, awaited
        node = awaited


def names(node: object) -> tuple[str, str]:
    """Name what is awaited, and what the innermost await under it is: `fetch`, `Queue.get`."""
    first, last = "", ""
    while node is not None:
        _, following = below(node)
        if type(node).__name__ not in _WRAPPERS:
            name = _name(node)
            first = first or name
            # `Queue.get` says more than the future that it makes and waits for, and `sleep` more
            # than the `__sleep0` inside.
            if not last or not (name.startswith("__") or (name == "Future" and following is None)):
                last = name
        node = following
    return first, last


def _name(node: object) -> str:
    qualified = getattr(node, "__qualname__", None)
    if isinstance(qualified, str):
        return qualified
    name = type(node).__name__
    return "gather" if name == "_GatheringFuture" else name
