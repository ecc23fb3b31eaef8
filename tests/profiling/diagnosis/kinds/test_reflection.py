"""Asking types what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Call, Function
from tests.profiling.diagnosis.kinds.claims import claims, culprits

RULE = "reflection"


def test_names_looked_up_at_run_time_in_a_loop_are_found() -> None:
    text = """
        def export(rows, fields):
            for row in rows:
                yield [getattr(row, field) for field in fields]
    """
    assert culprits(RULE, text, ("getattr(row",)) == ["export"]


def test_a_spelled_name_with_a_default_is_no_reflection() -> None:
    text = """
        def prices(rows):
            for row in rows:
                yield getattr(row, "price", 0)
    """
    assert culprits(RULE, text, ("getattr(row",)) == []


def test_inspecting_once_is_no_fault() -> None:
    text = "import inspect\ndef register(f):\n    return inspect.signature(f)\n"
    path = ("return inspect", ("inspect.py", "signature"))
    assert culprits(RULE, text, path) == []


SERVING = """
    import inspect
    def serve(request):
        return answer(request)
    def run(requests):
        for request in requests:
            serve(request)
"""


@pytest.mark.parametrize(
    "asked",
    [
        ("inspect.py", "signature"),
        ("typing.py", "get_type_hints"),
        ("dataclasses.py", "asdict"),
        ("importlib/metadata/__init__.py", "version"),
    ],
)
def test_asking_what_a_type_is_made_of_at_each_call_is_found(asked: tuple[str, str]) -> None:
    assert culprits(RULE, SERVING, ("    serve(request)", "return answer", asked)) == ["serve"]


@pytest.mark.parametrize(
    "asked",
    [
        ("dataclasses.py", "_recursive_repr.<locals>.wrapper"),
        ("dataclasses.py", "__create_fn__.<locals>.__eq__"),
        ("inspect.py", "isgeneratorfunction"),
        ("typing.py", "cast"),
        ("ast.py", "literal_eval"),
    ],
)
def test_a_class_of_the_library_at_work_asks_for_no_types(asked: tuple[str, str]) -> None:
    assert culprits(RULE, SERVING, ("    serve(request)", "return answer", asked)) == []


def test_one_name_at_each_call_costs_next_to_nothing() -> None:
    text = """
        def make(state, name):
            return getattr(state, name)
        def run(state, names):
            for name in names:
                make(state, name)
    """
    assert culprits(RULE, text, ("    make(state", "getattr(state")) == []


def test_listing_all_names_of_an_object_at_each_call_is_found() -> None:
    text = """
        def is_record(value):
            return "fields" in dir(value)
        def run(values):
            for value in values:
                is_record(value)
    """
    assert culprits(RULE, text, ("    is_record(value)", "in dir(value)")) == ["is_record"]


def test_the_attributes_of_an_object_are_there_already() -> None:
    text = """
        def export(rows):
            for row in rows:
                yield dict(vars(row))
    """
    assert culprits(RULE, text, ("vars(row)",)) == []


def test_a_name_that_is_a_constant_of_the_module_is_spelled_out() -> None:
    text = """
        LABEL = "label"
        def export(rows):
            for row in rows:
                yield getattr(row, LABEL)
    """
    assert culprits(RULE, text, ("getattr(row",)) == []


def test_a_look_up_that_takes_little_of_its_line_is_no_fault() -> None:
    text = """
        def adapters(parser, names):
            for name in names:
                yield partial(parser.get, getattr(parser, name))
    """
    profile = example(text, ("yield partial",))
    function = frame_of(text, "def adapters").function

    def found(took_s: float) -> list[str]:
        looked_up = Call(
            caller=function,
            callee=Function("~", 0, "<built-in method builtins.getattr>"),
            count=1_000,
            self_s=took_s,
            cumulative_s=took_s,
        )
        return [c.function.name for c in claims(RULE, replace(profile, calls=(looked_up,)))]

    assert found(0.5) == ["adapters"]
    assert found(0.01) == []
