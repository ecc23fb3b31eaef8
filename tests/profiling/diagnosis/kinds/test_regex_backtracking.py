"""Patterns that try too many ways."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfwright.profiling.diagnosis.examples import example
from tests.profiling.diagnosis.kinds.claims import causes, culprits, kinds_in

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


def test_a_pattern_kept_by_a_class_is_read() -> None:
    text = """
        import re
        class Name:
            def __init__(self):
                self.rule = re.compile("(a+)+$")
            def check(self, text):
                return self.rule.match(text)
    """
    assert causes(text, ("return self.rule",)) == {"Name.check": "regex-backtracking"}


@pytest.mark.parametrize(
    ("how", "found"), [("search", {"find": "regex-backtracking"}), ("match", {})]
)
def test_a_repeat_in_front_is_slow_only_where_a_match_may_begin_anywhere(
    how: str, found: dict[str, str]
) -> None:
    text = f"""
        import re
        def find(text):
            return re.{how}("[ ]+;", text)
    """
    assert causes(text, ("return re.",)) == found


def test_a_pattern_of_another_own_module_is_less_sure_evidence() -> None:
    text = """
        from rules import RULES
        def check(text, name):
            return RULES[name].match(text)
    """
    rules = 'import re\nRULES = {"a": re.compile("(a+)+$")}\n'
    profile = example(text, ("return RULES",))
    with_rules = replace(profile, sources={**profile.sources, "/srv/shop/rules.py": rules})
    assert kinds_in(with_rules) == {"check": "regex-backtracking"}
    assert kinds_in(profile) == {}
    quadratic = rules.replace("(a+)+$", "a+b*a+$")
    guess = replace(profile, sources={**profile.sources, "/srv/shop/rules.py": quadratic})
    assert kinds_in(guess) == {}  # which pattern it was, and whether it took long, is not known


def test_a_method_of_the_same_name_on_something_else_is_no_pattern() -> None:
    text = """
        def check(router, text):
            return router.match(text)
    """
    assert causes(text, ("return router",)) == {}
