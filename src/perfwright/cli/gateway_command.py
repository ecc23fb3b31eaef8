"""`perfwright gateway`: an OpenAI-compatible server in front of any provider."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfwright.cli.console import MET, MISSED, messages, output
from perfwright.container import load_config
from perfwright.core import ConfigError, SystemClock

if TYPE_CHECKING:
    from perfwright.container.gateway import Plan


@click.command("gateway")
@click.argument(
    "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path()
)
@click.option("--host", help="Address to listen on; other than this machine's it needs keys.")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one.  [default: 8780]")
@click.option("--base-url", help="Where models are served; goes before every setting.")
@click.option("--model", help="The model of calls that name none.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes on the port.  [default: 1]")
@click.option(
    "--drain-timeout",
    type=click.FloatRange(0.0, 86_400.0),
    help="Seconds that a stopping gateway waits for open calls.  [default: 30]",
)
@click.option("--access-log", is_flag=True, help="Write one line of JSON for each request.")
@click.option("--new-key", metavar="NAME", help="Draw a key, print how to set it up, and end.")
def command(
    folder: Path,
    *,
    host: str | None,
    port: int | None,
    base_url: str | None,
    model: str | None,
    workers: int | None,
    drain_timeout: float | None,
    access_log: bool,
    new_key: str | None,
) -> int:
    """Serve language models with limits, retries, cache and budgets.

    Any program gains them by changing its base URL to http://127.0.0.1:8780/v1. Settings are read
    from [llm] and [gateway] of FOLDER's perfwright.toml, and from the environment; the provider's
    key from the environment only: OPENAI_API_KEY, ANTHROPIC_API_KEY, or what api_key_env names.

    It listens on this machine alone unless callers have keys. SIGTERM or Ctrl-C lets open calls
    end first; a second one quits at once.

    \b
    OPENAI_API_KEY=... perfwright gateway
    perfwright gateway --base-url http://127.0.0.1:11434/v1 --port 0
    """  # noqa: D301 - click looks for the character, which a raw string has not
    if new_key is not None:
        return _draw_key(new_key)
    try:
        return _run(
            folder,
            host=host,
            port=port,
            workers=workers,
            base_url=base_url,
            model=model,
            access_log=access_log,
            drain_timeout_s=drain_timeout,
        )
    except KeyboardInterrupt:  # told to stop before it listens: there is nothing to finish
        return MET


def _run(folder: Path, **chosen: Any) -> int:
    from perfwright.container.gateway import build_plan

    plan = build_plan(load_config(folder), os.environ, **chosen)
    _set_up_logging()
    return _one(plan) if plan.workers == 1 else _several(plan)


def _draw_key(name: str) -> int:
    from perfwright.llm.gateway import new_secret, sha256_of

    secret = new_secret()
    text = f'[gateway.keys.{_toml_key(name)}]\nsha256 = "{sha256_of(secret)}"'
    messages().print(f"The secret, shown this once: {secret}", markup=False, soft_wrap=True)
    messages().print("For perfwright.toml:", markup=False)
    output().print(text, markup=False, soft_wrap=True)
    return MET


def _toml_key(name: str) -> str:
    if not name.isprintable() or not name or set(name) & set('"\\'):
        problem = "must be printable, without quotes and backslashes"
        raise ConfigError(field="--new-key", value=name, problem=problem)
    return (
        name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else f'"{name}"'
    )


def _one(plan: Plan) -> int:
    return asyncio.run(_serve(plan, on_ready=lambda port: _announce(plan, port)))


def _several(plan: Plan) -> int:
    """Fork workers that share the port."""
    from perfwright.llm.gateway.workers import Workers, reserve_port

    with reserve_port(plan.settings.host, plan.settings.port) as held:
        port, parent = int(held.getsockname()[1]), os.getpid()
        shared = replace(plan, settings=replace(plan.settings, port=port))
        crew = Workers(
            plan.workers,
            work=lambda ready: asyncio.run(_serve(shared, on_ready=ready, parent=parent)),
            on_ready=lambda: _announce(shared, port),
            clock=SystemClock(),
        )
        return crew.run()


async def _serve(plan: Plan, *, on_ready: Callable[[int], None], parent: int | None = None) -> int:
    """Serve until told to stop; `parent` is the process whose end is one's own."""
    from perfwright.llm.gateway import Gateway, Stop, serve
    from perfwright.llm.gateway.descriptors import raise_limit

    clock, stop = SystemClock(), Stop()
    stop.on_signals()
    raise_limit()
    adapter = plan.build()
    gateway = Gateway(
        adapter, keys=plan.keys, settings=plan.settings, clock=clock, model=plan.model
    )
    gc.freeze()  # what was loaded until now is never garbage: collections need not look at it
    try:
        cut = await serve(
            gateway,
            settings=plan.settings,
            clock=clock,
            stop=stop,
            on_ready=on_ready,
            parent=parent,
        )
    finally:
        await adapter.aclose()
    if cut:
        calls = f"{cut} call{'s' * (cut != 1)}"
        messages().print(f"stopped; {calls} did not end in time and were cut", markup=False)
    return MISSED if stop.was_hurried else MET


def _announce(plan: Plan, port: int) -> None:
    host = plan.settings.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    callers = ", ".join(key.name for key in plan.keys) or "whoever is on this machine, without key"
    lines = (
        f"perfwright gateway listens on {url}",
        f"  sends to: {', '.join(plan.sends_to)}",
        f"  callers:  {callers}",
    )
    messages().print("\n".join(lines), markup=False, soft_wrap=True)


def _set_up_logging() -> None:
    """Write warnings and access lines to standard error."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s"
    )
    access = logging.getLogger("perfwright.gateway.access")
    plain = logging.StreamHandler(sys.stderr)
    plain.setFormatter(logging.Formatter("%(message)s"))
    access.addHandler(plain)
    access.setLevel(logging.INFO)
    access.propagate = False
