"""One model under many names: with a provider before it, a date behind it, or both."""

from __future__ import annotations

import re
from collections.abc import Iterator

_DATE = re.compile(r"[-@]20\d\d-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(-v\d+(:\d+)?)?$|-latest$")
_REGION = re.compile(r"^(us|eu|apac|global|jp|au)\.(?=[a-z])")
_BEDROCK = re.compile(r"^(anthropic|meta|amazon|mistral|cohere|deepseek)\.(?=[a-z])")
_REVISION = re.compile(r"-v\d+(:\d+)?$")


def forms(model: str) -> Iterator[str]:
    """Yield the names under which a model may be listed, the most exact one first."""
    name = model.strip().lower()
    seen: set[str] = set()
    for form in (*_without_owner(name), *map(_undated, _without_owner(name))):
        if form and form not in seen:
            seen.add(form)
            yield form


def owner(model: str) -> tuple[str, str]:
    """Split `openai/gpt-4o` into the provider and its model; the provider is empty if not named."""
    before, slash, name = model.strip().lower().partition("/")
    return (before, name) if slash else ("", before)


def _without_owner(name: str) -> Iterator[str]:
    yield name
    while "/" in name:
        name = name.partition("/")[2]
        yield name
    plain = _BEDROCK.sub("", _REGION.sub("", name))
    if plain != name:
        yield plain


def _undated(name: str) -> str:
    return _DATE.sub("", _REVISION.sub("", name) if "claude" in name else name)
