#!/usr/bin/env bash
# Numbers, amounts, dates and times, written out: five languages, 20 directions, one model, no data and no network.
# recipes/quickstart/run.sh [override ...] writes to run=, by default runs/quickstart below the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/quickstart
. "$(dirname "$0")/../run_folder.sh"

python "$here/generate.py" "$run/text"
data=(corpus=files "corpus.path=$run/text" 'corpus.languages=[en,de,fr,es,cs]' corpus.directions=all 'corpus.test=[test]'
    tokenizer.vocab_size=800 "cache=$run/cache")
seq2seq prepare "${data[@]}"

small=(model.width=128 encoder.layers=1 decoder.layers=2 encoder.feed_forward=0 decoder.feed_forward=0
    model.word_dropout=0 model.embedding_dropout=0 sublayer.dropout=0)
budget=(loader.max_tokens=450 trainer.accumulation=2 optimizer.learning_rate=0.003 schedule.warmup=200 trainer.label_smoothing=0 trainer.ema_decay=0.99
    trainer.updates=1800 trainer.validate_every=600 trainer.report_every=100 trainer.average_checkpoints=0 validation.max_lines=400)
seq2seq train "run=$run" "${data[@]}" "${small[@]}" "${budget[@]}" "$@"

seq2seq translate "model=$run" source=en target=de "input=$run/text/test.en" "output=$run/test.de" || [ $? = 3 ] # some came out truncated
paste -d '\n' <(head -n 5 "$run/text/test.en") <(head -n 5 "$run/test.de")

seq2seq evaluate "model=$run" search=greedy
cp "$run/evaluation.json" "$run/results.json"
python "$here/summary.py" "$run/results.json"
