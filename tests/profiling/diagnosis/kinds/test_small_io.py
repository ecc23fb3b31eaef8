"""Small pieces."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

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
