#!/usr/bin/env bash
# Spanish to English travel phrases: real text, a few minutes on a laptop.
# recipes/eutrans/run.sh [override ...] reads $SEQ2SEQ_DATA/eutrans_es_en and writes to run=, by default runs/eutrans below the current folder.
set -euo pipefail
run=runs/eutrans
. "$(dirname "$0")/../run_folder.sh"

data=(corpus=eutrans 'corpus.test=[valid]' tokenizer.vocab_size=1000 "cache=$run/cache")
seq2seq prepare "${data[@]}"

small=(model.width=192 encoder.layers=1 decoder.layers=2 encoder.feed_forward=0 decoder.feed_forward=0
    sublayer.dropout=0.2 model.embedding_dropout=0.1)
budget=(loader.max_tokens=400 schedule.warmup=200 trainer.updates=1500 trainer.validate_every=500 trainer.report_every=100
    trainer.ema_decay=0.99)
seq2seq train "run=$run" "${data[@]}" "${small[@]}" "${budget[@]}" "$@"

echo '¿ puede darme la llave de la habitación , por favor ?' | seq2seq translate "model=$run" source=es target=en || [ $? = 3 ] # some came out truncated

seq2seq evaluate "model=$run"
cp "$run/evaluation.json" "$run/results.json"
