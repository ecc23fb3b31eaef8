"""Rules over operations as they end: what fires, when, how often, and what is over."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.core import ConfigError, ManualClock
from perfwright.monitoring.alerts import (
    Absence,
    Alerts,
    BurnRate,
    ChangePoint,
    Courier,
    Notice,
    Rule,
    Threshold,
)
from perfwright.monitoring.monitor import PerformanceMonitor


class Site:
    """Alerts, their clock, and what they told."""

    def __init__(self, *rules: Rule, **settings: Any) -> None:
        self.clock = ManualClock()
        self.told: list[Notice] = []
        deliver = Courier(self.told.append, inline=True)
        self.alerts = Alerts(rules=rules, deliver=deliver, clock=self.clock, **settings)

    def spend(
        self,
        seconds: float,
        *,
        took_s: float = 0.1,
        operation: str = "page",
        failed: bool = False,
        per_s: int = 10,
    ) -> None:
        """Let time pass with operations in it, and look every 10 seconds."""
        for _ in range(round(seconds)):
            for _ in range(per_s):
                self.alerts.note(operation, took_s, failed=failed)
            self.clock.now_s += 1
            if self.clock.now_s % 10 == 0:
                self.alerts.evaluate()

    @property
    def titles(self) -> list[str]:
        return [notice.title for notice in self.told]


def slow(**settings: Any) -> Threshold:
    return Threshold(**{"name": "slow", "metric": "p95", "above": 0.5, **settings})


# --- Thresholds -----------------------------------------------------------------------------------


def test_a_percentile_above_its_limit_fires_with_what_was_seen() -> None:
    site = Site(slow())
    site.spend(60, took_s=0.1)
    assert site.told == []
    site.spend(60, took_s=1.0)
    (notice,) = site.told
    assert notice.title == "Alert: slow"
    assert notice.body.startswith("page: p95 1 s of 600 in 60 s, above 0.5")


def test_an_alert_that_goes_on_is_told_once() -> None:
    site = Site(slow())
    site.spend(600, took_s=1.0)
    assert site.titles == ["Alert: slow"]


def test_what_is_over_is_told_once() -> None:
    site = Site(slow())
    site.spend(60, took_s=1.0)
    site.spend(300, took_s=0.1)
    assert site.titles == ["Alert: slow", "Resolved: slow"]
    assert site.told[1].resolved
    assert site.alerts.active() == []


def test_a_condition_that_does_not_hold_for_long_enough_stays_pending() -> None:
    site = Site(slow(for_s=120, window_s=30))
    site.spend(60, took_s=1.0)
    assert [alert.state for alert in site.alerts.active()] == ["pending"]
    site.spend(60, took_s=0.1)
    assert site.told == []
    assert site.alerts.active() == []


def test_a_condition_that_holds_for_long_enough_fires_then() -> None:
    site = Site(slow(for_s=120))
    site.spend(120, took_s=1.0)
    assert site.told == []
    site.spend(10, took_s=1.0)
    (alert,) = site.alerts.active(state="firing")
    assert (alert.since_s, alert.fired_s) == (10, 130)


def test_operations_that_are_recorded_without_a_span_count() -> None:
    clock = ManualClock()
    told: list[Notice] = []
    monitor = PerformanceMonitor(clock=clock)
    alerts = Alerts(monitor, rules=[slow()], deliver=Courier(told.append, inline=True))
    for _ in range(100):
        clock.now_s += 0.1
        monitor.record("page", 1.0)
    alerts.evaluate()
    assert [notice.title for notice in told] == ["Alert: slow"]


def test_too_few_operations_decide_nothing() -> None:
    site = Site(slow(min_count=20))
    site.spend(1, took_s=9.0, per_s=19)
    site.alerts.evaluate()
    assert site.told == []


def test_silence_does_not_resolve_what_fires() -> None:
    site = Site(slow())
    site.spend(60, took_s=1.0)
    site.spend(600, per_s=0)
    assert site.titles == ["Alert: slow"]
    assert [alert.state for alert in site.alerts.active()] == ["firing"]


def test_each_operation_of_a_pattern_has_an_alert_of_its_own() -> None:
    site = Site(slow(operation="GET *"), group="each")
    for operation in ("GET /a", "GET /b", "POST /a"):
        site.spend(10, took_s=1.0, operation=operation)
    assert [alert.operation for alert in site.alerts.active()] == ["GET /a", "GET /b"]


@pytest.mark.parametrize(
    ("metric", "limit", "fires"),
    [
        ("mean", {"above": 0.09}, True),
        ("mean", {"above": 0.11}, False),
        ("max", {"above": 0.09}, True),
        ("p50", {"below": 0.2}, True),
        ("rate", {"below": 9}, False),
        ("rate", {"below": 11}, True),
        ("rate", {"above": 9}, True),
        ("count", {"above": 500}, True),
        ("error_ratio", {"above": 0.4}, True),
        ("error_ratio", {"above": 0.6}, False),
    ],
)
def test_every_metric_is_compared(metric: Any, limit: Any, *, fires: bool) -> None:
    site = Site(Threshold(name="it", operation="page", metric=metric, **limit))
    for _ in range(60):
        site.spend(1, per_s=5)
        site.spend(1, per_s=5, failed=True)
        site.clock.now_s -= 1
    site.clock.now_s = math.ceil(site.clock.now_s)
    site.alerts.evaluate()
    assert bool(site.alerts.active()) == fires


def test_an_expected_operation_that_never_comes_has_a_rate_of_zero() -> None:
    site = Site(Threshold(name="idle", operation="page", metric="rate", below=1))
    site.spend(50, per_s=0)
    assert site.told == []  # the window has not passed yet
    site.spend(20, per_s=0)
    assert site.titles == ["Alert: idle"]


def test_a_reading_is_compared_at_each_look() -> None:
    size = [5.0]
    site = Site(Threshold(name="queue", read=lambda: size[0], above=90))
    site.spend(20, operation="other")
    size[0] = 95
    site.spend(10)
    size[0] = math.nan
    site.spend(10)
    size[0] = 50
    site.spend(10)
    assert site.titles == ["Alert: queue", "Resolved: queue"]
    assert site.told[0].body == "the value is 95, above 90"
    assert site.told[1].body == "the value is 50, not above 90"


def test_a_reading_that_raises_is_counted_and_does_not_hide_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> float:
        raise OSError("gone")

    site = Site(Threshold(name="queue", read=broken, above=90), slow())
    site.spend(60, took_s=1.0)
    assert site.titles == ["Alert: slow"]
    assert site.alerts.get_stats()["rule_failures"] == 6
    assert len(caplog.records) == 1


# --- Objectives -----------------------------------------------------------------------------------


def objective(**settings: Any) -> BurnRate:
    return BurnRate(**{"name": "slo", "operation": "page", "objective": 0.999, **settings})


@pytest.mark.parametrize(
    ("objective", "factor", "bad", "count"),
    [
        (0.99, 100.0, 1000, 1000),
        (0.95, 20.0, 1000, 1000),
        (0.999, 1000.0, 1000, 1000),
        (0.99, 10.0, 100, 1000),
        (0.999, 14.4, 144, 10_000),
        (0.9999, 14.4, 144, 100_000),
        (0.7, 3.0, 900, 1000),
    ],
)
def test_a_budget_that_burns_exactly_as_fast_as_the_factor_fires(
    objective: float, factor: float, bad: int, count: int
) -> None:
    watch = BurnRate(name="slo", objective=objective, factor=factor).watch(now_s=0.0)
    for number in range(count):
        watch.add(end_s=1.0, seconds=0.1, failed=number < bad)
    seen = watch.look(1.0)
    assert seen is not None
    assert seen.broken
    assert seen.value == pytest.approx(factor)
    watch.add(end_s=1.0, seconds=0.1, failed=False)
    seen = watch.look(1.0)
    assert seen is not None
    assert not seen.broken


def test_an_objective_that_no_outage_can_break_is_refused_with_what_is_possible() -> None:
    with pytest.raises(ConfigError, match=r"at most 10\b"):
        BurnRate(name="slo", objective=0.9)


def test_a_budget_that_burns_in_both_windows_fires() -> None:
    site = Site(objective())
    site.spend(3600)
    for _ in range(300):
        site.spend(1, per_s=5, failed=True)
        site.spend(1, per_s=15)
        if site.told:
            break
    # 25 % bad: 250 times too fast in the short window; 14.4 in the long one after 1.44 % of it.
    assert site.titles == ["Alert: slo"]
    assert site.told[0].severity == "critical"
    assert "objective of 99.9 %" in site.told[0].body


def test_a_short_burst_does_not_fire() -> None:
    site = Site(objective())
    site.spend(3600)
    site.spend(20, failed=True)
    site.spend(600)
    assert site.told == []


def test_a_burn_that_has_ended_is_over_before_the_long_window_is() -> None:
    site = Site(objective())
    site.spend(3600)
    site.spend(120, failed=True)
    site.spend(330)
    assert site.titles == ["Alert: slo", "Resolved: slo"]


def test_slow_operations_burn_the_budget_of_a_latency_objective() -> None:
    site = Site(objective(latency_s=0.3))
    site.spend(600, took_s=0.29)
    assert site.told == []
    site.spend(120, took_s=0.31)
    assert site.titles == ["Alert: slo"]


def test_a_failure_that_was_slow_too_counts_once() -> None:
    site = Site(objective(objective=0.5, latency_s=0.3, factor=1.5))
    site.spend(30, took_s=1, failed=True)
    (alert,) = site.alerts.active()
    assert alert.value == pytest.approx(2.0)


def test_one_failure_of_one_is_no_trend() -> None:
    site = Site(objective())
    site.spend(1, per_s=1, failed=True)
    site.spend(60, per_s=0)
    assert site.told == []


# --- Absence --------------------------------------------------------------------------------------


def test_an_operation_that_stays_away_is_missed() -> None:
    site = Site(Absence(name="gone", operation="beat", within_s=60))
    site.spend(30, operation="beat")
    site.spend(50, operation="other")
    assert site.told == []
    site.spend(10, operation="other")
    assert site.titles == ["Alert: gone"]
    assert site.told[0].body == "beat: last seen 61 s ago, expected within 60 s"
    site.spend(10, operation="beat")
    assert site.titles == ["Alert: gone", "Resolved: gone"]


def test_an_expected_operation_that_never_came_is_missed() -> None:
    site = Site(Absence(name="gone", operation="beat", within_s=60))
    site.spend(70, per_s=0)
    assert site.told[0].body == "beat: not seen in 70 s, expected within 60 s"


def test_of_a_pattern_only_what_came_once_is_missed() -> None:
    site = Site(Absence(name="gone", operation="beat*", within_s=60))
    site.spend(100, per_s=0)
    assert site.told == []
    site.spend(1, operation="beat 1")
    site.spend(99, per_s=0)
    assert [alert.operation for alert in site.alerts.active()] == ["beat 1"]


# --- Change points --------------------------------------------------------------------------------


def noisy(site: Site, seconds: int, *, level: float, rng: random.Random) -> None:
    for _ in range(seconds):
        site.spend(1, took_s=level * rng.lognormvariate(0, 0.2))


def test_a_level_that_rises_fires_and_names_both_levels() -> None:
    site, rng = Site(ChangePoint(name="slower", every_s=10)), random.Random(1)
    noisy(site, 600, level=0.1, rng=rng)
    assert site.told == []
    noisy(site, 200, level=0.2, rng=rng)
    assert site.titles == ["Alert: slower"]
    assert site.told[0].alerts[0].value == pytest.approx(1.0, abs=0.3)
    assert "p50 went from 0.1" in site.told[0].body


def test_a_level_that_falls_does_not_fire_upwards() -> None:
    site, rng = Site(ChangePoint(name="slower", every_s=10)), random.Random(1)
    noisy(site, 600, level=0.2, rng=rng)
    noisy(site, 300, level=0.1, rng=rng)
    assert site.told == []


def test_a_new_level_becomes_normal_when_the_old_one_has_left_the_memory() -> None:
    site, rng = Site(ChangePoint(name="slower", every_s=2, keep=40)), random.Random(1)
    noisy(site, 80, level=0.1, rng=rng)
    noisy(site, 160, level=0.3, rng=rng)
    assert site.titles == ["Alert: slower", "Resolved: slower"]
    assert site.told[1].body == "page: p50 has kept its level for the last 40 values"


@pytest.mark.parametrize("direction", ["up", "both"])
def test_looking_again_and_again_does_not_raise_the_rate_of_false_alarms(
    direction: Literal["up", "both"],
) -> None:
    rule = ChangePoint(
        name="change",
        every_s=1,
        keep=25,
        false_alarm_rate=0.2,
        min_change=0.0,
        min_count=1,
        direction=direction,
    )
    rng, alarms = random.Random(7), 0
    for _ in range(150):
        watch, broken = rule.watch(now_s=0.0), False
        for second in range(50):
            watch.add(end_s=float(second), seconds=rng.lognormvariate(-3.0, 1.5), failed=False)
            seen = watch.look(second + 1.0) if second >= 25 else None
            broken |= seen is not None and seen.broken
        alarms += broken
    assert alarms <= 30  # what is promised


# --- Telling --------------------------------------------------------------------------------------


def test_flapping_is_told_once_within_the_cooldown() -> None:
    site = Site(slow(window_s=10, cooldown_s=300))
    for _ in range(6):
        site.spend(20, took_s=1.0)
        site.spend(20, took_s=0.1)
    assert site.titles == ["Alert: slow", "Resolved: slow"]
    assert site.alerts.get_stats()["suppressed"] > 0


def test_what_began_within_the_cooldown_and_outlasts_it_is_told_then() -> None:
    site = Site(slow(window_s=10, cooldown_s=300))
    site.spend(20, took_s=1.0)
    site.spend(20, took_s=0.1)
    site.spend(300, took_s=1.0)
    assert site.titles == ["Alert: slow", "Resolved: slow", "Alert: slow"]


def test_a_reminder_comes_as_often_as_wanted() -> None:
    site = Site(slow(repeat_s=100))
    site.spend(350, took_s=1.0)
    assert site.titles == ["Alert: slow"] * 4
    assert [event for event, _ in site.alerts.history()] == ["fired", *["repeated"] * 3]


@pytest.mark.parametrize(
    ("group", "titles"),
    [
        ("each", ["Alert: slow", "Alert: slow", "Alert: huge", "Alert: huge"]),
        ("rule", ["Alert: slow (2 operations)", "Alert: huge (2 operations)"]),
        ("all", ["Alert: 4 alerts of 2 rules"]),
    ],
)
def test_what_comes_together_is_grouped(group: Any, titles: list[str]) -> None:
    site = Site(slow(), slow(name="huge", severity="critical"), group=group)
    for operation in ("a", "b"):
        for _ in range(30):
            site.alerts.note(operation, 1.0)
    site.clock.now_s += 1
    site.alerts.evaluate()
    assert sorted(site.titles) == sorted(titles)
    assert sum(len(notice.alerts) for notice in site.told) == 4
    assert site.told[-1].severity == "critical"


def test_a_long_notice_is_cut_and_says_so() -> None:
    site = Site(slow())
    for number in range(30):
        for _ in range(20):
            site.alerts.note(f"op{number}", 1.0)
    site.alerts.evaluate()
    assert len(site.told[0].body.splitlines()) == 11
    assert site.told[0].body.endswith("and 20 more")


def test_a_hostile_name_stays_on_its_line() -> None:
    site = Site(slow(min_count=1))
    site.alerts.note("page\n\x1b[2JALL IS WELL" + "x" * 1000, 1.0)
    site.alerts.evaluate()
    (line,) = site.told[0].body.splitlines()
    assert line.startswith("page??[2JALL IS WELL")
    assert len(line) < 300


# --- Bounds, misuse, running ----------------------------------------------------------------------


def test_names_beyond_the_bound_are_counted_and_not_watched() -> None:
    site = Site(slow(), max_operations=10)
    for number in range(15):
        site.alerts.note(f"op{number}", 1.0)
    stats = site.alerts.get_stats()
    assert (stats["watches"], stats["unwatched"]) == (10, 5)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, 1e300])
def test_what_is_no_length_of_time_is_left_out(seconds: float) -> None:
    site = Site(Threshold(name="any", operation="page", metric="count", above=0))
    site.alerts.note("page", seconds)
    site.alerts.evaluate()
    assert site.told == []
    assert site.alerts.get_stats()["refused"] == 1


@pytest.mark.parametrize(("operation", "seconds"), [(5, 1.0), ("page", "1"), ("page", None)])
def test_what_is_no_operation_or_number_is_refused(operation: Any, seconds: Any) -> None:
    with pytest.raises(TypeError, match="a text and a number are needed"):
        Site(slow()).alerts.note(operation, seconds)


@pytest.mark.parametrize("limit", [{"above": 2.0}, {"above": 1}, {"below": 0.0}])
def test_a_limit_that_no_error_ratio_reaches_is_refused(limit: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="can never be reached"):
        Threshold(name="x", metric="error_ratio", **limit)  # type: ignore[arg-type]
    Threshold(name="x", read=lambda: 5.0, metric="error_ratio", above=2.0)


def test_ends_in_the_future_count_as_now() -> None:
    site = Site(Threshold(name="any", operation="page", metric="count", above=0))
    site.alerts.note("page", 1.0, end_s=1e12)
    site.alerts.evaluate()
    assert site.titles == ["Alert: any"]


def test_ends_long_ago_are_forgotten() -> None:
    site = Site(Threshold(name="any", operation="page", metric="count", above=0))
    site.clock.now_s = 1e6
    site.alerts.note("page", 1.0, end_s=5.0)
    site.alerts.note("page", 1.0, end_s=math.nan)
    site.alerts.evaluate()
    assert site.told[0].body == "page: count 1 of 1 in 60 s, above 0"


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 10)), max_size=60))
def test_the_count_is_that_of_the_window_whatever_the_order(
    ends: list[tuple[float, float]],
) -> None:
    site = Site(Threshold(name="any", operation="page", metric="count", above=-1))
    site.clock.now_s = 500
    for end_s, seconds in ends:
        site.alerts.note("page", seconds, end_s=end_s)
    site.alerts.evaluate()
    (alert,) = site.alerts.active()
    assert alert.value == sum(end_s >= 440 for end_s, _ in ends)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="another rule"):
        Alerts(rules=[slow(), slow()])


def test_what_is_no_rule_is_refused() -> None:
    with pytest.raises(TypeError, match="not dict"):
        Alerts(rules=[{"name": "slow"}])  # type: ignore[list-item]  # wrong on purpose


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Threshold, {"name": "", "above": 1}),
        (Threshold, {"name": "x", "operation": "", "above": 1}),
        (Threshold, {"name": "x"}),
        (Threshold, {"name": "x", "above": 1, "below": 2}),
        (Threshold, {"name": "x", "above": math.nan}),
        (Threshold, {"name": "x", "above": "1"}),
        (Threshold, {"name": "x", "above": 1, "metric": "p42"}),
        (Threshold, {"name": "x", "above": 1, "window_s": 0}),
        (Threshold, {"name": "x", "above": 1, "for_s": -1}),
        (Threshold, {"name": "x", "above": 1, "min_count": 1.5}),
        (Threshold, {"name": "x", "above": 1, "severity": "bad"}),
        (BurnRate, {"name": "x", "objective": 99.9}),
        (BurnRate, {"name": "x", "objective": 0.99, "short_s": 600, "long_s": 300}),
        (BurnRate, {"name": "x", "objective": 0.99, "factor": math.inf}),
        (BurnRate, {"name": "x", "objective": 0.99, "factor": 100.001}),
        (BurnRate, {"name": "x", "objective": 0.9}),
        (Absence, {"name": "x", "within_s": 0}),
        (ChangePoint, {"name": "x", "keep": 5}),
        (ChangePoint, {"name": "x", "keep": 1001}),
        (ChangePoint, {"name": "x", "false_alarm_rate": 0}),
        (ChangePoint, {"name": "x", "direction": "left"}),
        (ChangePoint, {"name": "x", "min_change": -1}),
        (Alerts, {"every_s": 0}),
        (Alerts, {"group": "none"}),
        (Alerts, {"history": 0}),
        (Alerts, {"max_operations": 0}),
    ],
)
def test_settings_out_of_range_are_refused(
    kind: Callable[..., object], settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        kind(**settings)


def test_spans_of_a_monitor_are_watched_until_the_end() -> None:
    clock = ManualClock()
    monitor = PerformanceMonitor(clock=clock)
    alerts = Alerts(monitor, rules=[slow(min_count=1)], clock=clock)

    def page(took_s: float, error: str | None = None) -> None:
        span = monitor.start_trace("page")
        clock.now_s += took_s
        monitor.finish_trace(span, error=error)

    page(2.0)
    assert len(alerts.evaluate()) == 1
    assert alerts.close()
    clock.now_s += 1000
    page(2.0)
    assert alerts.get_stats()["evaluations"] == 1


def test_a_rule_that_is_added_later_watches_what_is_known_already() -> None:
    site = Site()
    site.spend(1)
    site.alerts.add(slow(min_count=1))
    site.alerts.add(Absence(name="gone", operation="page", within_s=30))
    site.spend(10, took_s=1.0)
    site.spend(40, per_s=0)
    assert site.titles == ["Alert: slow", "Alert: gone"]


def test_a_task_evaluates_until_it_is_cancelled() -> None:
    clock, told = ManualClock(), asyncio.Event()
    deliver = Courier(lambda _: told.set(), inline=True)
    alerts = Alerts(rules=[slow(min_count=1)], deliver=deliver, clock=clock)
    alerts.note("page", 1.0)

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(alerts.run())
            await told.wait()
            running.cancel()

    asyncio.run(asyncio.wait_for(work(), 10))
    assert told.is_set()


def test_a_thread_evaluates_until_it_is_stopped() -> None:
    seen = threading.Event()
    alerts = Alerts(
        rules=[slow(min_count=1)], deliver=Courier(lambda _: seen.set(), inline=True), every_s=0.01
    )
    with alerts:
        alerts.start()
        alerts.note("page", 1.0)
        assert seen.wait(10)
    before = alerts.get_stats()["evaluations"]
    assert [thread.name for thread in threading.enumerate()].count("perfwright-alert-rules") == 0
    assert alerts.get_stats()["evaluations"] == before


def test_threads_may_note_while_another_one_looks() -> None:
    site = Site(slow(), objective(), ChangePoint(name="cp", every_s=0.001))

    def work() -> None:
        for _ in range(2000):
            site.alerts.note("page", 0.1)
            site.clock.now_s += 0.001

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        site.alerts.evaluate()
    stats = site.alerts.get_stats()
    assert stats["rule_failures"] == 0


def test_the_log_is_the_default(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="perfwright.alerts")
    clock = ManualClock()
    alerts = Alerts(rules=[slow(min_count=1, severity="critical", window_s=10)], clock=clock)
    alerts.note("page", 1.0)
    alerts.evaluate()
    clock.now_s = 60
    alerts.note("page", 0.1)
    alerts.evaluate()
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.INFO]


def test_metrics_say_what_fires() -> None:
    site = Site(slow(min_count=1), slow(name="quiet", above=100))
    site.spend(10, took_s=1.0)
    values = {metric.labels.get("rule"): metric.value for metric in site.alerts.metrics()}
    assert (values["slow"], values["quiet"]) == (1, 0)


def _names(notices: Iterable[Notice]) -> list[str]:
    return [notice.title for notice in notices]


def test_evaluate_takes_a_time_for_replays() -> None:
    site = Site(slow(min_count=1))
    site.alerts.note("page", 1.0)
    assert _names(site.alerts.evaluate(5.0)) == ["Alert: slow"]
    assert site.alerts.active()[0].fired_s == 5.0


def test_closing_does_not_wait_for_a_reading_that_hangs() -> None:
    let_go, reading = threading.Event(), threading.Event()

    def read() -> float:
        reading.set()
        let_go.wait(30)
        return 0.0

    alerts = Alerts(rules=[Threshold(name="x", read=read, above=1.0)], every_s=0.001)
    alerts.start()
    assert reading.wait(10)
    began_s = time.perf_counter()
    assert not alerts.close(0.1)
    assert time.perf_counter() - began_s < 5
    let_go.set()
