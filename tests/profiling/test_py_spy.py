import os
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from perfwright.core import ManualClock
from perfwright.profiling.py_spy import FIRST_S, Run, ready_s_of_threads

BEGUN = "py-spy> Sampling process 100 times a second for 4 seconds. Press Control-C to exit.\n"
LATE = "py-spy> {:.2f}s behind in sampling, results may be inaccurate. Try reducing the rate\n"


class Spoken(Run):
    """A run whose child says what it is told to say, at the time of a clock set by hand."""

    clock: ManualClock

    def say(self, text: str, *, at_s: float) -> None:
        self.clock.now_s = at_s
        assert self.child.stdin is not None
        self.child.stdin.write(text.encode())
        self.child.stdin.flush()
        while text not in self.said:
            assert self.listen(30.0)

    def look(self, *, at_s: float) -> None:
        self.clock.now_s = at_s
        assert self.listen(0.0)


@pytest.fixture
def run() -> Iterator[Spoken]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        yield Spoken(os.getpid(), child, clock=ManualClock(100.0), free_s=10.0)
        child.kill()


def test_time_counts_from_when_it_says_that_it_samples(run: Spoken) -> None:
    run.look(at_s=105.0)
    assert (run.samples, run.seconds, run.left_s(2.0)) == (False, 5.0, float("inf"))
    run.say(BEGUN, at_s=106.0)
    assert (run.samples, run.seconds, run.left_s(2.0)) == (True, 0.0, 2.0)
    run.look(at_s=107.5)
    assert (run.seconds, run.left_s(2.0)) == (1.5, 0.5)
    assert run.looks(hz=100) == 150.0


def test_processor_time_of_its_start_is_not_judged(run: Spoken) -> None:
    assert run.judged_s <= 0.0
    run.say(BEGUN, at_s=103.0)
    assert run.free_s == run.spent_s + FIRST_S
    assert run.judged_s == pytest.approx(-FIRST_S)


def test_looks_that_are_still_owed_were_not_taken(run: Spoken) -> None:
    run.say(BEGUN, at_s=100.0)
    run.say(LATE.format(1.5), at_s=102.0)
    run.look(at_s=104.0)
    assert run.looks(hz=100) == pytest.approx(100.0)  # a quarter of 4 s


def test_looks_that_were_made_up_for_count(run: Spoken) -> None:
    run.say(BEGUN, at_s=100.0)
    run.say(LATE.format(1.5), at_s=102.0)
    run.look(at_s=110.0)
    assert run.looks(hz=100) == pytest.approx(1_000.0)


def test_looks_that_failed_do_not_count(run: Spoken) -> None:
    run.say(BEGUN, at_s=100.0)
    run.say("py-spy> Wrote speedscope file to 'out.json'. Samples: 170 Errors: 30\n", at_s=102.0)
    assert run.looks(hz=100) == 170.0


def test_writing_is_no_sampling(run: Spoken) -> None:
    run.say(BEGUN, at_s=100.0)
    run.look(at_s=102.0)
    run.end()
    run.clock.now_s = 107.0
    while run.listen(30.0):
        pass
    assert (run.seconds, run.passed_s) == (2.0, 7.0)


def test_only_the_end_of_a_long_talk_is_kept(run: Spoken) -> None:
    run.say(BEGUN, at_s=100.0)
    for second in range(101, 301):
        run.say(LATE.format(second - 100.5), at_s=float(second))
    assert len(run.said) < 10_000
    assert run.looks(hz=10) == pytest.approx(5.0)


def test_a_thread_that_computes_is_ready_and_one_that_stands_still_is_not() -> None:
    leave = threading.Event()
    sleeper = threading.Thread(target=leave.wait)
    sleeper.start()
    here, there = threading.get_native_id(), sleeper.native_id
    assert there is not None
    before = ready_s_of_threads(os.getpid())
    begun_s = time.thread_time()
    while time.thread_time() - begun_s < 0.05:
        pass
    after = ready_s_of_threads(os.getpid())
    leave.set()
    sleeper.join()
    assert after[here] - before[here] >= 0.05
    assert after[there] - before[there] < 0.05


def test_threads_of_a_process_that_has_ended_are_not_told() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert ready_s_of_threads(child.pid) == {}
