"""The same values for the standard library."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.profiling.arguments import MAX_KEYS
from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Arguments, Profile
from tests.profiling.diagnosis.kinds.claims import kinds_in

TEXT = """
    from urllib.parse import urljoin
    def resolve(base, ref):
        return urljoin(base, ref)
    def check(pages):
        for page in pages:
            show(resolve(page.base, page.ref))
    def run(sites):
        for site in sites:
            check(site)
"""
URLJOIN = ("urllib/parse.py", "urljoin")


def _profile(*, distinct: int, looks: int = 600, given: int = 550, checks: int = 1) -> Profile:
    seen = example(
        TEXT,
        ("check(site)", "show(resolve", "return urljoin", URLJOIN),
        calls={("show(resolve", "def resolve"): 1000, ("check(site)", "def check"): checks},
    )
    functions = [frame_of(TEXT, where).function for where in (URLJOIN, "def resolve")]
    return replace(
        seen,
        arguments=tuple(
            Arguments(function=function, looks=looks, distinct=different, by_value=True)
            for function, different in zip(functions, (distinct, given), strict=True)
        ),
    )


def test_few_different_values_are_found_at_the_caller() -> None:
    assert kinds_in(_profile(distinct=5)) == {"resolve": "repeated-work"}


@pytest.mark.parametrize("distinct", [400, MAX_KEYS])
def test_many_different_values_are_honest_work(distinct: int) -> None:
    assert kinds_in(_profile(distinct=distinct)) == {}


def test_few_looks_prove_nothing() -> None:
    assert kinds_in(_profile(distinct=1, looks=10)) == {}


def test_a_program_that_is_fed_the_same_over_and_over_is_not_blamed() -> None:
    assert kinds_in(_profile(distinct=5, given=5, checks=1000)) == {}
