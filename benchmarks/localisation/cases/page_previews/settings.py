"""What an operator can set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    cores: int = 2
    store_connections: int = 24
    preview_width: int = 32
    shades: str = " .:-=+*#%@"
