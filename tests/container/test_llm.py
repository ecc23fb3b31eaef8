"""What the LLM runtime is built from: the file, the environment, and no secret in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perfwright.container.config import load_config
from perfwright.container.llm import LlmSetup, build_cache, build_call_settings, period_s, redis_url
from perfwright.core import ConfigError, GrammarError

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com/v1"


def setup(folder: Path, text: str = "", *, base_url: str | None = None, **env: str) -> LlmSetup:
    (folder / "perfwright.toml").write_text(text, encoding="utf-8")
    section = load_config(folder).llm
    return LlmSetup(section=section, environment=env, base_url=base_url)


@pytest.mark.parametrize(
    ("env", "url", "form", "key"),
    [
        ({"OPENAI_API_KEY": "k"}, OPENAI, "openai", "k"),
        ({"ANTHROPIC_API_KEY": "k"}, ANTHROPIC, "anthropic", "k"),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "l"}, OPENAI, "openai", "k"),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://h/v1"}, "http://h/v1", "openai", "k"),
        ({"OPENAI_BASE_URL": "http://h/v1"}, "http://h/v1", "openai", None),
        ({"PERFWRIGHT_LLM_BASE_URL": "http://p", "OPENAI_API_KEY": "k"}, "http://p", "openai", "k"),
        ({"PERFWRIGHT_LLM_API_KEY": "p", "OPENAI_API_KEY": "k"}, OPENAI, "openai", "p"),
    ],
)
def test_the_environment_alone_is_enough(
    env: dict[str, str], url: str, form: str, key: str | None, tmp_path: Path
) -> None:
    (endpoint,) = setup(tmp_path, **env).endpoints()
    assert (endpoint.base_url, endpoint.form, endpoint.api_key) == (url, form, key)


def test_without_any_endpoint_the_ways_to_name_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"OPENAI_API_KEY.*--base-url.*\[llm\] base_url"):
        setup(tmp_path).endpoints()


def test_the_command_line_goes_before_the_environment_and_both_before_the_file(
    tmp_path: Path,
) -> None:
    text = '[[llm.endpoints]]\nbase_url = "http://file/v1"\n'
    env = {"PERFWRIGHT_LLM_BASE_URL": "http://env/v1"}
    urls = [
        each.endpoints()[0].base_url
        for each in (
            setup(tmp_path, text),
            setup(tmp_path, text, **env),
            setup(tmp_path, text, base_url="http://told/v1", **env),
        )
    ]
    assert urls == ["http://file/v1", "http://env/v1", "http://told/v1"]


def test_a_file_cannot_have_the_usual_key_sent_to_its_own_address(tmp_path: Path) -> None:
    text = '[llm]\nbase_url = "http://elsewhere.example/v1"\n'
    (endpoint,) = setup(tmp_path, text, OPENAI_API_KEY="k").endpoints()
    assert endpoint.api_key is None


def test_a_key_is_taken_from_the_variable_that_is_named(tmp_path: Path) -> None:
    text = '[llm]\nbase_url = "http://h/v1"\napi_key_env = "MINE"\n'
    assert setup(tmp_path, text, MINE="k").endpoints()[0].api_key == "k"
    with pytest.raises(ConfigError, match="MINE"):
        setup(tmp_path, text).endpoints()


def test_endpoints_are_built_in_their_order_with_their_limits(tmp_path: Path) -> None:
    text = """
[[llm.endpoints]]
base_url = "https://first.example/v1"
models = ["a", "b"]
requests_per_min = 600
tokens_per_min = 60_000
max_concurrent = 7

[[llm.endpoints]]
name = "second"
base_url = "https://second.example/v1"
form = "anthropic"
model = "c"
"""
    first, second = setup(tmp_path, text).endpoints()
    assert (first.name, first.models, first.max_concurrent) == ("first.example", ("a", "b"), 7)
    assert first.requests is not None
    assert first.tokens is not None
    assert (first.requests.per_s, first.tokens.per_s) == (10.0, 1_000.0)
    assert (second.name, second.form, second.model) == ("second", "anthropic", "c")


@pytest.mark.parametrize(
    ("env", "per_s", "at_once"), [({}, 2.5, 2), ({"REDIS_URL": "redis://h"}, 10.0, 8)]
)
def test_a_worker_has_its_part_of_limits_that_redis_does_not_share(
    env: dict[str, str], per_s: float, at_once: int, tmp_path: Path
) -> None:
    text = '[llm]\nbase_url = "http://h/v1"\nrequests_per_s = 10.0\nmax_concurrent = 8\n'
    whole = setup(tmp_path, text, **env)
    (endpoint,) = LlmSetup(section=whole.section, environment=env, share=0.25).endpoints()
    assert endpoint.requests is not None
    assert (endpoint.requests.per_s, endpoint.max_concurrent) == (per_s, at_once)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/v1",
        "h/v1",
        "http://",
        "http://[::1/v1",
        "http://user:secret@h/v1",
        "http://h:99999/v1",
        "http://h:abc/v1",
        "http://h:0/v1",
    ],
)
def test_an_address_that_cannot_be_called_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        setup(tmp_path, base_url=url).endpoints()
    assert "secret" not in str(refused.value)


ENDPOINT = '[[llm.endpoints]]\nbase_url = "http://h/v1"\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[llm]\nbase_url = "http://h/v1"\n' + ENDPOINT, r"llm\.base_url.*move it there"),
        ("[llm]\nrequests_per_s = 5\n" + ENDPOINT, r"llm\.requests_per_s.*move it there"),
        (ENDPOINT + "max_concurrent = 0\n", "'a': max_concurrent.*1 or more"),
        (ENDPOINT + "max_concurrent = -1\n", "'a': max_concurrent.*1 or more"),
        (ENDPOINT + "requests_per_min = 0\n", "'a': requests_per_min.*above 0"),
        (ENDPOINT + "requests_per_min = nan\n", "'a': requests_per_min.*above 0"),
        (ENDPOINT + "requests_burst = 5\n", "'a': requests_burst.*without requests_per_min"),
        (ENDPOINT + "tokens_per_min = 9\ntokens_burst = -4.0\n", "'a': tokens_burst.*above 0"),
        (ENDPOINT + "tokens_burst = 4.0\n", "'a': tokens_burst.*without tokens_per_min"),
        (ENDPOINT + "models = []\n", "'a': models.*name a model"),
        (ENDPOINT + 'models = [""]\n', "'a': models.*name a model"),
        (ENDPOINT.replace('"a"', '"a\\nb"'), "name.*printable"),
        ('[llm]\nbase_url = "http://h/v1"\nmax_concurrent = 0\n', r"llm\.max_concurrent"),
        ('[llm]\nbase_url = "http://h/v1"\nrequests_per_s = 0\n', r"llm\.requests_per_s"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_name(
    text: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        setup(tmp_path, text).endpoints()


def test_a_budget_needs_a_name(tmp_path: Path) -> None:
    text = '[[llm.budgets]]\nname = ""\nusd = 1.0\n'
    with pytest.raises(ConfigError, match=r"llm\.budgets.*printable"):
        setup(tmp_path, text).all_budgets()


def test_a_cache_without_entries_is_refused(tmp_path: Path) -> None:
    section = setup(tmp_path, "[llm]\ncache_entries = 0\n").section
    with pytest.raises(ConfigError, match=r"llm\.cache_entries.*cache = false"):
        build_cache(section, redis_client=None)


@pytest.mark.parametrize("proxy", ["http://u:geheim@127.0.0.1:99999", "127.0.0.1:abc"])
def test_a_proxy_that_cannot_be_reached_is_refused_before_any_call(
    proxy: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="http_proxy") as refused:
        setup(tmp_path, OPENAI_API_KEY="k", http_proxy=proxy).endpoints()
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("proxy", ["", "http://proxy:3128", "proxy:3128", "socks5://p:1"])
def test_a_proxy_may_be_named_in_any_usual_way(proxy: str, tmp_path: Path) -> None:
    assert setup(tmp_path, OPENAI_API_KEY="k", http_proxy=proxy).endpoints()


@pytest.mark.parametrize("url", ["redis://h/notadb", "redis://h:99999/0", "redis://h/-1"])
def test_a_redis_url_without_a_right_database_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"PERFWRIGHT_REDIS_URL.*database"):
        redis_url(setup(tmp_path).section, {"PERFWRIGHT_REDIS_URL": url})


@pytest.mark.parametrize("url", ["redis://h", "redis://h/", "rediss://:p@h:1/15", "unix:///run/r"])
def test_a_redis_url_may_be_of_any_usual_form(url: str, tmp_path: Path) -> None:
    assert redis_url(setup(tmp_path).section, {"PERFWRIGHT_REDIS_URL": url}) == url


def test_a_password_of_redis_belongs_into_the_environment(tmp_path: Path) -> None:
    section = setup(tmp_path, '[llm]\nredis_url = "redis://:geheim@h/0"\n').section
    with pytest.raises(ConfigError, match="PERFWRIGHT_REDIS_URL") as refused:
        redis_url(section, {})
    assert "geheim" not in str(refused.value)


def test_the_variable_of_our_own_names_redis_first(tmp_path: Path) -> None:
    section = setup(tmp_path, '[llm]\nredis_url = "redis://file"\n').section
    env = {"REDIS_URL": "redis://usual"}
    assert redis_url(section, env) == "redis://file"
    assert redis_url(section, {**env, "PERFWRIGHT_REDIS_URL": "redis://own"}) == "redis://own"
    assert redis_url(setup(tmp_path).section, env) == "redis://usual"


def test_budgets_and_prices_are_read(tmp_path: Path) -> None:
    text = """
[llm]
budgets = [{ name = "day", usd = 5.0, period = "day", per = "user" }]
[llm.prices."my-model"]
prompt = 1.5
completion = 6.0
"""
    (budget,) = setup(tmp_path, text, OPENAI_API_KEY="k").all_budgets()
    assert (budget.usd, budget.period_s, budget.per) == (5.0, 86_400.0, "user")
    section = setup(tmp_path, text).section
    assert section.prices["my-model"].completion == 6.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("hour", 3_600.0), ("90m", 5_400.0), ("month", None), (None, None)]
)
def test_a_period_is_a_word_or_a_time(text: str | None, seconds: float | None) -> None:
    assert period_s(text, field="f") == seconds


@pytest.mark.parametrize("text", ["fortnight", "-5s", "0s", "5%", "5MB"])
def test_a_period_that_is_none_is_refused(text: str) -> None:
    with pytest.raises((ConfigError, GrammarError)):
        period_s(text, field="f")


def test_settings_of_calls_are_passed_on(tmp_path: Path) -> None:
    text = '[llm]\ntimeout = "2m"\nmax_retries = 0\nhedge = false\n'
    settings = build_call_settings(setup(tmp_path, text).section)
    assert (settings.timeout_s, settings.max_retries, settings.hedge) == (120.0, 0, False)


@pytest.mark.parametrize(
    "text",
    ["[llm]\nnonsense = 1\n", '[llm]\nform = "xml"\n', "[[llm.endpoints]]\nname = 'x'\n"],
)
def test_an_unknown_or_missing_field_is_an_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"llm"):
        setup(tmp_path, text)


def test_the_adapter_has_what_was_configured(tmp_path: Path) -> None:
    import asyncio

    async def models(**more: Any) -> list[str]:
        built = setup(tmp_path, '[llm]\nmodel = "m"\n', OPENAI_API_KEY="k").build(**more)
        try:
            return built.models()
        finally:
            await built.aclose()

    assert asyncio.run(models()) == ["m"]
