"""Uploads, as they come from the network."""

from __future__ import annotations

from werkzeug.sansio.multipart import Data, Epilogue, MultipartDecoder, NeedData

CHUNK = 4_096


def upload(content: bytes) -> bytes:
    head = b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    return head + content + b"\r\n--frontier--\r\n"


def receive(body: bytes) -> int:
    decoder, received = MultipartDecoder(b"frontier"), 0
    for start in range(0, len(body), CHUNK):
        decoder.receive_data(body[start : start + CHUNK])
        event = decoder.next_event()
        while not isinstance(event, NeedData | Epilogue):
            if isinstance(event, Data):
                received += len(event.data)
            event = decoder.next_event()
    return received


def run() -> object:
    texts = [receive(upload(b"a line of text\r\n" * 200)) for _ in range(250)]
    return texts, receive(upload(b"\r" + b"x" * 6_000_000))
