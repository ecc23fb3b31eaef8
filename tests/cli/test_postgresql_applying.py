"""How proven changes come to a PostgreSQL server that was changed since the proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._postgres import PrivateServer
from perfwright.cli.running import open_and_report
from perfwright.container import spec_of_script
from perfwright.core import (
    ExperimentRecord,
    Layer,
    Outcome,
    Prediction,
    Proposal,
    Risk,
    Scope,
    SystemClock,
    Verdict,
    parse_target,
)
from perfwright.experiments.ledger import Ledger, RunRecord, RunStatus
from tests.cli.calling import Caller, Finished
from tests.postgresql import connected, new_database, run

RUN = "proven"
FIRST = "CREATE INDEX pw_customer ON orders (customer)"
SECOND = "CREATE INDEX pw_state ON orders (state)"


@pytest.fixture
def shop(server: PrivateServer) -> Iterator[str]:
    with new_database(
        server,
        "CREATE TABLE orders (id int PRIMARY KEY, customer int, state text)",
        "INSERT INTO orders SELECT g, g % 7, 'new' FROM generate_series(1, 100) g",
    ) as url:
        yield url


def prove(folder: Path, url: str, *statements: str) -> None:
    """Write a ledger in which a finished run has proven one change for each statement."""
    target = parse_target(url)
    ledger = Ledger(folder / ".perfwright" / "ledger.db", clock=SystemClock())
    record = RunRecord(
        id=RUN,
        command="optimize",
        target=str(target),
        started=SystemClock().today(),
        status=RunStatus.FINISHED,
    )
    ledger.begin_run(record)
    for number, statement in enumerate(statements, start=1):
        proposal = Proposal(
            layer=Layer.DATABASE,
            remedy="prepared",
            change=spec_of_script(target, statement),
            predicted=Prediction(metric="workload", ratio=0.5, gain=1.0),
            risk=Risk.LOW,
            scope=Scope.QUICK_WIN,
        )
        experiment = ExperimentRecord(
            id=f"{RUN}.{number}",
            proposal=proposal,
            verdict=Verdict(outcome=Outcome.KEPT, reason="prepared"),
        )
        ledger.add_experiment(RUN, experiment)
    ledger.close()


def made(url: str) -> list[str]:
    """The names of the indexes that somebody made."""
    query = "SELECT indexname FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1"
    with connected(url) as connection:
        names = [name for (name,) in connection.execute(query).fetchall()]
    return [name for name in names if name != "orders_pkey"]


def apply(perfwright: Caller) -> Finished:
    return perfwright("apply", "last", "--yes", "--watch", "0")


def test_an_index_that_is_there_under_another_name_is_not_made_twice(
    shop: str, tmp_path: Path, perfwright: Caller
) -> None:
    prove(tmp_path, shop, FIRST)
    run(shop, "CREATE INDEX theirs ON orders (customer)")
    done = apply(perfwright)
    assert done.code == 2
    assert '"public"."theirs" is the same index' in done.err
    assert made(shop) == ["theirs"]


def test_the_changes_beside_one_that_is_there_already_are_made(
    shop: str, tmp_path: Path, perfwright: Caller
) -> None:
    prove(tmp_path, shop, FIRST, SECOND)
    run(shop, "CREATE INDEX theirs ON orders (customer)")
    assert apply(perfwright).code == 2
    assert made(shop) == ["pw_state", "theirs"]


def test_an_index_that_somebody_made_from_the_report_does_not_stop_the_others(
    shop: str, tmp_path: Path, perfwright: Caller
) -> None:
    prove(tmp_path, shop, FIRST, SECOND)
    run(shop, FIRST)
    done = apply(perfwright)
    assert (done.code, '"public"."pw_customer" is the same index' in done.err) == (2, True)
    assert made(shop) == ["pw_customer", "pw_state"]
    perfwright("undo", "--all")
    assert made(shop) == ["pw_customer"]


def test_another_index_of_the_same_name_stops_what_was_proven_after_it(
    shop: str, tmp_path: Path, perfwright: Caller
) -> None:
    prove(tmp_path, shop, FIRST, SECOND)
    run(shop, "CREATE INDEX pw_customer ON orders (state)")
    done = apply(perfwright)
    assert (done.code, "pw_customer exists already" in done.err) == (2, True)
    assert made(shop) == ["pw_customer"]


def test_a_change_that_is_there_already_is_not_open_in_the_ledger(
    shop: str, tmp_path: Path, perfwright: Caller
) -> None:
    prove(tmp_path, shop, FIRST)
    run(shop, "CREATE INDEX theirs ON orders (customer)")
    apply(perfwright)
    with open_and_report(None) as workspace:
        assert workspace.ledger.changes() == ()
