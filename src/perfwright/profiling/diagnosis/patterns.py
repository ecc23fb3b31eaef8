"""Regular expressions that can take time far beyond the length of the text."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

# `re` publishes no parser; sre_parse is its old name and gone from later versions.
try:
    from re import _parser as _sre  # type: ignore[attr-defined, unused-ignore]
except ImportError:  # pragma: no cover - before 3.11
    import sre_parse as _sre  # type: ignore[no-redef, unused-ignore]

MANY = 16  # repetitions from which a bounded repeat counts as unbounded
LONGEST = 4  # a text of so many equal characters shows whether turns can be told apart
NOTHING = [1] + [0] * LONGEST  # ways to match without taking a character
_PROBE = "".join(map(chr, range(9, 127)))


def explodes(pattern: str | bytes, *, anywhere: bool = False) -> str:
    """Tell how a pattern backtracks, in words; an empty string if it does not, or cannot be read.

    A repeat within a repeat whose turns can be told apart in several ways takes exponential time
    on a text that nearly matches; two neighbouring repeats of the same characters, quadratic time,
    and so does a repeat at the beginning of what is searched for anywhere.

    Args:
        pattern: As given to `re`.
        anywhere: Whether a match may begin at any character, as with `search`.
    """
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _sre.parse(text)
    except (re.error, RecursionError, OverflowError):
        return ""
    if any(_is_nested(body) for body in _repeats(tree)):
        return "a repeat within a repeat"
    if _has_neighbours(tree):
        return "neighbouring repeats of the same characters"
    if anywhere and _begins_with_repeat(tree):
        return "a repeat at its beginning, tried anew from each character"
    return ""


def _begins_with_repeat(tree: Any) -> bool:
    """Whether a long run of the first characters is gone through from each of them, in vain."""
    parts = list(_flat(tree))
    if not parts or not _is_unbounded(*parts[0]):
        return False
    own = frozenset(_first(parts[0][1][2]))
    for following in parts[1:]:
        if not _may_be_empty(following) or following[0] == "AT":
            return not own <= frozenset(_first([following]))
    return False


def _items(tree: Any) -> Iterator[tuple[str, Any]]:  # Any: the parser's trees have no types
    for operation, argument in tree:
        yield str(operation), argument


def _children(operation: str, argument: Any) -> Iterator[Any]:
    if operation in {"MAX_REPEAT", "MIN_REPEAT"}:
        yield argument[2]
    elif operation == "SUBPATTERN":
        yield argument[-1]
    elif operation == "BRANCH":
        yield from argument[1]
    elif operation in {"ASSERT", "ASSERT_NOT"}:
        yield argument[1]


def _is_unbounded(operation: str, argument: Any) -> bool:
    return operation in {"MAX_REPEAT", "MIN_REPEAT"} and int(argument[1]) >= MANY


def _repeats(tree: Any) -> Iterator[Any]:
    """Bodies of all unbounded repeats."""
    for operation, argument in _items(tree):
        if _is_unbounded(operation, argument):
            yield argument[2]
        for child in _children(operation, argument):
            yield from _repeats(child)


def _is_nested(body: Any) -> bool:
    """Whether a repeated body can match one text in several ways of splitting it into turns."""
    if any(sum(_ways(body, c)[1:]) > 1 for c in set(_first(body))):
        return True
    parts = list(_flat(body))
    if len(parts) == 1 and parts[0][0] == "BRANCH":
        options = [frozenset(_first(option)) for option in parts[0][1][1]]
        return any(_is_nested(option) for option in parts[0][1][1]) or any(
            a & b for i, a in enumerate(options) for b in options[i + 1 :]
        )
    for i, (operation, argument) in enumerate(parts):
        if not _is_unbounded(operation, argument):
            continue
        rest = parts[:i] + parts[i + 1 :]
        own = frozenset(_first(argument[2]))
        # Something obligatory that the inner repeat cannot match keeps the turns apart.
        if all(_may_be_empty(part) or frozenset(_first([part])) & own for part in rest):
            return True
    return False


def _ways(tree: Any, c: str) -> list[int]:
    """In how many ways a tree matches a text of 0, 1, ... `LONGEST` times the character `c`.

    None for what looks around or back, so that what is not understood is not accused.
    """
    ways = NOTHING
    for operation, argument in _items(tree):
        ways = _one_after_the_other(ways, _ways_of_part(operation, argument, c=c))
    return ways


def _ways_of_part(operation: str, argument: Any, *, c: str) -> list[int]:
    match operation:
        case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
            return [0, int(c in _characters(operation, argument)), *NOTHING[2:]]
        case "SUBPATTERN":
            return _ways(argument[-1], c)
        case "BRANCH":
            return [sum(each) for each in zip(*(_ways(o, c) for o in argument[1]), strict=True)]
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, body = argument
            turn = [0, *_ways(body, c)[1:]]  # a turn that matches nothing ends the repeat
            total, turns = [0] * len(NOTHING), NOTHING
            for count in range(min(int(most), LONGEST) + 1):
                if count >= least:
                    total = [a + b for a, b in zip(total, turns, strict=True)]
                turns = _one_after_the_other(turns, turn)
            return total
        case _:
            return [0] * len(NOTHING)


def _one_after_the_other(a: list[int], b: list[int]) -> list[int]:
    return [sum(a[i] * b[n - i] for i in range(n + 1)) for n in range(len(NOTHING))]


def _flat(tree: Any) -> Iterator[tuple[str, Any]]:
    """Parts in order, groups replaced by what is in them."""
    for operation, argument in _items(tree):
        if operation == "SUBPATTERN":
            yield from _flat(argument[-1])
        else:
            yield operation, argument


def _may_be_empty(part: tuple[str, Any]) -> bool:
    operation, argument = part
    if operation in {"MAX_REPEAT", "MIN_REPEAT"}:
        return int(argument[0]) == 0
    return operation in {"AT", "ASSERT", "ASSERT_NOT"}


def _has_neighbours(tree: Any) -> bool:
    """Whether two repeats can share out one text in many ways before what follows them fails."""
    parts = list(_flat(tree))
    for i, (operation, argument) in enumerate(parts):
        if _is_unbounded(operation, argument) and _meets_its_like(parts[i:]):
            return True
        if operation in {"MAX_REPEAT", "MIN_REPEAT"} and not _is_unbounded(operation, argument):
            inner = list(_flat(argument[2]))  # an optional group continues in what follows it
            if any(
                _is_unbounded(*part) and _meets_its_like(inner[k:] + parts[i + 1 :])
                for k, part in enumerate(inner)
            ):
                return True
        if any(_has_neighbours(child) for child in _children(operation, argument)):
            return True
    return False


def _meets_its_like(parts: list[tuple[str, Any]]) -> bool:
    own = frozenset(_first(parts[0][1][2]))
    for i, following in enumerate(parts[1:], start=1):
        for repeat in _unbounded_starts(following):
            theirs = frozenset(_first([repeat]))
            if len(own & theirs) > 1 and _may_fail(parts[i + 1 :], theirs):
                return True
        if not _may_be_empty(following) and not frozenset(_first([following])) <= own:
            return False
    return False


def _unbounded_starts(part: tuple[str, Any]) -> Iterator[tuple[str, Any]]:
    """The unbounded repeats that a part may begin with."""
    if _is_unbounded(*part):
        yield part
    elif part[0] == "BRANCH":
        for option in part[1][1]:
            first = next(_flat(option), None)
            if first is not None and _is_unbounded(*first):
                yield first


def _may_fail(parts: list[tuple[str, Any]], before: frozenset[str]) -> bool:
    """Whether what follows a repeat can refuse a text that the repeat took."""
    return any(
        not before >= frozenset(_PROBE) - {"\n"} if part[0] == "AT" else not _may_be_empty(part)
        for part in parts
    )


def _first(tree: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """Characters that a part can begin with, of those on a keyboard."""
    for operation, argument in _items(tree):
        yield from _characters(operation, argument)
        if not _may_be_empty((operation, argument)):
            return


def _characters(operation: str, argument: Any) -> Iterator[str]:
    match operation:
        case "LITERAL":
            yield chr(argument)
        case "NOT_LITERAL":
            yield from (c for c in _PROBE if c != chr(argument))
        case "ANY":
            yield from (c for c in _PROBE if c != "\n")
        case "IN":
            yield from _of_set(argument)
        case _:
            for child in _children(operation, argument):
                yield from _first(child)


def _of_set(items: Any) -> Iterator[str]:
    wanted = set[str]()
    negated = False
    for operation, argument in _items(items):
        if operation == "NEGATE":
            negated = True
        elif operation == "LITERAL":
            wanted.add(chr(argument))
        elif operation == "RANGE":
            wanted.update(map(chr, range(argument[0], min(argument[1], 255) + 1)))
        elif operation == "CATEGORY":
            wanted.update(_of_category(str(argument)))
    yield from (set(_PROBE) - wanted) if negated else wanted


def _of_category(name: str) -> Iterator[str]:
    classes = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
    base = name.removeprefix("CATEGORY_").removeprefix("NOT_").removeprefix("UNI_")
    known = classes.get(base)
    if known is not None:
        wanted = "NOT_" not in name
        yield from (c for c in _PROBE if bool(re.match(known, c)) is wanted)
