#!/usr/bin/env bash
# How fast translating is on this machine, beside OpenNMT-py, JoeyNMT and Marian (README.md says how it is measured).
# recipes/benchmark/translate.sh [--quick to try it out] [--peers marian] [--minutes 20] reads $SEQ2SEQ_DATA/multi30k, or the
# hub where that is not set. The first call installs each peer below runs/benchmark and trains every model for
# --minutes; later calls use what is there. Writes runs/benchmark/translation.json and .md below the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

python "$here/translation.py" "$@"
