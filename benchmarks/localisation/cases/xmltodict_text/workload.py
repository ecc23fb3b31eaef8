"""Messages with attachments, as a mail archive exports them."""

from __future__ import annotations

import base64
import random

import xmltodict


def attachment(size: int) -> str:
    data = base64.encodebytes(random.Random(size).randbytes(size)).decode()
    return data.replace("\n", "&#13;\n")


def mailbox(messages: int) -> str:
    parts = [
        f"<message id='{number}'><from>{number}@example.org</from><subject>Report {number}"
        f"</subject><body>Please see &lt;the file&gt; for {number}.</body></message>"
        for number in range(messages)
    ]
    parts += [
        f"<file><data>{attachment(size)}</data></file>" for size in (20_000, 60_000, 17_000_000)
    ]
    return f"<mailbox>{''.join(parts)}</mailbox>"


def run() -> object:
    box = xmltodict.parse(mailbox(1_500))["mailbox"]
    people = sorted(message["from"] for message in box["message"])
    return people, [len(file["data"]) for file in box["file"]]
