"""Which price a model has: the user's, the catalogue's, our table's, or none."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from perfwright.core import ConfigError, ManualClock
from perfwright.llm import Usage
from perfwright.llm.cost import Price, Prices
from perfwright.llm.cost.catalogue import Catalogue
from perfwright.llm.cost.prices import listed_prices

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MILLION = Usage(prompt_tokens=1_000_000)


def prompt_usd(price: Price | None) -> float | None:
    return None if price is None else price.prompt


@pytest.mark.parametrize("catalogue", [True, False])
@pytest.mark.parametrize(
    ("name", "usd"),
    [
        ("gpt-4o", 2.5),
        ("GPT-4o", 2.5),
        ("gpt-4o-mini-2024-07-18", 0.15),
        ("openai/gpt-4o", 2.5),
        ("openrouter/openai/gpt-4o", 2.5),
        ("anthropic/claude-sonnet-4-5", 3.0),
        ("claude-sonnet-4-5-20250929", 3.0),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 1.0),
        ("text-embedding-3-small", 0.02),
    ],
)
def test_a_model_is_known_under_its_many_names(name: str, usd: float, catalogue: bool) -> None:
    assert prompt_usd(Prices(catalogue=catalogue).of(name)) == usd


@pytest.mark.parametrize("name", ["", "no-such-model", "deployment-7", "//", "-latest"])
def test_a_model_that_nobody_lists_has_no_price(name: str) -> None:
    assert Prices().of(name) is None


def test_the_users_price_goes_before_all_others() -> None:
    prices = Prices({"gpt-4o": {"prompt": 7, "completion": 8}})
    assert prompt_usd(prices.of("openai/gpt-4o-2024-08-06")) == 7


def test_the_most_exact_of_the_users_names_counts() -> None:
    prices = Prices({"gpt-4o": {"prompt": 7}, "gpt-4o-2024-05-13": {"prompt": 9}})
    assert prompt_usd(prices.of("gpt-4o-2024-05-13")) == 9


def test_a_deployment_may_be_said_to_cost_as_a_model() -> None:
    prices = Prices({"prod-chat": "gpt-4o", "test-chat": "mine", "mine": {"prompt": 4}})
    assert prompt_usd(prices.of("prod-chat")) == 2.5
    assert prompt_usd(prices.of("test-chat")) == 4


def test_a_deployments_price_counts_though_the_answer_names_the_model_behind_it() -> None:
    prices = Prices({"prod-chat": {"prompt": 4}})
    assert prompt_usd(prices.of("gpt-4o-2024-08-06", asked="prod-chat")) == 4


def test_a_fallback_to_another_model_costs_what_that_one_costs() -> None:
    prices = Prices({"gpt-4o": {"prompt": 4}})
    assert prompt_usd(prices.of("claude-haiku-4-5", asked="gpt-4o")) == 1


def test_an_answer_under_an_unknown_name_costs_what_was_asked_for() -> None:
    assert prompt_usd(Prices().of("snapshot-x", asked="gpt-4o")) == 2.5


def test_the_same_model_costs_differently_at_another_provider() -> None:
    prices = Prices()
    groq = prices.of("llama-3.3-70b-versatile", base_url="https://api.groq.com/openai/v1")
    assert groq is not None
    assert groq.source.startswith("genai-prices")
    assert groq.prompt > 0


def test_a_server_on_this_machine_takes_the_price_of_the_models_name() -> None:
    assert prompt_usd(Prices().of("gpt-4o", base_url="http://127.0.0.1:8080/v1")) == 2.5


def test_every_row_of_our_table_is_what_its_source_says() -> None:
    catalogue = Catalogue()
    for name, ours in listed_prices().items():
        theirs = catalogue.find(name, base_url=None, at=NOW)
        version = ours.source.split()[1].rstrip(",")
        if catalogue.version != version:
            pytest.skip(f"the table is of genai-prices {version}, not {catalogue.version}")
        assert ours == (theirs and _with_source(theirs, ours.source)), name


def test_a_listed_model_is_priced_without_loading_the_catalogue() -> None:
    program = (
        "import sys; from perfwright.llm.cost import Prices\n"
        "assert Prices().of('gpt-4o-mini').prompt == 0.15\n"
        "assert Prices().of('gpt-4o-mini', base_url='http://127.0.0.1:1/v1').prompt == 0.15\n"
        "print('genai_prices' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stderr


def test_prices_are_read_again_after_a_while() -> None:
    clock = ManualClock()
    prices = Prices(clock=clock)
    before = prices.of("no-such-model-yet")
    prices._overrides["no-such-model-yet"] = Price(prompt=1)  # as if the catalogue had changed
    assert before is None is prices.of("no-such-model-yet")
    clock.now_s += 901.0
    assert prompt_usd(prices.of("no-such-model-yet")) == 1


def test_overrides_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(
        '["my.model"]\nprompt = 1\ncompletion = 2\n'
        "tiers = [{ above = 1000, prompt = 3, completion = 4 }]\n"
    )
    price = Prices.from_toml(path).of("my.model")
    assert price is not None
    assert price.rates(1_001).completion == 4_000_000


@pytest.mark.parametrize("text", ["= 1", "[m]\nprompt = -1", "[m]\ncompletion = 1"])
def test_a_file_that_holds_no_prices_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        Prices.from_toml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gone"):
        Prices.from_toml(tmp_path / "gone.toml")


def _with_source(price: Price, source: str) -> Price:
    from dataclasses import replace

    return replace(price, source=source)


def test_no_file_is_opened_once_prices_are_built_and_the_model_is_known() -> None:
    program = (
        "import asyncio, random, resource\n"
        "from perfwright.llm import Call, CallTrace, Request, Usage\n"
        "from perfwright.llm.cost import CostControl\n"
        "from perfwright.llm.requests import Api\n"
        "async def main():\n"
        "    control = CostControl()\n"
        "    for model in ('gpt-4o-mini', 'nobody-knows'):\n"
        "        request = Request(api=Api.CHAT, body={'model': model, 'messages': []})\n"
        "        trace = CallTrace('chat', start_s=0.0, rng=random.Random(1))\n"
        "        hold = await control.reserve(Call(request, 1, 1, trace))\n"
        "        limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))\n"
        "        print(hold.settle(Usage(prompt_tokens=1_000_000), model=model))\n"
        "        resource.setrlimit(resource.RLIMIT_NOFILE, limits)\n"
        "    print(control.get_stats()['unpriced_calls'])\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("0.15\nNone\n1\n", "")
