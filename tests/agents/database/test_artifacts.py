"""A saved run can be judged again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from perfwright.agents.database import DatabasePerformanceAgent
from perfwright.agents.database.artifacts import DatabaseArtifacts
from perfwright.agents.database.registry import judge
from tests.agents.database.sqlite_databases import make_shop, write_workload


def test_artifacts_survive_being_saved(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop.db")
    workload = write_workload(
        tmp_path / "w.jsonl",
        [{"sql": "select * from orders where customer_id = ?", "params": [i]} for i in range(20)],
    )
    agent = DatabasePerformanceAgent(f"sqlite:///{shop}", workload=workload)
    try:
        seen = agent.artifacts
    finally:
        agent.close()
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(seen), type=DatabaseArtifacts)
    assert again == seen
    assert judge(again) == judge(seen)
