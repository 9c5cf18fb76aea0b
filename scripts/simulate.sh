#!/usr/bin/env bash
# Runs the simulation of rollouts and rollbacks, optimised: 100 000 seeded worlds, or as specified by the arguments
# (`--seeds N`, `--first SEED`, `--threads N`; `--seed SEED --keep STRIKES` tells one world step by step). `explore` and its options
# (printed by `explore --help`) try every order of events in a small world instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift build -c release --product Simulation 1>&2
exec "$(swift build -c release --show-bin-path)/Simulation" "$@"
