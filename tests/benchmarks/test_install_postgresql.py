"""The script that gets a PostgreSQL server for the tests: with an apt-get that only pretends."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "install_postgresql.sh"
TOOLS = (
    *("bash", "basename", "cat", "dirname", "echo", "env", "id", "ls", "mkdir", "rm", "sort"),
    *("tail", "tee", "touch"),
)

# Without lists it knows no package, as on a fresh machine; it notes how it was called.
APT_GET = """#!/usr/bin/env bash
echo "${*: -1}" >> "$ROOT/calls"
ls "$ROOT/etc/postgresql-common/createcluster.d" >> "$ROOT/policy" 2>/dev/null
case "${*: -1}" in
    update) touch "$ROOT/lists" ;;
    *) [ -e "$ROOT/lists" ] || exit 100 ;;
esac
case "${*: -1}" in
    postgresql) mkdir -p "$ROOT/usr/lib/postgresql/16/bin"
        touch "$ROOT/usr/lib/postgresql/16/bin/initdb"
        chmod +x "$ROOT/usr/lib/postgresql/16/bin/initdb" ;;
    postgresql-16-hypopg) mkdir -p "$ROOT/usr/share/postgresql/16/extension"
        touch "$ROOT/usr/share/postgresql/16/extension/hypopg.control" ;;
esac
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A system root of its own, with the few programs that the script uses."""

    root: Path

    def give(self, name: str, text: str) -> None:
        program = self.root / "bin" / name
        program.write_text(text)
        program.chmod(0o755)

    def run(self, *, required: bool = False) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": str(self.root / "bin"),
            "PERFWRIGHT_SYSTEM_ROOT": str(self.root),
            "ROOT": str(self.root),
            **({"PERFWRIGHT_REQUIRE_POSTGRESQL": "1"} if required else {}),
        }
        return subprocess.run(
            [str(self.root / "bin" / "bash"), str(SCRIPT)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def noted(self, name: str) -> list[str]:
        path = self.root / name
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "bin").mkdir()
    for name in (*TOOLS, "chmod"):
        found = shutil.which(name)
        assert found, name
        (tmp_path / "bin" / name).symlink_to(found)
    built = Machine(root=tmp_path)
    if os.geteuid() != 0:
        built.give("sudo", '#!/usr/bin/env bash\nexec "$@"\n')
    return built


def test_a_fresh_machine_gets_the_server_with_hypopg(machine: Machine) -> None:
    machine.give("apt-get", APT_GET)
    assert machine.run(required=True).returncode == 0
    installed = ["postgresql", "update", "postgresql", "postgresql-16-hypopg"]
    assert machine.noted("calls") == installed


def test_a_second_run_asks_nobody(machine: Machine) -> None:
    machine.give("apt-get", APT_GET)
    machine.run()
    before = machine.noted("calls")
    assert machine.run(required=True).returncode == 0
    assert machine.noted("calls") == before


def test_no_cluster_is_made_while_it_installs(machine: Machine) -> None:
    machine.give("apt-get", APT_GET)
    machine.run()
    assert machine.noted("policy")[0] == "perfwright.conf"


def test_the_machines_own_policy_stands_afterwards(machine: Machine) -> None:
    machine.give("apt-get", APT_GET)
    machine.run()
    folder = machine.root / "etc" / "postgresql-common" / "createcluster.d"
    assert list(folder.iterdir()) == []


def test_without_apt_get_the_tests_are_skipped(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 0
    assert "there is no apt-get" in done.stderr


def test_without_apt_get_a_required_server_is_an_error(machine: Machine) -> None:
    assert machine.run(required=True).returncode == 1


def test_an_install_that_fails_is_named(machine: Machine) -> None:
    machine.give("apt-get", "#!/usr/bin/env bash\nexit 100\n")
    done = machine.run(required=True)
    assert done.returncode == 1
    assert "could not install postgresql" in done.stderr


def test_a_server_of_other_origin_is_left_as_it_is(machine: Machine) -> None:
    machine.give("apt-get", APT_GET)
    machine.give("initdb", "#!/usr/bin/env bash\n")
    assert machine.run(required=True).returncode == 0
    assert machine.noted("calls") == []
