"""Structured answers are checked by the part of JSON Schema that they use."""

from __future__ import annotations

from typing import Any

import pytest

from perfwright.core import ConfigError
from perfwright.llm.routing.schema import check_schema, problems

PERSON: dict[str, Any] = {
    "type": "object",
    "title": "Person",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150},
        "pets": {"type": "array", "items": {"enum": ["cat", "dog"]}, "maxItems": 2},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "value",
    [
        {"name": "A"},
        {"name": "A", "age": None},
        {"name": "A", "age": 3.0},
        {"name": "A", "age": 0, "pets": ["cat", "dog"]},
    ],
)
def test_what_fits_has_no_problem(value: object) -> None:
    assert list(problems(value, PERSON)) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "answer is no object"),
        ({}, "answer.name is missing"),
        ({"name": ""}, "answer.name is under its minLength of 1"),
        ({"name": 3}, "answer.name is no string"),
        ({"name": "A", "age": True}, "answer.age is no integer or null"),
        ({"name": "A", "age": 1.5}, "answer.age is no integer or null"),
        ({"name": "A", "age": 151}, "answer.age is over its maximum of 150"),
        ({"name": "A", "pets": ["cow"]}, "answer.pets[0] is none of ['cat', 'dog']"),
        ({"name": "A", "pets": ["cat"] * 3}, "answer.pets is over its maxItems of 2"),
        ({"name": "A", "hat": 1}, "answer.hat is not asked for"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(value: object, problem: str) -> None:
    assert problem in list(problems(value, PERSON))


def test_one_form_of_several_is_enough() -> None:
    schema = {"anyOf": [{"type": "string"}, {"const": 7}]}
    assert [bool(list(problems(value, schema))) for value in ("a", 7, 8)] == [False, False, True]


def test_further_properties_may_have_a_schema() -> None:
    schema = {"additionalProperties": {"type": "number"}}
    assert list(problems({"a": "b"}, schema)) == ["answer.a is no number"]


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^a$"},
        {"type": "text"},
        {"properties": {"a": {"oneOf": []}}},
        {"items": {"format": "date"}},
    ],
)
def test_a_schema_that_says_more_than_is_checked_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"is not checked|no type of JSON Schema"):
        check_schema(schema)
