"""Runs as a ledger would hold them: a full one, hostile ones, and ones with little in them."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median

from perfwright.core import (
    Arm,
    ChangeSpec,
    ExperimentRecord,
    Finding,
    Guardrail,
    IdentifiedFinding,
    Layer,
    MachineState,
    Measurement,
    Outcome,
    Prediction,
    Proposal,
    Risk,
    Scope,
    Verdict,
)
from perfwright.experiments import Comparison, Winner
from perfwright.experiments.ledger import (
    AgentFailure,
    CalibrationRecord,
    GoalResult,
    RunRecord,
    RunStatus,
)
from perfwright.report import ComparedCommands

STARTED = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
FINISHED = datetime(2026, 3, 2, 14, 7, 41, tzinfo=UTC)
SCRIPT = "<script>alert('x')</script>"
REVIEWS = (
    "SELECT r.stars, r.body, c.name FROM reviews AS r JOIN customers AS c ON c.id = r.customer_id "
    "WHERE r.product_id = 4711 AND r.state = 'published' ORDER BY r.created_at DESC LIMIT 10"
)


def measurement(ratio: float, *, width: float = 0.03, **fields: object) -> Measurement:
    """An effect whose interval reaches `width` (a log ratio) to both sides."""
    base = Measurement(
        metric="elapsed",
        ratio=ratio,
        interval=(ratio * math.exp(-width), ratio * math.exp(width)),
        confidence=0.9937,
        pairs=40,
        baseline=0.1,
        treatment=0.1 * ratio,
    )
    return replace(base, **fields)  # type: ignore[arg-type]  # names are checked by replace


def samples(
    ratio: float, *, seed: int, pairs: int = 40, level: float = 0.1
) -> tuple[tuple[float, float], ...]:
    """Pairs as a drifting machine gives them, with a few outliers."""
    rng = random.Random(seed)
    taken = []
    for place in range(pairs):
        weather = level * (1.0 + 0.05 * math.sin(place / 9.0))
        noise = [weather * rng.lognormvariate(0.0, 0.025) for _ in range(2)]
        if rng.random() < 0.05:
            noise[rng.randrange(2)] *= 1.5
        taken.append((noise[0], noise[1] * ratio))
    return tuple(taken)


def finding(identifier: str, **fields: object) -> IdentifiedFinding:
    base = Finding(
        subject=REVIEWS, evidence="reads 240,000 rows to return 10; 212 calls", cost=812.4
    )
    return IdentifiedFinding(
        id=identifier,
        detector="missing-index",
        layer=Layer.DATABASE,
        finding=replace(base, **fields),  # type: ignore[arg-type]  # as above
    )


def proposal(
    summary: str, *, apply: str, revert: str, predicted: float = 0.5, because: str = "f1"
) -> Proposal:
    return Proposal(
        layer=Layer.DATABASE,
        remedy="add-index",
        change=ChangeSpec(
            kind="sqlite-ddl",
            subject=summary.rpartition(" ")[2],
            apply=(apply,),
            revert=(revert,),
            summary=summary,
        ),
        predicted=Prediction(
            metric="elapsed",
            ratio=predicted,
            gain=700.0,
            basis="rows read fall from 240,000 to 58 a call",
        ),
        risk=Risk.LOW,
        scope=Scope.QUICK_WIN,
        because=(because,),
        size_bytes=2_400_000,
    )


def index(name: str, on: str, **fields: object) -> Proposal:
    return proposal(
        f"Create index {name}",
        apply=f"CREATE INDEX {name} ON {on}",
        revert=f"DROP INDEX IF EXISTS {name}",
        **fields,  # type: ignore[arg-type]  # passed through
    )


def experiment(
    identifier: str,
    of: Proposal,
    verdict: Verdict,
    *,
    ratio: float | None = None,
    width: float = 0.03,
    pairs: int = 40,
    level: float = 0.1,
    guardrails: tuple[Guardrail, ...] = (),
    witnesses: dict[str, tuple[float, float]] | None = None,
) -> ExperimentRecord:
    taken = (
        ()
        if ratio is None
        else samples(ratio, seed=len(identifier) + pairs, pairs=pairs, level=level)
    )
    measured = None
    if ratio is not None:
        measured = measurement(
            ratio,
            width=width,
            pairs=pairs,
            baseline=median(a for a, _ in taken),
            treatment=median(b for _, b in taken),
        )
    return ExperimentRecord(
        id=identifier,
        proposal=of,
        verdict=verdict,
        measured=measured,
        guardrails=guardrails,
        witnesses=witnesses or {},
        samples=taken,
        machine=MachineState(load_1m=0.71, cpus=2, noise_floor=0.018),
        alpha=0.0063,
        elapsed_s=12.5,
    )


def kept(reason: str = "proven faster", basis: str = "clock") -> Verdict:
    return Verdict(outcome=Outcome.KEPT, reason=reason, basis=basis)


def rejected(reason: str, basis: str = "clock") -> Verdict:
    return Verdict(outcome=Outcome.REJECTED, reason=reason, basis=basis)


WRITES_HELD = Guardrail(
    name="write",
    passed=True,
    detail="write +1.2% (-1.9% to +4.4%), allowed +10%",
    measured=measurement(1.012, metric="write", confidence=0.9),
)
WRITES_BROKEN = Guardrail(
    name="write",
    passed=False,
    detail="write +31.0% (+24.0% to +38.4%), allowed +10%",
    measured=measurement(1.31, width=0.055, metric="write", confidence=0.9),
)
SAME_ANSWERS = Guardrail(name="answers", passed=True, detail="38 statements answer the same")


def full_run() -> RunRecord:
    """An `optimize` run with an experiment of every verdict."""
    experiments = (
        experiment(
            "e1",
            index(
                "reviews_product_created",
                "reviews (product_id, created_at DESC) WHERE state = 'published'",
                predicted=0.22,
            ),
            kept(),
            ratio=0.283,
            pairs=22,
            level=1.21,
            guardrails=(SAME_ANSWERS, WRITES_HELD),
            witnesses={"rows_read": (52_000_000.0, 118_000.0), "pages_read": (410_233.0, 9_120.0)},
        ),
        experiment(
            "e2",
            index(
                "orders_customer", "orders (customer_id, placed_at)", predicted=0.86, because="f2"
            ),
            kept(),
            ratio=0.914,
            width=0.021,
            pairs=100,
            level=0.342,
            guardrails=(SAME_ANSWERS, WRITES_HELD),
            witnesses={"pages_read": (9_120.0, 7_004.0)},
        ),
        experiment(
            "e3",
            index(
                "stock_moves_all",
                "stock_moves (sku, warehouse, moved_at)",
                predicted=0.8,
                because="f3",
            ),
            rejected(
                "faster, but guardrail write +31.0% (+24.0% to +38.4%), allowed +10%", "write"
            ),
            ratio=0.871,
            pairs=40,
            level=0.313,
            guardrails=(SAME_ANSWERS, WRITES_BROKEN),
        ),
        experiment(
            "e4",
            index("sessions_expiry", "sessions (expires_at)", predicted=0.95, because="f4"),
            Verdict(
                outcome=Outcome.INCONCLUSIVE,
                reason="100 pairs neither prove nor exclude a gain",
            ),
            ratio=0.991,
            width=0.024,
            pairs=100,
            level=0.311,
        ),
        experiment(
            "e5",
            index("carts_updated", "carts (updated_at)", predicted=0.97, because="f5"),
            Verdict(
                outcome=Outcome.FAILED,
                reason="could not apply 'Create index carts_updated': database or disk is full",
                basis="change",
            ),
        ),
        experiment(
            "e6",
            proposal(
                "Set mmap_size to 256 MiB",
                apply="PRAGMA mmap_size = 268435456",
                revert="PRAGMA mmap_size = 0",
                predicted=0.98,
            ),
            rejected("any gain is below 0.5%"),
            ratio=1.016,
            width=0.012,
            pairs=60,
            level=0.309,
        ),
    )
    return RunRecord(
        id="r-20260302-1405-7f3a",
        command="optimize",
        target="shop.db",
        started=STARTED,
        finished=FINISHED,
        status=RunStatus.FINISHED,
        budget="10m,20 experiments",
        seed=20260302,
        version="0.1.0",
        machine={"system": "Linux 6.1", "cpus": 2, "python": "3.12.4", "sqlite": "3.46.0"},
        summary={"database": {"statements": 1830.0, "shapes": 38.0, "tables": "14 tables"}},
        notes=(
            "2 statements of the workload failed and were left out: line 41, line 377",
            "Writes are 6 % of the workload: write cost is judged on 110 statements",
        ),
        calibrations=(
            CalibrationRecord(
                layer="database",
                measured=measurement(1.002, width=0.018, pairs=20),
                noise_floor=0.012,
                bias=0.0,
                too_noisy=False,
            ),
        ),
        findings=(
            finding("f1"),
            finding(
                "f2",
                subject="SELECT * FROM orders WHERE customer_id = 88 ORDER BY placed_at DESC",
                evidence="reads 31,000 rows to return 6; 140 calls",
                cost=143.0,
            ),
            finding(
                "f3",
                subject="SELECT sum(delta) FROM stock_moves WHERE sku = 'TEA-0815'",
                evidence="full scan of 96,000 rows; 30 calls",
                cost=61.2,
            ),
            finding(
                "f4",
                subject="DELETE FROM sessions WHERE expires_at < 1767225600",
                evidence="full scan of 12,000 rows; 3 calls",
                cost=4.31,
            ),
            finding(
                "f5", subject="carts", evidence="sorted 900 rows in memory; 12 calls", cost=0.62
            ),
        ),
        experiments=experiments,
        failures=(
            AgentFailure(
                agent="database",
                step="bench e5",
                error="OperationalError: database or disk is full",
                traceback="Traceback (most recent call last):\n"
                '  File "bench.py", line 88, in apply\n'
                "sqlite3.OperationalError: database or disk is full",
            ),
        ),
        goals=(
            GoalResult(goal="p95<50ms", before=0.0124, after=0.0031, met=True),
            GoalResult(goal="workload<=-80%", before=1.21, after=0.314, met=False),
            GoalResult(goal="lcp<2.5s", before=None, after=None, met=None, note="no browser agent"),
        ),
        spent={"time": 161.0, "experiments": 6.0, "storage": 4_800_000.0},
        overall=measurement(0.2595, width=0.028, pairs=40, baseline=1.21, treatment=0.314),
    )


def profile_run() -> RunRecord:
    """A `profile` run: findings, no experiments."""
    return replace(
        full_run(), command="profile", experiments=(), overall=None, goals=(), failures=()
    )


def empty_run() -> RunRecord:
    """A run that saw nothing and did nothing."""
    return RunRecord(
        id="r-0", command="optimize", target="empty.db", started=STARTED, status=RunStatus.FINISHED
    )


def hostile_run() -> RunRecord:
    """Names that try to leave their place in every output."""
    nasty = f'orders_{SCRIPT}_|_`x`_"q"_[b](http://e.vil)_*_\x1b[31m_\u202e_@all_$&'
    bad = proposal(
        f"Create index {nasty}\nDROP TABLE users",
        apply=f'CREATE INDEX "{nasty}" ON t (a) -- ```',
        revert=f'DROP INDEX "{nasty}"',
    )
    return replace(
        full_run(),
        target=f"postgresql://admin:hunter2@db/{SCRIPT}",
        findings=(finding("f1", subject=nasty, evidence=f"größe 12 µs, 東京 {nasty}"),),
        experiments=(
            experiment("e1", bad, kept(reason=nasty), ratio=0.8),
            experiment(
                "e2",
                bad,
                rejected(nasty),
                guardrails=(Guardrail(name=nasty, passed=None, detail=nasty),),
            ),
        ),
        notes=(nasty, f"</details>{nasty}", "1. a note\n\n# with a heading"),
        failures=(AgentFailure(agent=nasty, step=nasty, error=nasty, traceback=f"```\n{nasty}\n"),),
        machine={nasty: nasty},
    )


def big_run(experiments: int = 30) -> RunRecord:
    """As much as a long run holds."""
    return replace(
        full_run(),
        experiments=tuple(
            experiment(
                f"e{place}",
                index(f"orders_place_{place}", "orders (customer_id, placed_at, state)"),
                kept() if place % 3 else rejected("any gain is below 0.5%"),
                ratio=0.7 + place / 100.0,
                pairs=100,
                guardrails=(SAME_ANSWERS, WRITES_HELD),
                witnesses={"pages_read": (9_120.0, 7_004.0)},
            )
            for place in range(experiments)
        ),
    )


def compared(
    winner: Winner = Winner.B, *, ratio: float = 0.877, **fields: object
) -> ComparedCommands:
    """A comparison of two commands."""
    wall = measurement(
        ratio, width=0.028, metric="wall", confidence=0.99, baseline=0.412, treatment=0.412 * ratio
    )
    memory = measurement(
        1.01, width=0.002, metric="memory", confidence=0.99, baseline=3.1e7, treatment=3.13e7
    )
    base = Comparison(
        winner=winner,
        reason="proven" if winner is not Winner.INCONCLUSIVE else "40 pairs show no difference",
        basis="wall",
        measured={
            "wall": wall,
            "cpu": replace(wall, metric="cpu", baseline=0.4, treatment=0.4 * ratio),
            "memory": memory,
        },
        noise_floor=0.021,
        guardrails=(Guardrail(name="output", passed=True, detail="both print the same"),),
        samples=samples(ratio, seed=3, pairs=40, level=0.412),
        machine=MachineState(load_1m=1.32, cpus=2, noise_floor=0.021),
        elapsed_s=33.0,
    )
    return ComparedCommands(
        a="python3 sort_bubble.py --size 2000",
        b="python3 sort_heap.py --size 2000",
        comparison=replace(base, **fields),  # type: ignore[arg-type]  # names checked by replace
        exit_codes={Arm.A: 0, Arm.B: 0},
        seed=7,
        machine={"system": "Linux 6.1"},
    )
