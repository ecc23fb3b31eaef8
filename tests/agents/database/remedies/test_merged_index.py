"""One index for two statements."""

from __future__ import annotations

from perfwright.agents.database.design import DesignKey, IndexDesign
from perfwright.agents.database.remedies.merged_index import merge


def design(*names: str, fixed: int) -> IndexDesign:
    keys = tuple(
        DesignKey(text=f'"{name}"', column=name, equality=place < fixed)
        for place, name in enumerate(names)
    )
    return IndexDesign(table="t", keys=keys)


def test_free_keys_move_to_the_front_of_the_other() -> None:
    merged = merge(design("b", fixed=1), design("a", "b", "c", fixed=2))
    assert merged is not None
    assert [key.column for key in merged.keys] == ["b", "a", "c"]


def test_a_sorted_key_cannot_move() -> None:
    assert merge(design("c", fixed=1), design("a", "b", "c", fixed=2)) is None


def test_a_front_that_fits_already_changes_nothing() -> None:
    assert merge(design("a", fixed=1), design("a", "b", fixed=2)) is None
