"""The command line."""

from perfwright.cli.group import main

__all__ = ["main"]
