"""Tells devices what differs from what they have."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping

from layers import Device, Setting, Stack


class Fleet:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.told = 0

    def known_to(self, device: Device) -> dict[str, Setting]:
        return {f"tariff.{index}": device.serial % (index + 2) for index in range(24)}

    def message(self, device: Device, wanted: Mapping[str, Setting]) -> bytes:
        has = self.known_to(device)
        changed = {
            key: wanted[key] for key in sorted(has) if key in wanted and wanted[key] != has[key]
        }
        sampled = {key: wanted[key] for key in ("limit.0", "limit.7", "display.3") if key in wanted}
        body = {"serial": device.serial, "set": changed, "check": sampled, "size": len(wanted)}
        return json.dumps(body, sort_keys=True).encode()

    def plan(self, device: Device) -> bytes:
        message = self.message(device, self.stack.effective(device))
        self.told += 1
        return zlib.compress(message)
