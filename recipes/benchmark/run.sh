#!/usr/bin/env bash
# How fast training is on this machine, beside what the machine can multiply (README.md says how it is measured).
# recipes/benchmark/run.sh [run=FOLDER] [--seconds 12 to try it out] reads $SEQ2SEQ_DATA/multi30k, or the hub where that is not
# set, and writes results.json and results.md to run=, by default runs/benchmark below the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/benchmark
. "$here/../run_folder.sh"

BENCHMARK_FOLDER=$run python "$here/benchmark.py" "$@"
