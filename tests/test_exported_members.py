"""What a package exports is written down once, in `__all__`: sorted, complete and real."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import perfwright

ROOT = Path(perfwright.__file__).parent
PACKAGES = sorted(
    ".".join(["perfwright", *init.parent.relative_to(ROOT).parts])
    for init in ROOT.rglob("__init__.py")
)


def exported(package: str) -> list[str]:
    """Return `__all__` of `package`; a package without one exports nothing."""
    return list(getattr(importlib.import_module(package), "__all__", []))


def own_imports(statements: list[ast.stmt]) -> Iterator[str]:
    """Yield the public names that `statements` import from perfwright itself."""
    for statement in statements:
        match statement:
            case ast.ImportFrom(module=str(module), names=names) if within_perfwright(module):
                bound = (alias.asname or alias.name for alias in names)
                yield from (name for name in bound if not name.startswith("_"))
            case ast.If(body=body, orelse=orelse):  # `if TYPE_CHECKING:` of a lazy package
                yield from own_imports([*body, *orelse])
            case _:
                pass


def within_perfwright(module: str) -> bool:
    return module.partition(".")[0] == "perfwright"


@pytest.mark.parametrize("package", PACKAGES)
def test_all_is_sorted_without_repeats(package: str) -> None:
    names = exported(package)
    assert names == sorted(set(names))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_exists(package: str) -> None:
    module = importlib.import_module(package)
    missing = [name for name in exported(package) if not hasattr(module, name)]
    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_that_a_package_imports_is_exported(package: str) -> None:
    source = Path(str(importlib.import_module(package).__file__)).read_text(encoding="utf-8")
    unlisted = set(own_imports(ast.parse(source).body)) - set(exported(package))
    assert unlisted == set()


def test_imports_for_type_checkers_count_as_public() -> None:
    source = "if TYPE_CHECKING:\n    from perfwright.core import Goal, _parse\nimport sys\n"
    assert list(own_imports(ast.parse(source).body)) == ["Goal"]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_exported_name_is_hidden_by_a_module_of_that_name(package: str) -> None:
    found = importlib.import_module(package)
    folder = Path(str(found.__file__)).parent
    for name in exported(package):
        if (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file():
            importlib.import_module(f"{package}.{name}")  # it binds the name, too
    hidden = [name for name in exported(package) if isinstance(getattr(found, name), ModuleType)]
    assert hidden == []
