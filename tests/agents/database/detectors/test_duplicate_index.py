"""Copies of an index."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.catalog import Index, IndexKey
from perfwright.agents.database.detectors.duplicate_index import find
from perfwright.agents.database.examples import artifacts, index
from perfwright.agents.database.postgresql_examples import looked_at, pg_index


def found(*indexes: Index) -> list[str]:
    return [finding.subject for finding in find(artifacts(indexes=indexes))]


def test_one_of_three_copies_stays() -> None:
    copies = [index(name, "customer") for name in ("a", "b", "c")]
    assert found(*copies) == ["b", "c"]


def test_a_unique_index_is_never_the_one_to_go() -> None:
    unique = index("z", "customer", unique=True)
    assert found(index("a", "customer"), unique) == ["a"]


def test_other_conditions_make_other_indexes() -> None:
    one, two = (
        replace(index(n, "customer"), partial=True, sql=f"CREATE INDEX {n} ON orders(customer) {w}")
        for n, w in (("a", "WHERE state = 1"), ("b", "WHERE state = 2"))
    )
    assert found(one, two) == []


def test_other_directions_make_other_indexes() -> None:
    down = index("b", "customer")
    keys = tuple(replace(key, descending=True) for key in down.keys)
    assert found(index("a", "customer"), replace(down, keys=keys)) == []


def on_postgres(*indexes: Index) -> list[str]:
    return [finding.subject for finding in find(looked_at(None, indexes=indexes))]


ONE, TWO = pg_index("one", "state"), pg_index("two", "state")


def key(**differs: str) -> tuple[IndexKey, ...]:
    return (replace(TWO.keys[0], **differs),)  # type: ignore[arg-type]


def test_equal_indexes_of_postgresql_are_duplicates() -> None:
    assert on_postgres(ONE, TWO) == ["two"]


def test_whatever_differs_makes_another_index() -> None:
    others = (
        replace(TWO, method="hash"),
        replace(TWO, where="state = 'open'", partial=True),
        replace(TWO, included=("placed",)),
        replace(TWO, keys=key(collation="C")),
        replace(TWO, keys=key(operator_class="text_pattern_ops")),
        replace(TWO, keys=key(nulls="FIRST")),
        replace(TWO, valid=False),
    )
    assert [on_postgres(ONE, other) for other in others] == [[]] * len(others)


def test_what_is_only_carried_along_has_no_order() -> None:
    one = replace(ONE, included=("placed", "customer"))
    assert on_postgres(one, replace(TWO, included=("customer", "placed"))) == ["two"]


def test_expressions_are_compared_by_their_words() -> None:
    one, two, other = (
        replace(pg_index(name, "state"), keys=(IndexKey(column=None, text=text),))
        for name, text in (("one", "lower(state)"), ("two", "lower(state)"), ("x", "upper(state)"))
    )
    assert on_postgres(one, two, other) == ["two"]


def test_the_copy_of_a_constraint_goes_whatever_it_is_called() -> None:
    constraint = replace(pg_index("z", "state"), unique=True, constraint=True)
    assert on_postgres(pg_index("a", "state"), constraint) == ["a"]


def test_the_copy_of_the_replica_identity_goes() -> None:
    identity = replace(pg_index("z", "state"), replica_identity=True)
    assert on_postgres(pg_index("a", "state"), identity) == ["a"]
