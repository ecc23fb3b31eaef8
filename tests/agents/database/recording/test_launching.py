from __future__ import annotations

from pathlib import Path

import pytest

from perfwright.agents.database.recording.launching import check_command
from perfwright.core import ConfigError


def assert_refused(*argv: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        check_command(argv)


def test_a_missing_command_is_refused_with_an_example() -> None:
    assert_refused(problem="is missing; perfwright record -- python app.py")


def test_a_command_that_does_not_exist_is_refused() -> None:
    assert_refused("no-such-command", problem="no such command")


def test_a_command_in_quotes_is_told_apart() -> None:
    assert_refused("python app.py", problem="without quotes")


def test_a_script_that_cannot_be_executed_is_to_be_started_with_python() -> None:
    Path("app.py").touch()
    assert_refused("./app.py", problem="start it with python ./app.py")
