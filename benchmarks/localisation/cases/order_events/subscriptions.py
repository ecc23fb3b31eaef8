"""Who wants to know what happened."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any

Receiver = Callable[[bytes], None]
RECEIVERS: dict[str, list[Receiver]] = defaultdict(list)


def on(*topics: str, least: int = 1) -> Callable[[Callable[[Any], None]], Receiver]:
    """Subscribe a function to topics; it is given the body of each event."""

    def register(function: Callable[[Any], None]) -> Receiver:
        @wraps(function)
        def receive(message: bytes) -> None:
            body = json.loads(message)
            if body["version"] >= least:
                function(body)

        for topic in topics:
            RECEIVERS[topic].append(receive)
        return receive

    return register


def publish(topic: str, message: bytes) -> int:
    receivers = RECEIVERS[topic]
    for receive in receivers:
        receive(message)
    return len(receivers)
