"""Passing a stream on."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from perfwright.llm.gateway import answers
from perfwright.llm.gateway.problems import problem_of
from perfwright.llm.gateway.runtime import PieceStream
from perfwright.llm.replies import Piece
from perfwright.llm.requests import Api, Request


class StreamBrokenError(ConnectionError):
    """A stream failed after it had begun: its connection is cut, so that nobody takes it for whole.

    It never leaves the server.
    """


async def send_pieces(
    request: web.BaseRequest, stream: PieceStream, *, asked: Request, force_close: bool
) -> web.StreamResponse:
    """Send an answer as it comes.

    Nothing is sent before the first piece is there, so that a failure until then has a status.

    Raises:
        StreamBrokenError: If it fails later; the caller has been told by an event.
    """
    pieces = aiter(stream)
    first = await anext(pieces, None)
    response = web.StreamResponse(headers=answers.stream_headers(stream))
    if force_close:
        response.force_close()
    await response.prepare(request)
    try:
        await _pass_on(response, pieces, first=first, api=asked.api)
    except ConnectionError:
        raise
    except Exception as error:  # the boundary to a caller in another program
        await response.write(answers.error_event(problem_of(error), asked.api))
        raise StreamBrokenError(str(error)) from error
    return response


async def _pass_on(
    response: web.StreamResponse, pieces: AsyncIterator[Piece], *, first: Piece | None, api: Api
) -> None:
    if first is not None:
        await response.write(answers.event(first, api))
    async for piece in pieces:
        await response.write(answers.event(piece, api))
    if end := answers.end_of(api):
        await response.write(end)
