"""A private PostgreSQL server for the copies: on a socket in its own folder, gone with the run."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perfwright.core import TargetError, is_alive

PROGRAMS_VARIABLE = "PERFWRIGHT_POSTGRESQL_BIN"
"""Environment variable: folders of server programs, looked at before all others."""
PREFIX = "perfwright-pg-"
ROLE = "postgres"
_PORT = "5432"  # of a socket in a folder of its own, so it is always free
_START_LIMIT_S = 60
_SOCKET_ROOM = 60  # characters; a socket's path may have 107
_CLIENT = ("pg_dump", "psql")
_SERVER = ("initdb", "postgres", "pg_ctl")
_ACCOUNTS = ("postgres", "nobody")
_FIXED = {
    "listen_addresses": "",
    "port": _PORT,
    "max_connections": "20",
    "autovacuum": "off",  # it would begin its work in the middle of a measurement
    "fsync": "off",  # the copy is worth nothing after a crash
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "256MB",
    "shared_preload_libraries": "",
    "log_min_messages": "error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The server and client programs of one major version."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        """The path of one program."""
        return str(self.folder / name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchServer:
    """A running private server, as plain data."""

    folder: Path
    programs: Programs

    def url(self, database: str) -> str:
        """URL of one of its databases."""
        return f"postgresql://{ROLE}@/{database}?host={self.folder}&port={_PORT}"

    def restart(self) -> None:
        """Empty the buffers: what is read next lies in memory in the order of reading.

        Pages that came into freed places all over the buffers made one of two equal databases up
        to 20 % slower to scan, for as long as they stayed there.
        """
        options = ("-w", f"-t{_START_LIMIT_S}", "-m", "fast", "-l", f"{self.folder}/log")
        control = [self.programs.path("pg_ctl"), "-D", f"{self.folder}/data", *options]
        _run([*control, "restart"], account=_account())

    def stop(self) -> None:
        """Stop the server and remove its folder; idempotent."""
        _kill(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)


def find_programs(major: int, *, client_only: bool = False) -> Programs | None:
    """Find the programs of one major version on this machine.

    The folders in `PERFWRIGHT_POSTGRESQL_BIN` come first, then those of the usual packages, then
    the one on `PATH`.

    Args:
        major: The version of the target.
        client_only: Whether pg_dump and psql are enough, as where the copy lives elsewhere.

    Returns:
        None when they are not installed.
    """
    needed = _CLIENT if client_only else (*_CLIENT, *_SERVER)
    for folder in _folders(major):
        if all((folder / name).exists() for name in needed) and _major(folder) == major:
            return Programs(folder=folder, major=major)
    return None


def start_server(
    programs: Programs, *, settings: Mapping[str, str], owner: int, name: str
) -> ScratchServer:
    """Make a new cluster and start it; it ends with the process `owner`, however that dies.

    Args:
        programs: What to run.
        settings: Of the target, those that plans and answers depend on.
        owner: Process that needs the server.
        name: The target, for messages.

    Raises:
        TargetError: If it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{owner}-", dir=servers_folder()))
    account = _account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    server = ScratchServer(folder=folder, programs=programs)
    try:
        options = (f"--username={ROLE}", "--auth=trust", "--encoding=UTF8", "--locale=C")
        data = f"{folder}/data"
        _run([programs.path("initdb"), "-D", data, *options, "--no-sync"], account=account)
        chosen = {**settings, **_FIXED, "unix_socket_directories": str(folder)}
        _write_settings(folder / "data" / "postgresql.auto.conf", chosen)
        waiting = ("-w", f"-t{_START_LIMIT_S}", "-l", f"{folder}/log")
        _run([programs.path("pg_ctl"), "-D", data, *waiting, "start"], account=account)
        _watch(folder, owner=owner)
    except subprocess.CalledProcessError as error:
        problem = _last_words(folder, error)
        server.stop()
        raise TargetError(
            target=name,
            problem=f"no private server could be started for the copy: {problem}",
            remedy="give a database for the copy with --scratch-url",
        ) from error
    except BaseException:
        server.stop()
        raise
    return server


def sweep_servers() -> None:
    """Stop what the watch of a dead process could not, such as after a reboot."""
    for folder in servers_folder().glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not is_alive(int(owner)):
            _kill(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _folders(major: int) -> Iterator[Path]:
    given = os.environ.get(PROGRAMS_VARIABLE, "").split(os.pathsep)
    yield from (Path(folder) for folder in given if folder)
    yield Path(f"/usr/lib/postgresql/{major}/bin")  # Debian
    yield Path(f"/usr/pgsql-{major}/bin")  # Red Hat
    yield Path(f"/opt/homebrew/opt/postgresql@{major}/bin")
    for found in filter(None, map(shutil.which, ("initdb", "pg_dump"))):
        yield Path(found).parent
        yield Path(found).resolve().parent


def _major(folder: Path) -> int | None:
    try:
        shown = subprocess.run(
            [folder / "pg_dump", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    digits = shown.split()[2].partition(".")[0] if len(shown.split()) > 2 else ""
    return int(digits) if digits.isdigit() else None


def servers_folder() -> Path:
    """Where the folders of private servers are made: `TMPDIR`, unless sockets would not fit."""
    system = Path(tempfile.gettempdir())
    return system if len(str(system)) <= _SOCKET_ROOM else Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder


def _account() -> pwd.struct_passwd | None:
    """The account that runs the server; None: our own, unless we are root, which it refuses."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _run(command: list[str], *, account: pwd.struct_passwd | None) -> None:
    subprocess.run(
        command,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        env={k: v for k, v in os.environ.items() if not k.startswith("PG")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a pipe would be kept open by the server
        stderr=subprocess.DEVNULL if command[0].endswith("pg_ctl") else subprocess.PIPE,
        text=True,
        check=True,
    )


def _write_settings(path: Path, settings: Mapping[str, str]) -> None:
    with path.open("a", encoding="utf-8") as file:
        for name, value in settings.items():
            quoted = value.replace("'", "''")
            file.write(f"{name} = '{quoted}'\n")


def _watch(folder: Path, *, owner: int) -> None:
    """Start the process that stops the server when its owner is gone."""
    module = f"{__package__}.watchdog"
    subprocess.run(
        [sys.executable, "-m", module, str(owner), str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        check=True,
    )


def _kill(folder: Path) -> None:
    """End the server that runs on a folder, at once: nothing in it is needed any more."""
    try:
        pid = int((folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGQUIT)


def _last_words(folder: Path, error: subprocess.CalledProcessError) -> str:
    try:
        lines = (folder / "log").read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = (error.stderr or "").strip().splitlines()
    return lines[-1] if lines else f"{Path(error.cmd[0]).name} failed"
