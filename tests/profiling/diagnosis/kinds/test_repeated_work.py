"""The same once more."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

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


def test_work_that_does_not_depend_on_the_arguments_is_found() -> None:
    text = """
        TABLE = load()
        def price(item):
            known = {row.key: row.price for row in TABLE}
            return known[item]
        def run(items):
            for item in items:
                price(item)
    """
    assert culprits(RULE, text, ("        price(item)", "known = {row")) == ["price"]


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
