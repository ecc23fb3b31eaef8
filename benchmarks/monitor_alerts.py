"""False alarms, finds and delay of change points, signatures and simple thresholds.

    python benchmarks/monitor_alerts.py [--traces FOLDER] [--series 150]

Every series without a change is one in which nothing changed: drawn noise, or stretches of recorded
run times of one unchanged program (`--traces`, JSON arrays of seconds in the order of the runs).
Whatever is found in them is false. A change is made by multiplying all values from a place on.
Stretches of a recording overlap, so its rates hold to about +-15 points.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from _rivals import environment, interpreter, versions
from _shared import Share, circumstances, say, table
from scipy import stats as scipy_stats

from perfwright.monitoring.signature_recorder import SignatureRecorder
from perfwright.monitoring.signatures import compare
from perfwright.monitoring.spans import Span
from perfwright.stats.change_points import best_split, change_points

LENGTH = 100
PLACE = 50
NEAR = 5
RATE = 0.001
FACTORS = (1.2, 1.5, 2.0)

Series = list[float]
Draw = Callable[[random.Random, int], Series]
Detector = Callable[[list[Series]], list[list[int]]]


# --- Noise ----------------------------------------------------------------------------------------


def independent(rng: random.Random, count: int) -> Series:
    return [rng.lognormvariate(-3.0, 0.2) for _ in range(count)]


def heavy(rng: random.Random, count: int) -> Series:
    return [rng.lognormvariate(-3.0, 1.0) for _ in range(count)]


def remembering(rng: random.Random, count: int) -> Series:
    state, values = 0.0, []
    for _ in range(count + 50):
        state = 0.6 * state + rng.gauss(0.0, 0.2)
        values.append(math.exp(state))
    return values[50:]


def recorded(runs: Series, *, of: int) -> Draw:
    """Medians of `of` runs in a row, from a random place of a recording on."""

    def draw(rng: random.Random, count: int) -> Series:
        start = rng.randrange(len(runs) - count * of + 1)
        part = runs[start : start + count * of]
        return [median(part[at : at + of]) for at in range(0, len(part), of)]

    return draw


def kinds(recordings: dict[str, Series]) -> dict[str, Draw]:
    drawn: dict[str, Draw] = {
        "independent, sd 0.2": independent,
        "heavy tail, sd 1": heavy,
        "neighbours correlate by 0.6": remembering,
    }
    for name, runs in recordings.items():
        for of in (1, 10, 30):
            if len(runs) >= (LENGTH + 20) * of:
                drawn[f"{name}, medians of {of}"] = recorded(runs, of=of)
    return drawn


# --- Detectors ------------------------------------------------------------------------------------


def ours(many: list[Series], *, rate: float = RATE) -> list[list[int]]:
    return [
        [point.index for point in change_points(values, false_alarm_rate=rate)] for values in many
    ]


def students(many: list[Series]) -> list[list[int]]:
    """Student's t at the place where the energy distance is largest, as if it had been given."""
    found = []
    for values in many:
        logs = [math.log(value) for value in values]
        place = best_split(logs)
        test = scipy_stats.ttest_ind(logs[:place], logs[place:])
        found.append([place] if test.pvalue <= RATE else [])
    return found


def threshold(many: list[Series]) -> list[list[int]]:
    """Any five values in a row whose median is a quarter above that of the first half."""
    found = []
    for values in many:
        limit = 1.25 * median(values[:PLACE])
        beyond = (at for at in range(PLACE, len(values) - 4) if median(values[at : at + 5]) > limit)
        found.append([at for at in [next(beyond, -1)] if at >= 0])
    return found


_OTAVA = """
import json, sys
from otava.analysis import compute_change_points
series = json.load(sys.stdin)
found = [compute_change_points(values, max_pvalue=float(sys.argv[1]))[0] for values in series]
json.dump([[int(point.index) for point in points] for points in found], sys.stdout)
"""


def otava(many: list[Series]) -> list[list[int]]:
    """Apache Otava, with its own window of 50 values."""
    python = interpreter("otava")
    answer = subprocess.run(
        [str(python), "-c", _OTAVA, str(RATE)],
        input=json.dumps(many), capture_output=True, text=True, check=True,
        timeout=900, env=environment() | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found: list[list[int]] = json.loads(answer.stdout)
    return found


DETECTORS: dict[str, Detector] = {
    "perfwright": ours,
    "perfwright at a rate of 0.01": partial(ours, rate=0.01),
    "Apache Otava": otava,
    "Student's t at the best place": students,
    "25 % above the first half": threshold,
}


# --- Parts ----------------------------------------------------------------------------------------


def finds(name: str, draw: Draw, *, count: int) -> list[list[object]]:
    """Rows of one kind of noise: false alarms, and changes found near their place."""
    rng = random.Random(f"finds {name}")
    same = [draw(rng, LENGTH) for _ in range(count)]
    changed = [stepped(values, by, place=PLACE) for by in FACTORS for values in same]
    rows: list[list[object]] = []
    for detector, find in DETECTORS.items():
        found = find(same + changed)
        row: list[object] = [name, detector, Share(sum(map(bool, found[:count])), count)]
        for start in range(count, len(found), count):
            part = found[start : start + count]
            hits = sum(any(abs(at - PLACE) <= NEAR for at in places) for places in part)
            row.append(f"{100 * hits / count:.0f} %")
        rows.append(row)
    return rows


def stepped(values: Series, factor: float, *, place: int) -> Series:
    return values[:place] + [value * factor for value in values[place:]]


def delays(name: str, draw: Draw, *, count: int, factor: float) -> list[list[object]]:
    """Rows of one kind: looks after every value, 20 before the change and 40 after it."""
    rng = random.Random(f"delays {name}")
    place = LENGTH - 40
    looks = range(place - 20, LENGTH + 1)
    rows: list[list[object]] = []
    drawn = [stepped(draw(rng, LENGTH), factor, place=place) for _ in range(count)]
    for detector, find in DETECTORS.items():
        if detector.startswith("25"):
            continue  # it has no memory of its own to begin with
        found = find([values[:look] for values in drawn for look in looks])
        early, waits = 0, []
        for number in range(count):
            answers = found[number * len(looks) : (number + 1) * len(looks)]
            early += any(answers[:20])
            late = [
                look - place
                for look, points in zip(looks, answers, strict=True)
                if look > place and any(abs(at - place) <= NEAR for at in points)
            ]
            waits.append(late[0] if late else math.inf)
        typical = median(waits)
        wait = f"{typical:.0f} values" if math.isfinite(typical) else "more than 40"
        rows.append([name, detector, Share(early, count), wait])
    return rows


def signatures(name: str, runs: Series, *, seconds: float, count: int) -> list[list[object]]:
    """Rows of one recording: two adjoining stretches of it as two versions of a program."""
    rng = random.Random(f"signatures {name}")
    ends = [0.0]
    for run in runs:
        ends.append(ends[-1] + run)
    pairs = []
    while len(pairs) < count:
        start = rng.randrange(len(runs))
        middle = next((at for at, end in enumerate(ends) if end >= ends[start] + seconds), None)
        stop = next((at for at, end in enumerate(ends) if end >= ends[start] + 2 * seconds), None)
        if middle is not None and stop is not None:
            pairs.append((runs[start:middle], runs[middle:stop]))
    ways: dict[str, Callable[[Series, Series], bool]] = {
        "perfwright signatures": lambda one, two: slower(one, two, seconds=seconds),
        "Welch's t on all runs, p <= 0.01": lambda one, two: bool(
            scipy_stats.ttest_ind(two, one, equal_var=False, alternative="greater").pvalue <= 0.01
        ),
        "median more than 10 % higher": lambda one, two: median(two) > 1.1 * median(one),
    }
    rows: list[list[object]] = []
    for way, says in ways.items():
        row: list[object] = [f"{name}, {seconds:g} s each", way]
        row.append(Share(sum(says(one, two) for one, two in pairs), count))
        for factor in FACTORS:
            hits = sum(says(one, [factor * run for run in two]) for one, two in pairs)
            row.append(f"{100 * hits / count:.0f} %")
        rows.append(row)
    return rows


def slower(one: Series, two: Series, *, seconds: float) -> bool:
    sides = []
    for runs in (one, two):
        recorder, now_s = SignatureRecorder(batch_s=seconds / 20, min_count=5), 0.0
        for run in runs:
            # The time that passes is that of the recording, also where a change is put on top.
            now_s += run * seconds / sum(runs)
            span = Span("run", trace_id=1, span_id=1, start_s=now_s - run, end_s=now_s)
            recorder.observe(span)
        sides.append(recorder.signatures())
    found = compare(sides[0], sides[1], false_alarm_rate=0.01)
    return any(one.verdict == "slower" for one in found)


def cost(draw: Draw) -> str:
    rng = random.Random(5)
    many = [draw(rng, LENGTH) for _ in range(50)]
    start_s = time.thread_time()
    ours(many)
    return f"{1e3 * (time.thread_time() - start_s) / len(many):.2f} ms"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--traces", type=Path, help="folder with JSON arrays of run times")
    parser.add_argument("--series", type=int, default=150, help="of each kind of noise")
    chosen = parser.parse_args(arguments)
    recordings = {
        file.stem: json.loads(file.read_text())
        for file in (sorted(chosen.traces.glob("*.json")) if chosen.traces else ())
    }
    drawn = kinds(recordings)
    print(circumstances("perfwright", "scipy"))
    print(f"{versions('otava', 'apache-otava')}; {chosen.series} series of {LENGTH} values each\n")
    rows = []
    for name, draw in drawn.items():
        say(f"change points: {name}")
        rows += finds(name, draw, count=chosen.series)
    header = ["noise", "detector", "false alarms"]
    print(
        f"Change points, at a rate of {RATE}; found within {NEAR} values of the change at {PLACE}"
    )
    print(table([*header, *(f"found {factor:g}x" for factor in FACTORS)], rows))
    print(f"CPU time of one search by perfwright: {cost(independent)}\n")
    rows = []
    for name in list(drawn)[:3]:
        say(f"delay: {name}")
        rows += delays(name, drawn[name], count=max(20, chosen.series // 5), factor=1.5)
    print("A look after every value; 1.5 times slower from value 60 on")
    print(table(["noise", "detector", "alarm in the 20 looks before", "median delay"], rows))
    rows = []
    for name, runs in recordings.items():
        for seconds in (15.0, 30.0):
            say(f"signatures: {name} {seconds:g} s")
            rows += signatures(name, runs, seconds=seconds, count=chosen.series)
    if rows:
        print("\nTwo versions, one after the other; ours at a rate of 0.01")
        header = ["recording", "comparison", "false alarms"]
        print(table([*header, *(f"found {factor:g}x" for factor in FACTORS)], rows))


if __name__ == "__main__":
    main()
