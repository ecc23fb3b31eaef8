"""Patterns that try too many ways."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import culprits

RULE = "regex_backtracking"


def test_a_pattern_built_of_constants_is_read() -> None:
    text = """
        import re
        WORD = "[a-z]+"
        NAME = re.compile(r"^(%s ?)+$" % WORD)
        def check(text):
            return NAME.match(text)
    """
    assert culprits(RULE, text, ("NAME.match",)) == ["check"]


def test_a_pattern_among_rules_is_found() -> None:
    text = """
        import re
        RULES = [("n", re.compile("[0-9]+")), ("w", re.compile(r"([a-z]+)*;"))]
        def scan(text):
            for kind, rule in RULES:
                if rule.match(text):
                    return kind
    """
    assert culprits(RULE, text, ("rule.match",)) == ["scan"]


def test_a_slow_function_with_a_sound_pattern_is_not_blamed() -> None:
    text = """
        import re
        def check(text):
            return re.match("[a-z]+[0-9]", text)
    """
    assert culprits(RULE, text, ("re.match", ("re/__init__.py", "match"))) == []


def test_a_bad_pattern_that_takes_no_time_is_left_alone() -> None:
    text = """
        import re
        def check(text, rows):
            bad = re.match("(a+)+$", text)
            return sorted(rows)
    """
    assert culprits(RULE, text, ("sorted(rows)",)) == []
