"""Flags of several layers: the user's, the team's, everybody's."""

from __future__ import annotations

Key = tuple[str, int | None]


class UnknownFlagError(KeyError):
    def __init__(self, name: str, layer: str) -> None:
        super().__init__(f"no flag {name!r} in layer {layer!r}")
        self.name, self.layer = name, layer


class Layer:
    def __init__(self, title: str, values: dict[Key, bool]) -> None:
        self.title, self.values = title, values

    def lookup(self, name: str, user: int) -> bool:
        try:
            return self.values[name, user]
        except KeyError:
            pass
        try:
            return self.values[name, None]
        except KeyError as error:
            raise UnknownFlagError(name, self.title) from error


class Flags:
    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers

    def value(self, name: str, user: int, default: bool = False) -> bool:
        for layer in self.layers:
            try:
                return layer.lookup(name, user)
            except UnknownFlagError:
                continue
        return default
