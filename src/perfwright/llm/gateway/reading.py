"""Reading a request's body, with bounds on its size and its time."""

from __future__ import annotations

import asyncio

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestPayloadError

from perfwright.llm.gateway.bodies import too_large
from perfwright.llm.gateway.problems import Problem
from perfwright.llm.gateway.settings import GatewaySettings

_TOO_SLOW = Problem(
    status=408, code="request_timeout", text="the body did not come in time", retry_after_s=1.0
)


async def read_body(request: web.BaseRequest, *, settings: GatewaySettings) -> bytes | Problem:
    """Return the body, or why it is not read to its end."""
    limit_bytes = settings.max_body_bytes
    if (request.content_length or 0) > limit_bytes:
        return too_large(limit_bytes)
    try:
        if request.content.is_eof():  # it came with its headers, as most do
            raw = request.content.read_nowait()
            return raw if len(raw) <= limit_bytes else too_large(limit_bytes)
        if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
            await _ask_for_it(request)
        async with asyncio.timeout(settings.body_timeout_s):
            return await request.read()
    except TimeoutError:
        return _TOO_SLOW
    except web.HTTPRequestEntityTooLarge:
        return too_large(limit_bytes)
    except RequestPayloadError as error:
        text = f"the body is not what its headers say: {error}"
        return Problem(status=400, code="invalid_body", text=text)


async def _ask_for_it(request: web.BaseRequest) -> None:
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # it counts as no part of the answer
