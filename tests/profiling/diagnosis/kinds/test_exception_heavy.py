"""Exceptions as a way of working."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

RULE = "exception_heavy"


def test_samples_in_the_handler_prove_that_it_runs() -> None:
    text = """
        def number(cell):
            try:
                return int(cell)
            except ValueError:
                return None
        def run(cells):
            return [number(cell) for cell in cells]
    """
    call = "number(cell) for"
    assert culprits(RULE, text, (call, "return int"), (call, "except ValueError")) == ["number"]
    assert culprits(RULE, text, (call, "return int")) == []


def test_formatting_tracebacks_is_found() -> None:
    text = """
        import traceback
        def handle(event):
            note(traceback.format_exc())
    """
    assert culprits(RULE, text, ("traceback.format", ("traceback.py", "format"))) == ["handle"]


def test_a_handler_that_does_the_work_once_is_no_fault() -> None:
    text = """
        def load(path):
            try:
                return cached(path)
            except KeyError:
                return compute(path)
    """
    assert culprits(RULE, text, ("return compute",)) == []


def test_a_handler_around_the_loop_runs_once() -> None:
    text = """
        def total(cells):
            try:
                return sum(int(cell) for cell in cells)
            except ValueError:
                return slow(cells)
    """
    assert causes(text, ("return slow",)) == {}
