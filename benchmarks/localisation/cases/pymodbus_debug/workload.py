"""The meters of a building answer what they measured."""

from __future__ import annotations

from pymodbus.factory import ClientDecoder
from pymodbus.framer.socket_framer import ModbusSocketFramer
from pymodbus.pdu import ModbusResponse
from pymodbus.register_read_message import ReadHoldingRegistersResponse


def packet(meter: int, turn: int) -> bytes:
    values = [(meter * 131 + turn * 17 + place) % 65_536 for place in range(110)]
    answer = ReadHoldingRegistersResponse(values)
    answer.transaction_id = turn
    answer.unit_id = meter % 200 + 1
    return bytes(ModbusSocketFramer(ClientDecoder()).buildPacket(answer))


def answers(packets: list[bytes]) -> list[int]:
    framer = ModbusSocketFramer(ClientDecoder())
    found: list[int] = []

    def note(answer: ModbusResponse) -> None:
        found.append(sum(answer.registers))

    for data in packets:
        framer.processIncomingPacket(data, note, 0, single=True)
    return found


def run() -> object:
    packets = [packet(meter, turn) for meter in range(40) for turn in range(15)]
    return [sum(answers(packets)) for _ in range(80)]
