"""Where notices go: the log, a function, or any service that apprise knows."""

from __future__ import annotations

import inspect
import logging
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from perfwright.core import ConfigError, MissingExtraError, TelemetryError
from perfwright.monitoring.alerts.notices import Notice, Severity

if TYPE_CHECKING:
    from apprise import Apprise

_log = logging.getLogger("perfwright.alerts")
_LEVELS: dict[Severity, int] = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "critical": logging.ERROR,
}
_TYPES: dict[Severity, str] = {"info": "INFO", "warning": "WARNING", "critical": "FAILURE"}
_CHATTY = ("apprise", "urllib3.connectionpool")
"""Loggers that write down the address of what they call, tokens and all, at level DEBUG."""

_SHORTEST_SECRET = 4


class Destination(Protocol):
    """Somewhere to send notices."""

    name: str
    """For the log and for errors: without secrets."""

    def send(self, notice: Notice) -> None:
        """Deliver one notice, or raise: any Exception counts as a failure and is retried."""


Deliver = None | str | Callable[[Notice], object] | Destination
"""None is the log; a text is an apprise URL; a function may be async."""


def destinations(deliver: Deliver | Sequence[Deliver]) -> tuple[Destination, ...]:
    """Make destinations of what a user wrote.

    Raises:
        ConfigError: If something in it is no destination, or an URL cannot be used.
        MissingExtraError: If an URL is given and apprise is not installed.
    """
    if isinstance(deliver, Sequence) and not isinstance(deliver, str):
        return tuple(_destination(one) for one in deliver)
    return (_destination(deliver),)


def _destination(one: Any) -> Destination:
    match one:
        case None:
            return LogDestination()
        case str():
            return AppriseDestination(one)
        case _ if callable(getattr(one, "send", None)):
            destination: Destination = one
            return destination
        case _ if callable(one):
            return CallDestination(one)
    problem = "must be None, an apprise URL, a function, or have a method send(notice)"
    raise ConfigError(field="deliver", value=one, problem=problem)


class LogDestination:
    """The logger `perfwright.alerts`: what is over at INFO, else by severity."""

    name = "log"

    def send(self, notice: Notice) -> None:
        """Write one record."""
        level = logging.INFO if notice.resolved else _LEVELS[notice.severity]
        _log.log(level, "%s: %s", notice.title, notice.body)


class CallDestination:
    """A function of the user's, sync or async."""

    def __init__(self, function: Callable[[Notice], object]) -> None:
        self._function = function
        self.name = getattr(function, "__qualname__", type(function).__name__)

    def send(self, notice: Notice) -> None:
        """Call it; what an async one does runs in an event loop of its own."""
        result = self._function(notice)
        if inspect.iscoroutine(result):
            import asyncio

            asyncio.run(result)


class AppriseDestination:
    """One service behind an apprise URL, such as `slack://...`, `mailto://...`, `json://...`."""

    def __init__(self, url: str) -> None:
        try:
            import apprise
        except ImportError as error:
            raise MissingExtraError(feature=f"delivery to {shown(url)}", extra="alerts") from error
        self.name = shown(url)
        self._hidden = _Hidden(url)
        self._service: Apprise = apprise.Apprise()
        self._types = apprise.NotifyType
        with self._hidden, warnings.catch_warnings():
            # Its plug-ins, loaded now, import what Python 3.11 deprecates: a program whose
            # warnings are errors could not use any.
            warnings.simplefilter("ignore", DeprecationWarning)
            usable = self._service.add(url)
        if not usable or not len(self._service):
            problem = "apprise cannot use this URL; its forms: https://github.com/caronc/apprise"
            raise ConfigError(field="deliver", value=self.name, problem=problem)

    def send(self, notice: Notice) -> None:
        """Send it; apprise itself limits how long a service may take."""
        kind = getattr(self._types, "SUCCESS" if notice.resolved else _TYPES[notice.severity])
        with self._hidden:
            # Not by `Apprise.notify`: its pool of threads is dead in a forked child, and hangs it.
            delivered = [
                service.notify(body=notice.body, title=notice.title, notify_type=kind)
                for service in self._service
            ]
        if not all(delivered):
            raise TelemetryError(
                what=self.name,
                problem="the service did not take the notice",
                remedy="see what the logger 'apprise' says at level WARNING",
            )


def shown(url: str) -> str:
    """Return what of an apprise URL may be written down: its kind alone.

    Tokens stand anywhere in these URLs: `slack://A/B/C` has them where others have the host.
    """
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://..." if separator and re.fullmatch(r"[A-Za-z0-9+.-]+", scheme) else "..."


class _Hidden:
    """Keeps the parts of an URL out of the log while a service is called.

    A filter, not a level: another thread's use of these loggers is not ours to silence.
    """

    def __init__(self, url: str) -> None:
        parts = re.split(r"[/@:?&=#,;]+", url.partition("://")[2])
        texts = {text for part in parts for text in (part, unquote(part))}
        self._secrets = {text for text in texts if len(text) >= _SHORTEST_SECRET}

    def __enter__(self) -> None:
        for name in _CHATTY:
            logging.getLogger(name).addFilter(self._passes)

    def __exit__(self, *_: object) -> None:
        for name in _CHATTY:
            logging.getLogger(name).removeFilter(self._passes)

    def _passes(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(secret in message for secret in self._secrets)
