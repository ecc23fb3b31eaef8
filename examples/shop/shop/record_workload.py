"""Record the SQL statements of the traffic, with their parameters and durations."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from shop.database import Parameters
from shop.seed import seed as seed_database
from shop.settings import Settings
from shop.traffic import Clock, drive, open_quiet_shop


def record(*, requests: int, seed: int, scale: float = 1.0) -> list[str]:
    """Drive traffic on a freshly seeded shop and return one JSON document per statement."""
    lines: list[str] = []

    def note(sql: str, parameters: Parameters, duration_ms: float) -> None:
        entry = {"sql": sql, "params": list(parameters), "ms": round(duration_ms, 2)}
        lines.append(json.dumps(entry, separators=(",", ":")))

    with TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        seed_database(path, scale=scale)
        clock = Clock()
        shop = open_quiet_shop(Settings(db=path), clock=clock, seed=seed, observe=note)
        try:
            asyncio.run(drive(shop, clock=clock, requests=requests, seed=seed))
        finally:
            shop.db.close()
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m shop.record_workload", description=__doc__)
    parser.add_argument("out", type=Path, help="the JSONL file to write")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    lines = record(requests=options.requests, seed=options.seed)
    options.out.write_text("\n".join(lines) + "\n")
    print(f"{len(lines):,} statements")
    return 0


if __name__ == "__main__":
    sys.exit(main())
