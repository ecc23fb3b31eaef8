"""What a function works out anew at each call."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Arguments, Profile
from tests.profiling.diagnosis.kinds.claims import causes, kinds_in

STATE = """
    class Shop:
        def __init__(self, zones):
            self.zones = zones
        def largest(self, name):
            size = sum(zone.size for zone in self.zones)
            return name, size
    def run(shops, names):
        for name in names:
            shops[name].largest(name)
"""


def _shops(*, different: int, zones: int) -> Profile:
    """A hundred looks at the calls of `largest`, and as many at the zones that shops get."""
    seen = example(STATE, ("].largest(name)", "size = sum"))
    functions = {n: frame_of(dedent(STATE), f"def {n}").function for n in ("largest", "__init__")}
    shops = Arguments(
        function=functions["largest"], looks=100, distinct=100, by_value=False,
        each=(("self", different), ("name", 100)),
    )  # fmt: skip
    made = Arguments(
        function=functions["__init__"], looks=100, distinct=100, by_value=False,
        each=(("zones", zones),),
    )  # fmt: skip
    return replace(seen, arguments=(shops, made))


def test_what_was_unpacked_from_the_object_belongs_to_it() -> None:
    text = """
        from typing import NamedTuple
        class Segment(NamedTuple):
            text: str
            style: str
            @property
            def length(self):
                text, _style = self
                return width(text)
        def width(text):
            return sum(map(cells, text))
        def run(segments):
            return sum(segment.length for segment in segments)
    """
    assert causes(text, ("segment.length for", "return width", "return sum(map")) == {}


def test_what_one_object_works_out_at_each_call_it_could_keep() -> None:
    assert kinds_in(_shops(different=1, zones=100)) == {"Shop.largest": "repeated-work"}


def test_another_object_for_each_call_must_work_it_out() -> None:
    assert kinds_in(_shops(different=100, zones=100)) == {}


def test_many_objects_may_have_been_made_with_the_same() -> None:
    assert kinds_in(_shops(different=100, zones=1)) == {"Shop.largest": "repeated-work"}


def test_what_the_arguments_decide_is_no_repetition() -> None:
    text = """
        def price(item, rates):
            return sum(rate * item for rate in rates)
        def run(items, rates):
            for item in items:
                show(price(item, rates))
    """
    assert causes(text, ("show(price", "return sum")) == {}


def test_reading_the_same_file_at_each_call_is_found() -> None:
    text = """
        PATH = "words.txt"
        def is_word(text):
            with open(PATH) as source:
                for line in source:
                    if line == text:
                        return True
        def run(texts):
            for text in texts:
                show(is_word(text))
    """
    found = causes(text, ("show(is_word", "for line in source"), ("show(is_word", "if line =="))
    assert found["is_word"] in {"repeated-work", "linear-scan"}


def test_a_cache_remembers_already() -> None:
    text = """
        import functools
        @functools.lru_cache
        def table():
            return sorted(range(999))
        def run(names):
            for name in names:
                show(table())
    """
    assert "table" not in causes(text, ("show(table", "return sorted"))


def test_work_that_does_not_depend_on_the_arguments_is_found() -> None:
    text = """
        TABLE = load()
        def price(item):
            known = {row.key: row.price for row in TABLE}
            return known[item]
        def run(items):
            for item in items:
                price(item)
    """
    assert causes(text, ("        price(item)", "known = {row")) == {"price": "repeated-work"}
