import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfwright.profiling.sampling import clocks
from perfwright.profiling.sampling.ledger import Account, Held, Ledger, Look, settle

WORK, NAP = (1, 10), (2, 20)
PERIOD_S = 0.01


class Thread:
    """An account whose CPU clock is moved by hand."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger(max_stacks=100)
        self.account = Account("t", clock_id=1)
        self.cpu_s = 0.0

    def look(
        self,
        key: tuple[int, ...],
        cpu_s: float,
        *,
        between: bool = False,
        wall_s: float = PERIOD_S,
        held: Held = Held.FREE,
        alone: bool = True,
        on_cpu: bool = False,
        idle: bool = False,
    ) -> None:
        self.cpu_s += cpu_s
        spent_s = self.account.advance() or 0.0
        if spent_s <= 0.0 and self.account.last is not None:
            self.ledger.unmoved(self.account, wall_s=wall_s, held=held)
            return
        self.cpu_s += 1e-9 * on_cpu
        look = Look(wall_s, 0.0, held, alone)
        self.ledger.moved(self.account, key, between=between, idle=idle, look=look)

    def cpu_of(self, key: tuple[int, ...]) -> float:
        settle(self.account)
        return self.account.sums[key].cpu_s

    def still_of(self, key: tuple[int, ...]) -> float:
        settle(self.account)
        return self.account.sums[key].still_wall_s


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Thread:
    thread = Thread()
    monkeypatch.setattr(clocks, "cpu_s", lambda _: thread.cpu_s)
    return thread


def test_a_thread_between_instructions_is_charged_its_cpu(thread: Thread) -> None:
    for _ in range(10):
        thread.look(WORK, PERIOD_S, between=True, held=Held.FORCED)
    assert thread.cpu_of(WORK) == pytest.approx(0.1)


def test_a_thread_that_had_no_cpu_inside_a_call_stands_still(thread: Thread) -> None:
    thread.look(NAP, 1e-5)
    for _ in range(9):
        thread.look(NAP, 0.0)
    assert thread.still_of(NAP) == pytest.approx(0.1, rel=0.01)


def test_cpu_of_a_stretch_that_ends_in_a_wait_goes_to_where_the_thread_was_seen_running(
    thread: Thread,
) -> None:
    for _ in range(10):
        thread.look(NAP, 0.003)
        thread.look(WORK, 0.003, between=True, held=Held.FORCED)
    assert thread.cpu_of(WORK) == pytest.approx(0.06)
    assert thread.cpu_of(NAP) == 0.0


def test_a_thread_that_went_idle_again_did_its_work_elsewhere(thread: Thread) -> None:
    for _ in range(10):
        thread.look(NAP, 0.003, held=Held.FORCED, idle=True)
        thread.look(WORK, 0.003, between=True, held=Held.FORCED)
    assert thread.cpu_of(WORK) == pytest.approx(0.06)


def test_a_call_that_goes_on_computing_without_the_interpreter_runs(thread: Thread) -> None:
    for _ in range(10):
        thread.look(NAP, PERIOD_S, on_cpu=True)
    assert thread.cpu_of(NAP) == pytest.approx(0.1)


def test_c_code_that_kept_the_interpreter_is_charged_all_the_time_it_took(thread: Thread) -> None:
    thread.look(WORK, PERIOD_S, between=True, held=Held.FORCED)
    thread.look(NAP, 0.05, wall_s=0.05, held=Held.FORCED)
    assert thread.cpu_of(NAP) == pytest.approx(0.05)


def test_a_thread_that_waits_for_its_turn_is_not_called_waiting_at_once(thread: Thread) -> None:
    thread.look(WORK, 0.005, held=Held.FORCED, alone=False)
    thread.look(WORK, 0.0, held=Held.FORCED)
    assert thread.still_of(WORK) == 0.0


def test_a_sleeper_is_known_although_others_always_hold_the_interpreter(thread: Thread) -> None:
    thread.look(NAP, 1e-4, held=Held.FORCED, alone=False)
    for _ in range(20):
        thread.look(NAP, 0.0, held=Held.FORCED)
    assert thread.still_of(NAP) == pytest.approx(0.2)


def test_a_thread_never_seen_running_still_accounts_for_its_cpu(thread: Thread) -> None:
    for _ in range(10):
        thread.look(NAP, 0.001)
    assert thread.cpu_of(NAP) == pytest.approx(0.01)


def test_stacks_beyond_the_bound_lose_their_outer_frames(thread: Thread) -> None:
    thread.ledger = Ledger(max_stacks=2)
    for number in range(1, 10):
        thread.look((number, 1, 99, 1), PERIOD_S, between=True)
    assert len(thread.account.sums) <= 4
    assert thread.ledger.truncated_samples == 7
    settle(thread.account)
    assert sum(sums.cpu_s for sums in thread.account.sums.values()) == pytest.approx(0.09)


looks = st.lists(
    st.tuples(
        st.sampled_from([WORK, NAP, (3, 30, 1, 10)]),
        st.floats(0.0, 1.0),
        st.booleans(),
        st.sampled_from(list(Held)),
        st.booleans(),
    ),
    min_size=1,
    max_size=120,
)


@given(looks)
def test_no_time_is_lost_or_made_up(
    rows: list[tuple[tuple[int, ...], float, bool, Held, bool]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        thread = Thread()
        patch.setattr(clocks, "cpu_s", lambda _: thread.cpu_s)
        for key, busy, between, held, alone in rows:
            thread.look(key, busy * PERIOD_S, between=between, held=held, alone=alone)
        settle(thread.account)
        sums = thread.account.sums.values()
        walls_s = sum(item.run_wall_s + item.still_wall_s for item in sums)
        assert walls_s == pytest.approx(len(rows) * PERIOD_S)
        assert sum(item.cpu_s for item in sums) == pytest.approx(thread.cpu_s, abs=1e-9)
        assert all(item.run_wall_s >= item.cpu_s - 1e-9 for item in sums)


def test_a_call_that_computes_all_the_time_runs_although_the_looks_take_its_cpu(
    thread: Thread,
) -> None:
    for _ in range(10):
        thread.look(NAP, 0.9 * PERIOD_S)
    assert thread.cpu_of(NAP) == pytest.approx(0.09)
    assert thread.still_of(NAP) == pytest.approx(0.0, abs=0.01)
