"""Settings come in layers: of all, of a model, of a region, of a building and so on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Setting = int | str | bool


@dataclass(frozen=True)
class Device:
    serial: int
    model: str
    region: int


@dataclass
class Layer:
    name: str
    concerns: Callable[[Device], bool]
    settings: dict[str, Setting] = field(default_factory=dict)


def over(base: Mapping[str, Setting], top: Mapping[str, Setting]) -> Mapping[str, Setting]:
    return {**base, **top}


class Stack:
    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers

    def effective(self, device: Device) -> Mapping[str, Setting]:
        merged: Mapping[str, Setting] = {}
        for layer in self.layers:
            if layer.concerns(device):
                merged = over(merged, layer.settings)
        return merged

    def names(self) -> list[str]:
        return [layer.name for layer in self.layers]
