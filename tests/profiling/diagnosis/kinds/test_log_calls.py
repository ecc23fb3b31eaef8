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
