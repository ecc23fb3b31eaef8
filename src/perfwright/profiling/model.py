"""What probes of a running program saw, as frozen records; nothing here judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["running", "waiting", "idle", "awaiting"]
"""`running`: on a CPU. `waiting`: work that stands still: a lock, a file, a socket, a sleep.
`idle`: nothing to do: a loop in its selector, a pool's worker at its queue. `awaiting`: a suspended
task of an event loop."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function, told apart as people would: two lambdas on one line are one."""

    file: str
    """Absolute path, or what stands for it, such as `<string>`; `~` for C functions."""
    line: int
    """Of its first line (the `def`, or the first decorator); 0 for C functions."""
    name: str
    """Qualified: `Cart.total`, `load.<locals>.row`; `<module>` for the code of a module."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a function that was being executed."""

    function: Function
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """All samples of one stack in one state of one thread."""

    frames: tuple[Frame, ...]
    """Outermost first. Of an awaiting task: its coroutines, outermost first."""
    state: State
    thread: str
    """Name of the thread, or of the task where state is `awaiting`."""
    samples: int
    wall_s: float
    """Time that these samples stand for."""
    cpu_s: float
    """Time that the thread was on a CPU meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """All calls of one function by another one, counted by the interpreter."""

    caller: Function | None
    callee: Function
    count: int
    """Recursive calls included. Of a coroutine, its calls; of a generator, see `yields`."""
    self_s: float
    """In the callee itself, on behalf of this caller; under a tracing profiler, so dilated."""
    cumulative_s: float
    """In the callee and all that it called."""
    yields: bool = False
    """Whether the callee is a generator, of which each value that is asked for counts: the
    interpreter does not tell how often it was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What some looks at the calls of one function saw of its arguments."""

    function: Function
    looks: int
    distinct: int
    """How many different arguments, by their hashes."""
    by_value: bool
    """Whether all were plain values; else some are told apart only as objects."""
    each: tuple[tuple[str, int], ...] = ()
    """How many different ones of each argument by itself, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Memory allocated at one line and not yet freed."""

    frame: Frame
    """`function.name` is that of the function around the line, where the source tells."""
    size_bytes: int
    count: int
    callers: tuple[Frame, ...] = ()
    """Nearest first; only as many as the probe was told to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Memory that grew throughout the run."""

    frame: Frame
    """Where it was allocated."""
    growth_bytes: int
    """From the first snapshot to the last."""
    slope_bytes_per_s: float
    owner: str
    """Who holds it, as far as the garbage collector tells: `shop.cache:_SEEN (dict)`; or empty."""
    confidence: float
    callers: tuple[Frame, ...] = ()
    """Of the line, nearest first; only as many as the probe was told to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a run allocated."""

    start_bytes: int
    """Traced when the run began, like the two that follow: of what Python's allocators gave out,
    what is known by line. All are 0 where nothing was traced."""
    end_bytes: int
    peak_bytes: int
    """Most at any time that was traced."""
    growth: tuple[Allocation, ...] = ()
    """What the run allocated and still held at its end, most first."""
    at_peak: tuple[Allocation, ...] = ()
    """What was held at the snapshot nearest to the peak, over the start, most first."""
    leaks: tuple[Leak, ...] = ()
    """Suspects, largest first."""
    at_peak_bytes: int = 0
    """Of what `at_peak` shows, before small places were left out."""
    process_start_bytes: int = 0
    """In RAM when the run began, of the whole process with the interpreter and the profiler; 0
    where the system does not tell."""
    process_peak_bytes: int = 0
    """The same, most at any look."""
    traced_s: float = 0.0
    """How long allocations were traced; 0: only the size of the process was watched."""
    slowdown: float = 0.0
    """How many times longer the program took meanwhile, as far as that was measured; 0: unknown."""
    cost_s: float = 0.0
    """Time that snapshots took; what tracing adds to each allocation is not in it."""
    notes: tuple[str, ...] = ()
    """What could not be seen, for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimes:
    """All tasks of one coroutine function."""

    function: Function
    tasks: int
    steps: int
    on_loop_s: float
    """Running, so that nothing else on the loop could."""
    awaiting_s: float
    longest_step_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBlock:
    """One place that kept an event loop from turning."""

    frames: tuple[Frame, ...]
    """The stack that blocked, outermost first; its last frame is the culprit's own line."""
    count: int
    total_s: float
    longest_s: float
    on_cpu_ratio: float
    """0 to 1: near 0 it stood still (a blocking call), near 1 it computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitSite:
    """One `await` expression, and how tasks waited at it."""

    frame: Frame
    """The coroutine function that the program wrote, and the line of the await."""
    awaited: str
    """What stood there, as its source or its coroutine names it."""
    count: int
    total_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitStep:
    """One `await` within a sequence of them."""

    line: int
    column: int
    awaited: str
    """The coroutine function that stood there; the type, where it was none."""
    waits_for: str
    """What the innermost await was: `sleep`, `Queue.get`, `gather`, `Future`."""
    count: int
    """Over all calls: more than the calls of the sequence means a loop."""
    total_s: float
    longest_s: float
    loop_busy_s: float
    """Of the total, while the loop ran something else: waiting for a CPU, in truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitSequence:
    """Calls of one coroutine function that awaited at the same places, one after the other."""

    function: Function
    calls: int
    awaits: tuple[AwaitStep, ...]
    """In the order in which a call first came to them."""
    awaiting_s: float
    """Sum of all awaits of all calls."""
    overlap_s: float
    """Of it, what is not the longest await of its call: most that awaiting together could save."""
    open_s: float
    """While at least one call of the function was suspended, whatever its sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """How often calls of a coroutine function went on after an await."""

    function: Function
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Async:
    """What event loops did."""

    tasks: tuple[TaskTimes, ...] = ()
    blocks: tuple[LoopBlock, ...] = ()
    sites: tuple[AwaitSite, ...] = ()
    lag_max_s: float = 0.0
    """Longest time that one callback held a loop."""
    sequences: tuple[AwaitSequence, ...] = ()
    """Most awaiting first."""
    resumed: tuple[Resumed, ...] = ()
    """As far as tasks were followed at every step; not in sampling mode."""
    notes: tuple[str, ...] = ()
    """What could not be seen, for a person."""
    cost_s: float = 0.0
    """Time that watching took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerCost:
    """What sampling itself took: it is watched and capped."""

    cpu_s: float = 0.0
    """Of its thread, in which the tasks of event loops are looked at too."""
    rate_hz: float = 0.0
    """At the end: it is lowered when the cost exceeds the cap."""
    wanted_hz: float = 0.0
    missed_s: float = 0.0
    """Time in which no sample could be taken, as C code held the interpreter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One run of a program as all probes together saw it; any part may be missing."""

    wall_s: float
    cpu_s: float
    """Of the whole process."""
    stacks: tuple[Stack, ...] = ()
    calls: tuple[Call, ...] = ()
    """Empty unless a deterministic profiler ran."""
    arguments: tuple[Arguments, ...] = ()
    """Empty unless a deterministic profiler ran."""
    memory: Memory | None = None
    asyncio: Async | None = None
    cost: SamplerCost = field(default_factory=SamplerCost)
    sources: Mapping[str, str] = field(default_factory=dict)
    """Text of the files that frames are in, as it was when the run ended."""
    counting_s: float = 0.0
    """Processor time that counting calls added, as far as is known; taken out of all times here."""
    tracing_s: float = 0.0
    """The same of tracing allocations."""
    work: float = 0.0
    """Requests, items or calls done meanwhile, as the caller counts them; 0: unknown."""
