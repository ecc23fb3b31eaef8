"""A stream's bytes to its pieces, and whether it came to its end: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfwright.core import ProviderError, StreamCutError
from perfwright.llm.replies import Piece
from perfwright.llm.requests import Api
from perfwright.llm.wire.addresses import Form
from perfwright.llm.wire.answers import spoken
from perfwright.llm.wire.anthropic_stream import ChatFromMessages
from perfwright.llm.wire.bodies import object_in
from perfwright.llm.wire.failures import bad_answer, failed_inside, looks_like
from perfwright.llm.wire.openai_stream import MessagesFromChat
from perfwright.llm.wire.sse import Event, EventParser

_LAST = frozenset(
    {"message_stop", "response.completed", "response.incomplete", "response.cancelled"}
)
"""Types of the events that announce the end, in Anthropic's form and in Responses'."""


class StreamDecoder:
    """One stream's bytes in, its pieces out.

    Args:
        api: What was asked for: the form of the pieces.
        form: What the endpoint speaks.
        headers: Of the response, names in lower case: for errors.
        endpoint: Its name.
    """

    __slots__ = (
        "_closed",
        "_endpoint",
        "_headers",
        "_is_chat",
        "_opened",
        "_parser",
        "_text",
        "_translator",
        "failure",
        "is_ended",
    )

    def __init__(self, *, api: Api, form: Form, headers: Mapping[str, str], endpoint: str) -> None:
        self._endpoint, self._headers = endpoint, headers
        came = spoken(api, form=form)
        self._is_chat = came is Api.CHAT
        self._parser = EventParser(endpoint=endpoint)
        self._translator: ChatFromMessages | MessagesFromChat | None = None
        if came is not api:
            self._translator = MessagesFromChat() if self._is_chat else ChatFromMessages()
        self._opened: set[int] = set()
        self._closed: set[int] = set()
        self._text: list[str] = []
        self.is_ended = False
        """Its end was announced: nothing follows."""
        self.failure: ProviderError | None = None
        """Raise it once the pieces that came before it are used up; nothing follows."""

    @property
    def is_complete(self) -> bool:
        """Nothing of the answer is missing: its end was announced, or every choice has finished."""
        return self.is_ended or (bool(self._closed) and self._opened <= self._closed)

    @property
    def text(self) -> str:
        """All text of the first choice that has come."""
        return "".join(self._text)

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return the pieces that `chunk` completes; look at `failure` and `is_ended` after it."""
        pieces: list[Piece] = []
        try:
            for event in self._parser.feed(chunk):
                if self.is_ended:
                    break
                self._take(event, pieces)
        except ProviderError as error:
            self.failure = error
        return pieces

    def finish(self) -> list[Piece]:
        """Return what an unfinished last event brings; `failure` is set if something is missing."""
        pieces: list[Piece] = []
        for event in self._parser.finish():
            if event.data == b"[DONE]" or object_in(event.data) is not None:
                pieces += self.feed(event.raw + b"\n\n")
        if not self.is_complete and self.failure is None:
            self.failure = self.cut("its stream ended without saying that it is complete")
        if self.failure is None and not self.is_ended:
            self._end(pieces)
        return pieces

    def cut(self, reason: str) -> StreamCutError:
        """Return the error for a stream that is over too early."""
        text = self.text
        problem = f"{reason}, after {len(text):,} characters of text"
        return StreamCutError(endpoint=self._endpoint, problem=problem, text=text)

    def _take(self, event: Event, pieces: list[Piece]) -> None:
        """Add the pieces of an event."""
        if event.data == b"[DONE]":
            if self._opened or self._closed or not self._is_chat:
                self._end(pieces)
            return
        payload = object_in(event.data)
        if payload is None:
            raise self._bad(f"an event of its stream is {looks_like(event.data)}")
        if "choices" not in payload or "error" in payload:
            self._look_for_failure(event, payload)
        try:
            self._note(payload)
            if self._translator is None:
                pieces.append(Piece(payload, raw=event.raw))
            else:
                pieces.extend(map(Piece, self._translator.feed(payload)))
        except (AttributeError, TypeError) as error:  # a list for an object, a number for a text
            raise self._bad("an event of its stream is not what the format says") from error

    def _end(self, pieces: list[Piece]) -> None:
        """Note that nothing follows; a translation may have its end to say yet."""
        self.is_ended = True
        if self._translator is not None:
            pieces.extend(map(Piece, self._translator.finish()))

    def _look_for_failure(self, event: Event, payload: Mapping[str, Any]) -> None:
        if event.name == "error" and "error" not in payload:
            payload = {"error": payload}
        error = failed_inside(payload, headers=self._headers, endpoint=self._endpoint)
        if error is not None:
            raise error

    def _note(self, payload: Mapping[str, Any]) -> None:
        """Remember what was said, and whether it was the end."""
        if not self._is_chat:
            kind = payload.get("type")
            self.is_ended = kind in _LAST
            if (delta := payload.get("delta")) and kind in _WITH_TEXT:
                self._text.append(delta if isinstance(delta, str) else delta.get("text") or "")
            return
        for choice in payload.get("choices") or ():
            index = choice.get("index") or 0
            (self._closed if choice.get("finish_reason") else self._opened).add(index)
            if index == 0 and (delta := choice.get("delta")) and (text := delta.get("content")):
                self._text.append(text)

    def _bad(self, problem: str) -> ProviderError:
        return bad_answer(problem, headers=self._headers, endpoint=self._endpoint)


_WITH_TEXT = frozenset({"content_block_delta", "response.output_text.delta"})
