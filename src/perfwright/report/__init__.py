"""What people and programs get to see of a run: pure functions of its record.

Text of others is escaped in every form, passwords are hidden, and the values in quoted statements
of the workload are masked unless the caller asks for them.
"""

from perfwright.report.comparing import comparison_view
from perfwright.report.document import (
    COMPARE_SCHEMA,
    RUN_SCHEMA,
    ComparedCommands,
    comparison_document,
    load_schema,
    run_document,
)
from perfwright.report.headline import Headline, comparison_sentence, headline
from perfwright.report.html import run_html
from perfwright.report.markdown import run_markdown
from perfwright.report.masking import mask_prose, mask_statement
from perfwright.report.sql import kept_sql, undo_sql
from perfwright.report.terminal import run_view

__all__ = [
    "COMPARE_SCHEMA",
    "ComparedCommands",
    "Headline",
    "RUN_SCHEMA",
    "comparison_document",
    "comparison_sentence",
    "comparison_view",
    "headline",
    "kept_sql",
    "load_schema",
    "mask_prose",
    "mask_statement",
    "run_document",
    "run_html",
    "run_markdown",
    "run_view",
    "undo_sql",
]
