#!/usr/bin/env bash
# Install PostgreSQL's server programs and HypoPG, which tests and benchmarks run private servers of.
#
# Does nothing where they are there. Where it cannot install them it says so and succeeds, and the
# tests that need a server are skipped; with PERFWRIGHT_REQUIRE_POSTGRESQL=1 it fails instead.
# No server is started and no cluster made: the programs are all that is wanted.
set -euo pipefail

ROOT=${PERFWRIGHT_SYSTEM_ROOT:-} # other than empty: a folder that stands for /, in tests
LIBRARY=$ROOT/usr/lib/postgresql
SHARE=$ROOT/usr/share/postgresql
NO_CLUSTER=$ROOT/etc/postgresql-common/createcluster.d/perfwright.conf
as_root=()

main() {
    [[ -n $(major) ]] && has_hypopg && return
    if [[ -z $(major) ]] && command -v initdb >/dev/null; then
        return # built or packaged by others, who have HypoPG where they want it
    fi
    command -v apt-get >/dev/null || give_up "there is no apt-get"
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || give_up "installing it needs root or sudo"
        as_root=(sudo)
    fi
    if [[ -z $(major) ]]; then
        without_cluster install postgresql || give_up "apt-get could not install postgresql"
        [[ -n $(major) ]] || give_up "its package has no server programs in $LIBRARY"
    fi
    has_hypopg || install "postgresql-$(major)-hypopg" ||
        give_up "apt-get could not install postgresql-$(major)-hypopg"
}

# The newest version that is installed; nothing for none.
major() {
    local program
    for program in "$LIBRARY"/*/bin/initdb; do
        if [[ -x $program ]]; then basename "$(dirname "$(dirname "$program")")"; fi
    done | sort -n | tail -1
}

has_hypopg() {
    [[ -e $SHARE/$(major)/extension/hypopg.control ]]
}

# Debian's package makes a cluster and starts a server; ask it not to, this once.
without_cluster() {
    local status=0
    "${as_root[@]}" mkdir -p "$(dirname "$NO_CLUSTER")"
    echo "create_main_cluster = false" | "${as_root[@]}" tee "$NO_CLUSTER" >/dev/null
    "$@" || status=$?
    "${as_root[@]}" rm -f "$NO_CLUSTER"
    return "$status"
}

# Package lists are fetched where those at hand do not do.
install() {
    apt install --yes --no-install-recommends "$@" ||
        { apt update && apt install --yes --no-install-recommends "$@"; }
}

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get --quiet --option DPkg::Lock::Timeout=300 "$@" </dev/null
}

give_up() {
    echo "install_postgresql: $1; tests that need what is missing are skipped" >&2
    if [[ ${PERFWRIGHT_REQUIRE_POSTGRESQL:-} ]]; then exit 1; fi
    exit 0
}

main
