"""Every error that perfwright raises on purpose.

    PerfwrightError
    +-- GrammarError              a goal, guardrail, budget or size that does not parse
    +-- ConfigError               a setting or workload that cannot be used
    +-- TargetError               the target itself
    |   +-- UnknownTargetError
    |   +-- UnreadableTargetError
    |   +-- BusyTargetError
    +-- MissingExtraError         an optional library is not installed
    +-- BudgetExceededError
    +-- TooFewSamplesError
    +-- ChangeError               a change that cannot be applied
    |   +-- ForbiddenChangeError
    |   +-- RevertError           nothing was changed; named with what to run by hand
    +-- LedgerError
        +-- LedgerDamagedError
        +-- UnknownRecordError

Each error carries its facts as attributes, so that programs need not read prose.
"""

from __future__ import annotations


class PerfwrightError(Exception):
    """The root: catch this to catch everything that perfwright raises on purpose.

    Every error survives pickling with its facts, so that it can come from another process.
    """

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from text and facts; the constructors take keywords, which pickle does not."""
        return _rebuilt, (type(self), self.args), self.__dict__


def _rebuilt(kind: type[PerfwrightError], text: tuple[object, ...]) -> PerfwrightError:
    return kind.__new__(kind, *text)


class GrammarError(PerfwrightError):
    """A value of one of perfwright's small languages does not parse.

    The message points at the place, so that a long option can be mended at sight.
    """

    def __init__(self, *, what: str, text: str, position: int, expected: str) -> None:
        self.what, self.text, self.position, self.expected = what, text, position, expected
        super().__init__(
            f"{what} does not parse: expected {expected}\n  {text}\n  {' ' * position}^"
        )


class ConfigError(PerfwrightError):
    """A setting has a value that cannot be used."""

    def __init__(self, *, field: str, value: object, problem: str) -> None:
        self.field, self.value, self.problem = field, value, problem
        super().__init__(f"{field} = {value!r}: {problem}")


class TargetError(PerfwrightError):
    """The target cannot be used as it is."""

    def __init__(self, *, target: str, problem: str, remedy: str) -> None:
        self.target, self.problem, self.remedy = target, problem, remedy
        super().__init__(f"{target}: {problem}; {remedy}")


class UnknownTargetError(TargetError):
    """Nothing is known that answers to this name."""


class UnreadableTargetError(TargetError):
    """The target exists, but cannot be read: permissions, damage, or not what it says."""


class BusyTargetError(TargetError):
    """Somebody else holds the target; nothing was changed."""


class MissingExtraError(PerfwrightError):
    """A feature needs a library that is not installed."""

    def __init__(self, *, feature: str, extra: str) -> None:
        self.feature, self.extra = feature, extra
        super().__init__(f"{feature} needs an extra: pip install 'perfwright[{extra}]'")


class BudgetExceededError(PerfwrightError):
    """A step would spend more than the budget has left."""

    def __init__(self, *, name: str, resource: str, need: str, left: str) -> None:
        self.name, self.resource, self.need, self.left = name, resource, need, left
        super().__init__(
            f"{name} needs {need} of {resource} but {left} is left; "
            "raise --budget or narrow --scope"
        )


class TooFewSamplesError(PerfwrightError):
    """A statistic was asked of fewer samples than it can be computed from."""

    def __init__(self, *, have: int, need: int) -> None:
        self.have, self.need = have, need
        super().__init__(f"{have} samples, but at least {need} are needed")


class ChangeError(PerfwrightError):
    """A change could not be applied; the target is as it was."""

    def __init__(self, *, change: str, problem: str) -> None:
        self.change, self.problem = change, problem
        super().__init__(f"could not apply {change!r}: {problem}")


class ForbiddenChangeError(ChangeError):
    """A change of a kind that is never made, however much it would gain."""


class RevertError(ChangeError):
    """A change could not be taken back; nothing was altered. The text says what to run.

    `partial` says that something was altered nevertheless: the next start must go on with it.
    """

    def __init__(self, *, change: str, problem: str, inverse: str, partial: bool = False) -> None:
        self.inverse, self.partial = inverse, partial
        super().__init__(change=change, problem=problem)
        self.args = (f"could not take back {change!r}: {problem}. Run this by hand: {inverse}",)


class LedgerError(PerfwrightError):
    """The ledger cannot be used."""


class LedgerDamagedError(LedgerError):
    """The ledger's content is torn or was altered; nothing is decided from it."""

    def __init__(self, *, where: str, problem: str) -> None:
        self.where, self.problem = where, problem
        super().__init__(
            f"ledger {where}: {problem}; nothing was changed. Restore it from a copy, or move it "
            "away and check the target by hand"
        )


class UnknownRecordError(LedgerError):
    """No run, experiment or change has this identifier."""

    def __init__(self, *, kind: str, identifier: str) -> None:
        self.kind, self.identifier = kind, identifier
        super().__init__(f"no {kind} {identifier!r} in the ledger; see: perfwright ledger")
