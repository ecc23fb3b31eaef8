"""What choosing reads out of changes, in both dialects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from perfwright.agents.database.artifacts import Access, DatabaseArtifacts, Term
from perfwright.agents.database.catalog import Column, Index, IndexKey
from perfwright.agents.database.choosing import choose, extends
from perfwright.agents.database.design import DesignKey, IndexDesign, creation, design_on
from perfwright.agents.database.examples import postgres, postgres_table, read
from perfwright.agents.database.naming import quote
from perfwright.agents.database.proposals import index_proposal
from perfwright.agents.database.whatif import Trial
from perfwright.core import ChangeSpec

NAMES = ("org", "at", "title")
TABLE = postgres_table("Ticket", *(Column(name=n, type="text") for n in NAMES))
ACCESS = Access(table="Ticket", alias="t", terms=(Term(key='"org"', column="org", operator="="),))


def design(*names: str, included: tuple[str, ...] = (), where: tuple[str, ...] = ()) -> IndexDesign:
    keys = tuple(DesignKey(text=quote(n), column=n) for n in names)
    return design_on(TABLE, keys, included=included, where=where)


def seen(*indexes: Index) -> DatabaseArtifacts:
    return postgres(read(ACCESS, steps=5_000), tables=(TABLE,), indexes=indexes)


def change(*designs: IndexDesign) -> ChangeSpec:
    return creation(designs, seen().catalog)


@pytest.mark.parametrize(
    ("longer", "shorter"),
    [
        (design("org", "at"), design("org")),
        (design("org", included=("at",)), design("org")),
        (design("org", "at"), design("org", included=("at",))),
        (design("org", included=("at", "title")), design("org", included=("at",))),
        (design("org", "at", where=("title = 'x'",)), design("org", where=("title = 'x'",))),
    ],
)
def test_more_columns_behind_extend_an_index(longer: IndexDesign, shorter: IndexDesign) -> None:
    assert extends(change(longer), change(shorter))
    assert not extends(change(shorter), change(longer))


@pytest.mark.parametrize(
    ("longer", "shorter"),
    [
        (design("at", "org"), design("org")),
        (design("org", "at"), design("org", where=("title = 'x'",))),
        (design("org", "at"), design("org", included=("title",))),
        (replace(design("org", "at"), method="gin"), replace(design("org"), method="gin")),
    ],
)
def test_other_indexes_extend_nothing(longer: IndexDesign, shorter: IndexDesign) -> None:
    assert not extends(change(longer), change(shorter))


def test_a_change_of_two_indexes_extends_nothing() -> None:
    assert not extends(change(design("org", "at"), design("title")), change(design("org")))


@dataclass
class Trials:
    """Every index halves the work; a removal changes nothing."""

    accepted: list[str] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)

    def total_ms(self) -> float:
        return 100.0

    def write_ms(self) -> float:
        return 0.0

    def table_ms(self, table: str) -> float:
        self.tables.add(table)
        return 100.0

    def try_out(self, spec: ChangeSpec) -> Trial | None:
        saved = 50.0 if spec.apply[0].startswith("CREATE") else 0.0
        return Trial(saved={"r100": saved}, base_ms=100.0)

    def accept(self, spec: ChangeSpec) -> None:
        self.accepted.append(spec.subject)

    def withdraw(self, spec: ChangeSpec) -> None:
        self.accepted.remove(spec.subject)


def never(*, share: float = 1.0) -> bool:
    return share < 0


def removed(*indexes: Index) -> Iterator[str]:
    artifacts = seen(*indexes)
    proposal = index_proposal(
        artifacts, (design("org", "at"),), remedy="composite-index", cost_ms=9
    )
    trials = Trials()
    chosen = choose(artifacts, (proposal,), trials=trials, time_is_up=never)
    assert trials.tables == {"Ticket"}
    return (p.change.subject for p in chosen if p.remedy == "index-removal")


def existing(*names: str) -> Index:
    return Index(
        name="old",
        bare_name="old",
        schema="public",
        table="Ticket",
        keys=tuple(IndexKey(column=n, text=n) for n in names),
        sql='CREATE INDEX old ON public."Ticket" USING btree (org)',
    )


def test_an_index_that_a_new_one_begins_with_goes() -> None:
    assert list(removed(existing("org"))) == ["old"]


@pytest.mark.parametrize(
    "index",
    [
        existing("at"),
        replace(existing("org"), unique=True),
        replace(existing("org"), included=("title",)),
        replace(existing("org"), partial=True, where="title = 'x'"),
        replace(existing("org"), method="hash"),
        replace(existing("org"), partition_of="whole"),
        replace(existing("org"), keys=(IndexKey(column="org", descending=True),)),
        replace(existing("org"), keys=(IndexKey(column="org", operator_class="text_ops"),)),
    ],
    ids=["other", "unique", "carries", "partial", "hash", "partition", "descending", "class"],
)
def test_an_index_that_does_more_than_the_new_one_stays(index: Index) -> None:
    assert list(removed(index)) == []
