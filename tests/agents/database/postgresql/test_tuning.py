"""Settings searched on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.agents.database.artifacts import Cost, DatabaseArtifacts, Observation, Sample, Shape
from perfwright.agents.database.postgresql import searching
from perfwright.agents.database.postgresql.bench import PostgresBench, Setup
from perfwright.agents.database.postgresql.knobs import KnobFacts
from perfwright.agents.database.postgresql.probes import tuning
from perfwright.agents.database.postgresql.probes.connection import open_database
from perfwright.agents.database.postgresql.probes.copies import Copies
from perfwright.agents.database.postgresql.probes.replay import Replayer
from perfwright.agents.database.postgresql.probes.setting_trials import Compared, SettingTrials
from perfwright.agents.database.postgresql.probes.tuning import (
    is_worth_it,
    machine_memory,
    tune,
    tuning_note,
)
from perfwright.agents.database.postgresql.setting_changes import session_form
from perfwright.agents.database.postgresql.spaces import Room, space_for
from perfwright.agents.database.postgresql_examples import looked_at
from perfwright.agents.database.remedies.session_settings import propose
from perfwright.agents.database.server import ServerState, Setting
from perfwright.core import Arm, Finding, Proposal, SystemClock
from tests.postgresql import connected, new_database

ROWS = 60_000
SPILLING = "SELECT count(*) FROM (SELECT DISTINCT note, shop FROM sales) found"
LIGHT = "SELECT note FROM sales WHERE id = 7"
LITTLE = ("SET work_mem TO '64kB'", "SET hash_mem_multiplier TO 1")
"""PostgreSQL's minimum: what does not fit into it is written and read back many times."""
GIB = 2**30


@pytest.fixture(scope="module")
def url(server: PrivateServer) -> Iterator[str]:
    with new_database(
        server,
        "CREATE TABLE sales (id int PRIMARY KEY, shop int, note text)",
        f"INSERT INTO sales SELECT i, i % 200, md5(i::text) FROM generate_series(1, {ROWS}) i",
        "VACUUM ANALYZE sales",
    ) as made:
        yield made


@pytest.fixture
def replayer(url: str) -> Iterator[Replayer]:
    opened = Replayer(open_database(url))
    for statement in LITTLE:
        opened.connection.execute(statement)
    yield opened
    opened.close()


def observed(sql: str, *, calls: int = 10) -> Observation:
    shape = Shape(
        id=sql[:40],
        text=sql,
        template=sql,
        write=False,
        calls=calls,
        recorded_ms=None,
        samples=(Sample(sql=sql),),
    )
    return Observation(shape=shape, tables=("sales",), cost=Cost(ms=50.0, steps=9_000.0, rows=1.0))


def artifacts(*workload: Observation) -> DatabaseArtifacts:
    server = ServerState(
        database="shop",
        workload_role="app",
        settings=(
            Setting(name="work_mem", value="64", unit="kB"),
            Setting(name="jit", value="on"),
        ),
        max_connections=40,
    )
    return looked_at(server, *workload)


def guesses(seen: DatabaseArtifacts, *knobs: str) -> tuple[Proposal, ...]:
    finding = Finding(subject="", evidence="", cost=1.0, facts=KnobFacts(knobs=knobs))
    return tuple(replace(p, because=("db-1",)) for p in propose(seen, (finding,)))


def tuned(
    replayer: Replayer, *workload: str, knobs: tuple[str, ...] = ("work_mem",)
) -> tuple[Proposal, ...]:
    seen = artifacts(*map(observed, workload))
    return tune(
        seen,
        guesses(seen, *knobs),
        replayer=replayer,
        memory_bytes=16.0 * GIB,
        clock=SystemClock(),
        progress=lambda line: None,
    )


def test_what_spills_is_given_memory(replayer: Replayer) -> None:
    (proposal,) = tuned(replayer, SPILLING, LIGHT)
    (statement,) = proposal.change.apply
    assert statement.startswith('ALTER ROLE "app" IN DATABASE "shop" SET work_mem TO')
    assert proposal.predicted.ratio < 0.97
    assert "on 1 statement that they affect" in proposal.predicted.basis
    assert "of 16.0GiB of memory" in proposal.predicted.basis
    assert proposal.because == ("db-1",)


def test_what_needs_no_setting_is_left_alone(replayer: Replayer) -> None:
    assert tuned(replayer, LIGHT) == ()


def test_other_proposals_pass(replayer: Replayer) -> None:
    seen = artifacts(observed(LIGHT))
    (guess,) = guesses(seen, "work_mem")
    other = replace(guess, remedy="composite-index")
    passed = tune(
        seen,
        (guess, other),
        replayer=replayer,
        memory_bytes=None,
        clock=SystemClock(),
        progress=lambda line: None,
    )
    assert passed == (other,)


def test_without_optuna_the_guess_is_left_out(
    replayer: Replayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "is_installed", lambda: False)
    assert tuned(replayer, SPILLING) == ()


def test_the_session_is_left_as_it_was(replayer: Replayer) -> None:
    tuned(replayer, SPILLING)
    assert replayer.connection.execute("SHOW work_mem").fetchone() == ("64kB",)


def trials(replayer: Replayer, *knobs: str, workload: tuple[str, ...]) -> SettingTrials:
    values = {"work_mem": 64.0, "hash_mem_multiplier": 1.0, "random_page_cost": 4.0}
    return SettingTrials(
        replayer,
        workload=tuple(map(observed, workload)),
        space=space_for(knobs, values=values, room=Room(memory_bytes=16.0 * GIB, busy=4)),
        time_is_up=lambda: False,
    )


def test_only_what_a_setting_can_affect_is_run(replayer: Replayer) -> None:
    seen = trials(replayer, "work_mem", workload=(SPILLING, LIGHT)).compare((3,), (0,), rounds=1)
    assert seen.statements == 1


def test_what_nothing_affects_is_neither_faster_nor_slower(replayer: Replayer) -> None:
    tried = trials(replayer, "work_mem", workload=(LIGHT,))
    assert tried.ratio((3,), (0,)) == 1.0
    assert tried.score((3,)) == 1.0


def test_a_statement_that_fails_is_passed_over(replayer: Replayer) -> None:
    tried = trials(replayer, "work_mem", workload=("SELECT 1 / 0 FROM sales", LIGHT))
    assert tried.total_ms > 0.0


def compile_everything(replayer: Replayer) -> None:
    replayer.connection.execute("SET jit TO on")
    if replayer.connection.execute("SELECT pg_jit_available()").fetchone() == (False,):
        pytest.skip("this server cannot compile")
    for name in ("jit_above_cost", "jit_inline_above_cost", "jit_optimize_above_cost"):
        replayer.connection.execute(f"SET {name} TO 0")


def test_compiling_is_part_of_what_a_plan_is(replayer: Replayer) -> None:
    sample = Sample(sql="SELECT sum(shop + 1) FROM sales")
    plain = replayer.plan(sample)
    compile_everything(replayer)
    compiled = replayer.plan(sample)
    assert plain.jit_functions == 0.0
    assert compiled.jit_functions > 0.0
    assert compiled.signature != plain.signature


def test_compiling_that_does_not_pay_is_switched_off(replayer: Replayer) -> None:
    compile_everything(replayer)
    replayer.connection.execute("SET max_parallel_workers_per_gather TO 0")
    (proposal,) = tuned(replayer, "SELECT sum(shop + 1) FROM sales WHERE id < 500", knobs=("jit",))
    assert proposal.change.revert == ('ALTER ROLE "app" IN DATABASE "shop" RESET jit',)
    assert proposal.predicted.ratio < 0.5
    assert "memory" not in proposal.predicted.basis


def test_workers_are_part_of_what_a_plan_is(replayer: Replayer) -> None:
    connection, sample = replayer.connection, Sample(sql="SELECT count(*) FROM sales")
    plain = replayer.plan(sample)
    connection.execute("SET min_parallel_table_scan_size TO 0")
    connection.execute("SET parallel_setup_cost TO 0")
    connection.execute("SET max_parallel_workers_per_gather TO 2")
    two = replayer.plan(sample)
    connection.execute("SET max_parallel_workers_per_gather TO 1")
    one = replayer.plan(sample)
    assert (plain.workers, two.workers, one.workers) == (0.0, 2.0, 1.0)
    assert len({plain.signature, two.signature, one.signature}) == 3


def test_an_executed_plan_tells_what_it_wrote_to_disk(replayer: Replayer) -> None:
    plan, _ = replayer.explain(Sample(sql=SPILLING), limit_s=10.0)
    assert plan is not None
    assert plan.temp_pages > 100.0


def test_the_bench_times_what_a_setting_affects(server: PrivateServer, url: str) -> None:
    """The arms plan the spilling statement alike: only memory differs."""
    prefix, _, base = url.rpartition("/")[2].rpartition("_")
    with connected(server.url()) as admin:
        major = admin.info.server_version // 10_000
    copies = Copies(server_url=server.url(), prefix=f"{prefix}_", major=major)
    for arm in ("a", "b"):
        copies.create(arm, template=base)
    change = guesses(artifacts(), "work_mem")[0].change
    setup = Setup(
        copies=copies,
        artifacts=artifacts(observed(SPILLING), observed(LIGHT)),
        settings=("SET enable_sort TO off", *LITTLE),
        treated_settings=session_form(change),
        write_tolerance=0.1,
    )
    bench = PostgresBench(setup, clock=SystemClock())
    try:
        assert bench.count(Arm.B)["read_pages"] < bench.count(Arm.A)["read_pages"]
        assert {item.sample.sql for item, _ in bench.executions(Arm.A)} == {SPILLING}
        assert all(guard.passed for guard in bench.check())
    finally:
        bench.close()
        copies.drop("a", "b")


# --- Decisions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "total_ms", "worth"),
    [
        (Compared(one_ms=60.0, other_ms=100.0), 200.0, True),
        (Compared(one_ms=98.0, other_ms=100.0), 100.0, False),
        (Compared(one_ms=60.0, other_ms=100.0), 9_000.0, False),
        (Compared(one_ms=60.0, other_ms=100.0, harm_ms=30.0), 200.0, False),
        (Compared(one_ms=0.0, other_ms=0.0), 100.0, False),
    ],
    ids=["a good deal", "below the noise", "of no weight", "at the cost of others", "nothing"],
)
def test_settings_must_win_enough(seen: Compared, total_ms: float, worth: bool) -> None:
    assert is_worth_it(seen, total_ms=total_ms) is worth


@pytest.mark.parametrize(
    "here", ["postgresql://127.0.0.1:5433/x", "postgresql://localhost/x", "postgresql:///x"]
)
def test_the_memory_of_this_machine_counts_for_a_server_on_it(
    here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    found = machine_memory(here)
    assert found is not None
    assert found > 2**26


@pytest.mark.parametrize(
    "away", ["postgresql://db.example/x", "postgresql:///?service=shop", "no url"]
)
def test_the_memory_of_other_machines_is_not_known(away: str) -> None:
    assert machine_memory(away) is None


def test_a_limit_of_the_container_bounds_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1048576\n")
    monkeypatch.setattr(tuning, "_CONTAINER_LIMIT", limit)
    assert machine_memory("postgresql://127.0.0.1/x") == 1048576.0


def strained() -> DatabaseArtifacts:
    cost = Cost(ms=50.0, steps=9_000.0, rows=1.0, temp_pages=500.0)
    return artifacts(replace(observed(SPILLING), cost=cost))


def test_a_note_names_the_extra_where_there_is_something_to_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list(tuning_note(strained())) == []
    monkeypatch.setattr(tuning, "is_installed", lambda: False)
    (note,) = tuning_note(strained())
    assert "pip install 'perfwright[tuning]'" in note
    assert list(tuning_note(artifacts(observed(LIGHT)))) == []


def test_the_time_of_a_search_is_bounded() -> None:
    assert tuning.SEARCH_SHARE < tuning.TRIM_SHARE < 1.0
    assert searching.MAX_SUGGESTIONS >= searching.PATIENCE + searching.STARTUP
