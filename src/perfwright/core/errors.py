"""Every error that perfwright raises on purpose.

    PerfwrightError
    +-- GrammarError              a goal, guardrail, budget or size that does not parse
    +-- ConfigError               a setting or workload that cannot be used
    +-- TargetError               the target itself
    |   +-- UnknownTargetError
    |   +-- UnreadableTargetError
    |   +-- BusyTargetError
    +-- MissingExtraError         an optional library is not installed
    +-- CacheError                the cache cannot do what was asked of it
    |   +-- UncacheableValueError
    |   +-- CacheClosedError
    |   +-- FactoryCancelledError
    |   +-- ReentrantFactoryError
    +-- BudgetExceededError
    +-- TooFewSamplesError
    +-- ChangeError               a change that cannot be applied
    |   +-- ForbiddenChangeError
    |   |   +-- AlreadyMadeError  the target has what it would make
    |   +-- RevertError           nothing was changed; named with what to run by hand
    +-- BreakerOpenError          a circuit breaker lets no call through for now
    +-- RateLimitError            a call that a rate limit does not let through
    |   +-- CostTooHighError      nor ever will
    |   +-- LimitTimeoutError     nor in the time that it was given
    |   +-- AlreadySettledError   a reservation is settled once
    +-- BatchError                an item of a batch got no result
    |   +-- BatcherStoppedError
    |   +-- BatchQueueFullError
    |   +-- BatchTimeoutError     also a TimeoutError
    |   +-- BatchResultError      the results do not fit the items
    |   +-- BatchFunctionError    the function ended in a way that its callers must not
    +-- LimiterUnavailableError   what holds a shared limit cannot be reached
    +-- LLMError                  a call of a language model got no usable answer
    |   +-- ProviderError         the provider, or the way to it, failed
    |   |   +-- ProviderLimitError        429: too many requests or tokens
    |   |   +-- ProviderRefusedError      it will never take this request as it is
    |   |   +-- ProviderDownError         5xx, or nobody answers
    |   |   +-- ProviderTimeoutError      also a TimeoutError
    |   |   +-- BadAnswerError            an answer that is cut, or is none
    |   |   +-- StreamCutError            a stream that ended half way
    |   +-- SpendLimitError       a budget does not allow the call
    |   +-- JobError              a file of a bulk job that cannot be used
    +-- ProfilerError             a profiler cannot do what was asked of it now
    |   +-- AttachError           a process cannot be looked into
    +-- TelemetryError            telemetry that cannot be read or delivered
    +-- LedgerError
        +-- LedgerDamagedError
        +-- UnknownRecordError

Each error carries its facts as attributes, so that programs need not read prose.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class PerfwrightError(Exception):
    """The root: catch this to catch everything that perfwright raises on purpose.

    Every error survives pickling with its facts, so that it can come from another process.
    """

    remedy: str = ""
    """What to do, where the text alone would not tell a program."""

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
        self.remedy = f"write {expected}"
        super().__init__(
            f"{what} does not parse: expected {expected}\n  {text}\n  {' ' * position}^"
        )


class ConfigError(PerfwrightError):
    """A setting has a value that cannot be used."""

    def __init__(self, *, field: str, value: object, problem: str) -> None:
        self.field, self.value, self.problem = field, value, problem
        self.remedy = f"correct {field}"
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
        self.remedy = f"pip install 'perfwright[{extra}]'"
        super().__init__(f"{feature} needs an extra: {self.remedy}")


class BudgetExceededError(PerfwrightError):
    """A step would spend more than the budget has left."""

    remedy = "raise --budget or narrow --scope"

    def __init__(self, *, name: str, resource: str, need: str, left: str) -> None:
        self.name, self.resource, self.need, self.left = name, resource, need, left
        super().__init__(f"{name} needs {need} of {resource} but {left} is left; {self.remedy}")


class TooFewSamplesError(PerfwrightError):
    """A statistic was asked of fewer samples than it can be computed from."""

    def __init__(self, *, have: int, need: int) -> None:
        self.have, self.need = have, need
        super().__init__(f"{have} samples, but at least {need} are needed")


class ChangeError(PerfwrightError):
    """A change could not be applied; the target is as it was."""

    remedy = "the target is as it was; mend what the text names, then try again"

    def __init__(self, *, change: str, problem: str) -> None:
        self.change, self.problem = change, problem
        super().__init__(f"could not apply {change!r}: {problem}")


class ForbiddenChangeError(ChangeError):
    """A change of a kind that is never made, however much it would gain."""

    remedy = "leave this change out, or make it by hand"


class AlreadyMadeError(ForbiddenChangeError):
    """The target has what the change would make, by somebody else's hand; nothing was changed."""

    remedy = "nothing needs to be done"


class RevertError(ChangeError):
    """A change could not be taken back; nothing was altered. The text says what to run.

    `partial` says that something was altered nevertheless: the next start must go on with it.
    `inverse` is empty where nobody should run it: what the change made is no longer its own.
    """

    def __init__(self, *, change: str, problem: str, inverse: str, partial: bool = False) -> None:
        self.inverse, self.partial = inverse, partial
        super().__init__(change=change, problem=problem)
        text = f"could not take back {change!r}: {problem}"
        self.remedy = "look at it, then close the entry: perfwright undo CHANGE --forget"
        if inverse:
            self.remedy = f"Run this by hand: {inverse}"
            text = f"{text}. {self.remedy}"
        self.args = (text,)


class BreakerOpenError(PerfwrightError):
    """A call was not made, because calls of its kind have been failing."""

    def __init__(self, *, name: str, retry_after_s: float) -> None:
        self.name, self.retry_after_s = name, retry_after_s
        super().__init__(
            f"circuit breaker {name!r} is open, the call was not made; "
            f"try again in {retry_after_s:.3g} s"
        )


class RateLimitError(PerfwrightError):
    """A rate limit does not let a call through."""


class CostTooHighError(RateLimitError):
    """A call costs more than a limit ever holds, so that waiting for it would never end."""

    def __init__(self, *, limit: str, cost: float, burst: float) -> None:
        self.limit, self.cost, self.burst = limit, cost, burst
        super().__init__(
            f"a cost of {cost:g} is above what limit {limit!r} ever holds; split the call, or "
            f"raise the limit's burst of {burst:g}, or build it with oversized='debt'"
        )


class LimitTimeoutError(RateLimitError):
    """A call would have to wait for a limit for longer than it may; nothing was taken."""

    def __init__(self, *, limit: str, timeout_s: float, wait_s: float | None) -> None:
        self.limit, self.timeout_s, self.wait_s = limit, timeout_s, wait_s
        need = "" if wait_s is None else f", it needs about {wait_s:.3g} s"
        super().__init__(
            f"limit {limit!r} is not free within {timeout_s:g} s{need}; "
            "raise the timeout or send fewer calls"
        )


class AlreadySettledError(RateLimitError):
    """A reservation was settled twice; the second time changed nothing."""

    def __init__(self, *, costs: tuple[float, ...]) -> None:
        self.costs = costs
        shown = ", ".join(f"{cost:g}" for cost in costs)
        super().__init__(f"the reservation of {shown} is settled already; settle each one once")


class LimiterUnavailableError(PerfwrightError):
    """The server or file that holds a shared limit cannot be used, so nobody knows what is left."""

    def __init__(self, *, limit: str, place: str, problem: str) -> None:
        self.limit, self.place, self.problem = limit, place, problem
        super().__init__(f"limit {limit!r} at {place} cannot be used: {problem}")


class ProfilerError(PerfwrightError):
    """A profiler cannot do what was asked of it now."""

    def __init__(self, *, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


class AttachError(ProfilerError):
    """A process cannot be looked into."""

    def __init__(self, *, pid: int, problem: str, remedy: str) -> None:
        self.pid = pid
        super().__init__(problem=f"process {pid}: {problem}", remedy=remedy)


class TelemetryError(PerfwrightError):
    """Telemetry that cannot be read or delivered."""

    def __init__(self, *, what: str, problem: str, remedy: str) -> None:
        self.what, self.problem, self.remedy = what, problem, remedy
        super().__init__(f"{what}: {problem}; {remedy}")


class LedgerError(PerfwrightError):
    """The ledger cannot be used."""

    remedy = "repair that place, or name another one with --ledger"


class LedgerDamagedError(LedgerError):
    """The ledger's content is torn or was altered; nothing is decided from it."""

    remedy = "Restore it from a copy, or move it away and check the target by hand"

    def __init__(self, *, where: str, problem: str) -> None:
        self.where, self.problem = where, problem
        super().__init__(f"ledger {where}: {problem}; nothing was changed. {self.remedy}")


class UnknownRecordError(LedgerError):
    """No run, experiment or change has this identifier."""

    remedy = "see: perfwright ledger"

    def __init__(self, *, kind: str, identifier: str) -> None:
        self.kind, self.identifier = kind, identifier
        super().__init__(f"no {kind} {identifier!r} in the ledger; {self.remedy}")


class CacheError(PerfwrightError):
    """The cache cannot do what was asked of it; a tier that is down is not an error."""


class UncacheableValueError(CacheError):
    """A value is of a type that would not come back from a shared tier as it was."""

    def __init__(self, *, type_name: str, problem: str) -> None:
        self.type_name, self.problem = type_name, problem
        super().__init__(
            f"a value of type {type_name} cannot be stored in a shared tier: {problem}"
        )


class CacheClosedError(CacheError):
    """The cache was closed while a value was being computed; nobody has it."""

    def __init__(self, *, key: str) -> None:
        self.key = key
        super().__init__(
            f"the cache was closed while {key!r} was computed; close it after its last use"
        )


class FactoryCancelledError(CacheError):
    """A factory ended as cancelled though nobody cancelled it; its callers go on living."""

    def __init__(self, *, key: str) -> None:
        self.key = key
        super().__init__(
            f"the factory of {key!r} was cancelled from within; let it raise an error, or return"
        )


class ReentrantFactoryError(CacheError):
    """A factory asks for the very key that it is computing, and would wait for itself."""

    def __init__(self, *, key: str) -> None:
        self.key = key
        super().__init__(f"the factory of {key!r} asks the cache for {key!r}; compute it directly")


class BatchError(PerfwrightError):
    """An item of a batch got no result."""


class BatcherStoppedError(BatchError):
    """An item was handed to a batcher that does not run, or was left when it stopped."""

    def __init__(self, *, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"batcher {name!r} {problem}")


class BatchQueueFullError(BatchError):
    """As many items wait as may wait."""

    def __init__(self, *, name: str, max_queue_size: int) -> None:
        self.name, self.max_queue_size = name, max_queue_size
        super().__init__(
            f"{max_queue_size} items wait for batcher {name!r}, which is its max_queue_size; "
            "try again later, raise it, or let callers wait with when_full='wait'"
        )


class BatchTimeoutError(BatchError, TimeoutError):
    """An item had no result in time."""

    def __init__(self, *, name: str, timeout_s: float, started: bool) -> None:
        self.name, self.timeout_s, self.started = name, timeout_s, started
        where = "while its batch was processed" if started else "in the queue; it was not processed"
        super().__init__(
            f"an item of batcher {name!r} had no result within {timeout_s:.3g} s; "
            f"the time ran out {where}"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild through the constructor: an OSError, which this is too, takes no other way."""
        name, timeout_s, started = self.name, self.timeout_s, self.started
        return functools.partial(
            BatchTimeoutError, name=name, timeout_s=timeout_s, started=started
        ), ()


class BatchResultError(BatchError):
    """A function returned what cannot be matched to its items one to one."""

    def __init__(self, *, name: str, items: int, returned: str) -> None:
        self.name, self.items, self.returned = name, items, returned
        super().__init__(
            f"process_func of batcher {name!r} got {items} items and returned {returned}; "
            "it must return one result for each item, in their order"
        )


class BatchFunctionError(BatchError):
    """A function raised what would end its callers, such as CancelledError or SystemExit."""

    def __init__(self, *, name: str, raised: str) -> None:
        self.name, self.raised = name, raised
        super().__init__(
            f"process_func of batcher {name!r} raised {raised}, which only its own task may see; "
            "let it raise an Exception"
        )


class LLMError(PerfwrightError):
    """A call of a language model got no usable answer."""


class ProviderError(LLMError):
    """A provider answered with an error, with nonsense, or not at all.

    Programs decide by `is_transient`: whether the same call may work in a moment.
    """

    is_transient = True

    def __init__(
        self,
        *,
        endpoint: str,
        problem: str,
        status: int | None = None,
        retry_after_s: float | None = None,
        code: str = "",
        request_id: str = "",
        attempts: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint, self.problem = endpoint, problem
        self.status = status
        """Of HTTP; None when there was no answer."""
        self.retry_after_s = retry_after_s
        """How long the provider asked to wait."""
        self.code = code
        """The provider's own name of the error."""
        self.request_id = request_id
        self.attempts = attempts
        """Calls made in all when this ended it."""
        self.headers = headers or {}
        """Of the answer, names in lower case."""
        super().__init__()

    def __str__(self) -> str:
        """Say what happened; built late, since `attempts` is known when it is raised again."""
        status = f" (HTTP {self.status})" if self.status is not None else ""
        tries = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        known = f"; request {self.request_id}" if self.request_id else ""
        return f"endpoint {self.endpoint!r}{status}{tries}: {self.problem}{known}"


class ProviderLimitError(ProviderError):
    """Too many requests or tokens for the provider's limits (429)."""


class ProviderRefusedError(ProviderError):
    """The provider will not take this request, however often it is sent: 400, 401, 404 and kin."""

    is_transient = False


class ProviderDownError(ProviderError):
    """The provider failed (5xx), or could not be reached."""


class ProviderTimeoutError(ProviderError, TimeoutError):
    """No answer in time."""


class BadAnswerError(ProviderError):
    """An answer with a good status whose body is cut, or is not what the format says."""


class StreamCutError(ProviderError):
    """A stream that ended before its end was announced."""

    def __init__(self, *, endpoint: str, problem: str, text: str = "", attempts: int = 1) -> None:
        self.text = text
        """What had come until then."""
        super().__init__(endpoint=endpoint, problem=problem, attempts=attempts)


class SpendLimitError(LLMError):
    """A budget does not allow the call; it was not made."""

    def __init__(self, *, budget: str, need: str, left: str) -> None:
        self.budget, self.need, self.left = budget, need, left
        super().__init__(
            f"budget {budget!r} has {left} left and the call may need {need}; it was not made. "
            "Raise the budget, lower max_tokens, or wait for its next period"
        )


class JobError(LLMError):
    """A file of a bulk job cannot be used."""

    def __init__(self, *, path: str, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path}: {problem}")
