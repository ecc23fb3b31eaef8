"""Searches within values."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.artifacts import Access, Operator, PlanStep, Term
from perfwright.agents.database.catalog import Column
from perfwright.agents.database.detectors.inverted_search import find
from perfwright.agents.database.examples import postgres, postgres_table, read, step

PAGE = postgres_table("page", Column(name="title", type="text"), Column(name="n", type="integer"))


def evidence(
    term: Term, *, plan: PlanStep, extensions: frozenset[str] = frozenset(), offered: str = ""
) -> list[str]:
    access = Access(table="page", alias="p", terms=(term,))
    seen = postgres(read(access, plan=(plan,)), tables=(PAGE,), extensions=extensions)
    catalog = replace(seen.catalog, available_extensions=frozenset({offered}))
    return [finding.evidence for finding in find(replace(seen, catalog=catalog))]


def title(operator: Operator = "like") -> Term:
    return Term(key='"title"', column="title", operator=operator)


SCAN = step(table="p", removed=9_000)
TRIGRAMS = frozenset({"pg_trgm"})


def test_a_pattern_is_found_where_trigrams_are_installed() -> None:
    (words,) = evidence(title(), plan=SCAN, extensions=TRIGRAMS)
    assert 'reads page for a pattern in "title"' in words
    assert "extension" not in words


def test_an_extension_that_could_be_installed_is_named() -> None:
    (words,) = evidence(title(), plan=SCAN, offered="pg_trgm")
    assert "CREATE EXTENSION pg_trgm" in words


def test_an_extension_that_the_server_lacks_is_named() -> None:
    (words,) = evidence(title(), plan=SCAN)
    assert "pg_trgm, which is not on this server" in words


def test_a_search_that_checks_many_rows_in_vain_is_found() -> None:
    plan = step("search", table="p", index="by_owner", removed=9_000)
    assert len(evidence(title(), plan=plan, extensions=TRIGRAMS)) == 1


def test_a_search_that_finds_what_it_reads_is_no_fault() -> None:
    plan = step("search", table="p", index="by_title", removed=2)
    assert evidence(title(), plan=plan, extensions=TRIGRAMS) == []


def test_what_no_index_answers_is_left_alone() -> None:
    term = Term(key='"n"', column="n", operator="like")
    assert evidence(term, plan=SCAN, extensions=TRIGRAMS) == []


def test_a_side_of_an_or_is_found() -> None:
    access = Access(table="page", alias="p", branches=((title(),), (title("="),)))
    seen = postgres(read(access, plan=(SCAN,)), tables=(PAGE,), extensions=TRIGRAMS)
    assert len(list(find(seen))) == 1
