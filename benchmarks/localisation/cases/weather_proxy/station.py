"""The weather service, on this machine."""

from __future__ import annotations

import json
import socketserver
import threading
import time

LATENCY_S = 0.012


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        city = self.rfile.readline().decode().strip()
        time.sleep(LATENCY_S)
        body = json.dumps({"city": city, "degrees": len(city) * 3 % 30, "rain": len(city) % 2 == 0})
        self.wfile.write(body.encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


def start() -> Server:
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="station"
    ).start()
    return server
