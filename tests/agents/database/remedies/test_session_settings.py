"""Settings that are proposed before anything was tried."""

from __future__ import annotations

from dataclasses import replace

from perfwright.agents.database.detectors.temp_spill import RULE as SPILL
from perfwright.agents.database.detectors.untuned_settings import RULE as UNTUNED
from perfwright.agents.database.facts import SettingFacts
from perfwright.agents.database.postgresql.knobs import KnobFacts
from perfwright.agents.database.registry import answer, judge
from perfwright.agents.database.remedies.session_settings import propose, risk_of
from perfwright.agents.database.server import RoleSetting, ServerState, Setting
from perfwright.core import Finding, Risk, Scope

ARTIFACTS = UNTUNED.fires_on
SERVER = ARTIFACTS.server or ServerState()


def finding(*knobs: str) -> Finding:
    return Finding(subject="", evidence="", cost=5.0, facts=KnobFacts(knobs=knobs))


def test_settings_are_proposed_for_the_role_that_runs_the_workload() -> None:
    (proposal,) = propose(ARTIFACTS, (finding("work_mem"),))
    assert proposal.change.apply == (
        'ALTER ROLE "app" IN DATABASE "shop" SET work_mem TO \'16MB\'',
    )
    assert proposal.risk is Risk.MEDIUM
    assert proposal.scope is Scope.COMPREHENSIVE


def test_findings_together_are_one_proposal() -> None:
    server = replace(
        SERVER, settings=(*SERVER.settings, Setting(name="random_page_cost", value="4"))
    )
    both = (finding("work_mem"), finding("random_page_cost", "work_mem"))
    (proposal,) = propose(replace(ARTIFACTS, server=server), both)
    assert proposal.change.subject == "work_mem, random_page_cost"
    assert proposal.predicted.gain == 10.0


def test_what_stands_at_its_bound_is_not_proposed() -> None:
    server = replace(SERVER, settings=(Setting(name="work_mem", value="4194304", unit="kB"),))
    assert list(propose(replace(ARTIFACTS, server=server), (finding("work_mem"),))) == []


def test_other_settings_of_the_server_are_left_alone() -> None:
    facts = SettingFacts(setting="max_wal_size", value="1024", unit="MB")
    forced = Finding(subject="max_wal_size", evidence="", cost=0.0, facts=facts)
    assert list(propose(ARTIFACTS, (forced,))) == []


def test_a_database_without_a_name_gets_nothing() -> None:
    unknown = replace(ARTIFACTS, server=replace(SERVER, database=""))
    assert list(propose(unknown, (finding("work_mem"),))) == []


def test_what_a_role_has_of_its_own_is_not_set_for_the_database() -> None:
    own = RoleSetting(name="work_mem", value="8MB", role="reports")
    server = replace(SERVER, workload_role="", role_settings=(own,))
    assert list(propose(replace(ARTIFACTS, server=server), (finding("work_mem"),))) == []


def test_temporary_files_of_the_server_are_answered_as_well() -> None:
    assert SPILL.fires_on.server is not None
    named = replace(SPILL.fires_on, server=replace(SPILL.fires_on.server, database="shop"))
    proposals = answer(named, judge(named), scope=Scope.COMPREHENSIVE)
    assert [p.change.subject for p in proposals] == ["work_mem"]


def test_a_quick_run_leaves_settings_alone() -> None:
    assert answer(ARTIFACTS, judge(ARTIFACTS), scope=Scope.QUICK_WIN) == ()


def test_the_riskiest_setting_tells_the_risk() -> None:
    assert risk_of({"jit": "off"}) is Risk.LOW
    assert risk_of({"jit": "off", "work_mem": "8MB"}) is Risk.MEDIUM
