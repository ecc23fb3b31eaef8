"""The registry: one file, one rule."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType

import pytest

from perfwright.core import ConfigError, Layer, Remedy, Scope, discover

RULE = """
from perfwright.core import Layer, Remedy, Scope
RULE = Remedy(
    id={id!r}, layer=Layer.DATABASE, answers=(), scope=Scope.QUICK_WIN,
    propose=lambda artifacts, findings: iter(()), why="",
)
"""


def package_of(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Write and import a package; its name is that of the folder."""
    name = f"rules_{abs(hash(tuple(files.items())))}"
    package = folder / name
    package.mkdir()
    (package / "__init__.py").touch()
    for file, text in files.items():
        (package / f"{file}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return importlib.import_module(name)


def remedies(package: ModuleType, **options: str) -> list[str]:
    found: tuple[Remedy[object], ...] = discover(package, kind=Remedy, **options)
    return [rule.id for rule in found]


def test_rules_come_sorted_by_identifier(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a_file": RULE.format(id="zebra"), "z_file": RULE.format(id="ant")}
    assert remedies(package_of(own_folder, files, monkeypatch)) == ["ant", "zebra"]


def test_private_modules_hold_no_rule(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"rule": RULE.format(id="one"), "_helper": "raise RuntimeError"}
    assert remedies(package_of(own_folder, files, monkeypatch)) == ["one"]


def test_an_identifier_may_be_used_once(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"first": RULE.format(id="same"), "second": RULE.format(id="same")}
    package = package_of(own_folder, files, monkeypatch)
    with pytest.raises(ConfigError, match="is taken already") as caught:
        remedies(package)
    assert caught.value.field == f"{package.__name__}.second.RULE"
    assert caught.value.value == "same"


@pytest.mark.parametrize("text", ["", "RULE = 3"])
def test_a_module_without_a_rule_of_the_kind_is_refused(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    package = package_of(own_folder, {"broken": text}, monkeypatch)
    with pytest.raises(ConfigError, match="is not a Remedy"):
        remedies(package)


def test_rules_of_other_packages_come_through_their_entry_points(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule: Remedy[object] = Remedy(
        id="foreign",
        layer=Layer.LLM,
        answers=(),
        scope=Scope.QUICK_WIN,
        propose=lambda artifacts, findings: iter(()),
        why="",
    )
    foreign = ModuleType("foreign_rules")
    foreign.__dict__["RULE"] = rule
    monkeypatch.setitem(sys.modules, "foreign_rules", foreign)
    point = EntryPoint(name="x", value="foreign_rules:RULE", group="perfwright.remedies")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: EntryPoints([point]))
    package = package_of(own_folder, {"own": RULE.format(id="own")}, monkeypatch)
    assert remedies(package, group="perfwright.remedies") == ["foreign", "own"]
