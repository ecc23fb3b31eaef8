"""Which code counts as the user's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import perfwright
from perfwright.profiling.diagnosis import OwnCode
from perfwright.profiling.model import Function

INSTALLED = "/srv/app/.venv/lib/python3.11/site-packages/sqlparse/lexer.py"


def test_without_settings_a_script_is_own() -> None:
    assert OwnCode().owns_file("/srv/app/main.py")


@pytest.mark.parametrize(
    "file", [json.__file__, str(Path(perfwright.__file__)), INSTALLED, "~", "<frozen abc>", ""]
)
def test_without_settings_libraries_are_not_own(file: str) -> None:
    assert not OwnCode().owns_file(file)


def test_the_standard_library_of_another_interpreter_is_not_own() -> None:
    assert not OwnCode().owns_file("/opt/py/lib/python3.13/json/decoder.py")


def test_c_functions_are_not_own() -> None:
    assert not OwnCode(roots=("/srv",)).owns(Function("~", 0, "list.append"))


def test_only_what_is_below_a_root_is_own() -> None:
    own = OwnCode(roots=("/srv/app",))
    assert own.owns_file("/srv/app/shop/cart.py")
    assert not own.owns_file("/srv/application/cart.py")


def test_packages_installed_below_a_root_are_not_own() -> None:
    assert not OwnCode(roots=("/srv/app",)).owns_file(INSTALLED)


@pytest.mark.parametrize(
    "name",
    [
        "sqlparse",
        "/srv/app/.venv/lib/python3.11/site-packages/sqlparse",
        "*/sqlparse/*.py",
        INSTALLED,
    ],
)
def test_a_named_package_is_own_wherever_it_lies(name: str) -> None:
    assert OwnCode(roots=("/srv/app",), named=(name,)).owns_file(INSTALLED)


def test_a_package_is_not_named_by_the_beginning_of_its_name() -> None:
    assert not OwnCode(named=("sql",)).owns_file(INSTALLED)


def test_vendored_code_can_be_declared_foreign() -> None:
    own = OwnCode(roots=("/srv/app",), foreign=("/srv/app/vendor",))
    assert not own.owns_file("/srv/app/vendor/six.py")
    assert own.owns_file("/srv/app/cart.py")


def test_named_wins_over_foreign() -> None:
    own = OwnCode(foreign=("/srv/app/vendor",), named=("/srv/app/vendor/mine.py",))
    assert own.owns_file("/srv/app/vendor/mine.py")


def test_code_typed_into_a_shell_is_own() -> None:
    assert OwnCode(roots=("/srv",)).owns_file("<stdin>")
