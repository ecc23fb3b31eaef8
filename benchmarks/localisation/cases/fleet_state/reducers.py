"""How events change what is known of the fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from telemetry import Event

State = Mapping[str, Any]
NEW: State = {"trips": 0, "metres": 0, "fuel": 100.0, "open": False}


def update(known: State, event: Event) -> State:
    if event.name == "departed":
        return {**known, "trips": known["trips"] + 1, "open": True}
    if event.name == "moved":
        burnt = event.amount / 14_000
        return {
            **known,
            "metres": known["metres"] + event.amount,
            "fuel": round(known["fuel"] - burnt, 6),
        }
    if event.name == "refuelled":
        return {**known, "fuel": 100.0}
    return {**known, "open": False}


def vehicles(state: dict[str, State], event: Event) -> dict[str, State]:
    known = state.get(event.subject, NEW)
    return {**state, event.subject: update(known, event)}


def totals(state: dict[str, int], event: Event) -> dict[str, int]:
    return {**state, event.name: state.get(event.name, 0) + 1}


def hours(state: tuple[int, ...], event: Event) -> tuple[int, ...]:
    hour = event.second // 3600 % 24
    return (*state[:hour], state[hour] + 1, *state[hour + 1 :])


def combine(**parts: Callable[[Any, Event], Any]) -> Callable[[State, Event], State]:
    def reducer(state: State, event: Event) -> State:
        return {name: part(state[name], event) for name, part in parts.items()}

    return reducer
