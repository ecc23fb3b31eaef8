"""What a gateway is built from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from perfwright.container.config import load_config
from perfwright.container.gateway import Plan, build_plan
from perfwright.core import ConfigError

SECRET = "pw-secret-of-alice"
LLM = '[llm]\nbase_url = "http://127.0.0.1:1/v1"\n'


def plan(folder: Path, text: str = "", *, env: dict[str, str] | None = None, **given: Any) -> Plan:
    (folder / "perfwright.toml").write_text(LLM + text, encoding="utf-8")
    return build_plan(load_config(folder), env or {}, **given)


def test_it_listens_on_this_machine_unless_told(tmp_path: Path) -> None:
    settings = plan(tmp_path).settings
    assert (settings.host, settings.port, settings.is_local) == ("127.0.0.1", 8780, True)


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    text = '[gateway]\nport = 1234\ndrain = "5s"\nmax_body = "1MiB"\n'
    settings = plan(tmp_path, text).settings
    assert (settings.port, settings.drain_timeout_s, settings.max_body_bytes) == (1234, 5.0, 2**20)
    assert plan(tmp_path, text, port=0).settings.port == 0
    assert plan(tmp_path, '[gateway]\ndrain = "0s"\n').settings.drain_timeout_s == 0.0
    assert plan(tmp_path, text, drain_timeout_s=0.0).settings.drain_timeout_s == 0.0


def test_another_address_needs_keys(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whoever reaches it spends your money"):
        plan(tmp_path, host="0.0.0.0")
    env = {"PERFWRIGHT_GATEWAY_KEYS": f"alice={SECRET}"}
    assert plan(tmp_path, host="0.0.0.0", env=env).keys[0].name == "alice"


def test_a_key_is_a_hash_or_a_variable(tmp_path: Path) -> None:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    text = f'[gateway.keys.alice]\nsha256 = "{digest}"\n'
    by_hash = plan(tmp_path, text).keys
    text = '[gateway.keys.alice]\nenv = "ALICE"\n'
    by_variable = plan(tmp_path, text, env={"ALICE": SECRET}).keys
    assert by_hash[0].sha256 == by_variable[0].sha256 == digest


@pytest.mark.parametrize(
    ("text", "env", "says"),
    [
        ("[gateway.keys.a]\n", {}, "give sha256"),
        ('[gateway.keys.a]\nenv = "A"\n', {}, "not set"),
        ('[gateway.keys.a]\nenv = "A"\n', {"A": "geheim"}, "guessed"),
        ('[gateway.keys.a]\nsha256 = "geheim-itself"\n', {}, "64 lower-case"),
        ("", {"PERFWRIGHT_GATEWAY_KEYS": "geheim-without-name"}, "NAME=SECRET"),
        ("", {"PERFWRIGHT_GATEWAY_KEYS": "a=geheim-of-a,a=geheim-of-b"}, "another key"),
        ("[gateway]\nmax_body = '5s'\n", {}, "size"),
        ("[gateway]\nport = 70000\n", {}, "65535"),
    ],
)
def test_a_key_that_is_none_is_refused_without_showing_it(
    text: str, env: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        plan(tmp_path, text, env=env)
    assert "geheim" not in str(refused.value)


def test_a_keys_budget_pays_what_is_booked_under_its_name(tmp_path: Path) -> None:
    text = """
[gateway.keys.alice]
env = "ALICE"
budget_usd = 5.0
period = "month"
models = ["small"]
requests_per_min = 60
"""
    built = plan(tmp_path, text, env={"ALICE": SECRET})
    (budget,) = built.budgets
    assert (budget.usd, budget.monthly, budget.labels) == (5.0, True, {"key": "alice"})
    assert built.keys[0].models == frozenset({"small"})


def test_workers_share_a_keys_rate(tmp_path: Path) -> None:
    text = '[gateway]\nworkers = 2\n[gateway.keys.a]\nenv = "A"\nrequests_per_min = 60\n'
    (key,) = plan(tmp_path, text, env={"A": SECRET}).keys
    assert key.requests is not None
    assert key.requests.per_s == 0.5


def test_several_workers_may_not_overspend_a_budget(tmp_path: Path) -> None:
    text = '[[llm.budgets]]\nname = "all"\nusd = 1.0\n'
    with pytest.raises(ConfigError, match=r"overspend.*PERFWRIGHT_REDIS_URL"):
        plan(tmp_path, text, workers=2)


def test_several_workers_share_a_budget_through_redis(tmp_path: Path) -> None:
    text = '[[llm.budgets]]\nname = "all"\nusd = 1.0\n'
    for env in ({"PERFWRIGHT_REDIS_URL": "redis://h/0"}, {"REDIS_URL": "redis://h"}):
        shared = plan(tmp_path, text, workers=2, env=env)
        assert (shared.workers, [each.name for each in shared.budgets]) == (2, ["all"])
    assert plan(tmp_path, 'redis_url = "redis://h"\n' + text, workers=2).workers == 2


@pytest.mark.parametrize("workers", [0, -1, 65, 1_000])
def test_as_many_workers_may_be_set_as_the_command_line_takes(workers: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.workers.*1 to 64"):
        plan(tmp_path, f"[gateway]\nworkers = {workers}\n")


def test_the_model_of_calls_that_name_none_is_the_first_that_is_set(tmp_path: Path) -> None:
    env = {"PERFWRIGHT_LLM_MODEL": "by-variable"}
    text = 'model = "by-file"\n'
    assert plan(tmp_path).model == ""
    assert plan(tmp_path, text).model == "by-file"
    assert plan(tmp_path, text, env=env).model == "by-variable"
    assert plan(tmp_path, text, env=env, model="told").model == "told"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[gateway]\nhost = ""\n', "host.*address"),
        ("[gateway.keys.a]\nenv = 'A'\nmodels = []\n", r"gateway\.keys\.a\.models"),
        ("[gateway.keys.a]\nenv = 'A'\nrequests_per_min = 0\n", r"keys\.a\.requests_per_min"),
        ("[gateway.keys.a]\nenv = 'A'\nrequests_burst = 5\n", "without requests_per_min"),
        ("[gateway.keys.a]\nenv = 'A'\nperiod = 'day'\n", "without budget_usd"),
        (
            "[gateway.keys.a]\nenv = 'A'\nrequests_per_min = 9\nrequests_burst = -1\n",
            r"keys\.a\.requests_burst.*above 0",
        ),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_name(
    text: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        plan(tmp_path, text, env={"A": SECRET})


def test_an_endpoint_is_required_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no language model is known"):
        build_plan(load_config(tmp_path), {})
