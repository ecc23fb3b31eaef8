"""Plain HTTP to a provider's batches; they are few calls, so nothing here is in a hurry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit, urlunsplit

from perfwright.core import BadAnswerError, ProviderDownError, ProviderTimeoutError
from perfwright.llm.requests import Api
from perfwright.llm.wire import Form
from perfwright.llm.wire.addresses import headers_of, key_for, proxy_for, shown, url_of
from perfwright.llm.wire.failures import failed

if TYPE_CHECKING:
    import aiohttp

_TIMEOUT_S = 600.0
"""Of one call: an upload may have 200 MB."""


class BatchLink:
    """Calls paths below a base URL, and turns what goes wrong into errors.

    Args:
        base_url: As for any endpoint.
        api_key: As for `HttpTransport`.
        form: What the provider speaks.
        name: Of the endpoint, for errors.
    """

    def __init__(self, base_url: str, *, api_key: str | None, form: Form, name: str) -> None:
        self.name, self.form = name, form
        self._parts = urlsplit(url_of(base_url, api=Api.MESSAGES, form=form))
        self._key = api_key or key_for(base_url, form=form)
        self._headers = headers_of(self._key, form=form)
        del self._headers["content-type"]  # is the body's
        self._proxy, self._shown = proxy_for(base_url), shown(base_url)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        """Its name and address; never its key."""
        return f"BatchLink(name={self.name!r}, base_url={self._shown!r}, form={self.form!r})"

    async def __aenter__(self) -> Self:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path."""
        return self._object(await self._call("GET", path))

    async def get_lines(self, path: str) -> list[dict[str, Any]]:
        """Return the JSON objects of a path, one a line."""
        lines = (await self._call("GET", path)).splitlines()
        return [self._object(line) for line in lines if line.strip()]

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send JSON, and return what comes."""
        import msgspec

        content = msgspec.json.encode(dict(body or {}))
        kind = {"content-type": "application/json"}
        return self._object(await self._call("POST", path, data=content, headers=kind))

    async def upload(
        self, path: str, content: bytes, *, name: str, **fields: str
    ) -> dict[str, Any]:
        """Send a file as a form does, and return what comes."""
        import aiohttp

        form = aiohttp.FormData(fields)
        form.add_field("file", content, filename=name, content_type="application/jsonl")
        return self._object(await self._call("POST", path, data=form))

    async def _call(self, method: str, path: str, **options: Any) -> bytes:
        import aiohttp

        if self._session is None:
            raise RuntimeError("use it with `async with`")
        own = self._parts.path.removesuffix("/messages")
        url = urlunsplit((*self._parts[:2], own + path, self._parts.query, ""))
        try:
            async with self._session.request(
                method, url, proxy=self._proxy, allow_redirects=False, **options
            ) as response:
                body = await response.read()
                headers = {name.lower(): value for name, value in response.headers.items()}
        except TimeoutError as error:
            problem = f"no answer within {_TIMEOUT_S:g} s"
            raise ProviderTimeoutError(endpoint=self.name, problem=problem) from error
        except aiohttp.ClientError as error:
            raise ProviderDownError(
                endpoint=self.name, problem=str(error) or "no answer"
            ) from error
        if response.status >= 300:
            raise failed(
                response.status, body, headers=headers, endpoint=self.name, secret=self._key
            )
        return body

    def _object(self, data: bytes) -> dict[str, Any]:
        import msgspec

        try:
            found = msgspec.json.decode(data)
        except msgspec.DecodeError:
            found = None
        if not isinstance(found, dict):
            problem = "what it says of a batch is no JSON object"
            raise BadAnswerError(endpoint=self.name, problem=problem)
        return found
