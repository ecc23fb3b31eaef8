"""Reads against writes, table by table."""

from __future__ import annotations

from dataclasses import dataclass

from perfwright.agents.database.artifacts import DatabaseArtifacts

FEW_WRITES = 20  # executions; fewer say too little about writes to hold a change to a share of them
WARINESS = 0.8  # 3 writes to a read: 2.4 times what an index costs the writes; 200: 69 times


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How often one table is read and written in one replay of the workload."""

    reads: int = 0
    writes: int = 0
    unseen_writes: int = 0
    """Writes whose cost could not be measured, since they cannot be executed."""

    @property
    def writes_dominate(self) -> bool:
        """Whether there are more writes than reads."""
        return self.writes > self.reads

    @property
    def demand(self) -> float:
        """How many times its write cost an index has to bring: more, the more writes dominate.

        One slow read among hundreds of inserts is a report that somebody ran; the inserts come
        every day, and a log may show one row of each batch.
        """
        return max(1.0, float((self.writes / max(self.reads, 1)) ** WARINESS))

    @property
    def closed(self) -> bool:
        """Whether no index may be added: writes dominate, and their cost cannot be measured."""
        return self.writes_dominate and self.unseen_writes > 0


def few_writes(artifacts: DatabaseArtifacts) -> bool:
    """Whether the workload holds too few writes to judge them by themselves.

    They then count in the total only: an index that costs a single recorded insert a tenth more
    may well save a second of reads.
    """
    return sum(o.shape.calls for o in artifacts.writes) < FEW_WRITES


def balance_of(artifacts: DatabaseArtifacts, table: str) -> Balance:
    """Count the reads and writes of a table."""
    folded = table.casefold()
    reads = sum(
        o.shape.calls
        for o in artifacts.reads
        if any(access.table.casefold() == folded for access in o.accesses)
    )
    changing = [o for o in artifacts.writes if (o.target or "").casefold() == folded]
    return Balance(
        reads=reads,
        writes=sum(o.shape.calls for o in changing),
        unseen_writes=sum(o.shape.calls for o in changing if o.cost is None),
    )
