"""Messages that nobody reads."""

from __future__ import annotations

from tests.profiling.diagnosis.kinds.claims import causes, culprits

RULE = "log_calls"


def test_what_is_computed_for_a_message_belongs_to_it() -> None:
    text = """
        import logging
        logger = logging.getLogger(__name__)
        class Engine:
            def step(self):
                logger.debug("now %s", self.describe())
            def describe(self):
                return sorted(self.parts)
        def run(engine):
            for _ in range(1000):
                engine.step()
    """
    path = ("engine.step", "logger.debug", "return sorted")
    assert culprits(RULE, text, path) == ["Engine.step"]


def test_a_message_built_beforehand_belongs_to_it() -> None:
    text = """
        def run(rows):
            for row in rows:
                message = ", ".join(map(str, row))
                log.debug(message)
    """
    assert culprits(RULE, text, ("message = ",)) == ["run"]


def test_time_in_the_logging_package_is_found() -> None:
    text = """
        def run(rows):
            for row in rows:
                self.audit(row)
    """
    emit = ("logging/__init__.py", "emit")
    assert culprits(RULE, text, ("self.audit", emit)) == ["run"]


def test_a_logarithm_is_no_log() -> None:
    text = """
        import math
        def run(rows):
            for row in rows:
                math.log(row)
    """
    assert culprits(RULE, text, ("math.log",)) == []


def test_what_is_computed_only_for_a_message_belongs_to_it() -> None:
    text = """
        import logging
        log = logging.getLogger(__name__)
        def accept(readings):
            for reading in readings:
                shown = render(reading)
                log.debug("accepting %s", shown)
    """
    assert causes(text, ("shown = render",)) == {"accept": "logging"}


def test_what_is_used_elsewhere_as_well_does_not() -> None:
    text = """
        import logging
        log = logging.getLogger(__name__)
        def accept(readings):
            for reading in readings:
                shown = render(reading)
                log.debug("accepting %s", shown)
                store(shown)
    """
    assert causes(text, ("shown = render",)) == {}


FILTER = """
    import inspect
    class Place:
        def filter(self, record):
            record.place = outer()
            return True
    def outer():
        return inspect.stack()[4].filename
    def run(rows):
        for row in rows:
            log.info("row %s", row)
    def report():
        return outer()
"""


def test_what_the_logging_package_calls_for_each_record_is_found() -> None:
    path = ("log.info", ("logging/__init__.py", "Handler.handle"), "= outer()", "inspect.stack")
    assert "outer" in culprits(RULE, FILTER, path)


def test_the_same_function_called_by_others_is_no_part_of_logging() -> None:
    assert culprits(RULE, FILTER, ("return outer()", "inspect.stack")) == []
