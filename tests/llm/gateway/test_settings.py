"""Where a gateway may listen."""

from __future__ import annotations

from typing import Any

import pytest

from perfwright.core import ConfigError, is_loopback
from perfwright.llm.gateway import GatewaySettings, refuse_open_door


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST.", "::1", "[::1]"]
)
def test_names_of_this_machine_need_no_keys(host: str) -> None:
    settings = GatewaySettings(host=host)
    refuse_open_door(settings, has_keys=False)
    assert settings.is_local


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "192.168.1.5", "example.org", "127.0.0.1.example.org", "localhost.x"],
)
def test_any_other_address_is_refused_without_keys(host: str) -> None:
    with pytest.raises(ConfigError, match=r"--new-key NAME"):
        refuse_open_door(GatewaySettings(host=host), has_keys=False)
    refuse_open_door(GatewaySettings(host=host), has_keys=True)
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "given",
    [
        {"port": 65_536},
        {"port": -1},
        {"max_body_bytes": 0},
        {"max_in_flight": 0},
        {"header_timeout_s": 0.0},
        {"idle_timeout_s": float("inf")},
        {"write_timeout_s": float("nan")},
        {"drain_timeout_s": -1.0},
    ],
)
def test_a_number_that_makes_no_sense_is_refused_by_name(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(ConfigError, match=name):
        GatewaySettings(**given)
