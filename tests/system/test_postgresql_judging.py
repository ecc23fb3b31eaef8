"""The benchmarks' judge and reference advisor on a real server, with a data set of two tables."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from benchmarks._postgres import PrivateServer
from tests.postgresql import connected, new_database, run, server

__all__ = ["server"]

# The judge is kept as it was handed over; it leaves closing files to the collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

DATA_SET = '''
import random
NAME = "tiny"
TABLES = ["depot", "parcel"]
DDL = """
create table depot(id integer primary key, city text not null);
create table parcel(id integer primary key, depot_id integer not null references depot(id),
  state text not null, note text not null);
"""
POST_DDL = "create index parcel_note on parcel(note)"
RULES = dict(drop_any=[["parcel_note"]], protected=[], no_index_tables=[])


def rows(table):
    r = random.Random(table)
    for i in range(40 if table == "depot" else 8000):
        yield (i, f"c{i}") if table == "depot" else (i, r.randrange(40), "open", f"note {i}")


TEMPLATES = [
    dict(name="of_depot", n=30, kind="r", params=lambda r: dict(d=r.randrange(40)),
         sql="select id from parcel where depot_id=%(d)s order by id"),
    dict(name="close", n=40, kind="w", params=lambda r: dict(i=r.randrange(8000)),
         sql="update parcel set state='closed' where id=%(i)s"),
]
'''


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("_judge")


@pytest.fixture
def judge(judging: ModuleType, server: PrivateServer, tmp_path: Path) -> Any:
    """The judge of a data set that is built and prepared."""
    data_set = tmp_path / "tiny.py"
    data_set.write_text(DATA_SET)
    data_set.with_name("expert.tiny.pg.sql").write_text(
        "-- made by hand; without tools\n"
        "create index concurrently on parcel(depot_id, id);\ndrop index concurrently parcel_note;\n"
    )
    built = judging.Judge(server, data_set, tmp_path)
    built.build()
    built.prepare()
    return built


def test_good_advice_is_judged_by_pages_and_faults(judge: Any) -> None:
    base = judge.measure([], reps=1)
    row = judge.audit(base, judge.measure(judge.split(judge.expert), reps=1))
    assert row["read_pages_ratio"] > 5.0
    assert row["decoys_fixed"] == "1/1"
    assert row["wrong_results"] == []
    assert row["new_bytes"] > 0


def test_the_database_that_advisors_see_is_not_judged_upon(judge: Any) -> None:
    judge.measure(judge.split(judge.expert), reps=1)
    with connected(judge.url) as connection:
        found = connection.execute("SELECT 1 FROM pg_indexes WHERE indexname = 'parcel_note'")
        assert found.fetchone() is not None


def test_an_index_on_what_is_written_costs_pages(judging: ModuleType, judge: Any) -> None:
    pairs = judge.write_pairs([], ["create index on parcel(state)"], rounds=2)
    assert judging.median_ratio(pairs, lambda phase: phase.pages) > 1.1


def test_unseen_executions_differ_from_those_that_were_logged(judge: Any) -> None:
    seen, unseen = (judge.measure([], reps=1, unseen=seed) for seed in (0, 7_000))
    assert seen["check"] != unseen["check"]


def test_the_tuned_data_set_has_the_experts_indexes(judge: Any) -> None:
    tuned = judge.tuned()
    tuned.build()
    tuned.prepare()
    with connected(tuned.url) as connection:
        rows = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'parcel'")
        definitions = " ".join(row[0] for row in rows)
    assert "(depot_id, id)" in definitions
    assert "parcel_note" not in definitions


def test_the_reference_advisor_indexes_what_is_looked_up(
    judging: ModuleType, server: PrivateServer, tmp_path: Path
) -> None:
    greedy = importlib.import_module("greedy_hypopg")
    workload = tmp_path / "workload.jsonl"
    looked_up = 'select id from "Parcel" where "depotId" = 3'
    lines = [looked_up, looked_up, "select broken from nowhere"]
    workload.write_text("".join(json.dumps({"sql": sql, "ms": 1.0}) + "\n" for sql in lines))
    fill = 'insert into "Parcel" select i, i % 400 from generate_series(1, 30000) i'
    with new_database(server, 'create table "Parcel"(id int, "depotId" int)', fill) as url:
        run(url, "analyze")
        require_hypopg(url)
        advice = greedy.advise(url, workload, budget_bytes=1 << 30)
    assert advice == ['CREATE INDEX ON "Parcel" ("depotId");', "ANALYZE;"]


def require_hypopg(url: str) -> None:
    try:
        run(url, "create extension hypopg")
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
        pytest.skip(f"HypoPG is not installed: {error}")
