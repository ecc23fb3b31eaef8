"""A mail server, on this machine; it thinks about each letter for a while."""

from __future__ import annotations

import socketserver
import threading
import time


class Talk(socketserver.StreamRequestHandler):
    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        self.say("220 mailhost.example")
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.say("354 go ahead")
                while self.rfile.readline() not in {b".\r\n", b""}:
                    pass
                time.sleep(0.014)  # looks for viruses
                self.say("250 taken")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 well")


class Host(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


def start() -> tuple[str, int]:
    host = Host(("127.0.0.1", 0), Talk)
    threading.Thread(target=host.serve_forever, daemon=True, name="mailhost").start()
    name, port = host.server_address[:2]
    return str(name), port
