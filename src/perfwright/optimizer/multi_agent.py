"""The public face of a run: agents in, a document out."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from perfwright.core import Agent, SystemClock, Target
from perfwright.experiments.ledger import Ledger, RunRecord
from perfwright.optimizer.options import RunOptions
from perfwright.optimizer.run import Run
from perfwright.orchestrator import LocalEngine


class MultiAgentOrchestrator:
    """Lets several agents work on one target in one run.

    Args:
        agents: Bound to the target already.
        ledger: Where the run is recorded; None: a temporary ledger, removed afterwards.
    """

    def __init__(self, agents: Sequence[Agent], *, ledger: Path | str | None = None) -> None:
        self._agents = list(agents)
        self._ledger = ledger

    def optimize(self, target: Target | str, *, options: RunOptions | None = None) -> RunRecord:
        """Find bottlenecks and prove changes on copies; the target is only read.

        Raises:
            PerfwrightError: If the run cannot be begun.
        """
        with tempfile.TemporaryDirectory(prefix="perfwright-") as folder:
            ledger = Ledger(self._ledger or Path(folder) / "ledger.db", clock=SystemClock())
            try:
                return asyncio.run(self._optimize(str(target), ledger=ledger, options=options))
            finally:
                ledger.close()

    async def _optimize(
        self, target: str, *, ledger: Ledger, options: RunOptions | None
    ) -> RunRecord:
        engine = LocalEngine(clock=SystemClock())
        run = Run(
            command="optimize",
            target=target,
            agents=self._agents,
            ledger=ledger,
            engine=engine,
            clock=SystemClock(),
            options=options or RunOptions(),
        )
        try:
            return await run.carry_out()
        finally:
            await engine.close()
