"""Searches that set out from one place in each turn."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes


def test_searching_twice_from_the_same_place_is_found() -> None:
    text = """
        def unquote(text):
            i = 0
            while i < len(text):
                octal = OCTAL.search(text, i)
                quote = QUOTE.search(text, i)
                i = nearest(octal, quote)
    """
    assert causes(text, ("quote = QUOTE",)) == {"unquote": "quadratic"}


def test_the_second_search_may_set_out_from_the_first_find() -> None:
    text = """
        def fields(text):
            at = 0
            while at >= 0:
                begin = text.find("<", at)
                at = text.find(">", begin)
    """
    assert causes(text, ("at = text.find",)) == {}


def test_searching_from_the_very_beginning_is_not_this_fault() -> None:
    text = """
        def count(words, text):
            while words:
                word = words.pop()
                text.find(word)
                text.index(word)
    """
    assert causes(text, ("text.find(word)",)) == {}
