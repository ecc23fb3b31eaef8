"""Several departments send their mails of the morning through the server of the house."""

from __future__ import annotations

import asyncio
import socket
import time
from email.message import EmailMessage

from aiosmtplib import SMTP

RESOLVER_S = 0.08


def resolved(name: str = "") -> str:
    """Stands for the resolver of a network in which it takes its time."""
    time.sleep(RESOLVER_S)
    return "office.example.org"


class House:
    """As much of a mail server as is needed."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 house.example.org ESMTP\r\n")
        while line := await reader.readline():
            command = line[:4].upper()
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                self.taken.append(len(body))
            writer.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
            if command == b"QUIT":
                break
        writer.close()


def mail(department: int, number: int) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"department{department}@example.org"
    message["To"] = f"customer{number}@example.com"
    message["Subject"] = f"Offer {number}"
    table = "\n".join(f"{row:>4} {row * number % 97:>8}" for row in range(60))
    message.set_content(table)
    return message


async def morning(port: int, department: int) -> int:
    async with SMTP(hostname="127.0.0.1", port=port, start_tls=False) as server:
        for number in range(2):
            await server.send_message(mail(department, number))
    return department


async def day() -> list[int]:
    house = House()
    server = await asyncio.start_server(house.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    done = await asyncio.gather(*(morning(port, department) for department in range(24)))
    server.close()
    return sorted(house.taken) + list(done)


def run() -> object:
    socket.getfqdn = resolved
    return asyncio.run(day())
