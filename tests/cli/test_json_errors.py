"""What a program reads when a command with --json fails: one document, and what to do."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import perfwright as package
from perfwright.cli import optimize_command, report_command
from perfwright.container import Workspace
from perfwright.experiments.ledger import RunRecord
from tests.cli.calling import Caller, Finished
from tests.system.shops import make_proven, make_shop

IDEA = "CREATE INDEX pw_customer ON orders(customer)"
NOBODY = "postgresql://me:geheim@127.0.0.1:1/shop"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "idea.sql").write_text(IDEA, encoding="utf-8")
    (tmp_path / "drop.sql").write_text("DROP TABLE orders", encoding="utf-8")
    (tmp_path / "broken.jsonl").write_text("{", encoding="utf-8")
    (tmp_path / "not-a-ledger").write_text("milk, eggs, flour", encoding="utf-8")
    return make_shop(tmp_path / "shop.db", rows=50)


def read(done: Finished) -> dict[str, Any]:
    """The one document of a failed command, which shows nothing of our source."""
    assert done.code == 2, done
    document: dict[str, Any] = json.loads(done.out)
    assert "Traceback" not in done.out + done.err
    assert str(Path(package.__file__).parent) not in done.out + done.err
    assert "geheim" not in done.out + done.err
    return document


@pytest.mark.parametrize(
    ("arguments", "error", "remedy"),
    [
        (("profile", "nowhere.db"), "no such file", "check the path"),
        (("profile", "mysql://x/y"), "are not known", "use sqlite:///FILE"),
        (("profile",), "Missing argument 'TARGET'", "perfwright profile --help"),
        (("optimize", "shop.db", "--bogus"), "--bogus", "perfwright optimize --help"),
        (("optimize", "shop.db", "--budget", "soon"), "budget does not parse", "write a number"),
        (("optimize", "shop.db", "--quality", "x<=1"), "quality = 'x<=1'", "correct quality"),
        (("optimize", "shop.db", "--workload", "no.jsonl"), "no such file", "correct workload"),
        (("optimize", NOBODY, "--scratch-url", "x.db"), "--scratch-url", "correct --scratch-url"),
        (("try", "shop.db", "--change", "no.sql"), "no.sql", "correct --change"),
        (
            ("try", "shop.db", "--change", "drop.sql"),
            "only CREATE INDEX",
            "leave this change out",
        ),
        (("try", NOBODY, "--change", "idea.sql"), "refused", "that the server runs"),
        (("report", "zzzzzz"), "no run 'zzzzzz'", "perfwright ledger"),
        (("report", "--ledger", "not-a-ledger"), "not a database", "Restore it from a copy"),
        (("ledger", "--ledger", "idea.sql/l.db"), "cannot be made", "--ledger"),
        (("compare", "true"), "Missing argument", "perfwright compare --help"),
        (("compare", "true", "true", "--pairs", "3"), "not in the range", "compare --help"),
        (("compare", "false", "true"), "ended with exit code 1", "run it by itself"),
        (("compare", "", "true"), "is empty", "run it by itself"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_refusal_is_a_document_that_says_what_to_do(
    arguments: tuple[str, ...], error: str, remedy: str, shop: Path, perfwright: Caller
) -> None:
    assert shop.is_file()
    document = read(perfwright(*arguments, "--json"))
    assert document.keys() == {"schema", "error", "remedy"}
    assert document["schema"] == "perfwright/error/1"
    assert error in document["error"]
    assert remedy in document["remedy"]


@pytest.mark.parametrize(
    ("arguments", "error", "remedy"),
    [
        (("profile", NOBODY), "Connection refused", "check host and port"),
        (("optimize", NOBODY), "Connection refused", "check host and port"),
        (("profile", "shop.db", "--workload", "broken.jsonl"), "is not JSON", "correct workload"),
        (("optimize", "shop.db", "--workload", "broken.jsonl"), "is not JSON", "correct workload"),
    ],
)
def test_a_run_that_could_not_look_says_what_to_do(
    arguments: tuple[str, ...], error: str, remedy: str, shop: Path, perfwright: Caller
) -> None:
    assert shop.is_file()
    document = read(perfwright(*arguments, "--json"))
    assert (document["schema"], document["status"]) == ("perfwright/run/1", "failed")
    (failure,) = document["failures"]
    assert failure.keys() == {"agent", "step", "error", "remedy"}
    assert error in failure["error"]
    assert remedy in failure["remedy"]


def test_a_doctor_that_cannot_connect_says_what_to_do(perfwright: Caller) -> None:
    document = read(perfwright("doctor", NOBODY, "--json"))
    (check,) = (one for one in document["checks"] if one["name"] == "connection")
    assert not check["ok"]
    assert "check host and port" in check["remedy"]


def test_people_get_the_sentence_on_standard_error_alone(perfwright: Caller) -> None:
    done = perfwright("profile", "nowhere.db")
    assert (done.code, done.out) == (2, "")


def test_the_word_of_a_measured_command_is_not_ours(perfwright: Caller) -> None:
    done = perfwright("record", "--", "no-such-program-at-all", "--json")
    assert (done.code, done.out) == (2, "")


def test_an_interrupted_command_leaves_a_document(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report_command, "open_and_report", stop)
    assert read(perfwright("report", "--json"))["error"] == "stopped; nothing is left in flight"


def test_a_defect_of_ours_is_told_to_a_program_without_its_traceback(
    perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("some defect")

    monkeypatch.setattr(report_command, "open_and_report", fail)
    document = read(perfwright("report", "--json"))
    assert document["error"] == "ValueError: some defect"
    assert "without --json" in document["remedy"]
    with pytest.raises(ValueError, match="some defect"):
        perfwright("report")


def test_a_change_that_cannot_be_applied_adds_no_second_document(
    shop: Path, tmp_path: Path, perfwright: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_proven(tmp_path, shop, IDEA)
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute(IDEA)

    def proven(*_: object, workspace: Workspace, **__: object) -> RunRecord:
        return workspace.ledger.run("last")

    monkeypatch.setattr(optimize_command, "carry_out", proven)
    done = perfwright("optimize", shop, "--json", "--apply")
    assert read(done)["schema"] == "perfwright/run/1"
    assert "exists already" in done.err
