"""Which calls are looked at, and when arguments count as equal."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from types import FrameType

from hypothesis import given
from hypothesis import strategies as st

from perfwright.profiling.arguments import MAX_KEYS, ArgumentProbe
from perfwright.profiling.model import Arguments
from perfwright.profiling.sampling import Tick


def look(probe: ArgumentProbe, frame: FrameType) -> None:
    """One tick of a sampler that finds one thread in this frame."""
    probe(Tick(0.0, {threading.get_ident(): frame}, {}))


def seen(probe: ArgumentProbe, function: Callable[..., object]) -> Arguments:
    return next(a for a in probe.result() if a.function.name.endswith(function.__name__))


def price(probe: ArgumentProbe, country: object, *, grams: int = 0) -> None:
    look(probe, sys._getframe())


class Parcel:
    def __init__(self, probe: ArgumentProbe, country: str) -> None:
        look(probe, sys._getframe())


def test_equal_arguments_are_counted_once() -> None:
    probe = ArgumentProbe()
    for country in ("DE", "FR", "DE", "DE"):
        price(probe, country)
    assert (seen(probe, price).looks, seen(probe, price).distinct) == (4, 2)


def test_keyword_arguments_count() -> None:
    probe = ArgumentProbe()
    for grams in (1, 2, 2):
        price(probe, "DE", grams=grams)
    assert seen(probe, price).distinct == 2


def test_objects_are_told_apart_as_objects() -> None:
    probe = ArgumentProbe()
    rows = [["a"], ["a"]]
    for row in rows:
        price(probe, row)
    assert seen(probe, price).distinct == 2
    assert not seen(probe, price).by_value


def test_a_new_object_does_not_make_the_arguments_of_its_init_differ() -> None:
    probe = ArgumentProbe()
    _kept = [Parcel(probe, "DE") for _ in range(3)]
    assert seen(probe, Parcel.__init__).distinct == 1


def test_equal_numbers_of_different_types_are_different() -> None:
    probe = ArgumentProbe()
    for value in (1, 1.0, True):
        price(probe, value)
    assert seen(probe, price).distinct == 3


def test_the_number_of_keys_is_bounded() -> None:
    probe = ArgumentProbe()
    for number in range(2 * MAX_KEYS):
        price(probe, number)
    assert seen(probe, price).distinct == MAX_KEYS


def test_module_level_and_generators_are_not_looked_at() -> None:
    probe = ArgumentProbe()

    def rows() -> object:
        look(probe, sys._getframe())
        yield 1

    assert list(rows()) == [1]  # type: ignore[call-overload]
    assert not [a for a in probe.result() if a.function.name.endswith("rows")]


@given(st.recursive(st.none() | st.booleans() | st.text() | st.binary(), st.lists, max_leaves=5))
def test_any_argument_can_be_looked_at(value: object) -> None:
    probe = ArgumentProbe()
    price(probe, value)
    assert seen(probe, price).looks == 1


def test_each_argument_is_counted_by_itself() -> None:
    probe = ArgumentProbe()
    for grams in (1, 2, 3):
        price(probe, "DE", grams=grams)
    assert dict(seen(probe, price).each) == {"probe": 1, "country": 1, "grams": 3}


def test_objects_that_follow_each_other_at_one_address_are_told_apart() -> None:
    probe = ArgumentProbe()
    for _ in range(5):
        price(probe, Thing())
    assert dict(seen(probe, price).each)["country"] == 5


class Thing:
    pass


def test_a_parser_of_the_standard_library_is_looked_at_by_its_text_alone() -> None:
    probe = ArgumentProbe()

    def hook(found: dict[str, object]) -> object:
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame.f_code.co_name != "loads":
            frame = frame.f_back
        assert frame is not None
        look(probe, frame)
        return found

    for text in ('{"a": 1}', '{"a": 2}', '{"a": 1}'):
        json.loads(text, object_hook=hook)
    assert (seen(probe, json.loads).looks, seen(probe, json.loads).distinct) == (3, 2)


def test_equal_options_are_equal_though_each_call_has_a_dictionary_of_its_own() -> None:
    probe = ArgumentProbe()

    def quote(**options: object) -> None:
        look(probe, sys._getframe())

    for zone in ("a", "b", "a"):
        quote(zone=zone)
    assert seen(probe, quote).distinct == 2


def test_a_project_may_have_our_name_in_its_path() -> None:
    probe = ArgumentProbe()
    text = "def price(probe, zone):\n    look(probe, _getframe())"
    names = {"look": look, "_getframe": sys._getframe}
    exec(compile(text, "/x/perfwright/a.py", "exec"), names)
    names["price"](probe, "a")  # type: ignore[operator]
    assert "/x/perfwright/a.py" in {a.function.file for a in probe.result()}
