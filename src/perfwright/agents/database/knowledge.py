"""What the candidates depend on besides the access, and what a candidate is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from perfwright.agents.database.artifacts import TermCount
from perfwright.agents.database.catalog import Catalog, Table
from perfwright.agents.database.constants import is_lasting, share_of
from perfwright.agents.database.design import IndexDesign

Kind = Literal["composite", "covering", "partial", "expression", "inverted", "block-range"]
MAX_KEYS = 6  # what four columns leave is a handful of rows; an order may need two more
MAX_EXTRA_COLUMNS = 3  # wider covering indexes cost more in writes and cache than they saved
PARTIAL_SHARE = 0.5  # a condition that holds for more of the rows than this saves too little
MIN_ROWS = 40  # below, a scan reads a page or two
MIN_VISIBLE = 0.5  # of the pages; where fewer are, an index-only scan fetches most rows anyway
MIN_PAGES = 8  # PostgreSQL: a descent of an index and its row touch half as many


@dataclass(frozen=True, slots=True)
class Candidate:
    """A design and what sort it is of."""

    design: IndexDesign
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What candidates depend on besides the access."""

    catalog: Catalog
    term_counts: tuple[TermCount, ...] = ()

    def share(self, table: Table, terms: Iterable[str]) -> float:
        """The smallest share of rows that one of `terms` leaves; 1 when unknown."""
        return min((s for t in terms if (s := self._share(table, t)) is not None), default=1.0)

    def rare(self, table: Table, constants: Iterable[str]) -> tuple[str, ...]:
        """Those of some constant conditions that leave few enough rows for a partial index."""
        return tuple(
            constant
            for constant in constants
            if self.share(table, (constant,)) <= PARTIAL_SHARE
            and (self.catalog.dialect != "postgres" or is_lasting(constant, table))
        )

    def _share(self, table: Table, term: str) -> float | None:
        for count in self.term_counts:
            if count.table == table.name and count.term == term:
                return count.rows / max(table.rows, 1)
        return share_of(term, table) if self.catalog.dialect == "postgres" else None

    def indexable(self, name: str) -> Table | None:
        """The table that an index for `name` would be made on; None when it is not worth one.

        Of partitions, it is the partitioned table.
        """
        table = self.catalog.table(name)
        while table is not None and table.partition_of is not None:
            table = self.catalog.table(table.partition_of)
        if table is None or table.virtual or table.rows < MIN_ROWS:
            return None
        if self.catalog.dialect == "postgres" and not self._indexable(table):
            return None
        return table

    def _indexable(self, table: Table) -> bool:
        parts = [t for t in self.catalog.tables if t.partition_of == table.name]
        small = table.size_bytes < MIN_PAGES * self.catalog.page_size
        return not small and not any(part.virtual for part in parts)
