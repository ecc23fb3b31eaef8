import math
import threading
from typing import Any

import pytest

from perfwright.core import ConfigError
from perfwright.monitoring.gauges import Gauges


def fail() -> float:
    raise OSError("the pool is gone")


def not_a_number() -> float:
    return math.nan


def text() -> object:
    return "much"


def test_set_and_watched_gauges_are_read_together() -> None:
    gauges = Gauges()
    queue = [1, 2]
    gauges.set("pool.used", 0.5)
    gauges.watch("queue.length", lambda: len(queue))
    queue.append(3)
    assert gauges.read() == {"pool.used": 0.5, "queue.length": 3.0}


@pytest.mark.parametrize("read", [fail, not_a_number, text])
def test_a_gauge_that_cannot_be_read_is_left_out(read: object) -> None:
    gauges = Gauges()
    gauges.set("good", 1)
    gauges.watch("bad", read)  # type: ignore[arg-type]
    assert gauges.read() == {"good": 1.0}
    assert gauges.errors == 1


def test_the_last_way_of_saying_it_counts() -> None:
    gauges = Gauges()
    gauges.watch("it", lambda: 1.0)
    gauges.set("it", 2.0)
    assert gauges.read() == {"it": 2.0}
    gauges.watch("it", lambda: 3.0)
    assert gauges.read() == {"it": 3.0}


def test_a_removed_gauge_is_gone() -> None:
    gauges = Gauges()
    gauges.set("it", 2.0)
    gauges.remove("it")
    gauges.remove("never there")
    assert gauges.read() == {}


def test_names_made_of_data_do_not_fill_the_memory() -> None:
    gauges = Gauges(max_names=2)
    for name in "abcd":
        gauges.set(name, 1.0)
    gauges.watch("e", lambda: 1.0)
    gauges.set("a", 5.0)
    assert gauges.read() == {"a": 5.0, "b": 1.0}
    assert gauges.dropped == 3


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gauge_shows_finite_numbers(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Gauges().set("it", value)


def test_only_what_can_be_called_can_be_watched() -> None:
    with pytest.raises(TypeError, match="callable"):
        Gauges().watch("it", 5)  # type: ignore[arg-type]


def test_there_is_room_for_one_name_at_least() -> None:
    with pytest.raises(ConfigError, match="max_names"):
        Gauges(max_names=0)


def test_a_watched_gauge_may_use_the_gauges() -> None:
    gauges = Gauges()
    gauges.watch("it", lambda: float(len(gauges._set)))
    reader = threading.Thread(target=gauges.read, daemon=True)
    reader.start()
    reader.join(timeout=5.0)
    assert not reader.is_alive()


@pytest.mark.parametrize("name", [1, None, b"pool"])
def test_a_name_is_a_string(name: Any) -> None:
    gauges = Gauges()
    with pytest.raises(TypeError, match="name of a gauge"):
        gauges.set(name, 1.0)
    with pytest.raises(TypeError, match="name of a gauge"):
        gauges.watch(name, lambda: 1.0)
    assert gauges.read() == {}


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="'pool' shows a number, not str"):
        Gauges().set("pool", "0.5")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="finite"):
        Gauges().set("pool", 10**400)


def test_who_ends_a_watch_does_not_end_anothers() -> None:
    gauges = Gauges()
    end_first = gauges.watch("pool", lambda: 1.0)
    end_second = gauges.watch("pool", lambda: 2.0)
    end_first()
    assert gauges.read() == {"pool": 2.0}
    end_second()
    gauges.set("pool", 3.0)
    end_second()
    assert gauges.read() == {"pool": 3.0}


def test_what_was_not_shown_is_told() -> None:
    gauges = Gauges(max_names=1)
    gauges.watch("pool", lambda: math.nan)
    gauges.set("disk", 0.5)
    gauges.read()
    assert gauges.losses() == {"dropped": 1, "errors": 1}
