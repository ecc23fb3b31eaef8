"""`optimize` from the outside, on a table that obviously lacks an index."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.commands import Finished, fingerprint, run, skip_if_too_noisy
from tests.system.shops import dump, indexes, make_shop, make_workload

DOCUMENT_KEYS = {"run", "target", "findings", "experiments", "spent", "goals"}
EXPERIMENT_KEYS = {
    "id",
    "layer",
    "remedy",
    "change",
    "predicted",
    "measured",
    "guardrails",
    "verdict",
    "reason",
}


@dataclass(frozen=True, slots=True)
class Run:
    """A finished `optimize --json` and its folder."""

    folder: Path
    done: Finished
    before: str
    """The target's bytes before, hashed."""


@pytest.fixture(scope="module")
def optimized(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("optimized")
    target = make_shop(folder / "shop.db", rows=20_000)
    workload = make_workload(folder / "workload.jsonl", customers=2_000)
    before = fingerprint(target)
    goal = ("--goal", "workload_time<=-20%")
    done = run("optimize", target, "--workload", workload, *goal, "--json", cwd=folder)
    return Run(folder, done, before)


def test_a_missing_index_is_found(optimized: Run) -> None:
    detectors = {finding["detector"] for finding in optimized.done.document["findings"]}
    assert "full-scan" in detectors


def test_the_missing_index_is_kept(optimized: Run) -> None:
    skip_if_too_noisy(optimized.done)
    kept = [e for e in optimized.done.document["experiments"] if e["verdict"] == "kept"]
    assert any("customer" in " ".join(each["change"]["apply"]) for each in kept)


def test_a_met_goal_is_exit_code_0(optimized: Run) -> None:
    skip_if_too_noisy(optimized.done)
    assert (optimized.done.code, optimized.done.document["goals"][0]["met"]) == (0, True)


def test_the_targets_bytes_are_untouched(optimized: Run) -> None:
    assert fingerprint(optimized.folder / "shop.db") == optimized.before


def test_nothing_but_the_ledger_is_left_in_the_folder(optimized: Run) -> None:
    left = {path.name for path in optimized.folder.iterdir()}
    assert {"shop.db", "workload.jsonl", ".perfwright"} <= left
    assert not {name for name in left if name.startswith("shop.db-")}
    assert list((optimized.folder / ".perfwright" / "scratch").iterdir()) == []


def test_the_document_has_the_published_keys(optimized: Run) -> None:
    document = optimized.done.document
    assert set(document) >= DOCUMENT_KEYS
    assert set(document["experiments"][0]) >= EXPERIMENT_KEYS
    assert {"kind", "apply", "revert"} <= set(document["experiments"][0]["change"])
    assert {"metric", "ratio", "interval", "pairs"} <= set(document["experiments"][0]["measured"])
    assert {"id", "detector", "layer", "subject", "evidence", "cost", "unit"} <= set(
        document["findings"][0]
    )
    assert {"goal", "before", "after", "met"} <= set(document["goals"][0])


def test_progress_goes_to_standard_error(optimized: Run) -> None:
    assert "Noise floor" in optimized.done.err


def test_the_report_in_json_is_what_the_run_printed(optimized: Run) -> None:
    again = run("report", "last", "--json", cwd=optimized.folder)
    assert (again.code, again.document) == (0, optimized.done.document)


def test_every_form_of_the_report_is_written(optimized: Run) -> None:
    files = ("--html", "report.html", "--markdown", "report.md")
    assert run("report", *files, cwd=optimized.folder).code == 0
    page = (optimized.folder / "report.html").read_text(encoding="utf-8")
    text = (optimized.folder / "report.md").read_text(encoding="utf-8")
    assert page.startswith("<!")
    assert "<svg" in page
    assert "orders" in text


def test_the_sql_of_a_report_makes_the_kept_indexes(optimized: Run) -> None:
    skip_if_too_noisy(optimized.done)
    made = run("report", "last", "--sql", cwd=optimized.folder)
    undone = run("report", "last", "--undo-sql", cwd=optimized.folder)
    assert "CREATE INDEX" in made.out
    assert "DROP INDEX" in undone.out


def test_the_terminal_report_names_the_run(optimized: Run) -> None:
    name = optimized.done.document["run"]
    shown = run("report", name[:4], cwd=optimized.folder)
    assert name in shown.out


def test_the_ledger_lists_the_run(optimized: Run) -> None:
    (listed,) = run("ledger", "--json", cwd=optimized.folder).document["runs"]
    assert (listed["run"], listed["status"]) == (optimized.done.document["run"], "finished")


def test_a_missed_goal_is_exit_code_1(tmp_path: Path) -> None:
    target, workload = make_shop(tmp_path / "s.db"), make_workload(tmp_path / "w.jsonl")
    goal = ("--goal", "p50<1us", "--budget", "1 experiment")
    assert run("optimize", target, "--workload", workload, *goal, cwd=tmp_path).code == 1


def test_a_goal_that_cannot_be_measured_is_an_error(tmp_path: Path) -> None:
    target, workload = make_shop(tmp_path / "s.db"), make_workload(tmp_path / "w.jsonl")
    goal = ("--goal", "lcp<2s", "--budget", "1 experiment")
    assert run("optimize", target, "--workload", workload, *goal, cwd=tmp_path).code == 2


def test_optimize_with_apply_changes_the_target(tmp_path: Path) -> None:
    target = make_shop(tmp_path / "shop.db", rows=20_000)
    workload = make_workload(tmp_path / "w.jsonl", customers=2_000)
    before = dump(target)
    done = run("optimize", target, "--workload", workload, "--apply", "--json", cwd=tmp_path)
    skip_if_too_noisy(done)
    assert (done.code, len(indexes(target))) == (0, 1)
    assert json.loads(done.out)["run"]
    assert run("undo", "--all", cwd=tmp_path).code == 0
    assert dump(target) == before


def test_a_folder_with_a_written_configuration_is_a_target(tmp_path: Path) -> None:
    make_shop(tmp_path / "shop.db")
    make_workload(tmp_path / "workload.jsonl")
    assert run("init", "--yes", cwd=tmp_path).code == 0
    done = run("profile", ".", "--json", cwd=tmp_path)
    assert done.code == 0
    assert done.document["target"].endswith("/shop.db")
    assert done.document["findings"]
