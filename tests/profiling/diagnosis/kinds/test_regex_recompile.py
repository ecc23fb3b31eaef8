"""Compiling patterns again and again."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

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


CLEAN = """
    import re
    class Rule:
        def pattern(self):
            if self.compiled is None:
                self.compiled = re.compile(self.text)
            return self.compiled
    def run(rules, lines):
        for line in lines:
            rules[line.kind].pattern()
"""
PATH = ("].pattern()", "self.compiled = re", COMPILER)


def test_a_pattern_that_is_kept_behind_a_test_is_no_fault() -> None:
    assert causes(CLEAN, PATH) == {}


def test_a_test_that_never_spares_the_compiling_is_told_by_the_counts() -> None:
    counted = {("].pattern()", "def pattern"): 1000, ("self.compiled = re", "compile"): 1000}
    assert causes(CLEAN, PATH, calls=counted) == {"Rule.pattern": "regex-recompile"}


def test_few_compilings_among_many_calls_are_kept() -> None:
    counted = {("].pattern()", "def pattern"): 1000, ("self.compiled = re", "compile"): 9}
    assert causes(CLEAN, PATH, calls=counted) == {}
