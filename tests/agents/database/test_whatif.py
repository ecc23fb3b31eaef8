"""The choice among changes, against trials that are made up."""

from __future__ import annotations

from dataclasses import dataclass, field

from perfwright.agents.database.choosing import extends
from perfwright.agents.database.whatif import Greedy, Option, Rules, Trial
from perfwright.core import ChangeSpec


def change(name: str, *, apply: str = "") -> ChangeSpec:
    return ChangeSpec(
        kind="sqlite-ddl",
        subject=name,
        apply=(apply or f"make {name}",),
        revert=(f"drop {name}",),
        summary=name,
    )


@dataclass
class Fake:
    """Statements cost 100 ms each; an index brings its statement down to what is given."""

    costs: dict[str, dict[str, float]]
    """By index: what a statement costs with it."""
    writes: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    tried: list[str] = field(default_factory=list)

    def read_ms(self, made: set[str]) -> dict[str, float]:
        statements = {s for costs in self.costs.values() for s in costs}
        return {
            s: min([100.0, *(self.costs[m][s] for m in made if s in self.costs.get(m, {}))])
            for s in statements
        }

    def total_ms(self) -> float:
        return sum(self.read_ms(self.made).values()) + self.write_ms()

    def write_ms(self) -> float:
        return 1_000.0 + sum(self.writes.get(m, 0.0) for m in self.made)

    def table_ms(self, table: str) -> float:
        return self.total_ms() if table != "idle" else 0.0

    def try_out(self, spec: ChangeSpec) -> Trial | None:
        self.tried.append(spec.summary)
        name = spec.subject
        if name == "broken":
            return None
        after = self.made ^ {name}
        sign = 1 if name in after else -1
        before_ms, after_ms = self.read_ms(self.made), self.read_ms(after)
        saved = {s: before_ms[s] - after_ms[s] for s in before_ms if before_ms[s] != after_ms[s]}
        return Trial(
            saved=saved,
            write_ms=sign * self.writes.get(name, 0.0),
            size_bytes=sign * self.sizes.get(name, 0),
            worse=tuple(s for s, ms in saved.items() if ms < -10),
        )

    def accept(self, spec: ChangeSpec) -> None:
        self.made ^= {spec.subject}

    def withdraw(self, spec: ChangeSpec) -> None:
        self.made.discard(spec.subject)


def never(*, share: float = 1.0) -> bool:
    return share < 0


def greedy(fake: Fake) -> Greedy:
    return Greedy(trials=fake, rules=Rules(database_bytes=1_000_000), time_is_up=never)


def option(name: str, *, expected_ms: float = 1.0, demand: float = 1.0) -> Option:
    return Option(change=change(name), table="t", expected_ms=expected_ms, demand=demand)


def chosen(made: Greedy) -> list[str]:
    return [choice.change.subject for choice in made.chosen]


def test_what_brings_more_is_chosen_first() -> None:
    made = greedy(Fake({"a": {"x": 60.0}, "b": {"y": 10.0}}))
    made.add([option("a"), option("b")])
    assert chosen(made) == ["b", "a"]


def test_an_index_whose_gain_another_took_is_refused() -> None:
    made = greedy(Fake({"a": {"x": 10.0}, "b": {"x": 12.0}}))
    made.add([option("b"), option("a")])
    assert chosen(made) == ["a"]


def test_a_small_index_is_preferred_to_a_large_one_that_is_hardly_better() -> None:
    sizes = {"large": 900_000, "small": 10_000}
    made = greedy(Fake({"large": {"x": 10.0}, "small": {"x": 11.0}}, sizes=sizes))
    made.add([option("large"), option("small")])
    assert chosen(made) == ["small"]


def test_an_index_whose_writes_eat_its_gain_is_refused() -> None:
    made = greedy(Fake({"a": {"x": 60.0}}, writes={"a": 45.0}))
    made.add([option("a")])
    assert chosen(made) == []


def test_where_writes_dominate_twice_their_cost_is_asked_for() -> None:
    costs, writes = {"a": {"x": 60.0}}, {"a": 25.0}
    bold, wary = greedy(Fake(costs, writes)), greedy(Fake(costs, writes))
    bold.add([option("a")])
    wary.add([option("a", demand=2.0)])
    assert (chosen(bold), chosen(wary)) == (["a"], [])


def test_all_together_may_not_make_the_writes_much_dearer() -> None:
    fake = Fake({"a": {"x": 1.0}, "b": {"y": 2.0}}, writes={"a": 40.0, "b": 40.0})
    made = greedy(fake)
    made.add([option("a"), option("b")])
    assert chosen(made) == ["a"]


def test_a_dropped_index_pays_for_the_writes_of_a_new_one() -> None:
    fake = Fake(
        {"a": {"x": 1.0}, "b": {"y": 2.0}},
        writes={"a": 40.0, "b": 40.0, "old": 30.0},
        made={"old"},
    )
    made = greedy(fake)
    made.drop([option("old")])
    made.add([option("a"), option("b")])
    assert chosen(made) == ["old", "a", "b"]


def test_an_index_that_a_statement_misses_is_not_dropped() -> None:
    made = greedy(Fake({"used": {"x": 1.0}}, made={"used"}))
    made.drop([option("used")])
    assert chosen(made) == []


def test_a_change_that_cannot_be_made_is_passed_over() -> None:
    made = greedy(Fake({"a": {"x": 1.0}}))
    made.add([option("broken"), option("a")])
    assert chosen(made) == ["a"]


def test_what_later_choices_made_superfluous_is_taken_back() -> None:
    fake = Fake(
        {"one": {"x": 1.0}, "both": {"x": 1.0, "y": 50.0, "z": 50.0}}, sizes={"one": 50, "both": 60}
    )
    made = greedy(fake)
    made.add([option("one", expected_ms=9.0)])
    made.add([option("both")])
    made.prune()
    assert chosen(made) == ["both"]


def test_when_time_is_up_nothing_more_is_tried() -> None:
    fake = Fake({"a": {"x": 1.0}})
    made = Greedy(
        trials=fake, rules=Rules(database_bytes=1), time_is_up=lambda *, share=1.0: bool(share)
    )
    made.add([option("a")])
    made.drop([option("a")])
    assert fake.tried == []


def test_the_costliest_statements_are_tried_first() -> None:
    fake = Fake({"a": {"x": 99.0}, "b": {"y": 99.0}})
    greedy(fake).add([option("a", expected_ms=1.0), option("b", expected_ms=2.0)])
    assert fake.tried[:2] == ["b", "a"]


def test_a_table_whose_statements_cost_nothing_gets_no_trial() -> None:
    fake = Fake({"a": {"x": 1.0}})
    greedy(fake).add([Option(change=change("a"), table="idle", expected_ms=1.0)])
    assert fake.tried == []


def created(keys: str) -> ChangeSpec:
    return change("i", apply=f'CREATE INDEX IF NOT EXISTS "i" ON "t"({keys}')


def test_more_columns_behind_extend_an_index() -> None:
    assert extends(created('"a", "b")'), created('"a")'))
    assert extends(created('"a", "b") WHERE c = 1'), created('"a") WHERE c = 1'))


def test_other_fronts_and_conditions_extend_nothing() -> None:
    assert not extends(created('"ab", "b")'), created('"a")'))
    assert not extends(created('"a", "b") WHERE c = 1'), created('"a")'))
    assert not extends(created('"a")'), created('"a")'))
