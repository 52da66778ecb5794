#!/usr/bin/env bash
# Which of ten languages is it? A classifier of short pieces of text, many to one, a few minutes on two cores.
# recipes/language_identification/run.sh [override ...] reads $SEQ2SEQ_DATA/bible_multi10 and writes to
# runs/language_identification below the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/language_identification
. "$(dirname "$0")/../run_folder.sh"

python "$here/data.py" "${SEQ2SEQ_DATA:?names the folder of corpora}/bible_multi10" "$run/text"
data=(corpus=tsv "corpus.path=$run/text" 'corpus.directions=[text-label]' tokenizer=bpe "cache=$run/cache")
small=(model.width=128 encoder.layers=1 encoder.feed_forward=0 model.word_dropout=0.02 sublayer.dropout=0.1)
budget=(loader.max_tokens=4000 trainer.accumulation=2 trainer.cores=2 trainer.label_smoothing=0 trainer.updates=1500 trainer.validate_every=250
    trainer.report_every=250 trainer.ema_decay=0.99 schedule.warmup=100)
seq2seq train_classifier "run=$run" "${data[@]}" "${small[@]}" "${budget[@]}" "$@"

echo 'Guten Morgen zusammen' | seq2seq label "model=$run" output_format=json
for length in 10 20 40 80; do
    test=$run/text/test_$length
    seq2seq label "model=$run" "input=$test.text" "output=$run/test_$length.label" "references=$test.label" "results=$run/test_$length.json"
done
python "$here/summary.py" "$run" # prints the table and writes results.json
