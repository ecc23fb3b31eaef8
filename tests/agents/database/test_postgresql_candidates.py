"""Which indexes of PostgreSQL could serve an access."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.agents.database.artifacts import Access, Operator, SortKey, Term, TermCount
from perfwright.agents.database.candidates import branch_designs, candidates
from perfwright.agents.database.catalog import (
    Catalog,
    Column,
    ColumnStatistics,
    Index,
    IndexKey,
    Table,
)
from perfwright.agents.database.examples import postgres_table
from perfwright.agents.database.knowledge import Knowledge


def column(
    name: str,
    kind: str = "text",
    *,
    distinct: float = 1_000,
    null_share: float = 0.0,
    width_bytes: float = 8,
    common: tuple[tuple[str, float], ...] = (),
    correlation: float = 0.0,
    collation: str | None = None,
) -> Column:
    known = ColumnStatistics(
        null_share=null_share,
        distinct=distinct,
        correlation=correlation,
        width_bytes=width_bytes,
        common=common,
    )
    return Column(name=name, type=kind, collation=collation, statistics=known)


TICKET = postgres_table(
    "ticket",
    column("org", distinct=50),
    column("state", distinct=4, common=(("open", 0.05), ("shut", 0.95))),
    column("owner", distinct=2_000),
    column("priority", "integer", distinct=5),
    column("opened", "timestamp with time zone", distinct=90_000),
    column("title", width_bytes=40),
    column("body", width_bytes=900),
    column("parent", "bigint", distinct=900, null_share=0.9),
    column("data", "jsonb", width_bytes=200),
    column("tags", "text[]"),
    column("words", "tsvector"),
    column("raw", "json"),
)


def term(name: str, operator: Operator = "=") -> Term:
    return Term(key=f'"{name}"', column=name, operator=operator)


def order(*names: str) -> tuple[SortKey, ...]:
    """`-x` is descending."""
    return tuple(
        SortKey(key=f'"{n.lstrip("-")}"', column=n.lstrip("-"), descending=n[0] == "-")
        for n in names
    )


def found(
    access: Access,
    *indexes: Index,
    table: Table = TICKET,
    counts: tuple[TermCount, ...] = (),
    extensions: frozenset[str] = frozenset({"pg_trgm"}),
) -> list[str]:
    catalog = Catalog(
        dialect="postgres",
        tables=(table,),
        indexes=indexes,
        extensions=extensions,
        page_size=8192,
    )
    knowledge = Knowledge(catalog=catalog, term_counts=counts)
    return [c.design.described() for c in candidates(access, knowledge)]


def existing(*keys: IndexKey, where: str = "", included: tuple[str, ...] = ()) -> Index:
    return Index(
        name="i",
        bare_name="i",
        schema="public",
        table="ticket",
        keys=keys,
        where=where,
        partial=bool(where),
        included=included,
        sql="CREATE INDEX",
    )


def key(name: str, *, descending: bool = False) -> IndexKey:
    return IndexKey(column=name, descending=descending, text=name)


def test_the_column_with_more_values_leads() -> None:
    designs = found(Access(table="ticket", terms=(term("org"), term("owner"))))
    assert "ticket(owner, org)" in designs
    assert "ticket(org, owner)" not in designs


def test_lists_of_values_come_after_single_values() -> None:
    designs = found(Access(table="ticket", terms=(term("owner", "in"), term("org"))))
    assert "ticket(org, owner)" in designs


def test_a_range_follows_the_equalities() -> None:
    designs = found(Access(table="ticket", terms=(term("opened", "range"), term("org"))))
    assert "ticket(org, opened)" in designs


def test_an_order_of_mixed_directions_keeps_its_tie_breaker() -> None:
    access = Access(
        table="ticket", terms=(term("org"),), order=order("-priority", "opened", "id"), limited=True
    )
    assert "ticket(org, priority desc, opened, id)" in found(access)


def test_an_order_that_descends_throughout_is_read_backwards() -> None:
    access = Access(table="ticket", order=order("-opened", "-id"), limited=True)
    assert "ticket(opened, id)" in found(access)


def test_the_place_of_nulls_is_turned_round_with_the_direction() -> None:
    last = (SortKey(key='"opened"', column="opened", descending=True, nulls="LAST"),)
    assert "ticket(opened nulls first)" in found(Access(table="ticket", order=last))


def test_the_place_of_nulls_is_kept_otherwise() -> None:
    wanted = (SortKey(key='"opened"', column="opened", nulls="FIRST"), *order("-id"))
    assert "ticket(opened nulls first, id desc)" in found(Access(table="ticket", order=wanted))


def test_a_link_is_followed_from_its_other_end() -> None:
    columns = (replace(column("org"), key_position=2), replace(column("owner"), key_position=1))
    link = replace(TICKET, columns=columns)
    access = Access(
        table="ticket", terms=(term("owner", "join"), term("org")), columns=("org", "owner")
    )
    designs = found(access, table=link)
    assert "ticket(org, owner)" in designs
    assert "ticket(org) include (owner)" in designs


def test_what_the_condition_fixes_is_not_carried_along() -> None:
    access = Access(
        table="ticket",
        terms=(term("org"), term("state")),
        constants=("state = 'open'",),
        columns=("org", "state", "owner"),
    )
    assert "ticket(org) include (owner) where state = 'open'" in found(access)


def test_an_order_alone_is_no_way_to_find_all_rows_of_a_value() -> None:
    access = Access(table="ticket", terms=(term("org"),), order=order("opened"))
    assert found(access) == ["ticket(org)", "ticket(org, opened)"]


@pytest.mark.parametrize("operator", ["in", "null"])
def test_no_order_follows_several_values(operator: Operator) -> None:
    access = Access(table="ticket", terms=(term("org", operator),), order=order("opened"))
    designs = found(access)
    assert "ticket(org, opened)" not in designs
    assert "ticket(opened)" in designs


def test_a_first_page_may_be_read_in_order_alone() -> None:
    access = Access(table="ticket", terms=(term("state"),), order=order("opened"), limited=True)
    designs = found(access)
    assert "ticket(opened)" in designs
    assert "ticket(opened, state)" in designs  # what is checked within the index


def test_a_rare_constant_makes_a_partial_index_without_its_column() -> None:
    access = Access(
        table="ticket", terms=(term("state"), term("org")), constants=("state = 'open'",)
    )
    assert "ticket(org) where state = 'open'" in found(access)


def test_a_common_constant_makes_no_partial_index() -> None:
    access = Access(
        table="ticket", terms=(term("state"), term("org")), constants=("state = 'shut'",)
    )
    assert not any("where" in design for design in found(access))


def test_a_point_in_time_makes_no_partial_index() -> None:
    access = Access(
        table="ticket", terms=(term("opened", "range"),), constants=("opened > '2024-11-20'",)
    )
    counted = TermCount(table="ticket", term="opened > '2024-11-20'", rows=10)
    assert found(access, counts=(counted,)) == ["ticket(opened)"]


def test_a_count_overrules_the_statistics() -> None:
    access = Access(table="ticket", terms=(term("org"),), constants=("state = 'open'",))
    counted = TermCount(table="ticket", term="state = 'open'", rows=90_000)
    assert not any("where" in design for design in found(access, counts=(counted,)))


def test_an_order_may_follow_a_partial_null() -> None:
    gone = replace(TICKET, columns=(*TICKET.columns, column("gone", "date", null_share=0.02)))
    access = Access(
        table="ticket",
        terms=(term("gone", "null"), term("org")),
        constants=("gone IS NULL",),
        order=order("opened"),
    )
    assert "ticket(org, opened) where gone IS NULL" in found(access, table=gone)


def test_columns_that_are_only_read_are_carried_along() -> None:
    access = Access(table="ticket", terms=(term("org"),), columns=("org", "owner"))
    assert "ticket(org) include (owner)" in found(access)


@pytest.mark.parametrize(
    "access",
    [
        Access(table="ticket", terms=(term("org"),), columns=("org", "owner"), whole_rows=True),
        Access(table="ticket", terms=(term("org"),), columns=("org", "body")),
        Access(table="ticket", order=order("id"), columns=("id", "org")),
        Access(
            table="ticket",
            terms=(term("org"),),
            columns=("org", "owner", "state", "priority", "opened"),
        ),
    ],
    ids=["whole rows", "wide column", "behind a unique key", "many columns"],
)
def test_what_is_too_much_is_not_carried_along(access: Access) -> None:
    assert not any("include" in design for design in found(access))


def test_nothing_is_carried_along_where_rows_are_not_visible_to_all() -> None:
    access = Access(table="ticket", terms=(term("org"),), columns=("org", "owner"))
    designs = found(access, table=replace(TICKET, visible_share=0.3))
    assert designs == ["ticket(org)"]


def test_a_prefix_needs_an_order_by_bytes() -> None:
    access = Access(table="ticket", terms=(term("title", "prefix"),))
    assert found(access) == ["ticket(title text_pattern_ops)"]


def test_a_column_that_is_ordered_by_bytes_needs_no_other_order() -> None:
    title = column("title", collation="C")
    access = Access(table="ticket", terms=(term("title", "prefix"),))
    assert found(access, table=replace(TICKET, columns=(title,))) == ["ticket(title)"]


def test_a_length_makes_no_other_type() -> None:
    title = column("title", "character varying(20)")
    access = Access(table="ticket", terms=(term("title", "prefix"),))
    designs = found(access, table=replace(TICKET, columns=(title,)))
    assert designs == ["ticket(title varchar_pattern_ops)"]


def test_an_expression_is_a_key() -> None:
    access = Access(table="ticket", terms=(Term(key="lower(title)", column=None, operator="="),))
    assert found(access) == ["ticket(lower(title))"]


def test_rows_without_a_value_are_left_out() -> None:
    designs = found(Access(table="ticket", terms=(term("parent", "join"),)))
    assert 'ticket(parent) where "parent" IS NOT NULL' in designs


def test_documents_without_the_key_are_left_out() -> None:
    owner = Term(key="extra->>'owner'", column=None, operator="=")
    designs = found(Access(table="ticket", terms=(owner,)))
    assert "ticket(extra->>'owner') where (extra->>'owner') IS NOT NULL" in designs


@pytest.mark.parametrize("name", ["body", "raw"])
def test_what_is_too_wide_or_has_no_order_is_no_key(name: str) -> None:
    assert found(Access(table="ticket", terms=(term(name),))) == []


@pytest.mark.parametrize(
    ("name", "operator", "design"),
    [
        ("title", "like", "ticket using gin (title gin_trgm_ops)"),
        ("data", "contains", "ticket using gin (data jsonb_path_ops)"),
        ("data", "keys", "ticket using gin (data)"),
        ("tags", "contains", "ticket using gin (tags)"),
        ("tags", "overlap", "ticket using gin (tags)"),
        ("words", "match", "ticket using gin (words)"),
    ],
)
def test_what_is_within_a_value_is_found_by_gin(name: str, operator: Operator, design: str) -> None:
    assert found(Access(table="ticket", terms=(term(name, operator),))) == [design]


@pytest.mark.parametrize(
    ("text", "operator", "design"),
    [
        ("lower(title)", "like", "ticket using gin (lower(title) gin_trgm_ops)"),
        (
            "to_tsvector('english', body)",
            "match",
            "ticket using gin (to_tsvector('english', body))",
        ),
        ("data -> 'tags'", "contains", "ticket using gin (data -> 'tags' jsonb_path_ops)"),
    ],
)
def test_what_is_within_an_expression_is_found_by_gin(
    text: str, operator: Operator, design: str
) -> None:
    access = Access(table="ticket", terms=(Term(key=text, column=None, operator=operator),))
    assert found(access) == [design]


@pytest.mark.parametrize(
    ("text", "name", "operator"),
    [
        ('"title"', "title", "match"),  # its configuration is a setting
        ("to_tsvector(body)", None, "match"),
        ('"priority"', "priority", "like"),
        ('"raw"', "raw", "contains"),
        ("data ->> 'tags'", None, "contains"),
    ],
)
def test_what_no_gin_index_knows_gets_none(text: str, name: str | None, operator: Operator) -> None:
    access = Access(table="ticket", terms=(Term(key=text, column=name, operator=operator),))
    assert found(access) == []


def test_patterns_need_the_extension_for_trigrams() -> None:
    access = Access(table="ticket", terms=(term("title", "like"),))
    assert found(access, extensions=frozenset()) == []


def test_a_gin_index_may_be_partial() -> None:
    access = Access(
        table="ticket",
        terms=(term("title", "like"), term("state")),
        constants=("state = 'open'",),
    )
    assert "ticket using gin (title gin_trgm_ops) where state = 'open'" in found(access)


HUGE = replace(
    TICKET,
    rows=5_000_000,
    size_bytes=1 << 30,
    columns=(column("opened", "date", correlation=-0.99), column("org", correlation=0.1)),
)


def test_a_huge_table_in_order_gets_a_block_range_index_beside_the_tree() -> None:
    access = Access(table="ticket", terms=(term("opened", "range"),))
    assert found(access, table=HUGE) == ["ticket(opened)", "ticket using brin (opened)"]


@pytest.mark.parametrize(
    ("table", "access"),
    [
        (HUGE, Access(table="ticket", terms=(term("org", "range"),))),
        (HUGE, Access(table="ticket", terms=(term("opened"),))),
        (
            replace(HUGE, rows=100_000, size_bytes=10_000_000),
            Access(table="ticket", terms=(term("opened", "range"),)),
        ),
    ],
    ids=["out of order", "equality", "small"],
)
def test_other_searches_get_no_block_range_index(table: Table, access: Access) -> None:
    assert not any("brin" in design for design in found(access, table=table))


@pytest.mark.parametrize(
    "index",
    [
        existing(key("org")),
        existing(key("org", descending=True)),
        existing(key("org"), included=("owner",)),
        replace(existing(key("org")), unique=True),
        existing(key("org"), key("owner")),
    ],
    ids=["equal", "descending", "with more", "unique", "longer"],
)
def test_what_exists_is_not_proposed(index: Index) -> None:
    assert found(Access(table="ticket", terms=(term("org"),)), index) == []


@pytest.mark.parametrize(
    "index",
    [
        replace(existing(key("org")), method="hash"),
        replace(existing(key("org")), valid=False),
        existing(key("org"), where="state = 'open'::text"),
        existing(IndexKey(column="org", operator_class="text_pattern_ops")),
        existing(IndexKey(column="org", collation="de_DE")),
    ],
    ids=["method", "invalid", "partial", "operator class", "collation"],
)
def test_what_is_there_in_another_form_is_proposed(index: Index) -> None:
    assert found(Access(table="ticket", terms=(term("org"),)), index) == ["ticket(org)"]


def test_an_index_in_the_opposite_order_serves_as_well() -> None:
    access = Access(table="ticket", terms=(term("org"),), order=order("priority", "-opened"))
    turned = existing(key("org"), key("priority", descending=True), key("opened"))
    assert "ticket(org, priority, opened desc)" in found(access)
    assert "ticket(org, priority, opened desc)" not in found(access, turned)


def test_an_index_in_half_the_order_does_not_serve() -> None:
    access = Access(table="ticket", terms=(term("org"),), order=order("priority", "opened"))
    half = existing(key("org"), key("priority", descending=True), key("opened"))
    assert "ticket(org, priority, opened)" in found(access, half)


def test_an_existing_partial_index_is_known_by_its_meaning() -> None:
    access = Access(table="ticket", terms=(term("org"),), constants=("state = 'open'",))
    same = existing(key("org"), where="(state = 'open'::text)")
    assert "ticket(org) where state = 'open'" not in found(access, same)


def test_an_existing_expression_index_is_known_by_its_meaning() -> None:
    access = Access(table="ticket", terms=(Term(key="lower(title)", column=None, operator="="),))
    same = existing(IndexKey(column=None, text="lower((title)::text)"))
    assert found(access, same) == []


def test_a_unique_key_needs_no_help() -> None:
    assert found(Access(table="ticket", terms=(term("id"), term("org")))) == []


@pytest.mark.parametrize(
    "table",
    [
        replace(TICKET, rows=10),
        replace(TICKET, size_bytes=7 * 8192),
        replace(TICKET, virtual=True),
    ],
    ids=["few rows", "few pages", "foreign"],
)
def test_some_tables_get_no_index(table: Table) -> None:
    assert found(Access(table="ticket", terms=(term("org"),)), table=table) == []


def partitioned(*parts: Table) -> Knowledge:
    whole = replace(TICKET, name="event", bare_name="event", partitioned=True)
    return Knowledge(catalog=Catalog(dialect="postgres", tables=(whole, *parts)))


PART = replace(TICKET, name="event_1", bare_name="event_1", partition_of="event")


def test_a_partition_is_served_through_the_whole() -> None:
    access = Access(table="event_1", terms=(term("org"),))
    designs = [c.design.described() for c in candidates(access, partitioned(PART))]
    assert designs == ["event(org)"]


def test_a_whole_with_a_foreign_partition_gets_no_index() -> None:
    access = Access(table="event", terms=(term("org"),))
    assert list(candidates(access, partitioned(replace(PART, virtual=True)))) == []


def branches(
    *sides: tuple[Term, ...],
    terms: tuple[Term, ...] = (),
    indexes: tuple[Index, ...] = (),
    extensions: frozenset[str] = frozenset(),
) -> list[str]:
    catalog = Catalog(dialect="postgres", tables=(TICKET,), indexes=indexes, extensions=extensions)
    access = Access(table="ticket", terms=terms, branches=sides)
    return [d.described() for d in branch_designs(access, Knowledge(catalog=catalog))]


def test_every_side_of_an_or_gets_its_index() -> None:
    assert branches((term("org"),), (term("opened", "range"),)) == ["ticket(org)", "ticket(opened)"]


def test_a_side_that_finds_few_rows_by_itself_gets_no_more_keys() -> None:
    found = branches((term("opened"),), (term("parent"),), terms=(term("state"),))
    assert found == ["ticket(opened)", 'ticket(parent, state) where "parent" IS NOT NULL']


def test_a_side_that_a_unique_index_answers_gets_none() -> None:
    unique = replace(existing(key("owner")), unique=True)
    found = branches((term("owner"),), (term("org"),), terms=(term("state"),), indexes=(unique,))
    assert found == ["ticket(org, state)"]


def test_patterns_on_both_sides_share_an_index() -> None:
    titles = replace(term("title", "like"))
    lowered = Term(key="lower(owner)", column=None, operator="like")
    designs = branches((titles,), (lowered,), extensions=frozenset({"pg_trgm"}))
    assert designs == ["ticket using gin (title gin_trgm_ops, lower(owner) gin_trgm_ops)"]


def test_an_or_with_a_side_that_nothing_answers_gets_none() -> None:
    assert branches((term("org"),), (term("title", "like"),)) == []


def test_candidates_are_few() -> None:
    access = Access(
        table="ticket",
        terms=(term("org"), term("state"), term("owner", "in"), term("opened", "range")),
        constants=("state = 'open'",),
        order=order("-priority", "opened", "id"),
        columns=("id", "org", "state", "owner", "opened", "priority"),
        limited=True,
    )
    assert len(found(access)) <= 60
