"""The yardstick of the localisation benchmark: ranks, charging, cases that are what they say."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from perfwright.profiling import BottleneckKind

SOURCE = """\
import functools

class Cart:
    @functools.cache
    def total(self):
        return sum(line.price for line in self.lines)

    def add(self):
        def check():
            return [each for each in ()]
        return check

def load():
    return 1
"""
CASE = """
title = "t"
split = "dev"
kind = "quadratic"
kinds = ["linear-scan"]
culprit = ["cart.py:Cart.total"]
neighbours = ["cart.py:load"]
[fix]
file = "cart.py"
find = "a"
replace = "b"
"""


@pytest.fixture
def cases() -> ModuleType:
    return importlib.import_module("_localisation_cases")


@pytest.fixture
def scores() -> ModuleType:
    return importlib.import_module("_localisation_scores")


@pytest.fixture
def runs() -> ModuleType:
    return importlib.import_module("_localisation_runs")


@pytest.fixture
def cart(tmp_path: Path) -> str:
    file = tmp_path / "app" / "cart.py"
    file.parent.mkdir()
    file.write_text(SOURCE)
    return str(file)


def row(file: str, line: int, name: str = "?", **costs: float) -> dict[str, Any]:
    return {"file": file, "line": line, "function": name} | costs


@pytest.mark.parametrize(
    ("line", "function"),
    [(4, "Cart.total"), (5, "Cart.total"), (6, "Cart.total"), (8, "Cart.add"),
     (10, "Cart.add.<locals>.check"), (11, "Cart.add"), (14, "load"), (1, "<module>"),
     (3, "<module>")],
)  # fmt: skip
def test_a_line_belongs_to_the_innermost_function_around_it(
    cases: ModuleType, cart: str, line: int, function: str
) -> None:
    assert cases.function_at(cart, line, "?") == function


def test_a_function_without_source_keeps_its_name(cases: ModuleType) -> None:
    assert cases.function_at("~", 0, "<built-in method sum>") == "<built-in method sum>"


def test_the_parts_of_a_function_add_up_to_its_self_time(scores: ModuleType, cart: str) -> None:
    rows = [row(cart, 14, self=3.0), row(cart, 5, self=2.0), row(cart, 6, self=2.0)]
    ranking = scores.ranked(rows, "self")
    assert [entry.function for entry in ranking] == ["Cart.total", "load"]


def test_the_cumulative_times_of_a_function_do_not_add_up(scores: ModuleType, cart: str) -> None:
    rows = [row(cart, 14, cumulative=3.0), *[row(cart, 5, cumulative=2.0)] * 2]
    ranking = scores.ranked(rows, "cumulative")
    assert [entry.function for entry in ranking] == ["load", "Cart.total"]


def test_own_code_excludes_libraries_and_module_level(scores: ModuleType, cart: str) -> None:
    rows = [row(cart, 1, self=9.0), row("/lib/json.py", 3, self=8.0), row(cart, 14, self=1.0)]
    ranking = scores.ranked(rows, "self", own=[str(Path(cart).parent)])
    assert [entry.function for entry in ranking] == ["load"]


def test_a_folder_is_not_own_because_its_name_begins_alike(scores: ModuleType) -> None:
    assert not scores.is_own("/site/tornadoes/web.py", ["/site/tornado"])
    assert scores.is_own("/site/tornado/web.py", ["/site/tornado"])
    assert scores.is_own("/site/zipp.py", ["/site/zipp.py"])


def test_a_function_that_cost_nothing_is_not_ranked(scores: ModuleType, cart: str) -> None:
    assert scores.ranked([row(cart, 14, self=0.0)], "self") == []


def test_library_time_is_charged_to_the_innermost_own_caller(scores: ModuleType, cart: str) -> None:
    stack = [row(cart, 1), row(cart, 8), row(cart, 14), row("/lib/json.py", 3)]
    rows = scores.charged([(stack, 5.0)], [str(Path(cart).parent)])
    assert [(each["line"], each["self"]) for each in rows] == [(14, 5.0)]


def test_time_outside_own_code_is_charged_to_nobody(scores: ModuleType, cart: str) -> None:
    stack = [row(cart, 1), row("/lib/json.py", 3)]
    assert scores.charged([(stack, 5.0)], [str(Path(cart).parent)]) == []


def test_a_recursive_function_counts_once_in_a_stack(scores: ModuleType, cart: str) -> None:
    stack = [row(cart, 14), row(cart, 14), row(cart, 14)]
    rows = scores.rows_of_stacks([(stack, 4.0)])
    assert sum(each["cumulative"] for each in rows) == 4.0
    assert sum(each["self"] for each in rows) == 4.0


def test_a_stack_line_is_read(runs: ModuleType) -> None:
    frames, count = runs.parse_stack("process 12;run (/a b/app.py:3);f (x) (/a/lib.py:44) 7")
    assert count == 7.0
    assert frames[0] == {"file": "~", "line": 0, "function": "process 12"}
    assert frames[1] == {"file": "/a b/app.py", "line": 3, "function": "run"}
    assert frames[2] == {"file": "/a/lib.py", "line": 44, "function": "f (x)"}


def judged(
    cases: ModuleType, scores: ModuleType, *entries: tuple[str, str, str]
) -> tuple[int, int, bool]:
    score = scores.judge(cases.parse("c", CASE), [scores.Entry(*entry) for entry in entries])
    return score.strict, score.lenient, score.kind_right


def test_a_neighbour_counts_as_lenient_only(cases: ModuleType, scores: ModuleType) -> None:
    ranking = ("/x/cart.py", "load", "quadratic"), ("/x/cart.py", "Cart.total", "leak")
    assert judged(cases, scores, *ranking) == (2, 1, True)


def test_any_of_the_accepted_kinds_is_right(cases: ModuleType, scores: ModuleType) -> None:
    assert judged(cases, scores, ("/x/cart.py", "Cart.total", "linear-scan")) == (1, 1, True)


def test_another_kind_is_wrong(cases: ModuleType, scores: ModuleType) -> None:
    assert judged(cases, scores, ("/x/cart.py", "Cart.total", "unknown")) == (1, 1, False)


def test_a_right_kind_below_the_third_place_does_not_count(
    cases: ModuleType, scores: ModuleType
) -> None:
    others = [("/x/other.py", f"f{number}", "leak") for number in range(3)]
    assert judged(cases, scores, *others, ("/x/cart.py", "Cart.total", "quadratic")) == (
        4,
        4,
        False,
    )


def test_a_function_of_that_name_in_another_file_is_another_function(
    cases: ModuleType, scores: ModuleType
) -> None:
    assert judged(cases, scores, ("/x/mycart.py", "Cart.total", "quadratic")) == (0, 0, False)


def test_shares_count_what_was_not_found_as_missed(scores: ModuleType) -> None:
    ranks = [scores.Score(strict=rank, lenient=1, kind="", kind_right=rank == 1)
             for rank in (1, 3, 4, 0)]  # fmt: skip
    summary = scores.summarise(ranks)
    assert summary.strict == pytest.approx((0.25, 0.5, (1 + 1 / 3 + 1 / 4) / 4))
    assert summary.lenient == (1.0, 1.0, 1.0)
    assert summary.kind == 0.25


def test_nothing_cannot_be_summarised(scores: ModuleType) -> None:
    with pytest.raises(ValueError, match="nothing was scored"):
        scores.summarise([])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind =", "sort ="),
        ('split = "dev"', 'split = "training"'),
        ("[fix]", 'package = "x"\n[fix]'),
    ],
)
def test_a_case_that_is_not_understood_is_refused(cases: ModuleType, old: str, new: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        cases.parse("c", CASE.replace(old, new, 1))


def test_the_corpus_is_as_large_as_it_must_be(cases: ModuleType) -> None:
    corpus = cases.load()
    assert len(corpus) >= 24
    assert sum(case.real for case in corpus) >= 10
    assert {case.split for case in corpus} == {"dev", "held-out"}
    named = {kind for case in corpus for kind in case.kinds}
    assert named == set(BottleneckKind) - {BottleneckKind.UNKNOWN}


def test_every_real_case_tells_its_source_and_has_both_versions(cases: ModuleType) -> None:
    pinned = cases.pinned()
    for case in cases.load():
        if case.real:
            assert case.source, case.name
            assert {case.versions["slow"], case.versions["fixed"]} <= set(pinned), case.name


def test_every_fix_applies_to_its_program(cases: ModuleType) -> None:
    for case in cases.load():
        if not case.real:
            text = (case.folder / case.fix["file"]).read_text()
            assert text.count(case.fix["find"]) == 1, case.name
            ast.parse(text.replace(case.fix["find"], case.fix["replace"]))


def test_every_culprit_of_a_made_program_exists(cases: ModuleType) -> None:
    for case in cases.load():
        for file, function in () if case.real else case.culprit + case.neighbours:
            names = {name for *_, name in cases.spans(str(case.folder / file))} | {"<module>"}
            assert function in names, f"{case.name}: {file}:{function}"
