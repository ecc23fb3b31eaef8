"""One request to one endpoint, with its outcome told to the endpoint's lane."""

from __future__ import annotations

from perfwright.core import ProviderError
from perfwright.llm.endpoints.lane import Lane
from perfwright.llm.endpoints.streams import EndpointStream
from perfwright.llm.endpoints.ticket import Ticket
from perfwright.llm.replies import Reply
from perfwright.llm.requests import Request


async def send_once(lane: Lane, ticket: Ticket, *, request: Request, timeout_s: float) -> Reply:
    """Return the whole answer.

    Raises:
        ProviderError: If there is none.
    """
    try:
        reply = await lane.transport.send(request, timeout_s=timeout_s)
    except ProviderError as error:
        lane.erred(ticket, error)
        raise
    except BaseException:
        lane.abandoned(ticket, sent=True)
        raise
    lane.answered(ticket, reply.headers)
    lane.over(ticket, tokens=None if reply.usage is None else reply.usage.total_tokens)
    return reply


async def open_once(
    lane: Lane, ticket: Ticket, *, request: Request, timeout_s: float
) -> EndpointStream:
    """Return a stream whose first piece has come.

    Raises:
        ProviderError: If it does not come.
    """
    opened = None
    try:
        opened = await lane.transport.open(request, timeout_s=timeout_s)
        stream = EndpointStream(opened, lane=lane, ticket=ticket, request=request)
        await stream.begin()
    except ProviderError as error:
        lane.erred(ticket, error)
        if opened is not None:
            await opened.aclose()
        raise
    except BaseException:
        lane.abandoned(ticket, sent=True)
        if opened is not None:
            await opened.aclose()
        raise
    lane.answered(ticket, stream.headers)
    return stream
