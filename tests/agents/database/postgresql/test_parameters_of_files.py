"""Parameters of a workload file as the server takes them."""

from __future__ import annotations

import pytest

from perfwright.agents.database.artifacts import Sample
from perfwright.agents.database.postgresql.probes.observation import literal_samples
from tests.postgresql import connected


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([], []),
        ([1, None], [1, None]),
    ],
)
def test_a_list_is_an_array(database: str, given: list[object], seen: list[object]) -> None:
    sample = Sample(sql="SELECT $1::int[]", parameters=(given,), weight=1.0)
    with connected(database) as connection:
        (literal,) = literal_samples((sample,), connection)
        assert connection.execute(literal.sql.encode()).fetchone() == (seen,)


@pytest.mark.parametrize("text", ["a", "a,b", 'say "x"', "back\\slash", "NULL", "it's", "{}", ""])
def test_the_texts_of_a_list_stay_as_they_are(database: str, text: str) -> None:
    sample = Sample(sql="SELECT $1::text[]", parameters=([text],), weight=1.0)
    with connected(database) as connection:
        (literal,) = literal_samples((sample,), connection)
        assert connection.execute(literal.sql.encode()).fetchone() == ([text],)


def test_lists_of_lists_are_arrays_of_two_dimensions(database: str) -> None:
    sample = Sample(sql="SELECT $1::int[]", parameters=([[1, 2], [3, 4]],), weight=1.0)
    with connected(database) as connection:
        (literal,) = literal_samples((sample,), connection)
        assert connection.execute(literal.sql.encode()).fetchone() == ([[1, 2], [3, 4]],)
