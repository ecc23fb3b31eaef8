import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from perfwright.profiling.formats.flamegraph import to_flamegraph
from perfwright.profiling.model import Frame, Function, Profile, Stack, State

HOSTILE = "</script><script>alert(1)</script>%TITLE%%DATA%"
HANDLE = Function("/srv/shop/app.py", 10, "handle")
PRICE = Function("/srv/shop/app.py", 20, HOSTILE)
DECODE = Function("/opt/lib/site-packages/orjson/x.py", 1, "decode")
APPEND = Function("~", 0, "list.append")


def stack(*functions: Function, state: State = "running", wall_s: float = 0.5) -> Stack:
    frames = tuple(Frame(function, function.line) for function in functions)
    return Stack(frames=frames, state=state, thread=HOSTILE, samples=5, wall_s=wall_s, cpu_s=0.25)


def page(*stacks: Stack, title: str = "Profile") -> str:
    return to_flamegraph(Profile(wall_s=2.0, cpu_s=1.0, stacks=stacks), title=title)


class Scripts(HTMLParser):
    """Collects what a browser would take for scripts, and addresses that it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[str | None] = []
        self.addresses: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.kinds.append(dict(attrs).get("type"))
        self.addresses += [value for name, value in attrs if name in ("src", "href")]


def data_of(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert found is not None
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


def test_each_stack_names_its_functions_outermost_first() -> None:
    data = data_of(page(stack(HANDLE, PRICE, APPEND), stack(HANDLE, DECODE)))
    names = [[data["functions"][number][0] for number in row[5]] for row in data["stacks"]]
    assert names == [["handle", HOSTILE, "list.append"], ["handle", "decode"]]
    assert data["stacks"][0][2:5] == [0.5, 0.25, 5]


def test_functions_are_told_apart_by_who_can_change_them() -> None:
    functions = data_of(page(stack(HANDLE, DECODE, APPEND)))["functions"]
    assert [function[3] for function in functions] == ["own", "library", "c"]


def test_what_is_own_can_be_said() -> None:
    profile = Profile(wall_s=1.0, cpu_s=1.0, stacks=(stack(HANDLE, DECODE),))
    data = data_of(to_flamegraph(profile, own=lambda function: function is DECODE))
    assert [function[3] for function in data["functions"]] == ["library", "own"]


@pytest.mark.parametrize("state", ["running", "waiting", "awaiting", "idle"])
def test_each_state_can_be_shown_alone(state: State) -> None:
    data = data_of(page(stack(HANDLE, state=state)))
    assert data["states"][data["stacks"][0][0]] == state


def test_hostile_names_stay_text() -> None:
    text = page(stack(HANDLE, PRICE), title=HOSTILE)
    parser = Scripts()
    parser.feed(text)
    assert parser.kinds == ["application/json", None]
    assert "alert(1)</script>" not in text
    data = data_of(text)
    assert data["functions"][1][0] == HOSTILE
    assert data["threads"] == [HOSTILE]


def test_nothing_is_fetched() -> None:
    text = page(stack(HANDLE))
    parser = Scripts()
    parser.feed(text)
    assert parser.addresses == []
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text


def test_a_profile_without_stacks_makes_a_page() -> None:
    assert data_of(page())["stacks"] == []


def test_a_deep_recursion_is_written_whole() -> None:
    data = data_of(page(stack(*[HANDLE] * 5000)))
    assert len(data["stacks"][0][5]) == 5000
    assert len(data["functions"]) == 1
