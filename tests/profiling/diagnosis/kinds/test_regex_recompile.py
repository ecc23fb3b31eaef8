"""Compiling patterns again and again."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

RULE = "regex_recompile"

COMPILER = ("re/_compiler.py", "compile")


def test_a_pattern_compiled_once_is_no_fault() -> None:
    text = """
        import re
        def build(words):
            return re.compile("|".join(words))
    """
    assert culprits(RULE, text, ("re.compile", COMPILER)) == []


def test_a_function_called_in_a_loop_that_compiles_is_one() -> None:
    text = """
        import re
        def clean(line, word):
            return re.sub(rf"\\b{word}\\b", "", line)
        def run(lines):
            for line in lines:
                clean(line, line.word)
    """
    path = ("clean(line, line.word)", "return re.sub", ("re/__init__.py", "_compile"), COMPILER)
    assert culprits(RULE, text, path) == ["clean"]


def test_matching_itself_is_not_compiling() -> None:
    text = """
        import re
        def run(lines):
            for line in lines:
                re.sub("a", "", line)
    """
    assert culprits(RULE, text, ("re.sub", ("re/__init__.py", "sub"))) == []
