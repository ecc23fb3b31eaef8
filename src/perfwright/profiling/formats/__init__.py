"""Profiles as text that other tools read, and back."""

from perfwright.profiling.formats.collapsed import from_collapsed, to_collapsed
from perfwright.profiling.formats.document import from_json, to_json
from perfwright.profiling.formats.flamegraph import to_flamegraph
from perfwright.profiling.formats.naming import Form, format_of
from perfwright.profiling.formats.speedscope import from_speedscope, to_speedscope

__all__ = [
    "Form",
    "format_of",
    "from_collapsed",
    "from_json",
    "from_speedscope",
    "to_collapsed",
    "to_flamegraph",
    "to_json",
    "to_speedscope",
]
