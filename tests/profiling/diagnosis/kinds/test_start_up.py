"""Work at import."""

from __future__ import annotations

from perfwright.profiling.diagnosis.examples import Where, example
from tests.profiling.diagnosis.kinds.claims import causes, claims, culprits

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


LOADER = """
    import importlib
    def tasks(names):
        for name in names:
            found[name] = importlib.import_module(name)
    def build():
        return {n: n * n for n in range(10 ** 6)}
"""


def _import_of(module: str) -> tuple[Where, ...]:
    return (FIND, (f"site-packages/{module}.py", "<module>"))


def test_who_imports_several_modules_in_a_loop_answers_for_all() -> None:
    paths = [("import_module(name)", *_import_of(module)) for module in ("a", "b", "c")]
    assert culprits(RULE, LOADER, *paths, ("import_module(name)", FIND, "return {n")) == [
        "tasks",
        "build",
        "tasks",
    ]
    assert causes(LOADER, *paths)["tasks"] == "start-up"


def test_one_module_found_in_a_loop_is_no_collection() -> None:
    path: tuple[Where, ...] = ("import_module(name)", *_import_of("a"))
    assert culprits(RULE, LOADER, path) == ["tasks"]
    assert "several" not in claims(RULE, example(LOADER, path))[0].evidence


def test_a_module_that_is_never_found_is_no_start_up() -> None:
    path = ("import_module(name)", FIND, ("importlib/_bootstrap_external.py", "find_spec"))
    calls = {("import importlib", "def tasks"): 5000}
    assert claims(RULE, example(LOADER, path, calls=calls)) == []
