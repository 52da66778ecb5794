#!/usr/bin/env bash
# English, character by character: a recurrent language model of running text, minutes on a laptop.
# recipes/language_model/run.sh [override ...] reads $SEQ2SEQ_DATA/bible_multi10 and writes to run=, by default runs/language_model below the current folder.
set -euo pipefail
run=runs/language_model
. "$(dirname "$0")/../run_folder.sh"

data=(corpus=bible 'languages=[en]' "cache=$run/cache")
small=(model.width=256 sublayer.dropout=0.1)
budget=(reading.streams=16 reading.bptt_length=128 schedule.warmup=200 trainer.epochs=3 trainer.validate_every=1000 trainer.report_every=200
    trainer.ema_decay=0.99 trainer.average_checkpoints=0)
seq2seq train_language_model "run=$run" "${data[@]}" "${small[@]}" "${budget[@]}" "$@"

seq2seq score "model=$run" input="$SEQ2SEQ_DATA/bible_multi10/valid.en" "output=$run/scores.tsv" "totals=$run/results.json"

seq2seq sample "model=$run" num_samples=5 search.temperature=0.8 search.top_p=0.95
echo 'The king said to the' | seq2seq sample "model=$run" prompts=- num_samples=3 search.temperature=0.8 search.top_p=0.95
