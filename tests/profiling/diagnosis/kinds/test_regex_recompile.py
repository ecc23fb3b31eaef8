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


BUILT = """
    import re
    FORMATS = [r"[0-9]+h", r"[0-9]+m"]
    def parse(value, unit):
        for form in FORMATS:
            if re.match({pattern}, value):
                return form
    def run(values):
        for value in values:
            parse(value, value.unit)
"""


def _built(pattern: str, *, matches: int) -> dict[str, str]:
    text = BUILT.format(pattern=pattern)
    path = ("        parse(value", "re.match", ("re/__init__.py", "match"))
    return causes(text, path, calls={("re.match", "match"): matches})


def test_the_same_pattern_put_together_for_each_quick_match_is_found() -> None:
    assert _built('r"\\\\s*" + form', matches=10**6) == {"parse": "regex-recompile"}


def test_matches_that_take_long_are_not_the_cache() -> None:
    assert _built('r"\\\\s*" + form', matches=1000) == {}


def test_a_pattern_that_depends_on_the_argument_is_another_each_time() -> None:
    assert _built("form + unit", matches=10**6) == {}


def test_a_constant_pattern_is_only_looked_up() -> None:
    assert _built("form", matches=10**6) == {}
