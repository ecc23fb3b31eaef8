"""The layers of a supplier of electricity."""

from __future__ import annotations

from layers import Device, Layer, Setting

GROUPS = ("tariff", "limit", "display", "radio", "alarm", "clock", "relay")


def defaults() -> dict[str, Setting]:
    return {f"{group}.{index}": index * 3 % 17 for group in GROUPS for index in range(110)}


def regional(region: int) -> Layer:
    def concerns(device: Device) -> bool:
        return device.region % 10 == region

    return Layer(f"region {region}", concerns, {f"radio.{region}": region, "clock.1": region % 3})


def campaigns(count: int) -> list[Layer]:
    return [
        Layer(
            f"campaign {number}",
            lambda device, number=number: (device.serial + number) % 3 > 0,
            {f"tariff.{number % 24}": number, f"limit.{number % 9}": number % 5},
        )
        for number in range(count)
    ]


def presets() -> list[Layer]:
    models = [
        Layer(
            f"model {name}",
            lambda device, name=name: device.model == name,
            {f"display.{index}": f"{name}{index}" for index in range(9)},
        )
        for name in "ABC"
    ]
    base = Layer("all", lambda device: True, defaults())
    return [base, *models, *(regional(region) for region in range(10)), *campaigns(40)]
