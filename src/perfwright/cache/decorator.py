"""`@cached`, and how a call becomes a key that a person can read."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload
from uuid import UUID

from perfwright.core import ConfigError

P = ParamSpec("P")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

KeyBuilder = Callable[..., str]
"""Takes what the function takes and returns the key."""

_LONGEST = 200
_ATOMS = (type(None), bool, int, float, str, bytes, Decimal, UUID, datetime, date, time, timedelta)


class Remembers(Protocol):
    """What `cached` needs of a cache."""

    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], Any],
        *,
        ttl: float | None = None,
        tags: Collection[str] = (),
    ) -> Any:
        """Return the value of `key`, computed by `factory` if need be."""


class Cached(Protocol[P, R_co]):
    """A decorated function."""

    key_of: KeyBuilder
    """Takes the function's arguments and returns the key under which their result is kept."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R_co]:
        """Return the kept result, or compute it."""


class Decorator(Protocol):
    """Makes an awaitable function of any, with its parameters."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[T]], /) -> Cached[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> Cached[P, T]: ...


def cached(
    cache: Remembers | Callable[[], Remembers],
    *,
    ttl: float | None = None,
    key: str | KeyBuilder | None = None,
    tags: Collection[str] = (),
) -> Decorator:
    """Keep a function's results in `cache`; the function may be synchronous, the wrapper is not.

        @cached(cache, ttl=60, key="user:{user_id}", tags=["users", "user:{user_id}"])
        async def fetch_user(user_id: int) -> User: ...

        await fetch_user(7)            # key "user:7"
        fetch_user.key_of(7)           # "user:7", to delete it

    Args:
        cache: The cache, or a function that returns it, called at each use.
        ttl: Seconds.
        key: A template with the function's parameters in braces, or a function of its arguments.
            Without one: `module.function(name=value, ...)`, which needs arguments of plain types.
        tags: Templates like `key`.

    Raises:
        ConfigError: At the call, if the key cannot be built from its arguments.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        builder = _builder(function, key)
        taggers = [_from_template(function, tag) for tag in tags]

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            store = cache() if callable(cache) else cache
            return await store.get_or_set(
                builder(*args, **kwargs),
                lambda: function(*args, **kwargs),
                ttl=ttl,
                tags=[tagger(*args, **kwargs) for tagger in taggers],
            )

        kept = cast("Cached[..., Any]", wrapper)
        kept.key_of = builder
        return kept

    return cast("Decorator", decorate)


def _builder(function: Callable[..., Any], key: str | KeyBuilder | None) -> KeyBuilder:
    if key is None:
        return _from_call(function)
    return _from_template(function, key) if isinstance(key, str) else key


def _from_call(function: Callable[..., Any]) -> KeyBuilder:
    signature = inspect.signature(function)
    name = f"{function.__module__}.{function.__qualname__}"
    several = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    rest = {each.name for each in signature.parameters.values() if each.kind in several}

    def build(*args: Any, **kwargs: Any) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = {
            each: value for each, value in bound.arguments.items() if each not in rest or value
        }
        parts = ", ".join(f"{each}={_spelt(value)}" for each, value in given.items())
        return _short(f"{name}({parts})")

    return build


def _from_template(function: Callable[..., Any], template: str) -> KeyBuilder:
    signature = inspect.signature(function)

    def build(*args: Any, **kwargs: Any) -> str:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        try:
            return _short(template.format_map(_Escaped(bound.arguments)))
        except (KeyError, IndexError, AttributeError, ValueError) as error:
            raise ConfigError(
                field="key",
                value=template,
                problem=f"does not fit {function.__qualname__}{signature}: {error!r}",
            ) from error

    return build


class _Escaped(dict[str, Any]):
    """Arguments for a template; text is escaped so that no value can pretend to be two parts."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__({name: _escaped(value) for name, value in arguments.items()})


def _escaped(value: Any) -> Any:
    return value.replace("%", "%25").replace(":", "%3A") if isinstance(value, str) else value


def _spelt(value: Any) -> str:
    """Spell a value so that equal values are spelt alike, in every process."""
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, _ATOMS):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spelt, value))}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_spelt, value)))}}}"
    if isinstance(value, dict):
        pairs = sorted((_spelt(name), _spelt(item)) for name, item in value.items())
        return f"{{{', '.join(f'{name}: {item}' for name, item in pairs)}}}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return f"{type(value).__qualname__}{_spelt(fields)}"
    raise ConfigError(
        field="key",
        value=value,
        problem="an argument of this type has no stable spelling; give @cached a key of its own",
    )


def _short(key: str) -> str:
    """Keep a long key readable at its start, and distinct by a digest of all of it."""
    if len(key) <= _LONGEST:
        return key
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"{key[: _LONGEST - 25]}~{digest}"
