"""Who called?"""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

RULE = "stack_reading"
EXTRACT = ("traceback.py", "extract_stack")

TEXT = """
    import logging
    import traceback
    log = logging.getLogger()
    class Place(logging.Filter):
        def filter(self, record):
            record.place = traceback.extract_stack()[0].name
            return True
    def run(rows):
        for row in rows:
            log.info("%s", row)
"""


def test_reading_the_stack_for_each_message_is_no_exception() -> None:
    path = ("log.info", ("logging/__init__.py", "info"), "record.place =", EXTRACT)
    assert culprits(RULE, TEXT, path) == ["Place.filter"]
    assert causes(TEXT, path)["Place.filter"] in {"reflection", "logging"}


def test_reading_it_once_is_no_fault() -> None:
    text = """
        import inspect
        def caller():
            return inspect.stack()[1].function
        def start():
            return caller()
    """
    path = ("return caller()", "return inspect", ("inspect.py", "stack"))
    assert causes(text, path) == {}


def test_formatting_an_error_is_left_to_the_rule_about_errors() -> None:
    text = """
        import traceback
        def report(errors):
            for error in errors:
                yield traceback.format_exception(error)
    """
    path = ("yield traceback", ("traceback.py", "format_exception"))
    assert causes(text, path) == {"report": "exception-heavy"}
