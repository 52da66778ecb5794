#!/usr/bin/env bash
# Speed of every cell, then what each learns of real text at the same budget of updates.
# recipes/cells/run.sh [--jobs N] [override ...] reads $SEQ2SEQ_DATA/eutrans_es_en and writes to run=, by default runs/cells below the
# current folder. --jobs: training runs side by side, a core each; overrides go to every one of them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/cells
. "$(dirname "$0")/../run_folder.sh"

mkdir -p "$run"
python "$here/benchmark.py" "$run"
python "$here/quality.py" "$run" "$@"

cat "$run/speed.md" "$run/quality.md"
cp "$run/quality.json" "$run/results.json"
