"""Exceptions as a way of working."""

from __future__ import annotations

from perfwright.profiling.diagnosis.examples import example
from tests.profiling.diagnosis.kinds.claims import causes, claims, culprits, kinds_in

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


FINDER = """
    def load(name):
        try:
            return __import__(name)
        except ImportError:
            return None
    def parse(records):
        return [load(record.kind) for record in records]
"""
FIND = ("importlib/_bootstrap.py", "_find_and_load")


def test_imports_that_fail_each_time_are_found() -> None:
    path = ("load(record", "return __import__", FIND)
    often = example(FINDER, path, calls={("load(record", "def load"): 5000})
    assert [c.function.name for c in claims(RULE, often)] == ["load"]
    assert kinds_in(often) == {"load": "exception-heavy"}


def test_an_import_tried_once_is_no_habit() -> None:
    path = ("load(record", "return __import__", FIND)
    assert claims(RULE, example(FINDER, path, calls={("load(record", "def load"): 3})) == []


def test_an_import_that_runs_a_module_was_found() -> None:
    path = ("load(record", "return __import__", FIND, ("site-packages/a.py", "<module>"))
    assert claims(RULE, example(FINDER, path, calls={("load(record", "def load"): 5000})) == []


def test_a_try_whose_body_mostly_succeeds_is_not_charged_with_it() -> None:
    text = """
        def resume(process):
            try:
                process.send(None)
            except StopIteration:
                process.end()
        def run(processes):
            for process in processes:
                resume(process)
    """
    work = [("        resume(process)", "process.send")] * 20
    handled = [("        resume(process)", "except StopIteration")] * 3
    (found,) = claims(RULE, example(text, *work, *handled))
    assert len(found.samples) == 3
