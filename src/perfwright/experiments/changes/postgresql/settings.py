"""Settings of roles and databases that may be changed: they cost no durability. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from perfwright.experiments.changes.postgresql.lexing import (
    Token,
    quote_name,
    quote_text,
    tokens,
)

HARMLESS_SETTINGS = frozenset(
    {
        "constraint_exclusion",
        "cpu_index_tuple_cost",
        "cpu_operator_cost",
        "cpu_tuple_cost",
        "cursor_tuple_fraction",
        "default_statistics_target",
        "effective_cache_size",
        "effective_io_concurrency",
        "enable_incremental_sort",
        "enable_memoize",
        "enable_partitionwise_aggregate",
        "enable_partitionwise_join",
        "from_collapse_limit",
        "geqo",
        "geqo_threshold",
        "hash_mem_multiplier",
        "jit",
        "jit_above_cost",
        "jit_inline_above_cost",
        "jit_optimize_above_cost",
        "join_collapse_limit",
        "max_parallel_workers_per_gather",
        "min_parallel_index_scan_size",
        "min_parallel_table_scan_size",
        "parallel_setup_cost",
        "parallel_tuple_cost",
        "plan_cache_mode",
        "random_page_cost",
        "seq_page_cost",
        "temp_buffers",
        "work_mem",
    }
)
"""They choose plans or bound memory; none can lose data, answers or rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """ALTER ROLE or ALTER DATABASE with SET or RESET of one setting."""

    name: str
    value: str | None
    """None: RESET."""
    role: str | None = None
    database: str | None = None

    @property
    def sql(self) -> str:
        """The statement."""
        if self.role is None:
            subject = f"DATABASE {quote_name(self.database or '')}"
        else:
            within = f" IN DATABASE {quote_name(self.database)}" if self.database else ""
            subject = f"ROLE {quote_name(self.role)}{within}"
        if self.value is None:
            return f"ALTER {subject} RESET {self.name}"
        return f"ALTER {subject} SET {self.name} TO {quote_text(self.value)}"


def read_setting(sql: str) -> Setting | None:
    """Read an ALTER ROLE or ALTER DATABASE of a harmless setting; None for anything else."""
    found = list(tokens(sql))
    if len(found) < 5 or not found[0].says("ALTER"):
        return None
    name = found[2].name
    if name is None or found[2].says("ALL"):
        return None
    if found[1].says("DATABASE"):
        return _assigned(found[3:], role=None, database=name)
    if not found[1].says("ROLE", "USER"):
        return None
    if found[3].says("IN") and found[4].says("DATABASE") and len(found) > 6:
        database = found[5].name
        return _assigned(found[6:], role=name, database=database) if database else None
    return _assigned(found[3:], role=name, database=None)


def _assigned(found: list[Token], *, role: str | None, database: str | None) -> Setting | None:
    """Read `SET name TO value`, `SET name = value` or `RESET name`."""
    if len(found) < 2 or (found[1].name or "") not in HARMLESS_SETTINGS:
        return None
    name = found[1].name or ""
    if found[0].says("RESET") and len(found) == 2:
        return Setting(name=name, value=None, role=role, database=database)
    if not found[0].says("SET") or len(found) != 4:
        return None
    if not (found[2].says("TO") or found[2].text == "="):
        return None
    value = _value(found[3])
    return None if value is None else Setting(name=name, value=value, role=role, database=database)


def _value(token: Token) -> str | None:
    if token.kind == "string" and token.text.startswith("'"):
        return token.text[1:-1].replace("''", "'")
    return token.text if token.kind in ("number", "word") else None
