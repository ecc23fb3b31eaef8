"""How large tables and indexes would be without empty space."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.postgresql.bloat import Part, index_bytes, table_bytes
from perfwright.agents.database.postgresql.probes.bloat import estimate_bloat
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.server import Bloat
from tests.postgresql import new_database

parts = st.lists(
    st.builds(
        Part,
        width=st.floats(1, 500),
        alignment=st.sampled_from([1, 2, 4, 8]),
        null_share=st.floats(0, 1),
        distinct=st.one_of(st.none(), st.floats(1, 1e6)),
    ),
    min_size=1,
    max_size=8,
).map(tuple)


@given(parts, st.integers(0, 10**7))
def test_more_rows_never_take_less(columns: tuple[Part, ...], rows: int) -> None:
    assert table_bytes(columns, rows=rows) <= table_bytes(columns, rows=rows + 1_000)
    assert index_bytes(columns, rows=rows) <= index_bytes(columns, rows=rows + 1_000)


@given(parts, st.integers(1, 10**7))
def test_storing_equal_keys_once_never_takes_more(columns: tuple[Part, ...], rows: int) -> None:
    shared = index_bytes(columns, rows=rows)
    assert shared <= index_bytes(columns, rows=rows, shares_equal=False)


def test_an_integer_key_takes_twenty_bytes_an_entry() -> None:
    size = index_bytes((Part(width=4, alignment=4),), rows=1_000_000)
    assert size == pytest.approx(20 * 1_000_000 / 0.9, rel=0.03)


@pytest.fixture(scope="module")
def estimates(server: PrivateServer) -> Iterator[dict[str, Bloat]]:
    statements = (
        "CREATE TABLE fresh (id int PRIMARY KEY, kind smallint, word text, note text, at date)",
        "INSERT INTO fresh SELECT i, i % 7, md5(i::text), CASE WHEN i % 3 = 0 THEN 'x' END,"
        " '2024-01-01' FROM generate_series(1, 120000) i",
        "CREATE INDEX fresh_word ON fresh (word)",
        "CREATE INDEX fresh_kind ON fresh (kind)",
        "CREATE INDEX fresh_upper ON fresh (upper(word))",
        "CREATE TABLE hollow AS SELECT * FROM fresh",
        "CREATE INDEX hollow_id ON hollow (id)",
        "DELETE FROM hollow WHERE id % 10 <> 0",
        "VACUUM ANALYZE fresh",
        "VACUUM ANALYZE hollow",
    )
    with new_database(server, *statements) as url:
        connection = open_database(url)
        try:
            yield {b.name: b for b in estimate_bloat(connection, page_bytes=8192)}
        finally:
            connection.close()


@pytest.mark.parametrize(
    "name",
    ["fresh", "public.fresh_pkey", "public.fresh_word", "public.fresh_upper"],
)
def test_what_was_just_made_has_no_waste(estimates: dict[str, Bloat], name: str) -> None:
    fresh = estimates[name]
    assert fresh.size_bytes == pytest.approx(fresh.expected_bytes, rel=0.1)


def test_what_lost_most_of_its_rows_is_mostly_waste(estimates: dict[str, Bloat]) -> None:
    assert estimates["hollow"].share > 0.8
    assert estimates["public.hollow_id"].share > 0.8


def test_a_deduplicated_index_is_not_taken_for_too_small(estimates: dict[str, Bloat]) -> None:
    small = estimates.get("public.fresh_kind")
    assert small is None or small.share < 0.1
