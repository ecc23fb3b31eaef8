"""Asking types what they are."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

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
