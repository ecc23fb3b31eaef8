"""Real programs under `perfwright record`."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from perfwright.agents.database.workload import load_workload

# As `perfwright record`, with the error messages of `perfwright`.
RECORD = """\
import sys
from perfwright.cli import group
from perfwright.cli.record_command import command
group.perfwright = command
sys.argv[0] = "perfwright record"
group.main()
"""
TABLE = "import sqlite3\ndb = sqlite3.connect('shop.db')\ndb.execute('CREATE TABLE t (a, b)')\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    code: int
    stdout: str
    stderr: str
    entries: list[dict[str, Any]]

    @property
    def sql(self) -> list[str]:
        return [entry["sql"] for entry in self.entries]

    def entry(self, sql: str) -> dict[str, Any]:
        return next(entry for entry in self.entries if entry["sql"] == sql)


def program(source: str) -> list[str]:
    """Write a Python program into the test's folder and return its command."""
    Path("app.py").write_text(textwrap.dedent(source))
    return [sys.executable, "app.py"]


def command(argv: Sequence[str], *options: str) -> list[str]:
    return [sys.executable, "-c", RECORD, *options, "--", *argv]


def record(
    argv: Sequence[str], *options: str, stdin: str = "", env: dict[str, str] | None = None
) -> Run:
    done = subprocess.run(
        command(argv, *options),
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    out = Path("workload.jsonl")
    return Run(
        code=done.returncode,
        stdout=done.stdout,
        stderr=done.stderr,
        entries=[json.loads(line) for line in out.read_text().splitlines()] if out.exists() else [],
    )


def wait_for(path: str) -> None:
    deadline = time.monotonic() + 20
    while not Path(path).exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


# --- What is recorded ---------------------------------------------------------------------------


def test_every_way_to_run_a_statement_is_recorded() -> None:
    run = record(
        program(
            TABLE
            + """
from sqlite3 import connect
from sqlite3 import dbapi2 as Database
cursor = db.cursor()
cursor.execute("INSERT INTO t VALUES (?, ?)", (1, "one"))
db.executemany("INSERT INTO t VALUES (:a, 2)", [{"a": 2}, {"a": 3}])
cursor.executemany("DELETE FROM t WHERE a = ?", ((n,) for n in range(7, 9)))
db.executescript("SELECT 'x;'; DROP TABLE IF EXISTS u")
cursor.executescript("SELECT 5;")
connect("shop.db", factory=Database.Connection).cursor().execute("SELECT 6")
Database.Cursor(db).execute("SELECT 7")
"""
        )
    )
    assert [(entry["sql"], entry["params"]) for entry in run.entries] == [
        ("CREATE TABLE t (a, b)", []),
        ("INSERT INTO t VALUES (?, ?)", [1, "one"]),
        ("INSERT INTO t VALUES (:a, 2)", {"a": 2}),
        ("INSERT INTO t VALUES (:a, 2)", {"a": 3}),
        ("DELETE FROM t WHERE a = ?", [7]),
        ("DELETE FROM t WHERE a = ?", [8]),
        ("SELECT 'x;';", []),
        ("DROP TABLE IF EXISTS u", []),
        ("SELECT 5;", []),
        ("SELECT 6", []),
        ("SELECT 7", []),
    ]
    assert {entry["db"] for entry in run.entries} == {str(Path("shop.db").resolve())}


def test_the_file_is_a_workload() -> None:
    record(
        program(
            TABLE
            + "for n in range(9): db.execute('SELECT b FROM t WHERE a = ?', (n,)).fetchall()\n"
        )
    )
    workload = load_workload(Path("workload.jsonl"))
    assert [(shape.text, shape.calls) for shape in workload.shapes] == [
        ("select b from t where a = ?", 9)
    ]


def test_time_spent_fetching_counts_for_the_statement() -> None:
    run = record(
        program(
            """
            import sqlite3, time
            db = sqlite3.connect(":memory:")
            db.create_function("slow", 1, lambda n: time.sleep(0.02))
            rows = "WITH n(i) AS (VALUES (1), (2), (3), (4), (5), (6)) SELECT slow(i) FROM n"
            db.execute(rows + " -- one").fetchone()
            db.execute(rows + " -- all").fetchall()
            list(db.execute(rows + " -- list"))
            start, slept = time.perf_counter(), 0.0
            cursor = db.execute(rows + " -- many")
            while cursor.fetchmany(2):
                before = time.perf_counter()
                time.sleep(0.05)
                slept += time.perf_counter() - before
            print(1000 * (time.perf_counter() - start - slept))
            """
        )
    )
    ms = {entry["sql"].rpartition(" ")[2]: entry["ms"] for entry in run.entries}
    assert ms["one"] >= 20
    assert min(ms["all"], ms["list"], ms["many"]) >= 120
    assert ms["many"] <= float(run.stdout)  # without the time that the program took for itself


def test_cursors_open_at_the_end_are_recorded() -> None:
    run = record(program("import sqlite3\nc = sqlite3.connect(':memory:').execute('SELECT 1')\n"))
    assert run.sql == ["SELECT 1"]


def test_long_batches_are_counted() -> None:
    run = record(
        program(TABLE + "db.executemany('INSERT INTO t VALUES (?, 1)', ((n,) for n in range(999)))")
    )
    assert len(run.entries) == 1 + 100
    assert run.entries[-1]["count"] == 900
    assert "1,000 statements (1 distinct shape)" in run.stderr


def test_subclasses_of_the_program_hand_down_what_really_runs() -> None:
    run = record(
        program(
            """
            from sqlite3 import dbapi2 as Database  # as Django does it

            class Cursor(Database.Cursor):
                def execute(self, query, params=()):
                    return super().execute(query.replace("%s", "?"), params)

            class Connection(Database.Connection):
                def cursor(self):
                    return super().cursor(factory=Cursor)

            db = Database.connect("shop.db", factory=Connection)
            db.cursor().execute("SELECT %s", (1,))
            """
        )
    )
    assert run.sql == ["SELECT ?"]


def test_sqlalchemy_is_recorded() -> None:
    run = record(
        program(
            """
            import sqlalchemy as sa
            engine = sa.create_engine("sqlite:///shop.db")
            with engine.begin() as db:
                db.execute(sa.text("CREATE TABLE t (a)"))
                db.execute(sa.text("INSERT INTO t VALUES (:a)"), [{"a": 1}, {"a": 2}])
                print(db.execute(sa.text("SELECT a FROM t WHERE a > :b"), {"b": 1}).all())
            """
        )
    )
    assert run.stdout == "[(2,)]\n"
    assert run.entry("SELECT a FROM t WHERE a > ?")["params"] == [1]


def test_threads_are_recorded() -> None:
    run = record(
        program(
            """
            import sqlite3, threading
            def work():
                db = sqlite3.connect("shop.db")
                for n in range(100):
                    db.execute("SELECT ?", (n,)).fetchone()
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            """
        )
    )
    assert len(run.entries) == 400


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_children_are_recorded_once(method: str) -> None:
    run = record(
        program(
            f"""
            import multiprocessing, sqlite3
            def work(n):
                sqlite3.connect(":memory:").execute("SELECT ?", (n,))
            if __name__ == "__main__":
                db = sqlite3.connect("shop.db")
                unread = db.execute("SELECT 'parent'")
                with multiprocessing.get_context("{method}").Pool(2) as pool:
                    pool.map(work, range(4))
            """
        )
    )
    values = sorted(entry["params"][0] for entry in run.entries if entry["sql"] == "SELECT ?")
    assert values == [0, 1, 2, 3]
    assert run.sql.count("SELECT 'parent'") == 1


def test_a_child_that_leaves_without_cleaning_up_is_recorded() -> None:
    run = record(
        program(
            """
            import os, sqlite3, subprocess, sys
            code = "import os, sqlite3; sqlite3.connect('x.db').execute('SELECT 1').fetchall(); "
            subprocess.run(["sh", "-c", sys.executable + ' -c "$0"', code + "os._exit(0)"])
            """
        )
    )
    assert run.sql == ["SELECT 1"]


# --- What the program notices -------------------------------------------------------------------


def test_the_program_finds_sqlite3_as_it_knows_it() -> None:
    checks = """
        import sqlite3, sys, os, warnings
        db = sqlite3.connect(":memory:")
        seen = []
        db.set_trace_callback(seen.append)
        db.row_factory = sqlite3.Row
        print(db.execute("SELECT 1 AS one").fetchone()["one"], seen)
        print(isinstance(db, sqlite3.Connection), type(db), type(db.cursor()))
        print(sqlite3.Connection.__doc__, sqlite3.Cursor.__doc__ == sqlite3.dbapi2.Cursor.__doc__)
        for call in [
            lambda: db.execute("SELEC"),
            lambda: db.execute("SELECT ?", ()),
            lambda: db.execute(),
            lambda: db.executemany("SELECT ?", [(1,)]),
            lambda: db.executemany("INSERT INTO x VALUES (?)", 5),
            lambda: db.cursor().executescript(5),
            lambda: sqlite3.connect("/no/such/folder/x.db"),
            lambda: sqlite3.connect(),
            lambda: next(db.execute("SELECT 1 WHERE 0")),
        ]:
            try:
                call()
            except Exception as error:
                print(type(error), error)
        print(sys.path, [name for name in sys.modules if name == "sitecustomize"])
        print(sys.argv, os.getcwd(), sys.stdin.read())
        sys.exit(7)
    """
    argv = program(checks)
    plain = subprocess.run(argv, input="in", capture_output=True, text=True, check=False)
    run = record(argv, stdin="in")
    assert run.stdout == plain.stdout.replace("[]\n", "['sitecustomize']\n")
    assert run.code == plain.returncode == 7


def test_failed_statements_are_counted_but_not_recorded() -> None:
    run = record(program(TABLE + "try: db.execute('SELEC')\nexcept sqlite3.Error: pass\n"))
    assert run.sql == ["CREATE TABLE t (a, b)"]
    assert "1 execution left out that failed in the program" in run.stderr


def test_an_uncaught_error_ends_in_the_programs_own_line() -> None:
    run = record(program(TABLE + "db.execute('SELEC')\n"))
    assert run.code == 1
    assert "in <module>\n    db.execute('SELEC')\n" in run.stderr
    assert 'OperationalError: near "SELEC": syntax error' in run.stderr


def test_the_environments_own_sitecustomize_runs() -> None:
    Path("site").mkdir()
    Path("site/sitecustomize.py").write_text("import builtins\nbuiltins.customized = __file__\n")
    run = record(program("print(customized)\n"), env={"PYTHONPATH": "site"})
    assert run.stdout.strip().endswith("site/sitecustomize.py")


def test_the_programs_pythonpath_still_holds() -> None:
    Path("lib").mkdir()
    Path("lib/helper.py").write_text("print('helped')\n")
    run = record(program("import helper\n"), env={"PYTHONPATH": "lib"})
    assert run.stdout == "helped\n"


def test_a_program_without_sqlite3_loads_next_to_nothing() -> None:
    argv = program("import sys\nprint(*sorted(sys.modules))\n")
    plain = subprocess.run(argv, capture_output=True, text=True, check=True)
    added = set(record(argv).stdout.split()) - set(plain.stdout.split())
    names = {name for name in added if not name.startswith("_perfwright_recorder")}
    assert names <= {"sitecustomize", "__future__"}


def test_errors_of_the_recorder_do_not_reach_the_program() -> None:
    run = record(
        program(
            """
            import os, shutil, sqlite3
            db = sqlite3.connect(":memory:")
            db.execute("SELECT 1")
            class Odd(str):
                def __conform__(self, protocol):
                    Odd.calls += 1
                    if Odd.calls > 1: raise ZeroDivisionError
                    return "odd"
                calls = 0
            print(db.execute("SELECT ?", (Odd("x"),)).fetchone())
            """
        )
    )
    assert run.stdout == "('odd',)\n"
    assert run.code == 0
    assert "the recorder failed 1 time and missed statements; first: ZeroDivision" in run.stderr


def test_a_program_that_closes_all_descriptors_goes_on() -> None:
    run = record(
        program(
            TABLE
            + """
import os
os.closerange(3, 100)
own = open("own.txt", "w")
db = sqlite3.connect(":memory:")
db.execute("SELECT 2")
own.close()
print(repr(open("own.txt").read()))
"""
        )
    )
    assert run.stdout == "''\n"
    assert run.sql == ["CREATE TABLE t (a, b)", "SELECT 2"]


# --- Signals ------------------------------------------------------------------------------------

SERVER = """
    import os, signal, sqlite3, sys, time
    {handler}
    db = sqlite3.connect(":memory:")
    db.execute("SELECT 1").fetchall()
    open("ready", "w").close()
    time.sleep(30)
"""
HANDLER = "signal.signal(signal.{0}, lambda *_: (print('got {0}', flush=True), sys.exit(5)))"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_reach_the_program(name: str) -> None:
    argv = program(SERVER.format(handler=HANDLER.format(name)))
    with subprocess.Popen(command(argv), stdout=subprocess.PIPE, text=True) as process:
        wait_for("ready")
        process.send_signal(getattr(signal, name))
        stdout, _ = process.communicate()
    assert stdout == f"got {name}\n"
    assert process.returncode == 5
    assert "SELECT 1" in Path("workload.jsonl").read_text()


def test_a_program_that_a_signal_kills_leaves_its_statements() -> None:
    argv = program(SERVER.format(handler=""))
    with subprocess.Popen(command(argv)) as process:
        wait_for("ready")
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    assert "SELECT 1" in Path("workload.jsonl").read_text()


def test_ctrl_c_in_a_terminal_reaches_the_program_once() -> None:
    handler = "signal.signal(signal.SIGINT, lambda *_: open('got', 'a').write('x'))"
    ending = "while not os.path.exists('got'): time.sleep(0.02)\n"
    ending += "    time.sleep(0.3)\n    sys.exit(6)"
    argv = program(SERVER.format(handler=handler).replace("time.sleep(30)", ending))
    ours, theirs = pty.openpty()
    become_terminal = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    become_terminal += "os.execv(sys.argv[1], sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", become_terminal, *command(argv)],
        stdin=theirs,
        start_new_session=True,
    ) as process:
        wait_for("ready")
        os.write(ours, b"\x03")
    os.close(ours)
    os.close(theirs)
    assert Path("got").read_text() == "x"
    assert process.returncode == 6


# --- The file -----------------------------------------------------------------------------------

SELECT = "import sqlite3\nsqlite3.connect(':memory:').execute('SELECT ?', ('Ann',))\n"


def test_only_the_owner_can_read_the_file() -> None:
    Path("workload.jsonl").touch(mode=0o644)
    record(program(SELECT))
    assert stat.S_IMODE(Path("workload.jsonl").stat().st_mode) == 0o600


def test_a_file_that_holds_something_is_refused_before_the_program_starts() -> None:
    Path("workload.jsonl").write_text('{"sql": "SELECT 0"}\n')
    run = record(["touch", "started"])
    assert (run.code, run.sql) == (2, ["SELECT 0"])
    assert "is not empty; --append adds to it, --force overwrites it" in run.stderr
    assert not Path("started").exists()


def test_an_empty_file_is_written_unasked() -> None:
    Path("workload.jsonl").touch()
    assert record(program(SELECT)).sql == ["SELECT ?"]


def test_a_forced_recording_replaces_the_old_one() -> None:
    Path("workload.jsonl").write_text('{"sql": "SELECT 0"}\n')
    assert record(program(SELECT), "--force").sql == ["SELECT ?"]


def test_a_recording_can_be_added_to_a_file_without_a_last_line_end() -> None:
    Path("workload.jsonl").write_text('{"sql": "SELECT 0"}')
    assert record(program(SELECT), "--append").sql == ["SELECT 0", "SELECT ?"]


def test_an_empty_recording_leaves_the_old_one() -> None:
    Path("workload.jsonl").write_text('{"sql": "SELECT 0"}\n')
    assert record(program("pass"), "--force").sql == ["SELECT 0"]


def test_without_params_no_value_is_in_the_file() -> None:
    run = record(program(SELECT), "--no-params")
    assert run.sql == ["SELECT ?"]
    assert "Ann" not in Path("workload.jsonl").read_text()


def test_several_databases_are_named() -> None:
    run = record(program(TABLE + SELECT))
    assert "on 2 databases written to workload.jsonl" in run.stderr
    assert f"several databases: {Path('shop.db').resolve()} (1), :memory: (1)" in run.stderr
    assert "--db PATH" in run.stderr


def test_one_database_can_be_chosen() -> None:
    run = record(program(TABLE + SELECT), "--db", "shop.db")
    assert run.sql == ["CREATE TABLE t (a, b)"]
    assert "1 execution on other databases left out" in run.stderr


def test_the_limit_is_reported() -> None:
    run = record(program(TABLE + "for n in range(9): db.execute('SELECT 1')\n"), "--limit", "3")
    assert len(run.entries) == 3
    assert "at least 7 later executions are missing; raise --limit (now 3)" in run.stderr


# --- Nothing to record --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["true"], "no Python program was seen"),
        ([sys.executable, "-I", "-c", SELECT], "no Python program was seen"),
        ([sys.executable, "-c", "pass"], "did not import sqlite3"),
        ([sys.executable, "-c", "import sqlite3"], "ran nothing through it"),
    ],
    ids=["other", "isolated", "unused", "idle"],
)
def test_an_empty_recording_is_explained(argv: list[str], reason: str) -> None:
    run = record(argv)
    assert run.code == 0
    assert "no statement was recorded" in run.stderr
    assert reason in run.stderr
    assert not Path("workload.jsonl").exists()


@pytest.mark.parametrize(
    ("argv", "options", "problem"),
    [
        ([], [], "is missing"),
        (["no-such-command"], [], "no such command"),
        (["touch", "started"], ["--out", "no/folder/x"], "its folder does not exist"),
        (["touch", "started"], ["--out", "."], "Is a directory"),
        (["touch", "started"], ["--nonsense"], "No such option"),
        (["touch", "started"], ["--append", "--force"], "not both"),
    ],
    ids=["nothing", "unknown", "no folder", "a folder", "option", "both"],
)
def test_mistakes_are_refused_before_the_program_starts(
    argv: list[str], options: list[str], problem: str
) -> None:
    run = record(argv, *options)
    assert run.code == 2
    assert problem in run.stderr
    assert not Path("started").exists()
    assert not Path("workload.jsonl").exists()


# --- Other interpreters -------------------------------------------------------------------------


def interpreter(version: str) -> str:
    """Find a CPython of this version, or skip."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(root.glob(f"versions/{version}.*/bin/python"))
    for candidate in [*map(str, installed), f"python{version}"]:
        try:
            done = subprocess.run(
                [candidate, "-c", "import sqlite3"], capture_output=True, check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip(f"no CPython {version} with sqlite3 on this machine")


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13", "3.14"])
def test_the_interpreter_of_the_program_can_be_another(version: str) -> None:
    source = """
        import sqlite3
        db = sqlite3.connect("other.db")
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [(b"k",), (2,)])
        db.cursor().executescript("SELECT 1")
        print(sum(1 for _ in db.execute("SELECT a FROM t WHERE a <> :a", {"a": 9})))
    """
    _, script = program(source)
    run = record([interpreter(version), script])
    assert run.stdout == "2\n"
    assert [(entry["sql"], entry["params"]) for entry in run.entries] == [
        ("CREATE TABLE t (a)", []),
        ("INSERT INTO t VALUES (x'6b')", []),
        ("INSERT INTO t VALUES (?)", [2]),
        ("SELECT 1", []),
        ("SELECT a FROM t WHERE a <> :a", {"a": 9}),
    ]
