"""A small key-value store, as a process of its own."""

from __future__ import annotations

import socketserver
import sys

VALUES = {f"author:{number}": f"Author No. {number}" for number in range(5_000)}


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        for line in self.rfile:
            keys = line.decode().split()
            answer = "\t".join(VALUES.get(key, "") for key in keys)
            self.wfile.write(answer.encode() + b"\n")


def main() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.handle_request()
        sys.exit(0)


if __name__ == "__main__":
    main()
