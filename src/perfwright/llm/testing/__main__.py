"""`python -m perfwright.llm.testing`: a simulated provider for any program, in any language."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import signal
import sys
from contextlib import suppress

import msgspec

from perfwright.core import ConfigError
from perfwright.llm.testing.server import serve
from perfwright.llm.testing.settings import ProviderSettings


def main(arguments: list[str] | None = None) -> int:
    """Run the provider; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = ProviderSettings().changed(dict(map(_pair, options.set)))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.ends_with_stdin:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that started it
    with suppress(KeyboardInterrupt):
        asyncio.run(
            serve(
                settings,
                host=options.host,
                port=options.port,
                ends_with_stdin=options.ends_with_stdin,
            )
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    names = ", ".join(field.name for field in dataclasses.fields(ProviderSettings))
    parser = argparse.ArgumentParser(
        prog="python -m perfwright.llm.testing",
        description="A simulated provider of language models. Prints its address as JSON, then "
        'takes commands as lines of JSON: {"set": {"down": true}}, {"counts": true}, '
        '{"reset": true}.',
        epilog=f"Settings: {names}.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=JSON", help="a setting, repeatable"
    )
    parser.add_argument(
        "--ends-with-stdin", action="store_true", help="end when standard input is closed"
    )
    return parser


def _pair(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    try:
        return name.strip().replace("-", "_"), msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name.strip(), value


if __name__ == "__main__":
    sys.exit(main())
