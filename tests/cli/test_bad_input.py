"""What cannot be used is refused before any work, in one sentence that says what to do."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from perfwright.cli.compare_command import MIN_PAIRS
from perfwright.core import ConfigError
from perfwright.experiments import COMPARE_ALPHA
from perfwright.stats.sequential import plan_looks
from tests.cli.calling import Caller, assert_refused
from tests.system.shops import make_proven, make_shop, make_workload

IDEA = "CREATE INDEX pw_customer ON orders(customer)"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop.db", rows=50)


@pytest.mark.parametrize("command", ["optimize", "profile"])
def test_an_unknown_target_is_refused(command: str, perfwright: Caller) -> None:
    assert_refused(perfwright(command, "nowhere.db"), "nowhere.db", "no such file")


def test_a_target_with_a_line_break_in_its_name_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("profile", "no\nwhere.db"), "no such file")


def test_a_target_name_that_is_too_long_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("profile", "x" * 5000), "error")


def test_a_folder_without_a_configuration_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("profile", "."), "perfwright init")


def test_an_empty_file_is_refused(perfwright: Caller, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert_refused(perfwright("profile", "empty.db"), "is empty")


def test_a_file_that_is_no_database_is_refused(perfwright: Caller, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("milk, eggs, flour", encoding="utf-8")
    assert_refused(perfwright("profile", "notes.db"), "is not a SQLite database")


def test_a_file_that_may_not_be_read_is_refused(
    perfwright: Caller, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def forbid(self: Path, *arguments: object, **options: object) -> object:
        if self.name == shop.name:  # root may read whatever its mode says
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", forbid)
    assert_refused(perfwright("profile", shop), "Permission denied", "check its permissions")


@pytest.mark.parametrize("target", ["http://127.0.0.1/", "https://me:secret@127.0.0.1/shop"])
def test_a_target_that_no_agent_knows_is_refused(target: str, perfwright: Caller) -> None:
    done = perfwright("profile", target)
    assert_refused(done, "no agent can look at")
    assert "secret" not in done.err


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@127.0.0.1/shop?colour=red", "postgresql://me:secret@h/%zz"]
)
def test_a_server_that_is_named_wrongly_is_refused(url: str, perfwright: Caller) -> None:
    done = perfwright("profile", url)
    assert_refused(done, "target = ")
    assert "secret" not in done.err


def test_a_server_that_does_not_answer_is_an_error_with_a_remedy(perfwright: Caller) -> None:
    done = perfwright("profile", "postgresql://me:secret@127.0.0.1:1/shop")
    assert done.code == 2
    assert "check host and port, and that the server runs" in done.err
    assert "secret" not in done.out + done.err


@pytest.mark.parametrize("command", ["profile", "optimize", "try"])
def test_a_server_without_its_driver_is_refused_by_the_extra(
    command: str, perfwright: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    (tmp_path / "idea.sql").write_text(IDEA, encoding="utf-8")
    change = ("--change", "idea.sql") if command == "try" else ()
    done = perfwright(command, "postgresql://me@127.0.0.1:1/shop", *change)
    assert_refused(done, "pip install 'perfwright[postgres]'")


@pytest.mark.parametrize("url", ["sqlite:///x.db", "x.db", "postgresql://me:secret@h/x?colour=red"])
def test_a_place_for_copies_that_is_no_server_is_refused(url: str, perfwright: Caller) -> None:
    done = perfwright("optimize", "postgresql://me@127.0.0.1:1/shop", "--scratch-url", url)
    assert_refused(done, "--scratch-url = ")
    assert "secret" not in done.err


def test_a_refused_target_leaves_no_scratch_folder(perfwright: Caller, tmp_path: Path) -> None:
    perfwright("profile", "http://127.0.0.1/")
    scratch = tmp_path / ".perfwright" / "scratch"
    assert not scratch.exists() or list(scratch.iterdir()) == []


def test_a_scheme_that_nobody_knows_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("profile", "oracle://shop"), "oracle://")


@pytest.mark.parametrize(
    ("goal", "marker"), [("p95 200ms", "    ^"), ("p95<", "     ^"), ("p95<20parsecs", "       ^")]
)
def test_a_goal_that_does_not_parse_shows_where(
    goal: str, marker: str, perfwright: Caller, shop: Path
) -> None:
    done = perfwright("optimize", shop, "--goal", goal)
    assert_refused(done, "goal does not parse", f"  {goal}\n")
    assert done.err.splitlines()[-1].startswith(marker[:3])
    assert done.err.splitlines()[-1].strip() == "^"


@pytest.mark.parametrize(
    "budget", ["0s", "0 experiments", "-5m", "soon", "", "5m,5m", "nan", "inf", "1e3s"]
)
def test_a_budget_that_buys_nothing_is_refused(budget: str, perfwright: Caller, shop: Path) -> None:
    assert_refused(perfwright("optimize", shop, "--budget", budget), "budget does not parse")


@pytest.mark.parametrize("quality", ["fastness", "answers=different", "p95<=10ms", "write_time"])
def test_a_guardrail_that_nobody_watches_is_refused(
    quality: str, perfwright: Caller, shop: Path
) -> None:
    assert_refused(perfwright("optimize", shop, "--quality", quality), quality)


def test_an_unknown_run_is_refused(perfwright: Caller) -> None:
    for command in ("report", "apply"):
        assert_refused(perfwright(command, "zzzzzz"), "zzzzzz", "perfwright ledger")


def test_the_last_run_of_an_empty_ledger_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("report"), "last")


def test_an_unknown_experiment_is_refused(perfwright: Caller, shop: Path, tmp_path: Path) -> None:
    make_proven(tmp_path, shop, IDEA)
    assert_refused(perfwright("apply", "proven.7", "--yes"), "proven.7")


def test_an_unknown_change_is_refused(perfwright: Caller) -> None:
    assert_refused(perfwright("undo", "zzzzzz/1"), "zzzzzz/1")


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("DELETE FROM orders", "only CREATE INDEX"),
        ("DROP TABLE orders", "only CREATE INDEX"),
        ("PRAGMA synchronous=OFF", "only CREATE INDEX"),
        ("CREATE UNIQUE INDEX u ON orders(customer)", "only CREATE INDEX"),
        ("DROP INDEX nothing", "there is no index"),
        (f"{IDEA}; DELETE FROM orders", "only CREATE INDEX"),
    ],
)
def test_an_idea_that_is_never_tried_is_refused(
    sql: str, says: str, perfwright: Caller, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "idea.sql").write_text(sql, encoding="utf-8")
    assert_refused(perfwright("try", shop, "--change", "idea.sql"), says)


def test_an_idea_file_that_is_missing_is_refused(perfwright: Caller, shop: Path) -> None:
    assert_refused(perfwright("try", shop, "--change", "no.sql"), "no.sql")


def test_an_idea_file_that_is_no_text_is_refused(
    perfwright: Caller, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "idea.sql").write_bytes(b"\xff\xfe\x00")
    assert_refused(perfwright("try", shop, "--change", "idea.sql"), "is not text")


# The ledger


def test_a_ledger_below_a_file_is_refused(perfwright: Caller, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_refused(perfwright("ledger", "--ledger", "file/ledger.db"), "cannot be made")


def test_a_ledger_that_is_a_folder_is_refused(perfwright: Caller, tmp_path: Path) -> None:
    assert_refused(perfwright("ledger", "--ledger", tmp_path), "ledger")


def test_an_empty_ledger_place_means_the_usual_one(perfwright: Caller, tmp_path: Path) -> None:
    assert perfwright("ledger", "--ledger", "").code == 0
    assert (tmp_path / ".perfwright" / "ledger.db").is_file()


def test_a_ledger_that_is_no_database_is_refused(perfwright: Caller, tmp_path: Path) -> None:
    (tmp_path / "l.db").write_bytes(b"not a database at all, but long enough to look at" * 9)
    assert_refused(perfwright("ledger", "--ledger", "l.db"), "not a database")


def test_an_altered_change_is_not_undone(perfwright: Caller, shop: Path, tmp_path: Path) -> None:
    place = make_proven(tmp_path, shop, IDEA)
    assert perfwright("apply", "last", "--yes").code == 0
    with closing(sqlite3.connect(place)) as ledger:
        ledger.execute("UPDATE perfwright_changes SET document = replace(document, 'pw_', 'x_')")
        ledger.commit()
    assert_refused(perfwright("undo", "--all"), "does not match its fingerprint")


def test_a_ledger_of_a_later_version_is_refused(
    perfwright: Caller, shop: Path, tmp_path: Path
) -> None:
    place = make_proven(tmp_path, shop, IDEA)
    with closing(sqlite3.connect(place)) as ledger:
        ledger.execute("UPDATE perfwright_meta SET value = '99'")
        ledger.commit()
    assert_refused(perfwright("ledger"), "schema version 99")


# Names and places


@pytest.mark.parametrize(
    "name",
    [
        "with space.db",
        "grün-日本.db",
        "it's.db",
        'say "x".db',
        "100%.db",
        "a%20b.db",
        "what?.db",
        "no#1.db",
        "[red]x.db",
    ],
)
def test_a_target_of_any_name_can_be_changed_and_restored(
    name: str, perfwright: Caller, tmp_path: Path
) -> None:
    from perfwright.cli.running import absolute
    from perfwright.container import resolve
    from tests.system.shops import indexes

    shop = make_shop(tmp_path / name, rows=20)
    make_proven(tmp_path, shop, IDEA, target_name=absolute(resolve(name)))
    assert perfwright("apply", "last", "--yes").code == 0
    assert indexes(shop) == {"pw_customer"}
    assert perfwright("undo", "--all").code == 0
    assert indexes(shop) == set()


def test_a_name_that_is_not_utf_8_is_refused(perfwright: Caller, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.db")
    make_shop(tmp_path / name, rows=20)
    assert_refused(perfwright("profile", name), "not UTF-8")


@pytest.mark.parametrize("option", ["--html", "--markdown"])
def test_a_report_that_cannot_be_written_is_refused(
    option: str, perfwright: Caller, shop: Path, tmp_path: Path
) -> None:
    make_proven(tmp_path, shop, IDEA)
    assert_refused(perfwright("report", option, "no/such/folder/x"), "no/such/folder/x")


def test_init_does_not_overwrite_a_file_unasked(
    perfwright: Caller, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "perfwright.toml").write_text("# mine\n", encoding="utf-8")
    assert perfwright("init", "--yes").code == 2
    assert (tmp_path / "perfwright.toml").read_text(encoding="utf-8") == "# mine\n"


def test_init_without_a_database_says_so(perfwright: Caller) -> None:
    done = perfwright("init")
    assert (done.code, "no SQLite database was found" in done.err) == (2, True)


def test_init_does_not_propose_a_ledger(perfwright: Caller, shop: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger of runs?.db"
    assert perfwright("ledger", "--ledger", ledger).code == 0
    assert ledger.stat().st_size > shop.stat().st_size
    done = perfwright("init")
    assert (done.code, "sqlite:///shop.db" in done.out, "ledger" in done.out) == (0, True, False)


def test_init_proposes_a_database_that_it_cannot_read(perfwright: Caller, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    assert "sqlite:///broken.db" in perfwright("init").out


def test_init_leaves_nothing_beside_a_database(
    perfwright: Caller, shop: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(shop)) as other:
        other.execute("PRAGMA journal_mode = WAL")
    before = sorted(tmp_path.iterdir())
    assert perfwright("init").code == 0
    assert sorted(tmp_path.iterdir()) == before


# Compare


def test_too_few_pairs_are_refused_by_the_number_that_was_given(perfwright: Caller) -> None:
    done = perfwright("compare", "true", "true", "--pairs", "5")
    assert_refused(done, "'--pairs': 5 is not in the range x>=22")


def test_the_fewest_pairs_that_are_allowed_can_prove_something() -> None:
    assert plan_looks(alpha=COMPARE_ALPHA, max_blocks=MIN_PAIRS // 2)
    with pytest.raises(ConfigError, match="at least 22"):
        plan_looks(alpha=COMPARE_ALPHA, max_blocks=MIN_PAIRS // 2 - 1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--budget", "never"),
        ("--budget", "0s"),
        ("--min-effect", "150%"),
        ("--min-effect", "much"),
        ("--timeout", "5GiB"),
        ("--pairs", "1"),
        ("--pairs", "21"),
        ("--pairs", "-4"),
        ("--warmup", "-1"),
    ],
)
def test_an_option_of_compare_that_means_nothing_is_refused(
    option: str, value: str, perfwright: Caller
) -> None:
    assert_refused(perfwright("compare", "true", "true", option, value), "")


@pytest.mark.parametrize("command", ["", "   ", "no-such-program-at-all", "'"])
def test_a_command_that_cannot_be_run_is_refused(command: str, perfwright: Caller) -> None:
    assert_refused(perfwright("compare", command, "true", "--pairs", "22"), "")


# Workloads, which a worker reads


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"{broken\n", "is not JSON"),
        (b'{"sql": 5}\n', 'has no "sql"'),
        (b'{"sql": "SELECT \xff"}\n', "is not UTF-8"),
        (b'{"sql": "PRAGMA user_version"}\n', "holds no SELECT"),
    ],
)
def test_a_workload_that_cannot_be_used_is_refused(
    content: bytes | None, says: str, perfwright: Caller, shop: Path, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "w.jsonl").write_bytes(content)
    done = perfwright("profile", shop, "--workload", "w.jsonl")
    assert done.code == 2
    assert says in done.err


def test_the_lines_that_can_be_used_are(perfwright: Caller, shop: Path, tmp_path: Path) -> None:
    workload = make_workload(tmp_path / "w.jsonl", customers=5)
    with workload.open("a", encoding="utf-8") as file:
        file.write('{broken\n{"sql": "SELECT nothing FROM nowhere"}\n')
    done = perfwright("profile", shop, "--workload", "w.jsonl", "--json")
    assert done.code == 0
    assert "line 31" in done.out
    assert "nowhere" in done.out
