#!/usr/bin/env bash
# What makes a translator of little text better, and what does not: objectives and sampled segmentations at one budget.
# recipes/objectives/run.sh [--pairs N] [--seeds N ...] [--jobs N] [override ...] reads $SEQ2SEQ_DATA/multi30k and writes
# to run=, by default runs/objectives below the current folder. Overrides go to every run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/objectives
. "$(dirname "$0")/../run_folder.sh"

mkdir -p "$run"
python "$here/compare.py" "$run" "$@"

cat "$run/compared.md"
cp "$run/compared.json" "$run/results.json"
