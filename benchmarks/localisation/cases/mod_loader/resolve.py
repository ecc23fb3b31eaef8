"""In which order add-ons can be activated."""

from __future__ import annotations

from collections.abc import Iterable

from addons import Addon


class Workshop:
    def __init__(self, addons: Iterable[Addon]) -> None:
        self.addons = {addon.name: addon for addon in addons}
        self.active: dict[str, tuple[int, ...]] = {}

    def ready(self, addon: Addon) -> bool:
        return all(requirement.met_by(self.active) for requirement in addon.requirements)

    def activate(self, addon: Addon) -> None:
        self.active[addon.name] = addon.version

    def by_tag(self) -> dict[str, list[str]]:
        tags: dict[str, list[str]] = {}
        for addon in self.addons.values():
            for tag in addon.tags:
                tags.setdefault(tag, []).append(addon.title)
        return {tag: sorted(titles) for tag, titles in sorted(tags.items())}


def activation_order(workshop: Workshop) -> list[str]:
    order: list[str] = []
    waiting = list(workshop.addons.values())
    while waiting:
        now = [addon for addon in waiting if workshop.ready(addon)]
        if not now:
            raise LookupError(f"{len(waiting)} add-ons need what is not there")
        for addon in now:
            workshop.activate(addon)
            order.append(addon.name)
        waiting = [addon for addon in waiting if addon.name not in workshop.active]
    return order
