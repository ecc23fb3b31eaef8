"""How each statement reads its tables, resolved against the catalog."""

from perfwright.agents.database.access.extract import Analysis, analyse

__all__ = ["Analysis", "analyse"]
