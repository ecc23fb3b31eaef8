#!/usr/bin/env bash
# Install the redis-server program, which tests and benchmarks run private servers of.
#
# Does nothing where it is there. Where it cannot install it it says so and succeeds, and the tests
# that need a server are skipped; with PERFWRIGHT_REQUIRE_REDIS=1 it fails instead. No server is
# started: the program is all that is wanted.
set -euo pipefail

as_root=()

main() {
    command -v redis-server >/dev/null && return
    command -v apt-get >/dev/null || give_up "there is no apt-get"
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || give_up "installing it needs root or sudo"
        as_root=(sudo)
    fi
    install || { apt update && install; } || give_up "apt-get could not install redis-server"
}

# RUNLEVEL=1 makes Debian's packages leave their services stopped.
install() {
    apt install --yes --no-install-recommends redis-server
}

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get --quiet --option DPkg::Lock::Timeout=300 "$@" </dev/null
}

give_up() {
    echo "install_redis: $1; tests that need what is missing are skipped" >&2
    if [[ ${PERFWRIGHT_REQUIRE_REDIS:-} ]]; then exit 1; fi
    exit 0
}

main
