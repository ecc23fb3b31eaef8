"""Work at import."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

RULE = "start_up"

FIND = ("importlib/_bootstrap.py", "_find_and_load")


def test_what_an_imported_module_calls_is_blamed() -> None:
    text = """
        def main():
            import tables
        def build_table():
            return {n: n * n for n in range(10 ** 6)}
    """
    assert culprits(RULE, text, ("import tables", FIND, "return {n")) == ["build_table"]


def test_a_small_part_of_a_long_run_is_no_fault() -> None:
    text = """
        def main(rows):
            import driver
            return sorted(rows)
    """
    work = [("return sorted",)] * 20
    assert culprits(RULE, text, ("import driver", FIND), *work) == []


def test_who_imports_in_a_function_is_blamed_for_a_library() -> None:
    text = """
        def main():
            import pandas
            work()
    """
    path = ("import pandas", FIND, ("site-packages/pandas/core.py", "<module>"))
    assert causes(text, path) == {"main": "start-up"}
