"""What the probes of the database agent saw: frozen, and complete enough to be judged again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from perfwright.agents.database.catalog import Catalog
from perfwright.agents.database.server import ServerState

Parameters = tuple[object, ...] | dict[str, object] | None
Operator = Literal[
    "=", "in", "null", "join", "range", "prefix", "like", "contains", "keys", "overlap", "match"
]
"""How a term restricts its operand.

`join`: equal to a column of another table; `prefix`: LIKE 'x%'. The last five are PostgreSQL's
and need an inverted index: `like`: a pattern that begins with a wildcard, or ILIKE, or a regular
expression; `contains`: `@>`; `keys`: `?`, `?|`, `?&`; `overlap`: `&&`; `match`: `@@`.
"""
INVERTED = frozenset({"like", "contains", "keys", "overlap", "match"})
"""What only an inverted index (GIN) answers."""
EQUALITIES = frozenset({"=", "in", "null", "join"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One execution as it was recorded."""

    sql: str
    parameters: Parameters = None
    weight: float = 1.0
    """How many executions of its shape it stands for."""
    drawn: bool = False
    """Its values were not recorded: they were drawn from rows that the tables really hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What a server counted for all calls of one shape."""

    rows: float = 0.0
    hit_pages: float = 0.0
    """Buffers that were found in memory."""
    read_pages: float = 0.0
    dirtied_pages: float = 0.0
    wal_bytes: float = 0.0
    deviation_ms: float = 0.0
    """Standard deviation of the time of one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """How executions of one shape stood together, where the order of the workload is known."""

    within: Literal["transaction", "row"]
    """`transaction`: a transaction or request, others in between; `row`: one after the other on
    one connection."""
    together: float
    """Executions that stand together, as a typical execution sees it: a mean over executions."""
    by_chance: float
    """What `together` would be if the order meant nothing."""
    seen: int
    """Executions whose place is known."""
    groups: int
    """Transactions or rows that they fall into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All statements that differ in their values only."""

    id: str
    text: str
    """With `?` for every value: fit for reports."""
    template: str
    """Values that never changed are kept as literals, the others are parameters."""
    write: bool
    calls: int
    recorded_ms: float | None
    """Total of all calls; None when the workload does not tell."""
    samples: tuple[Sample, ...]
    """Empty when no values are known: it can be planned, not executed."""
    counters: Counters | None = None
    """PostgreSQL only: what pg_stat_statements knows besides."""
    repetition: Repetition | None = None
    """None when the workload does not tell the order of its statements."""
    likeness: float = 1.0
    """What a recorded execution cost for each buffer that a sample costs: other than 1 where other
    rows stand in for those that a delete left nothing of."""

    @property
    def weight(self) -> float:
        """Executions, each counted as what it cost beside a sample."""
        return self.calls * self.likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One condition on one table, connected by AND."""

    key: str
    """The operand as an index would hold it: a quoted column or an expression."""
    column: str | None
    """The column when the operand is just that."""
    operator: Operator
    collation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    """One part of an ORDER BY or GROUP BY."""

    key: str
    column: str | None
    descending: bool = False
    nulls: str = ""
    """PostgreSQL only: `FIRST` or `LAST` where its direction would put them elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one statement reads one table."""

    table: str
    alias: str = ""
    """How the statement, and its plan, call the table."""
    terms: tuple[Term, ...] = ()
    branches: tuple[tuple[Term, ...], ...] = ()
    """The sides of an OR, each with the terms that hold in it."""
    constants: tuple[str, ...] = ()
    """Conditions that are the same in every execution, word for word: fit for a partial index."""
    order: tuple[SortKey, ...] = ()
    grouping: tuple[SortKey, ...] = ()
    columns: tuple[str, ...] = ()
    """Every column that is read, in the order of the table."""
    whole_rows: bool = False
    limited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One line of EXPLAIN QUERY PLAN."""

    detail: str
    table: str | None = None
    """The alias or name that the line reads."""
    index: str | None = None
    action: Literal["scan", "search", "sort", "other"] = "other"
    covering: bool = False
    automatic: bool = False
    """The index is built anew for each execution."""
    expected_rows: float | None = None
    """PostgreSQL only: rows that the planner expected, over all loops."""
    rows: float | None = None
    """PostgreSQL only: rows that there were, over all loops; None where it was not executed."""
    removed: float = 0.0
    """PostgreSQL only: rows that were fetched and then thrown away by a condition."""
    pages: float = 0.0
    """PostgreSQL only: buffers that the step touched, without those of its inner steps."""
    condition: str = ""
    """PostgreSQL only: the condition that was checked row by row, as EXPLAIN writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one execution costs on the scratch copy, on average over the samples."""

    ms: float
    """Best of a few runs."""
    steps: float
    """Work that does not move with the load: instructions of SQLite's virtual machine; for
    PostgreSQL `work_of` its buffers and rows."""
    rows: float
    pages: float = 0.0
    """SQLite: pages that a write touches. PostgreSQL: buffers that a read or write touches."""
    timed_out: bool = False
    """The statement was stopped: the figures are lower bounds."""
    temp_pages: float = 0.0
    """PostgreSQL only: pages of temporary files that a read wrote and read back."""
    jit_functions: float = 0.0
    """PostgreSQL only: functions that were compiled for a read."""
    workers: float = 0.0
    """PostgreSQL only: parallel workers that a read was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that is known about one shape."""

    shape: Shape
    accesses: tuple[Access, ...] = ()
    tables: tuple[str, ...] = ()
    """Tables that it reads or writes."""
    target: str | None = None
    """The table that a write changes."""
    plan: tuple[PlanStep, ...] = ()
    cost: Cost | None = None
    """None when it could not be executed."""
    problem: str | None = None
    """Why it could not be analysed or executed."""
    ordered: bool = False
    """Its ORDER BY leaves no two rows in doubt."""

    @property
    def total_ms(self) -> float:
        """Cost of all calls; 0 when it could not be executed."""
        return self.cost.ms * self.shape.weight if self.cost else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TermCount:
    """How many rows of a table satisfy a constant condition."""

    table: str
    term: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTrial:
    """The reads of the workload with SQLite's settings and with a larger page cache."""

    default_ms: float
    larger_ms: float
    cache_kib: int
    mmap_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseArtifacts:
    """Everything that detectors and remedies may know."""

    catalog: Catalog = field(default_factory=Catalog)
    workload: tuple[Observation, ...] | None = None
    """None when no workload was given; costliest first."""
    workload_given: bool = True
    """False: it was made of what the server counted, which may be young."""
    term_counts: tuple[TermCount, ...] = ()
    cache: CacheTrial | None = None
    server: ServerState | None = None
    """None for SQLite."""
    notes: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[Observation, ...]:
        """The shapes that only read."""
        return tuple(o for o in self.workload or () if not o.shape.write)

    @property
    def writes(self) -> tuple[Observation, ...]:
        """The shapes that write."""
        return tuple(o for o in self.workload or () if o.shape.write)
