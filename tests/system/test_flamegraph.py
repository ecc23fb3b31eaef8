"""The page in a real browser: what it draws, and what keys and words do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from perfwright.profiling.formats.flamegraph import to_flamegraph
from perfwright.profiling.model import Frame, Function, Profile, Stack

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium or Chrome is installed")

HANDLE = Function("/srv/shop/app.py", 10, "handle")
PRICE = Function("/srv/shop/app.py", 20, "<img src=x onerror=report('broken')>")
APPEND = Function("~", 0, "list.append")
KEY = """
    const pressed = name => new KeyboardEvent("keydown", {key: name, bubbles: true});
    const key = name => canvas.dispatchEvent(pressed(name));"""


def stack(*functions: Function, wall_s: float, cpu_s: float = 0.1) -> Stack:
    frames = tuple(Frame(function, function.line) for function in functions)
    return Stack(
        frames=frames, state="running", thread="main", samples=5, wall_s=wall_s, cpu_s=cpu_s
    )


def seen(folder: Path, script: str, *stacks: Stack) -> str:
    """Open the page, run `script` in it, and return what it reports."""
    report = "const report = text => document.documentElement.setAttribute('data-seen', text);"
    page = to_flamegraph(Profile(wall_s=2.0, cpu_s=1.0, stacks=stacks))
    driver = f"<script>{report}{KEY}{script}</script></body>"
    (folder / "page.html").write_text(page.replace("</body>", driver), encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'home'}")
    command = [CHROMIUM, *options, "--dump-dom", (folder / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50.0, check=True)
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found is not None, done.stdout[-500:]
    return found[1]


def test_words_are_found_with_their_share_of_the_time(tmp_path: Path) -> None:
    script = 'at("search").value = "append"; find(); report(at("found").textContent);'
    stacks = (stack(HANDLE, APPEND, wall_s=0.5), stack(HANDLE, wall_s=1.5))
    assert seen(tmp_path, script, *stacks) == "1 places, 25.0 % of the time"


def test_keys_walk_and_zoom(tmp_path: Path) -> None:
    script = """
        key("ArrowDown"); key("ArrowDown"); key("ArrowRight"); key("Enter");
        const inside = name(zoomed);
        key("Escape");
        report([inside, name(zoomed), at("details").querySelector("h2").textContent].join("|"));"""
    stacks = (stack(HANDLE, PRICE, wall_s=1.5), stack(HANDLE, APPEND, wall_s=0.5))
    assert seen(tmp_path, script, *stacks) == "list.append|all|list.append"


def test_the_time_shown_can_be_changed(tmp_path: Path) -> None:
    script = """
        const wall = root.total;
        at("weight").value = "3"; at("weight").dispatchEvent(new Event("change"));
        report(wall + "|" + root.total);"""
    assert seen(tmp_path, script, stack(HANDLE, wall_s=0.5, cpu_s=0.25)) == "0.5|0.25"


def test_a_hostile_name_does_nothing_when_its_details_are_shown(tmp_path: Path) -> None:
    script = """
        key("ArrowDown");
        report(at("details").querySelectorAll("img").length + " images");"""
    assert seen(tmp_path, script, stack(PRICE, wall_s=0.5)) == "0 images"


def test_a_deep_recursion_is_drawn_and_its_cut_is_said(tmp_path: Path) -> None:
    script = 'report(canvas.height > 1000 ? at("sum").textContent : "not drawn");'
    assert "deeper than 1500" in seen(tmp_path, script, stack(*[HANDLE] * 5000, wall_s=0.5))
