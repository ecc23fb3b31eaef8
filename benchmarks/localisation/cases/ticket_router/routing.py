"""Who looks after which ticket."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from texts import topic

log = logging.getLogger("tickets.routing")


@dataclass(frozen=True)
class Ticket:
    number: int
    customer: int
    text: str


class Team:
    def __init__(self, name: str, people: list[str]) -> None:
        self.name = name
        self.people = deque(people)
        self.open: dict[int, str] = {}

    def assign(self, ticket: Ticket) -> str:
        person = self.people[0]
        self.people.rotate(-1)
        self.open[ticket.number] = person
        return person


class Router:
    def __init__(self, teams: dict[str, Team]) -> None:
        self.teams = teams

    @contextmanager
    def handling(self, ticket: Ticket) -> Iterator[str]:
        subject = topic(ticket.text)
        try:
            yield subject
        except KeyError:
            log.error("ticket %d: nobody looks after %s", ticket.number, subject)

    def route(self, ticket: Ticket) -> None:
        with self.handling(ticket) as subject:
            team = self.teams[subject]
            person = team.assign(ticket)
            log.info("ticket %d: %s by %s of %s", ticket.number, subject, person, team.name)
