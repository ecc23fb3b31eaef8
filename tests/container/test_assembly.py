"""From what the user gave to what the agents look at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perfwright.container import build_agents, multi_agent_profiler, resolve
from perfwright.core import ConfigError, GrammarError, TargetKind, UnknownTargetError
from tests.system.shops import make_shop, make_workload


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_shop(tmp_path / "shop.db", rows=50)
    make_workload(tmp_path / "w.jsonl", customers=5)
    return tmp_path


def configure(folder: Path, text: str) -> None:
    (folder / "perfwright.toml").write_text(text, encoding="utf-8")


def test_a_file_is_its_own_target(project: Path) -> None:
    assert resolve("shop.db").target.kind is TargetKind.SQLITE


def test_a_folder_names_its_database(project: Path) -> None:
    configure(project, '[database]\nurl = "sqlite:///shop.db"\n')
    assert resolve(".").target.path.name == "shop.db"


def test_a_folders_database_is_looked_for_in_the_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, '[database]\nurl = "sqlite:///shop.db"\n')
    monkeypatch.chdir("/")
    assert resolve(str(project)).target.path == project / "shop.db"


def test_a_folder_names_its_workload(project: Path) -> None:
    configure(project, '[database]\nurl = "sqlite:///shop.db"\nworkload = "w.jsonl"\n')
    assert resolve(".").workload == Path("w.jsonl")


def test_a_workload_given_by_hand_goes_before_the_configured_one(project: Path) -> None:
    configure(project, '[database]\nurl = "sqlite:///shop.db"\nworkload = "w.jsonl"\n')
    (project / "mine.sql").write_text("SELECT 1", encoding="utf-8")
    assert resolve(".", workload=Path("mine.sql")).workload == Path("mine.sql")


def test_a_folder_as_workload_is_refused_as_one(project: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        resolve("shop.db", workload=project)


def test_a_pipe_as_workload_is_refused_as_one(project: Path) -> None:
    os.mkfifo(project / "pipe")
    with pytest.raises(ConfigError, match="is no regular file"):
        resolve("shop.db", workload=project / "pipe")


def test_a_folder_without_a_database_is_refused(project: Path) -> None:
    with pytest.raises(UnknownTargetError, match="perfwright init"):
        resolve(".")


def test_a_guardrail_given_by_hand_goes_before_the_configured_one(project: Path) -> None:
    configure(
        project,
        '[database]\nurl = "sqlite:///shop.db"\n[quality]\nmetrics = ["write_time<=+20%"]\n',
    )
    assert resolve(".").write_tolerance == pytest.approx(0.2)
    assert resolve(".", quality=["write_time<=+5%"]).write_tolerance == pytest.approx(0.05)


def test_answers_may_only_be_the_same(project: Path) -> None:
    configure(project, '[database]\nurl = "sqlite:///shop.db"\n[quality]\nanswers = "similar"\n')
    with pytest.raises(ConfigError, match="answers"):
        resolve(".")


def test_writes_may_get_a_tenth_dearer_unless_told(project: Path) -> None:
    assert resolve("shop.db").write_tolerance == 0.10


def test_a_guardrail_sets_how_much_dearer_writes_may_get(project: Path) -> None:
    assert resolve("shop.db", quality=["write_time<=+5%"]).write_tolerance == pytest.approx(0.05)


def test_the_same_answers_may_be_asked_for(project: Path) -> None:
    assert resolve("shop.db", quality=["answers = same"]).write_tolerance == 0.10


@pytest.mark.parametrize("text", ["p95<10ms", "write_time>=+5%", "write_time<=5ms"])
def test_a_guardrail_that_is_not_watched_is_refused(text: str, project: Path) -> None:
    with pytest.raises(ConfigError, match="write_time<=\\+N%"):
        resolve("shop.db", quality=[text])


def test_a_guardrail_that_does_not_parse_is_refused(project: Path) -> None:
    with pytest.raises(GrammarError, match="guardrail"):
        resolve("shop.db", quality=["write_time!"])


def test_a_target_without_an_agent_is_refused() -> None:
    with pytest.raises(UnknownTargetError, match="no agent can look"):
        build_agents(resolve("http://127.0.0.1/"), scratch=None)


def test_the_public_profiler_aggregates_by_agent(project: Path) -> None:
    seen = multi_agent_profiler("sqlite:///shop.db", workload="w.jsonl")
    assert set(seen) == {"DatabasePerformanceAgent"}
    assert seen["DatabasePerformanceAgent"]["findings"]
