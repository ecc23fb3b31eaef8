"""Small pieces."""

from __future__ import annotations

from dataclasses import replace

from perfwright.profiling.diagnosis.examples import example, frame_of
from perfwright.profiling.model import Call, Function
from tests.profiling.diagnosis.kinds.claims import causes, claims, culprits

RULE = "small_io"


def test_flushing_after_each_line_is_found() -> None:
    text = """
        class Journal:
            def note(self, line):
                self.out.write(line)
                self.out.flush()
        def run(journal, lines):
            for line in lines:
                journal.note(line)
    """
    path = ("journal.note", "self.out.flush")
    assert culprits(RULE, text, path, state="waiting") == ["Journal.note"]


def test_writing_to_memory_is_no_io() -> None:
    text = """
        import io
        def render(rows):
            out = io.StringIO()
            for row in rows:
                out.write(row)
    """
    assert culprits(RULE, text, ("out.write",)) == []


def test_reading_a_file_at_once_is_no_fault() -> None:
    text = "def load(path):\n    return path.read_text()\n"
    assert culprits(RULE, text, ("path.read_text",)) == []


def test_a_loop_over_the_lines_of_a_file_of_each_turn_is_its_reading() -> None:
    text = """
        def count(paths):
            for path in paths:
                with open(path) as source:
                    for line in source:
                        yield line
    """
    assert causes(text, ("for line in source",)) == {"count": "small-io"}


def test_an_attribute_of_a_dict_that_is_called_like_a_file_is_none() -> None:
    text = """
        def names(table: dict, keys):
            for key in keys:
                yield table.read(key)
    """
    assert causes(text, ("yield table.read",)) == {}


def test_reading_one_whole_file_at_each_call_is_no_fault() -> None:
    text = """
        def content(one):
            with open(one.path, encoding="utf-8") as source:
                return source.read()
        def build(pages):
            for page in pages:
                page.text = content(page)
    """
    assert culprits(RULE, text, ("content(page)", "source.read()")) == []


def test_appending_a_line_at_each_call_is_found() -> None:
    text = """
        def note(path, text):
            with open(path, "a") as target:
                target.write(text)
        def build(path, lines):
            for line in lines:
                note(path, line)
    """
    assert culprits(RULE, text, ("note(path, line)", "target.write")) == ["note"]


WRITER = """
    def render(rows, out):
        for row in rows:
            out.write(row)
    def run(pages, out):
        for page in pages:
            render(page, out)
"""


def written_to(callee: str, *, took_s: float) -> list[str]:
    """Who is blamed if the calls of `out.write` were counted as calls of this."""
    profile = example(WRITER, ("render(page", "out.write"))
    render = frame_of(WRITER, "def render").function
    run = frame_of(WRITER, "def run").function
    calls = (
        Call(caller=run, callee=render, count=20, self_s=1.0 - took_s, cumulative_s=1.0),
        Call(
            caller=render,
            callee=Function("~", 0, callee),
            count=90_000,
            self_s=took_s,
            cumulative_s=took_s,
        ),
    )
    return [c.function.name for c in claims(RULE, replace(profile, calls=calls))]


def test_what_is_written_to_is_known_from_counted_calls() -> None:
    assert written_to("<method 'write' of '_io.TextIOWrapper' objects>", took_s=0.6) == ["render"]
    assert written_to("<method 'send' of '_socket.socket' objects>", took_s=0.6) == ["render"]
    assert written_to("<method 'write' of '_io.BytesIO' objects>", took_s=0.6) == []


def test_writing_to_a_file_that_takes_little_of_the_time_is_no_fault() -> None:
    assert written_to("<method 'write' of '_io.TextIOWrapper' objects>", took_s=0.1) == []


def test_nothing_is_said_of_an_unknown_receiver_without_counts() -> None:
    assert culprits(RULE, WRITER, ("render(page", "out.write")) == []


def test_what_is_opened_for_it_is_a_file_without_counts() -> None:
    text = """
        class Log:
            def __init__(self, path):
                self.out = open(path, "w")
            def note(self, lines):
                for line in lines:
                    self.out.write(line)
    """
    assert culprits(RULE, text, ("self.out.write",)) == ["Log.note"]


def test_an_own_method_that_is_called_like_that_of_a_file_is_none() -> None:
    text = """
        class Page:
            def write(self, markup):
                self.html += markup
            def rows(self, rows):
                for row in rows:
                    self.write(show(row))
    """
    paths = (("self.write(show(row))",), ("self.write(show(row))", "self.html += markup"))
    assert culprits(RULE, text, *paths) == []


def test_reading_backwards_byte_by_byte_is_found_with_its_steps_back() -> None:
    text = """
        def last_line(path):
            with open(path, "rb") as source:
                while True:
                    mark = source.read(1)
                    if mark == b"?":
                        break
                    source.seek(-2, 1)
    """
    paths = (("source.read(1)",), ("source.seek",), ("source.seek",))
    (found,) = claims(RULE, example(text, *paths))
    assert len(found.samples) == 3


def test_another_whole_file_in_each_turn_is_no_small_piece() -> None:
    text = """
        def load(paths):
            for path in paths:
                yield path.read_text()
    """
    assert culprits(RULE, text, ("yield path",)) == []
    record = text.replace("path.read_text()", "(FOLDER / path.name).read_text()")
    assert culprits(RULE, record, ("yield (FOLDER",)) == ["load"]
