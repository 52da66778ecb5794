#!/usr/bin/env bash
# English to German image captions (Multi30k, 29,000 pairs), raw and cased: the toolkit's main job.
# recipes/multi30k_en_de/run.sh [override ...] reads $SEQ2SEQ_DATA/multi30k, or the hub where that is not set, and writes
# to runs/multi30k_en_de below the current folder.
set -euo pipefail
run=runs/multi30k_en_de
. "$(dirname "$0")/../run_folder.sh"

data=(corpus=multi30k 'corpus.directions=[en-de]' tokenizer.vocab_size=6000 "cache=$run/cache")
seq2seq prepare "${data[@]}"

tuned=(loader.max_tokens=400 optimizer.learning_rate=0.002 schedule.warmup=400 trainer.ema_decay=0.998
    trainer.hours=0.3 trainer.validate_every=1000)
seq2seq train "run=$run" "${data[@]}" "${tuned[@]}" "$@"

echo 'Two dogs are playing in the snow.' | seq2seq translate "model=$run" source=en target=de || [ $? = 3 ] # some came out truncated

seq2seq evaluate "model=$run"
cp "$run/evaluation.json" "$run/results.json"
