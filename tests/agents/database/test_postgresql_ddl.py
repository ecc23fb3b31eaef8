"""Index changes of PostgreSQL as text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from perfwright.agents.database.catalog import Catalog, Column, Index, IndexKey, Table
from perfwright.agents.database.definitions import read_definition
from perfwright.agents.database.design import (
    MAX_NAME,
    DesignKey,
    IndexDesign,
    Method,
    analysis,
    creation,
    design_on,
    removal,
)
from perfwright.agents.database.examples import postgres_table
from perfwright.agents.database.naming import quote

TICKET = postgres_table("ticket", *(Column(name=c, type="text") for c in ("org", "at", "title")))
CATALOG = Catalog(dialect="postgres", tables=(TICKET,))
ORG = DesignKey(text='"org"', column="org", equality=True)
AT = DesignKey(text='"at"', column="at", descending=True)
TRIGRAMS = DesignKey(text='"title"', column="title", operator_class="gin_trgm_ops")
LOWERED = DesignKey(text="lower(title)", column=None)


def test_an_index_is_made_concurrently_on_the_qualified_table() -> None:
    design = design_on(TICKET, (ORG, AT), included=("title",), where=("org = 'a'",))
    change = creation((design,), CATALOG)
    assert change.kind == "postgresql-ddl"
    assert change.apply == (
        f'CREATE INDEX CONCURRENTLY IF NOT EXISTS "{design.name}" ON "public"."ticket" '
        '("org", "at" DESC) INCLUDE ("title") WHERE org = \'a\'',
    )
    assert change.revert == (f'DROP INDEX CONCURRENTLY IF EXISTS "public"."{design.name}"',)


@pytest.mark.parametrize(
    ("design", "words"),
    [
        (design_on(TICKET, (ORG, AT)), "ticket(org, at desc)"),
        (design_on(TICKET, (ORG,), included=("at",)), "ticket(org) include (at)"),
        (design_on(TICKET, (AT,), where=("org = 'a'",)), "ticket(at desc) where org = 'a'"),
        (design_on(TICKET, (TRIGRAMS,), method="gin"), "ticket using gin (title gin_trgm_ops)"),
        (design_on(TICKET, (LOWERED,)), "ticket(lower(title))"),
        (design_on(TICKET, (replace(AT, nulls="LAST"),)), "ticket(at desc nulls last)"),
    ],
)
def test_a_summary_is_for_people(design: IndexDesign, words: str) -> None:
    assert creation((design,), CATALOG).summary == f"create index on {words}"


def test_an_expression_is_analysed_after_it_was_indexed() -> None:
    change = creation((design_on(TICKET, (LOWERED,)),), CATALOG)
    assert change.apply[0].endswith('ON "public"."ticket" ((lower(title)))')
    assert change.apply[1] == 'ANALYZE "public"."ticket"'


def test_plain_columns_need_no_analysis() -> None:
    assert len(creation((design_on(TICKET, (ORG,)),), CATALOG).apply) == 1


def test_several_conditions_keep_their_meaning() -> None:
    design = design_on(TICKET, (AT,), where=("org = 'a' OR org = 'b'", "title IS NULL"))
    assert design.sql.endswith("WHERE (org = 'a' OR org = 'b') AND (title IS NULL)")


def test_a_dropped_index_comes_back_word_for_word() -> None:
    sql = "CREATE INDEX \"By Org\" ON public.ticket USING btree (org) WHERE (org = 'a'::text)"
    index = Index(
        name="By Org", bare_name="By Org", schema="public", table="ticket", sql=sql, keys=()
    )
    change = removal(index, CATALOG, reason="idle")
    assert change.apply == ('DROP INDEX CONCURRENTLY IF EXISTS "public"."By Org"',)
    assert change.revert == (
        sql.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY IF NOT EXISTS"),
    )


def test_statistics_are_gathered_for_good() -> None:
    change = analysis(("ticket",), CATALOG)
    assert change.apply == ('ANALYZE "public"."ticket"',)
    assert change.revert == ()


EVENT = replace(TICKET, name="event", bare_name="event", partitioned=True)
PARTS = tuple(
    replace(TICKET, name=name, bare_name=name, partition_of=above, partitioned=name == "e2")
    for name, above in (("e1", "event"), ("e2", "event"), ("e21", "e2"))
)
PARTITIONED = Catalog(dialect="postgres", tables=(EVENT, *PARTS))


def test_a_partitioned_table_gets_a_frame_that_its_parts_fill() -> None:
    change = creation((design_on(EVENT, (ORG,)),), PARTITIONED)
    kinds = [s.partition(" IF NOT")[0].partition(' "')[0] for s in change.apply]
    assert kinds == [
        "CREATE INDEX",
        "CREATE INDEX CONCURRENTLY",
        "ALTER INDEX",
        "CREATE INDEX",
        "CREATE INDEX CONCURRENTLY",
        "ALTER INDEX",
        "ALTER INDEX",
    ]
    assert 'ON ONLY "public"."event"' in change.apply[0]
    assert 'ATTACH PARTITION "public"."pw_e1' in change.apply[2]


def test_the_frame_goes_first_and_takes_its_parts_along() -> None:
    change = creation((design_on(EVENT, (ORG,)),), PARTITIONED)
    assert change.revert[0].startswith('DROP INDEX IF EXISTS "public"."pw_event')
    assert sum("CONCURRENTLY" in s for s in change.revert) == 2


def test_a_partitioned_index_is_made_anew_with_its_parts() -> None:
    def existing(name: str, table: str, *, only: str = "") -> Index:
        sql = f"CREATE INDEX {name} ON {only}public.{table} USING btree (org)"
        return Index(name=name, bare_name=name, schema="public", table=table, sql=sql, keys=())

    whole = existing("whole", "event", only="ONLY ")
    part = replace(existing("part", "e1"), partition_of="whole")
    catalog = replace(PARTITIONED, indexes=(whole, part))
    change = removal(whole, catalog, reason="idle")
    assert change.apply == ('DROP INDEX IF EXISTS "public"."whole"',)
    assert change.revert == (
        "CREATE INDEX IF NOT EXISTS whole ON ONLY public.event USING btree (org)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS part ON public.e1 USING btree (org)",
        'ALTER INDEX "public"."whole" ATTACH PARTITION "public"."part"',
    )


NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
)
EXPRESSIONS = st.sampled_from(
    ["lower(a)", "data ->> 'x,y'", "coalesce(a, ')')", 'a || " , "', "(a)::date"]
)
KEYS = st.one_of(
    st.builds(
        lambda name, down, nulls: DesignKey(
            text=quote(name), column=name, descending=down, nulls=nulls
        ),
        NAMES,
        st.booleans(),
        st.sampled_from(["", "FIRST", "LAST"]),
    ),
    st.builds(lambda text: DesignKey(text=text, column=None), EXPRESSIONS),
)
TABLES = st.builds(
    lambda schema, name: Table(name=name, schema=schema, bare_name=name, columns=()), NAMES, NAMES
)
METHODS: list[Method] = ["btree", "gin", "brin"]
DESIGNS = st.builds(
    lambda table, keys, where, method, included: design_on(
        table, tuple(keys), where=tuple(where), method=method, included=tuple(included)
    ),
    TABLES,
    st.lists(KEYS, min_size=1, max_size=4),
    st.lists(st.sampled_from(["a = 'x) y'", "b IS NULL", "c IN (1, 2)"]), max_size=2),
    st.sampled_from(METHODS),
    st.lists(NAMES, max_size=2),
)


@given(design=DESIGNS)
def test_every_design_is_sql(design: IndexDesign) -> None:
    parsed = parse_one(design.sql, read="postgres")
    assert isinstance(parsed, exp.Create)
    assert parsed.args["concurrently"]
    table = parsed.find(exp.Table)
    assert table is not None
    assert (table.db, table.name) == (design.schema, design.table)


@given(design=DESIGNS)
def test_a_statement_is_read_back_as_it_was_designed(design: IndexDesign) -> None:
    found = read_definition(design.sql)
    assert found is not None
    assert found.name == design.name
    assert (found.relation, found.method) == (design.relation, design.method)
    assert found.keys == tuple(key.postgresql for key in design.keys)
    assert found.included == tuple(map(quote, design.included))


@given(design=DESIGNS)
def test_names_fit_into_sixty_three_bytes(design: IndexDesign) -> None:
    assert len(design.name.encode()) <= MAX_NAME
    assert design.name.startswith("pw_")


def test_an_index_in_another_schema_has_another_name() -> None:
    other = replace(TICKET, schema="archive")
    assert design_on(TICKET, (ORG,)).name != design_on(other, (ORG,)).name


def test_every_part_of_a_definition_decides_the_name() -> None:
    names = {
        design_on(TICKET, (ORG,)).name,
        design_on(TICKET, (ORG,), included=("at",)).name,
        design_on(TICKET, (ORG,), method="brin").name,
        design_on(TICKET, (replace(ORG, operator_class="text_pattern_ops"),)).name,
        design_on(TICKET, (replace(ORG, nulls="FIRST"),)).name,
        design_on(TICKET, (replace(ORG, collation="C"),)).name,
    }
    assert len(names) == 6


def test_plain_columns_are_read_back_as_the_catalog_shows_them() -> None:
    found = read_definition(design_on(TICKET, (ORG, AT), included=("title",)).sql)
    assert found is not None
    index = found.as_index(CATALOG)
    assert index is not None
    assert index.keys == (IndexKey(column="org"), IndexKey(column="at", descending=True))
    assert index.included == ("title",)


@pytest.mark.parametrize("sql", ["DROP INDEX a", "ANALYZE", "CREATE TABLE t(a)", ""])
def test_other_statements_define_no_index(sql: str) -> None:
    assert read_definition(sql) is None
