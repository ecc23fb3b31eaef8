"""How much longer interpreted code takes while calls are counted, told from its instructions.

CPython 3.11 runs without its specialised instructions while a profile hook is set, and takes a
longer way to each. What that adds is a few nanoseconds for an instruction, whatever the
instruction does: much for a comparison of two numbers, little for making a text.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType

_ADDED_NS = 1.3
"""To any instruction: the longer way."""

# name: nanoseconds as a rule; what is added by running it unspecialised, beyond _ADDED_NS. From
# loops of one instruction on CPython 3.11; only ratios count, so it matters little where.
_COSTS: Mapping[str, tuple[float, float]] = {
    "BINARY_OP": (6.0, 2.0),
    "BINARY_SUBSCR": (4.0, 4.0),
    "BUILD_LIST": (15.0, 0.0),
    "BUILD_MAP": (20.0, 0.0),
    "BUILD_SET": (25.0, 0.0),
    "BUILD_SLICE": (15.0, 0.0),
    "BUILD_STRING": (25.0, 0.0),
    "BUILD_TUPLE": (6.0, 0.0),
    "CALL": (3.0, 4.0),
    "COMPARE_OP": (1.5, 4.0),
    "CONTAINS_OP": (10.0, 0.0),
    "DICT_MERGE": (40.0, 0.0),
    "FORMAT_VALUE": (25.0, 0.0),
    "FOR_ITER": (5.0, 0.0),
    "GET_ITER": (15.0, 0.0),
    "IMPORT_NAME": (100.0, 0.0),
    "JUMP_BACKWARD": (1.5, 0.0),
    "LIST_APPEND": (4.0, 0.0),
    "LIST_EXTEND": (30.0, 0.0),
    "LOAD_ATTR": (1.2, 7.0),
    "LOAD_GLOBAL": (0.6, 4.5),
    "LOAD_METHOD": (1.5, 8.0),
    "MAKE_FUNCTION": (30.0, 0.0),
    "MAP_ADD": (15.0, 0.0),
    "PRECALL": (1.0, 2.0),
    "SET_ADD": (15.0, 0.0),
    "STORE_ATTR": (1.5, 7.0),
    "STORE_SUBSCR": (6.0, 5.0),
    "UNPACK_SEQUENCE": (2.0, 3.0),
    "YIELD_VALUE": (4.0, 0.0),
}
_USUAL = (0.8, 0.0)
_FREE = frozenset(("CACHE", "EXTENDED_ARG", "NOP", "RESUME"))
_LOOP_TURNS = 8.0
"""How often a loop is taken to turn each time that it is reached, to weigh its instructions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The instructions of a function, the inner ones of loops weighing most."""

    plain: float
    """Nanoseconds where the costs were measured; every loop turns a few times."""
    added: float
    """More of them while calls are counted."""
    turn_ns: float
    """What is added to one turn of a loop that is not within another; without loops, to a call."""
    has_loops: bool

    @property
    def ratio(self) -> float:
        """How many times as long they take while calls are counted."""
        return 1.0 + self.added / self.plain if self.plain else 1.0


def mix_of(code: CodeType) -> Mix:
    """Weigh the instructions of a function."""
    instructions = list(dis.get_instructions(code))
    loops = [
        (each.argval, each.offset)
        for each in instructions
        if each.opname.startswith(("JUMP_BACKWARD", "POP_JUMP_BACKWARD"))
    ]
    inner = {start for start, _ in loops}
    plain = added = turn = 0.0
    for each in instructions:
        if each.opname in _FREE:
            continue
        # Several jumps back to one place make one loop.
        depth = sum(
            any(start <= each.offset <= end for begin, end in loops if begin == start)
            for start in inner
        )
        weight = _LOOP_TURNS**depth
        each_ns, more_ns = _COSTS.get(each.opname, _USUAL)
        plain += weight * each_ns
        added += weight * (_ADDED_NS + more_ns)
        if depth or not loops:
            turn += weight * (_ADDED_NS + more_ns) / (_LOOP_TURNS if loops else 1.0)
    return Mix(plain=plain, added=added, turn_ns=turn, has_loops=bool(loops))


def codes_of(source: str, file: str) -> dict[tuple[str, int], CodeType]:
    """Compile a file, and return its functions by qualified name and first line; none if it fails.

    Nothing is run.
    """
    try:
        module = compile(source, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):  # ValueError: zero bytes
        return {}
    return {(code.co_qualname, code.co_firstlineno): code for code in _all(module)}


def _all(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _all(constant)
