"""Who may see what; another team's service decides."""

from __future__ import annotations

from typing import Any

from texts import Document
from transport import Channel


def decide(who: str, folder: int) -> bool:
    return (folder * 31 + len(who) + ord(who[-1])) % 5 != 0


def service(method: str, arguments: dict[str, Any]) -> Any:
    who = arguments["who"]
    if method == "check":
        return {"allowed": decide(who, arguments["folder"])}
    return {"allowed": [decide(who, folder) for folder in arguments["folders"]]}


class Permissions:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def allows(self, who: str, document: Document) -> bool:
        return bool(self.channel.call("check", who=who, folder=document.folder)["allowed"])

    def all_of(self, who: str, documents: list[Document]) -> list[bool]:
        folders = [document.folder for document in documents]
        verdicts: list[bool] = self.channel.call("check_all", who=who, folders=folders)["allowed"]
        return verdicts
