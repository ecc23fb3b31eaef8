"""What a PostgreSQL server was doing when it was looked at, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """Everything about a server that is neither its schema nor its workload."""

    version: str = ""
