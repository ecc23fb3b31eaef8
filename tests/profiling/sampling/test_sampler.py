import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from perfwright.core.errors import ConfigError, ProfilerError
from perfwright.profiling.model import Stack
from perfwright.profiling.sampling import Sampler, Tick


def compute(cpu_s: float) -> None:
    until_s = time.thread_time() + cpu_s
    while time.thread_time() < until_s:
        sum(range(50))


def light(cpu_s: float) -> None:
    compute_here_until_s = time.thread_time() + cpu_s
    total = 0
    while time.thread_time() < compute_here_until_s:
        for number in range(200):
            total += number


def heavy(cpu_s: float) -> None:
    compute_here_until_s = time.thread_time() + cpu_s
    total = 0
    while time.thread_time() < compute_here_until_s:
        for number in range(200):
            total += number


def in_c(values: list[float]) -> list[float]:
    return sorted(values)


def nap(stop: threading.Event) -> None:
    stop.wait(10.0)


def cpu_by_function(stacks: Sequence[Stack]) -> Counter[str]:
    found: Counter[str] = Counter()
    for stack in stacks:
        found[stack.frames[-1].function.name] += stack.cpu_s  # type: ignore[assignment]
    return found


def test_self_time_is_shared_out_as_it_was_spent() -> None:
    sampler = Sampler(200.0, max_cost_ratio=1.0)
    with sampler:
        for _ in range(40):  # some 320 samples: 0.12 is five standard deviations
            light(0.01)
            heavy(0.03)
    found = cpu_by_function(sampler.stop())
    assert found["heavy"] / (found["heavy"] + found["light"]) == pytest.approx(0.75, abs=0.12)


def test_the_cpu_of_a_thread_is_all_accounted_for() -> None:
    sampler = Sampler(200.0)
    sampler.start()
    before_s = time.thread_time()
    compute(0.2)
    spent_s = time.thread_time() - before_s
    stacks = sampler.stop()
    mine = [stack for stack in stacks if stack.thread == threading.current_thread().name]
    assert sum(stack.cpu_s for stack in mine) == pytest.approx(spent_s, rel=0.1)


def test_c_code_that_keeps_the_interpreter_is_charged_its_time() -> None:
    rng = random.Random(1)
    values = [rng.random() for _ in range(150_000)]
    sampler = Sampler(100.0)
    spent: Counter[str] = Counter()
    with sampler:
        for _ in range(30):  # 0.15 is five standard deviations
            for name, work in (("in_c", lambda: in_c(values)), ("light", lambda: light(0.03))):
                before_s = time.thread_time()
                work()
                spent[name] += time.thread_time() - before_s  # type: ignore[assignment]
    found = cpu_by_function(sampler.stop())
    share = spent["in_c"] / spent.total()
    assert found["in_c"] / (found["in_c"] + found["light"]) == pytest.approx(share, abs=0.15)
    assert sampler.cost.missed_s > 0.0


def test_a_sleeping_thread_waits_and_has_no_cpu() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=nap, args=(stop,), name="sleeper")
    thread.start()
    with Sampler(200.0) as sampler:
        compute(0.15)
    stop.set()
    thread.join()
    stacks = [stack for stack in sampler.stop() if stack.thread == "sleeper"]
    states = {stack.state: stack for stack in stacks}
    assert states["waiting"].wall_s > 0.1
    assert sum(stack.cpu_s for stack in stacks) < 0.01


def test_threads_that_come_and_go_are_seen() -> None:
    with Sampler(500.0, max_cost_ratio=1.0) as sampler:
        for number in range(6):
            thread = threading.Thread(target=compute, args=(0.03,), name=f"worker {number % 2}")
            thread.start()
            thread.join()
    named = {stack.thread for stack in sampler.stop() if stack.cpu_s > 0.0}
    assert {"worker 0", "worker 1"} <= named


def test_only_the_wanted_thread_is_seen() -> None:
    thread = threading.Thread(target=compute, args=(0.15,), name="other")
    with Sampler(200.0, threads="current") as sampler:
        thread.start()
        compute(0.1)
        thread.join()
    assert {stack.thread for stack in sampler.stop()} == {threading.current_thread().name}


def test_a_started_sampler_cannot_be_started_again() -> None:
    with Sampler() as sampler, pytest.raises(ProfilerError, match="stop it first"):
        sampler.start()


def test_an_interpreter_without_its_lock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    with pytest.raises(ProfilerError, match="profile_pid"):
        Sampler().start()


def test_a_stopped_sampler_answers_the_same_again() -> None:
    sampler = Sampler(500.0, max_cost_ratio=1.0)
    sampler.start()
    compute(0.05)
    first = sampler.stop()
    assert first
    assert sampler.stop() == first == sampler.stacks()


def test_a_sampler_never_started_saw_nothing() -> None:
    assert Sampler().stop() == ()


def test_a_stack_is_reported_once_however_many_positions_its_line_has() -> None:
    with Sampler(1000.0, max_cost_ratio=1.0) as sampler:
        until_s = time.thread_time() + 0.1
        while time.thread_time() < until_s:
            sum(number * number % 7 for number in range(20) if number % 3)
    seen = [(stack.thread, stack.state, stack.frames) for stack in sampler.stop()]
    assert len(seen) == len(set(seen)) > 0


def test_a_second_run_starts_from_nothing() -> None:
    sampler = Sampler(500.0, max_cost_ratio=1.0)
    with sampler:
        light(0.05)
    with sampler:
        heavy(0.05)
    assert "light" not in cpu_by_function(sampler.stop())


def test_what_was_seen_so_far_can_be_read_while_it_runs() -> None:
    with Sampler(500.0, max_cost_ratio=1.0) as sampler:
        light(0.05)
        first = cpu_by_function(sampler.stacks())["light"]
        light(0.05)
        assert cpu_by_function(sampler.stacks())["light"] > first > 0.0


def test_samplers_do_not_see_one_another() -> None:
    with Sampler(500.0, max_cost_ratio=1.0) as one, Sampler(500.0, max_cost_ratio=1.0) as other:
        compute(0.1)
    names = {
        frame.function.name
        for stack in (*one.stop(), *other.stop())
        for frame in stack.frames
        if frame.function.file.endswith("/sampler.py")
    }
    assert names <= {"Sampler.start", "Sampler.stop", "Sampler.__exit__", "Sampler.__enter__"}


def test_the_switch_interval_is_the_programs_own_afterwards() -> None:
    before_s = sys.getswitchinterval()
    with Sampler(200.0):
        compute(0.05)
    assert sys.getswitchinterval() == before_s


def test_the_switch_interval_survives_several_samplers() -> None:
    before_s = sys.getswitchinterval()
    with Sampler(500.0, max_cost_ratio=1.0), Sampler(500.0, max_cost_ratio=1.0):
        compute(0.1)
    assert sys.getswitchinterval() == before_s


def test_hooks_see_the_frames_at_each_look() -> None:
    seen: list[tuple[bool, bool]] = []
    me = threading.get_ident()

    def hook(tick: Tick) -> None:
        seen.append((me in tick.frames, tick.cpu_s.get(me, 0.0) > 0.0))

    with Sampler(500.0, on_tick=[hook], max_cost_ratio=1.0):
        compute(0.05)
    assert (True, True) in seen


def test_a_hook_that_fails_does_not_end_the_sampling() -> None:
    calls: list[float] = []

    def broken(tick: Tick) -> None:
        calls.append(tick.now_s)
        raise ValueError("probe")

    with Sampler(500.0, on_tick=[broken], max_cost_ratio=1.0) as sampler:
        compute(0.1)
    assert len(calls) == 1
    assert [str(error) for error in sampler.hook_errors] == ["probe"]
    assert cpu_by_function(sampler.stop()).total() > 0.05


def test_sampling_costs_little() -> None:
    begun_s = time.perf_counter()
    with Sampler(100.0, max_cost_ratio=0.01) as sampler:
        compute(0.5)
    passed_s = time.perf_counter() - begun_s
    assert 0.0 < sampler.cost.cpu_s < 0.01 * (passed_s + 1.0)
    assert sampler.cost.wanted_hz == 100.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_is_not_sampled_but_can_be() -> None:
    with Sampler(200.0) as sampler:
        compute(0.05)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                if not sampler.running and sampler.stop() == ():
                    with sampler:
                        compute(0.05)
                    code = 0 if sampler.stop() else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert sampler.running


def recurse(depth: int, then: Callable[[], None]) -> None:
    if depth:
        recurse(depth - 1, then)
    else:
        then()


def test_deep_recursion_is_sampled() -> None:
    with Sampler(500.0, max_cost_ratio=1.0) as sampler:
        recurse(700, lambda: light(0.05))
    assert cpu_by_function(sampler.stop())["light"] > 0.02


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rate_hz", 0),
        ("rate_hz", float("nan")),
        ("rate_hz", 1001),
        ("rate_hz", "100"),
        ("rate_hz", True),
        ("max_cost_ratio", 0),
        ("max_cost_ratio", -1),
        ("max_stacks", 0),
        ("threads", "main"),
        ("threads", ["MainThread"]),
        ("threads", 3),
    ],
)
def test_a_setting_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        Sampler(**{field: value})  # type: ignore[arg-type]


def test_a_program_that_ends_while_it_is_sampled_ends_as_usual() -> None:
    program = "from perfwright.profiling.sampling import Sampler; s = Sampler(); s.start()\n"
    program += "import time; t = time.thread_time()\nwhile time.thread_time() < t + 0.05: pass"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_passes_after_it_was_told_to_stop_is_not_counted() -> None:
    looks, let_go = threading.Event(), threading.Event()

    def dawdle(_: Tick) -> None:
        looks.set()
        let_go.wait(30.0)

    begun_s = time.perf_counter()
    sampler = Sampler(200.0, threads="current", on_tick=[dawdle])
    sampler.start()
    assert looks.wait(30.0)
    threading.Timer(1.0, let_go.set).start()
    passed_s = time.perf_counter() - begun_s
    seen_s = sum(stack.wall_s for stack in sampler.stop())
    assert time.perf_counter() - begun_s >= passed_s + 0.9
    assert seen_s <= passed_s + 0.5
