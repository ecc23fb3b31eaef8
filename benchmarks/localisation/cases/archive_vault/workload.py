"""Six clerks empty a cupboard."""

from __future__ import annotations

import queue
import threading

from papers import cleaned, keywords, scanned
from vault import Vault
from wire import Wire


class Clerk(threading.Thread):
    def __init__(self, papers: queue.SimpleQueue[int | None], vault: Vault) -> None:
        super().__init__(daemon=True)
        self.papers = papers
        self.vault = vault
        self.done: list[tuple[int, str, str]] = []

    def run(self) -> None:
        while (number := self.papers.get()) is not None:
            text = cleaned(scanned(number))
            title = f"{number:05d} {' '.join(keywords(text))}"
            if self.vault.find(title) is None:
                self.done.append((number, title, self.vault.put(title, text)))


def run() -> object:
    papers: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    vault = Vault(Wire())
    for number in range(130):
        papers.put(number)
    clerks = [Clerk(papers, vault) for _ in range(6)]
    for _ in clerks:
        papers.put(None)
    for clerk in clerks:
        clerk.start()
    for clerk in clerks:
        clerk.join()
    return vault.stored_bytes, sorted(row for clerk in clerks for row in clerk.done)
