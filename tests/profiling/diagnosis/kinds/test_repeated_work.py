"""The same once more."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Call, Function
from tests.profiling.diagnosis.kinds.claims import causes, culprits, kinds_in

RULE = "repeated_work"


def test_a_property_worked_out_in_each_turn_is_found() -> None:
    text = """
        class Cart:
            @property
            def total(self):
                return sum(line.price for line in self.lines)
            def shares(self):
                for line in self.lines:
                    part = line.price / self.total
                    yield part
    """
    path = ("part = line.price", "return sum")
    assert "Cart.shares" in culprits(RULE, text, path)


def test_what_an_inner_loop_asks_in_each_turn_of_the_outer_is_found() -> None:
    text = """
        def weight(corpus, term):
            return sum(1 for text in corpus if term == text.title)
        def rank(corpus, terms):
            for text in corpus:
                for term in terms:
                    text.score += weight(corpus, term)
    """
    path = ("text.score +=", "return sum")
    assert culprits(RULE, text, path) == ["rank"]


def test_drawing_lots_is_not_repeated_work() -> None:
    text = """
        import random
        def roll(dice):
            return random.randint(1, dice)
        def run(dice, rounds):
            for n in rounds:
                value = roll(dice)
                print(n, value)
    """
    assert culprits(RULE, text, ("value = roll", "return random")) == []


def test_a_loop_that_only_counts_repeats_on_purpose() -> None:
    text = """
        def parse(text):
            return text.split()
        def bench(text):
            for _ in range(1000):
                result = parse(text)
    """
    assert culprits(RULE, text, ("result = parse", "return text.split")) == []


def test_what_changes_state_is_not_repeated_work() -> None:
    text = """
        class Game:
            def step(self, dt):
                self.time += dt
                return self.time
        def run(game, dt, rounds):
            for n in rounds:
                now = game.step(dt)
    """
    assert culprits(RULE, text, ("now = game.step", "self.time += dt")) == []


GAME = """
    class Game:
        def apply(self, event):
            self.points[event.player] = event.points
        def rename(self, event):
            self.title = event.title
        def score(self):
            return sum(self.points.values())
    def run(game, events):
        for event in events:
            game.{change}(event)
            now = game.score()
            show(now, event)
"""


def test_what_another_call_in_the_loop_changes_is_asked_anew() -> None:
    path = ("now = game.score()", "return sum")
    assert culprits(RULE, GAME.format(change="apply"), path) == []
    assert culprits(RULE, GAME.format(change="rename"), path) == ["run"]


def test_what_the_loop_itself_changes_is_asked_anew() -> None:
    text = """
        class Emitter:
            def needs_more(self):
                return any(event.open for event in self.events)
            def emit(self, event):
                while not self.needs_more():
                    self.event = self.events.pop(0)
    """
    assert culprits(RULE, text, ("while not self.needs", "return any")) == []
    assert culprits(RULE, text, ("while not self.needs",)) == []


def test_a_function_kept_in_an_attribute_is_not_known() -> None:
    text = """
        class Reader:
            def __init__(self):
                self.state = self.data
            def data(self):
                return self.stream.char()
            def run(self):
                while self.state():
                    pass
    """
    assert culprits(RULE, text, ("while self.state()",)) == []


def test_polling_in_a_loop_asks_something_that_changes() -> None:
    text = """
        import requests
        def wait(url):
            while not requests.get(url).ok:
                pass
    """
    answer = ("site-packages/requests/api.py", "get")
    assert causes(text, ("requests.get", answer), state="waiting") == {}
    assert causes(text, ("requests.get", answer)) == {"wait": "repeated-work"}


def test_a_fresh_copy_for_each_turn_to_change_is_needed() -> None:
    text = """
        def table(size):
            return [[0] * size for _ in range(size)]
        def plays(games, size):
            for game in games:
                board = table(size)
                board[0] = game
                yield board
    """
    assert causes(text, ("board = table", "return [[0]")) == {}


def test_the_same_expression_written_twice_is_computed_twice() -> None:
    text = """
        def total(order):
            return sum(line.net for line in order.lines)
        def label(order):
            return total(order) if total(order) > 9 else 0
        def other(order, last):
            return total(order) if total(last) > 9 else 0
    """
    assert causes(text, ("if total(order) >", "return sum"))["label"] == "repeated-work"
    assert "other" not in causes(text, ("if total(last) >", "return sum"))


def test_the_same_call_in_two_branches_is_made_once() -> None:
    text = """
        def total(order):
            return sum(line.net for line in order.lines)
        def label(order):
            if order.big:
                return total(order)
            else:
                return 1 + total(order)
        def short(order):
            return total(order) if order.big else 2 + total(order)
    """
    paths = ((where, "return sum") for where in ("1 + total", "return total(order) if"))
    assert causes(text, *paths) == {}


def test_what_a_quick_call_returns_is_not_blamed_for_the_line() -> None:
    text = """
        import math
        def norm(rows, base):
            for row in rows:
                yield weigh(row, math.gamma(base))
    """
    profile = example(text, ("yield weigh",))
    norm = frame_of(dedent(text), "def norm").function

    def counted(gamma_s: float) -> dict[str, str]:
        gamma = Function("~", 0, "<built-in method math.gamma>")
        return kinds_in(
            replace(
                profile,
                calls=(
                    Call(caller=None, callee=norm, count=1, self_s=1.0, cumulative_s=1.0),
                    Call(caller=norm, callee=gamma, count=9, self_s=gamma_s, cumulative_s=gamma_s),
                ),
            )
        )

    assert counted(0.9) == {"norm": "repeated-work"}
    assert counted(0.01) == {}
