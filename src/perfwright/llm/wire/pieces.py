"""Between an answer that comes whole and the same answer in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from perfwright.llm.replies import Piece
from perfwright.llm.requests import Api
from perfwright.llm.wire.pieces_chat import assemble_chat, split_chat
from perfwright.llm.wire.pieces_messages import assemble_messages, split_messages
from perfwright.llm.wire.pieces_responses import assemble_responses, split_responses
from perfwright.llm.wire.texts import Cutter


def assemble(api: Api, pieces: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answer that `pieces` make, as it would have come without streaming.

    Args:
        api: The form of the pieces.
        pieces: All of them, in their order; of a stream that was cut, those that came.
    """
    match api:
        case Api.CHAT:
            return assemble_chat(pieces)
        case Api.RESPONSES:
            return assemble_responses(pieces)
        case Api.MESSAGES:
            return assemble_messages(pieces)
        case Api.EMBEDDINGS:  # they are not streamed: the one piece is the answer
            return dict(next(iter(pieces)))


def split(
    api: Api, payload: Mapping[str, Any], *, sizes: Sequence[int] | None = None
) -> list[Piece]:
    """Return the pieces in which `payload` would have come: `assemble` makes the same of them.

    Args:
        api: The form of the payload.
        payload: A whole answer.
        sizes: Characters of text in each piece, as `piece_sizes` found them; what they do not
            cover, and None, is cut evenly.
    """
    cutter = Cutter(sizes or ())
    return [Piece(piece) for piece in _split(api, payload, cutter=cutter)]


def piece_sizes(pieces: Iterable[Piece]) -> list[int]:
    """Return how many characters of text each piece brought; those without any are left out."""
    return [len(text) for text in (piece.text for piece in pieces) if text]


def _split(api: Api, payload: Mapping[str, Any], *, cutter: Cutter) -> Iterator[dict[str, Any]]:
    match api:
        case Api.CHAT:
            return split_chat(payload, cutter=cutter)
        case Api.RESPONSES:
            return split_responses(payload, cutter=cutter)
        case Api.MESSAGES:
            return split_messages(payload, cutter=cutter)
        case Api.EMBEDDINGS:
            return iter([dict(payload)])
