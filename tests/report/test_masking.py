from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.report import mask_prose, mask_statement

SECRETS = st.text(st.characters(codec="utf-8"), max_size=30).map(lambda text: f"zq{text}qz")
TEXTS = st.text(st.sampled_from("ab1.'\"`[]()-/*$;:?=, \n\\e_EIN"), max_size=60)
PLACES = (
    "SELECT * FROM users WHERE mail = {}",
    "SELECT a FROM t WHERE b IN (1, {}, 'x') AND c LIKE {}",
    "INSERT INTO t (a, b) VALUES ({}, 2), ({}, 3)",
    "UPDATE t SET a = {} /* why */ WHERE id = 5 -- {}",
    "SELECT count(*) FILTER (WHERE a <> {}) FROM \"it's\" WHERE [col'umn] = {}",
)


@given(secret=SECRETS, place=st.sampled_from(PLACES))
def test_no_string_of_a_statement_survives(secret: str, place: str) -> None:
    quoted = "'" + secret.replace("'", "''") + "'"
    masked = mask_statement(place.replace("{}", quoted))
    assert "zq" not in masked
    assert "qz" not in masked


@given(place=st.sampled_from(PLACES), secret=st.text("abc'\\", max_size=8))
def test_escaped_strings_of_postgres_do_not_survive(place: str, secret: str) -> None:
    quoted = "E'zq" + secret.replace("\\", "\\\\").replace("'", "\\'") + "qz'"
    assert "zq" not in mask_statement(place.replace("{}", quoted))


@given(number=st.integers(min_value=10**6) | st.floats(min_value=1e6, max_value=1e300))
def test_no_number_of_a_statement_survives(number: float) -> None:
    assert str(number) not in mask_statement(f"SELECT a FROM t1 WHERE b > {number} LIMIT {number}")


@given(TEXTS)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = mask_statement(text)
    assert mask_statement(once) == once


@given(st.text())
def test_no_text_is_refused(text: str) -> None:
    assert isinstance(mask_statement(text), str)
    assert isinstance(mask_prose(text), str)


@given(st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), min_size=1))
def test_names_and_keywords_stay(names: list[str]) -> None:
    text = f"SELECT {', '.join(names)} FROM t ORDER BY {names[0]}"
    assert mask_statement(text) == text


@pytest.mark.parametrize(
    ("sql", "masked"),
    [
        ("SELECT * FROM t2 WHERE c3 = 4", "SELECT * FROM t2 WHERE c3 = ?"),
        ("SELECT 'it''s', x'ff', .5, 1e-3, 0xFF", "SELECT ?, ..."),
        ("SELECT a FROM t WHERE b = ?1 AND c = :id", "SELECT a FROM t WHERE b = ?1 AND c = :id"),
        ("SELECT $1, $$secret$$, $f$ it's $f$", "SELECT $1, ?, ?"),
        ("SELECT 1 -- card 4111", "SELECT ?  "),
        ("SELECT 'never closed", "SELECT ?"),
        ("SELECT /* never closed 'x'", "SELECT  "),
        ('SELECT "a b", `c`, [d e] FROM "T"', 'SELECT "a b", `c`, [d e] FROM "T"'),
        ('SELECT * FROM t WHERE name = "alice"', "SELECT * FROM t WHERE name = ?"),
        ('ON a.id = "b"."id"', 'ON a.id = "b"."id"'),
        ("a = ARRAY[1, 'x']", "a = ARRAY[?, ?]"),
        ("a = ARRAY[b, 'x', x'ff']", "a = ARRAY[b, ?, ?]"),
        ("a IN (1,2,3,4,5)", "a IN (?, ...)"),
        ('a IN (SELECT "b" FROM t)', 'a IN (SELECT "b" FROM t)'),
        ("a BETWEEN -5 AND 'm'", "a BETWEEN -? AND ?"),
    ],
)
def test_what_is_hidden_and_what_is_not(sql: str, masked: str) -> None:
    assert mask_statement(sql) == masked


@pytest.mark.parametrize(
    "sentence",
    [
        "reads 240,000 rows to return 10; 212 calls of 3.1 ms",
        "the table's 5 pages aren't the index's 3",
        "grows where 5 or 6 rows would do -- see 7",
        "between 5 and 10 ms, limit 3; costs $5 to $7",
    ],
)
def test_the_numbers_of_a_sentence_stay(sentence: str) -> None:
    assert mask_prose(sentence) == sentence


@pytest.mark.parametrize(
    ("sentence", "masked"),
    [
        ("email = 'a@b.c' matches 5 rows", "email = ? matches 5 rows"),
        ("user_id = 4711: 3 calls", "user_id = ?: 3 calls"),
        (
            "answers differ for SELECT a FROM t WHERE b > 7",
            "answers differ for SELECT a FROM t WHERE b > ?",
        ),
        ("in SELECT coalesce('anna') it took 5 ms", "in SELECT coalesce(?) it took 5 ms"),
        ("select * from t where a in ('x', 'y')", "select * from t where a in (?, ?)"),
    ],
)
def test_the_values_that_a_sentence_quotes_are_hidden(sentence: str, masked: str) -> None:
    assert mask_prose(sentence) == masked


def test_a_definition_keeps_its_values_because_they_are_code() -> None:
    sentence = "CREATE INDEX i ON t (a) is used 5 times"
    assert mask_prose(sentence) == sentence
