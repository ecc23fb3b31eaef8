#!/usr/bin/env bash
# Make .venv with perfwright (editable) and its development tools, at the versions of constraints.txt.
#
#   scripts/setup.sh                      with python3
#   PYTHON=python3.13 scripts/setup.sh    with another interpreter
#
# Running it again completes or updates what is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3}

main() {
    require_python
    "$PYTHON" -c 'import ensurepip' 2>/dev/null || install_ensurepip
    "$PYTHON" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
    .venv/bin/uv pip install -p .venv -e . --group dev -c constraints.txt
}

require_python() {
    command -v "$PYTHON" >/dev/null || die "$PYTHON is not on PATH; install Python 3.11 or newer"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$("$PYTHON" --version) is too old; set PYTHON to Python 3.11 or newer"
}

# Debian and Ubuntu ship Python without ensurepip, which `python3 -m venv` needs.
install_ensurepip() {
    local package as_root=()
    package=$(basename "$PYTHON")-venv
    command -v apt-get >/dev/null || die "$PYTHON has no ensurepip; install your system's $package"
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || die "$PYTHON has no ensurepip; install $package as root"
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "$package"
}

die() {
    echo "setup: $1" >&2
    exit 1
}

main
