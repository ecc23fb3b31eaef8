"""A private PostgreSQL server on a free port, for benchmarks and tests."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

QUIET: Mapping[str, str] = {
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "autovacuum": "off",
    "fsync": "off",
    "shared_buffers": "512MB",
    "max_connections": "40",
}
"""Settings under which the same statement touches the same pages each time."""


DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian's packages put the programs of each major version."""

CHOSEN = "PERFWRIGHT_POSTGRESQL_BIN"
"""Environment variable: folders of server programs; the first one is taken, before all others."""

REQUIRED = "PERFWRIGHT_REQUIRE_POSTGRESQL"
"""Environment variable; set where a server must be had, as in CI."""


_STARTS = 10
_PATIENCE_S = 60  # for a start or a stop; what takes longer has failed
_LAST_LINES = 12


class NoServerError(RuntimeError):
    """PostgreSQL's server programs are not installed: a test is skipped, a benchmark says so."""


class RequiredServerError(RuntimeError):
    """They are not installed, and were required: nothing is skipped."""


@dataclass(slots=True)
class PrivateServer:
    """A running server; everybody on this machine may connect, without a password."""

    folder: Path
    port: int
    programs: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        """URL of one of its databases."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @property
    def dsn(self) -> str:
        """Keywords for libpq, without a database."""
        return f"host=127.0.0.1 port={self.port} user=postgres"

    @property
    def pid(self) -> int:
        """The postmaster."""
        return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])

    @property
    def is_running(self) -> bool:
        """Whether the postmaster is there, even if it does not answer."""
        try:
            os.kill(self.pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return True

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._control("start", "-w", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `smart`, `fast` or `immediate`."""
        self._control("stop", "-w", "-m", mode)

    def restart(self, mode: str = "fast") -> None:
        """Stop it, and start it again on the same port."""
        self.stop(mode)
        # A client that tries to reconnect may hold the very port for a moment: the system lets a
        # connection to a free local port connect to itself.
        for attempt in range(_STARTS):
            try:
                self.start()
                break
            except RuntimeError:
                if attempt + 1 == _STARTS:
                    raise
                time.sleep(0.5)

    def _control(self, *arguments: str) -> None:
        command = [str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), *arguments]
        try:
            run_unprivileged([*command, "-t", str(_PATIENCE_S)])
        except RuntimeError as error:
            said = (self.folder / "log").read_text().splitlines()[-_LAST_LINES:]
            raise RuntimeError("\n".join((f"{error}the server's log ends with", *said))) from error


def find_programs() -> Path:
    """Return the folder of `initdb` and `postgres`: the chosen one, else the newest version.

    Raises:
        NoServerError: If there are none.
        RequiredServerError: If there are none, and `PERFWRIGHT_REQUIRE_POSTGRESQL` is set.
    """
    debian = sorted(DEBIAN.glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    chosen = [Path(f) for f in os.environ.get(CHOSEN, "").split(os.pathsep) if f]
    on_path = shutil.which("initdb")
    for folder in (*chosen, *debian, *([Path(on_path).parent] if on_path else [])):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise _missing("no PostgreSQL server programs: run scripts/install_postgresql.sh")


def _missing(problem: str) -> RuntimeError:
    if os.environ.get(REQUIRED):
        return RequiredServerError(f"{problem} ({REQUIRED} is set)")
    return NoServerError(problem)


@contextmanager
def private_server(
    settings: Mapping[str, str] = QUIET, *, programs: Path | None = None
) -> Iterator[PrivateServer]:
    """Run a new, empty server as long as the context lasts.

    Args:
        settings: Beside those that make it private.
        programs: Folder of `initdb` and `postgres`; None: see `find_programs`.

    Raises:
        NoServerError: If PostgreSQL's server programs are not installed.
        RequiredServerError: The same where a server is required.
    """
    programs = programs or find_programs()
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        run_unprivileged([str(programs / "initdb"), "-D", str(data), "--no-sync", *options])
        port = _free_port()
        chosen = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(folder),
            "shared_preload_libraries": "pg_stat_statements",
            **settings,
        }
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in chosen.items())
        server = PrivateServer(folder, port, programs, chosen)
        try:
            server.start()
            yield server
        finally:
            if server.is_running:
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as where we are root; None: as we do."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise _missing("PostgreSQL refuses to run as root, and there is no user postgres") from None


def run_unprivileged(command: list[str]) -> None:
    """Run a program as `postgres` where we are root, which the server refuses to be."""
    root = os.geteuid() == 0
    done = subprocess.run(
        command,
        user="postgres" if root else None,
        group="postgres" if root else None,
        extra_groups=[] if root else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would be kept open by the server
        stderr=subprocess.PIPE if command[0].endswith("initdb") else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr or ''}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
