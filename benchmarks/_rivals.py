"""The other clients of language models, each set in an environment of its own.

They are not among the development packages: LiteLLM alone is 190 MB, and it needs another major
version of `openai` than LangChain does. `benchmarks/rivals/*.txt` pins every package of each set;
renew one with

    uv pip compile --universal --no-header --no-annotate --upgrade IN -o benchmarks/rivals/SET.txt
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from _shared import say

_LISTS = Path(__file__).parent / "rivals"
_HOME = Path(__file__).parent.parent / ".perfwright" / "rivals"
_INSTALL_LIMIT_S = 900.0


def interpreter(name: str) -> Path:
    """Return the Python that has a set of rivals; installs them if they are not there as listed."""
    listed = _LISTS / f"{name}.txt"
    mark = hashlib.sha256(listed.read_bytes() + sys.version.encode()).hexdigest()
    home = _HOME / name
    python, marked = home / "bin" / "python", home / "installed"
    if python.exists() and marked.exists() and marked.read_text() == mark:
        return python
    say(f"installing the rivals of {listed.name} into {home}")
    shutil.rmtree(home, ignore_errors=True)
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "--quiet", "--python", sys.executable, str(home)],
        [*uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(listed)],
    ):
        subprocess.run(command, check=True, timeout=_INSTALL_LIMIT_S)
    marked.write_text(mark)
    return python


def versions(name: str, *packages: str) -> str:
    """Name the versions that a set pins."""
    pinned = dict(
        line.split(" ;")[0].strip().split("==")
        for line in (_LISTS / f"{name}.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    return ", ".join(f"{package} {pinned[package]}" for package in packages)


def environment() -> dict[str, str]:
    """Return the variables of a client's process: nothing that is anybody's key or account."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    return own | {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch its prices when it is imported
        "LITELLM_TELEMETRY": "False",
        "LANGSMITH_TRACING": "false",
    }
