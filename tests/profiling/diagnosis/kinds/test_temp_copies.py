"""Copies that are dropped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Call
from tests.profiling.diagnosis.kinds.claims import causes, claims, culprits

RULE = "temp_copies"


def test_copies_in_a_recursion_are_found() -> None:
    text = """
        def total(rows):
            if not rows:
                return 0
            rest = rows[1:]
            return rows[0] + total(rest)
    """
    assert culprits(RULE, text, ("rest = rows",)) == ["total"]


def test_merging_a_dict_into_a_new_one_in_a_loop_is_found() -> None:
    text = """
        def merge(parts):
            out = {}
            for part in parts:
                out = {**out, part.key: part}
            return out
    """
    assert culprits(RULE, text, ("out = {**out",)) == ["merge"]


def test_one_copy_is_no_fault() -> None:
    text = "def read(rows):\n    return list(rows)\n"
    assert culprits(RULE, text, ("return list",)) == []


@pytest.mark.parametrize(
    "copy",
    [
        "list(rows)",
        "rows.copy()",
        "rows[1:]",
        "[*rows, one]",
        "{**rows}",
        "tuple(rows)",
        "one.union([move])",
    ],
)
def test_each_way_to_copy_is_known(copy: str) -> None:
    text = f"""
        def states(moves, rows, one):
            for move in moves:
                state = {copy}
                yield state, move
    """
    assert causes(text, ("state =",)) == {"states": "temp-copies"}


@pytest.mark.parametrize(
    "value",
    [
        "rows[1]",
        "rows[:9]",
        "rows[2:4]",
        "rows[-9:]",
        "bytearray(size)",
        "name[1:]",
        "a + b",
        "[one, two]",
    ],
)
def test_what_copies_no_collection_is_left_alone(value: str) -> None:
    text = f"""
        def states(moves, rows, size, name: str, a, b, one, two):
            for move in moves:
                state = {value}
                yield state, move
    """
    assert causes(text, ("state =",)) == {}


HELPED = """
    def over(base, top):
        \"\"\"Both.\"\"\"
        return {**base, **top}
    def effective(layers):
        merged = {}
        for layer in layers:
            merged = over(merged, layer)
        return merged
"""


@pytest.mark.parametrize(
    "returned", ["{**base, **top}", "[*base, top]", "dict(base)", "base.copy()"]
)
def test_a_helper_that_copies_is_laid_at_the_loop_that_grows_by_it(returned: str) -> None:
    text = HELPED.replace("{**base, **top}", returned)
    paths = (("merged = over",), ("merged = over", "return "))
    assert "effective" in culprits(RULE, text, *paths)
    assert next(iter(causes(text, *paths))) == "effective"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("merged = over(merged, layer)", "part = over(merged, layer)"),
        ("return {**base, **top}", "return merge(base, top)"),
        ("return {**base, **top}", "base = clean(base); return {**base, **top}"),
        ("for layer in layers:", "if layers:"),
    ],
)
def test_a_call_that_copies_nothing_that_grows_is_left_alone(old: str, new: str) -> None:
    assert "effective" not in culprits(RULE, HELPED.replace(old, new), ("over(merged",))


@pytest.mark.parametrize(
    "value",
    [
        "name[at:end]",
        '("a", *map(one, rows), "b")',
        "bytes(raw)",
        "tuple(pair)",
        "list(map(one, rows)) + [one(end)]",
    ],
)
def test_what_only_looks_like_a_copy_is_left_alone(value: str) -> None:
    text = f"""
        def states(moves, name, at, end, rows, raw: bytes, pair: tuple):
            for move in moves:
                state = {value}
                yield state, move
    """
    assert causes(text, ("state =",)).get("states") != "temp-copies"


def test_copies_of_a_few_elements_cost_next_to_nothing() -> None:
    text = """
        def states(moves, rows):
            for move in moves:
                yield move.use(rows.copy())
    """

    def found(count: int) -> str | None:
        calls = {("yield move", "use"): count, ("def states", "def states"): 9}
        return causes(text, ("yield move",), calls=calls).get("states")

    assert found(10_000) == "temp-copies"
    assert found(10_000_000) != "temp-copies"


def test_what_is_copied_by_copy_may_be_no_collection() -> None:
    text = """
        import copy
        def remember(carts):
            for cart in carts:
                yield [copy.copy(line) for line in cart.lines]
        def states(state: dict, moves):
            for move in moves:
                state = copy.copy(state)
    """
    paths = (("yield [copy",), ("state = copy",))
    assert causes(text, *paths) == {"states": "temp-copies"}


def test_cutting_what_a_call_has_just_read_copies_nothing_that_is_kept() -> None:
    text = """
        class Source:
            def part(self, n):
                data = self.take(n)
                return data[:self.left]
        def run(source, sizes):
            for size in sizes:
                source.part(size)
    """
    assert culprits(RULE, text, ("source.part", "return data[")) == []
    kept = text.replace("self.take(n)", "self.data")
    assert culprits(RULE, kept, ("source.part", "return data[")) == ["Source.part"]


def test_one_cut_of_what_a_call_is_given_is_no_copy_again_and_again() -> None:
    text = """
        def plain(field, end):
            return field[:end]
        def run(fields):
            for field in fields:
                plain(field, 9)
    """
    assert culprits(RULE, text, ("plain(field, 9)", "return field")) == []
    looped = text.replace("return field[:end]", "return [field[:at] for at in end]")
    assert culprits(RULE, looped, ("plain(field, 9)", "return [field")) == ["plain"]


def test_what_a_helper_took_as_counted_is_seen_anywhere_in_its_caller() -> None:
    profile = example(HELPED, ("return merged",))
    effective, over = (frame_of(HELPED, f"def {name}").function for name in ("effective", "over"))

    def found(took_s: float) -> list[str]:
        calls = (
            Call(caller=None, callee=effective, count=9, self_s=1.0, cumulative_s=2.0),
            Call(caller=effective, callee=over, count=900, self_s=took_s, cumulative_s=took_s),
        )
        return [c.function.name for c in claims(RULE, replace(profile, calls=calls))]

    assert "effective" in found(1.0)
    assert "effective" not in found(0.1)
