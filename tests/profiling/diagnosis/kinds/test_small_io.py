"""Small pieces."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

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
