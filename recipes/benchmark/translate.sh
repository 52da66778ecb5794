#!/usr/bin/env bash
# How fast translating is on this machine, beside OpenNMT-py, JoeyNMT and Marian (README.md says how it is measured).
# recipes/benchmark/translate.sh [run=FOLDER] [--quick to try it out] [--peers marian] [--minutes 20] reads
# $SEQ2SEQ_DATA/multi30k, or the hub where that is not set. The first call installs each peer below run= and trains every
# model for --minutes; later calls use what is there. Writes translation.json and .md to run=, by default runs/benchmark
# below the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/benchmark
. "$here/../run_folder.sh"

BENCHMARK_FOLDER=$run python "$here/translation.py" "$@"
